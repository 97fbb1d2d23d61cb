//! Which denial records does an answer owe to who asked for DNSSEC (RFC 4035 §3.1.3, RFC 5155 §7.2)?
//!
//! Whatever an answer says beyond its signed records is a [`Claim`]: that a name or a type is not
//! there, that a wildcard was right to answer, that a delegation is not signed. For each claim NSEC and
//! NSEC3 have their own records, and here they stand side by side.

use super::list::{Item, Owner};
use super::{Name, Reply};
use crate::rr::table;
use crate::zone::{Denial, Node};

/// What is to be shown.
#[derive(Clone, Copy)]
pub enum Claim<'z> {
    /// The name does not exist, nor does a wildcard below its closest encloser (RFC 4035 §3.1.3.2, RFC
    /// 5155 §7.2.2).
    NoName {
        /// The closest encloser.
        encloser: Node<'z>,
    },
    /// The node has no records of the type (RFC 4035 §3.1.3.1, RFC 5155 §7.2.3 and §7.2.4). A
    /// delegation that is not signed is one without a DS (RFC 4035 §3.1.4, RFC 5155 §7.2.7).
    NoType {
        /// The node.
        node: Node<'z>,
    },
    /// The name does not exist, and so a wildcard answers (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    Expanded {
        /// The closest encloser.
        encloser: Node<'z>,
    },
    /// The same, and the wildcard has no records of the type (RFC 4035 §3.1.3.4, RFC 5155 §7.2.5).
    NoTypeExpanded {
        /// The wildcard.
        source: Node<'z>,
        /// The closest encloser.
        encloser: Node<'z>,
    },
}

/// Adds what shows `claim` about `name` to the authority section.
pub(super) fn add<'z>(reply: &mut Reply<'z>, denial: Denial<'z>, name: Name<'_>, claim: Claim<'z>) {
    let mut proof = Proof { reply, denial };
    if denial.rtype() == table::NSEC {
        proof.nsec(name, claim);
    } else {
        proof.nsec3(name, claim);
    }
}

struct Proof<'r, 'z> {
    reply: &'r mut Reply<'z>,
    denial: Denial<'z>,
}

impl<'z> Proof<'_, 'z> {
    fn nsec(&mut self, name: Name<'_>, claim: Claim<'z>) {
        let denial = self.denial;
        match claim {
            Claim::NoName { encloser } => {
                self.record(denial.covering(name));
                self.record(denial.wildcard(encloser));
            }
            Claim::NoType { node } => self.record(denial.own(node)),
            Claim::Expanded { .. } => self.record(denial.covering(name)),
            Claim::NoTypeExpanded { source, .. } => {
                self.record(denial.own(source));
                self.record(denial.covering(name));
            }
        }
    }

    fn nsec3(&mut self, name: Name<'_>, claim: Claim<'z>) {
        let denial = self.denial;
        match claim {
            Claim::NoName { encloser } => {
                let provable = self.encloser(name, encloser);
                self.record(denial.wildcard(provable));
            }
            Claim::NoType { node } => match denial.matching(node) {
                Some(own) => self.record(own),
                // an opt-out span, and names that are there for what is in one (erratum 3441)
                None => {
                    self.encloser(node.name(), node);
                }
            },
            Claim::Expanded { encloser } => {
                self.record(denial.covering(next_closer(name, encloser)));
            }
            Claim::NoTypeExpanded { source, encloser } => {
                self.encloser(name, encloser);
                self.record(denial.own(source));
            }
        }
    }

    /// The proof of a closest encloser: the record that matches it and the one that covers the next
    /// closer name (RFC 5155 §7.2.1). An encloser in an opt-out span has no record: then the closest
    /// one that has is shown, which is given back.
    fn encloser(&mut self, name: Name<'_>, encloser: Node<'z>) -> Node<'z> {
        let (mut provable, mut below) = (encloser, None);
        let matching = loop {
            if let Some(matching) = self.denial.matching(provable) {
                break matching;
            }
            let Some(above) = provable.parent() else { break provable };
            (below, provable) = (Some(provable), above);
        };
        self.record(matching);
        self.record(match below {
            Some(below) => self.denial.own(below),
            None => self.denial.covering(next_closer(name, provable)),
        });
        provable
    }

    /// Adds the denial record of a node, once (RFC 2181 §5).
    fn record(&mut self, node: Node<'z>) {
        let Some(set) = node.rrset(self.denial.rtype()) else { return };
        let there = &self.reply.authority;
        if there.iter().any(|item| item.as_rrset().is_some_and(|other| other.is(set))) {
            return;
        }
        let item = Item::of_node(Owner::Name(node.name()), node, set, true);
        let _ = self.reply.authority.try_push(item); // there is room for all, see AUTHORITIES_MAX
    }
}

/// The name one label longer than the encloser, towards `name`.
fn next_closer<'n>(name: Name<'n>, encloser: Node<'_>) -> Name<'n> {
    name.suffix(encloser.name().label_count() + 1)
}
