//! Do we answer from signed zones as NSD, Knot and BIND do, wherever these three agree?
//!
//! Every name of the zone, and the names around it, is asked for with many types: with DO and without,
//! over UDP and TCP. `ZONESMITH_LONG=1` asks all of it, else a part is drawn.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "dnssec/daemon.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod daemon;
#[path = "dnssec/oracle.rs"]
mod oracle;
#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "dnssec/signer.rs"]
mod signer;
mod support;

use oracle::Said;
use signer::{APEX, Denial, Signer, Zones};
use std::collections::BTreeSet;
use std::fs;
use support::server::Server;

const TYPES: [&str; 14] = [
    "A",
    "NS",
    "SOA",
    "MX",
    "TXT",
    "SRV",
    "CNAME",
    "DNAME",
    "DS",
    "DNSKEY",
    "NSEC",
    "NSEC3PARAM",
    "RRSIG",
    "TYPE65280",
];
const WAYS: [&str; 4] = ["+do", "", "+do +tcp", "+edns +tcp"];
/// One question in so many is asked, unless all are.
const SHARE: usize = 5;

/// The names of the zone, their parents, and names below and behind each.
fn names(zones: &Zones) -> BTreeSet<String> {
    let text = fs::read_to_string(zones.file(APEX)).unwrap();
    let owners =
        text.lines().filter(|line| !line.contains("NSEC3") && !line.starts_with([';', ' ']));
    let mut names = BTreeSet::new();
    for owner in owners.filter_map(|line| line.split_whitespace().next()) {
        let below = owner.trim_end_matches('.').strip_suffix(APEX).unwrap();
        let labels: Vec<&str> = below.split('.').filter(|label| !label.is_empty()).collect();
        for from in 0..=labels.len() {
            names
                .insert(labels[from..].iter().map(|label| format!("{label}.")).collect::<String>());
        }
    }
    let around = |name: &String| {
        let behind = name.split_once('.').map(|(label, rest)| format!("{label}0.{rest}"));
        [format!("x.{name}"), format!("*.{name}"), format!("x.y.{name}")].into_iter().chain(behind)
    };
    let around: Vec<String> = names.iter().flat_map(around).collect();
    names.into_iter().chain(around).map(|name| format!("{name}{APEX}.")).collect()
}

fn we_answer_as_they_do(signer: Signer, denial: Denial) {
    let Some(zones) = Zones::signed(signer, denial) else { return };
    let folder = support::program::folder();
    let Some(oracles) = oracle::start(&zones, folder.path()) else { return };
    let server = Server::start(&zones.folder(), &[]).unwrap();
    let (mut asked, mut agreed, mut differ) = (0, 0, Vec::new());
    let names = names(&zones);
    let questions = names.iter().flat_map(|name| TYPES.map(|rtype| format!("{name} {rtype}")));
    let questions = questions.flat_map(|question| WAYS.map(|way| format!("{question} {way}")));
    let share = if std::env::var_os("ZONESMITH_LONG").is_some() { 1 } else { SHARE };
    for query in questions.step_by(share) {
        let theirs = oracles.each_ref().map(|oracle| Said::by(oracle.address, &query));
        asked += 1;
        if theirs.iter().any(|said| *said != theirs[0] || said.truncated) {
            continue;
        }
        agreed += 1;
        let ours = Said::by(server.address, &query);
        if ours != theirs[0] {
            differ.push(format!("{query}\n  they: {:?}\n  we:   {ours:?}", theirs[0]));
        }
    }
    assert!(differ.is_empty(), "{} of {agreed}\n{}", differ.len(), differ.join("\n"));
    assert!(agreed * 4 > asked * 3, "they agree in {agreed} of {asked}");
    server.stop().unwrap();
}

#[test]
fn nsec() {
    we_answer_as_they_do(Signer::Dnssec, Denial::Nsec);
}

#[test]
fn nsec3() {
    we_answer_as_they_do(Signer::Ldns, Denial::Salted);
}

#[test]
fn opt_out() {
    we_answer_as_they_do(Signer::Kzone, Denial::OptOut);
}
