//! A walk through all records of a zone that can be left and taken up again.

use crate::name::Name;
use crate::rr::table;
use crate::zone::{RECORD_HEAD_LEN, Zone};

/// Where a walk stands: the next record's name, its set there, and where in the set it begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    node: u32,
    set: usize,
    at: usize,
}

/// A record as a zone holds it: type, class, TTL, length and data, without its owner.
pub(super) type Body<'z> = &'z [u8];

/// The octets of a pointer, which stands for the owner where a zone stores a record.
const OWNER_LEN: usize = 2;

impl Walk {
    /// Shows each record from here on, and goes by those that are taken; the SOA of the apex is left
    /// out, and names without records have none. Whether there are no more.
    pub(super) fn go(
        &mut self,
        zone: &Zone,
        mut take: impl FnMut(Name<'_>, Body<'_>) -> bool,
    ) -> bool {
        while let Some(node) = zone.node_at(self.node) {
            for set in node.rrsets().skip(self.set) {
                let is_left_out = self.node == 0 && set.rtype() == table::SOA;
                let records = if is_left_out { &[] } else { set.records() };
                while let Some(len) = record_len(&records[self.at..]) {
                    let end = self.at + len;
                    if !take(node.name(), &records[self.at + OWNER_LEN..end]) {
                        return false;
                    }
                    self.at = end;
                }
                (self.set, self.at) = (self.set + 1, 0);
            }
            (self.node, self.set) = (self.node + 1, 0);
        }
        true
    }
}

/// The octets of the first of some records.
fn record_len(records: &[u8]) -> Option<usize> {
    let len = records.get(RECORD_HEAD_LEN - 2..)?.first_chunk()?;
    Some(RECORD_HEAD_LEN + usize::from(u16::from_be_bytes(*len)))
}
