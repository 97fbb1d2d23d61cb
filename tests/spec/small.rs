//! All small zones, by number, and the questions that tell them apart.
//!
//! # The space
//! Below `zone.` up to four names of up to three labels `a`, `b` and `*`. Each has one kind of data
//! out of five that get in each other's way: A, NS, NS with DS, CNAME, DNAME. What points, points at
//! the name some steps further in the zone's list of names, round and round, all by the same number
//! of steps (by none: at itself, so there are loops), or all point outside. A `*` in a target is an
//! `x`, for which wildcards stand. The questions are for all names to one level beyond.
//!
//! # What is left out, because it says the same again
//! - Zones that are another one with `a` and `b` exchanged below some name, if they are not signed:
//!   no rule of RFC 1034 knows one label from the other. (In signed zones order counts.)
//! - Names that the zone does not tell apart: a label that no name has stands for all such labels, in
//!   signed zones one for each gap between labels. Below a DNAME, to two levels, all are asked for, as
//!   they may be told apart where it leads. `*` is always asked for.
//! - Zones that nobody loads (names below a DNAME, RFC 6672 §2.4), or that have no meaning (a
//!   delegated wildcard, RFC 4592 §4.2).

use super::Zone;
use super::answer::target;
use super::records::{Name, Record};
use super::types::{A, CNAME, DNAME, DS, NS, SOA};
use std::collections::BTreeSet;

const LABELS: [&str; 3] = ["a", "b", "*"];
const LABELS_MAX: usize = 3;
/// Labels that no name has, behind all that names have. The first one stands for `*` in targets.
const BEHIND: [&str; 2] = ["x", "y"];
/// One before, between and behind all that names have.
const OTHERS: [&str; 4] = ["!", "0", "aa", BEHIND[0]];

/// The data of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Cut,
    SignedCut,
    Alias,
    Dname,
}

const KINDS: [Kind; 5] = [Kind::Address, Kind::Cut, Kind::SignedCut, Kind::Alias, Kind::Dname];

/// The sets of names that zones are made of.
pub struct Space {
    /// Those of one name, those of two, and so on.
    sets: Vec<Vec<Vec<Name>>>,
}

impl Space {
    /// Zones of up to so many names. If `unordered`, those that differ by exchanged labels only are
    /// there once.
    pub fn of(names_max: usize, unordered: bool) -> Space {
        let names = all_names();
        let mut sets = vec![vec![Vec::new()]];
        for size in 0..names_max {
            let longer = sets[size].iter().flat_map(|set: &Vec<Name>| {
                let behind = names.iter().filter(|name| set.last().is_none_or(|last| last < *name));
                behind.map(|name| [&set[..], std::slice::from_ref(name)].concat())
            });
            sets.push(longer.collect());
        }
        sets.remove(0);
        if unordered {
            sets.iter_mut().for_each(|sets| sets.retain(|set| is_first_of_shape(set, &apex())));
        }
        Space { sets }
    }

    /// How many numbers there are for zones of so many names; some of them have no zone.
    pub fn len(&self, names: usize) -> usize {
        self.sets[names - 1].len() * variants(names)
    }

    /// The zone of a number.
    pub fn zone(&self, names: usize, number: usize) -> Option<Zone> {
        let set = &self.sets[names - 1][number / variants(names)];
        zone(set, number % variants(names))
    }
}

/// How many zones are made of a set of names: the kinds of each, and the steps to what they point at.
fn variants(names: usize) -> usize {
    KINDS.len().pow(u32::try_from(names).unwrap()) * (names + 1)
}

fn apex() -> Name {
    Name::of("zone.")
}

fn all_names() -> BTreeSet<Name> {
    let mut names = vec![vec![apex()]];
    for labels in 0..LABELS_MAX {
        let longer = names[labels].iter().flat_map(|name| LABELS.map(|label| name.child(label)));
        names.push(longer.collect());
    }
    names.into_iter().skip(1).flatten().collect()
}

/// Whether of all sets that come from each other by exchanging `a` and `b` it is the one in which
/// whatever is below `a` does not come before what is below `b`.
fn is_first_of_shape(names: &[Name], node: &Name) -> bool {
    if !names.iter().any(|name| name.is_within(node)) {
        return true;
    }
    let [a, b, _] = LABELS.map(|label| shape(names, &node.child(label)));
    a >= b && LABELS.iter().all(|label| is_first_of_shape(names, &node.child(label)))
}

/// What the tree below a name looks like: brackets around those of its children, `!` at names.
fn shape(names: &[Name], node: &Name) -> String {
    if !names.iter().any(|name| name.is_within(node)) {
        return "-".to_string();
    }
    let mark = if names.contains(node) { "!" } else { "" };
    let children = LABELS.map(|label| shape(names, &node.child(label)));
    format!("({mark}{})", children.concat())
}

/// The zone of these names, if there is one of that number.
fn zone(names: &[Name], mut variant: usize) -> Option<Zone> {
    let steps = variant % (names.len() + 1);
    variant /= names.len() + 1;
    let mut kinds = Vec::new();
    for _ in names {
        kinds.push(KINDS[variant % KINDS.len()]);
        variant /= KINDS.len();
    }
    // Where nothing points, it does not matter at what.
    let points = kinds.iter().any(|&kind| kind != Kind::Address);
    if !points && steps > 0 || !is_legal(names, &kinds) {
        return None;
    }
    let mut zone = Zone { apex: apex(), records: vec![soa()] };
    zone.records.push(record(&apex(), NS, Name::of("ns.elsewhere.").wire()));
    for (at, (name, kind)) in names.iter().zip(kinds).enumerate() {
        let target = match steps {
            steps if steps == names.len() => Name::of("elsewhere."),
            steps => unstarred(&names[(at + steps) % names.len()]),
        };
        zone.records.extend(kind.records(name, &target));
    }
    Some(zone)
}

fn is_legal(names: &[Name], kinds: &[Kind]) -> bool {
    names.iter().zip(kinds).all(|(name, kind)| match kind {
        Kind::Dname => !names.iter().any(|other| other.is_below(name)),
        Kind::Cut | Kind::SignedCut => name.first() != b"*",
        _ => true,
    })
}

impl Kind {
    fn records(self, owner: &Name, target: &Name) -> Vec<Record> {
        let name_server = record(owner, NS, target.wire());
        match self {
            Kind::Address => vec![record(owner, A, vec![192, 0, 2, 1])],
            Kind::Cut => vec![name_server],
            Kind::SignedCut => vec![name_server, record(owner, DS, vec![0, 1, 13, 2, 0xab])],
            Kind::Alias => vec![record(owner, CNAME, target.wire())],
            Kind::Dname => vec![record(owner, DNAME, target.wire())],
        }
    }
}

fn soa() -> Record {
    let names = [apex().child("ns").wire(), apex().child("admin").wire()].concat();
    let numbers = [1, 7200, 900, 1_209_600, 30].map(u32::to_be_bytes).concat();
    record(&apex(), SOA, [names, numbers].concat())
}

fn record(owner: &Name, rtype: u16, data: Vec<u8>) -> Record {
    Record { owner: owner.clone(), rtype, class: 1, ttl: 60, data }
}

/// The name with another label for each `*`.
fn unstarred(name: &Name) -> Name {
    let other = |label| if label == b"*" { BEHIND[0].as_bytes() } else { label };
    Name::from_labels(name.iter().map(other))
}

/// The names to ask a zone for.
pub fn qnames(zone: &Zone) -> BTreeSet<Name> {
    let mut others = if zone.is_signed() { OTHERS.to_vec() } else { vec![BEHIND[0]] };
    let targets = || zone.visible().filter_map(target);
    // Then a label that has no name may still be told from the others by where an alias leads.
    if targets().any(|target| target.iter().any(|label| label == BEHIND[0].as_bytes())) {
        others.push(BEHIND[1]);
    }
    let mut names = BTreeSet::new();
    for record in zone.visible() {
        for labels in zone.apex.labels()..=record.owner.labels() {
            names.extend(beyond(&record.owner.suffix(labels), record.rtype == DNAME, &others));
        }
    }
    names.retain(|name| name.labels() <= zone.apex.labels() + LABELS_MAX + 1);
    names
}

/// A name and names below it: if `all`, with every label that may matter.
fn beyond(name: &Name, all: bool, others: &[&str]) -> Vec<Name> {
    let below = |name: &Name, labels: &[&str]| -> Vec<Name> {
        labels.iter().map(|label| name.child(label)).collect()
    };
    let mut names = below(name, &[others, &["*"]].concat());
    if all {
        let labels = [others, &LABELS].concat();
        names = below(name, &labels);
        let longer: Vec<Name> = names.iter().flat_map(|name| below(name, &labels)).collect();
        names.extend(longer);
    }
    names.push(name.child(others[0]).child(others[0]));
    names.push(name.clone());
    names
}
