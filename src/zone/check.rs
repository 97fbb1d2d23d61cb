//! What a zone must have, and what cannot stand together in it. Each finding names the records.

use super::build::Builder;
use super::denial::Chain;
use super::{Flags, Node, Rrset, Zone};
use crate::diag::codes;
use crate::diag::{Diagnostic, Span};
use crate::name::Name;
use crate::rr::{Rtype, table};

/// What a name can have besides a CNAME: itself, and what DNSSEC says of it (RFC 4034 §3 and §4).
const BESIDE_CNAME: [Rtype; 3] = [table::CNAME, table::RRSIG, table::NSEC];

/// The most iterations that any key allows (RFC 5155 §10.3). BIND, NSD and Knot load zones with more;
/// BIND calls more than 150 excessive. Each name of the zone is hashed so often at load.
const ITERATIONS_MAX: u16 = 2500;

impl Builder {
    /// What stands together must be able to.
    pub(super) fn check_nodes(&mut self, zone: &Zone, start: Span) {
        let lies_elsewhere = self.is_unusable(); // a wrong apex has no NS records either
        if zone.apex_node().rrset(table::NS).is_none() && !lies_elsewhere {
            let what = format!("{} has no NS record at its apex", zone.apex());
            let soa = self.place_of(zone.apex(), table::SOA).unwrap_or(start);
            let misplaced = self.next_behind(soa).filter(|next| next.0 == table::NS);
            let misplaced = misplaced.map(|next| next.1);
            let found = self.find(&codes::NS_MISSING, misplaced.unwrap_or(soa), what);
            found.help = Some("add a line `@ NS ns1` with the name of its name server".into());
            if misplaced.is_some() {
                found.label = "this one belongs to another name".into();
                found.related.push((soa, "the zone is the owner of this SOA".into()));
            }
        }
        self.check_aliases(zone);
        self.check_dnames(zone);
    }

    /// An alias stands alone.
    pub(super) fn check_aliases(&mut self, zone: &Zone) {
        let has_alias = |node: &Node<'_>| {
            node.rrsets().any(|set| matches!(set.rtype(), table::CNAME | table::DNAME))
        };
        for node in zone.nodes().filter(has_alias) {
            for rtype in [table::CNAME, table::DNAME] {
                if node.rrset(rtype).is_some_and(|set| set.count() > 1) {
                    self.check_single(node.name(), rtype);
                }
            }
            let mut others = node.rrsets().map(Rrset::rtype).filter(|t| !BESIDE_CNAME.contains(t));
            if let (Some(_), Some(other)) = (node.rrset(table::CNAME), others.next()) {
                let what = format!("{} has a CNAME and other records", node.name());
                let help =
                    "an alias stands alone: what it should have besides belongs to its target";
                self.find_pair(what, node.name(), [table::CNAME, other]).help = Some(help.into());
            }
            if node.is_cut() && node.has(Flags::DNAME) {
                // RFC 6672 §2.3
                let what = format!("{} has NS records and a DNAME", node.name());
                let help = "the zone ends here: the DNAME belongs into the delegated zone";
                self.find_pair(what, node.name(), [table::DNAME, table::NS]).help =
                    Some(help.into());
            }
        }
    }

    /// A second record of a type that a name can have once.
    fn check_single(&mut self, name: Name<'_>, rtype: Rtype) {
        let &[first, second, ..] = self.records_of(name, rtype) else {
            return;
        };
        let what = format!("{name} can have only one {rtype}");
        let found = self.find(&codes::SINGLE_ONLY, second.span, what);
        found.related.push((first.span, "the first one".into()));
        found.help = Some("remove one of them".into());
    }

    /// An alias beside records that it cannot stand beside: both are shown.
    fn find_pair(&mut self, what: String, name: Name<'_>, types: [Rtype; 2]) -> &mut Diagnostic {
        let [alias, other] = types.map(|rtype| self.place_of(name, rtype).unwrap_or_default());
        let found = self.find(&codes::ALIAS_AND_OTHER, alias, what);
        found.related.push((other, format!("the {} record", types[1])));
        found
    }

    /// Nothing can stand below a DNAME (RFC 6672 §2.4); what does is never answered.
    fn check_dnames(&mut self, zone: &Zone) {
        if !zone.nodes().any(|node| node.has(Flags::DNAME)) {
            return;
        }
        // The names of NSEC3 records are not there for anybody (RFC 5155 §7.2.8).
        let is_hidden = |node: &Node<'_>| node.is_occluded() && !node.has(Flags::HASH);
        for node in zone.nodes().filter(|node| is_hidden(node) && node.entry.set_count > 0) {
            let above = node.name().ancestors().skip(1).filter_map(|name| zone.node_of(name));
            let Some(dname) =
                above.into_iter().find(|node| node.has(Flags::DNAME) && !node.is_occluded())
            else {
                continue;
            };
            if let Some(first) = node.rrsets().next() {
                let what = format!("{} is never answered: it stands below a DNAME", node.name());
                let span = self.place_of(node.name(), first.rtype()).unwrap_or_default();
                let place = self.place_of(dname.name(), table::DNAME);
                let found = self.find(&codes::BELOW_DNAME, span, what);
                found.related.extend(place.map(|span| (span, "this DNAME".to_string())));
            }
        }
    }

    /// What a signed zone lacks (RFC 4035 §2.3, RFC 5155 §7.1), and work that its hashes would make
    /// of each answer (RFC 9276 §3.1).
    pub(super) fn check_signed(&mut self, zone: &Zone) {
        match zone.denial.as_deref().map(Chain::iterations) {
            None => self.check_denial(zone),
            Some(None | Some(0)) => {}
            Some(Some(iterations)) => self.check_iterations(zone, iterations),
        }
    }

    fn check_denial(&mut self, zone: &Zone) {
        let Some(span) = self.place_of(zone.apex(), table::DNSKEY) else { return };
        let what = format!(
            "{} has a DNSKEY, but no NSEC at its apex, nor an NSEC3 that matches its NSEC3PARAM",
            zone.apex()
        );
        self.find(&codes::NO_DENIAL, span, what).help =
            Some("sign the whole zone anew, as with `ldns-signzone` or `dnssec-signzone`".into());
    }

    fn check_iterations(&mut self, zone: &Zone, iterations: u16) {
        let span = self.place_of(zone.apex(), table::NSEC3PARAM).unwrap_or_default();
        let (code, what) = match iterations > ITERATIONS_MAX {
            true => (&codes::HASHED_TOO_OFTEN, format!("more than {ITERATIONS_MAX}")),
            false => (&codes::HASHED_AGAIN, "which costs work and hides nothing".to_string()),
        };
        let what = format!("names are hashed {iterations} times again, {what}");
        self.find(code, span, what).help =
            Some("sign the zone with 0 iterations and no salt, or with NSEC".into());
    }
}
