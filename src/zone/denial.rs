//! How does a signed zone say that something is not there?
//!
//! By records that each name a gap: an NSEC names its owner and the next name in canonical order
//! (RFC 4034 §4), an NSEC3 its owner and the next in the order of hashes (RFC 5155 §3). The zone's
//! [`Chain`] holds the nodes that own one, in that order, so that the record of a name asked for is
//! one binary search away. What depends on names of the zone alone is worked out once:
//!
//! ```text
//! own       the record that matches a node; for a node without one, the record whose gap it is in
//! wildcard  the record of `*` below a node: matching, or whose gap it is in
//! ```
//!
//! Which of them an answer owes is decided in `answer`.

use super::{Node, Zone};
use crate::name::{LABEL_LEN_MAX, Name, NameBuf};
use crate::rr::{Rtype, table};
use data_encoding::BASE32HEX_NOPAD;
use sha1::{Digest, Sha1};

/// The octets of an NSEC3 hash: SHA-1 is the only one there is (RFC 5155 §11).
const HASH_LEN: usize = 20;
/// The fixed octets of an NSEC3PARAM before its salt (RFC 5155 §4.2).
const PARAMETERS_LEN: usize = 5;

/// A hashed name.
type Hash = [u8; HASH_LEN];

/// The denial records of a zone, in order.
#[derive(Clone)]
pub(super) struct Chain {
    order: Order,
    /// By the number of the node.
    known: Vec<Known>,
}

#[derive(Clone)]
enum Order {
    /// The nodes with an NSEC record, in canonical order; the apex is the first.
    Names(Vec<u32>),
    /// The nodes with an NSEC3 record of the chain that the NSEC3PARAM names, by their hash.
    Hashes(Vec<(Hash, u32)>, Parameters),
}

/// How names are hashed (RFC 5155 §5).
#[derive(Clone)]
struct Parameters {
    iterations: u16,
    salt: Vec<u8>,
}

/// What is known of a node, as places in the order.
#[derive(Clone, Copy, Default)]
struct Known {
    own: u32,
    own_matches: bool,
    wildcard: u32,
}

/// The denial records of a zone, to be asked.
#[derive(Clone, Copy)]
pub struct Denial<'z> {
    pub(super) zone: &'z Zone,
    pub(super) chain: &'z Chain,
}

impl<'z> Denial<'z> {
    /// The type of the records: NSEC or NSEC3.
    pub fn rtype(self) -> Rtype {
        match self.chain.order {
            Order::Names(_) => table::NSEC,
            Order::Hashes(..) => table::NSEC3,
        }
    }

    /// The node whose record matches `node`.
    pub fn matching(self, node: Node<'_>) -> Option<Node<'z>> {
        self.known(node).filter(|known| known.own_matches).map(|known| self.at(known.own))
    }

    /// The node whose record matches `node`, or in whose gap it is.
    pub fn own(self, node: Node<'_>) -> Node<'z> {
        self.at(self.known(node).unwrap_or_default().own)
    }

    /// The node whose record matches `*` below `node`, or in whose gap that is.
    pub fn wildcard(self, node: Node<'_>) -> Node<'z> {
        self.at(self.known(node).unwrap_or_default().wildcard)
    }

    /// The node in whose gap `name` is, which is not in the zone.
    pub fn covering(self, name: Name<'_>) -> Node<'z> {
        self.at(self.chain.find(self.zone, name).0)
    }

    fn known(self, node: Node<'_>) -> Option<Known> {
        self.chain.known.get(node.number as usize).copied()
    }

    fn at(self, place: u32) -> Node<'z> {
        self.zone.node(match &self.chain.order {
            Order::Names(order) => order[place as usize],
            Order::Hashes(order, _) => order[place as usize].1,
        })
    }
}

impl Chain {
    /// That of a zone, if it has one that begins at the apex. NSEC3 goes before NSEC: a zone has both
    /// while it changes from one to the other, and only the NSEC3 chain that an NSEC3PARAM names is
    /// whole (RFC 5155 §7.3).
    pub(super) fn of(zone: &Zone) -> Option<Chain> {
        let order = Order::hashes(zone).or_else(|| Order::names(zone))?;
        let mut chain = Chain { order, known: Vec::new() };
        chain.known = zone.nodes().map(|node| chain.work_out(zone, node)).collect();
        Some(chain)
    }

    /// Whether names are hashed, and how often again.
    pub(super) fn iterations(&self) -> Option<u16> {
        match &self.order {
            Order::Names(_) => None,
            Order::Hashes(_, parameters) => Some(parameters.iterations),
        }
    }

    fn work_out(&self, zone: &Zone, node: Node<'_>) -> Known {
        if node.is_hidden() {
            return Known::default();
        }
        let (own, own_matches) = self.find(zone, node.name());
        let wildcard = NameBuf::join(b"\x01*", node.name());
        let wildcard = wildcard.map_or(own, |name| self.find(zone, name.as_name()).0);
        Known { own, own_matches, wildcard }
    }

    /// The place of the record that matches `name` or in whose gap it is, and whether it matches.
    fn find(&self, zone: &Zone, name: Name<'_>) -> (u32, bool) {
        let (behind, matches) = match &self.order {
            Order::Names(order) => {
                let behind = order.partition_point(|&number| zone.node(number).name() <= name);
                (behind, behind > 0 && zone.node(order[behind - 1]).name() == name)
            }
            Order::Hashes(order, parameters) => {
                let hash = parameters.hash(name);
                let behind = order.partition_point(|(other, _)| *other <= hash);
                let behind = if behind == 0 { order.len() } else { behind }; // the last gap ends at the first
                (behind, order[behind - 1].0 == hash)
            }
        };
        (u32::try_from(behind.saturating_sub(1)).unwrap_or(u32::MAX), matches)
    }
}

impl Order {
    fn names(zone: &Zone) -> Option<Order> {
        zone.apex_node().rrset(table::NSEC)?;
        let owners =
            zone.nodes().filter(|node| !node.is_hidden() && node.rrset(table::NSEC).is_some());
        let mut order: Vec<u32> = owners.map(|node| node.number).collect();
        order.sort_by(|&a, &b| zone.node(a).name().cmp(&zone.node(b).name()));
        Some(Order::Names(order))
    }

    /// The first NSEC3PARAM whose chain has the apex.
    fn hashes(zone: &Zone) -> Option<Order> {
        let parameters = zone.apex_node().rrset(table::NSEC3PARAM)?;
        parameters.rdatas().filter_map(Parameters::read).find_map(|parameters| {
            let is_of_chain = |node: &Node<'_>| {
                let records = node.rrset(table::NSEC3);
                records.is_some_and(|set| set.rdatas().any(|rdata| parameters.are_those_of(rdata)))
            };
            let owners = zone.nodes().filter(is_of_chain);
            let mut order: Vec<_> = owners
                .filter_map(|node| Some((hash_of_owner(node.name())?, node.number)))
                .collect();
            order.sort_unstable();
            let apex = parameters.hash(zone.apex());
            let has_apex = order.binary_search_by_key(&apex, |(hash, _)| *hash).is_ok();
            has_apex.then_some(Order::Hashes(order, parameters))
        })
    }
}

impl Parameters {
    /// From the data of an NSEC3PARAM; those with flags are not to be used (RFC 5155 §4.1.2).
    fn read(rdata: &[u8]) -> Option<Parameters> {
        let [algorithm, flags, high, low, _] = *rdata.first_chunk::<PARAMETERS_LEN>()?;
        let salt = rdata[PARAMETERS_LEN..].to_vec();
        let iterations = u16::from_be_bytes([high, low]);
        (algorithm == 1 && flags == 0).then_some(Parameters { iterations, salt })
    }

    /// Whether an NSEC3 record was made by them: its data begin as those of the NSEC3PARAM, but for
    /// the flags.
    fn are_those_of(&self, nsec3: &[u8]) -> bool {
        let Some(([algorithm, _, high, low, salt_len], rest)) = nsec3.split_first_chunk() else {
            return false;
        };
        *algorithm == 1
            && u16::from_be_bytes([*high, *low]) == self.iterations
            && usize::from(*salt_len) == self.salt.len()
            && rest.starts_with(&self.salt)
    }

    /// RFC 5155 §5: the name in lower case with the salt, and each hash with the salt again.
    fn hash(&self, name: Name<'_>) -> Hash {
        let lower = name.to_lower();
        let digest =
            |octets: &[u8]| Sha1::new().chain_update(octets).chain_update(&self.salt).finalize();
        let first = digest(lower.as_name().as_wire());
        (0..self.iterations).fold(first, |hash, _| digest(&hash)).into()
    }
}

/// The hash that an NSEC3 record's owner begins with.
fn hash_of_owner(owner: Name<'_>) -> Option<Hash> {
    let mut digits = [0; LABEL_LEN_MAX];
    let label = owner.first_label();
    let digits = &mut digits[..label.len()];
    digits.copy_from_slice(label);
    digits.make_ascii_uppercase();
    BASE32HEX_NOPAD.decode(digits).ok()?.try_into().ok()
}
