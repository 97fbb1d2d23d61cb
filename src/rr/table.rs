//! The record types: one row each.

use super::Rtype;

/// One type.
#[derive(Debug)]
pub struct Row {
    /// Its name in zone files.
    pub mnemonic: &'static str,
    /// Its code.
    pub rtype: Rtype,
    /// Its data, field by field.
    pub fields: &'static [Field],
    /// Where in the data stands the name whose addresses a client will want next (RFC 1035
    /// §3.3.9, §3.3.11, RFC 2782).
    pub target: Option<usize>,
}

/// One kind of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A name that messages may compress: those of RFC 1035 alone (RFC 3597 §4).
    Name,
    /// A name that is never compressed.
    PlainName,
    /// A number of one octet.
    U8,
    /// A number of two octets.
    U16,
    /// A number of four octets.
    U32,
    /// Seconds in four octets, with units or without in text.
    Seconds,
    /// An IPv4 address (RFC 1035 §3.4.1).
    Ipv4,
    /// An IPv6 address (RFC 3596 §2.2).
    Ipv6,
    /// One character-string (RFC 1035 §3.3).
    Text,
    /// One character-string or more, to the end of the data.
    Texts,
    /// Octets in hexadecimal, to the end of the data.
    Hex,
    /// A property tag behind its length octet (RFC 8659 §4.1).
    Tag,
    /// One string without a length, to the end of the data (RFC 8659 §4.1).
    Value,
    /// This many octets in hexadecimal, joined by hyphens (RFC 7043 §3.2).
    Eui(usize),
    /// A place on Earth (RFC 1876 §3).
    Location,
    /// Service parameters, to the end of the data (RFC 9460 §2.1).
    SvcParams,
}

macro_rules! types {
    ($($name:ident $code:literal [$($field:expr),*] $target:expr;)*) => {
        $(#[doc = concat!("The type ", stringify!($name), ".")]
        pub const $name: Rtype = Rtype($code);)*
        /// Every type that has a row, in the order of its code.
        pub static ROWS: &[Row] = &[$(Row {
            mnemonic: stringify!($name),
            rtype: $name,
            fields: &[$($field),*],
            target: $target,
        }),*];
    };
}

use Field::{
    Eui, Hex, Ipv4, Ipv6, Location, Name, PlainName, Seconds, SvcParams, Tag, Text, Texts, U8, U16,
    U32, Value,
};

types! {
    A        1 [Ipv4] None;
    NS       2 [Name] Some(0);
    CNAME    5 [Name] None;
    SOA      6 [Name, Name, U32, Seconds, Seconds, Seconds, Seconds] None;
    MB       7 [Name] None;
    MG       8 [Name] None;
    MR       9 [Name] None;
    PTR     12 [Name] None;
    HINFO   13 [Text, Text] None;
    MX      15 [U16, Name] Some(2);
    TXT     16 [Texts] None;
    RP      17 [PlainName, PlainName] None;
    AAAA    28 [Ipv6] None;
    LOC     29 [Location] None;
    SRV     33 [U16, U16, U16, PlainName] Some(6);
    NAPTR   35 [U16, U16, Text, Text, Text, PlainName] None;
    DNAME   39 [PlainName] None;
    DS      43 [U16, U8, U8, Hex] None;
    SVCB    64 [U16, PlainName, SvcParams] None;
    HTTPS   65 [U16, PlainName, SvcParams] None;
    SPF     99 [Texts] None;
    EUI48  108 [Eui(6)] None;
    EUI64  109 [Eui(8)] None;
    CAA    257 [U8, Tag, Value] None;
}

/// The question type that asks for anything (RFC 8482).
pub const ANY: Rtype = Rtype(255);
/// The question type of a whole zone (RFC 5936).
pub const AXFR: Rtype = Rtype(252);
/// The question type of a zone's changes (RFC 1995).
pub const IXFR: Rtype = Rtype(251);
/// The pseudo-record of EDNS (RFC 6891 §6.1).
pub const OPT: Rtype = Rtype(41);

/// The row of a type.
pub fn row(rtype: Rtype) -> Option<&'static Row> {
    ROWS.binary_search_by_key(&rtype, |row| row.rtype).ok().map(|at| &ROWS[at])
}

/// The row of a mnemonic, in any case.
pub fn by_mnemonic(text: &[u8]) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.mnemonic.as_bytes().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_found_both_ways() {
        assert!(ROWS.windows(2).all(|pair| pair[0].rtype < pair[1].rtype));
        for this in ROWS {
            assert_eq!(row(this.rtype).unwrap().mnemonic, this.mnemonic);
            assert_eq!(by_mnemonic(this.mnemonic.as_bytes()).unwrap().rtype, this.rtype);
        }
    }

    #[test]
    fn a_target_stands_where_the_fields_put_a_name() {
        for row in ROWS {
            let Some(target) = row.target else { continue };
            let before = row.fields.iter().take_while(|f| !matches!(f, Name | PlainName));
            let width = |field: &Field| match field {
                U8 => 1,
                U16 => 2,
                _ => 4,
            };
            assert_eq!(before.map(width).sum::<usize>(), target, "{}", row.mnemonic);
        }
    }
}
