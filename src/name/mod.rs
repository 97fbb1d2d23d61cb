//! Domain names as wire bytes (RFC 1035 §3.1): what are they, and when are two the same?
//!
//! A name is a run of labels, each behind its length octet, ended by the empty root label. It is
//! never held as text: escapes are resolved once when text is read ([`text`]) and written once when
//! a name is shown. [`Name`] borrows its bytes, [`NameBuf`] owns them without a heap allocation, as
//! `&Path` and `PathBuf` do. Both keep the case they were written in and compare without it
//! (RFC 4343), and no other module lower-cases a name.
//!
//! ```text
//! www.smith.edu.  =  3 w w w  5 s m i t h  3 e d u  0
//! ```

pub mod hash;
mod order;
pub mod pattern;
pub mod text;

pub use hash::Suffixes;
pub use text::NameError;

use std::fmt;

/// The longest name in octets, length octets and root label included (RFC 1035 §2.3.4).
pub const NAME_LEN_MAX: usize = 255;
/// The longest label in octets (RFC 1035 §2.3.4).
pub const LABEL_LEN_MAX: usize = 63;
/// The most labels a name can have, the root label not counted.
pub const LABELS_MAX: usize = 127;

/// A borrowed name: valid, uncompressed, ending in the root label.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    wire: &'a [u8],
}

/// An owned name, 256 bytes inline.
#[derive(Clone)]
pub struct NameBuf {
    len: u8,
    wire: [u8; NAME_LEN_MAX],
}

impl<'a> Name<'a> {
    /// The root, `.`.
    pub const ROOT: Name<'static> = Name { wire: &[0] };

    /// Splits an uncompressed name off the front of `bytes`: the name and what follows it. `None`
    /// if there is no whole name, or if it is compressed or too long.
    pub fn split_from(bytes: &'a [u8]) -> Option<(Name<'a>, &'a [u8])> {
        let mut at = 0;
        loop {
            let len = usize::from(*bytes.get(at)?);
            at += 1 + len;
            if len > LABEL_LEN_MAX || at > NAME_LEN_MAX {
                return None;
            }
            if len == 0 {
                let (wire, rest) = bytes.split_at(at);
                return Some((Name { wire }, rest));
            }
        }
    }

    /// The name that `wire` is, if it is exactly one.
    pub fn from_wire(wire: &'a [u8]) -> Option<Name<'a>> {
        Name::split_from(wire).and_then(|(name, rest)| rest.is_empty().then_some(name))
    }

    /// The name at the front of bytes that were checked when they were stored.
    pub(crate) fn stored(wire: &'a [u8]) -> Name<'a> {
        let mut at = 0;
        while wire[at] != 0 {
            at += 1 + usize::from(wire[at]);
        }
        Name { wire: &wire[..=at] }
    }

    /// The bytes, the root label included.
    pub fn as_wire(self) -> &'a [u8] {
        self.wire
    }

    /// Whether this is the root.
    pub fn is_root(self) -> bool {
        self.wire.len() == 1
    }

    /// The labels from the left, without the root label.
    pub fn labels(self) -> Labels<'a> {
        Labels { rest: self.wire }
    }

    /// The number of labels, the root label not counted.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The leftmost label; empty for the root.
    pub fn first_label(self) -> &'a [u8] {
        &self.wire[1..=usize::from(self.wire[0])]
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.wire.starts_with(b"\x01*")
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(self) -> Option<Name<'a>> {
        let skip = 1 + usize::from(self.wire[0]);
        (!self.is_root()).then(|| Name { wire: &self.wire[skip..] })
    }

    /// This name and every name above it, ending with the root.
    pub fn ancestors(self) -> impl Iterator<Item = Name<'a>> {
        std::iter::successors(Some(self), |name| name.parent())
    }

    /// The rightmost `labels` labels. Asking for more than there are gives the whole name.
    pub fn suffix(self, labels: usize) -> Name<'a> {
        let skip = self.label_count().saturating_sub(labels);
        self.ancestors().nth(skip).unwrap_or(self)
    }

    /// Whether this name is `ancestor` or stands below it.
    pub fn is_within(self, ancestor: Name<'_>) -> bool {
        self.prefix_len(ancestor).is_some()
    }

    /// The octets in front of `ancestor`, if this name is within it.
    pub fn prefix_len(self, ancestor: Name<'_>) -> Option<usize> {
        let skip = self.wire.len().checked_sub(ancestor.wire.len())?;
        let mut at = 0;
        while at < skip {
            at += 1 + usize::from(self.wire[at]);
        }
        (at == skip && same_octets(&self.wire[skip..], ancestor.wire)).then_some(skip)
    }

    /// An owned copy in lower case.
    pub fn to_lower(self) -> NameBuf {
        let mut name = self.to_buf();
        name.wire.make_ascii_lowercase(); // a length octet is below every letter
        name
    }

    /// An owned copy.
    pub fn to_buf(self) -> NameBuf {
        let mut wire = [0; NAME_LEN_MAX];
        wire[..self.wire.len()].copy_from_slice(self.wire);
        NameBuf { len: length(self.wire.len()), wire }
    }
}

/// Iterates over the labels of a name, from the left.
#[derive(Clone)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.rest.split_first()?;
        if len == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(len));
        self.rest = rest;
        Some(label)
    }
}

impl NameBuf {
    /// The root, `.`.
    pub fn root() -> NameBuf {
        Name::ROOT.to_buf()
    }

    /// The name, borrowed.
    pub fn as_name(&self) -> Name<'_> {
        Name { wire: &self.wire[..usize::from(self.len)] }
    }

    /// Becomes `name`.
    pub fn set(&mut self, name: Name<'_>) {
        self.wire[..name.wire.len()].copy_from_slice(name.wire);
        self.len = length(name.wire.len());
    }

    /// `prefix` (labels without a root label) in front of `suffix`; `None` if that is too long.
    pub fn join(prefix: &[u8], suffix: Name<'_>) -> Option<NameBuf> {
        let len = prefix.len() + suffix.wire.len();
        if len > NAME_LEN_MAX {
            return None;
        }
        let mut wire = [0; NAME_LEN_MAX];
        wire[..prefix.len()].copy_from_slice(prefix);
        wire[prefix.len()..len].copy_from_slice(suffix.wire);
        Some(NameBuf { len: length(len), wire })
    }
}

/// A name's length always fits an octet.
fn length(len: usize) -> u8 {
    u8::try_from(len).expect("a name has at most 255 octets")
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        same_octets(self.wire, other.wire)
    }
}

/// Whether two names in wire form are the same. They are compared a word at a time, the last one
/// overlapping: nearly all are spelt alike, and nearly all that are not differ in more than case.
#[inline]
pub(crate) fn same_octets(a: &[u8], b: &[u8]) -> bool {
    let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) else {
        return a.eq_ignore_ascii_case(b);
    };
    let differ = |a: &[u8; 8], b: &[u8; 8]| u64::from_ne_bytes(*a) != u64::from_ne_bytes(*b);
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let same = a.len() == b.len()
        && !words_a.iter().zip(words_b).any(|(a, b)| differ(a, b))
        && !differ(last_a, last_b);
    same || same_but_for_case(a, b)
}

#[cold]
fn same_but_for_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Eq for Name<'_> {}

impl PartialEq for NameBuf {
    fn eq(&self, other: &NameBuf) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for NameBuf {}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn within_means_at_label_borders_and_without_case() {
        let www = name("www.smith.edu.");
        assert!(www.as_name().is_within(name("SMITH.edu.").as_name()));
        assert!(www.as_name().is_within(Name::ROOT));
        assert!(!name("goldsmith.edu.").as_name().is_within(name("smith.edu.").as_name()));
    }

    #[test]
    fn bytes_that_are_no_name_give_none() {
        for bytes in [&b""[..], b"\x03ww", b"\xc0\x0c", b"\x40", b"\x01a"] {
            assert!(Name::split_from(bytes).is_none(), "{bytes:?}");
        }
        let long = [&[1u8, b'a'].repeat(127)[..], &[0]].concat();
        assert!(Name::from_wire(&long).is_some(), "255 octets fit");
        let longer = [&[1u8, b'a'].repeat(127)[..], &[1, b'a', 0]].concat();
        assert!(Name::from_wire(&longer).is_none(), "257 do not");
    }

    #[test]
    fn suffix_counts_labels_from_the_right() {
        let www = name("www.smith.edu.");
        assert_eq!(www.as_name().suffix(2), name("smith.edu.").as_name());
        assert_eq!(www.as_name().suffix(0), Name::ROOT);
        assert_eq!(www.as_name().suffix(9), www.as_name());
    }
}
