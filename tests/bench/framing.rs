//! What it costs to take messages out of a stream and to put them into one, by how it is cut.
//!
//! `cargo bench --bench framing` prints a line for each kind, for a message; how to count
//! instructions in place of time stands in `support.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench stops at the first surprise, and prints

mod support;

use std::hint::black_box;
use support::{Bench, Edns, query};
use zonesmith::server::frame::{Inbox, append};

/// How often each kind is done if nothing else is said.
const ROUNDS: usize = 5_000_000;
/// Messages of a stream: somewhat more than the server reads at once.
const MESSAGES: usize = 150;

fn main() {
    let bench = Bench::new();
    let message = query("science.smith.edu.", 1, Edns::Plain);
    let mut stream = Vec::new();
    for _ in 0..MESSAGES {
        put(&mut stream, &message);
    }
    for len in [stream.len(), 1460, 40, 1] {
        let mut segments = stream.chunks(len).cycle();
        let mut inbox = Inbox::default();
        bench.run(&format!("read, segments of {len}"), ROUNDS, |_| {
            loop {
                if let Some(message) = inbox.take() {
                    return black_box(message).len();
                }
                inbox.push(segments.next().unwrap());
            }
        });
    }
    let mut out = Vec::with_capacity(64 * 1024);
    bench.run("write", ROUNDS, |round| {
        if round % MESSAGES == 0 {
            out.clear();
        }
        put(&mut out, &message);
        message.len()
    });
}

fn put(stream: &mut Vec<u8>, message: &[u8]) {
    let done = append(stream, |out| {
        out.extend_from_slice(message);
        true
    });
    assert!(done);
}
