//! The names that records point at, where they are in the zone: are they there, and are they what
//! they should be? The likeliest mistake is told first, and only one of each record.

use super::record::{alias, without_dot};
use super::written::{address, doubled, foreign, whole_host};
use super::{At, Lint, rrset};
use crate::diag::{Fix, Meant, Span, codes};
use crate::name::{Name, NameBuf, Suffixes, hash};
use crate::rr::table::{self, Points};
use crate::rr::{Rtype, rdata};
use crate::zone::{Node, Position, Rrset};

/// Longer circles of aliases than this are not looked for; no resolver follows so many.
const CIRCLE_LEN_MAX: usize = 16;

impl<'z> Lint<'z, '_> {
    pub(super) fn targets(&mut self, node: Node<'z>, set: Rrset<'z>) {
        let rtype = set.rtype();
        let Some(row) = table::row(rtype) else { return };
        let Some(&last) = row.points.last() else { return };
        for (number, rdata) in set.rdatas().enumerate() {
            for (word, target) in rdata::names(row, rdata).enumerate() {
                let at = At { owner: node.name(), rtype, number, word };
                let points = row.points.get(word).copied().unwrap_or(last);
                if !target.is_root() {
                    self.target(node, at, target, by_data(points, rdata));
                }
            }
        }
        if rtype == table::CNAME {
            self.circle(node);
        }
    }

    fn target(&mut self, node: Node<'z>, at: At<'z>, target: Name<'z>, points: Points) {
        let zone = self.zone;
        let there =
            target.is_within(zone.apex()).then(|| zone.locate(target, &Suffixes::of(target)));
        let is_exact = matches!(there, Some(Position::Exact(_)));
        if let Some(address) = address(target, zone).filter(|_| !is_exact) {
            let what = format!("{} points at {address}, an address and no name", at.rtype);
            let help = format!(
                "give it a name with a line `host {} {address}`, and point at `host`",
                if address.is_ipv4() { "A" } else { "AAAA" }
            );
            self.warn_at(&codes::TARGET_ADDRESS, at, what).help = Some(help);
            return;
        }
        let Some(there) = there else { return };
        if let Some(meant) = self.meant(at, target, there) {
            let what = format!("`{}` became `{target}`", without_dot(&meant));
            let help = format!("did you mean `{meant}`, with its final dot?");
            let is_certain =
                matches!(there, Position::Nowhere(_)) && self.can_point(node, at, target, &meant);
            let found = self.warn_at(&codes::MISSING_DOT, at, what);
            found.help = Some(help);
            found.fix = is_certain.then(|| renamed(found.entry, target, &meant));
            return;
        }
        match points {
            Points::Host => self.host(node, at, target, there),
            Points::Data(types) => self.data(at, target, there, types),
            Points::Name if matches!(there, Position::Nowhere(_)) => {
                let what = format!("{} points at {target}, which does not exist", at.rtype);
                self.warn_at(&codes::TARGET_ABSENT, at, what).help = Some(absent_help(target));
            }
            Points::Name | Points::Nowhere | Points::Service | Points::Rule => {}
        }
    }

    /// Whether a record could point at the name that was meant, so that the missing dot is no guess:
    /// the zone has it, with what this type needs, and no such record yet.
    fn can_point(&self, node: Node<'z>, at: At<'z>, target: Name<'z>, meant: &NameBuf) -> bool {
        if at.rtype == table::SOA && at.word > 0 {
            // somebody at the zone's name, who need not be in the zone
            return meant.as_name().parent() == Some(self.zone.apex()) && !self.is_signed;
        }
        let Some(held) = self.zone.node_of(meant.as_name()) else { return false };
        let has = |rtype| rrset(held, rtype).is_some();
        let fits = match at.rtype {
            table::NS | table::MX | table::SRV => {
                (has(table::A) || has(table::AAAA)) && !has(table::CNAME)
            }
            table::SOA => has(table::A) || has(table::AAAA),
            table::CNAME | table::PTR => {
                held.rrsets().next().is_some() && held.name() != node.name()
            }
            _ => false,
        };
        let set = || rrset(node, at.rtype).into_iter().flat_map(Rrset::rdatas);
        let rdata = set().nth(at.number).unwrap_or_default();
        let before = rdata.strip_suffix(target.as_wire()).unwrap_or_default();
        let fixed = [before, meant.as_name().as_wire()].concat();
        fits && !self.is_signed && !set().any(|other| rdata::same(at.rtype, other, &fixed))
    }

    /// What is pointed at must have a record of one of these types, or be an alias.
    fn data(&mut self, at: At<'z>, target: Name<'z>, there: Position<'z>, types: &[Rtype]) {
        let held = match there {
            Position::Exact(node) | Position::Wildcard { source: node, .. } => Some(node),
            Position::Cut(_) | Position::Dname(_) => return, // another zone's, or a name made up
            Position::Nowhere(_) => None,
        };
        let has = |rtype| held.is_some_and(|node| rrset(node, rtype).is_some());
        if has(table::CNAME) || types.iter().copied().any(has) {
            return;
        }
        if types.contains(&table::A) {
            let what = format!("{} points at {target}, which has no address", at.rtype);
            self.warn_at(&codes::TARGET_ABSENT, at, what).help = Some(absent_help(target));
            return;
        }
        let types = types.iter().map(Rtype::to_string).collect::<Vec<_>>().join(" or ");
        let what = format!("{} points at {target}, which has no {types} record", at.rtype);
        self.warn_at(&codes::TARGET_ABSENT, at, what).help =
            Some("add one, or correct the name".into());
    }

    /// What was meant by a name that has no data, if with a final dot it makes sense. Nobody means a
    /// wildcard to stand for a doubled name.
    fn meant(&self, at: At<'z>, target: Name<'z>, there: Position<'z>) -> Option<NameBuf> {
        let has_data = match there {
            Position::Exact(node) => node.rrsets().next().is_some(),
            Position::Cut(_) => self.zone.node_of(target).is_some(),
            Position::Dname(_) => true,
            Position::Wildcard { .. } | Position::Nowhere(_) => false,
        };
        if has_data {
            return None;
        }
        let is_free = matches!(there, Position::Nowhere(_));
        doubled(target, self.zone.apex())
            .or_else(|| foreign(target, self.zone).filter(|_| is_free))
            .or_else(|| whole_host(target, self.zone).filter(|_| is_free && at.rtype == table::PTR))
    }

    /// What NS, MX and SRV point at must have addresses and be no alias (RFC 2181 §10.3, RFC 2782).
    fn host(&mut self, node: Node<'z>, at: At<'z>, target: Name<'z>, there: Position<'z>) {
        let held = match there {
            Position::Exact(node) | Position::Wildcard { source: node, .. } => Some(node),
            Position::Cut(cut) if at.rtype == table::NS && node.name() == cut.name() => {
                self.zone.node_of(target)
            }
            Position::Cut(_) | Position::Dname(_) => return, // another zone's, or a name made up
            Position::Nowhere(_) => None,
        };
        let has = |rtype| held.is_some_and(|node| rrset(node, rtype).is_some());
        if let (true, Some(held)) = (has(table::CNAME), held) {
            let what = format!("{} points at {target}, which is an alias", at.rtype);
            let place = self.builder.place_of(held.name(), table::CNAME);
            let found = self.warn_at(&codes::TARGET_ALIAS, at, what);
            found.related.extend(place.map(|span| (span, "the alias".to_string())));
            found.help = Some("point at the name that has the addresses".into());
        } else if !has(table::A) && !has(table::AAAA) {
            let is_glue = node.is_cut() && target.is_within(at.owner);
            let (code, what) = match is_glue && at.rtype == table::NS {
                true => {
                    let nobody = format!("nobody can reach {}", at.owner);
                    (&codes::GLUE_MISSING, format!("{target} has no address here: {nobody}"))
                }
                false => {
                    let what = format!("{} points at {target}, which has no address", at.rtype);
                    (&codes::TARGET_ABSENT, what)
                }
            };
            self.warn_at(code, at, what).help = Some(absent_help(target));
        }
    }

    /// Aliases that lead back to where they began are told once for all of them.
    fn circle(&mut self, start: Node<'z>) {
        if self.circles.contains(&hash::of(start.name())) {
            return;
        }
        let mut members = vec![start.name()];
        let mut next = alias(start);
        while let Some(name) = next.filter(|&name| name != start.name()) {
            if members.len() == CIRCLE_LEN_MAX {
                return;
            }
            let node = self.zone.node_of(name).filter(|node| !node.is_occluded());
            members.push(name);
            next = node.and_then(alias);
        }
        if next.is_none() {
            return;
        }
        self.circles.extend(members.iter().map(|&name| hash::of(name)));
        let at = At { owner: start.name(), rtype: table::CNAME, number: 0, word: 0 };
        let what = match members.len() {
            1 => format!("{} is an alias of itself", start.name()),
            len => format!("{} leads back to itself over {len} aliases", start.name()),
        };
        let others = members[1..].iter().map(|&name| self.builder.place_of(name, table::CNAME));
        let others: Vec<_> = others.flatten().collect();
        let found = self.warn_at(&codes::ALIAS_LOOP, at, what);
        found.related.extend(others.into_iter().map(|span| (span, "and on from here".into())));
        found.help = Some("let one of them have the data, and the others point at it".into());
    }
}

/// What a name points at, where the data in front of it say so: the mode of SVCB and HTTPS (RFC 9460
/// §2.4), the flag of NAPTR (RFC 3404 §4.3: `S` has SRV records looked up next, `A` addresses, no flag
/// NAPTR records; the others end there).
fn by_data(points: Points, rdata: &[u8]) -> Points {
    match points {
        Points::Service if rdata.starts_with(&[0, 0]) => Points::Name,
        Points::Service => Points::Data(table::ADDRESSES),
        Points::Rule => match rdata.get(4..).unwrap_or_default() {
            [0, ..] => Points::Data(&[table::NAPTR]),
            [1, b'S' | b's', ..] => Points::Data(&[table::SRV]),
            [1, b'A' | b'a', ..] => Points::Data(table::ADDRESSES),
            _ => Points::Nowhere,
        },
        fixed => fixed,
    }
}

/// A fix that has a record say another name.
pub(super) fn renamed(record: Span, from: Name<'_>, to: &NameBuf) -> Fix {
    let (from, to) = (from.as_wire().to_vec(), to.as_name().as_wire().to_vec());
    Fix::of([record], &Meant::Name { from, to })
}

fn absent_help(target: Name<'_>) -> String {
    format!("add its address, as in `{target} A 192.0.2.1`, or correct the name")
}
