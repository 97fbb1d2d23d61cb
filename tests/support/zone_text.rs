//! The records of a zone file as the crate reads them, as text to compare.

use zonesmith::diag::Report;
use zonesmith::name::NameBuf;
use zonesmith::rr::Record;
use zonesmith::zonefile::{self, Place};

/// The records of a zone `x.` in their order, each as `owner ttl type data`, and what was found.
/// Nothing can be included.
pub fn read(text: &str) -> (Vec<String>, Report) {
    let origin: NameBuf = "x.".parse().expect("a name");
    let mut records = Vec::new();
    let mut sink = |record: Record<'_>, _: Place<'_>| {
        let Record { owner, ttl, rtype, rdata } = record;
        records.push(format!("{owner} {ttl} {rtype} {}", rdata.escape_ascii()));
    };
    let mut include = |_: &str, _: &str| Err("there are no others".to_string());
    let report = zonefile::read("x", text.into(), Some(origin), &mut include, &mut sink);
    (records, report)
}

/// The records in an order of their own.
pub fn sorted(text: &str) -> Vec<String> {
    let mut records = read(text).0;
    records.sort();
    records
}
