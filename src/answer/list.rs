//! What a reply's sections hold.

use super::CHAIN_MAX;
use crate::name::Name;
use crate::rr::{Rtype, table};
use crate::zone::{Node, Rrset};
use arrayvec::ArrayVec;

/// Whose records they are.
#[derive(Clone, Copy)]
pub enum Owner<'z> {
    /// The name of the question, in the asker's spelling.
    Qname,
    /// A name of the zone.
    Name(Name<'z>),
    /// A name made up by a DNAME, by its number in the [`super::Scratch`].
    Made(usize),
}

/// An RRset in a section, and what signs it.
#[derive(Clone, Copy)]
pub struct Item<'z> {
    /// Whose it is.
    pub owner: Owner<'z>,
    /// What it holds.
    pub data: Data<'z>,
    /// Its signatures, where they were asked for and are there (RFC 4035 §3.1.1).
    pub signatures: Option<Rrset<'z>>,
}

/// What an item holds.
#[derive(Clone, Copy)]
pub enum Data<'z> {
    /// Records of the zone.
    Rrset(Rrset<'z>),
    /// The signatures of all RRsets of a node, which were asked for by their type.
    Signatures(Node<'z>),
    /// The CNAME made up from a DNAME (RFC 6672 §3.1): its TTL, and the number of its target.
    Cname {
        /// Seconds; the DNAME's.
        ttl: u32,
        /// The target's number in the [`super::Scratch`].
        target: usize,
    },
}

impl<'z> Item<'z> {
    /// Records of the zone, alone.
    pub fn rrset(owner: Owner<'z>, set: Rrset<'z>) -> Item<'z> {
        Item { owner, data: Data::Rrset(set), signatures: None }
    }

    /// Records of `node`, with their signatures if `dnssec_ok`.
    pub fn of_node(owner: Owner<'z>, node: Node<'z>, set: Rrset<'z>, dnssec_ok: bool) -> Item<'z> {
        let signatures = if dnssec_ok { node.signatures(set.rtype()) } else { None };
        // RFC 4034 §3: their TTL is that of what they sign
        let signatures = signatures.map(|signatures| signatures.with_ttl(set.ttl()));
        Item { signatures, ..Item::rrset(owner, set) }
    }

    /// The type of the records.
    pub fn rtype(&self) -> Rtype {
        match self.data {
            Data::Rrset(set) => set.rtype(),
            Data::Signatures(_) => table::RRSIG,
            Data::Cname { .. } => table::CNAME,
        }
    }

    /// The zone's RRset, if it is one.
    pub fn as_rrset(self: &Item<'z>) -> Option<Rrset<'z>> {
        match self.data {
            Data::Rrset(set) => Some(set),
            Data::Signatures(_) | Data::Cname { .. } => None,
        }
    }
}

/// Each link can add a DNAME and a CNAME, and the end adds the records.
const ANSWERS_MAX: usize = 2 * CHAIN_MAX + 1;
/// Each link can come from a wildcard, which takes one proof; the end adds an SOA, or NS and DS, and
/// three proofs.
const AUTHORITIES_MAX: usize = CHAIN_MAX + 5;

/// The answer section, in order.
pub type Answers<'z> = ArrayVec<Item<'z>, ANSWERS_MAX>;
/// The authority section, in order.
pub type Authorities<'z> = ArrayVec<Item<'z>, AUTHORITIES_MAX>;
