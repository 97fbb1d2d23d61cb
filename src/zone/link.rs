//! What is known ahead of the names in records' data, so that an answer need not look them up.
//!
//! Behind the records of a set whose data hold a name that an answer compresses, or whose addresses an
//! asker will want next, stands a [`Link`] for each:
//!
//! ```text
//! | octets of the name before the zone's own | number of the node that it names |      1 + 4 octets
//! ```
//!
//! Both are worked out when the zone is built. They never lead out of it: what a name is in another
//! zone is known to that zone alone.

use super::{Node, Position, Rrset, Zone};
use crate::name::{Name, Suffixes};
use crate::rr::rdata::{self, LeadingNames};
use crate::rr::{Rtype, table};
use std::ops::Range;

/// What is known of the name in one record's data.
#[derive(Clone, Copy)]
pub struct Link<'z> {
    /// The octets of the name before the zone's own, which it ends with in the same spelling; none if
    /// it does not.
    pub before_apex: Option<u8>,
    /// Whom it names.
    pub target: Target<'z>,
}

/// Whose addresses go along with a record.
#[derive(Clone, Copy)]
pub enum Target<'z> {
    /// Those of this node, whose name ends in the zone's as that is spelt. Whether they are needed to
    /// go on: a name server's below the cut that it serves.
    Node(Node<'z>, bool),
    /// Nobody's: there is no such name in the zone, and the zone would know.
    Nobody,
    /// Nobody's in this zone: the name is not in it.
    Elsewhere,
    /// That takes a look-up: it is a wildcard's, or spelt in an unusual way.
    Unknown,
}

/// The octets of a link.
pub(super) const LINK_LEN: usize = 5;
/// Stands for a name that does not end with the zone's.
const NOT_IN_APEX: u8 = u8::MAX;
/// Stands for [`Target::Unknown`].
const UNKNOWN: u32 = NEEDED - 1;
/// Stands for [`Target::Nobody`].
const NOBODY: u32 = NEEDED - 2;
/// Stands for [`Target::Elsewhere`].
const ELSEWHERE: u32 = NEEDED - 3;
/// Is set in the number of a node whose addresses are needed.
const NEEDED: u32 = 1 << 31;

/// Whether records of a type have links.
pub(super) fn has_links(rtype: Rtype) -> bool {
    rdata::leading_names(rtype).count == 1 || table::target(rtype).is_some()
}

impl<'z> Rrset<'z> {
    /// The links of a set, by record; none for types without.
    pub fn links(self) -> impl Iterator<Item = Link<'z>> {
        let end = self.entry.end as usize;
        let len = if has_links(self.rtype()) { self.count() * LINK_LEN } else { 0 };
        let links = self.zone.octets[end..end + len].chunks_exact(LINK_LEN);
        links.map(move |link| self.zone.read_link(link))
    }
}

impl Zone {
    /// Adds links, yet without targets, to the set added last.
    pub(super) fn make_room_for_links(&mut self) {
        let Some(entry) = self.sets.last().filter(|entry| has_links(entry.rtype)).copied() else {
            return;
        };
        let LeadingNames { before, count } = rdata::leading_names(entry.rtype);
        let mut at = entry.start as usize;
        for _ in 0..entry.count {
            let (rdata, next) = self.rdata_at(at);
            let before_apex = match count {
                1 => self.before_apex(Name::stored(&rdata[usize::from(before)..])),
                _ => None,
            };
            at = next;
            let [u1, u2, u3, u4] = UNKNOWN.to_le_bytes();
            let link = [before_apex.unwrap_or(NOT_IN_APEX), u1, u2, u3, u4];
            self.octets.extend_from_slice(&link);
        }
    }

    /// Finds whom the links name. All nodes must be there, with their flags.
    pub(super) fn link(&mut self) {
        let mut suffixes = Suffixes::default();
        let mut found: Vec<(usize, u32)> = Vec::new();
        for node in self.nodes() {
            for set in node.rrsets().filter(|set| set.has_targets()) {
                let targets = set.targets().map(|name| self.target(node, set, name, &mut suffixes));
                let places = (set.entry.end as usize + 1..).step_by(LINK_LEN);
                found.extend(places.zip(targets).filter(|(_, target)| *target != UNKNOWN));
            }
        }
        for (place, target) in found {
            self.octets[place..place + 4].copy_from_slice(&target.to_le_bytes());
        }
    }

    /// Finds again whom the links of these nodes name where nodes have moved. `moved` gives the new
    /// number of a node, if what a link to it says still holds; the links of nodes that are new
    /// (`is_new`) are found anew, and so are those to no node if the name or one above it came or went
    /// (`is_near`): a wildcard stands for a name only if nothing nearer is there (RFC 4592 §3.3.1).
    pub(super) fn relink(
        &mut self,
        nodes: &[Range<u32>],
        is_new: impl Fn(u32) -> bool,
        moved: impl Fn(u32) -> Option<u32>,
        is_near: Option<&impl Fn(Name<'_>) -> bool>,
    ) {
        let mut open: Vec<(u32, usize)> = Vec::new();
        for number in nodes.iter().flat_map(Clone::clone) {
            let node = self.nodes[number as usize];
            let first = node.first_set as usize;
            for at in first..first + usize::from(node.set_count) {
                let set = self.sets[at];
                if table::target(set.rtype).is_none() {
                    continue;
                }
                let links = set.end as usize..set.end as usize + set.count as usize * LINK_LEN;
                let (mut is_open, mut has_no_node) = (is_new(number), false);
                for link in self.octets[links].chunks_exact_mut(LINK_LEN) {
                    let there = link.last_chunk_mut().expect("a link is longer");
                    let target = match u32::from_le_bytes(*there) {
                        same @ (UNKNOWN | NOBODY | ELSEWHERE) => {
                            has_no_node |= same != ELSEWHERE;
                            Some(same)
                        }
                        old => moved(old & !NEEDED).map(|new| new | (old & NEEDED)),
                    };
                    is_open |= target.is_none();
                    *there = target.unwrap_or(UNKNOWN).to_le_bytes();
                }
                let set = Rrset { zone: self, entry: &self.sets[at], ttl: None };
                let is_near = is_near.filter(|_| has_no_node);
                is_open |= is_near.is_some_and(|is_near| set.targets().any(is_near));
                open.extend(is_open.then_some((number, at)));
            }
        }
        self.link_sets(&open);
    }

    /// Finds whom the links of these sets name, each given with its node.
    fn link_sets(&mut self, sets: &[(u32, usize)]) {
        let mut suffixes = Suffixes::default();
        let mut found: Vec<(usize, u32)> = Vec::new();
        for &(number, at) in sets {
            let (node, entry) = (self.node(number), &self.sets[at]);
            let set = Rrset { zone: self, entry, ttl: None };
            let targets = set.targets().map(|name| self.target(node, set, name, &mut suffixes));
            found.extend((entry.end as usize + 1..).step_by(LINK_LEN).zip(targets));
        }
        for (place, target) in found {
            self.octets[place..place + 4].copy_from_slice(&target.to_le_bytes());
        }
    }

    fn read_link(&self, link: &[u8]) -> Link<'_> {
        let [before_apex, number @ ..] = *link.first_chunk::<LINK_LEN>().unwrap_or(&[u8::MAX; 5]);
        let target = match u32::from_le_bytes(number) {
            UNKNOWN => Target::Unknown,
            NOBODY => Target::Nobody,
            ELSEWHERE => Target::Elsewhere,
            number => Target::Node(self.node(number & !NEEDED), number & NEEDED != 0),
        };
        Link { before_apex: Some(before_apex).filter(|&len| len != NOT_IN_APEX), target }
    }

    /// What stands for the target of a record of `set` at `node`. A referral takes what addresses there
    /// are, an answer only those that the zone answers for.
    fn target(&self, node: Node<'_>, set: Rrset<'_>, name: Name<'_>, room: &mut Suffixes) -> u32 {
        if node.is_cut() && set.rtype() == table::NS {
            let needed = if name.is_within(node.name()) { NEEDED } else { 0 };
            return match self.node_of(name).map(|glue| self.number_of(glue)) {
                None => NOBODY,
                Some(UNKNOWN) => UNKNOWN,
                Some(number) => number | needed,
            };
        }
        if !name.is_within(self.apex()) {
            return ELSEWHERE;
        }
        room.fill(name);
        match self.locate(name, room) {
            Position::Exact(node) => self.number_of(node),
            Position::Wildcard { .. } => UNKNOWN,
            _ => NOBODY,
        }
    }

    /// The number of a node, if its name can be written short.
    fn number_of(&self, node: Node<'_>) -> u32 {
        let is_short = node.number < ELSEWHERE && self.before_apex(node.name()).is_some();
        if is_short { node.number } else { UNKNOWN }
    }

    /// The octets of a name before the zone's own, if it ends with that in the same spelling.
    pub(super) fn before_apex(&self, name: Name<'_>) -> Option<u8> {
        let (wire, apex) = (name.as_wire(), self.apex());
        let before = name.prefix_len(apex)?;
        u8::try_from(before).ok().filter(|_| wire[before..] == *apex.as_wire())
    }

    /// The data of the record at a place, and the place of the next one.
    fn rdata_at(&self, at: usize) -> (&[u8], usize) {
        let start = at + super::RECORD_HEAD_LEN;
        let len = u16::from_be_bytes([self.octets[start - 2], self.octets[start - 1]]);
        let end = start + usize::from(len);
        (&self.octets[start..end], end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::name::NameBuf;
    use crate::rr::Record;
    use crate::zone::build::Builder;

    /// Owner, type, the octets of the data before a name, that name, and the octets behind it.
    type Row = (&'static str, Rtype, &'static [u8], &'static str, &'static [u8]);

    const ROWS: &[Row] = &[
        ("smith.edu.", table::SOA, b"", "ns.smith.edu.", &[0; 21]),
        ("smith.edu.", table::NS, b"", "ns.smith.edu.", b""),
        ("smith.edu.", table::MX, b"\0\x01", "ns.smith.edu.", b""),
        ("smith.edu.", table::MX, b"\0\x02", "nobody.smith.edu.", b""),
        ("smith.edu.", table::MX, b"\0\x03", "any.wild.smith.edu.", b""),
        ("smith.edu.", table::MX, b"\0\x04", "mx.example.", b""),
        ("smith.edu.", table::MX, b"\0\x05", "NS.Smith.EDU.", b""),
        ("smith.edu.", table::MX, b"\0\x06", "ns.sub.smith.edu.", b""),
        ("smith.edu.", table::MX, b"\0\x07", "odd.smith.edu.", b""),
        ("smith.edu.", table::SRV, b"\0\x01\0\x02\0\x03", "ns.smith.edu.", b""),
        ("*.wild.smith.edu.", table::A, &[192, 0, 2, 1], "", b""),
        ("ns.smith.edu.", table::A, &[192, 0, 2, 2], "", b""),
        ("sub.smith.edu.", table::NS, b"", "ns.sub.smith.edu.", b""),
        ("ns.sub.smith.edu.", table::A, &[192, 0, 2, 3], "", b""),
        ("odd.Smith.edu.", table::A, &[192, 0, 2, 4], "", b""),
    ];

    fn zone() -> Zone {
        let mut builder = Builder::default();
        for &(owner, rtype, before, name, behind) in ROWS {
            let owner: NameBuf = owner.parse().unwrap();
            let name = (!name.is_empty()).then(|| name.parse::<NameBuf>().unwrap());
            let name = name.as_ref().map_or(&[][..], |name| name.as_name().as_wire());
            let rdata = &[before, name, behind].concat()[..];
            let record = Record { owner: owner.as_name(), rtype, ttl: 60, rdata };
            builder.add(record, Span::default(), &[]);
        }
        builder.finish(Span::default()).0.unwrap()
    }

    /// "octets before the apex, target" of each record of a set.
    fn links(zone: &Zone, owner: &str, rtype: Rtype) -> Vec<String> {
        let owner: NameBuf = owner.parse().unwrap();
        let set = zone.node_of(owner.as_name()).unwrap().rrset(rtype).unwrap();
        let written = set.links().map(|link| {
            let target = match link.target {
                Target::Node(node, needed) => format!("{} {needed}", node.name()),
                Target::Nobody => "nobody".into(),
                Target::Elsewhere => "elsewhere".into(),
                Target::Unknown => "unknown".into(),
            };
            format!("{:?} {target}", link.before_apex)
        });
        written.collect()
    }

    #[test]
    fn a_link_says_where_the_zones_name_begins_and_who_is_named() {
        let zone = zone();
        let expected = [
            "Some(3) ns.smith.edu. false",
            "Some(7) nobody",
            "Some(9) unknown",
            "None elsewhere",
            "None ns.smith.edu. false",
            "Some(7) nobody",
            "Some(4) unknown",
        ];
        assert_eq!(links(&zone, "smith.edu.", table::MX), expected);
        assert_eq!(links(&zone, "sub.smith.edu.", table::NS), ["Some(7) ns.sub.smith.edu. true"]);
        assert_eq!(links(&zone, "smith.edu.", table::SRV), ["None ns.smith.edu. false"]);
        assert!(links(&zone, "ns.smith.edu.", table::A).is_empty());
    }
}
