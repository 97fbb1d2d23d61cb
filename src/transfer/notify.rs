//! Telling secondaries that a zone has changed (RFC 1996), as a machine: events in, actions out.
//!
//! Who is told is said with each version of a zone ([`secondaries`](super::secondaries)). Each has a table of zones that wait to be announced, and a bounded number of announcements
//! on their way. One of these is sent again, later each time, until the secondary answers whatever it
//! likes, or until it has not for some minutes: then it is on its own, and asks by itself when the SOA
//! says so. A secondary that was silent all that time is told nothing of what still waits, either.
//! A newer version takes the place of an older one, and begins anew.
//!
//! What is told to a secondary with a key is signed with it, each sending at its own time, and only an
//! answer that is signed for one of the sendings is one.

use super::secondaries::Target;
use crate::clock::Now;
use crate::guard::tsig::{Asked, Doubt, Keys};
use crate::name::Name;
use crate::rr::table;
use crate::wire::{HEADER_LEN, bits};
use crate::zone::{RECORD_HEAD_LEN, Zone};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// How often an announcement is sent. With twice the time between two of them each time, it is given up
/// 255 seconds after the first.
const SENDINGS_MAX: u32 = 8;
/// How long an answer is waited for at first, in milliseconds.
const PATIENCE_MS: u64 = 1000;
/// Announcements on their way to one secondary: at start there may be a hundred thousand zones.
pub const OPEN_MAX: usize = 64;

/// Opcode NOTIFY, in its place (RFC 1996 §3.1).
const OPCODE_NOTIFY: u16 = 4 << 11;
/// Where the response code stands in the header's second word.
const RCODE: u16 = 0xf;

/// Who is told, and what is on its way.
pub struct Notifier {
    /// Those that something is on its way to.
    secondaries: Vec<Secondary>,
    /// What the next id is made from.
    ids: u64,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A zone is served in another version than before, of which these are told.
    Changed(&'e Zone, &'e [Target]),
    /// A message came.
    Received(SocketAddr, &'e [u8]),
    /// Time has passed.
    Tick,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this message there.
    Send(SocketAddr, Vec<u8>),
    /// Tell people: the secondary answered with an error (its code) about a zone (its name).
    Refused(SocketAddr, String, u16),
    /// Tell people: what claims to be an answer of the secondary does not count, and why. Told once until
    /// one counts.
    Doubted(SocketAddr, Doubt),
    /// Tell people: the secondary does not answer, so that a zone (its name) was not announced to it, and
    /// so many others.
    GaveUp(SocketAddr, String, usize),
}

struct Secondary {
    target: Target,
    waiting: BTreeMap<Box<[u8]>, Arc<Announcement>>,
    open: Vec<Open>,
    /// When it answered last.
    heard_ms: Option<u64>,
    /// That an answer of its does not count has been told.
    doubted: bool,
}

/// What is told: the version of a zone.
struct Announcement {
    zone: Box<[u8]>,
    /// From type to data, without the owner.
    soa: Vec<u8>,
}

/// An announcement on its way.
struct Open {
    what: Arc<Announcement>,
    id: u16,
    /// How each sending was signed.
    asked: Vec<Asked>,
    first_ms: u64,
    sendings: u32,
    /// When it is sent again or given up.
    due_ms: u64,
}

impl Notifier {
    /// Tells nobody yet. `seed` makes ids that others cannot guess.
    pub fn new(seed: u64) -> Notifier {
        Notifier { secondaries: Vec::new(), ids: seed | 1 }
    }

    /// Takes in what happens at a time; gives what is to be done.
    pub fn step(&mut self, event: Event<'_>, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Changed(zone, targets) => self.change(zone, targets),
            Event::Received(from, message) => {
                let there = self.secondaries.iter_mut().filter(|it| it.target.address == from);
                there.for_each(|it| it.receive(message, now, &mut actions));
            }
            Event::Tick => {}
        }
        for secondary in &mut self.secondaries {
            secondary.send_again(now, &mut actions);
            secondary.send_waiting(&mut self.ids, now, &mut actions);
        }
        self.secondaries.retain(|secondary| !secondary.open.is_empty());
        actions
    }

    /// When something is to be done even if nothing happens, in milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        let open = self.secondaries.iter().flat_map(|secondary| &secondary.open);
        open.map(|open| open.due_ms).min()
    }

    /// Has everything that is sent from now on signed with these keys, where they have the names of the
    /// keys before.
    pub fn rekey(&mut self, keys: &Keys) {
        self.secondaries.iter_mut().for_each(|secondary| secondary.target.rekey(keys));
    }

    /// Forgets what is on its way or waits, but for what `is_told` wants: who is told of which zone has
    /// changed.
    pub fn keep(&mut self, is_told: impl Fn(&Target, Name<'_>) -> bool) {
        for Secondary { target, waiting, open, .. } in &mut self.secondaries {
            let wanted =
                |zone: &[u8]| Name::from_wire(zone).is_some_and(|zone| is_told(target, zone));
            waiting.retain(|zone, _| wanted(zone));
            open.retain(|open| wanted(&open.what.zone));
        }
        self.secondaries.retain(|secondary| !secondary.open.is_empty());
    }

    fn change(&mut self, zone: &Zone, targets: &[Target]) {
        let soa = zone.soa().records()[RECORD_HEAD_LEN - 10..].to_vec();
        let what =
            Arc::new(Announcement { zone: zone.apex().to_lower().as_name().as_wire().into(), soa });
        for secondary in &mut self.secondaries {
            secondary.open.retain(|open| open.what.zone != what.zone);
            secondary.waiting.remove(&what.zone);
        }
        for target in targets {
            self.secondary(target).waiting.insert(what.zone.clone(), Arc::clone(&what));
        }
    }

    fn secondary(&mut self, target: &Target) -> &mut Secondary {
        let known = self.secondaries.iter().position(|it| it.target.is(target));
        let at = known.unwrap_or_else(|| {
            self.secondaries.push(Secondary::new(target));
            self.secondaries.len() - 1
        });
        &mut self.secondaries[at]
    }
}

impl Secondary {
    fn new(target: &Target) -> Secondary {
        let (waiting, open, heard_ms) = (BTreeMap::new(), Vec::new(), None);
        Secondary { target: target.clone(), waiting, open, heard_ms, doubted: false }
    }

    /// Any answer is one (RFC 1996 §4.8): an error will not go away by asking again.
    fn receive(&mut self, message: &[u8], now: Now, actions: &mut Vec<Action>) {
        let Some(header) = message.first_chunk::<HEADER_LEN>() else { return };
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if word(2) & (bits::QR | bits::OPCODE) != bits::QR | OPCODE_NOTIFY {
            return;
        }
        let question =
            message.get(HEADER_LEN..).filter(|_| word(4) == 1).and_then(Name::split_from);
        let is_it = |open: &Open| {
            let zone = Name::from_wire(&open.what.zone);
            open.id == word(0) && question.is_none_or(|(name, _)| Some(name) == zone)
        };
        let Some(at) = self.open.iter().position(is_it) else { return };
        let address = self.target.address;
        if let Err(doubt) = self.open[at].verify(message, now.unix_s) {
            if !std::mem::replace(&mut self.doubted, true) {
                actions.push(Action::Doubted(address, doubt));
            }
            return;
        }
        let open = self.open.swap_remove(at);
        (self.heard_ms, self.doubted) = (Some(now.monotonic_ms), false);
        if word(2) & RCODE != 0 {
            actions.push(Action::Refused(address, open.what.name(), word(2) & RCODE));
        }
    }

    /// Sends what was not answered in time once more, or gives it up.
    fn send_again(&mut self, now: Now, actions: &mut Vec<Action>) {
        let (target, heard_ms) = (&self.target, self.heard_ms);
        let (mut given_up, mut is_silent) = (Vec::new(), false);
        self.open.retain_mut(|open| {
            if open.due_ms > now.monotonic_ms {
                return true;
            }
            if open.sendings >= SENDINGS_MAX {
                given_up.push(Arc::clone(&open.what));
                is_silent |= heard_ms.is_none_or(|heard| heard < open.first_ms);
                return false;
            }
            actions.push(open.send(target, now));
            true
        });
        if is_silent {
            given_up.extend(std::mem::take(&mut self.waiting).into_values());
        }
        if let [first, others @ ..] = &given_up[..] {
            actions.push(Action::GaveUp(target.address, first.name(), others.len()));
        }
    }

    /// Sends what waits, as far as there is room for more on the way.
    fn send_waiting(&mut self, ids: &mut u64, now: Now, actions: &mut Vec<Action>) {
        while self.open.len() < OPEN_MAX
            && let Some((_, what)) = self.waiting.pop_first()
        {
            let (id, asked, now_ms) = (next_id(ids), Vec::new(), now.monotonic_ms);
            let mut open = Open { what, id, asked, first_ms: now_ms, sendings: 0, due_ms: now_ms };
            actions.push(open.send(&self.target, now));
            self.open.push(open);
        }
    }
}

impl Open {
    fn send(&mut self, to: &Target, now: Now) -> Action {
        self.due_ms = now.monotonic_ms + (PATIENCE_MS << self.sendings);
        self.sendings += 1;
        let mut message = self.what.message(self.id);
        if let Some(key) = &to.key {
            self.asked.push(Asked::sign(Arc::clone(key), &mut message, now.unix_s));
        }
        Action::Send(to.address, message)
    }

    /// Whether an answer is signed for one of the sendings, if they are signed.
    fn verify(&self, answer: &[u8], now_s: u64) -> Result<(), Doubt> {
        let mut verdict = Ok(());
        for asked in self.asked.iter().rev() {
            verdict = asked.verify(answer, now_s);
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }
}

impl Announcement {
    /// The message: the zone as a question for its SOA, and the SOA as an answer to it (RFC 1996 §3.7).
    fn message(&self, id: u16) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER_LEN + self.zone.len() + self.soa.len() + 6);
        for word in [id, OPCODE_NOTIFY | bits::AA, 1, 1, 0, 0] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        message.extend_from_slice(&self.zone);
        let [high, low] = table::SOA.0.to_be_bytes();
        message.extend_from_slice(&[high, low, 0, 1, 0xc0, 12]);
        message.extend_from_slice(&self.soa);
        message
    }

    fn name(&self) -> String {
        Name::from_wire(&self.zone).map(|name| name.to_string()).unwrap_or_default()
    }
}

/// A number that looks like chance: xorshift.
fn next_id(ids: &mut u64) -> u16 {
    *ids ^= *ids << 13;
    *ids ^= *ids >> 7;
    *ids ^= *ids << 17;
    let [.., a, b, _, _] = ids.to_be_bytes();
    u16::from_be_bytes([a, b])
}
