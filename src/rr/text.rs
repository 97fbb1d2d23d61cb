//! Record data as people write it, turned into wire bytes by the type's row.
//!
//! The zone file's reader splits a line into words; this module reads those that are data. Errors
//! say which word they are about, so that the reader can underline it.

use super::table::{Field, Row};
use super::{decimal, loc, rdata, seconds_from_text, svcb};
use crate::name::{self, Name};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most octets that a record's data can have: its length is told in two octets.
const RDATA_LEN_MAX: usize = 65_535;

/// One word of a line: where it stands in the file. Escapes in it are not yet resolved, quotes
/// around it not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The first octet.
    pub start: u32,
    /// The octet after the last.
    pub end: u32,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

impl Word {
    /// The word's octets in `text`, as written.
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// What is wrong with a record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataError {
    /// A field is missing at the end: what was expected.
    Missing(&'static str),
    /// Words follow the last field: the number of the first.
    Extra(usize),
    /// The word of this number is not what was expected: what is wrong, and what was expected.
    Bad(usize, String),
}

/// The words of a record's data, read from the left.
pub struct Words<'a> {
    text: &'a [u8],
    words: &'a [Word],
    next: usize,
    origin: Option<Name<'a>>,
}

impl<'a> Words<'a> {
    /// The `words` of `text`; relative names among them are relative to `origin`.
    pub fn new(text: &'a [u8], words: &'a [Word], origin: Option<Name<'a>>) -> Words<'a> {
        Words { text, words, next: 0, origin }
    }

    /// The next word as written.
    pub(super) fn take(&mut self, expected: &'static str) -> Result<&'a [u8], DataError> {
        let word = self.words.get(self.next).ok_or(DataError::Missing(expected))?;
        self.next += 1;
        Ok(word.of(self.text))
    }

    /// The next word, if there is one.
    pub(super) fn take_if_any(&mut self) -> Option<&'a [u8]> {
        self.take("").ok()
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<&'a [u8]> {
        self.words.get(self.next).map(|word| word.of(self.text))
    }

    /// The number of the word taken last.
    pub(super) fn last(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// An error about the word taken last.
    pub(super) fn bad(&self, what: impl Into<String>) -> DataError {
        DataError::Bad(self.last(), what.into())
    }
}

/// Reads the data of a record of the type of `row`, and appends it to `out` in wire form.
///
/// # Errors
/// The first word that is wrong, missing or too many, see [`DataError`].
pub fn parse(row: &Row, mut words: Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let start = out.len();
    for &field in row.fields {
        parse_field(field, &mut words, out)?;
    }
    finish(&words, out.len() - start)
}

/// Reads data in the form of RFC 3597 §5: `\# 4 0a000001`. With a row the octets must be what it
/// describes.
///
/// # Errors
/// As [`parse`].
pub fn parse_generic(
    row: Option<&Row>,
    mut words: Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    let start = out.len();
    if words.take("`\\#`, the length and the data in hexadecimal")? != b"\\#" {
        let what = "a type known by its number alone is written `\\# LENGTH HEXADECIMAL`";
        return Err(words.bad(what));
    }
    let len: u16 = number(&mut words, "the length of the data in octets")?;
    if len > 0 || words.peek().is_some() {
        hex(&mut words, out)?;
    }
    let octets = &out[start..];
    if octets.len() != usize::from(len) {
        let what = format!("the data have {} octets, the length says {len}", octets.len());
        return Err(words.bad(what));
    }
    if row.is_some_and(|row| !rdata::is_valid(row, octets)) {
        return Err(words.bad("these octets are no data of this type"));
    }
    finish(&words, octets.len())
}

fn finish(words: &Words<'_>, len: usize) -> Result<(), DataError> {
    if words.next < words.words.len() {
        return Err(DataError::Extra(words.next));
    }
    if len > RDATA_LEN_MAX {
        return Err(words.bad(format!("the data has {len} octets, at most 65535 are possible")));
    }
    Ok(())
}

fn parse_field(field: Field, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    match field {
        Field::Name | Field::PlainName => domain_name(words, out),
        Field::U8 => push(out, number::<u8>(words, "a number from 0 to 255")?.to_be_bytes()),
        Field::U16 => push(out, number::<u16>(words, "a number from 0 to 65535")?.to_be_bytes()),
        Field::U32 => {
            push(out, number::<u32>(words, "a number from 0 to 4294967295")?.to_be_bytes())
        }
        Field::Seconds => push(out, seconds(words)?.to_be_bytes()),
        Field::Ipv4 => push(out, ipv4(words)?.octets()),
        Field::Ipv6 => push(out, ipv6(words)?.octets()),
        Field::Text => text(words, out),
        Field::Texts => texts(words, out),
        Field::Hex => hex(words, out),
        Field::Tag => tag(words, out),
        Field::Value => unescape(words, out).map(|_| ()),
        Field::Eui(len) => eui(words, out, len),
        Field::Location => loc::parse(words, out),
        Field::SvcParams => svcb::parse(words, out),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every arm of the match above gives a Result")]
fn push<const N: usize>(out: &mut Vec<u8>, octets: [u8; N]) -> Result<(), DataError> {
    out.extend_from_slice(&octets);
    Ok(())
}

fn domain_name(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take("a domain name")?;
    let parsed = match (word, words.origin) {
        (b"@", Some(origin)) => Ok(origin.to_buf()),
        _ => name::text::parse(word, words.origin),
    };
    let name = parsed.map_err(|error| words.bad(error.to_string()))?;
    out.extend_from_slice(name.as_name().as_wire());
    Ok(())
}

fn number<N: std::str::FromStr>(
    words: &mut Words<'_>,
    expected: &'static str,
) -> Result<N, DataError> {
    let word = words.take(expected)?;
    decimal(word).ok_or_else(|| words.bad(format!("expected {expected}")))
}

fn seconds(words: &mut Words<'_>) -> Result<u32, DataError> {
    let expected = "a time in seconds, or with units (as in 1h30m)";
    let word = words.take(expected)?;
    seconds_from_text(word).ok_or_else(|| words.bad(format!("expected {expected}")))
}

fn ipv4(words: &mut Words<'_>) -> Result<Ipv4Addr, DataError> {
    let word = words.take("an IPv4 address")?;
    address(word).ok_or_else(|| match address::<Ipv6Addr>(word) {
        Some(_) => words.bad("expected an IPv4 address; an IPv6 address stands in an AAAA record"),
        None => words.bad("expected an IPv4 address: four numbers from 0 to 255, as in 192.0.2.1"),
    })
}

fn ipv6(words: &mut Words<'_>) -> Result<Ipv6Addr, DataError> {
    let word = words.take("an IPv6 address")?;
    address(word).ok_or_else(|| match address::<Ipv4Addr>(word) {
        Some(_) => words.bad("expected an IPv6 address; an IPv4 address stands in an A record"),
        None => words.bad("expected an IPv6 address, as in 2001:db8::1"),
    })
}

fn address<A: std::str::FromStr>(word: &[u8]) -> Option<A> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// One character-string: at most 255 octets behind their length.
fn text(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let at = out.len();
    out.push(0);
    let len = unescape(words, out)?;
    out[at] = u8::try_from(len).map_err(|_| {
        words.bad(format!("a string has at most 255 octets, this one has {len}: cut it in two"))
    })?;
    Ok(())
}

fn texts(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    text(words, out)?;
    while words.peek().is_some() {
        text(words, out)?;
    }
    Ok(())
}

/// Appends the next word with its escapes resolved; gives its length.
fn unescape(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<usize, DataError> {
    let start = out.len();
    let mut rest = words.take("a string")?;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet == b'\\' {
            let (octet, tail) = name::text::unescape(rest)
                .ok_or_else(|| words.bad(name::NameError::BadEscape.to_string()))?;
            rest = tail;
            out.push(octet);
        } else {
            out.push(octet);
        }
    }
    Ok(out.len() - start)
}

/// The remaining words, one hexadecimal number cut where the author liked.
fn hex(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let expected = "octets in hexadecimal, two digits each";
    let mut digits = words.take(expected)?.to_vec();
    while let Some(word) = words.take_if_any() {
        digits.extend_from_slice(word);
    }
    let octets = HEXLOWER_PERMISSIVE.decode(&digits).ok().filter(|octets| !octets.is_empty());
    out.extend(octets.ok_or_else(|| words.bad(format!("expected {expected}")))?);
    Ok(())
}

fn tag(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let expected = "a property tag of letters and digits (as `issue`)";
    let word = words.take(expected)?;
    let len = u8::try_from(word.len()).ok().filter(|&len| len > 0);
    let len = len.filter(|_| word.iter().all(u8::is_ascii_alphanumeric));
    out.push(len.ok_or_else(|| words.bad(format!("expected {expected}")))?);
    out.extend_from_slice(word);
    Ok(())
}

fn eui(words: &mut Words<'_>, out: &mut Vec<u8>, len: usize) -> Result<(), DataError> {
    let expected = "pairs of hexadecimal digits joined by hyphens";
    let word = words.take(expected)?;
    let pairs: Vec<&[u8]> = word.split(|&octet| octet == b'-').collect();
    let whole = pairs.len() == len && pairs.iter().all(|pair| pair.len() == 2);
    let octets = whole.then(|| HEXLOWER_PERMISSIVE.decode(&pairs.concat()).ok()).flatten();
    out.extend(octets.ok_or_else(|| words.bad(format!("expected {len} {expected}")))?);
    Ok(())
}
