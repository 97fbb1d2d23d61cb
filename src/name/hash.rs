//! One pass over a name yields the hash of each of its suffixes.
//!
//! The hash of a name is made from that of its parent and its leftmost label:
//!
//! ```text
//! hash(.) = SEED                hash(smith.edu.) = label("smith") + FACTOR × hash(edu.)
//! ```
//!
//! so it is a sum in which each label counts with a power of FACTOR, and what is read from the left adds
//! up as it goes. What stands before a suffix is taken off again, and the power too, which a number
//! modulo 2⁶⁴ allows as FACTOR is odd. So the zone of a question and each ancestor of its name are found
//! without hashing again. Letters count in lower case. Tables keyed by it hold the zone author's names
//! alone; who asks can aim at a slot but cannot fill it, so the hash needs speed and spread, not a secret.

use super::{LABEL_LEN_MAX, LABELS_MAX, NAME_LEN_MAX, Name};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;
const FACTOR: u64 = 0xc4ce_b9fe_1a85_ec53;

/// What takes a power of FACTOR off again, by its exponent.
static INVERSES: [u64; LABELS_MAX + 1] = {
    // Newton's steps double the bits that are right: 3 to begin with, as for every odd number
    let (mut inverse, mut bits) = (FACTOR, 3);
    while bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        bits *= 2;
    }
    let (mut all, mut exponent) = ([1_u64; LABELS_MAX + 1], 1);
    while exponent <= LABELS_MAX {
        all[exponent] = all[exponent - 1].wrapping_mul(inverse);
        exponent += 1;
    }
    all
};

/// Octets that are hashed at a time.
const WORD_LEN: usize = 8;
/// The octets of a word that a shorter label takes with its length octet.
static SHORT: [u64; WORD_LEN] = {
    let (mut all, mut len) = ([0; WORD_LEN], 0);
    while len < WORD_LEN {
        all[len] = u64::MAX >> (8 * (WORD_LEN - 1 - len));
        len += 1;
    }
    all
};
/// The bit that tells cases apart, in each octet of a word. It is set in all of them: that makes a few
/// pairs of other octets alike too, and a look-up compares names anyway.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// The hashes of a name and of all names above it.
pub struct Suffixes {
    labels: usize,
    /// The hash of the whole name.
    hash: u64,
    /// What the labels before each one add to that, by its number from the left; the root's is the last.
    before: [u64; LABELS_MAX + 1],
    /// Where their length octets stand.
    starts: [u8; LABELS_MAX + 1],
}

impl Default for Suffixes {
    /// Those of the root.
    fn default() -> Suffixes {
        Suffixes { labels: 0, hash: SEED, before: [0; LABELS_MAX + 1], starts: [0; LABELS_MAX + 1] }
    }
}

impl Suffixes {
    /// Those of `name`.
    pub fn of(name: Name<'_>) -> Suffixes {
        let mut suffixes = Suffixes::default();
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
        let (mut at, mut before, mut power) = (0, 0_u64, 1_u64);
        for labels in 0..=LABELS_MAX {
            let len = usize::from(*bytes.get(at)?);
            #[allow(
                clippy::cast_possible_truncation,
                reason = "of a name it is below NAME_LEN_MAX"
            )]
            let start = at as u8;
            (self.before[labels], self.starts[labels]) = (before, start);
            if len == 0 {
                self.labels = labels;
                self.hash = before.wrapping_add(power.wrapping_mul(SEED));
                return (at < NAME_LEN_MAX).then(|| Name { wire: &bytes[..at + 1] });
            }
            before = before.wrapping_add(power.wrapping_mul(label(&bytes[at..], len)?));
            power = power.wrapping_mul(FACTOR);
            at += 1 + len;
        }
        None
    }

    /// The number of labels of the name.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The hash of the whole name.
    #[inline]
    pub fn whole(&self) -> u64 {
        self.hash
    }

    /// The hash of the rightmost `labels` labels.
    #[inline]
    pub fn hash(&self, labels: usize) -> u64 {
        let above = self.labels - labels;
        self.hash.wrapping_sub(self.before[above]).wrapping_mul(INVERSES[above])
    }

    /// Where the rightmost `labels` labels start in the name, in octets.
    #[inline]
    pub fn offset(&self, labels: usize) -> usize {
        usize::from(self.starts[self.labels - labels])
    }
}

/// The hash of one name.
pub fn of(name: Name<'_>) -> u64 {
    let (_root, labels) = name.as_wire().split_last().unwrap_or((&0, &[]));
    below(SEED, labels).unwrap_or_default() // a name is whole labels
}

/// The hash of labels in front of a name whose hash is `parent`; none if they end within a label.
#[inline]
pub fn below(parent: u64, labels: &[u8]) -> Option<u64> {
    let (mut rest, mut hash, mut power) = (labels, 0_u64, 1_u64);
    while let Some(&len) = rest.first() {
        hash = hash.wrapping_add(power.wrapping_mul(label(rest, len.into())?));
        power = power.wrapping_mul(FACTOR);
        rest = rest.get(1 + usize::from(len)..)?;
    }
    Some(hash.wrapping_add(power.wrapping_mul(parent)))
}

/// The hash of the label at the front of `bytes`, in words that may overlap. The first holds its length
/// octet too, and is all there is of a short label. None if a long one is not all there, or too long.
#[inline]
fn label(bytes: &[u8], len: usize) -> Option<u64> {
    let head = first_word(bytes) | LOWER << 8;
    if len < WORD_LEN {
        return Some(mix(head & SHORT[len]));
    }
    let more = len - WORD_LEN;
    if len > LABEL_LEN_MAX {
        return None;
    }
    let last = u64::from_le_bytes(*bytes.get(1 + more..)?.first_chunk()?) | LOWER;
    let hash = mix(head);
    let hash = if more >= WORD_LEN { add_words(hash, &bytes[WORD_LEN..len]) } else { hash };
    Some(mix(hash ^ last))
}

/// The octets in a word; zeros stand for those that are not there.
#[inline]
fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(|| few_octets(bytes), |word| u64::from_le_bytes(*word))
}

/// The same for less than a word.
#[cold]
#[inline(never)]
fn few_octets(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet))
}

/// Adds the whole words among the octets.
#[cold]
#[inline(never)]
fn add_words(hash: u64, octets: &[u8]) -> u64 {
    let (words, _) = octets.as_chunks::<WORD_LEN>();
    words.iter().fold(hash, |hash, word| mix(hash ^ (u64::from_le_bytes(*word) | LOWER)))
}

/// Both halves of the product: each bit of the word reaches all of the hash.
#[inline]
fn mix(word: u64) -> u64 {
    let product = u128::from(word) * u128::from(MULTIPLIER);
    #[allow(clippy::cast_possible_truncation, reason = "each cast takes a half")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
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

    #[test]
    fn a_label_hashes_alike_wherever_it_stands_and_whatever_stands_behind_it() {
        for len in 1..=LABEL_LEN_MAX {
            let mut wire = [&[u8::try_from(len).unwrap()][..], &vec![b'x'; len]].concat();
            let alone = label(&wire, len).unwrap();
            wire.extend_from_slice(b"\x03edu\0\0\x01\0\x01");
            assert_eq!(label(&wire, len), Some(alone), "{len} octets");
            for at in 1..=len {
                wire[at] = b'y';
                assert_ne!(label(&wire, len), Some(alone), "octet {at} of {len}");
                wire[at] = b'X';
                assert_eq!(label(&wire, len), Some(alone), "octet {at} of {len}");
            }
        }
    }

    /// As well as chance would have it, by the bits that a table uses: low ones and the highest seven.
    #[test]
    fn names_spread_over_a_table() {
        for form in ["", "host-", "a.much-longer-label.", "x.y.z."] {
            let (mut slots, mut tags) = (vec![false; 1 << 18], [0_u32; 128]);
            for number in 0..1_u32 << 16 {
                let name: NameBuf = format!("{form}{number:x}.smith.edu.").parse().unwrap();
                let hash = of(name.as_name());
                slots[usize::try_from(hash & ((1 << 18) - 1)).unwrap()] = true;
                tags[usize::try_from(hash >> 57).unwrap()] += 1;
            }
            let taken = slots.iter().filter(|&&taken| taken).count();
            assert!((57_000..59_000).contains(&taken), "{form}: {taken} slots"); // 57,986 expected
            assert!(tags.iter().all(|tag| (400..630).contains(tag)), "{form}: {tags:?}"); // 512
        }
    }
}
