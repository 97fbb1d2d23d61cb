//! What holds for any octets, however they came to be: the fuzz targets feed these functions, and
//! `tests/corpus.rs` replays what the fuzzer kept.

#![allow(unreachable_pub, reason = "fuzz targets and a test include this file")]

use zonesmith::diag::{Diagnostic, Report, Span, formats, render};
use zonesmith::name::NameBuf;
use zonesmith::rr::table::{self, ROWS, Row};
use zonesmith::rr::{Record, print, rdata};
use zonesmith::wire::message::Message;
use zonesmith::zone::build::Builder;
use zonesmith::zonefile::{self, Place, format};

/// The findings of the reader and those of the builder have a bound each, of a thousand; an entry may
/// have one more than the one that reached it.
const FINDINGS_MAX: usize = 2 * (1000 + 2);

/// A zone file is read to its end. What is found lies in it and can be shown; laid out it has the same
/// records, and does not change again.
pub fn zonefile(octets: &[u8]) {
    let (records, report) = read(octets);
    assert!(report.findings.len() <= FINDINGS_MAX);
    for finding in &report.findings {
        let related = finding.related.iter().map(|(span, _)| *span);
        for span in [finding.span, finding.entry].into_iter().chain(related) {
            assert_within(span, &report, finding);
        }
    }
    show(&report);
    if let (false, Some(laid_out)) = (report.has_errors(), format::lay_out(octets)) {
        let again = format::lay_out(&laid_out);
        assert_eq!(again.as_deref(), Some(&laid_out[..]), "laid out twice");
        assert_eq!(read(&laid_out).0, records, "other records when laid out");
    }
}

/// The records of a file that may include itself under other names, and what was found.
pub fn read(octets: &[u8]) -> (Vec<String>, Report) {
    let mut builder = Builder::default().lint_up_to(usize::MAX);
    let mut records = Vec::new();
    let mut included = 0;
    let mut include = |path: &str, _: &str| {
        included += 1;
        let is_there = included < 20 && !path.is_empty();
        is_there.then(|| (path.to_string(), octets.to_vec())).ok_or("no such file".to_string())
    };
    let mut sink = |record: Record<'_>, place: Place<'_>| {
        builder.add(record, place.record, place.words);
        let Record { owner, rtype, ttl, rdata } = record;
        records.push(format!("{owner} {ttl} {rtype} {}", rdata.escape_ascii()));
    };
    let origin = "example.".parse().ok();
    let mut report =
        zonefile::read("example.zone", octets.to_vec(), origin, &mut include, &mut sink);
    let (zone, findings) = builder.finish(Span::default());
    let found_error = findings.iter().any(Diagnostic::is_error);
    assert_eq!(zone.is_none(), found_error, "a zone or an error");
    report.findings.extend(findings);
    report.drop_allowed();
    report.sort();
    (records, report)
}

fn assert_within(span: Span, report: &Report, finding: &Diagnostic) {
    let len = report.sources.get(span.source).text.len();
    let (start, end) = (span.start as usize, span.end as usize);
    assert!(start <= end && end <= len, "{start}..{end} of {len}: {finding:?}");
}

/// Each format takes whatever was found, and is well formed.
fn show(report: &Report) {
    render::report(report, true);
    let located = report.findings.iter().map(|found| formats::Located::new(found, &report.sources));
    let located: Vec<_> = located.collect();
    for (finding, located) in report.findings.iter().zip(&located) {
        assert_eq!(render::line(finding, &report.sources).lines().count(), 1);
        assert_eq!(formats::github(located).lines().count(), 1);
    }
    let mut texts = vec![formats::json(&located)];
    if located.len() % 8 == 1 {
        texts.push(formats::sarif(&located)); // it brings the explanations of all codes along
    }
    for text in texts {
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }
}

/// The data of a record: the first octet says the type, what follows is text. What is read as data
/// follows the type's row, is printed as text that gives the same data, and is printed so again.
pub fn rdata_text(octets: &[u8]) {
    let Some((&first, text)) = octets.split_first() else { return };
    let row = &ROWS[usize::from(first) % ROWS.len()];
    let Some(data) = rdata_of(row, text) else { return };
    assert!(rdata::is_valid(row, &data), "{} {data:?}", row.mnemonic);
    let parts = rdata::parts(row.rtype, &data).map(|part| match part {
        rdata::Part::Name(name) | rdata::Part::PlainName(name) => name.as_wire().len(),
        rdata::Part::Octets(octets) => octets.len(),
    });
    assert_eq!(parts.sum::<usize>(), data.len(), "{} {data:?}", row.mnemonic);
    let printed = print::display(row.rtype, &data).to_string();
    let again = rdata_of(row, printed.as_bytes());
    assert_eq!(again.as_deref(), Some(&data[..]), "{} {printed}", row.mnemonic);
}

/// Any octets as the data of a record: the first says the type. They are taken apart to their end, and
/// what follows the type's row, and nothing else, can stand in a zone file as octets, in the text of
/// its type, and in a message.
pub fn rdata_wire(octets: &[u8]) {
    let Some((&first, data)) = octets.split_first() else { return };
    let row = &ROWS[usize::from(first) % ROWS.len()];
    let parts = rdata::parts(row.rtype, data).map(|part| match part {
        rdata::Part::Name(name) | rdata::Part::PlainName(name) => name.as_wire().len(),
        rdata::Part::Octets(octets) => octets.len(),
    });
    assert_eq!(parts.sum::<usize>(), data.len(), "{} {data:?}", row.mnemonic);
    assert!(rdata::names(row, data).all(|name| name.as_wire().len() <= 255));
    assert!(rdata::same(row.rtype, data, data));
    let is_valid = rdata::is_valid(row, data);
    let hex: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
    let read = rdata_of(row, format!("\\# {} {hex}", data.len()).as_bytes());
    assert_eq!(read.as_deref(), is_valid.then_some(data), "{} {hex}", row.mnemonic);
    if is_valid {
        let printed = print::display(row.rtype, data).to_string();
        let again = rdata_of(row, printed.as_bytes());
        assert_eq!(again.as_deref(), Some(data), "{} {printed}", row.mnemonic);
    }
    let message = Message::read(&message_of(row, data));
    let record = message.as_ref().and_then(|message| message.sections[0].first());
    assert!(!is_valid || record.is_some_and(|record| record.rdata == data), "{record:?}");
}

/// A message with one record, the root's.
fn message_of(row: &Row, data: &[u8]) -> Vec<u8> {
    let header = b"\0\0\x80\0\0\0\0\x01\0\0\0\0";
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    let rtype = row.rtype.0.to_be_bytes();
    [&header[..], b"\0", &rtype, b"\0\x01\0\0\0\0", &len, data].concat()
}

/// The data that `text` behind the type is read as, if it is one record.
fn rdata_of(row: &Row, text: &[u8]) -> Option<Vec<u8>> {
    let file = [b"x 1 ", row.mnemonic.as_bytes(), b" ", text, b"\n"].concat();
    let mut data = Vec::new();
    let mut include = |_: &str, _: &str| Err(String::new());
    let mut sink =
        |record: Record<'_>, _: Place<'_>| data.push((record.rtype, record.rdata.to_vec()));
    let origin = "example.".parse().ok();
    let report = zonefile::read("t", file, origin, &mut include, &mut sink);
    let one = data.len() == 1 && data[0].0 == row.rtype && !report.has_errors();
    one.then(|| data.swap_remove(0).1)
}

/// Text that is a name is printed as text that is the same name, on its own and in a zone file.
pub fn name_text(octets: &[u8]) {
    let origin: NameBuf = "example.".parse().expect("a name");
    let Ok(name) = zonesmith::name::text::parse(octets, Some(origin.as_name())) else { return };
    let wire = name.as_name().as_wire();
    assert!(wire.len() <= 255 && wire.last() == Some(&0), "{wire:?}");
    let again = zonesmith::name::Name::from_wire(wire).expect("a name on the wire");
    assert!(again.labels().all(|label| label.len() <= 63));
    let printed = name.to_string();
    let parsed = zonesmith::name::text::parse(printed.as_bytes(), None);
    assert_eq!(parsed.expect("what was printed").as_name().as_wire(), wire, "{printed}");
    let row = table::row(table::NS).expect("NS is known");
    assert_eq!(rdata_of(row, printed.as_bytes()).as_deref(), Some(wire), "{printed}");
}
