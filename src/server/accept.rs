//! One turn of a listening socket: accept who is there.
//!
//! accept(2) fails for reasons that strangers bring about: a client that left, a table that is
//! full. None of them may end the server or keep it busy, so errors are counted and logged at a
//! limited rate. Most concern the one connection that was to be accepted. Where the process or the
//! machine is out of descriptors or memory, the connection that has been idle longest is closed;
//! if that does not help, accepting pauses instead of spinning.

use super::counters::LogLimit;
use super::responder::Responder;
use super::tcp::Connections;
use mio::Registry;
use mio::net::TcpListener;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections accepted within one turn of the loop, half as many as get a turn: each may need two, to
/// be answered and to be closed, and a flood of them makes nobody wait for longer and longer.
const ACCEPTS_MAX: usize = super::tcp::TURNS_MAX / 2;

/// For how long accepting pauses when descriptors or memory are used up and closing a connection
/// of ours did not help.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket in the loop.
pub(super) struct Acceptor {
    listener: TcpListener,
    local: SocketAddr,
    ready: bool,
    /// When to accept again after a pause.
    resume: Option<Instant>,
    log: LogLimit,
}

impl Acceptor {
    /// A listener bound to `local`.
    pub(super) fn new(listener: TcpListener, local: SocketAddr) -> Acceptor {
        Acceptor { listener, local, ready: false, resume: None, log: LogLimit::default() }
    }

    /// The listener, to be registered.
    pub(super) fn listener(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    /// Somebody connects.
    pub(super) fn wake(&mut self) {
        self.ready = true;
    }

    /// Whether this listener needs another turn before waiting for events.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && self.resume.is_none()
    }

    /// When a pause ends, if there is one.
    pub(super) fn resume(&self) -> Option<Instant> {
        self.resume
    }

    /// Accepts who is there, up to a bound: one of `listeners` has its share.
    pub(super) fn turn(
        &mut self,
        listeners: usize,
        connections: &mut Connections,
        registry: &Registry,
        responder: &mut Responder,
    ) {
        if self.resume.is_some_and(|resume| resume <= responder.now) {
            self.resume = None;
        }
        let mut made_room = false;
        for _ in 0..ACCEPTS_MAX.div_ceil(listeners) {
            if !self.is_ready() {
                return;
            }
            match self.listener.accept() {
                Ok((stream, source)) => {
                    connections.add(stream, source, registry, responder);
                    if made_room {
                        return; // the next one would take the place of one not yet answered
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready = false,
                Err(error) => {
                    self.count(&error, responder);
                    if is_shortage(&error) {
                        let closed = !made_room && connections.close_idlest(responder);
                        self.resume = (!closed).then(|| responder.now + ACCEPT_PAUSE);
                        made_room = true;
                    }
                }
            }
        }
    }

    fn count(&mut self, error: &io::Error, responder: &mut Responder) {
        responder.counters.tcp_accept_failed += 1;
        let local = self.local;
        self.log.warn(responder.now, || format!("accepting on {local}: {error}{}", hint(error)));
    }
}

/// What the operator can do about an error of accept(2), where there is something.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            "; allow the server more of them (LimitNOFILE= in its systemd unit, `ulimit -n`)"
        }
        Some(libc::ENFILE) => "; the whole machine is out of them (sysctl fs.file-max)",
        _ => "",
    }
}

/// Whether an error of accept(2) lasts until something is closed or freed. All others concern the
/// one connection that was to be accepted, and are gone with it.
fn is_shortage(error: &io::Error) -> bool {
    let shortage = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|errno| shortage.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_pauses_only_for_shortages() {
        let error = io::Error::from_raw_os_error;
        assert!(is_shortage(&error(libc::EMFILE)));
        assert!(!is_shortage(&error(libc::ECONNABORTED)));
    }
}
