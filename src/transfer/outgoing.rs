//! A transfer under way: a version of a zone, and how far it has been sent.

use super::walk::Walk;
use super::writer::{Message, Writer};
use crate::guard::tsig::Signer;
use crate::wire::codes::Rcode;
use crate::wire::edns::Opt;
use crate::wire::request::Request;
use crate::wire::{HEADER_LEN, bits};
use crate::zone::diff::ChangeSet;
use crate::zone::{RECORD_HEAD_LEN, Zone};
use std::sync::Arc;

/// A zone on its way to another server: its SOA, every other record once (RFC 5936 §2.2) or what changed
/// (RFC 1995 §4), its SOA again.
pub struct Outgoing {
    zone: Arc<Zone>,
    /// What changed in it, if that is all that is sent (RFC 1995 §4).
    changes: Option<Arc<ChangeSet>>,
    /// The header, and for the first message the question.
    head: Vec<u8>,
    /// The OPT record of the first message; empty if there was none in the question (§2.2.5).
    opt: Vec<u8>,
    /// What signs each message, if the question was signed (RFC 8945 §5.3.1).
    signer: Option<Signer>,
    stage: Stage,
    messages: usize,
    octets: usize,
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug)]
enum Stage {
    First,
    Zone(Walk),
    /// From here on in the change set.
    Changes(usize),
    Last,
    /// The SOA alone, for who has that version already (RFC 1995 §2).
    Alone,
    Over,
}

/// What a message did for its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More messages follow.
    Goes,
    /// It was the last one.
    Ends,
    /// It says that the transfer failed: the next record is longer than any message.
    Fails,
}

impl Outgoing {
    /// The answer to `request`: the whole zone.
    pub fn whole(zone: &Arc<Zone>, request: &Request<'_>, opt: Option<&Opt<'_>>) -> Outgoing {
        Outgoing::new(zone, None, request, opt, Stage::First)
    }

    /// The answer to `request`: what changed.
    pub fn changes(
        zone: &Arc<Zone>,
        changes: &Arc<ChangeSet>,
        request: &Request<'_>,
        opt: Option<&Opt<'_>>,
    ) -> Outgoing {
        Outgoing::new(zone, Some(Arc::clone(changes)), request, opt, Stage::First)
    }

    /// The answer to `request`: which version there is.
    pub fn version(zone: &Arc<Zone>, request: &Request<'_>, opt: Option<&Opt<'_>>) -> Outgoing {
        Outgoing::new(zone, None, request, opt, Stage::Alone)
    }

    fn new(
        zone: &Arc<Zone>,
        changes: Option<Arc<ChangeSet>>,
        request: &Request<'_>,
        opt: Option<&Opt<'_>>,
        stage: Stage,
    ) -> Outgoing {
        let mut head = request.head.to_vec();
        let header = bits::QR | bits::AA | request.header.bits & bits::RD;
        head[2..4].copy_from_slice(&header.to_be_bytes());
        let mut octets = Vec::new();
        opt.into_iter().for_each(|opt| opt.write(Rcode::NOERROR, &mut octets));
        let (zone, signer, messages) = (Arc::clone(zone), None, 0);
        Outgoing { zone, changes, head, opt: octets, signer, stage, messages, octets: 0 }
    }

    /// Has each message signed.
    pub fn sign_with(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// Appends the next message at `now_s` seconds since 1970, of at most `len_max` octets unless its
    /// first record alone is longer.
    pub fn write(
        &mut self,
        writer: &mut Writer,
        len_max: usize,
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Progress {
        let base = out.len();
        let progress = self.write_unsigned(writer, len_max, out);
        if let Some(signer) = &mut self.signer {
            signer.sign_next(out, base, now_s);
        }
        self.octets += out.len() - base;
        progress
    }

    fn write_unsigned(
        &mut self,
        writer: &mut Writer,
        len_max: usize,
        out: &mut Vec<u8>,
    ) -> Progress {
        let base = out.len();
        let is_first = self.messages == 0;
        let head = if is_first { &self.head[..] } else { &self.head[..HEADER_LEN] };
        let opt = if is_first { &self.opt[..] } else { &[] };
        let signature_len = self.signer.as_ref().map_or(0, Signer::record_len);
        let mut message = writer.begin(head, len_max, opt.len() + signature_len, out);
        self.stage = fill(self.stage, &self.zone, self.changes.as_deref(), &mut message);
        let is_empty = message.is_empty();
        message.finish(u16::from(is_first), opt);
        self.messages += 1;
        if is_empty {
            out[base + 3] |= u8::try_from(Rcode::SERVFAIL.0).unwrap_or_default();
            self.stage = Stage::Over;
            return Progress::Fails;
        }
        if matches!(self.stage, Stage::Over) { Progress::Ends } else { Progress::Goes }
    }

    /// The version that is sent.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// How many messages were written, and how many octets.
    pub fn written(&self) -> (usize, usize) {
        (self.messages, self.octets)
    }

    /// Ends it, wherever it stands.
    pub fn into_zone(self) -> Arc<Zone> {
        self.zone
    }
}

/// Fills a message from a stage on; gives the stage of the next one.
fn fill(
    mut stage: Stage,
    zone: &Zone,
    changes: Option<&ChangeSet>,
    message: &mut Message<'_>,
) -> Stage {
    let soa = zone.soa().records();
    let soa = &soa[RECORD_HEAD_LEN - 10..];
    loop {
        stage = match stage {
            Stage::First if message.take(zone.apex(), soa) => match changes {
                Some(_) => Stage::Changes(0),
                None => Stage::Zone(Walk::default()),
            },
            Stage::Changes(at) => match changes.and_then(|changes| changes.record_at(at)) {
                None => Stage::Last,
                Some((owner, body)) if message.take(owner, body) => {
                    Stage::Changes(at + owner.as_wire().len() + body.len())
                }
                Some(_) => return stage,
            },
            Stage::Zone(mut walk) => match walk.go(zone, |owner, body| message.take(owner, body)) {
                true => Stage::Last,
                false => return Stage::Zone(walk),
            },
            Stage::Last | Stage::Alone if message.take(zone.apex(), soa) => Stage::Over,
            Stage::First | Stage::Last | Stage::Alone | Stage::Over => return stage,
        }
    }
}

/// Each transfer is itself alone.
impl PartialEq for Outgoing {
    fn eq(&self, other: &Outgoing) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Outgoing {}

impl std::fmt::Display for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (apex, serial, messages) = (self.zone.apex(), self.zone.serial(), self.messages);
        let plural = if messages == 1 { "" } else { "s" };
        let what = if self.changes.is_some() { "changes in " } else { "" };
        write!(
            f,
            "{apex} serial {serial}: {what}{messages} message{plural}, {} octets",
            self.octets
        )
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({:?}, {:?} after {} messages)", self.zone, self.stage, self.messages)
    }
}
