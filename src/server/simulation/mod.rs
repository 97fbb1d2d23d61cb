//! The server without sockets: does it hold together whatever the network and the disk do?
//!
//! A seed decides everything: what clients ask and when, where their segments are cut, how much the
//! kernel takes of an answer, who stops reading, closes or vanishes, when zones change, what time it
//! is. Connections, answering and the loop's way of putting zones in place are the real ones; the test
//! stands for the sockets, and gives turns as [`tcp`](super::tcp) does. After each step it is looked
//! whether all still holds: each query is answered once, in order, from a version of the zone that was
//! served since it was asked; what a connection holds is bounded; a transfer is of one version to its end.
//!
//! A failing seed is printed; `SEED=n` runs it alone. `ZONESMITH_LONG=1` runs a hundred times as many.

mod client;

use super::Worker;
use super::responder::{Answered, Responder};
use super::system::mmsg::BATCH_LEN;
use super::udp::send_all;
use crate::guard::acl::Acl;
use crate::reload::Command;
use crate::respond::{Peer, Policy, State, Transport};
use crate::zone::Zone;
use crate::zone::set::{Change, Slot};
use client::{Asked, Client, Kind, Served, malformed, zone};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

/// Seeds of a run: a second or two.
const SEEDS: u64 = 30;
/// Steps of each.
const STEPS: usize = 300;
/// Clients at a time.
const CLIENTS: usize = 6;
/// Queries of a flood: more than a connection may hold, and so are their answers.
const FLOOD: usize = 6000;
/// The versions of the zone.
const VERSIONS: u8 = 3;

#[test]
fn whatever_happens_each_query_is_answered_once_and_from_what_was_served() {
    let long = std::env::var_os("ZONESMITH_LONG").is_some();
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let many = 1..=if long { SEEDS * 100 } else { SEEDS };
    for seed in one.map_or(many, |seed| seed..=seed) {
        if let Err(panic) = catch_unwind(|| World::new(seed).run()) {
            eprintln!("seed {seed} fails; again: SEED={seed} cargo test --lib server::simulation");
            resume_unwind(panic);
        }
    }
}

/// A generator of numbers that look like chance: xorshift.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 20).unwrap() % end.max(1)
    }

    /// A number up to `max`, often one of the two ends.
    fn up_to(&mut self, max: usize) -> usize {
        match self.below(4) {
            0 => 0,
            1 => max,
            _ => self.below(max + 1),
        }
    }
}

struct World {
    dice: Dice,
    responder: Responder,
    worker: Worker,
    changes: Sender<Vec<Change>>,
    commands: Receiver<Command>,
    zones: Vec<Arc<Zone>>,
    clients: Vec<Client>,
    /// What was served, from the start on; the last is what is served now.
    history: Vec<Served>,
    /// Changes that the loop has not put in place.
    pending: VecDeque<Served>,
    /// Slots that were replaced, and how many of them went to be freed.
    replaced: usize,
    freed: usize,
    udp_asked: u64,
    udp_answered: u64,
    next_id: u16,
    date: SystemTime,
}

impl World {
    fn new(seed: u64) -> World {
        let (changes, taken) = channel();
        let (sender, commands) = channel();
        let mut state = State::new(Policy::default());
        state.transfer_acl = Some(Acl::default());
        World {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1)),
            responder: Responder::new(state),
            worker: Worker::new(taken, sender),
            changes,
            commands,
            zones: (1..=VERSIONS).map(zone).collect(),
            clients: Vec::new(),
            history: vec![Served::Absent],
            pending: VecDeque::new(),
            replaced: 0,
            freed: 0,
            udp_asked: 0,
            udp_answered: 0,
            next_id: 0,
            date: SystemTime::now(),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
            let now = self.responder.now;
            self.clients.iter_mut().for_each(|client| client.check(now));
        }
        while let Some(client) = self.clients.pop() {
            self.finish(client);
        }
        let counters = self.responder.counters;
        assert_eq!(counters.tcp_queries, counters.tcp_answers + counters.tcp_silent);
        assert_eq!(
            (counters.udp_queries, counters.udp_answers),
            (self.udp_asked, self.udp_answered)
        );
        assert_eq!(counters.panics, 0);
        let let_go = self.responder.take_let_go().len() as u64;
        assert!(let_go >= counters.transfers, "each zone that was sent is given back");
        drop((self.responder, self.changes, self.worker));
        drop(self.commands);
        assert!(self.zones.iter().all(|zone| Arc::strong_count(zone) == 1), "nobody holds it");
    }

    fn step(&mut self) {
        let picked = self.dice.below(self.clients.len());
        match self.dice.below(16) {
            0 => self.connect(),
            1 => self.vanish(picked),
            2 => self.change_zones(),
            3 => self.put_zones_in_place(),
            4 => self.pass_time(),
            5 if self.dice.below(3) == 0 => self.send_batch(),
            5 => self.ask_over_udp(),
            6 if self.dice.below(6) == 0 => self.flood(picked),
            6..=8 => self.ask(picked),
            9..=10 => self.deliver(picked),
            11 => self.make_room(picked),
            _ => self.give_turns(),
        }
    }

    fn connect(&mut self) {
        if self.clients.len() < CLIENTS {
            self.clients.push(Client::new(&self.responder, self.next_id % 1024));
        }
    }

    /// A client closes its half, or is gone with all that it had asked.
    fn vanish(&mut self, picked: usize) {
        match self.clients.get_mut(picked) {
            Some(client) if self.dice.below(3) > 0 => client.closed = true,
            Some(_) => {
                let mut client = self.clients.swap_remove(picked);
                let cut_off = client.connection.take_transfer();
                cut_off.into_iter().for_each(|outgoing| self.responder.let_go(outgoing));
            }
            None => {}
        }
    }

    /// The worker has read files: one, or a storm of them.
    fn change_zones(&mut self) {
        let many = [1, 1, 2, 40][self.dice.below(4)];
        for _ in 0..many {
            let version = 1 + u8::try_from(self.dice.below(VERSIONS.into())).unwrap();
            let zone = Arc::clone(&self.zones[usize::from(version) - 1]);
            let (served, slot) = match self.dice.below(6) {
                0 => (Served::Broken, Some(Slot::Broken)),
                1 => (Served::Absent, None),
                2 => (Served::Version(version), Some(Slot::Stale(zone))),
                _ => (Served::Version(version), Some(Slot::Live(zone))),
            };
            self.changes.send(vec![Change { apex: "example.".parse().unwrap(), slot }]).unwrap();
            self.pending.push_back(served);
        }
    }

    /// The loop takes a bounded number of changes, and sends back what stood there.
    fn put_zones_in_place(&mut self) {
        self.worker.apply_changes(&mut self.responder.state);
        for _ in 0..self.pending.len().min(super::CHANGES_MAX) {
            let before = *self.history.last().unwrap();
            self.replaced += usize::from(before != Served::Absent);
            self.history.extend(self.pending.pop_front());
        }
        for command in self.commands.try_iter() {
            let Command::Applied { replaced, .. } = command else {
                panic!("who said {command:?}?")
            };
            self.freed += replaced.len();
        }
        assert_eq!(self.freed, self.replaced, "what is replaced is sent back once");
    }

    fn pass_time(&mut self) {
        let millis = self.dice.up_to(5000);
        let now = self.responder.now + Duration::from_millis(millis.try_into().unwrap());
        self.date -= Duration::from_secs(self.dice.below(3).try_into().unwrap()); // it may be set back
        self.responder.begin_turn(now, self.date);
    }

    fn ask_over_udp(&mut self) {
        let (kind, id) = (Kind::any(&mut self.dice), self.id());
        let good = self.dice.below(8) > 0;
        let query = if good { kind.query(id) } else { malformed(&mut self.dice) };
        let peer = Peer { transport: Transport::Udp, source: ([127, 0, 0, 1], 5353).into() };
        let mut answer = Vec::new();
        let answered = self.responder.answer(&query, peer, &mut answer);
        let answered = matches!(answered, Answered::Once);
        self.udp_asked += 1;
        self.udp_answered += u64::from(answered);
        assert!(answered == good && answered != answer.is_empty() && answer.len() <= 512);
        if good {
            let expected = kind.expected(*self.history.last().unwrap());
            let is_cut = answer[2] & 2 != 0;
            assert_eq!((&answer[..2], answer[3] & 15), (&id.to_be_bytes()[..], expected.0));
            assert!(is_cut && kind == Kind::Large || answer.last() == Some(&expected.1));
        }
    }

    /// A batch of answers meets a kernel that takes some of them, refuses one, or has no room.
    fn send_batch(&mut self) {
        let (count, dice) = (self.dice.up_to(BATCH_LEN), &mut self.dice);
        let (mut next, mut taken, mut is_full) = (0, 0, false);
        let sent = send_all(count, |skip| {
            assert!(skip == next && !is_full, "an answer is left out, or sent again");
            match dice.below(4) {
                0 => is_full = true,
                1 => next = skip + 1,
                _ => {
                    let len = 1 + dice.below(count - skip);
                    (next, taken) = (skip + len, taken + len);
                    return Ok(len);
                }
            }
            Err(if is_full { ErrorKind::WouldBlock } else { ErrorKind::PermissionDenied }.into())
        });
        assert_eq!((taken as u64) + sent.failed + sent.full, count as u64, "each is accounted for");
    }

    fn ask(&mut self, picked: usize) {
        let (many, since) = ([1, 1, 3, 60][self.dice.below(4)], self.history.len() - 1);
        for _ in 0..many {
            let (kind, id) = (Kind::any_over_tcp(&mut self.dice), self.id());
            let good = self.dice.below(500) > 0;
            let bad = malformed(&mut self.dice);
            let Some(client) = self.clients.get_mut(picked).filter(|client| !client.closed) else {
                return;
            };
            match good {
                true => client.send(&kind.query(id), Some(Asked { id, kind, since })),
                false => client.send(&bad, None),
            }
        }
    }

    /// A client asks more at once than it may have waiting.
    fn flood(&mut self, picked: usize) {
        let (id, since) = (self.id(), self.history.len() - 1);
        if let Some(client) = self.clients.get_mut(picked).filter(|client| !client.closed) {
            let asked = Asked { id, kind: Kind::Small, since };
            let query = asked.kind.query(id);
            (0..FLOOD).for_each(|_| client.send(&query, Some(asked)));
            client.arrived.extend(client.on_the_way.drain(..));
        }
    }

    /// The network brings a segment, cut anywhere.
    fn deliver(&mut self, picked: usize) {
        if let Some(client) = self.clients.get_mut(picked) {
            let len = self.dice.up_to(client.on_the_way.len());
            client.arrived.extend(client.on_the_way.drain(..len));
        }
    }

    /// The client has read, so that the kernel takes more.
    fn make_room(&mut self, picked: usize) {
        if let Some(client) = self.clients.get_mut(picked).filter(|client| !client.deaf) {
            client.room += self.dice.up_to(100_000);
        }
    }

    /// The loop gives each connection a turn.
    fn give_turns(&mut self) {
        for mut client in std::mem::take(&mut self.clients) {
            let over = client.turn(&mut self.dice, &mut self.responder);
            client.look(&self.history);
            if over {
                assert!(client.closed || client.spoilt, "the server does not hang up");
                assert!(client.asked.is_empty() && client.received.is_empty(), "all is answered");
            } else {
                self.clients.push(client);
            }
        }
    }

    /// Lets a client have all that it waits for, and end.
    fn finish(&mut self, mut client: Client) {
        client.arrived.extend(client.on_the_way.drain(..));
        client.closed = true;
        client.room = usize::MAX;
        let turns_max = 100 + 16 * (client.lengths.len() + client.arrived.len());
        let mut turns = 0..turns_max;
        while !client.turn(&mut self.dice, &mut self.responder) {
            client.check(self.responder.now);
            assert!(turns.next().is_some(), "it comes to no end");
        }
        client.look(&self.history);
        assert!(client.asked.is_empty() && client.received.is_empty(), "{:?}", client.asked);
    }

    fn id(&mut self) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }
}
