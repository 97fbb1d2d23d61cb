//! Queries as nearly all are, read in one pass, and answers to them that are copies.
//!
//! [`PlainQuery`] knows one shape: a QUERY with one question of class IN, and behind it nothing, or an
//! OPT record of version 0 without options or with a cookie alone. [`super::request`] reads all others, and these too: what is
//! read here it reads alike. [`Copies`] writes what such a query can get without a thought about names:
//! records that stand ready, with pointers at the question.

use super::codes::Rcode;
use super::edns::{COOKIE_LEN, Cookie, OPT_LEN, SHORT_OPT_LEN, opt_head, opt_with_cookie};
use super::response::{Section, length};
use super::{HEADER_LEN, UDP_LEN_PLAIN, bits, pointer};
use crate::name::{Name, Suffixes};
use crate::rr::Rtype;

/// The octets of a question behind its name.
const TYPE_AND_CLASS_LEN: usize = 4;
/// The octets of a record before its data, behind a pointer for its owner.
const FIXED_LEN: usize = 12;

/// A query of the usual shape.
#[derive(Clone, Copy)]
pub struct PlainQuery<'m> {
    /// The header and the question, as they came.
    pub head: &'m [u8],
    /// QNAME.
    pub name: Name<'m>,
    /// QTYPE.
    pub rtype: Rtype,
    /// What the OPT record says.
    pub opt: Option<PlainOpt<'m>>,
}

/// What an OPT record says that holds a cookie at most.
#[derive(Clone, Copy)]
pub struct PlainOpt<'m> {
    /// The longest UDP answer that the asker can take, in octets.
    pub udp_len: u16,
    /// Whether it wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// The cookie.
    pub cookie: Option<Cookie<'m>>,
}

impl<'m> PlainQuery<'m> {
    /// Reads a message, and the hashes of its name into `hashes`. None if it has another shape.
    #[inline]
    pub fn read(message: &'m [u8], hashes: &mut Suffixes) -> Option<PlainQuery<'m>> {
        let (header, body) = message.split_first_chunk::<HEADER_LEN>()?;
        let [_, _, b1, b2, counts @ .., records] = *header;
        let (bits, one_question) = (u16::from_be_bytes([b1, b2]), [0, 1, 0, 0, 0, 0, 0]);
        if bits & (bits::QR | bits::OPCODE) != 0 || counts != one_question {
            return None;
        }
        let name = hashes.read(body)?;
        let (fixed, rest) =
            body[name.as_wire().len()..].split_first_chunk::<TYPE_AND_CLASS_LEN>()?;
        let [t1, t2, 0, 1] = *fixed else { return None };
        let opt = match (records, rest) {
            (0, _) => None,
            (1, &[0, 0, 41, u1, u2, _, 0, flags, _, 0, len, ref options @ ..])
                if options.len() == usize::from(len) =>
            {
                let cookie = if len == 0 { None } else { Some(Cookie::alone(options)?) };
                Some(PlainOpt {
                    udp_len: u16::from_be_bytes([u1, u2]).max(UDP_LEN_PLAIN), // RFC 6891 §6.2.3
                    dnssec_ok: flags & 0x80 != 0,
                    cookie,
                })
            }
            _ => return None,
        };
        let head = &message[..message.len() - rest.len()];
        Some(PlainQuery { head, name, rtype: Rtype(u16::from_be_bytes([t1, t2])), opt })
    }
}

/// An answer being copied together, behind whatever stands in the buffer already.
pub struct Copies<'o> {
    out: &'o mut Vec<u8>,
    base: usize,
    /// How long the buffer may become with records.
    end_max: usize,
    question_end: usize,
    apex: [u8; 2],
    counts: [u16; 3],
    /// DO, if OPT is to be written.
    dnssec_ok: Option<bool>,
    cookie: Option<&'o [u8; COOKIE_LEN]>,
}

/// There is no room for the records.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoom;

impl<'o> Copies<'o> {
    /// Begins the answer to a query, from a zone whose name has so many octets and ends the question's. A
    /// `cookie` goes with OPT.
    #[inline]
    pub fn to(
        query: &PlainQuery<'_>,
        cookie: Option<&'o [u8; COOKIE_LEN]>,
        apex_len: usize,
        len_max: u16,
        out: &'o mut Vec<u8>,
    ) -> Copies<'o> {
        let opt_len = opt_len(query.opt.is_some(), cookie);
        let base = out.len();
        out.extend_from_slice(query.head);
        let question_end = query.head.len();
        Copies {
            out,
            base,
            end_max: base + usize::from(len_max) - opt_len,
            question_end,
            apex: pointer(question_end - TYPE_AND_CLASS_LEN - apex_len),
            counts: [0; 3],
            dnssec_ok: query.opt.map(|opt| opt.dnssec_ok),
            cookie,
        }
    }

    /// Appends records as they are: they point at the question's name, and nowhere else.
    ///
    /// # Errors
    /// There is no room, as with the others.
    #[inline]
    pub fn records(
        &mut self,
        section: Section,
        records: &[u8],
        count: usize,
    ) -> Result<(), NoRoom> {
        self.room_for(records.len())?;
        self.out.extend_from_slice(records);
        self.count(section, count)
    }

    /// Appends a record in which pointers at the zone's name are to stand at `places`.
    #[inline]
    pub fn pointing(
        &mut self,
        section: Section,
        record: &[u8],
        places: &[usize],
    ) -> Result<(), NoRoom> {
        let start = self.out.len();
        self.records(section, record, 1)?;
        for place in places {
            self.out[start + place..start + place + 2].copy_from_slice(&self.apex);
        }
        Ok(())
    }

    /// Appends a record whose first `kept` octets stay; a pointer at the zone's name stands for the
    /// rest, if there is one. Its owner is what `owner` points at.
    #[inline]
    pub fn shortened(
        &mut self,
        section: Section,
        owner: [u8; 2],
        record: &[u8],
        kept: usize,
    ) -> Result<(), NoRoom> {
        self.room_for(record.len())?;
        let start = self.out.len();
        self.out.extend_from_slice(&record[..kept]);
        self.out[start..start + 2].copy_from_slice(&owner);
        if kept < record.len() {
            self.out.extend_from_slice(&self.apex);
            let len = length(kept + 2 - FIXED_LEN);
            self.out[start + FIXED_LEN - 2..start + FIXED_LEN].copy_from_slice(&len);
        }
        self.count(section, 1)
    }

    /// Appends a record whose owner is some labels in front of the zone's name.
    #[inline]
    pub fn below_apex(
        &mut self,
        section: Section,
        labels: &[u8],
        record: &[u8],
    ) -> Result<(), NoRoom> {
        self.room_for(labels.len() + record.len())?;
        self.out.extend_from_slice(labels);
        let start = self.out.len();
        self.out.extend_from_slice(record);
        self.out[start..start + 2].copy_from_slice(&self.apex);
        self.count(section, 1)
    }

    /// Points at where the question has `name`, which its name ends with.
    pub fn pointer_to(&self, name: Name<'_>) -> [u8; 2] {
        pointer(self.question_end - TYPE_AND_CLASS_LEN - name.as_wire().len())
    }

    /// The octets of the message so far, and of its OPT.
    #[inline]
    pub fn whole_len(&self) -> usize {
        self.out.len() - self.base + opt_len(self.dnssec_ok.is_some(), self.cookie)
    }

    /// Ends the message: OPT, then the header.
    #[inline(always)] // its caller knows most of what it writes
    pub fn finish(self, rcode: Rcode, authoritative: bool) {
        let Copies { out, base, counts: [answer, authority, mut additional], .. } = self;
        if let Some(dnssec_ok) = self.dnssec_ok {
            match self.cookie {
                None => out.extend_from_slice(&opt_head(rcode, dnssec_ok)),
                Some(cookie) => out.extend_from_slice(&opt_with_cookie(rcode, dnssec_ok, cookie)),
            }
            additional += 1;
        }
        let Some(header) = out[base..].first_chunk_mut::<HEADER_LEN>() else { return };
        let asked = u16::from_be_bytes([header[2], header[3]]) & bits::RD;
        let aa = if authoritative { bits::AA } else { 0 };
        let words = [bits::QR | asked | aa | rcode.0, 1, answer, authority, additional];
        for (word, octets) in words.iter().zip(header[2..].as_chunks_mut::<2>().0) {
            *octets = word.to_be_bytes();
        }
    }

    #[inline]
    fn room_for(&self, len: usize) -> Result<(), NoRoom> {
        if self.out.len() + len > self.end_max { Err(NoRoom) } else { Ok(()) }
    }

    #[inline]
    fn count(&mut self, section: Section, count: usize) -> Result<(), NoRoom> {
        // a record has 12 octets: 65,535 of them find no room
        self.counts[section as usize - 1] += u16::try_from(count).map_err(|_| NoRoom)?;
        Ok(())
    }
}

/// The octets of an OPT record, if there is one.
#[inline]
fn opt_len(has_opt: bool, cookie: Option<&[u8; COOKIE_LEN]>) -> usize {
    match (has_opt, cookie) {
        (false, _) => 0,
        (true, None) => OPT_LEN,
        (true, Some(_)) => SHORT_OPT_LEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::Class;
    use crate::wire::edns::Options;
    use crate::wire::request::Reading;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x03www\x05smith\x03edu\0\0\x01\0\x01\
        \0\0\x29\x03\xe8\0\0\x80\0\0\0";

    /// What is read here is read alike by the reader of all queries.
    fn compare(message: &[u8]) -> bool {
        let mut hashes = Suffixes::default();
        let Some(plain) = PlainQuery::read(message, &mut hashes) else { return false };
        let Reading::Query(request) = Reading::of(message) else { panic!("{message:x?}") };
        let question = request.question;
        assert_eq!((plain.head, plain.name), (request.head, question.name));
        assert_eq!((plain.rtype, Class::IN), (question.rtype, question.class));
        let seen = plain.opt.map(|opt| (opt.udp_len, opt.dnssec_ok, opt.cookie));
        let told = request.edns.map(|edns| {
            let others = Options { cookie: None, ..edns.options };
            assert_eq!((edns.version, others), (0, Options::default()), "{message:x?}");
            (edns.udp_len, edns.dnssec_ok, edns.options.cookie)
        });
        assert_eq!(seen, told, "{message:x?}");
        let expected = Suffixes::of(question.name);
        let all = |hashes: &Suffixes| {
            let labels = 0..=hashes.labels();
            labels.map(|n| (hashes.hash(n), hashes.offset(n))).collect::<Vec<_>>()
        };
        assert_eq!(all(&hashes), all(&expected));
        true
    }

    /// The same with a cookie that has so many octets.
    fn with_cookie(len: u8) -> Vec<u8> {
        let option = [&[0, 10, 0, len][..], &vec![7; len.into()]].concat();
        let mut query = [QUERY, &option].concat();
        query[QUERY.len() - 1] = 4 + len;
        query
    }

    #[test]
    fn every_changed_octet_is_read_as_the_long_road_reads_it_or_not_at_all() {
        for query in [QUERY.to_vec(), with_cookie(8), with_cookie(24)] {
            assert!(compare(&query));
            for at in 0..query.len() {
                let mut read = 0;
                for value in 0..=255 {
                    let mut changed = query.clone();
                    changed[at] = value;
                    read += u32::from(compare(&changed));
                }
                assert!(read > 0, "octet {at}");
            }
            for len in 0..query.len() {
                assert!(!compare(&query[..len]), "{len} octets");
            }
        }
    }

    #[test]
    fn a_cookie_of_a_length_that_none_has_is_not_read() {
        for len in 0..=100 {
            assert_eq!(compare(&with_cookie(len)), len == 8 || (16..=40).contains(&len), "{len}");
        }
    }

    #[test]
    fn the_longest_name_is_read_and_one_longer_is_not() {
        for (labels, is_name) in [(127, true), (128, false)] {
            let name = [1, b'a'].repeat(labels);
            let message = [b"\0\0\0\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\0\x01\0\x01"].concat();
            assert_eq!(compare(&message), is_name);
        }
    }
}
