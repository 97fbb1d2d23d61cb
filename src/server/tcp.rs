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

use super::connection::{Connection, End};
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

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Finished(End),
    Broken,
    Idle,
    ForNewer,
    ForOwnNewer,
    AtEnd,
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
        Connections { table, ready, clients, limits, expiry: None, read_buffer }
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
        let idle_max = self.idle_max();
        let is_over = |entry: &Entry| entry.connection.idle_since() + idle_max <= now;
        let over = self.table.iter().filter(|(_, entry)| is_over(entry)).map(|(key, _)| key);
        for key in over.collect::<Vec<_>>() {
            self.close(key, Closing::Idle, responder);
        }
        self.expiry = self.idlest(|_| true).map(|(_, since)| since + self.idle_max());
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
        connection.take_transfer().into_iter().for_each(|outgoing| responder.let_go(outgoing));
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
        let counters = &mut responder.counters;
        let counter = match why {
            Closing::Finished(End::Client) => &mut counters.closed_by_client,
            Closing::Finished(End::Malformed) => &mut counters.closed_malformed,
            Closing::Broken | Closing::Finished(End::Failed) => &mut counters.closed_broken,
            Closing::Idle => &mut counters.closed_idle,
            Closing::ForNewer => &mut counters.closed_for_newer,
            Closing::ForOwnNewer => &mut counters.closed_for_own_newer,
            Closing::AtEnd => &mut counters.closed_at_end,
        };
        *counter += 1;
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
mod tests {
    use super::*;
    use crate::respond::{Policy, State};
    use std::net::TcpStream as Client;
    use std::time::Duration;

    const IDLE_MAX: Duration = Duration::from_secs(10);

    struct Table {
        connections: Connections,
        responder: Responder,
        poll: mio::Poll,
        listener: std::net::TcpListener,
    }

    /// A table for two connections, and a listener to connect to.
    fn table() -> Table {
        table_for(2, 10)
    }

    fn table_for(connections_max: usize, per_client_max: usize) -> Table {
        let limits = Limits { connections_max, per_client_max, idle_max: IDLE_MAX };
        Table {
            connections: Connections::new(limits),
            responder: Responder::new(State::new(Policy::default())),
            poll: mio::Poll::new().unwrap(),
            listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    impl Table {
        fn connect(&mut self) -> Client {
            self.connect_as("127.0.0.1")
        }

        /// Connects as if from that address.
        fn connect_as(&mut self, source: &str) -> Client {
            let client = Client::connect(self.listener.local_addr().unwrap()).unwrap();
            let (stream, _) = self.listener.accept().unwrap();
            let source = (source.parse::<IpAddr>().unwrap(), 5353).into();
            stream.set_nonblocking(true).unwrap();
            let stream = TcpStream::from_std(stream);
            self.connections.add(stream, source, self.poll.registry(), &mut self.responder);
            client
        }

        fn advance(&mut self, seconds: u64) {
            self.responder.now += Duration::from_secs(seconds);
            self.connections.expire(&mut self.responder);
        }
    }

    #[test]
    fn a_full_table_closes_who_was_idle_longest() {
        let mut table = table();
        let clients = [(); 3].map(|()| {
            table.responder.now += Duration::from_millis(1);
            table.connect()
        });
        assert_eq!(table.connections.table.len(), 2);
        assert_eq!(table.responder.counters.closed_for_newer, 1);
        assert_eq!((&clients[0]).read(&mut [0]).unwrap(), 0, "the first one is closed");
    }

    #[test]
    fn idle_connections_are_closed_when_their_time_has_come_and_not_before() {
        let mut table = table_for(4, 4);
        assert_eq!(table.connections.expiry(), None);
        let start = table.responder.now;
        let _first = table.connect();
        table.advance(4);
        let _second = table.connect();
        assert_eq!(table.connections.expiry(), Some(start + IDLE_MAX));
        table.advance(5);
        assert_eq!(table.connections.table.len(), 2);
        table.advance(1);
        assert_eq!(table.connections.table.len(), 1);
        assert_eq!(table.connections.expiry(), Some(start + Duration::from_secs(4) + IDLE_MAX));
        table.advance(4);
        assert_eq!(table.connections.expiry(), None);
        assert_eq!(table.responder.counters.closed_idle, 2);
    }

    #[test]
    fn the_fuller_the_table_the_sooner_who_is_idle_goes() {
        let mut table = table_for(20, 20);
        let _clients: Vec<Client> = (0..10).map(|_| table.connect()).collect();
        assert_eq!(table.connections.idle_max(), IDLE_MAX);
        table.advance(4);
        let _more: Vec<Client> = (0..8).map(|_| table.connect()).collect();
        assert_eq!(table.connections.idle_max(), Duration::from_secs(2));
        table.connections.turn(&mut table.responder);
        assert_eq!(table.responder.state.tcp_idle_ds, Some(20), "as clients are told");
        table.advance(2);
        assert_eq!(table.responder.counters.closed_idle, 18, "the first and the later ones");
        assert_eq!(table.connections.idle_max(), IDLE_MAX);
        let _full: Vec<Client> = (0..20).map(|_| table.connect()).collect();
        assert_eq!(table.connections.idle_max(), Duration::from_secs(1));
    }

    #[test]
    fn a_client_with_too_many_connections_loses_its_own() {
        for (client, same, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:100::1", "2001:db8:0:1ff::9", "2001:db8:0:200::1"),
        ] {
            let mut table = table_for(10, 2);
            let _other = table.connect_as(other);
            table.advance(1);
            let first = table.connect_as(client);
            table.advance(1);
            let _more: Vec<Client> = (0..4).map(|_| table.connect_as(same)).collect();
            assert_eq!(table.connections.table.len(), 3, "{client}");
            assert_eq!(table.responder.counters.closed_for_own_newer, 3);
            assert_eq!((&first).read(&mut [0]).unwrap(), 0, "the first one is closed");
            table.connections.close_all(&mut table.responder);
            assert!(table.connections.clients.is_empty());
        }
    }

    #[test]
    fn every_accepted_connection_is_open_or_counted_as_closed() {
        let mut table = table();
        let _clients = [(); 5].map(|()| table.connect());
        table.connections.close_all(&mut table.responder);
        let counters = table.responder.counters;
        assert_eq!(counters.tcp_accepted, 5);
        assert_eq!(counters.closed_for_newer + counters.closed_at_end, 5);
    }
}
