//! Validators of others: a resolver that is told to trust one key, and a program that checks a single
//! answer.

use super::daemon::Daemon;
use super::signer::{APEX, Zones};
use super::support::peers;
use super::support::program::{ended, plain};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Starts unbound in front of `server`, which it asks for everything; `None` if it is missing.
pub(crate) fn unbound(server: SocketAddr, anchors: &[String], folder: &Path) -> Option<Daemon> {
    let program = peers::find("unbound")?;
    let file = folder.join("unbound.conf");
    let log = folder.join("unbound.log");
    let configure = |port| {
        let text = configuration(server, anchors, folder, port);
        fs::write(&file, text).unwrap();
        vec!["-d".to_string(), "-c".to_string(), file.display().to_string()]
    };
    Some(Daemon::start(&program, &log, &format!("{APEX} SOA +do"), configure))
}

/// Every zone is asked for at `server`, whatever name servers it names. Nothing is guessed from answers to
/// other questions: each one is judged by itself.
fn configuration(server: SocketAddr, anchors: &[String], folder: &Path, port: u16) -> String {
    let anchors: String =
        anchors.iter().map(|anchor| format!("  trust-anchor: \"{anchor}\"\n")).collect();
    let stub = |zone| {
        let (ip, port) = (server.ip(), server.port());
        format!("stub-zone:\n  name: {zone}.\n  stub-addr: {ip}@{port}\n  stub-prime: no\n")
    };
    let stubs: String = Zones::names().map(stub).collect();
    let folder = folder.display();
    format!(
        "server:
  interface: 127.0.0.1
  outgoing-interface: 127.0.0.1
  port: {port}
  directory: \"{folder}\"
  chroot: \"\"
  username: \"\"
  pidfile: \"\"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  do-not-query-localhost: no
  val-log-level: 2
  module-config: \"validator iterator\"
  aggressive-nsec: no
  harden-below-nxdomain: no
  neg-cache-size: 0
  qname-minimisation: no
  trust-anchor-signaling: no
  root-key-sentinel: no
{anchors}remote-control:
  control-enable: no
{stubs}"
    )
}

/// BIND's validator, for one question after the other.
pub(crate) struct Delv {
    program: PathBuf,
    server: SocketAddr,
    anchors: PathBuf,
}

impl Delv {
    /// `None` if it is missing.
    pub(crate) fn of(server: SocketAddr, anchors: &[String], folder: &Path) -> Option<Delv> {
        let program = peers::find("delv")?;
        let file = folder.join("delv.anchors");
        let line = |anchor: &String| {
            let words: Vec<&str> = anchor.split_whitespace().collect();
            format!(
                "  \"{}\" static-key {} {} {} \"{}\";\n",
                words[0], words[3], words[4], words[5], words[6]
            )
        };
        let lines: String = anchors.iter().map(line).collect();
        fs::write(&file, format!("trust-anchors {{\n{lines}}};\n")).unwrap();
        Some(Delv { program, server, anchors: file })
    }

    /// What it makes of an answer.
    pub(crate) fn judge(&self, name: &str, rtype: &str) -> Said {
        let mut command = plain(&self.program);
        command.arg(format!("@{}", self.server.ip())).args(["-p", &self.server.port().to_string()]);
        command.args(["-4", "-a", &self.anchors.display().to_string(), &format!("+root={APEX}")]);
        let run = ended(command.args([name, rtype]));
        let mut said = Said::default();
        for line in run.stdout.lines().chain(run.stderr.lines()) {
            match line.strip_prefix(';').map(str::trim) {
                Some("fully validated" | "negative response, fully validated") => {
                    said.validated += 1;
                }
                Some(
                    "unsigned answer" | "negative response, unsigned answer" | "authoritative",
                ) => {
                    said.unsigned += 1;
                }
                Some("; resolution failed: ncache nxdomain") => said.is_nxdomain = true,
                Some("; resolution failed: ncache nxrrset") => {}
                Some(other) if other.starts_with("; ") => said.complaints.push(other.to_string()),
                _ => {}
            }
        }
        said
    }
}

/// What delv says of an answer.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The parts that it has proven.
    validated: usize,
    /// The parts that are proven to be not signed.
    unsigned: usize,
    /// That the name does not exist.
    pub(crate) is_nxdomain: bool,
    /// What went wrong.
    pub(crate) complaints: Vec<String>,
}

impl Said {
    /// Whether every part is proven.
    pub(crate) fn is_secure(&self) -> bool {
        self.complaints.is_empty() && self.validated > 0 && self.unsigned == 0
    }
}
