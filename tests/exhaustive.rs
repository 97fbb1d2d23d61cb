//! Every small zone: does the program answer every question about it as the specification does?
//!
//! Which zones and questions these are, `spec/small.rs` says. The usual run takes some at regular
//! steps, of up to three names. `ZONESMITH_LONG=1 cargo test --release --test exhaustive`, which
//! `tests/run --long` does, takes for about ten minutes all unsigned zones of up to three names and
//! all signed ones of up to two, and some of those that have one more; with `ZONESMITH_WHOLE=1` these
//! as well, for some hours.

mod spec;

use spec::Zone;
use spec::program::Comparison;
use spec::sign::{Hashing, Signing, sign};
use spec::small::{Space, qnames};
use spec::types::{A, ANY, CNAME, DNAME, DS, NS, NSEC, RRSIG, TXT};
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::AddAssign;
use zonesmith::respond::Reason;

/// Types of questions: those of the zones, ANY, and one that no zone has.
const QTYPES: [u16; 7] = [A, NS, CNAME, DNAME, DS, TXT, ANY];
/// To signed zones: without those that say nothing new there, with signatures and proofs by type.
const QTYPES_SIGNED: [u16; 7] = [A, CNAME, DS, TXT, RRSIG, NSEC, ANY];

#[test]
fn plain_zones_are_answered_as_specified() {
    let steps = chosen(&[3, 101, 5_003], &[1, 1, 1, 101]);
    compare_all("not signed", &Space::of(steps.len(), true), None, &steps);
}

#[test]
fn signed_zones_are_answered_as_specified() {
    let steps = chosen(&[7, 2_003, 400_009], &[1, 1, 401]);
    let space = Space::of(steps.len(), false);
    let nsec3 = |opt_out| {
        let hashing = Hashing { iterations: 0, salt: vec![] };
        Signing::Nsec3 { hashing, opt_out }
    };
    let ways = [("NSEC", Signing::Nsec), ("NSEC3", nsec3(false)), ("opt-out", nsec3(true))];
    for (way, signing) in ways {
        compare_all(way, &space, Some(&signing), &steps);
    }
}

/// By the number of names: of so many zones one is taken.
fn chosen(sample: &[usize], long: &[usize]) -> Vec<usize> {
    let said = |variable| std::env::var_os(variable).is_some();
    let fast = !cfg!(debug_assertions);
    match (said("ZONESMITH_WHOLE"), said("ZONESMITH_LONG")) {
        (true, _) => vec![1; long.len()],
        (_, true) if fast => long.to_vec(),
        _ => sample.to_vec(),
    }
}

/// How many zones were compared, and how many questions were asked.
#[derive(Default)]
struct Count {
    zones: usize,
    questions: usize,
    /// Why the program's answers were what they are, each once.
    reasons: BTreeSet<String>,
}

/// Compares zones on all processors, and says how many there were.
fn compare_all(way: &str, space: &Space, signing: Option<&Signing>, steps: &[usize]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = |thread: usize| {
        let mut count = Count::default();
        for (names, step) in (1..).zip(steps) {
            let numbers = (thread * step..space.len(names)).step_by(step * threads);
            for zone in numbers.filter_map(|number| space.zone(names, number)) {
                count += compare(&zone, signing)?;
            }
        }
        Ok(count)
    };
    let mut count = Count::default();
    std::thread::scope(|scope| {
        let start = |thread| scope.spawn(move || work(thread));
        let threads: Vec<_> = (0..threads).map(start).collect();
        for thread in threads {
            match thread.join().expect("a thread that compares") {
                Ok(more) => count += more,
                Err::<Count, String>(difference) => panic!("{difference}"),
            }
        }
    });
    let Count { zones, questions, reasons } = count;
    // Past the test harness, which shows what is printed only if a test fails.
    let line = format!("small zones, {way}: {zones} zones, {questions} questions, no difference");
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(reasons.len() >= 6, "not every way to end was met: {reasons:?}");
}

/// Asks every question about a zone. The error shows the zone, and the first answer that differs.
fn compare(zone: &Zone, signing: Option<&Signing>) -> Result<Count, String> {
    let told = |why| format!("{zone:?}signed: {signing:?}\n{why}");
    let (zones, qtypes) = match signing {
        Some(signing) => ([sign(zone, signing)], QTYPES_SIGNED),
        None => ([zone.clone()], QTYPES),
    };
    let mut comparison = Comparison::of(&zones, true).map_err(told)?;
    let (mut questions, mut reasons) = (0, Vec::<Reason>::new());
    for name in qnames(&zones[0]) {
        for qtype in qtypes {
            let reason = comparison.ask(&name, qtype, signing.is_some()).map_err(told)?;
            questions += 1;
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    let reasons = reasons.iter().map(|reason| format!("{reason:?}")).collect();
    Ok(Count { zones: 1, questions, reasons })
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.zones += other.zones;
        self.questions += other.questions;
        self.reasons.extend(other.reasons);
    }
}
