//! Three other servers with the same zones, to be asked what we are asked.

use super::daemon::{Daemon, ask};
use super::signer::{APEX, Zones};
use super::support::message::Message;
use super::support::peers;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// What of an answer must be the same for all: the order of records and the case of names is free.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    rcode: u16,
    authoritative: bool,
    pub(crate) truncated: bool,
    answer: Vec<String>,
    authority: Vec<String>,
}

impl Said {
    /// Asks one server.
    pub(crate) fn by(server: SocketAddr, query: &str) -> Said {
        let message = ask(server, query);
        let sorted = |records: &[String]| {
            let mut records: Vec<_> = records.iter().map(|r| r.to_lowercase()).collect();
            records.sort();
            records
        };
        let Message { flags, answer, authority, .. } = &message;
        Said {
            rcode: message.rcode(),
            authoritative: flags & 0x0400 != 0,
            truncated: flags & 0x0200 != 0,
            answer: sorted(answer),
            authority: sorted(authority),
        }
    }
}

/// NSD, Knot and BIND; `None` if one is missing. Their files are in `folder`.
pub(crate) fn start(zones: &Zones, folder: &Path) -> Option<[Daemon; 3]> {
    Some([
        one("nsd", &["-d", "-c"], nsd, zones, folder)?,
        one("knotd", &["-c"], knot, zones, folder)?,
        one("named", &["-f", "-n", "1", "-c"], bind, zones, folder)?,
    ])
}

fn one(
    name: &str,
    arguments: &[&str],
    configuration: fn(&Zones, &Path, u16) -> String,
    zones: &Zones,
    folder: &Path,
) -> Option<Daemon> {
    let program = peers::find(name)?;
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    let file = folder.join("conf");
    let configure = |port| {
        fs::write(&file, configuration(zones, &folder, port)).unwrap();
        let file = file.display().to_string();
        arguments.iter().map(ToString::to_string).chain([file]).collect()
    };
    let log = folder.join("log");
    Some(Daemon::start(&program, &log, &format!("{APEX} SOA"), configure))
}

fn nsd(zones: &Zones, folder: &Path, port: u16) -> String {
    let mut text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n \
         rrl-ratelimit: 0\n minimal-responses: yes\n database: \"\"\n"
    );
    for (option, file) in
        [("pidfile", "pid"), ("xfrdfile", "xfrd"), ("zonelistfile", "list"), ("xfrdir", "")]
    {
        let _ = writeln!(text, " {option}: \"{}\"", folder.join(file).display());
    }
    text += "remote-control:\n control-enable: no\n";
    for zone in Zones::names() {
        let file = zones.file(zone);
        let _ = write!(text, "zone:\n name: {zone}\n zonefile: \"{}\"\n", file.display());
    }
    text
}

fn knot(zones: &Zones, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:\n  rundir: \"{folder}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  \
         tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: \"{folder}\"\n\
         template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\nzone:\n"
    );
    for zone in Zones::names() {
        let file = zones.file(zone);
        let _ = write!(text, "  - domain: {zone}\n    file: \"{}\"\n", file.display());
    }
    text
}

fn bind(zones: &Zones, folder: &Path, port: u16) -> String {
    let mut text = format!(
        "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; \
         listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; \
         recursion no; notify no; dnssec-validation no; empty-zones-enable no; \
         check-names primary ignore; minimal-responses yes; minimal-any yes; }};\ncontrols {{ }};\n\
         logging {{ category default {{ default_stderr; }}; }};\n",
        folder.display()
    );
    for zone in Zones::names() {
        let file = zones.file(zone);
        let _ = writeln!(text, "zone {zone} {{ type primary; file \"{}\"; }};", file.display());
    }
    text
}
