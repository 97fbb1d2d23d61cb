//! What do people take an answer for? The mistakes that everybody makes once.

use super::steps::count;
use crate::answer::End;
use crate::name::{Name, NameBuf};
use crate::respond::{Reason, Seen};
use crate::rr::table;
use crate::wire::message::Message;
use crate::zone::set::ZoneSet;

/// What to know about a reply that a zone made.
pub(super) fn of_reply(seen: &Seen<'_>) -> Vec<String> {
    let reply = seen.reply;
    let asked = reply.qname;
    let note = match reply.end {
        End::Referral => reply.cut().map(|cut| {
            format!(
                "this is a referral, no failure: {} delegates {} to the servers above. nslookup prints \
                 \"Can't find {}: No answer\" and \"Authoritative answers can be found from\"; ask one of \
                 them",
                reply.zone.apex(),
                cut.name(),
                bare(asked)
            )
        }),
        End::NoData => Some(format!(
            "the name exists, and other types of it may have records. nslookup prints \"Can't find {}: No \
             answer\", dig prints NOERROR and ANSWER: 0",
            bare(asked)
        )),
        End::NxDomain => Some(format!(
            "who asked before a record was added may go on hearing NXDOMAIN for {}",
            count(reply.zone.negative_soa().ttl() as usize, "second")
        )),
        _ => None,
    };
    let any = seen.question.rtype == table::ANY;
    let any = any.then(|| "ANY gets one record set, not all of them (RFC 8482)".to_string());
    note.into_iter().chain(any).collect()
}

/// What to know about an answer that no zone made.
pub(super) fn of_refusal(reason: Reason, answer: &Message, zones: &ZoneSet) -> Option<String> {
    let (name, _) = answer.question.as_ref()?;
    match reason {
        Reason::NotServed => Some(match likely(name.as_name(), zones) {
            Some(meant) => {
                format!("did you mean {meant}? A name is written out here, no origin follows it")
            }
            None => "this server answers for its own zones and asks nobody else: it is no resolver"
                .into(),
        }),
        Reason::Broken => Some("`zonesmith check` shows what is wrong with the zone's file".into()),
        _ => None,
    }
}

/// The name with the name of a zone behind it, if the zone has that: `www` for `www.smith.edu.`.
fn likely(name: Name<'_>, zones: &ZoneSet) -> Option<NameBuf> {
    let prefix = &name.as_wire()[..name.as_wire().len() - 1];
    let mut meant = zones.zones().filter_map(|zone| {
        let meant = NameBuf::join(prefix, zone.apex())?;
        zone.node_of(meant.as_name()).map(|_| meant)
    });
    meant.next()
}

/// As people type it.
fn bare(name: Name<'_>) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|text| !text.is_empty()).map_or(text.clone(), str::to_string)
}
