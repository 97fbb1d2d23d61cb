//! A host that is told in one of several ways, by a type: the gateway of IPSECKEY (RFC 4025 §2.3)
//! and the relay of AMTRELAY (RFC 8777 §4.2).
//!
//! Both number the ways alike: 0 nothing, written `.`; 1 an IPv4 address; 2 an IPv6 address; 3 a
//! name, never compressed. Other types have no text; their octets run to the end of the data.

use super::text::{self, DataError, Words};
use crate::name::Name;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

const TYPE: &str = "0 for none, 1 for an IPv4 address, 2 for an IPv6 address or 3 for a name";
const NONE: &str = "`.`, since the type in front says that there is none";
const DISCOVERY: &str = "0, or 1 if relays can be found without asking here first";
/// The bit beside the relay's type that says whether discovery is optional.
const DISCOVERY_OPTIONAL: u8 = 0x80;

/// Reads type, algorithm and gateway, as in `1 2 192.0.2.38`.
pub(super) fn parse_gateway(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let kind = text::number_up_to(words, TYPE, 3)?;
    out.push(kind);
    out.push(text::number(words, "an algorithm from 0 to 255 (as in 2 for RSA)")?);
    host(kind, words, out)
}

/// Reads discovery bit, type and relay, as in `0 1 203.0.113.15`.
pub(super) fn parse_relay(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let optional = text::number_up_to(words, DISCOVERY, 1)?;
    let kind = text::number_up_to(words, TYPE, 3)?;
    out.push(optional << 7 | kind);
    host(kind, words, out)
}

/// The octets of type, algorithm and gateway at the front.
pub(super) fn gateway_len(octets: &[u8]) -> Option<usize> {
    let (&[kind, _], rest) = octets.split_first_chunk()?;
    Some(2 + host_len(kind, rest)?)
}

/// The octets of discovery bit, type and relay at the front.
pub(super) fn relay_len(octets: &[u8]) -> Option<usize> {
    let (&first, rest) = octets.split_first()?;
    Some(1 + host_len(first & !DISCOVERY_OPTIONAL, rest)?)
}

/// The name in type, algorithm and gateway; nothing if there is none.
pub(super) fn gateway_name(octets: &[u8]) -> &[u8] {
    if octets.first() == Some(&3) { octets.get(2..).unwrap_or_default() } else { &[] }
}

/// The name in discovery bit, type and relay; nothing if there is none.
pub(super) fn relay_name(octets: &[u8]) -> &[u8] {
    let is_name = octets.first().is_some_and(|first| first & !DISCOVERY_OPTIONAL == 3);
    if is_name { &octets[1..] } else { &[] }
}

/// Prints type, algorithm and gateway.
pub(super) fn print_gateway(octets: &[u8], out: &mut String) -> Option<()> {
    let (&[kind, algorithm], rest) = octets.split_first_chunk()?;
    write!(out, "{kind} {algorithm} ").ok()?;
    print_host(kind, rest, out)
}

/// Prints discovery bit, type and relay.
pub(super) fn print_relay(octets: &[u8], out: &mut String) -> Option<()> {
    let (&first, rest) = octets.split_first()?;
    let kind = first & !DISCOVERY_OPTIONAL;
    write!(out, "{} {kind} ", first >> 7).ok()?;
    print_host(kind, rest, out)
}

fn host(kind: u8, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    match kind {
        0 => match words.take(NONE)? {
            b"." => Ok(()),
            _ => Err(words.expected(NONE)),
        },
        1 => text::ipv4(words, out),
        2 => text::ipv6(words, out),
        _ => text::domain_name(words, out),
    }
}

fn host_len(kind: u8, octets: &[u8]) -> Option<usize> {
    match kind {
        0 => Some(0),
        1 => Some(4),
        2 => Some(16),
        3 => Name::split_from(octets).map(|(name, _)| name.as_wire().len()),
        _ => Some(octets.len()),
    }
}

fn print_host(kind: u8, octets: &[u8], out: &mut String) -> Option<()> {
    match kind {
        0 => write!(out, ".").ok(),
        1 => write!(out, "{}", Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)).ok(),
        2 => write!(out, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)).ok(),
        3 => write!(out, "{}", Name::from_wire(octets)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};
    use super::*;

    #[test]
    fn each_type_has_its_host() {
        for text in [
            "10 0 2 . AQID",
            "10 1 2 192.0.2.38 AQID",
            "10 2 2 2001:db8::1 AQID",
            "10 3 2 gateway.example. AQID",
            "10 0 0 .",
        ] {
            assert_eq!(show(&format!("IPSECKEY {text}")), text);
        }
        for text in ["10 0 0 .", "0 1 1 203.0.113.15", "0 0 2 2001:db8::15", "128 1 3 amt.example."]
        {
            assert_eq!(show(&format!("AMTRELAY {text}")), text);
        }
    }

    #[test]
    fn a_host_must_be_of_its_type() {
        for text in ["10 1 2 gateway AQID", "10 2 2 192.0.2.1 AQID", "10 0 2 192.0.2.1", "10 4 2 x"]
        {
            assert!(read(&format!("IPSECKEY {text}")).is_err(), "{text}");
        }
        assert!(read("AMTRELAY 10 2 0 .").is_err());
        assert_eq!(gateway_len(&[1, 0, 192, 0, 2, 1, 9]), Some(6));
        assert_eq!(gateway_len(&[3, 0, 1]), None);
        assert_eq!(print_relay(&[4, 1], &mut String::new()), None);
    }
}
