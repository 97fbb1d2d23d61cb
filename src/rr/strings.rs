//! Character-strings (RFC 1035 §3.3) and what looks like them: text, quoted or not, with escapes.

use super::text::{DataError, Words};
use crate::name::{NameError, text::unescape};
use std::fmt::Write as _;

const STRING: &str = "a string (as in \"two words\")";
/// The most octets of a character-string: its length is told in one octet (RFC 1035 §3.3).
const STRING_LEN_MAX: usize = 255;
const TAG: &str = "a property tag of letters and digits (as `issue`)";

/// One character-string: at most 255 octets behind their length.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let at = out.len();
    out.push(0);
    parse_value(words, out)?;
    let len = out.len() - at - 1;
    out[at] = u8::try_from(len).map_err(|_| {
        words.bad(format!("a string has at most 255 octets, this one has {len}: cut it in two"))
    })?;
    Ok(())
}

/// One character-string, if a word is left.
pub(super) fn parse_if_any(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    if words.peek().is_none() { Ok(()) } else { parse(words, out) }
}

/// The remaining words as character-strings: at least one. A word of more than 255 octets becomes
/// several strings, as in Knot and PowerDNS: who reads SPF or DKIM joins them again (RFC 7208
/// §3.3). BIND and NSD refuse it.
pub(super) fn parse_all(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    parse_long(words, out)?;
    while words.peek().is_some() {
        parse_long(words, out)?;
    }
    Ok(())
}

fn parse_long(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let at = out.len();
    out.push(0);
    parse_value(words, out)?;
    if let Ok(len) = u8::try_from(out.len() - at - 1) {
        out[at] = len;
        return Ok(());
    }
    let octets = out.split_off(at + 1);
    out.truncate(at);
    for string in octets.chunks(STRING_LEN_MAX) {
        out.push(u8::try_from(string.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(string);
    }
    Ok(())
}

/// The next word with its escapes resolved, without a length.
pub(super) fn parse_value(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(STRING)?;
    resolve(word, out).ok_or_else(|| words.bad(NameError::BadEscape.to_string()))
}

/// A property tag behind its length octet (RFC 8659 §4.1).
pub(super) fn parse_tag(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(TAG)?;
    let len = u8::try_from(word.len()).ok().filter(|_| is_tag(word));
    out.push(len.ok_or_else(|| words.expected(TAG))?);
    out.extend_from_slice(word);
    Ok(())
}

/// Appends `text` with its escapes resolved; `None` if one is broken.
pub(super) fn resolve(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some((&octet, tail)) = rest.split_first() {
        let (octet, tail) = if octet == b'\\' { unescape(tail)? } else { (octet, tail) };
        out.push(octet);
        rest = tail;
    }
    Some(())
}

/// The octets that a character-string at the front takes.
pub(super) fn len(octets: &[u8]) -> Option<usize> {
    octets.first().map(|&len| 1 + usize::from(len))
}

/// The octets of character-strings to the end, if the last is whole.
pub(super) fn all_len(octets: &[u8]) -> Option<usize> {
    let mut at = len(octets)?;
    while at < octets.len() {
        at += len(&octets[at..])?;
    }
    Some(at)
}

/// The octets that a property tag at the front takes.
pub(super) fn tag_len(octets: &[u8]) -> Option<usize> {
    let len = len(octets)?;
    octets.get(1..len).filter(|tag| is_tag(tag)).map(|_| len)
}

/// Prints character-strings.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let mut rest = octets;
    while let Some(len) = len(rest) {
        if rest.len() < octets.len() {
            out.push(' ');
        }
        print_value(rest.get(1..len)?, out)?;
        rest = &rest[len..];
    }
    Some(())
}

/// Prints octets in quotes, escaped so that reading them gives the same.
pub(super) fn print_value(octets: &[u8], out: &mut String) -> Option<()> {
    out.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend(['\\', char::from(octet)]),
            b' '..=b'~' => out.push(char::from(octet)),
            _ => write!(out, "\\{octet:03}").ok()?,
        }
    }
    out.push('"');
    Some(())
}

/// Prints a property tag.
pub(super) fn print_tag(octets: &[u8], out: &mut String) -> Option<()> {
    out.push_str(std::str::from_utf8(octets.get(1..)?).ok()?);
    Some(())
}

fn is_tag(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};

    #[test]
    fn strings_with_and_without_quotes() {
        assert_eq!(show(r#"TXT a\ b \"c\" \\ \200"#), r#""a b" "\"c\"" "\\" "\200""#);
        assert_eq!(show(r#"CAA 0 issue "a;b""#), r#"0 issue "a;b""#);
        assert_eq!(show("ISDN 150862028003217"), "\"150862028003217\"");
        assert_eq!(show("ISDN 150862028003217 004"), "\"150862028003217\" \"004\"");
        assert!(read("ISDN 1 2 3").is_err());
        assert!(read(r"TXT a\999").is_err());
        assert!(read("CAA 0 is-sue a").is_err());
    }

    #[test]
    fn a_long_word_is_cut_where_several_strings_can_stand() {
        let long = "a".repeat(256);
        assert!(read(&format!("HINFO {long} b")).is_err());
        let octets = read(&format!("TXT {long} b")).unwrap();
        assert_eq!(octets.len(), 256 + 2 + 2);
        assert_eq!((octets[0], &octets[256..]), (255, &b"\x01a\x01b"[..]));
    }
}
