//! What an answer costs, by kind: nanoseconds through `respond`, no socket involved.
//!
//! `cargo bench --bench answer` prints a line for each kind; how to count instructions in place of
//! time stands in `support.rs`. The signed zones are signed as those of the tests are, with keys and
//! signatures of 20 octets that nobody could verify: what differs from real ones is 44 octets to copy.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench stops at the first surprise, and prints

#[path = "../spec/mod.rs"]
mod spec;
mod support;

use spec::records::{Name, Record};
use spec::sign::{Hashing, Signing, sign};
use support::{Bench, Edns, ask, file, query, serving, zone};
use zonesmith::zone::Zone;

/// How often each kind is done if nothing else is said.
const ROUNDS: usize = 1_000_000;

/// Kind, question and type. All are asked without EDNS, with it, with DO, and with DO of zones that
/// are signed with NSEC and with NSEC3.
const KINDS: &[(&str, &str, u16)] = &[
    ("hit", "science.smith.edu.", 1),
    ("NODATA", "science.smith.edu.", 16),
    ("empty non-terminal", "library.smith.edu.", 1),
    ("NXDOMAIN", "nowhere.smith.edu.", 1),
    ("wildcard", "any.sites.smith.edu.", 1),
    ("CNAME", "mail.smith.edu.", 1),
    ("referral", "www.cs.smith.edu.", 1),
    ("MX with addresses", "smith.edu.", 15),
    ("NS with addresses", "smith.edu.", 2),
    ("ANY", "smith.edu.", 255),
    ("REFUSED", "www.example.org.", 1),
];

fn main() {
    let bench = Bench::new();
    let nsec3 = Signing::Nsec3 {
        hashing: Hashing { iterations: 0, salt: vec![] }, // as RFC 9276 §3.1 wants it
        opt_out: false,
    };
    let plain = || ["smith.edu", "umass.edu"].map(read).into_iter();
    let mut states = [
        ("", Edns::Without, serving(plain())),
        ("EDNS: ", Edns::Plain, serving(plain())),
        ("DO: ", Edns::Do, serving(plain())),
        ("NSEC: ", Edns::Do, serving(plain().map(|zone| signed(&zone, &Signing::Nsec)))),
        ("NSEC3: ", Edns::Do, serving(plain().map(|zone| signed(&zone, &nsec3)))),
    ];
    let mut out = Vec::with_capacity(4096);
    for (way, edns, state) in &mut states {
        for &(kind, name, rtype) in KINDS {
            let query = query(name, rtype, *edns);
            let kind = format!("{way}{kind}");
            bench.run(&kind, ROUNDS, |_| ask(state, &query, &mut out));
        }
    }
}

/// A zone of the repository.
fn read(origin: &str) -> Zone {
    zone(origin, file(&format!("zones/{origin}.zone")))
}

/// The zone with keys, a chain and what stands for signatures.
fn signed(zone: &Zone, signing: &Signing) -> Zone {
    let name = |name: zonesmith::name::Name<'_>| Name::from_labels(name.labels());
    let mut records = Vec::new();
    for node in zone.nodes() {
        for set in node.rrsets() {
            records.extend(set.rdatas().map(|data| Record {
                owner: name(node.name()),
                rtype: set.rtype().0,
                class: 1,
                ttl: set.ttl(),
                data: data.to_vec(),
            }));
        }
    }
    records.sort_by_key(|record| record.rtype != spec::types::SOA);
    spec::program::load(&sign(&spec::Zone { apex: name(zone.apex()), records }, signing)).unwrap()
}
