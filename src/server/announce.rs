//! The sockets of announcements: [`Notifier`] says what is sent when, here it is done.

use super::event::Event;
use super::listen::Listener;
use crate::clock::Now;
use crate::transfer::notify::{Action, Event as Happening, Notifier, Target};
use crate::zone::Zone;
use mio::net::UdpSocket;
use mio::{Interest, Registry};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Answers taken within one turn of the loop.
const ANSWERS_MAX: usize = 64;
/// Octets of an answer: a header, the zone, and whatever somebody adds.
const ANSWER_LEN_MAX: usize = 1232;

/// Announces zones to secondaries.
pub(super) struct Announcer {
    notifier: Notifier,
    /// One for each family that is needed.
    sockets: Vec<(SocketAddr, UdpSocket)>,
    /// What the milliseconds of the notifier count from.
    start: Instant,
    ready: bool,
}

impl Announcer {
    /// Opens what is needed to reach `secondaries`.
    pub(super) fn open(
        secondaries: &[Target],
        sources: &[SocketAddr],
        seed: u64,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Announcer> {
        let mut sockets = Vec::new();
        for is_ipv4 in [true, false] {
            if secondaries.iter().any(|it| it.address.is_ipv4() == is_ipv4) {
                let source = source(sources, is_ipv4);
                let mut socket = UdpSocket::bind(source)?;
                registry.register(&mut socket, Event::Notify.token(), Interest::READABLE)?;
                sockets.push((source, socket));
            }
        }
        let notifier = Notifier::new(secondaries, seed);
        Ok(Announcer { notifier, sockets, start: now, ready: false })
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

    /// Announces a version of a zone.
    pub(super) fn announce(&mut self, zone: &Zone, now: Instant) {
        let actions = self.notifier.step(Happening::Changed(zone), self.clock(now));
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

    fn carry_out(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(to, message) => self.send(to, &message),
                Action::Refused(from, zone, rcode) => {
                    log::warn!("{from} answers RCODE {rcode} to the announcement of {zone}");
                }
                Action::Doubted(from, doubt) => {
                    log::warn!("{from}: its answer to an announcement does not count: it {doubt}");
                }
                Action::GaveUp(to, count) => {
                    let zones = if count == 1 { "zone was" } else { "zones were" };
                    log::warn!("{to} does not answer: {count} {zones} not announced to it");
                }
            }
        }
    }

    /// What cannot be sent is sent again, as what is lost.
    fn send(&self, to: SocketAddr, message: &[u8]) {
        let mut sockets = self.sockets.iter();
        let Some((_, socket)) = sockets.find(|socket| socket.0.is_ipv4() == to.is_ipv4()) else {
            return;
        };
        match socket.send_to(message, to) {
            Ok(_) => log::debug!("announced to {to}"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => log::debug!("announcing to {to}: {error}"),
        }
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

/// The addresses that listeners are bound to.
pub(super) fn sources(listeners: &[Listener]) -> Vec<SocketAddr> {
    listeners.iter().map(|listener| listener.local).collect()
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
