//! One record: `[owner] [ttl] [class] type data…`, TTL and class in either order (RFC 1035 §5.1).

use super::directive::bad_ttl;
use super::{Entry, Outcome, Place, Reader};
use crate::diag::{Diagnostic, Span, codes};
use crate::name::NameBuf;
use crate::rr::text::{self, DataError, Word, Words};
use crate::rr::{Class, Record, Rtype, table, ttl_from_text};

/// What stands before the data.
pub(super) struct Head<'t> {
    ttl: Option<u32>,
    rtype: Rtype,
    rtype_word: Word,
    pub(super) data: &'t [Word],
}

impl Reader<'_> {
    /// Reads a record and hands it on.
    pub(super) fn record(&mut self, entry: Entry<'_>) -> Outcome {
        let words = self.owner(entry)?;
        let head = head(entry, words)?;
        self.data(entry, &head)?;
        let ttl = self.record_ttl(entry, &head)?;
        let Some(owner) = &self.context.owner else {
            return Err(no_owner(entry));
        };
        let record = Record { owner: owner.as_name(), rtype: head.rtype, ttl, rdata: &self.rdata };
        let whole = Span { end: entry.end().start, ..entry.span(entry.words[0]) };
        (self.sink)(record, Place { record: whole, rtype: entry.span(head.rtype_word) });
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
        self.context.owner = Some(self.name(entry, entry.words[0])?);
        Ok(&entry.words[1..])
    }

    /// Reads the data into `self.rdata`.
    fn data(&mut self, entry: Entry<'_>, head: &Head<'_>) -> Outcome {
        self.rdata.clear();
        let origin = self.context.origin.as_ref().map(NameBuf::as_name);
        let words = Words::new(entry.text, head.data, origin);
        let generic = head.data.first().is_some_and(|w| w.of(entry.text) == b"\\#" && !w.quoted);
        let outcome = match table::row(head.rtype) {
            Some(row) if !generic => text::parse(row, words, &mut self.rdata),
            row => text::parse_generic(row, words, &mut self.rdata),
        };
        outcome.map_err(|error| bad_data(entry, head, &error).into())
    }

    /// The record's TTL, from the nearest place that has one.
    fn record_ttl(&mut self, entry: Entry<'_>, head: &Head<'_>) -> Result<u32, Box<Diagnostic>> {
        let context = &mut self.context;
        if let (table::SOA, Some(minimum)) = (head.rtype, self.rdata.last_chunk()) {
            context.soa_minimum = Some(u32::from_be_bytes(*minimum));
        }
        if head.ttl.is_some() {
            context.last_ttl = head.ttl;
        }
        let ttl = head.ttl.or(context.default_ttl).or(context.last_ttl).or(context.soa_minimum);
        ttl.ok_or_else(|| {
            let span = entry.span(head.rtype_word);
            Diagnostic::new(&codes::NO_TTL, span, "this record has no time to live")
                .help("put a line `$TTL 3600` at the top of the file")
                .into()
        })
    }
}

/// Reads TTL, class and type.
pub(super) fn head<'t>(entry: Entry<'t>, words: &'t [Word]) -> Result<Head<'t>, Box<Diagnostic>> {
    let (mut ttl, mut class) = (None, None);
    for (at, &word) in words.iter().enumerate() {
        let octets = word.of(entry.text);
        if ttl.is_none() && octets.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(ttl_from_text(octets).ok_or_else(|| bad_ttl(entry, word))?);
        } else if let (None, Some(written)) = (class, Class::from_text(octets)) {
            class = Some(written);
            check_class(entry, word, written)?;
        } else {
            let rtype = rtype(entry, word)?;
            return Ok(Head { ttl, rtype, rtype_word: word, data: &words[at + 1..] });
        }
    }
    let what = "the record's type and data are missing";
    Err(Diagnostic::new(&codes::SYNTAX, entry.end(), what)
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

fn rtype(entry: Entry<'_>, word: Word) -> Result<Rtype, Box<Diagnostic>> {
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
        let what = format!("`{}` is not a record type", entry.show(word));
        let by_number =
            "a type without a name here is written by its number, as TYPE65280 `\\# 4 0a000001`";
        Diagnostic::new(&codes::BAD_TYPE, entry.span(word), what)
            .help(entry.forgotten_owner().unwrap_or_else(|| by_number.to_string()))
            .into()
    })
}

fn bad_data(entry: Entry<'_>, head: &Head<'_>, error: &DataError) -> Diagnostic {
    let mut help = None;
    let (code, span, what) = match error {
        DataError::Missing(expected) => {
            let what = format!("the {} data end early: expected {expected}", head.rtype);
            (&codes::DATA_MISSING, entry.end(), what)
        }
        DataError::Extra(at) => {
            let what = format!("nothing can follow the {} data", head.rtype);
            help = Some("a second record takes a line of its own, and a comment starts with `;`");
            (&codes::DATA_EXTRA, entry.span(head.data[*at]), what)
        }
        DataError::Bad(at, what) => {
            let word = head.data.get(*at).map_or(entry.end(), |&word| entry.span(word));
            (&codes::BAD_DATA, word, format!("{} data: {what}", head.rtype))
        }
    };
    Diagnostic { help: help.map(str::to_string), ..Diagnostic::new(code, span, what) }
}

fn no_owner(entry: Entry<'_>) -> Box<Diagnostic> {
    let what =
        "the line starts with a blank, and no record stands before it to take the owner from";
    Diagnostic::new(&codes::NO_OWNER, entry.span(entry.words[0]), what)
        .help("write the owner at the start of the line; `@` is the zone's own name")
        .into()
}
