//! Bytes from people who mean no good, and from people who slipped on the keyboard.
//!
//! Messages and zone files are taken apart and put together wrongly, from a fixed seed so that a
//! failure comes again. What must hold of every outcome is checked, not what it says. A failing case
//! is printed. `ZONESMITH_LONG=1` tries a hundred times as many; `SEED=n` others.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "support/dice.rs"]
mod dice;
#[path = "support/records.rs"]
mod records;

use dice::Dice;
use records::{Message, Name, Record, query, with_options};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use zonesmith::clock::Now;
use zonesmith::diag::{Diagnostic, Report, Span, render};
use zonesmith::guard::cookie::{Cookies, Secret, Secrets};
use zonesmith::reload::load::{self, Loaded};
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::zone::build::Builder;
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zonefile;

/// Messages per run: a second or two.
const MESSAGES: usize = 60_000;
/// Zone files per run: a few seconds.
const ZONE_FILES: usize = 1500;

impl Dice {
    fn of_run() -> Dice {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        Dice(seed.unwrap_or(0x5eed_0053).max(1))
    }

    fn octet(&mut self) -> u8 {
        *self.pick(&[0, 1, 2, 3, 12, 41, 63, 64, 0x7f, 0x80, 0xbf, 0xc0, 0xff, b'a'])
    }
}

fn count(short: usize) -> usize {
    if std::env::var_os("ZONESMITH_LONG").is_some() { short * 100 } else { short }
}

fn zone_paths() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "zone")).collect();
    paths.sort();
    paths
}

//----------- Messages -----------------------------------------------------------------------------

#[test]
fn no_message_makes_a_wrong_answer() {
    let mut state = State::new(Policy { minimal_responses: false, ..Policy::default() });
    let mut names = vec![Name::default(), Name::of("www.elsewhere."), Name::of("www.broken.")];
    for path in zone_paths() {
        let Loaded { apex, zone, .. } = load::load(&path);
        let zone = zone.unwrap();
        names.extend(zone.nodes().map(|node| Name::of(&node.name().to_string())));
        state.zones.apply(Change { apex: apex.unwrap(), slot: Some(Slot::Live(zone.into())) });
    }
    state.zones.apply(Change { apex: "broken.".parse().unwrap(), slot: Some(Slot::Broken) });
    let secrets = Secrets::one(Secret::new([7; 16]));
    state.cookies = Some(Cookies { required: false, secrets });
    state.identity.nsid = Some([b'n'; 64].into());
    state.identity.id = Some([b'i'; 255].into());
    state.tcp_idle_ds = Some(100);
    let mut dice = Dice::of_run();
    for _ in 0..count(MESSAGES) {
        state.cookies.as_mut().unwrap().required = dice.below(4) == 0;
        let message = any_message(&mut dice, &names);
        let transport = *dice.pick(&[Transport::Udp, Transport::Tcp]);
        let outcome = catch_unwind(AssertUnwindSafe(|| exchange(&message, transport, &mut state)));
        let problem = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(problem)) => problem,
            Err(_) => "a panic".to_string(),
        };
        panic!("{problem}\n{transport:?} message: {}", message.escape_ascii());
    }
}

/// A query as clients send it, with a few things broken; now and then plain noise.
fn any_message(dice: &mut Dice, names: &[Name]) -> Vec<u8> {
    if dice.below(20) == 0 {
        return (0..dice.below(80)).map(|_| dice.octet()).collect();
    }
    let mut name = dice.pick(names).clone();
    for _ in 0..dice.below(3) {
        name = name.child(["x", "*", "www", &"l".repeat(63)][dice.below(4)]);
    }
    let rtype = *dice.pick(&[1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 251, 252, 255, 65280]);
    let udp_len = *dice.pick(&[None, None, Some(0), Some(512), Some(1232), Some(65535)]);
    let mut message = query(&name.wire(), rtype, udp_len);
    if udp_len.is_some() && dice.below(2) == 0 {
        message = with_options(&message, &any_options(dice));
    }
    for _ in 0..dice.below(4) {
        let at = dice.below(message.len());
        match dice.below(6) {
            0 => message[at] = dice.octet(),
            1 => message[at] ^= 1 << dice.below(8),
            2 => message.truncate(at),
            3 => message.insert(at, dice.octet()),
            4 => {
                let octets = message[at..].to_vec();
                message.extend(octets);
            }
            _ => message[at.min(dice.below(12))] = dice.octet(),
        }
        if message.is_empty() {
            break;
        }
    }
    message
}

/// Options that mean something here and others, some longer than they say or cut.
fn any_options(dice: &mut Dice) -> Vec<u8> {
    let mut options = Vec::new();
    let most = *dice.pick(&[1, 3, 8, 8, 200]);
    for _ in 0..dice.below(most) {
        let len = *dice.pick(&[0, 0, 1, 7, 8, 8, 16, 24, 24, 40, 41]);
        let code = *dice.pick(&[3, 10, 10, 11, 19, 8, 15, 253]);
        options.extend_from_slice(&[0, code, 0, u8::try_from(len).unwrap()]);
        options.extend((0..len).map(|_| dice.octet()));
    }
    if dice.below(8) == 0 {
        options.truncate(dice.below(options.len()));
    }
    options
}

/// Asks, and says what is wrong with what came back.
fn exchange(message: &[u8], transport: Transport, state: &mut State) -> Result<(), String> {
    let peer = Peer { transport, source: "127.0.0.1:5300".parse().unwrap() };
    let mut out = b"what stood there before".to_vec();
    let before = out.clone();
    let outcome = respond(message, peer, Now::default(), state, &mut out);
    let reply = out.strip_prefix(&before[..]).ok_or("what stood there before is gone")?;
    let silent = message.len() < 12 || message[2] & 0x80 != 0;
    match outcome {
        Outcome::Drop(_) if silent && reply.is_empty() => return Ok(()),
        Outcome::Drop(why) => return Err(format!("no answer ({why}), or one all the same")),
        Outcome::Send(_) if silent => return Err("an answer to no query".to_string()),
        Outcome::Send(_) => {}
        Outcome::Stream(_) => return Err("a transfer, which nobody is allowed".to_string()),
    }
    let limit = match (transport, Message::read(reply)?.opt()) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, Some(_)) => 1232,
        (Transport::Udp, None) => 512,
    };
    check_header(message, reply)?;
    check_options(reply)?;
    if reply.len() > limit {
        return Err(format!("{} octets over {transport:?}", reply.len()));
    }
    match respond(reply, peer, Now::default(), state, &mut Vec::new()) {
        Outcome::Drop(_) => Ok(()),
        Outcome::Send(_) | Outcome::Stream(_) => Err("the answer was answered".to_string()),
    }
}

fn check_header(message: &[u8], reply: &[u8]) -> Result<(), String> {
    let parsed = Message::read(reply)?;
    let bits = [message[2] & 0x79, reply[2] & 0xf9]; // opcode and RD are copied, QR is set
    let rcodes = [0, 1, 2, 3, 4, 5, 6, 9, 16, 23];
    if message[..2] != reply[..2] || bits[0] | 0x80 != bits[1] || reply[3] & 0xf0 != 0 {
        return Err(format!("a wrong header: {parsed:#?}"));
    }
    if !rcodes.contains(&parsed.rcode()) {
        return Err(format!("a wrong response code: {parsed:#?}"));
    }
    if parsed.question.is_some() && !message[12..].starts_with(&reply[12..parsed.question_end]) {
        return Err("the question is another".to_string());
    }
    Ok(())
}

/// However many options came: none is answered twice, and all together are short.
fn check_options(reply: &[u8]) -> Result<(), String> {
    let parsed = Message::read(reply)?;
    let Some(opt) = parsed.opt() else { return Ok(()) };
    let (mut codes, mut rest) = (BTreeSet::new(), &opt.data[..]);
    while let [c1, c2, l1, l2, tail @ ..] = rest {
        let code = u16::from_be_bytes([*c1, *c2]);
        rest = tail.get(usize::from(u16::from_be_bytes([*l1, *l2]))..).ok_or("a cut option")?;
        if ![3, 10, 11, 15, 19].contains(&code) || !codes.insert(code) {
            return Err(format!("option {code}: {parsed:#?}"));
        }
    }
    match opt.data.len() {
        0..=178 if rest.is_empty() => Ok(()),
        len => Err(format!("options of {len} octets")),
    }
}

//----------- Compression --------------------------------------------------------------------------

/// A zone whose sets are large enough for every case of compression: beyond the reach of pointers,
/// and more names than a writer can remember.
fn crowded_zone() -> String {
    let mut text = "\
$TTL 300
@ SOA ns.Crowded.Zone. Host.Master 1 2 3 4 300
@ NS ns
@ NS ns.x.y.ZONE.
*.wild MX 10 mail.wild
srv SRV 1 2 3 host7.sub3
srv RP host1.sub2 text.sub2
ns A 192.0.2.1
"
    .to_string();
    for number in 0..1500 {
        let (host, sub) = (number % 700, number % 11);
        text += &format!("many MX {number} host{host}.SUB{sub}.deep.down.here\n");
        text += &format!("ptr PTR host{host}.sub{sub}.deep.Down.elsewhere{sub}.\n");
        text += &format!("host{host}.sub{sub}.deep.down.here AAAA 2001:db8::{number:x}\n");
    }
    text
}

#[test]
fn compressed_names_are_the_names_of_the_zone() {
    let origin = "crowded.zone.".parse().ok();
    let mut records = BTreeSet::new();
    let mut builder = Builder::default();
    let mut include = |_: &str, _: &str| Err(String::new());
    let mut sink = |record: zonesmith::rr::Record<'_>, place: zonefile::Place<'_>| {
        let owner = Name::of(&record.owner.to_string());
        let data = record.rdata.to_ascii_lowercase();
        records.insert(Record { owner, rtype: record.rtype.0, class: 1, ttl: record.ttl, data });
        builder.add(record, place.record, place.words);
    };
    let text = crowded_zone().into_bytes();
    let report = zonefile::read("crowded", text, origin, &mut include, &mut sink);
    assert!(!report.has_errors(), "{}", render::report(&report, false));
    let apex = builder.apex().unwrap();
    let zone = builder.finish(Span::default()).0.unwrap();
    let mut state = State::new(Policy { minimal_responses: false, ..Policy::default() });
    state.zones.apply(Change { apex, slot: Some(Slot::Live(zone.into())) });
    let names = ["", "many", "ptr", "srv", "ns", "a.b.wild", "host7.sub7.deep.down.here"];
    let asked = names.map(|name| Name::of(&format!("{name}.crowded.zone.")));
    let (mut pointers, mut len_max) = (0, 0);
    for (name, transport) in
        asked.iter().flat_map(|name| [Transport::Udp, Transport::Tcp].map(|t| (name, t)))
    {
        for rtype in [2, 6, 12, 15, 17, 28, 33] {
            let reply = ask(&mut state, transport, &query(&name.wire(), rtype, Some(1232)));
            check_records(&reply, &records);
            len_max = len_max.max(reply.len);
            pointers += reply.pointers;
        }
    }
    assert!(pointers > 2000, "{pointers} pointers are too few to prove anything");
    assert!(len_max > 0x4000, "{len_max} octets: a pointer reaches all of them");
}

fn ask(state: &mut State, transport: Transport, query: &[u8]) -> Message {
    let peer = Peer { transport, source: "127.0.0.1:5300".parse().unwrap() };
    let mut out = Vec::new();
    let outcome = respond(query, peer, Now::default(), state, &mut out);
    assert!(matches!(outcome, Outcome::Send(_)), "{outcome:?}");
    Message::read(&out).unwrap_or_else(|why| panic!("{why}: {}", out.escape_ascii()))
}

/// Every record is one of the zone, and every set is whole.
fn check_records(reply: &Message, records: &BTreeSet<Record>) {
    let wild = |record: &Record| {
        let labels = record.owner.labels().saturating_sub(1);
        (2..=labels).map(|labels| record.owner.suffix(labels).child("*")).collect::<Vec<_>>()
    };
    let mut sets = BTreeSet::new();
    for record in reply.records() {
        let mut twin = Record { data: record.data.to_ascii_lowercase(), ..record.clone() };
        let mut owners = wild(record).into_iter();
        while !records.contains(&twin) {
            twin.owner = owners.next().unwrap_or_else(|| panic!("not in the zone: {record:?}"));
        }
        sets.insert((twin.owner, record.owner.clone(), record.rtype));
    }
    for (owner, shown, rtype) in sets {
        let of = |owner: &Name, record: &&Record| record.owner == *owner && record.rtype == rtype;
        let there = reply.records().filter(|record| of(&shown, record)).count();
        let whole = records.iter().filter(|record| of(&owner, record)).count();
        assert_eq!(there, whole, "{shown} type {rtype} in part");
    }
}

//----------- Zone files ---------------------------------------------------------------------------

/// What an author may type by accident, or a disk make of it.
const TOKENS: &[&str] = &[
    "(",
    ")",
    "\"",
    "\\",
    "\\2",
    "\\256",
    ";",
    "@",
    "*",
    ".",
    "..",
    "$",
    "$TTL",
    "$ORIGIN",
    "\n",
    "$INCLUDE",
    "self.zone",
    "IN",
    "CH",
    "A",
    "AAAA",
    "NS",
    "SOA",
    "CNAME",
    "DNAME",
    "MX",
    "TXT",
    "SRV",
    "LOC",
    "SVCB",
    "CAA",
    "DS",
    "EUI48",
    "NAPTR",
    "TYPE65280",
    "\\#",
    "0",
    "1",
    "-1",
    "65536",
    "4294967296",
    "1h30m",
    "1.5",
    "99999999999999999999",
    "192.0.2.1",
    "::1",
    "a=b",
    "alpn=\"h2",
    "mandatory=alpn",
    "\t",
    " ",
    "\r\n",
    "\0",
    "\u{feff}",
    "ü",
    "\u{1b}[31m",
    "\"\"",
    "N",
    "91",
];

#[test]
fn no_zone_file_breaks_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("self.zone");
    let texts: Vec<Vec<u8>> =
        zone_paths().iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut dice = Dice::of_run();
    let mut served = 0;
    for _ in 0..count(ZONE_FILES) {
        let text = any_zone_file(&mut dice, &texts);
        std::fs::write(&path, &text).unwrap();
        match catch_unwind(AssertUnwindSafe(|| check_loaded(&load::load(&path)))) {
            Ok(Ok(usable)) => served += usize::from(usable),
            Ok(Err(problem)) => panic!("{problem}\n{}", text.escape_ascii()),
            Err(panic) => {
                eprintln!("{}", text.escape_ascii());
                resume_unwind(panic);
            }
        }
    }
    assert!(served > 0 && served < count(ZONE_FILES), "{served} zones could be served");
}

/// A zone file with some tokens changed, or some octets, or cut off.
fn any_zone_file(dice: &mut Dice, texts: &[Vec<u8>]) -> Vec<u8> {
    let text = dice.pick(texts);
    let blank = |octet: &u8| octet.is_ascii_whitespace();
    let mut tokens: Vec<&[u8]> = text.split_inclusive(blank).collect();
    for _ in 0..1 + dice.below(6) {
        let (at, other) = (dice.below(tokens.len()), dice.below(tokens.len()));
        match dice.below(6) {
            0 => drop(tokens.remove(at)),
            1 => tokens.swap(at, other),
            2 => tokens.insert(at, tokens[other]),
            3 => tokens[at] = dice.pick(TOKENS).as_bytes(),
            4 => tokens.insert(at, dice.pick(TOKENS).as_bytes()),
            _ => tokens.insert(at, b"\n"),
        }
    }
    let mut text = tokens.concat();
    if dice.below(8) == 0 {
        text.truncate(dice.below(text.len()));
    }
    if dice.below(8) == 0 && !text.is_empty() {
        let at = dice.below(text.len());
        text[at] = dice.octet();
    }
    text
}

/// Whether the zone can be served, if all else is as it should be.
fn check_loaded(loaded: &Loaded) -> Result<bool, String> {
    let report = &loaded.report;
    if loaded.zone.is_some() == report.has_errors() {
        return Err("a zone with errors, or neither".to_string());
    }
    for finding in &report.findings {
        for span in spans(finding) {
            let len = report.sources.get(span.source).text.len();
            if span.start > span.end || span.end as usize > len {
                return Err(format!("{span:?} in a file of {len} octets: {}", finding.message));
            }
        }
        if finding.message.len() > 1000 {
            return Err(format!("a message of {} octets", finding.message.len()));
        }
    }
    check_rendering(report)?;
    Ok(loaded.zone.is_some())
}

fn spans(finding: &Diagnostic) -> impl Iterator<Item = Span> {
    std::iter::once(finding.span).chain(finding.related.iter().map(|(span, _)| *span))
}

/// What is shown has no control characters but line ends: a zone file cannot speak to the terminal.
fn check_rendering(report: &Report) -> Result<(), String> {
    let lines = report.findings.iter().map(|finding| render::line(finding, &report.sources));
    let shown = render::report(report, false) + &lines.collect::<Vec<_>>().join("\n");
    match shown.chars().find(|c| c.is_control() && *c != '\n') {
        Some(control) => Err(format!("{control:?} is shown: {shown}")),
        None => Ok(()),
    }
}
