//! Records in the order of the zone: by name, then by type, each once, with one TTL for a set.
//!
//! Files have the records of a name side by side, nearly all of them: then only those of one name are
//! put in order, and nothing is moved far.

use super::{Builder, Raw};
use crate::diag::codes;
use crate::diag::{Fix, Meant};
use crate::rr::rdata;
use std::borrow::Cow;
use std::collections::HashMap;

/// From so many records on, a set's duplicates are looked for by hashing instead of pairwise.
const PAIRWISE_MAX: usize = 16;

impl Builder {
    /// Puts the records in order: those of the name numbered `apex` first, then by the numbers of the
    /// names, which are in the order of the file; by type; by place.
    pub(super) fn sort(&mut self, apex: u32) {
        let name = |record: &Raw| (record.name != apex, record.name);
        if !self.records.is_sorted_by_key(name) {
            return self.records.sort_by_key(|record| (name(record), record.set()));
        }
        for node in self.records.chunk_by_mut(|a, b| a.name == b.name) {
            node.sort_by_key(Raw::set);
        }
    }

    /// The records of a set, each once. The data of the others go into `copies`.
    pub(super) fn without_duplicates<'s>(
        &mut self,
        set: &'s [Raw],
        copies: &mut Vec<u32>,
    ) -> Cow<'s, [Raw]> {
        if set.len() <= PAIRWISE_MAX && !self.has_pair(set) {
            return Cow::Borrowed(set);
        }
        let mut kept: Vec<Raw> = Vec::with_capacity(set.len());
        let mut seen: HashMap<Vec<u8>, Vec<Raw>> = HashMap::new();
        for record in set {
            let alike = seen.entry(self.rdata(record).to_ascii_lowercase()).or_default();
            match alike.iter().find(|other| self.is_same(other, record)) {
                Some(&first) => {
                    self.find_copy(record, first);
                    copies.push(record.data);
                }
                None => {
                    alike.push(*record);
                    kept.push(*record);
                }
            }
        }
        Cow::Owned(kept)
    }

    fn has_pair(&self, set: &[Raw]) -> bool {
        let mut behind = set.iter().enumerate();
        behind.any(|(at, record)| set[..at].iter().any(|other| self.is_same(other, record)))
    }

    fn is_same(&self, a: &Raw, b: &Raw) -> bool {
        rdata::same(a.rtype, self.rdata(a), self.rdata(b))
    }

    fn find_copy(&mut self, record: &Raw, first: Raw) {
        let found = self.find(&codes::DUPLICATE, record.span, "this record is there already");
        found.related.push((first.span, "first here".into()));
        found.fix = Some(Fix::of([record.span], &Meant::Gone)); // one of it is served
    }

    /// The TTL of a set: the lowest, with a warning at the first record that differs.
    pub(super) fn common_ttl(&mut self, set: &[Raw]) -> u32 {
        let first = set[0];
        let Some(other) = set.iter().find(|record| record.ttl != first.ttl) else {
            return first.ttl;
        };
        let lowest = set.iter().map(|record| record.ttl).min().unwrap_or(first.ttl);
        let what = format!(
            "TTL {} here and {} before in one set of {} records: {lowest} is used for all",
            other.ttl, first.ttl, first.rtype
        );
        let higher = set.iter().filter(|record| record.ttl > lowest).map(|record| record.span);
        let fix = Fix::of(higher, &Meant::Ttl(lowest));
        let found = self.find(&codes::TTL_DIFFERS, other.span, what);
        found.related.push((first.span, format!("TTL {} here", first.ttl)));
        // the lowest is what is served; zero may be a TTL that was too large
        found.fix = Some(fix).filter(|_| lowest > 0);
        lowest
    }
}
