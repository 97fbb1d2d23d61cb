//! Question × zone → [`Reply`]: RFC 1034 §4.3.2, steps 3 to 6.
//!
//! A reply is a value, not yet bytes: which RRsets stand in which section, under which name, and why.
//! [`alias`] follows CNAMEs and DNAMEs to where the question ends, [`proof`] says what a signed zone
//! owes besides, [`additional`] which addresses go along. Nothing here knows how long a message may be.
//! A reply keeps where each name of its chain stands in its zone: that is what `explain` prints.

pub mod additional;
mod alias;
pub mod identity;
mod list;
mod open;
mod proof;

pub use list::{Answers, Authorities, Data, Item, Owner};
pub use open::OpenZones;
pub use proof::Claim;

use crate::name::{Name, NameBuf, Suffixes};
use crate::rr::table;
use crate::wire::codes::Rcode;
use crate::wire::request::Question;
use crate::zone::{Node, Position, Rrset, Zone};
use arrayvec::ArrayVec;
use std::fmt;

/// How a question is to be answered.
#[derive(Clone, Copy)]
pub struct Terms<'z> {
    /// With signatures, and proofs of what is not there (RFC 3225).
    pub dnssec_ok: bool,
    /// The zones in which a chain goes on that leaves its own; none if it ends there.
    pub beyond: Option<OpenZones<'z>>,
}

/// A name of a chain, and what its zone says to it.
#[derive(Clone, Copy)]
pub struct Visit<'z> {
    /// The zone.
    pub zone: &'z Zone,
    /// The name.
    pub owner: Owner<'z>,
    /// Where it stands in the zone.
    pub position: Position<'z>,
    /// What the zone says.
    pub step: Step<'z>,
    /// What was shown besides, to who asked for proofs.
    pub claim: Option<Claim<'z>>,
}

/// What is said to one question.
pub struct Reply<'z> {
    /// The zone that says it; of a chain the last one.
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
    pub answer: Answers<'z>,
    /// The SOA that goes with a negative answer, or the NS set of a referral, and what shows that it is
    /// right.
    pub authority: Authorities<'z>,
    /// The names of the chain, from the one asked for to the last.
    pub visits: ArrayVec<Visit<'z>, { CHAIN_MAX + 1 }>,
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

/// Answers one question from one zone, whose apex is at or above its name. The reply must be a new
/// one; it is filled where it stands, because it is large.
pub fn answer<'z>(
    reply: &mut Reply<'z>,
    question: Question<'z>,
    hashes: &Suffixes,
    terms: Terms<'z>,
    scratch: &mut Scratch,
) {
    scratch.made.clear();
    reply.end = alias::follow(question, hashes, terms, scratch, reply);
    match reply.end {
        End::Found | End::OutOfZone | End::Loop | End::Referral => {}
        End::NoData => reply.deny(Rcode::NOERROR, terms),
        End::NxDomain => reply.deny(Rcode::NXDOMAIN, terms),
        End::TooLong => reply.rcode = Rcode::YXDOMAIN,
    }
}

impl<'z> Reply<'z> {
    /// Nothing is said yet.
    #[inline] // where it is called: else it is made elsewhere and moved
    pub fn new(zone: &'z Zone, qname: Name<'z>) -> Reply<'z> {
        Reply {
            zone,
            qname,
            rcode: Rcode::NOERROR,
            authoritative: true,
            end: End::Found,
            answer: Answers::new(),
            authority: Authorities::new(),
            visits: ArrayVec::new(),
        }
    }

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

    /// The cut that a referral is about.
    pub fn cut(&self) -> Option<Node<'z>> {
        match self.visits.last()?.position {
            Position::Cut(node) if self.end == End::Referral => Some(node),
            _ => None,
        }
    }

    /// Takes what the last name of a chain has; gives how the question ended.
    fn finish(&mut self, visit: Visit<'z>, terms: Terms<'z>, scratch: &Scratch) -> End {
        let name = self.name_of(visit.owner, scratch);
        match visit.step {
            Step::Found(node, set) => {
                if !self.holds(name, set, scratch) {
                    self.answer.push(Item::of_node(visit.owner, node, set, terms.dnssec_ok));
                }
                End::Found
            }
            Step::Signatures(node) => {
                self.drop_signatures(name, scratch);
                let data = Data::Signatures(node);
                self.answer.push(Item { owner: visit.owner, data, signatures: None });
                End::Found
            }
            Step::Referral(cut, ns) => {
                self.refer(cut, ns, terms);
                End::Referral
            }
            Step::NoData(node) => {
                let claim = match visit.position {
                    Position::Wildcard { source, encloser } => {
                        Claim::NoTypeExpanded { source, encloser }
                    }
                    _ => Claim::NoType { node },
                };
                self.show(name, claim, terms);
                End::NoData
            }
            Step::NxDomain(encloser) => {
                self.show(name, Claim::NoName { encloser }, terms);
                End::NxDomain
            }
            Step::Cname(..) | Step::Dname(..) => End::OutOfZone, // a link, and no end
        }
    }

    /// Signatures of `name` that came along come again, with all others, and none stands there twice
    /// (RFC 2181 §5).
    fn drop_signatures(&mut self, name: Name<'_>, scratch: &Scratch) {
        for at in 0..self.answer.len() {
            if self.name_of(self.answer[at].owner, scratch) == name {
                self.answer[at].signatures = None;
            }
        }
    }

    /// Adds what shows a claim about `name`, if that was asked for and the zone is signed.
    fn show(&mut self, name: Name<'_>, claim: Claim<'z>, terms: Terms<'z>) {
        let Some(denial) = self.zone.denial().filter(|_| terms.dnssec_ok) else { return };
        proof::add(self, denial, name, claim);
        if let Some(visit) = self.visits.last_mut() {
            visit.claim = Some(claim);
        }
    }

    /// There is nothing, and the SOA says for how long (RFC 2308 §3).
    fn deny(&mut self, rcode: Rcode, terms: Terms<'z>) {
        self.rcode = rcode;
        let (apex, soa) = (self.zone.apex_node(), self.zone.negative_soa());
        let owner = Owner::Name(apex.name());
        self.authority.insert(0, Item::of_node(owner, apex, soa, terms.dnssec_ok));
    }

    /// The zone ends at `cut`. AA stays set if an alias was answered (RFC 6604 §2.1). The NS records
    /// are not signed here, a DS is; without one it is shown that there is none (RFC 4035 §3.1.4).
    fn refer(&mut self, cut: Node<'z>, ns: Rrset<'z>, terms: Terms<'z>) {
        self.authoritative = !self.answer.is_empty();
        let owner = Owner::Name(cut.name());
        self.authority.push(Item::rrset(owner, ns));
        let signed = terms.dnssec_ok && self.zone.denial().is_some();
        match cut.rrset(table::DS).filter(|_| signed) {
            Some(ds) => self.authority.push(Item::of_node(owner, cut, ds, true)),
            None => self.show(cut.name(), Claim::NoType { node: cut }, terms),
        }
    }
}

/// What a zone says to one name of a chain.
#[derive(Clone, Copy)]
pub enum Step<'z> {
    /// The records.
    Found(Node<'z>, Rrset<'z>),
    /// The signatures of all records.
    Signatures(Node<'z>),
    /// Another name to go on with.
    Cname(Node<'z>, Rrset<'z>),
    /// Another name for everything below this node.
    Dname(Node<'z>, Rrset<'z>),
    /// Whom to ask instead.
    Referral(Node<'z>, Rrset<'z>),
    /// This node has no records of that type.
    NoData(Node<'z>),
    /// No such name; its closest encloser.
    NxDomain(Node<'z>),
}

/// One round of RFC 1034 §4.3.2 step 3.
fn step<'z>(position: Position<'z>, name: Name<'_>, question: Question<'_>) -> Step<'z> {
    match position {
        Position::Exact(node) => records(node, question),
        // The parent side of a cut has authority over DS (RFC 4035 §3.1.4.1), and over it alone.
        Position::Cut(node) if question.rtype == table::DS && node.name() == name => {
            node.rrset(table::DS).map_or(Step::NoData(node), |set| Step::Found(node, set))
        }
        Position::Cut(node) => {
            node.rrset(table::NS).map_or(Step::NoData(node), |ns| Step::Referral(node, ns))
        }
        Position::Dname(node) => {
            node.rrset(table::DNAME).map_or(Step::NxDomain(node), |set| Step::Dname(node, set))
        }
        // RFC 4592 §3.3: a wildcard answers as if its records were the name's own.
        Position::Wildcard { source, .. } => records(source, question),
        Position::Nowhere(encloser) => Step::NxDomain(encloser),
    }
}

/// The records of a node that match the question (RFC 1034 §4.3.2 step 3a and 3c).
fn records<'z>(node: Node<'z>, question: Question<'_>) -> Step<'z> {
    let found = match question.rtype {
        // RFC 8482 §4.1: one RRset is a full answer.
        table::ANY => node.rrsets().find(|set| set.rtype() != table::RRSIG),
        table::RRSIG if node.rrset(table::RRSIG).is_some() => return Step::Signatures(node),
        rtype => node.rrset(rtype),
    };
    // An alias's signatures and denial are its own, whether it has them or not (RFC 2181 §10.1.1, RFC
    // 4035 §2.5).
    let follows = !matches!(question.rtype, table::RRSIG | table::NSEC);
    match (found, node.rrset(table::CNAME)) {
        (Some(set), _) => Step::Found(node, set),
        (None, Some(cname)) if follows => Step::Cname(node, cname),
        (None, _) => Step::NoData(node),
    }
}
