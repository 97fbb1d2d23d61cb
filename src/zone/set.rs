//! All zones that are served, and the one that a name belongs to.

use super::Zone;
use super::index::Index;
use crate::name::{Name, NameBuf, Suffixes, same_octets};
use crate::rr::{Rtype, table};
use std::collections::HashMap;
use std::sync::Arc;

/// Room in the index for each zone: that is nothing beside the zone, and each query looks there.
const PLACES_PER_ZONE: usize = 4;
/// As many names are many: they take more than the caches nearest to a processor.
/// Measured: 100,000 records take 0.34 µs of user time per query with a look ahead, 0.65 µs without.
const LARGE_FROM: usize = 1 << 14;

/// What is known of one zone.
#[derive(Clone, Debug)]
pub enum Slot {
    /// Served as its file says.
    Live(Arc<Zone>),
    /// Served from the last good version: the file as it is now cannot be used.
    Stale(Arc<Zone>),
    /// Named by a file, never read whole: it answers SERVFAIL.
    Broken,
}

/// One step of the road from disk: the slot that a zone gets, or none when it is served no longer.
#[derive(Debug)]
pub struct Change {
    /// The zone's apex.
    pub apex: NameBuf,
    /// What stands there from now on.
    pub slot: Option<Slot>,
}

/// The zones by apex. It belongs to the loop alone; a reload replaces one slot between two polls.
#[derive(Default)]
pub struct ZoneSet {
    entries: Vec<Entry>,
    /// The places of the entries, by the hash of the apex.
    index: Index,
    /// Labels of the longest apex: no longer suffix needs a look.
    labels_max: usize,
    /// How many apexes stand below a name, by its hash. Names that share one count together.
    below: HashMap<u64, u32>,
    /// How many names are in all of them.
    names: usize,
}

struct Entry {
    hash: u64,
    apex: NameBuf,
    slot: Slot,
}

impl ZoneSet {
    /// Carries out a change. Gives back the slot that stood there, so that the caller can have it
    /// freed where that takes no time from answering.
    pub fn apply(&mut self, change: Change) -> Option<Slot> {
        let hash = crate::name::hash::of(change.apex.as_name());
        self.labels_max = self.labels_max.max(change.apex.as_name().label_count());
        let old = self.remove(hash, &change.apex);
        let names = |slot: &Option<Slot>| slot.as_ref().map_or(0, Slot::name_count);
        self.names += names(&change.slot);
        self.names -= names(&old);
        match (&old, &change.slot) {
            (None, Some(_)) => self.count_below(change.apex.as_name(), 1),
            (Some(_), None) => self.count_below(change.apex.as_name(), -1),
            _ => {}
        }
        if let Some(slot) = change.slot {
            let room = PLACES_PER_ZONE * (self.entries.len() + 1);
            self.index.reserve(room, |place| self.entries[place as usize].hash);
            let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            self.entries.push(Entry { hash, apex: change.apex, slot });
            self.index.insert(hash, place, |place| self.entries[place as usize].hash);
        }
        old
    }

    /// Takes a zone out. The last entry takes its place.
    fn remove(&mut self, hash: u64, apex: &NameBuf) -> Option<Slot> {
        let entries = &self.entries;
        let is = |place: u32| entries.get(place as usize).is_some_and(|entry| entry.apex == *apex);
        let place = self.index.remove(hash, is)?;
        let (removed, moved) = (self.entries.swap_remove(place as usize), self.entries.len());
        if let Some(last) = self.entries.get(place as usize) {
            self.index.remove(last.hash, |place| place as usize == moved);
            self.index.insert(last.hash, place, |place| self.entries[place as usize].hash);
        }
        Some(removed.slot)
    }

    /// Whether the apex of another zone may stand below `apex`. At times it is thought so in error.
    pub fn has_zones_below(&self, apex: Name<'_>) -> bool {
        let hash = crate::name::hash::of(apex);
        self.below.contains_key(&hash)
    }

    fn count_below(&mut self, apex: Name<'_>, change: i32) {
        for hash in apex.ancestors().skip(1).map(crate::name::hash::of) {
            let count = self.below.entry(hash).or_insert(0);
            *count = count.saturating_add_signed(change);
            if *count == 0 {
                self.below.remove(&hash);
            }
        }
    }

    /// The zone whose apex is the longest suffix of `name` with at most `labels` labels (RFC 1034
    /// §4.3.2 step 2): its slot, and how many labels its apex has.
    #[inline(never)] // with registers of its own
    pub fn find(&self, name: Name<'_>, hashes: &Suffixes, labels: usize) -> Option<(&Slot, usize)> {
        let mut labels = labels.min(self.labels_max);
        loop {
            let suffix = &name.as_wire()[hashes.offset(labels)..];
            if let Some(entry) = self.entry(hashes.hash(labels), suffix) {
                return Some((&entry.slot, labels));
            }
            labels = labels.checked_sub(1)?;
        }
    }

    /// The zone nearest to the name, and how many labels its apex has. A question for the DS of its
    /// apex is the parent's to answer, where that one is served too (RFC 4035 §3.1.4.1).
    #[inline]
    pub fn nearest(
        &self,
        name: Name<'_>,
        rtype: Rtype,
        hashes: &Suffixes,
    ) -> Option<(&Slot, usize)> {
        let nearest = self.find(name, hashes, hashes.labels())?;
        if rtype == table::DS && nearest.1 == hashes.labels() && nearest.1 > 0 {
            return self.find(name, hashes, nearest.1 - 1).or(Some(nearest));
        }
        Some(nearest)
    }

    /// The slot of the zone whose apex is `apex`.
    pub fn get(&self, apex: Name<'_>) -> Option<&Slot> {
        self.entry(crate::name::hash::of(apex), apex.as_wire()).map(|entry| &entry.slot)
    }

    #[inline(always)] // one look-up of many
    fn entry(&self, hash: u64, apex: &[u8]) -> Option<&Entry> {
        let is = |entry: &&Entry| same_octets(entry.apex.as_name().as_wire(), apex);
        let same = |place: u32| self.entries.get(place as usize).filter(is).is_some();
        self.entries.get(self.index.find(hash, same)? as usize)
    }

    /// The zones that answer, in no order.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.entries.iter().filter_map(|entry| entry.slot.zone())
    }

    /// Whether a look-up here waits for the memory, as what it reads is hardly ever cached.
    pub fn is_large(&self) -> bool {
        self.names >= LARGE_FROM
    }

    /// Where the zone most probably stands that [`find`](ZoneSet::find) finds: its apex is not looked at.
    #[inline]
    pub fn guess(&self, hashes: &Suffixes) -> Option<u32> {
        let is_there = |place: u32| (place as usize) < self.entries.len();
        let mut longest_first = (0..=hashes.labels().min(self.labels_max)).rev();
        longest_first.find_map(|labels| self.index.find(hashes.hash(labels), is_there))
    }

    /// The zone that stands there, if it answers.
    #[inline]
    pub fn zone_at(&self, place: u32) -> Option<&Zone> {
        self.entries.get(place as usize)?.slot.zone()
    }

    /// The number of zones, broken ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Slot {
    fn name_count(&self) -> usize {
        self.zone().map_or(0, |zone| zone.nodes.len())
    }

    /// The zone that answers, if one does.
    pub fn zone(&self) -> Option<&Zone> {
        self.shared().map(Arc::as_ref)
    }

    /// The same, for who needs it longer than it stands here.
    pub fn shared(&self) -> Option<&Arc<Zone>> {
        match self {
            Slot::Live(zone) | Slot::Stale(zone) => Some(zone),
            Slot::Broken => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::name::hash;
    use crate::rr::Record;
    use crate::zone::Node;
    use crate::zone::build::Builder;

    fn change(apex: &str, slot: Option<Slot>) -> Change {
        Change { apex: apex.parse().unwrap(), slot }
    }

    #[test]
    fn a_guess_is_nearly_always_right() {
        let zone = zone_of(1000);
        let guesses = |node: &Node<'_>| zone.guess(hash::of(node.name())) == Some(node.number());
        let right = zone.nodes().filter(guesses).count();
        assert!(right > 980, "{right} of {}", zone.nodes().count());
        assert!(zone.nodes().all(|node| zone.places(node.number())[0] == node.entry.name));
    }

    #[test]
    fn many_names_are_known_as_long_as_they_are_there_in_one_zone_or_in_many() {
        let mut set = ZoneSet::default();
        let large = u32::try_from(LARGE_FROM).unwrap();
        let steps = [
            ("a.", 10, false),
            ("a.", large, true),
            ("b.", 10, true),
            ("a.", large - 10, true),
            ("b.", 9, false),
            ("c.", 1, true),
            ("a.", 0, false),
        ];
        for (apex, names, is_large) in steps {
            let zone = (names > 0).then(|| Slot::Live(Arc::new(zone_of(names))));
            set.apply(change(apex, zone));
            assert_eq!(set.is_large(), is_large, "{apex} {names}");
        }
    }

    #[test]
    fn the_zone_that_is_guessed_is_the_one_that_is_found() {
        let mut set = ZoneSet::default();
        for apex in ["smith.edu.", "cs.smith.edu.", "edu."] {
            set.apply(change(apex, Some(Slot::Live(Arc::new(zone_of(2))))));
        }
        set.apply(change("example.", Some(Slot::Broken)));
        for name in ["smith.edu.", "a.b.CS.smith.edu.", "www.umass.edu.", "a.example.", "com.", "."]
        {
            let name: NameBuf = name.parse().unwrap();
            let hashes = Suffixes::of(name.as_name());
            let found = set.find(name.as_name(), &hashes, hashes.labels());
            let guessed = set.guess(&hashes);
            assert_eq!(guessed.is_some(), found.is_some(), "{name}");
            let (guessed, found) = (guessed.and_then(|at| set.zone_at(at)), found.map(|at| at.0));
            let found = found.and_then(Slot::zone);
            assert_eq!(guessed.map(std::ptr::from_ref), found.map(std::ptr::from_ref), "{name}");
        }
    }

    pub(crate) fn zone_of(names: u32) -> Zone {
        let mut builder = Builder::default();
        let mut add = |owner: &str, rtype, rdata: &[u8]| {
            let owner: NameBuf = owner.parse().unwrap();
            let record = Record { owner: owner.as_name(), rtype, ttl: 60, rdata };
            builder.add(record, Span::default(), &[]);
        };
        add("smith.edu.", table::SOA, &[0; 22]);
        add("smith.edu.", table::NS, &[0]);
        (1..names).for_each(|name| add(&format!("n{name}.smith.edu."), table::A, &[192, 0, 2, 1]));
        builder.finish(Span::default()).0.unwrap()
    }

    #[test]
    fn zones_below_are_counted_in_whatever_order_they_come_and_go() {
        let below = |set: &ZoneSet, apex: &str| {
            set.has_zones_below(apex.parse::<NameBuf>().unwrap().as_name())
        };
        let mut set = ZoneSet::default();
        for apex in ["www.cs.smith.edu.", "smith.edu.", "cs.smith.edu.", "CS.smith.edu."] {
            set.apply(change(apex, Some(Slot::Broken)));
        }
        assert!(below(&set, "smith.edu.") && below(&set, "EDU.") && below(&set, "cs.smith.edu."));
        assert!(!below(&set, "www.cs.smith.edu.") && !below(&set, "umass.edu."));
        set.apply(change("www.cs.smith.edu.", None));
        set.apply(change("www.cs.smith.edu.", None));
        assert!(below(&set, "smith.edu.") && !below(&set, "cs.smith.edu."));
        set.apply(change("cs.smith.edu.", None));
        assert!(!below(&set, "smith.edu.") && below(&set, "edu."));
        set.apply(change("smith.edu.", None));
        assert!(set.below.is_empty());
    }
}
