//! The loop over real sockets on loopback: do answers come back, and does nobody wait for others?
//!
//! No zone is served here, so what an answer says is no matter: it is one if it carries the id of
//! its query and is a response. What answers say is tested by the scenarios.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use zonesmith::reload::Command;
use zonesmith::respond::{Policy, State};
use zonesmith::server::{Limits, Server, listen};
use zonesmith::zone::set::{Change, Slot};

/// After this a test has failed. It is long, so that a busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that runs until the test process ends.
struct Running {
    addresses: Vec<SocketAddr>,
    waker: Arc<mio::Waker>,
    changes: Sender<Vec<Change>>,
    commands: Receiver<Command>,
}

fn start(listen: &[&str]) -> Running {
    start_with(listen, Limits::default())
}

fn start_with(listen: &[&str], limits: Limits) -> Running {
    let asked: Vec<SocketAddr> = listen.iter().map(|text| text.parse().unwrap()).collect();
    let listeners = listen::bind(&asked).unwrap();
    let addresses = listeners.iter().map(|listener| listener.local).collect();
    let state = State::new(Policy::default());
    let server = Server::new(listeners, state, limits).unwrap();
    let waker = server.waker();
    let (changes, change_receiver) = mpsc::channel();
    let (command_sender, commands) = mpsc::channel();
    thread::spawn(move || server.run(change_receiver, command_sender));
    Running { addresses, waker, changes, commands }
}

/// Whether there is IPv6 loopback to test with; some containers have none.
fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

/// A query for `smith.edu. NS`.
fn query(id: u16) -> Vec<u8> {
    let header = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    [&id.to_be_bytes()[..], header, b"\x05smith\x03edu\x00\x00\x02\x00\x01"].concat()
}

/// The same for a stream.
fn framed(id: u16) -> Vec<u8> {
    let query = query(id);
    [&u16::try_from(query.len()).unwrap().to_be_bytes()[..], &query].concat()
}

fn udp_client(address: &str) -> UdpSocket {
    let client = UdpSocket::bind(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn tcp_client(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client.set_nodelay(true).unwrap();
    client
}

fn assert_answers(answer: &[u8], id: u16) {
    assert_eq!(answer[..2], id.to_be_bytes());
    assert!(answer[2] & 0x80 != 0, "QR is set");
}

/// Asks over UDP and gives where the answer came from.
fn ask_udp(client: &UdpSocket, server: SocketAddr, id: u16) -> SocketAddr {
    client.send_to(&query(id), server).unwrap();
    let mut answer = [0; 1232];
    let (len, from) = client.recv_from(&mut answer).unwrap();
    assert_answers(&answer[..len], id);
    from
}

fn read_answer(client: &mut TcpStream, id: u16) {
    let mut len = [0; 2];
    client.read_exact(&mut len).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    client.read_exact(&mut answer).unwrap();
    assert_answers(&answer, id);
}

/// Waits for the server to close, with whatever it still sends.
fn read_end(client: &mut TcpStream) {
    match client.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn every_listener_answers_over_udp_and_tcp() {
    let listen = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"];
    let server = start(if has_ipv6() { &listen } else { &listen[..2] });
    for &address in &server.addresses {
        let client = udp_client(if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
        for id in 1..100 {
            assert_eq!(ask_udp(&client, address, id), address);
        }
        let mut client = tcp_client(address);
        client.write_all(&framed(7)).unwrap();
        read_answer(&mut client, 7);
    }
}

#[test]
fn many_datagrams_at_once_are_all_answered() {
    let server = start(&["127.0.0.1:0"]);
    let client = udp_client("127.0.0.1:0");
    for id in 0..100 {
        client.send_to(&query(id), server.addresses[0]).unwrap(); // they fit the receive buffers
    }
    for id in 0..100 {
        let mut answer = [0; 1232];
        let len = client.recv(&mut answer).unwrap();
        assert_answers(&answer[..len], id);
    }
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let server = start(&["0.0.0.0:0"]);
    let client = udp_client("127.0.0.1:0");
    for asked in ["127.0.0.2", "127.0.0.1", "127.9.9.9"] {
        let asked = SocketAddr::new(asked.parse().unwrap(), server.addresses[0].port());
        assert_eq!(ask_udp(&client, asked, 1), asked);
    }
    if !has_ipv6() {
        return;
    }
    let server = start(&["[::]:0"]);
    let asked = SocketAddr::new("::1".parse().unwrap(), server.addresses[0].port());
    assert_eq!(ask_udp(&udp_client("[::1]:0"), asked, 1), asked);
}

#[test]
fn queries_of_a_stream_are_answered_in_order_however_they_come() {
    let server = start(&["127.0.0.1:0"]);
    let mut client = tcp_client(server.addresses[0]);
    let stream: Vec<u8> = (0..50).flat_map(framed).collect();
    client.write_all(&stream).unwrap();
    (0..50).for_each(|id| read_answer(&mut client, id));
    for octet in stream.chunks(1) {
        client.write_all(octet).unwrap();
    }
    (0..50).for_each(|id| read_answer(&mut client, id));
}

#[test]
fn a_client_that_closes_its_half_still_gets_its_answers() {
    let server = start(&["127.0.0.1:0"]);
    let mut client = tcp_client(server.addresses[0]);
    let stream: Vec<u8> = (0..2000).flat_map(framed).collect();
    client.write_all(&stream).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    (0..2000).for_each(|id| read_answer(&mut client, id));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_message_without_an_answer_closes_the_connection() {
    let server = start(&["127.0.0.1:0"]);
    for bad in [&b"\x00\x00"[..], b"\x00\x03abc"] {
        let mut client = tcp_client(server.addresses[0]);
        client.write_all(&[&framed(1), bad].concat()).unwrap();
        read_answer(&mut client, 1);
        read_end(&mut client);
    }
}

#[test]
fn a_client_that_does_not_read_stops_nobody_and_gets_all_in_the_end() {
    let server = start(&["127.0.0.1:0"]);
    let mut slow = tcp_client(server.addresses[0]);
    // Written until both sides' buffers are full and the server reads no more. The bound only
    // guards against a server that buffers without end.
    slow.set_nonblocking(true).unwrap();
    let chunk: Vec<u8> = (0..1000).flat_map(framed).collect();
    let client = udp_client("127.0.0.1:0");
    let (mut written, mut refused) = (0, 0);
    while refused < 50 {
        assert!(written < 64 << 20, "the server takes queries without end");
        match slow.write(&chunk[written % chunk.len()..]) {
            Ok(len) => (written, refused) = (written + len, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            Err(error) => panic!("{error}"),
        }
        ask_udp(&client, server.addresses[0], 1); // gives the loop a turn, too
    }
    slow.set_nonblocking(false).unwrap();
    let whole = written / framed(0).len();
    for id in 0..whole {
        read_answer(&mut slow, u16::try_from(id % 1000).unwrap());
    }
}

#[test]
fn a_flood_of_datagrams_does_not_keep_streams_waiting() {
    let server = start(&["127.0.0.1:0"]);
    let address = server.addresses[0];
    let over = Arc::new(AtomicBool::new(false));
    let flood = {
        let (over, deadline) = (Arc::clone(&over), Instant::now() + PATIENCE);
        thread::spawn(move || {
            let client = udp_client("127.0.0.1:0");
            while !over.load(Ordering::Relaxed) && Instant::now() < deadline {
                client.send_to(&query(1), address).unwrap();
            }
        })
    };
    for id in 0..20 {
        let mut client = tcp_client(address);
        client.write_all(&framed(id)).unwrap();
        read_answer(&mut client, id);
    }
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn a_newcomer_takes_the_place_of_who_was_idle_longest() {
    let idle_max = PATIENCE * 100; // a full table waits for a tenth of it
    let limits = Limits { connections_max: 2, idle_max, ..Limits::default() };
    let server = start_with(&["127.0.0.1:0"], limits);
    let mut clients: Vec<TcpStream> = Vec::new();
    for id in 0..3 {
        let mut client = tcp_client(server.addresses[0]);
        client.write_all(&framed(id)).unwrap();
        read_answer(&mut client, id);
        clients.push(client);
    }
    read_end(&mut clients[0]);
    for client in &mut clients[1..] {
        client.write_all(&framed(9)).unwrap();
        read_answer(client, 9);
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let limits = Limits { idle_max: Duration::from_millis(50), ..Limits::default() };
    let server = start_with(&["127.0.0.1:0"], limits);
    let mut client = tcp_client(server.addresses[0]);
    client.write_all(&framed(1)[..5]).unwrap();
    read_end(&mut client);
}

#[test]
fn zone_changes_are_taken_when_the_loop_is_woken_and_old_zones_come_back() {
    let server = start(&["127.0.0.1:0"]);
    for round in 0..3 {
        let apex = "smith.edu.".parse().unwrap();
        server.changes.send(vec![Change { apex, slot: Some(Slot::Broken) }]).unwrap();
        server.waker.wake().unwrap();
        let command = server.commands.recv_timeout(PATIENCE).unwrap();
        let Command::Applied { messages, replaced } = command else { panic!("{command:?}") };
        assert_eq!((messages, replaced.len()), (1, usize::from(round > 0)));
    }
}
