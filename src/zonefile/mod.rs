//! Master files (RFC 1035 §5, RFC 2308 §4) → records with their places; goes on after an error.
//!
//! [`lex`] splits a file into entries, each a record or a directive, and each entry into words.
//! [`entry`] makes sense of one record's words, [`directive`] of `$ORIGIN`, `$TTL` and `$INCLUDE`,
//! [`generate`] of `$GENERATE`. [`mod@format`] prints a file back, laid out; [`fix`] says which edits
//! put a finding right.
//! An error ends its entry and nothing more: the reader goes on with the next, so that one run
//! finds every mistake. [`slip`] looks for the word that is meant by it. What would be wrong only
//! because of an earlier error is not told: a TTL or an owner that the broken entry would have given
//! to the next, the lines behind a parenthesis that was forgotten.
//!
//! Where the RFCs leave a choice (each file here has its own, with what NSD, Knot and BIND do):
//! - A record without a TTL takes `$TTL`; before any `$TTL` the last TTL written; before any of
//!   these the minimum of the SOA (RFC 1035 §5.1 with RFC 2308 §4; BIND does the same, NSD takes
//!   3600, Knot refuses).
//! - After `$INCLUDE` the origin is what it was before, as RFC 1035 §5.1 says, and so are the last
//!   owner and the `$TTL` of the including file (BIND and Knot; for the last owner the RFC is silent).

mod directive;
mod entry;
pub mod fix;
pub mod format;
mod generate;
mod lex;
pub mod part;
mod quote;
mod slip;
mod strings;

use crate::diag::{Diagnostic, Report, SourceId, SourceMap, Span, codes};
use crate::name::{Name, NameBuf};
use crate::rr::text::{self, Word, Words};
use crate::rr::{Record, table};
use part::State;
use std::sync::Arc;

/// How deep `$INCLUDE` can go: a file that includes itself under ever new names ends here.
const INCLUDE_DEPTH_MAX: usize = 16;
/// The most files of one zone: two `$INCLUDE` lines in each file of a chain would else double what is
/// read with each step.
const FILES_MAX: usize = 1000;
/// The octets that all files of one zone must stay below, together what one of them may have.
const FILES_LEN_MAX: u64 = u32::MAX as u64;
/// The most findings of one run: a file that is no zone file has one per line.
const FINDINGS_MAX: usize = 1000;

/// The most octets of a word that a message repeats: a file that is no text can be one word.
const SHOWN_LEN_MAX: usize = 60;

/// Where a record stands: the whole of it, from its first word to its last.
#[derive(Clone, Copy, Debug)]
pub struct Place<'w> {
    /// From the owner, or the first word if the owner is that of the record before, to the end.
    pub record: Span,
    /// The type's mnemonic.
    pub rtype: Span,
    /// The words of the data that are told about: the names that point at something, by the row of
    /// the type; of an SOA all; of other types the last one.
    pub words: &'w [Span],
    /// What holds where it begins, if one of the [cuts](part::cuts) asked for is there.
    pub starts: Option<&'w State>,
}

/// Reads an included file: the path as written, and the file that includes it by number. Gives the
/// name to show and the octets, or why it cannot be read.
pub type Include<'i> = &'i mut dyn FnMut(&str, &str) -> Result<(String, Vec<u8>), String>;

/// Takes each record, in the order of the file.
pub type Sink<'s> = &'s mut dyn FnMut(Record<'_>, Place<'_>);

/// Reads a zone file. `name` is what to call it, `origin` stands behind relative names until an
/// `$ORIGIN` line. Records go to `sink`, files to `include` are asked for there.
///
/// The report holds every error found; records of entries without an error have gone to `sink` all
/// the same.
pub fn read(
    name: &str,
    text: Vec<u8>,
    origin: Option<NameBuf>,
    include: Include<'_>,
    sink: Sink<'_>,
) -> Report {
    part::read(name, text, &State::at(origin), &[], include, sink).0
}

/// What one entry hands to the next.
#[derive(Clone, Default)]
struct Context {
    /// What stands behind relative names.
    origin: Option<NameBuf>,
    /// The owner of the last record.
    owner: Option<NameBuf>,
    /// What `$TTL` said.
    default_ttl: Option<u32>,
    /// The TTL written last.
    last_ttl: Option<u32>,
    /// The SOA's last field, which stands in where there is neither.
    soa_minimum: Option<u32>,
    /// Whether an error was found: a TTL that is nowhere may have been there.
    has_error: bool,
}

impl Context {
    /// Behind an error: what it may have kept the file from saying is taken for granted.
    fn go_on(&mut self) {
        self.has_error = true;
        let origin = self.origin.get_or_insert_with(NameBuf::root);
        self.owner.get_or_insert_with(|| origin.clone());
    }
}

/// The state of one run over a file and all that it includes.
struct Reader<'r> {
    report: Report,
    include: Include<'r>,
    sink: Sink<'r>,
    context: Context,
    /// The name being read; kept to be used again.
    name: NameBuf,
    /// The data of the record being read; kept to be used again.
    rdata: Vec<u8>,
    /// The places of its words that are told about; kept to be used again.
    told: Vec<Span>,
    /// The files that are being read, each included by the one before.
    open: Vec<SourceId>,
    /// The octets that `$GENERATE` lines have been written out to.
    generated_len: usize,
    /// Where parts may begin that are still ahead.
    cuts: part::Ahead<'r>,
}

impl Reader<'_> {
    /// Reads one file to its end.
    fn file(&mut self, source: SourceId) {
        let text = Arc::clone(&self.report.sources.get(source).text);
        let mut lexer = lex::Lexer::new(&text);
        let mut words = Vec::new();
        while self.report.findings.len() < FINDINGS_MAX {
            match lexer.next_entry(&mut words) {
                Ok(None) => break,
                Ok(Some(shape)) => {
                    self.pass_cut(words[0].start);
                    let (text, words) = (&text[..], &words[..]);
                    let outcome = self.entry(Entry { source, text, shape, words, origin: None });
                    if let Err(found) = outcome {
                        self.find(*found);
                        lexer.skip_to_unopened();
                    }
                }
                Err(fault) => {
                    let span = Span { source, start: fault.start, end: fault.end };
                    let found = Diagnostic::new(&codes::UNBALANCED, span, fault.message);
                    self.find(found.label(fault.label).help(fault.help));
                    lexer.skip_to_unopened();
                }
            }
        }
    }

    fn entry(&mut self, entry: Entry<'_>) -> Outcome {
        match entry.directive() {
            Some(word) => self.directive(entry, word),
            None => self.record(entry).map_err(|found| match entry.run_together() {
                Some((span, what)) => Diagnostic { span, ..*found }.help(what).into(),
                None => found,
            }),
        }
    }

    fn find(&mut self, found: Diagnostic) {
        if found.is_error() {
            self.context.go_on();
        }
        self.report.findings.push(found);
    }
}

/// What an entry's reading gives: nothing, or the error that ended it.
type Outcome = Result<(), Box<Diagnostic>>;

/// One entry of a file, split into words.
#[derive(Clone, Copy)]
struct Entry<'t> {
    source: SourceId,
    text: &'t [u8],
    shape: lex::Shape,
    words: &'t [Word],
    /// The `$GENERATE` line that wrote it.
    origin: Option<generate::Origin<'t>>,
}

impl<'t> Entry<'t> {
    /// The first word, if it makes the entry a directive.
    fn directive(&self) -> Option<&'t [u8]> {
        let first = self.words.first()?;
        let word = first.of(self.text);
        (!first.quoted && !self.shape.starts_blank && word.starts_with(b"$")).then_some(word)
    }

    /// The place of one word; of an empty string the quotes.
    fn span(&self, word: Word) -> Span {
        if let Some(origin) = self.origin {
            return origin.span(word.end);
        }
        let quotes = u32::from(word.quoted && word.start == word.end);
        Span { source: self.source, start: word.start - quotes, end: word.end + quotes }
    }

    /// The place behind the last word, where something is missing.
    fn end(&self) -> Span {
        match (self.origin, self.words.last()) {
            (Some(origin), _) => origin.line.end(),
            (None, Some(&word)) => self.behind(word),
            (None, None) => Span { source: self.source, ..Span::default() },
        }
    }

    /// From one word to another, quotes included.
    fn span_from(&self, first: Word, last: Word) -> Span {
        let (start, end) = (self.span(first), self.span(last));
        if self.origin.is_some() {
            return Span { end: end.end, ..start };
        }
        let quotes = |word: Word| u32::from(word.quoted && word.start < word.end);
        Span { start: start.start - quotes(first), end: end.end + quotes(last), ..start }
    }

    /// Words that were most likely not meant to be one, or not to be two, in a record that is wrong:
    /// where, and what made them so.
    fn run_together(&self) -> Option<(Span, &'static str)> {
        let is_joined = |word: &&Word| {
            let octets = word.of(self.text);
            !word.quoted && memchr::memmem::find(octets, b"\\ ").is_some()
        };
        if let Some(&joined) = self.words.iter().find(is_joined) {
            let what = "a backslash before a blank makes the blank a part of the word";
            return Some((self.span(joined), what));
        }
        if !self.shape.glued {
            return None;
        }
        let split = quote::split_at_quotes(self.text, self.words);
        let quotes = |word: Word| u32::from(word.quoted);
        let touch = |pair: &&[Word]| {
            pair[0].end + quotes(pair[0]) == pair[1].start - quotes(pair[1])
                && !pair[0].of(self.text).ends_with(b"=")
        };
        let pair = split.windows(2).find(touch)?;
        let what = "a quote parts words, as a blank does: put one there, or remove the quotes";
        Some((self.span_from(pair[0], pair[1]), what))
    }

    /// The first word that says the same as the one before it, up to `word`.
    fn repeated_before(&self, word: Word) -> Option<Word> {
        let mut pairs = self.words.windows(2).take_while(|pair| pair[1].start <= word.start);
        let same = |pair: &&[Word]| pair[0].of(self.text) == pair[1].of(self.text);
        pairs.find(same).map(|pair| pair[1])
    }

    /// The place behind a word.
    fn behind(&self, word: Word) -> Span {
        if self.origin.is_some() {
            return self.span(word);
        }
        let end = word.end + u32::from(word.quoted);
        let behind = (end as usize + 1).min(self.text.len());
        Span { source: self.source, start: end, end: u32::try_from(behind).unwrap_or(end) }
    }

    /// A word's text for a message: its start, if it is long.
    fn show(&self, word: Word) -> String {
        let octets = word.of(self.text);
        let shown = &octets[..octets.len().min(SHOWN_LEN_MAX)];
        let more = if shown.len() < octets.len() { "…" } else { "" };
        format!("{}{more}", String::from_utf8_lossy(shown))
    }

    /// What the author may have meant who begins a line with a type whose data follow: the owner is
    /// missing then, and each word is taken for the one before.
    fn forgotten_owner(&self) -> Option<String> {
        let (first, data) = self.words.split_first().filter(|_| !self.shape.starts_blank)?;
        let row = table::by_mnemonic(first.of(self.text))?;
        text::parse(row, Words::new(self.text, data, Some(Name::ROOT)), &mut Vec::new()).ok()?;
        Some(format!(
            "{} stands where the owner does: begin the line with the owner, or with a blank for that of the line before",
            row.mnemonic
        ))
    }
}

/// The name that `SourceMap` gives to a file.
fn source_name(sources: &SourceMap, source: SourceId) -> String {
    sources.get(source).name.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` with origin `example.`; records as `owner ttl type`, findings as `line code`.
    fn read_text(text: &str) -> (Vec<String>, Vec<String>) {
        let origin = "example.".parse().ok();
        let mut records = Vec::new();
        let mut include = |path: &str, _: &str| match path {
            "sub" => {
                Ok((path.to_string(), b"in 5 A 192.0.2.9\n$ORIGIN deep\nx A 192.0.2.8".to_vec()))
            }
            "self" => Ok((path.to_string(), b"$INCLUDE self\n".to_vec())),
            _ => Err("no such file".to_string()),
        };
        let mut sink = |record: Record<'_>, _: Place<'_>| {
            records.push(format!("{} {} {}", record.owner, record.ttl, record.rtype));
        };
        let report = read("t.zone", text.into(), origin, &mut include, &mut sink);
        let findings = report
            .findings
            .iter()
            .map(|found| format!("{} {}", report.sources.line(found.span).number, found.code.id));
        (records, findings.collect())
    }

    #[test]
    fn owners_ttls_and_classes_in_every_legal_order() {
        let (records, findings) = read_text(
            "$TTL 1h\n@ IN SOA ns admin ( 1 2h 3 ; a comment\n 4 5 )\n NS ns\n\
             a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc. A 192.0.2.1\n  in aaaa ::1\r\n\
             \"d\" TXT \"a;b\" c\\ d ( e )\n\n;\nlast A 192.0.2.1",
        );
        assert_eq!(findings, [""; 0]);
        assert_eq!(
            records,
            [
                "example. 3600 SOA",
                "example. 3600 NS",
                "a.example. 60 A",
                "b.example. 60 A",
                "c. 3600 A",
                "c. 3600 AAAA",
                "d.example. 3600 TXT",
                "last.example. 3600 A"
            ]
        );
    }

    #[test]
    fn every_error_is_found_and_the_rest_is_read() {
        let (records, findings) = read_text(
            "a 1 A 192.0.2.999\nb 1 AA 1\nc 1 A 192.0.2.1 x\nd 1 MX 10\ne 1 CH A 1\nf 1 TXT \"x\n\
             g..h 1 A 192.0.2.1\n$FOO\nh 99999999999 A 192.0.2.1\ni 1 A 192.0.2.1",
        );
        assert_eq!(records, ["i.example. 1 A"]);
        assert_eq!(
            findings,
            [
                "1 Z106", "2 Z103", "3 Z108", "4 Z107", "5 Z104", "6 Z109", "7 Z102", "8 Z112",
                "9 Z105"
            ]
        );
    }

    #[test]
    fn an_open_parenthesis_does_not_hide_the_records_behind_it() {
        let (records, findings) =
            read_text("@ 1 SOA a b ( 1 2\n   3 4\nx 1 A 192.0.2.1\ny 1 A 1\n");
        assert_eq!(records, ["x.example. 1 A"]);
        assert_eq!(findings, ["1 Z109", "4 Z106"]);
    }

    #[test]
    fn include_keeps_its_origin_to_itself() {
        let (records, findings) = read_text("$INCLUDE sub other\na 7 A 192.0.2.1\n$INCLUDE none\n");
        assert_eq!(
            records,
            ["in.other.example. 5 A", "x.deep.other.example. 5 A", "a.example. 7 A"]
        );
        assert_eq!(findings, ["3 Z113"]);
        assert_eq!(read_text("$INCLUDE self").1, ["1 Z113"]);
    }

    #[test]
    fn a_ttl_comes_from_the_nearest_source() {
        let (records, findings) = read_text(
            "a A 192.0.2.1\n@ SOA a b 1 2 3 4 60\nb A 192.0.2.1\nc 9 A 192.0.2.1\nd A 192.0.2.1\n",
        );
        assert_eq!(
            records,
            ["example. 60 SOA", "b.example. 60 A", "c.example. 9 A", "d.example. 9 A"]
        );
        assert_eq!(findings, ["1 Z111"]);
    }
}
