//! What changed from one version of a zone to a later one: the change sets that secondaries ask for
//! (RFC 1995 §4).
//!
//! A version carries its history: for each earlier version that is remembered one set of all that
//! changed since, with nothing in it of what came and went in between (§5). So whoever asks from an
//! earlier version gets one set, ready made. A new version's history is made from that of the one before
//! it, by whoever reads zones; what that costs is bounded by the history's length.

use super::{Node, Rrset, Zone};
use crate::name::Name;
use crate::rr::table;
use std::collections::HashSet;
use std::sync::Arc;

/// Octets of a zone's history: enough for hundreds of versions that differ in some records each. Who
/// asks from a version that is not in it gets the whole zone (§4).
const HISTORY_OCTETS_MAX: usize = 1 << 20;
/// The most versions in it: each of them is gone through when the zone changes.
const HISTORY_LEN_MAX: usize = 100;

/// All that changed from one version to a later.
#[derive(Debug)]
pub struct ChangeSet {
    /// The serial of the earlier version.
    from: u32,
    /// The SOA of the earlier version and the records that are gone, the SOA of the later and the records
    /// that are new: each an owner, and then type, class, TTL, length and data.
    octets: Vec<u8>,
    /// Where the second half begins.
    new_at: usize,
}

/// The records of a half of a change set but for its SOA.
#[derive(Default)]
struct Half {
    octets: Vec<u8>,
}

impl Zone {
    /// Makes the history of this version from that of the one before it. A serial that does not rise
    /// begins another.
    pub fn follow(&mut self, before: &Zone) {
        let step = self.serial().wrapping_sub(before.serial());
        self.history.clear();
        if step == 0 || step >= 1 << 31 {
            return;
        }
        let Some(last) = ChangeSet::between(before, self, HISTORY_OCTETS_MAX) else { return };
        let mut octets = last.octets.len();
        let mut history = Vec::new();
        for earlier in before.history.iter().rev().take(HISTORY_LEN_MAX - 1) {
            let joined = earlier.and_then(&last);
            octets += joined.octets.len();
            if octets > HISTORY_OCTETS_MAX {
                break;
            }
            history.push(Arc::new(joined));
        }
        history.reverse();
        history.push(Arc::new(last));
        self.history = history;
    }

    /// All that changed since the version with that serial, if it is remembered.
    pub fn changes_since(&self, serial: u32) -> Option<&Arc<ChangeSet>> {
        self.history.iter().rev().find(|changes| changes.from == serial)
    }
}

impl ChangeSet {
    /// The first record at an offset, as its owner and the rest of it; `None` at the end.
    pub fn record_at(&self, offset: usize) -> Option<(Name<'_>, &[u8])> {
        split_record(self.octets.get(offset..)?)
    }

    /// What differs between two versions, unless that takes more than so many octets.
    fn between(old: &Zone, new: &Zone, octets_max: usize) -> Option<ChangeSet> {
        let (mut gone, mut come) = (Half::default(), Half::default());
        let mut is_known = vec![false; old.nodes.len()];
        let mut next = 0; // names stand in the same order, most often
        for node in new.nodes() {
            let same = |twin: &Node<'_>| twin.name().as_wire() == node.name().as_wire();
            let twin = old.node_at(next).filter(same).or_else(|| old.node_of(node.name()));
            if let Some(twin) = twin {
                next = twin.number() + 1;
            }
            match twin.filter(same) {
                Some(twin) => {
                    is_known[twin.number() as usize] = true;
                    compare(twin, node, &mut gone, &mut come);
                }
                None => sets(node).for_each(|set| come.add_all(node.name(), set)),
            }
            if gone.octets.len() + come.octets.len() > octets_max {
                return None;
            }
        }
        for node in old.nodes().filter(|node| !is_known[node.number() as usize]) {
            sets(node).for_each(|set| gone.add_all(node.name(), set));
        }
        let changes =
            ChangeSet::of(old.serial(), (&soa(old), &gone.octets), (&soa(new), &come.octets));
        (changes.octets.len() <= octets_max).then_some(changes)
    }

    /// Both changes, one after the other, as one (§5).
    fn and_then(&self, later: &ChangeSet) -> ChangeSet {
        let (gone, come) = (self.records(0), self.records(self.new_at));
        let (later_gone, later_come) = (later.records(0), later.records(later.new_at));
        let mut halves = [Half::default(), Half::default()];
        halves[0].add_those(&gone.1, &later_come.1);
        halves[0].add_those(&later_gone.1, &come.1);
        halves[1].add_those(&come.1, &later_gone.1);
        halves[1].add_those(&later_come.1, &gone.1);
        ChangeSet::of(self.from, (gone.0, &halves[0].octets), (later_come.0, &halves[1].octets))
    }

    /// Each half is its SOA and its records.
    fn of(from: u32, gone: (&[u8], &[u8]), come: (&[u8], &[u8])) -> ChangeSet {
        let mut octets = [gone.0, gone.1].concat();
        let new_at = octets.len();
        octets.extend_from_slice(come.0);
        octets.extend_from_slice(come.1);
        ChangeSet { from, octets, new_at }
    }

    /// The SOA and the records of the half that begins at an offset.
    fn records(&self, from: usize) -> (&[u8], Vec<&[u8]>) {
        let end = if from < self.new_at { self.new_at } else { self.octets.len() };
        let mut rest = &self.octets[from..end];
        let mut records = std::iter::from_fn(|| {
            let (owner, body) = split_record(rest)?;
            let (record, others) = rest.split_at(owner.as_wire().len() + body.len());
            rest = others;
            Some(record)
        });
        (records.next().unwrap_or_default(), records.collect())
    }
}

impl Half {
    fn add(&mut self, owner: Name<'_>, record: &[u8]) {
        self.octets.extend_from_slice(owner.as_wire());
        self.octets.extend_from_slice(&record[POINTER_LEN..]);
    }

    fn add_all(&mut self, owner: Name<'_>, set: Rrset<'_>) {
        set.each_record().for_each(|record| self.add(owner, record));
    }

    /// Adds the records that are not among others.
    fn add_those(&mut self, records: &[&[u8]], but: &[&[u8]]) {
        let but: HashSet<&[u8]> = but.iter().copied().collect();
        let kept = records.iter().filter(|record| !but.contains(*record));
        kept.for_each(|record| self.octets.extend_from_slice(record));
    }
}

/// Octets that stand for the owner where a zone stores a record.
const POINTER_LEN: usize = 2;
/// Octets between a record's owner and its data.
const FIXED_LEN: usize = 10;

/// The owner and the rest of the first record.
fn split_record(octets: &[u8]) -> Option<(Name<'_>, &[u8])> {
    let (owner, rest) = Name::split_from(octets)?;
    let fixed = rest.first_chunk::<FIXED_LEN>()?;
    let len = FIXED_LEN + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    Some((owner, rest.get(..len)?))
}

/// The SOA with its owner.
fn soa(zone: &Zone) -> Vec<u8> {
    let mut soa = Half::default();
    soa.add_all(zone.apex(), zone.soa());
    soa.octets
}

/// The RRsets of a name, but for the SOA.
fn sets(node: Node<'_>) -> impl Iterator<Item = Rrset<'_>> {
    node.rrsets().filter(|set| set.rtype() != table::SOA)
}

/// What differs at one name.
fn compare(old: Node<'_>, new: Node<'_>, gone: &mut Half, come: &mut Half) {
    let same =
        |a: Rrset<'_>, b: Rrset<'_>| a.rtype() == b.rtype() && a.entry.covered == b.entry.covered;
    for set in sets(new) {
        match sets(old).find(|&before| same(before, set)) {
            Some(before) if before.records() == set.records() => {}
            Some(before) => compare_sets(new.name(), before, set, gone, come),
            None => come.add_all(new.name(), set),
        }
    }
    for set in sets(old).filter(|&set| !sets(new).any(|after| same(after, set))) {
        gone.add_all(old.name(), set);
    }
}

fn compare_sets(owner: Name<'_>, old: Rrset<'_>, new: Rrset<'_>, gone: &mut Half, come: &mut Half) {
    let before: HashSet<&[u8]> = old.each_record().collect();
    let after: HashSet<&[u8]> = new.each_record().collect();
    old.each_record().filter(|it| !after.contains(it)).for_each(|it| gone.add(owner, it));
    new.each_record().filter(|it| !before.contains(it)).for_each(|it| come.add(owner, it));
}
