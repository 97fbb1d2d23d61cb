//! `zonesmith explain`: the answer to a question, and step by step why it is what it is.
//!
//! The zone files are read as the server reads them at its start, and the question is put to what
//! answers its clients. Only where records stand is looked up besides, in the files of the zones that
//! had a part in the answer.

use super::{EXIT_ZONES, Explain, output};
use crate::clock::Now;
use crate::explain::{self, Explanation, Source, Step};
use crate::name::NameBuf;
use crate::reload::library::Library;
use crate::reload::places::{Place, Places};
use crate::reload::{Options, Sources, WatchMode};
use crate::respond::{Peer, State, Transport};
use crate::rr::print;
use crate::wire::bits;
use crate::wire::message::Record;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The folder that is read when none is named.
const ZONES_DEFAULT: &str = "zones";
/// The names of the sections.
const SECTIONS: [&str; 3] = ["answer", "authority", "additional"];
/// A step shows so many of its records.
const RECORDS_SHOWN_MAX: usize = 6;

/// Explains the answer to one question.
pub(super) fn run(explain: &Explain) -> ExitCode {
    let mut paths = explain.paths.clone();
    if paths.is_empty() {
        paths.push(PathBuf::from(ZONES_DEFAULT));
    }
    let sources = explain.zones.sources(paths);
    let mut state = State::new(explain.answers.policy());
    let files = load(&sources, &mut state);
    if state.zones.is_empty() {
        log::error!("{}", super::serve::no_zone(&sources));
        return ExitCode::from(EXIT_ZONES);
    }
    let explained = explain::explain(&query(explain), peer(explain), Now::default(), &mut state);
    let Some(explanation) = explained else {
        log::error!("the question gets no answer");
        return ExitCode::from(EXIT_ZONES);
    };
    let shown = Shown { explain, explanation, files, state };
    output::line(if explain.json { shown.json() } else { shown.text() });
    ExitCode::SUCCESS
}

/// Reads the zones as the server does at its start; says what is wrong with them.
fn load(sources: &Sources, state: &mut State) -> Files {
    let options = Options { watch: WatchMode::Off, ..Options::default() };
    let (library, step) = Library::load_all(sources.clone(), options);
    for notice in step.notices.iter().filter(|notice| notice.level() == log::Level::Error) {
        notice.log();
    }
    for change in step.changes {
        state.zones.apply(change);
    }
    let held = library.zones().map(|held| (held.apex.clone(), Arc::from(held.file)));
    Files {
        of_zones: held.collect(),
        include_paths: sources.include_paths.clone(),
        read: RefCell::default(),
    }
}

/// The question as a message (RFC 1035 §4.1), with OPT unless the asker has no EDNS.
fn query(explain: &Explain) -> Vec<u8> {
    let with_opt = explain.dnssec_ok || explain.size > 512;
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(with_opt)];
    message.extend_from_slice(explain.name.as_name().as_wire());
    message.extend_from_slice(&explain.rtype.0.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if with_opt {
        let [high, low] = explain.size.to_be_bytes();
        let flags = if explain.dnssec_ok { 0x80 } else { 0 };
        message.extend_from_slice(&[0, 0, 41, high, low, 0, 0, flags, 0, 0, 0]);
    }
    message
}

fn peer(explain: &Explain) -> Peer {
    let transport = if explain.tcp { Transport::Tcp } else { Transport::Udp };
    Peer { transport, source: SocketAddr::from((Ipv4Addr::LOCALHOST, 53)) }
}

//----------- Where records stand -----------------------------------------------------------------------

/// The files of the zones, read again when a place in them is asked for.
struct Files {
    of_zones: HashMap<NameBuf, Arc<Path>>,
    include_paths: Vec<PathBuf>,
    read: RefCell<HashMap<NameBuf, Places>>,
}

impl Files {
    fn find(&self, source: &Source) -> Vec<Place> {
        let Some(file) = self.of_zones.get(&source.zone) else { return Vec::new() };
        let mut read = self.read.borrow_mut();
        let places = read
            .entry(source.zone.clone())
            .or_insert_with(|| Places::of(file, &self.include_paths));
        places.find(&source.owner, source.rtype, source.rdata.as_deref())
    }
}

//----------- The explanation, for people and for machines --------------------------------------------------

struct Shown<'e> {
    explain: &'e Explain,
    explanation: Explanation,
    files: Files,
    state: State,
}

impl Shown<'_> {
    fn text(&self) -> String {
        let Explanation { answer, reason, steps, notes, .. } = &self.explanation;
        let aa = if answer.has(bits::AA) { " aa" } else { "" };
        let tc = if answer.has(bits::TC) { " tc" } else { "" };
        let asked = format!("{} {}", self.explain.name, self.explain.rtype);
        let mut text = format!("{asked}: {}{aa}{tc}, {reason}\n", answer.rcode);
        text.push_str(&self.records());
        for (number, step) in steps.iter().enumerate() {
            text.push_str(&self.step(number + 1, step));
        }
        for note in notes {
            text.push_str(&format!("\nnote: {note}\n"));
        }
        text.trim_end().to_string()
    }

    /// The records of the answer, in columns, each with its place.
    fn records(&self) -> String {
        let sections = SECTIONS.iter().zip(&self.explanation.answer.sections);
        let records = sections.flat_map(|(name, records)| records.iter().map(move |r| (*name, r)));
        let rows: Vec<(String, String)> = records
            .map(|(section, record)| {
                (format!("  {section:<10}  {}", line(record)), self.origin(record))
            })
            .collect();
        let width = rows.iter().map(|(record, _)| record.chars().count()).filter(|&w| w <= 80);
        let width = width.max().unwrap_or(0);
        let rows = rows.iter().map(|(record, origin)| format!("{record:<width$}  {origin}\n"));
        let rows: String = rows.collect();
        if rows.is_empty() { rows } else { format!("\n{rows}") }
    }

    /// Where a record comes from, in words.
    fn origin(&self, record: &Record) -> String {
        let place = self.place(record);
        place
            .map_or("made for this answer".into(), |place| format!("{}:{}", place.file, place.line))
    }

    fn place(&self, record: &Record) -> Option<Place> {
        let source = explain::source(record, &self.state.zones)?;
        self.files.find(&source).into_iter().next()
    }

    fn step(&self, number: usize, step: &Step) -> String {
        let rule = if step.rule.is_empty() { String::new() } else { format!(" ({})", step.rule) };
        let mut text = format!("\n{number}. {}{rule}\n", step.text);
        let places = step.records.iter().flat_map(|source| self.files.find(source));
        let lines: Vec<String> = places
            .map(|place| format!("   {}:{}: {}\n", place.file, place.line, place.text))
            .collect();
        text.extend(lines.iter().take(RECORDS_SHOWN_MAX).map(String::as_str));
        if lines.len() > RECORDS_SHOWN_MAX {
            text.push_str(&format!("   and {} more\n", lines.len() - RECORDS_SHOWN_MAX));
        }
        text
    }

    fn json(&self) -> String {
        let Explanation { answer, octets, reason, steps, notes } = &self.explanation;
        let place =
            |place: Place| json!({"file": place.file, "line": place.line, "text": place.text});
        let record = |record: &Record| {
            json!({
                "name": record.owner.to_string(),
                "ttl": record.ttl,
                "type": record.rtype.to_string(),
                "data": print::display(record.rtype, &record.rdata).to_string(),
                "place": self.place(record).map(place),
            })
        };
        let step = |step: &Step| {
            let places = step.records.iter().flat_map(|source| self.files.find(source));
            json!({"text": step.text, "rule": step.rule, "places": places.map(place).collect::<Vec<_>>()})
        };
        let [first, second, third] = &answer.sections;
        let section = |records: &[Record]| records.iter().map(record).collect::<Vec<Value>>();
        let value = json!({
            "name": self.explain.name.to_string(),
            "type": self.explain.rtype.to_string(),
            "rcode": answer.rcode.to_string(),
            "authoritative": answer.has(bits::AA),
            "truncated": answer.has(bits::TC),
            "reason": reason.to_string(),
            "octets": octets.len(),
            "answer": section(first),
            "authority": section(second),
            "additional": section(third),
            "steps": steps.iter().map(step).collect::<Vec<_>>(),
            "notes": notes,
        });
        format!("{value:#}")
    }
}

/// A record as a zone file has it.
fn line(record: &Record) -> String {
    let Record { owner, rtype, ttl, rdata } = record;
    format!("{owner} {ttl} {rtype} {}", print::display(*rtype, rdata))
}
