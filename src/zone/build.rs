//! Records → [`Zone`]: one pass takes them in, one puts them in order, one works out what each name
//! is. Findings name the record they are about.
//!
//! What keeps a zone from being served (RFC 1035 §5.2, RFC 2181 §10.1, RFC 6672 §2.4): no SOA or two,
//! a record outside the zone, no NS at the apex, a CNAME or DNAME beside what it cannot stand
//! beside. What is probably not meant is left to [`super::lint`]. Records repeated, and TTLs that differ within a set, are mended with a warning: the second
//! copy goes, the lowest TTL holds for all (RFC 2181 §5.2 forbids differing ones).

use super::lint::Lint;
use super::{Flags, NodeEntry, SetEntry, Zone};
use crate::diag::codes::{self, Code};
use crate::diag::{Diagnostic, Severity, Span};
use crate::name::{Name, NameBuf, hash};
use crate::rr::{Record, Rtype, rdata, table};
use hashbrown::HashTable;
use std::collections::{HashMap, HashSet};

/// The most findings about one zone: with a wrong origin each record has one.
const FINDINGS_MAX: usize = 1000;
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
    /// The number of the name of the last record: the next one is most often the same.
    last: Option<u32>,
    findings: Vec<Diagnostic>,
    /// What is probably not meant is looked for in zones of up to so many records.
    lint_records_max: usize,
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
    ttl: u32,
    /// Where the data stand in the octets, behind their length.
    data: u32,
    /// Where the last word starts; it ends with the record.
    last: u32,
    pub(super) span: Span,
}

impl Builder {
    /// Has what is probably not meant looked for in zones of up to so many records; without this in
    /// none.
    #[must_use]
    pub fn lint_up_to(self, records: usize) -> Builder {
        Builder { lint_records_max: records, ..self }
    }

    /// Takes in a record that stands at `span` and whose last word stands at `last`.
    pub fn add(&mut self, record: Record<'_>, span: Span, last: Span) {
        let name = self.number_of(record.owner);
        let data = self.offset();
        let len =
            u16::try_from(record.rdata.len()).expect("rdata is checked to have 65,535 octets");
        self.octets.extend_from_slice(&len.to_be_bytes());
        self.octets.extend_from_slice(record.rdata);
        let Record { rtype, ttl, .. } = record;
        self.records.push(Raw { name, rtype, ttl, data, last: last.start, span });
    }

    /// The apex, as the first SOA gives it.
    pub fn apex(&self) -> Option<NameBuf> {
        let soa = self.records.iter().find(|record| record.rtype == table::SOA)?;
        Some(self.name(soa.name).to_buf())
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
        let Some(soa) = self.records.iter().find(|record| record.rtype == table::SOA).copied()
        else {
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
        self.records.sort_by_key(|record| (record.name != soa.name, record.name, record.rtype));
        let mut zone = self.lay_out();
        let causes = zone.add_empty_non_terminals(self.name(soa.name).to_buf().as_name());
        zone.set_flags();
        self.check_nodes(&zone, start);
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

    /// Every record is at the apex or below it. Where most are not, the apex is wrong.
    fn check_membership(&mut self, soa: Raw) {
        let apex = self.name(soa.name).to_buf();
        let outside: Vec<Raw> = self
            .records
            .iter()
            .copied()
            .filter(|record| !self.name(record.name).is_within(apex.as_name()))
            .collect();
        if outside.len() * 2 >= self.records.len() {
            let apart = (outside.len(), self.records.len());
            let what = format!("{} of {} records are not within {apex}", apart.0, apart.1);
            let found = self.find(&codes::OUT_OF_ZONE, soa.span, what);
            found.label = "the zone is the owner of this SOA".into();
            found.related.push((outside[0].span, "the first one".into()));
            found.help = Some("`@` is the origin: the file's name, or what $ORIGIN says".into());
            return;
        }
        let mut told = HashSet::new();
        for record in outside.iter().filter(|record| told.insert(record.name)) {
            let what = format!("{} is not within {apex}", self.name(record.name));
            let found = self.find(&codes::OUT_OF_ZONE, record.span, what);
            found.related.push((soa.span, "the zone is the owner of this SOA".into()));
            found.help =
                Some("without its final dot a name is relative to the origin, see $ORIGIN".into());
        }
    }

    /// There is one SOA.
    fn check_single_soa(&mut self, soa: Raw) {
        let others: Vec<Raw> = self
            .records
            .iter()
            .copied()
            .filter(|record| record.rtype == table::SOA && record.data != soa.data)
            .filter(|record| {
                record.name != soa.name
                    || !rdata::same(table::SOA, self.rdata(record), self.rdata(&soa))
            })
            .collect();
        for record in others {
            self.find(&codes::SOA_TWICE, record.span, "the zone has its SOA already")
                .related
                .push((soa.span, "here".into()));
        }
    }

    /// Groups the sorted records into nodes and sets. Copies of records go.
    fn lay_out(&mut self) -> Zone {
        let mut zone = Zone {
            octets: Vec::with_capacity(self.octets.len()),
            nodes: Vec::with_capacity(self.names.len()),
            sets: Vec::new(),
            index: HashTable::with_capacity(self.names.len()),
            labels_max: 0,
            apex_labels: 0,
            records: 0,
        };
        let mut records = std::mem::take(&mut self.records);
        let mut copies = Vec::new();
        for node in records.chunk_by(|a, b| a.name == b.name) {
            zone.add_node(self.name(node[0].name));
            for set in node.chunk_by(|a, b| a.rtype == b.rtype) {
                let kept = self.without_duplicates(set, &mut copies);
                let ttl = self.common_ttl(&kept);
                zone.add_set(set[0].rtype, ttl, kept.iter().map(|record| self.rdata(record)));
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
                self.find(&codes::DUPLICATE, record.span, "this record is there already")
                    .related
                    .push((first.span, "first here".into()));
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

    /// The TTL of a set: the lowest, with a warning at the first record that differs. Signatures of one
    /// name are of several sets and may differ (RFC 4034 §3).
    fn common_ttl(&mut self, set: &[Raw]) -> u32 {
        let first = set[0];
        let lowest = set.iter().map(|record| record.ttl).min().unwrap_or(first.ttl);
        let differs = |record: &&Raw| record.ttl != first.ttl && record.rtype != table::RRSIG;
        if let Some(other) = set.iter().find(differs) {
            let what = format!(
                "TTL {} here and {} before in one set of {} records: {lowest} is used for all",
                other.ttl, first.ttl, first.rtype
            );
            self.find(&codes::TTL_DIFFERS, other.span, what)
                .related
                .push((first.span, format!("TTL {} here", first.ttl)));
        }
        lowest
    }

    /// The type and place of the record that follows another in its file.
    pub(super) fn next_behind(&self, place: Span) -> Option<(Rtype, Span)> {
        let records = self.records.iter().map(|record| (record.rtype, record.span));
        let behind = records.filter(|(_, at)| at.source == place.source && at.start > place.start);
        behind.min_by_key(|(_, at)| at.start)
    }

    /// Where the first record of a name and type stands.
    pub(super) fn place_of(&self, name: Name<'_>, rtype: Rtype) -> Option<Span> {
        self.records_of(name, rtype).first().map(|record| record.span)
    }

    /// Where the record of that number in its set stands, and its last word.
    pub(super) fn target_of(&self, name: Name<'_>, rtype: Rtype, number: usize) -> [Span; 2] {
        let record = self.records_of(name, rtype).get(number);
        let whole = record.map_or(Span::default(), |record| record.span);
        [whole, Span { start: record.map_or(whole.start, |record| record.last), ..whole }]
    }

    /// The records of a name and type. The records are in order by now.
    pub(super) fn records_of(&self, name: Name<'_>, rtype: Rtype) -> &[Raw] {
        let same = |&number: &u32| self.name(number) == name;
        let number = self.index.find(hash::of(name), same).copied();
        let (Some(number), Some(first)) = (number, self.records.first()) else {
            return &[];
        };
        let key = |record: &Raw| (record.name != first.name, record.name, record.rtype);
        let wanted = (number != first.name, number, rtype);
        let start = self.records.partition_point(|record| key(record) < wanted);
        let end = self.records.partition_point(|record| key(record) <= wanted);
        &self.records[start..end]
    }
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
            self.apex_labels = labels;
        }
        let (nodes, octets) = (&self.nodes, &self.octets);
        self.index.insert_unique(hash::of(name), number, |&other| {
            hash::of(Name::stored(&octets[nodes[other as usize].name as usize..]))
        });
    }

    /// Adds a set to the node added last.
    fn add_set<'r>(&mut self, rtype: Rtype, ttl: u32, rdatas: impl Iterator<Item = &'r [u8]>) {
        let data = self.octets.len();
        let mut count = 0;
        for rdata in rdatas {
            let len = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
            self.octets.extend_from_slice(&len.to_be_bytes());
            self.octets.extend_from_slice(rdata);
            count += 1;
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let data_end = place(self.octets.len());
        self.sets.push(SetEntry { data: place(data), data_end, ttl, count, rtype });
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
