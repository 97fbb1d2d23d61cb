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

use super::{LABEL_LEN_MAX, LABELS_MAX, NAME_LEN_MAX, Name};
use arrayvec::ArrayVec;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;

/// Octets that are hashed at a time.
const WORD_LEN: usize = 8;
/// The bit that tells cases apart, in each octet of a word. It is set in all of them: that makes a few
/// pairs of other octets alike too, and a look-up compares names anyway.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// The hashes of a name and of all names above it.
pub struct Suffixes {
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
        let mut suffixes = Suffixes { labels: 0, hashes, offsets };
        suffixes.fill(name);
        suffixes
    }

    /// Becomes those of `name`: no kilobyte is moved for a name of thirty octets.
    #[inline]
    pub fn fill(&mut self, name: Name<'_>) {
        self.read(name.as_wire());
    }

    /// Splits an uncompressed name off the front of `bytes`, as [`Name::split_from`], and becomes its
    /// suffixes. With `None` they mean nothing.
    #[inline]
    pub fn read<'b>(&mut self, bytes: &'b [u8]) -> Option<Name<'b>> {
        let (mut at, mut labels) = (0, 0);
        loop {
            let len = usize::from(*bytes.get(at)?);
            if len > LABEL_LEN_MAX || at >= NAME_LEN_MAX {
                return None;
            }
            #[allow(clippy::cast_possible_truncation, reason = "it is below NAME_LEN_MAX")]
            let start = at as u8;
            *self.offsets.get_mut(labels)? = start;
            at += 1 + len;
            if len == 0 {
                break;
            }
            labels += 1;
        }
        let wire = &bytes[..at];
        self.labels = labels;
        self.chain(wire);
        Some(Name { wire })
    }

    /// Hashes the labels, whose places are known.
    #[inline]
    fn chain(&mut self, wire: &[u8]) {
        let mut hash = SEED;
        let labels = self.labels;
        self.hashes[0] = hash;
        for (start, slot) in self.offsets[..labels].iter().rev().zip(&mut self.hashes[1..]) {
            hash = step(hash, label(wire, *start));
            *slot = hash;
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
    let wire = name.as_wire();
    let mut starts: ArrayVec<u8, LABELS_MAX> = ArrayVec::new();
    let mut at = 0;
    while let len @ 1.. = wire[usize::from(at)] {
        starts.push(at);
        at += 1 + len;
    }
    starts.iter().rev().fold(SEED, |hash, &start| step(hash, label(wire, start)))
}

/// The hash of `label` in front of a name whose hash is `parent`.
///
/// Words that overlap cover every octet of it, so that none beyond it is read.
#[inline]
pub fn step(parent: u64, label: &[u8]) -> u64 {
    let hash = begin(parent, label.len());
    let Some(last) = label.last_chunk::<WORD_LEN>() else {
        return mix(hash, short_word(label));
    };
    let words = label[..label.len() - 1].chunks_exact(WORD_LEN);
    let hash = words.fold(hash, |hash, word| {
        mix(hash, u64::from_le_bytes(word.try_into().unwrap_or_default()))
    });
    mix(hash, u64::from_le_bytes(*last))
}

/// A label of less than eight octets in a word.
fn short_word(label: &[u8]) -> u64 {
    match (label.first_chunk::<4>(), label.last_chunk::<4>(), label) {
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        (_, _, [first, .., last]) => {
            let middle = label[label.len() / 2];
            u64::from(*first) | u64::from(middle) << 8 | u64::from(*last) << 16
        }
        (_, _, [only]) => u64::from(*only),
        _ => 0,
    }
}

/// The label whose length octet stands at `start`.
fn label(wire: &[u8], start: u8) -> &[u8] {
    let start = usize::from(start);
    &wire[start + 1..start + 1 + usize::from(wire[start])]
}

fn begin(parent: u64, label_len: usize) -> u64 {
    parent ^ (label_len as u64).wrapping_mul(SEED)
}

fn mix(hash: u64, word: u64) -> u64 {
    let folded = (hash ^ (word | LOWER)).wrapping_mul(MULTIPLIER);
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
