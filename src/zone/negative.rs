//! The SOA of a negative answer (RFC 2308 §3), ready to be copied.
//!
//! It is in every answer that there is nothing, its owner is the zone's name, and the names in its data
//! most often end with that. So the record is kept with room for pointers at where the question has it.

use super::{RECORD_HEAD_LEN, Zone};
use crate::name::Name;
use arrayvec::ArrayVec;

/// The record, and where two octets in it are to point at the zone's name in the question.
#[derive(Clone, Debug, Default)]
pub struct NegativeSoa {
    record: Vec<u8>,
    pointers: ArrayVec<usize, 3>,
}

impl NegativeSoa {
    /// That of a zone whose records are all there.
    pub(super) fn of(zone: &Zone) -> NegativeSoa {
        let soa = zone.negative_soa();
        let mut record = soa.records()[..RECORD_HEAD_LEN].to_vec();
        record[super::TTL_AT..super::TTL_AT + 4].copy_from_slice(&soa.ttl().to_be_bytes());
        let mut negative = NegativeSoa { record, pointers: ArrayVec::from_iter([0]) };
        let mut rest = zone.soa_data();
        for _ in 0..2 {
            rest = negative.add_name(zone, rest);
        }
        negative.record.extend_from_slice(rest);
        negative.set_len();
        negative
    }

    /// The record, and where its pointers stand.
    pub fn parts(&self) -> (&[u8], &[usize]) {
        (&self.record, &self.pointers)
    }

    /// Takes the name off the front of the data.
    fn add_name<'r>(&mut self, zone: &Zone, rest: &'r [u8]) -> &'r [u8] {
        let name = Name::stored(rest);
        match zone.before_apex(name) {
            Some(before) => {
                self.record.extend_from_slice(&rest[..usize::from(before)]);
                self.pointers.push(self.record.len());
                self.record.extend_from_slice(&[0xc0, 0]);
            }
            None => self.record.extend_from_slice(name.as_wire()),
        }
        &rest[name.as_wire().len()..]
    }

    fn set_len(&mut self) {
        let len = u16::try_from(self.record.len() - RECORD_HEAD_LEN).unwrap_or(u16::MAX);
        self.record[RECORD_HEAD_LEN - 2..RECORD_HEAD_LEN].copy_from_slice(&len.to_be_bytes());
    }
}
