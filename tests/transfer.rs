//! Is a zone that is sent the zone that was read: each record once, in messages that anybody can read?
//!
//! The judge reads messages by itself. What servers of others make of them stands in `secondaries.rs`.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use support::message::Message;
use support::query::Query;
use zonesmith::guard::acl::Acl;
use zonesmith::guard::rrl::{Limiter, Rates};
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::respond::{Outcome, Peer, Policy, Reason, State, Transport, respond};
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
        let progress = outgoing.write(&mut state.transfer_writer, len_max, 0, &mut message);
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

//----------- Changes --------------------------------------------------------------------------------

/// A question for what changed since a serial.
fn changes_asked(apex: &str, serial: u32, edns: bool) -> Vec<u8> {
    let words = format!("{apex} IXFR{}", if edns { " +edns" } else { "" });
    let query = Query::parse(&words).unwrap().wire;
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    let mut soa = vec![0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0];
    soa.extend_from_slice(&serial.to_be_bytes());
    soa.extend_from_slice(&[0; 16]);
    let mut message = [&query[..end], &soa, &query[end..]].concat();
    message[9] = 1;
    message
}

/// What a secondary with a version makes of the answer to its question (RFC 1995 §4): the version that it
/// has then. `None` if the answer says that it should come over TCP.
fn update(records: &[String], has: &[String]) -> Option<Vec<String>> {
    let is_soa = |record: &&String| record.contains(" SOA ");
    let mut now: Vec<String> = has.iter().filter(|record| !is_soa(record)).cloned().collect();
    let latest = records.first().unwrap();
    if records.len() == 1 {
        return has.contains(latest).then(|| has.to_vec());
    }
    assert_eq!(records.last(), Some(latest));
    let body = &records[1..records.len() - 1];
    if !body.first().is_some_and(|record| is_soa(&record)) {
        return Some(records[..records.len() - 1].to_vec());
    }
    let soas: Vec<usize> = (0..body.len()).filter(|at| is_soa(&&body[*at])).collect();
    assert_eq!((soas.len(), soas[0]), (2, 0), "one set of changes: {body:?}");
    assert!(has.contains(&body[0]), "from the version that it has");
    for record in &body[1..soas[1]] {
        let at = now.iter().position(|it| it == record);
        now.swap_remove(at.unwrap_or_else(|| panic!("{record} is not there")));
    }
    assert_eq!(&body[soas[1]], latest);
    for record in &body[soas[1] + 1..] {
        assert!(!now.contains(record), "{record} is there already");
        now.push(record.clone());
    }
    now.push(latest.clone());
    Some(now)
}

/// The records of all messages that a question gets, over UDP or TCP.
fn answer(state: &mut State, query: &[u8], transport: Transport) -> Vec<String> {
    let peer = Peer { transport, source: ([127, 0, 0, 1], 5353).into() };
    let mut out = Vec::new();
    let messages = match respond(query, peer, Default::default(), state, &mut out) {
        Outcome::Stream(outgoing) => messages(state, *outgoing, MESSAGE_LEN_MAX),
        Outcome::Send(_) => vec![out],
        other => panic!("{other:?}"),
    };
    messages.iter().flat_map(|message| Message::decode(message).unwrap().answer).collect()
}

/// A version of a small zone: each bit of `content` is something that may be in it or not.
fn version(serial: u32, content: u32) -> String {
    let lines = [
        "www A 192.0.2.1",
        "www A 192.0.2.2",
        "www 60 AAAA 2001:db8::1",
        "WWW.deep.below A 192.0.2.3",
        "www.deep.below TXT x",
        "@ MX 10 mail",
        "@ MX 10 Mail.other",
        "*.wild CNAME www",
        "sub NS ns.sub",
        "ns.sub A 192.0.2.9",
        "long TXT yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "long TXT zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    ];
    let ttl = if content & 1 << 15 == 0 { 300 } else { 301 };
    let mut text = format!(
        "$ORIGIN big.example.\n$TTL {ttl}\n@ SOA ns admin {serial} 2h 15m 2w 5m\n@ NS ns\n"
    );
    for number in 0..20 {
        let _ = writeln!(text, "stays{number} A 192.0.2.{number}");
    }
    for (bit, line) in lines.iter().enumerate().filter(|(bit, _)| content & 1 << bit != 0) {
        // An owner is spelt as it was first.
        let line = if bit == 4 && content & 8 != 0 { "WWW.deep.below TXT x" } else { line };
        text += &format!("{line}\n");
    }
    text
}

fn sorted(mut records: Vec<String>) -> Vec<String> {
    records.sort();
    records
}

proptest! {
    #[test]
    fn who_has_any_version_gets_the_latest(contents in vec(any::<u32>(), 2..8)) {
        let mut before: Option<Arc<Zone>> = None;
        let mut versions = Vec::new();
        for (serial, &content) in (u32::MAX - 2..=u32::MAX).chain(0..).zip(&contents) {
            let text = version(serial, content);
            let mut next = Arc::into_inner(zone(&text)).unwrap();
            before.iter().for_each(|before| next.follow(before));
            before = Some(Arc::new(next));
            versions.push((serial, written(&text)));
        }
        let mut state = server(&before.unwrap());
        let latest = sorted(versions.last().unwrap().1.clone());
        for (serial, has) in &versions {
            let records = answer(&mut state, &changes_asked("big.example.", *serial, false), Transport::Tcp);
            let has_now = update(&records, has).map(sorted);
            prop_assert_eq!(has_now.as_ref(), Some(&latest), "from {}", serial);
            // What has no room in a datagram is to be fetched over TCP: the SOA says that there is more.
            for edns in [true, false] {
                let query = changes_asked("big.example.", *serial, edns);
                let records = answer(&mut state, &query, Transport::Udp);
                match update(&records, has) {
                    Some(has_now) => prop_assert_eq!(&sorted(has_now), &latest),
                    None => prop_assert_eq!(&records[..], &versions.last().unwrap().1[..1]),
                }
            }
        }
    }
}

/// A zone with this before it.
fn following(text: &str, before: &Arc<Zone>) -> Arc<Zone> {
    let mut next = Arc::into_inner(zone(text)).unwrap();
    next.follow(before);
    Arc::new(next)
}

#[test]
fn only_what_changed_is_sent_without_what_came_and_went() {
    let versions = [(1, 1), (2, 0b100), (3, 0b1011)];
    let first = zone(&version(versions[0].0, versions[0].1));
    let second = following(&version(2, 0b100), &first);
    let mut state = server(&following(&version(3, 0b1011), &second));
    let records = answer(&mut state, &changes_asked("big.example.", 1, false), Transport::Tcp);
    let soa = |serial| {
        format!(
            "big.example. 300 IN SOA ns.big.example. admin.big.example. {serial} 7200 900 1209600 300"
        )
    };
    let expected = [
        soa(3),
        soa(1),
        soa(3),
        "www.big.example. 300 IN A 192.0.2.2".to_string(),
        "WWW.deep.below.big.example. 300 IN A 192.0.2.3".to_string(),
        soa(3),
    ];
    assert_eq!(records, expected);
}

#[test]
fn a_serial_that_does_not_rise_and_too_many_changes_begin_a_new_history() {
    let first = zone(&version(5, 1));
    let second = following(&version(6, 3), &first);
    assert!(second.changes_since(5).is_some());
    for serial in [6, 4, 6u32.wrapping_add(1 << 31)] {
        let third = following(&version(serial, 7), &second);
        assert!(third.changes_since(5).is_none() && third.changes_since(6).is_none(), "{serial}");
    }
    let many = |serial: u32, host: &str| {
        let lines: String = (0..40_000).map(|n| format!("{host}{n} A 192.0.2.1\n")).collect();
        version(serial, 0) + &lines
    };
    let large = following(&many(7, "a"), &second);
    assert!(large.changes_since(6).is_none(), "40,000 records are more than is remembered");
    let mut state = server(&large);
    let records = answer(&mut state, &changes_asked("big.example.", 6, true), Transport::Tcp);
    assert!(records.len() > 40_000, "all of it");
}

#[test]
fn the_soa_alone_is_for_who_has_the_version_or_a_later_one_or_asks_over_udp() {
    let mut state = server(&zone(&version(5, 1)));
    for (serial, count) in [(5, 1), (6, 1), (0x8000_0004, 1), (4, 24), (0x8000_0006, 24)] {
        for transport in [Transport::Tcp, Transport::Udp] {
            let records =
                answer(&mut state, &changes_asked("big.example.", serial, true), transport);
            let count = if transport == Transport::Udp { 1 } else { count };
            assert_eq!(records.len(), count, "{serial} {transport:?}");
        }
    }
}

#[test]
fn what_changed_is_sent_over_udp_no_more_often_than_other_answers() {
    let before = zone(&version(1, 1));
    let mut state = server(&following(&version(2, 3), &before));
    let rates = Rates { per_second: 1, slip: 1, exempt: vec![] };
    state.limiter = Some(Limiter::new(rates, [0; 16]));
    let query = changes_asked("big.example.", 1, true);
    let peer = Peer { transport: Transport::Udp, source: ([192, 0, 2, 1], 5353).into() };
    let mut ask = || {
        let mut out = Vec::new();
        let outcome = respond(&query, peer, Default::default(), &mut state, &mut out);
        (outcome, out)
    };
    let (outcome, changes) = ask();
    assert_eq!(outcome, Outcome::Send(Reason::Transferred));
    assert_eq!(Message::decode(&changes).unwrap().answer.len(), 5);
    let (outcome, cut) = ask();
    assert_eq!(outcome, Outcome::Send(Reason::OverRate));
    assert!(cut.len() < query.len() && cut[2] & 2 != 0, "TC and nothing else: {cut:x?}");
}
