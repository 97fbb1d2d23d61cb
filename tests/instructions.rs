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

/// Instructions for an address that is there, over UDP without EDNS. It takes some 1,130; the bound
/// leaves room for another compiler's choices, and none for half as many again: an allocation, a
/// clock, a second pass over the name.
const INSTRUCTIONS_MAX: u64 = 1500;
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
    let [few, many] = [1, 3].map(|times| count(&valgrind, &server, times * QUERIES));
    let each = (many - few) / u64::try_from(2 * QUERIES).unwrap();
    let _ = writeln!(std::io::stderr(), "{each} instructions per query");
    assert!(each >= INSTRUCTIONS_MIN, "{each} instructions are too few: nothing was answered");
    assert!(each <= INSTRUCTIONS_MAX, "{each} instructions per query, at most {INSTRUCTIONS_MAX}");
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
fn count(valgrind: &Path, server: &Path, queries: usize) -> u64 {
    let folder = folder();
    let (zones, counts) = (copy_zones(folder.path()), folder.path().join("counts"));
    let mut command = plain(valgrind);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", counts.display()));
    // Who gives up root or the disk may not write down what callgrind counted.
    command.arg(server).arg("serve").arg(zones).arg("--no-sandbox");
    if geteuid().is_root() {
        command.arg("--user=root");
    }
    let server = Server::start_as(command).unwrap();
    ask(&server, queries);
    server.stop().unwrap();
    let counts = std::fs::read_to_string(counts).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals:"));
    total.expect("callgrind's total").trim().parse().unwrap()
}

/// Asks so many times, and takes as many answers, each to a query of its own.
fn ask(server: &Server, queries: usize) {
    let mut query = Query::parse("science.smith.edu. A").unwrap().wire;
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut waiting, mut answer) = (BTreeSet::new(), [0; 512]);
    for number in 0..queries + IN_FLIGHT {
        if number >= IN_FLIGHT {
            let len = client.recv(&mut answer).unwrap();
            assert!(len > query.len() && answer[3] & 15 == 0, "an answer with an address");
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
