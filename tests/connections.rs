//! TCP connections in masses: who opens them, sends slowly, or never reads, holds connections and
//! nothing else; and who runs the server out of descriptors stops neither UDP, nor those who are
//! connected, nor the reading of zone files.
//!
//! `ZONESMITH_LONG=1` holds ten thousand idle connections; with `--nocapture` the memory that they
//! take is shown.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use support::program::{folder, write};
use support::query::{Query, Transport};
use support::server::{Server, connect_from, framed, read_answer, wait_until};
use tempfile::TempDir;

const ZONE: &str = "$TTL 300\n@ SOA ns admin 1 1d 1h 1w 5m\n  NS ns\nns A 192.0.2.1\n";

/// What an idle connection may take, in octets: `README.md` says less than eight kilobytes, and this
/// one's queries are short.
const KEPT_LEN_MAX: usize = 4096;

fn zone() -> TempDir {
    let folder = folder();
    write(folder.path(), &[("example.zone", ZONE)]);
    folder
}

fn query() -> Vec<u8> {
    Query::parse("ns.example. A").unwrap().wire
}

fn connect(server: SocketAddr) -> TcpStream {
    connect_from([127, 0, 0, 1], server).unwrap()
}

/// Asks on a connection; whether the answer comes.
fn ask(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(&framed(&query()))?;
    assert_eq!(read_answer(client)?[..2], query()[..2]);
    Ok(())
}

fn assert_answers_over_udp(server: &Server) {
    let answer = server.ask(&query(), Transport::Udp).unwrap().unwrap();
    assert_eq!(answer[3] & 0xf, 0, "NOERROR");
}

#[test]
fn few_descriptors_mean_few_connections_and_zone_files_are_read_still() {
    let folder = zone();
    let server = Server::start_with_descriptors(80, folder.path(), &[]).unwrap();
    assert!(server.log().contains("TCP connections at a time, not 1000: the server may have 80"));
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut steady = connect(server.address);
    for _ in 0..150 {
        let mut client = connect(server.address);
        ask(&mut client).unwrap();
        ask(&mut steady).unwrap();
        assert_answers_over_udp(&server);
        clients.push(client);
    }
    let mut last = clients.pop().unwrap();
    ask(&mut last).unwrap();
    write(folder.path(), &[("new.zone", &ZONE.replace("admin 1", "admin 2"))]);
    assert!(wait_until(|| server.log().contains("new. serial 2")), "{}", server.log());
    assert!(!server.log().contains("accepting on"), "it never came to that: {}", server.log());
    server.stop().unwrap();
}

#[test]
fn out_of_descriptors_it_answers_over_udp_and_says_what_to_do() {
    // With the fewest that it starts with, none is left for a connection.
    let folder = zone();
    let start = |count| Server::start_with_descriptors(count, folder.path(), &[]).ok();
    let server = (8..80).find_map(start).unwrap();
    let mut waiting: Vec<TcpStream> = Vec::new();
    let noticed = wait_until(|| {
        waiting.push(connect(server.address));
        assert_answers_over_udp(&server);
        server.log().contains("accepting on")
    });
    assert!(noticed, "{}", server.log());
    assert!(server.log().contains("LimitNOFILE="), "{}", server.log());
    for _ in 0..20 {
        assert_answers_over_udp(&server);
    }
    server.stop().unwrap();
}

#[test]
fn out_of_descriptors_those_who_ask_keep_their_connections() {
    // Limits of a process are set by who runs it: a server that root starts must stay root's.
    let user = if geteuid().is_root() { &["--user=root"][..] } else { &[] };
    let server = Server::start(zone().path(), user).unwrap();
    let mut steady: Vec<TcpStream> = (0..5).map(|_| connect(server.address)).collect();
    steady.iter_mut().for_each(|client| ask(client).unwrap());
    let maximum = Some(server.descriptors() as u64 + 2);
    let pid = Pid::from_raw(server.pid().try_into().unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let mut newcomers: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        let mut newcomer = connect(server.address);
        ask(&mut newcomer).unwrap();
        newcomers.push(newcomer);
        steady.iter_mut().for_each(|client| ask(client).unwrap());
        assert_answers_over_udp(&server);
    }
    assert!(server.log().contains("accepting on"), "it never came to that: {}", server.log());
    assert!(server.log().contains("LimitNOFILE="), "{}", server.log());
    assert!(ask(&mut newcomers[0]).is_err(), "who is idle makes room");
    server.stop().unwrap();
}

#[test]
fn slow_senders_and_those_who_never_read_cost_connections_and_nothing_else() {
    let arguments = ["--tcp-max=60", "--tcp-per-client=20"];
    let server = Server::start(zone().path(), &arguments).unwrap();
    let mut clients: Vec<TcpStream> = Vec::new();
    let many = framed(&query()).repeat(2000);
    for number in 0..80 {
        let mut client = connect_from([127, 0, 0, 2], server.address).unwrap();
        // Some send an octet and no more, some ask for more than they will ever read. Where the
        // server has closed the connection meanwhile, that is what is to be shown.
        client.set_nonblocking(true).unwrap();
        let _ = client.write(if number % 2 == 0 { &many[..1] } else { &many });
        clients.push(client);
        assert_answers_over_udp(&server);
        let mut other = connect(server.address);
        ask(&mut other).unwrap();
    }
    server.stop().unwrap();
}

#[test]
fn who_has_too_many_connections_loses_the_oldest_and_others_keep_theirs() {
    let arguments = ["--tcp-per-client=3", "--tcp-idle=1h"];
    let server = Server::start(zone().path(), &arguments).unwrap();
    let mut other = connect_from([127, 0, 0, 9], server.address).unwrap();
    ask(&mut other).unwrap();
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..6 {
        let mut client = connect(server.address);
        ask(&mut client).unwrap();
        clients.push(client);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(ask(client).is_ok(), number >= 3, "connection {number}");
    }
    ask(&mut other).unwrap();
}

#[test]
fn a_client_that_reads_an_octet_now_and_then_is_closed() {
    let server = Server::start(zone().path(), &["--tcp-idle=1s"]).unwrap();
    let mut client = connect(server.address);
    client.set_nonblocking(true).unwrap();
    // Until the buffers of both sides and the server's own are full.
    let many = framed(&query()).repeat(1000);
    let mut octet = [0];
    let closed = wait_until(|| {
        let written = client.write(&many);
        let gone = |error: std::io::Error| error.kind() != std::io::ErrorKind::WouldBlock;
        let read = client.read(&mut octet);
        written.is_err_and(gone) || matches!(read, Ok(0)) || read.is_err_and(gone)
    });
    assert!(closed);
    assert_answers_over_udp(&server);
}

#[test]
fn who_takes_nothing_of_a_transfer_is_cut_off_and_named() {
    let folder = folder();
    let mut text = ZONE.to_string();
    (0..30_000).for_each(|number| text += &format!("h{number} A 192.0.2.1\n"));
    write(folder.path(), &[("big.zone", &text)]);
    let allow = "--allow-transfer=127.0.0.1";
    let server = Server::start(folder.path(), &["--tcp-idle=1s", allow]).unwrap();
    let mut client = connect(server.address);
    client.write_all(&framed(&Query::parse("big. AXFR +tcp").unwrap().wire)).unwrap();
    let said = format!("not all was sent to {}: big. serial 1: ", client.local_addr().unwrap());
    assert!(wait_until(|| server.log().contains(&said)), "{}", server.log());
    assert!(server.log().contains("nothing was taken for too long (--tcp-idle)"));
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure for who asks for it")]
fn thousands_of_idle_connections_are_held_and_cost_little() {
    let long = std::env::var_os("ZONESMITH_LONG").is_some();
    let count = if long { 10_000 } else { 300 };
    allow_descriptors(count);
    let bound = format!("--tcp-max={}", count + 100);
    let server = Server::start(zone().path(), &[&bound, "--tcp-idle=1h"]).unwrap();
    let before = server.resident_kb();
    let mut clients: Vec<TcpStream> = (0..count).map(|n| connect_as(n, server.address)).collect();
    clients.iter_mut().for_each(|client| ask(client).unwrap());
    assert_answers_over_udp(&server);
    assert!(server.descriptors() > count, "{} descriptors", server.descriptors());
    let taken = server.resident_kb() - before;
    clients.iter_mut().for_each(|client| ask(client).unwrap());
    println!("{count} idle connections: {taken} kB, {} octets each", taken * 1024 / count);
    assert!(taken * 1024 / count < KEPT_LEN_MAX, "{taken} kB");
}

/// Allows this process one end of so many connections, and the server, its child, the other.
fn allow_descriptors(count: usize) {
    let needed = count as u64 + 200;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let maximum = maximum.map(|maximum| maximum.max(needed));
    let allowed = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    assert!(allowed.is_ok(), "this test needs {needed} descriptors: `ulimit -Hn`, LimitNOFILE=");
}

/// Connects from one address for each hundred connections: each of them has ports of its own.
fn connect_as(number: usize, server: SocketAddr) -> TcpStream {
    let hundred = u8::try_from(1 + number / 100).unwrap();
    connect_from([127, 0, 4, hundred], server).unwrap()
}
