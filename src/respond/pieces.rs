//! Answers that are several copies: a set and its signatures, a set and the addresses that go along, a
//! referral, that there is nothing.

use crate::answer::End;
use crate::guard::rrl::Kind;
use crate::name::{Name, Suffixes};
use crate::rr::{Rtype, rdata, table};
use crate::wire::QNAME;
use crate::wire::plain::Copies;
use crate::wire::response::Section;
use crate::zone::set::ZoneSet;
use crate::zone::{Node, Position, RECORD_HEAD_LEN, Rrset, Target, Zone};
use arrayvec::ArrayVec;

/// The most records of a set with addresses that are written here.
const TARGETS_MAX: usize = 16;

/// An answer being copied together.
pub(super) struct Answer<'a, 'o, 'z> {
    pub(super) copies: &'a mut Copies<'o>,
    pub(super) zone: &'z Zone,
    pub(super) zones: &'z ZoneSet,
    /// Signatures are wanted and there.
    pub(super) signed: bool,
    /// The labels of the cut that a referral is about.
    pub(super) cut_labels: usize,
}

impl<'z> Answer<'_, '_, 'z> {
    /// Writes the records; none if that takes more than copies. The order is that of RFC 1034 §4.3.2
    /// step 3.
    #[inline]
    pub(super) fn write(&mut self, name: Name<'_>, rtype: Rtype, hashes: &Suffixes) -> Option<End> {
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
    pub(super) fn counts_as(&self, end: End, hashes: &Suffixes) -> (Kind, usize) {
        match end {
            End::NxDomain => (Kind::NxDomain, self.zone.apex_labels()),
            End::Referral => (Kind::Referral, self.cut_labels),
            _ => (Kind::Name, hashes.labels()),
        }
    }
}
