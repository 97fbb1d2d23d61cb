//! One message in, one outcome out: the only door to an answer.
//!
//! UDP, TCP, the tests and the benches all come through [`respond`]. It has no socket, no clock and
//! no file, and does not allocate.

use crate::answer::additional::{self, Need};
use crate::answer::{self, Data, End, Item, Owner, Reply, Scratch, Terms};
use crate::name::Suffixes;
use crate::rr::{Class, table};
use crate::wire::codes::{Ede, Rcode};
use crate::wire::compress::Compressor;
use crate::wire::request::{Fault, Question, Reading, Request};
use crate::wire::response::{self, DoesNotFit, Response, Section};
use crate::wire::{HEADER_LEN, TCP_LEN_MAX, UDP_LEN_MAX, UDP_LEN_PLAIN};
use crate::zone::set::{Slot, ZoneSet};
use crate::zone::{Rrset, Zone};
use std::fmt;
use std::net::SocketAddr;

pub use crate::wire::request::Silence;

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As one datagram.
    Udp,
    /// In a stream.
    Tcp,
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// How the message came.
    pub transport: Transport,
    /// Where from.
    pub source: SocketAddr,
}

/// What the operator chose about answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Leave the NS set and its addresses out of positive answers.
    pub minimal_responses: bool,
    /// Follow aliases into other zones that are served here.
    pub aliases_across_zones: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { minimal_responses: true, aliases_across_zones: false }
    }
}

/// All that answering looks at. The loop owns it.
pub struct State {
    /// The zones.
    pub zones: ZoneSet,
    /// The operator's choices.
    pub policy: Policy,
    scratch: Scratch,
    /// Of the question's name.
    hashes: Suffixes,
    names: Compressor,
}

impl State {
    /// No zones yet.
    pub fn new(policy: Policy) -> State {
        let (hashes, names) = (Suffixes::default(), Compressor::default());
        State { zones: ZoneSet::default(), policy, scratch: Scratch::new(), hashes, names }
    }
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send what was appended to the buffer.
    Send(Reason),
    /// Stay silent; the buffer is as it was.
    Drop(Silence),
}

/// Why an answer is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A zone answered, and how its question ended.
    Answered(End),
    /// A zone answered from its last good version: its file cannot be used as it is now.
    AnsweredStale(End),
    /// No zone here holds the name.
    NotServed,
    /// The zone's file could never be used.
    Broken,
    /// Zone transfers are not offered.
    Transfer,
    /// A transfer of a name that is no apex.
    NoApex,
    /// A class other than IN and ANY.
    OtherClass,
    /// An EDNS version other than 0.
    EdnsVersion,
    /// The message is no query that can be answered.
    Fault(Fault),
}

/// Answers `message`: appends the answer to `out`, whose content stays in front of it. Over UDP an
/// answer has at most 1,232 octets, over TCP 65,535.
pub fn respond(message: &[u8], from: Peer, state: &mut State, out: &mut Vec<u8>) -> Outcome {
    if from.source.port() == 0 {
        return Outcome::Drop(Silence::PortZero);
    }
    let request = match Reading::of(message) {
        Reading::Query(request) => request,
        Reading::Ignore(silence) => return Outcome::Drop(silence),
        Reading::Reject(header, fault, edns) => {
            response::header_alone(header, edns, fault.rcode(), out);
            return Outcome::Send(Reason::Fault(fault));
        }
    };
    let State { zones, policy, scratch, hashes, names } = state;
    hashes.fill(request.question.name);
    let len_max = len_max(&request, from.transport);
    let mut response = Response::to(&request, hashes, names, len_max, out);
    let reason = match decide(&request, hashes, zones) {
        Verdict::Refuse(rcode, ede, reason) => {
            response.status(rcode, ede);
            reason
        }
        Verdict::Answer(slot, zone) => {
            let terms = Terms {
                dnssec_ok: request.edns.is_some_and(|edns| edns.dnssec_ok),
                beyond: Some(&*zones).filter(|_| policy.aliases_across_zones),
            };
            let reply = answer::answer(zone, request.question, hashes, terms, scratch);
            // An answer that stands for every class has no authority over them (RFC 1035 §6.2).
            if reply.authoritative && request.question.class == Class::IN {
                response.set_authoritative();
            }
            write(&mut response, &reply, zones, *policy, terms, scratch);
            match slot {
                Slot::Stale(_) => Reason::AnsweredStale(reply.end),
                _ => Reason::Answered(reply.end),
            }
        }
    };
    response.finish();
    Outcome::Send(reason)
}

/// How long the answer may be (RFC 6891 §6.2.3, RFC 9715 §3.2).
fn len_max(request: &Request<'_>, transport: Transport) -> u16 {
    match (transport, request.edns) {
        (Transport::Tcp, _) => TCP_LEN_MAX,
        (Transport::Udp, Some(edns)) => edns.udp_len.min(UDP_LEN_MAX),
        (Transport::Udp, None) => UDP_LEN_PLAIN,
    }
}

/// What is to be done with a query.
enum Verdict<'z> {
    /// No zone is asked.
    Refuse(Rcode, Option<Ede>, Reason),
    /// This zone is.
    Answer(&'z Slot, &'z Zone),
}

/// Who answers: RFC 1034 §4.3.2 step 2, behind what holds for every zone.
fn decide<'z>(request: &Request<'_>, hashes: &Suffixes, zones: &'z ZoneSet) -> Verdict<'z> {
    let question = request.question;
    if request.edns.is_some_and(|edns| edns.version != 0) {
        return Verdict::Refuse(Rcode::BADVERS, None, Reason::EdnsVersion);
    }
    if !matches!(question.class, Class::IN | Class::ANY) {
        return Verdict::Refuse(Rcode::REFUSED, Some(Ede::NOT_AUTHORITATIVE), Reason::OtherClass);
    }
    let nearest = zones.nearest(question.name, question.rtype, hashes);
    if matches!(question.rtype, table::AXFR | table::IXFR) {
        return refuse_transfer(nearest.is_some_and(|(_, labels)| labels == hashes.labels()));
    }
    let Some((slot, _)) = nearest else {
        return Verdict::Refuse(Rcode::REFUSED, Some(Ede::NOT_AUTHORITATIVE), Reason::NotServed);
    };
    match slot.zone() {
        Some(zone) => Verdict::Answer(slot, zone),
        None => Verdict::Refuse(Rcode::SERVFAIL, Some(Ede::INVALID_DATA), Reason::Broken),
    }
}

/// Transfers are not offered; of a name that is no apex there is none to offer (RFC 5936 §2.2.1).
fn refuse_transfer<'z>(of_apex: bool) -> Verdict<'z> {
    if of_apex {
        Verdict::Refuse(Rcode::REFUSED, Some(Ede::NOT_SUPPORTED), Reason::Transfer)
    } else {
        Verdict::Refuse(Rcode::NOTAUTH, Some(Ede::NOT_AUTHORITATIVE), Reason::NoApex)
    }
}

/// Turns a reply into bytes. What does not fit and is needed sets TC (RFC 2181 §9); what is a
/// kindness is left out.
fn write(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    zones: &ZoneSet,
    policy: Policy,
    terms: Terms<'_>,
    scratch: &Scratch,
) {
    response.status(reply.rcode, None);
    match write_needed(response, reply, scratch) {
        Ok(()) => write_kindnesses(response, reply, zones, policy, terms, scratch),
        Err(DoesNotFit) => response.set_truncated(),
    }
}

/// Answer, authority, and the glue that a referral cannot do without.
fn write_needed(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    scratch: &Scratch,
) -> Result<(), DoesNotFit> {
    for item in &reply.answer {
        write_item(response, Section::Answer, reply, item, scratch)?;
    }
    for item in &reply.authority {
        write_item(response, Section::Authority, reply, item, scratch)?;
    }
    let mut outcome = Ok(());
    additional::glue(reply, |need, owner, set| {
        let item = Item::rrset(Owner::Name(owner), set); // glue is never signed (RFC 4035 §2.2)
        let written = write_item(response, Section::Additional, reply, &item, scratch);
        if need == Need::Required && written.is_err() {
            outcome = written;
            return false;
        }
        true
    });
    outcome
}

/// What saves the asker a question, as far as there is room: on request the NS set behind a positive
/// answer, and the addresses of what the records point at.
fn write_kindnesses(
    response: &mut Response<'_>,
    reply: &Reply<'_>,
    zones: &ZoneSet,
    policy: Policy,
    terms: Terms<'_>,
    scratch: &Scratch,
) {
    if reply.end != End::Found {
        return;
    }
    let mut write = |section, owner, node, set| {
        let item = Item::of_node(Owner::Name(owner), node, set, terms.dnssec_ok);
        write_item(response, section, reply, &item, scratch)
    };
    let found = reply.answer.iter().filter_map(Item::as_rrset);
    let mut name_servers = None;
    if !policy.minimal_responses {
        let apex = reply.zone.apex_node();
        let ns = apex.rrset(table::NS).filter(|&ns| !found.clone().any(|set| set.is(ns)));
        name_servers = ns.filter(|&ns| write(Section::Authority, apex.name(), apex, ns).is_ok());
    }
    let sets = found.chain(name_servers);
    additional::of_targets(sets, reply, scratch, zones, |owner, node, addresses| {
        let _ = write(Section::Additional, owner, node, addresses); // as far as it fits
    });
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

/// One line about a query and its answer: `smith.edu. NS NOERROR: found`.
pub fn describe(query: &[u8], answer: &[u8], reason: Reason) -> String {
    let question = query.get(HEADER_LEN..).and_then(Question::split_from);
    let asked = match question {
        Some((question, _)) => format!("{} {}", question.name, question.rtype),
        None => "no question".to_string(),
    };
    let rcode = match reason {
        Reason::EdnsVersion => Rcode::BADVERS,
        _ => Rcode(u16::from(answer.get(3).map_or(0, |octet| octet & 0xf))),
    };
    format!("{asked} {rcode}: {reason}")
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Answered(end) => return end.fmt(f),
            Reason::AnsweredStale(end) => {
                return write!(f, "{end}, from the last good version of the zone's file");
            }
            Reason::NotServed => "no zone here holds the name",
            Reason::Broken => "the zone's file cannot be used, and no good version was seen",
            Reason::Transfer => "zone transfers are not offered",
            Reason::NoApex => "no zone of that name is served here",
            Reason::OtherClass => "only class IN is served",
            Reason::EdnsVersion => "only EDNS version 0 is spoken",
            Reason::Fault(Fault::Opcode) => "only the opcode QUERY is known",
            Reason::Fault(Fault::QuestionCount) => "a query has exactly one question",
            Reason::Fault(Fault::Question) => "the question is broken",
            Reason::Fault(Fault::Records) => "the records behind the question are broken",
            Reason::Fault(Fault::Opt) => "the OPT record is broken, or not the only one",
        })
    }
}
