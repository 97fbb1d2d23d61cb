//! What people type, and what becomes of it: `serve`, `check`, `explain`, `fmt`, `new` and `keygen`.
//!
//! Exit codes: 0 it went well; 1 the server could not run (an address, a user, the kernel); 2 zone
//! files cannot be served, or the command line is wrong.

mod against;
mod ask;
mod check;
mod config;
mod delegation;
mod explain;
mod fix;
mod fmt;
mod guards;
mod keys;
mod live;
mod logging;
mod new;
mod output;
mod replace;
mod serials;
mod serve;
mod transfers;
mod zone_tables;

use crate::answer::identity::TEXT_LEN_MAX;
use crate::diag::{self, Code};
use crate::guard::tsig::Algorithm;
use crate::name::NameBuf;
use crate::reload::Sources;
use crate::respond::Policy;
use crate::rr::Rtype;
use crate::wire::UDP_LEN_MAX;
use crate::wire::edns::NSID_LEN_MAX;
use arrayvec::ArrayVec;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The server could not run.
const EXIT_CANNOT_RUN: u8 = 1;
/// Zone files cannot be served.
const EXIT_ZONES: u8 = 2;
/// The command line is wrong.
const EXIT_COMMAND_LINE: u8 = 2;

/// An authoritative name server for a folder of zone files: save a file and it is live.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say more: -v every zone, -vv every query
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say less: -q warnings and errors, -qq errors
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    quiet: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve zone files, and keep serving them as they change
    Serve(Box<Serve>),
    /// Look for mistakes in zone files; exit 0 if there is no error, 2 if there is one. Warnings are
    /// errors with --strict
    Check(Check),
    /// Show the answer to a question, and step by step why it is what it is
    Explain(Explain),
    /// Lay zone files out in columns, comments kept; files with errors are left alone
    Fmt(Fmt),
    /// Print a first zone, to be saved as <ZONE>.zone and changed
    New(New),
    /// Print a new TSIG key, to be kept in a file that both partners have
    Keygen(Keygen),
}

/// Which zone files are meant.
#[derive(Debug, Args)]
struct Zones {
    /// Look into sub-folders, too
    #[arg(long)]
    recursive: bool,
    /// A folder that zone files may include from, besides their own; may be repeated
    #[arg(long, value_name = "DIR")]
    include_path: Vec<PathBuf>,
}

impl Zones {
    fn sources(&self, paths: Vec<PathBuf>) -> Sources {
        Sources { paths, recursive: self.recursive, include_paths: self.include_path.clone() }
    }
}

/// What the operator chooses about answers.
#[derive(Debug, Args)]
struct Answers {
    /// Leave the NS set and its addresses out of positive answers
    #[arg(long, value_name = "CHOICE", default_value = "yes")]
    minimal_responses: Choice,
    /// Follow aliases into other zones that are served here, for clients that are no resolvers
    #[arg(long, value_name = "CHOICE", default_value = "no")]
    aliases_across_zones: Choice,
}

impl Answers {
    fn policy(&self) -> Policy {
        Policy {
            minimal_responses: self.minimal_responses == Choice::Yes,
            aliases_across_zones: self.aliases_across_zones == Choice::Yes,
        }
    }
}

#[derive(Debug, Args)]
struct Serve {
    /// Folders of *.zone files, or zone files [default: the folder `zones`]
    #[arg(value_name = "ZONES")]
    paths: Vec<PathBuf>,
    /// A file with settings: its keys are these flags without their dashes, `zones` for the paths,
    /// and tables about some zones alone. A flag wins over its key
    /// [default: /etc/zonesmith/zonesmith.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// Where to listen, UDP and TCP; may be repeated. Port 0 takes a free one [default: port 53 on
    /// each address of this machine]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// Whom to become after binding, when started as root [default: the zone folder's owner, or
    /// nobody if that is root]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    answers: Answers,
    /// DNS Cookies: `on` gives them to those who ask; `required` answers over UDP only those who
    /// come with one of ours, and sends those who know no cookies to TCP
    #[arg(long, value_name = "CHOICE", default_value = "on")]
    cookies: CookieChoice,
    /// A file with the secrets behind cookies, lines of 32 hexadecimal digits: the first makes
    /// cookies, all are accepted. It is read again when it changes [default: a random secret]
    #[arg(long, value_name = "FILE")]
    cookie_secret: Option<PathBuf>,
    #[command(flatten)]
    guards: guards::Guards,
    #[command(flatten)]
    transfers: transfers::Transfers,
    #[command(flatten)]
    serials: serials::Serials,
    /// What to tell those who ask for NSID: text, or octets as in 0x0a0b [default: nothing]
    #[arg(long, value_name = "TEXT", value_parser = nsid)]
    nsid: Option<ArrayVec<u8, NSID_LEN_MAX>>,
    /// What to tell those who ask for id.server or hostname.bind [default: nothing]
    #[arg(long, value_name = "TEXT", value_parser = text::<TEXT_LEN_MAX>)]
    identity: Option<ArrayVec<u8, TEXT_LEN_MAX>>,
    /// What to tell those who ask for version.server or version.bind [default: nothing]
    #[arg(long, value_name = "TEXT", value_parser = text::<TEXT_LEN_MAX>)]
    version_text: Option<ArrayVec<u8, TEXT_LEN_MAX>>,
    /// How long the zone of a removed file is still served
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    remove_after: Duration,
    /// Hold a version back that looks damaged, compared with what is served: more than half of at
    /// least 100 records gone, or cut at its end. `; zonesmith: allow(CODE)` beside the SOA accepts one
    #[arg(long, value_name = "CHOICE", default_value = "yes")]
    hold_damaged: Choice,
    /// A folder to keep the last good version of each zone in, for a start with a broken file, and the
    /// serials that `--serial` made [default: systemd's, if it gives one; else nothing is kept]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How changed files are noticed
    #[arg(long, value_name = "HOW", default_value = "notify")]
    watch: Watch,
    /// Give up nothing but root: for debugging. Without it the server gives up all but reading
    /// zone files and answering, as far as the kernel can see to that
    #[arg(long)]
    no_sandbox: bool,
}

#[derive(Debug, Args)]
struct Check {
    /// Folders of *.zone files, or zone files
    #[arg(value_name = "PATH", required_unless_present_any = ["explain", "config"])]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// A configuration of `serve` to check, with the key files that it names
    #[arg(long, value_name = "FILE", conflicts_with = "explain")]
    config: Option<PathBuf>,
    /// How to show what is found
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Warnings fail, too: exit 2 if there is one
    #[arg(long)]
    strict: bool,
    /// Write the fixes that cannot be wrong into the zone files, and check what they are then
    #[arg(long)]
    fix: bool,
    /// Compare the serial of each zone with that of its version in this file or folder, or at this
    /// server, which is asked for its SOA (at port 53 if none is written)
    #[arg(long, value_name = "FILE|FOLDER|HOST[:PORT]", conflicts_with = "explain")]
    against: Option<String>,
    /// Say what a code means, as in `--explain Z301`; `all` lists every code
    #[arg(long, value_name = "CODE", value_parser = explained, conflicts_with = "paths")]
    explain: Option<Explained>,
}

/// How `check` shows what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the lines of the file and what to do, for people
    Human,
    /// One line for each finding: file:line:column: error[code]: message
    Short,
    /// Workflow commands, which GitHub shows beside the lines of a pull request
    Github,
    /// One array with an object for each finding
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
enum Explained {
    All,
    Code(&'static Code),
}

#[derive(Debug, Args)]
struct Explain {
    /// The name, in full; the final dot may be left out
    name: NameBuf,
    /// The type, as in A, MX or TYPE65280
    #[arg(default_value = "A", value_parser = rtype)]
    rtype: Rtype,
    /// Folders of *.zone files, or zone files; may be repeated [default: the folder `zones`]
    #[arg(long = "zones", value_name = "ZONES")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    #[command(flatten)]
    answers: Answers,
    /// Ask for DNSSEC records, as `dig +dnssec` does
    #[arg(long = "do")]
    dnssec_ok: bool,
    /// Ask over TCP, where nothing is left out for want of room
    #[arg(long)]
    tcp: bool,
    /// How many octets the asker takes over UDP; 512 for one without EDNS
    #[arg(long, value_name = "OCTETS", default_value_t = UDP_LEN_MAX)]
    size: u16,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Fmt {
    /// Folders of *.zone files, or zone files; `-` reads standard input and prints
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Change nothing; list the files that would change, and exit 2 if there is one
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    zones: Zones,
}

#[derive(Debug, Args)]
struct New {
    /// The zone's name, as in smith.edu
    zone: NameBuf,
    /// The address of its name server and web server, IPv4 or IPv6
    address: IpAddr,
}

#[derive(Debug, Args)]
struct Keygen {
    /// The key's name, as in ns1-ns2.example
    #[arg(value_parser = keys::name)]
    name: NameBuf,
    /// hmac-sha256, hmac-sha384, hmac-sha512, or hmac-sha1 for old partners
    #[arg(long, value_name = "NAME", default_value_t = Algorithm::HmacSha256,
          value_parser = keys::algorithm)]
    algorithm: Algorithm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CookieChoice {
    Off,
    On,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Watch {
    /// The file system says so; a slow look at all files catches what it does not say
    Notify,
    /// Look at all files every few seconds, for mounts that say nothing
    Poll,
    /// SIGHUP says so
    Off,
}

/// Runs the program: reads the command line, does what it says.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.verbose, arguments.quiet);
    match &arguments.command {
        Command::Serve(_) => serve::run(&std::env::args_os().collect::<Vec<_>>()),
        Command::Check(check) => check::run(check),
        Command::Explain(explain) => explain::run(explain),
        Command::Fmt(fmt) => fmt::run(fmt),
        Command::New(new) => new::run(new),
        Command::Keygen(keygen) => keys::generate(keygen),
    }
}

/// Reads where to listen.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port, as in 127.0.0.1:5300, [::1]:5300, or 0.0.0.0:53 for \
         every IPv4 address"
            .into()
    })
}

/// Reads a record type.
fn rtype(text: &str) -> Result<Rtype, String> {
    Rtype::from_text(text.as_bytes())
        .ok_or_else(|| "expected a record type, as in A, MX, ANY or TYPE65280".into())
}

/// Reads the name of a code.
fn explained(text: &str) -> Result<Explained, String> {
    match diag::explain::code(text) {
        Some(code) => Ok(Explained::Code(code)),
        None if text.eq_ignore_ascii_case("all") => Ok(Explained::All),
        None => Err("there is no such code; `zonesmith check --explain all` lists them".into()),
    }
}

/// Reads a text of bounded length.
fn text<const LEN_MAX: usize>(text: &str) -> Result<ArrayVec<u8, LEN_MAX>, String> {
    bounded(text.as_bytes())
}

/// Reads a name server identifier: text, or octets in hex behind `0x`.
fn nsid(text: &str) -> Result<ArrayVec<u8, NSID_LEN_MAX>, String> {
    let Some(digits) = text.strip_prefix("0x") else {
        return bounded(text.as_bytes());
    };
    let octets = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
    bounded(&octets.map_err(|_| "expected two hexadecimal digits for each octet, as in 0x0a0b")?)
}

fn bounded<const LEN_MAX: usize>(octets: &[u8]) -> Result<ArrayVec<u8, LEN_MAX>, String> {
    match ArrayVec::try_from(octets) {
        Ok(octets) if !octets.is_empty() => Ok(octets),
        _ => Err(format!("expected 1 to {LEN_MAX} octets, these are {}", octets.len())),
    }
}

/// Reads a time as zone files write them: `10s`, `1h30m`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    crate::rr::ttl_from_text(text.as_bytes())
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| "expected a time, as in 10s or 1h30m".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_is_sound() {
        Arguments::command().debug_assert();
    }
}
