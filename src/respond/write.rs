//! A reply, written: which of its records are needed, which are a kindness, and what is left out where
//! there is no room.

use super::Policy;
use crate::answer::additional::{self, Need};
use crate::answer::{Data, End, Item, OpenZones, Owner, Reply, Scratch, Terms};
use crate::rr::{Class, table};
use crate::wire::edns::ZoneVersion;
use crate::wire::request::{Question, Request};
use crate::wire::response::{self, DoesNotFit, Response, Section};
use crate::zone::{Rrset, Zone};

/// Turns a reply into bytes. What does not fit and is needed sets TC (RFC 2181 §9); what is a
/// kindness is left out. Neither happens before the answer was written as short as it can be. Gives
/// the number of RRsets left out.
pub(super) fn write(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    zones: OpenZones<'_>,
    policy: Policy,
    terms: Terms<'_>,
    scratch: &Scratch,
) -> usize {
    response.status(reply.rcode, None);
    let write = |response: &mut Response<'_>| {
        let left_out = write_needed(response, reply, terms, scratch)?;
        Ok(left_out + write_kindnesses(response, reply, zones, policy, terms, scratch))
    };
    let mut written = write(response);
    if written != Ok(0) {
        response.restart();
        written = write(response);
    }
    written.unwrap_or_else(|DoesNotFit| {
        response.set_truncated();
        0
    })
}

/// An answer that stands for every class has no authority over them (RFC 1035 §6.2).
pub(super) fn authority(response: &mut Response<'_>, reply: &Reply<'_>, question: Question<'_>) {
    if reply.authoritative && question.class == Class::IN {
        response.set_authoritative();
    }
}

/// RFC 9660 §2: the version of the zone that holds the question's name, for who asks for that.
pub(super) fn version(response: &mut Response<'_>, request: &Request<'_>, zone: &Zone) {
    if request.edns.is_some_and(|edns| edns.options.zone_version) {
        let labels = u8::try_from(zone.apex().label_count()).expect("a name has 127 labels");
        response.set_zone_version(ZoneVersion { labels, serial: zone.serial() });
    }
}

/// Answer, authority, and the glue that a referral cannot do without. Gives the number of other
/// address sets that were left out.
fn write_needed(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    terms: Terms<'_>,
    scratch: &Scratch,
) -> Result<usize, DoesNotFit> {
    for item in &reply.answer {
        write_item(response, Section::Answer, reply, item, scratch)?;
    }
    for item in &reply.authority {
        write_item(response, Section::Authority, reply, item, scratch)?;
    }
    let mut outcome = Ok(0);
    additional::glue(reply, |need, node, set| {
        // Glue is never signed (RFC 4035 §2.2); what the zone itself answers for is (§3.1.1).
        let signed = terms.dnssec_ok && node.is_authoritative();
        let item = Item::of_node(Owner::Name(node.name()), node, set, signed);
        let written = write_item(response, Section::Additional, reply, &item, scratch);
        match written {
            Ok(()) => {}
            Err(DoesNotFit) if need == Need::Required => outcome = Err(DoesNotFit),
            Err(DoesNotFit) => outcome = outcome.as_ref().map_or(Err(DoesNotFit), |n| Ok(n + 1)),
        }
        outcome.is_ok()
    });
    outcome
}

/// What saves the asker a question, as far as there is room: on request the NS set behind a positive
/// answer, and the addresses of what the records point at. Gives the number of sets left out.
fn write_kindnesses(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    zones: OpenZones<'_>,
    policy: Policy,
    terms: Terms<'_>,
    scratch: &Scratch,
) -> usize {
    let has_targets = |item: &Item<'_>| item.as_rrset().is_some_and(Rrset::has_targets);
    if reply.end != End::Found || policy.minimal_responses && !reply.answer.iter().any(has_targets)
    {
        return 0;
    }
    let mut left_out = 0;
    let mut write = |section, owner, node, set| {
        let item = Item::of_node(Owner::Name(owner), node, set, terms.dnssec_ok);
        let written = write_item(response, section, reply, &item, scratch).is_ok();
        left_out += usize::from(!written);
        written
    };
    let found = reply.answer.iter().filter_map(Item::as_rrset);
    let mut name_servers = None;
    if !policy.minimal_responses {
        let apex = reply.zone.apex_node();
        let ns = apex.rrset(table::NS).filter(|&ns| !found.clone().any(|set| set.is(ns)));
        name_servers = ns.filter(|&ns| write(Section::Authority, apex.name(), apex, ns));
    }
    let sets = found.chain(name_servers);
    additional::of_targets(sets, reply, scratch, zones, |owner, node, addresses| {
        write(Section::Additional, owner, node, addresses);
    });
    left_out
}

/// Writes an RRset and its signatures, both or neither.
fn write_item(
    response: &mut Response<'_>,
    section: Section,
    reply: &Reply<'_>,
    item: &Item<'_>,
    scratch: &Scratch,
) -> Result<(), DoesNotFit> {
    let owner = match item.owner {
        Owner::Qname => response::Owner::Qname,
        other => response::Owner::Name(reply.name_of(other, scratch)),
    };
    response.unit(section, |response| {
        let mut write =
            |set: Rrset<'_>| response.rrset(section, owner, set.rtype(), set.ttl(), set.rdatas());
        match item.data {
            Data::Rrset(set) => write(set)?,
            Data::Signatures(node) => {
                let mut sets = node.rrsets().filter(|set| set.rtype() == table::RRSIG);
                sets.try_for_each(write)?;
            }
            Data::Cname { ttl, target } => {
                let target = std::iter::once(scratch.name(target).as_wire());
                response.rrset(section, owner, table::CNAME, ttl, target)?;
            }
        }
        match item.signatures {
            Some(set) => response.rrset(section, owner, set.rtype(), set.ttl(), set.rdatas()),
            None => Ok(()),
        }
    })
}
