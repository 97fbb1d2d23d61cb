//! Records → [`Zone`]: one pass takes them in, one puts them in order, one works out what each name
//! is. Findings name the record they are about.
//!
//! What keeps a zone from being served (RFC 1035 §5.2, RFC 2181 §10.1, RFC 6672 §2.4): no SOA or two,
//! a record outside the zone, no NS at the apex, a CNAME or DNAME beside what it cannot stand
//! beside. What is probably not meant is left to [`super::lint`]. Records repeated, and TTLs that differ within a set, are mended with a warning: the second
//! copy goes, the lowest TTL holds for all (RFC 2181 §5.2 forbids differing ones).

mod membership;
mod places;

use super::lint::Lint;
use super::{Flags, NegativeSoa, NodeEntry, Rrset, SetEntry, Zone, denial};
use crate::diag::codes::{self, Code};
use crate::diag::{Diagnostic, Fix, Meant, Severity, Span};
use crate::name::{Name, NameBuf, hash};
use crate::rr::{Class, Record, Rtype, rdata, table};
use hashbrown::HashTable;
use places::Cases;
use std::collections::{HashMap, HashSet};

/// The most findings about one zone: with a wrong origin each record has one.
pub const FINDINGS_MAX: usize = 1000;
/// From so many records on, a set's duplicates are looked for by hashing instead of pairwise.
const PAIRWISE_MAX: usize = 16;

/// Takes in records, gives a zone.
#[derive(Default)]
pub struct Builder {
    octets: Vec<u8>,
    /// Each name that owns a record: where it stands in the octets.
    names: Vec<u32>,
    index: HashTable<u32>,
    records: Vec<Raw>,
    /// The words behind the first that are told about, by where the record's data stand.
    more_words: HashMap<u32, Box<[Span]>>,
    /// The number of the name of the last record: the next one is most often the same.
    last: Option<u32>,
    findings: Vec<Diagnostic>,
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
    /// Where the first word starts that is told about, and its length as far as that can be said.
    word: u32,
    word_len: u16,
    pub(super) span: Span,
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

    /// Takes in a record that stands at `span`, and the places of those of its words that findings
    /// can be about.
    pub fn add(&mut self, record: Record<'_>, span: Span, words: &[Span]) {
        let name = self.number_of(record.owner);
        let data = self.offset();
        let len =
            u16::try_from(record.rdata.len()).expect("rdata is checked to have 65,535 octets");
        self.octets.extend_from_slice(&len.to_be_bytes());
        self.octets.extend_from_slice(record.rdata);
        let Record { rtype, ttl, rdata, .. } = record;
        let (known_at, owner) = (self.names[name as usize] as usize, record.owner.as_wire());
        if self.octets[known_at..known_at + owner.len()] != *owner {
            self.note_case(name, record.owner, span);
        }
        let (word, more) = words.split_first().unwrap_or((&span, &[]));
        let word_len = u16::try_from(word.end - word.start).unwrap_or(u16::MAX);
        let covered = covered(rtype, rdata);
        self.records.push(Raw {
            name,
            rtype,
            covered,
            ttl,
            data,
            word: word.start,
            word_len,
            span,
        });
        if !more.is_empty() {
            self.more_words.insert(data, more.into());
        }
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
        if self.too_large {
            self.find(&codes::FILE_UNREADABLE, start, "the zone takes more than 4 GiB");
            return None;
        }
        self.check_membership(soa);
        self.check_single_soa(soa);
        let place = |r: &Raw| (r.name != soa.name, r.name, r.rtype, r.covered);
        self.records.sort_by_key(place);
        let mut zone = self.lay_out();
        let causes = zone.add_empty_non_terminals(self.name(soa.name).to_buf().as_name());
        zone.set_flags();
        self.check_nodes(&zone, start);
        zone.denial = denial::Chain::of(&zone).map(Box::new);
        self.check_signed(&zone);
        zone.signed = zone.holds_signatures();
        zone.ready_soa = NegativeSoa::of(&zone);
        zone.link();
        let zone = Some(zone).filter(|_| !self.unusable)?;
        if zone.record_count() <= self.lint_records_max {
            Lint::new(&zone, self).run(&causes);
        }
        Some(zone)
    }

    /// The number of `owner`, a new one if need be.
    fn number_of(&mut self, owner: Name<'_>) -> u32 {
        if let Some(last) = self.last.filter(|&last| self.name(last) == owner) {
            return last;
        }
        let hash = hash::of(owner);
        let found = self.index.find(hash, |&number| self.name(number) == owner).copied();
        let number = found.unwrap_or_else(|| self.add_name(owner, hash));
        self.last = Some(number);
        number
    }

    fn add_name(&mut self, owner: Name<'_>, hash: u64) -> u32 {
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let offset = self.offset();
        self.names.push(offset);
        self.octets.extend_from_slice(owner.as_wire());
        let (names, octets) = (&self.names, &self.octets);
        self.index.insert_unique(hash, number, |&other| {
            hash::of(Name::stored(&octets[names[other as usize] as usize..]))
        });
        number
    }

    /// Where the next octets will stand.
    fn offset(&mut self) -> u32 {
        u32::try_from(self.octets.len()).unwrap_or_else(|_| {
            self.too_large = true;
            0
        })
    }

    fn name(&self, number: u32) -> Name<'_> {
        Name::stored(&self.octets[self.names[number as usize] as usize..])
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

    /// Groups the sorted records into nodes and sets. Copies of records go.
    fn lay_out(&mut self) -> Zone {
        let mut zone = Zone {
            octets: Vec::with_capacity(self.octets.len()),
            nodes: Vec::with_capacity(self.names.len()),
            sets: Vec::new(),
            index: HashTable::with_capacity(self.names.len()),
            denial: None,
            signed: false,
            ready_soa: NegativeSoa::default(),
            labels_max: 0,
            apex_labels: 0,
            apex_len: 0,
            records: 0,
        };
        let mut records = std::mem::take(&mut self.records);
        let mut copies = Vec::new();
        for node in records.chunk_by(|a, b| a.name == b.name) {
            zone.add_node(self.name(node[0].name));
            for set in node.chunk_by(|a, b| (a.rtype, a.covered) == (b.rtype, b.covered)) {
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
        zone
    }

    /// The records of a set, each once. The data of the others go into `copies`.
    fn without_duplicates(&mut self, set: &[Raw], copies: &mut Vec<u32>) -> Vec<Raw> {
        let mut kept: Vec<Raw> = Vec::with_capacity(set.len());
        let mut seen: HashMap<Vec<u8>, Vec<Raw>> = HashMap::new();
        for record in set {
            let rdata = self.rdata(record);
            let candidates = if set.len() <= PAIRWISE_MAX {
                &kept
            } else {
                &*seen.entry(rdata.to_ascii_lowercase()).or_default()
            };
            let twin = candidates
                .iter()
                .copied()
                .find(|other| rdata::same(record.rtype, self.rdata(other), rdata));
            if let Some(first) = twin {
                let found =
                    self.find(&codes::DUPLICATE, record.span, "this record is there already");
                found.related.push((first.span, "first here".into()));
                found.fix = Some(Fix::of([record.span], &Meant::Gone)); // one of it is served
                copies.push(record.data);
                continue;
            }
            if set.len() > PAIRWISE_MAX {
                let key = self.rdata(record).to_ascii_lowercase();
                seen.entry(key).or_default().push(*record);
            }
            kept.push(*record);
        }
        kept
    }

    /// The TTL of a set: the lowest, with a warning at the first record that differs.
    fn common_ttl(&mut self, set: &[Raw]) -> u32 {
        let first = set[0];
        let lowest = set.iter().map(|record| record.ttl).min().unwrap_or(first.ttl);
        if let Some(other) = set.iter().find(|record| record.ttl != first.ttl) {
            let what = format!(
                "TTL {} here and {} before in one set of {} records: {lowest} is used for all",
                other.ttl, first.ttl, first.rtype
            );
            let higher = set.iter().filter(|record| record.ttl > lowest).map(|record| record.span);
            let fix = Fix::of(higher, &Meant::Ttl(lowest));
            let found = self.find(&codes::TTL_DIFFERS, other.span, what);
            found.related.push((first.span, format!("TTL {} here", first.ttl)));
            // the lowest is what is served; zero may be a TTL that was too large
            found.fix = Some(fix).filter(|_| lowest > 0);
        }
        lowest
    }

    /// The type and place of the record that follows another in its file.
    pub(super) fn next_behind(&self, place: Span) -> Option<(Rtype, Span)> {
        let records = self.records.iter().map(|record| (record.rtype, record.span));
        let behind = records.filter(|(_, at)| at.source == place.source && at.start > place.start);
        behind.min_by_key(|(_, at)| at.start)
    }
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
    fn add_node(&mut self, name: Name<'_>) {
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let first_set = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let at = self.octets.len();
        self.octets.extend_from_slice(name.as_wire());
        let name_at = u32::try_from(at).unwrap_or(u32::MAX);
        self.nodes.push(NodeEntry {
            name: name_at,
            first_set,
            set_count: 0,
            flags: Flags::default(),
        });
        let labels = name.label_count();
        self.labels_max = self.labels_max.max(labels);
        if number == 0 {
            (self.apex_labels, self.apex_len) = (labels, name.as_wire().len());
        }
        let (nodes, octets) = (&self.nodes, &self.octets);
        self.index.insert_unique(hash::of(name), number, |&other| {
            hash::of(Name::stored(&octets[nodes[other as usize].name as usize..]))
        });
    }

    /// Adds a set to the node added last.
    fn add_set<'r>(&mut self, like: &Raw, ttl: u32, rdatas: impl Iterator<Item = &'r [u8]>) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
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

    /// Every name between an owner and the apex exists, if without records (RFC 4592 §2.2.2). Gives
    /// the node below which each was found, in their order.
    fn add_empty_non_terminals(&mut self, apex: Name<'_>) -> Vec<u32> {
        let mut causes = Vec::new();
        for number in 0..self.nodes.len() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let name = self.node(number).name().to_buf();
            for ancestor in name.as_name().ancestors().skip(1) {
                if !ancestor.is_within(apex) || self.node_of(ancestor).is_some() {
                    break;
                }
                self.add_node(ancestor);
                causes.push(number);
            }
        }
        causes
    }

    /// Works out what each name is. The nodes above a name are looked at, so all must be there.
    fn set_flags(&mut self) {
        for at in 0..self.nodes.len() {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let node = self.node(number);
            let has = |rtype| node.rrset(rtype).is_some();
            let (cut, dname) = (has(table::NS) && at != 0, has(table::DNAME));
            let flags = &mut self.nodes[at].flags;
            if cut {
                flags.set(Flags::CUT);
            }
            if dname {
                flags.set(Flags::DNAME);
            }
        }
        for at in 0..self.nodes.len() {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let name = self.node(number).name().to_buf();
            if name.as_name().is_wildcard() {
                self.flag_parent(name.as_name());
            }
            if self.is_hidden(name.as_name()) {
                self.nodes[at].flags.set(Flags::OCCLUDED);
            }
        }
        self.flag_hashes();
    }

    /// A name that has NSEC3 records and their signatures alone is as if it were not there, unless
    /// something else stands below it (RFC 5155 §7.2.8).
    fn flag_hashes(&mut self) {
        let is_denial = |set: Rrset<'_>| [set.rtype(), set.entry.covered].contains(&table::NSEC3);
        let mut hashes = Vec::new();
        let mut needed = HashSet::new();
        for node in self.nodes() {
            if node.rrset(table::NSEC3).is_some() && node.rrsets().all(is_denial) {
                hashes.push(node.number as usize);
            } else if node.name().label_count() > self.apex_labels + 1 {
                needed.extend(node.name().ancestors().skip(1).map(hash::of));
            }
        }
        hashes.retain(|&at| {
            !needed.contains(&hash::of(Name::stored(&self.octets[self.nodes[at].name as usize..])))
        });
        for at in hashes {
            self.nodes[at].flags.set(Flags::HASH);
        }
    }

    fn flag_parent(&mut self, wildcard: Name<'_>) {
        let Some(parent) = wildcard.parent() else {
            return;
        };
        let same = |&number: &u32| self.node(number).name() == parent;
        if let Some(&number) = self.index.find(hash::of(parent), same) {
            self.nodes[number as usize].flags.set(Flags::WILDCARD_BELOW);
        }
    }

    /// Whether a cut or a DNAME stands above `name`.
    fn is_hidden(&self, name: Name<'_>) -> bool {
        let above = name.label_count().saturating_sub(self.apex_labels);
        let mut enclosing = name.ancestors().skip(1).take(above);
        enclosing.any(|ancestor| {
            self.node_of(ancestor)
                .is_some_and(|node| node.has(Flags::CUT) || node.has(Flags::DNAME))
        })
    }
}
