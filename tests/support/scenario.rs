//! The scenario language: zones, questions, and the answers that the RFCs ask for, as text.
//!
//! ```text
//! # RFC 4592 §2.2.1: what a wildcard does, and what it leaves alone
//! option minimal-responses no            a flag of `serve`; before the zones
//! option nsid ns1                        so are the others in FLAGS; allow, deny and allow-transfer speak of
//!                                        192.0.2.1 and 127.0.0.1, where questions come from
//! zone example.                          indented zone file text follows, in the file example.zone
//!   @ 3600 SOA ns.example.com. admin 1 7200 900 1209600 300
//!   * 3600 MX  10 host1
//! zone example. named other.zone         the same under another file name
//!
//! query host3.example. MX +edns          words: tests/support/query.rs
//!   NOERROR aa
//!   answer host3.example. 3600 IN MX 10 host1.example.
//! raw 5a17 0100                          a message in hex, with "text" in quotes
//!   drop
//! ```
//!
//! The lines below a step are all that the answer holds: the RCODE with its flags (of AA, TC, RA,
//! AD and CD those that are set), then the records of each section in their order, then the options
//! (of long data in base 64 the start is shown, times in an RRSIG are in seconds):
//! `nsid "ns1"`, `cookie CLIENT new` (made now) or `same` (as in the query), `keepalive 100`,
//! `zoneversion LABELS TYPE VERSION`, `ede CODE` or, if its words matter, `ede CODE "why"`. At last
//! `tsig KEY ERROR signed` or `unsigned`: a MAC is verified, and its times must be those of RFC 8945.
//! A record or option that is not listed must not be there. Some things are demanded without being written:
//! the ID, opcode and RD of the query; its question, byte for byte (else: `no question`); an OPT
//! record exactly if the query had one (else: `opt`, `no opt`), of version 0, with our payload size
//! and the query's DO; no more octets than the transport and the query's OPT allow. `size <= N` asks
//! for less. `drop` means that no answer comes.
//!
//! Where the name in a question has capitals, names in records are compared without case: a server
//! may take a suffix from the question or from its zone (RFC 4343 §4.1 asks for neither).
//!
//! `BLESS=1` writes the answers as they are where others were expected, to be reviewed as a diff.

use super::message::Message;
use super::options::{self, Setting};
use super::query::{Query, Transport};
use super::tsig;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The payload size that the server announces.
const PAYLOAD_SIZE: u16 = 1232;
const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",
];
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;
/// The flags of `serve` that a scenario may set.
const FLAGS: [&str; 9] = [
    "minimal-responses",
    "aliases-across-zones",
    "cookies",
    "nsid",
    "identity",
    "version-text",
    "allow",
    "deny",
    "allow-transfer",
];
/// Types whose data is names and numbers: capitals mean nothing in it.
const CASELESS: [&str; 7] = ["NS", "CNAME", "DNAME", "SOA", "PTR", "MX", "SRV"];

/// One scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub path: PathBuf,
    /// The path below the folder of scenarios, without its extension: `wildcard/rfc4592`.
    pub name: String,
    /// Flags of `serve` without their hyphens, and their values.
    pub options: Vec<(String, String)>,
    pub zones: Vec<ZoneFile>,
    pub steps: Vec<Step>,
}

/// A zone file to be written.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    pub file_name: String,
    pub text: String,
}

/// One question and what is expected of the answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line it stands on, counted from 1.
    pub line: usize,
    /// The line itself, without its comment.
    pub title: String,
    pub query: Query,
    /// Written as bytes, so that nothing can be said about the answer's OPT unasked.
    pub is_raw: bool,
    /// The expected answer, one line each, spaces made one.
    pub expected: Vec<String>,
    pub size_max: Option<usize>,
    /// Where the expected lines stand in the file: from, to.
    lines: (usize, usize),
}

/// Reads all scenario files below `folder`, in order of their names.
pub fn read_all(folder: &Path) -> Result<Vec<Scenario>, String> {
    let mut paths = Vec::new();
    find(folder, &mut paths).map_err(|error| format!("{}: {error}", folder.display()))?;
    paths.sort();
    paths.iter().map(|path| read(folder, path)).collect()
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read(folder: &Path, path: &Path) -> Result<Scenario, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    let name = name.display().to_string();
    let mut scenario =
        Scenario { path: path.to_path_buf(), name, options: vec![], zones: vec![], steps: vec![] };
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let block = block_len(&lines[at..]);
        let parsed = parse_block(&mut scenario, &lines[at..at + block], at);
        parsed.map_err(|error| format!("{}:{}: {error}", path.display(), at + 1))?;
        at += block;
    }
    Ok(scenario)
}

/// A line that starts in the first column, and the indented or blank lines after it.
fn block_len(lines: &[&str]) -> usize {
    let inside = |line: &&&str| line.is_empty() || line.starts_with(' ');
    1 + lines[1..].iter().take_while(inside).count()
}

fn parse_block(scenario: &mut Scenario, lines: &[&str], at: usize) -> Result<(), String> {
    let head = lines[0].split(" #").next().unwrap_or("").trim_end();
    let (verb, words) = head.split_once(' ').unwrap_or((head, ""));
    match verb {
        _ if head.is_empty() || head.starts_with('#') => Ok(()),
        "option" => match words.split_once(' ') {
            Some((flag, value)) if FLAGS.contains(&flag) => {
                scenario.options.push((flag.to_string(), value.to_string()));
                Ok(())
            }
            _ => Err(format!("`{words}`: one of {FLAGS:?} and a value expected")),
        },
        "zone" => {
            scenario.zones.push(parse_zone(words, &lines[1..])?);
            Ok(())
        }
        "query" => push_step(scenario, head, Query::parse(words)?, lines, at),
        "raw" => push_step(scenario, head, Query::parse_raw(words)?, lines, at),
        _ => Err(format!("`{head}`: option, zone, query or raw expected")),
    }
}

/// The indentation of the first line is taken off all lines: what is left of it means something.
fn parse_zone(words: &str, lines: &[&str]) -> Result<ZoneFile, String> {
    let (apex, named) = words.split_once(" named ").unwrap_or((words, ""));
    let plain = format!("{}.zone", apex.trim_end_matches('.'));
    let file_name = if named.is_empty() { plain } else { named.to_string() };
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let mut text = String::new();
    for line in lines {
        if !line.chars().take(indent).all(|char| char == ' ') {
            return Err(format!("`{line}` is indented less than the zone's first line"));
        }
        let _ = writeln!(text, "{}", line.get(indent..).unwrap_or(""));
    }
    Ok(ZoneFile { file_name, text })
}

fn push_step(
    scenario: &mut Scenario,
    title: &str,
    query: Query,
    lines: &[&str],
    at: usize,
) -> Result<(), String> {
    let is_raw = title.starts_with("raw");
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or(0);
    let mut step = Step {
        line: at + 1,
        title: title.to_string(),
        query,
        is_raw,
        expected: Vec::new(),
        size_max: None,
        lines: (at + 1, at + last + 1),
    };
    for line in lines[1..].iter().map(|line| line.trim()).filter(|line| !line.starts_with('#')) {
        if let Some(size) = line.strip_prefix("size <= ") {
            step.size_max = Some(size.parse().map_err(|_| "size <= NUMBER expected")?);
        } else if !line.is_empty() {
            step.expected.push(one_space(line));
        }
    }
    scenario.steps.push(step);
    Ok(())
}

/// Runs of spaces become one, but for those in quotes.
fn one_space(line: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    for char in line.chars() {
        quoted ^= char == '"' && !text.ends_with('\\');
        if char != ' ' || quoted || !text.ends_with(' ') {
            text.push(char);
        }
    }
    text
}

impl Scenario {
    /// Writes the zone files into `folder`.
    pub fn write_zones(&self, folder: &Path) -> std::io::Result<()> {
        self.zones
            .iter()
            .try_for_each(|zone| std::fs::write(folder.join(&zone.file_name), &zone.text))
    }

    /// Writes `answers` into the file: for each step what [`Step::show`] gave, or `None` if what is
    /// expected there stays.
    pub fn bless(&self, answers: &[Option<Vec<String>>]) -> std::io::Result<()> {
        let text = std::fs::read_to_string(&self.path)?;
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        for (step, answer) in self.steps.iter().zip(answers).rev() {
            let Some(answer) = answer else { continue };
            let (from, to) = step.lines;
            let stays = |line: &&String| line.trim().starts_with('#') || line.contains("size <= ");
            let kept: Vec<String> = lines[from..to].iter().filter(stays).cloned().collect();
            let fresh = answer.iter().map(|line| format!("  {line}"));
            lines.splice(from..to, kept.into_iter().chain(fresh));
        }
        std::fs::write(&self.path, lines.join("\n") + "\n")
    }
}

impl Step {
    /// Judges an answer, or that there is none. The error shows what was expected and what came.
    pub fn judge(&self, answer: Option<&[u8]>, setting: &Setting) -> Result<(), String> {
        let shown = self.show(answer, setting)?;
        let (expected, came) = (self.comparable(&self.expected), self.comparable(&shown));
        if expected != came {
            return Err(format!(
                "expected\n{}\ncame\n{}",
                indented(&self.expected),
                indented(&shown)
            ));
        }
        let octets = answer.map_or(0, <[u8]>::len);
        match self.size_max {
            Some(most) if octets > most => Err(format!("{octets} octets, at most {most} expected")),
            _ => Ok(()),
        }
    }

    /// An answer as the lines that would be expected of it. The error is what no answer may be.
    pub fn show(&self, answer: Option<&[u8]>, setting: &Setting) -> Result<Vec<String>, String> {
        let Some(bytes) = answer else {
            return Ok(vec!["drop".to_string()]);
        };
        let asked = self.query.asked_in(setting);
        let (rest, signature) = tsig::take(bytes, &asked, setting.unix_s)?;
        let message = Message::decode(&rest)?;
        self.check_header(&message)?;
        if bytes.len() > self.query.size_max() {
            return Err(format!("{} octets, {} allowed", bytes.len(), self.query.size_max()));
        }
        let mut lines = vec![head(&message)];
        lines.extend(self.show_question(&message)?);
        lines.extend(self.show_opt(&message)?);
        let sections = [
            ("answer", &message.answer),
            ("authority", &message.authority),
            ("additional", &message.additional),
        ];
        for (section, records) in sections {
            lines.extend(records.iter().map(|record| format!("{section} {record}")));
        }
        if let Some(opt) = &message.opt {
            lines.extend(options::show(&opt.options, &asked, setting)?);
        }
        lines.extend(signature);
        Ok(lines)
    }

    fn check_header(&self, message: &Message) -> Result<(), String> {
        let word = |at| [self.query.wire[at], self.query.wire[at + 1]];
        let (id, flags) = (u16::from_be_bytes(word(0)), u16::from_be_bytes(word(2)));
        let copied = 0x7900; // opcode and RD
        match message.flags {
            _ if message.id != id => Err(format!("ID {:04x} instead of {id:04x}", message.id)),
            came if came & 0x8000 == 0 => Err("QR is not set".to_string()),
            came if came & 0x0040 != 0 => Err("the reserved bit Z is set".to_string()),
            came if (came ^ flags) & copied != 0 => {
                Err("opcode or RD is not the query's".to_string())
            }
            _ => Ok(()),
        }
    }

    fn show_question(&self, message: &Message) -> Result<Option<String>, String> {
        match &message.question[..] {
            [] if self.query.question().is_empty() => Ok(None),
            [] => Ok(Some("no question".to_string())),
            question if question == self.query.question() => Ok(None),
            _ => Err("the question came back changed".to_string()),
        }
    }

    fn show_opt(&self, message: &Message) -> Result<Option<String>, String> {
        let asked = self.query.edns.is_some();
        let Some(opt) = &message.opt else {
            return Ok(asked.then(|| "no opt".to_string()));
        };
        let dnssec_ok = opt.flags & 0x8000 != 0;
        match opt {
            _ if opt.version != 0 => Err(format!("OPT of version {}", opt.version)),
            _ if opt.payload_size != PAYLOAD_SIZE => {
                Err(format!("payload size {}", opt.payload_size))
            }
            _ if opt.flags & 0x7fff != 0 => Err(format!("OPT with the flags {:04x}", opt.flags)),
            _ if !self.is_raw && dnssec_ok != self.query.dnssec_ok => {
                Err("DO is not the query's (RFC 3225 §3)".to_string())
            }
            _ => Ok((!asked).then(|| "opt".to_string())),
        }
    }

    fn comparable(&self, lines: &[String]) -> Vec<String> {
        let fold = self.query.has_capitals();
        let lines = lines.iter().map(|line| options::without_words(line, &self.expected));
        lines.map(|line| if fold { caseless(line) } else { line.to_string() }).collect()
    }

    /// Whether the step is carried over TCP.
    pub fn is_tcp(&self) -> bool {
        self.query.transport == Transport::Tcp
    }
}

/// RCODE and flags.
fn head(message: &Message) -> String {
    let rcode = usize::from(message.rcode());
    let mut head = match RCODES.get(rcode) {
        Some(name) => (*name).to_string(),
        None if message.rcode() == BADVERS => "BADVERS".to_string(),
        None if message.rcode() == BADCOOKIE => "BADCOOKIE".to_string(),
        None => format!("RCODE{rcode}"),
    };
    let flags =
        [(0x0400, " aa"), (0x0200, " tc"), (0x0080, " ra"), (0x0020, " ad"), (0x0010, " cd")];
    head.extend(flags.iter().filter(|(bit, _)| message.flags & bit != 0).map(|(_, name)| *name));
    head
}

/// A record line without capitals where they mean nothing: `answer OWNER TTL CLASS TYPE DATA`.
fn caseless(line: &str) -> String {
    let words: Vec<&str> = line.splitn(6, ' ').collect();
    let &[section, owner, ttl, class, rtype, data] = &words[..] else {
        return line.to_string();
    };
    let owner = owner.to_ascii_lowercase();
    let folded = data.to_ascii_lowercase();
    let data = if CASELESS.contains(&rtype) { folded.as_str() } else { data };
    [section, &owner, ttl, class, rtype, data].join(" ")
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
