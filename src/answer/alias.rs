//! CNAME and DNAME: on to the next name, to where the question ends.
//!
//! A chain is followed inside the zone (RFC 1034 §3.6.2, §4.3.2 step 3a and 3c). Where it leaves the
//! zone the reply stops with what it has: a resolver asks on by itself, and trusts no one but the
//! other zone's servers for the rest.

use super::list::{Data, Item, Owner};
use super::{CHAIN_MAX, End, Reply, Scratch, Step, step};
use crate::name::{Name, NameBuf, Suffixes};
use crate::rr::table;
use crate::wire::request::Question;
use crate::zone::{Node, Rrset, Zone};

/// Answers `question` link by link into `reply`; gives how it ended.
pub(super) fn follow<'z>(
    zone: &'z Zone,
    question: Question<'_>,
    hashes: &Suffixes,
    scratch: &mut Scratch,
    reply: &mut Reply<'z>,
) -> End {
    let mut owner = Owner::Qname;
    let mut outcome = step(zone, question.name, hashes, question);
    for links in 0..=CHAIN_MAX {
        let next = match outcome {
            Step::Cname(_) | Step::Dname(..) if links == CHAIN_MAX => break,
            Step::Cname(set) => cname(reply, owner, set),
            Step::Dname(node, set) => match dname(reply, scratch, owner, node, set) {
                Some(next) => next,
                None => return End::TooLong,
            },
            Step::Found(set) => {
                if !reply.holds(reply.name_of(owner, scratch), set, scratch) {
                    reply.answer.push(Item::rrset(owner, set));
                }
                return End::Found;
            }
            Step::Referral(cut, ns) => {
                reply.refer(cut, ns);
                return End::Referral;
            }
            Step::NoData => return End::NoData,
            Step::NxDomain => return End::NxDomain,
        };
        if question.rtype == table::CNAME {
            return End::Found; // the CNAME that a DNAME makes is what was asked for
        }
        owner = next;
        let name = reply.name_of(owner, scratch);
        if !name.is_within(zone.apex()) {
            return End::OutOfZone;
        }
        if was_asked(reply, name, scratch) {
            return End::Loop;
        }
        outcome = step(zone, name, &Suffixes::of(name), question);
    }
    End::Loop
}

/// Adds a CNAME; gives its target.
fn cname<'z>(reply: &mut Reply<'z>, owner: Owner<'z>, set: Rrset<'z>) -> Owner<'z> {
    reply.answer.push(Item::rrset(owner, set));
    let target = set.rdatas().next().and_then(Name::from_wire);
    Owner::Name(target.unwrap_or(Name::ROOT))
}

/// Adds a DNAME and the CNAME that it makes for `owner` (RFC 6672 §3.1); gives the CNAME's target.
/// `None` if that is too long, with the DNAME alone added.
fn dname<'z>(
    reply: &mut Reply<'z>,
    scratch: &mut Scratch,
    owner: Owner<'z>,
    node: Node<'z>,
    set: Rrset<'z>,
) -> Option<Owner<'z>> {
    if !reply.holds(node.name(), set, scratch) {
        reply.answer.push(Item::rrset(Owner::Name(node.name()), set));
    }
    let target = set.rdatas().next().and_then(Name::from_wire)?;
    let name = reply.name_of(owner, scratch);
    let prefix = &name.as_wire()[..name.prefix_len(node.name())?];
    let made = NameBuf::join(prefix, target)?;
    let number = scratch.made.len();
    scratch.made.push(made);
    reply.answer.push(Item { owner, data: Data::Cname { ttl: set.ttl(), target: number } });
    Some(Owner::Made(number))
}

/// Whether the chain has been at `next` before: a CNAME of that owner is in the answer already.
fn was_asked(reply: &Reply<'_>, next: Name<'_>, scratch: &Scratch) -> bool {
    let mut aliases = reply.answer.iter().filter(|item| item.rtype() == table::CNAME);
    aliases.any(|item| reply.name_of(item.owner, scratch) == next)
}
