//! What an answer costs, by kind: nanoseconds through `respond`, no socket involved.
//!
//! `cargo bench --bench answer` prints a line per kind. Times are this machine's; for a figure that
//! is not, count instructions: run the printed program under callgrind with `KIND=hit ROUNDS=100000`
//! and again with `ROUNDS=200000`, and take the difference.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench stops at the first surprise, and prints

use std::hint::black_box;
use std::time::Instant;
use zonesmith::clock::Now;
use zonesmith::name::NameBuf;
use zonesmith::reload::load::load;
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::zone::set::{Change, Slot};

/// Kind, question, type, and whether it comes with EDNS.
const KINDS: &[(&str, &str, u16, bool)] = &[
    ("hit", "science.smith.edu.", 1, false),
    ("hit, EDNS", "science.smith.edu.", 1, true),
    ("NODATA", "science.smith.edu.", 16, false),
    ("NXDOMAIN", "nowhere.smith.edu.", 1, false),
    ("wildcard", "any.sites.smith.edu.", 1, false),
    ("CNAME", "mail.smith.edu.", 1, false),
    ("referral", "www.cs.smith.edu.", 1, false),
    ("MX with addresses", "smith.edu.", 15, false),
    ("NS with addresses", "smith.edu.", 2, false),
    ("REFUSED", "www.example.org.", 1, false),
];

fn main() {
    let chosen = std::env::var("KIND").ok();
    let rounds = std::env::var("ROUNDS").ok().map_or(1_000_000, |rounds| rounds.parse().unwrap());
    let mut state = served();
    for &(kind, name, rtype, edns) in KINDS {
        if chosen.as_ref().is_none_or(|chosen| chosen == kind) {
            let query = query(name, rtype, edns);
            let start = Instant::now();
            let len = ask(&mut state, &query, rounds);
            let each_ns = start.elapsed().as_nanos() / u128::from(rounds);
            println!("{kind:18} {each_ns:6} ns, {len} octets");
        }
    }
}

/// The zones of the repository.
fn served() -> State {
    let mut state = State::new(Policy::default());
    for file in ["smith.edu", "umass.edu", "concordia.ca", "localhost"] {
        let path = format!("{}/zones/{file}.zone", env!("CARGO_MANIFEST_DIR"));
        let loaded = load(path.as_ref());
        let slot = Some(Slot::Live(loaded.zone.unwrap().into()));
        state.zones.apply(Change { apex: loaded.apex.unwrap(), slot });
    }
    state
}

fn query(name: &str, rtype: u16, edns: bool) -> Vec<u8> {
    let name: NameBuf = name.parse().unwrap();
    let mut query = vec![0x5a, 0x17, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    query.extend_from_slice(name.as_name().as_wire());
    query.extend_from_slice(&rtype.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    if edns {
        query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    }
    query
}

/// Asks again and again; gives the answer's length.
fn ask(state: &mut State, query: &[u8], rounds: u32) -> usize {
    let peer = Peer { transport: Transport::Udp, source: ([127, 0, 0, 1], 53_000).into() };
    let mut out = Vec::with_capacity(4096);
    for _ in 0..rounds {
        out.clear();
        let outcome = respond(black_box(query), peer, Now::default(), state, &mut out);
        assert!(matches!(outcome, Outcome::Send(_)));
        black_box(&out);
    }
    out.len()
}
