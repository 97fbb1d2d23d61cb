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
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;
use support::explained;
use support::options::{self, Setting};
use support::query::Transport;
use support::scenario::{self, Scenario, Step};
use support::server::Server;
use support::state;
use support::tsig;
use zonesmith::clock::Now;
use zonesmith::respond::{self, Outcome, Peer};
use zonesmith::transfer::MESSAGE_LEN_MAX;

/// What stands in the answer's buffer before the answer: `respond` must leave it alone.
const BEFORE: &[u8] = b"before";
/// Where and when questions are asked in this process.
const SETTING: Setting =
    Setting { source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), unix_s: 1_559_731_985 };
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
        let shown = step.show(answer.as_deref(), &SETTING);
        let shown = shown.map_err(|error| format!("{}: {error}", place(step)))?;
        Ok(step.judge(answer.as_deref(), &SETTING).is_err().then_some(shown))
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
            Ok(step.judge(answer.as_deref(), &SETTING)?)
        }));
    }
    let name = format!("{} over sockets", scenario.name);
    trials.push(Trial::test(name, move || over_sockets(&scenario)));
    trials
}

/// The answer of `respond` to one step, with the scenario's zones read as the server reads them.
fn in_process(scenario: &Scenario, step: &Step) -> Result<Option<Vec<u8>>, String> {
    let mut state = state::load(scenario)?;
    let transport = match step.query.transport {
        Transport::Udp => respond::Transport::Udp,
        Transport::Tcp => respond::Transport::Tcp,
    };
    let from = Peer { transport, source: (SETTING.source, 5353).into() };
    let now = Now { unix_s: SETTING.unix_s.into(), ..Now::default() };
    let query = step.query.asked_in(&SETTING);
    let mut out = BEFORE.to_vec();
    let outcome = respond::respond(&query, from, now, &mut state, &mut out);
    let answer = out.strip_prefix(BEFORE).ok_or("what stood in the buffer is gone")?;
    explained::check(&query, from, now, &mut state, answer)?;
    match outcome {
        Outcome::Send(_) => Ok(Some(answer.to_vec())),
        Outcome::Stream(mut outgoing) => {
            let (mut first, writer) = (Vec::new(), &mut state.transfer_writer);
            outgoing.write(writer, MESSAGE_LEN_MAX, now.unix_s, &mut first);
            Ok(Some(first))
        }
        Outcome::Drop(_) if answer.is_empty() => Ok(None),
        Outcome::Drop(_) => Err("dropped, with something written".to_string()),
    }
}

fn over_sockets(scenario: &Scenario) -> Result<(), Failed> {
    let folder = state::written(scenario)?;
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, options::SECRETS)?;
    let keys = folder.path().join("keys");
    std::fs::write(&keys, tsig::KEY_FILE)?;
    let mut arguments =
        vec![format!("--cookie-secret={}", secrets.display()), format!("--key={}", keys.display())];
    arguments.extend(scenario.options.iter().map(|(flag, value)| format!("--{flag}={value}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(folder.path(), &arguments)?;
    let judge = |step: &Step| {
        let setting = Setting::live();
        let answer = server.ask(&step.query.asked_in(&setting), step.query.transport)?;
        step.judge(answer.as_deref(), &setting)
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
