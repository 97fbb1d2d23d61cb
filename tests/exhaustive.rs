//! Every small zone: does the program answer every question about it as the specification does?
//!
//! Which zones and questions these are, `spec/small.rs` says. `tests/run` takes a part of them, at
//! regular steps; `ZONESMITH_LONG=1` a larger one; `ZONESMITH_WHOLE=1` all, for which
//! `cargo test --release --test exhaustive` is the better way.

mod spec;

use spec::Zone;
use spec::program::Comparison;
use spec::sign::{Hashing, Signing, sign};
use spec::small::{Space, qnames};
use spec::types::{A, ANY, CNAME, DNAME, DS, NS, NSEC, RRSIG, TXT};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

/// Types of questions: those of the zones, ANY, and one that no zone has.
const QTYPES: [u16; 7] = [A, NS, CNAME, DNAME, DS, TXT, ANY];
/// In signed zones the same, with signatures and proofs for those that have only themselves to say.
const QTYPES_SIGNED: [u16; 7] = [A, CNAME, DS, TXT, RRSIG, NSEC, ANY];

/// How many zones were compared, and how many questions were asked.
#[derive(Default)]
struct Count {
    zones: usize,
    questions: usize,
    /// Why the program's answers were what they are.
    reasons: BTreeSet<String>,
}

#[test]
fn unsigned_zones_are_answered_as_specified() {
    let space = Space::of(4, true);
    compare_all("not signed", &space, None, Steps { sample: 20_011, long: 101 });
}

#[test]
fn signed_zones_are_answered_as_specified() {
    let space = Space::of(3, false);
    let nsec3 = |opt_out| {
        let hashing = Hashing { iterations: 0, salt: vec![] };
        Signing::Nsec3 { hashing, opt_out }
    };
    let ways = [("NSEC", Signing::Nsec), ("NSEC3", nsec3(false)), ("opt-out", nsec3(true))];
    for (way, signing) in ways {
        compare_all(way, &space, Some(&signing), Steps { sample: 50_021, long: 401 });
    }
}

/// Of so many zones one is taken.
struct Steps {
    sample: usize,
    long: usize,
}

impl Steps {
    fn chosen(&self) -> usize {
        let said = |variable| std::env::var_os(variable).is_some();
        match (said("ZONESMITH_WHOLE"), said("ZONESMITH_LONG")) {
            (true, _) => 1,
            (_, true) => self.long,
            _ => self.sample,
        }
    }
}

/// Compares zones on all processors, and says how many there were.
fn compare_all(way: &str, space: &Space, signing: Option<&Signing>, steps: Steps) {
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let step = steps.chosen();
    let work = |first: usize| {
        let mut count = Count::default();
        for number in (first * step..space.len()).step_by(step * threads) {
            space.zone(number).iter().for_each(|zone| compare(zone, signing, &mut count));
        }
        count
    };
    let counts: Vec<Count> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let zones: usize = counts.iter().map(|count| count.zones).sum();
    let questions: usize = counts.iter().map(|count| count.questions).sum();
    let reasons: BTreeSet<String> = counts.into_iter().flat_map(|count| count.reasons).collect();
    // Past the test harness, which shows what is printed only if a test fails.
    let line = format!("small zones, {way}: {zones} zones, {questions} questions, no difference");
    let _ = writeln!(std::io::stderr(), "{line} {:?}", start.elapsed());
    assert!(reasons.len() >= 6, "not every way to end was met: {reasons:?}");
}

/// Asks every question about a zone.
fn compare(zone: &Zone, signing: Option<&Signing>, count: &mut Count) {
    let signed = signing.map(|signing| sign(zone, signing));
    let zones = [signed.as_ref().unwrap_or(zone).clone()];
    let told = |why: String| format!("{zone:?}signed: {signing:?}\n{why}");
    let mut comparison = Comparison::of(&zones, true).map_err(told).unwrap();
    let qtypes = if signed.is_some() { QTYPES_SIGNED } else { QTYPES };
    for name in qnames(&zones[0]) {
        for qtype in qtypes {
            match comparison.ask(&name, qtype, signed.is_some()) {
                Ok(reason) => count.reasons.insert(format!("{reason:?}")),
                Err(why) => panic!("{}", told(why)),
            };
            count.questions += 1;
        }
    }
    count.zones += 1;
}
