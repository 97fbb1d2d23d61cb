//! A slip of the finger in a good zone: is it told once, and at its place?
//!
//! Each token of many good zones is changed in some ways. Of the changes that make the zone wrong, as
//! `named-checkzone` judges, nearly all must give exactly one error, with the changed token under its
//! carets: the carets cover it, or stand within it, or touch the place where it was.
//! `ZONESMITH_LONG=1` tries them all, else a sample.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::mutants::{Good, Mutant, good, mutants};
use support::peers;
use support::zone_text::errors;
use zonesmith::diag::{Diagnostic, Span};

/// Of a hundred changes that make a zone wrong, so many are told well.
const TOLD_PERCENT_MIN: usize = 95;
/// The same of a sample, which may have drawn more than its share of the others.
const TOLD_OF_SAMPLE_PERCENT_MIN: usize = 93;
/// The examples of record data stand in zones of so many records.
const EXAMPLES_PER_ZONE: usize = 12;
/// One of so many changes is tried, unless the run is a long one.
const SAMPLE: usize = 31;
#[test]
fn no_good_zone_has_an_error() {
    for zone in good(EXAMPLES_PER_ZONE) {
        let found = errors(&zone.apex, &zone.text);
        assert!(found.is_empty(), "{}: {found:?}", zone.file);
    }
}

#[test]
fn a_slip_is_told_once_and_at_its_place() {
    let Some(checker) = peers::find("named-checkzone") else { return };
    let step = if std::env::var_os("ZONESMITH_LONG").is_some() { 1 } else { SAMPLE };
    let zones = good(EXAMPLES_PER_ZONE);
    let folder = tempfile::tempdir().unwrap();
    let taken: Vec<&Good> = zones
        .iter()
        .filter(|zone| takes(&checker, &folder.path().join("good"), &zone.apex, &zone.text))
        .collect();
    assert!(taken.len() > zones.len() / 2, "{} of {} zones", taken.len(), zones.len());
    let all: Vec<Mutant<'_>> = taken.into_iter().flat_map(mutants).step_by(step).collect();
    let is_wrong = |mutant: &&Mutant<'_>, worker: &Path| {
        !takes(&checker, worker, &mutant.zone.apex, &mutant.text)
    };
    let wrong = peers::filter(all.iter(), folder.path(), is_wrong);
    let is_whole = step == 1;
    let percent_min = if is_whole { TOLD_PERCENT_MIN } else { TOLD_OF_SAMPLE_PERCENT_MIN };
    judge(all.len(), &wrong, percent_min);
}

/// Counts the mutants that are told well, and prints the others by kind.
fn judge(tried: usize, wrong: &[&Mutant<'_>], percent_min: usize) {
    let mut misses = BTreeMap::<&str, Vec<String>>::new();
    for mutant in wrong {
        let found = errors(&mutant.zone.apex, &mutant.text);
        let kind = match &found[..] {
            [] => "no error",
            [one] if is_at(mutant, one.span) => continue,
            [_] => "elsewhere",
            _ => "several",
        };
        misses.entry(kind).or_default().push(describe(mutant, &found));
    }
    let missed = misses.values().map(Vec::len).sum::<usize>();
    let (told, all) = (wrong.len() - missed, wrong.len());
    eprintln!("{tried} changes, {all} of them wrong, {told} told once and at their place");
    for (kind, texts) in &misses {
        eprintln!("{kind}: {}\n{}", texts.len(), texts.join("\n"));
    }
    assert!(all > 50, "only {all} zones were wrong");
    assert!(told * 100 >= all * percent_min, "{told} of {all} are told well");
}

/// Whether a span covers the changed token, stands within it, or touches where it was.
fn is_at(mutant: &Mutant<'_>, span: Span) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    let place = &mutant.place;
    let covers = start <= place.start && end >= place.end;
    let within = start >= place.start && end <= place.end;
    let touches = mutant.deleted && start <= place.end && end >= place.start;
    covers || within || touches
}

fn describe(mutant: &Mutant<'_>, found: &[Diagnostic]) -> String {
    let text = |range: std::ops::Range<usize>| mutant.text.get(range).unwrap_or_default();
    let line = mutant.lines();
    let token = text(mutant.place.clone());
    let found = found.iter().take(3).map(|one| {
        let span = one.span.start as usize..one.span.end as usize;
        format!("{} {:?} {}", one.code.id, text(span), one.message)
    });
    let found = found.collect::<Vec<_>>().join(" | ");
    format!("  {} [{}] {token:?} in {line:?}: {found}", mutant.zone.file, mutant.change)
}

/// Whether BIND's checker takes a zone. It judges text and data alone, no other zones.
fn takes(checker: &Path, file: &Path, apex: &str, text: &str) -> bool {
    std::fs::write(file, text).unwrap();
    let lenient = ["-k", "-n", "-r", "-m", "-M", "-S", "-W", "-T"];
    let lenient = lenient.iter().flat_map(|option| [*option, "ignore"]);
    let mut command = Command::new(checker);
    let command = command.args(["-q", "-i", "none"]).args(lenient).arg(apex).arg(file);
    command.status().unwrap().success()
}
