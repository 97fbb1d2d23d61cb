//! Answers over UDP allocate nothing: every kind of answer is made under a counting allocator.
//!
//! The buffer is as the server gives it: empty, and with room for an answer and for what a writer
//! may try and take back.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "support/counting.rs"]
mod counting;
#[path = "support/records.rs"]
mod records;
#[path = "support/tsig.rs"]
mod tsig;

use records::{Message, Name, query, with_options};
use std::fmt::Write;
use zonesmith::clock::Now;
use zonesmith::diag::Span;
use zonesmith::guard::acl::Acl;
use zonesmith::guard::cookie::{Cookies, Secret, Secrets};
use zonesmith::guard::rrl::{Limiter, Rates};
use zonesmith::respond::{Outcome, Peer, Policy, Reason, Silence, State, Transport, respond};
use zonesmith::wire::UDP_LEN_MAX;
use zonesmith::wire::response::OVERSHOOT_MAX;
use zonesmith::zone::build::Builder;
use zonesmith::zone::set::{Change, Slot};
use zonesmith::zonefile;

/// A zone with every kind of answer in it.
fn zone_text() -> String {
    let mut text = "\
$TTL 300
zone. SOA ns admin.zone. 1 7200 900 1209600 60
zone. NS ns.zone.
zone. NS ns.far.zone.
zone. MX 10 mx.zone.
ns.zone. A 192.0.2.1
ns.zone. AAAA 2001:db8::1
mx.zone. A 192.0.2.2
b.ent.zone. A 192.0.2.3
*.wild.zone. A 192.0.2.4
one.zone. CNAME two.zone.
two.zone. CNAME three.zone.
three.zone. CNAME host.wild.zone.
loop.zone. CNAME pool.zone.
pool.zone. CNAME loop.zone.
out.zone. CNAME elsewhere.
grow.zone. DNAME a.grow.zone.
moved.zone. DNAME wild.zone.
child.zone. NS ns.child.zone.
child.zone. NS ns.zone.
child.zone. DS 1 13 2 abcd
ns.child.zone. A 192.0.2.5
ns.child.zone. AAAA 2001:db8::5
"
    .to_string();
    let long = ["x".repeat(60), "x".repeat(60), "x".repeat(59), "x".repeat(59)].join(".");
    writeln!(text, "long.zone. DNAME {long}.elsewhere.").unwrap();
    for number in 0..60 {
        let name = format!("{}{number}", "n".repeat(40));
        writeln!(text, "large.zone. NS {name}.large.zone.").unwrap();
        writeln!(text, "{name}.large.zone. A 192.0.2.{number}").unwrap();
        writeln!(text, "many.zone. MX {number} {name}.mx.zone.").unwrap();
        writeln!(text, "{name}.mx.zone. A 192.0.2.{number}").unwrap();
        writeln!(text, "text.zone. TXT {number}{}", "t".repeat(250)).unwrap();
    }
    let strings = [&"s".repeat(255)[..]; 250].join(" ");
    writeln!(text, "single.zone. TXT {strings}").unwrap();
    text
}

fn state(minimal_responses: bool) -> State {
    let mut builder = Builder::default();
    let mut include = |_: &str, _: &str| Err(String::new());
    let mut sink = |record: zonesmith::rr::Record<'_>, place: zonefile::Place<'_>| {
        builder.add(record, place.record, place.words);
    };
    let text = zone_text().into_bytes();
    let origin = Some("zone.".parse().unwrap());
    let report = zonefile::read("zone.zone", text, origin, &mut include, &mut sink);
    let (zone, findings) = builder.finish(Span::default());
    assert!(report.findings.is_empty() && findings.is_empty(), "{report:?} {findings:?}");
    let mut state = State::new(Policy { minimal_responses, ..Policy::default() });
    let secrets = Secrets::one(Secret::new([7; 16]));
    state.cookies = Some(Cookies { required: false, secrets });
    let (per_second, exempt) = (100, vec!["192.0.2.0/24".parse().unwrap()]);
    state.limiter = Some(Limiter::new(Rates { per_second, slip: 2, exempt }, [7; 16]));
    state.acl =
        Acl::new(&["0.0.0.0/0".parse().unwrap()], &["192.0.2.0/24".parse().unwrap()]).unwrap();
    state.identity.nsid = b"ns1".as_slice().try_into().ok();
    state.identity.version = b"a name server".as_slice().try_into().ok();
    let apex = "zone.".parse().unwrap();
    state.zones.apply(Change { apex, slot: Some(Slot::Live(zone.unwrap().into())) });
    state.zones.apply(Change { apex: "broken.".parse().unwrap(), slot: Some(Slot::Broken) });
    state
}

const NS: u16 = 2;
const A: u16 = 1;
const MX: u16 = 15;
const TXT: u16 = 16;
const ANY: u16 = 255;

/// Each question, and what its answer must be so that it is of the kind meant: the response code,
/// whether TC is set.
const QUESTIONS: &[(&str, &str, u16, u16, bool)] = &[
    ("a hit", "ns.zone.", A, 0, false),
    ("a hit with addresses", "zone.", MX, 0, false),
    ("no data", "ns.zone.", TXT, 0, false),
    ("an empty non-terminal", "ent.zone.", A, 0, false),
    ("no such name", "a.b.c.nope.zone.", A, 3, false),
    ("a referral with glue", "www.child.zone.", A, 0, false),
    ("the DS of a cut", "child.zone.", 43, 0, false),
    ("a wildcard", "any.wild.zone.", A, 0, false),
    ("a chain of CNAMEs", "one.zone.", A, 0, false),
    ("a loop", "loop.zone.", A, 0, false),
    ("a chain out of the zone", "out.zone.", A, 0, false),
    ("a DNAME", "x.moved.zone.", A, 0, false),
    ("a DNAME over and over", "x.grow.zone.", A, 0, false),
    ("a DNAME too long", "x.y.long.zone.", A, 6, false),
    ("ANY", "zone.", ANY, 0, false),
    ("not served", "www.elsewhere.", A, 5, false),
    ("broken", "www.broken.", A, 2, false),
    ("a zone transfer", "zone.", 252, 5, false),
    ("a referral whose glue does not fit", "large.zone.", A, 0, true),
    ("a set that does not fit", "many.zone.", MX, 0, true),
    ("data that do not fit", "text.zone.", TXT, 0, true),
    ("a record that does not fit", "single.zone.", TXT, 0, true),
];

/// NSID, a cookie without a server's part, the zone's version.
const OPTIONS: &[u8] = b"\0\x03\0\0\0\x0a\0\x0812345678\0\x13\0\0";

/// Asks twice over UDP into a reused buffer, and gives the second answer's rcode and TC. The server
/// makes buffers once; what follows must not grow them.
fn ask(kind: &str, state: &mut State, query: &[u8]) -> (u16, bool) {
    let peer = Peer { transport: Transport::Udp, source: "127.0.0.1:5300".parse().unwrap() };
    let mut out = Vec::with_capacity(usize::from(UDP_LEN_MAX) + OVERSHOOT_MAX);
    for turn in ["first", "second"] {
        out.clear();
        let before = counting::count();
        let outcome = respond(query, peer, Now::default(), state, &mut out);
        let count = counting::count() - before;
        assert!(matches!(outcome, Outcome::Send(_)), "{kind}: {outcome:?}");
        assert_eq!(count, 0, "allocations of the {turn} answer: {kind}");
    }
    let reply = Message::read(&out).unwrap_or_else(|why| panic!("{kind}: {why}"));
    (reply.rcode(), reply.flags & 0x0200 != 0)
}

#[test]
fn no_answer_allocates() {
    for minimal_responses in [true, false] {
        let mut state = state(minimal_responses);
        for &(kind, qname, qtype, rcode, truncated) in QUESTIONS {
            for edns in [None, Some(512), Some(4096)] {
                let query = query(&Name::of(qname).wire(), qtype, edns);
                let answer = ask(kind, &mut state, &query);
                assert_eq!(answer, (rcode, truncated), "{kind}, EDNS {edns:?}");
                if edns.is_some() {
                    let answer = ask(kind, &mut state, &with_options(&query, OPTIONS));
                    assert_eq!(answer, (rcode, truncated), "{kind}, EDNS {edns:?} with options");
                }
            }
        }
    }
}

#[test]
fn no_error_allocates() {
    let mut state = state(true);
    let plain = query(&Name::of("zone.").wire(), NS, None);
    let edns = query(&Name::of("zone.").wire(), NS, Some(1232));
    let changed = |query: &[u8], at: usize, octet: u8| {
        let mut query = query.to_vec();
        query[at] = octet;
        query
    };
    let version_at = edns.len() - 5;
    let cases = [
        ("BADVERS", changed(&edns, version_at, 1), 16),
        ("another class", changed(&plain, plain.len() - 1, 3), 5),
        ("another opcode", changed(&plain, 2, 0x28), 4),
        ("no question", changed(&plain, 5, 0), 1),
        ("two questions", changed(&plain, 5, 2), 1),
        ("a compressed question", changed(&plain, 12, 0xc0), 1),
        ("a record that is not there", changed(&plain, 7, 1), 1),
    ];
    for (kind, query, rcode) in cases {
        assert_eq!(ask(kind, &mut state, &query), (rcode, false), "{kind}");
    }
}

#[test]
fn no_cookie_and_no_name_allocates() {
    let mut state = state(true);
    let plain = query(&Name::of("zone.").wire(), NS, Some(1232));
    let with_cookie = |octets: &[u8]| {
        let len = u8::try_from(octets.len()).unwrap();
        with_options(&plain, &[&[0, 10, 0, len], octets].concat())
    };
    let mut version = query(&Name::of("version.bind.").wire(), TXT, Some(1232));
    let class_at = version.len() - 11 - 1;
    version[class_at] = 3;
    let mut alone = with_options(&query(&[], 0, Some(1232)), OPTIONS);
    alone.drain(12..16); // type and class of no question
    alone[5] = 0;
    for (required, foreign) in [(false, 0), (true, 23)] {
        state.cookies.as_mut().unwrap().required = required;
        let cases = [
            ("a client's cookie", with_cookie(&[1; 8]), foreign),
            ("a cookie of nobody", with_cookie(&[1; 24]), foreign),
            ("a long cookie", with_cookie(&[1; 40]), foreign),
            ("a cookie that is none", with_cookie(&[1; 9]), 1),
            ("a cookie alone", alone.clone(), 0),
        ];
        for (kind, query, rcode) in cases {
            assert_eq!(ask(kind, &mut state, &query), (rcode, false), "{kind}, {required}");
        }
        let truncated = required; // to those without a cookie
        assert_eq!(ask("version.bind", &mut state, &version), (0, truncated));
    }
}

#[test]
fn no_cookie_of_ours_allocates() {
    let mut state = state(true);
    state.cookies.as_mut().unwrap().required = true;
    let plain = query(&Name::of("zone.").wire(), NS, Some(1232));
    let peer = Peer { transport: Transport::Udp, source: "127.0.0.1:5300".parse().unwrap() };
    let mut out = Vec::new();
    let asked = with_options(&plain, b"\0\x0a\0\x0812345678");
    respond(&asked, peer, Now::default(), &mut state, &mut out);
    let ours = Message::read(&out).unwrap().opt().unwrap().data.clone();
    assert_eq!(ask("our cookie", &mut state, &with_options(&plain, &ours)), (0, false));
}

#[test]
fn no_signature_allocates() {
    let mut state = state(true);
    zonesmith::guard::tsig::read(tsig::KEY_FILE, &mut state.keys).unwrap();
    let plain = query(&Name::of("zone.").wire(), NS, Some(1232));
    for (signing, rcode) in [
        ("partner", 0),
        ("old.example", 0),
        ("mid", 0),
        ("long", 0),
        ("stranger", 9),
        ("partner,secret=other", 9),
        ("partner,ahead=400", 9),
        ("partner,mac=16", 9),
        ("partner,mac=9", 1),
    ] {
        let signed = tsig::Signing::parse(signing).unwrap().sign(&plain, 0).unwrap();
        assert_eq!(ask(signing, &mut state, &signed), (rcode, false), "{signing}");
    }
}

#[test]
fn no_limit_allocates() {
    let mut state = state(true);
    let peer = Peer { transport: Transport::Udp, source: "127.0.0.1:5300".parse().unwrap() };
    let denied = Peer { source: "192.0.2.1:5300".parse().unwrap(), ..peer };
    let mut out = Vec::with_capacity(usize::from(UDP_LEN_MAX) + OVERSHOOT_MAX);
    let mut seen = Vec::new();
    for (name, rtype) in [("zone.", MX), ("zone.", ANY), ("any.wild.zone.", A), ("zone.", 252)] {
        let query = query(&Name::of(name).wire(), rtype, Some(1232));
        for peer in std::iter::repeat_n(peer, 150).chain([denied]) {
            out.clear();
            let before = counting::count();
            let outcome = respond(&query, peer, Now::default(), &mut state, &mut out);
            assert_eq!(counting::count() - before, 0, "allocations: {name} {rtype} {outcome:?}");
            seen.push(outcome);
        }
    }
    for outcome in [
        Outcome::Send(Reason::OverRate),
        Outcome::Drop(Silence::OverRate),
        Outcome::Send(Reason::Denied),
    ] {
        assert!(seen.contains(&outcome), "{outcome:?}");
    }
}

#[test]
fn the_counter_counts() {
    let before = counting::count();
    drop(std::hint::black_box(vec![1u8]));
    assert_eq!(counting::count() - before, 1);
}
