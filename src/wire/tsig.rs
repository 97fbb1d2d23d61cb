//! The TSIG record, which signs the message that it ends (RFC 8945 §4.2).
//!
//! ```text
//! | key | 250 | ANY | 0 | length | algorithm | time (6) | fudge | length, MAC | id | error | length, other |
//! ```
//!
//! [`super::request`] notes where one stands; [`Tsig::read`] reads it and [`Tsig::write`] writes one. What
//! the octets prove is not looked at here: `guard::tsig` does that.

use super::message::name_at;
use crate::name::{Name, NameBuf};
use crate::rr::{Class, table};
use std::fmt;

/// The octets of a record between its owner and its data.
const FIXED_LEN: usize = 10;
/// The octets of the data, but for the algorithm, the MAC and what is added.
const FIELDS_LEN: usize = 16;
/// The octets of a time (RFC 8945 §4.2).
pub const TIME_LEN: usize = 6;

/// What is wrong with a signature (RFC 8945 §3, table 1). Zero if nothing is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TsigError(pub u16);

impl TsigError {
    /// Nothing is.
    pub const NONE: TsigError = TsigError(0);
    /// The message is not what was signed with that key.
    pub const BADSIG: TsigError = TsigError(16);
    /// The key, or its algorithm, is not known.
    pub const BADKEY: TsigError = TsigError(17);
    /// The message was signed at another time.
    pub const BADTIME: TsigError = TsigError(18);
    /// The MAC was shortened more than the key's owner permits.
    pub const BADTRUNC: TsigError = TsigError(22);
}

impl fmt::Debug for TsigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TsigError::NONE => f.write_str("NOERROR"),
            TsigError::BADSIG => f.write_str("BADSIG"),
            TsigError::BADKEY => f.write_str("BADKEY"),
            TsigError::BADTIME => f.write_str("BADTIME"),
            TsigError::BADTRUNC => f.write_str("BADTRUNC"),
            TsigError(code) => write!(f, "TSIG error {code}"),
        }
    }
}

/// A TSIG record.
#[derive(Clone, Debug)]
pub struct Tsig<'m> {
    /// The name of the key, in the case that it came in.
    pub key: NameBuf,
    /// The name of the algorithm, in the case that it came in.
    pub algorithm: Name<'m>,
    /// When the message was signed, in seconds since 1970; 48 bits.
    pub time_s: u64,
    /// By how many seconds the reader's clock may differ.
    pub fudge_s: u16,
    /// The message authentication code, perhaps shortened (§5.2.2.1).
    pub mac: &'m [u8],
    /// The id that the message had when it was signed.
    pub original_id: [u8; 2],
    /// What is wrong with what is answered.
    pub error: TsigError,
    /// The server's time where the client's is wrong (§5.2.3); else nothing.
    pub other: &'m [u8],
}

impl<'m> Tsig<'m> {
    /// Reads the record at `at`, which ends the message. Its owner may be compressed, the algorithm
    /// not. `None` if it is anything else than a whole TSIG record of class ANY and TTL 0.
    pub fn read(message: &'m [u8], at: usize) -> Option<Tsig<'m>> {
        let (key, end) = name_at(message, at)?;
        let (fixed, rdata) = message.get(end..)?.split_first_chunk::<FIXED_LEN>()?;
        let [t1, t2, c1, c2, ttl @ .., l1, l2] = *fixed;
        let is_tsig = [t1, t2] == table::TSIG.0.to_be_bytes()
            && [c1, c2] == Class::ANY.0.to_be_bytes()
            && ttl == [0; 4];
        let is_last = rdata.len() == usize::from(u16::from_be_bytes([l1, l2]));
        if is_tsig && is_last { Tsig::of_rdata(key, rdata) } else { None }
    }

    fn of_rdata(key: NameBuf, rdata: &'m [u8]) -> Option<Tsig<'m>> {
        let (algorithm, rest) = Name::split_from(rdata)?;
        let (&[t1, t2, t3, t4, t5, t6, f1, f2], rest) = rest.split_first_chunk()?;
        let (mac, rest) = counted(rest)?;
        let (&[i1, i2, e1, e2], rest) = rest.split_first_chunk()?;
        let (other, rest) = counted(rest)?;
        rest.is_empty().then_some(Tsig {
            key,
            algorithm,
            time_s: u64::from_be_bytes([0, 0, t1, t2, t3, t4, t5, t6]),
            fudge_s: u16::from_be_bytes([f1, f2]),
            mac,
            original_id: [i1, i2],
            error: TsigError(u16::from_be_bytes([e1, e2])),
            other,
        })
    }

    /// The octets of the record, its owner written in full.
    pub fn record_len(&self) -> usize {
        let names_len = self.key.as_name().as_wire().len() + self.algorithm.as_wire().len();
        record_len(names_len, self.mac.len() + self.other.len())
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        let rdata_len = self.record_len() - self.key.as_name().as_wire().len() - FIXED_LEN;
        out.extend_from_slice(self.key.as_name().as_wire());
        out.extend_from_slice(&table::TSIG.0.to_be_bytes());
        out.extend_from_slice(&Class::ANY.0.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&len_octets(rdata_len));
        out.extend_from_slice(self.algorithm.as_wire());
        out.extend_from_slice(&time_octets(self.time_s));
        out.extend_from_slice(&self.fudge_s.to_be_bytes());
        out.extend_from_slice(&len_octets(self.mac.len()));
        out.extend_from_slice(self.mac);
        out.extend_from_slice(&self.original_id);
        out.extend_from_slice(&self.error.0.to_be_bytes());
        out.extend_from_slice(&len_octets(self.other.len()));
        out.extend_from_slice(self.other);
    }
}

/// The octets of a record whose two names have so many, and its MAC and what is added so many.
pub const fn record_len(names_len: usize, values_len: usize) -> usize {
    names_len + FIXED_LEN + FIELDS_LEN + values_len
}

/// A time as 48 bits.
pub fn time_octets(time_s: u64) -> [u8; TIME_LEN] {
    let [_, _, octets @ ..] = time_s.to_be_bytes();
    octets
}

/// A value behind its length, and what follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(len)))
}

fn len_octets(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a record is shorter than its message").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let key: NameBuf = "Partner.example.".parse().unwrap();
        let tsig = Tsig {
            key,
            algorithm: Name::from_wire(b"\x0bhmac-sha256\0").unwrap(),
            time_s: 0x0102_0304_0506,
            fudge_s: 300,
            mac: b"0123456789abcdef",
            original_id: [7, 8],
            error: TsigError::BADTIME,
            other: &[9; 6],
        };
        let mut out = b"before".to_vec();
        tsig.write(&mut out);
        assert_eq!(out.len(), 6 + tsig.record_len());
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let octets = written();
        let tsig = Tsig::read(&octets, 6).unwrap();
        assert_eq!(tsig.key.to_string(), "Partner.example.");
        assert_eq!(tsig.algorithm.to_string(), "hmac-sha256.");
        assert_eq!((tsig.time_s, tsig.fudge_s), (0x0102_0304_0506, 300));
        assert_eq!((tsig.mac, tsig.other), (&b"0123456789abcdef"[..], &[9; 6][..]));
        assert_eq!((tsig.original_id, tsig.error), ([7, 8], TsigError::BADTIME));
    }

    #[test]
    fn the_owner_may_point_into_the_message_before_it() {
        let mut octets = b"\x07partner\x07example\0".to_vec();
        let at = octets.len();
        octets.extend_from_slice(b"\xc0\0");
        octets.extend_from_slice(&written()[6 + 17..]);
        assert_eq!(Tsig::read(&octets, at).unwrap().key.to_string(), "partner.example.");
        octets[at + 1] = u8::try_from(at).unwrap();
        assert!(Tsig::read(&octets, at).is_none(), "a pointer at itself");
    }

    #[test]
    fn what_is_cut_longer_or_of_another_class_is_none() {
        let whole = written();
        assert!((0..whole.len()).all(|len| Tsig::read(&whole[..len], 6).is_none()));
        assert!(Tsig::read(&[&whole[..], b"x"].concat(), 6).is_none());
        let at = 6 + 17; // type, class and TTL
        for (place, value) in [(at, 1), (at + 1, 249), (at + 3, 1), (at + 7, 1)] {
            let mut changed = whole.clone();
            changed[place] = value;
            assert!(Tsig::read(&changed, 6).is_none(), "{place}");
        }
    }
}
