//! What it costs to read a query, by what it carries: the parser alone.
//!
//! `cargo bench --bench request` prints a line for each kind; how to count instructions in place of
//! time stands in `support.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench stops at the first surprise, and prints

mod support;

use std::hint::black_box;
use support::{Bench, Edns, query};
use zonesmith::wire::request::Reading;

/// How often each kind is read if nothing else is said.
const ROUNDS: usize = 10_000_000;

fn main() {
    let (short, long) = ("smith.edu.", format!("{}smith.edu.", "a.".repeat(120)));
    let plain = query(short, 1, Edns::Without);
    let cookie = [&[0, 10, 0, 8][..], &[7; 8]].concat();
    let unknown = [&cookie[..], &[0, 3, 0, 0], &[0xff, 0xff, 0, 4, 1, 2, 3, 4]].concat();
    let kinds = [
        ("plain", plain.clone()),
        ("a name of 122 labels", query(&long, 1, Edns::Without)),
        ("EDNS", query(short, 1, Edns::Plain)),
        ("EDNS with a cookie", with_options(query(short, 1, Edns::Do), &cookie)),
        ("EDNS with three options", with_options(query(short, 1, Edns::Do), &unknown)),
        ("cut in the question", plain[..20].to_vec()),
        ("a response", [&plain[..2], &[0x80], &plain[3..]].concat()),
    ];
    let bench = Bench::new();
    for (kind, message) in kinds {
        bench.run(kind, ROUNDS, |_| {
            black_box(Reading::of(black_box(&message)));
            message.len()
        });
    }
}

/// The query, which ends in OPT, with options in that.
fn with_options(mut query: Vec<u8>, options: &[u8]) -> Vec<u8> {
    query.truncate(query.len() - 2);
    query.extend_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
    query.extend_from_slice(options);
    query
}
