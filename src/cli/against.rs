//! `check --against`: does the serial of each zone come behind that of the version in use?
//!
//! The other version is in a file, in a folder, or with a server. Of files the contents are compared,
//! too, and what looks damaged to the server does so here ([`damage`]). A server is asked for the SOA record alone: a serial that is the same there matters only if
//! another field of the record is not, for then the content surely changed; most often the zone was
//! not touched. That the server has no such zone, or the folder none, is a note: a new zone is none
//! elsewhere.

use super::ask::{self, Asked};
use crate::diag::{Diagnostic, Span, codes};
use crate::name::NameBuf;
use crate::reload::SerialStep;
use crate::reload::Sources;
use crate::reload::damage;
use crate::reload::load::{Loaded, load_allowing};
use crate::zone::{Zone, same_but_for_serial, serial_of};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Where servers listen.
const PORT: u16 = 53;

/// What is compared with, and where it is.
pub(super) struct Against {
    shown: String,
    versions: Versions,
}

enum Versions {
    /// Each zone and its file; no zone where the file cannot be served.
    Files(HashMap<NameBuf, (PathBuf, Option<Zone>)>),
    /// The server's addresses; none once it did not answer.
    Server(Vec<SocketAddr>),
}

/// What is known of the contents of two versions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    Differ,
    /// They are the same, for all that can be seen.
    Same,
}

impl Against {
    /// Finds what `text` names: a file or folder that is there, or else a host.
    pub(super) fn open(text: &str, sources: &Sources) -> Result<Against, String> {
        let versions = if Path::new(text).exists() {
            Versions::Files(read(sources)?)
        } else {
            Versions::Server(addresses(text)?)
        };
        Ok(Against { shown: text.to_string(), versions })
    }

    /// Compares a zone that was read with the other version of it, and puts what is found into its
    /// report. Gives the other serial in words for people.
    pub(super) fn compare(&mut self, loaded: &mut Loaded) -> Option<String> {
        let (zone, [record, serial]) = (loaded.zone.as_ref()?, loaded.serial?);
        let (theirs, finding) = match &mut self.versions {
            Versions::Files(zones) => with_file(&self.shown, zones, zone, serial),
            Versions::Server(addresses) => with_server(&self.shown, addresses, zone, serial),
        };
        let damaged = self
            .versions
            .file_of(zone)
            .map_or(Vec::new(), |old| damage::find([old, zone], &loaded.report, [record, serial]));
        if finding.is_some() || !damaged.is_empty() {
            let finding = finding.map(|finding| Diagnostic { entry: record, ..finding });
            loaded.report.findings.extend(finding.into_iter().chain(damaged));
            loaded.report.sort();
            loaded.report.drop_allowed();
        }
        theirs.map(|theirs| format!("; {} has serial {theirs}", self.shown))
    }
}

impl Versions {
    /// The version of a zone in a file that can be served.
    fn file_of(&self, zone: &Zone) -> Option<&Zone> {
        match self {
            Versions::Files(zones) => zones.get(&zone.apex().to_buf())?.1.as_ref(),
            Versions::Server(_) => None,
        }
    }
}

/// The serial of the other version, and what is found about ours.
type Compared = (Option<u32>, Option<Diagnostic>);

fn with_file(
    shown: &str,
    zones: &HashMap<NameBuf, (PathBuf, Option<Zone>)>,
    zone: &Zone,
    serial: Span,
) -> Compared {
    match zones.get(&zone.apex().to_buf()) {
        Some((_, Some(old))) => {
            let contents = if zone.same_content(old) { Contents::Same } else { Contents::Differ };
            (Some(old.serial()), judge(shown, [old.serial(), zone.serial()], contents, serial))
        }
        Some((file, None)) => {
            let file = file.display();
            let what = format!("{file} has errors, so that {} is not compared", zone.apex());
            let help = format!("`zonesmith check {file}` shows them");
            (None, Some(Diagnostic::new(&codes::NOT_COMPARED, serial, what).help(help)))
        }
        None => (None, Some(nothing(shown, "", zone, serial))),
    }
}

fn with_server(
    shown: &str,
    addresses: &mut Vec<SocketAddr>,
    zone: &Zone,
    serial: Span,
) -> Compared {
    if addresses.is_empty() {
        return (None, None); // told once for all zones
    }
    let (why, help) = match ask::soa(addresses, zone.apex()) {
        Asked::Soa(soa) => return with_soa(shown, &soa, zone, serial),
        Asked::NotHeld(why) => return (None, Some(nothing(shown, why, zone, serial))),
        Asked::Useless(why) => (format!("{shown} cannot be compared with: {why}"), None),
        Asked::Silent(why) => {
            addresses.clear();
            let help = format!(
                "no zone is compared; `dig @HOST -p PORT {} SOA` asks the same",
                zone.apex()
            );
            (format!("{shown} does not answer: {why}"), Some(help))
        }
    };
    let found = Diagnostic::new(&codes::NOT_COMPARED, serial, why);
    (None, Some(Diagnostic { help, ..found }))
}

fn with_soa(shown: &str, soa: &[u8], zone: &Zone, serial: Span) -> Compared {
    let Some(theirs) = serial_of(soa) else { return (None, None) };
    let contents =
        if same_but_for_serial(zone.soa_data(), soa) { Contents::Same } else { Contents::Differ };
    (Some(theirs), judge(shown, [theirs, zone.serial()], contents, serial))
}

/// What is to be said of a serial that follows another one.
fn judge(
    shown: &str,
    [old, new]: [u32; 2],
    contents: Contents,
    serial: Span,
) -> Option<Diagnostic> {
    let next = old.wrapping_add(1);
    match (SerialStep::between(old, new), contents) {
        (SerialStep::Backward, _) => {
            let what = format!("the serial went back: {shown} has {old}, this is {new}");
            let help = format!("write {next} or more, or secondaries keep the old zone");
            Some(Diagnostic::new(&codes::SERIAL_BACKWARD, serial, what).help(help))
        }
        (SerialStep::Same, Contents::Differ) => {
            let what = format!("the content changed, the serial did not: {shown} has {old}, too");
            let help = format!("write {next}, or secondaries keep the old zone");
            Some(Diagnostic::new(&codes::SERIAL_SAME, serial, what).help(help))
        }
        (SerialStep::Same | SerialStep::Forward, _) => None,
    }
}

fn nothing(shown: &str, why: &str, zone: &Zone, serial: Span) -> Diagnostic {
    let colon = if why.is_empty() { "" } else { ": " };
    let what = format!("{shown} does not hold {}{colon}{why}", zone.apex());
    let help = "for a new zone that is as it should be; if it is none, name where it is served";
    Diagnostic::new(&codes::NOTHING_TO_COMPARE, serial, what).help(help)
}

/// The zones of the files that are there.
fn read(sources: &Sources) -> Result<HashMap<NameBuf, (PathBuf, Option<Zone>)>, String> {
    let mut zones = HashMap::new();
    for file in sources.list().files {
        let loaded = load_allowing(&file.path, &sources.include_paths);
        let Some(apex) = loaded.apex else { continue };
        let held = zones.entry(apex).or_insert((file.path.to_path_buf(), None));
        if loaded.zone.is_some() && held.1.is_none() {
            *held = (file.path.to_path_buf(), loaded.zone);
        }
    }
    match zones.is_empty() {
        true => Err("it holds no zone; name a zone file or a folder of *.zone files".into()),
        false => Ok(zones),
    }
}

/// The addresses of `HOST`, `HOST:PORT`, `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
fn addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    if text.contains('/') || text.ends_with(".zone") {
        return Err("there is no such file or folder".into());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, PORT)]);
    }
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "53"));
    let found = port.parse().map_err(|_| format!("{port} is no port from 1 to 65535"));
    let found = found.and_then(|port: u16| {
        (host, port).to_socket_addrs().map_err(|error| format!("no such host: {error}"))
    });
    let forms = "write a file or folder that is there, or a host, as in 127.0.0.1:5300, \
                 [::1]:5300 or ns1.example.edu";
    found.map(Iterator::collect).map_err(|why| format!("there is no such file, and {why}; {forms}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_port() {
        let read = |text: &str| addresses(text).map(|found| found[0].to_string());
        assert_eq!(read("192.0.2.1"), Ok("192.0.2.1:53".into()));
        assert_eq!(read("192.0.2.1:5300"), Ok("192.0.2.1:5300".into()));
        assert_eq!(read("::1"), Ok("[::1]:53".into()));
        assert_eq!(read("[::1]"), Ok("[::1]:53".into()));
        assert_eq!(read("[::1]:5300"), Ok("[::1]:5300".into()));
        assert!(read("127.0.0.1:70000").unwrap_err().contains("70000 is no port"));
        assert!(read("old/smith.edu").unwrap_err().contains("no such file or folder"));
    }
}
