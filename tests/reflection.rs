//! Datagrams that come from where nobody asks: port 0, and the server's own address. An answer to the
//! latter would be a query to itself or to a neighbour, and so on without end.
//!
//! Such datagrams take a raw socket, which root may have. Others do without this test; the rule is also
//! tested where it stands (`respond/limit.rs`).
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use socket2::{Domain, Protocol, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use support::program::{folder, write};
use support::query::{Query, Transport};
use support::server::{Server, wait_until};

const ZONE: &str = "$TTL 300\n@ SOA ns admin 1 1d 1h 1w 5m\n  NS ns\nns A 192.0.2.1\n";

/// A raw socket for UDP at the server's own IP address.
fn raw(server: SocketAddr) -> Option<Socket> {
    match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)) {
        Ok(socket) => {
            socket.bind(&SocketAddr::new(server.ip(), 0).into()).unwrap();
            Some(socket)
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            let _ = writeln!(std::io::stderr(), "skipped: raw sockets are for root");
            None
        }
    }
}

/// A datagram with any source port (RFC 768); over IPv4 it may be without a checksum.
fn datagram(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).unwrap();
    let header = [source, destination, len, 0].map(u16::to_be_bytes);
    [header.as_flattened(), data].concat()
}

#[test]
fn what_comes_from_port_0_or_from_the_server_itself_is_dropped_and_counted() {
    let folder = folder();
    write(folder.path(), &[("example.zone", ZONE)]);
    let server = Server::start(folder.path(), &["-vv"]).unwrap();
    let Some(socket) = raw(server.address) else { return };
    let query = Query::parse("ns.example. A").unwrap().wire;
    let own = server.address.port();
    for source in [0, own, own] {
        let sent = socket.send_to(&datagram(source, own, &query), &server.address.into());
        sent.unwrap();
    }
    server.ask(&query, Transport::Udp).unwrap().unwrap(); // behind them
    server.signal("TERM").unwrap();
    assert!(wait_until(|| server.log().contains("served: ")), "{}", server.log());
    let log = server.log();
    assert!(
        log.contains("UDP 5 queries, 2 answers, 3 unanswered (2 to itself), 0 unsent"),
        "{log}"
    );
    assert!(log.contains(":0 no answer: from port 0"), "{log}");
    assert_eq!(log.matches("no answer: from where this server listens itself").count(), 2, "{log}");
}
