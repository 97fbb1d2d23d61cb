//! The records of a zone file as the crate reads them, as text to compare.

use zonesmith::diag::{Diagnostic, Report, Span};
use zonesmith::name::NameBuf;
use zonesmith::rr::Record;
use zonesmith::zone::build::Builder;
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

/// The errors of a zone.
pub fn errors(apex: &str, text: &str) -> Vec<Diagnostic> {
    built(apex, text).1
}

/// Whether a text is a good zone of that name.
pub fn is_good(apex: &str, text: &str) -> bool {
    let (is_it, errors) = built(apex, text);
    is_it && errors.is_empty()
}

/// Whether the text is about that zone, as its SOA says, and its errors.
fn built(apex: &str, text: &str) -> (bool, Vec<Diagnostic>) {
    let apex: NameBuf = apex.parse().expect("a name");
    let mut builder = Builder::default();
    let mut include = |_: &str, _: &str| Err("there are no others".to_string());
    let mut sink = |record: Record<'_>, at: Place<'_>| builder.add(record, at.record, at.words);
    let origin = Some(apex.clone());
    let report = zonefile::read("x", text.into(), origin, &mut include, &mut sink);
    let is_it = builder.apex().is_some_and(|of| of.as_name() == apex.as_name());
    let mut findings = report.findings;
    if !findings.iter().any(Diagnostic::is_error) {
        findings.extend(builder.finish(Span::default()).1);
    }
    findings.retain(Diagnostic::is_error);
    (is_it, findings)
}
