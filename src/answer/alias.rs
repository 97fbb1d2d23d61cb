//! CNAME and DNAME: on to the next name, to where the question ends.
//!
//! A chain is followed inside the zone (RFC 1034 §3.6.2, §4.3.2 step 3a and 3c). Where it leaves the
//! zone the reply stops with what it has, as with BIND and Knot: a resolver asks on by itself, and
//! trusts no one but the other zone's servers for the rest (RFC 5452 §6). NSD goes on into other zones
//! of its own and takes the response code from there; who wants that, for clients that are no
//! resolvers, sets [`Terms::beyond`].

use super::list::{Data, Item, Owner};
use super::proof::Claim;
use super::{CHAIN_MAX, End, Reply, Scratch, Step, Terms, Visit, step};
use crate::name::{Name, NameBuf, Suffixes};
use crate::rr::table;
use crate::wire::request::Question;
use crate::zone::{Node, Position, Rrset, Zone};

/// Answers `question` link by link into `reply`; gives how it ended.
pub(super) fn follow<'z>(
    question: Question<'z>,
    hashes: &Suffixes,
    terms: Terms<'z>,
    scratch: &mut Scratch,
    reply: &mut Reply<'z>,
) -> End {
    let mut owner = Owner::Qname;
    let mut position = reply.zone.locate(question.name, hashes);
    for links in 0..=CHAIN_MAX {
        let name = reply.name_of(owner, scratch);
        let step = step(position, name, question);
        let visit = Visit { zone: reply.zone, owner, position, step, claim: None };
        reply.visits.push(visit);
        if let (
            Position::Wildcard { encloser, .. },
            Step::Found(..) | Step::Signatures(..) | Step::Cname(..),
        ) = (position, &step)
        {
            reply.show(name, Claim::Expanded { encloser }, terms);
        }
        let next = match step {
            Step::Cname(..) | Step::Dname(..) if links == CHAIN_MAX => break,
            Step::Cname(node, set) => cname(reply, owner, node, set, terms),
            Step::Dname(node, set) => match dname(reply, scratch, owner, node, set, terms) {
                Some(next) => next,
                None => return End::TooLong,
            },
            _ => return reply.finish(visit, terms, scratch),
        };
        if question.rtype == table::CNAME {
            return End::Found; // the CNAME that a DNAME makes is what was asked for
        }
        owner = next;
        let name = reply.name_of(owner, scratch);
        let hashes = Suffixes::of(name);
        let Some(zone) = zone_of(name, &hashes, question, terms, reply.zone) else {
            return End::OutOfZone;
        };
        if was_asked(reply, name, scratch) {
            return End::Loop;
        }
        position = zone.locate(name, &hashes);
        reply.zone = zone;
    }
    End::Loop
}

/// The zone in which a chain goes on.
fn zone_of<'z>(
    name: Name<'_>,
    hashes: &Suffixes,
    question: Question<'_>,
    terms: Terms<'z>,
    zone: &'z Zone,
) -> Option<&'z Zone> {
    match terms.beyond {
        Some(zones) => zones.nearest(name, question.rtype, hashes),
        None => name.is_within(zone.apex()).then_some(zone),
    }
}

/// Adds a CNAME; gives its target.
fn cname<'z>(
    reply: &mut Reply<'z>,
    owner: Owner<'z>,
    node: Node<'z>,
    set: Rrset<'z>,
    terms: Terms<'z>,
) -> Owner<'z> {
    reply.answer.push(Item::of_node(owner, node, set, terms.dnssec_ok));
    let target = set.rdatas().next().and_then(Name::from_wire);
    Owner::Name(target.unwrap_or(Name::ROOT))
}

/// Adds a DNAME and the CNAME that it makes for `owner` (RFC 6672 §3.1), which nobody signed (§5.3.1);
/// gives the CNAME's target. `None` if that is too long, with the DNAME alone added.
fn dname<'z>(
    reply: &mut Reply<'z>,
    scratch: &mut Scratch,
    owner: Owner<'z>,
    node: Node<'z>,
    set: Rrset<'z>,
    terms: Terms<'z>,
) -> Option<Owner<'z>> {
    if !reply.holds(node.name(), set, scratch) {
        reply.answer.push(Item::of_node(Owner::Name(node.name()), node, set, terms.dnssec_ok));
    }
    let target = set.rdatas().next().and_then(Name::from_wire)?;
    let name = reply.name_of(owner, scratch);
    let prefix = &name.as_wire()[..name.prefix_len(node.name())?];
    let made = NameBuf::join(prefix, target)?;
    let number = scratch.made.len();
    scratch.made.push(made);
    let data = Data::Cname { ttl: set.ttl(), target: number };
    reply.answer.push(Item { owner, data, signatures: None });
    Some(Owner::Made(number))
}

/// Whether the chain has been at `next` before: a CNAME of that owner is in the answer already.
fn was_asked(reply: &Reply<'_>, next: Name<'_>, scratch: &Scratch) -> bool {
    let mut aliases = reply.answer.iter().filter(|item| item.rtype() == table::CNAME);
    aliases.any(|item| reply.name_of(item.owner, scratch) == next)
}
