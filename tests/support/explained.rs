//! What `explain` tells, held against the answer that is given.

use zonesmith::clock::Now;
use zonesmith::explain::{self, Explanation};
use zonesmith::respond::{Peer, Reason, State};
use zonesmith::rr::table;
use zonesmith::wire::message::Message;
use zonesmith::zone::set::Slot;

/// What is explained is the answer that is given, octet for octet; each record of it comes from a zone
/// or is made from a DNAME in it, and each step names records that are there.
pub fn check(
    query: &[u8],
    from: Peer,
    now: Now,
    state: &mut State,
    answer: &[u8],
) -> Result<(), String> {
    let explained = explain::explain(query, from, now, state);
    let zones = &state.zones;
    let Some(explained) = explained else {
        let is_silence = answer.is_empty() || Message::read(answer).is_none();
        return is_silence.then_some(()).ok_or("an answer is not explained".into());
    };
    if explained.octets != answer {
        return Err(format!("explained is another answer: {:?}", explained.answer));
    }
    let Explanation { answer: message, steps, reason, .. } = explained;
    let records = message.sections.iter().flatten();
    let is_class_in = !matches!(reason, Reason::Identity); // what the server says of itself
    for record in records.filter(|_| is_class_in) {
        let has_dname = message.sections[0].iter().any(|other| other.rtype == table::DNAME);
        let made = has_dname && record.rtype == table::CNAME;
        if !made && explain::source(record, zones).is_none() {
            return Err(format!("no zone has {record:?}"));
        }
    }
    if steps.is_empty() || steps.iter().any(|step| step.text.is_empty()) {
        return Err(format!("a step is missing: {steps:?}"));
    }
    for source in steps.iter().flat_map(|step| &step.records) {
        let zone = zones.get(source.zone.as_name()).and_then(Slot::zone);
        let node = zone.and_then(|zone| zone.node_of(source.owner.as_name()));
        if node.is_none_or(|node| node.rrset(source.rtype).is_none()) {
            return Err(format!("a step tells of what is not there: {source:?}"));
        }
    }
    Ok(())
}
