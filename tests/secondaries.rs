//! Do `dig` and `kdig` read our transfers, and which secondaries miss a change?
//!
//! What is compared is the canonical form that `named-compilezone` gives to a zone, however it came.
//! tests/partners.rs has whole servers as secondaries.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use support::peers;
use support::program::{ended, folder, plain};
use support::server::{Server, wait_until};

const APEX: &str = "smith.edu";

/// The lines of a zone in canonical form, sorted; the error is what named-compilezone says.
fn canonical(apex: &str, file: &Path) -> Result<Vec<String>, String> {
    let compile = peers::find("named-compilezone").ok_or("no named-compilezone")?;
    let run = ended(
        plain(&compile)
            .args([
                "-q", "-i", "none", "-k", "ignore", "-m", "ignore", "-M", "ignore", "-S", "ignore",
            ])
            .args(["-s", "full", "-o", "-", apex])
            .arg(file),
    );
    let mut lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    if lines.is_empty() { Err(format!("{}{}", run.stdout, run.stderr)) } else { Ok(lines) }
}

/// What one program gets of a zone by a transfer, in canonical form.
fn transferred(
    program: &str,
    server: SocketAddr,
    apex: &str,
    what: &str,
) -> Result<Vec<String>, String> {
    let program = peers::find(program).ok_or("not installed")?;
    let folder = folder();
    let file = folder.path().join("zone");
    let (ip, port) = (format!("@{}", server.ip()), server.port().to_string());
    let run = ended(plain(&program).args([&ip, "-p", &port, "+tcp", apex]).args(what.split(' ')));
    fs::write(&file, &run.stdout).unwrap();
    canonical(apex, &file).map_err(|error| format!("{error}\n{}{}", run.stdout, run.stderr))
}

/// A zone of many messages, with what transfers may stumble over.
fn text(apex: &str, serial: u32, hosts: u32) -> String {
    let mut text = format!(
        "$ORIGIN {apex}.\n$TTL 300\n@ SOA ns1 admin {serial} 2h 15m 2w 5m\n@ NS ns1\n@ MX 10 Mail\n\
         ns1 A 192.0.2.1\nMail A 192.0.2.25\nsub NS ns.sub\nns.sub A 192.0.2.54\n\
         hidden.sub TXT \"below the cut\"\na.b.c TXT \"deep\"\n*.wild CNAME www.A.b\n\
         odd\\.dot\\032space TXT \"\\000\\255\"\nraw TYPE65280 \\# 4 0a0b0c0d\n\
         dname DNAME elsewhere.example.\nsvc SVCB 1 . alpn=h2 ipv4hint=192.0.2.9\n"
    );
    let _ = writeln!(text, "long TXT {}", format!("\"{:y<250}\" ", "").repeat(50));
    for host in 0..hosts {
        let _ = writeln!(text, "h{host} A 192.0.2.{}\nh{host} TXT \"host {host}\"", host % 256);
    }
    text
}

fn save(zones: &Path, text: &str) -> PathBuf {
    let file = zones.join(format!("{APEX}.zone"));
    let new = zones.join("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, &file).unwrap();
    file
}

#[test]
fn dig_and_kdig_get_what_the_file_says() {
    let folder = folder();
    let zones = support::program::copy_zones(folder.path());
    // One record is longer than the messages, which NSD 4.6 as a secondary would not pass on.
    let longer = format!("longer TXT {}\n", format!("\"{:z<250}\" ", "").repeat(240));
    save(&zones, &(text(APEX, 5, 3000) + &longer));
    let server = Server::start(&zones, &["--allow-transfer", "127.0.0.0/8"]).unwrap();
    for program in ["dig", "kdig"] {
        if peers::find(program).is_none() || peers::find("named-compilezone").is_none() {
            continue;
        }
        for entry in fs::read_dir(&zones).unwrap() {
            let file = entry.unwrap().path();
            let apex = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let apex = if apex == "root" { ".".to_owned() } else { apex };
            let expected = canonical(&apex, &file).unwrap();
            let got = transferred(program, server.address, &apex, "axfr").unwrap();
            assert!(got == expected, "{program} {apex}: {} of {} lines", got.len(), expected.len());
        }
    }
    server.stop().unwrap();
}

/// What changed since a serial, as a program shows it, spaces made one.
fn changes(program: &str, server: SocketAddr, transport: &str) -> Vec<String> {
    let program = peers::find(program).unwrap();
    let (ip, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut command = plain(&program);
    command.args([&ip, "-p", &port, transport, "+noall", "+answer", APEX, "-t", "ixfr=1"]);
    let run = ended(&mut command);
    let shown = run.stdout.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
    shown.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn dig_and_kdig_get_what_changed_over_tcp_and_udp() {
    they_get_what_changed(&[], 2);
}

#[test]
fn they_get_what_changed_where_the_server_raised_the_serial() {
    they_get_what_changed(&["--serial", "increment"], 1);
}

/// After a change that has this serial in the file, and 2 as it is served.
fn they_get_what_changed(flags: &[&str], serial: u32) {
    let folder = folder();
    let zones = folder.path();
    save(zones, &text(APEX, 1, 50));
    let flags = [&["--allow-transfer", "127.0.0.0/8"], flags].concat();
    let server = Server::start(zones, &flags).unwrap();
    save(zones, &text(APEX, serial, 51).replace("h7 A 192.0.2.7", "h7 A 198.51.100.7"));
    assert!(wait_until(|| server.log().contains("serial 1 → 2")), "{}", server.log());
    let soa = |serial| {
        format!("{APEX}. 300 IN SOA ns1.{APEX}. admin.{APEX}. {serial} 7200 900 1209600 300")
    };
    let expected = [
        soa(2),
        soa(1),
        format!("h7.{APEX}. 300 IN A 192.0.2.7"),
        soa(2),
        format!("h7.{APEX}. 300 IN A 198.51.100.7"),
        format!("h50.{APEX}. 300 IN A 192.0.2.50"),
        format!("h50.{APEX}. 300 IN TXT \"host 50\""),
        soa(2),
    ];
    for (program, transport) in
        [("dig", "+tcp"), ("dig", "+notcp"), ("kdig", "+tcp"), ("kdig", "+notcp")]
    {
        if peers::find(program).is_some() {
            assert_eq!(
                changes(program, server.address, transport),
                expected,
                "{program} {transport}"
            );
        }
    }
    server.stop().unwrap();
}

#[test]
fn a_change_that_does_not_raise_the_serial_names_the_secondaries_that_miss_it() {
    let folder = folder();
    let zones = folder.path();
    save(zones, &text(APEX, 5, 10));
    let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [one, other] = [&one, &other].map(|socket| socket.local_addr().unwrap().to_string());
    let allow = ["--allow-transfer", "127.0.0.1", "--notify", &one, "--notify", &other];
    let server = Server::start(zones, &allow).unwrap();
    let warning = format!("{APEX}. stays as it was at {one}, {other}: the serial did not rise");
    save(zones, &text(APEX, 6, 11));
    assert!(wait_until(|| server.log().contains("serial 5 → 6")), "{}", server.log());
    assert!(!server.log().contains(&warning));
    for (serial, count) in [(6, 1), (4, 2)] {
        save(zones, &text(APEX, serial, 12 + count));
        let told = || server.log().matches(&warning).count() == usize::try_from(count).unwrap();
        assert!(wait_until(told), "{serial}: {}", server.log());
    }
    server.stop().unwrap();
}
