//! Blocks of addresses, as operators write them: `192.0.2.0/24`, `2001:db8::/32`, `::1`.
//!
//! Both families are numbers of 128 bits, IPv4 in its mapped form (RFC 4291 §2.5.5.2), so that nearly always
//! one comparison tells whether an address is in a block. A block of IPv6 that is so large that the mapped
//! addresses lie in it means IPv6 alone: who writes `::/0` thinks of no IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Bits in front of an IPv4 address in its mapped form.
const MAPPED_BITS: u32 = 96;
const ADDRESS_BITS: u32 = 128;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    bits: u128,
    len: u32,
    /// Whether it leaves IPv4 addresses out, though they begin with the same bits.
    without_v4: bool,
}

/// Why a text is no block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// What stands before the slash is no address.
    Address,
    /// What stands behind the slash is no length, or longer than the address.
    Length,
    /// The address goes on behind the length; this is the block that it lies in.
    LongerThanSaid(Prefix),
}

impl Prefix {
    /// The block of `len` bits that an address lies in; `len` counts in the address's own family.
    fn of(address: IpAddr, len: u32) -> Option<Prefix> {
        let (before, max) = match address {
            IpAddr::V4(_) => (MAPPED_BITS, ADDRESS_BITS - MAPPED_BITS),
            IpAddr::V6(_) => (0, ADDRESS_BITS),
        };
        let len = (len <= max).then_some(before + len)?;
        Some(Prefix { bits: number(address) & mask(len), len, without_v4: len < MAPPED_BITS })
    }

    /// Every address of both families.
    pub fn everywhere() -> Prefix {
        Prefix { bits: 0, len: 0, without_v4: false }
    }

    /// Whether the address lies in the block.
    pub fn contains(self, address: IpAddr) -> bool {
        let number = number(address);
        number & mask(self.len) == self.bits && !(self.without_v4 && is_v4(number))
    }

    /// How many bits the addresses share; more for a smaller block.
    pub fn bit_len(self) -> u32 {
        self.len
    }
}

/// An address as a number, the same for both forms of an IPv4 address.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn is_v4(number: u128) -> bool {
    number >> (ADDRESS_BITS - MAPPED_BITS) == 0xffff
}

/// The first `len` bits.
fn mask(len: u32) -> u128 {
    u128::MAX.checked_shl(ADDRESS_BITS - len).unwrap_or(0)
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads an address, or an address and a length behind a slash.
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (address, len) = text.split_once('/').map_or((text, None), |(a, len)| (a, Some(len)));
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let whole = if address.is_ipv4() { ADDRESS_BITS - MAPPED_BITS } else { ADDRESS_BITS };
        let len = match len {
            Some(digits) if !digits.starts_with('+') => digits.parse().ok(),
            Some(_) => None,
            None => Some(whole),
        };
        let prefix = len.and_then(|len| Prefix::of(address, len)).ok_or(PrefixError::Length)?;
        if prefix.bits == number(address) {
            Ok(prefix)
        } else {
            Err(PrefixError::LongerThanSaid(prefix))
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.bits);
        match address.to_ipv4_mapped().filter(|_| self.len >= MAPPED_BITS) {
            Some(address) => write!(f, "{address}/{}", self.len - MAPPED_BITS),
            None => write!(f, "{address}/{}", self.len),
        }
    }
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrefixError::Address => {
                f.write_str("expected an address or a block, as in 192.0.2.0/24 or 2001:db8::/32")
            }
            PrefixError::Length => f.write_str(
                "expected a number of bits behind the slash: 0 to 32 for IPv4, 0 to 128 for IPv6",
            ),
            PrefixError::LongerThanSaid(block) => {
                write!(f, "the address has bits behind that length; the block is {block}")
            }
        }
    }
}

impl std::error::Error for PrefixError {}

/// This machine and private networks: whose addresses nobody can make up from the internet where
/// routers filter as they should, and whose users the operator knows. RFC 1122 §3.2.1.3, RFC 1918
/// §3, RFC 3927 §2.1, RFC 4291 §2.5.3 and §2.5.6, RFC 4193 §3.1.
pub fn private() -> impl Iterator<Item = Prefix> {
    let v4 = |a, b, len| Prefix::of(Ipv4Addr::new(a, b, 0, 0).into(), len);
    let v6 =
        |first, last, len| Prefix::of(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last).into(), len);
    let blocks = [
        v4(127, 0, 8),
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v4(169, 254, 16),
        v6(0, 1, 128),
        v6(0xfc00, 0, 7),
        v6(0xfe80, 0, 10),
    ];
    blocks.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_holds_what_begins_like_it() {
        for (block, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.0"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("::/0", "2001:db8::1", ""),
            ("::/0", "2001:db8::1", "192.0.2.1"), // another family, though its mapped form begins so
            ("::/0", "::", "::ffff:192.0.2.1"),   // nor is it one when it came on a socket of both
            ("::/1", "1::", "192.0.2.1"),
            ("::/80", "::1:0:0", "192.0.2.1"),
            ("::ffff:0:0/96", "192.0.2.1", "::1"),
            ("::ffff:192.0.2.0/120", "192.0.2.1", "192.0.3.1"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
            ("::1", "::1", "::"),
        ] {
            let contains = |text: &str| text.parse().is_ok_and(|a| prefix(block).contains(a));
            assert!(contains(inside) && !contains(outside), "{block}");
        }
    }

    #[test]
    fn a_block_is_printed_as_it_is_written() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"] {
            assert_eq!(prefix(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_block_is_told_what_one_is() {
        let error = |text: &str| text.parse::<Prefix>().unwrap_err();
        for text in ["", "smith.edu", "192.0.2", "192.0.2.0 /24", "/24"] {
            assert_eq!(error(text), PrefixError::Address, "{text}");
        }
        for text in ["192.0.2.0/33", "::/129", "::/", "::/+1", "::/-1", "::/1/1", "::/4294967296"] {
            assert_eq!(error(text), PrefixError::Length, "{text}");
        }
        assert!(error("192.0.2.9/24").to_string().ends_with("the block is 192.0.2.0/24"));
        assert!(error("2001:db8::1/32").to_string().ends_with("the block is 2001:db8::/32"));
    }

    #[test]
    fn private_addresses_are_those_of_the_registries() {
        let is_private = |text: &str| private().any(|block| block.contains(text.parse().unwrap()));
        for address in ["127.9.9.9", "10.1.2.3", "172.31.0.1", "192.168.7.7", "169.254.1.1", "::1"]
        {
            assert!(is_private(address), "{address}");
        }
        assert!(is_private("fd00::1") && is_private("fe80::1"));
        for address in ["128.0.0.1", "11.0.0.1", "172.32.0.1", "192.169.0.1", "::2", "fec0::1"] {
            assert!(!is_private(address), "{address}");
        }
    }
}
