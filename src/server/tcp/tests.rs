//! Who may hold a connection, for how long, and whose turn it is.

use super::*;
use crate::respond::{Policy, State};
use crate::server::connection::ANSWERS_MAX;
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

/// A query for `smith.edu. NS`, behind its length.
const QUERY: &[u8] =
    b"\x00\x1b\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05smith\x03edu\x00\x00\x02\x00\x01";

impl Table {
    /// Polls as the loop does, until that made something so.
    fn hear_until(&mut self, met: impl Fn(&Table) -> bool) {
        let (mut events, start) = (mio::Events::with_capacity(64), Instant::now());
        while !met(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "it never comes");
            self.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
            for event in &events {
                let Event::Connection(key) = Event::from(event.token()) else {
                    panic!("{event:?}")
                };
                self.connections.wake(key, event);
            }
        }
    }

    /// Asks, and has the answer.
    fn ask(&mut self, mut client: &Client) {
        let answers = self.responder.counters.tcp_answers;
        client.write_all(QUERY).unwrap();
        self.hear_until(|table| table.connections.is_ready());
        self.connections.turn(&mut self.responder);
        assert_eq!(self.responder.counters.tcp_answers, answers + 1);
        client.read_exact(&mut [0; 29]).unwrap();
    }

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

#[test]
fn a_connection_is_ready_when_there_is_something_to_do_and_never_after_its_end() {
    let mut table = table();
    let mut client = table.connect();
    table.hear_until(|table| table.connections.table[0].writable);
    assert!(!table.connections.is_ready(), "nothing is asked");
    client.write_all(QUERY).unwrap();
    table.hear_until(|table| table.connections.is_ready());
    table.connections.close_idlest(&mut table.responder);
    assert!(!table.connections.is_ready(), "it is closed");
}

#[test]
fn who_has_asked_keeps_its_place_before_newcomers_that_do_not() {
    let mut table = table_for(4, 10);
    let asker = table.connect();
    table.ask(&asker);
    table.responder.now += Duration::from_millis(500);
    let _silent: Vec<Client> = (0..20)
        .map(|_| {
            table.responder.now += Duration::from_millis(10);
            table.connect()
        })
        .collect();
    assert_eq!(table.responder.counters.closed_for_newer, 17);
    table.ask(&asker);
}

#[test]
fn who_has_asked_and_waits_for_its_turn_does_not_make_room() {
    let mut table = table();
    let mut asker = table.connect();
    asker.write_all(QUERY).unwrap();
    table.hear_until(|table| table.connections.is_ready());
    let _silent: Vec<Client> = (0..5)
        .map(|_| {
            table.responder.now += Duration::from_millis(10);
            table.connect()
        })
        .collect();
    table.connections.turn(&mut table.responder);
    assert_eq!(table.responder.counters.tcp_answers, 1);
}

#[test]
fn a_turn_of_the_loop_answers_some_queries_and_the_next_ones_the_rest() {
    let mut table = table_for(10, 10);
    let clients: Vec<Client> = (0..10).map(|_| table.connect()).collect();
    clients.iter().for_each(|mut client| client.write_all(&QUERY.repeat(500)).unwrap());
    table.hear_until(|table| table.connections.ready.len() == 10);
    while table.responder.counters.tcp_answers < 5000 {
        table.hear_until(|table| table.connections.is_ready());
        let before = table.responder.counters.tcp_queries;
        table.connections.turn(&mut table.responder);
        let answered = table.responder.counters.tcp_queries - before;
        assert!(answered < QUERIES_MAX + 2 * ANSWERS_MAX as u64, "{answered} in one turn");
    }
}

#[test]
fn what_was_asked_at_once_is_written_when_all_of_it_is_answered() {
    let mut table = table();
    let mut client = table.connect();
    client.write_all(&QUERY.repeat(3 * ANSWERS_MAX)).unwrap();
    table.hear_until(|table| table.connections.is_ready());
    table.connections.turn(&mut table.responder);
    assert!(!table.connections.table[0].connection.outgoing().is_empty());
    while table.connections.is_ready() {
        table.connections.turn(&mut table.responder);
    }
    client.read_exact(&mut vec![0; 3 * ANSWERS_MAX * 29]).unwrap();
}
