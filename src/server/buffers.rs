//! The kernel's buffers: how much may wait while the loop, or a client, does something else?
//!
//! For UDP they should be large, for TCP small.
//!
//! What finds the receive buffer full is lost, and its client asks again after a second or more. The
//! kernel's own size holds some 270 queries, and the loop can be kept from a socket for longer than
//! those take to come. A buffer without measure is no better: who waits in it for longer than a
//! client's patience is answered in vain.
//!
//! The kernel grants no more than the administrator allows (`net.core.rmem_max`, `wmem_max`). The
//! options that override this (`SO_RCVBUFFORCE`) need CAP_NET_ADMIN, which is far more than a name
//! server should have, and would overrule somebody's decision. So the server says what it lacks.
//!
//! The buffers of a stream grow by themselves, to four megabytes and more, which a client fills that
//! asks and does not read. And the kernel tells of room for more when a third of the send buffer is free:
//! of a large one, a slow reader takes so much in a minute, and seems to take nothing until then. So
//! those of streams are fixed, and little may wait in them that is not on its way.

use super::listen::Listener;
use log::Level;
use socket2::{SockRef, Socket};
use std::io;

/// Octets of a receive buffer. The kernel books 768 for a query, and grants twice what it is asked
/// for: room for 5,400 queries, which is what a core can answer in some ten milliseconds. That
/// covers a turn in which all streams are busy, and the pause when another process has the core.
const RECEIVE_LEN: usize = 2 * 1024 * 1024;

/// Octets of a send buffer. The kernel books 2,304 for the longest answer: twice this is room for
/// 450 of them, more than one turn of a socket makes, while the device takes the first.
const SEND_LEN: usize = 512 * 1024;

/// Octets of a stream's send buffer; the kernel grants twice this, and books what it takes to keep
/// them, too. So a stream carries 200 kB in the time that an acknowledgement takes to come: over 100 ms
/// that is 2 MB in a second.
const STREAM_SEND_LEN: usize = 128 * 1024;

/// Octets of a stream's receive buffer, as many as of the longest message. Twice this is what the
/// kernel begins with.
const STREAM_RECEIVE_LEN: usize = 64 * 1024;

/// Octets that may wait in the send buffer and not be on their way. The kernel says that there is room
/// when half of these are: a client that takes 16 KiB within the idle time is seen to read.
const STREAM_UNSENT_LEN: u32 = 32 * 1024;

/// One of a socket's two buffers.
struct Buffer {
    name: &'static str,
    len: usize,
    /// What bounds it, for sysctl(8).
    limit: &'static str,
    given: fn(&Socket) -> io::Result<usize>,
    /// What becomes of what finds no room.
    loss: &'static str,
}

const BUFFERS: [Buffer; 2] = [
    Buffer {
        name: "receive",
        len: RECEIVE_LEN,
        limit: "net.core.rmem_max",
        given: Socket::recv_buffer_size,
        loss: "queries are lost in bursts that it cannot hold",
    },
    Buffer {
        name: "send",
        len: SEND_LEN,
        limit: "net.core.wmem_max",
        given: Socket::send_buffer_size,
        loss: "answers are dropped when it is full",
    },
];

/// Asks for buffers. What the kernel gives in place of it, it gives without an error.
pub(super) fn ask(socket: &Socket) -> io::Result<()> {
    socket.set_recv_buffer_size(RECEIVE_LEN)?;
    socket.set_send_buffer_size(SEND_LEN)
}

/// Bounds the buffers of streams: what is accepted has them from its listening socket.
pub(super) fn bound_streams(listener: &Socket) -> io::Result<()> {
    listener.set_recv_buffer_size(STREAM_RECEIVE_LEN)?;
    listener.set_send_buffer_size(STREAM_SEND_LEN)?;
    listener.set_tcp_notsent_lowat(STREAM_UNSENT_LEN)
}

/// Says which buffers are smaller than they should be: once, since one bound holds for all sockets.
/// On loopback no burst comes from a network, so there it is a detail.
pub(super) fn tell(listeners: &[Listener]) {
    let from_network = listeners.iter().any(|listener| !listener.local.ip().is_loopback());
    let level = if from_network { Level::Info } else { Level::Debug };
    let Some(listener) = listeners.first() else { return };
    let socket = SockRef::from(&listener.udp);
    for buffer in &BUFFERS {
        let given = (buffer.given)(&socket).unwrap_or(usize::MAX);
        if let Some(lack) = buffer.lack(given) {
            log::log!(level, "{lack}");
        }
    }
}

impl Buffer {
    /// The line about a buffer of which the kernel says that it is `given` octets long, if that is
    /// less than was asked for. It says twice what it was asked for (socket(7)).
    fn lack(&self, given: usize) -> Option<String> {
        let Buffer { name, len, limit, loss, .. } = self;
        let given = given / 2;
        (given < *len).then(|| {
            format!(
                "the {name} buffers of UDP sockets have {given} octets, not {len}: {loss}. \
                 `sysctl {limit}={len}` allows them to the next start"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::listen;
    use mio::net::TcpStream;
    use mio::{Events, Interest, Poll, Token};
    use std::io::{Read, Write};
    use std::time::Duration;

    /// What the kernel says of a buffer of which as much as can be was asked for.
    fn most(given: fn(&Socket) -> io::Result<usize>) -> usize {
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        let much = 1 << 29;
        socket.set_recv_buffer_size(much).unwrap();
        socket.set_send_buffer_size(much).unwrap();
        given(&socket).unwrap()
    }

    #[test]
    fn the_sockets_have_buffers_as_large_as_wanted_or_allowed() {
        let listeners = listen::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let socket = SockRef::from(&listeners[0].udp);
        for Buffer { len, given, .. } in &BUFFERS {
            assert_eq!(given(&socket).unwrap(), (2 * len).min(most(*given)));
        }
    }

    /// A client whose own buffer is small, and the server's end of its connection.
    fn stream() -> (Socket, TcpStream) {
        let listeners = listen::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let client = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        client.connect(&listeners[0].local.into()).unwrap();
        loop {
            match listeners[0].tcp.accept() {
                Ok((stream, _)) => return (client, stream),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[test]
    fn the_buffers_of_streams_are_bounded() {
        let (_client, stream) = stream();
        let socket = SockRef::from(&stream);
        assert!(socket.send_buffer_size().unwrap() <= 2 * STREAM_SEND_LEN);
        assert!(socket.recv_buffer_size().unwrap() <= 2 * STREAM_RECEIVE_LEN);
    }

    #[test]
    fn a_client_that_reads_a_little_is_seen_to_read() {
        let (mut client, mut stream) = stream();
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
        poll.registry().register(&mut stream, Token(0), Interest::WRITABLE).unwrap();
        let fill = |mut stream: &TcpStream| while stream.write(&[0; 4096]).is_ok() {};
        while !poll
            .poll(&mut events, Some(Duration::from_millis(100)))
            .is_ok_and(|()| events.is_empty())
        {
            fill(&stream);
        }
        client.read_exact(&mut [0; STREAM_UNSENT_LEN as usize]).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "there is room for more");
    }

    #[test]
    fn what_is_less_than_wanted_is_told_with_both_figures_and_the_way_out() {
        for buffer in &BUFFERS {
            assert_eq!(buffer.lack(2 * buffer.len), None);
            let line = buffer.lack(212_992).unwrap();
            let remedy = format!("`sysctl {}={}`", buffer.limit, buffer.len);
            assert!(line.contains("106496 octets, not") && line.contains(&remedy), "{line}");
        }
    }
}
