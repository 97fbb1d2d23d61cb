//! Canonical order (RFC 4034 §6.1): by labels from the right, lower-cased, shorter first.

use super::{LABELS_MAX, Name, NameBuf};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

impl Ord for Name<'_> {
    fn cmp(&self, other: &Name<'_>) -> Ordering {
        let (mine, my_count) = label_offsets(*self);
        let (theirs, their_count) = label_offsets(*other);
        for back in 1..=my_count.min(their_count) {
            let a = label_at(*self, mine[my_count - back]);
            let b = label_at(*other, theirs[their_count - back]);
            let order = compare_labels(a, b);
            if order.is_ne() {
                return order;
            }
        }
        my_count.cmp(&their_count)
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Name<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameBuf {
    fn cmp(&self, other: &NameBuf) -> Ordering {
        self.as_name().cmp(&other.as_name())
    }
}

impl PartialOrd for NameBuf {
    fn partial_cmp(&self, other: &NameBuf) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for NameBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(super::hash::of(self.as_name()));
    }
}

/// Where each label starts, from the left, and how many there are.
fn label_offsets(name: Name<'_>) -> ([u8; LABELS_MAX], usize) {
    let mut offsets = [0; LABELS_MAX];
    let mut count = 0;
    let mut at = 0u8;
    for label in name.labels() {
        offsets[count] = at;
        count += 1;
        at += 1 + super::length(label.len());
    }
    (offsets, count)
}

fn label_at(name: Name<'_>, offset: u8) -> &[u8] {
    let wire = &name.as_wire()[usize::from(offset)..];
    &wire[1..=usize::from(wire[0])]
}

fn compare_labels(a: &[u8], b: &[u8]) -> Ordering {
    a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_4034_section_6_1() {
        let sorted: Vec<NameBuf> = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
