//! TCP connections with their sockets: who may hold one, for how long, and whose turn is it?
//!
//! What a connection does with bytes stands in [`connection`](super::connection); here are the
//! sockets. Events only mark a connection as ready; it then
//! gets a short turn (one read, one write) and goes to the end of the queue if there is more, so a
//! thousand busy connections share the loop and none of them, nor all together, keeps it from UDP.
//!
//! Strangers open connections, so nothing here waits for them. One that is idle for too long is
//! closed, and the fuller the table the sooner; when it is full, the one that has been idle longest
//! makes room for the new one, because a newcomer asks at once and an old idler may never ask again.
//! A client that has as many as one may have makes room among its own.

use super::closing::Closing;
use super::connection::Connection;
use super::counters::LogLimit;
use super::responder::Responder;
use super::{Event, Limits};
use mio::net::TcpStream;
use mio::{Interest, Registry};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Octets per read: some 140 queries. With [`TURNS_MAX`] it bounds what streams may ask within one
/// turn of the loop to about 2,000 queries, a millisecond's work; for so long the receive buffers
/// of the UDP sockets can hold what comes.
const READ_LEN: usize = 4096;

/// Connections that get a turn within one turn of the loop.
const TURNS_MAX: usize = 16;

/// All open connections.
pub(super) struct Connections {
    table: Slab<Entry>,
    /// Those that have something to do. A key may have been closed meanwhile, or stand here for a
    /// connection that got the same key since; a turn for nothing does no harm.
    ready: VecDeque<usize>,
    /// How many connections each client has. The keys are hashed with a seed of this process.
    clients: HashMap<IpAddr, usize>,
    limits: Limits,
    /// No connection is idle for too long before this. Activity only makes it later, so it is
    /// looked at again when it has come, and not whenever something happens.
    expiry: Option<Instant>,
    /// For transfers that are cut off.
    cut_log: LogLimit,
    read_buffer: Box<[u8]>,
}

/// One open connection.
struct Entry {
    client: IpAddr,
    stream: TcpStream,
    connection: Connection,
    readable: bool,
    writable: bool,
    /// The client has closed its half: read on until the end shows.
    read_closed: bool,
    queued: bool,
}

/// What a connection needs after its turn.
enum Step {
    /// An event.
    Wait,
    /// Another turn.
    Again,
    /// To be closed.
    Close(Closing),
}

impl Connections {
    /// An empty table.
    pub(super) fn new(limits: Limits) -> Connections {
        let read_buffer = vec![0; READ_LEN].into_boxed_slice();
        let (table, ready, clients) = (Slab::new(), VecDeque::new(), HashMap::new());
        let (expiry, cut_log) = (None, LogLimit::default());
        Connections { table, ready, clients, limits, expiry, cut_log, read_buffer }
    }

    /// Has other limits from now on.
    pub(super) fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        self.expiry = self.expiry.map(|expiry| expiry.min(now));
    }

    /// Something happened on a connection.
    pub(super) fn wake(&mut self, key: usize, event: &mio::event::Event) {
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        entry.readable = true; // an error or hang-up shows in reading or writing
        entry.writable = true;
        entry.read_closed |= event.is_read_closed() || event.is_error();
        self.enqueue(key);
    }

    /// Whether a connection needs another turn before waiting for events.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When to look for idle connections.
    pub(super) fn expiry(&self) -> Option<Instant> {
        self.expiry
    }

    /// Gives connections that are ready a turn each, up to a bound.
    pub(super) fn turn(&mut self, responder: &mut Responder) {
        let idle_max_ds = u16::try_from(self.idle_max().as_millis() / 100).unwrap_or(u16::MAX);
        responder.state.tcp_idle_ds = Some(idle_max_ds);
        for _ in 0..self.ready.len().min(TURNS_MAX) {
            let Some(key) = self.ready.pop_front() else {
                return;
            };
            let Some(entry) = self.table.get_mut(key) else {
                continue;
            };
            entry.queued = false;
            match entry.turn(&mut self.read_buffer, responder) {
                Step::Wait => {}
                Step::Again => self.enqueue(key),
                Step::Close(why) => self.close(key, why, responder),
            }
        }
    }

    /// Closes connections that have been idle for too long.
    pub(super) fn expire(&mut self, responder: &mut Responder) {
        let now = responder.now;
        if self.expiry.is_none_or(|expiry| now < expiry) {
            return;
        }
        let over = self.table.iter().filter(|(_, entry)| self.end_of(entry) <= now);
        for key in over.map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, Closing::Idle, responder);
        }
        self.expiry = self.table.iter().map(|(_, entry)| self.end_of(entry)).min();
    }

    /// When a connection has been idle for too long. Who is sent a zone may be a slow reader over a
    /// long way, and was allowed to have it: it is not pressed because others are many.
    fn end_of(&self, Entry { connection, .. }: &Entry) -> Instant {
        let in_transfer = connection.is_in_transfer();
        let idle_max = if in_transfer { self.limits.idle_max } else { self.idle_max() };
        connection.idle_since() + idle_max
    }

    /// For how long a connection may be idle now.
    fn idle_max(&self) -> Duration {
        self.limits.idle_max_at(self.table.len())
    }

    /// Closes all.
    pub(super) fn close_all(&mut self, responder: &mut Responder) {
        for key in self.table.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, Closing::AtEnd, responder);
        }
    }

    /// Takes a new connection: in the place of an idle one of the same client if that has as many as
    /// it may have, or of anybody's if the table is full.
    pub(super) fn add(
        &mut self,
        stream: TcpStream,
        source: SocketAddr,
        registry: &Registry,
        responder: &mut Responder,
    ) {
        responder.counters.tcp_accepted += 1;
        let client = client(source.ip());
        if self.clients.get(&client).is_some_and(|&count| count >= self.limits.per_client_max) {
            self.close_idlest_of(client, responder);
        }
        if self.table.len() >= self.limits.connections_max {
            self.close_idlest(responder);
        }
        *self.clients.entry(client).or_default() += 1;
        let key = self.table.insert(Entry::new(stream, source, responder.now));
        // The fuller the table, the sooner others are idle for too long, too.
        let expiry = responder.now + self.idle_max();
        self.expiry = Some(self.expiry.map_or(expiry, |before| before.min(expiry)));
        let stream = &mut self.table[key].stream;
        let (token, interest) =
            (Event::Connection(key).token(), Interest::READABLE.add(Interest::WRITABLE));
        if registry.register(stream, token, interest).is_err() {
            self.close(key, Closing::Broken, responder);
        }
    }

    /// Closes the connection that has been idle longest; whether there was one.
    pub(super) fn close_idlest(&mut self, responder: &mut Responder) -> bool {
        let Some((key, _)) = self.idlest(|_| true) else {
            return false;
        };
        self.close(key, Closing::ForNewer, responder);
        true
    }

    fn close_idlest_of(&mut self, client: IpAddr, responder: &mut Responder) {
        if let Some((key, _)) = self.idlest(|entry| entry.client == client) {
            self.close(key, Closing::ForOwnNewer, responder);
        }
    }

    /// Of the connections that count, the one that has been idle longest, and since when.
    fn idlest(&self, counts: impl Fn(&Entry) -> bool) -> Option<(usize, Instant)> {
        let counting = self.table.iter().filter(|(_, entry)| counts(entry));
        let since = counting.map(|(key, entry)| (key, entry.connection.idle_since()));
        since.min_by_key(|&(_, since)| since)
    }

    fn enqueue(&mut self, key: usize) {
        let entry = &mut self.table[key];
        if !entry.queued {
            entry.queued = true;
            self.ready.push_back(key);
        }
    }

    /// Closes a connection. The kernel forgets its registration with the socket.
    fn close(&mut self, key: usize, why: Closing, responder: &mut Responder) {
        let Entry { client, mut connection, .. } = self.table.remove(key);
        if let Some(outgoing) = connection.take_transfer() {
            let to = connection.source();
            let line = || format!("not all was sent to {to}: {outgoing}, then {why}");
            self.cut_log.warn(responder.now, line);
            responder.let_go(outgoing);
        }
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
        why.count(&mut responder.counters);
    }
}

impl Entry {
    fn new(stream: TcpStream, source: SocketAddr, now: Instant) -> Entry {
        // Answers are written whole, so the kernel has nothing to gain by waiting for more; where
        // it cannot be told so, answers are late and not wrong.
        let _ = stream.set_nodelay(true);
        let (client, connection) = (client(source.ip()), Connection::new(source, now));
        let (readable, writable, read_closed, queued) = (false, false, false, false);
        Entry { client, stream, connection, readable, writable, read_closed, queued }
    }

    /// One turn: writes what waits, answers what waited for room, reads once and writes again.
    fn turn(&mut self, buffer: &mut [u8], responder: &mut Responder) -> Step {
        match self.exchange(buffer, responder) {
            Err(_) => Step::Close(Closing::Broken),
            Ok(()) => self.next_step(),
        }
    }

    fn exchange(&mut self, buffer: &mut [u8], responder: &mut Responder) -> io::Result<()> {
        self.write(responder.now)?;
        self.connection.answer(responder);
        if self.readable && self.connection.wants_input() {
            self.read(buffer, responder)?;
        }
        self.write(responder.now)
    }

    fn next_step(&self) -> Step {
        if let Some(end) = self.connection.finished() {
            return Step::Close(Closing::Finished(end));
        }
        let input = self.readable && self.connection.wants_input();
        if input || self.connection.has_backlog() { Step::Again } else { Step::Wait }
    }

    fn read(&mut self, buffer: &mut [u8], responder: &mut Responder) -> io::Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => self.connection.input_ended(),
            Ok(len) => {
                // A short read emptied the socket: what comes later is another event. Only an end
                // that was announced already is not announced again.
                self.readable = len == buffer.len() || self.read_closed;
                self.connection.receive(&buffer[..len], responder);
            }
            Err(error) => self.readable = !would_block(error)?,
        }
        Ok(())
    }

    fn write(&mut self, now: Instant) -> io::Result<()> {
        while self.writable && !self.connection.outgoing().is_empty() {
            match self.stream.write(self.connection.outgoing()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.connection.wrote(len, now),
                Err(error) => self.writable = !would_block(error)?,
            }
        }
        Ok(())
    }
}

/// Who has the connections of an address: with IPv6, who has the /56 that customers get.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 72).into(),
    }
}

/// Whether a call has to wait for an event, or only to be made again; other errors are errors.
fn would_block(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        ErrorKind::WouldBlock => Ok(true),
        ErrorKind::Interrupted => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
