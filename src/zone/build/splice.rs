//! A zone in which some names were read anew → the whole zone, in proportion to what was read.
//!
//! A file's names stand in a zone in the order of the file. So what was read anew takes the place of
//! runs of names, the rest is copied in long stretches, and what is known of the rest is put right:
//! numbers of nodes in the index and in links are counted anew, and what a name is (an empty
//! non-terminal, hidden below a cut, the target of a link) is worked out again where a name that came
//! or went stands at it or above it.
//!
//! This is done only where it gives what a whole build gives. Wherever that takes more than the names
//! that were read, and wherever a whole build may have something to say, there is `None` instead, and
//! the caller builds the whole zone: signed zones, DNAMEs, wildcards that come or go, a cut that comes
//! or goes above other names, a name with records elsewhere too, anything found.

use super::{Builder, OCTETS_MAX};
use crate::name::{Name, NameBuf, hash};
use crate::rr::{Record, Rtype, table};
use crate::zone::index::Index;
use crate::zone::{Flags, NegativeSoa, Node, NodeEntry, SetEntry, Zone};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::slice;

/// Names in the order of the file, and those that take their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The numbers of the zone's nodes that go.
    pub old: Range<u32>,
    /// The numbers of the builder's names that come.
    pub new: Range<u32>,
}

/// Stands for the number of a node that is gone.
const GONE: u32 = u32::MAX;
/// So many kinds of names are told apart at a glance, see [`Likely`].
const LOOKS: usize = 1 << 12;
/// What a zone with such records says depends on more names than their own.
const FAR_REACHING: [Rtype; 7] = [
    table::DNAME,
    table::RRSIG,
    table::NSEC,
    table::NSEC3,
    table::NSEC3PARAM,
    table::DNSKEY,
    table::ZONEMD,
];

impl Zone {
    /// Whether what one of its names is depends on that name and those above it alone.
    pub fn is_plain(&self) -> bool {
        let far = |set: &SetEntry| FAR_REACHING.contains(&set.rtype);
        !self.is_signed() && !self.sets.iter().any(far)
    }
}

impl Builder {
    /// One that takes in new names of a zone; its first name is the zone's. If the apex is not among
    /// those read anew, it stays as it is.
    pub fn amending(old: &Zone, apex_stays: bool) -> Builder {
        let mut builder = Builder::default();
        if apex_stays {
            let (soa, rdata) = (old.soa(), old.soa_data());
            let record = Record { owner: old.apex(), rtype: table::SOA, ttl: soa.ttl(), rdata };
            builder.add(record, crate::diag::Span::default(), &[]);
        }
        builder
    }

    /// The [plain](Zone::is_plain) zone `old` with other names in place of some. The runs are in order,
    /// and each record that was taken in belongs to a name of its own run.
    pub fn splice(mut self, old: &Zone, runs: &[Run]) -> Option<Zone> {
        let has_far = self.records.iter().any(|record| FAR_REACHING.contains(&record.rtype));
        let soa = self.soa().filter(|soa| self.soas == 1 && soa.name == 0)?;
        let same_apex = self.name(soa.name).as_wire() == old.apex().as_wire();
        let is_within = self.names.iter().all(|name| name.is_within(old.apex()));
        let octets = old.octets.len() + 2 * self.zone_octets();
        if has_far || !same_apex || !is_within || self.too_large || octets > OCTETS_MAX {
            return None;
        }
        self.sort(0);
        let (piece, _) = self.lay_out(0);
        self.check_aliases(&piece);
        let has_ns = runs.iter().all(|run| run.new.start > 0)
            || piece.apex_node().rrset(table::NS).is_some();
        if !self.findings.is_empty() || !has_ns {
            return None;
        }
        let change = Change::of(old, &piece, runs)?;
        let mut splice = Splice::new(old, &piece, octets);
        splice.copy(runs);
        splice.copy_non_terminals(&change);
        splice.make_index();
        splice.settle(runs, &change);
        Some(splice.finish(&change))
    }
}

//----------- What changes ---------------------------------------------------------------------------

/// The names that a splice brings and takes away.
struct Change {
    /// The cuts that come or go.
    cuts: Likely,
    /// Names that may be empty non-terminals, or need not be any more, and whether names stand below
    /// them that are not read anew.
    doubtful: HashMap<NameBuf, bool>,
    /// The nodes that are read anew.
    runs: Vec<Range<u32>>,
}

impl Change {
    /// `None` if it reaches beyond the names that were read.
    fn of(old: &Zone, piece: &Zone, runs: &[Run]) -> Option<Change> {
        let runs_old = runs.iter().map(|run| run.old.clone()).collect();
        let mut change =
            Change { cuts: Likely::default(), doubtful: HashMap::new(), runs: runs_old };
        let mut cuts = Vec::new();
        for run in runs {
            for node in run.new.clone().map(|number| piece.node(number)) {
                let before = old.node_of(node.name());
                let owned = before.filter(|before| before.entry.set_count > 0);
                if owned.is_some_and(|owned| !run.old.contains(&owned.number)) {
                    return None; // it has records elsewhere
                }
                if owned.is_none() && has_asterisk(node.name()) {
                    return None;
                }
                if owned.is_some_and(Node::is_cut) != is_cut(node) {
                    cuts.push(node.name());
                }
            }
            for node in run.old.clone().map(|number| old.node(number)) {
                if piece.node_of(node.name()).is_some() {
                    continue;
                }
                if has_asterisk(node.name()) {
                    return None;
                }
                cuts.extend(node.is_cut().then(|| node.name()));
                change.doubt(node.name());
                for above in between(old, node.name()) {
                    if old.node_of(above).is_some_and(|above| above.entry.set_count == 0) {
                        change.doubt(above);
                    }
                }
            }
        }
        change.cuts = Likely::of(cuts.iter().copied());
        cuts.iter().for_each(|&cut| change.doubt(cut));
        change.look_below(old);
        cuts.iter().all(|&cut| change.stands(cut) == Some(false)).then_some(change)
    }

    fn doubt(&mut self, name: Name<'_>) {
        self.doubtful.entry(name.to_buf()).or_insert(false);
    }

    /// Whether names that are not read anew stand below a doubtful name; `None` of others.
    fn stands(&self, name: Name<'_>) -> Option<bool> {
        self.doubtful.get(&name.to_buf()).copied()
    }

    /// Looks which of the doubtful names have names below them that are not read anew.
    fn look_below(&mut self, old: &Zone) {
        if self.doubtful.is_empty() {
            return;
        }
        let doubtful = Likely::of(self.doubtful.keys().map(NameBuf::as_name));
        let stays = |number: &u32| !self.runs.iter().any(|run| run.contains(number));
        for number in (0..old.owner_count()).filter(stays) {
            let above = between(old, old.node(number).name());
            for above in above.filter(|&above| doubtful.have(above)) {
                if let Some(stands) = self.doubtful.get_mut(&above.to_buf()) {
                    *stands = true;
                }
            }
        }
    }
}

/// Some names, by looks and hashes: most other names need not be hashed to be told from them.
struct Likely {
    looks: [bool; LOOKS],
    hashes: HashSet<u64>,
}

impl Default for Likely {
    fn default() -> Likely {
        Likely { looks: [false; LOOKS], hashes: HashSet::new() }
    }
}

impl Likely {
    fn of<'n>(names: impl Iterator<Item = Name<'n>>) -> Likely {
        let mut likely = Likely::default();
        for name in names {
            likely.looks[Likely::look(name)] = true;
            likely.hashes.insert(hash::of(name));
        }
        likely
    }

    fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether one of them is that name, or looks like it.
    fn have(&self, name: Name<'_>) -> bool {
        self.looks[Likely::look(name)] && self.hashes.contains(&hash::of(name))
    }

    /// The length of a name and the ends of its first label, in whichever case.
    fn look(name: Name<'_>) -> usize {
        let wire = name.as_wire();
        let octet = |at: usize| usize::from(wire.get(at).map_or(0, |octet| octet | 0x20));
        (wire.len() << 6 ^ octet(1) << 3 ^ octet(usize::from(wire[0]))) % LOOKS
    }
}

/// The names between one and the apex, from below.
fn between<'n>(zone: &Zone, name: Name<'n>) -> impl Iterator<Item = Name<'n>> + use<'n> {
    let apex_len = zone.apex_len;
    name.ancestors().skip(1).take_while(move |above| above.as_wire().len() > apex_len)
}

fn has_asterisk(name: Name<'_>) -> bool {
    name.labels().any(|label| label == b"*")
}

/// Whether the zone ends at a name that is not the apex.
fn is_cut(node: Node<'_>) -> bool {
    node.number > 0 && node.rrset(table::NS).is_some()
}

//----------- The new zone ---------------------------------------------------------------------------

/// The new zone as far as it is made.
struct Splice<'a> {
    old: &'a Zone,
    piece: &'a Zone,
    zone: Zone,
    /// The new number of each old node.
    moved: Vec<u32>,
    /// The numbers of the new nodes that were read.
    read: Vec<Range<u32>>,
}

impl Zone {
    /// The number of nodes that have records: they stand before the others.
    fn owner_count(&self) -> u32 {
        number(self.nodes.partition_point(|node| node.set_count > 0))
    }

    /// Where the octets and sets of a node of that number begin, or would.
    fn starts(&self, number: u32) -> (usize, usize) {
        let ends = (self.octets.len(), self.sets.len());
        let node = self.nodes.get(number as usize);
        node.map_or(ends, |node| (node.name as usize, node.first_set as usize))
    }
}

impl<'a> Splice<'a> {
    fn new(old: &'a Zone, piece: &'a Zone, octets: usize) -> Splice<'a> {
        let zone = Zone {
            octets: Vec::with_capacity(octets),
            nodes: Vec::with_capacity(old.nodes.len() + 2 * piece.nodes.len()),
            sets: Vec::with_capacity(old.sets.len() + piece.sets.len()),
            index: Index::default(),
            denial: None,
            history: Vec::new(),
            signed: false,
            ready_soa: NegativeSoa::default(),
            labels_max: old.labels_max.max(piece.labels_max),
            apex_labels: old.apex_labels,
            apex_len: old.apex_len,
            records: 0,
        };
        Splice { old, piece, zone, moved: vec![GONE; old.nodes.len()], read: Vec::new() }
    }

    /// Copies what has records: what stays, and between it what was read.
    fn copy(&mut self, runs: &[Run]) {
        let mut at = 0;
        for run in runs {
            self.keep(at..run.old.start);
            let first = number(self.zone.nodes.len());
            self.zone.append(self.piece, run.new.clone());
            self.read.push(first..number(self.zone.nodes.len()));
            for (old, name) in run.old.clone().map(|old| (old, self.old.node(old).name())) {
                let same = self.piece.node_of(name).filter(|node| run.new.contains(&node.number));
                self.moved[old as usize] =
                    same.map_or(GONE, |node| first + node.number - run.new.start);
            }
            at = run.old.end;
        }
        self.keep(at..self.old.owner_count());
    }

    fn keep(&mut self, nodes: Range<u32>) {
        let first = number(self.zone.nodes.len());
        for (at, old) in nodes.clone().enumerate() {
            self.moved[old as usize] = first + number(at);
        }
        self.zone.append(self.old, nodes);
    }

    /// Copies the empty non-terminals that are needed still.
    fn copy_non_terminals(&mut self, change: &Change) {
        for old in self.old.owner_count()..number(self.old.nodes.len()) {
            let (entry, name) = (&self.old.nodes[old as usize], self.old.node(old).name());
            let has_records = self.piece.node_of(name).is_some_and(|node| node.number > 0);
            if has_records || change.stands(name) == Some(false) {
                continue;
            }
            self.moved[old as usize] = self.zone.push_name(name, entry.flags);
        }
    }

    /// The old index with the new numbers, and what was read.
    fn make_index(&mut self) {
        let new = |old: u32| Some(self.moved[old as usize]).filter(|&new| new != GONE);
        self.zone.index = match self.is_still() {
            true => self.old.index.clone(),
            false => self.old.index.renumbered(new),
        };
        for new in self.read.iter().flat_map(Clone::clone) {
            if self.zone.node_of(self.zone.node(new).name()).is_none() {
                self.zone.enter(new);
            }
        }
    }

    /// Works out what the names are that were read or stand above those, and adds what is missing.
    fn settle(&mut self, runs: &[Run], change: &Change) {
        for new in self.read.iter().flat_map(Clone::clone) {
            self.zone.nodes[new as usize].flags =
                if is_cut(self.zone.node(new)) { Flags::CUT } else { Flags::default() };
        }
        let read: Vec<NameBuf> = runs
            .iter()
            .flat_map(|run| run.new.clone().map(|number| self.piece.node(number).name().to_buf()))
            .collect();
        for name in &read {
            self.settle_name(name.as_name());
            between(self.old, name.as_name()).for_each(|above| self.settle_name(above));
        }
        let standing = change.doubtful.iter().filter(|(_, stands)| **stands);
        standing.for_each(|(name, _)| self.settle_name(name.as_name()));
    }

    /// Works out what one name is. It may be there only because of others.
    fn settle_name(&mut self, name: Name<'_>) {
        let zone = &mut self.zone;
        let there = zone.node_of(name).map(|node| node.number);
        let new = there.unwrap_or_else(|| {
            let new = zone.push_name(name, Flags::default());
            zone.enter(new);
            new
        });
        let mut flags = Flags::default();
        if is_cut(zone.node(new)) {
            flags.set(Flags::CUT);
        }
        let is_cut_at = |above: Name<'_>| zone.node_of(above).is_some_and(is_cut);
        if between(zone, name).any(is_cut_at) {
            flags.set(Flags::OCCLUDED);
        }
        if self.old.node_of(name).is_some_and(|node| node.has(Flags::WILDCARD_BELOW)) {
            flags.set(Flags::WILDCARD_BELOW); // no wildcard comes or goes
        }
        zone.nodes[new as usize].flags = flags;
    }

    /// Whether all names that were there have the numbers that they had.
    fn is_still(&self) -> bool {
        (0u32..).zip(&self.moved).all(|(old, new)| old == *new)
    }

    /// The names that were not there before.
    fn came(&self) -> Vec<NameBuf> {
        let read = self.read.iter().flat_map(Clone::clone).map(|new| self.zone.node(new).name());
        let all = read.flat_map(|name| between(self.old, name).chain([name]));
        all.filter(|&name| self.old.node_of(name).is_none()).map(Name::to_buf).collect()
    }

    fn finish(self, change: &Change) -> Zone {
        let (came, is_still) = (self.came(), self.is_still());
        let Splice { mut zone, moved, read, .. } = self;
        let is_read = |number: u32| read.iter().any(|run| run.contains(&number));
        let stays = |number: u32| {
            let new = moved[number as usize];
            let holds = new != GONE && (change.cuts.is_empty() || !is_read(new));
            holds.then_some(new)
        };
        let changed = Likely::of(came.iter().chain(change.doubtful.keys()).map(NameBuf::as_name));
        let is_near = |name: Name<'_>| name.ancestors().any(|above| changed.have(above));
        let is_near = (!changed.is_empty()).then_some(is_near);
        let all = 0..number(zone.nodes.len());
        let nodes = if is_still && came.is_empty() && change.cuts.is_empty() {
            &read[..]
        } else {
            slice::from_ref(&all)
        };
        zone.relink(nodes, is_read, stays, is_near.as_ref());
        zone.records = zone.sets.iter().map(|set| set.count as usize).sum();
        zone.ready_soa = NegativeSoa::of(&zone);
        zone
    }
}

impl Zone {
    /// Copies nodes of another zone, with all that belongs to them, behind those that are there.
    fn append(&mut self, from: &Zone, nodes: Range<u32>) {
        let (octets, sets) = from.starts(nodes.start);
        let (octets_end, sets_end) = from.starts(nodes.end);
        let by = number(self.octets.len()).wrapping_sub(number(octets));
        let sets_by = number(self.sets.len()).wrapping_sub(number(sets));
        self.octets.extend_from_slice(&from.octets[octets..octets_end]);
        self.sets.extend(from.sets[sets..sets_end].iter().map(|set| SetEntry {
            start: set.start.wrapping_add(by),
            end: set.end.wrapping_add(by),
            ..*set
        }));
        let nodes = &from.nodes[nodes.start as usize..nodes.end as usize];
        self.nodes.extend(nodes.iter().map(|node| NodeEntry {
            name: node.name.wrapping_add(by),
            first_set: node.first_set.wrapping_add(sets_by),
            ..*node
        }));
    }

    /// Adds a name without records, which cannot be found yet.
    fn push_name(&mut self, name: Name<'_>, flags: Flags) -> u32 {
        let (name_at, first_set) = (number(self.octets.len()), number(self.sets.len()));
        self.octets.extend_from_slice(name.as_wire());
        self.nodes.push(NodeEntry { name: name_at, first_set, set_count: 0, flags });
        number(self.nodes.len() - 1)
    }

    /// Makes a node one that is found.
    fn enter(&mut self, new: u32) {
        let Zone { octets, nodes, index, .. } = self;
        let hash =
            |number: u32| hash::of(Name::stored(&octets[nodes[number as usize].name as usize..]));
        index.insert(hash(new), new, hash);
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
