//! One turn of a UDP socket: receive a batch, answer it, send the answers.
//!
//! A socket under load is never empty, so a turn ends after [`BATCHES_PER_TURN`] batches and the
//! loop comes back to it after everything else had its turn too. An answer that cannot be sent is
//! dropped and counted, and those behind it go on: the client asks again, and waiting for one
//! client would make all others wait.

use super::counters::LogLimit;
use super::responder::Responder;
use super::system::mmsg::{BATCH_LEN, Batch};
use mio::net::UdpSocket;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Batches per turn of one socket: 256 datagrams, less than a millisecond's work.
const BATCHES_PER_TURN: usize = 8;

/// A UDP socket in the loop.
pub(super) struct Port {
    socket: UdpSocket,
    local: SocketAddr,
    readable: bool,
    log: LogLimit,
}

/// What became of a batch of answers.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Answers that the kernel refused, each for itself.
    pub(super) failed: u64,
    /// Answers dropped because the send buffer was full.
    pub(super) full: u64,
    /// Why the last one failed.
    error: Option<io::Error>,
}

impl Port {
    /// A socket bound to `local`.
    pub(super) fn new(socket: UdpSocket, local: SocketAddr) -> Port {
        Port { socket, local, readable: false, log: LogLimit::default() }
    }

    /// The socket, to be registered.
    pub(super) fn socket(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// There is something to read.
    pub(super) fn wake(&mut self) {
        self.readable = true;
    }

    /// Whether this socket needs another turn before waiting for events.
    pub(super) fn is_ready(&self) -> bool {
        self.readable
    }

    /// Answers what is there, up to a bound.
    pub(super) fn turn(&mut self, batch: &mut Batch, responder: &mut Responder) {
        for _ in 0..BATCHES_PER_TURN {
            if !self.readable {
                return;
            }
            self.readable = self.exchange(batch, responder);
        }
    }

    /// Receives, answers and sends one batch; whether there may be more. A batch that is not full
    /// emptied the socket: what comes later is another event.
    fn exchange(&mut self, batch: &mut Batch, responder: &mut Responder) -> bool {
        let len = match batch.receive(&self.socket) {
            Ok(len) => len,
            Err(error) => return self.receive_failed(&error, responder),
        };
        responder.answer_batch(batch);
        let count = batch.answer_count();
        let sent = send_all(count, |skip| batch.send(&self.socket, skip));
        self.account(&sent, responder);
        len == BATCH_LEN
    }

    /// Counts an error of receiving; whether to try again. An error that stays must not keep the
    /// loop busy, so the socket then waits for its next datagram. What ICMP told of an earlier
    /// answer is gone once it was told, and there may be datagrams behind it.
    fn receive_failed(&mut self, error: &io::Error, responder: &mut Responder) -> bool {
        match error.kind() {
            ErrorKind::WouldBlock => false,
            ErrorKind::Interrupted => true,
            kind => {
                responder.counters.udp_receive_failed += 1;
                let local = self.local;
                self.log.warn(responder.now, || format!("receiving on {local}: {error}"));
                kind == ErrorKind::ConnectionRefused
            }
        }
    }

    fn account(&mut self, sent: &Sent, responder: &mut Responder) {
        responder.counters.udp_send_failed += sent.failed;
        responder.counters.udp_send_full += sent.full;
        if let Some(error) = &sent.error {
            let local = self.local;
            self.log.warn(responder.now, || format!("sending from {local}: {error}"));
        }
    }
}

/// Sends `count` answers. `send` sends those after a number to skip, and says how many went out or
/// why the first of them did not. Each call gets further by at least one, so this ends; where there
/// is no room for one, there is none for those behind it.
pub(super) fn send_all(count: usize, mut send: impl FnMut(usize) -> io::Result<usize>) -> Sent {
    let mut sent = Sent::default();
    let mut done = 0;
    while done < count {
        match send(done) {
            Ok(len) => done += len.max(1),
            Err(error) if is_full(&error) => {
                sent.full = (count - done) as u64;
                return sent;
            }
            Err(error) => {
                sent.failed += 1;
                sent.error = Some(error);
                done += 1;
            }
        }
    }
    sent
}

/// Whether the socket's send buffer is full, or the queue of the device behind it.
fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::{Policy, State};

    /// Sends 10 answers through a kernel that behaves as `script` says, and then sends all.
    fn run(script: Vec<Result<usize, i32>>) -> (Vec<usize>, Sent) {
        let (mut calls, mut script) = (Vec::new(), script.into_iter());
        let sent = send_all(10, |skip| {
            calls.push(skip);
            script.next().unwrap_or(Ok(10 - skip)).map_err(io::Error::from_raw_os_error)
        });
        (calls, sent)
    }

    #[test]
    fn a_partial_send_is_resumed() {
        let (calls, sent) = run(vec![Ok(4), Ok(1)]);
        assert_eq!(calls, [0, 4, 5]);
        assert_eq!((sent.failed, sent.full), (0, 0));
    }

    #[test]
    fn an_answer_that_fails_is_skipped_and_the_rest_goes_on() {
        let errors = [libc::EPERM, libc::ENETUNREACH, libc::EMSGSIZE, libc::ECONNREFUSED];
        for errno in errors {
            let (calls, sent) = run(vec![Ok(3), Err(errno)]);
            assert_eq!(calls, [0, 3, 4]);
            assert_eq!((sent.failed, sent.full), (1, 0));
        }
    }

    #[test]
    fn a_full_send_buffer_drops_the_rest_of_the_batch() {
        for errno in [libc::EAGAIN, libc::ENOBUFS] {
            let (calls, sent) = run(vec![Ok(4), Err(errno)]);
            assert_eq!(calls, [0, 4]);
            assert_eq!((sent.failed, sent.full), (0, 6));
        }
    }

    /// The kernel tells a socket without a partner nothing of ICMP; a connected one shows what would
    /// happen.
    #[test]
    fn a_port_that_is_closed_costs_an_error_and_no_query() {
        let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.connect(gone.local_addr().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        gone.connect(local).unwrap();
        gone.send(&[0; 12]).unwrap(); // it waits behind the error
        drop(gone);
        socket.send(b"an answer that nobody takes").unwrap();

        let mut responder = Responder::new(State::new(Policy::default()));
        let (mut batch, mut port) = (Batch::new(), Port::new(socket, local));
        port.wake();
        port.turn(&mut batch, &mut responder);
        assert_eq!(responder.counters.udp_receive_failed, 1);
        assert_eq!(responder.counters.udp_answers, 1);
    }

    #[test]
    fn a_kernel_that_refuses_everything_is_asked_once_per_answer() {
        let (calls, sent) = run(vec![Err(libc::EPERM); 20]);
        assert_eq!(calls.len(), 10);
        assert_eq!(sent.failed, 10);
    }
}
