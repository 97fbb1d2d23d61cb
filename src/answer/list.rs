//! What a reply's sections hold.

use super::CHAIN_MAX;
use crate::name::Name;
use crate::rr::{Rtype, table};
use crate::zone::Rrset;
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

/// An RRset in a section.
#[derive(Clone, Copy)]
pub struct Item<'z> {
    /// Whose it is.
    pub owner: Owner<'z>,
    /// What it holds.
    pub data: Data<'z>,
}

/// What an item holds.
#[derive(Clone, Copy)]
pub enum Data<'z> {
    /// Records of the zone.
    Rrset(Rrset<'z>),
    /// The CNAME made up from a DNAME (RFC 6672 §3.1): its TTL, and the number of its target.
    Cname {
        /// Seconds; the DNAME's.
        ttl: u32,
        /// The target's number in the [`super::Scratch`].
        target: usize,
    },
}

impl<'z> Item<'z> {
    /// Records of the zone.
    pub fn rrset(owner: Owner<'z>, set: Rrset<'z>) -> Item<'z> {
        Item { owner, data: Data::Rrset(set) }
    }

    /// The type of the records.
    pub fn rtype(&self) -> Rtype {
        match self.data {
            Data::Rrset(set) => set.rtype(),
            Data::Cname { .. } => table::CNAME,
        }
    }

    /// The zone's RRset, if it is one.
    pub fn as_rrset(self: &Item<'z>) -> Option<Rrset<'z>> {
        match self.data {
            Data::Rrset(set) => Some(set),
            Data::Cname { .. } => None,
        }
    }
}

/// Each link can add a DNAME and a CNAME, and the end adds the records.
const ITEMS_MAX: usize = 2 * CHAIN_MAX + 1;

/// A section's items, in order.
pub type List<'z> = ArrayVec<Item<'z>, ITEMS_MAX>;
