//! What SOA does a server have for a zone? One question (RFC 1035 §4.1) over UDP, and over TCP if the
//! answer does not fit.
//!
//! This is the one place from which the program asks anything, and only where its user says so. Each
//! wait has an end, and what comes back is taken for hostile: it counts if it comes from the server
//! that was asked and repeats the question and its number.

use crate::name::Name;
use crate::rr::table;
use crate::wire::codes::Rcode;
use crate::wire::message::{Message, Record};
use std::hash::{BuildHasher, RandomState};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How long each try waits: a datagram may be lost, and a server may be far or busy.
const PATIENCE: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// The longest message there is.
const MESSAGE_LEN_MAX: usize = 65_535;
const HEADER_LEN: usize = 12;
/// The class IN, as messages have it.
const CLASS_IN: [u8; 2] = [0, 1];

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The data of the zone's SOA record, names uncompressed.
    Soa(Vec<u8>),
    /// The server does not hold the zone: what it says.
    NotHeld(&'static str),
    /// The server gives no answer that could be compared: what it does, and what to do about it.
    Useless(String),
    /// Nobody answers: why.
    Silent(String),
}

/// Asks the first of these addresses that answers for the SOA record of `apex`.
pub(super) fn soa(addresses: &[SocketAddr], apex: Name<'_>) -> Asked {
    let query = query(apex, random());
    let mut last = ErrorKind::AddrNotAvailable.into();
    for patience in PATIENCE {
        let mut waited = false;
        for &address in addresses {
            match exchange(address, &query, patience) {
                Ok(answer) => return judge(&answer, apex),
                Err(error) => {
                    waited |= is_timeout(&error);
                    last = error;
                }
            }
        }
        if !waited {
            break; // all said at once that they will not answer
        }
    }
    Asked::Silent(why(&last))
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn why(error: &Error) -> String {
    let seconds = PATIENCE.iter().sum::<Duration>().as_secs();
    match error.kind() {
        ErrorKind::ConnectionRefused => "no server listens there".into(),
        _ if is_timeout(error) => format!("no answer within {seconds} seconds"),
        _ => error.to_string(),
    }
}

/// A number that nobody can guess.
fn random() -> [u8; 2] {
    let number = RandomState::new().hash_one(Instant::now()).to_be_bytes();
    [number[0], number[1]]
}

/// The question for the SOA record, without recursion.
fn query(apex: Name<'_>, id: [u8; 2]) -> Vec<u8> {
    let mut query = vec![id[0], id[1], 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(apex.as_wire());
    query.extend(table::SOA.0.to_be_bytes());
    query.extend(CLASS_IN);
    query
}

/// Sends a question and waits for its answer.
fn exchange(address: SocketAddr, query: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let answer = over_udp(address, query, deadline)?;
    let is_cut = answer[2] & 2 != 0;
    if is_cut { over_tcp(address, query, Instant::now() + patience) } else { Ok(answer) }
}

fn over_udp(address: SocketAddr, query: &[u8], deadline: Instant) -> Result<Vec<u8>> {
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.connect(address)?; // the kernel drops what comes from elsewhere
    socket.send(query)?;
    let mut answer = vec![0; MESSAGE_LEN_MAX];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let len = socket.recv(&mut answer)?;
        if is_answer(&answer[..len], query) {
            answer.truncate(len);
            return Ok(answer);
        }
    }
}

/// The same over TCP: each message behind its length (RFC 1035 §4.2.2).
fn over_tcp(address: SocketAddr, query: &[u8], deadline: Instant) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let len = u16::try_from(query.len()).map_err(|_| ErrorKind::InvalidInput)?;
    stream.write_all(&[&len.to_be_bytes(), query].concat())?;
    let mut len = [0; 2];
    read(&mut stream, &mut len, deadline)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    read(&mut stream, &mut answer, deadline)?;
    if is_answer(&answer, query) { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Fills `octets` from a peer that may send one octet at a time.
fn read(stream: &mut TcpStream, octets: &mut [u8], deadline: Instant) -> Result<()> {
    let mut at = 0;
    while at < octets.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut octets[at..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            len => at += len,
        }
    }
    Ok(())
}

/// The time that is left; an error once there is none.
fn left(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Whether a message is a response with the number and the question of `query`. Some errors come
/// without a question.
fn is_answer(message: &[u8], query: &[u8]) -> bool {
    let Some(&[id0, id1, flags, rcode, q0, q1, ..]) = message.first_chunk::<HEADER_LEN>() else {
        return false;
    };
    let question = &query[HEADER_LEN..];
    let repeats = message[HEADER_LEN..].get(..question.len());
    let is_repeated = repeats.is_some_and(|repeats| repeats.eq_ignore_ascii_case(question));
    let is_response = flags & 0xf8 == 0x80; // QR is set and the opcode is 0
    [id0, id1] == query[..2]
        && is_response
        && match [q0, q1] {
            [0, 0] => rcode & 15 != 0,
            [0, 1] => is_repeated,
            _ => false,
        }
}

/// What an answer says of the zone.
fn judge(answer: &[u8], apex: Name<'_>) -> Asked {
    let is_authoritative = answer[2] & 4 != 0;
    let soa = Message::read(answer).and_then(|message| soa_in(message, apex));
    match (Rcode(u16::from(answer[3] & 15)), soa) {
        (Rcode::NOERROR, Some(soa)) if is_authoritative => Asked::Soa(soa),
        (Rcode::NOERROR, Some(_)) => Asked::Useless(
            "it answers from a cache (without AA); name one of the zone's own servers".into(),
        ),
        (Rcode::NOERROR, None) if answer[6..8] == [0, 0] => {
            Asked::NotHeld("it has no SOA record of it")
        }
        (Rcode::NOERROR, None) => Asked::Useless("its answer holds something else".into()),
        (Rcode::NXDOMAIN, _) => Asked::NotHeld("it says that there is no such name"),
        (Rcode::REFUSED | Rcode::NOTAUTH, _) => Asked::NotHeld("it refuses the question"),
        (rcode, _) => Asked::Useless(format!("it answers {rcode}; its log may say why")),
    }
}

/// The data of the SOA record of `apex` in the answer section.
fn soa_in(message: Message, apex: Name<'_>) -> Option<Vec<u8>> {
    let [answer, ..] = message.sections;
    let is_soa = |record: &Record| record.rtype == table::SOA && record.owner.as_name() == apex;
    answer.into_iter().find(is_soa).map(|record| record.rdata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameBuf;

    fn apex() -> NameBuf {
        "smith.edu.".parse().unwrap()
    }

    /// An answer with an SOA record whose names point into the question.
    fn answer(flags: [u8; 2]) -> Vec<u8> {
        let mut answer = query(apex().as_name(), [7, 8]);
        answer[2..8].copy_from_slice(&[flags[0], flags[1], 0, 1, 0, 1]);
        answer.extend(b"\xc0\x0c\0\x06\0\x01\0\0\x01\x2c\0\x21\x02ns\xc0\x0c\x05admin\xc0\x0c");
        answer.extend([0, 0, 0, 41, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
        answer
    }

    #[test]
    fn an_answer_counts_if_it_fits_the_question() {
        let query = query(apex().as_name(), [7, 8]);
        let changed = |at: usize, octet: u8| {
            let mut answer = answer([0x84, 0]);
            answer[at] = octet;
            is_answer(&answer, &query)
        };
        assert!(changed(0, 7));
        assert!(changed(13, b'S'), "in another case");
        for (at, octet) in [(0, 9), (2, 4), (2, 0xac), (5, 2), (13, b'x'), (query.len() - 3, 2)] {
            assert!(!changed(at, octet), "octet {at} is {octet}");
        }
        assert!(!is_answer(&[], &query));
        assert!(is_answer(&[7, 8, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0], &query), "FORMERR");
    }

    #[test]
    fn what_an_answer_says() {
        let judged = |flags| judge(&answer(flags), apex().as_name());
        let expected = b"\x02ns\x05smith\x03edu\0\x05admin\x05smith\x03edu\0\0\0\0\x29";
        assert!(matches!(judged([0x84, 0]), Asked::Soa(soa) if soa.starts_with(expected)));
        assert!(matches!(judged([0x80, 0]), Asked::Useless(why) if why.contains("cache")));
        assert!(matches!(judged([0x84, 2]), Asked::Useless(why) if why.contains("SERVFAIL")));
        assert!(matches!(judged([0x80, 5]), Asked::NotHeld(_)));
        let none = query(apex().as_name(), [7, 8]);
        assert_eq!(judge(&none, apex().as_name()), Asked::NotHeld("it has no SOA record of it"));
        let other = "umass.edu.".parse::<NameBuf>().unwrap();
        assert!(matches!(judge(&answer([0x84, 0]), other.as_name()), Asked::Useless(_)));
    }

    #[test]
    fn answers_that_are_cut_or_changed_anywhere_are_read_to_an_end() {
        let whole = answer([0x84, 0]);
        for len in HEADER_LEN..whole.len() {
            assert!(!matches!(judge(&whole[..len], apex().as_name()), Asked::Soa(_)), "{len}");
        }
        for at in 4..whole.len() {
            for octet in [0, 1, 0x0c, 0x3f, 0x40, 0xc0, 0xff] {
                let mut changed = whole.clone();
                changed[at] = octet;
                judge(&changed, apex().as_name());
            }
        }
    }
}
