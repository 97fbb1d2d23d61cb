//! Resource records: which types are there, and how do their data look on the wire and in text?
//!
//! One row of [`table`] describes a type: its mnemonic, its code, and the kinds of its fields in
//! order. Everything that handles record data reads that row: [`text`] turns words of a zone file
//! into wire bytes by it, [`mod@print`] turns the bytes into words again, [`rdata`] walks the bytes. A
//! type without a row is known by its number and written in the form of RFC 3597. Adding a type is
//! adding a row; a new kind of field is one arm in each of the three, and a file of its own if it is
//! more than a few lines.

mod apl;
mod bitmap;
pub mod codes;
mod encoded;
mod gateway;
mod hip;
mod loc;
pub mod print;
pub mod rdata;
mod strings;
mod svcb;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;
pub(crate) mod time;

use crate::name::Name;
use std::fmt;

/// A record type, by its code (RFC 1035 §3.2.2 and IANA's registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

/// Types that no zone holds: those of questions and of messages themselves (RFC 6895 §3.1).
const MESSAGE_TYPES: [(&str, u16); 9] = [
    ("OPT", 41),
    ("NXNAME", 128),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("MAILB", 253),
    ("MAILA", 254),
    ("ANY", 255),
];

impl Rtype {
    /// The type of that mnemonic, or of the form `TYPE123` (RFC 3597 §5), in any case.
    pub fn from_text(text: &[u8]) -> Option<Rtype> {
        if let Some(row) = table::by_mnemonic(text) {
            return Some(row.rtype);
        }
        let is_text = |(name, _): &&(&str, u16)| name.as_bytes().eq_ignore_ascii_case(text);
        if let Some((_, code)) = MESSAGE_TYPES.iter().find(is_text) {
            return Some(Rtype(*code));
        }
        let (prefix, digits) = text.split_at_checked(4)?;
        prefix.eq_ignore_ascii_case(b"TYPE").then(|| decimal(digits)).flatten().map(Rtype)
    }

    /// The mnemonic, if the type has one.
    pub fn mnemonic(self) -> Option<&'static str> {
        let of_messages = || MESSAGE_TYPES.iter().find(|(_, code)| *code == self.0);
        table::row(self).map(|row| row.mnemonic).or_else(|| of_messages().map(|(name, _)| *name))
    }

    /// Whether the type can stand in a zone: not a question's (`ANY`, `AXFR`, …), not a message's
    /// own (`OPT`, `TSIG`, `TKEY`), not zero (RFC 6895 §3.1).
    pub fn is_data(self) -> bool {
        !matches!(self.0, 0 | 41 | 128..=255)
    }
}

impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.write_str(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A class, by its code (RFC 1035 §3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(pub u16);

impl Class {
    /// The Internet, the one class that zones here hold.
    pub const IN: Class = Class(1);
    /// CHAOS: a network of the seventies; today, questions about the server itself (RFC 4892).
    pub const CH: Class = Class(3);

    /// The class of a question that stands for all of them (RFC 1035 §3.2.5).
    pub const ANY: Class = Class(255);

    /// The class of that mnemonic, or of the form `CLASS123` (RFC 3597 §5), in any case.
    pub fn from_text(text: &[u8]) -> Option<Class> {
        if let [a, b] = text {
            return match [a.to_ascii_uppercase(), b.to_ascii_uppercase()] {
                [b'I', b'N'] => Some(Class(1)),
                [b'C', b'H'] => Some(Class(3)),
                [b'H', b'S'] => Some(Class(4)),
                _ => None,
            };
        }
        let (prefix, digits) = text.split_at_checked(5)?;
        prefix.eq_ignore_ascii_case(b"CLASS").then(|| decimal(digits)).flatten().map(Class)
    }
}

/// The longest TTL in seconds (RFC 2181 §8).
pub const TTL_MAX: u32 = 0x7fff_ffff;

/// Reads a TTL: seconds, or numbers with the units `w d h m s` as in `1h30m` (BIND's notation,
/// which every server takes). `None` if it is neither, or above [`TTL_MAX`].
pub fn ttl_from_text(text: &[u8]) -> Option<u32> {
    seconds_from_text(text).filter(|&seconds| seconds <= TTL_MAX)
}

/// Reads seconds, with units or without, up to 32 bits.
pub(crate) fn seconds_from_text(text: &[u8]) -> Option<u32> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let number: u32 = decimal(&rest[..digits])?;
        let unit = match rest.get(digits).map(u8::to_ascii_lowercase) {
            None if digits == text.len() => 1, // a bare number; one behind units has no meaning
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            Some(b'w') => 604_800,
            _ => return None,
        };
        total += u64::from(number) * unit;
        u32::try_from(total).ok()?;
        rest = rest.get(digits + 1..).unwrap_or(&[]);
    }
    (!text.is_empty()).then(|| u32::try_from(total).ok()).flatten()
}

/// Reads a decimal number made of digits alone.
pub(crate) fn decimal<N: TryFrom<u64>>(digits: &[u8]) -> Option<N> {
    let (&first, rest) = digits.split_first()?;
    let digit = |octet: u8| Some(u64::from(octet.wrapping_sub(b'0'))).filter(|&digit| digit <= 9);
    let number = rest.iter().try_fold(digit(first)?, |number, &octet| {
        number.checked_mul(10)?.checked_add(digit(octet)?)
    })?;
    N::try_from(number).ok()
}

/// One record, as a zone file says it. Its class is IN.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The name that owns it.
    pub owner: Name<'a>,
    /// Its type.
    pub rtype: Rtype,
    /// How long it may be cached, in seconds.
    pub ttl: u32,
    /// Its data: at most 65,535 octets, names uncompressed, checked against the type's row.
    pub rdata: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls_with_and_without_units() {
        let cases: [(&[u8], Option<u32>); 10] = [
            (b"0", Some(0)),
            (b"21600", Some(21600)),
            (b"1h30m", Some(5400)),
            (b"1W2D3h4M5s", Some(788_645)),
            (b"2147483647", Some(TTL_MAX)),
            (b"2147483648", None),
            (b"1h30", None),
            (b"h", None),
            (b"", None),
            (b"99999999999999999999w", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(ttl_from_text(text), seconds, "{:?}", text.escape_ascii().to_string());
        }
    }

    #[test]
    fn types_and_classes_by_name_and_by_number() {
        assert_eq!(Rtype::from_text(b"aaaa"), Some(table::AAAA));
        assert_eq!(Rtype::from_text(b"TYPE28"), Some(table::AAAA));
        assert_eq!(Rtype::from_text(b"type65280").unwrap().to_string(), "TYPE65280");
        assert_eq!(Rtype::from_text(b"TYPE65536"), None);
        assert_eq!(Rtype::from_text(b"TYPE"), None);
        assert_eq!(Class::from_text(b"in"), Some(Class::IN));
        assert_eq!(Class::from_text(b"CLASS1"), Some(Class::IN));
        assert_eq!(Class::from_text(b"IS"), None);
    }
}
