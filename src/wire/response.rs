//! Writes an answer: header, question, three sections, OPT.
//!
//! An RRset is written whole or not at all. The writer alone knows how long the answer may become;
//! room for OPT is kept back from the start, so an answer that is cut keeps its OPT.
//!
//! Names are written in one of two ways. At first they point into the question alone, which holds the
//! zone's name in almost every answer: that takes one comparison. An answer that is too long so is
//! written again with every pointer that there can be ([`Compressor`]), before anything is left out.

use super::codes::Rcode;
use super::compress::Compressor;
use super::edns::{ExtendedError, Opt, ZoneVersion};
use super::request::{Header, Request};
use super::{HEADER_LEN, QNAME, bits, pointer};
use crate::name::{NAME_LEN_MAX, Name, Suffixes, same_octets};
use crate::rr::rdata::{self, Part};
use crate::rr::{Class, Rtype, table};

/// What compression can save in a record's data: two names, in SOA. Data longer than the room by
/// more than this are not tried, so that the buffer need not grow.
const COMPRESSION_GAIN_MAX: usize = 2 * NAME_LEN_MAX;
/// How much longer than `len_max` the buffer can become for a moment: an owner, a record's fixed
/// part, and data that were tried.
pub const OVERSHOOT_MAX: usize = NAME_LEN_MAX + 10 + COMPRESSION_GAIN_MAX;

/// The three sections that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What was asked for.
    Answer = 1,
    /// Who can say more, or proof that there is nothing.
    Authority = 2,
    /// Addresses that the asker will want next.
    Additional = 3,
}

/// The answer would have become too long; the RRset is not in it.
#[derive(Debug, PartialEq, Eq)]
pub struct DoesNotFit;

/// Who owns a record.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The name of the question.
    Qname,
    /// Another name.
    Name(Name<'a>),
}

/// One answer being written, behind whatever stands in the buffer already.
pub struct Response<'o> {
    out: &'o mut Vec<u8>,
    /// Where the message starts in the buffer.
    base: usize,
    /// How long the records may make the message: room for OPT is kept back.
    len_max: usize,
    counts: [u16; 4],
    bits: u16,
    rcode: Rcode,
    opt: Option<&'o mut Opt<'o>>,
    /// The zone's name, where the question's name ends with it, and where that is in the message.
    apex: Option<(Name<'o>, usize)>,
    /// Names point into the question alone.
    quick: bool,
    hashes: &'o Suffixes,
    names: &'o mut Compressor,
    question_end: usize,
}

impl<'o> Response<'o> {
    /// Begins the answer to a query: RD is copied, RA, AD and CD stay clear (RFC 4035 §3.1.6). It
    /// ends with `opt`, and will have at most `len_max` octets.
    pub fn to(
        request: &Request<'_>,
        mut opt: Option<&'o mut Opt<'o>>,
        hashes: &'o Suffixes,
        names: &'o mut Compressor,
        len_max: u16,
        out: &'o mut Vec<u8>,
    ) -> Response<'o> {
        let (base, question_end) = (out.len(), request.head.len());
        out.extend_from_slice(request.head); // the id stays, the rest of the header comes at the end
        let len_max = usize::from(len_max);
        let opt_len = opt.as_mut().map_or(0, |opt| {
            **opt = opt.within(len_max.saturating_sub(question_end));
            opt.record_len()
        });
        Response {
            base,
            len_max: len_max - opt_len,
            counts: [1, 0, 0, 0],
            bits: bits::QR | request.header.bits & bits::RD,
            rcode: Rcode::NOERROR,
            opt,
            apex: None,
            quick: true,
            hashes,
            names,
            question_end,
            out,
        }
    }

    /// Names the zone that answers, which the question's name is in.
    pub fn set_apex(&mut self, apex: Name<'o>) {
        let name_len = self.question_end - HEADER_LEN - 4;
        let offset = name_len.checked_sub(apex.as_wire().len()).map(|before| HEADER_LEN + before);
        self.apex = offset.map(|offset| (apex, offset));
    }

    /// Takes back all records, to write them again with every pointer that there can be.
    pub fn restart(&mut self) {
        self.out.truncate(self.base + self.question_end);
        self.counts = [1, 0, 0, 0];
        self.quick = false;
        self.names.begin(self.question_end);
    }

    /// Tells nobody the server's identifier.
    pub fn leave_nsid_out(&mut self) {
        if let Some(opt) = &mut self.opt {
            opt.nsid = None;
        }
    }

    /// Takes back all of it.
    pub fn abandon(&mut self) {
        self.out.truncate(self.base);
    }

    /// The octets of the message so far, and of its OPT.
    pub fn whole_len(&self) -> usize {
        self.len() + self.opt.as_ref().map_or(0, |opt| opt.record_len())
    }

    /// Sets the response code, and the reason in more detail, before any record is written. An EDE
    /// is sent to those alone whose query had an OPT record (RFC 8914 §3).
    pub fn status(&mut self, rcode: Rcode, error: Option<ExtendedError>) {
        self.rcode = rcode;
        if error.is_some() {
            self.change_opt(|opt| opt.error = error);
        }
    }

    /// Says in OPT which version of the zone answers, before any record is written.
    pub fn set_zone_version(&mut self, version: ZoneVersion) {
        self.change_opt(|opt| opt.zone_version = Some(version));
    }

    /// Changes what OPT will hold, and how much room is kept back for it. Where a signature leaves no
    /// room, what is only good to know goes.
    fn change_opt(&mut self, change: impl FnOnce(&mut Opt<'o>)) {
        if let Some(opt) = &mut self.opt {
            let room = self.len_max + opt.record_len();
            change(opt);
            **opt = opt.within(room.saturating_sub(self.question_end));
            self.len_max = room - opt.record_len();
        }
    }

    /// Sets AA.
    pub fn set_authoritative(&mut self) {
        self.bits |= bits::AA;
    }

    /// Sets TC.
    pub fn set_truncated(&mut self) {
        self.bits |= bits::TC;
    }

    /// Has several RRsets of one section written, all or none.
    ///
    /// # Errors
    /// [`DoesNotFit`], with the message as it was before.
    pub fn unit(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut Response<'_>) -> Result<(), DoesNotFit>,
    ) -> Result<(), DoesNotFit> {
        let (start, count) = (self.out.len(), self.counts[section as usize]);
        write(self).inspect_err(|DoesNotFit| {
            self.out.truncate(start);
            self.counts[section as usize] = count;
        })
    }

    /// Appends an RRset to a section. Sections are written in their order.
    ///
    /// # Errors
    /// [`DoesNotFit`], with the message as it was before.
    pub fn rrset<'a>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: Rtype,
        ttl: u32,
        rdatas: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), DoesNotFit> {
        let (start, count) = (self.out.len(), self.counts[section as usize]);
        for rdata in rdatas {
            let hopeless = self.len() + rdata.len() > self.len_max + COMPRESSION_GAIN_MAX;
            if !hopeless {
                self.owner(section, owner);
                self.record(rtype, ttl, rdata);
            }
            if hopeless || self.len() > self.len_max {
                self.out.truncate(start);
                self.counts[section as usize] = count;
                return Err(DoesNotFit);
            }
            self.counts[section as usize] += 1; // a record has 12 octets: 65,535 of them do not fit
        }
        Ok(())
    }

    /// Appends the one record that is of class CHAOS: a text, owned by the question's name, to be
    /// kept by nobody.
    pub fn chaos_text(&mut self, text: &[u8]) {
        let len = u8::try_from(text.len()).expect("a text has 255 octets");
        let ([t1, t2], [c1, c2]) = (table::TXT.0.to_be_bytes(), Class::CH.0.to_be_bytes());
        let [l1, l2] = (u16::from(len) + 1).to_be_bytes();
        self.out.extend_from_slice(&QNAME);
        self.out.extend_from_slice(&[t1, t2, c1, c2, 0, 0, 0, 0, l1, l2, len]);
        self.out.extend_from_slice(text);
        self.counts[Section::Answer as usize] += 1;
    }

    /// Ends the message: OPT, then the header.
    pub fn finish(&mut self) {
        if let Some(opt) = &self.opt {
            opt.write(self.rcode, self.out);
            self.counts[Section::Additional as usize] += 1;
        }
        let head = &mut self.out[self.base..self.base + HEADER_LEN];
        head[2..4].copy_from_slice(&(self.bits | self.rcode.0 & 0xf).to_be_bytes());
        for (at, count) in self.counts.iter().enumerate() {
            head[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
        }
    }

    /// The octets of the message so far.
    fn len(&self) -> usize {
        self.out.len() - self.base
    }

    /// Writes an owner. Those of the first sections are most often the question's name, or above it.
    fn owner(&mut self, section: Section, owner: Owner<'_>) {
        match owner {
            Owner::Qname => self.out.extend_from_slice(&QNAME),
            Owner::Name(name) if self.quick && section != Section::Additional => {
                if self.question_ends_with(name) {
                    let offset = self.question_end - 4 - name.as_wire().len();
                    self.out.extend_from_slice(&pointer(offset));
                } else {
                    self.name(name);
                }
            }
            Owner::Name(name) => self.name(name),
        }
    }

    fn question_ends_with(&self, name: Name<'_>) -> bool {
        let question = &self.out[self.base + HEADER_LEN..self.base + self.question_end - 4];
        let before = question.len().checked_sub(name.as_wire().len());
        before.is_some_and(|before| {
            starts_label(question, before) && same_octets(&question[before..], name.as_wire())
        })
    }

    fn record(&mut self, rtype: Rtype, ttl: u32, rdata: &[u8]) {
        let ([t1, t2], [c1, c2]) = (rtype.0.to_be_bytes(), Class::IN.0.to_be_bytes());
        let [s1, s2, s3, s4] = ttl.to_be_bytes();
        self.out.extend_from_slice(&[t1, t2, c1, c2, s1, s2, s3, s4, 0, 0]);
        let start = self.out.len();
        if self.quick {
            self.quick_rdata(rtype, rdata);
        } else {
            self.rdata(rtype, rdata);
        }
        let len = length(self.out.len() - start);
        self.out[start - 2..start].copy_from_slice(&len);
    }

    /// Writes data whose names point into the question alone.
    fn quick_rdata(&mut self, rtype: Rtype, rdata: &[u8]) {
        let names = rdata::leading_names(rtype);
        let mut at = usize::from(names.before);
        self.out.extend_from_slice(&rdata[..at]);
        for _ in 0..names.count {
            let name = Name::stored(&rdata[at..]);
            self.name(name);
            at += name.as_wire().len();
        }
        self.out.extend_from_slice(&rdata[at..]);
    }

    /// Writes data whose names point wherever they can.
    fn rdata(&mut self, rtype: Rtype, rdata: &[u8]) {
        for part in rdata::parts(rtype, rdata) {
            match part {
                Part::Name(name) => self.name(name),
                Part::PlainName(name) => {
                    self.names.note(&self.out[self.base..], self.hashes, name);
                    self.out.extend_from_slice(name.as_wire());
                }
                Part::Octets(octets) => self.out.extend_from_slice(octets),
            }
        }
    }

    fn name(&mut self, name: Name<'_>) {
        let (literal, pointer) = match self.quick {
            true => self.quick_plan(name),
            false => {
                let plan = self.names.plan(&self.out[self.base..], self.hashes, name);
                (plan.literal, plan.pointer)
            }
        };
        self.out.extend_from_slice(&name.as_wire()[..literal]);
        if let Some(offset) = pointer {
            self.out.extend_from_slice(&(0xc000 | offset).to_be_bytes());
        }
    }

    /// How many octets of a name stand in full, and where in the question the rest is. Spelt
    /// otherwise the zone's name is written out, so that data keep their case.
    fn quick_plan(&self, name: Name<'_>) -> (usize, Option<u16>) {
        let wire = name.as_wire();
        let suffix = self.apex.and_then(|(apex, offset)| {
            let before = wire.len().checked_sub(apex.as_wire().len())?;
            let is_within = &wire[before..] == apex.as_wire() && starts_label(wire, before);
            is_within.then_some((before, u16::try_from(offset).ok()?))
        });
        suffix.map_or((wire.len(), None), |(before, offset)| (before, Some(offset)))
    }
}

/// Whether a label of the name starts at `at`.
fn starts_label(wire: &[u8], at: usize) -> bool {
    let mut start = 0;
    while start < at {
        start += 1 + usize::from(wire[start]);
    }
    start == at
}

/// The length of record data in two octets.
pub(super) fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("rdata has 65,535 octets").to_be_bytes()
}

/// Appends the answer to a message without a question that we can read: a header alone, with its
/// id, opcode and RD (RFC 1035 §4.1.1), and OPT if that was there to be read (RFC 6891 §6.1.1).
pub fn header_alone(header: Header, opt: Option<Opt<'_>>, rcode: Rcode, out: &mut Vec<u8>) {
    let bits = bits::QR | header.bits & (bits::OPCODE | bits::RD) | rcode.0 & 0xf;
    out.extend_from_slice(&header.id);
    out.extend_from_slice(&bits.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, u8::from(opt.is_some())]);
    if let Some(opt) = opt {
        opt.write(rcode, out);
    }
}
