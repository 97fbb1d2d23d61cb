//! The sockets of announcements: [`Notifier`] says what is sent when, here it is done.

use super::event::Event;
use super::listen::Listener;
use crate::clock::Now;
use crate::name::NameBuf;
use crate::respond::State;
use crate::transfer::notify::{Action, Event as Happening, Notifier};
use crate::transfer::secondaries::{NotifySet, Secondaries};
use crate::wire::codes::Rcode;
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use mio::net::UdpSocket;
use mio::{Interest, Registry};
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Answers taken within one turn of the loop.
const ANSWERS_MAX: usize = 64;
/// Octets of an answer: a header, the zone, and whatever somebody adds.
const ANSWER_LEN_MAX: usize = 1232;
/// Name servers without an address that are told by name; beyond, nobody reads that.
const UNKNOWN_TOLD_MAX: usize = 1000;

/// Announces zones to secondaries.
pub(super) struct Announcer {
    secondaries: Secondaries,
    notifier: Notifier,
    /// One for each family that has been needed.
    sockets: Vec<(SocketAddr, UdpSocket)>,
    /// Where they are registered.
    registry: Registry,
    /// Where the server listens.
    sources: Vec<SocketAddr>,
    /// Name servers of which it was told that nobody knows their addresses.
    unknown: HashSet<NameBuf>,
    /// What the milliseconds of the notifier count from.
    start: Instant,
    ready: bool,
}

impl Announcer {
    /// Tells nobody yet, and later from where the `listeners` are bound.
    pub(super) fn new(listeners: &[Listener], registry: Registry, now: Instant) -> Announcer {
        Announcer {
            secondaries: Secondaries::default(),
            notifier: Notifier::new(0),
            sockets: Vec::new(),
            registry,
            sources: listeners.iter().map(|listener| listener.local).collect(),
            unknown: HashSet::new(),
            start: now,
            ready: false,
        }
    }

    /// Tells these from now on, of what changes from now on, and signs with these keys; whom no rule names
    /// for one of `zones` any more is not told of it again. `seed` makes ids that others cannot guess.
    pub(super) fn take(&mut self, secondaries: Secondaries, seed: u64, state: &State) {
        let State { zones, own_addresses, keys, .. } = state;
        if !self.secondaries.is_any() {
            self.notifier = Notifier::new(seed);
        }
        self.secondaries = secondaries;
        self.notifier.keep(|target, apex| {
            let zone = zones.get(apex).and_then(Slot::zone);
            let told = zone.map(|zone| self.secondaries.of(zone, zones, own_addresses).targets);
            told.is_some_and(|told| told.iter().any(|one| one.is(target)))
        });
        self.notifier.rekey(keys);
        self.unknown.clear();
    }

    /// Answers may have come.
    pub(super) fn wake(&mut self) {
        self.ready = true;
    }

    /// Whether answers wait to be taken.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// When something is to be sent even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadline_ms = self.notifier.deadline_ms()?;
        Some(self.start + Duration::from_millis(deadline_ms))
    }

    /// Announces a version of a zone, which is one of `zones`. `own` are all addresses of the server.
    pub(super) fn announce(
        &mut self,
        zone: &Zone,
        zones: &ZoneSet,
        own: &[SocketAddr],
        now: Instant,
    ) {
        if !self.secondaries.is_any() {
            return;
        }
        let NotifySet { targets, unknown } = self.secondaries.of(zone, zones, own);
        for server in unknown {
            self.tell_unknown(zone, server);
        }
        let actions = self.notifier.step(Happening::Changed(zone, &targets), self.clock(now));
        self.carry_out(actions);
    }

    /// Takes answers, up to a bound, and sends what is due.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.ready {
            self.take_answers(now);
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            let actions = self.notifier.step(Happening::Tick, self.clock(now));
            self.carry_out(actions);
        }
    }

    fn take_answers(&mut self, now: Instant) {
        let mut answer = [0; ANSWER_LEN_MAX];
        for _ in 0..ANSWERS_MAX {
            let received = self.sockets.iter().find_map(|(_, socket)| {
                socket.recv_from(&mut answer).ok() // an error is as good as no answer
            });
            let Some((len, from)) = received else {
                self.ready = false;
                return;
            };
            let happening = Happening::Received(from, &answer[..len]);
            let actions = self.notifier.step(happening, self.clock(now));
            self.carry_out(actions);
        }
    }

    fn tell_unknown(&mut self, zone: &Zone, server: NameBuf) {
        if self.unknown.len() < UNKNOWN_TOLD_MAX && !self.unknown.contains(&server) {
            log::warn!(
                "{}: its name server {server} is not told of changes: no zone here has its address\n  \
                 name the address, too, with `--notify ADDRESS`",
                zone.apex()
            );
            self.unknown.insert(server);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(to, message) => self.send(to, &message),
                Action::Refused(from, zone, rcode) => {
                    log::warn!(
                        "{from} answers {} to the announcement of {zone}\n  it takes NOTIFY from its \
                         primary alone, and of zones that it has: see what it says about both",
                        Rcode(rcode)
                    );
                }
                Action::Doubted(from, doubt) => {
                    log::warn!("{from}: its answer to an announcement does not count: it {doubt}");
                }
                Action::GaveUp(to, zone, others) => {
                    let zones = match others {
                        0 => format!("{zone} was"),
                        1 => format!("{zone} and another zone were"),
                        _ => format!("{zone} and {others} more zones were"),
                    };
                    log::warn!(
                        "{to} does not answer: {zones} not announced to it\n  see whether it runs and \
                         can be reached; by itself it asks when the SOA's refresh time is over"
                    );
                }
            }
        }
    }

    /// What cannot be sent is sent again, as what is lost.
    fn send(&mut self, to: SocketAddr, message: &[u8]) {
        match self.socket(to.is_ipv4()).and_then(|socket| socket.send_to(message, to)) {
            Ok(_) => log::debug!("announced to {to}"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => log::debug!("announcing to {to}: {error}"),
        }
    }

    /// The socket of a family, which is opened when it is needed.
    fn socket(&mut self, is_ipv4: bool) -> io::Result<&UdpSocket> {
        let is_it = |(source, _): &(SocketAddr, UdpSocket)| source.is_ipv4() == is_ipv4;
        let known = self.sockets.iter().position(is_it);
        let at = match known {
            Some(at) => at,
            None => {
                let source = source(&self.sources, is_ipv4);
                let mut socket = UdpSocket::bind(source)?;
                let token = Event::Notify.token();
                self.registry.register(&mut socket, token, Interest::READABLE)?;
                self.sockets.push((source, socket));
                self.sockets.len() - 1
            }
        };
        Ok(&self.sockets[at].1)
    }

    fn clock(&self, now: Instant) -> Now {
        let elapsed = now.saturating_duration_since(self.start).as_millis();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let monotonic_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        Now { unix_s: since.as_secs(), monotonic_ms }
    }
}

/// Where announcements come from: secondaries believe their primary's address alone, so it is the one
/// that we serve on, if there is only one.
fn source(listeners: &[SocketAddr], is_ipv4: bool) -> SocketAddr {
    let mut addresses: Vec<IpAddr> = listeners.iter().map(SocketAddr::ip).collect();
    addresses.retain(|address| address.is_ipv4() == is_ipv4);
    addresses.dedup();
    let any = match is_ipv4 {
        true => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        false => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let address = if let [only] = addresses[..] { only } else { any };
    SocketAddr::new(address, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_come_from_the_address_that_is_served_on() {
        let source = |listeners: &str, is_ipv4| {
            let listeners: Vec<SocketAddr> =
                listeners.split_whitespace().map(|it| it.parse().unwrap()).collect();
            source(&listeners, is_ipv4).to_string()
        };
        assert_eq!(source("127.0.0.2:53 127.0.0.2:5353 [::1]:53", true), "127.0.0.2:0");
        assert_eq!(source("127.0.0.2:53 127.0.0.2:5353 [::1]:53", false), "[::1]:0");
        assert_eq!(source("127.0.0.1:53 192.0.2.1:53", true), "0.0.0.0:0");
        assert_eq!(source("127.0.0.1:53", false), "[::]:0");
    }
}
