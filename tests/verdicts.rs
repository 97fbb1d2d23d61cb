//! Whole zones before the checkers of BIND, NSD and Knot: what all three take is taken here, and what
//! all three refuse is refused.
//!
//! The zones are the good ones of the mutation test and a sample of their mutants; with
//! `ZONESMITH_LONG=1` a larger one.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use support::mutants::{Good, Mutant, good, mutants};
use support::peers;
use support::zone_text::is_good;

/// A zone with a type that one of the others does not know judges nothing: few examples stand in one.
const EXAMPLES_PER_ZONE: usize = 2;
/// One of so many mutants is judged.
const SAMPLE: usize = 103;
/// The same in a long run.
const SAMPLE_LONG: usize = 5;

#[test]
fn where_all_the_others_agree_so_does_this_server() {
    let checkers = ["named-checkzone", "nsd-checkzone", "kzonecheck"].map(peers::find);
    let [Some(bind), Some(nsd), Some(knot)] = checkers else { return };
    let step = if std::env::var_os("ZONESMITH_LONG").is_some() { SAMPLE_LONG } else { SAMPLE };
    let folder = tempfile::tempdir().unwrap();
    let lenient = ["-k", "-n", "-r", "-m", "-M", "-S", "-W", "-T"];
    let lenient: Vec<&str> = lenient.iter().flat_map(|option| [*option, "ignore"]).collect();
    let theirs = |apex: &str, text: &str, file: &Path| {
        std::fs::write(file, text).unwrap();
        let mut commands = [&bind, &nsd, &knot].map(Command::new);
        commands[0].args(["-q", "-i", "none"]).args(&lenient).arg(apex);
        commands[1].arg(apex);
        commands[2].args(["-o", apex]);
        commands.map(|mut command| takes(&mut command, file))
    };
    let zones = good(EXAMPLES_PER_ZONE);
    let all_take = |zone: &&Good, file: &Path| theirs(&zone.apex, &zone.text, file) == [true; 3];
    let taken = peers::filter(zones.iter(), folder.path(), all_take);
    assert!(taken.len() > 20, "{} of {} zones", taken.len(), zones.len());
    for zone in &taken {
        assert!(is_good(&zone.apex, &zone.text), "{}", zone.file);
    }
    let mutants: Vec<Mutant<'_>> = taken.into_iter().flat_map(mutants).step_by(step).collect();
    let count = mutants.len();
    let alone = peers::filter(mutants.into_iter(), folder.path(), |mutant, file| {
        let (apex, text) = (&mutant.zone.apex, &mutant.text);
        let ours = is_good(apex, text);
        theirs(apex, text, file) == [!ours; 3]
    });
    let shown = alone.iter().map(|m| format!("{}, {}: {}", m.zone.file, m.change, m.lines()));
    let shown: Vec<String> = shown.collect();
    eprintln!("{count} zones, {} alone", shown.len());
    assert!(shown.is_empty(), "{} of {count}:\n{}", shown.len(), shown.join("\n"));
}

fn takes(command: &mut Command, file: &Path) -> bool {
    let command = command.arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}
