//! One record: `[owner] [ttl] [class] type data…`, TTL and class in either order (RFC 1035 §5.1).
//!
//! Where the RFCs leave a choice:
//! - TTL and class stand once each at most. A word that begins with a digit is the TTL, until there
//!   is one; so is it in NSD, Knot and BIND. `CLASS1` is IN, as in BIND and NSD; Knot refuses it.
//! - Quotes do not change what a word means, so type, class, TTL and names may stand in them, as in
//!   NSD; BIND takes them around the owner alone, Knot around strings alone. The owner `"@"` has one
//!   octet, as in NSD (BIND: the origin), and in `"a.b"` the dot parts labels, as in BIND. `"\#"` does
//!   not start generic data (RFC 3597 §5), in any of the four.
//! - A TTL of more than 31 bits counts as zero (RFC 2181 §8), as in BIND, and that is said. NSD takes
//!   another TTL in its place, Knot takes it as it is. One of more than 32 bits is an error in all
//!   but NSD.
//! - Data of a known type may be written generically, and data of `TYPE1` as those of A (RFC 3597
//!   §5), in all four. The length must be right: NSD takes what is there.

use super::directive::bad_ttl;
use super::slip::{self, Data, Slip};
use super::{Entry, Outcome, Place, Reader, lex, quote};
use crate::diag::{Diagnostic, Span, codes};
use crate::name::{Name, NameBuf};
use crate::rr::table::{self, Field, Row};
use crate::rr::text::{self, DataError, Word, Words};
use crate::rr::{Class, Record, Rtype, TTL_MAX, seconds_from_text};
use std::ops::RangeInclusive;

/// What stands before the data.
pub(super) struct Head<'t> {
    pub(super) ttl: Option<(u32, Word)>,
    pub(super) rtype: Rtype,
    rtype_word: Word,
    pub(super) data: &'t [Word],
}

impl Reader<'_> {
    /// Reads a record and hands it on.
    pub(super) fn record(&mut self, entry: Entry<'_>) -> Outcome {
        if entry.shape.glued {
            let split = quote::split_at_quotes(entry.text, entry.words);
            return self.record(unglued(entry, &split));
        }
        let words = self.owner(entry)?;
        let head = head(entry, words)?;
        self.data(entry, &head)?;
        let ttl = self.record_ttl(entry, &head)?;
        let whole = entry.span_from(entry.words[0], entry.words[entry.words.len() - 1]);
        self.long_strings(entry, &head, whole);
        let Some(owner) = &self.context.owner else {
            return Err(no_owner(entry));
        };
        let record = Record { owner: owner.as_name(), rtype: head.rtype, ttl, rdata: &self.rdata };
        self.told.clear();
        self.told.extend(told(entry, &head).iter().map(|&word| entry.span(word)));
        let rtype = entry.span(head.rtype_word);
        let starts = self.cuts.state();
        (self.sink)(record, Place { record: whole, rtype, words: &self.told, starts });
        Ok(())
    }

    /// Takes note of the owner, if one is written; gives the words behind it.
    fn owner<'t>(&mut self, entry: Entry<'t>) -> Result<&'t [Word], Box<Diagnostic>> {
        if entry.shape.starts_blank {
            if self.context.owner.is_none() {
                return Err(no_owner(entry));
            }
            return Ok(entry.words);
        }
        self.read_name(entry, entry.words[0])?;
        self.context.owner.get_or_insert_with(NameBuf::root).set(self.name.as_name());
        Ok(&entry.words[1..])
    }

    /// Reads the data into `self.rdata`.
    fn data(&mut self, entry: Entry<'_>, head: &Head<'_>) -> Outcome {
        self.rdata.clear();
        let origin = self.context.origin.as_ref().map(NameBuf::as_name);
        let words = Words::new(entry.text, head.data, origin);
        let mark = head.data.first().filter(|word| word.of(entry.text) == b"\\#");
        let outcome = match table::row(head.rtype) {
            None if mark.is_some_and(|word| word.quoted) => {
                Err(DataError::Bad(0, "expected `\\#` without quotes".into()))
            }
            Some(row) if mark.is_none_or(|word| word.quoted) => {
                text::parse(row, words, &mut self.rdata)
            }
            row => text::parse_generic(row, words, &mut self.rdata),
        };
        outcome.map_err(|error| bad_data(entry, head, &error, origin).into())
    }

    /// The record's TTL, from the nearest place that has one.
    fn record_ttl(&mut self, entry: Entry<'_>, head: &Head<'_>) -> Result<u32, Box<Diagnostic>> {
        let written = head.ttl.map(|(ttl, word)| self.capped(entry, ttl, word));
        let context = &mut self.context;
        if let (table::SOA, Some(minimum)) = (head.rtype, self.rdata.last_chunk()) {
            context.soa_minimum = Some(u32::from_be_bytes(*minimum));
        }
        if written.is_some() {
            context.last_ttl = written;
        }
        let ttl = written.or(context.default_ttl).or(context.last_ttl).or(context.soa_minimum);
        let ttl = ttl.or(context.has_error.then_some(0));
        ttl.ok_or_else(|| {
            let span = entry.span(head.rtype_word);
            Diagnostic::new(&codes::NO_TTL, span, "this record has no time to live")
                .help("put a line `$TTL 3600` at the top of the file")
                .into()
        })
    }

    /// A TTL of at most 31 bits: a larger one counts as zero, once said for the word.
    pub(super) fn capped(&mut self, entry: Entry<'_>, ttl: u32, word: Word) -> u32 {
        if ttl <= TTL_MAX {
            return ttl;
        }
        let span = entry.span(word);
        if self.report.findings.last().is_none_or(|last| last.span != span) {
            let what = format!("the time to live {} has more than 31 bits", entry.show(word));
            self.find(
                Diagnostic::new(&codes::TTL_TOO_LARGE, span, what)
                    .label("counts as 0 (RFC 2181 section 8)")
                    .help(format!(
                        "write at most {TTL_MAX}; servers keep few records for over a week"
                    )),
            );
        }
        0
    }
}

/// The words of the data that are told about, see [`Place::words`].
fn told<'t>(entry: Entry<'_>, head: &Head<'t>) -> &'t [Word] {
    let data = head.data;
    let last = &data[data.len().saturating_sub(1)..];
    let is_generic = data.first().is_some_and(|word| word.of(entry.text) == b"\\#");
    let row = table::row(head.rtype).filter(|_| !is_generic);
    let Some((row, first)) = row.and_then(|row| Some((row, row.first_name_word()?))) else {
        return last;
    };
    let names = data.get(first..).unwrap_or_default(); // none for an identity without servers
    match row.fields.last() {
        Some(Field::Identity) => names,
        Some(Field::Seconds) => data, // an SOA
        _ => &names[..names.len().min(row.points.len())],
    }
}

/// The entry with its words split at the quotes inside them, unless they are parameters of SVCB or
/// HTTPS.
fn unglued<'t>(entry: Entry<'t>, split: &'t [Word]) -> Entry<'t> {
    let shape = lex::Shape { glued: false, ..entry.shape };
    let behind_owner = usize::from(!shape.starts_blank).min(split.len());
    let words = match head(entry, &split[behind_owner..]) {
        Ok(Head { rtype: table::SVCB | table::HTTPS, .. }) => entry.words,
        _ => split,
    };
    Entry { shape, words, ..entry }
}

/// Reads TTL, class and type.
pub(super) fn head<'t>(entry: Entry<'t>, words: &'t [Word]) -> Result<Head<'t>, Box<Diagnostic>> {
    let (mut ttl, mut class) = (None, None);
    for (at, &word) in words.iter().enumerate() {
        let octets = word.of(entry.text);
        if ttl.is_none() && octets.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some((seconds_from_text(octets).ok_or_else(|| bad_ttl(entry, word))?, word));
        } else if let (None, Some(written)) = (class, Class::from_text(octets)) {
            class = Some(written);
            check_class(entry, word, written)?;
        } else {
            let rtype = rtype(entry, word, words[0])?;
            return Ok(Head { ttl, rtype, rtype_word: word, data: &words[at + 1..] });
        }
    }
    let what = "the record's type and data are missing";
    let span = entry.words.first().map_or(entry.end(), |&first| {
        entry.span_from(first, *entry.words.last().unwrap_or(&first))
    });
    Err(Diagnostic::new(&codes::SYNTAX, span, what)
        .help("a record is written `owner TTL class type data`, TTL and class if need be")
        .into())
}

fn check_class(entry: Entry<'_>, word: Word, class: Class) -> Outcome {
    if class == Class::IN {
        return Ok(());
    }
    let what = format!("class {} in a zone of class IN", entry.show(word));
    Err(Diagnostic::new(&codes::BAD_CLASS, entry.span(word), what)
        .help("write IN, or leave the class out")
        .into())
}

fn rtype(entry: Entry<'_>, word: Word, starts: Word) -> Result<Rtype, Box<Diagnostic>> {
    let octets = word.of(entry.text);
    let known = Rtype::from_text(octets);
    let question_only = [&b"ANY"[..], b"*", b"AXFR", b"IXFR", b"OPT", b"TSIG", b"TKEY"];
    let never_stored = known.is_some_and(|rtype| !rtype.is_data())
        || question_only.iter().any(|word| octets.eq_ignore_ascii_case(word));
    if never_stored {
        let what = format!("{} exists only in messages, not in zones", entry.show(word));
        return Err(Diagnostic::new(&codes::TYPE_NOT_STORED, entry.span(word), what)
            .help("remove the line")
            .into());
    }
    known.ok_or_else(|| {
        if let Some(repeated) = entry.repeated_before(word).filter(|_| type_follows(entry, word)) {
            return stands_twice(entry, repeated).into();
        }
        let is_last = entry.words.len() > 1 && entry.words.last() == Some(&word);
        if is_last || !is_like_type(word, octets) {
            return no_type(entry, word, starts);
        }
        let what = format!("`{}` is not a record type", entry.show(word));
        let by_number =
            "a type without a name here is written by its number, as TYPE65280 `\\# 4 0a000001`";
        Diagnostic::new(&codes::BAD_TYPE, entry.span(word), what)
            .help(entry.forgotten_owner().unwrap_or_else(|| by_number.to_string()))
            .into()
    })
}

/// Whether a word may be a mistyped mnemonic.
fn is_like_type(word: Word, octets: &[u8]) -> bool {
    let first = octets.first().is_some_and(u8::is_ascii_alphabetic);
    first
        && !word.quoted
        && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}

/// Whether a type or class stands behind a word.
fn type_follows(entry: Entry<'_>, word: Word) -> bool {
    let at = entry.words.iter().position(|&other| other == word).unwrap_or(0);
    let next = entry.words.get(at + 1).map(|next| next.of(entry.text));
    next.is_some_and(|next| Rtype::from_text(next).is_some() || Class::from_text(next).is_some())
}

/// An error about data, as `word` must be, without a type before them. What was taken for TTL or
/// class, from `starts` on, may be the first of the data.
fn no_type(entry: Entry<'_>, word: Word, starts: Word) -> Box<Diagnostic> {
    let is_last = entry.words.last() == Some(&word);
    let first = if is_last { entry.words[0] } else { starts };
    let what = format!("the record's type or data are missing: `{}` is no type", entry.show(word));
    Diagnostic::new(&codes::BAD_TYPE, entry.span_from(first, word), what)
        .help(entry.forgotten_owner().unwrap_or_else(|| {
            "a record is written `owner TTL class type data`, TTL and class if need be".to_string()
        }))
        .into()
}

/// An error about data: about what explains it best.
fn bad_data(
    entry: Entry<'_>,
    head: &Head<'_>,
    error: &DataError,
    origin: Option<Name<'_>>,
) -> Diagnostic {
    let wrong = match error {
        DataError::Missing(_) => head.data.len(),
        DataError::Extra(at) | DataError::Bad(at, _) | DataError::Unlike(at, ..) => *at,
    };
    if let Some(repeated) = entry.repeated_before(head.rtype_word) {
        return stands_twice(entry, repeated);
    }
    let generic = head.data.first().is_some_and(|word| word.of(entry.text) == b"\\#");
    let row = table::row(head.rtype).filter(|_| !generic);
    let data = Data { text: entry.text, rtype: head.rtype_word, words: head.data, origin };
    match row.and_then(|row| slip::find(row, data, wrong)) {
        Some(Slip::Repeated(at)) => stands_twice(entry, head.data[at]),
        Some(Slip::Missing(places)) if *places.start() < head.data.len() => {
            let rtype = head.rtype;
            let what = match error {
                DataError::Missing(expected) => {
                    format!("the {rtype} data end early: expected {expected}")
                }
                DataError::Bad(_, expected) => {
                    let word = entry.show(head.data[wrong]);
                    format!("the {rtype} data lack a field: `{word}`: {expected}")
                }
                DataError::Extra(_) | DataError::Unlike(..) => {
                    format!("the {rtype} data lack a field")
                }
            };
            let span = missing_at(entry, head, places, wrong);
            Diagnostic::new(&codes::DATA_MISSING, span, what).label("one more word belongs here")
        }
        _ => unexplained(entry, head, error),
    }
}

/// An error about a word and those like it beside it.
pub(super) fn stands_twice(entry: Entry<'_>, word: Word) -> Diagnostic {
    let is_like = |other: &&Word| other.of(entry.text) == word.of(entry.text);
    let at = entry.words.iter().position(|&other| other == word).unwrap_or(0);
    let first = entry.words[..at].iter().rev().take_while(is_like).last().unwrap_or(&word);
    let last = entry.words[at..].iter().take_while(is_like).last().unwrap_or(&word);
    let what = format!("`{}` stands twice", entry.show(word));
    Diagnostic::new(&codes::DATA_EXTRA, entry.span_from(*first, *last), what)
        .help("remove one of them")
}

/// Where a word is missing that may have stood before any of some words: up to the one that is wrong.
fn missing_at(
    entry: Entry<'_>,
    head: &Head<'_>,
    places: RangeInclusive<usize>,
    wrong: usize,
) -> Span {
    let (first, last) = places.into_inner();
    let last = if wrong < head.data.len() { last.max(wrong + 1) } else { last };
    match last.checked_sub(1) {
        Some(before) if first < last => entry.span_from(head.data[first], head.data[before]),
        Some(before) => entry.behind(head.data[before]),
        None => entry.behind(head.rtype_word),
    }
}

/// An error about the word that does not fit.
fn unexplained(entry: Entry<'_>, head: &Head<'_>, error: &DataError) -> Diagnostic {
    match error {
        DataError::Missing(expected) => {
            let what = format!("the {} data end early: expected {expected}", head.rtype);
            Diagnostic::new(&codes::DATA_MISSING, entry.end(), what)
        }
        DataError::Extra(at) => {
            let what = format!("nothing can follow the {} data", head.rtype);
            Diagnostic::new(&codes::DATA_EXTRA, entry.span(head.data[*at]), what)
                .help("a second record takes a line of its own, and a comment starts with `;`")
        }
        DataError::Unlike(first, last, what) => {
            let span = entry.span_from(head.data[*first], head.data[*last]);
            Diagnostic::new(&codes::BAD_DATA, span, format!("{} data: {what}", head.rtype))
        }
        DataError::Bad(at, what) => {
            let span = match head.data.get(*at) {
                Some(&word) if *at == 0 && may_be_of_another_type(entry, head) => {
                    entry.span_from(head.rtype_word, word)
                }
                Some(&word) => entry.span(word),
                None => entry.end(),
            };
            Diagnostic::new(&codes::BAD_DATA, span, format!("{} data: {what}", head.rtype))
        }
    }
}

/// Whether the type may be what is wrong, and not the first word of its data: there are too many of
/// them, or an address has letters that none can have.
fn may_be_of_another_type(entry: Entry<'_>, head: &Head<'_>) -> bool {
    let Some(row) = table::row(head.rtype) else { return false };
    let first = head.data.first().map_or(&b""[..], |word| word.of(entry.text));
    let has_other = |known: &[u8]| first.iter().any(|octet| !known.contains(octet));
    word_count(row).is_some_and(|count| head.data.len() > count)
        || row.fields == [Field::Ipv4] && has_other(b"0123456789.")
        || row.fields == [Field::Ipv6] && !first.contains(&b':')
}

/// How many words the data of a type have, if that is always the same.
fn word_count(row: &Row) -> Option<usize> {
    use Field::{Ipv4, Ipv6, Name, PlainName, Seconds, Text, U8, U16, U32};
    let is_word = |field: &Field| {
        matches!(field, Ipv4 | Ipv6 | Name | PlainName | Seconds | Text | U8 | U16 | U32)
    };
    row.fields.iter().all(is_word).then_some(row.fields.len())
}

fn no_owner(entry: Entry<'_>) -> Box<Diagnostic> {
    let what =
        "the line starts with a blank, and no record stands before it to take the owner from";
    Diagnostic::new(&codes::NO_OWNER, entry.span(entry.words[0]), what)
        .help("write the owner at the start of the line; `@` is the zone's own name")
        .into()
}
