//! How many instructions a query takes: a bound that does not depend on the machine's speed, nor on
//! what else runs there.
//!
//! callgrind counts the instructions of a server that is asked for one address again and again, and
//! of another that is asked three times as often; the difference is that of the queries alone: its
//! loop, its system calls' preparation, reading, looking up and writing. The kernel's are not counted.
//!
//! The server is built with optimization for this, without what makes that slow, in a folder of its
//! own. That costs a minute or two, so the test runs with `ZONESMITH_LONG=1` only, and says so when it
//! does not.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use rustix::process::geteuid;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::peers;
use support::program::{copy_zones, folder, plain};
use support::query::Query;
use support::server::{DEADLINE, Server};

/// What is counted, by which zones and with which query, and the most instructions that a query may
/// take. Each bound leaves a quarter for another compiler's choices, and none for what a query can do
/// without: an allocation, a clock, a second pass over the name.
const CASES: &[(&str, Zones, &str, u64)] = &[
    ("an address", Zones::Few, "science.smith.edu. A", 1200),
    ("with EDNS", Zones::Few, "science.smith.edu. A +edns", 1300),
    ("with a cookie", Zones::Few, "science.smith.edu. A +cookie=0102030405060708", 2000),
    ("an address in a large zone", Zones::Large, "n7000.large.example. A", 1750),
    ("with EDNS in a large zone", Zones::Large, "n7000.large.example. A +edns", 1900),
];
/// So many names make a zone large: it is looked at ahead of answering.
const NAMES: usize = 20_000;
/// Less than this no server can do with.
const INSTRUCTIONS_MIN: u64 = 100;
/// Queries of the shorter run: enough that a run's start and end do not matter.
const QUERIES: usize = 10_000;
/// Queries on their way at once: enough that the server, slow under callgrind, always has a whole
/// batch to read, and few enough that its socket holds them.
const IN_FLIGHT: usize = 128;

#[test]
fn a_query_takes_no_more_instructions_than_it_may() {
    if std::env::var_os("ZONESMITH_LONG").is_none() {
        let reason =
            "skipped: instructions are counted with ZONESMITH_LONG=1, in a build for speed";
        // Past the test harness, which shows what is printed only if the test fails.
        let _ = writeln!(std::io::stderr(), "{reason}");
        return;
    }
    let Some(valgrind) = peers::find("valgrind") else { return };
    let server = built_for_speed();
    for &(case, zones, query, max) in CASES {
        let query = Query::parse(query).unwrap().wire;
        let [few, many] =
            [1, 3].map(|times| count(&valgrind, &server, zones, &query, times * QUERIES));
        let each = (many - few) / u64::try_from(2 * QUERIES).unwrap();
        let _ = writeln!(std::io::stderr(), "{case}: {each} instructions per query");
        assert!(each >= INSTRUCTIONS_MIN, "{case}: {each} are too few: nothing was answered");
        assert!(each <= max, "{case}: {each} instructions per query, at most {max}");
    }
}

/// What the server serves.
#[derive(Clone, Copy)]
enum Zones {
    /// The zones of the other tests.
    Few,
    /// A large one.
    Large,
}

impl Zones {
    /// Puts them into a folder below `folder`.
    fn put(self, folder: &Path) -> PathBuf {
        if let Zones::Few = self {
            return copy_zones(folder);
        }
        let zones = folder.join("zones");
        let mut text = String::from("$TTL 60\n@ SOA ns admin 1 7200 900 1209600 300\n@ NS ns\n");
        text.push_str("ns A 192.0.2.1\n");
        (0..NAMES).for_each(|number| text.push_str(&format!("n{number} A 192.0.2.2\n")));
        std::fs::create_dir(&zones).unwrap();
        std::fs::write(zones.join("large.example.zone"), text).unwrap();
        zones
    }
}

/// Builds the program; gives its path.
fn built_for_speed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--locked", "--release", "--bin", "zonesmith", "--target-dir"]);
    cargo.arg(&target);
    for setting in ["lto=false", "codegen-units=16", "debug=false"] {
        cargo.args(["--config", &format!("profile.release.{setting}")]);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("release/zonesmith")
}

/// The instructions of a server from its start to its end, with so many queries in between.
fn count(valgrind: &Path, server: &Path, zones: Zones, query: &[u8], queries: usize) -> u64 {
    let folder = folder();
    let (zones, counts) = (zones.put(folder.path()), folder.path().join("counts"));
    let mut command = plain(valgrind);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", counts.display()));
    // Who gives up root or the disk may not write down what callgrind counted.
    command.arg(server).arg("serve").arg(zones).arg("--no-sandbox");
    if geteuid().is_root() {
        command.arg("--user=root");
    }
    let server = Server::start_as(command).unwrap();
    ask(&server, query, queries);
    server.stop().unwrap();
    let counts = std::fs::read_to_string(counts).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals:"));
    total.expect("callgrind's total").trim().parse().unwrap()
}

/// Asks so many times, and takes as many answers, each to a query of its own.
fn ask(server: &Server, query: &[u8], queries: usize) {
    let mut query = query.to_vec();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut waiting, mut answer) = (BTreeSet::new(), [0; 512]);
    for number in 0..queries + IN_FLIGHT {
        if number >= IN_FLIGHT {
            let len = client.recv(&mut answer).unwrap();
            assert!(
                len > query.len() && answer[3] & 15 == 0 && answer[7] == 1,
                "an answer with an address"
            );
            assert!(waiting.remove(&[answer[0], answer[1]]), "an answer to a query of ours");
        }
        if number < queries {
            let id = u16::try_from(number % 65_536).unwrap().to_be_bytes();
            query[..2].copy_from_slice(&id);
            client.send(&query).unwrap();
            waiting.insert(id);
        }
    }
}
