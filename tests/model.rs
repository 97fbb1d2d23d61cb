//! A second opinion: on generated zones, does every answer equal that of the specification?
//!
//! The specification is in `spec/`: a naive server, written from the RFCs. A failing case is shrunk
//! and printed as zone files, the question and both answers.
//!
//! `PROPTEST_CASES=5000 cargo test --test model` looks longer, `PROPTEST_RNG_SEED=7` elsewhere.

mod spec;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use spec::Zone;
use spec::answer::target;
use spec::program::Comparison;
use spec::records::Name;
use spec::types::NSEC3;
use spec::zones::{Case, any_case};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Zones per run, if `PROPTEST_CASES` does not say it: a few seconds.
const CASES: u32 = 64;
/// The types that are asked for: those of the zones, ANY, and one that no zone has.
const QTYPES: [u16; 15] = [1, 2, 5, 6, 15, 16, 28, 39, 43, 46, 47, 50, 51, 255, 65280];

#[test]
fn the_program_answers_as_the_specification_does() {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1034); // a test that fails does so again
    }
    let enough = config.cases >= CASES;
    let reasons = RefCell::new(BTreeMap::new());
    let outcome =
        TestRunner::new(config).run(&any_case(), |case| compare(&case, &mut reasons.borrow_mut()));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let reasons = reasons.into_inner();
    assert!(!enough || reasons.len() == 8, "not every way to end was met: {reasons:?}");
}

/// How often each reason for an answer was met.
type Reasons = BTreeMap<String, usize>;

/// Asks every question about a case.
fn compare(case: &Case, reasons: &mut Reasons) -> Result<(), TestCaseError> {
    let zones = case.zones();
    let mut comparison =
        Comparison::of(&zones, case.minimal_responses).map_err(TestCaseError::fail)?;
    comparison.explained = true;
    for name in qnames(&zones) {
        for qtype in QTYPES {
            for dnssec_ok in [false, true] {
                let reason = comparison.ask(&name, qtype, dnssec_ok);
                let reason = reason.map_err(TestCaseError::fail)?;
                *reasons.entry(format!("{reason:?}")).or_default() += 1;
            }
        }
    }
    Ok(())
}

/// The names to ask for: all that zones speak of, with a label more and one less, and one outside;
/// and the names under which hashes stand.
fn qnames(zones: &[Zone]) -> BTreeSet<Name> {
    let spoken: BTreeSet<Name> = zones
        .iter()
        .flat_map(Zone::visible)
        .flat_map(|record| std::iter::once(record.owner.clone()).chain(target(record)))
        .collect();
    let mut names = BTreeSet::from([Name::of("zonee."), Name::default()]);
    for name in spoken {
        names.extend(["a", "*", "x"].map(|label| name.child(label)));
        names.insert(name.child("a").child("x"));
        names.insert(name.suffix(name.labels().saturating_sub(1)));
        names.insert(name);
    }
    let hashed = zones.iter().flat_map(|zone| &zone.records).filter(|r| r.rtype == NSEC3);
    names.extend(hashed.map(|record| record.owner.clone()));
    names.retain(|name| name.wire().len() <= 255);
    names
}
