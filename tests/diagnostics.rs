//! What a zone file's author is told: each mistake, found once, with its code and under its carets
//! the very text that is wrong.
//!
//! `tests/zonefile/*.zone` carry their findings where they belong, as a comment on the line, with
//! the text under the carets in quotes:
//!
//! ```text
//! www  AA  192.0.2.1     ; error[Z103]: "AA"
//! ```
//!
//! A line that cannot bear a comment has it on the next one, behind `; ^`, or on the one after that,
//! behind `; ^^`. In the text `\"` is a
//! quote, `\\` a backslash, `\n` a line's end. A file without such comments loads without a word.
//!
//! `*.rendered` beside a file is all that `check` shows of it; `BLESS=1 cargo test --test
//! diagnostics` writes those that exist anew, for the difference to be looked at.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use zonesmith::diag::{Diagnostic, Report, Severity, codes, render};
use zonesmith::reload::load::{Lints, Loaded, load_at};

/// A finding or the expectation of one, as text: `file:line: error[Z103]: "AA"`.
type Finding = String;

#[test]
fn every_file_has_the_findings_that_it_says() {
    let mut wrong = Vec::new();
    for path in files("zone") {
        let loaded = load(&path);
        let report = &loaded.report;
        let sources = report.sources.iter().map(|s| (file_name(&s.name), &s.text));
        let sources: BTreeMap<_, _> = sources.collect(); // each once, however often it was included
        let mut expected: Vec<Finding> =
            sources.iter().flat_map(|(name, text)| expectations(name, text)).collect();
        let mut found: Vec<Finding> = report.findings.iter().map(|f| describe(f, report)).collect();
        expected.sort();
        found.sort();
        if loaded.zone.is_none() != report.has_errors() {
            wrong.push(format!("{}: errors and no zone, or neither", path.display()));
        }
        let missing = expected.iter().filter(|finding| !found.contains(finding));
        wrong.extend(missing.map(|finding| format!("not found: {finding}")));
        let unexpected = found.iter().filter(|finding| !expected.contains(finding));
        wrong.extend(unexpected.map(|finding| format!("not expected: {finding}")));
        if expected.len() != found.len() {
            wrong.push(format!("{}: a finding stands there twice", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_code_of_a_single_file_is_met() {
    let texts: String = files("zone").iter().map(|path| read(path)).collect();
    let elsewhere = [
        &codes::FILE_UNREADABLE,
        &codes::ZONE_TWICE,
        &codes::SERIAL_SAME,
        &codes::SERIAL_BACKWARD,
        &codes::NOT_COMPARED,
        &codes::NOTHING_TO_COMPARE,
        &codes::RECORDS_GONE,
        &codes::CUT_SHORT,
        &codes::SERIAL_FIXED,
        &codes::GROUP_WAITS,
        &codes::CONFIG_SYNTAX,
        &codes::CONFIG_KEY,
        &codes::CONFIG_VALUE,
    ];
    for code in codes::ALL.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(texts.contains(&format!("[{}]: \"", code.id)), "no file shows {}", code.id);
    }
}

#[test]
fn every_finding_that_the_author_must_mend_says_how() {
    for path in files("zone") {
        let report = load(&path).report;
        for finding in report.findings.iter().filter(|finding| finding.is_error()) {
            let text = render::one(finding, &report.sources, false);
            let says_more =
                finding.help.is_some() || !finding.label.is_empty() || !finding.related.is_empty();
            let says_what = finding.message.contains("expected") || finding.message.contains(':');
            assert!(says_more || says_what, "this leaves its reader alone:\n{text}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_or_empty_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.example.zone");
    let codes_of = |path: &Path| {
        let loaded = load(path);
        assert_eq!(loaded.apex.unwrap().to_string(), "gone.example.");
        loaded.report.findings.iter().map(|finding| finding.code.id).collect::<Vec<_>>()
    };
    assert_eq!(codes_of(&path), ["Z001"]);
    std::fs::write(&path, "").unwrap();
    assert_eq!(codes_of(&path), ["Z002"]);
}

#[test]
fn a_record_too_long_and_a_file_that_is_no_zone_file_have_few_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.zone");
    let findings = |text: String| {
        std::fs::write(&path, text).unwrap();
        load(&path).report
    };
    let strings = [&"t".repeat(255)[..]; 257].join(" ");
    let report = findings(format!("$TTL 1\n@ SOA ns a 1 1 1 1 1\n@ NS ns\n@ TXT {strings}\n"));
    assert_eq!(report.findings.len(), 1);
    assert!(report.findings[0].message.contains("65792 octets, at most 65535"), "{report:?}");
    assert!(render::report(&report, false).len() < 2000);
    assert_eq!(findings("what is this\n".repeat(5000)).findings.len(), 1000);
    let report = findings("x".repeat(1_000_000));
    assert!(render::report(&report, false).len() < 2000);
}

#[test]
fn reports_look_as_they_did() {
    let bless = std::env::var_os("BLESS").is_some();
    for path in files("rendered") {
        let report = load(&path.with_extension("zone")).report;
        let text = render::report(&report, false).replace(&*folder().to_string_lossy(), "zones");
        let text = format!("{text}\n");
        if bless {
            std::fs::write(&path, text).unwrap();
        } else {
            assert_eq!(read(&path), text, "{}: see BLESS=1", path.display());
        }
    }
}

/// Reads a file as of 2026-11-22.
fn load(path: &Path) -> Loaded {
    load_at(path, &[], Lints::Quick, 1_795_305_600)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zonefile")
}

/// The files of that extension, by name. There are some, or the tests would prove nothing.
fn files(extension: &str) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths: BTreeSet<_> =
        paths.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    assert!(!paths.is_empty());
    paths
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// A finding as the comment in the file would say it.
fn describe(finding: &Diagnostic, report: &Report) -> Finding {
    let source = report.sources.get(finding.span.source);
    let line = report.sources.line(finding.span).number;
    let span = finding.span.start as usize..(finding.span.end as usize).min(source.text.len());
    let text = String::from_utf8_lossy(&source.text[span]).into_owned();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let word = match finding.code.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{}:{line}: {word}[{}]: \"{text}\"", file_name(&source.name), finding.code.id)
}

/// What the comments of a file say will be found in it.
fn expectations(name: &str, text: &[u8]) -> Vec<Finding> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().enumerate().flat_map(|(at, line)| {
        let carets = line.strip_prefix("; ").unwrap_or_default().bytes();
        let number = at + 1 - carets.take_while(|&octet| octet == b'^').count();
        let marks = in_line(line).into_iter();
        marks.map(move |mark| format!("{}:{number}: {mark}", file_name(name)))
    });
    lines.collect()
}

/// Every `error[Z103]: "AA"` of a line.
fn in_line(line: &str) -> Vec<String> {
    let mut marks = Vec::new();
    let mut rest = line;
    let next =
        |rest: &str| ["error[Z", "warning[Z", "note[Z"].iter().filter_map(|w| rest.find(w)).min();
    while let Some(start) = next(rest) {
        rest = &rest[start..];
        let quote = rest.find(": \"").expect("a mark is written error[Z103]: \"text\"") + 3;
        let mut escaped = false;
        let ends = |c: char| {
            let end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        };
        let len = rest[quote..].find(ends).expect("the text of a mark ends with a quote");
        marks.push(rest[..=quote + len].to_string());
        rest = &rest[quote + len + 1..];
    }
    marks
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().unwrap().to_string_lossy().into_owned()
}
