//! What a question for changes says besides its question (RFC 1995 §3).

use crate::name::Name;
use crate::rr::table;
use crate::wire::HEADER_LEN;
use crate::zone::serial_of;

/// Octets between a record's owner and its data.
const FIXED_LEN: usize = 10;

/// The serial that the asker has: that of the SOA in the authority section of a question for changes,
/// whose question ends at `question_end`.
pub fn serial_asked_from(message: &[u8], question_end: usize) -> Option<u32> {
    let counts = message.get(6..HEADER_LEN)?;
    if counts[..4] != [0, 0, 0, 1] {
        return None; // no answers, one authority
    }
    let rest = message.get(question_end..)?;
    let rest = behind_owner(rest)?;
    let (fixed, rest) = rest.split_first_chunk::<FIXED_LEN>()?;
    let data = rest.get(..usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
    let is_soa = fixed[..2] == table::SOA.0.to_be_bytes();
    serial_of(data).filter(|_| is_soa)
}

/// What stands behind an owner, which may be a pointer at the question.
fn behind_owner(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.first()? {
        0xc0.. => bytes.get(2..),
        _ => Name::split_from(bytes).map(|(_, rest)| rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `example. IXFR`, and an authority section.
    fn query(authority: &[u8], count: u8) -> (Vec<u8>, usize) {
        let head = [0, 1, 0, 0, 0, 1, 0, 0, 0, count, 0, 0];
        let question = b"\x07example\0\0\xfb\0\x01";
        let message = [&head[..], question, authority].concat();
        (message, head.len() + question.len())
    }

    fn soa(owner: &[u8], serial: u8) -> Vec<u8> {
        let numbers = [0, 0, 0, serial, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5];
        let fixed = [0, 6, 0, 1, 0, 0, 0, 0, 0, 24];
        [owner, &fixed, b"\xc0\x0c\xc0\x0c", &numbers].concat()
    }

    #[test]
    fn the_serial_is_that_of_the_soa_in_the_authority_section() {
        for owner in [&b"\xc0\x0c"[..], b"\x07example\0"] {
            let (message, end) = query(&soa(owner, 7), 1);
            assert_eq!(serial_asked_from(&message, end), Some(7));
            for len in 0..message.len() {
                assert_eq!(serial_asked_from(&message[..len], end), None, "{len} octets");
            }
        }
    }

    #[test]
    fn without_one_soa_there_is_none() {
        let mut other = soa(b"\xc0\x0c", 7);
        other[3] = 16;
        for (authority, count) in [(vec![], 0), (soa(b"\xc0\x0c", 7), 2), (other, 1)] {
            let (message, end) = query(&authority, count);
            assert_eq!(serial_asked_from(&message, end), None);
        }
    }
}
