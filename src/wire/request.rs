//! Bytes → [`Request`]: total over every input. It never panics, never allocates, and looks at each
//! octet at most once. A TSIG record is noted; `super::tsig` reads it.
//!
//! What is no query to answer is sorted out here, by the rules that hold for every zone: a response
//! is never answered, an opcode that is not QUERY is not implemented, a broken query is a FORMERR.

use super::edns::Edns;
use super::{HEADER_LEN, bits};
use crate::name::Name;
use crate::rr::{Class, Rtype, table};
use std::fmt;

/// What a message turned out to be.
#[derive(Debug)]
pub enum Reading<'m> {
    /// A query to answer.
    Query(Request<'m>),
    /// A QUERY without a question. It can have one meaning: that it wants a cookie (RFC 7873 §5.4).
    NoQuestion(Header, Extras<'m>),
    /// A message that gets an error at once, with OPT if its own was there to be read.
    Reject(Header, Fault, Extras<'m>),
    /// A message that gets no answer.
    Ignore(Silence),
}

/// Why a message gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Shorter than a header: there is no id to answer to.
    TooShort,
    /// A response. Answering one can set two servers talking forever.
    Response,
    /// It came from port 0, which nobody can listen on.
    PortZero,
    /// It came from where this server listens: it would answer itself.
    OwnAddress,
    /// The asker's network has been told enough for now.
    OverRate,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Silence::TooShort => "shorter than a header",
            Silence::Response => "a response, not a query",
            Silence::PortZero => "from port 0, where nobody can listen",
            Silence::OwnAddress => "from where this server listens itself",
            Silence::OverRate => "over the rate of such answers to that network (--rrl-rate)",
        })
    }
}

/// Why a message gets an error at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An opcode other than QUERY.
    Opcode,
    /// Not exactly one question (RFC 9619 §4).
    QuestionCount,
    /// The question ends early, or its name is compressed or too long.
    Question,
    /// A record behind the question is broken.
    Records,
    /// More than one OPT, one whose owner is not the root (RFC 6891 §6.1.1), or options that are not
    /// whole.
    Opt,
    /// A cookie of a length that no cookie has (RFC 7873 §5.2.2).
    Cookie,
    /// A question for the zone's version that holds a version (RFC 9660 §3.1).
    ZoneVersion,
    /// A TSIG record that is not the last, or cannot be read (RFC 8945 §5.2).
    Tsig,
    /// A MAC of a length that none has (RFC 8945 §5.2.2.1).
    MacLength,
}

impl Fault {
    /// What is wrong, in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Fault::Opcode => "only the opcode QUERY is known",
            Fault::QuestionCount => "a query has exactly one question",
            Fault::Question => "the question is broken",
            Fault::Records => "the records behind the question are broken",
            Fault::Opt => "the OPT record is broken, or not the only one",
            Fault::Cookie => "a cookie has 8 octets, or 16 to 40",
            Fault::ZoneVersion => "who asks for a zone's version sends none",
            Fault::Tsig => "the TSIG record is broken, or not the last one",
            Fault::MacLength => "no MAC of that algorithm is as long, or as short",
        }
    }
}

/// The part of the header that an answer repeats.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The id.
    pub id: [u8; 2],
    /// The second word, see [`bits`].
    pub bits: u16,
}

/// A query: one question, and EDNS if it came with it.
#[derive(Debug)]
pub struct Request<'m> {
    /// What the answer repeats of the header.
    pub header: Header,
    /// The octets of the header and the question, as they came.
    pub head: &'m [u8],
    /// The question.
    pub question: Question<'m>,
    /// What the OPT record says.
    pub edns: Option<Edns<'m>>,
    /// Where the TSIG record starts, if there is one.
    pub tsig_at: Option<usize>,
}

/// What stands behind the question and means something here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'m> {
    /// What the OPT record says.
    pub edns: Option<Edns<'m>>,
    /// Where the TSIG record starts, if there is one. It ends the message.
    pub tsig_at: Option<usize>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'m> {
    /// QNAME, in the case it came in.
    pub name: Name<'m>,
    /// QTYPE.
    pub rtype: Rtype,
    /// QCLASS.
    pub class: Class,
}

impl<'m> Reading<'m> {
    /// Reads a message.
    #[inline]
    pub fn of(message: &'m [u8]) -> Reading<'m> {
        let Some((head, body)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Reading::Ignore(Silence::TooShort);
        };
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let header = Header { id: [head[0], head[1]], bits: word(2) };
        if header.bits & bits::QR != 0 {
            return Reading::Ignore(Silence::Response);
        }
        let (plain, additional) = (usize::from(word(6)) + usize::from(word(8)), word(10).into());
        match (header.opcode(), word(4)) {
            (0, 1) => Reading::of_query(header, message, plain, additional),
            (0, 0) => match extras(message, body, plain, additional) {
                Ok(extras) => Reading::NoQuestion(header, extras),
                Err((fault, extras)) => Reading::Reject(header, fault, extras),
            },
            (opcode, questions) => {
                let fault = if opcode == 0 { Fault::QuestionCount } else { Fault::Opcode };
                let records = skip_questions(body, questions);
                match records.map(|bytes| extras(message, bytes, plain, additional)) {
                    Some(Ok(extras)) => Reading::Reject(header, fault, extras),
                    Some(Err((Fault::Tsig, extras))) => {
                        Reading::Reject(header, Fault::Tsig, extras)
                    }
                    // RFC 8945 §5.3: whatever else is wrong, who signs gets a signed answer
                    Some(Err((_, extras))) => Reading::Reject(header, fault, extras),
                    None => Reading::Reject(header, fault, Extras::default()),
                }
            }
        }
    }

    #[inline]
    fn of_query(header: Header, message: &'m [u8], plain: usize, records: usize) -> Reading<'m> {
        let Some((question, rest)) = Question::split_from(&message[HEADER_LEN..]) else {
            return Reading::Reject(header, Fault::Question, Extras::default());
        };
        let head = &message[..message.len() - rest.len()];
        match extras(message, rest, plain, records) {
            Ok(Extras { edns, tsig_at }) => {
                Reading::Query(Request { header, head, question, edns, tsig_at })
            }
            Err((fault, extras)) => Reading::Reject(header, fault, extras),
        }
    }

    /// What the OPT record says, if there is one.
    pub fn edns(&self) -> Option<Edns<'m>> {
        match self {
            Reading::Query(request) => request.edns,
            Reading::NoQuestion(_, extras) | Reading::Reject(_, _, extras) => extras.edns,
            Reading::Ignore(_) => None,
        }
    }

    /// The same message with a fault that comes before all others.
    #[must_use]
    pub fn rejected(self, fault: Fault) -> Reading<'m> {
        let extras = Extras { edns: self.edns(), tsig_at: None };
        match self {
            Reading::Query(Request { header, .. })
            | Reading::NoQuestion(header, _)
            | Reading::Reject(header, ..) => Reading::Reject(header, fault, extras),
            Reading::Ignore(_) => self,
        }
    }

    /// Where the TSIG record starts, if there is one that ends the message.
    #[inline]
    pub fn tsig_at(&self) -> Option<usize> {
        match self {
            Reading::Query(request) => request.tsig_at,
            Reading::NoQuestion(_, extras) | Reading::Reject(_, _, extras) => extras.tsig_at,
            Reading::Ignore(_) => None,
        }
    }
}

impl Header {
    fn opcode(self) -> u16 {
        self.bits & bits::OPCODE
    }
}

impl<'m> Question<'m> {
    /// Splits a question off the front of `bytes`.
    #[inline]
    pub fn split_from(bytes: &'m [u8]) -> Option<(Question<'m>, &'m [u8])> {
        let (name, rest) = Name::split_from(bytes)?;
        let ([t1, t2, c1, c2], rest) = rest.split_first_chunk()?;
        let rtype = Rtype(u16::from_be_bytes([*t1, *t2]));
        let class = Class(u16::from_be_bytes([*c1, *c2]));
        Some((Question { name, rtype, class }, rest))
    }
}

/// Walks the records behind the question, which start `bytes`: `plain` of the answer and authority
/// sections, then `additional` ones, of which one may be OPT, and the last one TSIG. What follows the
/// last one is nobody's: NSD and BIND step over it, too. Only behind a TSIG nothing may follow.
#[inline]
fn extras<'m>(
    message: &[u8],
    bytes: &'m [u8],
    plain: usize,
    additional: usize,
) -> Result<Extras<'m>, (Fault, Extras<'m>)> {
    let (mut rest, mut extras, mut fault) = (bytes, Extras::default(), None);
    for number in 0..plain + additional {
        let at = message.len() - rest.len();
        let broken = (Fault::Records, Extras::default());
        let (record, tail) = Record::split_from(rest).ok_or(broken)?;
        rest = tail;
        match record.rtype {
            table::OPT if fault == Some(Fault::Opt) => {}
            table::OPT if extras.edns.is_some() || number < plain || !record.owned_by_root => {
                (fault, extras.edns) = (Some(Fault::Opt), None);
            }
            table::OPT => match Edns::read(record.class, record.ttl, record.rdata) {
                Ok(edns) => extras.edns = Some(edns),
                Err((wrong, edns)) => (fault, extras.edns) = (Some(wrong), edns),
            },
            // RFC 8945 §5.2: it is the last record of all, and of the additional section.
            table::TSIG
                if number < plain || number + 1 < plain + additional || !rest.is_empty() =>
            {
                return Err((Fault::Tsig, extras));
            }
            table::TSIG => extras.tsig_at = Some(at),
            _ => {}
        }
    }
    fault.map_or(Ok(extras), |fault| Err((fault, extras)))
}

/// Steps over the questions of a message that will get no answer to them.
fn skip_questions(bytes: &[u8], count: u16) -> Option<&[u8]> {
    (0..count).try_fold(bytes, |rest, _| rest.get(owner_len(rest)? + 4..))
}

/// A record of the query.
struct Record<'m> {
    owned_by_root: bool,
    rtype: Rtype,
    class: u16,
    ttl: [u8; 4],
    rdata: &'m [u8],
}

impl<'m> Record<'m> {
    fn split_from(bytes: &'m [u8]) -> Option<(Record<'m>, &'m [u8])> {
        let owner_len = owner_len(bytes)?;
        let (fixed, rest) = bytes[owner_len..].split_first_chunk::<10>()?;
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let (rdata, rest) = rest.split_at_checked(usize::from(word(8)))?;
        let record = Record {
            owned_by_root: bytes[0] == 0,
            rtype: Rtype(word(0)),
            class: word(2),
            ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
            rdata,
        };
        Some((record, rest))
    }
}

/// How many octets an owner name takes, a pointer at its end included. Where it points is not
/// looked at: the owners of these records mean nothing here.
fn owner_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            0xc0.. => return bytes.get(at + 1).map(|_| at + 2),
            64..=0xbf => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x05smith\x03edu\0\0\x01\0\x01";

    fn with_opt(opts: &[&[u8]]) -> Vec<u8> {
        let mut message = QUERY.to_vec();
        message[11] = u8::try_from(opts.len()).unwrap();
        opts.iter().for_each(|opt| message.extend_from_slice(opt));
        message
    }

    #[test]
    fn a_plain_query() {
        let Reading::Query(request) = Reading::of(QUERY) else { panic!("a query") };
        assert_eq!(request.header.id, [0x12, 0x34]);
        assert_eq!(request.question.name.to_string(), "www.smith.edu.");
        assert_eq!(request.question.rtype, table::A);
        assert_eq!(request.edns, None);
    }

    #[test]
    fn opt_is_read_and_two_of_them_are_an_error() {
        let opt = b"\0\0\x29\x01\x00\0\0\x80\0\0\x04\0\x03\0\0";
        let message = with_opt(&[opt]);
        let Reading::Query(request) = Reading::of(&message) else { panic!("a query") };
        let edns = request.edns.unwrap();
        assert_eq!((edns.udp_len, edns.version, edns.dnssec_ok), (512, 0, true));
        let message = with_opt(&[opt, opt]);
        let Reading::Reject(_, Fault::Opt, extras) = Reading::of(&message) else {
            panic!("a fault")
        };
        assert_eq!(extras.edns, None);
    }

    #[test]
    fn a_tsig_record_is_the_last_of_all_or_a_fault() {
        let opt = &b"\0\0\x29\x04\xd0\0\0\0\0\0\0"[..];
        let other = &b"\0\0\x01\0\x01\0\0\0\0\0\0"[..];
        let tsig = &b"\0\0\xfa\0\xff\0\0\0\0\0\0"[..];
        let at = |records: &[&[u8]]| match Reading::of(&with_opt(records)) {
            Reading::Reject(_, fault, extras) => Err((fault, extras.tsig_at)),
            reading => Ok(reading.tsig_at()),
        };
        assert_eq!(at(&[opt]), Ok(None));
        assert_eq!(at(&[opt, tsig]), Ok(Some(QUERY.len() + opt.len())));
        assert_eq!(at(&[tsig]), Ok(Some(QUERY.len())));
        for wrong in [&[tsig, opt][..], &[tsig, tsig], &[tsig, other]] {
            assert_eq!(at(wrong), Err((Fault::Tsig, None)));
        }
        let followed = [&with_opt(&[tsig])[..], b"x"].concat();
        assert!(matches!(Reading::of(&followed), Reading::Reject(_, Fault::Tsig, _)));
        let mut in_answer = with_opt(&[tsig]);
        in_answer.swap(7, 11);
        assert!(matches!(Reading::of(&in_answer), Reading::Reject(_, Fault::Tsig, _)));
        // a fault elsewhere is told in a signed answer
        let signed = Err((Fault::Opt, Some(QUERY.len() + 2 * opt.len())));
        assert_eq!(at(&[opt, opt, tsig]), signed);
        let mut status = with_opt(&[opt, opt, tsig]);
        status[2] |= 2 << 3;
        let reading = Reading::of(&status);
        assert!(matches!(reading, Reading::Reject(_, Fault::Opcode, _)), "{reading:?}");
        assert_eq!(reading.tsig_at(), Some(QUERY.len() + 2 * opt.len()));
    }

    #[test]
    fn every_prefix_and_every_changed_octet_is_read_to_an_end() {
        let whole = with_opt(&[b"\0\0\x29\x04\xd0\0\0\0\0\0\0"]);
        for len in 0..whole.len() {
            assert!(!matches!(Reading::of(&whole[..len]), Reading::Query(_)), "{len} octets");
        }
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Reading::of(&changed);
            }
        }
    }
}
