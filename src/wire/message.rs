//! A whole message as records: what did an answer say?
//!
//! For who shows answers, not for who gives them: it copies each record, with names written out in
//! full. Total over every input: a message that is broken gives `None`, and pointers must lead
//! backwards, so that each name ends.

use super::request::Question;
use super::{HEADER_LEN, bits};
use crate::name::{LABEL_LEN_MAX, NAME_LEN_MAX, Name, NameBuf};
use crate::rr::table::{self, Field};
use crate::rr::{Rtype, rdata};
use crate::wire::codes::Rcode;
use arrayvec::ArrayVec;

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id.
    pub id: u16,
    /// The second word of the header, see [`bits`].
    pub bits: u16,
    /// The response code, with what OPT adds to it.
    pub rcode: Rcode,
    /// The name that was asked for, and the type.
    pub question: Option<(NameBuf, Rtype)>,
    /// The records of the answer, authority and additional sections, without OPT and TSIG.
    pub sections: [Vec<Record>; 3],
}

/// A record of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub owner: NameBuf,
    /// Its type.
    pub rtype: Rtype,
    /// How long it may be cached, in seconds.
    pub ttl: u32,
    /// Its data, names uncompressed.
    pub rdata: Vec<u8>,
}

impl Message {
    /// Reads a message.
    pub fn read(octets: &[u8]) -> Option<Message> {
        let head: &[u8; HEADER_LEN] = octets.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let mut cursor = Cursor { octets, at: HEADER_LEN };
        let question = match word(4) {
            0 => None,
            1 => Some(cursor.question()?),
            _ => return None,
        };
        let mut rcode = word(2) & 0xf;
        let mut sections: [Vec<Record>; 3] = Default::default();
        for (section, count) in sections.iter_mut().zip([word(6), word(8), word(10)]) {
            for _ in 0..count {
                let record = cursor.record()?;
                match record.rtype {
                    table::OPT => rcode |= u16::from(record.ttl.to_be_bytes()[0]) << 4,
                    table::TSIG => {}
                    _ => section.push(record),
                }
            }
        }
        Some(Message { id: word(0), bits: word(2), rcode: Rcode(rcode), question, sections })
    }

    /// Whether a bit of the header is set.
    pub fn has(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        self.has(bits::QR)
    }
}

/// A place in a message.
struct Cursor<'m> {
    octets: &'m [u8],
    at: usize,
}

/// Where the last additional record of a message begins, the place of a signature (RFC 8945 §5.1).
pub fn last_record_at(octets: &[u8]) -> Option<usize> {
    let head: &[u8; HEADER_LEN] = octets.first_chunk()?;
    let word = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let mut cursor = Cursor { octets, at: HEADER_LEN };
    for _ in 0..word(4) {
        cursor.question()?;
    }
    for _ in 1..word(6) + word(8) + word(10) {
        cursor.skip_record()?;
    }
    (word(10) > 0).then_some(cursor.at)
}

impl Cursor<'_> {
    fn skip_record(&mut self) -> Option<()> {
        let (_, end) = name_at(self.octets, self.at)?;
        let fixed: &[u8; 10] = self.octets.get(end..)?.first_chunk()?;
        self.at = end + fixed.len() + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        Some(())
    }

    fn question(&mut self) -> Option<(NameBuf, Rtype)> {
        let (question, rest) = Question::split_from(&self.octets[self.at..])?;
        self.at = self.octets.len() - rest.len();
        Some((question.name.to_buf(), question.rtype))
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let fixed: &[u8; 10] = self.octets.get(self.at..)?.first_chunk()?;
        let rtype = Rtype(u16::from_be_bytes([fixed[0], fixed[1]]));
        let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        self.at += fixed.len();
        let end = self.at + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let rdata = self.rdata(rtype, end)?;
        Some(Record { owner, rtype, ttl, rdata })
    }

    /// Record data up to `end`, with names written out where the type has names that may be
    /// compressed (RFC 3597 §4).
    fn rdata(&mut self, rtype: Rtype, end: usize) -> Option<Vec<u8>> {
        let data = self.octets.get(..end)?;
        let mut written = Vec::new();
        let fields = table::row(rtype).map_or(&[][..], |row| row.fields);
        if fields.contains(&Field::Name) {
            for &field in fields {
                let rest = data.get(self.at..)?;
                if field == Field::Name {
                    written.extend_from_slice(self.name()?.as_name().as_wire());
                } else {
                    let len = rdata::field_len(field, rest)?;
                    written.extend_from_slice(&rest[..len]);
                    self.at += len;
                }
            }
        } else {
            written.extend_from_slice(data.get(self.at..)?);
            self.at = end;
        }
        (self.at == end).then_some(written)
    }

    fn name(&mut self) -> Option<NameBuf> {
        let (name, end) = name_at(self.octets, self.at)?;
        self.at = end;
        Some(name)
    }
}

/// A name in a message, perhaps compressed (RFC 1035 §4.1.4), and where it ends.
pub(super) fn name_at(octets: &[u8], start: usize) -> Option<(NameBuf, usize)> {
    let mut wire: ArrayVec<u8, NAME_LEN_MAX> = ArrayVec::new();
    let (mut at, mut end) = (start, None);
    loop {
        let len = *octets.get(at)?;
        match len {
            0xc0.. => {
                let pointer = [len & 0x3f, *octets.get(at + 1)?];
                end = end.or(Some(at + 2));
                let target = usize::from(u16::from_be_bytes(pointer));
                if target >= at {
                    return None; // it would not end
                }
                at = target;
            }
            _ if usize::from(len) > LABEL_LEN_MAX => return None,
            _ => {
                let label = octets.get(at..=at + usize::from(len))?;
                wire.try_extend_from_slice(label).ok()?;
                at += label.len();
                if len == 0 {
                    break;
                }
            }
        }
    }
    Some((Name::from_wire(&wire)?.to_buf(), end.unwrap_or(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"\x12\x34\x84\0\0\x01\0\x01\0\0\0\x01\x01a\0\0\x0f\0\x01\
        \xc0\x0c\0\x0f\0\x01\0\0\0\x3c\0\x06\0\x0a\x01m\xc0\x0c\0\0\x29\x04\xd0\x01\0\0\0\0\0";

    #[test]
    fn names_are_written_out_and_opt_extends_the_code() {
        let message = Message::read(ANSWER).unwrap();
        let [answer, authority, additional] = &message.sections;
        assert_eq!((message.id, message.rcode, message.is_response()), (0x1234, Rcode(16), true));
        assert_eq!(answer[0].rdata, b"\0\x0a\x01m\x01a\0");
        assert_eq!((answer.len(), authority.len(), additional.len()), (1, 0, 0));
        assert_eq!(last_record_at(ANSWER), Some(ANSWER.len() - 11));
        assert_eq!(last_record_at(&ANSWER[..HEADER_LEN]), None);
    }

    #[test]
    fn every_prefix_and_every_changed_octet_is_read_to_an_end() {
        for len in 0..ANSWER.len() {
            assert_eq!(Message::read(&ANSWER[..len]), None, "{len} octets");
        }
        for at in 0..ANSWER.len() {
            for value in 0..=255 {
                let mut changed = ANSWER.to_vec();
                changed[at] = value;
                let _ = Message::read(&changed);
                let _ = last_record_at(&changed);
            }
        }
    }

    #[test]
    fn pointers_that_lead_nowhere_are_no_name() {
        let name = |octets: &'static [u8], at| Cursor { octets, at }.name();
        for (octets, at) in [(&b"\xc0\x00"[..], 0), (b"\x01a\xc0\x02", 2), (b"\x01a\xc0\x00", 0)] {
            assert_eq!(name(octets, at), None, "{octets:?}");
        }
        assert_eq!(name(b"\xc0\x02\xc0\x00", 2), None);
        assert_eq!(name(b"\x01a\xc0", 0), None);
        assert_eq!(name(b"\0\x01a\xc0\x00", 1), "a.".parse().ok());
    }
}
