//! Record data as people write it, turned into wire bytes by the type's row.
//!
//! The zone file's reader splits a line into words; this module reads those that are data. Errors
//! say which word they are about, so that the reader can underline it.

use super::table::{Field, Row};
use super::{Rtype, apl, bitmap, encoded, gateway, hip, loc, strings, svcb, time};
use super::{decimal, rdata, seconds_from_text};
use crate::name::{self, Name, NameBuf};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const NAME: &str = "a domain name (as in www.example.com.)";
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
    /// The words of these numbers, and those between, do not fit together.
    Unlike(usize, usize, String),
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

    /// An error about the word taken last, which is not what was expected.
    pub(super) fn expected(&self, what: &'static str) -> DataError {
        self.bad(format!("expected {what}"))
    }

    /// An error about a word taken before.
    pub(super) fn expected_at(&self, word: usize, what: &'static str) -> DataError {
        DataError::Bad(word, format!("expected {what}"))
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
pub fn parse(row: &Row, words: Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    parse_fields(row.fields, words, out)
}

/// Reads data that have these fields.
///
/// # Errors
/// As [`parse`].
pub fn parse_fields(
    fields: &[Field],
    mut words: Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    let start = out.len();
    for &field in fields {
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
        encoded::parse_hex(&mut words, out)?;
    }
    let octets = &out[start..];
    if octets.len() != usize::from(len) {
        let what = format!("the data have {} octets, the length says {len}", octets.len());
        return Err(DataError::Unlike(1, words.last(), what));
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
        Field::U64 => {
            let expected = "a number from 0 to 18446744073709551615";
            push(out, number::<u64>(words, expected)?.to_be_bytes())
        }
        Field::Code(codes) => codes.parse(words, out),
        Field::Type => push(out, record_type(words)?.0.to_be_bytes()),
        Field::Types => bitmap::parse_types(words, out),
        Field::TypesIfAny => bitmap::parse_types_if_any(words, out),
        Field::Ports => bitmap::parse_ports(words, out),
        Field::Seconds => push(out, seconds(words)?.to_be_bytes()),
        Field::Time => time::parse(words, out),
        Field::Ipv4 => ipv4(words, out),
        Field::Ipv6 => ipv6(words, out),
        Field::Prefixes => apl::parse(words, out),
        Field::Gateway => gateway::parse_gateway(words, out),
        Field::Relay => gateway::parse_relay(words, out),
        Field::Text => strings::parse(words, out),
        Field::TextIfAny => strings::parse_if_any(words, out),
        Field::Texts => strings::parse_all(words, out),
        Field::Tag => strings::parse_tag(words, out),
        Field::Value => strings::parse_value(words, out),
        Field::Hex => encoded::parse_hex(words, out),
        Field::Base64 => encoded::parse_base64(words, out),
        Field::Base64IfAny => encoded::parse_base64_if_any(words, out),
        Field::Base64OrHyphen => encoded::parse_base64_or_hyphen(words, out),
        Field::Salt => encoded::parse_salt(words, out),
        Field::HashedOwner => encoded::parse_hashed_owner(words, out),
        Field::Eui(len) => encoded::parse_eui(words, out, len),
        Field::Locator => encoded::parse_locator(words, out),
        Field::Nsap => encoded::parse_nsap(words, out),
        Field::Location => loc::parse(words, out),
        Field::Identity => hip::parse(words, out),
        Field::SvcParams => svcb::parse(words, out),
        Field::Octets => no_text(words),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every arm of the match above gives a Result")]
fn push<const N: usize>(out: &mut Vec<u8>, octets: [u8; N]) -> Result<(), DataError> {
    out.extend_from_slice(&octets);
    Ok(())
}

/// Appends a name.
pub(super) fn domain_name(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(NAME)?;
    if name::text::has_quote(word) {
        return Err(words.expected(NAME)); // a parameter of SVCB, whose target is missing
    }
    if let (b"@", Some(origin)) = (word, words.origin) {
        out.extend_from_slice(origin.as_wire());
        return Ok(());
    }
    let mut name = NameBuf::root();
    name::text::parse_into(word, words.origin, &mut name)
        .map_err(|error| words.bad(error.to_string()))?;
    out.extend_from_slice(name.as_name().as_wire());
    Ok(())
}

/// Reads a decimal number.
pub(super) fn number<N: TryFrom<u64>>(
    words: &mut Words<'_>,
    expected: &'static str,
) -> Result<N, DataError> {
    let word = words.take(expected)?;
    decimal(word).ok_or_else(|| words.expected(expected))
}

/// Reads a number of which only the values up to `max` mean something.
pub(super) fn number_up_to(
    words: &mut Words<'_>,
    expected: &'static str,
    max: u8,
) -> Result<u8, DataError> {
    number(words, expected)
        .and_then(|number| if number <= max { Ok(number) } else { Err(words.expected(expected)) })
}

fn record_type(words: &mut Words<'_>) -> Result<Rtype, DataError> {
    let expected = "a record type (as in NS or TYPE2)";
    let word = words.take(expected)?;
    Rtype::from_text(word).ok_or_else(|| words.expected(expected))
}

fn seconds(words: &mut Words<'_>) -> Result<u32, DataError> {
    let expected = "a time in seconds, or with units (as in 1h30m)";
    let word = words.take(expected)?;
    seconds_from_text(word).ok_or_else(|| words.expected(expected))
}

/// Appends an IPv4 address.
pub(super) fn ipv4(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let expected = "an IPv4 address: four numbers from 0 to 255, as in 192.0.2.1";
    let word = words.take(expected)?;
    let octets = ipv4_of(word).ok_or_else(|| match address::<Ipv6Addr>(word) {
        Some(_) => words.bad("expected an IPv4 address; an IPv6 address stands in an AAAA record"),
        None => words.expected(expected),
    })?;
    push(out, octets.octets())
}

/// Appends an IPv6 address.
pub(super) fn ipv6(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let expected = "an IPv6 address, as in 2001:db8::1";
    let word = words.take(expected)?;
    let octets = address::<Ipv6Addr>(word).ok_or_else(|| match address::<Ipv4Addr>(word) {
        Some(_) => words.bad("expected an IPv6 address; an IPv4 address stands in an A record"),
        None => words.expected(expected),
    })?;
    push(out, octets.octets())
}

/// Four numbers of up to three digits, without zeros in front. std reads the same, octet by octet.
fn ipv4_of(word: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut numbers = word.split(|&octet| octet == b'.');
    for octet in &mut octets {
        let digits = numbers.next()?;
        *octet = decimal(digits).filter(|_| digits.len() == 1 || !digits.starts_with(b"0"))?;
    }
    numbers.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn address<A: FromStr>(word: &[u8]) -> Option<A> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn no_text(words: &mut Words<'_>) -> Result<(), DataError> {
    let expected = "the only text of this type (as in `\\# 2 0a0b`)";
    words.take(expected)?;
    Err(words.expected(expected))
}

#[cfg(test)]
mod tests {
    use super::super::testing::read;
    use super::*;

    #[test]
    fn errors_are_about_the_word_that_is_wrong() {
        let bad = |line| match read(line) {
            Err(DataError::Bad(at, _)) => Some(at),
            _ => None,
        };
        assert_eq!(bad("MX ten mail"), Some(0));
        assert_eq!(bad("MX 10 mail..example"), Some(1));
        assert_eq!(bad("SOA a b 1 2 3 4x 5"), Some(5));
        assert_eq!(bad("TLSA 3 1 1 ab cx de"), Some(4));
        assert_eq!(bad("NULL 00"), Some(0));
        assert!(matches!(read("MX 10"), Err(DataError::Missing(_))));
        assert_eq!(read("MX 10 mail mail"), Err(DataError::Extra(2)));
    }

    #[test]
    fn addresses_are_what_std_says_they_are() {
        let parts = ["0", "00", "9", "01", "10", "99", "100", "255", "256", "1000", "", "+1", "1 "];
        for (a, b) in parts.iter().flat_map(|a| parts.map(|b| (a, b))) {
            for text in [format!("{a}.1.2.{b}"), format!("1.{a}.{b}.3"), format!("{a}.{b}")] {
                assert_eq!(ipv4_of(text.as_bytes()), text.parse().ok(), "{text}");
            }
        }
        assert_eq!(ipv4_of(b"1.2.3.4.5"), None);
    }

    #[test]
    fn numbers_stay_in_their_octets() {
        assert_eq!(read("IPN 18446744073709551615"), Ok(vec![0xff; 8]));
        for text in ["IPN 18446744073709551616", "MX 65536 a", "CAA 256 issue a", "MX +1 a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
