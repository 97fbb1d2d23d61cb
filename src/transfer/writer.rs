//! One message of a transfer: header, perhaps a question, and as many records as there is room for.

use super::walk::Body;
use crate::name::{Name, NameBuf, Suffixes};
use crate::rr::rdata::{self, Part};
use crate::rr::{Rtype, table};
use crate::wire::compress::Compressor;
use crate::wire::{HEADER_LEN, TCP_LEN_MAX};

/// Slots for the names of a message: a well filled one has some six hundred owners.
const SLOTS: usize = 2048;
/// Octets of a record between its owner and its data.
const FIXED_LEN: usize = 10;
/// The last offset that a pointer can hold, and one (RFC 1035 §4.1.4).
const POINTER_END: usize = 0x4000;

/// What messages are written with. Kept between messages.
pub struct Writer {
    names: Compressor<SLOTS>,
    /// What the names of a message never point at: those of a question (RFC 5936 §3.4).
    no_question: Suffixes,
    /// The last record's owner.
    owner: NameBuf,
}

/// A message being written, behind whatever stands in the buffer already.
pub(super) struct Message<'o> {
    writer: &'o mut Writer,
    out: &'o mut Vec<u8>,
    base: usize,
    /// How long the records may make it.
    len_max: usize,
    /// How long the first of them may.
    first_len_max: usize,
    records: u16,
    /// Where the last record's owner stands. Records of one name come together.
    owner_at: Option<usize>,
}

impl Default for Writer {
    fn default() -> Writer {
        let (names, no_question) = (Compressor::default(), Suffixes::default());
        Writer { names, no_question, owner: NameBuf::root() }
    }
}

impl Writer {
    /// Begins a message with `head`: a header, whose counts come at the end, and a question or none.
    /// So many octets of `len_max` are kept for what ends it.
    pub(super) fn begin<'o>(
        &'o mut self,
        head: &[u8],
        len_max: usize,
        end_len: usize,
        out: &'o mut Vec<u8>,
    ) -> Message<'o> {
        let base = out.len();
        out.extend_from_slice(head);
        self.names.begin_apart();
        let [len_max, first_len_max] =
            [len_max, TCP_LEN_MAX.into()].map(|len| len.saturating_sub(end_len));
        Message { writer: self, out, base, len_max, first_len_max, records: 0, owner_at: None }
    }
}

impl Message<'_> {
    /// Appends a record, if there is room for it; a message that has none yet takes the longest that
    /// TCP can carry. Whether it did.
    pub(super) fn take(&mut self, owner: Name<'_>, body: Body<'_>) -> bool {
        let start = self.out.len();
        let Some((fixed, data)) = body.split_first_chunk::<FIXED_LEN>() else { return false };
        let owner_at = self.owner(owner);
        self.out.extend_from_slice(fixed);
        let data_at = self.out.len();
        self.data(Rtype(u16::from_be_bytes([fixed[0], fixed[1]])), data);
        let (len, data_len) = (self.out.len() - self.base, self.out.len() - data_at);
        let fits = len <= self.len_max || self.records == 0 && len <= self.first_len_max;
        if !fits || self.records == u16::MAX {
            self.out.truncate(start);
            return false;
        }
        let data_len = u16::try_from(data_len).expect("data become no longer");
        self.out[data_at - 2..data_at].copy_from_slice(&data_len.to_be_bytes());
        self.owner_at = Some(owner_at);
        self.records += 1;
        true
    }

    /// Whether it holds no record yet.
    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Ends it with an OPT record, or none.
    pub(super) fn finish(self, questions: u16, opt: &[u8]) {
        self.out.extend_from_slice(opt);
        let counts = [questions, self.records, 0, u16::from(!opt.is_empty())];
        let head = &mut self.out[self.base..self.base + HEADER_LEN];
        for (at, count) in counts.iter().enumerate() {
            head[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
        }
    }

    /// Writes an owner; gives where it stands.
    fn owner(&mut self, owner: Name<'_>) -> usize {
        let known = self.owner_at.filter(|&at| at < POINTER_END);
        if let Some(at) = known.filter(|_| self.writer.owner.as_name().as_wire() == owner.as_wire())
        {
            self.pointer(at);
            return at;
        }
        self.writer.owner.set(owner);
        self.name(owner)
    }

    fn data(&mut self, rtype: Rtype, data: &[u8]) {
        if rtype == table::A || rtype == table::AAAA {
            return self.out.extend_from_slice(data);
        }
        for part in rdata::parts(rtype, data) {
            match part {
                Part::Name(name) => {
                    self.name(name);
                }
                Part::PlainName(name) => {
                    let Writer { names, no_question, .. } = &mut *self.writer;
                    names.note(&self.out[self.base..], no_question, name);
                    self.out.extend_from_slice(name.as_wire());
                }
                Part::Octets(octets) => self.out.extend_from_slice(octets),
            }
        }
    }

    /// Writes a name; gives where it stands.
    fn name(&mut self, name: Name<'_>) -> usize {
        let at = self.out.len() - self.base;
        let Writer { names, no_question, .. } = &mut *self.writer;
        let plan = names.plan(&self.out[self.base..], no_question, name);
        self.out.extend_from_slice(&name.as_wire()[..plan.literal]);
        let Some(target) = plan.pointer.map(usize::from) else { return at };
        self.pointer(target);
        if plan.literal == 0 { target } else { at }
    }

    #[allow(clippy::cast_possible_truncation, reason = "it is below where pointers end")]
    fn pointer(&mut self, target: usize) {
        self.out.extend_from_slice(&(0xc000 | target as u16).to_be_bytes());
    }
}
