//! One pass over a name yields the hash of each of its suffixes.
//!
//! The hash of a name is made from the hash of its parent and its leftmost label, from the right:
//!
//! ```text
//! hash(.) = SEED      hash(edu.) = step(hash(.), "edu")      hash(smith.edu.) = step(hash(edu.), "smith")
//! ```
//!
//! so that the zone of a question and each ancestor of its name are found without hashing again.
//! Letters count in lower case. Tables keyed by it hold the zone author's names alone; who asks can
//! aim at a slot but cannot fill it, so the hash needs speed and spread, not a secret.

use super::{LABELS_MAX, NAME_LEN_MAX, Name};
use arrayvec::ArrayVec;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;

/// Octets that are hashed at a time.
const WORD_LEN: usize = 8;

/// The hashes of a name and of all names above it.
pub struct Suffixes {
    name: Lower,
    labels: usize,
    /// By the number of labels.
    hashes: [u64; LABELS_MAX + 1],
    /// Where each label starts in the name, by its number from the left; the root's is the last.
    offsets: [u8; LABELS_MAX + 1],
}

impl Default for Suffixes {
    /// Those of the root.
    fn default() -> Suffixes {
        Suffixes::of(Name::ROOT)
    }
}

impl Suffixes {
    /// Hashes `name` from the right.
    pub fn of(name: Name<'_>) -> Suffixes {
        let (hashes, offsets) = ([0; LABELS_MAX + 1], [0; LABELS_MAX + 1]);
        let mut suffixes = Suffixes { name: Lower::default(), labels: 0, hashes, offsets };
        suffixes.fill(name);
        suffixes
    }

    /// Becomes those of `name`: no kilobyte is moved for a name of thirty octets.
    pub fn fill(&mut self, name: Name<'_>) {
        self.name.fill(name);
        let (mut at, mut labels) = (0u8, 0);
        while let len @ 1.. = self.name.octets[usize::from(at)] {
            self.offsets[labels] = at;
            labels += 1;
            at += 1 + len;
        }
        (self.offsets[labels], self.labels) = (at, labels);
        let mut hash = SEED;
        self.hashes[0] = hash;
        for number in 1..=labels {
            hash = self.name.step(hash, usize::from(self.offsets[labels - number]));
            self.hashes[number] = hash;
        }
    }

    /// The number of labels of the name.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The hash of the rightmost `labels` labels.
    pub fn hash(&self, labels: usize) -> u64 {
        self.hashes[labels]
    }

    /// Where the rightmost `labels` labels start in the name, in octets.
    pub fn offset(&self, labels: usize) -> usize {
        usize::from(self.offsets[self.labels - labels])
    }
}

/// The hash of one name.
pub fn of(name: Name<'_>) -> u64 {
    let mut starts: ArrayVec<u8, LABELS_MAX> = ArrayVec::new();
    let lower = Lower::of(name);
    let mut at = 0;
    while let len @ 1.. = lower.octets[usize::from(at)] {
        starts.push(at);
        at += 1 + len;
    }
    starts.iter().rev().fold(SEED, |hash, &start| lower.step(hash, usize::from(start)))
}

/// The hash of `label` in front of a name whose hash is `parent`.
pub fn step(parent: u64, label: &[u8]) -> u64 {
    let words = label.chunks(WORD_LEN).map(|chunk| {
        let mut word = [0; WORD_LEN];
        word[..chunk.len()].copy_from_slice(chunk);
        word.make_ascii_lowercase();
        u64::from_le_bytes(word)
    });
    words.fold(begin(parent, label.len()), mix)
}

/// A name in lower case, with room to read its last label in whole words.
struct Lower {
    /// What stands behind the name is of names before, and means nothing.
    octets: [u8; NAME_LEN_MAX + 1 + WORD_LEN],
}

impl Default for Lower {
    fn default() -> Lower {
        Lower { octets: [0; NAME_LEN_MAX + 1 + WORD_LEN] }
    }
}

impl Lower {
    fn of(name: Name<'_>) -> Lower {
        let mut lower = Lower::default();
        lower.fill(name);
        lower
    }

    fn fill(&mut self, name: Name<'_>) {
        let wire = name.as_wire();
        self.octets[..wire.len()].copy_from_slice(wire);
        let whole_words = wire.len().next_multiple_of(WORD_LEN);
        self.octets[..whole_words].make_ascii_lowercase(); // a length octet is at most 63
    }

    /// As [`step`], for the label whose length octet is at `start`.
    fn step(&self, parent: u64, start: usize) -> u64 {
        let len = usize::from(self.octets[start]);
        let mut hash = begin(parent, len);
        let mut read = 0;
        while read < len {
            let rest = &self.octets[start + 1 + read..];
            let word = rest.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets));
            let beyond = WORD_LEN.saturating_sub(len - read) * 8;
            hash = mix(hash, word << beyond >> beyond);
            read += WORD_LEN;
        }
        hash
    }
}

fn begin(parent: u64, label_len: usize) -> u64 {
    parent ^ (label_len as u64).wrapping_mul(SEED)
}

fn mix(hash: u64, word: u64) -> u64 {
    let folded = (hash ^ word).wrapping_mul(MULTIPLIER);
    folded ^ (folded >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameBuf;

    #[test]
    fn a_suffix_hashes_as_the_name_that_it_is() {
        let name: NameBuf = "a.much-longer-label.WWW.Smith.EDU.".parse().unwrap();
        let suffixes = Suffixes::of(name.as_name());
        for (up, ancestor) in name.as_name().ancestors().enumerate() {
            let labels = suffixes.labels() - up;
            assert_eq!(suffixes.hash(labels), of(ancestor));
            assert_eq!(&name.as_name().as_wire()[suffixes.offset(labels)..], ancestor.as_wire());
        }
        let lower: NameBuf = "a.much-longer-label.www.smith.edu.".parse().unwrap();
        assert_eq!(of(name.as_name()), of(lower.as_name()));
    }
}
