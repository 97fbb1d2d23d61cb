//! Words that are longer than a character-string can be (RFC 1035 §3.3).
//!
//! They are cut into several strings, as Knot and PowerDNS do, where BIND and NSD refuse the file. That
//! is told, because the file cannot be taken to another server, and nobody meant a cut in the middle of
//! a word.

use super::entry::Head;
use super::{Entry, Reader, fix};
use crate::diag::fix::{Edit, Fix, Meant};
use crate::diag::{Diagnostic, Span, codes};
use crate::name::text::unescape;
use crate::rr::table::{self, Field};
use crate::rr::text::Word;

/// The octets that a character-string can have.
const STRING_LEN_MAX: usize = 255;

impl Reader<'_> {
    /// Tells of a record's words that are cut. The record stands at `whole`.
    pub(super) fn long_strings(&mut self, entry: Entry<'_>, head: &Head<'_>, whole: Span) {
        let mut long = head.data.iter().filter(|word| word.of(entry.text).len() > STRING_LEN_MAX);
        let Some(&first) = long.find(|&&word| len(word.of(entry.text)) > STRING_LEN_MAX) else {
            return;
        };
        let row = table::row(head.rtype).filter(|row| row.fields.contains(&Field::Texts));
        if row.is_none() || head.data[0].of(entry.text) == b"\\#" {
            return;
        }
        let octets = len(first.of(entry.text));
        let parts = octets.div_ceil(STRING_LEN_MAX);
        let what = format!("this string has {octets} octets and is cut into {parts}");
        let mut found = Diagnostic::new(&codes::STRING_LONG, entry.span(first), what).help(
            "a string has 255 octets at most: write several, each in quotes, with blanks between",
        );
        found.entry = whole;
        found.fix = entry.origin.is_none().then(|| Fix::of([whole], &Meant::Cut));
        self.find(found);
    }
}

/// What to write into a word so that it is several, each as long as a string can be.
pub(super) fn cuts(text: &[u8], word: Word) -> Vec<Edit> {
    let between = if word.quoted { "\" \"" } else { " " };
    let octets = word.of(text);
    let starts = starts(octets).skip(STRING_LEN_MAX).step_by(STRING_LEN_MAX);
    let places = starts.map(|start| word.start as usize + start);
    places.map(|at| fix::edit(at, at, between.to_string())).collect()
}

/// The octets that a word stands for.
fn len(word: &[u8]) -> usize {
    starts(word).count()
}

/// Where in a word each octet that it stands for is written.
fn starts(word: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let rest = word.get(start..).filter(|rest| !rest.is_empty())?;
        let behind = match rest {
            [b'\\', escaped @ ..] => unescape(escaped).map_or(&[][..], |(_, behind)| behind),
            [_, behind @ ..] => behind,
            [] => return None,
        };
        at = word.len() - behind.len();
        Some(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_one_octet_and_is_not_cut() {
        assert_eq!(starts(b"a\\.b\\032c").collect::<Vec<_>>(), [0, 1, 3, 4, 8]);
        let text = [&b"x".repeat(254)[..], b"\\000yz"].concat();
        let end = u32::try_from(text.len()).unwrap();
        let cuts = cuts(&text, Word { start: 0, end, quoted: false });
        assert_eq!(cuts.iter().map(|cut| cut.span.start).collect::<Vec<_>>(), [258]);
    }
}
