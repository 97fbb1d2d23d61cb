//! `$GENERATE range owner [ttl] [class] type data`: one line that stands for many records.
//!
//! No RFC has it; the syntax is BIND's, which NSD and Knot refuse. For each number of the range
//! (`1-254`, or `0-20/5` for every fifth) the line is written out as text, and that text is read as
//! any other record is. In the owner and the data `$` is the number; `${offset,width,base}` adds
//! the offset and pads with zeros, base `d`, `o`, `x`, `X`, or `n` and `N` for the nibbles of
//! ip6.arpa (there the width counts the dots, too); `$$` is a dollar sign, and `\$` an escaped one.
//!
//! Where BIND's manual leaves a choice:
//! - Data of several words stand in quotes, which are taken away (`MX "10 mail$"`, and `\"` inside
//!   for a quote that stays). BIND refuses them without, and so does this.
//! - Data over several lines are refused, for each record is one line; so are they in BIND.
//! - A `$` without braces is the number. BIND 9.18 adds the offset of the braces before it.
//! - What follows the range or the base is an error. BIND ignores `1-9x`.
//! - A line that starts with a blank behind `$GENERATE` takes the owner of the record before it, and
//!   one without a TTL takes that of `$GENERATE` where there is no `$TTL`, as in BIND.
//!
//! Errors point at the words of the `$GENERATE` line, and say what was generated. The first one ends
//! the line: the others would say the same.

use super::entry::{head, stands_twice};
use super::{Entry, Outcome, Reader, lex};
use crate::diag::{Diagnostic, Span, codes};
use crate::rr::decimal;
use crate::rr::text::Word;
use std::io::Write as _;

/// The most records of one line: a reverse zone of a /16 in one.
const RECORDS_MAX: u64 = 65_536;
/// The most octets that all lines of one run are written out to: some million records. A file of a
/// few octets could else fill the memory.
const TEXT_LEN_MAX: usize = 64 << 20;
/// The widest number: a name has no more octets.
const WIDTH_MAX: usize = 255;
/// The largest number of a range, as in BIND.
const NUMBER_MAX: u32 = 0x7fff_ffff;

/// The `$GENERATE` line that an entry comes from: errors about its words point there.
#[derive(Clone, Copy)]
pub(super) struct Origin<'t> {
    pub(super) line: &'t Entry<'t>,
    /// Where the text of each word of the line ends in the entry's text.
    pub(super) ends: &'t [u32],
}

impl Origin<'_> {
    /// The word of the line that gave the text up to `end`.
    pub(super) fn span(&self, end: u32) -> Span {
        let at = self.ends.partition_point(|&word_end| word_end < end);
        let words = &self.line.words[FIRST_WORD..];
        self.line.span(words[at.min(words.len() - 1)])
    }
}

/// The words before the owner: `$GENERATE` and the range.
const FIRST_WORD: usize = 2;

/// A line that has been understood, ready to be written out.
struct Line {
    numbers: Range,
    /// Each word from the owner on.
    words: Vec<Vec<Part>>,
}

/// Which numbers.
struct Range {
    start: u32,
    stop: u32,
    step: u32,
}

/// A piece of a word.
enum Part {
    Text(Vec<u8>),
    Number(Format),
}

/// How a number is written.
struct Format {
    offset: i64,
    width: usize,
    base: u8,
}

impl Reader<'_> {
    /// Reads the records that a `$GENERATE` line stands for.
    pub(super) fn generate(&mut self, entry: Entry<'_>) -> Outcome {
        let line = Line::read(entry)?;
        let owner = self.context.owner.clone();
        let numbers = (line.numbers.start..=line.numbers.stop).step_by(line.numbers.step as usize);
        let outcome =
            numbers.into_iter().try_for_each(|number| self.generated(entry, &line, number));
        self.context.owner = owner;
        outcome
    }

    /// Reads the record for one number.
    fn generated(&mut self, entry: Entry<'_>, line: &Line, number: u32) -> Outcome {
        let (text, ends) = line.write(number);
        self.generated_len += text.len();
        if self.generated_len > TEXT_LEN_MAX {
            let what = format!("$GENERATE lines stand for more than {} MiB", TEXT_LEN_MAX >> 20);
            return Err(bad(entry, entry.words[1], what, "make the range smaller"));
        }
        let from = Origin { line: &entry, ends: &ends };
        let mut words = Vec::new();
        let outcome = match lex::Lexer::new(&text).next_entry(&mut words) {
            Ok(Some(shape)) => self.record(Entry {
                text: &text,
                shape,
                words: &words,
                origin: Some(from),
                ..entry
            }),
            Ok(None) => Ok(()),
            Err(fault) => {
                let found =
                    Diagnostic::new(&codes::UNBALANCED, from.span(fault.end), fault.message);
                Err(found.help(fault.help).into())
            }
        };
        outcome.map_err(|mut found| {
            let whole = Word { start: 0, end: super::lex::place(text.len()), quoted: false };
            let shown = Entry { text: &text, ..entry }.show(whole);
            found.label = format!("the record for {number} is `{shown}`");
            found
        })
    }
}

impl Line {
    /// Understands the line: what is wrong with it is found before anything is written out.
    fn read(entry: Entry<'_>) -> Result<Line, Box<Diagnostic>> {
        let words = entry.words.get(FIRST_WORD..).unwrap_or_default();
        let [owner, fields @ ..] = words else {
            let what = "$GENERATE takes a range, an owner, a type and data";
            return Err(Diagnostic::new(&codes::BAD_DIRECTIVE, entry.end(), what)
                .help("as in `$GENERATE 1-9 host$ A 192.0.2.$`")
                .into());
        };
        let numbers = Range::read(entry, entry.words[1])?;
        if owner.of(entry.text) == entry.words[1].of(entry.text) {
            return Err(stands_twice(entry, *owner).into());
        }
        if owner.quoted {
            let what = "the owner of a $GENERATE line stands without quotes";
            return Err(bad(entry, *owner, what.into(), "remove the quotes"));
        }
        let data = head(entry, fields)?.data;
        let [data] = data else {
            if let Some(repeated) = data.get(1).and_then(|&second| entry.repeated_before(second)) {
                return Err(stands_twice(entry, repeated).into());
            }
            let (span, what) = match data.get(1) {
                None => (entry.end(), "the data of the records are missing"),
                Some(&second) => (entry.span(second), "$GENERATE takes the data as one word"),
            };
            return Err(Diagnostic::new(&codes::BAD_DIRECTIVE, span, what)
                .help("put data of several words into quotes, as in `\"10 mail$\"`")
                .into());
        };
        if data.of(entry.text).contains(&b'\n') {
            let what = "the data of a $GENERATE line go on over several lines";
            return Err(bad(entry, *data, what.into(), "write a line end as `\\010`"));
        }
        let mut parts = Vec::with_capacity(words.len());
        for &word in words {
            parts.push(match word == *owner || word == *data {
                true => template(entry, word)?,
                false => vec![Part::Text(word.of(entry.text).to_vec())],
            });
        }
        Ok(Line { numbers, words: parts })
    }

    /// The record for one number as text, and where each of its words ends.
    fn write(&self, number: u32) -> (Vec<u8>, Vec<u32>) {
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(self.words.len()));
        for word in &self.words {
            if !text.is_empty() {
                text.push(b' ');
            }
            for part in word {
                match part {
                    Part::Text(octets) => text.extend_from_slice(octets),
                    Part::Number(format) => format.write(number, &mut text),
                }
            }
            ends.push(lex::place(text.len()));
        }
        (text, ends)
    }
}

impl Range {
    /// Reads `start-stop` or `start-stop/step`.
    fn read(entry: Entry<'_>, word: Word) -> Result<Range, Box<Diagnostic>> {
        let wrong = |what: String| {
            bad(entry, word, what, "write the first and the last number, as in `1-254` or `0-20/5`")
        };
        let octets = word.of(entry.text);
        let range = Range::of(octets).filter(|range| range.step > 0 && range.stop <= NUMBER_MAX);
        let not_one = || wrong(format!("`{}` is not a range of numbers", entry.show(word)));
        let range = range.ok_or_else(not_one)?;
        if range.start > range.stop {
            return Err(wrong("this range ends before it starts".into()));
        }
        let count = u64::from((range.stop - range.start) / range.step) + 1;
        if count > RECORDS_MAX {
            return Err(wrong(format!("{count} records, at most {RECORDS_MAX} in one line")));
        }
        Ok(range)
    }

    fn of(octets: &[u8]) -> Option<Range> {
        let dash = octets.iter().position(|&octet| octet == b'-')?;
        let (start, rest) = (&octets[..dash], &octets[dash + 1..]);
        let slash = rest.iter().position(|&octet| octet == b'/');
        let (stop, step) = slash.map_or((rest, &b"1"[..]), |at| (&rest[..at], &rest[at + 1..]));
        Some(Range { start: decimal(start)?, stop: decimal(stop)?, step: decimal(step)? })
    }
}

/// Whether a word would be the range of a `$GENERATE` line.
pub(super) fn is_range(octets: &[u8]) -> bool {
    Range::of(octets).is_some()
}

/// Splits a word at its dollar signs.
fn template(entry: Entry<'_>, word: Word) -> Result<Vec<Part>, Box<Diagnostic>> {
    let (mut parts, mut text) = (Vec::new(), Vec::new());
    let mut rest = word.of(entry.text);
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match (octet, tail.first()) {
            (b'\\', Some(&b'"')) if word.quoted => {} // the quote that follows stands as it is
            (b'\\', Some(&next)) => {
                text.extend([octet, next]);
                rest = &tail[1..];
            }
            (b'$', Some(b'$')) => {
                text.push(b'$');
                rest = &tail[1..];
            }
            (b'$', _) => {
                let (format, behind) = Format::read(tail).ok_or_else(|| {
                    let what = "`${` stands for a number as offset, width and base".to_string();
                    let form =
                        "write `${0,3,d}`: an offset, a width up to 255 and d, o, x, X, n or N";
                    bad(entry, word, what, form)
                })?;
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Number(format));
                rest = behind;
            }
            _ => text.push(octet),
        }
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

impl Format {
    /// Reads what follows a dollar sign; gives what stands behind it.
    fn read(text: &[u8]) -> Option<(Format, &[u8])> {
        let mut format = Format { offset: 0, width: 0, base: b'd' };
        let Some(inner) = text.strip_prefix(b"{") else {
            return Some((format, text));
        };
        let close = inner.iter().position(|&octet| octet == b'}')?;
        let mut fields = inner[..close].split(|&octet| octet == b',');
        format.offset = offset(fields.next()?)?;
        if let Some(width) = fields.next() {
            format.width = decimal(width).filter(|&width| width <= WIDTH_MAX)?;
        }
        if let Some(base) = fields.next() {
            let [base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')] = base else { return None };
            format.base = *base;
        }
        fields.next().is_none().then_some((format, &inner[close + 1..]))
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        let (value, width) = (i64::from(number) + self.offset, self.width);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as BIND does")]
        let bits = value as u32;
        // writing into a vector does not fail
        let _ = match self.base {
            b'o' => write!(out, "{bits:0width$o}"),
            b'x' => write!(out, "{bits:0width$x}"),
            b'X' => write!(out, "{bits:0width$X}"),
            b'n' => return nibbles(bits, width, b"0123456789abcdef", out),
            b'N' => return nibbles(bits, width, b"0123456789ABCDEF", out),
            _ => write!(out, "{value:0width$}"),
        };
    }
}

/// Reads a number that may have a sign and is no larger than those of a range.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let number: u32 = decimal(digits).filter(|&number| number <= NUMBER_MAX)?;
    Some(sign * i64::from(number))
}

/// Writes hexadecimal digits from the lowest on, with a dot between them. The width counts dots, so
/// that an even one ends with a dot: `${0,8,n}ip6.arpa.`.
fn nibbles(mut value: u32, width: usize, digits: &[u8; 16], out: &mut Vec<u8>) {
    let mut left = width;
    loop {
        out.push(digits[(value & 0xf) as usize]);
        value >>= 4;
        left = left.saturating_sub(1);
        if left == 0 && value == 0 {
            return;
        }
        out.push(b'.');
        left = left.saturating_sub(1);
        if left == 0 && value == 0 {
            return;
        }
    }
}

fn bad(entry: Entry<'_>, word: Word, what: String, help: &str) -> Box<Diagnostic> {
    Diagnostic::new(&codes::BAD_DIRECTIVE, entry.span(word), what).help(help).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, number: u32) -> Option<String> {
        let entry = Entry {
            source: crate::diag::SourceId(0),
            text: text.as_bytes(),
            shape: lex::Shape { starts_blank: false, glued: false },
            words: &[],
            origin: None,
        };
        let word = Word { start: 0, end: lex::place(text.len()), quoted: false };
        let words = vec![template(entry, word).ok()?];
        let line = Line { numbers: Range { start: 0, stop: 0, step: 1 }, words };
        Some(String::from_utf8(line.write(number).0).unwrap())
    }

    #[test]
    fn numbers_in_each_form() {
        let cases = [
            ("h$", 7, "h7"),
            ("${1}.$", 7, "8.7"),
            ("${-8,4}", 7, "-001"),
            ("${0,3,o}.${0,4,x}.${0,0,X}", 26, "032.001a.1A"),
            ("${-8,0,x}", 7, "ffffffff"),
            ("${0,4,n}|${0,3,n}|${0,1,N}|${0,0,n}", 255, "f.f.|f.f|F.F|f.f"),
            ("${0,1,n}.${0,6,n}x", 1, "1.1.0.0.x"),
            ("a$$b\\$c\\\\$", 7, "a$b\\$c\\\\7"),
        ];
        for (text, number, expected) in cases {
            assert_eq!(written(text, number).as_deref(), Some(expected), "{text}");
        }
        for text in ["${", "${}", "${1", "${1,}", "${1,2,q}", "${1,2,d,4}", "${1,256}", "${ 1}"] {
            assert_eq!(written(text, 1), None, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let numbers = |text: &str| {
            Range::of(text.as_bytes()).map(|range| [range.start, range.stop, range.step])
        };
        assert_eq!(numbers("1-9"), Some([1, 9, 1]));
        assert_eq!(numbers("0-20/5"), Some([0, 20, 5]));
        for text in ["", "1", "1-", "-1", "1-2/", "1-2x", "1-2/1x", "+1-2", "1-99999999999"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
