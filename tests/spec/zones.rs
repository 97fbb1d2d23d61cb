//! Generated zones: few labels, so that names meet; every record a legal neighbour of the others.
//!
//! Lines are drawn freely, and those that no server would load beside the lines before them are
//! left out. So a failing case shrinks line by line to the few that matter.

use super::records::{Name, Record};
use super::sign::{Hashing, Signing, sign};
use super::types::{A, AAAA, CNAME, DNAME, DS, MX, NS, SOA, TXT};
use super::{Zone, read_name};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;

/// The zones of one case: `zone.` and sometimes `a.zone.`, with the operator's choice.
#[derive(Clone)]
pub struct Case {
    /// As their operator wrote them, and how they are signed.
    plain: Vec<(Zone, Option<Signing>)>,
    pub minimal_responses: bool,
}

impl Case {
    /// The zones as they are served.
    pub fn zones(&self) -> Vec<Zone> {
        let served = |(zone, signing): &(Zone, Option<Signing>)| match signing {
            Some(signing) => sign(zone, signing),
            None => zone.clone(),
        };
        self.plain.iter().map(served).collect()
    }
}

/// What a line draws; [`legal`] makes a record of it, or nothing.
#[derive(Clone, Debug)]
struct Line {
    owner: Vec<&'static str>,
    rtype: u16,
    target: Target,
    number: u8,
    ttl: u32,
}

/// What a record points at.
#[derive(Clone, Debug)]
enum Target {
    /// A name of the zone.
    Inside(Vec<&'static str>),
    /// A name below the record's owner.
    Below(&'static str),
    /// A name that no zone here holds.
    Outside,
    /// The same, of 253 octets: two labels in front, and it is no name any more.
    Long,
}

/// Any case.
pub fn any_case() -> impl Strategy<Value = Case> {
    let child = prop_oneof![
        2 => Just(None),
        1 => (zone("a.zone.", 8), signing()).prop_map(Some),
    ];
    ((zone("zone.", 18), signing()), child, any::<bool>()).prop_map(
        |(parent, child, minimal_responses)| {
            let plain = std::iter::once(parent).chain(child).collect();
            Case { plain, minimal_responses }
        },
    )
}

fn signing() -> impl Strategy<Value = Option<Signing>> {
    let salt = select(vec![vec![], vec![0xaa], vec![0xaa, 0xbb, 0xcc, 0xdd]]);
    let nsec3 = (0..=2u16, salt, any::<bool>()).prop_map(|(iterations, salt, opt_out)| {
        Signing::Nsec3 { hashing: Hashing { iterations, salt }, opt_out }
    });
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Signing::Nsec)),
        2 => nsec3.prop_map(Some),
    ]
}

fn zone(apex: &'static str, lines_max: usize) -> impl Strategy<Value = Zone> {
    let times = (select(&[60u32, 3600][..]), select(&[30u32, 300, 7200][..]));
    (times, target(), vec(line(), 0..lines_max)).prop_map(move |((ttl, minimum), ns, lines)| {
        let apex = Name::of(apex);
        let soa = [&apex.child("ns").wire()[..], &Name::of("admin.zone.").wire()].concat();
        let numbers = [1, 7200, 900, 1_209_600, minimum].map(u32::to_be_bytes).concat();
        let data = [soa, numbers].concat();
        let soa = Record { owner: apex.clone(), rtype: SOA, class: 1, ttl, data };
        let mut zone = Zone { apex, records: vec![soa] };
        let apex_ns = Line { owner: Vec::new(), rtype: NS, target: ns, number: 1, ttl };
        for line in std::iter::once(apex_ns).chain(lines) {
            zone.add(&line);
        }
        zone
    })
}

fn line() -> impl Strategy<Value = Line> {
    let kinds = [A, A, A, AAAA, NS, NS, CNAME, CNAME, CNAME, DNAME, DNAME, MX, TXT, DS];
    (labels(), select(kinds.to_vec()), target(), 1..=2u8, select(&[60u32, 300][..]))
        .prop_map(|(owner, rtype, target, number, ttl)| Line { owner, rtype, target, number, ttl })
}

fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![1 => vec(label(), 0..=0), 8 => vec(label(), 1..=2), 3 => vec(label(), 3..=4)]
}

fn label() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "c", "*", "ns"][..])
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        12 => labels().prop_map(Target::Inside),
        4 => label().prop_map(Target::Below),
        1 => Just(Target::Outside),
        2 => Just(Target::Long),
    ]
}

impl Zone {
    /// Adds what a line says; with an NS the addresses of its target, if it says so.
    fn add(&mut self, line: &Line) {
        let owner = self.inside(&line.owner);
        let mut target = match &line.target {
            Target::Inside(labels) => self.inside(labels),
            Target::Below(label) => owner.child(label),
            Target::Outside => Name::of("a.b.elsewhere."),
            Target::Long => {
                let elsewhere = Name::of("elsewhere.");
                [60, 60, 59, 59].iter().fold(elsewhere, |name, &len| name.child(&"x".repeat(len)))
            }
        };
        if [NS, MX].contains(&line.rtype) && target.first() == b"*" {
            // no host is called `*`
            target = target.suffix(target.labels() - 1).child("ns");
        }
        let data = match line.rtype {
            A => vec![192, 0, 2, line.number],
            AAAA => [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[line.number]].concat(),
            MX => [&[0, line.number][..], &target.wire()].concat(),
            TXT => vec![1, b'0' + line.number],
            DS => vec![0, line.number, 13, 2, 0xab],
            _ => target.wire(),
        };
        let added =
            self.add_legal(Record { owner, rtype: line.rtype, class: 1, ttl: line.ttl, data });
        if added && line.rtype == NS && line.number == 2 {
            let data = vec![192, 0, 2, 53];
            self.add_legal(Record { owner: target, rtype: A, class: 1, ttl: line.ttl, data });
        }
    }

    fn inside(&self, labels: &[&str]) -> Name {
        labels.iter().rev().fold(self.apex.clone(), |name, label| name.child(label))
    }

    /// Adds a record that a server would load, with the TTL of its set; whether it did.
    fn add_legal(&mut self, mut record: Record) -> bool {
        let at = |other: &&Record| other.owner == record.owner;
        let twin = self.records.iter().filter(at).find(|other| other.rtype == record.rtype);
        if let Some(twin) = twin {
            record.ttl = twin.ttl;
        }
        let legal = record.owner.is_within(&self.apex)
            && record.owner.wire().len() <= 255
            && !(record.rtype == DS && record.owner == self.apex)
            // What a wildcard NS means is left open (RFC 4592 §4.2).
            && !(record.rtype == NS && record.owner.first() == b"*")
            && self.records.iter().all(|other| self.can_stand(&record, other));
        if legal {
            self.records.push(record);
        }
        legal
    }

    fn can_stand(&self, record: &Record, beside: &Record) -> bool {
        let types = [record.rtype, beside.rtype];
        if record.owner != beside.owner {
            // RFC 6672 §2.4: nothing below a DNAME
            return !(beside.rtype == DNAME && record.owner.is_below(&beside.owner)
                || record.rtype == DNAME && beside.owner.is_below(&record.owner));
        }
        let apex = record.owner == self.apex;
        record != beside
            && !types.contains(&CNAME) // RFC 2181 §10.1
            && types != [DNAME; 2]
            && (apex || !(types.contains(&DNAME) && types.contains(&NS))) // RFC 6672 §2.3
    }

    /// The zone as a file. The case of owners changes from line to line, and means nothing.
    pub fn text(&self) -> String {
        let lines = self.records.iter().enumerate().map(|(at, record)| {
            let owner = record.owner.to_string();
            let owner = if at % 2 == 0 { owner } else { owner.to_uppercase() };
            format!("{owner} {} {}\n", record.ttl, data_text(record))
        });
        lines.collect()
    }
}

/// Type and data as a zone file writes them.
fn data_text(record: &Record) -> String {
    let data = &record.data;
    let name = |at: usize| read_name(&data[at..]).0;
    match record.rtype {
        A => format!("A {}.{}.{}.{}", data[0], data[1], data[2], data[3]),
        AAAA => format!("AAAA 2001:db8::{}", data[15]),
        NS => format!("NS {}", name(0)),
        CNAME => format!("CNAME {}", name(0)),
        DNAME => format!("DNAME {}", name(0)),
        MX => format!("MX {} {}", data[1], name(2)),
        TXT => format!("TXT {}", char::from(data[1])),
        DS => format!("DS {} 13 2 ab", data[1]),
        SOA => {
            let (mname, len) = read_name(data);
            let (rname, more) = read_name(&data[len..]);
            let numbers = data[len + more..].chunks(4);
            let numbers = numbers.map(|n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]).to_string());
            format!("SOA {mname} {rname} {}", numbers.collect::<Vec<_>>().join(" "))
        }
        other => unreachable!("no line draws type {other}"),
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "---- {}zone\n{}", self.apex, self.text())
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "minimal_responses: {}", self.minimal_responses)?;
        let mut zones = self.plain.iter();
        zones.try_for_each(|(zone, signing)| writeln!(f, "{zone:?}signed: {signing:?}"))
    }
}
