//! What the benches share: kinds of work and how often each is done, zones, queries, askers.
//!
//! A bench prints a line for each kind: nanoseconds each, on this machine. `KIND` picks one of them,
//! or all that start with it, and `ROUNDS` says how often it is done. To count instructions, which
//! are the same on each machine, run the printed program under
//! `valgrind --tool=callgrind --callgrind-out-file=/dev/null` with `KIND=… ROUNDS=100000` and with
//! `ROUNDS=200000`: the difference is that of 100,000 times.
#![allow(dead_code, unreachable_pub, reason = "each bench uses a part")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use zonesmith::clock::Now;
use zonesmith::name::NameBuf;
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::zone::Zone;
use zonesmith::zone::set::{Change, Slot};

/// Which kinds of work are wanted, and how often.
pub struct Bench {
    kind: String,
    rounds: Option<usize>,
}

impl Bench {
    /// As the environment says.
    pub fn new() -> Bench {
        let variable = |name| std::env::var(name).ok();
        let rounds = variable("ROUNDS").map(|rounds| rounds.parse().unwrap());
        Bench { kind: variable("KIND").unwrap_or_default(), rounds }
    }

    /// Whether a kind is wanted: what it needs may take long to make.
    pub fn wants(&self, kind: &str) -> bool {
        kind.starts_with(&self.kind)
    }

    /// Does a kind of work again and again, `rounds` times if nothing else is said, and prints how
    /// long each time took. What `work` is given counts up; what it gives is printed in the end.
    pub fn run(&self, kind: &str, rounds: usize, mut work: impl FnMut(usize) -> usize) {
        if !self.wants(kind) {
            return;
        }
        let rounds = self.rounds.unwrap_or(rounds);
        let (start, mut last) = (Instant::now(), 0);
        for round in 0..rounds {
            last = black_box(work(black_box(round)));
        }
        let each_ns = start.elapsed().as_nanos() / u128::try_from(rounds.max(1)).unwrap();
        println!("{kind:32} {each_ns:7} ns, {last} octets");
    }
}

/// A server with these zones.
pub fn serving(zones: impl IntoIterator<Item = Zone>) -> State {
    let mut state = State::new(Policy::default());
    for zone in zones {
        let apex = zone.apex().to_buf();
        state.zones.apply(Change { apex, slot: Some(Slot::Live(zone.into())) });
    }
    state
}

/// The zone of a text; its origin is `origin`.
pub fn zone(origin: &str, text: String) -> Zone {
    let path = format!("{origin}.zone");
    let sink = &mut |_: zonesmith::rr::Record<'_>, _: zonesmith::zonefile::Place<'_>| ();
    let loaded = load_text(Path::new(&path), text.into_bytes(), &[], Lints::Quick, sink);
    loaded.zone.unwrap_or_else(|| panic!("{:?}", loaded.report))
}

/// The text of a file of the repository.
pub fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What a query says of EDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edns {
    Without,
    Plain,
    Do,
}

/// A query. Its size over UDP is 1,232 octets.
pub fn query(name: &str, rtype: u16, edns: Edns) -> Vec<u8> {
    let name: NameBuf = name.parse().unwrap();
    let opt_count = u8::from(edns != Edns::Without);
    let mut query = vec![0x5a, 0x17, 1, 0, 0, 1, 0, 0, 0, 0, 0, opt_count];
    query.extend_from_slice(name.as_name().as_wire());
    query.extend_from_slice(&rtype.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    match edns {
        Edns::Without => {}
        Edns::Plain => query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]),
        Edns::Do => query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]),
    }
    query
}

/// Asks over UDP; gives the answer's length.
pub fn ask(state: &mut State, query: &[u8], out: &mut Vec<u8>) -> usize {
    let peer = Peer { transport: Transport::Udp, source: ([127, 0, 0, 1], 53_000).into() };
    out.clear();
    let outcome = respond(black_box(query), peer, Now::default(), state, out);
    assert!(matches!(outcome, Outcome::Send(_)));
    black_box(&*out).len()
}
