//! What a zone must have, and what cannot stand together in it. Each finding names the records.

use super::build::Builder;
use super::{Flags, Rrset, Zone};
use crate::diag::codes;
use crate::diag::{Diagnostic, Span};
use crate::name::Name;
use crate::rr::{Rtype, table};

/// What a name can have besides a CNAME: itself, and what DNSSEC says of it (RFC 4034 §3 and §4).
const BESIDE_CNAME: [Rtype; 3] = [table::CNAME, table::RRSIG, table::NSEC];

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
        self.check_signed(zone);
        for node in zone.nodes() {
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
        self.check_dnames(zone);
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
        for node in zone.nodes().filter(|node| node.is_occluded() && node.entry.set_count > 0) {
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

    /// Signatures do not come along with answers yet.
    fn check_signed(&mut self, zone: &Zone) {
        let Some(span) = self.place_of(zone.apex(), table::DNSKEY) else { return };
        let what = format!("{} is signed, but answers come without its signatures", zone.apex());
        self.find(&codes::ZONE_SIGNED, span, what).help =
            Some("serve it unsigned, or with no DS record for it in the parent zone".into());
    }
}
