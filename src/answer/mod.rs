//! Question × zone → [`Reply`]: RFC 1034 §4.3.2, steps 3 to 6.
//!
//! A reply is a value, not yet bytes: which RRsets stand in which section, under which name, and why.
//! [`alias`] follows CNAMEs and DNAMEs to where the question ends, [`additional`] says which addresses
//! go along. Nothing here knows how long a message may be.

pub mod additional;
mod alias;
mod list;

pub use list::{Data, Item, List, Owner};

use crate::name::{Name, NameBuf, Suffixes};
use crate::rr::table;
use crate::wire::codes::Rcode;
use crate::wire::request::Question;
use crate::zone::{Node, Position, Rrset, Zone};
use std::fmt;

/// What is said to one question.
pub struct Reply<'z> {
    /// The zone that says it.
    pub zone: &'z Zone,
    /// The name that was asked for.
    pub qname: Name<'z>,
    /// The response code: that of the last name in a chain (RFC 6604 §3).
    pub rcode: Rcode,
    /// Whether the zone has authority over the first owner name (RFC 6604 §2.1).
    pub authoritative: bool,
    /// How the question ended.
    pub end: End,
    /// What was asked for.
    pub answer: List<'z>,
    /// The SOA that goes with a negative answer, or the NS set of a referral.
    pub authority: Option<Item<'z>>,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the records.
    Found,
    /// The name exists, without records of that type (RFC 2308 §2.2).
    NoData,
    /// The name does not exist (RFC 2308 §2.1).
    NxDomain,
    /// The zone ends above the name (RFC 1034 §4.3.2 step 3b).
    Referral,
    /// A chain led out of the zone.
    OutOfZone,
    /// A chain came back to itself, or has more than [`CHAIN_MAX`] links.
    Loop,
    /// A DNAME gives a name that is too long (RFC 6672 §2.2).
    TooLong,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Found => "found",
            End::NoData => "the name exists, without records of that type",
            End::NxDomain => "the name does not exist",
            End::Referral => "the name belongs to a delegated zone",
            End::OutOfZone => "an alias leads out of the zone",
            End::Loop => "an alias leads back to itself, or on for too long",
            End::TooLong => "a DNAME makes a name that is too long",
        })
    }
}

/// The most links of a chain that are followed. Longer ones are broken for every resolver: BIND
/// follows 16, too.
pub const CHAIN_MAX: usize = 16;

/// Names that a reply makes up, by DNAME. Kept between replies so that none allocates.
#[derive(Default)]
pub struct Scratch {
    made: Vec<NameBuf>,
}

impl Scratch {
    /// Room for the names of one reply.
    pub fn new() -> Scratch {
        Scratch { made: Vec::with_capacity(CHAIN_MAX) }
    }

    /// A name that a reply made up.
    pub fn name(&self, number: usize) -> Name<'_> {
        self.made[number].as_name()
    }
}

/// Answers one question from one zone, whose apex is at or above its name.
pub fn answer<'z>(
    zone: &'z Zone,
    question: Question<'z>,
    hashes: &Suffixes,
    scratch: &mut Scratch,
) -> Reply<'z> {
    scratch.made.clear();
    let mut reply = Reply {
        zone,
        qname: question.name,
        rcode: Rcode::NOERROR,
        authoritative: true,
        end: End::Found,
        answer: List::default(),
        authority: None,
    };
    reply.end = alias::follow(zone, question, hashes, scratch, &mut reply);
    match reply.end {
        End::Found | End::OutOfZone | End::Loop | End::Referral => {}
        End::NoData => reply.deny(Rcode::NOERROR),
        End::NxDomain => reply.deny(Rcode::NXDOMAIN),
        End::TooLong => reply.rcode = Rcode::YXDOMAIN,
    }
    reply
}

impl<'z> Reply<'z> {
    /// Whose records an item holds.
    pub fn name_of<'a>(&self, owner: Owner<'a>, scratch: &'a Scratch) -> Name<'a>
    where
        'z: 'a,
    {
        match owner {
            Owner::Qname => self.qname,
            Owner::Name(name) => name,
            Owner::Made(number) => scratch.name(number),
        }
    }

    /// Whether the answer has that set under that name: none stands there twice (RFC 2181 §5).
    pub fn holds(&self, owner: Name<'_>, set: Rrset<'_>, scratch: &Scratch) -> bool {
        let mut twins =
            self.answer.iter().filter(|item| item.as_rrset().is_some_and(|s| s.is(set)));
        twins.any(|item| self.name_of(item.owner, scratch) == owner)
    }

    /// There is nothing, and the SOA says for how long (RFC 2308 §3).
    fn deny(&mut self, rcode: Rcode) {
        self.rcode = rcode;
        let soa = self.zone.negative_soa();
        self.authority = Some(Item::rrset(Owner::Name(self.zone.apex()), soa));
    }

    /// The zone ends at `cut`. AA stays set if an alias was answered (RFC 6604 §2.1).
    fn refer(&mut self, cut: Node<'z>, ns: Rrset<'z>) {
        self.authoritative = !self.answer.is_empty();
        self.authority = Some(Item::rrset(Owner::Name(cut.name()), ns));
    }
}

/// What the zone says to one name of the chain.
enum Step<'z> {
    /// The records.
    Found(Rrset<'z>),
    /// Another name to go on with.
    Cname(Rrset<'z>),
    /// Another name for everything below this node.
    Dname(Node<'z>, Rrset<'z>),
    /// Whom to ask instead.
    Referral(Node<'z>, Rrset<'z>),
    /// No records of that type.
    NoData,
    /// No such name.
    NxDomain,
}

/// One round of RFC 1034 §4.3.2 step 3.
fn step<'z>(zone: &'z Zone, name: Name<'_>, hashes: &Suffixes, question: Question<'_>) -> Step<'z> {
    match zone.locate(name, hashes) {
        Position::Exact(node) => records(node, question),
        // The parent side of a cut has authority over DS (RFC 4035 §3.1.4.1), and over it alone.
        Position::Cut(node) if question.rtype == table::DS && node.name() == name => {
            node.rrset(table::DS).map_or(Step::NoData, Step::Found)
        }
        Position::Cut(node) => match node.rrset(table::NS) {
            Some(ns) => Step::Referral(node, ns),
            None => Step::NoData,
        },
        Position::Dname(node) => match node.rrset(table::DNAME) {
            Some(dname) => Step::Dname(node, dname),
            None => Step::NxDomain,
        },
        // RFC 4592 §3.3: a wildcard answers as if its records were the name's own.
        Position::Wildcard(node) => records(node, question),
        Position::Nowhere => Step::NxDomain,
    }
}

/// The records of a node that match the question (RFC 1034 §4.3.2 step 3a and 3c).
fn records<'z>(node: Node<'z>, question: Question<'_>) -> Step<'z> {
    if question.rtype == table::ANY {
        // RFC 8482 §4.1: one RRset is a full answer.
        return node.rrsets().next().map_or(Step::NoData, Step::Found);
    }
    match node.rrset(question.rtype) {
        Some(set) => Step::Found(set),
        None => node.rrset(table::CNAME).map_or(Step::NoData, Step::Cname),
    }
}
