//! What does not fit: over UDP an answer says the same as over TCP, or less with TC, in whole RRsets.
//!
//! Sets of every size are asked for at many limits, so that each place where an answer can be cut
//! comes up. TC means that something needed is missing (RFC 2181 §9): records of the answer or
//! authority section, or the address of a name server below the cut that is referred to (RFC 9471
//! §3.1). Other addresses go without it.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "support/records.rs"]
mod records;

use records::{Message, Name, Record, query};
use zonesmith::clock::Now;
use zonesmith::diag::Span;
use zonesmith::respond::{Outcome, Peer, Policy, State, Transport, respond};
use zonesmith::zone::build::Builder;
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zonefile;

/// The records of the largest set: more than any answer over UDP holds.
const SET_LEN_MAX: usize = 48;
/// The limits that are tried; a client that says 65,535 gets 1,232.
const UDP_LENS: [u16; 12] = [512, 513, 520, 540, 600, 700, 800, 900, 1000, 1100, 1232, 65_535];

/// `mN` has N MX records, `cN` N name servers below it and one beside it, `aN` is an alias of `mN`.
fn zone_text() -> String {
    let mut text = "$TTL 300\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\n".to_string();
    for len in 1..=SET_LEN_MAX {
        text += &format!("a{len} CNAME m{len}\nc{len} NS ns.c1\n");
        for number in 0..len {
            text += &format!("m{len} MX {number} mail{number}\n");
            text +=
                &format!("c{len} NS host{number}.c{len}\nhost{number}.c{len} A 192.0.2.{number}\n");
        }
        text += &format!("mail{} AAAA 2001:db8::1\n", len - 1);
    }
    text + "ns.c1 A 192.0.2.53\n"
}

fn state() -> State {
    let mut builder = Builder::default();
    let mut include = |_: &str, _: &str| Err(String::new());
    let mut sink = |record: zonesmith::rr::Record<'_>, place: zonefile::Place<'_>| {
        builder.add(record, place.record, place.words);
    };
    let (text, origin) = (zone_text().into_bytes(), "zone.".parse().ok());
    let report = zonefile::read("zone", text, origin, &mut include, &mut sink);
    assert!(!report.has_errors(), "{report:?}");
    let zone = builder.finish(Span::default()).0.unwrap();
    let mut state = State::new(Policy::default());
    let apex = "zone.".parse().unwrap();
    state.zones.apply(Change { apex, slot: Some(Slot::Live(zone.into())) });
    state
}

fn ask(state: &mut State, transport: Transport, qname: &Name, udp_len: Option<u16>) -> Message {
    let peer = Peer { transport, source: "127.0.0.1:5300".parse().unwrap() };
    let mut out = Vec::new();
    let outcome =
        respond(&query(&qname.wire(), 15, udp_len), peer, Now::default(), state, &mut out);
    assert!(matches!(outcome, Outcome::Send(_)));
    Message::read(&out).unwrap()
}

#[test]
fn less_is_said_in_whole_sets_and_owned_up_to() {
    let mut state = state();
    let (mut cut, mut whole, mut lacking) = (0, 0, 0);
    for name in (1..=SET_LEN_MAX).flat_map(|len| ["m", "c", "a"].map(|kind| format!("{kind}{len}")))
    {
        let qname = Name::of(&format!("{name}.zone."));
        for udp_len in UDP_LENS.map(Some).into_iter().chain([None]) {
            let full = ask(&mut state, Transport::Tcp, &qname, udp_len);
            let reply = ask(&mut state, Transport::Udp, &qname, udp_len);
            let limit = usize::from(udp_len.unwrap_or(512).min(1232));
            let case = || format!("{qname} within {limit} octets: {reply:#?}");
            assert!(reply.len <= limit, "{}", case());
            assert_eq!(reply.opt().is_some(), udp_len.is_some(), "{}", case());
            let sections = reply.sections.iter().zip(&full.sections);
            assert!(sections.clone().all(|(some, all)| in_whole_sets(some, all)), "{}", case());
            let missing = needed(&full, &qname).any(|record| !reply.records().any(|r| r == record));
            assert_eq!(reply.flags & 0x0200 != 0, missing, "{}", case());
            assert!(full.len > limit || reply.len == full.len, "{}", case());
            cut += usize::from(missing);
            whole += usize::from(reply.len == full.len);
            lacking += usize::from(!missing && reply.len < full.len);
        }
    }
    assert!(cut > 100 && whole > 100 && lacking > 100, "{cut} {whole} {lacking}");
}

/// Whether every set of `some` stands in `all`, whole.
fn in_whole_sets(some: &[Record], all: &[Record]) -> bool {
    let set = |of: &[Record], like: &Record| -> Vec<Record> {
        let same = |r: &&Record| r.owner == like.owner && r.rtype == like.rtype;
        of.iter().filter(same).cloned().collect()
    };
    some.iter().all(|record| record.rtype == 41 || set(some, record) == set(all, record))
}

/// The records of a whole answer that the asker cannot do without.
fn needed<'m>(full: &'m Message, qname: &'m Name) -> impl Iterator<Item = &'m Record> {
    let [answer, authority, additional] = &full.sections;
    let glue = additional.iter().filter(|r| r.rtype != 41 && r.owner.is_within(qname));
    answer.iter().chain(authority).chain(glue)
}
