//! Record data: do reading and printing undo each other for every type, do they agree with another
//! server, and do they say what the RFCs say?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

#[path = "rdata/generate.rs"]
mod generate;
mod support;

use generate::Source;
use proptest::prelude::*;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use support::peers;
use zonesmith::rr::rdata::{self, Part};
use zonesmith::rr::table::{self, Field, ROWS, Row};
use zonesmith::rr::{Record, print};

/// Data that were read: those of each owner, and the findings as `word: message`.
#[derive(Default)]
struct Read {
    data: HashMap<String, Vec<u8>>,
    findings: Vec<String>,
}

/// Reads records below the root, a line each.
fn read(lines: &str) -> Read {
    let mut read = Read::default();
    let mut include = |_: &str, _: &str| Err("nothing is included here".to_string());
    let mut sink = |record: Record<'_>, _: zonesmith::zonefile::Place<'_>| {
        read.data.insert(record.owner.to_string(), record.rdata.to_vec());
    };
    let origin = ".".parse().ok();
    let text = lines.as_bytes().to_vec();
    let report = zonesmith::zonefile::read("t", text, origin, &mut include, &mut sink);
    for found in &report.findings {
        let word = lines.get(found.span.start as usize..found.span.end as usize).unwrap_or("");
        read.findings.push(format!("{}: {}", word.trim_end(), found.message));
    }
    read
}

/// Reads the data of one record.
fn read_one(rtype: &str, text: &str) -> Result<Vec<u8>, String> {
    let mut read = read(&format!("x 1 {rtype} {text}\n"));
    read.data.remove("x.").ok_or_else(|| read.findings.join("; "))
}

fn shown(row: &Row, data: &[u8]) -> String {
    print::display(row.rtype, data).to_string()
}

/// Data for each row, from one run of random octets; each row starts at another place.
fn data_for_all(octets: &[u8]) -> Vec<(&'static Row, Vec<u8>)> {
    let start = |at: usize| &octets[(at * 7) % (octets.len() + 1)..];
    let rows = ROWS.iter().enumerate();
    rows.map(|(at, row)| (row, generate::data(row, &mut Source::new(start(at))))).collect()
}

/// Prints each of the data and reads all of it again, in one file.
fn assert_inverse(all: &[(&Row, Vec<u8>)]) -> Result<(), TestCaseError> {
    let texts: Vec<String> = all.iter().map(|(row, data)| shown(row, data)).collect();
    let line = |(at, (row, _)): (usize, &(&Row, Vec<u8>))| {
        format!("x{at} 1 {} {}\n", row.mnemonic, texts[at])
    };
    let read = read(&all.iter().enumerate().map(line).collect::<String>());
    prop_assert!(read.findings.is_empty(), "{:?}", read.findings);
    for (at, (row, data)) in all.iter().enumerate() {
        let again = &read.data[&format!("x{at}.")];
        prop_assert_eq!(again, data, "{} {}", row.mnemonic, &texts[at]);
    }
    Ok(())
}

proptest! {
    #[test]
    fn valid_data_are_printed_by_their_row_and_read_again(
        octets in prop::collection::vec(any::<u8>(), 0..1500),
    ) {
        let all = data_for_all(&octets);
        for (row, data) in &all {
            prop_assert!(rdata::is_valid(row, data), "{} {data:?}", row.mnemonic);
            let has_text = row.fields != [Field::Octets];
            let text = shown(row, data);
            prop_assert_eq!(!text.starts_with(r"\#"), has_text, "{} {}", row.mnemonic, text);
        }
        assert_inverse(&all)?;
    }

    #[test]
    fn whatever_the_octets_what_is_valid_survives(
        octets in prop::collection::vec(any::<u8>(), 0..1500),
        at in any::<prop::sample::Index>(),
        change in 1u8..,
    ) {
        let mut all = data_for_all(&octets);
        for (_, data) in &mut all {
            let at = at.index(data.len() + 1);
            match data.get_mut(at) {
                Some(octet) => *octet ^= change,
                None if change % 2 == 0 => data.push(change),
                None => drop(data.pop()),
            }
        }
        all.retain(|(row, data)| rdata::is_valid(row, data));
        assert_inverse(&all)?;
    }

    #[test]
    fn a_mistyped_text_is_refused_or_gives_valid_data(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        at in any::<prop::sample::Index>(),
        typed in prop::sample::select(&b" .,:-!/\\0159afgzN\"=@#+"[..]),
    ) {
        for (row, data) in data_for_all(&octets) {
            let mut text = shown(row, &data).into_bytes();
            let at = at.index(text.len() + 1);
            text.splice(at..(at + 1).min(text.len()), [typed]);
            let text = String::from_utf8(text).unwrap();
            if let Ok(read) = read_one(row.mnemonic, &text) {
                prop_assert!(rdata::is_valid(row, &read), "{} {text}", row.mnemonic);
                assert_inverse(&[(row, read)])?;
            }
        }
    }

    #[test]
    fn parts_are_the_whole(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let arbitrary = ROWS.iter().map(|row| (row, octets.clone()));
        for (row, data) in arbitrary.chain(data_for_all(&octets)) {
            let parts = rdata::parts(row.rtype, &data).flat_map(|part| match part {
                Part::Name(name) | Part::PlainName(name) => name.as_wire(),
                Part::Octets(octets) => octets,
            });
            prop_assert_eq!(parts.copied().collect::<Vec<u8>>(), data);
        }
    }
}

/// What BIND takes as octets it must read from our text as these octets, and we from its text. What
/// it does not take as octets is left out: it looks deeper into some fields (the regular expression
/// of NAPTR, the key of DNSKEY).
#[test]
fn named_rrchecker_reads_what_we_print_and_we_what_it_prints() {
    let Some(checker) = peers::find("named-rrchecker") else { return };
    let known = String::from_utf8(rrchecker(&checker, "-T", "").unwrap()).unwrap();
    let known: Vec<&str> = known.lines().collect();
    let mut compared = 0;
    for seed in 1..=rounds() {
        for (row, data) in data_for_all(&noise(seed)) {
            if !known.contains(&row.mnemonic) {
                continue;
            }
            let record = |text: &str| format!("IN {} {text}\n", row.mnemonic);
            let octets = data.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
            let generic = record(&format!(r"\# {} {octets}", data.len()));
            let Some(canonical) = rrchecker(&checker, "-u", &generic) else { continue };
            let text = shown(row, &data);
            let theirs = rrchecker(&checker, "-u", &record(&text));
            assert_eq!(theirs, Some(canonical), "{} {text}", row.mnemonic);
            let printed = String::from_utf8(rrchecker(&checker, "-p", &generic).unwrap()).unwrap();
            let printed = printed.trim_end().splitn(3, '\t').nth(2).unwrap_or("").to_string();
            let ours = read_one(row.mnemonic, &printed);
            // It writes times far ahead as times before 1970, and types in SIG as bare numbers.
            let is_past = |word: &str| word.len() == 14 && word.starts_with("19");
            let is_odd = || row.rtype == table::SIG || printed.split(' ').any(is_past);
            assert!(ours.as_ref() == Ok(&data) || is_odd(), "{} {printed}: {ours:?}", row.mnemonic);
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} records were compared");
}

/// How often the other server is asked about each type: each question starts a program.
fn rounds() -> u32 {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.map_or(1, |cases: u32| (cases / 1000).max(1))
}

/// What the program prints about one record, if it takes it.
fn rrchecker(program: &Path, argument: &str, record: &str) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    let command = command.arg(argument).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // One that has seen enough closes its end early.
    let _ = child.stdin.take().unwrap().write_all(record.as_bytes());
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// Octets that look random and are the same in every run.
fn noise(seed: u32) -> Vec<u8> {
    let step = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(seed), step);
    states.skip(8).take(3000).map(|state| state.to_be_bytes()[0]).collect()
}

/// The lines of a file of examples, cut at their bars.
fn examples(file: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

#[test]
fn examples_of_the_rfcs_have_their_octets_and_their_text() {
    let mut with_example = std::collections::BTreeSet::new();
    for fields in examples(include_str!("rdata/examples.txt")) {
        let [rtype, text, octets, ..] = fields[..] else { panic!("{fields:?}") };
        let data = read_one(rtype, text).unwrap();
        let hex = data.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        assert_eq!(hex, octets, "{rtype} {text}");
        let row = table::by_mnemonic(rtype.as_bytes()).unwrap();
        assert_eq!(shown(row, &data), *fields.get(3).unwrap_or(&text), "{rtype}");
        with_example.insert(row.rtype);
    }
    let without = ROWS.iter().filter(|row| !with_example.contains(&row.rtype));
    let without: Vec<&str> = without.map(|row| row.mnemonic).collect();
    assert_eq!(without, ["NXT", "A6", "UINFO", "GID", "UNSPEC"], "types that have no text");
}

#[test]
fn messages_are_about_the_word_that_is_wrong_and_say_what_was_expected() {
    for fields in examples(include_str!("rdata/wrong.txt")) {
        let [rtype, marked, message] = fields[..] else { panic!("{fields:?}") };
        let (before, rest) = marked.split_once('[').unwrap();
        let (word, after) = rest.split_once(']').unwrap();
        let found = read_one(rtype, &format!("{before}{word}{after}")).unwrap_err();
        // with the type, if that may be what is wrong
        let found = found.strip_prefix(&format!("{rtype} ")).unwrap_or(&found);
        assert!(found.starts_with(&format!("{word}: ")), "{rtype} {marked}: {found}");
        assert!(found.contains(message), "{rtype} {marked}: {found}");
    }
}
