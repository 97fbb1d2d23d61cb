//! A second opinion: on generated zones, does every answer equal that of a naive server?
//!
//! [`Naive`] is RFC 1034 §4.3.2 read aloud over a list of records: linear scans, names as labels, no
//! index, no flags worked out beforehand. It was written from the RFCs, without a look at the
//! program. A failing case is shrunk and printed as zone files, the question and both answers.
//!
//! `PROPTEST_CASES=5000 cargo test --test model` looks longer, `PROPTEST_RNG_SEED=7` elsewhere.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "support/records.rs"]
mod records;
#[path = "model/zones.rs"]
mod zones;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use records::{Message, Name, Record, query};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use types::{A, AAAA, ANY, CNAME, DNAME, DS, MX, NS};
use zones::{Case, Zone, any_case, read_name};
use zonesmith::answer::CHAIN_MAX;
use zonesmith::clock::Now;
use zonesmith::diag::Span;
use zonesmith::respond::{Outcome, Peer, Policy, Reason, State, Transport, respond};
use zonesmith::zone::build::Builder;
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zonefile;

/// The codes of the types that are drawn, and of the questions.
mod types {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const DS: u16 = 43;
    pub(crate) const ANY: u16 = 255;
}

/// Zones per run, if `PROPTEST_CASES` does not say it: a few seconds.
const CASES: u32 = 64;
/// The types that are asked for: those of the zones, ANY, and one that no zone has.
const QTYPES: [u16; 11] = [1, 2, 5, 6, 15, 16, 28, 39, 43, 255, 65280];
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;

//----------- The naive server ---------------------------------------------------------------------

/// What an answer says. The additional section is in no order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    rcode: u16,
    authoritative: bool,
    answer: Vec<Record>,
    authority: Vec<Record>,
    additional: BTreeSet<Record>,
}

struct Naive<'c> {
    case: &'c Case,
}

/// What a zone says to one name of a chain.
enum Step {
    Referral(Vec<Record>),
    Dname(Record),
    Cname(Record),
    Found(Vec<Record>),
    NoData,
    NxDomain,
}

impl Naive<'_> {
    /// RFC 1034 §4.3.2 steps 2 to 6. `any` is the type that was chosen for ANY: the choice is the
    /// server's (RFC 8482 §4.1).
    fn answer(&self, qname: &Name, qtype: u16, any: u16) -> Answer {
        let Some(zone) = self.zone_for(qname, qtype) else {
            return Answer { rcode: REFUSED, ..Answer::default() };
        };
        let mut reply = Answer { authoritative: true, ..Answer::default() };
        let (mut name, mut links) = (qname.clone(), 0);
        // An alias that leaves the zone, or comes back to where it was, ends the answer.
        while name.is_within(&zone.apex) && !reply.has_alias(&name) {
            match zone.step(&name, qtype, any) {
                Step::Dname(_) | Step::Cname(_) if links == CHAIN_MAX => return reply,
                Step::Dname(dname) => {
                    let cname = substitute(&dname, &name);
                    add(&mut reply.answer, &[dname]);
                    let Some(cname) = cname else {
                        return Answer { rcode: YXDOMAIN, ..reply };
                    };
                    name = target(&cname).unwrap();
                    add(&mut reply.answer, &[cname]);
                    if qtype == CNAME {
                        return self.with_kindnesses(zone, &[], reply); // that was asked for
                    }
                }
                Step::Cname(cname) => {
                    name = target(&cname).unwrap();
                    add(&mut reply.answer, &[cname]);
                }
                Step::Found(set) => {
                    add(&mut reply.answer, &set);
                    return self.with_kindnesses(zone, &set, reply);
                }
                Step::Referral(authority) => {
                    let authoritative = !reply.answer.is_empty(); // RFC 6604 §2.1
                    let targets = authority.iter().filter_map(target);
                    let additional = targets.flat_map(|t| zone.addresses_of(&t)).collect();
                    return Answer { authoritative, authority, additional, ..reply };
                }
                Step::NoData => return Answer { authority: zone.negative_soa(), ..reply },
                Step::NxDomain => {
                    // the code is that of the last name: RFC 6604 §3
                    return Answer { rcode: NXDOMAIN, authority: zone.negative_soa(), ..reply };
                }
            }
            links += 1;
        }
        reply
    }

    /// Step 2, with RFC 4035 §3.1.4.1: the DS of an apex is the parent's, where it is served.
    fn zone_for(&self, qname: &Name, qtype: u16) -> Option<&Zone> {
        let holders = || self.case.zones.iter().filter(|zone| qname.is_within(&zone.apex));
        let parents = holders().filter(|zone| qtype == DS && *qname != zone.apex);
        let nearest = |zone: &&Zone| zone.apex.0.len();
        parents.max_by_key(nearest).or(holders().max_by_key(nearest))
    }

    /// Step 6, to a question that found what it asked for.
    fn with_kindnesses(&self, zone: &Zone, found: &[Record], mut reply: Answer) -> Answer {
        let mut pointing = found.to_vec();
        if !self.case.minimal_responses {
            let name_servers = zone.rrset(&zone.apex, NS);
            if name_servers != found {
                reply.authority.clone_from(&name_servers);
                pointing.extend(name_servers);
            }
        }
        // From the zone here that has authority over the target, if one does, as if they were asked for
        let addresses = |target: &Name| -> Vec<Record> {
            let Some(zone) = self.zone_for(target, A) else { return Vec::new() };
            let asked = [A, AAAA].map(|rtype| match zone.step(target, rtype, 0) {
                Step::Found(set) => set,
                _ => Vec::new(),
            });
            asked.concat()
        };
        let held = pointing.iter().filter_map(target_with_addresses).map(|t| addresses(&t));
        reply.additional = held.flatten().collect();
        reply.additional.retain(|record| !reply.answer.contains(record));
        reply
    }
}

impl Answer {
    fn has_alias(&self, owner: &Name) -> bool {
        self.answer.iter().any(|record| record.rtype == CNAME && record.owner == *owner)
    }
}

impl Zone {
    /// Step 3: down from the apex, label by label, and then the records or a wildcard's.
    fn step(&self, name: &Name, qtype: u16, any: u16) -> Step {
        for labels in self.apex.0.len()..=name.0.len() {
            let node = name.suffix(labels);
            let parents_part = node == self.apex || node == *name && qtype == DS;
            let name_servers = self.rrset(&node, NS);
            if !parents_part && !name_servers.is_empty() {
                return Step::Referral(name_servers); // step 3b
            }
            if let Some(dname) = self.rrset(&node, DNAME).pop().filter(|_| node != *name) {
                return Step::Dname(dname); // RFC 6672 §3.2
            }
        }
        let mut enclosing = (0..=name.0.len()).rev().map(|labels| name.suffix(labels));
        let encloser = enclosing.find(|name| self.holds(name)).unwrap();
        let source = if encloser == *name { encloser } else { encloser.child("*") };
        if !self.holds(&source) {
            return Step::NxDomain;
        }
        let owned = |record: &Record| Record { owner: name.clone(), ..record.clone() };
        let records = self.records.iter().filter(|record| record.owner == source);
        let records: Vec<Record> = records.map(owned).collect();
        let of_type = |rtype| records.iter().filter(move |record| record.rtype == rtype);
        let lowest = records.iter().min_by_key(|record| record.rtype);
        let chosen = of_type(any).next().or(lowest).filter(|_| qtype == ANY);
        let found: Vec<Record> =
            of_type(chosen.map_or(qtype, |record| record.rtype)).cloned().collect();
        match of_type(CNAME).next() {
            _ if !found.is_empty() => Step::Found(found),
            Some(cname) => Step::Cname(cname.clone()), // step 3a, and 3c for wildcards
            None => Step::NoData,
        }
    }

    fn rrset(&self, owner: &Name, rtype: u16) -> Vec<Record> {
        let of_set = |record: &&Record| record.owner == *owner && record.rtype == rtype;
        self.records.iter().filter(of_set).cloned().collect()
    }

    /// Whether a name exists, if only because another stands below it (RFC 4592 §2.2.2).
    fn holds(&self, name: &Name) -> bool {
        self.records.iter().any(|record| record.owner.is_within(name))
    }

    /// RFC 2308 §3.
    fn negative_soa(&self) -> Vec<Record> {
        let mut soa = self.records[0].clone();
        let minimum = u32::from_be_bytes(*soa.data.last_chunk().unwrap());
        soa.ttl = soa.ttl.min(minimum);
        vec![soa]
    }

    fn addresses_of(&self, owner: &Name) -> Vec<Record> {
        [self.rrset(owner, A), self.rrset(owner, AAAA)].concat()
    }
}

/// The CNAME that a DNAME makes for a name below it (RFC 6672 §3.1), unless that is too long.
fn substitute(dname: &Record, name: &Name) -> Option<Record> {
    let mut target = target(dname)?;
    let prefix = &name.0[..name.0.len() - dname.owner.0.len()];
    target.0.splice(0..0, prefix.iter().cloned());
    let data = Some(target.wire()).filter(|wire| wire.len() <= 255)?;
    Some(Record { owner: name.clone(), rtype: CNAME, data, ..dname.clone() })
}

/// The name that a record points at.
fn target(record: &Record) -> Option<Name> {
    match record.rtype {
        NS | CNAME | DNAME => Some(read_name(&record.data).0),
        MX => Some(read_name(&record.data[2..]).0),
        _ => None,
    }
}

/// The same, if a client will want its addresses.
fn target_with_addresses(record: &Record) -> Option<Name> {
    target(record).filter(|_| [NS, MX].contains(&record.rtype))
}

/// Adds an RRset that is not there yet (RFC 2181 §5.5).
fn add(section: &mut Vec<Record>, set: &[Record]) {
    if !set.iter().all(|record| section.contains(record)) {
        section.extend_from_slice(set);
    }
}

//----------- The comparison -----------------------------------------------------------------------

#[test]
fn the_program_answers_as_a_naive_server_does() {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1034); // a test that fails does so again
    }
    let enough = config.cases >= CASES;
    let reasons = RefCell::new(BTreeMap::new());
    let outcome =
        TestRunner::new(config).run(&any_case(), |case| compare(&case, &mut reasons.borrow_mut()));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let reasons = reasons.into_inner();
    assert!(!enough || reasons.len() == 8, "not every way to end was met: {reasons:?}");
}

/// How often each reason for an answer was met.
type Reasons = BTreeMap<String, usize>;

/// Asks every question about a case.
fn compare(case: &Case, reasons: &mut Reasons) -> Result<(), TestCaseError> {
    let mut state =
        State::new(Policy { minimal_responses: case.minimal_responses, ..Policy::default() });
    for zone in &case.zones {
        let zone = load(zone).map_err(TestCaseError::fail)?;
        let change = Change { apex: zone.apex().to_buf(), slot: Some(Slot::Live(zone.into())) };
        state.zones.apply(change);
    }
    for qname in qnames(case) {
        for qtype in QTYPES {
            let expected = |any| Naive { case }.answer(&qname, qtype, any);
            let question = format!("{qname} TYPE{qtype}");
            let (given, reason) = ask(&mut state, &qname, qtype)
                .map_err(|why| TestCaseError::fail(format!("{question}: {why}")))?;
            *reasons.entry(format!("{reason:?}")).or_default() += 1;
            let any = given.answer.last().map_or(0, |record| record.rtype);
            let expected = expected(any);
            if given != expected {
                let what = format!("{question}\nthe program: {given:#?}\nexpected: {expected:#?}");
                return Err(TestCaseError::fail(what));
            }
        }
    }
    Ok(())
}

/// The zone as the program reads it.
fn load(zone: &Zone) -> Result<zonesmith::zone::Zone, String> {
    let mut builder = Builder::default();
    let mut include = |_: &str, _: &str| Err("nothing is included".to_string());
    let text = zone.text().into_bytes();
    let mut sink = |record: zonesmith::rr::Record<'_>, place: zonefile::Place<'_>| {
        builder.add(record, place.record, place.words);
    };
    let report = zonefile::read("generated", text, None, &mut include, &mut sink);
    let (built, findings) = builder.finish(Span::default());
    match (built, report.findings.is_empty() && findings.is_empty()) {
        (Some(built), true) => Ok(built),
        _ => Err(format!("the zone is not clean: {:?} {findings:?}", report.findings)),
    }
}

/// The names to ask for: all that zones speak of, with a label more and one less, and one outside.
fn qnames(case: &Case) -> BTreeSet<Name> {
    let records = case.zones.iter().flat_map(|zone| &zone.records);
    let spoken: BTreeSet<Name> = records
        .flat_map(|record| std::iter::once(record.owner.clone()).chain(target(record)))
        .collect();
    let mut names = BTreeSet::from([Name::of("zonee."), Name::default()]);
    for name in spoken {
        names.extend(["a", "*", "x"].map(|label| name.child(label)));
        names.insert(name.child("a").child("x"));
        names.insert(name.suffix(name.0.len().saturating_sub(1)));
        names.insert(name);
    }
    names.retain(|name| name.wire().len() <= 255);
    names
}

/// Asks the program over TCP, where nothing is left out for want of room, in mixed case.
fn ask(state: &mut State, qname: &Name, qtype: u16) -> Result<(Answer, Reason), String> {
    let mut written = qname.wire();
    for octet in written.iter_mut().skip(1).step_by(2 + usize::from(qtype % 2)) {
        octet.make_ascii_uppercase(); // a length octet is below every letter
    }
    let source = "127.0.0.1:5300".parse().unwrap();
    let peer = Peer { transport: Transport::Tcp, source };
    let mut reply = Vec::new();
    let reason =
        match respond(&query(&written, qtype, None), peer, Now::default(), state, &mut reply) {
            Outcome::Send(reason) => reason,
            Outcome::Drop(why) => return Err(format!("no answer: {why}")),
        };
    let message = Message::read(&reply)?;
    if message.qname != written || message.flags & 0x0200 != 0 {
        return Err(format!("TC is set, or the question is another: {message:#?}"));
    }
    let (rcode, authoritative) = (message.rcode(), message.flags & 0x0400 != 0);
    let [answer, authority, additional] = message.sections;
    let count = additional.len();
    let additional = BTreeSet::from_iter(additional);
    if additional.len() < count {
        return Err("a record stands twice in the additional section".to_string());
    }
    Ok((Answer { rcode, authoritative, answer, authority, additional }, reason))
}
