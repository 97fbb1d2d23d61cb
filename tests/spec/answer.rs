//! RFC 1034 §4.3.2 read aloud over lists of records, with what RFC 4035 §3.1 adds for who sets DO.

use super::records::{Name, Record};
use super::types::{A, AAAA, ANY, CNAME, DNAME, DS, MX, NS, NSEC, RRSIG};
use super::{CHAIN_MAX, Zone, read_name};

pub const NOERROR: u16 = 0;
pub const NXDOMAIN: u16 = 3;
pub const REFUSED: u16 = 5;
pub const YXDOMAIN: u16 = 6;

/// What an answer says. In no section a record stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub rcode: u16,
    pub authoritative: bool,
    /// In the order of the chain.
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    /// In no order.
    pub additional: Vec<Record>,
}

/// What is asked.
pub struct Question<'q> {
    pub name: &'q Name,
    pub rtype: u16,
    /// DO (RFC 3225): whether signatures and proofs are wanted.
    pub dnssec_ok: bool,
    /// The type that was chosen for ANY: the choice is the server's (RFC 8482 §4.1).
    pub any: u16,
}

/// A server: its zones, and the one choice of its operator.
pub struct Server<'z> {
    pub zones: &'z [Zone],
    pub minimal_responses: bool,
}

/// What a zone says to one name of a chain.
enum Step {
    /// The zone ends at this name or above it.
    Referral(Name),
    Dname(Record),
    Cname(Record),
    Found(Vec<Record>),
    NoData,
    NxDomain,
}

/// An answer while it is made.
struct Reply<'z> {
    zone: &'z Zone,
    signed: bool,
    said: Answer,
}

impl Server<'_> {
    /// Steps 2 to 6.
    pub fn answer(&self, question: &Question<'_>) -> Answer {
        let Some(zone) = self.zone_for(question.name, question.rtype) else {
            return Answer { rcode: REFUSED, ..Answer::default() };
        };
        let mut reply = Reply::of(zone, question);
        let (mut name, mut links) = (question.name.clone(), 0);
        // An alias that leaves the zone, or comes back to where it was, ends the answer.
        while name.is_within(&zone.apex) && !reply.has_alias(&name) {
            let step = zone.step(&name, question);
            if matches!(step, Step::Dname(_) | Step::Cname(_)) && links == CHAIN_MAX {
                break;
            }
            match step {
                Step::Dname(dname) => {
                    reply.add_answer(std::slice::from_ref(&dname));
                    let Some(cname) = substitute(&dname, &name) else {
                        reply.said.rcode = YXDOMAIN; // RFC 6672 §3.2
                        break;
                    };
                    name = target(&cname).unwrap();
                    add(&mut reply.said.answer, vec![cname]); // it is not signed: RFC 6672 §5.3.1
                    if question.rtype == CNAME {
                        self.add_kindnesses(&mut reply, &[]); // that was asked for
                        break;
                    }
                }
                Step::Cname(cname) => {
                    name = target(&cname).unwrap();
                    reply.add_answer(&[cname]);
                }
                Step::Found(set) => {
                    reply.add_answer(&set);
                    self.add_kindnesses(&mut reply, &set);
                    break;
                }
                Step::Referral(cut) => {
                    reply.refer(&cut);
                    break;
                }
                Step::NoData => {
                    reply.deny(NOERROR, || zone.no_data(&name));
                    break;
                }
                Step::NxDomain => {
                    // The code is that of the last name: RFC 6604 §3
                    reply.deny(NXDOMAIN, || zone.name_error(&name));
                    break;
                }
            }
            links += 1;
        }
        reply.said
    }

    /// Step 2, with RFC 4035 §3.1.4.1: the DS of an apex is the parent's, where it is served.
    fn zone_for(&self, name: &Name, rtype: u16) -> Option<&Zone> {
        let holders = || self.zones.iter().filter(|zone| name.is_within(&zone.apex));
        let parents = holders().filter(|zone| rtype == DS && *name != zone.apex);
        let nearest = |zone: &&Zone| zone.apex.labels();
        parents.max_by_key(nearest).or(holders().max_by_key(nearest))
    }

    /// Step 6, to a question that found what it asked for.
    fn add_kindnesses(&self, reply: &mut Reply<'_>, found: &[Record]) {
        let mut pointing = found.to_vec();
        if !self.minimal_responses {
            let name_servers = reply.zone.rrset(&reply.zone.apex, NS);
            if name_servers != found {
                reply.add_authority(&name_servers, &reply.zone.apex);
                pointing.extend(name_servers);
            }
        }
        for target in pointing.iter().filter_map(target_with_addresses) {
            self.add_addresses(reply, &target);
        }
    }

    /// The addresses of a name from the zone here that has authority over it, if one does, as if
    /// they were asked for; in the additional section a set has its signatures too (RFC 4035
    /// §3.1.1).
    fn add_addresses(&self, reply: &mut Reply<'_>, owner: &Name) {
        let Some(zone) = self.zone_for(owner, A) else { return };
        for rtype in [A, AAAA] {
            let question = Question { name: owner, rtype, dnssec_ok: false, any: 0 };
            let Step::Found(set) = zone.step(owner, &question) else { continue };
            if set.iter().all(|record| reply.said.answer.contains(record)) {
                continue;
            }
            if reply.signed_by(zone) {
                add(&mut reply.said.additional, zone.signatures(&set, &zone.source(owner)));
            }
            add(&mut reply.said.additional, set);
        }
    }
}

impl<'z> Reply<'z> {
    fn of(zone: &'z Zone, question: &Question<'_>) -> Reply<'z> {
        let said = Answer { authoritative: true, ..Answer::default() };
        Reply { zone, signed: question.dnssec_ok, said }
    }

    /// RFC 4035 §3.1: who does not set DO, or asks an unsigned zone, gets nothing of DNSSEC.
    fn signed_by(&self, zone: &Zone) -> bool {
        self.signed && zone.is_signed()
    }

    fn has_alias(&self, owner: &Name) -> bool {
        self.said.answer.iter().any(|record| record.rtype == CNAME && record.owner == *owner)
    }

    /// A set of the answer; if a wildcard stood for it, with the proof that nothing closer is there
    /// (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    fn add_answer(&mut self, set: &[Record]) {
        let owner = &set[0].owner;
        let source = self.zone.source(owner);
        add(&mut self.said.answer, set.to_vec());
        if self.signed_by(self.zone) {
            add(&mut self.said.answer, self.zone.signatures(set, &source));
            if source != *owner {
                self.add_proof(self.zone.nothing_closer(owner));
            }
        }
    }

    /// A set of the authority section.
    fn add_authority(&mut self, set: &[Record], source: &Name) {
        add(&mut self.said.authority, set.to_vec());
        if self.signed_by(self.zone) {
            add(&mut self.said.authority, self.zone.signatures(set, source));
        }
    }

    fn add_proof(&mut self, proof: Vec<Record>) {
        for record in proof {
            let owner = record.owner.clone();
            self.add_authority(&[record], &owner);
        }
    }

    /// Step 3b: the name servers of the cut, and the addresses that nobody else may know; with DO
    /// whether what is below is signed (RFC 4035 §3.1.4).
    fn refer(&mut self, cut: &Name) {
        self.said.authoritative = !self.said.answer.is_empty(); // RFC 6604 §2.1
        let name_servers = self.zone.rrset(cut, NS);
        self.add_authority(&name_servers, cut);
        if self.signed_by(self.zone) {
            match self.zone.rrset(cut, DS) {
                ds if !ds.is_empty() => self.add_authority(&ds, cut),
                _ => self.add_proof(self.zone.no_data(cut)), // RFC 5155 §7.2.7
            }
        }
        for owner in name_servers.iter().filter_map(target) {
            for rtype in [A, AAAA] {
                let addresses = self.zone.rrset(&owner, rtype);
                if self.signed_by(self.zone) {
                    let signatures = self.zone.signatures(&addresses, &owner);
                    add(&mut self.said.additional, signatures);
                }
                add(&mut self.said.additional, addresses);
            }
        }
    }

    /// RFC 2308 §2: the SOA says that it is so, and for how long; with DO a proof says it too.
    fn deny(&mut self, rcode: u16, proof: impl Fn() -> Vec<Record>) {
        self.said.rcode = rcode;
        self.add_authority(&[self.zone.negative_soa()], &self.zone.apex);
        if self.signed_by(self.zone) {
            self.add_proof(proof());
        }
    }
}

impl Zone {
    /// Step 3: down from the apex, label by label, and then the records or a wildcard's.
    fn step(&self, name: &Name, question: &Question<'_>) -> Step {
        for labels in self.apex.labels()..=name.labels() {
            let node = name.suffix(labels);
            // The DS of a cut stands above it: RFC 4035 §3.1.4.1
            if self.is_cut(&node) && !(node == *name && question.rtype == DS) {
                return Step::Referral(node); // step 3b
            }
            if let Some(dname) = self.rrset(&node, DNAME).pop().filter(|_| node != *name) {
                return Step::Dname(dname); // RFC 6672 §3.2
            }
        }
        let source = self.source(name);
        if !self.holds(&source) {
            return Step::NxDomain;
        }
        let owned = |record: &Record| Record { owner: name.clone(), ..record.clone() };
        let records = self.visible().filter(|record| record.owner == source);
        let records: Vec<Record> = records.map(owned).collect();
        let of_type = |rtype| records.iter().filter(move |record| record.rtype == rtype);
        let rtype = match question.rtype {
            ANY => one_type(&records, question.any),
            rtype => rtype,
        };
        let found: Vec<Record> = of_type(rtype).cloned().collect();
        match of_type(CNAME).next() {
            _ if !found.is_empty() => Step::Found(found),
            // What stands beside an alias is its own (RFC 2181 §10.1, RFC 4035 §2.5): no question for
            // it is one for the alias' target. That this holds if there is none is a choice.
            _ if [NSEC, RRSIG].contains(&rtype) => Step::NoData,
            Some(cname) => Step::Cname(cname.clone()), // step 3a, and 3c for wildcards
            None => Step::NoData,
        }
    }
}

/// The type that ANY gets: the one that was chosen if it is there, and in any case one that is no
/// signature or proof, which go to those who ask for them by type (RFC 3225 §3).
fn one_type(records: &[Record], chosen: u16) -> u16 {
    let types = records.iter().map(|record| record.rtype);
    let types = types.filter(|rtype| ![RRSIG, NSEC].contains(rtype));
    let rank = |rtype: &u16| (*rtype != chosen, *rtype);
    types.min_by_key(rank).unwrap_or(ANY)
}

/// The CNAME that a DNAME makes for a name below it (RFC 6672 §3.1), unless that is too long.
fn substitute(dname: &Record, name: &Name) -> Option<Record> {
    let target = name.prefix(&dname.owner).before(&target(dname)?);
    let data = Some(target.wire()).filter(|wire| wire.len() <= 255)?;
    Some(Record { owner: name.clone(), rtype: CNAME, data, ..dname.clone() })
}

/// The name that a record points at.
pub fn target(record: &Record) -> Option<Name> {
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

/// Adds what is not there yet: no record stands twice (RFC 2181 §5).
fn add(section: &mut Vec<Record>, set: Vec<Record>) {
    for record in set {
        if !section.contains(&record) {
            section.push(record);
        }
    }
}
