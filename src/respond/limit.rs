//! Who is not even read, which answers are counted, as what, and how an answer is shortened that
//! comes too often.

use super::{Outcome, Peer, Reason, Silence, State, Transport, refuse};
use crate::answer::{End, Reply};
use crate::clock::Now;
use crate::guard::cookie::Proof;
use crate::guard::rrl::{Kind, Limiter, Passage};
use crate::name::Suffixes;
use crate::rr::table;
use crate::wire::request::Question;
use crate::wire::response::Response;
use crate::zone::Position;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

impl State {
    /// Why what comes from there is not even read. Nobody listens on port 0; and who makes a server
    /// talk to itself is no asker. Who listens everywhere does so on all of 127.0.0.0/8 (RFC 1122 §3.2.1.3).
    pub(super) fn ignores(&self, source: &SocketAddr) -> Option<Silence> {
        let is_own = |own: &SocketAddr| {
            own.port() == source.port()
                && (own.ip() == source.ip()
                    || own.ip() == Ipv4Addr::UNSPECIFIED && source.ip().is_loopback())
        };
        match source.port() {
            0 => Some(Silence::PortZero),
            _ if self.own_addresses.iter().any(is_own) => Some(Silence::OwnAddress),
            _ => None,
        }
    }
}

/// What an answer counts as, and whose answers count.
pub(super) struct Meter<'s> {
    /// None where answers are not counted.
    limiter: Option<&'s mut Limiter>,
    address: IpAddr,
    now_ms: u64,
    /// The octets of the question.
    asked_len: usize,
    kind: Kind,
    /// The hash of the name that it counts for.
    name: u64,
    /// What becomes of the answer, if that was settled before.
    settled: Option<Passage>,
}

impl<'s> Meter<'s> {
    /// Over TCP an address is its owner's.
    pub(super) fn new(
        limiter: Option<&'s mut Limiter>,
        from: Peer,
        now: Now,
        asked_len: usize,
        settled: Option<Passage>,
    ) -> Meter<'s> {
        let address = from.source.ip();
        let counts =
            |limiter: &&mut Limiter| from.transport == Transport::Udp && limiter.counts(address);
        let limiter = limiter.filter(counts);
        let now_ms = now.monotonic_ms;
        Meter { limiter, address, now_ms, asked_len, kind: Kind::Bare, name: 0, settled }
    }

    /// Who comes with a cookie of ours has shown that the address is theirs (RFC 7873 §5.2.5).
    pub(super) fn lift(&mut self, proof: Option<Proof>) {
        if proof == Some(Proof::Ours) {
            self.limiter = None;
        }
    }

    /// What a reply counts as.
    pub(super) fn read(&mut self, reply: &Reply<'_>, question: Question<'_>, hashes: &Suffixes) {
        if self.limiter.is_some() {
            let (kind, labels) = kind(reply, question);
            (self.kind, self.name) = (kind, hashes.hash(labels.unwrap_or(hashes.labels())));
        }
    }

    /// Ends an answer, as it is or with nothing but TC, or takes it back.
    pub(super) fn send(&mut self, response: &mut Response<'_>, reason: Reason) -> Outcome {
        let passage = self.pass(response.whole_len());
        if passage == Passage::Held {
            response.abandon();
            return Outcome::Drop(Silence::OverRate);
        }
        let mut reason = reason;
        // What holds no record is no longer than the question, nearly: it slips through as it is.
        if passage == Passage::Slip && self.kind != Kind::Bare {
            response.restart();
            reason = refuse(response, Reason::OverRate, Transport::Udp);
        }
        response.finish();
        Outcome::Send(reason)
    }

    /// Counts an answer without a question, and takes it back if it is not to be sent.
    pub(super) fn bare(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Outcome,
    ) -> Outcome {
        match self.pass(0) {
            Passage::Held => Outcome::Drop(Silence::OverRate),
            Passage::Free | Passage::Slip => write(out),
        }
    }

    /// Counts a message of so many octets: whether it may be sent as it is. If not, the shorter answer
    /// that takes its place is not counted again.
    pub(super) fn admits(&mut self, len: usize) -> bool {
        let passage = self.pass(len);
        self.settled = Some(passage);
        passage == Passage::Free
    }

    /// What becomes of an answer with so many octets.
    fn pass(&mut self, len: usize) -> Passage {
        if let Some(passage) = self.settled {
            return passage;
        }
        let (address, kind, name, now_ms) = (self.address, self.kind, self.name, self.now_ms);
        let gain = len.saturating_sub(self.asked_len);
        let pass = |limiter: &mut &mut Limiter| limiter.pass(address, kind, name, gain, now_ms);
        self.limiter.as_mut().map_or(Passage::Free, pass)
    }
}

/// What a reply counts as, and for how many of the question's rightmost labels; for all if none. A
/// name that a wildcard or a DNAME answers for is one of endlessly many, and counts as its zone's.
fn kind(reply: &Reply<'_>, question: Question<'_>) -> (Kind, Option<usize>) {
    let zone = reply.visits.first().map_or(reply.zone, |visit| visit.zone);
    let of_zone = Some(zone.apex_labels());
    let made = reply
        .visits
        .iter()
        .any(|visit| matches!(visit.position, Position::Wildcard { .. } | Position::Dname(_)));
    match reply.end {
        End::NxDomain => (Kind::NxDomain, of_zone),
        _ if made => (Kind::Made, of_zone),
        _ if question.rtype == table::ANY => (Kind::Any, of_zone),
        End::Referral if reply.visits.len() == 1 => {
            (Kind::Referral, reply.cut().map(|cut| cut.name().label_count()))
        }
        _ => (Kind::Name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::{Policy, respond};

    #[test]
    fn a_server_does_not_answer_itself() {
        let mut state = State::new(Policy::default());
        state.own_addresses = ["192.0.2.1:53", "[2001:db8::1]:53", "0.0.0.0:5300"]
            .map(|own| own.parse().unwrap())
            .into();
        let mut outcome = |source: &str| {
            let from = Peer { transport: Transport::Udp, source: source.parse().unwrap() };
            respond(&[0; 12], from, Now::default(), &mut state, &mut Vec::new())
        };
        for own in ["192.0.2.1:53", "[2001:db8::1]:53", "127.0.0.5:5300"] {
            assert_eq!(outcome(own), Outcome::Drop(Silence::OwnAddress), "{own}");
        }
        assert_eq!(outcome("192.0.2.1:0"), Outcome::Drop(Silence::PortZero));
        for other in
            ["192.0.2.1:54", "192.0.2.2:53", "[2001:db8::2]:53", "127.0.0.5:53", "192.0.2.1:5300"]
        {
            assert!(matches!(outcome(other), Outcome::Send(_)), "{other}");
        }
    }
}
