//! A reply, read aloud: which zone, where each name stands in it, what is owed besides.

use super::{Source, Step};
use crate::answer::{self, Step as Said};
use crate::answer::{Claim, End, Visit};
use crate::name::{Name, NameBuf};
use crate::respond::{Reason, Seen, Transport};
use crate::rr::{Rtype, table};
use crate::wire::bits;
use crate::wire::message::Message;
use crate::zone::set::ZoneSet;
use crate::zone::{Node, Position, Rrset, Zone};

/// The steps to a reply that a zone made.
pub(super) fn of_reply(seen: &Seen<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut zone: Option<&Zone> = None;
    for visit in &seen.reply.visits {
        let name = seen.reply.name_of(visit.owner, seen.scratch);
        if zone.is_none_or(|zone| zone.apex() != visit.zone.apex()) {
            steps.push(zone_chosen(visit.zone, name, seen));
            zone = Some(visit.zone);
        }
        steps.extend(stands(visit, name));
        steps.push(said(visit, name, seen));
        steps.extend(visit.claim.and_then(|claim| shown(visit.zone, claim)));
    }
    steps.extend(ended(seen));
    steps.extend(went_along(seen));
    steps
}

/// The step to an answer that no zone made.
pub(super) fn of_refusal(reason: Reason, answer: &Message, zones: &ZoneSet) -> Step {
    let rule = match reason {
        Reason::NotServed => "RFC 1034 §4.3.2 step 2",
        Reason::Broken => "RFC 8914 §4.25",
        Reason::Transfer | Reason::TransferDenied | Reason::NoApex => "RFC 5936 §2.2.1",
        Reason::TransferOverUdp => "RFC 5936 §4.2",
        _ => "",
    };
    let text = match (&answer.question, reason) {
        (Some((name, _)), Reason::NotServed) => {
            format!(
                "None of the {} here has a name that {name} ends with.",
                count(zones.len(), "zone")
            )
        }
        _ => sentence(&reason.to_string()),
    };
    Step { text, rule, records: Vec::new() }
}

/// What the length of the answer changed.
pub(super) fn of_truncation(answer: &Message, len: usize, transport: Transport) -> Option<Step> {
    let text = format!(
        "The whole answer is too long for the asker over UDP: TC is set on what fits, {len} octets, \
         and the client asks again over TCP."
    );
    let truncated = answer.has(bits::TC) && transport == Transport::Udp;
    truncated.then(|| Step { text, rule: "RFC 2181 §9", records: Vec::new() })
}

//----------- The zone --------------------------------------------------------------------------------

fn zone_chosen(zone: &Zone, name: Name<'_>, seen: &Seen<'_>) -> Step {
    let apex = zone.apex();
    let text = match seen.zones.len() {
        _ if apex.is_root() => format!("The zone is the root, which {name} is in."),
        _ if apex == name => format!("{name} is the apex of a zone here."),
        1 => format!("{name} is in {apex}, the only zone here."),
        zones => format!("{name} is in {apex}: of the {zones} zones here it fits the most labels."),
    };
    Step { text, rule: "RFC 1034 §4.3.2 step 2", records: vec![source(zone, apex, table::SOA)] }
}

//----------- Where a name stands -------------------------------------------------------------------

/// What has to be known of a name before its records are looked at.
fn stands(visit: &Visit<'_>, name: Name<'_>) -> Option<Step> {
    let zone = visit.zone;
    match visit.position {
        Position::Wildcard { source: wildcard, encloser } => {
            let text = format!(
                "{name} is not there. Its closest encloser, the longest name above it that is, is {}, \
                 and `*` below that stands for it.",
                encloser.name()
            );
            let first = wildcard.rrsets().next();
            let records = first.map(|set| source(zone, wildcard.name(), set.rtype()));
            let records = records.into_iter().collect();
            Some(Step { text, rule: "RFC 4592 §3.3.1", records })
        }
        Position::Exact(node) if node.rrsets().next().is_none() => {
            let cause = below(zone, node);
            let because = cause.map(|cause| format!(" because {} stands below it", cause.name()));
            let text = format!(
                "{name} is an empty non-terminal: it has no records, and is there{}.",
                because.unwrap_or_default()
            );
            let records = cause.and_then(|cause| first_source(zone, cause));
            let records = records.into_iter().collect();
            Some(Step { text, rule: "RFC 8020 §2, RFC 4592 §2.2.2", records })
        }
        _ => None,
    }
}

/// A name below `node` that has records.
fn below<'z>(zone: &'z Zone, node: Node<'_>) -> Option<Node<'z>> {
    zone.nodes().find(|other| {
        let (name, above) = (other.name(), node.name());
        other.rrsets().next().is_some() && name != above && name.is_within(above)
    })
}

fn first_source(zone: &Zone, node: Node<'_>) -> Option<Source> {
    Some(source(zone, node.name(), node.rrsets().next()?.rtype()))
}

//----------- What the zone says ----------------------------------------------------------------------

fn said(visit: &Visit<'_>, name: Name<'_>, seen: &Seen<'_>) -> Step {
    let zone = visit.zone;
    let of_set = |node: Node<'_>, set: Rrset<'_>| vec![source(zone, node.name(), set.rtype())];
    match visit.step {
        Said::Found(node, set) => {
            let text = match node.name() == name {
                true => format!("{name} has {}: the answer.", counted(set)),
                false => {
                    format!("{} has {}: the answer for {name}, too.", node.name(), counted(set))
                }
            };
            Step { text, rule: "RFC 1034 §4.3.2 step 3a", records: of_set(node, set) }
        }
        Said::Signatures(node) => Step {
            text: format!("Signatures were asked for by their type: all that {} has.", node.name()),
            rule: "RFC 4035 §3.1",
            records: vec![source(zone, node.name(), table::RRSIG)],
        },
        Said::Cname(node, set) => Step {
            text: format!("{name} is an alias: {} is asked for in its place.", target(set)),
            rule: "RFC 1034 §3.6.2, §4.3.2 step 3a",
            records: of_set(node, set),
        },
        Said::Dname(node, set) => Step {
            text: format!(
                "{} has a DNAME: for a name below it the one below {} is asked for. A CNAME, made for \
                 this answer, says so of {name} to those who do not know DNAME.",
                node.name(),
                target(set)
            ),
            rule: "RFC 6672 §3.2",
            records: of_set(node, set),
        },
        Said::Referral(cut, ns) => Step {
            text: format!(
                "The zone ends at {}: {} delegate it, and only its own servers know what is there.",
                cut.name(),
                counted(ns)
            ),
            rule: "RFC 1034 §4.3.2 step 3b",
            records: of_set(cut, ns),
        },
        Said::NoData(node) => no_data(zone, name, node, seen.question.rtype),
        Said::NxDomain(encloser) => no_name(zone, name, encloser),
    }
}

fn no_data(zone: &Zone, name: Name<'_>, node: Node<'_>, asked: Rtype) -> Step {
    let mut types: Vec<String> = node.rrsets().map(|set| set.rtype().to_string()).collect();
    types.dedup();
    let text = match types.is_empty() {
        true => format!("So {name} has no {asked} record: NOERROR and an empty answer."),
        false => format!(
            "{} has no {asked} record, but {}: NOERROR and an empty answer.",
            node.name(),
            types.join(", ")
        ),
    };
    let mut records: Vec<Source> = first_source(zone, node).into_iter().collect();
    let wildcard = shadowed(zone, node).filter(|_| node.name() == name);
    let aside = wildcard.as_ref().map(|wildcard| {
        records.extend(zone.node_of(wildcard.as_name()).and_then(|node| first_source(zone, node)));
        format!(" `{wildcard}` does not stand for it, since the name itself is there.")
    });
    let text = format!("{text}{}", aside.unwrap_or_default());
    Step { text, rule: "RFC 2308 §2.2", records }
}

fn no_name(zone: &Zone, name: Name<'_>, encloser: Node<'_>) -> Step {
    let mut text = format!(
        "{name} does not exist. Its closest encloser, the longest name above it that does, is {}, and \
         no `*` stands below that.",
        encloser.name()
    );
    let mut records = Vec::new();
    if let Some(wildcard) = shadowed(zone, encloser) {
        text.push_str(&format!(
            " `{wildcard}` does not stand for it: {} is there, and closer.",
            encloser.name()
        ));
        let cause =
            if encloser.rrsets().next().is_some() { Some(encloser) } else { below(zone, encloser) };
        records.extend(cause.and_then(|cause| first_source(zone, cause)));
    }
    Step { text, rule: "RFC 2308 §2.1, RFC 4592 §3.3.1", records }
}

/// The nearest wildcard above the closest encloser, which would stand for the name were it not there.
fn shadowed(zone: &Zone, encloser: Node<'_>) -> Option<NameBuf> {
    let above = encloser.name().ancestors().skip(1).take_while(|name| name.is_within(zone.apex()));
    let wildcards = above.filter_map(|name| NameBuf::join(b"\x01*", name));
    wildcards.into_iter().find(|name| zone.node_of(name.as_name()).is_some())
}

//----------- What is owed besides -------------------------------------------------------------------

/// What shows that a claim is right.
fn shown(zone: &Zone, claim: Claim<'_>) -> Option<Step> {
    let is_nsec = zone.denial()?.rtype() == table::NSEC;
    let (what, nsec, nsec3) = match claim {
        Claim::NoName { .. } => {
            ("the name is not there, nor a wildcard for it", "RFC 4035 §3.1.3.2", "RFC 5155 §7.2.2")
        }
        Claim::NoType { node } if node.is_cut() => {
            ("the delegation is not signed", "RFC 4035 §3.1.4", "RFC 5155 §7.2.7")
        }
        Claim::NoType { .. } => ("the type is not there", "RFC 4035 §3.1.3.1", "RFC 5155 §7.2.3"),
        Claim::Expanded { .. } => (
            "the name itself is not there, so that the wildcard was right to answer",
            "RFC 4035 §3.1.3.3",
            "RFC 5155 §7.2.6",
        ),
        Claim::NoTypeExpanded { .. } => (
            "neither the name is there nor the type at the wildcard",
            "RFC 4035 §3.1.3.4",
            "RFC 5155 §7.2.5",
        ),
    };
    let (kind, rule) = if is_nsec { ("NSEC", nsec) } else { ("NSEC3", nsec3) };
    let text =
        format!("DNSSEC was asked for: {kind} records in the authority section show that {what}.");
    Some(Step { text, rule, records: Vec::new() })
}

/// How the chain ended, where its last name does not say it.
fn ended(seen: &Seen<'_>) -> Option<Step> {
    let reply = seen.reply;
    let (text, rule) = match reply.end {
        End::OutOfZone => {
            let text = "The alias leads out of the zone. A resolver asks on by itself, and trusts only that \
                        zone's servers (`--aliases-across-zones yes` follows it where that zone is here).";
            (text.to_string(), "RFC 5452 §6")
        }
        End::Loop => {
            let max = answer::CHAIN_MAX;
            let text = format!(
                "The aliases lead back to where they were, or on for more than {max}: here it ends."
            );
            (text, "RFC 1034 §3.6.2")
        }
        End::TooLong => (
            "The name that the DNAME makes has more than 255 octets: YXDOMAIN.".into(),
            "RFC 6672 §2.2",
        ),
        End::NoData | End::NxDomain => {
            let ttl = reply.zone.negative_soa().ttl();
            let text = format!("The SOA says for how long that may be remembered: {ttl} seconds.");
            let records = vec![source(reply.zone, reply.zone.apex(), table::SOA)];
            return Some(Step { text, rule: "RFC 2308 §3 and §5", records });
        }
        End::Found | End::Referral => return None,
    };
    Some(Step { text, rule, records: Vec::new() })
}

/// The addresses of what an answer's records point at.
pub(super) fn of_additional(reason: Reason, answer: &Message) -> Option<Step> {
    let found = matches!(reason, Reason::Answered(End::Found) | Reason::AnsweredStale(End::Found));
    let text =
        "The addresses of the names that these records point at go along, to save a question.";
    let along = found && !answer.sections[2].is_empty();
    along.then(|| Step { text: text.into(), rule: "RFC 1034 §4.3.2 step 6", records: Vec::new() })
}

/// The glue of a referral, and what there was no room for.
fn went_along(seen: &Seen<'_>) -> Option<Step> {
    let reply = seen.reply;
    if seen.left_out > 0 {
        let text = format!(
            "There was no room for {}: the client asks for those itself.",
            count(seen.left_out, "further record set")
        );
        return Some(Step { text, rule: "RFC 2181 §9", records: Vec::new() });
    }
    let cut = reply.cut()?;
    let servers = cut.rrset(table::NS)?.targets();
    let glue: Vec<Name<'_>> = servers.filter(|name| name.is_within(cut.name())).collect();
    if glue.is_empty() {
        return None;
    }
    let sources =
        glue.iter().filter_map(|name| first_source(reply.zone, reply.zone.node_of(*name)?));
    let records: Vec<Source> = sources.collect();
    let text = match records.is_empty() {
        true => format!(
            "Its servers are named below {}, and no address of theirs is here: nobody can reach them.",
            cut.name()
        ),
        false => format!(
            "Its servers are named below {} itself, so their addresses go along as glue: nobody could ask for them.",
            cut.name()
        ),
    };
    Some(Step { text, rule: "RFC 9471 §3.1", records })
}

//----------- Words -----------------------------------------------------------------------------------

/// `2 A records`.
fn counted(set: Rrset<'_>) -> String {
    count(set.count(), &format!("{} record", set.rtype()))
}

pub(super) fn count(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// The name that an alias leads to.
fn target(set: Rrset<'_>) -> String {
    let target = set.rdatas().next().and_then(Name::from_wire);
    target.map_or_else(String::new, |name| name.to_string())
}

fn source(zone: &Zone, owner: Name<'_>, rtype: Rtype) -> Source {
    Source { zone: zone.apex().to_buf(), owner: owner.to_buf(), rtype, rdata: None }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
