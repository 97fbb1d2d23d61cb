//! Servers of others as our secondaries, with the configuration that examples/fleet shows.

use super::daemon::{Daemon, ask};
use super::support::peers;
use super::support::program::{ended, free_port, plain};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the primary stands in examples/fleet, and the zone, the key and its secret.
const PRIMARY: &str = "192.0.2.1";
const APEX: &str = "smith.edu";
const KEY: &str = "ns1-ns2.example";
const SECRET: &str = "SECRET";
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// How a partner gets a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Axfr,
    Ixfr,
    /// It asks over UDP first.
    IxfrUdp,
}

/// How a partner learns that there is something to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cue {
    /// By NOTIFY.
    Told,
    /// It asks as often as the SOA says.
    Asks,
}

use Cue::{Asks, Told};
use Way::{Axfr, Ixfr, IxfrUdp};

/// A zone that a partner holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) apex: String,
    pub(crate) way: Way,
    /// The secret of the key that is named like the zone, if it takes one to get it.
    pub(crate) secret: Option<String>,
    pub(crate) primary: SocketAddr,
    /// Whether its author forgets to raise the serial, so that the server does it.
    pub(crate) is_forgotten: bool,
}

/// What is different with each partner.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The first one is the server.
    programs: &'static [&'static str],
    /// `%` stands for its folder, where `conf` is.
    arguments: &'static [&'static str],
    /// The file of examples/fleet.
    example: &'static str,
    pub(crate) ways: &'static [(Way, Cue)],
    /// Its configuration but for the zones, for a folder and a port.
    server: fn(&Path, u16) -> String,
    /// A zone's example as the test needs it: got that way, and open to who reads it back.
    zone: fn(&str, &Held) -> String,
    /// What is to be done before the first start, in the folder.
    prepare: fn(&Path, &str),
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind {
        name: "nsd",
        programs: &["nsd"],
        arguments: &["-d", "-c", "%/conf"],
        example: "nsd.conf",
        // Over UDP NSD 4.6 does not ask again once it has heard that it has the latest.
        ways: &[(Axfr, Told), (Axfr, Asks), (Ixfr, Told), (Ixfr, Asks), (IxfrUdp, Told)],
        server: nsd_server,
        zone: nsd_zone,
        prepare: |_, _| (),
    },
    Kind {
        name: "knot",
        programs: &["knotd"],
        arguments: &["-c", "%/conf"],
        example: "knot.conf",
        // It asks for the whole only if it has nothing.
        ways: &[(Ixfr, Told), (Ixfr, Asks)],
        server: knot_server,
        zone: knot_zone,
        prepare: |_, _| (),
    },
    Kind {
        name: "bind",
        programs: &["named"],
        arguments: &["-f", "-n", "1", "-c", "%/conf"],
        example: "named.conf",
        ways: &[(Axfr, Told), (Axfr, Asks), (Ixfr, Told), (Ixfr, Asks)],
        server: bind_server,
        zone: bind_zone,
        prepare: |_, _| (),
    },
    Kind {
        name: "powerdns",
        programs: &["pdns_server", "pdnsutil", "sqlite3"],
        arguments: &["--config-dir=%"],
        example: "pdns.sh",
        ways: &[(Axfr, Told), (Axfr, Asks), (Ixfr, Told), (Ixfr, Asks)],
        server: pdns_server,
        zone: pdns_zone,
        prepare: pdns_prepare,
    },
];

/// A server with its own configuration and files, which survive it.
pub(crate) struct Partner {
    kind: &'static Kind,
    program: PathBuf,
    folder: PathBuf,
    pub(crate) port: u16,
}

impl Partner {
    /// Sets it up in a new folder. `None` if it is not installed.
    pub(crate) fn new(kind: &'static Kind, folder: PathBuf, zones: &[Held]) -> Option<Partner> {
        let found: Option<Vec<_>> = kind.programs.iter().map(|name| peers::find(name)).collect();
        let (program, port) = (found?.swap_remove(0), free_port());
        fs::create_dir(&folder).unwrap();
        let zones: String =
            zones.iter().map(|held| (kind.zone)(&example(kind, held), held)).collect();
        let server = (kind.server)(&folder, port);
        let is_script = kind.example.ends_with(".sh");
        let conf = if is_script { server } else { server + &zones };
        let file = if is_script { "pdns.conf" } else { "conf" };
        fs::write(folder.join(file), conf).unwrap();
        (kind.prepare)(&folder, &zones);
        Some(Partner { kind, program, folder, port })
    }

    /// Starts it. Whether it has the zones is another question.
    pub(crate) fn start(&self) -> Daemon {
        let folder = self.folder.display().to_string();
        let arguments = self.kind.arguments.iter().map(|word| word.replace('%', &folder));
        let arguments: Vec<String> = arguments.collect();
        Daemon::start_on(self.port, &self.program, &self.folder.join("log"), &arguments)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The serial of a zone, if it has the zone.
    pub(crate) fn serial(&self, apex: &str) -> Option<u32> {
        let answer = ask(self.address(), &format!("{apex}. SOA"));
        answer.answer.first()?.split(' ').nth(6)?.parse().ok()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// The file of examples/fleet for that zone, key and primary.
fn example(kind: &Kind, held: &Held) -> String {
    let folder = if held.secret.is_some() { "with-key/" } else { "" };
    let file = format!("{}/examples/fleet/{folder}{}", env!("CARGO_MANIFEST_DIR"), kind.example);
    let (ip, port) = (held.primary.ip().to_string(), held.primary.port());
    let text = fs::read_to_string(file).unwrap();
    text.replace(&format!("{PRIMARY}@53"), &format!("{ip}@{port}"))
        .replace(&format!("{PRIMARY}:53"), &format!("{ip}:{port}"))
        .replace(&format!("{PRIMARY} port 53"), &format!("{ip} port {port}"))
        .replace(PRIMARY, &ip)
        .replace(APEX, &held.apex)
        .replace(KEY, &held.apex)
        .replace(SECRET, held.secret.as_deref().unwrap_or_default())
}

//----------- NSD ------------------------------------------------------------------------------------

fn nsd_server(folder: &Path, port: u16) -> String {
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
    text + "remote-control:\n control-enable: no\n"
}

fn nsd_zone(example: &str, held: &Held) -> String {
    let way = match held.way {
        Axfr => "request-xfr: AXFR ",
        Ixfr => "request-xfr: ",
        IxfrUdp => "request-xfr: UDP ",
    };
    example.replace("request-xfr: ", way) + "    provide-xfr: 127.0.0.0/8 NOKEY\n"
}

//----------- Knot -----------------------------------------------------------------------------------

fn knot_server(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "server:\n  rundir: \"{folder}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  \
         tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: \"{folder}\"\n\
         template:\n  - id: default\n    storage: \"{folder}\"\n\
         acl:\n  - id: read-back\n    address: 127.0.0.0/8\n    action: transfer\n"
    )
}

/// What has a name in the example has one of its own for each zone.
fn knot_zone(example: &str, held: &Held) -> String {
    let acl = "acl: notify-from-primary";
    assert!(example.contains(acl), "the test may read the zone back");
    let example = example.replace(acl, "acl: [ notify-from-primary, read-back ]");
    example.replace("primary", &held.apex)
}

//----------- BIND -----------------------------------------------------------------------------------

fn bind_server(folder: &Path, port: u16) -> String {
    format!(
        "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; \
         listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; \
         recursion no; notify no; dnssec-validation no; empty-zones-enable no; \
         min-refresh-time 1; min-retry-time 1; allow-transfer {{ 127.0.0.0/8; }}; }};\ncontrols {{ }};\n\
         logging {{ category default {{ default_stderr; }}; }};\n",
        folder.display()
    )
}

fn bind_zone(example: &str, held: &Held) -> String {
    let is_whole = held.way == Axfr;
    let way = if is_whole { "type secondary; request-ixfr no;" } else { "type secondary;" };
    example.replace("type secondary;", way)
}

//----------- PowerDNS -------------------------------------------------------------------------------

fn pdns_server(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "launch=gsqlite3\ngsqlite3-database={folder}/db\nsecondary=yes\nlocal-address=127.0.0.1\n\
         local-port={port}\nsocket-dir={folder}\nguardian=no\ndaemon=no\nxfr-cycle-interval=1\n\
         query-cache-ttl=0\nnegquery-cache-ttl=0\ncache-ttl=0\nversion-string=anonymous\n\
         security-poll-suffix=\ngsqlite3-pragma-synchronous=0\nallow-axfr-ips=127.0.0.0/8\n"
    )
}

fn pdns_zone(example: &str, held: &Held) -> String {
    let is_whole = held.way == Axfr;
    let lines = example.lines().filter(|line| !(is_whole && line.contains(" IXFR ")));
    lines.map(|line| format!("{line}\n")).collect()
}

fn pdns_prepare(folder: &Path, zones: &str) {
    let script = format!(
        "set -e; cd '{}'; sqlite3 db <{SCHEMA}\npdnsutil() {{ command pdnsutil --config-dir=. \"$@\"; }}\n{zones}",
        folder.display()
    );
    let run = ended(plain(Path::new("sh")).args(["-c", &script]));
    assert_eq!(run.code, Some(0), "{run:?}");
}
