//! Which addresses go along (RFC 1034 §4.3.2 steps 3b and 6).
//!
//! With a referral go the addresses that the zone holds of the name servers it names: those within
//! the cut must arrive, or the asker must be told that some are missing (RFC 9471 §3.1); the others
//! are a kindness. With an answer go the addresses of what NS, MX and SRV records point at, from any
//! zone served here that the asker may ask, as a kindness too.

use super::{OpenZones, Reply, Scratch};
use crate::name::{Name, Suffixes};
use crate::rr::table;
use crate::zone::{Node, Position, Rrset};
use arrayvec::ArrayVec;

/// The most address sets that go along as a kindness: an answer that fills 1,232 octets has room for
/// fewer.
const KINDNESSES_MAX: usize = 64;

/// How much an address is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the asker cannot go on.
    Required,
    /// It saves the asker a question.
    Kindness,
}

/// Hands the addresses that belong to a referral to `take`, with their node, the required ones first;
/// ends when it says so.
pub fn glue<'z>(reply: &Reply<'z>, mut take: impl FnMut(Need, Node<'z>, Rrset<'z>) -> bool) {
    let Some(cut) = reply.cut() else { return };
    let Some(set) = cut.rrset(table::NS) else { return };
    for need in [Need::Required, Need::Kindness] {
        let targets =
            set.targets().filter(|name| name.is_within(cut.name()) == (need == Need::Required));
        for node in targets.filter_map(|name| reply.zone.node_of(name)) {
            for addresses in addresses(node) {
                if !take(need, node, addresses) {
                    return;
                }
            }
        }
    }
}

/// Hands the addresses of what `sets` point at to `take`, with their owner and the node that has them,
/// from whichever zone holds them; each once, and none that the answer holds already.
pub fn of_targets<'z>(
    sets: impl Iterator<Item = Rrset<'z>>,
    reply: &Reply<'z>,
    scratch: &Scratch,
    zones: OpenZones<'z>,
    mut take: impl FnMut(Name<'z>, Node<'z>, Rrset<'z>),
) {
    let mut given: ArrayVec<(Name<'z>, Rrset<'z>), KINDNESSES_MAX> = ArrayVec::new();
    for target in sets.flat_map(Rrset::targets) {
        let held = held(target, zones);
        for (node, set) in held.into_iter().flat_map(|n| addresses(n).map(move |set| (n, set))) {
            if given.iter().any(|(owner, other)| other.is(set) && *owner == target)
                || reply.holds(target, set, scratch)
            {
                continue;
            }
            if given.try_push((target, set)).is_err() {
                return;
            }
            take(target, node, set);
        }
    }
}

/// The node that answers for a name, where a zone here has authority over it.
fn held<'z>(name: Name<'_>, zones: OpenZones<'z>) -> Option<Node<'z>> {
    let hashes = Suffixes::of(name);
    match zones.nearest(name, table::A, &hashes)?.locate(name, &hashes) {
        Position::Exact(node) | Position::Wildcard { source: node, .. } => Some(node),
        _ => None,
    }
}

fn addresses(node: Node<'_>) -> impl Iterator<Item = Rrset<'_>> {
    [table::A, table::AAAA].into_iter().filter_map(move |rtype| node.rrset(rtype))
}
