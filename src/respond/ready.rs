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

use super::{Outcome, Peer, Reason, State, Transport};
use crate::answer::End;
use crate::clock::Now;
use crate::guard::rrl::{Kind, LARGE_FROM, Passage};
use crate::name::{Name, Suffixes};
use crate::rr::{Rtype, rdata, table};
use crate::wire::TCP_LEN_MAX;
use crate::wire::codes::Rcode;
use crate::wire::plain::{Copies, PlainQuery, QNAME};
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
    from: Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
) -> Road {
    let address = from.source.ip();
    let asks_more = state.cookies.as_ref().is_some_and(|cookies| cookies.required);
    if !state.policy.minimal_responses || asks_more || state.acl.denies(address) {
        return Road::Long(None);
    }
    let Some(query) = PlainQuery::read(message, &mut state.hashes) else {
        return Road::Long(None);
    };
    let (hashes, base) = (&state.hashes, out.len());
    let Some((slot, zone)) = find(&query, hashes, &state.zones) else { return Road::Long(None) };
    let len_max = match from.transport {
        Transport::Udp => query.udp_len_max(),
        Transport::Tcp => TCP_LEN_MAX,
    };
    let copies = Copies::to(&query, zone.apex_len(), len_max, out);
    let signed = query.opt.is_some_and(|opt| opt.dnssec_ok) && zone.is_signed();
    let mut answer = Answer { copies, zone, zones: &state.zones, signed, cut_labels: 0 };
    let Some(end) = answer.write(query.name, query.rtype, hashes) else {
        out.truncate(base);
        return Road::Long(None);
    };
    let passage = match state.limiter.as_mut() {
        Some(limiter) if from.transport == Transport::Udp && limiter.counts(address) => {
            let (kind, labels) = answer.counts_as(end, hashes);
            limiter.pass(address, kind, hashes.hash(labels), now.monotonic_ms)
        }
        _ => Passage::Free,
    };
    if passage != Passage::Free {
        out.truncate(base);
        return Road::Long(Some(passage));
    }
    answer.finish(end);
    let is_stale = matches!(slot, Slot::Stale(_));
    let reason = if is_stale { Reason::AnsweredStale(end) } else { Reason::Answered(end) };
    Road::Short(Outcome::Send(reason))
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

/// An answer being copied together.
struct Answer<'o, 'z> {
    copies: Copies<'o>,
    zone: &'z Zone,
    zones: &'z ZoneSet,
    /// Signatures are wanted and there.
    signed: bool,
    /// The labels of the cut that a referral is about.
    cut_labels: usize,
}

impl<'z> Answer<'_, 'z> {
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
            _ if self.copies.message_len() > LARGE_FROM => (Kind::Large, hashes.labels()),
            End::NxDomain => (Kind::NxDomain, self.zone.apex_labels()),
            End::Referral => (Kind::Referral, self.cut_labels),
            _ => (Kind::Name, hashes.labels()),
        }
    }

    #[inline]
    fn finish(self, end: End) {
        let rcode = if end == End::NxDomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
        self.copies.finish(rcode, end != End::Referral);
    }
}
