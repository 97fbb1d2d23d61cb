//! Clients, what they ask, and what the network makes of it.

use super::Dice;
use crate::reload::load::{Lints, load_text};
use crate::server::connection::{ANSWERS_MAX, Connection, OUTBOX_LEN_MAX};
use crate::server::responder::Responder;
use crate::zone::Zone;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What the server reads at once.
const READ_LEN: usize = 4096;
/// The longest message behind its length, in octets.
const FRAMED_LEN_MAX: usize = 2 + 65_535;

/// What is served of the zone at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    Version(u8),
    Broken,
    Absent,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An address.
    Small,
    /// 20 kB of text.
    Large,
    /// A name that is not there.
    Missing,
    /// All of it, which comes in two messages; over TCP.
    Zone,
}

/// A query that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: u16,
    pub(super) kind: Kind,
    /// What was served then, as a place in the history.
    pub(super) since: usize,
}

impl Kind {
    pub(super) fn any(dice: &mut Dice) -> Kind {
        [Kind::Small, Kind::Small, Kind::Large, Kind::Missing][dice.below(4)]
    }

    pub(super) fn any_over_tcp(dice: &mut Dice) -> Kind {
        if dice.below(8) == 0 { Kind::Zone } else { Kind::any(dice) }
    }

    pub(super) fn query(self, id: u16) -> Vec<u8> {
        let (name, rtype): (&[u8], u8) = match self {
            Kind::Small => (b"\x03www", 1),
            Kind::Large => (b"\x03big", 16),
            Kind::Missing => (b"\x02no", 1),
            Kind::Zone => (b"", 252),
        };
        let header = [&id.to_be_bytes()[..], b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"].concat();
        [&header[..], name, b"\x07example\x00\x00", &[rtype, 0, 1]].concat()
    }

    /// The response code over TCP, and the last octet of the answer, which shows the version.
    pub(super) fn expected(self, served: Served) -> (u8, u8) {
        match (served, self) {
            (Served::Version(version), Kind::Small) => (0, version),
            (Served::Version(version), Kind::Large) => (0, b'0' + version),
            (Served::Version(version), Kind::Missing) => (3, version),
            (Served::Version(version), Kind::Zone) => (0, version),
            (Served::Absent, Kind::Zone) => (9, 1),
            (Served::Broken, _) => (2, 1), // the question ends in its class
            (Served::Absent, _) => (5, 1),
        }
    }
}

/// Something that gets no answer: too short for a header, or a response.
pub(super) fn malformed(dice: &mut Dice) -> Vec<u8> {
    let response = [&[0, 9, 0x80][..], &[0; 9]].concat();
    vec![vec![], b"short".to_vec(), response].swap_remove(dice.below(3))
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap();
    [&len.to_be_bytes()[..], message].concat()
}

/// The zone `example.`: its answers end in the version.
pub(super) fn zone(version: u8) -> Arc<Zone> {
    let mut text = format!(
        "$TTL 300\n@ SOA ns admin {version} 2h 15m 2w {version}\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.{version}\n"
    );
    for line in 0..80 {
        text += &format!("big TXT \"{line:0>240}{version}\"\n");
    }
    let path = Path::new("example.zone");
    let loaded = load_text(path, text.into_bytes(), &[], Lints::Quick, &mut |_, _| ());
    Arc::new(loaded.zone.expect("the zone is good"))
}

/// A client, its connection, and the network between them.
pub(super) struct Client {
    pub(super) connection: Connection,
    /// Sent and not there yet.
    pub(super) on_the_way: VecDeque<u8>,
    /// In the kernel, to be read by the server.
    pub(super) arrived: VecDeque<u8>,
    /// Sends no more.
    pub(super) closed: bool,
    /// What the kernel takes of answers now, in octets.
    pub(super) room: usize,
    /// Reads no answers as long as the world goes on.
    pub(super) deaf: bool,
    /// What the client has got and not looked at yet.
    pub(super) received: Vec<u8>,
    pub(super) asked: VecDeque<Asked>,
    /// The version that the first message of a transfer was of; the second has not come.
    half: Option<u8>,
    /// Something that gets no answer was sent: nothing behind it does.
    pub(super) spoilt: bool,
    /// The lengths of messages that the server has not taken out of the stream.
    pub(super) lengths: VecDeque<usize>,
    /// Octets that the connection was given, less the messages that were taken out of them.
    pub(super) held: usize,
    pub(super) idle_since: Instant,
}

impl Client {
    pub(super) fn new(responder: &Responder, number: u16) -> Client {
        let source = SocketAddr::from(([127, 0, 0, 1], 1024 + number));
        Client {
            connection: Connection::new(source, responder.now),
            on_the_way: VecDeque::new(),
            arrived: VecDeque::new(),
            closed: false,
            room: 0,
            deaf: number.is_multiple_of(4),
            received: Vec::new(),
            asked: VecDeque::new(),
            half: None,
            spoilt: false,
            lengths: VecDeque::new(),
            held: 0,
            idle_since: responder.now,
        }
    }

    pub(super) fn send(&mut self, message: &[u8], asked: Option<Asked>) {
        self.lengths.push_back(2 + message.len());
        self.on_the_way.extend(framed(message));
        match asked {
            Some(asked) if !self.spoilt => self.asked.push_back(asked),
            Some(_) => {}
            None => self.spoilt = true,
        }
    }

    /// A turn of the loop: writes what waits, answers what waited for room, reads once and writes
    /// again. Whether the connection is over.
    pub(super) fn turn(&mut self, dice: &mut Dice, responder: &mut Responder) -> bool {
        let before = responder.counters.tcp_queries;
        self.write(dice, responder.now);
        self.connection.answer(responder);
        if self.connection.wants_input() {
            self.read(dice, responder);
        }
        self.write(dice, responder.now);
        let answered = responder.counters.tcp_queries - before;
        assert!(answered <= 2 * ANSWERS_MAX as u64, "{answered} answers in one turn");
        for _ in 0..answered {
            self.held -= self.lengths.pop_front().expect("a message that was sent");
        }
        self.connection.finished().is_some()
    }

    pub(super) fn read(&mut self, dice: &mut Dice, responder: &mut Responder) {
        let len = dice.up_to(self.arrived.len().min(READ_LEN));
        let bytes: Vec<u8> = self.arrived.drain(..len).collect();
        if len > 0 {
            self.held += len;
            self.connection.receive(&bytes, responder);
        } else if self.closed && self.arrived.is_empty() && self.on_the_way.is_empty() {
            self.connection.input_ended();
        }
    }

    pub(super) fn write(&mut self, dice: &mut Dice, now: Instant) {
        while !self.connection.outgoing().is_empty() && !self.connection.has_backlog() {
            let len = dice.up_to(self.connection.outgoing().len().min(self.room));
            if len == 0 {
                return; // it would block
            }
            self.received.extend_from_slice(&self.connection.outgoing()[..len]);
            self.room -= len;
            self.connection.wrote(len, now);
        }
    }

    /// Looks at the answers that are whole.
    pub(super) fn look(&mut self, history: &[Served]) {
        let mut taken = 0;
        while let Some((len, rest)) = self.received[taken..].split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*len));
            let Some(answer) = rest.get(..len) else { break };
            let asked = *self.asked.front().expect("nothing is answered that was not asked");
            assert_eq!(answer[..2], asked.id.to_be_bytes(), "answers come in order");
            let got = (answer[3] & 15, *answer.last().unwrap());
            taken += 2 + len;
            if asked.kind == Kind::Zone && got.0 == 0 && self.half.is_none() {
                self.half = Some(got.1 - b'0'); // it ends in the text
                continue;
            }
            let half = self.half.take();
            assert!(half.is_none_or(|version| version == got.1), "a transfer of two versions");
            self.asked.pop_front();
            let mut since = history[asked.since..].iter();
            assert!(since.any(|&it| asked.kind.expected(it) == got), "{asked:?} gets {got:?}");
        }
        self.received.drain(..taken);
    }

    pub(super) fn check(&mut self, now: Instant) {
        let waiting = self.connection.outgoing().len();
        assert!(waiting < OUTBOX_LEN_MAX + FRAMED_LEN_MAX, "{waiting} octets wait");
        let held = self.held;
        assert!(self.spoilt || held <= FRAMED_LEN_MAX + READ_LEN, "{held} octets are held");
        let idle_since = self.connection.idle_since();
        assert!(self.idle_since <= idle_since && idle_since <= now, "activity goes backwards");
        self.idle_since = idle_since;
    }
}
