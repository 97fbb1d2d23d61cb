//! APL data (RFC 3123): address prefixes, each with a family, `!` for "not", and a length:
//! `1:192.0.2.0/24 !2:2001:db8::/32`.

use super::decimal;
use super::text::{DataError, Words};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const PREFIX: &str = "an address prefix (as in 1:192.0.2.0/24 or !2:2001:db8::/32)";
/// The bit that says "not", beside the length of the address.
const NEGATION: u8 = 0x80;
/// The octets in front of an address: family, prefix length, negation and length.
const HEAD_LEN: usize = 4;

/// One prefix on the wire.
struct Item<'a> {
    family: u16,
    prefix: u8,
    negated: bool,
    /// The address without the zero octets at its end.
    address: &'a [u8],
}

/// Reads the remaining words, if there are any, as prefixes and appends them.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    while let Some(word) = words.take_if_any() {
        item(word, out).ok_or_else(|| words.expected(PREFIX))?;
    }
    Ok(())
}

/// Whether `octets` are prefixes to the end. Families other than IPv4 and IPv6 are taken as they
/// are; the address of any has no zero octet at its end (RFC 3123 §4).
pub(super) fn is_valid(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let Some((item, tail)) = split(rest) {
        let fits = match item.family {
            1 => item.prefix <= 32 && item.address.len() <= 4,
            2 => item.prefix <= 128 && item.address.len() <= 16,
            _ => true,
        };
        if !fits || item.address.last() == Some(&0) {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

/// Prints prefixes. Only those of IPv4 and IPv6 have a text.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let mut rest = octets;
    while let Some((item, tail)) = split(rest) {
        let blank = if rest.len() < octets.len() { " " } else { "" };
        let not = if item.negated { "!" } else { "" };
        let address = match item.family {
            1 => IpAddr::V4(Ipv4Addr::from(padded(item.address)?)),
            2 => IpAddr::V6(Ipv6Addr::from(padded(item.address)?)),
            _ => return None,
        };
        write!(out, "{blank}{not}{}:{address}/{}", item.family, item.prefix).ok()?;
        rest = tail;
    }
    Some(())
}

/// `!1:192.0.2.0/24`
fn item(word: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(word).ok()?;
    let (negation, text) = text.strip_prefix('!').map_or((0, text), |text| (NEGATION, text));
    let (family, text) = text.split_once(':')?;
    let (address, prefix) = text.split_once('/')?;
    let (address, bits) = match family {
        "1" => (address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
        "2" => (address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
        _ => return None,
    };
    let prefix = decimal::<u8>(prefix.as_bytes()).filter(|&prefix| prefix <= bits)?;
    let len = address.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    out.extend([0, family.as_bytes()[0] - b'0', prefix, negation | u8::try_from(len).ok()?]);
    out.extend_from_slice(&address[..len]);
    Some(())
}

/// Splits the first prefix off.
fn split(octets: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&[f1, f2, prefix, last], rest) = octets.split_first_chunk::<HEAD_LEN>()?;
    let (address, rest) = rest.split_at_checked(usize::from(last & !NEGATION))?;
    let negated = last & NEGATION != 0;
    Some((Item { family: u16::from_be_bytes([f1, f2]), prefix, negated, address }, rest))
}

/// An address with its zero octets.
fn padded<const LEN: usize>(address: &[u8]) -> Option<[u8; LEN]> {
    let mut octets = [0; LEN];
    octets.get_mut(..address.len())?.copy_from_slice(address);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};
    use super::*;

    #[test]
    fn the_examples_of_rfc_3123_section_5() {
        let octets = read("APL 1:192.168.32.0/21 !1:192.168.38.0/28").unwrap();
        assert_eq!(octets, [0, 1, 21, 3, 192, 168, 32, 0, 1, 28, 0x83, 192, 168, 38]);
        assert_eq!(show("APL 1:224.0.0.0/4 2:FF00:0:0:0:0:0:0:0/8"), "1:224.0.0.0/4 2:ff00::/8");
        assert_eq!(show("APL"), "");
    }

    #[test]
    fn prefixes_that_are_none() {
        for text in
            ["1:192.0.2.0", "1:192.0.2.0/33", "2:::/129", "3:00/1", "192.0.2.0/24", "1:::/0"]
        {
            assert!(read(&format!("APL {text}")).is_err(), "{text}");
        }
        assert!(is_valid(&[0, 9, 200, 1, 7]));
        for octets in [&[0][..], &[0, 1, 0, 1], &[0, 1, 33, 0], &[0, 1, 8, 2, 10, 0]] {
            assert!(!is_valid(octets), "{octets:?}");
        }
        assert_eq!(print(&[0, 9, 200, 1, 7], &mut String::new()), None);
    }
}
