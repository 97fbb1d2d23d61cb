//! Who gets whole zones, and how they begin: AXFR (RFC 5936), and IXFR (RFC 1995).

use super::{Peer, Reason, Setting, Transport};
use crate::name::Suffixes;
use crate::rr::{Rtype, table};
use crate::transfer::{Outgoing, serial_asked_from};
use crate::wire::edns::Opt;
use crate::wire::request::{Question, Request};
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use std::sync::Arc;

/// Whether a type is a question for a zone.
pub(super) fn is_asked_for(rtype: Rtype) -> bool {
    matches!(rtype, table::AXFR | table::IXFR)
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

/// Begins a transfer, if it is to be one. An address may be made up over UDP, so no zone goes that way:
/// the SOA alone tells who asks whether to come over TCP (RFC 1995 §2).
pub(super) fn begin(
    message: &[u8],
    request: &Request<'_>,
    opt: Option<&Opt<'_>>,
    from: Peer,
    zone: &Arc<Zone>,
) -> Option<Outgoing> {
    if from.transport == Transport::Udp {
        return None;
    }
    let is_about_changes = request.question.rtype == table::IXFR;
    let serial = serial_asked_from(message, request.head.len()).filter(|_| is_about_changes);
    Some(match serial {
        Some(serial) if zone.is_known_to_who_has(serial) => Outgoing::version(zone, request, opt),
        _ => Outgoing::whole(zone, request, opt),
    })
}

/// What is answered to a question in one message: one for changes gets the SOA.
pub(super) fn in_one_message(question: Question<'_>) -> Question<'_> {
    match question.rtype {
        table::IXFR => Question { rtype: table::SOA, ..question },
        _ => question,
    }
}
