//! A specification that runs: what a server owes to a question, by the RFCs and slowly.
//!
//! It was written from the RFCs, without a look at the program, and shares nothing with it: a zone
//! is a list of records, a name a list of labels, and all is found by walking through the list.
//! Each rule stands where its section is cited.
//!
//! - [`answer`]: RFC 1034 §4.3.2 read aloud, with what RFC 4035 §3.1 adds to each of its steps
//! - [`denial`]: which NSEC or NSEC3 records prove what is not there
//! - [`sign`]: from a zone to a signed one, with signatures that nobody could verify
//! - [`zones`]: zones drawn at random
//! - [`small`]: all zones up to a size
//! - [`program`]: the program, asked the same questions
//!
//! Where the RFCs leave a choice, the program's is taken: ANY gets one RRset (RFC 8482 §4.1), chains
//! are followed inside the zone and have at most [`CHAIN_MAX`] links, addresses of NS and MX targets
//! come along from any zone that is served here.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is compiled with all of this and uses a part"
)]
#![allow(clippy::unwrap_used, reason = "helpers of tests, as tests themselves")]

pub mod answer;
pub mod denial;
#[path = "../support/explained.rs"]
pub mod explained;
pub mod program;
#[path = "../support/records.rs"]
pub mod records;
pub mod sign;
pub mod small;
pub mod zones;

use records::{Name, Record};
use types::{DNSKEY, NS, NSEC3, RRSIG, SOA};

/// Links of a chain of aliases that are followed.
pub const CHAIN_MAX: usize = 16;

/// The codes of the types that have a part in it.
pub mod types {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const DNAME: u16 = 39;
    pub const DS: u16 = 43;
    pub const RRSIG: u16 = 46;
    pub const NSEC: u16 = 47;
    pub const DNSKEY: u16 = 48;
    pub const NSEC3: u16 = 50;
    pub const NSEC3PARAM: u16 = 51;
    pub const ANY: u16 = 255;
}

/// A zone as a list.
#[derive(Clone)]
pub struct Zone {
    pub apex: Name,
    /// The SOA is the first of them.
    pub records: Vec<Record>,
}

impl Zone {
    /// The records of one owner and type.
    pub fn rrset(&self, owner: &Name, rtype: u16) -> Vec<Record> {
        let of_set = |record: &&Record| record.rtype == rtype && record.owner == *owner;
        self.records.iter().filter(of_set).cloned().collect()
    }

    /// Whether a name exists, if only because another stands below it (RFC 4592 §2.2.2).
    pub fn holds(&self, name: &Name) -> bool {
        self.visible().any(|record| record.owner.is_within(name))
    }

    /// The records that make names exist: no name is there because of an NSEC3 record and its
    /// signature (RFC 5155 §7.2.8).
    pub fn visible(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.rtype != NSEC3 && covered(record) != Some(NSEC3))
    }

    /// The longest ancestor that exists, the name itself included (RFC 4592 §3.3.1).
    pub fn closest_encloser(&self, name: &Name) -> Name {
        let mut enclosing = (self.apex.labels()..=name.labels()).rev();
        let labels = enclosing.find(|&labels| self.holds(&name.suffix(labels)));
        name.suffix(labels.unwrap())
    }

    /// Where the data of a name stand: at the name, or at a wildcard that stands for it, which need
    /// not exist (RFC 4592 §3.3.1: the source of synthesis).
    pub fn source(&self, name: &Name) -> Name {
        let encloser = self.closest_encloser(name);
        if encloser == *name { encloser } else { encloser.child("*") }
    }

    /// Whether the zone is delegated away at this name.
    pub fn is_cut(&self, name: &Name) -> bool {
        *name != self.apex && !self.rrset(name, NS).is_empty()
    }

    /// RFC 9499 §10: signed zone.
    pub fn is_signed(&self) -> bool {
        !self.rrset(&self.apex, DNSKEY).is_empty()
    }

    /// The SOA with the TTL that negative answers have (RFC 2308 §3, §5).
    pub fn negative_soa(&self) -> Record {
        let soa = &self.records[0];
        assert_eq!(soa.rtype, SOA);
        let minimum = u32::from_be_bytes(*soa.data.last_chunk().unwrap());
        Record { ttl: soa.ttl.min(minimum), ..soa.clone() }
    }

    /// The signatures of a set that stands at `source`, as they go along with it: its owner, its TTL
    /// (RFC 4034 §3, RFC 4035 §3.1.3.3).
    pub fn signatures(&self, set: &[Record], source: &Name) -> Vec<Record> {
        let Some(Record { owner, rtype, ttl, .. }) = set.first() else { return Vec::new() };
        let mut signatures = self.rrset(source, RRSIG);
        signatures.retain(|rrsig| covered(rrsig) == Some(*rtype));
        for rrsig in &mut signatures {
            (rrsig.owner, rrsig.ttl) = (owner.clone(), *ttl);
        }
        signatures
    }
}

/// The type that an RRSIG covers (RFC 4034 §3.1.1).
pub fn covered(record: &Record) -> Option<u16> {
    let first = record.data.first_chunk().filter(|_| record.rtype == RRSIG)?;
    Some(u16::from_be_bytes(*first))
}

/// The name at the front of record data, and how many octets it takes.
pub fn read_name(data: &[u8]) -> (Name, usize) {
    let mut at = 0;
    let labels = std::iter::from_fn(|| {
        let start = at + 1;
        at = start + usize::from(data[at]);
        Some(&data[start..at]).filter(|label| !label.is_empty())
    });
    (Name::from_labels(labels), at)
}
