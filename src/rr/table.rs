//! The record types: one row each.
//!
//! All of IANA's registry that can stand in a zone. Those that nobody ever wrote as text (NULL,
//! ATMA), or nobody does any more (NXT, A6), are known by name, and their data are written in the
//! form of RFC 3597.

use super::Rtype;
use super::codes::{ALGORITHM, CERTIFICATE, Codes, DIGEST, NSEC3_HASH, PROTOCOL, SCHEME};

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
    /// What each name in its data points at, in their order; the last row of it holds for all that
    /// follow. Empty if a name that leads nowhere is no mistake.
    pub points: &'static [Points],
}

/// What a name in a record's data points at: what should be there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// Nothing that must be in the DNS: a mailbox, a host that is only named.
    Nowhere,
    /// A name that exists.
    Name,
    /// A name with addresses that is no alias (RFC 2181 §10.3, RFC 2782).
    Host,
    /// A name with a record of one of these types, or an alias of one.
    Data(&'static [Rtype]),
    /// What the mode of SVCB and HTTPS says: 0 any name, else a host (RFC 9460 §2.4).
    Service,
    /// What the flag of NAPTR says (RFC 3403 §4.1, RFC 3404 §4.3).
    Rule,
}

/// The types that give a host its addresses.
pub const ADDRESSES: &[Rtype] = &[A, AAAA];

/// One kind of field. Those that run to the end of the data can only stand last.
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
    /// A number of eight octets.
    U64,
    /// A number of one or two octets, some values of which have names.
    Code(&'static Codes),
    /// A record type (RFC 4034 §3.1.1).
    Type,
    /// A set of record types, to the end of the data (RFC 4034 §4.1.2).
    Types,
    /// The same, possibly empty (RFC 5155 §3.2.1, RFC 7477 §2.1.1).
    TypesIfAny,
    /// A set of ports, to the end of the data (RFC 1035 §3.4.2).
    Ports,
    /// Seconds in four octets, with units or without in text.
    Seconds,
    /// A point in time in four octets (RFC 4034 §3.1.5).
    Time,
    /// An IPv4 address (RFC 1035 §3.4.1).
    Ipv4,
    /// An IPv6 address (RFC 3596 §2.2).
    Ipv6,
    /// Address prefixes, to the end of the data (RFC 3123 §4).
    Prefixes,
    /// Type, algorithm and gateway of IPSECKEY (RFC 4025 §2).
    Gateway,
    /// Discovery bit, type and relay of AMTRELAY (RFC 8777 §4.2).
    Relay,
    /// One character-string (RFC 1035 §3.3).
    Text,
    /// One character-string or none, at the end of the data.
    TextIfAny,
    /// One character-string or more, to the end of the data.
    Texts,
    /// A property tag behind its length octet (RFC 8659 §4.1).
    Tag,
    /// One string without a length, to the end of the data (RFC 8659 §4.1).
    Value,
    /// Octets in hexadecimal, to the end of the data.
    Hex,
    /// Octets in base64, to the end of the data.
    Base64,
    /// The same, possibly none: keys that say that there is no key (RFC 4025 §2.4).
    Base64IfAny,
    /// Octets in base64, or a hyphen for none, to the end of the data.
    Base64OrHyphen,
    /// A salt behind its length octet, in hexadecimal or a hyphen for none (RFC 5155 §3.3).
    Salt,
    /// A hashed owner name behind its length octet, in base32 (RFC 5155 §3.3).
    HashedOwner,
    /// This many octets in hexadecimal, joined by hyphens (RFC 7043 §3.2).
    Eui(usize),
    /// Eight octets as four groups in hexadecimal (RFC 6742 §2.1.2).
    Locator,
    /// An address of open systems, to the end of the data (RFC 1706 §4).
    Nsap,
    /// A place on Earth (RFC 1876 §3).
    Location,
    /// Identity tag, key and servers of HIP, to the end of the data (RFC 8005 §5).
    Identity,
    /// Service parameters, to the end of the data (RFC 9460 §2.1).
    SvcParams,
    /// Octets that have no text but that of RFC 3597, to the end of the data.
    Octets,
}

macro_rules! types {
    ($($name:ident $($mnemonic:literal)? = $code:literal [$($field:expr),*] $(target $target:literal)? $(points [$($point:expr),*])?;)*) => {
        $(#[doc = concat!("The type ", types!(@mnemonic $name $($mnemonic)?), ".")]
        pub const $name: Rtype = Rtype($code);)*
        /// Every type that has a row, in the order of its code.
        pub static ROWS: &[Row] = &[$(Row {
            mnemonic: types!(@mnemonic $name $($mnemonic)?),
            rtype: $name,
            fields: &[$($field),*],
            target: types!(@target $($target)?),
            points: &[$($($point),*)?],
        }),*];
    };
    (@mnemonic $name:ident) => { stringify!($name) };
    (@mnemonic $name:ident $mnemonic:literal) => { $mnemonic };
    (@target) => { None };
    (@target $target:literal) => { Some($target) };
}

use Field::{
    Base64, Base64IfAny, Base64OrHyphen, Code, Eui, Gateway, HashedOwner, Hex, Identity, Ipv4,
    Ipv6, Location, Locator, Name, Nsap, Octets, PlainName, Ports, Prefixes, Relay, Salt, Seconds,
    SvcParams, Tag, Text, TextIfAny, Texts, Time, Type, Types, TypesIfAny, U8, U16, U32, U64,
    Value,
};

use Points::{Data, Host, Nowhere, Rule, Service};

types! {
    A          =  1 [Ipv4];
    NS         =  2 [Name] target 0 points [Host];
    MD         =  3 [Name] points [Data(ADDRESSES)];
    MF         =  4 [Name] points [Data(ADDRESSES)];
    CNAME      =  5 [Name] points [Points::Name];
    SOA        =  6 [Name, Name, U32, Seconds, Seconds, Seconds, Seconds] points [Nowhere, Nowhere];
    MB         =  7 [Name] points [Data(ADDRESSES)];
    MG         =  8 [Name] points [Nowhere];
    MR         =  9 [Name] points [Nowhere];
    NULL       = 10 [Octets];
    WKS        = 11 [Ipv4, Code(&PROTOCOL), Ports];
    PTR        = 12 [Name] points [Points::Name];
    HINFO      = 13 [Text, Text];
    MINFO      = 14 [Name, Name] points [Nowhere, Nowhere];
    MX         = 15 [U16, Name] target 2 points [Host];
    TXT        = 16 [Texts];
    RP         = 17 [PlainName, PlainName] points [Nowhere, Data(&[TXT])];
    AFSDB      = 18 [U16, PlainName] points [Data(ADDRESSES)];
    X25        = 19 [Text];
    ISDN       = 20 [Text, TextIfAny];
    RT         = 21 [U16, PlainName] points [Data(&[A, AAAA, X25, ISDN])];
    NSAP       = 22 [Nsap];
    NSAP_PTR "NSAP-PTR" = 23 [PlainName] points [Points::Name];
    SIG        = 24 [Type, Code(&ALGORITHM), U8, Seconds, Time, Time, U16, PlainName, Base64];
    KEY        = 25 [U16, U8, Code(&ALGORITHM), Base64IfAny];
    PX         = 26 [U16, PlainName, PlainName] points [Nowhere, Nowhere];
    GPOS       = 27 [Text, Text, Text];
    AAAA       = 28 [Ipv6];
    LOC        = 29 [Location];
    NXT        = 30 [Octets];
    EID        = 31 [Hex];
    NIMLOC     = 32 [Hex];
    SRV        = 33 [U16, U16, U16, PlainName] target 6 points [Host];
    ATMA       = 34 [Octets];
    NAPTR      = 35 [U16, U16, Text, Text, Text, PlainName] points [Rule];
    KX         = 36 [U16, PlainName] points [Data(ADDRESSES)];
    CERT       = 37 [Code(&CERTIFICATE), U16, Code(&ALGORITHM), Base64];
    A6         = 38 [Octets];
    DNAME      = 39 [PlainName] points [Points::Name];
    SINK       = 40 [U8, U8, U8, Base64IfAny];
    APL        = 42 [Prefixes];
    DS         = 43 [U16, Code(&ALGORITHM), Code(&DIGEST), Hex];
    SSHFP      = 44 [U8, U8, Hex];
    IPSECKEY   = 45 [U8, Gateway, Base64IfAny] points [Data(ADDRESSES)];
    RRSIG      = 46 [Type, Code(&ALGORITHM), U8, Seconds, Time, Time, U16, PlainName, Base64];
    NSEC       = 47 [PlainName, Types];
    DNSKEY     = 48 [U16, U8, Code(&ALGORITHM), Base64];
    DHCID      = 49 [Base64];
    NSEC3      = 50 [Code(&NSEC3_HASH), U8, U16, Salt, HashedOwner, TypesIfAny];
    NSEC3PARAM = 51 [Code(&NSEC3_HASH), U8, U16, Salt];
    TLSA       = 52 [U8, U8, U8, Hex];
    SMIMEA     = 53 [U8, U8, U8, Hex];
    HIP        = 55 [Identity] points [Data(ADDRESSES)];
    NINFO      = 56 [Texts];
    RKEY       = 57 [U16, U8, Code(&ALGORITHM), Base64];
    TALINK     = 58 [PlainName, PlainName] points [Points::Name, Points::Name];
    CDS        = 59 [U16, Code(&ALGORITHM), Code(&DIGEST), Hex];
    CDNSKEY    = 60 [U16, U8, Code(&ALGORITHM), Base64];
    OPENPGPKEY = 61 [Base64];
    CSYNC      = 62 [U32, U16, TypesIfAny];
    ZONEMD     = 63 [U32, U8, U8, Hex];
    SVCB       = 64 [U16, PlainName, SvcParams] points [Service];
    HTTPS      = 65 [U16, PlainName, SvcParams] points [Service];
    DSYNC      = 66 [Type, Code(&SCHEME), U16, PlainName] points [Data(ADDRESSES)];
    HHIT       = 67 [Base64];
    BRID       = 68 [Base64];
    SPF        = 99 [Texts];
    UINFO     = 100 [Octets];
    UID       = 101 [Octets];
    GID       = 102 [Octets];
    UNSPEC    = 103 [Octets];
    NID       = 104 [U16, Locator];
    L32       = 105 [U16, Ipv4];
    L64       = 106 [U16, Locator];
    LP        = 107 [U16, PlainName] points [Data(&[L32, L64])];
    EUI48     = 108 [Eui(6)];
    EUI64     = 109 [Eui(8)];
    URI       = 256 [U16, U16, Value];
    CAA       = 257 [U8, Tag, Value];
    AVC       = 258 [Texts];
    DOA       = 259 [U32, U32, U8, Text, Base64OrHyphen];
    AMTRELAY  = 260 [U8, Relay] points [Data(ADDRESSES)];
    RESINFO   = 261 [Texts];
    WALLET    = 262 [Texts];
    CLA       = 263 [Texts];
    IPN       = 264 [U64];
    TA      = 32768 [U16, Code(&ALGORITHM), Code(&DIGEST), Hex];
    DLV     = 32769 [U16, Code(&ALGORITHM), Code(&DIGEST), Hex];
}

/// The question type that asks for anything (RFC 8482).
pub const ANY: Rtype = Rtype(255);
/// The question type of a whole zone (RFC 5936).
pub const AXFR: Rtype = Rtype(252);
/// The question type of a zone's changes (RFC 1995).
pub const IXFR: Rtype = Rtype(251);
/// The pseudo-record of EDNS (RFC 6891 §6.1).
pub const OPT: Rtype = Rtype(41);
/// The pseudo-record that signs a message (RFC 8945 §4.2).
pub const TSIG: Rtype = Rtype(250);

impl Row {
    /// Which word of the data is the first name that points at something.
    pub fn first_name_word(&self) -> Option<usize> {
        let names = |f: &Field| matches!(f, Name | PlainName | Gateway | Relay | Identity);
        let at = self.fields.iter().position(names).filter(|_| !self.points.is_empty())?;
        Some(match self.fields[at] {
            Gateway | Relay => at + 2, // two numbers stand before the host
            Identity => at + 3,        // algorithm, tag and key stand before the servers
            _ => at,
        })
    }
}

/// The row of a type.
pub fn row(rtype: Rtype) -> Option<&'static Row> {
    match BY_CODE.get(usize::from(rtype.0)) {
        Some(&number) => ROWS.get(usize::from(number)),
        None => ROWS.iter().rev().find(|row| row.rtype == rtype),
    }
}

/// Most types have a code below this one; the others are searched for.
const BY_CODE_END: usize = 272;

/// The number of the row by the code of the type; read off the rows when the program is built.
static BY_CODE: [u8; BY_CODE_END] = {
    let mut numbers = [u8::MAX; BY_CODE_END];
    let mut row = 0u8;
    while (row as usize) < ROWS.len() {
        let code = ROWS[row as usize].rtype.0 as usize;
        if code < BY_CODE_END {
            numbers[code] = row;
        }
        row += 1;
    }
    assert!(row < u8::MAX, "that number says that there is no row");
    numbers
};

/// Where in the data of a type the name stands whose addresses a client will want next.
pub fn target(rtype: Rtype) -> Option<usize> {
    TARGETS.get(usize::from(rtype.0)).copied().flatten()
}

/// No type from this code on has such a name.
const TARGETS_END: usize = 64;

/// By the code of the type; read off the rows when the program is built.
static TARGETS: [Option<usize>; TARGETS_END] = {
    let mut targets = [None; TARGETS_END];
    let mut row = 0;
    while row < ROWS.len() {
        if ROWS[row].target.is_some() {
            targets[ROWS[row].rtype.0 as usize] = ROWS[row].target;
        }
        row += 1;
    }
    targets
};

/// The row of a mnemonic, in any case.
pub fn by_mnemonic(text: &[u8]) -> Option<&'static Row> {
    let mut slot = slot_of(text);
    while let Some(row) = ROWS.get(usize::from(BY_MNEMONIC[slot])) {
        if row.mnemonic.as_bytes().eq_ignore_ascii_case(text) {
            return Some(row);
        }
        slot = (slot + 1) % BY_MNEMONIC_LEN;
    }
    None
}

/// Four times the rows, so that nearly each mnemonic is found at once.
const BY_MNEMONIC_LEN: usize = 512;

/// The number of a row at the slot of its mnemonic or at the next free one behind it; made when the
/// program is built.
static BY_MNEMONIC: [u8; BY_MNEMONIC_LEN] = {
    let mut numbers = [u8::MAX; BY_MNEMONIC_LEN];
    let mut row = 0u8;
    while (row as usize) < ROWS.len() {
        let mut slot = slot_of(ROWS[row as usize].mnemonic.as_bytes());
        while numbers[slot] != u8::MAX {
            slot = (slot + 1) % BY_MNEMONIC_LEN;
        }
        numbers[slot] = row;
        row += 1;
    }
    numbers
};

/// No mnemonic is longer.
const MNEMONIC_LEN_MAX: usize = 10;

/// A number made from a mnemonic, in any case of letters.
const fn slot_of(text: &[u8]) -> usize {
    let (mut slot, mut at) = (text.len(), 0);
    while at < text.len() && at < MNEMONIC_LEN_MAX {
        slot = slot.wrapping_mul(31).wrapping_add(text[at].to_ascii_uppercase() as usize);
        at += 1;
    }
    slot % BY_MNEMONIC_LEN
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
    fn each_name_of_a_row_points_somewhere_or_none_does() {
        for row in ROWS.iter().filter(|row| !row.points.is_empty()) {
            let names = |f: &&Field| matches!(f, Name | PlainName | Gateway | Relay | Identity);
            assert_eq!(row.fields.iter().filter(names).count(), row.points.len(), "{row:?}");
        }
        let word = |rtype| row(rtype).unwrap().first_name_word();
        assert_eq!([word(A), word(NS), word(SRV)], [None, Some(0), Some(3)]);
        assert_eq!([word(IPSECKEY), word(AMTRELAY), word(HIP)], [Some(3); 3]);
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
