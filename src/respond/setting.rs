//! In which setting a query is answered, and what becomes of it there: who asks, when, what the operator
//! wants, and which zone is asked.

use super::signature::Signature;
use super::{Outcome, Peer, Reason, Transport, transfer};
use crate::answer::identity::{Identity, Told};
use crate::clock::Now;
use crate::guard::acl::Acl;
use crate::guard::cookie::{Cookies, Proof};
use crate::guard::per_zone::PerZone;
use crate::name::{Name, Suffixes};
use crate::rr::Class;
use crate::wire::edns::{Edns, Opt};
use crate::wire::request::{Fault, Header, Question, Request};
use crate::wire::{HEADER_LEN, TCP_LEN_MAX, UDP_LEN_MAX, UDP_LEN_PLAIN, response};
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use std::sync::Arc;

/// In which setting a query is answered: who asks, when, and what the operator wants.
pub(super) struct Setting<'s> {
    pub(super) from: Peer,
    pub(super) now: Now,
    pub(super) identity: &'s Identity,
    pub(super) acl: &'s Acl,
    pub(super) zone_acls: &'s PerZone,
    pub(super) transfer_acl: Option<&'s Acl>,
    pub(super) signed: &'s Signature<'s>,
    pub(super) cookies: Option<&'s Cookies>,
    pub(super) tcp_idle_ds: Option<u16>,
}

impl<'s> Setting<'s> {
    /// The OPT record that answers another, and what the cookie in that one proves.
    #[inline]
    pub(super) fn opt(&self, edns: Option<Edns<'_>>) -> (Option<Opt<'s>>, Option<Proof>) {
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
    pub(super) fn give_cookie(
        &self,
        header: Header,
        edns: Option<Edns<'_>>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let reason = match self.opt(edns).1 {
            _ if self.is_denied_by(self.acl) => Reason::Denied,
            Some(Proof::Ours | Proof::ClientOnly) => Reason::CookieGiven,
            Some(Proof::NotOurs) => Reason::BadCookie,
            None if edns.is_some_and(|edns| edns.version != 0) => Reason::EdnsVersion,
            None => Reason::Fault(Fault::QuestionCount),
        };
        self.reject(header, edns, reason, out)
    }

    /// How long the answer may be without its signature.
    pub(super) fn len_max(&self, edns: Option<Edns<'_>>) -> u16 {
        let len_max = len_max(edns.map(|edns| edns.udp_len), self.from.transport);
        len_max.saturating_sub(self.signed.record_len())
    }

    /// Answers with a header, and OPT. What the signature lacks comes before all else.
    pub(super) fn reject(
        &self,
        header: Header,
        edns: Option<Edns<'_>>,
        reason: Reason,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let reason = self.signed.refusal().unwrap_or(reason);
        let room = usize::from(self.len_max(edns)) - HEADER_LEN;
        let over_tcp = self.from.transport == Transport::Tcp; // as in `refuse`
        let opt = self.opt(edns).0.map(|opt| {
            Opt { nsid: opt.nsid.filter(|_| over_tcp), error: reason.error(), ..opt }.within(room)
        });
        response::header_alone(header, opt, reason.rcode(), out);
        Outcome::Send(reason)
    }

    /// Who answers: RFC 1034 §4.3.2 step 2, behind what holds for every zone.
    #[inline]
    pub(super) fn decide<'z>(
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
        match if self.zone_acls.is_empty() { None } else { nearest() } {
            Some((_, labels)) => self.denies_zone(question.name.suffix(labels)),
            None => self.is_denied_by(self.acl),
        }
    }

    /// Whether the asker may not ask the zone of that apex.
    pub(super) fn denies_zone(&self, apex: Name<'_>) -> bool {
        self.is_denied_by(self.zone_acls.ask(apex).unwrap_or(self.acl))
    }

    fn is_denied_by(&self, acl: &Acl) -> bool {
        acl.denies(self.from.source.ip(), self.signed.key())
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

/// How long the answer may be to who can take so many octets over UDP (RFC 6891 §6.2.3, RFC 9715 §3.2).
pub(super) fn len_max(udp_len: Option<u16>, transport: Transport) -> u16 {
    match (transport, udp_len) {
        (Transport::Tcp, _) => TCP_LEN_MAX,
        (Transport::Udp, Some(udp_len)) => udp_len.min(UDP_LEN_MAX),
        (Transport::Udp, None) => UDP_LEN_PLAIN,
    }
}

/// What a query wants and may have.
pub(super) enum Wanted<'z> {
    /// One answer.
    Answer(Verdict<'z>),
    /// This zone, whole or what changed in it.
    Zone(&'z Slot, &'z Arc<Zone>),
}

/// What is to be done with a query that gets one answer.
pub(super) enum Verdict<'z> {
    /// No zone is asked.
    Refuse(Reason),
    /// The server says this about itself.
    Tell(&'z [u8]),
    /// This zone is asked.
    Answer(&'z Slot, &'z Zone),
}

/// The zone that answers a question, or why none does.
#[inline]
pub(super) fn find<'z>(
    question: Question<'_>,
    hashes: &Suffixes,
    zones: &'z ZoneSet,
) -> Verdict<'z> {
    let Some((slot, _)) = zones.nearest(question.name, question.rtype, hashes) else {
        return Verdict::Refuse(Reason::NotServed);
    };
    slot.zone().map_or(Verdict::Refuse(Reason::Broken), |zone| Verdict::Answer(slot, zone))
}
