//! NOTIFY with a key, by the built program: BIND fetches a zone because of one, and an answer that nobody
//! signed ends nothing.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "dnssec/daemon.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod daemon;
mod support;

use daemon::{Daemon, ask};
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use support::peers;
use support::program::{ended, folder, free_port, write, zonesmith};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// The zone, which is asked for again every two hours.
fn zone(serial: u32) -> String {
    format!("$TTL 300\n@ SOA ns1 admin {serial} 2h 15m 2w 5m\n@ NS ns1\nns1 A 192.0.2.{serial}\n")
}

/// A folder with `zones`, and the key `pair` in a file; gives the key's secret, too.
fn lab() -> (TempDir, String) {
    let folder = folder();
    fs::create_dir(folder.path().join("zones")).unwrap();
    let made = ended(zonesmith().args(["keygen", "pair"])).stdout;
    write(folder.path(), &[("zones/smith.edu.zone", &zone(7)), ("pair.key", &made)]);
    let secret = made.split('"').nth(3).unwrap().to_string();
    (folder, secret)
}

/// A server that gives the zone to who has the key, on a port that is known before.
fn primary(folder: &Path, port: u16, more: &[&str]) -> Server {
    let (listen, key) = (format!("127.0.0.1:{port}"), folder.join("pair.key"));
    let key = key.display().to_string();
    let flags = ["-vv", "--listen", &listen, "--key", &key, "--allow-transfer", "key:pair"];
    Server::start(&folder.join("zones"), &[&flags, more].concat()).unwrap()
}

#[test]
fn bind_believes_the_key_and_its_answer_is_believed() {
    let Some(program) = peers::find("named") else { return };
    let ((folder, secret), primary_port) = (lab(), free_port());
    let home = folder.path().join("bind");
    fs::create_dir(&home).unwrap();
    let (conf, log) = (home.join("conf"), home.join("log"));
    let silent = primary(folder.path(), primary_port, &[]);
    let daemon = Daemon::start(&program, &log, "smith.edu. SOA", |port| {
        let home = home.display();
        let text = format!(
            "options {{ directory \"{home}\"; listen-on port {port} {{ 127.0.0.1; }}; \
             listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; \
             recursion no; notify no; dnssec-validation no; empty-zones-enable no; }};\ncontrols {{ }};\n\
             logging {{ category default {{ default_stderr; }}; }};\n\
             key \"pair\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             zone \"smith.edu\" {{ type secondary; file \"zone\"; masterfile-format text; \
             primaries {{ 127.0.0.1 port {primary_port} key pair; }}; allow-notify {{ key pair; }}; }};\n"
        );
        fs::write(&conf, text).unwrap();
        ["-f", "-n", "1", "-c", &conf.display().to_string()].map(String::from).to_vec()
    });
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let holds = |serial: u32| {
        let end = format!(" 192.0.2.{serial}");
        let answer = || ask(daemon.address, "ns1.smith.edu. A").answer;
        let has = wait_until(|| answer().iter().any(|record| record.ends_with(&end)));
        assert!(has, "serial {serial}:\n{}", said());
    };
    holds(7);
    silent.stop().unwrap();
    write(folder.path(), &[("zones/smith.edu.zone", &zone(8))]);
    let notify = format!("{}+key:pair", daemon.address);
    let server = primary(folder.path(), primary_port, &["--notify", &notify]);
    holds(8);
    assert!(said().contains("received notify for zone 'smith.edu': TSIG 'pair'"), "{}", said());
    assert!(!server.log().contains("does not count"), "{}", server.log());
    server.stop().unwrap();
}

#[test]
fn an_answer_that_nobody_signed_ends_nothing_and_is_told_once() {
    let (folder, _) = lab();
    let secondary = UdpSocket::bind("127.0.0.1:0").unwrap();
    secondary.set_nonblocking(true).unwrap();
    let notify = format!("{}+key:pair", secondary.local_addr().unwrap());
    let server = primary(folder.path(), free_port(), &["--notify", &notify]);
    let told = "its answer to an announcement does not count: it is not signed";
    for _ in 0..3 {
        let (mut message, mut received) = ([0; 512], None);
        let came = wait_until(|| {
            received = secondary.recv_from(&mut message).ok();
            received.is_some()
        });
        assert!(came, "nothing is announced\n{}", server.log());
        let (len, from) = received.unwrap();
        assert_eq!((message[11], message[2] >> 3), (1, 4), "a signed NOTIFY");
        let question_end = 12 + "\x05smith\x03edu\0".len() + 4;
        assert!(len > question_end);
        (message[2], message[7], message[11]) = (message[2] | 0x80, 0, 0);
        secondary.send_to(&message[..question_end], from).unwrap();
        assert!(wait_until(|| server.log().contains(told)), "{}", server.log());
    }
    assert_eq!(server.log().matches(told).count(), 1, "{}", server.log());
    server.stop().unwrap();
}

#[test]
fn a_key_that_no_file_has_is_refused_with_the_one_that_is_meant() {
    let (folder, _) = lab();
    for (flag, value, named) in [
        ("--notify", "127.0.0.1+key:pear", "127.0.0.1:53+key:pear."),
        ("--allow-transfer", "key:pear", "key:pear."),
    ] {
        let words = ["serve", "zones", "--listen", "127.0.0.1:0", "--key", "pair.key", flag, value];
        let run = ended(zonesmith().args(words).current_dir(folder.path()));
        let shown = format!("error: {named}: no key file has that key\n  did you mean `pair`?\n");
        assert!(run.code == Some(2) && run.stderr.contains(&shown), "{run:?}");
    }
}
