//! Response rate limiting, as those see it who ask, and those in whose name somebody asks.
//!
//! Most of it is a simulation: everybody asks `respond`, and the clock is the test's. The rest is the
//! built program, with its own clock and real sockets.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fmt::Write as _;
use std::net::UdpSocket;
use support::options::{SECRETS, Setting};
use support::program::{folder, write};
use support::query::{Query, Transport as Asked};
use support::server::{DEADLINE, Server, wait_until};
use zonesmith::clock::Now;
use zonesmith::guard::cookie::{Cookies, Secrets};
use zonesmith::guard::prefix;
use zonesmith::guard::rrl::{Limiter, Rates};
use zonesmith::reload::load;
use zonesmith::respond::{self, Outcome, Peer, Policy, State, Transport};
use zonesmith::zone::set::{Change, Slot};

/// The rate that the server has by itself.
const RATE: usize = 200;
/// How long a simulation runs.
const SECONDS: usize = 4;
/// What an attacker sends in a second.
const FLOOD: usize = 4000;
/// In whose name, and where to.
const VICTIM: &str = "198.51.100.7";

/// A zone with many names of all kinds, and long answers.
fn zone_text() -> String {
    let mut text = "\
$TTL 300
@ SOA ns admin 1 7200 900 1209600 60
@ NS ns
ns A 192.0.2.1
*.wild A 192.0.2.2
child NS ns.child
ns.child A 192.0.2.3
"
    .to_string();
    for number in 0..400 {
        writeln!(text, "host{number} A 192.0.2.4").unwrap();
        writeln!(text, "long{number} TXT {0} {0} {0}", "x".repeat(250)).unwrap();
        writeln!(text, "mid{number} TXT {0} {0}", "x".repeat(215)).unwrap();
        writeln!(text, "cut{number} NS ns.cut{number}\nns.cut{number} A 192.0.2.5").unwrap();
    }
    text
}

fn state() -> State {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("example.zone", &zone_text())]);
    let loaded = load::load(&folder.path().join("example.zone"));
    let slot = Some(Slot::Live(loaded.zone.unwrap().into()));
    let mut state = State::new(Policy::default());
    state.zones.apply(Change { apex: loaded.apex.unwrap(), slot });
    let secrets = Secrets::parse(SECRETS).unwrap();
    state.cookies = Some(Cookies { required: false, secrets });
    let rates = Rates {
        per_second: u32::try_from(RATE).unwrap(),
        slip: 2,
        exempt: prefix::private().collect(),
    };
    state.limiter = Some(Limiter::new(rates, *b"sixteen octets!!"));
    state
}

/// What somebody got: answers, how many of them said TC, and their octets beside those asked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Got {
    asked: usize,
    full: usize,
    truncated: usize,
    asked_len: usize,
    len: usize,
}

struct Simulation {
    state: State,
    now_ms: u64,
}

impl Simulation {
    fn new() -> Simulation {
        Simulation { state: state(), now_ms: 1000 }
    }

    /// Asks `words` from an address, and adds what comes to what was got there.
    fn ask(&mut self, source: &str, words: &str, got: &mut Got) {
        let query = Query::parse(words).unwrap();
        let source = source.parse().unwrap();
        let wire = query.asked_in(&Setting { source, unix_s: 1_559_731_985 });
        let transport = match query.transport {
            Asked::Udp => Transport::Udp,
            Asked::Tcp => Transport::Tcp,
        };
        let from = Peer { transport, source: (source, 5353).into() };
        let now = Now { unix_s: 1_559_731_985, monotonic_ms: self.now_ms };
        let mut out = Vec::new();
        let outcome = respond::respond(&wire, from, now, &mut self.state, &mut out);
        assert_eq!(matches!(outcome, Outcome::Drop(_)), out.is_empty(), "{words}: {outcome:?}");
        got.asked += 1;
        got.asked_len += wire.len();
        got.len += out.len();
        match out.get(2) {
            Some(flags) if flags & 2 != 0 => got.truncated += 1,
            Some(_) => got.full += 1,
            None => {}
        }
    }

    /// Floods with what `words` makes of a number, while `beside` happens once in a millisecond.
    fn flood(
        &mut self,
        words: impl Fn(usize) -> String,
        mut beside: impl FnMut(&mut Simulation, usize),
    ) -> Got {
        let mut got = Got::default();
        let per_ms = FLOOD / 1000;
        for ms in 0..SECONDS * 1000 {
            self.now_ms += 1;
            for number in ms * per_ms..(ms + 1) * per_ms {
                self.ask(VICTIM, &words(number), &mut got);
            }
            beside(self, ms);
        }
        got
    }
}

#[test]
fn a_flood_in_a_victims_name_is_held_and_nobody_else_notices() {
    let mut simulation = Simulation::new();
    let [mut elsewhere, mut neighbour, mut cookie, mut local, mut tcp] = [Got::default(); 5];
    let victim = simulation.flood(
        |_| "long1.example. TXT +edns".into(),
        |simulation, ms| {
            let far = format!("203.0.{}.9", ms % 100);
            simulation.ask(&far, "long1.example. TXT +edns", &mut elsewhere);
            if ms % 50 == 0 {
                let other = format!("host{}.example. A", ms % 400);
                simulation.ask("198.51.100.99", &other, &mut neighbour);
                let proved = "long1.example. TXT +cookie=2464c4abcf10c957:ours-60";
                simulation.ask(VICTIM, proved, &mut cookie);
                simulation.ask("10.0.0.1", "long1.example. TXT +edns", &mut local);
                simulation.ask(VICTIM, "long1.example. TXT +tcp", &mut tcp);
            }
        },
    );
    for (who, got) in [
        ("other networks", elsewhere),
        ("the victim's neighbours, about other names", neighbour),
        ("the victim with a cookie", cookie),
        ("private networks", local),
        ("the victim over TCP", tcp),
    ] {
        assert_eq!((got.full, got.truncated), (got.asked, 0), "{who}");
    }
    assert_eq!(victim.asked, FLOOD * SECONDS);
    assert!(victim.full <= RATE * (SECONDS + 1), "{victim:?}");
    assert!(victim.truncated >= (victim.asked - victim.full) / 2 - 1, "{victim:?}");
    // 18 times as much without a limit.
    assert!(victim.len < 2 * victim.asked_len, "{victim:?}");
}

#[test]
fn names_without_end_are_counted_together() {
    for (kind, words) in [
        ("names that do not exist", "no{}.example. A"),
        ("names of a wildcard", "no{}.wild.example. A"),
        ("nothing of a wildcard", "no{}.wild.example. TXT"),
        ("names below a cut", "no{}.child.example. A"),
        ("names of nobody here", "no{}.elsewhere. A"),
        ("long answers about many names", "long{}.example. TXT +edns"),
        ("ANY about many names", "host{}.example. ANY"),
        ("capitals", "long1.EXAMPLE. A"),
        ("version.bind", "version.bind. TXT CH"),
        ("errors", "host1.example. A +opcode=5"),
        ("questions for a cookie alone", "- +cookie=2464c4abcf10c957"),
    ] {
        let mut simulation = Simulation::new();
        let words = |number: usize| words.replace("{}", &(number % 400).to_string());
        let got = simulation.flood(words, |_, _| ());
        // What has no records to leave out slips through as it is.
        let limited = got.asked - RATE * (SECONDS + 1);
        assert!(got.full + got.truncated <= got.asked - limited / 2, "{kind}: {got:?}");
        assert!(got.len < 2 * got.asked_len, "{kind}: {got:?}");
    }
}

#[test]
fn a_flood_over_however_many_names_is_held() {
    for words in [
        "mid{}.example. TXT",
        "long{}.example. TXT +edns",
        "x.cut{}.example. A",
        "host{}.example. AAAA",
        "host{}.example. AAAA +nsid",
        "no{}.example. A +cookie=2464c4abcf10c957",
    ] {
        for names in [20, 400] {
            let mut simulation = Simulation::new();
            simulation.state.identity.nsid = Some([b'n'; 64].into());
            let words = |number: usize| words.replace("{}", &(number % names).to_string());
            let got = simulation.flood(words, |_, _| ());
            assert!(got.len < 2 * got.asked_len, "{} of {names}: {got:?}", words(0));
        }
    }
}

#[test]
fn a_resolver_that_keeps_answers_is_never_limited() {
    let mut simulation = Simulation::new();
    let mut got = Got::default();
    for ms in 0..3000 {
        simulation.now_ms += 1;
        for words in ["host{}.example. A", "host{}.example. AAAA", "host{}.example. TXT +edns"] {
            simulation.ask(VICTIM, &words.replace("{}", &(ms % 400).to_string()), &mut got);
        }
    }
    assert_eq!((got.full, got.truncated), (9000, 0));
}

/// Whether answers to one question came full, with TC, and not at all: 30 datagrams at a time, and one
/// behind them for which there is an answer always, because it comes with the server's cookie.
fn outcomes(server: &Server, rounds: usize) -> [bool; 3] {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let asked = Query::parse("long1.example. TXT +edns").unwrap().wire;
    let proved = format!("host1.example. A +cookie={}", cookie(server));
    let mut last = Query::parse(&proved).unwrap().wire;
    last[..2].copy_from_slice(&[0, 0]);
    let mut seen = [false; 3];
    for _ in 0..rounds {
        (0..30).for_each(|_| assert_eq!(socket.send(&asked).unwrap(), asked.len()));
        socket.send(&last).unwrap();
        let (mut answer, mut answers) = ([0; 1232], 0);
        while socket.recv(&mut answer).unwrap() > 0 && answer[..2] != [0, 0] {
            seen[usize::from(answer[2] & 2 != 0)] = true;
            answers += 1;
        }
        seen[2] |= answers < 30;
    }
    seen
}

/// A cookie of the server's, in hex: it ends the answer to who has none yet.
fn cookie(server: &Server) -> String {
    let query = Query::parse("host1.example. A +cookie=2464c4abcf10c957").unwrap();
    let answer = server.ask(&query.wire, Asked::Tcp).unwrap().unwrap();
    answer[answer.len() - 24..].iter().map(|octet| format!("{octet:02x}")).collect()
}

fn start(arguments: &[&str]) -> Server {
    let folder = folder();
    write(folder.path(), &[("example.zone", &zone_text())]);
    Server::start(folder.path(), arguments).unwrap()
}

#[test]
fn the_program_limits_what_it_sends_and_counts_it() {
    let server = start(&["--rrl-rate=1", "--rrl-exempt=none", "--rrl-exempt=::1", "-vv"]);
    let mut seen = [false; 3];
    assert!(wait_until(|| {
        let now = outcomes(&server, 1);
        (0..3).for_each(|at| seen[at] |= now[at]);
        seen == [true; 3]
    }));
    // an answer may be here before its line is
    assert!(wait_until(|| server.log().contains("over TCP (--rrl-rate)")));
    assert!(wait_until(|| server.log().contains("no answer: over the rate of such answers")));
}

#[test]
fn the_program_spares_loopback_and_does_as_it_is_told() {
    for arguments in [
        &["--rrl-rate=1"][..],
        &["--rrl-rate=0", "--rrl-exempt=none"],
        &["--rrl-rate=1", "--rrl-exempt=127.0.0.0/30"],
        &["--rrl-rate=1000000", "--rrl-exempt=none"],
    ] {
        assert_eq!(outcomes(&start(arguments), 3), [true, false, false], "{arguments:?}");
    }
    let server = start(&["--rrl-rate=1", "--rrl-exempt=none", "--rrl-slip=1"]);
    let mut seen = [false; 3];
    assert!(wait_until(|| {
        let now = outcomes(&server, 1);
        (0..3).for_each(|at| seen[at] |= now[at]);
        seen[1]
    }));
    assert!(!seen[2], "with slip 1 each question is answered");
}
