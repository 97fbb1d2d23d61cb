//! Runs tests/scenarios/**.txt at two altitudes: each step through `respond`, in this process; each
//! file over UDP and TCP against the built program. The language is described in
//! `support/scenario.rs`.
//!
//! ```text
//! cargo test --test scenarios                     # all
//! cargo test --test scenarios -- wildcard         # those with this word in their name
//! BLESS=1 cargo test --test scenarios             # writes the answers into the files first
//! ```

mod support;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::ExitCode;
use support::query::Transport;
use support::scenario::{self, Scenario, Step};
use support::server::Server;
use zonesmith::reload::load;
use zonesmith::respond::{self, Outcome, Peer, Policy, State};
use zonesmith::zone::set::{Change, Slot};

/// What stands in the answer's buffer before the answer: `respond` must leave it alone.
const BEFORE: &[u8] = b"before";
/// How much of a step's line stands in its test's name: the harness pads all names to the longest.
const TITLE_LEN_MAX: usize = 50;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    match read(&folder) {
        Ok(scenarios) => {
            let trials = scenarios.into_iter().flat_map(trials).collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(folder: &Path) -> Result<Vec<Scenario>, String> {
    let scenarios = scenario::read_all(folder)?;
    if std::env::var_os("BLESS").is_none() {
        return Ok(scenarios);
    }
    scenarios.iter().try_for_each(bless)?;
    scenario::read_all(folder)
}

fn bless(scenario: &Scenario) -> Result<(), String> {
    let place = |step: &Step| format!("{}:{}", scenario.path.display(), step.line);
    let show = |step: &Step| {
        let answer = in_process(scenario, step)?;
        let shown = step.show(answer.as_deref());
        let shown = shown.map_err(|error| format!("{}: {error}", place(step)))?;
        Ok(step.judge(answer.as_deref()).is_err().then_some(shown))
    };
    let answers: Vec<_> = scenario.steps.iter().map(show).collect::<Result<_, String>>()?;
    scenario.bless(&answers).map_err(|error| error.to_string())
}

fn trials(scenario: Scenario) -> Vec<Trial> {
    let mut trials = Vec::new();
    for step in scenario.steps.clone() {
        let title: String = step.title.chars().take(TITLE_LEN_MAX).collect();
        let name = format!("{}:{} {title}", scenario.name, step.line);
        let scenario = scenario.clone();
        trials.push(Trial::test(name, move || {
            let answer = in_process(&scenario, &step)?;
            Ok(step.judge(answer.as_deref())?)
        }));
    }
    let name = format!("{} over sockets", scenario.name);
    trials.push(Trial::test(name, move || over_sockets(&scenario)));
    trials
}

/// The answer of `respond` to one step, with the scenario's zones read as the server reads them.
fn in_process(scenario: &Scenario, step: &Step) -> Result<Option<Vec<u8>>, String> {
    let mut state = load_zones(scenario)?;
    let transport = match step.query.transport {
        Transport::Udp => respond::Transport::Udp,
        Transport::Tcp => respond::Transport::Tcp,
    };
    let from = Peer { transport, source: ([192, 0, 2, 1], 5353).into() };
    let mut out = BEFORE.to_vec();
    let outcome = respond::respond(&step.query.wire, from, &mut state, &mut out);
    let answer = out.strip_prefix(BEFORE).ok_or("what stood in the buffer is gone")?;
    match outcome {
        Outcome::Send(_) => Ok(Some(answer.to_vec())),
        Outcome::Drop(_) if answer.is_empty() => Ok(None),
        Outcome::Drop(_) => Err("dropped, with something written".to_string()),
    }
}

fn load_zones(scenario: &Scenario) -> Result<State, String> {
    let folder = written(scenario)?;
    let mut state =
        State::new(Policy { minimal_responses: scenario.minimal_responses, ..Policy::default() });
    for zone in &scenario.zones {
        let loaded = load::load(&folder.path().join(&zone.file_name));
        let apex = loaded.apex.ok_or(format!("{} is about no zone", zone.file_name))?;
        let slot = loaded.zone.map_or(Slot::Broken, |zone| Slot::Live(zone.into()));
        state.zones.apply(Change { apex, slot: Some(slot) });
    }
    Ok(state)
}

fn over_sockets(scenario: &Scenario) -> Result<(), Failed> {
    let folder = written(scenario)?;
    let minimal: &[&str] =
        if scenario.minimal_responses { &[] } else { &["--minimal-responses", "no"] };
    let server = Server::start(folder.path(), minimal)?;
    let judge = |step: &Step| {
        let answer = server.ask(&step.query.wire, step.query.transport)?;
        step.judge(answer.as_deref())
    };
    let faults: Vec<String> = scenario
        .steps
        .iter()
        .filter_map(|step| {
            judge(step).err().map(|error| format!("{} {}: {error}", step.line, step.title))
        })
        .collect();
    server.stop()?;
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn written(scenario: &Scenario) -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    scenario.write_zones(folder.path()).map_err(|error| error.to_string())?;
    Ok(folder)
}
