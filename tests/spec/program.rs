//! The program, asked in process, and its answers as the specification writes them.

use super::answer::{Answer, Question, Server};
use super::explained;
use super::records::{Message, Name, Record, query, query_with_do};
use super::types::{DS, NS, NSEC, NSEC3, RRSIG};
use super::{CHAIN_MAX, Zone};
use zonesmith::clock::Now;
use zonesmith::diag::{Diagnostic, Span};
use zonesmith::respond::{Outcome, Peer, Policy, Reason, State, Transport, respond};
use zonesmith::rr::Rtype;
use zonesmith::zone::build::Builder;
use zonesmith::zone::set::{Change, Slot};

const _: () = assert!(CHAIN_MAX == zonesmith::answer::CHAIN_MAX);

/// Bits of a message's flags, and of OPT's.
const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const RD: u16 = 0x0100;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;
const DO: u32 = 0x8000;

/// The program and the specification, side by side.
pub struct Comparison<'z> {
    server: Server<'z>,
    state: State,
    /// Whether what is explained is held against each answer.
    pub explained: bool,
}

impl<'z> Comparison<'z> {
    /// Has the program load the zones.
    ///
    /// # Errors
    /// What the program says against one of them.
    pub fn of(zones: &'z [Zone], minimal_responses: bool) -> Result<Comparison<'z>, String> {
        let mut state = State::new(Policy { minimal_responses, ..Policy::default() });
        for zone in zones {
            let zone = load(zone)?;
            let change = Change { apex: zone.apex().to_buf(), slot: Some(Slot::Live(zone.into())) };
            state.zones.apply(change);
        }
        let server = Server { zones, minimal_responses };
        Ok(Comparison { server, state, explained: false })
    }

    /// Puts one question to both. Gives the program's reason for its answer.
    ///
    /// # Errors
    /// The question and both answers, where they differ.
    pub fn ask(&mut self, name: &Name, rtype: u16, dnssec_ok: bool) -> Result<Reason, String> {
        let question = || format!("{name} TYPE{rtype}{}", if dnssec_ok { " with DO" } else { "" });
        let (mut given, reason) =
            self.given(name, rtype, dnssec_ok).map_err(|why| format!("{}: {why}", question()))?;
        let any = given.answer.iter().rfind(|record| record.rtype != RRSIG);
        let any = any.map_or(0, |record| record.rtype);
        let mut owed = self.server.answer(&Question { name, rtype, dnssec_ok, any });
        sort(&mut given);
        sort(&mut owed);
        if given == owed {
            return Ok(reason);
        }
        Err(format!("{}\nthe program: {given:#?}\nexpected: {owed:#?}", question()))
    }
}

/// The zone as the program builds it. The case of owners changes from record to record, and means
/// nothing.
/// Has the program build a zone.
///
/// # Errors
/// What it says against it.
pub fn load(zone: &Zone) -> Result<zonesmith::zone::Zone, String> {
    let mut builder = Builder::default();
    for (at, Record { owner, rtype, ttl, data, .. }) in zone.records.iter().enumerate() {
        let mut owner = owner.wire();
        if at % 2 == 1 {
            owner.make_ascii_uppercase(); // a length octet is below every letter
        }
        let owner = zonesmith::name::Name::from_wire(&owner).ok_or("an owner is no name")?;
        let record = zonesmith::rr::Record { owner, rtype: Rtype(*rtype), ttl: *ttl, rdata: data };
        builder.add(record, Span::default(), &[]);
    }
    match builder.finish(Span::default()) {
        (Some(built), findings) if !findings.iter().any(Diagnostic::is_error) => Ok(built),
        (_, findings) => Err(format!("the zone is not loaded: {findings:?}")),
    }
}

impl Comparison<'_> {
    /// Asks the program over TCP, where nothing is left out for want of room, in mixed case.
    fn given(
        &mut self,
        name: &Name,
        rtype: u16,
        dnssec_ok: bool,
    ) -> Result<(Answer, Reason), String> {
        let (message, written) = question(name, rtype, dnssec_ok);
        let source = "127.0.0.1:5300".parse().unwrap();
        let (peer, now) = (Peer { transport: Transport::Tcp, source }, Now::default());
        let mut reply = Vec::new();
        let reason = match respond(&message, peer, now, &mut self.state, &mut reply) {
            Outcome::Send(reason) => reason,
            Outcome::Stream(_) => return Err("a transfer, which nobody is allowed".to_string()),
            Outcome::Drop(why) => return Err(format!("no answer: {why}")),
        };
        if self.explained {
            explained::check(&message, peer, now, &mut self.state, &reply)?;
        }
        let message = Message::read(&reply)?;
        check_outside(&message, &written, dnssec_ok)?;
        let (rcode, authoritative) = (message.rcode(), message.flags & AA != 0);
        let [answer, authority, mut additional] = message.sections;
        additional.retain(|record| record.rtype != 41);
        let said = Answer { rcode, authoritative, answer, authority, additional };
        check_order(&said)?;
        Ok((said, reason))
    }
}

/// A question as a message, and its name as written there.
fn question(name: &Name, rtype: u16, dnssec_ok: bool) -> (Vec<u8>, Vec<u8>) {
    let mut written = name.wire();
    for octet in written.iter_mut().skip(1).step_by(2 + usize::from(rtype % 2)) {
        octet.make_ascii_uppercase();
    }
    let mut message = match dnssec_ok {
        true => query_with_do(&written, rtype),
        false => query(&written, rtype, None),
    };
    message[3] |= (AD | CD).to_be_bytes()[1];
    (message, written)
}

/// What holds for every answer: the question, and the flags that say nothing of the zone.
fn check_outside(message: &Message, written: &[u8], dnssec_ok: bool) -> Result<(), String> {
    let flags = message.flags & !AA & 0xfff0;
    let wrong = match message.opt() {
        _ if message.qname != written => "the question is another",
        // RFC 4035 §3.1.6: AD and CD are clear
        _ if flags != QR | RD => "flags",
        // RFC 6891 §6.1.1
        opt if opt.is_some() != dnssec_ok => "OPT in one of two messages only",
        // RFC 3225 §3: DO is copied
        Some(opt) if opt.ttl & DO == 0 => "DO is not copied",
        _ => return Ok(()),
    };
    Err(format!("{wrong}: {message:#?}"))
}

/// RFC 4035 §3.1.4: the NS set of a referral stands before the proof.
fn check_order(said: &Answer) -> Result<(), String> {
    let authority = &said.authority;
    let proof = authority.iter().position(|record| [DS, NSEC, NSEC3].contains(&record.rtype));
    let last_ns = authority.iter().rposition(|record| record.rtype == NS);
    if said.answer.is_empty() && proof.is_some() && proof < last_ns {
        return Err(format!("NS does not stand before the proof: {authority:#?}"));
    }
    Ok(())
}

/// Puts into one order what has none: all but the records of the answer that make the chain.
fn sort(answer: &mut Answer) {
    answer.authority.sort();
    answer.additional.sort();
    let (mut signatures, chain): (Vec<Record>, Vec<Record>) =
        std::mem::take(&mut answer.answer).into_iter().partition(|r| r.rtype == RRSIG);
    signatures.sort();
    answer.answer = [chain, signatures].concat();
}
