//! What is probably not meant, in a zone that can be served: each finding is a warning or a note.
//!
//! A lint looks at names other than the record's own, so it runs when the zone is laid out, and asks
//! the zone as a question would: it sees what clients will see. What a record says by itself is
//! looked at in [`record`], the names that records point at in [`target`], and [`written`] guesses
//! what was written before an origin was put behind it; [`signature`] looks at times, [`file`](mod@file)
//! at what the file says besides its records.
//!
//! Each lint takes time in proportion to the zone, whatever the zone is: what is looked for again and
//! again stands in a table.

mod digest;
mod file;
mod record;
mod signature;
mod target;
mod written;

use super::build::Builder;
use super::{Flags, Node, Rrset, Zone};
use crate::diag::codes::{self, Code};
use crate::diag::{Diagnostic, Span};
use crate::name::{Name, NameBuf, hash};
use crate::rr::{Rtype, table};
use std::collections::HashSet;

/// What may stand at a cut beside its NS records and be answered (RFC 4035 §2.6): NS, DS, RRSIG,
/// NSEC.
const AT_CUT: [Rtype; 4] = [table::NS, table::DS, Rtype(46), Rtype(47)];

/// One run over a zone.
pub(super) struct Lint<'z, 'b> {
    zone: &'z Zone,
    builder: &'b mut Builder,
    /// Signatures or a digest hold for what stands in the file: only who makes them can change it.
    is_signed: bool,
    /// The hashes of the names that NS records point at. Two names of one hash cost a warning.
    servers: HashSet<u64>,
    /// The hashes of the aliases that were told to lead round in a circle.
    circles: HashSet<u64>,
    /// The times to live that were told to be long.
    long_ttls: HashSet<u32>,
    /// What is wrong with signatures.
    troubles: Vec<signature::Trouble<'z>>,
}

/// One record of the zone, by its number in its set, and one of its words that are told about.
#[derive(Clone, Copy)]
struct At<'z> {
    owner: Name<'z>,
    rtype: Rtype,
    number: usize,
    word: usize,
}

impl<'z> Lint<'z, '_> {
    pub(super) fn new<'b>(zone: &'z Zone, builder: &'b mut Builder) -> Lint<'z, 'b> {
        let cuts = zone.nodes().filter_map(|node| node.rrset(table::NS));
        let servers = cuts.flat_map(Rrset::targets).map(hash::of).collect();
        let (circles, long_ttls) = (HashSet::new(), HashSet::new());
        let seals = [table::DNSKEY, table::ZONEMD];
        let is_signed = seals.iter().any(|&rtype| zone.apex_node().rrset(rtype).is_some());
        let troubles = Vec::new();
        Lint { zone, builder, is_signed, servers, circles, long_ttls, troubles }
    }

    /// Looks at every name. `causes` are the nodes because of which the last nodes, those without
    /// records, are there.
    pub(super) fn run(mut self, causes: &[u32]) {
        self.file_name();
        self.soa();
        self.cases();
        self.nodes(causes);
        self.tell_troubles();
    }

    fn nodes(&mut self, causes: &[u32]) {
        let first_empty = self.zone.nodes.len() - causes.len();
        for (number, node) in self.zone.nodes().enumerate() {
            if self.builder.is_full() {
                return;
            }
            match number.checked_sub(first_empty) {
                _ if node.has(Flags::HASH) => {}
                _ if node.is_occluded() => self.hidden(node),
                Some(empty) => self.empty(node, self.zone.node(causes[empty])),
                None => self.node(node),
            }
        }
    }

    fn node(&mut self, node: Node<'z>) {
        self.owner(node);
        self.signatures(node);
        if node.is_cut() {
            self.at_cut(node);
        }
        for set in node.rrsets() {
            self.record_set(node, set);
            self.targets(node, set);
        }
    }

    /// A name below a cut is another zone's, unless it is the address of a name server.
    fn hidden(&mut self, node: Node<'z>) {
        let above = node.name().ancestors().skip(1).filter_map(|name| self.zone.node_of(name));
        let Some(cut) = above.filter(|node| node.is_cut() && !node.is_occluded()).last() else {
            return;
        };
        let is_server = self.servers.contains(&hash::of(node.name()));
        for set in node.rrsets() {
            let is_address = matches!(set.rtype(), table::A | table::AAAA);
            if is_address && is_server {
                continue;
            }
            let what = match is_address {
                true => format!("{} is no name server of {}", node.name(), cut.name()),
                false => format!("{} is never answered: the zone ends above it", node.name()),
            };
            self.below(cut, node.name(), set.rtype(), what);
        }
    }

    /// What stands at a cut itself is the other zone's too.
    fn at_cut(&mut self, cut: Node<'z>) {
        let is_server = self.servers.contains(&hash::of(cut.name()));
        for rtype in cut.rrsets().map(Rrset::rtype).filter(|rtype| !AT_CUT.contains(rtype)) {
            if is_server && matches!(rtype, table::A | table::AAAA) {
                continue;
            }
            let what = format!("the {rtype} data of {} are never answered", cut.name());
            self.below(cut, cut.name(), rtype, what);
        }
    }

    fn below(&mut self, cut: Node<'z>, owner: Name<'z>, rtype: Rtype, what: String) {
        let place = self.builder.place_of(cut.name(), table::NS);
        let found = self.warn(&codes::BELOW_CUT, owner, rtype, what);
        found.related.extend(place.map(|span| (span, "delegated here".to_string())));
        found.help = Some("it belongs into the file of the delegated zone".into());
    }

    /// A name that exists only because `cause` stands below it takes itself and all below it out of
    /// a wildcard. Service labels are no hosts, and who gives the name a wildcard of its own knows.
    fn empty(&mut self, node: Node<'z>, cause: Node<'z>) {
        let is_service = node.name().first_label().starts_with(b"_");
        let parent =
            node.name().parent().filter(|_| !is_service && !node.has(Flags::WILDCARD_BELOW));
        let above = parent.and_then(|parent| self.zone.node_of(parent));
        let Some(above) = above.filter(|above| above.has(Flags::WILDCARD_BELOW)) else { return };
        let Some(wildcard) = NameBuf::join(b"\x01*", above.name()) else { return };
        let first = |name| self.zone.node_of(name)?.rrsets().next().map(Rrset::rtype);
        let (stands_for, because) = (first(wildcard.as_name()), cause.rrsets().next());
        let (Some(stands_for), Some(because)) = (stands_for, because) else { return };
        let place = self.builder.place_of(wildcard.as_name(), stands_for);
        let what = format!("{wildcard} does not stand for {} or names below it", node.name());
        let found = self.warn(&codes::WILDCARD_SHADOWED, cause.name(), because.rtype(), what);
        found.label = format!("because of this, {} exists", node.name());
        found.related.extend(place.map(|span| (span, "the wildcard".to_string())));
        let help = "if they should have what it has, write it again for the name and for `*` below";
        found.help = Some(help.into());
    }

    /// A warning about the first record of a name and type.
    fn warn(
        &mut self,
        code: &'static Code,
        owner: Name<'_>,
        rtype: Rtype,
        what: impl Into<String>,
    ) -> &mut Diagnostic {
        let span = self.builder.place_of(owner, rtype).unwrap_or_default();
        self.builder.find(code, span, what)
    }

    /// A warning about a word of a record.
    fn warn_at(
        &mut self,
        code: &'static Code,
        at: At<'_>,
        what: impl Into<String>,
    ) -> &mut Diagnostic {
        let [record, word]: [Span; 2] =
            self.builder.word_of(at.owner, at.rtype, at.number, at.word);
        let found = self.builder.find(code, word, what);
        found.entry = record;
        found
    }
}

/// The set of a low type, in a time that does not depend on how many types a name has.
fn rrset(node: Node<'_>, rtype: Rtype) -> Option<Rrset<'_>> {
    node.rrsets().take_while(|set| set.rtype() <= rtype).find(|set| set.rtype() == rtype)
}
