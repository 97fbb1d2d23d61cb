//! One message in, one outcome out: the only door to an answer.
//!
//! UDP, TCP, the tests and the benches all come through [`respond`]. It has no socket, no clock and
//! no file, and does not allocate but to begin a transfer.

mod ahead;
mod limit;
mod pieces;
mod ready;
mod reason;
mod setting;
mod signature;
mod transfer;
mod write;

use crate::answer::{self, End, OpenZones, Reply, Scratch, Terms};
use crate::clock::Now;
use crate::guard::acl::Acl;
use crate::guard::cookie::Cookies;
use crate::guard::per_zone::PerZone;
use crate::guard::rrl::{Limiter, Passage};
use crate::guard::tsig::Keys;
use crate::name::{Name, Suffixes};
use crate::transfer::{Outgoing, Writer};
use crate::wire::compress::Compressor;
use crate::wire::request::{Extras, Question, Reading, Request};
use crate::wire::response::Response;
use crate::zone::set::{Slot, ZoneSet};
use limit::Meter;
use ready::Road;
use setting::{Setting, Verdict, Wanted};
use signature::Verified;
use std::net::SocketAddr;

pub use crate::answer::identity::Identity;
pub use crate::wire::request::Silence;
pub use ahead::look_ahead;
pub use reason::{Reason, describe};

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
    /// What the server tells about itself.
    pub identity: Identity,
    /// Who may ask.
    pub acl: Acl,
    /// Who may ask for some zones, in place of that.
    pub zone_acls: PerZone,
    /// Who may have whole zones; nobody without it.
    pub transfer_acl: Option<Acl>,
    /// What transfers are written with.
    pub transfer_writer: Writer,
    /// The keys that messages may be signed with.
    pub keys: Keys,
    /// What makes and checks cookies; without it they mean nothing.
    pub cookies: Option<Cookies>,
    /// What limits answers over UDP; without it nothing does.
    pub limiter: Option<Limiter>,
    /// Where this server listens itself.
    pub own_addresses: Vec<SocketAddr>,
    /// How long an idle connection is kept, in units of 100 ms as RFC 7828 has it.
    pub tcp_idle_ds: Option<u16>,
    scratch: Scratch,
    /// Of the question's name.
    hashes: Suffixes,
    names: Compressor,
}

impl State {
    /// No zones yet, no name, no cookies and no limits.
    pub fn new(policy: Policy) -> State {
        State {
            zones: ZoneSet::default(),
            policy,
            identity: Identity::default(),
            acl: Acl::default(),
            zone_acls: PerZone::default(),
            transfer_acl: None,
            transfer_writer: Writer::default(),
            keys: Keys::default(),
            cookies: None,
            limiter: None,
            own_addresses: Vec::new(),
            tcp_idle_ds: None,
            scratch: Scratch::new(),
            hashes: Suffixes::default(),
            names: Compressor::default(),
        }
    }
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send what was appended to the buffer.
    Send(Reason),
    /// Send one message after the other, as this writes them; the buffer is as it was.
    Stream(Box<Outgoing>),
    /// Stay silent; the buffer is as it was.
    Drop(Silence),
}

/// What an answer was made of, for who explains it.
pub struct Seen<'s> {
    /// The zones.
    pub zones: &'s ZoneSet,
    /// What was asked.
    pub question: Question<'s>,
    /// What was said.
    pub reply: &'s Reply<'s>,
    /// The names that the reply made up.
    pub scratch: &'s Scratch,
    /// How many RRsets there was no room for, all of them kindnesses.
    pub left_out: usize,
}

/// Answers `message`: appends the answer to `out`, whose content stays in front of it. Over UDP an
/// answer has at most 1,232 octets, over TCP 65,535.
pub fn respond(
    message: &[u8],
    from: Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
) -> Outcome {
    respond_to(message, &from, now, state, out)
}

/// The same, where who asks is looked at in its place.
#[inline]
pub(crate) fn respond_to(
    message: &[u8],
    from: &Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
) -> Outcome {
    if let Some(silence) = state.ignores(&from.source) {
        return Outcome::Drop(silence);
    }
    match ready::respond(message, from, now, state, out) {
        Road::Short(outcome) => outcome,
        Road::Long(settled) => long_road(message, *from, now, state, out, settled, |_| ()),
    }
}

/// The same, always on the long road, and shows what the answer was made of, if a zone made it.
pub fn respond_seen(
    message: &[u8],
    from: Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
    see: impl FnOnce(&Seen<'_>),
) -> Outcome {
    match state.ignores(&from.source) {
        Some(silence) => Outcome::Drop(silence),
        None => long_road(message, from, now, state, out, None, see),
    }
}

/// Answers any message, and signs the answer if the message was signed. What becomes of the answer
/// may be settled before.
#[inline(never)] // the short road is not to make room for it
fn long_road(
    message: &[u8],
    from: Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
    settled: Option<Passage>,
    see: impl FnOnce(&Seen<'_>),
) -> Outcome {
    let mut verified = signature::verify(message, from, &state.keys, now.unix_s);
    let base = out.len();
    match unsigned(&verified, from, now, state, out, settled, see) {
        Outcome::Send(reason) => {
            verified.signature.end(out, base, now.unix_s);
            Outcome::Send(reason)
        }
        Outcome::Stream(outgoing) => Outcome::Stream(verified.signature.of_each(outgoing)),
        Outcome::Drop(silence) => Outcome::Drop(silence),
    }
}

/// Answers any message, but for the signature.
fn unsigned(
    verified: &Verified<'_>,
    from: Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
    settled: Option<Passage>,
    see: impl FnOnce(&Seen<'_>),
) -> Outcome {
    let tcp_idle_ds = state.tcp_idle_ds;
    let State { zones, policy, identity, acl, transfer_acl, zone_acls, .. } = state;
    let State { cookies, limiter, scratch, hashes, names, transfer_writer, .. } = state;
    let (cookies, transfer_acl) = (cookies.as_ref(), transfer_acl.as_ref());
    let signed = &verified.signature;
    let setting =
        Setting { from, now, identity, acl, transfer_acl, zone_acls, signed, cookies, tcp_idle_ds };
    let mut meter = Meter::new(limiter.as_mut(), from, now, verified.asked_len(), settled);
    let request = match query(&verified.reading, &setting, &mut meter, out) {
        Ok(request) => request,
        Err(outcome) => return outcome,
    };
    hashes.fill(request.question.name);
    let (mut opt, proof) = setting.opt(request.edns);
    let len_max = setting.len_max(request.edns);
    meter.lift(proof);
    let verdict = match setting.decide(request, proof, hashes, zones) {
        Wanted::Answer(verdict) => verdict,
        Wanted::Zone(slot, zone) => {
            let message = verified.message;
            let asked = transfer::Asked { message, request, opt: opt.as_ref(), from, len_max };
            match transfer::start(&asked, zone, transfer_writer, &mut meter, out) {
                Some(outcome) => return outcome,
                None => Verdict::Answer(slot, zone),
            }
        }
    };
    let mut response = Response::to(request, opt.as_mut(), hashes, names, len_max, out);
    let reason = match verdict {
        Verdict::Refuse(reason) => refuse(&mut response, reason, from.transport),
        Verdict::Tell(text) => tell(&mut response, text),
        Verdict::Answer(slot, zone) => {
            let is_closed: &dyn Fn(Name<'_>) -> bool = &|apex| setting.denies_zone(apex);
            let is_closed = (!zone_acls.is_empty()).then_some(is_closed);
            let open = OpenZones { zones, is_closed };
            let terms = terms(request, open, *policy);
            let question = transfer::in_one_message(request.question);
            write::version(&mut response, request, zone);
            response.set_apex(zone.apex());
            let mut reply = Reply::new(zone, question.name);
            answer::answer(&mut reply, question, hashes, terms, scratch);
            write::authority(&mut response, &reply, question);
            let left_out = write::write(&mut response, &reply, open, *policy, terms, scratch);
            see(&Seen { zones, question, reply: &reply, scratch, left_out });
            meter.read(&reply, question, hashes);
            answered(slot, reply.end)
        }
    };
    meter.send(&mut response, reason)
}

/// The query, or what becomes of a message that is none with one question.
fn query<'r, 'm>(
    reading: &'r Reading<'m>,
    setting: &Setting<'_>,
    meter: &mut Meter<'_>,
    out: &mut Vec<u8>,
) -> Result<&'r Request<'m>, Outcome> {
    match *reading {
        Reading::Query(ref request) => Ok(request),
        Reading::NoQuestion(header, Extras { edns, .. }) => {
            Err(meter.bare(out, |out| setting.give_cookie(header, edns, out)))
        }
        Reading::Reject(header, fault, Extras { edns, .. }) => {
            Err(meter.bare(out, |out| setting.reject(header, edns, Reason::Fault(fault), out)))
        }
        Reading::Ignore(silence) => Err(Outcome::Drop(silence)),
    }
}

/// Says what the server is.
fn tell(response: &mut Response<'_>, text: &[u8]) -> Reason {
    response.chaos_text(text);
    Reason::Identity
}

/// Why it is so that a zone answered.
fn answered(slot: &Slot, end: End) -> Reason {
    match slot {
        Slot::Stale(_) => Reason::AnsweredStale(end),
        Slot::Live(_) | Slot::Broken => Reason::Answered(end),
    }
}

/// Answers that no zone answers. A server tells its identifier to whom it chooses to (RFC 5001 §2.2): here
/// it would make the answer several times as long as the question.
fn refuse(response: &mut Response<'_>, reason: Reason, transport: Transport) -> Reason {
    response.status(reason.rcode(), reason.error());
    if transport == Transport::Udp {
        response.leave_nsid_out();
    }
    if matches!(reason, Reason::NoCookie | Reason::OverRate) {
        response.set_truncated();
    }
    reason
}

/// How a question is to be answered: as its asker and the operator want it.
fn terms<'z>(request: &Request<'_>, zones: OpenZones<'z>, policy: Policy) -> Terms<'z> {
    Terms {
        dnssec_ok: request.edns.is_some_and(|edns| edns.dnssec_ok),
        beyond: Some(zones).filter(|_| policy.aliases_across_zones),
    }
}
