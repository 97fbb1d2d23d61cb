//! Which records are the zone's: those at its apex or below it, with one SOA.

use super::{Builder, Raw};
use crate::diag::codes;
use crate::rr::{rdata, table};
use std::collections::HashSet;

impl Builder {
    /// Every record is at the apex or below it. Where most are not, the apex is wrong.
    pub(super) fn check_membership(&mut self, soa: Raw) {
        let apex = self.name(soa.name).to_buf();
        if self.names.iter().all(|name| name.is_within(apex.as_name())) {
            return;
        }
        let outside: Vec<Raw> = self
            .records
            .iter()
            .copied()
            .filter(|record| !self.name(record.name).is_within(apex.as_name()))
            .collect();
        if outside.len() * 2 >= self.records.len() {
            let apart = (outside.len(), self.records.len());
            let what = format!("{} of {} records are not within {apex}", apart.0, apart.1);
            let found = self.find(&codes::OUT_OF_ZONE, soa.span, what);
            found.label = "the zone is the owner of this SOA".into();
            found.related.push((outside[0].span, "the first one".into()));
            found.help = Some("`@` is the origin: the file's name, or what $ORIGIN says".into());
            return;
        }
        let mut told = HashSet::new();
        for record in outside.iter().filter(|record| told.insert(record.name)) {
            let what = format!("{} is not within {apex}", self.name(record.name));
            let found = self.find(&codes::OUT_OF_ZONE, record.span, what);
            found.related.push((soa.span, "the zone is the owner of this SOA".into()));
            found.help =
                Some("without its final dot a name is relative to the origin, see $ORIGIN".into());
        }
    }

    /// There is one SOA.
    pub(super) fn check_single_soa(&mut self, soa: Raw) {
        if self.soas == 1 {
            return;
        }
        let others: Vec<Raw> = self
            .records
            .iter()
            .copied()
            .filter(|record| record.rtype == table::SOA && record.data != soa.data)
            .filter(|record| {
                record.name != soa.name
                    || !rdata::same(table::SOA, self.rdata(record), self.rdata(&soa))
            })
            .collect();
        for record in others {
            self.find(&codes::SOA_TWICE, record.span, "the zone has its SOA already")
                .related
                .push((soa.span, "here".into()));
        }
    }
}
