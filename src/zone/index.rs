//! Numbers by the hash of a name: one table of fixed steps, and nothing but that.
//!
//! A look-up of a name that is there reads one place in the most cases: the lower bits of the hash say
//! where to begin, the upper ones stand there beside the number, and only when these are the same is the
//! name itself looked at. What finds its place taken takes the next free one.
//!
//! ```text
//! | upper half of the hash | number | … | – | NONE | …      8 octets each, at most three quarters taken
//! ```

/// No number, in a place that was never taken.
const NONE: u32 = u32::MAX;
/// No number, in a place whose number was removed: what stands behind it is still to be found.
const REMOVED: u32 = u32::MAX - 1;
/// The places of a table that holds something, at least.
const PLACES_MIN: usize = 4;

/// See the module. What a number stands for, and its hash, is known to who asks.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// None, or a power of two.
    places: Vec<Place>,
    /// How many are taken, removed numbers included.
    taken: usize,
}

#[derive(Clone, Copy)]
struct Place {
    tag: u32,
    number: u32,
}

impl Index {
    /// The numbers from 0 on, which have these hashes.
    pub(super) fn of(hashes: &[u64]) -> Index {
        let mut index = Index::default();
        index.fit(hashes.len(), |_| 0);
        (0..).zip(hashes).for_each(|(number, &hash)| index.put(hash, number));
        index
    }

    /// The number with this hash that is `same`, as which no number may count that is not there.
    #[inline(always)] // what it is called with is known there
    pub(super) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        self.place_of(hash, same).map(|(_, number)| number)
    }

    /// Adds a number, which must be below [`REMOVED`]. `hash_of` gives the hash of each that is there.
    pub(super) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if places_for(self.taken + 1) > self.places.len() {
            let count = self.numbers().count();
            self.fit(count + count / 4 + 1, hash_of); // not again for a while
        }
        self.put(hash, number);
    }

    /// Makes room for `count` numbers, those that are there included. The more room, the nearer is each
    /// to its place.
    pub(super) fn reserve(&mut self, count: usize, hash_of: impl Fn(u32) -> u64) {
        if places_for(count) > self.places.len() {
            self.fit(count, hash_of);
        }
    }

    /// Takes out the number with this hash that is `same`.
    pub(super) fn remove(&mut self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let (at, number) = self.place_of(hash, same)?;
        self.places[at].number = REMOVED;
        Some(number)
    }

    /// The same table with other numbers; those that have none are taken out.
    pub(super) fn renumbered(&self, new: impl Fn(u32) -> Option<u32>) -> Index {
        let mut index = self.clone();
        for place in index.places.iter_mut().filter(|place| place.number < REMOVED) {
            place.number = new(place.number).unwrap_or(REMOVED);
        }
        index
    }

    /// The octets that it takes in memory.
    pub(super) fn octets(&self) -> usize {
        self.places.len() * size_of::<Place>()
    }

    /// Has as many places as `count` numbers need, at least those that are there.
    fn fit(&mut self, count: usize, hash_of: impl Fn(u32) -> u64) {
        let places = places_for(count.max(self.numbers().count()));
        let free = vec![Place { tag: 0, number: NONE }; places];
        let old = std::mem::replace(self, Index { places: free, taken: 0 });
        old.numbers().for_each(|number| self.put(hash_of(number), number));
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.places.iter().map(|place| place.number).filter(|&number| number < REMOVED)
    }

    #[inline(always)] // as above
    fn place_of(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let (mut at, tag) = split(hash);
        loop {
            at &= self.places.len().wrapping_sub(1);
            let place = self.places.get(at)?;
            if place.tag == tag && same(place.number) {
                return Some((at, place.number));
            }
            if place.number == NONE {
                return None;
            }
            at += 1;
        }
    }

    /// Puts a number where there is room: a quarter of the places was never taken.
    fn put(&mut self, hash: u64, number: u32) {
        let (mut at, tag) = split(hash);
        let last = self.places.len() - 1;
        while self.places[at & last].number < REMOVED {
            at += 1;
        }
        let place = &mut self.places[at & last];
        self.taken += usize::from(place.number == NONE);
        *place = Place { tag, number };
    }
}

/// Where to begin, and the tag.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "each takes a part of the hash")]
fn split(hash: u64) -> (usize, u32) {
    (hash as usize, (hash >> 32) as u32)
}

/// The places that a table of so many numbers has.
fn places_for(count: usize) -> usize {
    (count + count.div_ceil(3)).next_power_of_two().max(PLACES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Hashes that fall on few places, some of them with the same tag.
    fn hash_of(number: u32) -> u64 {
        u64::from(number % 7) | u64::from(number / 100 % 3) << 40
    }

    #[test]
    fn what_is_put_in_is_found_until_it_is_taken_out() {
        let (mut index, mut model) = (Index::default(), HashMap::new());
        assert_eq!(index.find(0, |_| true), None, "an empty table has no place");
        for step in 0..2700_u32 {
            let number = step * 7919 % 500;
            let hash = hash_of(number);
            match model.remove(&number) {
                Some(()) => assert_eq!(index.remove(hash, |other| other == number), Some(number)),
                None => {
                    index.insert(hash, number, hash_of);
                    model.insert(number, ());
                }
            }
            let gone = (number + 1) % 500;
            let found = index.find(hash_of(gone), |other| other == gone);
            assert_eq!(found.is_some(), model.contains_key(&gone), "step {step}");
        }
        let found = |&number: &u32| index.find(hash_of(number), |other| other == number);
        assert!(model.len() > 100 && model.keys().all(|number| found(number).is_some()));
    }

    #[test]
    fn numbers_are_found_by_the_hashes_that_they_are_made_of() {
        let hashes: Vec<u64> = (0..1000).map(|number| hash_of(number * 3)).collect();
        let index = Index::of(&hashes);
        for (number, &hash) in (0..).zip(&hashes) {
            assert_eq!(index.find(hash, |other| other == number), Some(number));
        }
        assert_eq!(index.find(hash_of(1), |other| other == 1000), None);
    }

    #[test]
    fn other_numbers_are_found_in_the_places_of_the_old_ones() {
        let hashes: Vec<u64> = (0..500).map(hash_of).collect();
        let later = |number: u32| (!number.is_multiple_of(3)).then_some(number + 1000);
        let index = Index::of(&hashes).renumbered(later);
        for number in 0..500 {
            let found = index.find(hash_of(number), |other| other == number + 1000);
            assert_eq!(found, later(number));
            assert_eq!(index.find(hash_of(number), |other| other == number), None);
        }
    }

    #[test]
    fn what_comes_and_goes_takes_no_more_room() {
        let mut index = Index::default();
        for number in 0..10_000 {
            index.insert(hash_of(number), number, hash_of);
            assert_eq!(index.remove(hash_of(number), |other| other == number), Some(number));
        }
        assert_eq!((index.places.len(), index.numbers().count()), (PLACES_MIN, 0));
        index.reserve(1000, hash_of);
        assert_eq!(index.places.len(), 2048);
    }
}
