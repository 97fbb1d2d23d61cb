//! Is a zone that is sent the zone that was read: each record once, in messages that anybody can read?
//!
//! The judge reads messages by itself. What servers of others make of them stands in `secondaries.rs`.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use support::message::Message;
use support::query::Query;
use zonesmith::guard::acl::Acl;
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::rr::Record;
use zonesmith::transfer::{MESSAGE_LEN_MAX, Outgoing, Progress};
use zonesmith::zone::Zone;
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zonefile;

/// A zone of many messages: names below each other, names in data, long data, and one record that is
/// longer than messages are.
fn large() -> String {
    let mut text =
        "$ORIGIN big.example.\n$TTL 300\n@ SOA ns admin 9 2h 15m 2w 5m\n@ NS ns.sub\n".to_string();
    text += "@ MX 10 Mail.SUB\n";
    for number in 0..2000 {
        let _ = writeln!(text, "h{number} A 192.0.2.{}", number % 256);
        let _ = writeln!(text, "h{number} AAAA 2001:db8::{number:x}");
        let _ = writeln!(text, "a{number}.deep.below.H{} MX 5 h{number}.sub", number % 7);
        let _ = writeln!(text, "t{number} TXT \"{:x<1$}\"", "", number % 200);
        let _ = writeln!(text, "s{number}._tcp SRV 1 2 3 h{number}");
    }
    let _ = writeln!(text, "long TXT {}", format!("\"{:y<250}\" ", "").repeat(200));
    let _ = writeln!(text, "sub NS ns.sub\nns.sub A 192.0.2.1\nhidden.sub TXT x\n* CNAME h1");
    text
}

fn zone(text: &str) -> Arc<Zone> {
    let path = Path::new("big.example.zone");
    let loaded = load_text(path, text.into(), &[], Lints::Quick, &mut |_, _| ());
    Arc::new(loaded.zone.unwrap())
}

/// The records of a zone file, as the judge shows them.
fn written(text: &str) -> Vec<String> {
    let mut records = Vec::new();
    let mut sink = |record: Record<'_>, _: zonefile::Place<'_>| records.push(shown(record));
    let mut include = |_: &str, _: &str| Err("there are no others".to_string());
    zonefile::read("x", text.into(), Some("x.".parse().unwrap()), &mut include, &mut sink);
    records
}

fn shown(Record { owner, rtype, ttl, rdata }: Record<'_>) -> String {
    let mut message = vec![0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.extend_from_slice(owner.as_wire());
    message.extend_from_slice(&rtype.0.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message.extend_from_slice(&ttl.to_be_bytes());
    message.extend_from_slice(&u16::try_from(rdata.len()).unwrap().to_be_bytes());
    message.extend_from_slice(rdata);
    Message::decode(&message).unwrap().answer.remove(0)
}

fn server(zone: &Arc<Zone>) -> State {
    let mut state = State::new(Policy::default());
    state.transfer_acl = Some(Acl::default());
    let apex = zone.apex().to_buf();
    state.zones.apply(Change { apex, slot: Some(Slot::Live(Arc::clone(zone))) });
    state
}

fn asked(state: &mut State, query: &str) -> Box<Outgoing> {
    let peer = Peer { transport: Transport::Tcp, source: ([127, 0, 0, 1], 5353).into() };
    let query = Query::parse(query).unwrap().wire;
    match respond(&query, peer, Default::default(), state, &mut Vec::new()) {
        Outcome::Stream(outgoing) => outgoing,
        other => panic!("{other:?}"),
    }
}

/// All messages of a transfer.
fn messages(state: &mut State, mut outgoing: Outgoing, len_max: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    loop {
        let mut message = b"before".to_vec();
        let progress = outgoing.write(&mut state.transfer_writer, len_max, &mut message);
        messages.push(message.strip_prefix(b"before").unwrap().to_vec());
        match progress {
            Progress::Goes => {}
            Progress::Ends => return messages,
            Progress::Fails => panic!("it failed after {} messages", messages.len()),
        }
    }
}

fn counted(records: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    records.iter().for_each(|record| *counts.entry(&record[..]).or_default() += 1);
    counts
}

#[test]
fn each_record_is_sent_once_between_two_soas_whatever_the_length_of_messages() {
    let text = large();
    let (zone, written) = (zone(&text), written(&text));
    let mut state = server(&zone);
    for len_max in [300, 512, 1232, 4096, MESSAGE_LEN_MAX, 65_535] {
        let outgoing = asked(&mut state, "big.example. AXFR +tcp");
        let messages = messages(&mut state, *outgoing, len_max);
        let mut records = Vec::new();
        for message in &messages {
            let read = Message::decode(message).unwrap();
            assert!(message.len() <= len_max || read.answer.len() == 1, "{} octets", message.len());
            records.extend(read.answer);
        }
        assert_eq!(records.pop(), records.first().cloned(), "the SOA ends it");
        assert!(records[0].contains(" SOA "), "and begins it");
        assert_eq!(counted(&records), counted(&written));
    }
}

#[test]
fn messages_are_filled_well_and_names_in_them_are_short() {
    let text = large();
    let mut state = server(&zone(&text));
    let outgoing = asked(&mut state, "big.example. AXFR +tcp");
    let messages = messages(&mut state, *outgoing, MESSAGE_LEN_MAX);
    let lengths: Vec<usize> = messages.iter().map(Vec::len).collect();
    let (_, filled) = lengths.split_last().unwrap();
    let short = filled.iter().filter(|len| **len < MESSAGE_LEN_MAX - 300).count();
    assert!(short <= 1, "only the one before the long record: {lengths:?}");
    let mut plain = 0;
    let mut sink = |record: Record<'_>, _: zonefile::Place<'_>| {
        plain += record.owner.as_wire().len() + 10 + record.rdata.len();
    };
    let mut include = |_: &str, _: &str| Err("there are no others".to_string());
    zonefile::read("x", text.into(), Some("x.".parse().unwrap()), &mut include, &mut sink);
    let sent: usize = lengths.iter().sum();
    assert!(sent * 100 < plain * 75, "{sent} of {plain} octets");
}

#[test]
fn no_name_points_into_the_question() {
    let text = large();
    let mut state = server(&zone(&text));
    let outgoing = asked(&mut state, "BIG.exAMPLE. AXFR +tcp");
    let message = messages(&mut state, *outgoing, MESSAGE_LEN_MAX).swap_remove(0);
    let mut changed = message.clone();
    changed[13..16].copy_from_slice(b"oth");
    changed[17..24].copy_from_slice(b"ername.");
    let read = [message, changed].map(|message| Message::decode(&message).unwrap());
    assert_ne!(read[0].question, read[1].question);
    assert_eq!(read[0].answer, read[1].answer);
    assert!(read[0].answer[0].starts_with("big.example. "), "in the case of the file");
}

#[test]
fn the_question_and_opt_stand_in_the_first_message_alone() {
    let mut state = server(&zone(&large()));
    let outgoing = asked(&mut state, "big.example. AXFR +tcp +edns");
    let messages = messages(&mut state, *outgoing, MESSAGE_LEN_MAX);
    for (number, message) in messages.iter().enumerate() {
        let read = Message::decode(message).unwrap();
        let is_first = number == 0;
        assert_eq!((read.question.is_empty(), read.opt.is_some()), (!is_first, is_first));
        assert_eq!(read.flags, 0x8500, "QR, AA, RD");
    }
}

#[test]
fn a_transfer_goes_on_with_the_version_that_it_began_with() {
    let text = large();
    let old = zone(&text);
    let mut state = server(&old);
    let outgoing = asked(&mut state, "big.example. AXFR +tcp");
    let new = zone(&text.replace("admin 9 ", "admin 10 "));
    let change = Change { apex: new.apex().to_buf(), slot: Some(Slot::Live(new)) };
    drop(state.zones.apply(change));
    let messages = messages(&mut state, *outgoing, MESSAGE_LEN_MAX);
    for message in [&messages[0], messages.last().unwrap()] {
        let read = Message::decode(message).unwrap();
        assert!(read.answer.iter().any(|record| record.contains("admin.big.example. 9 ")));
    }
    assert_eq!(Arc::strong_count(&old), 1, "nobody holds it any longer");
}
