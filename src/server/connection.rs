//! One TCP connection as a machine without a socket: bytes in, bytes out.
//!
//! Queries may come several in a segment or one octet at a time; they are answered in order, all
//! that are complete into one buffer, which is written at once (RFC 7766 §6.2.1.1). A client that
//! does not read what it asked for is not answered further and not read from until it does, so it
//! costs bounded memory and no time. Two things end a connection: a message that gets no answer
//! (a stream has no way to skip it politely), and the client's own end of sending; in both cases
//! what was asked before is answered first. It is public, with the [`Responder`], for those who cut
//! streams anywhere and look at what comes: the simulation is inside, a fuzzer is not.
//!
//! A transfer is an answer of many messages. The next one is made when all before it are written, one in
//! a turn; what is asked behind it waits until it has ended.
//!
//! ```text
//!  receive ──▶ inbox ──▶ answer (while less than 64 KiB wait) ──▶ outbox ──▶ outgoing, wrote
//! ```

use super::frame::{self, Inbox};
use super::responder::{Answered, Responder};
use crate::respond::{Peer, Transport};
use crate::transfer::{Outgoing, Progress};
use std::net::SocketAddr;
use std::time::Instant;

/// Answers that may wait to be written before no further query is answered, in octets. The
/// largest answer is as long. With one answer more, and what is written but not yet moved out, a
/// connection holds less than 200 kB.
pub(super) const OUTBOX_LEN_MAX: usize = 64 * 1024;

/// Queries answered before others have their turn. An answer that is short may have cost much, so the
/// room for answers alone bounds no time.
pub(super) const ANSWERS_MAX: usize = 32;

/// Octets that a client must take for it to count as activity, unless it takes all that waits. Who
/// reads an octet now and then holds a connection no longer than who reads nothing.
const TAKEN_LEN_MIN: usize = 4096;

/// Memory that an empty outbox may keep, for the next answer.
const KEPT_LEN_MAX: usize = 4096;

/// Why no further query is taken from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client has closed its half, or all of it.
    Client,
    /// The client sent something that gets no answer.
    Malformed,
    /// A transfer could not go on.
    Failed,
}

/// A connection's queries and answers.
pub struct Connection {
    peer: Peer,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// Octets at the front of `outbox` that were written.
    written: usize,
    /// Octets written since the last activity.
    taken: usize,
    /// The transfer under way, until its last message is written.
    transfer: Option<Box<Outgoing>>,
    /// The last message of the transfer is made.
    transfer_made: bool,
    end: Option<End>,
    /// A query has come.
    asked: bool,
    active: Instant,
}

impl Connection {
    /// A connection from `source`, accepted `now`.
    pub fn new(source: SocketAddr, now: Instant) -> Connection {
        let peer = Peer { transport: Transport::Tcp, source };
        let (inbox, outbox, transfer) = (Inbox::default(), Vec::new(), None);
        let (written, taken, transfer_made, end) = (0, 0, false, None);
        Connection {
            peer,
            inbox,
            outbox,
            written,
            taken,
            transfer,
            transfer_made,
            end,
            asked: false,
            active: now,
        }
    }

    /// Takes what was read, and answers what is complete.
    pub fn receive(&mut self, bytes: &[u8], responder: &mut Responder) {
        self.inbox.push(bytes);
        self.answer(responder);
    }

    /// Goes on with a transfer, or answers complete queries as far as their answers find room, some at
    /// a time.
    pub fn answer(&mut self, responder: &mut Responder) {
        self.go_on(responder);
        self.answer_queries(responder);
        self.inbox.compact();
    }

    fn answer_queries(&mut self, responder: &mut Responder) {
        for _ in 0..ANSWERS_MAX {
            if self.transfer.is_some() || !self.has_room() {
                return;
            }
            let Some(query) = self.inbox.take() else {
                return;
            };
            (self.asked, self.active, self.taken) = (true, responder.now, 0);
            let (peer, mut answered) = (self.peer, Answered::Not);
            let is_framed = frame::append(&mut self.outbox, |out| {
                answered = responder.answer(query, peer, out);
                matches!(answered, Answered::Once)
            });
            match answered {
                Answered::Stream(outgoing) => self.transfer = Some(outgoing),
                _ if is_framed => {}
                _ => self.stop(End::Malformed),
            }
        }
    }

    /// Writes the next message of a transfer, once all before it is written.
    fn go_on(&mut self, responder: &mut Responder) {
        if !self.can_go_on() {
            return;
        }
        let Some(mut outgoing) = self.transfer.take() else { return };
        if std::mem::take(&mut self.transfer_made) {
            return responder.sent(*outgoing, self.peer.source);
        }
        let mut progress = Progress::Fails;
        frame::append(&mut self.outbox, |out| {
            let base = out.len();
            progress = responder.write_next(&mut outgoing, out);
            out.len() > base
        });
        match progress {
            Progress::Goes | Progress::Ends => {
                self.transfer = Some(outgoing);
                self.transfer_made = progress == Progress::Ends;
            }
            Progress::Fails => {
                responder.let_go(*outgoing);
                self.stop(End::Failed);
            }
        }
    }

    /// The transfer that its end cuts off, if there is one.
    pub(super) fn take_transfer(&mut self) -> Option<Outgoing> {
        self.transfer.take().map(|outgoing| *outgoing)
    }

    /// Whether a query has come.
    pub(super) fn has_asked(&self) -> bool {
        self.asked
    }

    /// Whether a transfer is under way.
    pub(super) fn is_in_transfer(&self) -> bool {
        self.transfer.is_some()
    }

    /// Who is at the other end.
    pub(super) fn source(&self) -> SocketAddr {
        self.peer.source
    }

    /// The client will send no more. A query that is not complete by now never will be.
    pub fn input_ended(&mut self) {
        self.end.get_or_insert(End::Client);
    }

    /// What is to be written next.
    pub fn outgoing(&self) -> &[u8] {
        &self.outbox[self.written..]
    }

    /// `len` octets of what was to be written are.
    pub fn wrote(&mut self, len: usize, now: Instant) {
        self.written += len;
        self.taken += len;
        if self.taken >= TAKEN_LEN_MIN || self.outgoing().is_empty() {
            (self.active, self.taken) = (now, 0);
        }
        if self.written >= self.outgoing().len() {
            // What is moved is no longer than what was written, so this costs nothing in the long
            // run; and a client that always leaves a rest makes nothing grow.
            self.outbox.drain(..self.written);
            self.written = 0;
        }
        if self.outbox.is_empty() {
            self.outbox.shrink_to(KEPT_LEN_MAX);
        }
    }

    /// Whether to read from the client.
    pub fn wants_input(&self) -> bool {
        self.end.is_none() && self.has_room() && !self.inbox.has_message()
    }

    /// Whether queries wait that could be answered now, or a transfer could go on.
    pub(super) fn has_backlog(&self) -> bool {
        match self.transfer {
            Some(_) => self.can_go_on(),
            None => self.has_room() && self.inbox.has_message(),
        }
    }

    /// Why the connection is over, once everything is answered and written.
    pub fn finished(&self) -> Option<End> {
        let waits = self.transfer.is_some() || self.inbox.has_message();
        self.end.filter(|_| !waits && self.outgoing().is_empty())
    }

    /// When the last query became complete, or the client took a good part of what waits for it.
    /// Octets of a query that is not complete do not count, or a client could hold its place for one
    /// octet in ten seconds; nor do octets that are taken one by one.
    pub(super) fn idle_since(&self) -> Instant {
        self.active
    }

    fn has_room(&self) -> bool {
        self.outgoing().len() < OUTBOX_LEN_MAX
    }

    fn can_go_on(&self) -> bool {
        self.transfer.is_some() && self.outgoing().is_empty()
    }

    fn stop(&mut self, end: End) {
        self.end = Some(end);
        self.inbox.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::acl::Acl;
    use crate::reload::load::{Lints, load_text};
    use crate::respond::{Policy, State};
    use crate::transfer::MESSAGE_LEN_MAX;
    use crate::zone::set::{Change, Slot};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    fn setup() -> (Connection, Responder) {
        let responder = Responder::new(State::new(Policy::default()));
        let source = ([127, 0, 0, 1], 5353).into();
        (Connection::new(source, responder.now), responder)
    }

    /// A framed query for `smith.edu. NS`.
    fn query(id: u16) -> Vec<u8> {
        let mut framed = vec![0, 27];
        framed.extend_from_slice(&id.to_be_bytes());
        framed.extend_from_slice(b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00");
        framed.extend_from_slice(b"\x05smith\x03edu\x00\x00\x02\x00\x01");
        framed
    }

    /// The ids of framed answers.
    fn ids(bytes: &[u8]) -> Vec<u16> {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        let id = |answer: &[u8]| {
            assert!(answer[2] & 0x80 != 0, "QR is set");
            u16::from_be_bytes([answer[0], answer[1]])
        };
        std::iter::from_fn(|| inbox.take().map(id)).collect()
    }

    /// What was read comes, and is answered in as many turns as that takes.
    fn receive(connection: &mut Connection, bytes: &[u8], responder: &mut Responder) {
        connection.receive(bytes, responder);
        while connection.has_backlog() {
            connection.answer(responder);
        }
    }

    #[test]
    fn a_turn_answers_some_queries_and_the_next_one_goes_on() {
        let (mut connection, mut responder) = setup();
        let many: Vec<u8> = (0..100).flat_map(query).collect();
        connection.receive(&many, &mut responder);
        assert_eq!(responder.counters.tcp_queries, ANSWERS_MAX as u64);
        assert!(connection.has_backlog() && !connection.wants_input());
        receive(&mut connection, &[], &mut responder);
        assert_eq!(ids(connection.outgoing()), (0..100).collect::<Vec<u16>>());
    }

    #[test]
    fn a_long_query_leaves_no_memory_behind() {
        let (mut connection, mut responder) = setup();
        let long = [&[0xff, 0xff][..], &query(1)[2..], &vec![0; 0xffff - 27]].concat();
        connection.receive(&long, &mut responder);
        assert_eq!(ids(connection.outgoing()), [1]);
        assert!(connection.inbox.capacity() <= 4096, "{}", connection.inbox.capacity());
    }

    #[test]
    fn queries_are_answered_in_order_however_they_are_cut() {
        let stream: Vec<u8> = (1..=3).flat_map(query).collect();
        for size in [1, 2, 5, 29, 30, 87] {
            let (mut connection, mut responder) = setup();
            for segment in stream.chunks(size) {
                connection.receive(segment, &mut responder);
            }
            assert_eq!(ids(connection.outgoing()), [1, 2, 3], "segments of {size}");
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_neither_read_nor_answered_further() {
        let (mut connection, mut responder) = setup();
        let many: Vec<u8> = (0..20_000).flat_map(query).collect();
        receive(&mut connection, &many, &mut responder);
        assert!(!connection.wants_input() && !connection.has_backlog());
        let waiting = connection.outgoing().len();
        assert!((OUTBOX_LEN_MAX..OUTBOX_LEN_MAX + 65_537).contains(&waiting), "{waiting}");

        let mut all = Vec::new();
        while !connection.outgoing().is_empty() {
            all.extend_from_slice(connection.outgoing());
            connection.wrote(connection.outgoing().len(), responder.now);
            connection.answer(&mut responder);
        }
        assert_eq!(ids(&all), (0..20_000).collect::<Vec<u16>>());
        assert!(connection.wants_input());
    }

    #[test]
    fn a_client_that_always_leaves_a_rest_makes_nothing_grow() {
        let (mut connection, mut responder) = setup();
        let some: Vec<u8> = (0..100).flat_map(query).collect();
        for _ in 0..1000 {
            receive(&mut connection, &some, &mut responder);
            connection.wrote(connection.outgoing().len() - 1, responder.now);
        }
        assert!(connection.outbox.len() < 200_000, "{}", connection.outbox.len());
    }

    #[test]
    fn what_was_asked_before_the_end_is_answered() {
        let (mut connection, mut responder) = setup();
        connection.receive(&[&query(1)[..], &query(2)[..9]].concat(), &mut responder);
        connection.input_ended();
        assert_eq!(connection.finished(), None, "the answer is not written yet");
        assert_eq!(ids(connection.outgoing()), [1]);
        connection.wrote(connection.outgoing().len(), responder.now);
        assert_eq!(connection.finished(), Some(End::Client));
    }

    #[test]
    fn a_message_without_an_answer_ends_the_connection() {
        let response = [&[0, 12, 0, 9, 0x80][..], &[0; 9]].concat();
        for bad in [&[0, 0][..], b"\x00\x0bshort......", &response] {
            let (mut connection, mut responder) = setup();
            connection.receive(&[&query(1)[..], bad, &query(2)].concat(), &mut responder);
            assert!(!connection.wants_input());
            assert_eq!(ids(connection.outgoing()), [1], "nothing after {bad:?}");
            connection.wrote(connection.outgoing().len(), responder.now);
            assert_eq!(connection.finished(), Some(End::Malformed));
        }
    }

    #[test]
    fn only_whole_queries_and_answers_that_are_taken_are_activity() {
        let (mut connection, mut responder) = setup();
        let accepted = responder.now;
        responder.now += Duration::from_secs(1);
        connection.receive(&query(1)[..28], &mut responder);
        assert_eq!(connection.idle_since(), accepted);
        connection.receive(&query(1)[28..], &mut responder);
        assert_eq!(connection.idle_since(), responder.now);
        let (asked, mut later) = (responder.now, responder.now);
        while connection.outgoing().len() > 1 {
            later += Duration::from_secs(1);
            connection.wrote(1, later);
            assert_eq!(connection.idle_since(), asked, "octets one by one");
        }
        later += Duration::from_secs(1);
        connection.wrote(1, later);
        assert_eq!(connection.idle_since(), later, "all of it");

        let many: Vec<u8> = (0..1000).flat_map(query).collect();
        receive(&mut connection, &many, &mut responder);
        let part = TAKEN_LEN_MIN / 2;
        for (taken, expected) in [(part, responder.now), (part - 1, responder.now), (1, later)] {
            connection.wrote(taken, later);
            assert_eq!(connection.idle_since(), expected, "{taken}");
        }
    }

    /// A transfer of many messages, then what is asked behind it.
    #[test]
    fn a_transfer_makes_a_message_when_the_one_before_is_written_and_what_follows_waits() {
        let (mut connection, mut responder) = setup();
        responder.state.transfer_acl = Some(Acl::default());
        let mut text =
            "$TTL 300\n@ SOA ns admin 1 2h 15m 2w 5m\n@ NS ns\nns A 192.0.2.1\n".to_string();
        (0..2000).for_each(|n| text += &format!("h{n} TXT \"{:x<60}\"\n", ""));
        let path = Path::new("smith.edu.zone");
        let loaded = load_text(path, text.into_bytes(), &[], Lints::Quick, &mut |_, _| ());
        let zone = Arc::new(loaded.zone.unwrap());
        let slot = Some(Slot::Live(Arc::clone(&zone)));
        responder.state.zones.apply(Change { apex: zone.apex().to_buf(), slot });

        let mut transfer = query(2);
        transfer[25..27].copy_from_slice(&[0, 252]);
        connection.receive(&[query(1), transfer, query(3)].concat(), &mut responder);
        assert_eq!(ids(connection.outgoing()), [1], "the transfer waits until that is written");
        let mut all = Vec::new();
        while !connection.outgoing().is_empty() || connection.has_backlog() {
            let waiting = connection.outgoing().len();
            assert!(waiting <= MESSAGE_LEN_MAX + 2, "{waiting}");
            if waiting > 1 {
                connection.answer(&mut responder);
                assert_eq!(connection.outgoing().len(), waiting, "nothing is made beforehand");
            }
            all.extend_from_slice(connection.outgoing());
            connection.wrote(waiting, responder.now);
            connection.answer(&mut responder);
        }
        let ids = ids(&all);
        assert!(ids.len() > 10, "{ids:?}");
        assert!(ids.starts_with(&[1, 2, 2]) && ids.ends_with(&[2, 2, 3]), "{ids:?}");
        assert_eq!(responder.counters.transfers, 1);
    }
}
