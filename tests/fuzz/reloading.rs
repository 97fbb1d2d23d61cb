//! What holds for any edits of a zone file: reading the parts that changed gives what reading the whole
//! gives. The fuzz target `reload` feeds [`reload`], `tests/corpus.rs` replays what the fuzzer kept,
//! and `tests/incremental.rs` compares with edits that it makes up.

#![allow(unreachable_pub, reason = "a fuzz target and tests include this file")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use zonesmith::clock::Now;
use zonesmith::reload::load::{Known, Loaded, load_text_again};
use zonesmith::reload::parts::Grain;
use zonesmith::respond::{Peer, Policy, State, Transport, respond};
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zone::{Target, Zone};

/// A, NS, CNAME, MX, DS, TXT, ANY.
pub const QTYPES: [u16; 7] = [1, 2, 5, 15, 43, 16, 255];
/// Parts so small that few lines have many.
const GRAIN: Grain = Grain { records_min: 4, part_len_min: 16 };
/// What separates a file and its edits in the fuzzer's octets.
const SEPARATOR: u8 = 0xff;

/// A file, and edits of it: each the number of a line, how many lines go there, and what comes. A
/// version that is no zone is taken back. Gives how many versions were read in parts.
pub fn reload(octets: &[u8]) -> usize {
    let mut in_parts = 0;
    let mut parts = octets.split(|&octet| octet == SEPARATOR);
    let mut text = parts.next().unwrap_or_default().to_vec();
    let mut known = compare_from(&text, None, &mut in_parts);
    for edit in parts {
        let edited = edit_lines(&text, edit);
        if let Some(now) = compare_from(&edited, known.as_ref(), &mut in_parts) {
            (known, text) = (Some(now), edited);
        }
    }
    in_parts
}

fn edit_lines(text: &[u8], edit: &[u8]) -> Vec<u8> {
    let [at, count, new @ ..] = edit else { return text.to_vec() };
    let lines: Vec<&[u8]> = text.split_inclusive(|&octet| octet == b'\n').collect();
    let start = usize::from(*at).min(lines.len());
    let end = (start + usize::from(count % 16)).min(lines.len());
    [&lines[..start].concat(), new, &lines[end..].concat()].concat()
}

/// Reads a text whole, and in parts from what is known. Gives what is known then.
fn compare_from(text: &[u8], known: Option<&Known>, in_parts: &mut usize) -> Option<Known> {
    let mut again = load(text, known, GRAIN);
    *in_parts += usize::from(again.read.is_some());
    let zone = compare(load(text, None, GRAIN), &mut again)?;
    let names = qnames(&zone, |_| true);
    let names = names.into_iter().flat_map(|name| QTYPES.map(|qtype| (name.clone(), qtype)));
    let whole = load(text, None, GRAIN).zone?;
    compare_answers([Arc::new(whole), zone.clone()], names);
    again.parts.map(|parts| Known { zone, parts: parts.into() })
}

/// Reads a text as the file of `zone.`.
pub fn load(text: &[u8], known: Option<&Known>, grain: Grain) -> Loaded {
    load_text_again(Path::new("zone.zone"), text.to_vec(), &[], known, grain)
}

/// Holds what was found and the records of two readings of one text against each other. Gives the
/// zone of the second, if there is one.
pub fn compare(whole: Loaded, again: &mut Loaded) -> Option<Arc<Zone>> {
    let codes = |loaded: &Loaded| -> Vec<_> {
        loaded.report.findings.iter().map(|found| (found.code.id, found.span)).collect()
    };
    assert_eq!(codes(&whole), codes(again));
    assert_eq!(whole.apex, again.apex);
    let (one, other) = (whole.zone, again.zone.take());
    let [one_dump, other_dump] =
        [&one, &other].map(|zone| zone.as_ref().map_or(String::new(), dump));
    let differ = one_dump.lines().zip(other_dump.lines()).find(|(one, other)| one != other);
    assert_eq!(differ, None);
    assert_eq!(one_dump.len(), other_dump.len());
    other.map(Arc::new)
}

/// All records, in the order of the zone, as octets, with what is known of their names; then the empty
/// non-terminals, whose order and case mean nothing: no answer has them.
fn dump(zone: &Zone) -> String {
    let mut dump = format!("{} records\n", zone.record_count());
    let mut empty = Vec::new();
    for node in zone.nodes() {
        let name = format!("{} {} {}\n", node.name(), node.is_cut(), node.is_occluded());
        match node.rrsets().next() {
            Some(_) => dump += &name,
            None => empty.push(name.to_lowercase()),
        }
        for set in node.rrsets() {
            let _ = writeln!(dump, "{} {:?}", set.rtype(), set.records());
            set.links().for_each(|link| dump += &target(link.target));
        }
    }
    empty.sort();
    dump + &empty.concat()
}

fn target(target: Target<'_>) -> String {
    match target {
        Target::Node(node, needed) => format!("-> {} {needed}\n", node.name()),
        Target::Nobody => "-> nobody\n".into(),
        Target::Elsewhere => "-> elsewhere\n".into(),
        Target::Unknown => "-> unknown\n".into(),
    }
}

/// Names of a zone, by the numbers of its nodes, and names around them.
pub fn qnames(zone: &Zone, mut is_picked: impl FnMut(u32) -> bool) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for node in zone.nodes().filter(|node| is_picked(node.number())) {
        let name = node.name().as_wire();
        names.push(name.to_vec());
        names.push([b"\x01z", name].concat());
        names.push([b"\x01a\x01b", name].concat());
        names.extend(node.name().parent().map(|parent| [b"\x01y", parent.as_wire()].concat()));
    }
    names
}

/// Asks two zones the same.
pub fn compare_answers(zones: [Arc<Zone>; 2], questions: impl Iterator<Item = (Vec<u8>, u16)>) {
    let [mut by_one, mut by_other] = zones.map(Server::of);
    for (qname, qtype) in questions.filter(|(qname, _)| qname.len() < 256) {
        let answers = [&mut by_one, &mut by_other].map(|server| server.answer(&qname, qtype));
        assert_eq!(answers[0], answers[1], "{qname:?} {qtype}");
    }
}

/// A server of one zone, and its answers.
struct Server(State);

impl Server {
    fn of(zone: Arc<Zone>) -> Server {
        let mut state = State::new(Policy { minimal_responses: false, ..Policy::default() });
        let apex = zone.apex().to_buf();
        state.zones.apply(Change { apex, slot: Some(Slot::Live(zone)) });
        Server(state)
    }

    fn answer(&mut self, qname: &[u8], qtype: u16) -> Vec<u8> {
        let source = "127.0.0.1:53".parse().expect("an address");
        let peer = Peer { transport: Transport::Tcp, source };
        let head = b"\0\x07\0\0\0\x01\0\0\0\0\0\0";
        let query = [head, qname, &qtype.to_be_bytes(), b"\0\x01"].concat();
        let mut out = Vec::new();
        let outcome = respond(&query, peer, Now::default(), &mut self.0, &mut out);
        [out, format!("{outcome:?}").into_bytes()].concat()
    }
}
