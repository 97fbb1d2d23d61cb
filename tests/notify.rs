//! Announcements over a network that loses, doubles and reorders, between a primary and secondaries that
//! restart, one of which signs; the primary's clock jumps, and somebody answers without the key.
//!
//! A seed decides everything. In the end the network is good for a while, and then each secondary has
//! the last version of each zone, or was given up; and nothing is sent any more.

#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use support::dice::Dice;
use zonesmith::clock::Now;
use zonesmith::guard::tsig::{Algorithm, Key, Keys, Verdict};
use zonesmith::name::{Name, NameBuf};
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::transfer::notify::{Action, Event, Notifier, OPEN_MAX};
use zonesmith::transfer::secondaries::{NotifySet, Secondaries, Secondary, Target};
use zonesmith::wire::HEADER_LEN;
use zonesmith::wire::message::last_record_at;
use zonesmith::wire::tsig::Tsig;
use zonesmith::zone::set::{Change, Slot, ZoneSet};
use zonesmith::zone::{Zone, serial_of};

/// Seeds of a run.
const SEEDS: u64 = 200;
const STEPS: usize = 300;
const ZONES: usize = 5;
/// When it begins, in seconds since 1970.
const START_S: u64 = 1_700_000_000;
/// By how much the primary's clock is wrong, in seconds: more than a signature permits, or not.
const CLOCK_OFF_S: [i64; 4] = [-400, 0, 200, 400];

fn zone(number: usize, serial: u32) -> Zone {
    let text =
        format!("@ 300 SOA ns admin {serial} 2h 15m 2w 5m\n@ 300 NS ns\nns 300 A 192.0.2.1\n");
    let path = format!("zone{number}.example.zone");
    let loaded = load_text(Path::new(&path), text.into(), &[], Lints::Quick, &mut |_, _| ());
    loaded.zone.unwrap()
}

fn secondaries() -> [SocketAddr; 2] {
    ["192.0.2.1:53", "[2001:db8::1]:53"].map(|address| address.parse().unwrap())
}

/// They are told so, and the last one has a key.
fn targets(keys: &Keys) -> Vec<Target> {
    let [first, last] = secondaries();
    let key = keys.find(key_name().as_name()).map(Arc::clone);
    vec![Target { address: first, key: None }, Target { address: last, key }]
}

fn key_name() -> NameBuf {
    "pair.example.".parse().unwrap()
}

fn keys() -> Keys {
    keys_of(b"a secret of thirty-two octets...")
}

fn keys_of(secret: &[u8]) -> Keys {
    let mut keys = Keys::default();
    let key = Key::new(key_name().as_name(), Algorithm::ALL[0], secret);
    keys.add(key.unwrap()).unwrap();
    keys
}

fn at(now_ms: u64) -> Now {
    Now { unix_s: START_S + now_ms / 1000, monotonic_ms: now_ms }
}

/// A message without its signature.
fn unsigned(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if message[11] == 1 {
        message.truncate(last_record_at(&message).unwrap());
        message[11] = 0;
    }
    message
}

/// The serial that an announcement carries, of which zone.
fn read(message: &[u8]) -> (Box<[u8]>, u32) {
    assert_eq!(message[2..12], [0x24, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    let (name, rest) = Name::split_from(&message[HEADER_LEN..]).unwrap();
    assert_eq!(rest[..6], [0, 6, 0, 1, 0xc0, 12]);
    (name.as_wire().into(), serial_of(message).unwrap())
}

fn answer(message: &[u8], rcode: u8) -> Vec<u8> {
    let question_end = HEADER_LEN + read(message).0.len() + 4;
    let mut answer = message[..question_end].to_vec();
    (answer[2], answer[3], answer[7]) = (answer[2] | 0x80, rcode, 0);
    answer
}

struct World {
    dice: Dice,
    notifier: Notifier,
    keys: Keys,
    now_ms: u64,
    clock_off_s: i64,
    serials: [u32; ZONES],
    /// Under way to secondaries, and back.
    there: Vec<(SocketAddr, Vec<u8>)>,
    back: Vec<(SocketAddr, Vec<u8>)>,
    /// What secondaries have heard of.
    known: HashMap<(SocketAddr, Box<[u8]>), u32>,
    /// Secondaries that do not run.
    down: HashSet<SocketAddr>,
    gave_up: HashSet<SocketAddr>,
    sent: usize,
}

impl World {
    fn new(seed: u64) -> World {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1));
        let keys = keys();
        let notifier = Notifier::new(seed);
        let (there, back) = (Vec::new(), Vec::new());
        let (known, down, gave_up) = (HashMap::new(), HashSet::new(), HashSet::new());
        World {
            dice,
            notifier,
            keys,
            now_ms: 0,
            clock_off_s: 0,
            serials: [0; ZONES],
            there,
            back,
            known,
            down,
            gave_up,
            sent: 0,
        }
    }

    /// Whether every secondary was told, none given up.
    fn run(mut self) -> bool {
        for _ in 0..STEPS {
            self.step();
        }
        self.down.clear();
        self.clock_off_s = 0;
        while self.notifier.deadline_ms().is_some() {
            while !self.there.is_empty() || !self.back.is_empty() {
                self.deliver(false);
                self.answer(false);
            }
            self.wait();
        }
        for secondary in secondaries().into_iter().filter(|it| !self.gave_up.contains(it)) {
            for (number, &serial) in self.serials.iter().enumerate() {
                let key = (secondary, zone(number, 1).apex().as_wire().into());
                assert_eq!(
                    self.known.get(&key).copied().unwrap_or_default(),
                    serial,
                    "{secondary}"
                );
            }
        }
        let before = self.sent;
        self.happen(Event::Tick);
        assert_eq!(self.sent, before, "all is said");
        self.gave_up.is_empty()
    }

    fn step(&mut self) {
        match self.dice.below(9) {
            0 => self.change(),
            1 if self.dice.below(4) == 0 => self.restart(),
            1 => self.toggle(),
            2..=4 => self.deliver(true),
            5 => self.answer(true),
            6 => self.wait(),
            7 => self.clock_off_s = CLOCK_OFF_S[self.dice.below(CLOCK_OFF_S.len())],
            _ => self.stranger(),
        }
    }

    fn happen(&mut self, event: Event<'_>) {
        let mut now = at(self.now_ms);
        now.unix_s = now.unix_s.checked_add_signed(self.clock_off_s).unwrap();
        for action in self.notifier.step(event, now) {
            match action {
                Action::Send(to, message) => {
                    self.sent += 1;
                    self.there.push((to, message));
                }
                Action::GaveUp(to, ..) => drop(self.gave_up.insert(to)),
                Action::Refused(_, _, rcode) => assert_eq!(rcode, 5),
                Action::Doubted(from, _) => assert_eq!(from, secondaries()[1], "it has a key"),
            }
        }
    }

    fn change(&mut self) {
        let number = self.dice.below(ZONES);
        self.serials[number] += 1;
        let zone = zone(number, self.serials[number]);
        self.happen(Event::Changed(&zone, &targets(&self.keys)));
    }

    /// The server ends and starts again, and says all that it serves.
    fn restart(&mut self) {
        self.notifier = Notifier::new(self.dice.0);
        for number in (0..ZONES).filter(|&number| self.serials[number] > 0).collect::<Vec<_>>() {
            let zone = zone(number, self.serials[number]);
            self.happen(Event::Changed(&zone, &targets(&self.keys)));
        }
    }

    /// A secondary ends, or starts again.
    fn toggle(&mut self) {
        let secondary = secondaries()[self.dice.below(2)];
        if !self.down.remove(&secondary) {
            self.down.insert(secondary);
        }
    }

    /// The network brings an announcement, in any order, perhaps twice or never.
    fn deliver(&mut self, is_bad: bool) {
        if self.there.is_empty() {
            return;
        }
        let at = self.dice.below(self.there.len());
        let (to, message) = self.there.swap_remove(at);
        if is_bad && self.dice.below(3) == 0 || self.down.contains(&to) {
            return;
        }
        if is_bad && self.dice.below(5) == 0 {
            self.there.push((to, message.clone()));
        }
        let back = match message[11] {
            0 => self.hear(to, &message),
            _ if is_bad && self.dice.below(4) == 0 => answer(&unsigned(&message), 0), // somebody else
            _ => self.hear_signed(to, &message),
        };
        self.back.push((to, back));
    }

    /// A secondary takes in what it is told; gives its answer.
    fn hear(&mut self, to: SocketAddr, message: &[u8]) -> Vec<u8> {
        let (zone, serial) = read(message);
        let known = self.known.entry((to, zone)).or_default();
        *known = serial.max(*known);
        answer(message, if self.dice.below(6) == 0 { 5 } else { 0 })
    }

    /// The same with a signature, where its own clock is right.
    fn hear_signed(&mut self, to: SocketAddr, message: &[u8]) -> Vec<u8> {
        let now_s = at(self.now_ms).unix_s;
        let (end, plain) = (last_record_at(message).unwrap(), unsigned(message));
        let tsig = Tsig::read(message, end).unwrap();
        let (mut signer, mut answer) = match self.keys.verify(message, &tsig, end, now_s) {
            Verdict::Signed(signer) => (signer, self.hear(to, &plain)),
            Verdict::BadTime(signer) => (signer, answer(&plain, 9)),
            verdict => panic!("{verdict:?}"),
        };
        signer.sign_next(&mut answer, 0, now_s);
        answer
    }

    fn answer(&mut self, is_bad: bool) {
        if self.back.is_empty() {
            return;
        }
        let at = self.dice.below(self.back.len());
        let (from, message) = self.back.swap_remove(at);
        if !is_bad || self.dice.below(4) > 0 {
            self.happen(Event::Received(from, &message));
        }
    }

    /// Octets from anywhere mean nothing.
    fn stranger(&mut self) {
        let mut message = match self.there.first() {
            Some((_, message)) => answer(&unsigned(message), 0),
            None => return,
        };
        let from = "198.51.100.1:53".parse().unwrap();
        let open = |world: &World| world.notifier.deadline_ms();
        let before = open(self);
        self.happen_quietly(from, &message);
        message.truncate(self.dice.below(message.len()));
        self.happen_quietly(secondaries()[0], &message[..message.len().min(HEADER_LEN - 1)]);
        assert_eq!(open(self), before);
    }

    fn happen_quietly(&mut self, from: SocketAddr, message: &[u8]) {
        // At this very moment, so that nothing is due.
        if self.notifier.deadline_ms().is_none_or(|deadline| deadline > self.now_ms) {
            self.happen(Event::Received(from, message));
        }
    }

    /// Until something is due, or a little less.
    fn wait(&mut self) {
        let Some(deadline) = self.notifier.deadline_ms() else { return };
        let left = deadline.saturating_sub(self.now_ms);
        self.now_ms += if self.dice.below(3) == 0 { left / 2 } else { left };
        self.happen(Event::Tick);
    }
}

#[test]
fn each_secondary_hears_of_the_last_version_or_is_given_up() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let mut told = 0;
    for seed in one.map_or(1..=SEEDS, |seed| seed..=seed) {
        let run = std::panic::catch_unwind(|| World::new(seed).run());
        match run {
            Ok(are_told) => told += u64::from(are_told),
            Err(panic) => {
                eprintln!("seed {seed} fails; again: SEED={seed} cargo test --test notify");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(one.is_some() || told > SEEDS / 4, "in most runs somebody is given up: {told}");
}

/// What is sent when nobody answers, in seconds.
#[test]
fn who_does_not_answer_is_asked_ever_less_often_and_then_no_more() {
    let secondary = secondaries()[0];
    let (mut notifier, targets) = (Notifier::new(7), [Target { address: secondary, key: None }]);
    let (mut sent, mut now_ms) = (Vec::new(), 0);
    let mut event = notifier.step(Event::Changed(&zone(0, 1), &targets), at(0));
    event.extend(notifier.step(Event::Changed(&zone(1, 1), &targets), at(0)));
    loop {
        for action in event {
            match action {
                Action::Send(..) => sent.push(now_ms / 1000),
                action => {
                    assert_eq!(action, Action::GaveUp(secondary, zone(0, 1).apex().to_string(), 1));
                    assert_eq!(now_ms, 255_000);
                    assert_eq!(sent[..6], [0, 0, 1, 1, 3, 3]);
                    assert_eq!(sent[14..], [127, 127]);
                    assert_eq!(notifier.deadline_ms(), None);
                    return;
                }
            }
        }
        now_ms = notifier.deadline_ms().unwrap();
        event = notifier.step(Event::Tick, at(now_ms));
    }
}

#[test]
fn many_zones_wait_their_turn_and_a_silent_secondary_is_spared_most() {
    let secondary = secondaries()[0];
    let (mut notifier, targets) = (Notifier::new(7), [Target { address: secondary, key: None }]);
    let changed = |number| notifier.step(Event::Changed(&zone(number, 1), &targets), at(0)).len();
    assert_eq!((0..200).map(changed).sum::<usize>(), OPEN_MAX);
    let mut given_up = 0;
    while let Some(now_ms) = notifier.deadline_ms() {
        for action in notifier.step(Event::Tick, at(now_ms)) {
            if let Action::GaveUp(_, _, others) = action {
                given_up += 1 + others;
            }
        }
    }
    assert_eq!(given_up, 200);
}

#[test]
fn whom_a_rule_names_no_more_is_not_told_again_and_others_are() {
    let mut notifier = Notifier::new(7);
    let targets = secondaries().map(|address| Target { address, key: None });
    for number in 0..OPEN_MAX + 10 {
        notifier.step(Event::Changed(&zone(number, 1), &targets[..2]), at(0));
    }
    let left_out = zone(0, 1);
    notifier.keep(|target, apex| target.is(&targets[0]) && apex != left_out.apex());
    let mut told = HashSet::new();
    while let Some(now_ms) = notifier.deadline_ms() {
        for action in notifier.step(Event::Tick, at(now_ms)) {
            if let Action::Send(to, message) = action {
                assert_eq!(to, targets[0].address);
                told.insert(read(&message).0);
            }
        }
    }
    assert!(!told.contains(left_out.apex().as_wire()) && told.len() == OPEN_MAX, "{}", told.len());
}

#[test]
fn whom_a_rule_names_no_more_hears_of_the_next_version_no_more() {
    let mut notifier = Notifier::new(7);
    let [first, last] = secondaries().map(|address| Target { address, key: None });
    let mut sent_to = |zone: &Zone, target: &Target, now_ms: u64| -> Vec<SocketAddr> {
        let mut actions =
            notifier.step(Event::Changed(zone, std::slice::from_ref(target)), at(now_ms));
        actions.extend(notifier.step(Event::Tick, at(now_ms + 1500)));
        let to = |action: &Action| match action {
            Action::Send(to, _) => *to,
            other => panic!("{other:?}"),
        };
        actions.iter().map(to).collect()
    };
    assert_eq!(sent_to(&zone(0, 1), &first, 0), [first.address; 2]);
    assert_eq!(sent_to(&zone(0, 2), &last, 1600), [last.address; 2]);
}

#[test]
fn a_new_secret_of_the_same_name_signs_what_is_sent_from_then_on() {
    let (old, new, mut notifier) = (keys(), keys_of(b"another one"), Notifier::new(7));
    let verdict = |actions: &[Action], keys: &Keys| {
        let [Action::Send(_, message)] = actions else { panic!("{actions:?}") };
        let end = last_record_at(message).unwrap();
        let tsig = Tsig::read(message, end).unwrap();
        matches!(keys.verify(message, &tsig, end, START_S), Verdict::Signed(_))
    };
    let first = notifier.step(Event::Changed(&zone(0, 1), &targets(&old)[1..]), at(0));
    assert!(verdict(&first, &old) && !verdict(&first, &new));
    notifier.rekey(&new);
    let again = notifier.step(Event::Tick, Now { unix_s: START_S, monotonic_ms: 1000 });
    assert!(verdict(&again, &new) && !verdict(&again, &old));
}

/// Two zones as the server has them, and who is told of the first.
fn notify_set(zone: &str, other: &str, own: &[SocketAddr]) -> (Vec<String>, Vec<String>) {
    let mut zones = ZoneSet::default();
    for (apex, text) in [("smith.edu", zone), ("umass.example", other)] {
        let path = format!("{apex}.zone");
        let text = format!("$TTL 300\n{text}");
        let loaded = load_text(Path::new(&path), text.into(), &[], Lints::Quick, &mut |_, _| ());
        let slot = Some(Slot::Live(Arc::new(loaded.zone.unwrap())));
        zones.apply(Change { apex: apex.parse().unwrap(), slot });
    }
    let apex: NameBuf = "smith.edu".parse().unwrap();
    let zone = zones.get(apex.as_name()).and_then(Slot::zone).unwrap();
    let target = Target { address: "192.0.2.8:53".parse().unwrap(), key: None };
    let server = vec![Secondary::At(target), Secondary::NameServers(None)];
    let secondaries = Secondaries { server, ..Secondaries::default() };
    let NotifySet { targets, unknown } = secondaries.of(zone, &zones, own);
    let mut targets: Vec<_> = targets.iter().map(|target| target.address.to_string()).collect();
    targets.sort();
    (targets, unknown.iter().map(ToString::to_string).collect())
}

#[test]
fn a_zones_name_servers_are_those_whose_addresses_zones_here_have() {
    let soa = "@ SOA NS1 a 1 2h 15m 2w 5m\n";
    let zone = format!(
        "{soa}@ NS ns1\n@ NS ns2\n@ NS NS.umass.example.\n@ NS ns.cs\n@ NS ns.elsewhere.example.\n\
         ns1 A 192.0.2.1\nns2 A 192.0.2.8\nns2 AAAA 2001:db8::2\ncs NS ns.cs\nns.cs A 192.0.2.4\n"
    );
    let other = format!("{soa}@ NS ns\nns1 A 192.0.2.1\nns A 192.0.2.5\nns A 192.0.2.6\n");
    let own = ["192.0.2.6:53".parse().unwrap()];
    let (targets, unknown) = notify_set(&zone, &other, &own);
    let expected = ["192.0.2.4:53", "192.0.2.5:53", "192.0.2.8:53", "[2001:db8::2]:53"];
    assert_eq!(targets, expected, "each once; neither the primary nor this server");
    assert_eq!(unknown, ["ns.elsewhere.example."]);
}
