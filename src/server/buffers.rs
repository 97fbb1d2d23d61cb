//! The kernel's buffers of UDP sockets: how much may wait while the loop does something else?
//!
//! What finds the receive buffer full is lost, and its client asks again after a second or more. The
//! kernel's own size holds some 270 queries, and the loop can be kept from a socket for longer than
//! those take to come. A buffer without measure is no better: who waits in it for longer than a
//! client's patience is answered in vain.
//!
//! The kernel grants no more than the administrator allows (`net.core.rmem_max`, `wmem_max`). The
//! options that override this (`SO_RCVBUFFORCE`) need CAP_NET_ADMIN, which is far more than a name
//! server should have, and would overrule somebody's decision. So the server says what it lacks.

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
