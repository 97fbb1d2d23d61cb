//! Where a name stands in a zone (RFC 1034 §4.3.2 step 3, RFC 4592 §3.3.1).
//!
//! A name that is there and not hidden is one look away. Otherwise the walk goes up, one look per
//! label, to the closest encloser: the longest ancestor that is there and not hidden. It is a cut, it
//! has a DNAME, it has a wildcard below it, or the name does not exist.

use super::{Flags, Node, Zone};
use crate::name::{Name, Suffixes, hash};

/// How far behind the start of its name the records of a node have begun.
const TOUCHED_LEN: usize = 64;

/// Where a name stands.
#[derive(Clone, Copy)]
pub enum Position<'z> {
    /// The name itself is in the zone, perhaps without records.
    Exact(Node<'z>),
    /// The name is at a cut or below it: the zone is another's from here on.
    Cut(Node<'z>),
    /// The name is below one that has a DNAME.
    Dname(Node<'z>),
    /// The name is not there, but a wildcard below its closest encloser stands for it.
    Wildcard {
        /// The wildcard.
        source: Node<'z>,
        /// The closest encloser.
        encloser: Node<'z>,
    },
    /// The name does not exist, and this is its closest encloser.
    Nowhere(Node<'z>),
}

impl Zone {
    /// Finds `name`, which must be within the apex.
    #[inline]
    pub fn locate(&self, name: Name<'_>, hashes: &Suffixes) -> Position<'_> {
        let mut labels = hashes.labels().min(self.labels_max);
        let encloser = loop {
            if labels <= self.apex_labels {
                break self.apex_node();
            }
            match self.suffix_node(name, hashes, labels) {
                Some(node) if !node.is_hidden() => break node,
                _ => labels -= 1,
            }
        };
        let below = labels < hashes.labels();
        match encloser {
            node if node.is_cut() => Position::Cut(node),
            node if !below => Position::Exact(node),
            node if node.has(Flags::DNAME) => Position::Dname(node),
            node if node.has(Flags::WILDCARD_BELOW) => {
                self.wildcard(node, hashes.hash(labels)).map_or(Position::Nowhere(node), |source| {
                    Position::Wildcard { source, encloser: node }
                })
            }
            node => Position::Nowhere(node),
        }
    }

    /// The node that a name with this hash most probably has: its name is not looked at.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |number| (number as usize) < self.nodes.len())
    }

    /// Where a node's name stands, and the first of its sets.
    #[inline]
    pub fn places(&self, node: u32) -> [u32; 2] {
        let node = &self.nodes[node as usize];
        [node.name, node.first_set]
    }

    /// Reads something there, so that it is cached.
    #[inline]
    pub fn touch(&self, [name, set]: [u32; 2]) -> u64 {
        let octets = self.octets.get(name as usize..).unwrap_or_default();
        let (first, later) = (octets.first().copied(), octets.get(TOUCHED_LEN).copied());
        let end = self.sets.get(set as usize).map_or(0, |set| set.end);
        u64::from(end) + u64::from(first.unwrap_or(0)) + u64::from(later.unwrap_or(0))
    }

    /// The node `*` below `encloser`, whose name hashes to `parent`.
    fn wildcard(&self, encloser: Node<'_>, parent: u64) -> Option<Node<'_>> {
        let same = |number: u32| {
            let name = self.node_at(number).map(Node::name);
            name.is_some_and(|name| name.is_wildcard() && name.parent() == Some(encloser.name()))
        };
        self.index.find(hash::below(parent, b"\x01*")?, same).map(|number| self.node(number))
    }
}
