//! HIP data (RFC 8005 §5): a host's identity tag, its public key, and the names of servers that
//! know where it is: `2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs.example.`.
//!
//! On the wire the lengths of tag and key stand in front, in text they are not written.

use super::encoded;
use super::text::{self, DataError, Words};
use crate::name::Name;
use std::fmt::Write as _;

/// The octets in front: length of the tag, algorithm, length of the key.
const HEAD_LEN: usize = 4;

/// Reads algorithm, tag, key and servers, and appends them behind the lengths.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let start = out.len();
    let algorithm = text::number(words, "an algorithm from 0 to 255 (as in 2 for RSA)")?;
    out.extend([0, algorithm, 0, 0]);
    let tag_len = encoded::parse_hex_word(words, out)?;
    out[start] = u8::try_from(tag_len).map_err(|_| words.bad("a tag has at most 255 octets"))?;
    let key_len = u16::try_from(encoded::parse_base64_word(words, out)?);
    let key_len = key_len.map_err(|_| words.bad("a key has at most 65535 octets"))?;
    out[start + 2..start + HEAD_LEN].copy_from_slice(&key_len.to_be_bytes());
    while words.peek().is_some() {
        text::domain_name(words, out)?;
    }
    Ok(())
}

/// Whether `octets` are tag and key, neither empty, and names to the end.
pub(super) fn is_valid(octets: &[u8]) -> bool {
    let Some((tag, key, mut names)) = split(octets) else { return false };
    while let Some((_, rest)) = Name::split_from(names) {
        names = rest;
    }
    !tag.is_empty() && !key.is_empty() && names.is_empty()
}

/// The names of the servers, one behind the other.
pub(super) fn servers(octets: &[u8]) -> &[u8] {
    split(octets).map_or(&[], |(_, _, names)| names)
}

/// Prints algorithm, tag, key and servers.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let (tag, key, mut names) = split(octets)?;
    write!(out, "{} ", octets[1]).ok()?;
    encoded::print_hex(tag, out);
    out.push(' ');
    encoded::print_base64(key, out);
    while let Some((name, rest)) = Name::split_from(names) {
        write!(out, " {name}").ok()?;
        names = rest;
    }
    Some(())
}

/// The tag, the key, and the names.
fn split(octets: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&[tag_len, _, k1, k2], rest) = octets.split_first_chunk::<HEAD_LEN>()?;
    let (tag, rest) = rest.split_at_checked(usize::from(tag_len))?;
    let (key, names) = rest.split_at_checked(usize::from(u16::from_be_bytes([k1, k2])))?;
    Some((tag, key, names))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};
    use super::*;

    #[test]
    fn lengths_are_worked_out() {
        let octets = read("HIP 2 200100 AwEAAb dx.example.");
        assert!(octets.is_err(), "a key is one word");
        let octets = read("HIP 2 200100 AwEA rvs.example.").unwrap();
        assert_eq!(octets[..10], [3, 2, 0, 3, 0x20, 1, 0, 3, 1, 0]);
        assert_eq!(show("HIP 2 200100 AwEA a. b."), "2 200100 AwEA a. b.");
        assert_eq!(show("HIP 2 200100 AwEA"), "2 200100 AwEA");
    }

    #[test]
    fn octets_that_are_no_identity() {
        assert!(is_valid(&[1, 2, 0, 1, 7, 7]));
        for octets in [&[1, 2, 0][..], &[1, 2, 0, 0, 7], &[0, 2, 0, 1, 7], &[1, 2, 0, 1, 7, 7, 1]] {
            assert!(!is_valid(octets), "{octets:?}");
        }
    }
}
