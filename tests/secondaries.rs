//! NSD, Knot and BIND as our secondaries, with the configuration that examples/fleet shows: do they hold
//! what we serve, after edits and kills on either side? And do `dig` and `kdig` read our transfers?
//!
//! What is compared is the canonical form that `named-compilezone` gives to a zone, however it came.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "dnssec/daemon.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod daemon;
mod support;

use daemon::{Daemon, ask};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::peers;
use support::program::{ended, folder, free_port, plain};
use support::server::{Server, wait_until};

const APEX: &str = "smith.edu";
/// Where the primary stands in examples/fleet.
const PRIMARY: &str = "192.0.2.1";

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

/// A server of others with its own configuration and files, which survive it.
struct Partner {
    program: PathBuf,
    arguments: &'static [&'static str],
    folder: PathBuf,
    /// Makes it whole: for a folder and a port.
    configure: fn(&Path, u16, &str) -> String,
    /// The file of examples/fleet.
    example: &'static str,
    port: u16,
}

impl Partner {
    /// Starts it as a secondary of `primary`. Whether it has the zone is another question.
    fn start(&self, primary: SocketAddr) -> Daemon {
        let example = format!("{}/examples/fleet/{}", env!("CARGO_MANIFEST_DIR"), self.example);
        let example = fs::read_to_string(example).unwrap();
        let (ip, port) = (primary.ip().to_string(), primary.port());
        let example = example
            .replace(&format!("{PRIMARY}@53"), &format!("{ip}@{port}"))
            .replace(&format!("{PRIMARY} port 53"), &format!("{ip} port {port}"))
            .replace(PRIMARY, &ip);
        let file = self.folder.join("conf");
        fs::write(&file, (self.configure)(&self.folder, self.port, &example)).unwrap();
        let file = file.display().to_string();
        let arguments: Vec<String> =
            self.arguments.iter().map(ToString::to_string).chain([file]).collect();
        Daemon::start_on(self.port, &self.program, &self.folder.join("log"), &arguments)
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn serial(&self) -> Option<u32> {
        let answer = ask(self.address(), &format!("{APEX} SOA"));
        answer.answer.first()?.split(' ').nth(6)?.parse().ok()
    }

    /// Waits until it holds the zone that the file says.
    fn wait_for(&self, serial: u32, file: &Path) {
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let has = wait_until(|| self.serial() == Some(serial));
        assert!(has, "{}: {:?} and not {serial}; its log:\n{}", self.example, self.serial(), log());
        // Knot keeps names in lower case.
        let lower = |lines: Vec<String>| -> BTreeSet<String> {
            lines.iter().map(|line| line.to_lowercase()).collect()
        };
        let expected = lower(canonical(APEX, file).unwrap());
        let got = lower(transferred("dig", self.address(), APEX, "axfr").unwrap());
        let differing: Vec<_> = got.symmetric_difference(&expected).take(4).collect();
        assert!(differing.is_empty(), "{}: {differing:?}", self.example);
    }
}

fn partner(folder: &Path, name: &str) -> Option<Partner> {
    type Configure = fn(&Path, u16, &str) -> String;
    let (program, arguments, configure, example): (_, &[&str], Configure, _) = match name {
        "nsd" => ("nsd", &["-d", "-c"], nsd, "nsd.conf"),
        "knot" => ("knotd", &["-c"], knot, "knot.conf"),
        _ => ("named", &["-f", "-n", "1", "-c"], bind, "named.conf"),
    };
    let program = peers::find(program)?;
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    Some(Partner { program, arguments, folder, configure, example, port: free_port() })
}

fn nsd(folder: &Path, port: u16, zone: &str) -> String {
    let mut text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n \
         rrl-ratelimit: 0\n database: \"\"\n xfrd-reload-timeout: 0\n zonesdir: \"{}\"\n",
        folder.display()
    );
    for (option, file) in
        [("pidfile", "pid"), ("xfrdfile", "xfrd"), ("zonelistfile", "list"), ("xfrdir", "")]
    {
        let _ = writeln!(text, " {option}: \"{}\"", folder.join(file).display());
    }
    // The test reads the zone back.
    text + "remote-control:\n control-enable: no\n" + zone + "    provide-xfr: 127.0.0.0/8 NOKEY\n"
}

fn knot(folder: &Path, port: u16, zone: &str) -> String {
    let folder = folder.display();
    let acl = "acl: notify-from-primary";
    assert!(zone.contains(acl), "the test may read the zone back");
    let zone = zone.replace(acl, "acl: [ notify-from-primary, read-back ]");
    format!(
        "server:\n  rundir: \"{folder}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  \
         tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: \"{folder}\"\n\
         template:\n  - id: default\n    storage: \"{folder}\"\n\
         acl:\n  - id: read-back\n    address: 127.0.0.0/8\n    action: transfer\n{zone}"
    )
}

fn bind(folder: &Path, port: u16, zone: &str) -> String {
    format!(
        "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; \
         listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; \
         recursion no; notify no; dnssec-validation no; empty-zones-enable no; \
         allow-transfer {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n\
         logging {{ category default {{ default_stderr; }}; }};\n{zone}",
        folder.display()
    )
}

/// The primary, always on the same port.
fn primary(zones: &Path, port: u16, partner: &Partner) -> Server {
    primary_with(zones, port, partner, &[])
}

fn primary_with(zones: &Path, port: u16, partner: &Partner, more: &[&str]) -> Server {
    let (listen, notify) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", partner.port));
    let flags = ["--listen", &listen, "--allow-transfer", "127.0.0.1", "--notify", &notify];
    Server::start(zones, &[&flags, more].concat()).unwrap()
}

fn it_holds_what_we_serve(name: &str) {
    let folder = folder();
    let Some(partner) = partner(folder.path(), name) else { return };
    if peers::find("dig").is_none() || peers::find("named-compilezone").is_none() {
        return;
    }
    let zones = folder.path().join("zones");
    fs::create_dir(&zones).unwrap();
    let file = save(&zones, &text(APEX, 1, 1000));
    let port = free_port();
    let server = primary(&zones, port, &partner);

    let daemon = partner.start(server.address);
    partner.wait_for(1, &file);
    save(&zones, &text(APEX, 2, 1100));
    partner.wait_for(2, &file);
    save(&zones, &text(APEX, 3, 900).replace("h7 A 192.0.2.7", "H7 A 198.51.100.7"));
    partner.wait_for(3, &file);
    for serial in [2, 3] {
        let sent = format!("serial {serial}: changes in 1 message");
        assert!(server.log().contains(&sent), "{sent}:\n{}", server.log());
    }

    daemon.kill();
    save(&zones, &text(APEX, 4, 1000));
    let daemon = partner.start(server.address);
    partner.wait_for(4, &file);

    server.signal("KILL").unwrap();
    drop(server);
    save(&zones, &text(APEX, 5, 1000));
    let server = primary(&zones, port, &partner);
    partner.wait_for(5, &file);
    drop(daemon);
    server.stop().unwrap();
}

#[test]
fn nsd_holds_what_we_serve() {
    it_holds_what_we_serve("nsd");
}

#[test]
fn knot_holds_what_we_serve() {
    it_holds_what_we_serve("knot");
}

#[test]
fn bind_holds_what_we_serve() {
    it_holds_what_we_serve("bind");
}

/// With `--serial increment` and edits that leave the serial alone.
fn it_follows_edits_without_serials(name: &str) {
    let folder = folder();
    let Some(partner) = partner(folder.path(), name) else { return };
    if peers::find("dig").is_none() || peers::find("named-compilezone").is_none() {
        return;
    }
    let (zones, state) = (folder.path().join("zones"), folder.path().join("state"));
    fs::create_dir(&zones).unwrap();
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
    let flags = ["--serial", "increment", "--state", state.to_str().unwrap()];
    // what is served of a text, in a file
    let served = |serial, hosts| {
        let file = folder.path().join("served");
        fs::write(&file, text(APEX, serial, hosts)).unwrap();
        file
    };
    save(&zones, &text(APEX, 1, 1000));
    let port = free_port();
    let server = primary_with(&zones, port, &partner, &flags);
    let daemon = partner.start(server.address);
    partner.wait_for(1, &served(1, 1000));
    for (serial, hosts) in [(2, 1100), (3, 900)] {
        save(&zones, &text(APEX, 1, hosts));
        partner.wait_for(serial, &served(serial, hosts));
        let sent = format!("serial {serial}: changes in 1 message");
        assert!(server.log().contains(&sent), "{sent}:\n{}", server.log());
    }

    server.signal("KILL").unwrap();
    drop(server);
    save(&zones, &text(APEX, 1, 1000));
    let server = primary_with(&zones, port, &partner, &flags);
    partner.wait_for(4, &served(4, 1000));
    drop(daemon);
    server.stop().unwrap();
}

#[test]
fn nsd_follows_edits_without_serials() {
    it_follows_edits_without_serials("nsd");
}

#[test]
fn knot_follows_edits_without_serials() {
    it_follows_edits_without_serials("knot");
}

#[test]
fn bind_follows_edits_without_serials() {
    it_follows_edits_without_serials("bind");
}
