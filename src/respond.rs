//! One message in, one outcome out: the only door to an answer.
//!
//! UDP, TCP, the tests and the benches all come through [`respond`]. It has no socket, no clock and
//! no file, and does not allocate but to begin a transfer.

mod ahead;
mod limit;
mod ready;
mod reason;
mod signature;
mod transfer;
mod write;

use crate::answer::identity::Told;
use crate::answer::{self, End, Reply, Scratch, Terms};
use crate::clock::Now;
use crate::guard::acl::Acl;
use crate::guard::cookie::{Cookies, Proof};
use crate::guard::per_zone::PerZone;
use crate::guard::rrl::{Limiter, Passage};
use crate::guard::tsig::Keys;
use crate::name::Suffixes;
use crate::rr::Class;
use crate::transfer::{Outgoing, Writer};
use crate::wire::compress::Compressor;
use crate::wire::edns::{Edns, Opt};
use crate::wire::request::{Extras, Fault, Header, Question, Reading, Request};
use crate::wire::response::{self, Response};
use crate::wire::{HEADER_LEN, TCP_LEN_MAX, UDP_LEN_MAX, UDP_LEN_PLAIN};
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use limit::Meter;
use ready::Road;
use signature::{Signature, Verified};
use std::net::SocketAddr;
use std::sync::Arc;

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
    if let Some(silence) = state.ignores(from.source) {
        return Outcome::Drop(silence);
    }
    match ready::respond(message, from, now, state, out) {
        Road::Short(outcome) => outcome,
        Road::Long(settled) => long_road(message, from, now, state, out, settled, |_| ()),
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
    match state.ignores(from.source) {
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
    let mut meter = Meter::new(limiter.as_mut(), from, now, settled);
    let request = match verified.reading {
        Reading::Query(ref request) => request,
        Reading::NoQuestion(header, Extras { edns, .. }) => {
            return meter.bare(out, |out| setting.give_cookie(header, edns, out));
        }
        Reading::Reject(header, fault, Extras { edns, .. }) => {
            return meter.bare(out, |out| setting.reject(header, edns, Reason::Fault(fault), out));
        }
        Reading::Ignore(silence) => return Outcome::Drop(silence),
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
        Verdict::Refuse(reason) => refuse(&mut response, reason),
        Verdict::Tell(text) => tell(&mut response, text),
        Verdict::Answer(slot, zone) => {
            let terms = terms(request, zones, *policy);
            let question = transfer::in_one_message(request.question);
            write::version(&mut response, request, zone);
            response.set_apex(zone.apex());
            let mut reply = Reply::new(zone, question.name);
            answer::answer(&mut reply, question, hashes, terms, scratch);
            write::authority(&mut response, &reply, question);
            let left_out = write::write(&mut response, &reply, zones, *policy, terms, scratch);
            see(&Seen { zones, question, reply: &reply, scratch, left_out });
            meter.read(&reply, question, hashes);
            answered(slot, reply.end)
        }
    };
    meter.send(&mut response, reason)
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

/// Answers that no zone answers.
fn refuse(response: &mut Response<'_>, reason: Reason) -> Reason {
    response.status(reason.rcode(), reason.error());
    if matches!(reason, Reason::NoCookie | Reason::OverRate) {
        response.set_truncated();
    }
    reason
}

/// In which setting a query is answered: who asks, when, and what the operator wants.
struct Setting<'s> {
    from: Peer,
    now: Now,
    identity: &'s Identity,
    acl: &'s Acl,
    zone_acls: &'s PerZone,
    transfer_acl: Option<&'s Acl>,
    signed: &'s Signature<'s>,
    cookies: Option<&'s Cookies>,
    tcp_idle_ds: Option<u16>,
}

impl<'s> Setting<'s> {
    /// The OPT record that answers another, and what the cookie in that one proves.
    #[inline]
    fn opt(&self, edns: Option<Edns<'_>>) -> (Option<Opt<'s>>, Option<Proof>) {
        let Some(edns) = edns else {
            return (None, None);
        };
        let asked = edns.options;
        let cookie = asked.cookie.zip(self.cookies).map(|(cookie, cookies)| {
            cookies.secrets.check(cookie, self.from.source.ip(), self.now.unix_s_modulo())
        });
        let nsid = self.identity.nsid.as_ref().filter(|_| asked.nsid);
        let in_stream = asked.keepalive && self.from.transport == Transport::Tcp;
        let opt = Opt {
            dnssec_ok: edns.dnssec_ok,
            nsid: nsid.map(|nsid| &nsid[..]),
            cookie: cookie.map(|(_, option)| option),
            tcp_idle_ds: self.tcp_idle_ds.filter(|_| in_stream), // RFC 7828 §3.3.1
            ..Opt::default()
        };
        (Some(opt), cookie.map(|(proof, _)| proof))
    }

    /// Answers a message without a question: it may want a cookie (RFC 7873 §5.4), and else is
    /// none that can be answered.
    fn give_cookie(&self, header: Header, edns: Option<Edns<'_>>, out: &mut Vec<u8>) -> Outcome {
        let reason = match self.opt(edns).1 {
            Some(Proof::Ours | Proof::ClientOnly) => Reason::CookieGiven,
            Some(Proof::NotOurs) => Reason::BadCookie,
            None if edns.is_some_and(|edns| edns.version != 0) => Reason::EdnsVersion,
            None => Reason::Fault(Fault::QuestionCount),
        };
        self.reject(header, edns, reason, out)
    }

    /// How long the answer may be without its signature.
    fn len_max(&self, edns: Option<Edns<'_>>) -> u16 {
        let len_max = len_max(edns.map(|edns| edns.udp_len), self.from.transport);
        len_max.saturating_sub(self.signed.record_len())
    }

    /// Answers with a header, and OPT. What the signature lacks comes before all else.
    fn reject(
        &self,
        header: Header,
        edns: Option<Edns<'_>>,
        reason: Reason,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let reason = self.signed.refusal().unwrap_or(reason);
        let room = usize::from(self.len_max(edns)) - HEADER_LEN;
        let opt = self.opt(edns).0.map(|opt| Opt { error: reason.error(), ..opt }.within(room));
        response::header_alone(header, opt, reason.rcode(), out);
        Outcome::Send(reason)
    }

    /// Who answers: RFC 1034 §4.3.2 step 2, behind what holds for every zone.
    #[inline]
    fn decide<'z>(
        &self,
        request: &Request<'_>,
        proof: Option<Proof>,
        hashes: &Suffixes,
        zones: &'z ZoneSet,
    ) -> Wanted<'z>
    where
        's: 'z,
    {
        let (question, is_denied) =
            (request.question, self.denies(request.question, hashes, zones));
        if let Some(reason) = self.turn_away(request, is_denied, proof) {
            return Wanted::Answer(Verdict::Refuse(reason));
        }
        Wanted::Answer(match question.class {
            Class::IN | Class::ANY if transfer::is_asked_for(question.rtype) => {
                match self.transfer(question, hashes, zones) {
                    Ok((slot, zone)) => return Wanted::Zone(slot, zone),
                    Err(reason) => Verdict::Refuse(reason),
                }
            }
            Class::IN | Class::ANY => find(question, hashes, zones),
            Class::CH => match self.identity.tell(question) {
                Told::Text(text) => Verdict::Tell(text),
                Told::Kept => Verdict::Refuse(Reason::IdentityKept),
                Told::Unknown => Verdict::Refuse(Reason::OtherClass),
            },
            _ => Verdict::Refuse(Reason::OtherClass),
        })
    }

    /// Why a query gets no further, whatever it asks for.
    fn turn_away(
        &self,
        request: &Request<'_>,
        is_denied: bool,
        proof: Option<Proof>,
    ) -> Option<Reason> {
        if let Some(reason) = self.signed.refusal() {
            return Some(reason);
        }
        if request.edns.is_some_and(|edns| edns.version != 0) {
            return Some(Reason::EdnsVersion);
        }
        if is_denied {
            return Some(Reason::Denied);
        }
        self.want_cookie(proof)
    }

    /// Whether the asker may not ask that: the rule of the zone decides, or the server's.
    fn denies(&self, question: Question<'_>, hashes: &Suffixes, zones: &ZoneSet) -> bool {
        let nearest = || zones.nearest(question.name, question.rtype, hashes);
        let rule = match self.zone_acls.is_empty() {
            true => None,
            false => {
                nearest().and_then(|(_, labels)| self.zone_acls.ask(question.name.suffix(labels)))
            }
        };
        rule.unwrap_or(self.acl).denies(self.from.source.ip(), self.signed.key())
    }

    /// Where cookies are required, nothing is said over UDP to an address that may be made up. Who
    /// has none of ours gets one (RFC 7873 §5.2.3, case 2). For those that send none §5.2.1 leaves
    /// nothing but an ordinary answer, which may hit a victim, or none; they are sent to TCP, which
    /// proves their address and which every client speaks (RFC 7766 §5).
    fn want_cookie(&self, proof: Option<Proof>) -> Option<Reason> {
        let required = self.cookies.is_some_and(|cookies| cookies.required);
        match proof {
            _ if !required || self.from.transport == Transport::Tcp => None,
            Some(Proof::Ours) => None,
            Some(Proof::ClientOnly | Proof::NotOurs) => Some(Reason::BadCookie),
            None => Some(Reason::NoCookie),
        }
    }
}

/// How a question is to be answered: as its asker and the operator want it.
fn terms<'z>(request: &Request<'_>, zones: &'z ZoneSet, policy: Policy) -> Terms<'z> {
    Terms {
        dnssec_ok: request.edns.is_some_and(|edns| edns.dnssec_ok),
        beyond: Some(zones).filter(|_| policy.aliases_across_zones),
    }
}

/// How long the answer may be to who can take so many octets over UDP (RFC 6891 §6.2.3, RFC 9715 §3.2).
fn len_max(udp_len: Option<u16>, transport: Transport) -> u16 {
    match (transport, udp_len) {
        (Transport::Tcp, _) => TCP_LEN_MAX,
        (Transport::Udp, Some(udp_len)) => udp_len.min(UDP_LEN_MAX),
        (Transport::Udp, None) => UDP_LEN_PLAIN,
    }
}

/// What a query wants and may have.
enum Wanted<'z> {
    /// One answer.
    Answer(Verdict<'z>),
    /// This zone, whole or what changed in it.
    Zone(&'z Slot, &'z Arc<Zone>),
}

/// What is to be done with a query that gets one answer.
enum Verdict<'z> {
    /// No zone is asked.
    Refuse(Reason),
    /// The server says this about itself.
    Tell(&'z [u8]),
    /// This zone is asked.
    Answer(&'z Slot, &'z Zone),
}

/// The zone that answers a question, or why none does.
#[inline]
fn find<'z>(question: Question<'_>, hashes: &Suffixes, zones: &'z ZoneSet) -> Verdict<'z> {
    let Some((slot, _)) = zones.nearest(question.name, question.rtype, hashes) else {
        return Verdict::Refuse(Reason::NotServed);
    };
    slot.zone().map_or(Verdict::Refuse(Reason::Broken), |zone| Verdict::Answer(slot, zone))
}
