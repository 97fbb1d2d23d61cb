//! Records → [`Zone`]: one pass takes them in, one puts them in order, one works out what each name
//! is. Findings name the record they are about.
//!
//! What keeps a zone from being served (RFC 1035 §5.2, RFC 2181 §10.1, RFC 6672 §2.4): no SOA or two,
//! a record outside the zone, no NS at the apex, a CNAME or DNAME beside what it cannot stand
//! beside. What is probably not meant is left to [`super::lint`]. Records repeated, and TTLs that differ within a set, are mended with a warning: the second
//! copy goes, the lowest TTL holds for all (RFC 2181 §5.2 forbids differing ones).

mod membership;
mod names;
mod order;
mod places;
pub mod splice;

use super::lint::Lint;
use super::{Flags, Index, NegativeSoa, Node, NodeEntry, Rrset, SetEntry, Zone, denial};
use crate::diag::codes::{self, Code};
use crate::diag::{Diagnostic, Severity, Span};
use crate::name::{Name, NameBuf, hash};
use crate::rr::{Class, Record, Rtype, table};
use names::Names;
use places::{Cases, Words};
use std::collections::HashSet;

/// The most findings about one zone: with a wrong origin each record has one.
pub const FINDINGS_MAX: usize = 1000;
/// The most octets of a zone without its empty non-terminals: places in it are told in 32 bits.
const OCTETS_MAX: usize = 0xf000_0000;
/// Octets of a file for each of its records, and for each of its names: so few that room is made once,
/// and hardly ever too much. What is not needed is never touched, and so takes no memory.
const RECORD_LEN_MIN: usize = 32;
const NAME_LEN_MIN: usize = 96;
/// No more room is made beforehand than a file of so many octets needs.
const FILE_LEN_MAX: usize = 256 << 20;

/// Takes in records, gives a zone.
#[derive(Default)]
pub struct Builder {
    /// The data of each record, behind their length in two octets.
    octets: Vec<u8>,
    names: Names,
    records: Vec<Raw>,
    words: Words,
    findings: Vec<Diagnostic>,
    /// The number of SOA records.
    soas: usize,
    /// What is probably not meant is looked for in zones of up to so many records.
    lint_records_max: usize,
    /// When signatures are to be valid, in seconds since 1970.
    now: Option<u32>,
    /// The zone that the file is named after.
    named: Option<NameBuf>,
    /// Owners that are spelled in another case than before.
    cases: Option<Box<Cases>>,
    /// Whether a finding keeps the zone from being served.
    unusable: bool,
    /// Whether the zone grew past what its offsets can say.
    too_large: bool,
}

/// A record taken in.
#[derive(Clone, Copy)]
pub(super) struct Raw {
    name: u32,
    rtype: Rtype,
    /// The type that a signature is for; zero for other types.
    covered: Rtype,
    ttl: u32,
    /// Where the data stand in the octets, behind their length.
    data: u32,
    pub(super) span: Span,
}

impl Raw {
    /// Which set of its name it belongs to.
    fn set(&self) -> (Rtype, Rtype) {
        (self.rtype, self.covered)
    }
}

impl Builder {
    /// Has what is probably not meant looked for in zones of up to so many records; without this in
    /// none.
    #[must_use]
    pub fn lint_up_to(self, records: usize) -> Builder {
        Builder { lint_records_max: records, ..self }
    }

    /// Has signatures judged as of that time, in seconds since 1970; without this not at all.
    #[must_use]
    pub fn at(self, now: u32) -> Builder {
        Builder { now: Some(now), ..self }
    }

    /// Says which zone the file is named after, if any.
    #[must_use]
    pub fn from_file_of(self, named: Option<NameBuf>) -> Builder {
        Builder { named, ..self }
    }

    /// Makes room for the records of files of so many octets, which saves moving them later.
    #[must_use]
    pub fn expecting(mut self, octets: usize) -> Builder {
        let octets = octets.min(FILE_LEN_MAX);
        self.octets.reserve(octets);
        self.names.reserve(octets / NAME_LEN_MIN);
        self.records.reserve(octets / RECORD_LEN_MIN);
        self
    }

    /// Takes in a record that stands at `span`, and the places of those of its words that findings
    /// can be about.
    pub fn add(&mut self, record: Record<'_>, span: Span, words: &[Span]) {
        let Record { owner, rtype, ttl, rdata } = record;
        let (name, is_spelled_alike) = self.names.number_of(owner);
        if !is_spelled_alike {
            self.note_case(name, owner, span);
        }
        let data = self.offset();
        let len = u16::try_from(rdata.len()).expect("rdata is checked to have 65,535 octets");
        self.octets.extend_from_slice(&len.to_be_bytes());
        self.octets.extend_from_slice(rdata);
        let covered = covered(rtype, rdata);
        self.records.push(Raw { name, rtype, covered, ttl, data, span });
        self.soas += usize::from(rtype == table::SOA);
        if self.lints() || rtype == table::SOA {
            self.words.note(data, words);
        } else if self.records.len() == self.lint_records_max + 1 {
            self.words.keep_only(self.soa().map(|soa| soa.data));
        }
    }

    /// Whether the first name is the zone's.
    pub fn apex_is_first(&self) -> bool {
        self.soa().is_some_and(|soa| soa.name == 0)
    }

    /// The number of names, and that of the last record's owner.
    pub fn owners(&self) -> (u32, u32) {
        (u32::try_from(self.names.hashes().len()).unwrap_or(u32::MAX), self.names.last())
    }

    /// Whether there are not too many records to look for what is probably not meant.
    fn lints(&self) -> bool {
        self.records.len() <= self.lint_records_max
    }

    /// The apex, as the first SOA gives it.
    pub fn apex(&self) -> Option<NameBuf> {
        self.soa().map(|soa| self.name(soa.name).to_buf())
    }

    fn soa(&self) -> Option<Raw> {
        self.records.iter().find(|record| record.rtype == table::SOA).copied()
    }

    /// Makes the zone, or finds why that is not possible. `start` is the place to name for what is
    /// missing from the whole file.
    pub fn finish(mut self, start: Span) -> (Option<Zone>, Vec<Diagnostic>) {
        let zone = self.make(start);
        (zone, self.findings)
    }

    fn make(&mut self, start: Span) -> Option<Zone> {
        if self.records.is_empty() {
            self.find(&codes::FILE_EMPTY, start, "the file holds no record").help =
                Some("a zone begins with its SOA record and at least one NS record".into());
            return None;
        }
        let Some(soa) = self.soa() else {
            self.find(&codes::SOA_MISSING, start, "the zone has no SOA record").help =
                Some("begin with `@ SOA ns1 admin 1 7200 900 1209600 300`".into());
            return None;
        };
        if self.too_large || self.zone_octets() > OCTETS_MAX {
            self.find(&codes::FILE_UNREADABLE, start, "the zone takes more than 4 GiB");
            return None;
        }
        self.check_membership(soa);
        self.check_single_soa(soa);
        self.sort(soa.name);
        let lints = self.lints();
        let (mut zone, hashes) = self.lay_out(soa.name);
        let (parents, causes) = zone.add_empty_non_terminals(hashes);
        zone.set_flags(&parents);
        self.check_nodes(&zone, start);
        zone.denial = denial::Chain::of(&zone).map(Box::new);
        self.check_signed(&zone);
        zone.signed = zone.sets.iter().any(|set| set.rtype == table::RRSIG);
        zone.ready_soa = NegativeSoa::of(&zone);
        zone.link();
        let zone = Some(zone).filter(|_| !self.unusable)?;
        if lints {
            Lint::new(&zone, self).run(&causes);
        }
        Some(zone)
    }

    /// Where the next octets will stand.
    fn offset(&mut self) -> u32 {
        u32::try_from(self.octets.len()).unwrap_or_else(|_| {
            self.too_large = true;
            0
        })
    }

    /// How many octets the zone will take, empty non-terminals and copies of records aside.
    fn zone_octets(&self) -> usize {
        let around_data: usize = self.records.iter().map(|r| octets_around(r.rtype)).sum();
        self.names.octet_count() + self.octets.len() + around_data
    }

    fn name(&self, number: u32) -> Name<'_> {
        self.names.get(number)
    }

    fn rdata(&self, record: &Raw) -> &[u8] {
        let at = record.data as usize;
        let len = usize::from(u16::from_be_bytes([self.octets[at], self.octets[at + 1]]));
        &self.octets[at + 2..at + 2 + len]
    }

    /// Whether there are as many findings as anybody will read.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= FINDINGS_MAX
    }

    /// Whether something was found that keeps the zone from being served.
    pub(super) fn is_unusable(&self) -> bool {
        self.unusable
    }

    /// Notes a finding. Past the limit the last one gives way.
    pub(super) fn find(
        &mut self,
        code: &'static Code,
        span: Span,
        what: impl Into<String>,
    ) -> &mut Diagnostic {
        self.findings.truncate(FINDINGS_MAX - 1);
        self.findings.push(Diagnostic::new(code, span, what));
        self.unusable |= code.severity == Severity::Error;
        self.findings.last_mut().expect("one was just pushed")
    }

    /// Groups the sorted records into nodes, of which that of the name numbered `apex` is the first,
    /// and sets. Copies of records go. Gives the hashes of the nodes, too.
    fn lay_out(&mut self, apex: u32) -> (Zone, Vec<u64>) {
        let octets = self.zone_octets();
        let mut records = std::mem::take(&mut self.records);
        let set_count = records.chunk_by(|a, b| (a.name, a.set()) == (b.name, b.set())).count();
        let mut hashes = self.names.hashes().to_vec();
        hashes[..=apex as usize].rotate_right(1);
        let mut zone = Zone {
            octets: Vec::with_capacity(octets),
            nodes: Vec::with_capacity(hashes.len()),
            sets: Vec::with_capacity(set_count),
            index: Index::of(&hashes),
            denial: None,
            history: Vec::new(),
            signed: false,
            ready_soa: NegativeSoa::default(),
            labels_max: 0,
            apex_labels: self.name(apex).label_count(),
            apex_len: self.name(apex).as_wire().len(),
            records: 0,
        };
        let mut copies = Vec::new();
        for node in records.chunk_by(|a, b| a.name == b.name) {
            zone.add_node(self.name(node[0].name));
            for set in node.chunk_by(|a, b| a.set() == b.set()) {
                let kept = self.without_duplicates(set, &mut copies);
                let ttl = self.common_ttl(&kept);
                zone.add_set(&set[0], ttl, kept.iter().map(|record| self.rdata(record)));
            }
        }
        copies.sort_unstable();
        if !copies.is_empty() {
            records.retain(|record| copies.binary_search(&record.data).is_err());
        }
        self.records = records;
        (zone, hashes)
    }

    /// The type and place of the record that follows another in its file.
    pub(super) fn next_behind(&self, place: Span) -> Option<(Rtype, Span)> {
        let records = self.records.iter().map(|record| (record.rtype, record.span));
        let behind = records.filter(|(_, at)| at.source == place.source && at.start > place.start);
        behind.min_by_key(|(_, at)| at.start)
    }
}

/// How many more octets a record has in a zone than here: its head in place of a length, and its link.
fn octets_around(rtype: Rtype) -> usize {
    super::RECORD_HEAD_LEN - 2
        + if super::link::has_links(rtype) { super::link::LINK_LEN } else { 0 }
}

/// What stands before the data of a record, see [`super::RECORD_HEAD_LEN`].
fn record_head(rtype: Rtype, ttl: u32, len: u16) -> [u8; super::RECORD_HEAD_LEN] {
    let ([t1, t2], [c1, c2]) = (rtype.0.to_be_bytes(), Class::IN.0.to_be_bytes());
    let ([s1, s2, s3, s4], [l1, l2]) = (ttl.to_be_bytes(), len.to_be_bytes());
    [0xc0, 12, t1, t2, c1, c2, s1, s2, s3, s4, l1, l2]
}

/// The type that a signature is for (RFC 4034 §3.1.1); zero for records of other types.
fn covered(rtype: Rtype, rdata: &[u8]) -> Rtype {
    let first = rdata.first_chunk().filter(|_| rtype == table::RRSIG);
    Rtype(first.map_or(0, |octets| u16::from_be_bytes(*octets)))
}

impl Zone {
    /// Adds a node. It stands in the index already, or will be put there.
    fn add_node(&mut self, name: Name<'_>) {
        self.nodes.push(NodeEntry {
            name: place(self.octets.len()),
            first_set: place(self.sets.len()),
            set_count: 0,
            flags: Flags::default(),
        });
        self.octets.extend_from_slice(name.as_wire());
        self.labels_max = self.labels_max.max(name.label_count());
    }

    /// Adds a set to the node added last.
    fn add_set<'r>(&mut self, like: &Raw, ttl: u32, rdatas: impl Iterator<Item = &'r [u8]>) {
        let &Raw { rtype, covered, .. } = like;
        let (start, mut count) = (self.octets.len(), 0);
        for rdata in rdatas {
            let len = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
            self.octets.extend_from_slice(&record_head(rtype, ttl, len));
            self.octets.extend_from_slice(rdata);
            count += 1;
        }
        let end = self.octets.len();
        self.sets.push(SetEntry { start: place(start), end: place(end), count, rtype, covered });
        self.make_room_for_links();
        self.records += count as usize;
        if let Some(node) = self.nodes.last_mut() {
            node.set_count += 1;
        }
    }

    /// Every name between an owner and the apex exists, if without records (RFC 4592 §2.2.2). `hashes`
    /// are those of the nodes. Gives the node above each node, the apex above those that are not below
    /// it, and the node below which each new one was found, in their order.
    fn add_empty_non_terminals(&mut self, mut hashes: Vec<u64>) -> (Vec<u32>, Vec<u32>) {
        let (mut parents, mut causes) = (vec![0; self.nodes.len()], Vec::new());
        let (apex, apex_hash) = (self.apex().to_buf(), hashes[0]);
        for number in 0..self.nodes.len() {
            let name = self.node(place(number)).name();
            let between = name.label_count().saturating_sub(self.apex_labels + 1);
            if between == 0 {
                continue; // right below the apex, as most are
            }
            let (name, mut child) = (name.to_buf(), number);
            for ancestor in name.as_name().ancestors().skip(1).take(between) {
                let Some(hash) = names::hash_in(apex.as_name(), apex_hash, ancestor) else { break };
                if let Some(parent) = self.find(hash, ancestor.as_wire()) {
                    parents[child] = parent.number;
                    break;
                }
                parents[child] = place(self.nodes.len());
                child = self.nodes.len();
                parents.push(0);
                hashes.push(hash);
                self.add_node(ancestor);
                self.index.insert(hash, place(child), |number| hashes[number as usize]);
                causes.push(place(number));
            }
        }
        (parents, causes)
    }

    /// Works out what each name is, by the node above each.
    fn set_flags(&mut self, parents: &[u32]) {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            let first = node.first_set as usize;
            for set in &self.sets[first..first + usize::from(node.set_count)] {
                match set.rtype {
                    table::NS if at > 0 => node.flags.set(Flags::CUT),
                    table::DNAME => node.flags.set(Flags::DNAME),
                    _ => {}
                }
            }
        }
        let above = |at: usize| {
            let above = |&at: &usize| (at > 0).then(|| parents[at] as usize);
            std::iter::successors(above(&at), above)
        };
        for (at, &parent) in parents.iter().enumerate().skip(1) {
            let hides =
                |node: &NodeEntry| node.flags.has(Flags::CUT) || node.flags.has(Flags::DNAME);
            if above(at).any(|above| hides(&self.nodes[above])) {
                self.nodes[at].flags.set(Flags::OCCLUDED);
            }
            if Name::stored(&self.octets[self.nodes[at].name as usize..]).is_wildcard() {
                self.nodes[parent as usize].flags.set(Flags::WILDCARD_BELOW);
            }
        }
        self.flag_hashes();
    }

    /// A name that has NSEC3 records and their signatures alone is as if it were not there, unless
    /// something else stands below it (RFC 5155 §7.2.8).
    fn flag_hashes(&mut self) {
        let is_denial = |set: Rrset<'_>| [set.rtype(), set.entry.covered].contains(&table::NSEC3);
        let is_hash =
            |node: &Node<'_>| node.rrset(table::NSEC3).is_some() && node.rrsets().all(is_denial);
        let mut hashes: Vec<u32> = self.nodes().filter(is_hash).map(|node| node.number).collect();
        if hashes.is_empty() {
            return;
        }
        let mut needed = HashSet::new();
        for node in self.nodes().filter(|node| !is_hash(node)) {
            if node.name().label_count() > self.apex_labels + 1 {
                needed.extend(node.name().ancestors().skip(1).map(hash::of));
            }
        }
        hashes.retain(|&number| !needed.contains(&hash::of(self.node(number).name())));
        for number in hashes {
            self.nodes[number as usize].flags.set(Flags::HASH);
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
