//! By default the server sends no packet that nobody asked for: every call that could send one is looked
//! at, with strace, from its start over a reload to its end.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::peers;
use support::program::{copy_zones, folder, plain, write};
use support::server::{Server, wait_until};

/// The system calls that send, or say where to.
const SENDING: [&str; 4] = ["sendto(", "sendmsg(", "sendmmsg(", "connect("];

/// Starts `serve ZONES` under strace, whose log is `trace`; the process is the server's own.
fn traced(strace: &Path, trace: &Path, zones: &Path, arguments: &[&str]) -> Server {
    let mut command: Command = plain(strace);
    command.args(["-D", "-f", "-yy", "-qq", "-e", "trace=network", "-o"]).arg(trace);
    command.arg(env!("CARGO_BIN_EXE_zonesmith")).arg("serve").arg(zones).args(arguments);
    Server::start_as(command).unwrap()
}

/// The calls that send something to where others are: not to this machine's own services.
fn sent(trace: &Path) -> Vec<String> {
    let text = fs::read_to_string(trace).unwrap();
    assert!(text.contains("bind("), "strace saw nothing: {text}");
    let sends = |line: &&str| SENDING.iter().any(|call| line.contains(call));
    let is_local = |line: &&str| line.contains("AF_UNIX") || line.contains("<UNIX");
    text.lines().filter(sends).filter(|line| !is_local(line)).map(str::to_owned).collect()
}

/// Raises a zone's serial, and waits until that is served.
fn edit(zones: &Path, server: &Server) {
    let file = zones.join("smith.edu.zone");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.contains("; serial")).expect("a serial");
    let serial = line.split_whitespace().find_map(|word| word.parse::<u32>().ok()).unwrap();
    let new = text.replace(&serial.to_string(), &(serial + 1).to_string());
    fs::write(&file, new).unwrap();
    let expected = format!("serial {serial} → {}", serial + 1);
    assert!(wait_until(|| server.log().contains(&expected)), "{}", server.log());
}

fn strace() -> Option<PathBuf> {
    peers::find("strace")
}

#[test]
fn by_default_nothing_is_sent() {
    let Some(strace) = strace() else { return };
    let folder = folder();
    let (zones, trace) = (copy_zones(folder.path()), folder.path().join("trace"));
    let server = traced(&strace, &trace, &zones, &["--allow-transfer", "127.0.0.1"]);
    edit(&zones, &server);
    server.stop().unwrap();
    assert_eq!(sent(&trace), [""; 0]);
}

#[test]
fn only_those_that_are_named_are_notified() {
    let Some(strace) = strace() else { return };
    let folder = folder();
    let (zones, trace) = (copy_zones(folder.path()), folder.path().join("trace"));
    let secondary = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = secondary.local_addr().unwrap();
    let server = traced(&strace, &trace, &zones, &["--notify", &address.to_string()]);
    edit(&zones, &server);
    server.stop().unwrap();
    let (sent, port) = (sent(&trace), format!("sin_port=htons({})", address.port()));
    assert!(sent.len() > fs::read_dir(&zones).unwrap().count(), "at start and behind the edit");
    assert!(sent.iter().all(|call| call.contains(&port)), "{sent:?}");
}

/// Two zones: the name servers of the first are its primary, one of its own, one of the other zone, and
/// one that nobody here knows.
const NAME_SERVERS: [(&str, &str); 2] = [
    (
        "smith.edu.zone",
        "$TTL 300\n@ SOA ns1 admin 1 2h 15m 2w 5m\n@ NS ns1\n@ NS ns2\n@ NS ns.umass.example.\n\
         @ NS ns.elsewhere.example.\nns1 A 127.0.0.7\nns2 A 127.0.0.8\n",
    ),
    ("umass.example.zone", "$TTL 300\n@ SOA ns admin 1 2h 15m 2w 5m\n@ NS ns\nns A 127.0.0.9\n"),
];

#[test]
fn name_servers_are_notified_where_a_zone_has_their_addresses_and_that_is_wanted() {
    let Some(strace) = strace() else { return };
    let folder = folder();
    let (zones, trace) = (folder.path().join("zones"), folder.path().join("trace"));
    fs::create_dir(&zones).unwrap();
    write(&zones, &NAME_SERVERS);
    let server = traced(&strace, &trace, &zones, &["--notify", "ns"]);
    let told = "smith.edu.: its name server ns.elsewhere.example. is not told of changes: no zone here \
                has its address\n  name the address, too, with `--notify ADDRESS`";
    assert!(wait_until(|| server.log().contains(told)), "{}", server.log());
    // the address moves, and the next version is announced where it is then
    let moved = NAME_SERVERS[0].1.replace("127.0.0.8", "127.0.0.18").replace("admin 1", "admin 2");
    write(&zones, &[(NAME_SERVERS[0].0, &moved)]);
    assert!(wait_until(|| server.log().contains("serial 1 → 2")), "{}", server.log());
    let is_told = |address: &str| {
        sent(&trace).iter().any(|call| {
            call.contains("htons(53)") && call.contains(&format!("inet_addr(\"{address}\")"))
        })
    };
    assert!(wait_until(|| is_told("127.0.0.18")), "{:?}", sent(&trace));
    server.stop().unwrap();
    assert!(is_told("127.0.0.8") && is_told("127.0.0.9"), "{:?}", sent(&trace));
    assert!(!is_told("127.0.0.7"), "the SOA names it as the primary: {:?}", sent(&trace));
}
