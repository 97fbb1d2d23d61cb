//! The crate `domain` and `named-compilezone` read our text: do they find the octets that we wrote?
//!
//! Of the crate's faults these are known and stepped around: it reads nothing behind the first error,
//! panics where a file ends in a string without a line end, has no units of time, and takes names with
//! an empty label. Types that it does not know are left out.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "rdata/generate.rs"]
mod generate;
mod support;

use domain::base::Name;
use domain::base::iana::Class;
use domain::base::rdata::ComposeRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};
use generate::Source;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use support::mutants::{Good, good};
use support::peers;
use support::zone_text::sorted;
use zonesmith::rr::table::{ROWS, Row};
use zonesmith::rr::{Rtype, print};

/// The octets that the crate reads as the data of one record. `None` if it takes the text for none.
fn theirs(row: &Row, text: &str) -> Option<Vec<u8>> {
    let file = format!("x. 1 IN {} {text}\n", row.mnemonic);
    let mut zone = Zonefile::with_capacity(file.len());
    zone.extend_from_slice(file.as_bytes());
    zone.set_origin(Name::root());
    zone.set_default_class(Class::IN);
    let Ok(Some(Entry::Record(record))) = zone.next_entry() else { return None };
    if record.rtype().to_int() != row.rtype.0 {
        return None;
    }
    let mut octets = Vec::new();
    record.data().compose_rdata(&mut octets).unwrap();
    Some(octets)
}

proptest! {
    #[test]
    fn the_crate_reads_what_we_print(octets in prop::collection::vec(any::<u8>(), 0..1500)) {
        for (at, row) in ROWS.iter().enumerate() {
            let start = (at * 7) % (octets.len() + 1);
            let data = generate::data(row, &mut Source::new(&octets[start..]));
            let text = print::display(row.rtype, &data).to_string();
            if let Some(read) = theirs(row, &text) {
                prop_assert_eq!(read, data, "{} {}", row.mnemonic, text);
            }
        }
    }
}

#[test]
fn the_crate_reads_the_examples_of_the_rfcs() {
    let mut compared = BTreeSet::new();
    let lines = include_str!("rdata/examples.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let row = ROWS.iter().find(|row| row.mnemonic == fields[0]).unwrap();
        if let Some(read) = theirs(row, fields[1]) {
            let hex = read.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
            assert_eq!(hex, fields[2], "{line}");
            compared.insert(row.mnemonic);
        }
    }
    assert!(compared.len() > 25, "only {compared:?}");
}

/// All of IANA's registry, as of its last edition that the crate has seen.
#[test]
fn each_type_that_the_crate_or_bind_names_has_that_name_here() {
    for code in 0..=u16::MAX {
        let theirs = domain::base::iana::Rtype::from_int(code).to_mnemonic();
        let theirs = theirs.map(|name| String::from_utf8_lossy(name).into_owned());
        if let Some(theirs) = theirs {
            let ours = Rtype(code).mnemonic().unwrap_or_default();
            assert_eq!(ours.replace('-', ""), theirs, "{code}"); // it writes NSAPPTR
        }
    }
    let Some(checker) = peers::find("named-rrchecker") else { return };
    let names = Command::new(checker).arg("-T").output().unwrap().stdout;
    for name in String::from_utf8(names).unwrap().lines() {
        assert!(ROWS.iter().any(|row| row.mnemonic == name), "{name}");
    }
}

#[test]
fn named_compilezone_writes_the_records_that_we_read() {
    let Some(program) = peers::find("named-compilezone") else { return };
    let folder = tempfile::tempdir().unwrap();
    let zones = good(2);
    let differs = |zone: &&Good, file: &Path| match compiled(&program, zone, file) {
        Some(theirs) => sorted(&zone.text) != sorted(&theirs),
        None => false,
    };
    // BIND has a text for ATMA, which nobody writes
    let taken = zones.iter().filter(|zone| zone.apex == "x." && !zone.text.contains("ATMA"));
    let different = peers::filter(taken, folder.path(), differs);
    let shown: Vec<&str> = different.iter().map(|zone| zone.text.as_str()).collect();
    assert!(shown.is_empty(), "{}", shown.join("----\n"));
}

/// The zone as BIND writes it, each record in one line.
fn compiled(program: &Path, zone: &Good, file: &Path) -> Option<String> {
    std::fs::write(file, format!("$ORIGIN {}\n{}", zone.apex, zone.text)).unwrap();
    let out = file.with_extension("out");
    let arguments = ["-q", "-k", "ignore", "-i", "none", "-s", "full", "-o"];
    let mut command = Command::new(program);
    let command = command.args(arguments).arg(&out).arg(&zone.apex).arg(file);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    status.success().then(|| std::fs::read_to_string(out).unwrap())
}
