//! TCP connections with their sockets: who may hold one, for how long, and whose turn is it?
//!
//! What a connection does with bytes stands in [`connection`](super::connection); here are the
//! sockets. Events only mark a connection as ready if there is something to do; it then gets a short
//! turn (one read, one write) and goes to the end of the queue if there is more, so a thousand busy
//! connections share the loop and none of them, nor all together, keeps it from UDP.
//!
//! Strangers open connections, so nothing here waits for them. One that is idle for too long is
//! closed, and the fuller the table the sooner; when it is full, the one that has been idle longest
//! makes room for the new one, because a newcomer asks at once and an old idler may never ask again.
//! Newcomers that do not ask go before those who have asked, and nobody goes whose turn is due.
//! A client that has as many as one may have makes room among its own.

use super::closing::Closing;
use super::connection::Connection;
use super::counters::LogLimit;
use super::responder::Responder;
use super::{Event, Limits};
use mio::net::TcpStream;
use mio::{Interest, Registry};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Octets per read: some 140 queries.
const READ_LEN: usize = 4096;

/// Connections that get a turn within one turn of the loop.
pub(super) const TURNS_MAX: usize = 64;

/// Queries in streams after which no further connection gets a turn within one turn of the loop. The
/// costliest take a quarter of a millisecond each, and for some ten milliseconds the receive buffers of
/// the UDP sockets can hold what comes.
const QUERIES_MAX: u64 = 128;

/// How many times as long as it is, the time counts that a connection is idle which has not asked yet.
/// A newcomer asks with its first segment, so one that has not for 10 ms is as one that asked a second
/// ago; and however many those are that ask in time, a newcomer has some milliseconds.
const SILENCE_WEIGHT: u32 = 100;

/// All open connections.
pub(super) struct Connections {
    table: Slab<Entry>,
    /// Those that have something to do, each once.
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
        // An error or hang-up shows in reading or writing.
        let (reads, writes) = (event.is_read_closed(), event.is_write_closed());
        entry.readable |= event.is_readable() || reads || event.is_error();
        entry.writable |= event.is_writable() || writes || event.is_error();
        entry.read_closed |= reads || event.is_error();
        if entry.has_work() {
            self.enqueue(key);
        }
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
        let queries_max = responder.counters.tcp_queries + QUERIES_MAX;
        for _ in 0..self.ready.len().min(TURNS_MAX) {
            if responder.counters.tcp_queries >= queries_max {
                return;
            }
            let Some(key) = self.ready.pop_front() else {
                return;
            };
            let entry = &mut self.table[key];
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
        let Some(key) = self.idlest(responder.now, |_| true) else {
            return false;
        };
        self.close(key, Closing::ForNewer, responder);
        true
    }

    fn close_idlest_of(&mut self, client: IpAddr, responder: &mut Responder) {
        if let Some(key) = self.idlest(responder.now, |entry| entry.client == client) {
            self.close(key, Closing::ForOwnNewer, responder);
        }
    }

    /// Of the connections that count, the one that has been idle longest; one whose turn is due only
    /// if there is no other.
    fn idlest(&self, now: Instant, counts: impl Fn(&Entry) -> bool) -> Option<usize> {
        let counting = self.table.iter().filter(|(_, entry)| counts(entry));
        let rank = |entry: &Entry| (entry.queued, Reverse(entry.idle_for(now)));
        counting.min_by_key(|(_, entry)| rank(entry)).map(|(key, _)| key)
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
        let Entry { client, mut connection, queued, .. } = self.table.remove(key);
        if queued {
            self.ready.retain(|&ready| ready != key);
        }
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
        if self.has_work() { Step::Again } else { Step::Wait }
    }

    /// Whether a turn would do anything.
    fn has_work(&self) -> bool {
        self.readable && self.connection.wants_input()
            || self.writable && !self.connection.outgoing().is_empty()
            || self.connection.has_backlog()
    }

    /// For how long it counts as idle when somebody must make room.
    fn idle_for(&self, now: Instant) -> Duration {
        let idle = now.saturating_duration_since(self.connection.idle_since());
        if self.connection.has_asked() { idle } else { idle * SILENCE_WEIGHT }
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

    /// Writes what waits, unless more comes with the next turn: what was asked at once is answered at
    /// once (RFC 7766 §6.2.1.1).
    fn write(&mut self, now: Instant) -> io::Result<()> {
        while self.writable
            && !self.connection.outgoing().is_empty()
            && !self.connection.has_backlog()
        {
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
