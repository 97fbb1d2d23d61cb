//! Everything at once, against the built program: people who ask, floods and garbage in other people's
//! names, connections that come and go, zone files that change all the time.
//!
//! Who asks is answered from a version of the zone that is no older than the one before. No answer is
//! lost, but where the kernel says that a socket's buffer was full: in the first half floods are such
//! as it can hold, in the second they are not. When all have gone, the server has the descriptors that
//! it had and hardly more memory. The others keep in step with those who ask, so nothing hangs on how
//! fast the machine is. `ZONESMITH_LONG=1` goes on for minutes; with `--nocapture` the figures are shown.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use socket2::Socket;
use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use support::dice::Dice;
use support::program::{folder, write};
use support::query::Query;
use support::server::{DEADLINE, Server, connect_from, framed, read_answer, wait_until};

/// Valid queries over UDP.
const ASKED: usize = 2000;
const ASKED_LONG: usize = 400_000;

/// Memory that may be added between the first fifth and the end, in kB: what an allocator needs to
/// find its shape. A connection or a zone that is never freed would come to far more.
const DRIFT_KB_MAX: usize = 16 * 1024;

/// What each of the others does once for so many valid answers.
const FLOOD_STEP: usize = 20;
const GARBAGE_STEP: usize = 2;
const CHURN_STEP: usize = 2;
const RELOAD_STEP: usize = 40;

/// After so long without an answer somebody asks for the next thing.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Datagrams of a flood: fewer than a receive buffer holds, and more.
const FLOOD: usize = 100;
const FLOOD_LARGE: usize = 1000;
/// Connections that one of those who come and go keeps, of which some are taken away meanwhile.
const KEPT: usize = 60;

const SETTINGS: [&str; 5] = [
    "--tcp-max=400",
    "--tcp-per-client=50",
    "--rrl-exempt=127.0.0.1",
    "--remove-after=1s",
    "--watch=notify",
];

#[test]
#[allow(clippy::print_stdout, reason = "figures for who asks for them")]
fn nothing_is_lost_and_nothing_is_kept() {
    let long = std::env::var_os("ZONESMITH_LONG").is_some();
    let asked = if long { ASKED_LONG } else { ASKED };
    let folder = folder();
    write(folder.path(), &[("example.zone", &zone(1))]);
    let server = Server::start(folder.path(), &SETTINGS).unwrap();
    let descriptors = server.descriptors();
    let world = World::new(server.address, asked);
    let start = Instant::now();
    let (report, warm_kb) = thread::scope(|scope| {
        let udp = scope.spawn(|| world.end_after(|| ask_over_udp(&world)));
        let tcp = scope.spawn(|| world.end_after(|| ask_over_tcp(&world)));
        let flood = scope.spawn(|| world.end_after(|| flood(&world)));
        let garbage = scope.spawn(|| world.end_after(|| garbage(&world)));
        let churn = scope.spawn(|| world.end_after(|| churn(&world)));
        let reload = scope.spawn(|| world.end_after(|| reload(&world, folder.path())));
        while world.answered.load(SeqCst) < asked / 5 && !world.is_over() {
            thread::sleep(Duration::from_millis(5));
        }
        let warm_kb = server.resident_kb();
        let report = Report {
            answered_udp: asked,
            losses: udp.join().unwrap(),
            answered_tcp: tcp.join().unwrap(),
            floods: flood.join().unwrap(),
            garbage: garbage.join().unwrap(),
            connections: churn.join().unwrap(),
            reloads: reload.join().unwrap(),
        };
        (report, warm_kb)
    });
    let last = world.version.load(SeqCst);
    assert!(wait_until(|| version_served(&server) == last), "{}", server.log());
    assert!(
        wait_until(|| server.descriptors() == descriptors && server.files().is_empty()),
        "{} descriptors, {descriptors} at the start; open: {:?}",
        server.descriptors(),
        server.files()
    );
    let now_kb = server.resident_kb();
    println!("{report:?} in {:?}; {warm_kb} kB, then {now_kb} kB", start.elapsed());
    assert!(report.losses.iter().all(|losses| losses.lost <= losses.dropped), "{report:?}");
    assert!(now_kb < warm_kb + DRIFT_KB_MAX, "{warm_kb} kB, then {now_kb} kB");
    assert!(report.floods > 0 && report.garbage > 0 && report.connections > 0, "{report:?}");
    assert_ends_well(server);
}

/// What happened.
#[derive(Debug)]
#[allow(dead_code, reason = "the figures are shown")]
struct Report {
    answered_udp: usize,
    /// In each half.
    losses: [Losses; 2],
    answered_tcp: usize,
    floods: usize,
    garbage: usize,
    connections: usize,
    reloads: usize,
}

/// What did not come.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    /// Answers to those who ask over UDP.
    lost: usize,
    /// Datagrams of anybody's for which a socket's buffer had no room.
    dropped: usize,
}

/// What all of them look at.
struct World {
    server: SocketAddr,
    /// Valid queries over UDP that are to be answered.
    asked: usize,
    /// Valid queries over UDP that were answered: all others keep in step with them.
    answered: AtomicUsize,
    /// Somebody is done, or has failed.
    over: AtomicBool,
    /// The last version of the zone that was written, and the one before.
    version: AtomicU32,
}

impl World {
    fn new(server: SocketAddr, asked: usize) -> World {
        let (answered, over, version) =
            (AtomicUsize::new(0), AtomicBool::new(false), AtomicU32::new(1));
        World { server, asked, answered, over, version }
    }

    fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Runs one of the parts; when it ends, or fails, so do the others.
    fn end_after<T>(&self, part: impl FnOnce() -> T) -> T {
        struct Over<'w>(&'w AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        let _over = Over(&self.over);
        part()
    }

    /// Does something once for so many valid answers, until it is over; how often.
    fn in_step(&self, step: usize, mut act: impl FnMut(usize)) -> usize {
        let mut count = 0;
        while !self.is_over() {
            if self.answered.load(SeqCst) < count * step {
                thread::sleep(Duration::from_millis(1));
            } else {
                act(count);
                count += 1;
            }
        }
        count
    }
}

//----------- Those who ask --------------------------------------------------------------------------

/// The zone `example.`: its answers end in the version.
fn zone(version: u32) -> String {
    let [_, x, y, z] = version.to_be_bytes();
    format!(
        "$TTL 300\n@ SOA ns admin {version} 2h 15m 2w {version}\n@ NS ns\nns A 192.0.2.53\n\
         www A 10.{x}.{y}.{z}\n$GENERATE 1-40 big TXT ${{0,250}}\n"
    )
}

fn query(words: &str, id: u16) -> Vec<u8> {
    let mut wire = Query::parse(words).unwrap().wire;
    wire[..2].copy_from_slice(&id.to_be_bytes());
    wire
}

/// What a number asks for.
fn any_query(number: usize) -> Vec<u8> {
    let words = ["www.example. A", "www.example. A", "no.example. A", "ns.example. AAAA"];
    query(words[number % words.len()], u16::try_from(number % 0x1_0000).unwrap())
}

/// The version that an answer shows: an address of 10/8, or the SOA record's last number.
fn version(answer: &[u8]) -> u32 {
    assert!(answer.len() > 16 && answer[2] & 0x80 != 0, "{}", answer.escape_ascii());
    assert!([0, 3].contains(&(answer[3] & 15)), "{}", answer.escape_ascii());
    let last: &[u8; 4] = answer.last_chunk().unwrap();
    u32::from_be_bytes(*last) & 0x00ff_ffff
}

/// Looks that versions do not go back, nor beyond what was written.
fn assert_follows(world: &World, last: &mut u32, answer: &[u8]) {
    let version = version(answer);
    let written = world.version.load(SeqCst);
    assert!((*last..=written).contains(&version), "{version} after {last}, written: {written}");
    *last = version;
}

/// Asks one by one, and goes on where an answer does not come. What did not come in each half.
fn ask_over_udp(world: &World) -> [Losses; 2] {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(world.server).unwrap();
    socket.set_read_timeout(Some(ASK_AGAIN)).unwrap();
    let ports = [world.server.port(), socket.local_addr().unwrap().port()];
    let mut asker = Asker { world, socket, waits: BTreeSet::new(), number: 0, lost: 0, version: 0 };
    let (mut losses, mut before) = ([Losses::default(); 2], Losses::default());
    for (half, losses) in losses.iter_mut().enumerate() {
        asker.ask(world.asked * (half + 1) / 2);
        let after = Losses { lost: asker.lost, dropped: dropped(&ports) };
        let (lost, dropped) = (after.lost - before.lost, after.dropped - before.dropped);
        (*losses, before) = (Losses { lost, dropped }, after);
    }
    losses
}

/// Who asks over UDP.
struct Asker<'w> {
    world: &'w World,
    socket: UdpSocket,
    /// The ids that are not answered yet.
    waits: BTreeSet<u16>,
    number: usize,
    lost: usize,
    /// The one that was seen last.
    version: u32,
}

impl Asker<'_> {
    /// Asks until so many are answered, all in all, and the last one is: what was asked before and has
    /// no answer then is lost.
    fn ask(&mut self, answered: usize) {
        let (mut last, mut heard) = (self.send(), Instant::now());
        while self.waits.contains(&last) || self.world.answered.load(SeqCst) < answered {
            if !self.waits.contains(&last) {
                last = self.send();
            } else if self.hear() {
                heard = Instant::now();
            } else {
                last = self.send();
            }
            assert!(heard.elapsed() < DEADLINE && !self.world.is_over(), "no answer any more");
        }
        self.lost += self.waits.len();
        self.waits.clear();
    }

    /// Asks the next thing; its id.
    fn send(&mut self) -> u16 {
        let query = any_query(self.number);
        let id = u16::from_be_bytes([query[0], query[1]]);
        self.number += 1;
        self.lost += usize::from(!self.waits.insert(id)); // of 65,536 queries ago
        self.socket.send(&query).unwrap();
        id
    }

    /// Takes an answer; whether one came.
    fn hear(&mut self) -> bool {
        let mut answer = [0; 1232];
        let len = match self.socket.recv(&mut answer) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        };
        let id = u16::from_be_bytes([answer[0], answer[1]]);
        assert!(self.waits.remove(&id), "answered twice, or never asked: {id}");
        assert_follows(self.world, &mut self.version, &answer[..len]);
        self.world.answered.fetch_add(1, SeqCst);
        true
    }
}

/// Datagrams that found no room in the sockets with these ports (proc(5), /proc/net/udp), or before
/// that in the queue of a processor that was busy, whoever they were for.
fn dropped(ports: &[u16]) -> usize {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let row = |line: &str| -> Option<usize> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = u16::from_str_radix(words.get(1)?.split_once(':')?.1, 16).ok()?;
        ports.contains(&port).then(|| words.last()?.parse().ok()).flatten()
    };
    let queues = std::fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    let queue = |line: &str| usize::from_str_radix(line.split(' ').nth(1)?, 16).ok();
    table.lines().filter_map(row).chain(queues.lines().filter_map(queue)).sum()
}

/// Asks over one connection for as long as the others do; it is never closed.
fn ask_over_tcp(world: &World) -> usize {
    let mut stream = connect_from([127, 0, 0, 1], world.server).unwrap();
    let mut last = 0;
    world.in_step(1, |number| {
        let many: Vec<u8> = (0..3).flat_map(|more| framed(&any_query(number + more))).collect();
        stream.write_all(&many).unwrap();
        for more in 0..3 {
            let answer = read_answer(&mut stream).unwrap();
            assert_eq!(answer[..2], any_query(number + more)[..2], "in order");
            assert_follows(world, &mut last, &answer);
        }
    }) * 3
}

//----------- The others -----------------------------------------------------------------------------

impl Dice {
    /// A query with a few octets changed, or cut off.
    fn garbage(&mut self) -> Vec<u8> {
        let mut octets = any_query(self.below(1000));
        for _ in 0..1 + self.below(6) {
            let at = self.below(octets.len());
            octets[at] = u8::try_from(self.below(256)).unwrap();
        }
        octets.truncate(1 + self.below(2 * octets.len()));
        octets
    }
}

/// Valid queries, many at once. Nobody looks at the answers.
fn flood(world: &World) -> usize {
    let socket = UdpSocket::bind("127.0.3.1:0").unwrap();
    socket.connect(world.server).unwrap();
    let query = query("big.example. TXT +edns", 1);
    world.in_step(FLOOD_STEP, |_| {
        let is_calm = world.answered.load(SeqCst) < world.asked / 2;
        for _ in 0..if is_calm { FLOOD } else { FLOOD_LARGE } {
            let _ = socket.send(&query); // where there is no room, that is what a flood does
        }
    })
}

/// Octets that are no query, over both transports.
fn garbage(world: &World) -> usize {
    let socket = UdpSocket::bind("127.0.2.1:0").unwrap();
    socket.connect(world.server).unwrap();
    let mut dice = Dice(0x5eed);
    world.in_step(GARBAGE_STEP, |number| {
        let _ = socket.send(&dice.garbage());
        if number % 8 == 0
            && let Ok(mut stream) = connect_from([127, 0, 2, 1], world.server)
        {
            let _ = stream.write_all(&framed(&dice.garbage()));
            let _ = stream.write_all(&dice.garbage());
        }
    })
}

/// Connections of four clients that ask, stay, leave, break, or never read; each client wants more of
/// them than it may have.
fn churn(world: &World) -> usize {
    let mut dice = Dice(0xc0ffee);
    let mut kept = VecDeque::new();
    world.in_step(CHURN_STEP, |number| {
        let client = [127, 0, 1, u8::try_from(1 + number % 4).unwrap()];
        let Ok(mut stream) = connect_from(client, world.server) else { return };
        let query = framed(&query("big.example. TXT", 7));
        let stays = match dice.below(6) {
            0 => true,                                                        // says nothing
            1 => stream.write_all(&query[..dice.below(query.len())]).is_ok(), // says half of it
            2 => stream.write_all(&query).is_ok() && read_answer(&mut stream).is_err(),
            3 => {
                stream.set_nonblocking(true).unwrap();
                stream.write_all(&query.repeat(100)).is_ok() // never reads
            }
            4 => {
                let _ = stream.write_all(&query);
                stream.shutdown(Shutdown::Write).is_ok()
            }
            _ => {
                let _ = stream.write_all(&query);
                let _ = Socket::from(stream.try_clone().unwrap()).set_linger(Some(Duration::ZERO));
                false // a reset
            }
        };
        kept.extend(stays.then_some(stream));
        if kept.len() > 4 * KEPT {
            kept.pop_front();
        }
    })
}

/// Zone files that change: a new version, now and then one that is broken, and a zone that comes and
/// goes.
fn reload(world: &World, folder: &Path) -> usize {
    let replace = |text: &str| {
        write(folder, &[("example.zone.new", text)]);
        std::fs::rename(folder.join("example.zone.new"), folder.join("example.zone")).unwrap();
    };
    world.in_step(RELOAD_STEP, |number| {
        let version = world.version.load(SeqCst) + 1;
        match number % 5 {
            3 => replace(&format!("{}www A 10.0.0\n", zone(version))),
            4 => match folder.join("other.zone") {
                other if other.exists() => std::fs::remove_file(other).unwrap(),
                _ => write(folder, &[("other.zone", &zone(version))]),
            },
            _ => {
                world.version.store(version, SeqCst); // before it can be served
                replace(&zone(version));
            }
        }
    });
    let version = world.version.fetch_add(1, SeqCst) + 1;
    replace(&zone(version));
    usize::try_from(version).unwrap()
}

//----------- The server -----------------------------------------------------------------------------

fn version_served(server: &Server) -> u32 {
    let query = query("www.example. A", 1);
    version(&server.ask(&query, support::query::Transport::Tcp).unwrap().unwrap())
}

/// It ends when told so, and says that nothing went wrong inside.
fn assert_ends_well(server: Server) {
    server.signal("TERM").unwrap();
    assert!(wait_until(|| server.log().contains("served: ")), "{}", server.log());
    let log = server.log();
    let line = log.lines().find(|line| line.contains("served: ")).unwrap();
    assert!(line.ends_with(" 0 internal errors"), "{line}");
    assert!(!log.contains("panicked"), "{log}");
    server.stop().unwrap();
}
