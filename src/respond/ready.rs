//! The short road: answers that are copies, since most of what is asked is only to be found.
//!
//! What a zone holds is stored as an answer holds it ([`Rrset::records`]), and whom its data name is
//! known ([`crate::zone::Link`]). So a query of the usual shape ([`PlainQuery`]) can be answered without
//! a [`crate::answer::Reply`] when it gets
//!
//! - records of the name itself, with the addresses that go along, and with their signatures,
//! - that there are no such records, or no such name, from a zone that need not prove it,
//! - a referral from such a zone.
//!
//! Whatever is not as simple (an alias, a wildcard, a name that another zone may know, no room, a cookie
//! that is wanted) takes the long road of [`super::respond_seen`]. On both an answer is the same, octet for
//! octet: what is explained always takes the long one, and the tests compare.
//!
//! Of the 1,344 instructions that a query of a mixed load took when this was written (under callgrind,
//! sockets' side included, the kernel's not), 229 read and hashed its name, 98 found the zone, 130 the
//! node, 58 compared names, 116 went into batches and their headers, some 210 into copies, and 463 into
//! all that stands in line here: who asks, header, question, OPT, room.

use super::setting::len_max;
use super::{Outcome, Peer, State, Transport, answered};
use crate::answer::End;
use crate::clock::Now;
use crate::guard::rrl::{Kind, LARGE_FROM, Limiter, Passage};
use crate::name::{Name, Suffixes};
use crate::rr::{Rtype, rdata, table};
use crate::wire::QNAME;
use crate::wire::codes::Rcode;
use crate::wire::plain::{Copies, PlainQuery};
use crate::wire::response::Section;
use crate::zone::set::{Slot, ZoneSet};
use crate::zone::{Node, Position, RECORD_HEAD_LEN, Rrset, Target, Zone};
use arrayvec::ArrayVec;

/// Where an answer was made.
pub(super) enum Road {
    /// Here.
    Short(Outcome),
    /// It is to be made on the long road; what becomes of it may be known already.
    Long(Option<Passage>),
}

/// The most records of a set with addresses that are written here.
const TARGETS_MAX: usize = 16;

/// Appends the answer to `message`, if that takes copies alone; else `out` is as it was.
#[inline]
pub(super) fn respond(
    message: &[u8],
    from: &Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
) -> Road {
    if state.wants_thought(from) {
        return Road::Long(None);
    }
    let Some(query) = PlainQuery::read(message, &mut state.hashes) else {
        return Road::Long(None);
    };
    let State { zones, hashes, limiter, .. } = state;
    let Some((slot, zone)) = find(&query, hashes, zones) else { return Road::Long(None) };
    let signed = query.opt.is_some_and(|opt| opt.dnssec_ok) && zone.is_signed();
    let asked = || Asked { query, from, now, slot, zone, zones, hashes, signed };
    match lone_set(&query, zone, hashes).filter(|_| !signed) {
        Some(set) => asked().answer(limiter, out, |copies| {
            copies.records(Section::Answer, set.records(), set.count()).ok()?;
            Some((End::Found, Kind::Name, hashes.whole()))
        }),
        None => asked().answer_from_more(limiter, out),
    }
}

impl State {
    /// Whether something is asked of each answer that copies alone do not give.
    #[inline]
    fn wants_thought(&self, from: &Peer) -> bool {
        !self.policy.minimal_responses
            || self.cookies.as_ref().is_some_and(|cookies| cookies.required)
            || !self.zone_acls.is_empty()
            || !self.acl.is_open() && self.acl.denies(from.source.ip(), None)
    }
}

/// The zone that answers a question for records of one type; none where that takes more thought.
#[inline]
fn find<'z>(
    query: &PlainQuery<'_>,
    hashes: &Suffixes,
    zones: &'z ZoneSet,
) -> Option<(&'z Slot, &'z Zone)> {
    if matches!(query.rtype, table::ANY | table::RRSIG | table::NSEC | table::AXFR | table::IXFR) {
        return None;
    }
    let (slot, labels) = zones.find(query.name, hashes, hashes.labels())?;
    let above = query.rtype == table::DS && labels == hashes.labels(); // RFC 4035 §3.1.4.1
    slot.zone().filter(|_| !above).map(|zone| (slot, zone))
}

/// The set that is the whole answer, as the most answers are: no name in its data matters to the asker.
#[inline]
fn lone_set<'z>(query: &PlainQuery<'_>, zone: &'z Zone, hashes: &Suffixes) -> Option<Rrset<'z>> {
    if rdata::concerns_names(query.rtype) {
        return None;
    }
    let node = zone.node_with(hashes.whole(), query.name)?;
    if node.is_authoritative() { node.rrset(query.rtype) } else { None }
}

/// What was asked, of which zone.
#[derive(Clone, Copy)]
struct Asked<'s> {
    query: PlainQuery<'s>,
    from: &'s Peer,
    now: Now,
    slot: &'s Slot,
    zone: &'s Zone,
    zones: &'s ZoneSet,
    hashes: &'s Suffixes,
    /// Signatures are wanted and there.
    signed: bool,
}

impl<'s> Asked<'s> {
    /// Any other answer.
    #[inline(never)] // the shortest way is not to make room for it
    fn answer_from_more(self, limiter: &mut Option<Limiter>, out: &mut Vec<u8>) -> Road {
        self.answer(limiter, out, |copies| {
            let Asked { zone, zones, signed, hashes, .. } = self;
            let mut answer = Answer { copies, zone, zones, signed, cut_labels: 0 };
            let end = answer.write(self.query.name, self.query.rtype, hashes)?;
            let (kind, labels) = answer.counts_as(end, hashes);
            Some((end, kind, hashes.hash(labels)))
        })
    }

    /// Appends the answer that `write` copies together, if it may be sent. That says how it ends, what it
    /// counts as, and by which hash.
    #[inline(always)] // what stands in its arguments need not go through memory
    fn answer(
        self,
        limiter: &mut Option<Limiter>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Copies<'_>) -> Option<(End, Kind, u64)>,
    ) -> Road {
        let (base, &Peer { transport, ref source }) = (out.len(), self.from);
        let len_max = len_max(self.query.opt.map(|opt| opt.udp_len), transport);
        let mut copies = Copies::to(&self.query, self.zone.apex_len(), len_max, out);
        let Some((end, kind, name)) = write(&mut copies) else {
            out.truncate(base);
            return Road::Long(None);
        };
        let kind = if copies.message_len() > LARGE_FROM { Kind::Large } else { kind };
        let passage = match limiter {
            Some(limiter) if transport == Transport::Udp && limiter.counts(source.ip()) => {
                limiter.pass(source.ip(), kind, name, self.now.monotonic_ms)
            }
            _ => Passage::Free,
        };
        if passage != Passage::Free {
            out.truncate(base);
            return Road::Long(Some(passage));
        }
        let rcode = if end == End::NxDomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
        copies.finish(rcode, end != End::Referral);
        Road::Short(Outcome::Send(answered(self.slot, end)))
    }
}

/// An answer being copied together.
struct Answer<'a, 'o, 'z> {
    copies: &'a mut Copies<'o>,
    zone: &'z Zone,
    zones: &'z ZoneSet,
    signed: bool,
    /// The labels of the cut that a referral is about.
    cut_labels: usize,
}

impl<'z> Answer<'_, '_, 'z> {
    /// Writes the records; none if that takes more than copies. The order is that of RFC 1034 §4.3.2
    /// step 3.
    #[inline]
    fn write(&mut self, name: Name<'_>, rtype: Rtype, hashes: &Suffixes) -> Option<End> {
        match self.zone.locate(name, hashes) {
            Position::Exact(node) => match node.rrset(rtype) {
                Some(set) => self.found(node, set),
                None if node.is_alias() => None,
                None => self.nothing(End::NoData),
            },
            // the parent side of a cut has authority over DS (RFC 4035 §3.1.4.1)
            Position::Cut(node) if rtype == table::DS => match node.rrset(rtype) {
                Some(set) if node.name() == name => self.found(node, set),
                _ => None,
            },
            Position::Cut(node) => self.refer(node),
            Position::Nowhere(_) => self.nothing(End::NxDomain),
            Position::Dname(_) | Position::Wildcard { .. } => None,
        }
    }

    #[inline]
    fn found(&mut self, node: Node<'z>, set: Rrset<'z>) -> Option<End> {
        self.copy(set)?;
        let signatures = if self.signed { node.signatures(set.rtype()) } else { None };
        if let Some(signatures) = signatures {
            // RFC 4034 §3: they take the TTL of what they sign
            (signatures.ttl() == set.ttl()).then_some(())?;
            self.copy(signatures)?;
        }
        if set.has_targets() {
            self.targets(set)?;
        }
        Some(End::Found)
    }

    /// Writes the addresses of those that a set names, each once.
    fn targets(&mut self, set: Rrset<'z>) -> Option<()> {
        let is_alone = self.zones.len() == 1 || !self.zones.has_zones_below(self.zone.apex());
        let mut given: ArrayVec<u32, TARGETS_MAX> = ArrayVec::new();
        (is_alone && !self.signed && set.count() <= TARGETS_MAX).then_some(())?;
        for (number, link) in set.links().enumerate() {
            match link.target {
                Target::Node(node, _) if !given.contains(&node.number()) => {
                    given.push(node.number());
                    self.addresses(node)?;
                }
                Target::Node(..) | Target::Nobody => {}
                Target::Elsewhere => self.nobody_elsewhere(set.targets().nth(number)?)?,
                Target::Unknown => return None,
            }
        }
        Some(())
    }

    /// Makes sure that no other zone here knows a name.
    fn nobody_elsewhere(&self, name: Name<'_>) -> Option<()> {
        if self.zones.len() == 1 {
            return Some(());
        }
        let hashes = Suffixes::of(name);
        self.zones.find(name, &hashes, hashes.labels()).is_none().then_some(())
    }

    /// There is nothing, and the SOA says for how long (RFC 2308 §3).
    #[inline]
    fn nothing(&mut self, end: End) -> Option<End> {
        let (record, pointers) = self.zone.ready_soa().parts();
        (!self.signed).then_some(())?;
        self.copies.pointing(Section::Authority, record, pointers).ok()?;
        Some(end)
    }

    /// Whom to ask instead, and the addresses that the zone holds of them: those within the cut first,
    /// as the asker cannot go on without (RFC 9471 §3.1).
    fn refer(&mut self, cut: Node<'z>) -> Option<End> {
        let ns = cut.rrset(table::NS).filter(|ns| !self.signed && ns.count() <= TARGETS_MAX)?;
        let name = cut.name();
        self.cut_labels = name.label_count();
        self.shorten(Section::Authority, self.copies.pointer_to(name), ns)?;
        let mut others: ArrayVec<Node<'_>, TARGETS_MAX> = ArrayVec::new();
        for link in ns.links() {
            match link.target {
                Target::Node(node, true) => self.addresses(node)?,
                Target::Node(node, false) => others.push(node),
                Target::Nobody | Target::Elsewhere => {}
                Target::Unknown => return None,
            }
        }
        others.into_iter().try_for_each(|node| self.addresses(node))?;
        Some(End::Referral)
    }

    /// Writes a set that belongs to the question's name.
    #[inline]
    fn copy(&mut self, set: Rrset<'_>) -> Option<()> {
        match rdata::leading_names(set.rtype()).count {
            0 => self.copies.records(Section::Answer, set.records(), set.count()).ok(),
            1 => self.shorten(Section::Answer, QNAME, set),
            _ => None,
        }
    }

    /// Writes a set whose data hold a name each, at their end.
    fn shorten(&mut self, section: Section, owner: [u8; 2], set: Rrset<'_>) -> Option<()> {
        let before = RECORD_HEAD_LEN + usize::from(rdata::leading_names(set.rtype()).before);
        for (record, link) in set.each_record().zip(set.links()) {
            let kept = link.before_apex.map_or(record.len(), |octets| before + usize::from(octets));
            self.copies.shortened(section, owner, record, kept).ok()?;
        }
        Some(())
    }

    /// Writes the addresses of a node.
    fn addresses(&mut self, node: Node<'_>) -> Option<()> {
        let labels = node.labels_before_apex();
        for set in [table::A, table::AAAA].into_iter().filter_map(|rtype| node.rrset(rtype)) {
            for record in set.each_record() {
                self.copies.below_apex(Section::Additional, labels, record).ok()?;
            }
        }
        Some(())
    }

    /// What the answer counts as, and for how many of the question's labels.
    fn counts_as(&self, end: End, hashes: &Suffixes) -> (Kind, usize) {
        match end {
            End::NxDomain => (Kind::NxDomain, self.zone.apex_labels()),
            End::Referral => (Kind::Referral, self.cut_labels),
            _ => (Kind::Name, hashes.labels()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::guard::rrl::Rates;
    use crate::name::NameBuf;
    use crate::respond::{Policy, Reason, respond_seen};
    use crate::rr::Record;
    use crate::zone::build::Builder;
    use crate::zone::set::Change;

    /// Owner, type, the octets of the data before a name, that name, and the octets behind it.
    type Row = (&'static str, Rtype, &'static [u8], &'static str, &'static [u8]);

    const ROWS: &[Row] = &[
        ("smith.edu.", table::SOA, b"", "ns.smith.edu.", &[0; 21]),
        ("smith.edu.", table::NS, b"", "ns.smith.edu.", b""),
        ("ns.smith.edu.", table::A, &[192, 0, 2, 2], "", b""),
        ("mail.smith.edu.", table::MX, b"\0\x01", "ns.smith.edu.", b""),
        ("mail.smith.edu.", table::MX, b"\0\x02", "mx.example.", b""),
        ("away.smith.edu.", table::CNAME, b"", "ns.smith.edu.", b""),
        ("*.wild.smith.edu.", table::A, &[192, 0, 2, 4], "", b""),
        ("cs.smith.edu.", table::NS, b"", "ns.cs.smith.edu.", b""),
        ("cs.smith.edu.", table::NS, b"", "ns.smith.edu.", b""),
        ("cs.smith.edu.", table::DS, &[0, 1, 13, 2, 7], "", b""),
        ("ns.cs.smith.edu.", table::A, &[192, 0, 2, 3], "", b""),
        ("wild.mx.smith.edu.", table::MX, b"\0\x01", "any.wild.smith.edu.", b""),
    ];

    /// What is asked, and whether copies answer it.
    const QUESTIONS: &[(&str, Rtype, bool)] = &[
        ("ns.smith.edu.", table::A, true),
        ("NS.Smith.edu.", table::A, true),
        ("ns.smith.edu.", table::AAAA, true),
        ("mail.smith.edu.", table::MX, true),
        ("smith.edu.", table::NS, true),
        ("nowhere.smith.edu.", table::A, true),
        ("not.here.smith.edu.", table::A, true),
        ("www.cs.smith.edu.", table::A, true),
        ("ns.cs.smith.edu.", table::A, true),
        ("cs.smith.edu.", table::DS, true),
        ("www.cs.smith.edu.", table::DS, false),
        ("smith.edu.", table::DS, false),
        ("smith.edu.", table::ANY, false),
        ("smith.edu.", table::SOA, false),
        ("away.smith.edu.", table::A, false),
        ("away.smith.edu.", table::CNAME, true),
        ("any.wild.smith.edu.", table::A, false),
        ("wild.mx.smith.edu.", table::MX, false),
        ("www.example.", table::A, false),
    ];

    fn state() -> State {
        let mut builder = Builder::default();
        for &(owner, rtype, before, name, behind) in ROWS {
            let owner: NameBuf = owner.parse().unwrap();
            let name = (!name.is_empty()).then(|| name.parse::<NameBuf>().unwrap());
            let name = name.as_ref().map_or(&[][..], |name| name.as_name().as_wire());
            let rdata = &[before, name, behind].concat()[..];
            let record = Record { owner: owner.as_name(), rtype, ttl: 60, rdata };
            builder.add(record, Span::default(), &[]);
        }
        let zone = builder.finish(Span::default()).0.unwrap();
        let mut state = State::new(Policy::default());
        add(&mut state, "smith.edu.", Slot::Live(zone.into()));
        state
    }

    fn add(state: &mut State, apex: &str, slot: Slot) {
        state.zones.apply(Change { apex: apex.parse().unwrap(), slot: Some(slot) });
    }

    fn query(name: &str, rtype: Rtype, edns: &[u8]) -> Vec<u8> {
        let name: NameBuf = name.parse().unwrap();
        let head = [7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!edns.is_empty())];
        let name = name.as_name().as_wire();
        [&head, name, &rtype.0.to_be_bytes(), &[0, 1], edns].concat()
    }

    fn peer(transport: Transport) -> Peer {
        Peer { transport, source: ([192, 0, 2, 77], 5353).into() }
    }

    fn is_short(state: &mut State, message: &[u8]) -> bool {
        let (mut out, mut seen) = (b"before".to_vec(), b"before".to_vec());
        let (from, now) = (peer(Transport::Udp), Now::default());
        let told = respond_seen(message, from, now, state, &mut seen, |_| ());
        match respond(message, &from, now, state, &mut out) {
            Road::Short(outcome) => {
                assert_eq!((outcome, out), (told, seen));
                true
            }
            Road::Long(settled) => {
                assert_eq!((settled, &out[..]), (None, &b"before"[..]));
                false
            }
        }
    }

    #[test]
    fn copies_answer_what_they_can_and_as_the_long_road_does() {
        let mut state = state();
        for &(name, rtype, expected) in QUESTIONS {
            for edns in [&b""[..], b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"] {
                let message = query(name, rtype, edns);
                assert_eq!(is_short(&mut state, &message), expected, "{name} {rtype}");
            }
        }
        let with_option =
            query("ns.smith.edu.", table::A, b"\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x03\0\0");
        assert!(!is_short(&mut state, &with_option));
    }

    #[test]
    fn a_zone_that_may_know_a_target_better_is_asked() {
        let mut state = state();
        let message = query("mail.smith.edu.", table::MX, b"");
        assert!(is_short(&mut state, &message));
        add(&mut state, "example.", Slot::Broken);
        assert!(!is_short(&mut state, &message), "mx.example. is there now");
        let message = query("smith.edu.", table::NS, b"");
        assert!(is_short(&mut state, &message));
        add(&mut state, "ns.smith.edu.", Slot::Broken);
        assert!(!is_short(&mut state, &message), "ns.smith.edu. is a zone of its own");
    }

    #[test]
    fn what_the_operator_wants_besides_takes_the_long_road() {
        let message = query("ns.smith.edu.", table::A, b"");
        let mut state = state();
        state.policy.minimal_responses = false;
        assert!(!is_short(&mut state, &message));
        state.policy.minimal_responses = true;
        assert!(is_short(&mut state, &message));
    }

    #[test]
    fn answers_of_both_roads_count_alike() {
        let [mut short, mut long] = [(); 2].map(|()| {
            let rates = Rates { per_second: 3, slip: 2, exempt: vec![] };
            State { limiter: Some(Limiter::new(rates, [7; 16])), ..state() }
        });
        let (mut free, mut limited) = (0, 0);
        for round in 0..6 {
            for &(name, rtype, _) in QUESTIONS {
                let (message, from) = (query(name, rtype, b""), peer(Transport::Udp));
                let (mut a, mut b, now) = (Vec::new(), Vec::new(), Now::default());
                let outcome = crate::respond::respond(&message, from, now, &mut short, &mut a);
                let told = respond_seen(&message, from, now, &mut long, &mut b, |_| ());
                assert_eq!((&outcome, a), (&told, b), "{name} {rtype}, round {round}");
                match outcome {
                    Outcome::Send(Reason::OverRate) | Outcome::Drop(_) => limited += 1,
                    Outcome::Send(_) | Outcome::Stream(_) => free += 1,
                }
            }
        }
        assert!(free > 20 && limited > 40, "{free} free, {limited} not");
    }
}
