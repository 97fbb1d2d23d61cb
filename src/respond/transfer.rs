//! Who gets whole zones, and how they begin: AXFR (RFC 5936), and IXFR (RFC 1995).

use super::limit::Meter;
use super::{Outcome, Peer, Reason, Setting, Transport};
use crate::name::Suffixes;
use crate::rr::{Rtype, table};
use crate::transfer::{Outgoing, Progress, Writer, serial_asked_from};
use crate::wire::edns::Opt;
use crate::wire::request::{Question, Request};
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use std::sync::Arc;

/// Whether a type is a question for a zone.
pub(super) fn is_asked_for(rtype: Rtype) -> bool {
    matches!(rtype, table::AXFR | table::IXFR)
}

/// What was asked, and the OPT record of the answer.
pub(super) struct Asked<'a> {
    pub(super) message: &'a [u8],
    pub(super) request: &'a Request<'a>,
    pub(super) opt: Option<&'a Opt<'a>>,
    pub(super) from: Peer,
    /// How long an answer in one message may be, before it is signed.
    pub(super) len_max: u16,
}

impl Setting<'_> {
    /// The zone that is to be sent, or why none is.
    pub(super) fn transfer<'z>(
        &self,
        question: Question<'_>,
        hashes: &Suffixes,
        zones: &'z ZoneSet,
    ) -> Result<(&'z Slot, &'z Arc<Zone>), Reason> {
        let nearest = zones.nearest(question.name, question.rtype, hashes);
        let Some((slot, _)) = nearest.filter(|&(_, labels)| labels == hashes.labels()) else {
            return Err(Reason::NoApex); // RFC 5936 §2.2.1
        };
        match self.zone_acls.transfer(question.name).or(self.transfer_acl) {
            None => return Err(Reason::Transfer),
            Some(acl) if acl.denies(self.from.source.ip(), self.signed.key()) => {
                return Err(Reason::TransferDenied);
            }
            Some(_) => {}
        }
        // RFC 5936 §4.2 defines none over UDP.
        if question.rtype == table::AXFR && self.from.transport == Transport::Udp {
            return Err(Reason::TransferOverUdp);
        }
        slot.shared().map(|zone| (slot, zone)).ok_or(Reason::Broken)
    }
}

/// Begins a transfer, or sends what changed at once. An address may be made up over UDP, so no zone goes
/// that way: what changed, if that has room in one message, or else nothing here: an SOA tells who asks
/// whether to come over TCP (RFC 1995 §2).
pub(super) fn start(
    asked: &Asked<'_>,
    zone: &Arc<Zone>,
    writer: &mut Writer,
    meter: &mut Meter<'_>,
    out: &mut Vec<u8>,
) -> Option<Outcome> {
    let &Asked { request, opt, from, .. } = asked;
    let serial = serial_asked_from(asked.message, request.head.len());
    let serial = serial.filter(|_| request.question.rtype == table::IXFR);
    let changes = serial.and_then(|serial| zone.changes_since(serial));
    let changes = changes.map(|changes| Outgoing::changes(zone, changes, request, opt));
    if from.transport == Transport::Udp {
        return send_at_once(changes?, usize::from(asked.len_max), writer, meter, out);
    }
    let outgoing = match serial {
        Some(serial) if zone.is_known_to_who_has(serial) => Outgoing::version(zone, request, opt),
        _ => changes.unwrap_or_else(|| Outgoing::whole(zone, request, opt)),
    };
    Some(Outcome::Stream(Box::new(outgoing)))
}

/// Sends what changed as one message, if it has room there and does not come too often.
fn send_at_once(
    mut changes: Outgoing,
    len_max: usize,
    writer: &mut Writer,
    meter: &mut Meter<'_>,
    out: &mut Vec<u8>,
) -> Option<Outcome> {
    let base = out.len();
    let progress = changes.write(writer, len_max, 0, out); // it is signed as any answer is
    let len = out.len() - base;
    if progress == Progress::Ends && len <= len_max && meter.admits(len) {
        return Some(Outcome::Send(Reason::Transferred));
    }
    out.truncate(base);
    None
}

/// What is answered to a question in one message: one for changes gets the SOA.
pub(super) fn in_one_message(question: Question<'_>) -> Question<'_> {
    match question.rtype {
        table::IXFR => Question { rtype: table::SOA, ..question },
        _ => question,
    }
}
