//! How many octets does a made-up address get for each that is sent in its name?
//!
//! Every question of the scenarios, and all types of question about every name in them, are asked
//! over UDP as somebody asks who wants long answers. The bounds here are those that SECURITY.md
//! states.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use support::query;
use support::scenario::{self, Scenario};
use support::state;
use zonesmith::clock::Now;
use zonesmith::guard::rrl::{Limiter, Rates};
use zonesmith::respond::{self, Outcome, Peer, Reason, State, Transport};

/// What an answer may have of its question, in tenths: with EDNS and without; what no zone says; what
/// the limit leaves.
const EDNS_TENTHS: usize = 325;
const PLAIN_TENTHS: usize = 205;
const BARE_TENTHS: usize = 27;
const CUT_TENTHS: usize = 17;

/// Where they are promised.
const SECURITY: &str = include_str!("../SECURITY.md");

/// A, NS, SOA, MX, TXT, AAAA, DS, RRSIG, DNSKEY, ANY.
const TYPES: [u16; 10] = [1, 2, 6, 15, 16, 28, 43, 46, 48, 255];

/// An OPT record that takes as much as there is, and signatures.
const OPT: &[u8] = b"\0\0\x29\xff\xff\0\0\x80\0\0\0";

/// The same, and the longest name that a server can have.
const OPT_NSID: &[u8] = b"\0\0\x29\xff\xff\0\0\x80\0\0\x04\0\x03\0\0";
const NSID: [u8; 64] = [b'n'; 64];

/// Octets of an answer beside those of its question.
#[derive(Clone, Copy, Debug, Default)]
struct Ratio {
    answer: usize,
    question: usize,
}

impl Ratio {
    fn is_more_than(self, other: Ratio) -> bool {
        self.answer * other.question.max(1) > other.answer * self.question
    }

    fn tenths(self) -> usize {
        (self.answer * 10).div_ceil(self.question)
    }
}

/// The largest of each kind of answer.
#[derive(Debug, Default)]
struct Largest {
    plain: Ratio,
    edns: Ratio,
    /// Without a record of a zone.
    bare: Ratio,
    /// Cut by the limit.
    cut: Ratio,
}

#[test]
fn answers_are_no_longer_than_is_said() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut largest = Largest::default();
    for scenario in scenario::read_all(&folder).unwrap() {
        measure(&scenario, &mut largest);
    }
    let promises = SECURITY.replace('\n', " ");
    let Largest { plain, edns, bare, cut } = largest;
    for (what, ratio, bound_tenths) in [
        ("plain", plain, PLAIN_TENTHS),
        ("EDNS", edns, EDNS_TENTHS),
        ("bare", bare, BARE_TENTHS),
        ("cut", cut, CUT_TENTHS),
    ] {
        assert!(ratio.tenths() <= bound_tenths, "{what}: {ratio:?} is {} tenths", ratio.tenths());
        assert!(ratio.tenths() * 2 > bound_tenths, "{what}: a bound that says little: {ratio:?}");
        let said = format!("{}.{} times", bound_tenths / 10, bound_tenths % 10);
        assert!(promises.contains(&said), "SECURITY.md does not say `{said}` ({what})");
    }
}

/// Asks all there is to ask of a scenario's zones.
fn measure(scenario: &Scenario, largest: &mut Largest) {
    let mut state = state::load(scenario).unwrap();
    let rates = Rates { per_second: 1, slip: 1, exempt: vec![] };
    state.limiter = Some(Limiter::new(rates, [0; 16]));
    state.identity.nsid = Some(NSID.into());
    let mut now = Now::default();
    for (query, edns) in questions(scenario, &state) {
        now.monotonic_ms += 4000; // the first answer is free, which may count for four; the next one is cut
        let (outcome, answer) = ask(&mut state, &query, now);
        let ratio = Ratio { answer, question: query.len() };
        let kind = match outcome {
            Outcome::Send(Reason::Answered(_) | Reason::Identity) if edns => &mut largest.edns,
            Outcome::Send(Reason::Answered(_) | Reason::Identity) => &mut largest.plain,
            _ => &mut largest.bare,
        };
        raise(kind, ratio);
        let (outcome, answer) = ask(&mut state, &query, now);
        if outcome == Outcome::Send(Reason::OverRate) {
            raise(&mut largest.cut, Ratio { answer, ..ratio });
        }
    }
}

/// What becomes of a question, and the octets of its answer.
fn ask(state: &mut State, query: &[u8], now: Now) -> (Outcome, usize) {
    let from = Peer { transport: Transport::Udp, source: "192.0.2.1:5353".parse().unwrap() };
    let mut out = Vec::new();
    let outcome = respond::respond(query, from, now, state, &mut out);
    (outcome, out.len())
}

fn raise(largest: &mut Ratio, ratio: Ratio) {
    if ratio.is_more_than(*largest) {
        *largest = ratio;
    }
}

/// The steps of the scenario, and each type of question about each name in its zones; with whether
/// EDNS is spoken.
fn questions(scenario: &Scenario, state: &State) -> Vec<(Vec<u8>, bool)> {
    let steps = scenario.steps.iter();
    let steps = steps.map(|step| (step.query.wire.clone(), step.query.edns.is_some()));
    let mut names: BTreeSet<String> = state
        .zones
        .zones()
        .flat_map(|zone| zone.nodes().map(|node| node.name().to_string()).collect::<Vec<_>>())
        .collect();
    names.extend([".", "x.", "nowhere.example."].map(str::to_string));
    let typed = names.iter().flat_map(|name| {
        let wire = query::name_wire(name).unwrap();
        TYPES.into_iter().flat_map(move |rtype| {
            let question = [&wire[..], &rtype.to_be_bytes(), &[0, 1]].concat();
            let ask = |opt: &[u8]| {
                let edns = !opt.is_empty();
                ([&query::header(7, 0, edns)[..], &question, opt].concat(), edns)
            };
            [ask(&[]), ask(OPT), ask(OPT_NSID)]
        })
    });
    // NOTIFY, UPDATE, and a query, all without a question
    let bare = [0x20, 0x28, 0].map(|opcode| {
        let header = [0, 7, opcode, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        ([&header[..], OPT_NSID].concat(), true)
    });
    steps.chain(typed).chain(bare).collect()
}
