//! A zone as an immutable, answerable thing: what is in it, and where does a name stand in it?
//!
//! [`build`] makes a [`Zone`] from records, once; after that it never changes, and a reload builds
//! another. What answering needs to know of a name is worked out then and kept in its flags: whether
//! it is a zone cut, hidden below one, an empty non-terminal, has a wildcard below it. `lint` looks at
//! the result for what is probably not meant.
//!
//! ```text
//! index   hash of the lower-cased name → node            one open-addressing table, [`index`]
//! nodes   name, flags, its RRsets                        one per name, empty non-terminals too
//! sets    type, TTL, where the data stand                by node, then by type; signatures by the
//!                                                        type that they cover
//! octets  names, and records as an answer holds them     one arena; no allocation per record
//! denial  the order of NSEC or NSEC3 records             in signed zones alone
//! ```
//!
//! [`set`] holds all zones and finds the one that a name belongs to.

pub mod build;
mod check;
pub mod denial;
pub mod diff;
mod index;
mod link;
mod lint;
mod lookup;
mod negative;
pub mod set;

pub use denial::Denial;
use index::Index;
pub use link::{Link, Target};
pub use lookup::Position;
pub use negative::NegativeSoa;

use crate::name::{Name, Suffixes, same_octets};
use crate::rr::{Rtype, table};
use std::sync::Arc;

/// One zone. See the module for how it is stored.
#[derive(Clone)]
pub struct Zone {
    octets: Vec<u8>,
    nodes: Vec<NodeEntry>,
    sets: Vec<SetEntry>,
    index: Index,
    /// How it says that something is not there, if it is signed.
    denial: Option<Box<denial::Chain>>,
    /// What changed since earlier versions, the latest last.
    history: Vec<Arc<diff::ChangeSet>>,
    /// Whether it holds signatures.
    signed: bool,
    /// What a negative answer holds.
    ready_soa: NegativeSoa,
    /// The most labels that a name here has: a longer one needs no look.
    labels_max: usize,
    apex_labels: usize,
    apex_len: usize,
    records: usize,
}

#[derive(Clone, Copy, Debug)]
struct NodeEntry {
    /// Where the name stands in the octets.
    name: u32,
    first_set: u32,
    set_count: u16,
    flags: Flags,
}

#[derive(Clone, Copy, Debug)]
struct SetEntry {
    /// Where the records stand in the octets, see [`Rrset::records`]; behind them their [`Link`]s.
    start: u32,
    end: u32,
    count: u32,
    rtype: Rtype,
    /// The type that signatures are for; zero for other types.
    covered: Rtype,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags(u8);

impl Flags {
    /// It has an NS set and is not the apex: the zone ends here (RFC 1034 §4.2).
    const CUT: Flags = Flags(1);
    /// It stands below a cut or a DNAME: not part of the zone, if perhaps glue.
    const OCCLUDED: Flags = Flags(2);
    /// `*` stands below it (RFC 4592 §2.1.1).
    const WILDCARD_BELOW: Flags = Flags(4);
    /// It has a DNAME.
    const DNAME: Flags = Flags(8);
    /// Its name is a hash, which nobody asks for: it has NSEC3 records and their signatures alone.
    const HASH: Flags = Flags(16);

    fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    fn set(&mut self, flag: Flags) {
        self.0 |= flag.0;
    }
}

/// One name of a zone.
#[derive(Clone, Copy)]
pub struct Node<'z> {
    zone: &'z Zone,
    entry: &'z NodeEntry,
    /// Its place among the zone's nodes.
    number: u32,
}

/// The records of one name and type (RFC 2181 §5): one TTL, data in the order of the file.
#[derive(Clone, Copy)]
pub struct Rrset<'z> {
    zone: &'z Zone,
    entry: &'z SetEntry,
    /// Another TTL than the records' own.
    ttl: Option<u32>,
}

/// The octets of a record before its data: a pointer at the question's name, type, class, TTL, length
/// (RFC 1035 §4.1.3).
pub const RECORD_HEAD_LEN: usize = 12;
/// Where the TTL stands among them.
const TTL_AT: usize = 6;
/// Where the serial begins in the data of an SOA, before their end (RFC 1035 §3.3.13).
const SERIAL_BEFORE_END: usize = 20;

impl Zone {
    /// The name at the top.
    pub fn apex(&self) -> Name<'_> {
        self.apex_node().name()
    }

    /// The octets of the apex.
    pub fn apex_len(&self) -> usize {
        self.apex_len
    }

    /// The number of labels of the apex.
    pub fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// The number of records.
    pub fn record_count(&self) -> usize {
        self.records
    }

    /// The octets that it takes in memory, proofs and history aside.
    pub fn octets(&self) -> usize {
        self.octets.len()
            + self.nodes.len() * size_of::<NodeEntry>()
            + self.sets.len() * size_of::<SetEntry>()
            + self.index.octets()
    }

    /// The serial of the SOA (RFC 1035 §3.3.13).
    pub fn serial(&self) -> u32 {
        self.soa_number(SERIAL_BEFORE_END)
    }

    /// Gives a version that nobody has yet another serial. What is known of changes since earlier versions
    /// goes, for it names the serial.
    pub fn set_serial(&mut self, serial: u32) {
        let end = self.soa().entry.end as usize;
        self.octets[end - SERIAL_BEFORE_END..][..4].copy_from_slice(&serial.to_be_bytes());
        self.ready_soa = NegativeSoa::of(self);
        self.history.clear();
    }

    /// Whether who has `serial` has nothing to fetch: it is this version's, or a later one's (RFC 1982
    /// §3.2).
    pub fn is_known_to_who_has(&self, serial: u32) -> bool {
        serial.wrapping_sub(self.serial()) < 1 << 31
    }

    /// The SOA, as it goes with an answer that there is nothing: its TTL is the lower one of its own
    /// and of its last field (RFC 2308 §3).
    pub fn negative_soa(&self) -> Rrset<'_> {
        let soa = self.soa();
        soa.with_ttl(soa.ttl().min(self.soa_number(4)))
    }

    /// The same, ready to be copied.
    pub fn ready_soa(&self) -> &NegativeSoa {
        &self.ready_soa
    }

    /// Whether it holds signatures, or says by records that something is not there.
    pub fn is_signed(&self) -> bool {
        self.signed || self.denial.is_some()
    }

    /// The apex.
    pub fn apex_node(&self) -> Node<'_> {
        self.node(0)
    }

    /// The node of `name`, hidden ones too.
    pub fn node_of(&self, name: Name<'_>) -> Option<Node<'_>> {
        self.node_with(crate::name::hash::of(name), name)
    }

    /// The same for whom knows the hash of `name`.
    #[inline]
    pub fn node_with(&self, hash: u64, name: Name<'_>) -> Option<Node<'_>> {
        self.find(hash, name.as_wire())
    }

    /// Every name: the apex, then those with records in the order of the file, then the rest.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let numbered = (0u32..).zip(&self.nodes);
        numbered.map(|(number, entry)| Node { zone: self, entry, number })
    }

    /// The name at that place among them.
    pub fn node_at(&self, number: u32) -> Option<Node<'_>> {
        let entry = self.nodes.get(number as usize)?;
        Some(Node { zone: self, entry, number })
    }

    /// How the zone says that something is not there, if it is signed.
    pub fn denial(&self) -> Option<Denial<'_>> {
        self.denial.as_deref().map(|chain| Denial { zone: self, chain })
    }

    /// Whether both zones hold the same records in the same order within each RRset, whatever the
    /// SOA's serial says.
    pub fn same_content(&self, other: &Zone) -> bool {
        // names stand in the same order, most often
        let in_place = |node: Node<'_>| {
            let same = |twin: &Node<'_>| twin.name().as_wire() == node.name().as_wire();
            other.node_at(node.number).filter(same)
        };
        self.records == other.records
            && self.nodes().all(|node| {
                match in_place(node).or_else(|| other.node_of(node.name())) {
                    Some(twin) => node.same_content(twin),
                    None => node.entry.set_count == 0,
                }
            })
    }

    /// The SOA.
    pub fn soa(&self) -> Rrset<'_> {
        self.apex_node().rrset(table::SOA).expect("no zone is built without an SOA")
    }

    /// The data of the SOA.
    pub fn soa_data(&self) -> &[u8] {
        self.soa().rdatas().next().unwrap_or_default()
    }

    /// A number of the SOA, by where it starts before the end of the data.
    fn soa_number(&self, before_end: usize) -> u32 {
        number_of(self.soa_data(), before_end).unwrap_or_default()
    }

    fn node(&self, number: u32) -> Node<'_> {
        Node { zone: self, entry: &self.nodes[number as usize], number }
    }

    /// The node whose name hashes to `hash` and is `name` but for case.
    #[inline]
    fn find(&self, hash: u64, name: &[u8]) -> Option<Node<'_>> {
        let same = |number: u32| {
            let Some(node) = self.nodes.get(number as usize) else { return false };
            let at = node.name as usize;
            self.octets.get(at..at + name.len()).is_some_and(|there| same_octets(there, name))
        };
        self.index.find(hash, same).map(|number| self.node(number))
    }

    /// The node of the rightmost `labels` labels of `name`.
    #[inline]
    fn suffix_node(&self, name: Name<'_>, hashes: &Suffixes, labels: usize) -> Option<Node<'_>> {
        self.find(hashes.hash(labels), &name.as_wire()[hashes.offset(labels)..])
    }
}

impl<'z> Node<'z> {
    /// Its name, as the file writes it.
    pub fn name(self) -> Name<'z> {
        Name::stored(&self.zone.octets[self.entry.name as usize..])
    }

    /// Its name's octets before those of the zone's name.
    pub fn labels_before_apex(self) -> &'z [u8] {
        let name = self.name().as_wire();
        &name[..name.len() - self.zone.apex_len]
    }

    /// Its RRset of one type. Signatures are in [`Node::signatures`].
    pub fn rrset(self, rtype: Rtype) -> Option<Rrset<'z>> {
        self.rrsets().find(|set| set.entry.rtype == rtype)
    }

    /// The signatures of its RRset of one type (RFC 4034 §3).
    pub fn signatures(self, covered: Rtype) -> Option<Rrset<'z>> {
        self.rrsets().find(|set| set.entry.covered == covered && set.rtype() == table::RRSIG)
    }

    /// Its RRsets, in the order of their types' codes; signatures are a set for each type that they
    /// cover.
    pub fn rrsets(self) -> impl Iterator<Item = Rrset<'z>> {
        let start = self.entry.first_set as usize;
        let entries = &self.zone.sets[start..start + usize::from(self.entry.set_count)];
        entries.iter().map(move |entry| Rrset { zone: self.zone, entry, ttl: None })
    }

    /// Whether the zone ends here and another begins.
    pub fn is_cut(self) -> bool {
        self.has(Flags::CUT)
    }

    /// Its place among the zone's nodes.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Whether it has a CNAME.
    pub fn is_alias(self) -> bool {
        self.rrset(table::CNAME).is_some()
    }

    /// Whether it stands below a cut or a DNAME.
    pub fn is_occluded(self) -> bool {
        self.has(Flags::OCCLUDED)
    }

    /// Whether the zone has authority over its records, all but a DS (RFC 1034 §4.2).
    pub fn is_authoritative(self) -> bool {
        !self.is_cut() && !self.is_hidden()
    }

    /// Whether nobody can ask for it: it is occluded, or the hash of a name (RFC 5155 §7.2.8).
    pub fn is_hidden(self) -> bool {
        self.has(Flags::OCCLUDED) || self.has(Flags::HASH)
    }

    /// The node of the name above, if that is in the zone.
    pub fn parent(self) -> Option<Node<'z>> {
        self.zone.node_of(self.name().parent()?)
    }

    fn has(self, flag: Flags) -> bool {
        self.entry.flags.has(flag)
    }

    fn same_content(self, other: Node<'_>) -> bool {
        self.entry.set_count == other.entry.set_count
            && self.rrsets().zip(other.rrsets()).all(|(a, b)| a.same_content(b))
    }
}

impl<'z> Rrset<'z> {
    /// The records' type.
    pub fn rtype(self) -> Rtype {
        self.entry.rtype
    }

    /// How long they may be cached, in seconds.
    pub fn ttl(self) -> u32 {
        self.ttl.unwrap_or_else(|| {
            let ttl = self.records()[TTL_AT..].first_chunk();
            ttl.map_or(0, |octets| u32::from_be_bytes(*octets))
        })
    }

    /// The same records with another time to live.
    #[must_use]
    pub fn with_ttl(self, ttl: u32) -> Rrset<'z> {
        Rrset { ttl: Some(ttl), ..self }
    }

    /// The records as an answer to a question for their owner has them, names in their data
    /// uncompressed, in the order of the file. Their TTL is the file's.
    pub fn records(self) -> &'z [u8] {
        &self.zone.octets[self.entry.start as usize..self.entry.end as usize]
    }

    /// The number of records.
    pub fn count(self) -> usize {
        self.entry.count as usize
    }

    /// Each of the records.
    #[inline]
    pub fn each_record(self) -> impl Iterator<Item = &'z [u8]> + Clone {
        Records { rest: self.records() }
    }

    /// The data of each record, names uncompressed, in the order of the file.
    pub fn rdatas(self) -> impl Iterator<Item = &'z [u8]> + Clone {
        self.each_record().map(|record| &record[RECORD_HEAD_LEN..])
    }

    /// The name that each record of this set points at, if its type has one with addresses a
    /// client will want next.
    pub fn targets(self) -> impl Iterator<Item = Name<'z>> {
        let target = table::target(self.entry.rtype);
        self.rdatas().filter_map(move |rdata| Some(Name::stored(&rdata[target?..])))
    }

    /// Whether each record of this set points at such a name.
    pub fn has_targets(self) -> bool {
        table::target(self.entry.rtype).is_some()
    }

    /// Whether both are one and the same set of one zone.
    pub fn is(self, other: Rrset<'_>) -> bool {
        std::ptr::eq(self.entry, other.entry)
    }

    fn same_content(self, other: Rrset<'_>) -> bool {
        self.rtype() == other.rtype()
            && self.entry.covered == other.entry.covered
            && self.ttl() == other.ttl()
            && self.entry.count == other.entry.count
            && self.rdatas().zip(other.rdatas()).all(|(a, b)| match self.rtype() {
                table::SOA => without_serial(a) == without_serial(b),
                _ => a == b,
            })
    }
}

/// The serial in the data of an SOA (RFC 1035 §3.3.13).
pub fn serial_of(soa: &[u8]) -> Option<u32> {
    number_of(soa, SERIAL_BEFORE_END)
}

/// Whether two SOAs are the same but for their serials, and the case of names.
pub fn same_but_for_serial(a: &[u8], b: &[u8]) -> bool {
    let (Some(a), Some(b)) = (without_serial(a), without_serial(b)) else { return false };
    same_octets(a.0, b.0) && a.1 == b.1
}

fn number_of(soa: &[u8], before_end: usize) -> Option<u32> {
    let at = soa.len().checked_sub(before_end)?;
    soa[at..].first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

/// The data of an SOA without its serial (RFC 1035 §3.3.13).
fn without_serial(soa: &[u8]) -> Option<(&[u8], &[u8])> {
    let serial_at = soa.len().checked_sub(SERIAL_BEFORE_END)?;
    Some((&soa[..serial_at], &soa[serial_at + 4..]))
}

/// Iterates over the records of an RRset.
#[derive(Clone)]
struct Records<'z> {
    rest: &'z [u8],
}

impl<'z> Iterator for Records<'z> {
    type Item = &'z [u8];

    #[inline]
    fn next(&mut self) -> Option<&'z [u8]> {
        let len = self.rest.get(RECORD_HEAD_LEN - 2..)?.first_chunk().copied()?;
        let end = RECORD_HEAD_LEN + usize::from(u16::from_be_bytes(len));
        let (record, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(record)
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Zone({} serial {})", self.apex(), self.serial())
    }
}
