//! The loop: how does one thread serve everything without ever waiting for anybody?
//!
//! `mio` says which sockets became readable; that only *marks* them. Then everything marked gets a
//! bounded turn, and what is not done keeps its mark: the next poll then takes no time, so signals,
//! zone changes and new connections are seen however busy a socket is. Draining each socket first,
//! as examples of edge-triggered polling do, would starve all others under load.
//!
//! ```text
//!   poll ─▶ mark ─▶ zone changes ─▶ UDP: 8 batches ─▶ accept: 32 ─▶ streams: 64 × 4 KiB ─▶ idle ─┐
//!    ▲      no timeout while anything is marked, else until the next connection is idle too long │
//!    └───────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The loop owns all that answering needs, so there is no lock. Zones come ready made over a
//! channel and are put in place between two polls; those they replace go back to the worker, which
//! frees them where that takes no time from answering. No rule of DNS stands in this folder: a
//! message goes into [`respond`](crate::respond::respond) and what comes out is sent. No error of
//! the kernel ends the loop but a failing poll.

mod accept;
mod announce;
mod buffers;
mod closing;
mod connection;
mod counters;
mod descriptors;
mod event;
pub mod frame;
pub mod keys;
pub mod listen;
pub mod privileges;
mod process;
mod responder;
pub mod secrets;
mod settings;
#[cfg(test)]
mod simulation;
mod system;
mod tcp;
mod udp;
mod watched;

pub use connection::{Connection, End};
pub use counters::Counters;
pub use listen::{ListenError, Listener};
pub use responder::{Answered, QUERY_LOG, Responder};
pub use settings::Settings;
pub use system::heap::{Heap, give_back_large_blocks};
pub use watched::{Look, Reading, Seen};

use crate::name::NameBuf;
use crate::reload::Command;
use crate::respond::State;
use crate::transfer::secondaries::Secondaries;
use crate::zone::Zone;
use crate::zone::set::{Change, Slot};
use announce::Announcer;
use event::Event;
use mio::{Events, Interest, Poll, Waker};
use process::{Request, Signals};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant, SystemTime};
use system::mmsg::Batch;

/// Events taken per poll. What does not fit comes with the next one.
const EVENTS_LEN: usize = 1024;

/// Turns at the end to answer what had been asked before: enough for full receive buffers of many
/// sockets, and an end for a client that never stops asking.
const LAST_TURNS: usize = 64;

/// Messages from the worker that are carried out in one turn. What one of them says is for the
/// worker to bound; each change is one look-up.
const CHANGES_MAX: usize = 16;

/// Bounds on what clients may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// TCP connections at a time. A connection costs a descriptor and some kilobytes, and 1,024
    /// descriptors are what a process gets where nobody raised it.
    pub connections_max: usize,
    /// Of these, how many one client may hold: an IPv4 address, an IPv6 /56. Enough for whom a
    /// hundred machines share an address with.
    pub per_client_max: usize,
    /// For how long a connection may stay open without a complete query and without taking an
    /// answer, as long as there is room.
    pub idle_max: Duration,
}

impl Limits {
    /// For how long a connection may be idle while there are `connections` of them. From half of
    /// what there is room for this falls, to a tenth (RFC 7766 §6.2.3).
    fn idle_max_at(&self, connections: usize) -> Duration {
        let free = self.connections_max.saturating_sub(connections);
        let tenths = (20 * free).checked_div(self.connections_max).unwrap_or(0).clamp(1, 10);
        self.idle_max * u32::try_from(tenths).unwrap_or(10) / 10
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections_max: 1000, per_client_max: 250, idle_max: Duration::from_secs(10) }
    }
}

/// A server with its sockets, ready to run.
pub struct Server {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    signals: Signals,
    udp: Vec<udp::Port>,
    tcp: Vec<accept::Acceptor>,
    connections: tcp::Connections,
    batch: Batch,
    responder: Responder,
    files: settings::Files,
    /// What tells secondaries; none that are not named are told.
    announcer: Announcer,
}

/// The road between the loop and the worker that reads zones.
struct Worker {
    changes: Receiver<Vec<Change>>,
    commands: Sender<Command>,
    /// Changes may wait that were not taken yet.
    pending: bool,
    /// The other end is there. Without it the server goes on with the zones that it has.
    alive: bool,
}

impl Server {
    /// Makes the loop and puts the sockets into it. From here on SIGTERM, SIGINT and SIGHUP wait
    /// for [`run`](Server::run).
    ///
    /// # Errors
    /// Those of the kernel about polls, pipes and descriptors.
    pub fn new(listeners: Vec<Listener>, mut state: State, limits: Limits) -> io::Result<Server> {
        let limits = descriptors::fit(limits, listeners.len());
        buffers::tell(&listeners);
        state.own_addresses = listen::own_addresses(&listeners);
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let announcer = Announcer::new(&listeners, registry, Instant::now());
        let waker = Arc::new(Waker::new(poll.registry(), Event::Wake.token())?);
        let signals = Signals::register(poll.registry(), Event::Signal.token())?;
        let mut server = Server {
            poll,
            events: Events::with_capacity(EVENTS_LEN),
            files: settings::Files::default(),
            waker,
            signals,
            udp: Vec::new(),
            tcp: Vec::new(),
            connections: tcp::Connections::new(limits),
            batch: Batch::new(),
            responder: Responder::new(state),
            announcer,
        };
        listeners.into_iter().try_for_each(|listener| server.add(listener))?;
        Ok(server)
    }

    /// Announces zones to these as they change (RFC 1996), and all of them at once. `seed` makes ids
    /// that others cannot guess.
    pub fn announce_to(&mut self, secondaries: Secondaries, seed: u64) {
        let (state, now) = (&self.responder.state, self.responder.now);
        let State { zones, own_addresses, .. } = state;
        self.announcer.take(secondaries, seed, state);
        zones.zones().for_each(|zone| self.announcer.announce(zone, zones, own_addresses, now));
    }

    /// What another thread wakes the loop with after it has sent zone changes.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Serves until SIGTERM or SIGINT; what had been asked by then is answered. Zone changes come
    /// over `changes`; requests to reload and zones to be freed go over `commands`. Gives what was
    /// counted.
    ///
    /// # Errors
    /// Only where waiting for events fails, which no client can bring about.
    pub fn run(
        mut self,
        changes: Receiver<Vec<Change>>,
        commands: Sender<Command>,
    ) -> io::Result<Counters> {
        let mut worker = Worker::new(changes, commands);
        responder::hook_panics();
        process::report_ready();
        while self.turn(&mut worker)?.is_continue() {}
        process::report_stopping();
        self.finish()?;
        log::info!("served: {}", self.responder.counters);
        Ok(self.responder.counters)
    }

    fn add(&mut self, listener: Listener) -> io::Result<()> {
        let (local, index) = (listener.local, self.udp.len());
        let mut udp = udp::Port::new(listener.udp, local);
        let mut tcp = accept::Acceptor::new(listener.tcp, local);
        let registry = self.poll.registry();
        registry.register(udp.socket(), Event::Udp(index).token(), Interest::READABLE)?;
        registry.register(tcp.listener(), Event::Accept(index).token(), Interest::READABLE)?;
        self.udp.push(udp);
        self.tcp.push(tcp);
        Ok(())
    }

    /// One turn: what happened is marked, and everything marked gets its share.
    fn turn(&mut self, worker: &mut Worker) -> io::Result<ControlFlow<()>> {
        self.wait(if worker.pending { Some(Duration::ZERO) } else { self.timeout() })?;
        let heard = self.mark();
        if heard.worker {
            self.change_settings(&worker.commands);
        }
        if heard.worker || worker.pending {
            let changed = worker.apply_changes(&mut self.responder.state);
            self.announce(&changed);
        }
        let flow = if heard.signal { self.obey(worker) } else { ControlFlow::Continue(()) };
        self.work();
        worker.free(self.responder.take_let_go());
        Ok(flow)
    }

    /// Tells secondaries of the zones that have another serial than before.
    fn announce(&mut self, changed: &[NameBuf]) {
        let (State { zones, own_addresses, .. }, now) = (&self.responder.state, self.responder.now);
        let changed = changed.iter().filter_map(|apex| zones.get(apex.as_name())?.zone());
        changed.for_each(|zone| self.announcer.announce(zone, zones, own_addresses, now));
    }

    /// Does what signals ask for; whether to go on.
    fn obey(&mut self, worker: &mut Worker) -> ControlFlow<()> {
        for request in self.signals.requests() {
            match request {
                Request::Stop => return ControlFlow::Break(()),
                Request::Reload => {
                    worker.reload();
                    self.files.ask();
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The last turns: what clients had sent is answered, then everything is closed.
    fn finish(&mut self) -> io::Result<()> {
        for _ in 0..LAST_TURNS {
            self.wait(Some(Duration::ZERO))?;
            self.mark();
            if !self.is_ready() {
                break;
            }
            self.work();
        }
        self.connections.close_all(&mut self.responder);
        Ok(())
    }

    /// Waits for events and reads the time.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let polled = self.poll.poll(&mut self.events, timeout);
        self.responder.begin_turn(Instant::now(), SystemTime::now());
        match polled {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            polled => polled,
        }
    }

    /// For how long the next poll may wait.
    fn timeout(&self) -> Option<Duration> {
        if self.is_ready() {
            return Some(Duration::ZERO);
        }
        let resume = self.tcp.iter().filter_map(accept::Acceptor::resume);
        let announce = self.announcer.deadline();
        let next = self.connections.expiry().into_iter().chain(resume).chain(announce).min()?;
        Some(next.saturating_duration_since(self.responder.now))
    }

    fn is_ready(&self) -> bool {
        self.connections.is_ready()
            || self.udp.iter().any(udp::Port::is_ready)
            || self.tcp.iter().any(accept::Acceptor::is_ready)
            || self.announcer.is_ready()
    }

    /// Marks the sockets that became ready; what else was heard.
    fn mark(&mut self) -> Heard {
        let mut heard = Heard::default();
        for event in &self.events {
            match Event::from(event.token()) {
                Event::Wake => heard.worker = true,
                Event::Signal => heard.signal = true,
                Event::Notify => self.announcer.wake(),
                Event::Udp(index) => self.udp[index].wake(),
                Event::Accept(index) => self.tcp[index].wake(),
                Event::Connection(key) => self.connections.wake(key, event),
            }
        }
        heard
    }

    /// Gives every socket that is ready its bounded turn.
    fn work(&mut self) {
        for port in &mut self.udp {
            port.turn(&mut self.batch, &mut self.responder);
        }
        let (registry, listeners) = (self.poll.registry(), self.tcp.len());
        for acceptor in &mut self.tcp {
            acceptor.turn(listeners, &mut self.connections, registry, &mut self.responder);
        }
        self.connections.turn(&mut self.responder);
        self.connections.expire(&mut self.responder);
        self.announcer.turn(self.responder.now);
    }
}

/// What a poll told besides sockets.
#[derive(Default)]
struct Heard {
    worker: bool,
    signal: bool,
}

impl Worker {
    fn new(changes: Receiver<Vec<Change>>, commands: Sender<Command>) -> Worker {
        Worker { changes, commands, pending: false, alive: true }
    }

    /// Puts zones that the worker made in their places and sends it those that stood there. Gives the
    /// zones that have another serial than before.
    fn apply_changes(&mut self, state: &mut State) -> Vec<NameBuf> {
        let (mut freed, mut changed, mut messages) = (Vec::new(), Vec::new(), 0);
        self.pending = true;
        while messages < CHANGES_MAX
            && let Some(changes) = self.next_changes()
        {
            for change in changes {
                let serial = |slot: Option<&Slot>| Some(slot?.zone()?.serial());
                let (apex, new) = (change.apex.clone(), serial(change.slot.as_ref()));
                let old = state.zones.apply(change);
                changed.extend(Some(apex).filter(|_| new.is_some() && new != serial(old.as_ref())));
                freed.extend(old);
            }
            messages += 1;
        }
        if messages > 0 {
            self.applied(messages, freed);
        }
        changed
    }

    fn next_changes(&mut self) -> Option<Vec<Change>> {
        match self.changes.try_recv() {
            Ok(changes) => return Some(changes),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.lost(),
        }
        self.pending = false;
        None
    }

    fn applied(&mut self, messages: usize, replaced: Vec<Slot>) {
        if self.commands.send(Command::Applied { messages, replaced }).is_err() {
            self.lost();
        }
    }

    /// Sends it the zones that transfers held, which may have been replaced long ago.
    fn free(&mut self, zones: Vec<Arc<Zone>>) {
        if !zones.is_empty() {
            self.applied(0, zones.into_iter().map(Slot::Live).collect());
        }
    }

    fn reload(&mut self) {
        log::info!("SIGHUP: reading every zone again");
        process::report_reload();
        if self.commands.send(Command::ReloadAll).is_err() {
            self.lost();
        }
    }

    fn lost(&mut self) {
        if std::mem::replace(&mut self.alive, false) {
            log::error!(
                "zone files are read no longer, because the thread that reads them has ended; the \
                 zones are served as they are. Restart the server, and please report what the log \
                 says before this line"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::Policy;
    use std::sync::mpsc;

    fn change(apex: &str) -> Change {
        Change { apex: apex.parse().unwrap(), slot: Some(Slot::Broken) }
    }

    #[test]
    fn zones_are_put_in_place_and_the_old_ones_sent_back() {
        let (change_sender, changes) = mpsc::channel();
        let (commands, command_receiver) = mpsc::channel();
        let mut worker = Worker::new(changes, commands);
        let mut state = State::new(Policy::default());
        change_sender.send(vec![change("smith.edu."), change("umass.edu.")]).unwrap();
        worker.apply_changes(&mut state);
        assert_eq!(state.zones.len(), 2);
        let applied = command_receiver.try_recv().unwrap();
        assert!(matches!(applied, Command::Applied { replaced, .. } if replaced.is_empty()));

        change_sender.send(vec![change("smith.edu.")]).unwrap();
        change_sender.send(vec![Change { slot: None, ..change("umass.edu.") }]).unwrap();
        worker.apply_changes(&mut state);
        assert_eq!(state.zones.len(), 1);
        let applied = command_receiver.recv().unwrap();
        assert!(matches!(applied, Command::Applied { replaced, .. } if replaced.len() == 2));
    }

    #[test]
    fn changes_that_come_in_masses_take_more_than_one_turn() {
        let (change_sender, changes) = mpsc::channel();
        let (commands, _command_receiver) = mpsc::channel();
        let mut worker = Worker::new(changes, commands);
        let mut state = State::new(Policy::default());
        for number in 0..CHANGES_MAX + 1 {
            change_sender.send(vec![change(&format!("z{number}.edu."))]).unwrap();
        }
        worker.apply_changes(&mut state);
        assert!(worker.pending);
        worker.apply_changes(&mut state);
        assert!(!worker.pending);
        assert_eq!(state.zones.len(), CHANGES_MAX + 1);
    }

    #[test]
    fn a_worker_that_is_gone_changes_nothing() {
        let (_, changes) = mpsc::channel();
        let (commands, _) = mpsc::channel();
        let mut worker = Worker::new(changes, commands);
        let mut state = State::new(Policy::default());
        worker.apply_changes(&mut state);
        worker.reload();
        assert!(!worker.alive && state.zones.is_empty());
    }

    #[test]
    fn a_server_knows_its_own_addresses() {
        let listeners = listen::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let local = listeners[0].local;
        let state = State::new(Policy::default());
        let server = Server::new(listeners, state, Limits::default()).unwrap();
        assert_eq!(server.responder.state.own_addresses, [local]);
    }

    #[test]
    fn tokens_are_events() {
        for index in [0, 1, 5000] {
            let events = [Event::Udp(index), Event::Accept(index), Event::Connection(index)];
            for event in [Event::Wake, Event::Signal].into_iter().chain(events) {
                assert_eq!(Event::from(event.token()), event);
            }
        }
    }
}
