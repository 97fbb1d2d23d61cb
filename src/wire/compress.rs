//! Which names stand where in the message being written (RFC 1035 §4.1.4).
//!
//! A fixed table of offsets, found by the hash of the name that starts there: no allocation, and
//! a few looks per label however many names the message holds, so no zone and no question can make
//! compression slow. Where the table is full an answer becomes a few octets longer; a pointer is
//! never wrong: each candidate is compared, octet for octet. Only the question may differ in case, since its case is
//! the asker's choice and carries no meaning (RFC 4343 §4.1).

use crate::name::{Name, hash::Suffixes};

/// The number of slots: more than twice the labels that the names of a 1,232 octet answer can bring.
const ANSWER_SLOTS: usize = 256;
/// How many slots a name may stand in: its own and those behind it.
const PROBES: usize = 8;
/// The last offset that a pointer can hold, and one.
const POINTER_END: usize = 0x4000;

/// The names written so far. Kept between messages, so that none pays for its making. How many slots
/// there are, a power of two, is for who knows how long the messages become.
pub struct Compressor<const SLOTS: usize = ANSWER_SLOTS> {
    /// Offsets from the start of the message; 0, where the header is, stands for none.
    slots: [u16; SLOTS],
    /// Whether the slots are this message's: they are cleared when its first name comes, since most
    /// answers have none but the question's.
    begun: bool,
    /// Where the question ends.
    question_end: usize,
    /// Of the name being written.
    suffixes: Suffixes,
}

impl<const SLOTS: usize> Default for Compressor<SLOTS> {
    fn default() -> Compressor<SLOTS> {
        let suffixes = Suffixes::default();
        Compressor { slots: [0; SLOTS], begun: false, question_end: 0, suffixes }
    }
}

/// A name as it is to be written: so many octets of it, and then a pointer, if there is one.
pub struct Plan {
    /// How many octets stand in full.
    pub literal: usize,
    /// Where the rest stands already.
    pub pointer: Option<u16>,
}

impl<const SLOTS: usize> Compressor<SLOTS> {
    /// Begins a message whose question ends at `question_end`.
    pub fn begin(&mut self, question_end: usize) {
        self.begun = false;
        self.question_end = question_end;
    }

    /// Begins a message whose names never point into its question.
    pub fn begin_apart(&mut self) {
        self.begun = true;
        self.question_end = 0;
        self.slots.fill(0);
    }

    /// How `name` is to be written at the end of `message`, whose question is `question`. Remembers it
    /// as written.
    pub fn plan(&mut self, message: &[u8], question: &Suffixes, name: Name<'_>) -> Plan {
        self.look_at(question, name);
        let labels = self.suffixes.labels();
        let known = (1..=labels).rev().find_map(|labels| {
            let suffix = &name.as_wire()[self.suffixes.offset(labels)..];
            self.find(message, self.suffixes.hash(labels), suffix).map(|offset| (labels, offset))
        });
        let (shared, pointer) = known.map_or((0, None), |(labels, at)| (labels, Some(at)));
        self.remember_from(shared + 1, message.len());
        let literal = match pointer {
            Some(_) => self.suffixes.offset(shared),
            None => name.as_wire().len(),
        };
        Plan { literal, pointer }
    }

    /// Remembers a name that is written out at the end of `message`: others may point at it.
    pub fn note(&mut self, message: &[u8], question: &Suffixes, name: Name<'_>) {
        self.look_at(question, name);
        self.remember_from(1, message.len());
    }

    fn look_at(&mut self, question: &Suffixes, name: Name<'_>) {
        if !self.begun {
            self.begun = true;
            self.slots.fill(0);
            for labels in 1..=question.labels() {
                let offset = super::HEADER_LEN + question.offset(labels);
                remember(&mut self.slots, question.hash(labels), offset);
            }
        }
        self.suffixes.fill(name);
    }

    /// Remembers the suffixes of the name looked at, from the one with so many labels on.
    fn remember_from(&mut self, labels: usize, at: usize) {
        for labels in labels..=self.suffixes.labels() {
            let offset = at + self.suffixes.offset(labels);
            remember(&mut self.slots, self.suffixes.hash(labels), offset);
        }
    }

    /// Where a name of that hash stands in `message`.
    fn find(&self, message: &[u8], hash: u64, name: &[u8]) -> Option<u16> {
        let candidates =
            slots::<SLOTS>(hash).map(|slot| self.slots[slot]).take_while(|&offset| offset != 0);
        candidates.into_iter().find(|&offset| self.stands_at(message, usize::from(offset), name))
    }

    /// Whether `name` stands in `message` at `offset`. A slot left by an RRset that was taken back
    /// is no danger: what it points at is compared, too.
    fn stands_at(&self, message: &[u8], offset: usize, name: &[u8]) -> bool {
        let mut at = offset;
        let mut rest = name;
        while let Some(&len) = message.get(at).filter(|_| at != 0) {
            if len >= 0xc0 {
                let Some(&low) = message.get(at + 1) else {
                    return false;
                };
                let target = usize::from(u16::from_be_bytes([len & 0x3f, low]));
                if target >= at {
                    return false; // pointers lead backwards, so this walk ends
                }
                at = target;
                continue;
            }
            let (Some(there), Some(label)) =
                (message.get(at..=at + usize::from(len)), rest.get(..=usize::from(len)))
            else {
                return false;
            };
            let in_question = at < self.question_end;
            if !(there == label || in_question && there.eq_ignore_ascii_case(label)) {
                return false;
            }
            if len == 0 {
                return true;
            }
            at += there.len();
            rest = &rest[there.len()..];
        }
        false
    }
}

/// Takes the first free slot, if there is one and a pointer can reach that far.
fn remember<const SLOTS: usize>(table: &mut [u16; SLOTS], hash: u64, offset: usize) {
    let Some(offset) = u16::try_from(offset).ok().filter(|_| offset < POINTER_END) else {
        return;
    };
    if let Some(free) = slots::<SLOTS>(hash).find(|&slot| table[slot] == 0) {
        table[free] = offset;
    }
}

/// The slots that a name of that hash may stand in.
fn slots<const SLOTS: usize>(hash: u64) -> impl Iterator<Item = usize> {
    let [first, second, ..] = hash.to_be_bytes();
    let first = usize::from(u16::from_be_bytes([first, second]));
    (0..PROBES).map(move |probe| (first + probe) % SLOTS)
}
