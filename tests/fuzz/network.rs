//! What holds for any octets off the network: the fuzz targets feed these functions, and
//! `tests/corpus.rs` replays what the fuzzer kept.
//!
//! What is answered is judged by a reader of messages that shares nothing with the program.

#![allow(unreachable_pub, reason = "fuzz targets and a test include this file")]

#[path = "../support/explained.rs"]
mod explained;
#[path = "../support/records.rs"]
mod records;
#[path = "../support/tsig.rs"]
mod tsig;

use records::Message;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use zonesmith::clock::Now;
use zonesmith::guard::acl::Acl;
use zonesmith::guard::cookie::{Cookies, Secret, Secrets};
use zonesmith::guard::rrl::{Limiter, Rates};
use zonesmith::reload::load::{Lints, load_text};
use zonesmith::respond::{
    self, Outcome, Peer, Policy, Reason, Silence, State, Transport, respond_seen,
};
use zonesmith::server::{Connection, Responder};
use zonesmith::transfer::{MESSAGE_LEN_MAX, Progress};
use zonesmith::wire::request::{Fault, Reading};
use zonesmith::zone::set::{Change, Slot};

/// What stands in the buffer before an answer.
const BEFORE: &[u8] = b"what stood there before";

/// The limits of RFC 1035 §4.2.1 and of the server with EDNS, and that of a stream.
const UDP_LEN_PLAIN: usize = 512;
const UDP_LEN_MAX: usize = 1232;
const TCP_LEN_MAX: usize = 65_535;

/// The type of the record that signs a message (RFC 8945 §4.2).
const TSIG: u16 = 250;

/// A client, one who may not ask, and the server.
const CLIENT: &str = "192.0.2.1:5353";
const DENIED: &str = "198.51.100.1:5353";
const OWN: &str = "203.0.113.1:53";

/// The zones: one of all kinds of names, one with NSEC, one with NSEC3 and opt-out. The latter two are
/// those of the RFCs.
const ZONES: [(&str, &str); 3] = [
    ("plain", include_str!("zones/plain.zone")),
    ("nsec", include_str!("../scenarios/nsec/rfc4035-appendix-b.txt")),
    ("example", include_str!("../scenarios/optout/rfc5155-appendix-b.txt")),
];

/// A zone of as many names as make a server look ahead.
const MANY: &str = "$TTL 300\n@ SOA ns admin 1 2h 15m 2w 5m\n@ NS ns\nns A 192.0.2.1\n\
                    $GENERATE 1-17000 n$ A 192.0.2.2\n";

thread_local! {
    static STATE: RefCell<State> = RefCell::new({
        let mut state = state();
        add(&mut state, "many", MANY);
        assert!(state.zones.is_large(), "queries are looked ahead at");
        state
    });
    /// Cookies have the time in them: this one has none.
    static RESPONDER: RefCell<Responder> = RefCell::new({
        let mut state = state();
        state.cookies = None;
        state.transfer_acl = Some(Acl::default());
        Responder::new(state)
    });
}

fn state() -> State {
    let mut state = State::new(Policy::default());
    for (name, text) in ZONES {
        add(&mut state, name, text);
    }
    let apex = "broken.".parse().expect("a name");
    state.zones.apply(Change { apex, slot: Some(Slot::Broken) });
    state.cookies = Some(Cookies { required: false, secrets: Secrets::one(Secret::new([7; 16])) });
    state.acl = Acl::new(&[], &["198.51.100.0/24".parse().expect("a block")]).expect("no overlap");
    state.own_addresses = vec![OWN.parse().expect("an address")];
    state.identity.nsid = Some([b'n'; 64].into());
    state.identity.id = Some([b'i'; 255].into());
    state.tcp_idle_ds = Some(100);
    zonesmith::guard::tsig::read(tsig::KEY_FILE, &mut state.keys).expect("the keys are good");
    state
}

fn add(state: &mut State, name: &str, text: &str) {
    let path = format!("{name}.zone");
    let text = zone_text(text).into_bytes();
    let loaded = load_text(Path::new(&path), text, &[], Lints::Quick, &mut |_, _| ());
    let zone = loaded.zone.expect("the zones are good");
    let apex = loaded.apex.expect("they have a SOA");
    state.zones.apply(Change { apex, slot: Some(Slot::Live(zone.into())) });
}

/// A zone file, or what stands below the line `zone` of a scenario, without its margin.
fn zone_text(text: &str) -> String {
    let Some((_, below)) = text.split_once("zone example.\n") else { return text.to_string() };
    let lines = below.lines().map_while(|line| line.strip_prefix("  "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// What the first octet of an input says: how the server is set, and who asks.
#[derive(Clone, Copy)]
struct Setting(u8);

impl Setting {
    fn has(self, bit: u8) -> bool {
        self.0 & 1 << bit != 0
    }

    fn apply(self, state: &mut State) {
        state.policy.minimal_responses = !self.has(0);
        state.policy.aliases_across_zones = self.has(1);
        if let Some(cookies) = &mut state.cookies {
            cookies.required = self.has(2);
        }
        let rates = Rates { per_second: 1, slip: 2, exempt: vec![] };
        state.limiter = self.has(3).then(|| Limiter::new(rates, [7; 16]));
    }

    fn source(self) -> SocketAddr {
        let source = match self.0 >> 5 {
            0 => DENIED,
            1 => OWN,
            2 => "192.0.2.1:0",
            _ => CLIENT,
        };
        source.parse().expect("an address")
    }
}

/// A message over UDP and TCP, to a server that is set as the first octet says.
pub fn respond(octets: &[u8]) {
    let Some((&setting, message)) = octets.split_first() else { return };
    let setting = Setting(setting);
    STATE.with_borrow_mut(|state| {
        respond::look_ahead([message].into_iter(), state);
        setting.apply(state);
        if setting.has(3) {
            return limited(message, state);
        }
        let source = setting.source();
        let [udp, tcp] = [Transport::Udp, Transport::Tcp].map(|transport| {
            let peer = Peer { transport, source };
            let answer = checked(message, peer, state);
            if setting.has(4) {
                let explained = explained::check(message, peer, Now::default(), state, &answer);
                assert_eq!(explained, Ok(()));
            }
            answer
        });
        if !setting.has(2) && !udp.is_empty() {
            assert_same_but_for_room(&udp, &tcp);
        }
    });
}

/// Asks twice, once looking on: the same answer comes, and all holds of it that must.
fn checked(message: &[u8], peer: Peer, state: &mut State) -> Vec<u8> {
    let mut out = BEFORE.to_vec();
    let outcome = respond::respond(message, peer, Now::default(), state, &mut out);
    let answer = out.strip_prefix(BEFORE).expect("what stood there before stays");
    let mut seen = Vec::new();
    let again = respond_seen(message, peer, Now::default(), state, &mut seen, |_| ());
    assert_eq!((&again, &seen[..]), (&outcome, answer), "the same question, another answer");
    let silence = match peer.source {
        source if source.port() == 0 => Some(Silence::PortZero),
        source if source == OWN.parse().expect("an address") => Some(Silence::OwnAddress),
        _ if message.len() < 12 => Some(Silence::TooShort),
        _ => (message[2] & 0x80 != 0).then_some(Silence::Response),
    };
    match (outcome, silence) {
        (Outcome::Drop(why), Some(silence)) => assert!(why == silence && answer.is_empty()),
        (Outcome::Send(_), None) => assert_is_answer(message, answer, peer),
        other => panic!("{other:?}"),
    }
    if !answer.is_empty() {
        let outcome = respond::respond(answer, peer, Now::default(), state, &mut Vec::new());
        assert!(matches!(outcome, Outcome::Drop(_)), "an answer is answered");
    }
    answer.to_vec()
}

fn assert_is_answer(message: &[u8], answer: &[u8], peer: Peer) {
    let read =
        Message::read(answer).unwrap_or_else(|why| panic!("{why}: {}", answer.escape_ascii()));
    assert_eq!(answer[..2], message[..2], "the id");
    let (asked, got) = (message[2] & 0x79, answer[2] & 0xf9);
    assert_eq!(got, asked | 0x80, "opcode and RD are copied, QR is set");
    assert_eq!(answer[3] & 0xf0, 0, "no RA, no AD, nothing new");
    if read.question.is_some() {
        assert_eq!(answer[12..read.question_end], message[12..read.question_end], "the question");
    }
    let room = match (peer.transport, read.opt()) {
        (Transport::Tcp, _) => TCP_LEN_MAX,
        (Transport::Udp, None) => UDP_LEN_PLAIN,
        (Transport::Udp, Some(_)) => match Message::read(message).map(|read| udp_len_of(&read)) {
            Ok(Some(len)) => len.clamp(UDP_LEN_PLAIN, UDP_LEN_MAX),
            _ => UDP_LEN_MAX,
        },
    };
    assert!(answer.len() <= room, "{} octets, {room} have room", answer.len());
    let opts = read.sections.iter().flatten().filter(|record| record.rtype == 41).count();
    assert!(opts == usize::from(read.opt().is_some()), "OPT is one, in the additional section");
}

/// What the asker can take.
fn udp_len_of(message: &Message) -> Option<usize> {
    message.opt().map(|opt| usize::from(opt.class))
}

/// What comes over UDP without TC comes over TCP, too, and says the same; kindnesses may be more.
fn assert_same_but_for_room(udp: &[u8], tcp: &[u8]) {
    let [udp, tcp] = [udp, tcp].map(|answer| Message::read(answer).expect("it was read before"));
    assert_eq!(tcp.flags & 0x0200, 0, "TC over TCP");
    if udp.flags & 0x0200 != 0 {
        return;
    }
    assert_eq!((udp.flags, &udp.question), (tcp.flags, &tcp.question));
    assert_eq!((udp.rcode(), &udp.sections[0]), (tcp.rcode(), &tcp.sections[0]));
    for (udp, tcp) in udp.sections.iter().zip(&tcp.sections).skip(1) {
        let there = |record: &records::Record| record.rtype == 41 || tcp.contains(record);
        assert!(udp.iter().all(there), "{udp:?} beside {tcp:?}");
    }
}

/// Of four answers at once to somebody who may have one in a second, the first goes out, and of those
/// beyond every second one, without a record.
fn limited(message: &[u8], state: &mut State) {
    let peer = Peer { transport: Transport::Udp, source: CLIENT.parse().expect("an address") };
    let outcomes = [(); 4].map(|()| {
        let mut out = Vec::new();
        let outcome = respond::respond(message, peer, Now::default(), state, &mut out);
        assert_eq!(matches!(outcome, Outcome::Drop(_)), out.is_empty(), "{outcome:?}");
        if outcome == Outcome::Send(Reason::OverRate) {
            let read = Message::read(&out).expect("an answer");
            assert!(read.flags & 0x0200 != 0 && read.records().count() == 0, "{read:?}");
        }
        outcome
    });
    if message.len() < 12 || message[2] & 0x80 != 0 {
        return;
    }
    let held = outcomes.each_ref().map(|it| *it == Outcome::Drop(Silence::OverRate));
    assert_eq!(held, [false, true, false, true], "{outcomes:?}");
}

/// How a message is signed, and whether that proves who signed it.
const SIGNATURES: [(&str, bool); 10] = [
    ("partner", true),
    ("old.example", true),
    ("mid", true),
    ("long", true),
    ("short,mac=16", true),
    ("partner,mac=16", false),
    ("partner,mac=40", false),
    ("partner,ahead=400", false),
    ("partner,secret=other", false),
    ("stranger", false),
];

/// A message that somebody signs, as the second octet says; the first one says how the server is set.
/// What is signed is answered as what is not, but for the signature, and that is good.
pub fn signed(octets: &[u8]) {
    let Some((&[setting, choice], message)) = octets.split_first_chunk() else { return };
    let (setting, (signing, is_good)) =
        (Setting(setting & !8), SIGNATURES[usize::from(choice % 10)]);
    if message.len() < 12 || message[10..12] == [255, 255] {
        return;
    }
    let signed = tsig::Signing::parse(signing).and_then(|signing| signing.sign(message, 0));
    let signed = signed.expect("short names");
    STATE.with_borrow_mut(|state| {
        setting.apply(state);
        for transport in [Transport::Udp, Transport::Tcp] {
            let peer = Peer { transport, source: setting.source() };
            let answer = checked(&signed, peer, state);
            if answer.is_empty() {
                continue;
            }
            let (rest, line) =
                tsig::take(&answer, &signed, 0).unwrap_or_else(|why| panic!("{why}"));
            let reads = Message::read(message);
            let is_plain = reads.is_ok_and(|read| read.records().all(|it| it.rtype != TSIG));
            if !is_plain {
                continue;
            }
            let told = line.unwrap_or_default();
            assert_eq!(told.ends_with("NOERROR signed"), is_good, "{signing}: {told}");
            if is_good && transport == Transport::Tcp {
                assert_eq!(rest, checked(message, peer, state), "{signing}");
            }
        }
    });
}

/// A message is read as what it is: a query exactly if its parts say so, and what is said of it stands
/// in it.
pub fn request(octets: &[u8]) {
    let silent = octets.len() < 12 || octets[2] & 0x80 != 0;
    let header = octets.first_chunk::<4>();
    let same = |id: [u8; 2], bits: u16| {
        header == Some(&[id[0], id[1], bits.to_be_bytes()[0], bits.to_be_bytes()[1]])
    };
    let opcode = octets.get(2).map_or(0, |octet| octet >> 3 & 15);
    let questions = octets.get(4..6).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    match Reading::of(octets) {
        Reading::Ignore(Silence::TooShort) => assert!(octets.len() < 12),
        Reading::Ignore(why) => assert!(silent && why == Silence::Response, "{why}"),
        Reading::NoQuestion(header, _) => {
            assert!(!silent && (opcode, questions) == (0, 0) && same(header.id, header.bits));
        }
        Reading::Reject(header, fault, _) => {
            assert!(!silent && same(header.id, header.bits));
            if fault != Fault::Tsig {
                assert_eq!(fault == Fault::Opcode, opcode != 0, "{fault:?}");
                assert_eq!(
                    fault == Fault::QuestionCount,
                    opcode == 0 && questions > 1,
                    "{fault:?}"
                );
            }
            let broken = matches!(fault, Fault::Question | Fault::Records);
            assert!(!broken || Message::read(octets).is_err(), "{fault:?} in a good message");
        }
        Reading::Query(request) => {
            assert!(!silent && (opcode, questions) == (0, 1));
            assert!(same(request.header.id, request.header.bits));
            let name = request.question.name.as_wire();
            let kind = [request.question.rtype.0, request.question.class.0].map(u16::to_be_bytes);
            assert_eq!(
                octets[12..],
                [name, &kind.concat(), &octets[request.head.len()..]].concat()
            );
            assert!(octets.starts_with(request.head) && name.len() <= 255);
            if let Ok(read) = Message::read(octets) {
                assert_eq!(request.edns.is_some(), read.opt().is_some(), "OPT");
                let udp_len = request.edns.map(|edns| usize::from(edns.udp_len));
                let expected = udp_len_of(&read).map(|len| len.max(UDP_LEN_PLAIN)); // RFC 6891 §6.2.3
                assert_eq!(udp_len, expected, "the size");
            }
        }
    }
}

/// A stream, cut into segments: the first octet says how many lengths of segments follow, to be used
/// in turn. However it comes, and however its answers are taken, it gets the answers to its messages,
/// in order, and none behind one that has no answer. Signatures have the time in them, so they are left
/// out.
pub fn framing(octets: &[u8]) {
    let Some((&count, rest)) = octets.split_first() else { return };
    let Some((lengths, stream)) = rest.split_at_checked(usize::from(count % 16)) else { return };
    if stream.windows(2).any(|octets| octets == TSIG.to_be_bytes()) {
        return;
    }
    RESPONDER.with_borrow_mut(|responder| {
        let expected = answers(stream, responder);
        assert!(served(stream, &[usize::MAX], responder) == expected, "in one piece");
        let lengths: Vec<usize> = lengths.iter().map(|&len| usize::from(len)).collect();
        assert!(served(stream, &lengths, responder) == expected, "cut as {lengths:?}");
    });
}

/// The answers to the messages of a stream that is split without the program's help.
fn answers(stream: &[u8], responder: &mut Responder) -> Vec<u8> {
    let peer = Peer { transport: Transport::Tcp, source: CLIENT.parse().expect("an address") };
    let (mut rest, mut answers) = (stream, Vec::new());
    while let Some((len, tail)) = rest.split_first_chunk() {
        let Some((message, tail)) = tail.split_at_checked(u16::from_be_bytes(*len).into()) else {
            break;
        };
        let messages = messages(message, peer, &mut responder.state);
        if messages.is_empty() {
            break;
        }
        for message in messages {
            answers.extend(u16::try_from(message.len()).expect("it fits").to_be_bytes());
            answers.extend(message);
        }
        rest = tail;
    }
    answers
}

/// What one message gets: nothing, an answer, or all messages of a transfer.
fn messages(message: &[u8], peer: Peer, state: &mut State) -> Vec<Vec<u8>> {
    let mut answer = Vec::new();
    let mut outgoing = match respond::respond(message, peer, Now::default(), state, &mut answer) {
        Outcome::Drop(_) => return vec![],
        Outcome::Send(_) => return vec![answer],
        Outcome::Stream(outgoing) => outgoing,
    };
    let mut messages = Vec::new();
    loop {
        let mut message = Vec::new();
        let progress = outgoing.write(&mut state.transfer_writer, MESSAGE_LEN_MAX, 0, &mut message);
        messages.push(message);
        if progress != Progress::Goes {
            return messages;
        }
    }
}

/// What a connection answers to a stream that comes in segments of these lengths, and whose answers
/// are taken in pieces as long; then the client closes its half. It has turns as in the loop.
fn served(stream: &[u8], lengths: &[usize], responder: &mut Responder) -> Vec<u8> {
    let mut lengths = lengths.iter().copied().cycle();
    let mut next = |most: usize| lengths.next().unwrap_or(1).clamp(1, most.max(1));
    let now = responder.now;
    let mut connection = Connection::new(CLIENT.parse().expect("an address"), now);
    let (mut rest, mut taken) = (stream, Vec::new());
    while connection.finished().is_none() {
        let before = (rest.len(), taken.len());
        let len = next(connection.outgoing().len()).min(connection.outgoing().len());
        taken.extend_from_slice(&connection.outgoing()[..len]);
        connection.wrote(len, now);
        connection.answer(responder);
        if connection.wants_input() && rest.is_empty() {
            connection.input_ended();
        } else if connection.wants_input() {
            let (segment, tail) = rest.split_at(next(rest.len()));
            connection.receive(segment, responder);
            rest = tail;
        } else {
            let goes_on = !connection.outgoing().is_empty() || connection.finished().is_some();
            assert!(goes_on || before != (rest.len(), taken.len()), "nothing goes on");
        }
        assert!(connection.outgoing().len() < 2 * (2 + TCP_LEN_MAX), "too much waits");
    }
    taken
}
