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

use super::{LABELS_MAX, Name};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;

/// The hashes of a name and of all names above it.
pub struct Suffixes {
    hashes: [u64; LABELS_MAX + 1],
    /// Where each label starts in the name, by its number from the right; the root's is its end.
    offsets: [u8; LABELS_MAX + 1],
    labels: usize,
}

impl Suffixes {
    /// Hashes `name` from the right.
    pub fn of(name: Name<'_>) -> Suffixes {
        let labels = name.label_count();
        let mut suffixes = Suffixes { hashes: [SEED; _], offsets: [0; _], labels };
        let mut at = 0;
        for (number, label) in name.labels().enumerate() {
            suffixes.offsets[labels - number] = at;
            at += 1 + super::length(label.len());
        }
        suffixes.offsets[0] = at;
        for count in 1..=labels {
            let start = usize::from(suffixes.offsets[count]) + 1;
            let end = usize::from(suffixes.offsets[count - 1]);
            suffixes.hashes[count] = step(suffixes.hashes[count - 1], &name.as_wire()[start..end]);
        }
        suffixes
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
        usize::from(self.offsets[labels])
    }
}

/// The hash of one name.
pub fn of(name: Name<'_>) -> u64 {
    let suffixes = Suffixes::of(name);
    suffixes.hash(suffixes.labels())
}

/// The hash of `label` in front of a name whose hash is `parent`.
pub fn step(parent: u64, label: &[u8]) -> u64 {
    let mut hash = parent ^ (label.len() as u64).wrapping_mul(SEED);
    let mut words = label.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, lower(word));
    }
    mix(hash, lower(words.remainder()))
}

/// At most eight octets as a number, letters in lower case.
fn lower(octets: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..octets.len()].copy_from_slice(octets);
    word.make_ascii_lowercase();
    u64::from_le_bytes(word)
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
        assert_eq!(of(name.as_name()), of(name.to_lower().as_name()));
    }
}
