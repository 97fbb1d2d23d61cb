//! How often the server asks the kernel for something: not once for each query.
//!
//! strace counts the calls of a server that gets its queries in masses.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use support::peers;
use support::program::{copy_zones, folder};
use support::query::Query;
use support::server::{DEADLINE, Server, framed, wait_until};

/// Queries sent at once: those of a second or less.
const QUERIES: usize = 1000;
/// Calls to read and to write for all of them. 4,096 octets are read at once, some 110 queries, and
/// their answers written at once: ten of each, if the network cuts the stream nowhere.
const CALLS_MAX: usize = 100;

#[test]
fn queries_that_come_together_in_a_stream_share_their_system_calls() {
    let Some(strace) = peers::find("strace") else { return };
    let folder = folder();
    let (zones, counts) = (copy_zones(folder.path()), folder.path().join("counts"));
    let mut command = Command::new(strace);
    // With -D the server is our child, not strace's: signals reach it.
    command.args(["-D", "-f", "-c", "-U", "name,calls", "-o"]).arg(&counts);
    command.arg(env!("CARGO_BIN_EXE_zonesmith")).arg("serve").arg(zones).arg("--no-sandbox");
    let server = Server::start_as(command).unwrap();
    pipeline(&server);
    server.stop().unwrap();
    let mut table = String::new();
    let written = wait_until(|| {
        table = std::fs::read_to_string(&counts).unwrap_or_default();
        table.contains(" total") || table.contains("total ")
    });
    assert!(written, "strace writes down what it counted when the server has ended: {table}");
    let calls = calls(&table);
    let of = |names: &[&str]| -> usize { names.iter().filter_map(|name| calls.get(*name)).sum() };
    let [reads, writes] =
        [of(&["recvfrom", "recvmsg", "recv"]), of(&["sendto", "sendmsg", "send"])];
    assert!(reads > 0 && writes > 0, "the queries came, the answers went: {table}");
    assert!(reads + writes <= CALLS_MAX, "{table}");
}

/// Sends all queries in one piece and reads all answers.
fn pipeline(server: &Server) {
    let query = framed(&Query::parse("science.smith.edu. A").unwrap().wire);
    let mut client = TcpStream::connect(server.address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(&query.repeat(QUERIES)).unwrap();
    for _ in 0..QUERIES {
        let mut len = [0; 2];
        client.read_exact(&mut len).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(len).into()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer[3] & 15, 0, "NOERROR");
    }
}

/// The calls by name, from a table with a name and a number in each line.
fn calls(table: &str) -> BTreeMap<&str, usize> {
    let rows = table.lines().filter_map(|line| line.split_once(char::is_whitespace));
    rows.filter_map(|(name, count)| Some((name, count.trim().parse().ok()?))).collect()
}
