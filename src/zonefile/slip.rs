//! Data that do not fit their type: would they, with a word fewer or a field fewer?
//!
//! The first word that fits no more is often not the wrong one. Where a word stands twice, the last
//! word is too many; where a field of an SOA was forgotten, the error comes at the end. So the data
//! are read again without the word or without the field, and what makes them fit is told.

use crate::name::Name;
use crate::rr::seconds_from_text;
use crate::rr::table::{Field, Row};
use crate::rr::text::{self, Word, Words};
use std::ops::RangeInclusive;

/// What explains why data do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// The word of this number says the same as the one before it, and is too many.
    Repeated(usize),
    /// One word is missing: before the word of one of these numbers.
    Missing(RangeInclusive<usize>),
}

/// The most words that are looked at: data of more fields are lists.
const WORDS_MAX: usize = 16;
/// A word of more octets is data, not a number or a code.
const NUMBER_LEN_MAX: usize = 8;

/// Data of more fields fit by chance no more, whatever stands at their end.
const LIST_LEN_MAX: usize = 5;

/// The words of a record from its type on.
#[derive(Clone, Copy)]
pub(super) struct Data<'t> {
    pub(super) text: &'t [u8],
    pub(super) rtype: Word,
    pub(super) words: &'t [Word],
    pub(super) origin: Option<Name<'t>>,
}

/// What slip explains that the data do not fit `row`, where the word of number `wrong` is the first
/// that does not.
pub(super) fn find(row: &Row, data: Data<'_>, wrong: usize) -> Option<Slip> {
    repeated(row, data, wrong).map(Slip::Repeated).or_else(|| missing(row, data, wrong))
}

fn repeated(row: &Row, data: Data<'_>, wrong: usize) -> Option<usize> {
    let looked_at = data.words.len().min(wrong + 1).min(WORDS_MAX);
    (0..looked_at).rev().find(|&at| {
        let before = at.checked_sub(1).map_or(data.rtype, |before| data.words[before]);
        let mut without = data.words.to_vec();
        let word = without.remove(at);
        word.of(data.text) == before.of(data.text) && fits(row.fields, data, &without)
    })
}

fn missing(row: &Row, data: Data<'_>, wrong: usize) -> Option<Slip> {
    let is_short = data.words.len() < row.fields.len();
    let is_data = wrong + 1 < row.fields.len()
        && data.words.get(wrong).is_some_and(|w| w.of(data.text).len() > NUMBER_LEN_MAX);
    let is_list =
        matches!(row.fields.last(), Some(Field::Types | Field::TypesIfAny | Field::SvcParams));
    let is_long = row.fields.len() > LIST_LEN_MAX;
    if !is_short && !is_data && !is_list && !is_long {
        return None;
    }
    let ends_early = is_short && wrong == data.words.len();
    let mut without = (0..row.fields.len().min(wrong + 1)).filter(|&at| {
        let fields = [&row.fields[..at], &row.fields[at + 1..]].concat();
        // where the words end early, none of them was meant for a field that takes any text
        let moved =
            row.fields[at..].iter().zip(&fields[at..]).take(data.words.len().saturating_sub(at));
        let as_meant = moved.into_iter().all(|(&old, &new)| is_text(old) || !is_text(new));
        (as_meant || !ends_early) && are_plausible(&fields, data) && fits(&fields, data, data.words)
    });
    let first = without.next()?;
    Some(Slip::Missing(first..=without.next_back().unwrap_or(first)))
}

fn fits(fields: &[Field], data: Data<'_>, words: &[Word]) -> bool {
    let words = Words::new(data.text, words, data.origin);
    text::parse_fields(fields, words, &mut Vec::new()).is_ok()
}

/// Whether a field takes any text at all.
fn is_text(field: Field) -> bool {
    matches!(field, Field::Text | Field::Texts | Field::Value)
}

/// Whether no name would be a number.
fn are_plausible(fields: &[Field], data: Data<'_>) -> bool {
    fields.iter().zip(data.words).all(|(field, word)| {
        !matches!(field, Field::Name | Field::PlainName)
            || seconds_from_text(word.of(data.text)).is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::super::lex::Lexer;
    use super::*;
    use crate::rr::table;
    use crate::rr::text::DataError;

    fn slip(line: &str) -> Option<Slip> {
        let mut words = Vec::new();
        Lexer::new(line.as_bytes()).next_entry(&mut words).unwrap();
        let row = table::by_mnemonic(words[0].of(line.as_bytes())).unwrap();
        let text = line.as_bytes();
        let data = Data { text, rtype: words[0], words: &words[1..], origin: Some(Name::ROOT) };
        let read = text::parse(row, Words::new(text, data.words, data.origin), &mut Vec::new());
        let wrong = match read.unwrap_err() {
            DataError::Missing(_) => data.words.len(),
            DataError::Extra(at) | DataError::Bad(at, _) | DataError::Unlike(at, ..) => at,
        };
        find(row, data, wrong)
    }

    #[test]
    fn a_word_that_stands_twice() {
        assert_eq!(slip("NS ns ns"), Some(Slip::Repeated(1)));
        assert_eq!(slip("MX MX 10 mail"), Some(Slip::Repeated(0)));
        assert_eq!(slip("SOA a b 1 2h 2h 15m 2w 1h"), Some(Slip::Repeated(4)));
        assert_eq!(slip("SRV 0 0 53 53 www"), Some(Slip::Repeated(3)));
        assert_eq!(slip("SVCB 1 1 . port=53"), Some(Slip::Repeated(1)));
        assert_eq!(slip("A 192.0.2.1 192.0.2.2"), None);
    }

    #[test]
    fn a_word_that_is_missing() {
        let missing = |range| Some(Slip::Missing(range));
        assert_eq!(slip("MX 10"), missing(1..=1));
        assert_eq!(slip("MX mail"), missing(0..=0));
        assert_eq!(slip("SOA a b 1 7200 900 300"), missing(2..=6));
        assert_eq!(slip("SOA a 1 7200 900 2w 300"), missing(0..=1));
        assert_eq!(slip("SRV 0 5060 sip"), missing(0..=2));
        assert_eq!(slip("CSYNC 3 A NS"), missing(0..=1));
        assert_eq!(slip("DS 60485 13 D4B7D520E7BB5F0F"), missing(1..=2));
        assert_eq!(slip("SVCB 1 alpn=h2 mandatory=alpn"), missing(1..=1));
        let rrsig = "RRSIG A 2 3600 20261231000000 20261101000000 60485 types. mdss wUyr";
        assert_eq!(slip(rrsig), missing(1..=2));
        assert_eq!(slip("SRV 0"), None);
        assert_eq!(slip("DS 60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A29211"), None);
        assert_eq!(slip("DNSKEY 257 3 x mdsswUyr"), None);
    }
}
