//! The way from both transports to `respond`: what is done around each answer?
//!
//! `respond` is the only place where answers are made. Here it is called so that a fault in it
//! costs one answer and not the server: a panic is caught, counted, logged at a limited rate and
//! answered with SERVFAIL. The query log stands here too. Nothing is formatted while it is off, and
//! whether it is on is asked once per turn of the loop, as the time is.

use super::counters::{Counters, LogLimit};
use super::system::mmsg::{Batch, Datagram};
use crate::clock::Now;
use crate::respond::{
    Outcome, Peer, Reason, Silence, State, Transport, describe, look_ahead, respond_to,
};
use crate::transfer::{MESSAGE_LEN_MAX, Outgoing, Progress};
use crate::zone::Zone;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The log target of the line per query.
pub const QUERY_LOG: &str = "query";

/// Octets of the header of a message (RFC 1035 §4.1.1).
const HEADER_LEN: usize = 12;
/// QR in the header's third octet: this is a response.
const FLAG_QR: u8 = 0x80;
/// What SERVFAIL keeps of the header's third octet: opcode and RD.
const OPCODE_AND_RD: u8 = 0x79;
/// RCODE 2 (RFC 1035 §4.1.1).
const SERVFAIL: u8 = 2;

/// Octets of a query that are reported when answering it panicked: a whole one in all likelihood,
/// and no line of 128 kB if a stranger sends 64.
const REPORTED_LEN_MAX: usize = 512;

thread_local! {
    /// This thread is inside `respond`, and a panic is told by its caller.
    static ANSWERING: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic inside `respond` was.
    static PANIC_PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics inside `respond` from the standard hook, which prints each of them: a query that
/// makes answering panic can be sent a thousand times a second. All other panics stay as they are.
pub(super) fn hook_panics() {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if ANSWERING.get() {
            PANIC_PLACE.set(panic.location().map(ToString::to_string).unwrap_or_default());
        } else {
            standard(panic);
        }
    }));
}

/// Answers messages, and keeps the books about it.
pub struct Responder {
    /// All that answering looks at.
    pub state: State,
    /// What was done so far.
    pub counters: Counters,
    /// The time, as of this turn of the loop.
    pub now: Instant,
    /// The same for answers.
    clock: Now,
    /// What the milliseconds of `clock` count from.
    start: Instant,
    query_log: bool,
    panic_log: LogLimit,
    /// Zones that a transfer held until now, to be freed elsewhere if nobody else has them.
    let_go: Vec<Arc<Zone>>,
}

/// What a message gets.
#[derive(Debug)]
pub enum Answered {
    /// What was appended to the buffer.
    Once,
    /// One message after the other; the buffer is as it was.
    Stream(Box<Outgoing>),
    /// Nothing.
    Not,
}

impl Responder {
    /// Answers from `state`.
    pub fn new(state: State) -> Responder {
        let start = Instant::now();
        let mut responder = Responder {
            state,
            counters: Counters::default(),
            now: start,
            clock: Now::default(),
            start,
            query_log: false,
            panic_log: LogLimit::default(),
            let_go: Vec::new(),
        };
        responder.begin_turn(start, SystemTime::now());
        responder
    }

    /// Begins a turn of the loop.
    pub(super) fn begin_turn(&mut self, now: Instant, date: SystemTime) {
        self.now = now;
        self.clock = clock(now.saturating_duration_since(self.start), date);
        self.query_log = log::log_enabled!(target: QUERY_LOG, log::Level::Trace);
    }

    /// Appends the answer to `message` to `out`, if it is one message.
    pub(super) fn answer(&mut self, message: &[u8], peer: Peer, out: &mut Vec<u8>) -> Answered {
        self.answer_by(Responder::make_answer, message, peer, out)
    }

    /// The same with answers from `make`.
    fn answer_by(
        &mut self,
        make: impl Fn(&mut Responder, &[u8], &Peer, &mut Vec<u8>) -> Answered,
        message: &[u8],
        peer: Peer,
        out: &mut Vec<u8>,
    ) -> Answered {
        let base = out.len();
        let answered = guarded(|| make(self, message, &peer, out)).unwrap_or_else(|panic| {
            out.truncate(base);
            if self.fail(&panic, message, out) { Answered::Once } else { Answered::Not }
        });
        self.count(peer.transport, 1, u64::from(!matches!(answered, Answered::Not)));
        answered
    }

    /// Appends the next message of a transfer. After a panic there is none.
    pub(super) fn write_next(&mut self, outgoing: &mut Outgoing, out: &mut Vec<u8>) -> Progress {
        let base = out.len();
        let (writer, now_s) = (&mut self.state.transfer_writer, self.clock.unix_s);
        let written = guarded(|| outgoing.write(writer, MESSAGE_LEN_MAX, now_s, out));
        written.unwrap_or_else(|panic| {
            out.truncate(base);
            self.counters.panics += 1;
            self.panic_log.warn(self.now, || report(&panic, &[]));
            Progress::Fails
        })
    }

    /// A transfer is written to its end.
    pub(super) fn sent(&mut self, outgoing: Outgoing, to: SocketAddr) {
        self.counters.transfers += 1;
        log::info!("sent to {to}: {outgoing}");
        self.let_go(outgoing);
    }

    /// Takes back the zone of a transfer that is over.
    pub(super) fn let_go(&mut self, outgoing: Outgoing) {
        self.let_go.push(outgoing.into_zone());
    }

    /// The zones that transfers held and do no longer.
    pub(super) fn take_let_go(&mut self) -> Vec<Arc<Zone>> {
        std::mem::take(&mut self.let_go)
    }

    /// Answers the datagrams of a batch, and queues what is to be sent.
    pub(super) fn answer_batch(&mut self, batch: &mut Batch) {
        self.answer_batch_by(Responder::make_answer, batch);
    }

    /// The same with answers from `make`. One guard is enough for all of them: after a panic it goes
    /// on behind the datagram that made it.
    fn answer_batch_by(
        &mut self,
        make: impl Fn(&mut Responder, &[u8], &Peer, &mut Vec<u8>) -> Answered,
        batch: &mut Batch,
    ) {
        let (mut rest, cut_before) = (0..batch.len(), self.counters.udp_cut);
        if let Err(panic) = guarded(|| look_ahead(batch.queries(), &mut self.state)) {
            self.fail(&panic, &[], &mut Vec::new());
        }
        while let Err(panic) = guarded(|| self.answer_rest(&make, batch, &mut rest)) {
            let last = rest.start - 1;
            if batch.datagram(last).is_some_and(|it| self.fail(&panic, it.query, it.answer)) {
                batch.queue_answer(last);
            }
        }
        let cut = self.counters.udp_cut - cut_before;
        self.counters.udp_queries += cut;
        self.count(Transport::Udp, batch.len() as u64 - cut, batch.answer_count() as u64);
    }

    /// Answers the datagrams of a batch at the places in `rest`, which it takes one by one.
    fn answer_rest(
        &mut self,
        make: &impl Fn(&mut Responder, &[u8], &Peer, &mut Vec<u8>) -> Answered,
        batch: &mut Batch,
        rest: &mut Range<usize>,
    ) {
        for index in rest {
            let Some(Datagram { query, source, answer }) = batch.datagram(index) else {
                self.counters.udp_cut += 1;
                continue;
            };
            let peer = Peer { transport: Transport::Udp, source };
            if matches!(make(self, query, &peer, answer), Answered::Once) {
                batch.queue_answer(index);
            }
        }
    }

    /// Appends the answer to `message` to `out`, if it is one message.
    #[inline]
    fn make_answer(&mut self, message: &[u8], peer: &Peer, out: &mut Vec<u8>) -> Answered {
        let base = out.len();
        let outcome = respond_to(message, peer, self.clock, &mut self.state, out);
        if self.query_log {
            log_query(message, peer.source, &out[base..], &outcome);
        }
        self.count_outcome(&outcome);
        match outcome {
            Outcome::Send(_) => Answered::Once,
            Outcome::Stream(outgoing) => Answered::Stream(outgoing),
            Outcome::Drop(_) => Answered::Not,
        }
    }

    /// Reports a panic, and appends what its asker gets in place of an answer; whether that is
    /// anything.
    fn fail(&mut self, panic: &str, message: &[u8], out: &mut Vec<u8>) -> bool {
        self.counters.panics += 1;
        self.panic_log.warn(self.now, || report(panic, message));
        append_servfail(message, out)
    }

    /// Counts what the operator's rules did.
    fn count_outcome(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Drop(Silence::OverRate) => &mut self.counters.udp_held,
            Outcome::Drop(Silence::OwnAddress) => &mut self.counters.udp_own,
            Outcome::Send(Reason::OverRate) => &mut self.counters.udp_slipped,
            Outcome::Send(Reason::Denied) => &mut self.counters.denied,
            _ => return,
        };
        *counter += 1;
    }

    /// Counts messages, and how many of them get an answer.
    fn count(&mut self, transport: Transport, messages: u64, answered: u64) {
        let counters = &mut self.counters;
        let (queries, answers, silent) = match transport {
            Transport::Udp => {
                (&mut counters.udp_queries, &mut counters.udp_answers, &mut counters.udp_silent)
            }
            Transport::Tcp => {
                (&mut counters.tcp_queries, &mut counters.tcp_answers, &mut counters.tcp_silent)
            }
        };
        *queries += messages;
        *answers += answered;
        *silent += messages - answered;
    }
}

fn log_query(message: &[u8], client: SocketAddr, answer: &[u8], outcome: &Outcome) {
    match *outcome {
        Outcome::Send(reason) => {
            log::trace!(target: QUERY_LOG, "{client} {}", describe(message, answer, reason));
        }
        Outcome::Stream(_) => {
            let reason = Reason::Transferred;
            log::trace!(target: QUERY_LOG, "{client} {}", describe(message, answer, reason));
        }
        Outcome::Drop(silence) => {
            log::trace!(target: QUERY_LOG, "{client} no answer: {silence}");
        }
    }
}

/// The time for answers. A clock that was never set counts as 1970.
fn clock(running: Duration, date: SystemTime) -> Now {
    let unix_s = date.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let monotonic_ms = u64::try_from(running.as_millis()).unwrap_or(u64::MAX);
    Now { unix_s, monotonic_ms }
}

/// Answers; after a panic the error says what and where. Nothing is left half changed but the
/// answer: answering reads the zones, and empties what it writes before.
fn guarded<T>(answer: impl FnOnce() -> T) -> Result<T, String> {
    ANSWERING.set(true);
    let result = catch_unwind(AssertUnwindSafe(answer));
    ANSWERING.set(false);
    result.map_err(|panic| format!("{} at {}", words(&*panic), PANIC_PLACE.take()))
}

/// What a panic says of itself.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no words").to_owned()
}

/// The line about a panic. It carries the query, so that the fault can be found again.
fn report(panic: &str, message: &[u8]) -> String {
    let shown = message.len().min(REPORTED_LEN_MAX);
    let query = data_encoding::HEXLOWER.encode(&message[..shown]);
    format!(
        "internal error while answering: {panic}; the client got SERVFAIL. Please report this \
         line, it holds all that is needed: query {query}"
    )
}

/// Appends a bare SERVFAIL to `message`; nothing if that is a response or has no whole header,
/// because two servers must never answer each other's errors.
fn append_servfail(message: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(header) = message.first_chunk::<HEADER_LEN>() else {
        return false;
    };
    if header[2] & FLAG_QR != 0 {
        return false;
    }
    let mut answer = [0; HEADER_LEN];
    answer[..2].copy_from_slice(&header[..2]);
    answer[2] = header[2] & OPCODE_AND_RD | FLAG_QR;
    answer[3] = SERVFAIL;
    out.extend_from_slice(&answer);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::Policy;

    /// Panics at messages that begin with a 7, when half an answer is made.
    fn faulty(_: &mut Responder, message: &[u8], _: &Peer, out: &mut Vec<u8>) -> Answered {
        out.extend_from_slice(b"half an answer");
        assert!(message[0] != 7, "fault {}", message[0]);
        Answered::Once
    }

    #[test]
    fn a_panic_is_told_with_its_place() {
        hook_panics();
        let error = guarded(|| -> bool { panic!("fault {}", 7) }).unwrap_err();
        assert!(error.starts_with("fault 7 at src/server/responder.rs:"), "{error}");
    }

    #[test]
    fn a_panic_costs_one_answer() {
        hook_panics();
        let mut responder = Responder::new(State::new(Policy::default()));
        let source = ([127, 0, 0, 1], 5353).into();
        let peer = Peer { transport: Transport::Tcp, source };
        let mut out = b"kept".to_vec();
        let mut answer = |message: &[u8]| responder.answer_by(faulty, message, peer, &mut out);
        assert!(matches!(answer(&[7; HEADER_LEN]), Answered::Once));
        assert_eq!(out, b"kept\x07\x07\x81\x02\0\0\0\0\0\0\0\0");
        assert!(matches!(responder.answer_by(faulty, &[7], peer, &mut out), Answered::Not));
        assert_eq!(out.len(), 4 + HEADER_LEN);
        assert_eq!(responder.counters.panics, 2);
    }

    #[test]
    fn a_panic_costs_one_answer_of_a_batch() {
        hook_panics();
        let socket = mio::net::UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        for first in [7, 1, 2, 7, 7, 3, 7] {
            client.send(&[first; HEADER_LEN]).unwrap();
        }
        client.send(&[7]).unwrap(); // too short for SERVFAIL
        let (mut batch, mut responder) =
            (Batch::new(), Responder::new(State::new(Policy::default())));
        assert_eq!(batch.receive(&socket).unwrap(), 8);
        responder.answer_batch_by(faulty, &mut batch);
        let counters = responder.counters;
        assert_eq!((counters.udp_queries, counters.udp_answers, counters.udp_silent), (8, 7, 1));
        assert_eq!((counters.panics, batch.send(&socket, 0).unwrap()), (5, 7));
        let mut answer = [0; 64];
        let lengths = [(); 7].map(|()| client.recv(&mut answer).unwrap());
        assert_eq!(lengths, [12, 14, 14, 12, 12, 14, 12]);
    }

    #[test]
    fn servfail_copies_id_opcode_and_rd_and_nothing_else() {
        let query = [0xab, 0xcd, 0x2f, 0xff, 0, 1, 0, 0, 0, 0, 0, 1, 9, 9];
        let mut out = Vec::new();
        assert!(append_servfail(&query, &mut out));
        assert_eq!(out, [0xab, 0xcd, 0xa9, 0x02, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn servfail_never_answers_a_response_or_a_fragment() {
        let mut out = Vec::new();
        let response = [0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(!append_servfail(&response, &mut out));
        assert!(!append_servfail(&response[..11], &mut out));
        assert!(out.is_empty());
    }

    #[test]
    fn each_turn_has_its_own_time() {
        let mut responder = Responder::new(State::new(Policy::default()));
        let start = responder.start;
        let date = UNIX_EPOCH + Duration::from_secs(7);
        responder.begin_turn(start + Duration::from_millis(1500), date);
        assert_eq!(responder.clock, Now { unix_s: 7, monotonic_ms: 1500 });
    }

    #[test]
    fn what_the_operators_rules_do_is_counted() {
        let mut responder = Responder::new(State::new(Policy::default()));
        for outcome in [
            Outcome::Drop(Silence::OverRate),
            Outcome::Drop(Silence::OwnAddress),
            Outcome::Send(Reason::OverRate),
            Outcome::Send(Reason::Denied),
            Outcome::Drop(Silence::TooShort),
            Outcome::Send(Reason::NotServed),
        ] {
            responder.count_outcome(&outcome);
        }
        let (udp_held, udp_own, udp_slipped, denied) = (1, 1, 1, 1);
        let expected = Counters { udp_held, udp_own, udp_slipped, denied, ..Counters::default() };
        assert_eq!(responder.counters, expected);
    }

    #[test]
    fn the_counters_add_up() {
        let policy = Policy::default();
        let mut responder = Responder::new(State::new(policy));
        let source = ([127, 0, 0, 1], 5353).into();
        let mut out = Vec::new();
        for transport in [Transport::Udp, Transport::Tcp] {
            let peer = Peer { transport, source };
            let mut answer = |message: &[u8]| responder.answer(message, peer, &mut out);
            assert!(matches!(answer(&[0; HEADER_LEN]), Answered::Once));
            assert!(matches!(answer(b"short"), Answered::Not));
        }
        let counters = responder.counters;
        assert_eq!((counters.udp_queries, counters.udp_answers, counters.udp_silent), (2, 1, 1));
        assert_eq!((counters.tcp_queries, counters.tcp_answers, counters.tcp_silent), (2, 1, 1));
    }
}
