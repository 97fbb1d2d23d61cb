//! Why is an answer what it is?
//!
//! A question is put to [`respond_seen`], the very function that answers clients, so what is explained
//! is what they get. The reply that it made is then read aloud: [`steps`] goes from the zone along the
//! chain of names to the last record, each step with the rule that it follows, [`notes`] says what
//! people take such an answer for. Records are told by owner and type; where they stand in a file is
//! known to who read the file.

mod notes;
mod steps;

use crate::clock::Now;
use crate::name::{NameBuf, Suffixes};
use crate::respond::{Outcome, Peer, Reason, State, respond_seen};
use crate::rr::{Rtype, rdata};
use crate::wire::message::{Message, Record};
use crate::zone::set::ZoneSet;
use crate::zone::{Node, Position, Rrset};

/// An answer, and how it came about.
#[derive(Debug)]
pub struct Explanation {
    /// The answer, as it was read off the wire.
    pub answer: Message,
    /// The octets of the answer.
    pub octets: Vec<u8>,
    /// Why it is what it is, in a few words.
    pub reason: Reason,
    /// How it came about, in order.
    pub steps: Vec<Step>,
    /// What people may take it for.
    pub notes: Vec<String>,
}

/// One step from a question to its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is so, in a sentence or two.
    pub text: String,
    /// The rule that makes it so: an RFC and its section. Empty for what is our own choice.
    pub rule: &'static str,
    /// The records because of which it is so.
    pub records: Vec<Source>,
}

/// Records of a zone: where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The zone.
    pub zone: NameBuf,
    /// Whose they are in the file: for what a wildcard stands for, the wildcard.
    pub owner: NameBuf,
    /// Their type.
    pub rtype: Rtype,
    /// The data of the one that is meant, if not all of them are.
    pub rdata: Option<Vec<u8>>,
}

/// Puts a message to the server, and explains what comes back. `None` if nothing does.
pub fn explain(message: &[u8], from: Peer, now: Now, state: &mut State) -> Option<Explanation> {
    let mut octets = Vec::new();
    let mut told = None;
    let outcome = respond_seen(message, from, now, state, &mut octets, |seen| {
        told = Some((steps::of_reply(seen), notes::of_reply(seen)));
    });
    let Outcome::Send(reason) = outcome else { return None };
    let answer = Message::read(&octets)?;
    let (mut steps, mut notes) = told.unwrap_or_default();
    if steps.is_empty() {
        steps.push(steps::of_refusal(reason, &answer, &state.zones));
        notes.extend(notes::of_refusal(reason, &answer, &state.zones));
    }
    steps.extend(steps::of_additional(reason, &answer));
    steps.extend(steps::of_truncation(&answer, octets.len(), from.transport));
    Some(Explanation { answer, octets, reason, steps, notes })
}

/// Where a record of an answer comes from; `None` for one that no file holds, as the CNAME that a
/// DNAME makes.
pub fn source(record: &Record, zones: &ZoneSet) -> Option<Source> {
    let owner = record.owner.as_name();
    let hashes = Suffixes::of(owner);
    let (slot, labels) = zones.nearest(owner, record.rtype, &hashes)?;
    let above = || zones.find(owner, &hashes, labels.checked_sub(1)?); // a referral's NS, if the child is served too
    let zones = [Some((slot, labels)), above()].into_iter().flatten();
    let holder = zones.filter_map(|(slot, _)| slot.zone()).find_map(|zone| {
        let wildcard = match zone.locate(owner, &hashes) {
            Position::Wildcard { source, .. } => Some(source),
            _ => None,
        };
        let nodes = zone.node_of(owner).into_iter().chain(wildcard);
        let mut holders = nodes.filter(|node| holds(*node, record));
        Some((zone.apex().to_buf(), holders.next()?.name().to_buf()))
    });
    let (zone, owner) = holder?;
    Some(Source { zone, owner, rtype: record.rtype, rdata: Some(record.rdata.clone()) })
}

/// Whether a node has a record's data.
fn holds(node: Node<'_>, record: &Record) -> bool {
    let sets = node.rrsets().filter(|set| set.rtype() == record.rtype);
    let mut rdatas = sets.flat_map(Rrset::rdatas);
    rdatas.any(|rdata| rdata::same(record.rtype, rdata, &record.rdata))
}
