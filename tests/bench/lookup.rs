//! What it costs to find a name among many, and a zone among many: whole answers, which differ in
//! nothing else. A server looks ahead at the queries that came together; each kind is asked with that and
//! without.
//!
//! Names are asked for in an order that no cache foresees, from more of them than fit into one: so
//! these figures depend on the machine's memory more than others. `cargo bench --bench lookup`
//! prints a line for each kind; how to count instructions in place of time stands in `support.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench stops at the first surprise, and prints

mod support;

use std::fmt::Write;
use support::{Bench, Edns, ask, query, serving, zone};
use zonesmith::respond::{State, look_ahead};

/// How often each kind is asked if nothing else is said.
const ROUNDS: usize = 2_000_000;
/// Different questions, each prepared beforehand.
const QUERIES: usize = 100_000;
/// How many questions come together.
const BATCH_LEN: usize = 32;
/// Names below the apex of each of many zones.
const NAMES_EACH: usize = 20;
/// A step through the questions that is prime to all of their numbers, and longer than a page.
const STRIDE: usize = 7_919;

fn main() {
    let bench = Bench::new();
    for names in [10, 10_000, 1_000_000] {
        let kinds = [format!("{names} names, hit"), format!("{names} names, NXDOMAIN")];
        if kinds.iter().any(|kind| bench.wants(kind)) {
            let mut state = serving([zone("big.example", one_zone(names))]);
            let hits = queries(names, |number| format!("n{number}.big.example."));
            let misses = queries(names, |number| format!("no{number}.big.example."));
            run(&bench, &kinds[0], &mut state, &hits);
            run(&bench, &kinds[1], &mut state, &misses);
        }
    }
    for zones in [1, 100, 10_000] {
        let kinds = [format!("{zones} zones, hit"), format!("{zones} zones, REFUSED")];
        if kinds.iter().any(|kind| bench.wants(kind)) {
            let apex = |number| format!("z{number}.example");
            let mut state =
                serving((0..zones).map(|number| zone(&apex(number), one_zone(NAMES_EACH))));
            let name = |number| format!("n{}.z{number}.example.", number % NAMES_EACH);
            let hits = queries(zones, name);
            let misses = queries(zones, |number| format!("n0.no{number}.example."));
            run(&bench, &kinds[0], &mut state, &hits);
            run(&bench, &kinds[1], &mut state, &misses);
        }
    }
}

/// The text of a zone with so many names below its apex.
fn one_zone(names: usize) -> String {
    let mut text = "$TTL 300\n@ SOA ns admin 1 1d 1h 1w 5m\n@ NS ns.example.\n".to_string();
    for number in 0..names {
        writeln!(text, "n{number} A 192.0.2.1").unwrap();
    }
    text
}

/// Questions about names with numbers below `end`, spread evenly.
fn queries(end: usize, name: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    let count = end.min(QUERIES);
    (0..count).map(|place| query(&name(place * (end / count)), 1, Edns::Without)).collect()
}

fn run(bench: &Bench, kind: &str, state: &mut State, queries: &[Vec<u8>]) {
    let mut out = Vec::with_capacity(4096);
    let at = |round: usize| &queries[round.wrapping_mul(STRIDE) % queries.len()];
    bench.run(kind, ROUNDS, |round| ask(state, at(round), &mut out));
    bench.run(&format!("{kind}, ahead"), ROUNDS, |round| {
        if round % BATCH_LEN == 0 {
            look_ahead((round..round + BATCH_LEN).map(|round| &at(round)[..]), state);
        }
        ask(state, at(round), &mut out)
    });
}
