//! What hardly anybody asks, and what other servers fell over: every type, every class, every opcode and
//! flag, counts that promise too much; and answers with as many names as there can be.
//!
//! What must hold of an answer is what the fuzzer looks at (`fuzz/network.rs`).
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "fuzz/network.rs"]
#[allow(dead_code, reason = "one of its properties is used here")]
mod network;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use zonesmith::clock::Now;
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::zone::set::{Change, Slot};

/// The first octets of what is asked here (`network::Setting`): an ordinary client, and it is looked
/// whether the answer is explained; minimal answers and not.
const SETTINGS: [u8; 2] = [0x70, 0x61];

/// Names in zones that are plain, signed with NSEC, and signed with NSEC3: there, and not there.
const NAMES: [&[u8]; 5] = [
    b"\x05plain\0",
    b"\x04nope\x05plain\0",
    b"\x01x\x01w\x04nsec\0",
    b"\x01a\x01c\x01x\x01w\x07example\0",
    b"\x09elsewhere\0",
];

/// EDNS with DO.
const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0";

/// All numbers of 16 bits in the long run; else the low ones, where the known ones are, and a sample.
fn numbers() -> impl Iterator<Item = u16> {
    let long = std::env::var_os("ZONESMITH_LONG").is_some();
    (0..=u16::MAX)
        .filter(move |number| long || *number < 300 || number % 487 == 0 || *number > 65_400)
}

fn asks(bits: u16, counts: [u16; 4], name: &[u8], rtype: u16, class: u16) {
    let question = [name, &rtype.to_be_bytes(), &class.to_be_bytes()].concat();
    let opt = if counts[3] > 0 { OPT } else { b"" };
    sends(bits, counts, &[&question, opt].concat());
}

fn sends(bits: u16, counts: [u16; 4], behind_header: &[u8]) {
    let words = [0x1234, bits, counts[0], counts[1], counts[2], counts[3]];
    let header: Vec<u8> = words.into_iter().flat_map(u16::to_be_bytes).collect();
    for setting in SETTINGS {
        network::respond(&[&[setting], &header[..], behind_header].concat());
    }
}

#[test]
fn every_type_is_answered() {
    for rtype in numbers() {
        for name in NAMES {
            asks(0x0100, [1, 0, 0, 0], name, rtype, 1);
            asks(0x0000, [1, 0, 0, 1], name, rtype, 1);
        }
    }
}

/// A query may bring records, though few have a meaning: TSIG (RFC 8945), SIG(0) (RFC 2931), OPT. Their
/// data are whatever they like.
#[test]
fn queries_with_records_of_every_type_are_answered() {
    for rtype in numbers() {
        for (data, counts) in [(0, [1, 0, 0, 1]), (7, [1, 1, 0, 0]), (300, [1, 0, 1, 1])] {
            let fixed = [&rtype.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0]].concat();
            let len = u16::try_from(data).unwrap().to_be_bytes();
            let record = [&[0][..], &fixed, &len, &vec![0xc0; data]].concat();
            let many = usize::from(counts[1] + counts[2] + counts[3]);
            sends(0x0100, counts, &[NAMES[0], &[0, 1, 0, 1], &record.repeat(many)].concat());
        }
    }
}

#[test]
fn every_class_is_answered() {
    for class in numbers() {
        for (name, rtype) in [(NAMES[0], 6), (NAMES[2], 255), (b"\x07version\x04bind\0", 16)] {
            asks(0x0100, [1, 0, 0, 1], name, rtype, class);
        }
    }
}

#[test]
fn every_opcode_and_every_flag_is_answered_unless_it_is_a_response() {
    for bits in numbers().chain((0..256).map(|high| high << 8)) {
        for rtype in [1, 6, 249, 252] {
            asks(bits, [1, 0, 0, 0], NAMES[0], rtype, 1);
        }
    }
}

#[test]
fn counts_that_promise_too_much_are_answered() {
    let some = [0, 1, 2, 255, 65_535];
    let counts = some.map(|a| some.map(|b| some.map(|c| some.map(|d| [a, b, c, d]))));
    for counts in counts.into_iter().flatten().flatten().flatten() {
        asks(0x0100, counts, NAMES[0], 6, 1);
    }
}

/// Far longer than it takes; looking for each name at all others would take far longer still.
const DEADLINE: Duration = Duration::from_secs(60);

/// Names of as many labels as there can be, each of which has most of them in common with the others:
/// there is much to compare for whoever looks at each (RUSTSEC-2026-0119).
#[test]
fn an_answer_full_of_names_is_compressed_in_time() {
    let shared = "a.".repeat(100);
    let mut text = "$TTL 300\n@ SOA ns admin 1 2h 15m 2w 5m\n@ NS ns\nns A 192.0.2.1\n".to_string();
    for number in 0..280 {
        let (high, low) = (number / 4, number % 4);
        writeln!(text, "many MX {number} x{low}.{shared}y{high}").unwrap();
    }
    let path = Path::new("example.zone");
    let loaded = load_text(path, text.into_bytes(), &[], Lints::Quick, &mut |_, _| ());
    let apex = loaded.apex.unwrap();
    let slot = Some(Slot::Live(loaded.zone.unwrap().into()));
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let mut state = State::new(Policy { minimal_responses: false, ..Policy::default() });
        state.zones.apply(Change { apex, slot });
        let peer = Peer { transport: Transport::Tcp, source: "192.0.2.1:53".parse().unwrap() };
        let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04many\x07example\0\0\x0f\0\x01";
        for _ in 0..200 {
            let mut out = Vec::new();
            let outcome = respond(query, peer, Now::default(), &mut state, &mut out);
            assert!(matches!(outcome, Outcome::Send(_)), "{outcome:?}");
            assert!(out.len() > 60_000, "{} octets are too few to prove anything", out.len());
        }
        done.send(())
    });
    assert_eq!(waits.recv_timeout(DEADLINE), Ok(()));
}
