//! The page on the codes teaches: does each example do what it says?
//!
//! A block fenced as `zone` below "Wrong:" is saved as `example.zone` and gives the section's code,
//! once, and nothing else. One below "Right:" gives nothing.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

use zonesmith::diag::{codes, explain, render};
use zonesmith::reload::load::{self, Lints};

/// The codes that no text of a single zone file can show.
const WITHOUT_EXAMPLE: [&str; 15] = [
    "Z001", "Z003", "Z004", "Z005", "Z006", "Z007", "Z008", "Z009", "Z010", "Z011", "Z012", "Z013",
    "Z401", "Z402", "Z403",
];

/// When the examples are read: 2026-11-22.
const NOW: u32 = 1_795_305_600;

/// A terminal that is not wide shows an explanation without breaking its lines.
const TEXT_WIDTH: usize = 104;

#[test]
fn each_code_has_its_section_in_its_place() {
    let headings = explain::PAGE.lines().filter_map(|line| line.strip_prefix("## "));
    let expected = codes::ALL.iter().map(|code| format!("{}: {}", code.id, code.title));
    assert_eq!(headings.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    for code in codes::ALL {
        let examples = examples(explain::section(code));
        let has = |kind| examples.iter().any(|(is, _)| *is == kind);
        let named = WITHOUT_EXAMPLE.contains(&code.id) || code.id == "Z002";
        assert!(named || (has("Wrong:") && has("Right:")), "{} needs both examples", code.id);
    }
}

#[test]
fn each_example_gives_what_it_says() {
    let mut wrong = Vec::new();
    for code in codes::ALL {
        for (kind, text) in examples(explain::section(code)) {
            let (found, shown) = findings(text);
            let expected = if kind == "Wrong:" { vec![code.id] } else { Vec::new() };
            if found != expected {
                wrong.push(format!("{} {kind}\n{text}\n{shown}", code.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lines_are_short_enough_for_a_terminal() {
    for code in codes::ALL {
        let long =
            explain::text(code).lines().find(|line| line.chars().count() > TEXT_WIDTH).is_some();
        assert!(!long, "{} has a line too long", code.id);
    }
}

/// The blocks of a section, each with the line before it.
fn examples(section: &str) -> Vec<(&str, &str)> {
    let (mut blocks, mut rest) = (Vec::new(), section);
    while let Some((before, block)) = rest.split_once("```zone\n") {
        let (text, after) = block.split_once("```").expect("a block has an end");
        let kind = before.trim_end().lines().last().unwrap_or_default();
        assert!(["Wrong:", "Right:"].contains(&kind), "`{kind}` before a block");
        blocks.push((kind, text));
        rest = after;
    }
    blocks
}

/// The codes of what is found in a zone file called `example.zone`, and how that is shown.
fn findings(text: &str) -> (Vec<&'static str>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.zone");
    std::fs::write(&path, text).unwrap();
    let report = load::load_at(&path, &[], Lints::All, NOW).report;
    let ids = report.findings.iter().map(|finding| finding.code.id).collect();
    (ids, render::report(&report, false))
}
