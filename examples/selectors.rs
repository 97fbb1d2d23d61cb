//! The smallest mio loop, for a reader who knows Python's `selectors`: an echo server that serves
//! UDP and TCP on one thread, and waits in one place only.
//!
//! ```text
//! cargo run --example selectors                     # takes a free port on 127.0.0.1, says which
//! cargo run --example selectors -- 127.0.0.1:7777   # then: nc 127.0.0.1 7777, or with -u
//! ```
//!
//! | Python | here |
//! |---|---|
//! | `sel = selectors.DefaultSelector()` | `let mut poll = Poll::new()?` |
//! | (the same) | `let registry = poll.registry()` |
//! | `sel.register(sock, EVENT_READ, data)` | `registry.register(&mut sock, token, READABLE)?` |
//! | `EVENT_READ`, `EVENT_WRITE` | `Interest::READABLE`, `Interest::WRITABLE` |
//! | `key.data`, any object | `Token`, a number; what belongs to it is kept in a map of our own |
//! | `sel.unregister(sock)` | `registry.deregister(&mut sock)?` |
//! | `sel.select(timeout)` | `poll.poll(&mut events, timeout)?` |
//! | `for key, mask in events:` | `for event in &events` |
//! | `mask & EVENT_READ` | `event.is_readable()` |
//! | `sock.setblocking(False)` | every mio socket is born so |
//! | `except BlockingIOError:` | `Err(error) if error.kind() == ErrorKind::WouldBlock` |
//!
//! **The one great difference.** Python's selectors are *level-triggered*: `select` names a socket
//! as long as there is something to read. mio is *edge-triggered*: it names the socket once, when
//! something has arrived. Whoever then reads only a part is not told again. So every handler below
//! goes on until the kernel says `WouldBlock`.
//!
//! Zonesmith's own loop, in `src/server`, is this one with batches, timers and limits.

#![allow(clippy::print_stdout, reason = "a program for the terminal: printing is its purpose")]

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// Events taken from the kernel in one go; further ones come with the next.
const EVENTS_MAX: usize = 64;
/// Connections kept at once, so that visitors cannot use up all file descriptors.
const CONNECTIONS_MAX: usize = 100;
/// The largest datagram there is.
const DATAGRAM_LEN_MAX: usize = 65_535;

/// The tokens of the two sockets that are always there. Connections count on from here.
const UDP: Token = Token(0);
const LISTENER: Token = Token(1);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".to_string());
    let address = address.parse().map_err(|error| {
        io::Error::new(ErrorKind::InvalidInput, format!("`{address}`: {error}; try 127.0.0.1:7777"))
    })?;
    let mut echo = Echo::bind(address)?;
    println!("echoing UDP and TCP on {}", echo.listener.local_addr()?);
    echo.run()
}

/// A server: what waits, and what it waits for.
struct Echo {
    poll: Poll,
    udp: UdpSocket,
    listener: TcpListener,
    connections: HashMap<Token, Connection>,
    next_token: usize,
}

/// One visitor over TCP.
struct Connection {
    stream: TcpStream,
    /// What was read and could not be written back yet. Nothing more is read until it is gone, so
    /// one who sends and never reads fills the kernel's buffers, not our memory.
    pending: Vec<u8>,
}

/// What became of a connection.
#[derive(PartialEq)]
enum State {
    Open,
    Closed,
}

impl Echo {
    fn bind(address: SocketAddr) -> io::Result<Echo> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        let mut udp = UdpSocket::bind(listener.local_addr()?)?; // the same port, if ours was 0
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut udp, UDP, Interest::READABLE)?;
        Ok(Echo { poll, udp, listener, connections: HashMap::new(), next_token: LISTENER.0 + 1 })
    }

    /// The loop. `poll` is the only call in this program that ever waits.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue, // by a signal
                result => result?,
            }
            for event in &events {
                match event.token() {
                    UDP => self.echo_datagrams(),
                    LISTENER => self.accept_all(),
                    token => self.serve(token),
                }
            }
        }
    }

    /// Sends back every datagram that is there.
    fn echo_datagrams(&mut self) {
        let mut buffer = [0; DATAGRAM_LEN_MAX];
        loop {
            match self.udp.recv_from(&mut buffer) {
                // A datagram that cannot be sent is lost, as datagrams are. The next one may do.
                Ok((length, from)) => drop(self.udp.send_to(&buffer[..length], from)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => eprintln!("a datagram could not be read: {error}"),
            }
        }
    }

    /// Takes in every visitor who waits.
    fn accept_all(&mut self) {
        loop {
            match self.listener.accept() {
                // Taken and let go at once: whoever is not accepted now would raise no event later.
                Ok(_) if self.connections.len() >= CONNECTIONS_MAX => {}
                Ok((stream, _)) => self.welcome(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return eprintln!("a connection could not be taken: {error}"),
            }
        }
    }

    /// Registers a connection for reading and for writing. With edges that costs nothing: an event
    /// comes when there is room again, not all the time while there is room.
    fn welcome(&mut self, mut stream: TcpStream) {
        let token = Token(self.next_token);
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut stream, token, interest) {
            Ok(()) => {
                self.next_token += 1;
                self.connections.insert(token, Connection { stream, pending: Vec::new() });
            }
            Err(error) => eprintln!("a connection could not be registered: {error}"),
        }
    }

    /// Something happened on a connection: what, the sockets themselves tell.
    fn serve(&mut self, token: Token) {
        // An event may be older than the end of its connection, so the token may be unknown.
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        // An error, such as a reset by the other side, ends this connection and no other.
        if connection.echo().unwrap_or(State::Closed) == State::Closed
            && let Some(connection) = self.connections.remove(&token)
        {
            connection.close(self.poll.registry());
        }
    }
}

impl Connection {
    /// Writes what is pending, reads what is there, in turn, until the kernel would make us wait
    /// for one of the two. Either way an event will come when it is time to go on.
    fn echo(&mut self) -> io::Result<State> {
        let mut buffer = [0; 4096];
        loop {
            let step = match self.pending.is_empty() {
                true => self.stream.read(&mut buffer),
                false => self.stream.write(&self.pending),
            };
            match step {
                Ok(0) => return Ok(State::Closed),
                Ok(length) if self.pending.is_empty() => self.pending.extend(&buffer[..length]),
                Ok(length) => drop(self.pending.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(State::Open),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Unregistered first, closed then (by going out of scope), as in Python.
    fn close(mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.stream) {
            eprintln!("a connection could not be unregistered: {error}");
        }
    }
}
