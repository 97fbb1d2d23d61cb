//! The names that own records: each once, with its hash, numbered in the order of the file.
//!
//! Most records have the owner of the record before, and most owners stand below the first one, which
//! is the apex: so that is looked at first, and only the labels before it are hashed. A name's hash is
//! kept, for the zone is indexed by it, too.

use crate::name::{Name, hash};
use crate::zone::index::Index;

/// See the module.
#[derive(Default)]
pub(super) struct Names {
    octets: Vec<u8>,
    /// Where each name starts in the octets.
    starts: Vec<u32>,
    hashes: Vec<u64>,
    index: Index,
    /// The number of the name asked for last.
    last: u32,
}

impl Names {
    /// Makes room for so many names.
    pub(super) fn reserve(&mut self, names: usize) {
        self.starts.reserve(names);
        self.hashes.reserve(names);
        self.index.reserve(self.hashes.len() + names, |number| self.hashes[number as usize]);
    }

    /// The number of `name`, a new one if need be, and whether it was spelled like this when it came
    /// first.
    pub(super) fn number_of(&mut self, name: Name<'_>) -> (u32, bool) {
        if self.is_spelled(self.last, name) {
            return (self.last, true);
        }
        let hash = self.hash_of(name);
        let found = self.index.find(hash, |number| self.is(number, name));
        let number = found.unwrap_or_else(|| self.add(name, hash));
        self.last = number;
        (number, self.is_spelled(number, name))
    }

    /// The number asked for last.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    /// The number that `name` has.
    pub(super) fn find(&self, name: Name<'_>) -> Option<u32> {
        self.index.find(hash::of(name), |number| self.is(number, name))
    }

    /// The name of that number.
    pub(super) fn get(&self, number: u32) -> Name<'_> {
        Name::stored(&self.octets[self.starts[number as usize] as usize..])
    }

    /// All names, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = Name<'_>> {
        self.starts.iter().map(|&start| Name::stored(&self.octets[start as usize..]))
    }

    /// Their hashes, in the same order.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The octets that they take.
    pub(super) fn octet_count(&self) -> usize {
        self.octets.len()
    }

    fn add(&mut self, name: Name<'_>, hash: u64) -> u32 {
        let number = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.starts.push(u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
        self.hashes.push(hash);
        self.octets.extend_from_slice(name.as_wire());
        let hashes = &self.hashes;
        self.index.insert(hash, number, |other| hashes[other as usize]);
        number
    }

    fn is(&self, number: u32, name: Name<'_>) -> bool {
        self.is_spelled(number, name)
            || (number as usize) < self.starts.len() && self.get(number) == name
    }

    /// Whether the name of that number is `name`, in the same case of letters. No name is the start of
    /// another: each ends with the root label.
    fn is_spelled(&self, number: u32, name: Name<'_>) -> bool {
        let start = self.starts.get(number as usize).map(|&start| start as usize);
        start.is_some_and(|start| self.octets[start..].starts_with(name.as_wire()))
    }

    fn hash_of(&self, name: Name<'_>) -> u64 {
        let first = self.hashes.first();
        let below_first = first.and_then(|&hash| hash_below(self.get(0), hash, name));
        below_first.unwrap_or_else(|| hash::of(name))
    }
}

/// The hash of a name that is within `top`, which has that hash. `None` if it is not.
pub(super) fn hash_in(top: Name<'_>, top_hash: u64, name: Name<'_>) -> Option<u64> {
    let other_case = || name.is_within(top).then(|| hash::of(name));
    hash_below(top, top_hash, name).or_else(other_case)
}

/// The hash of a name that stands below `top`, from that one's hash. `None` if it does not, or spells
/// it in another case.
fn hash_below(top: Name<'_>, top_hash: u64, name: Name<'_>) -> Option<u64> {
    let labels = name.as_wire().strip_suffix(top.as_wire())?;
    hash::below(top_hash, labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameBuf;

    #[test]
    fn each_name_has_one_number_and_the_hash_that_it_has_everywhere() {
        let mut names = Names::default();
        let cases = [
            ("smith.edu.", 0, true),
            ("www.smith.edu.", 1, true),
            ("WWW.smith.edu.", 1, false),
            ("a.b.SMITH.edu.", 2, true),
            ("goldsmith.edu.", 3, true),
            ("edu.", 4, true),
            (".", 5, true),
            ("\\005smith.edu.", 6, true),
            ("www.Smith.edu.", 1, false),
            ("a.b.smith.edu.", 2, false),
        ];
        for (text, number, same) in cases {
            let name: NameBuf = text.parse().unwrap();
            assert_eq!(names.number_of(name.as_name()), (number, same), "{text}");
            assert_eq!(names.number_of(name.as_name()).0, number, "{text} again");
            assert_eq!(names.hashes()[number as usize], hash::of(name.as_name()), "{text}");
            assert_eq!(names.find(name.as_name()), Some(number));
        }
    }
}
