//! Sets as bits: the record types of NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2), and the ports of WKS
//! (RFC 1035 §3.4.2).
//!
//! Types come in windows of 256, each with its number, its length and up to 32 octets of bits;
//! empty windows and trailing zero octets are left out, so that a set has one form.

use super::text::{DataError, Words};
use super::{Rtype, decimal};
use std::fmt::Write as _;

const TYPES: &str = "a record type (as in A NS RRSIG)";
const PORTS: &str = "a port from 0 to 65535 or a service (as in 25 or smtp)";
/// The octets of bits that one window can have: 256 types.
const WINDOW_LEN_MAX: usize = 32;
/// The octets of bits that all ports take.
const PORTS_LEN_MAX: usize = 8192;

/// Services of the Internet's first years, when WKS was in use (RFC 1010).
const SERVICES: [(&str, u16); 12] = [
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp", 21),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("tftp", 69),
    ("finger", 79),
    ("pop3", 110),
    ("nntp", 119),
];

/// The remaining words as types, if there are any.
pub(super) fn parse_types_if_any(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    let mut first = [0u8; WINDOW_LEN_MAX]; // that of nearly all types
    let mut others = Vec::new();
    while let Some(word) = words.take_if_any() {
        let [window, low] =
            Rtype::from_text(word).ok_or_else(|| words.expected(TYPES))?.0.to_be_bytes();
        match window {
            0 => first[usize::from(low / 8)] |= 128 >> (low % 8),
            _ => others.push([window, low]),
        }
    }
    write_window(0, &first, out);
    others.sort_unstable();
    for window in others.chunk_by(|a, b| a[0] == b[0]) {
        let mut bits = [0u8; WINDOW_LEN_MAX];
        for [_, low] in window {
            bits[usize::from(low / 8)] |= 128 >> (low % 8);
        }
        write_window(window[0][0], &bits, out);
    }
    Ok(())
}

/// Writes a window without the zero octets at its end; nothing if there are no others.
fn write_window(number: u8, bits: &[u8; WINDOW_LEN_MAX], out: &mut Vec<u8>) {
    let Some(last) = bits.iter().rposition(|&octet| octet != 0) else { return };
    out.push(number);
    out.extend(u8::try_from(last + 1)); // at most 32
    out.extend_from_slice(&bits[..=last]);
}

/// The remaining words as types: at least one.
pub(super) fn parse_types(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    if words.peek().is_none() {
        Err(DataError::Missing(TYPES))
    } else {
        parse_types_if_any(words, out)
    }
}

/// Whether `octets` are windows in ascending order, none empty, none with a zero at its end.
pub(super) fn is_types(octets: &[u8]) -> bool {
    let mut last = None;
    for window in windows(octets) {
        let Some((number, bits)) = window else { return false };
        let is_whole = (1..=WINDOW_LEN_MAX).contains(&bits.len()) && bits.last() != Some(&0);
        if !is_whole || last.is_some_and(|last| last >= number) {
            return false;
        }
        last = Some(number);
    }
    true
}

/// Prints types.
pub(super) fn print_types(octets: &[u8], out: &mut String) -> Option<()> {
    let start = out.len();
    for window in windows(octets) {
        let (number, bits) = window?;
        for low in ones(bits) {
            let blank = if out.len() > start { " " } else { "" };
            write!(out, "{blank}{}", Rtype(u16::from(number) << 8 | low)).ok()?;
        }
    }
    Some(())
}

/// The remaining words as ports, if there are any.
pub(super) fn parse_ports(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let mut bits = Vec::new();
    while let Some(word) = words.take_if_any() {
        let named = SERVICES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
        let port = named.map(|(_, port)| *port).or_else(|| decimal(word));
        set(&mut bits, port.ok_or_else(|| words.expected(PORTS))?);
    }
    out.extend(bits);
    Ok(())
}

/// Whether `octets` are not more bits than there are ports.
pub(super) fn is_ports(octets: &[u8]) -> bool {
    octets.len() <= PORTS_LEN_MAX
}

/// Prints ports by number. Bits with a zero octet at their end have no text that gives them back.
pub(super) fn print_ports(octets: &[u8], out: &mut String) -> Option<()> {
    let start = out.len();
    for port in ones(octets) {
        let blank = if out.len() > start { " " } else { "" };
        write!(out, "{blank}{port}").ok()?;
    }
    (octets.last() != Some(&0)).then_some(())
}

/// The windows: number and bits; `None` where one is cut off, and then the end.
fn windows(octets: &[u8]) -> impl Iterator<Item = Option<(u8, &[u8])>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = rest.split_first_chunk().and_then(|(&[number, len], tail)| {
            let (bits, tail) = tail.split_at_checked(usize::from(len))?;
            Some((number, bits, tail))
        });
        rest = whole.map_or(&[], |(_, _, tail)| tail);
        Some(whole.map(|(number, bits, _)| (number, bits)))
    })
}

fn set(bits: &mut Vec<u8>, number: u16) {
    let octet = usize::from(number / 8);
    if bits.len() <= octet {
        bits.resize(octet + 1, 0);
    }
    bits[octet] |= 0x80 >> (number % 8);
}

/// The numbers of the bits that are set.
fn ones(bits: &[u8]) -> impl Iterator<Item = u16> {
    (0u16..=u16::MAX)
        .zip(bits.iter().flat_map(|octet| (0..8).map(move |bit| octet << bit & 0x80)))
        .filter(|(_, bit)| *bit != 0)
        .map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};
    use super::*;

    #[test]
    fn the_example_of_rfc_4034_section_4_3() {
        let octets = read("NSEC host.example. A MX RRSIG NSEC TYPE1234").unwrap();
        let bits = &octets[14..];
        assert_eq!(bits[..8], [0, 6, 0x40, 1, 0, 0, 0, 3]);
        assert_eq!(bits[8..], [&[4, 27][..], &[0; 26], &[0x20]].concat());
        assert_eq!(show("NSEC . TYPE1234 NSEC A"), ". A NSEC TYPE1234");
        assert!(read("NSEC .").is_err());
        assert!(read("NSEC . A B").is_err());
        assert_eq!(show("CSYNC 66 3"), "66 3");
    }

    #[test]
    fn a_set_has_one_form() {
        assert!(is_types(&[]));
        assert!(is_types(&[0, 1, 0x40, 1, 1, 0x40]));
        for octets in [
            &[0][..],
            &[0, 0],
            &[0, 1],
            &[0, 1, 0],
            &[0, 2, 0x40, 0],
            &[1, 1, 0x40, 0, 1, 0x40],
            &[0, 1, 0x40, 0, 1, 0x40],
            &[[0, 33].as_slice(), &[1; 33]].concat(),
        ] {
            assert!(!is_types(octets), "{octets:?}");
        }
    }

    #[test]
    fn ports_by_number_and_by_service() {
        assert_eq!(show("WKS 192.0.2.1 TCP smtp 21 65535"), "192.0.2.1 6 21 25 65535");
        assert_eq!(show("WKS 192.0.2.1 17"), "192.0.2.1 17");
        assert!(read("WKS 192.0.2.1 TCP 65536").is_err());
        assert_eq!(print_ports(&[1, 0], &mut String::new()), None);
    }
}
