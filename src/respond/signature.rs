//! What a message's TSIG record means for its answer (RFC 8945 §5).
//!
//! The signature is looked at before anything else is: what it does not prove is refused whatever is
//! asked, and what it proves the lists of who may ask take into account. Room for the answer's own
//! record is kept back from the start, so that an answer that is cut is signed, too (§5.3).

use super::setting::len_max;
use super::{Peer, Reason};
use crate::guard::tsig::{self, Keys, Signer, Verdict};
use crate::name::Name;
use crate::transfer::Outgoing;
use crate::wire::HEADER_LEN;
use crate::wire::edns::SHORT_OPT_LEN;
use crate::wire::request::{Fault, Reading};
use crate::wire::tsig::{Tsig, TsigError};

/// A message, and who signed it.
pub(super) struct Verified<'m> {
    pub(super) message: &'m [u8],
    pub(super) reading: Reading<'m>,
    pub(super) signature: Signature<'m>,
}

/// What a message's signature comes to.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and answers do not allocate")]
pub(super) enum Signature<'m> {
    /// There is none.
    Absent,
    /// It is good: the answer is signed, too.
    Good(Signer),
    /// The answer says what is wrong, and is signed (§5.2.3, §5.2.4).
    Refused(Signer, Reason),
    /// The answer says what is wrong, and is not signed (§5.3.2).
    Unknown(Tsig<'m>, TsigError, Reason),
    /// The same with names that leave no room to repeat them.
    TooLong(Reason),
}

/// Looks at who signed a message, at `now_s` seconds since 1970.
pub(super) fn verify<'m>(message: &'m [u8], from: Peer, keys: &Keys, now_s: u64) -> Verified<'m> {
    let reading = Reading::of(message);
    let Some(at) = reading.tsig_at() else {
        return Verified { message, reading, signature: Signature::Absent };
    };
    let Some(tsig) = Tsig::read(message, at) else { return faulty(message, reading, Fault::Tsig) };
    let signature = match keys.verify(message, &tsig, at, now_s) {
        Verdict::Signed(signer) => Signature::Good(signer),
        Verdict::BadTime(signer) => Signature::Refused(signer, Reason::BadTime),
        Verdict::BadTruncation(signer) => Signature::Refused(signer, Reason::BadTruncation),
        Verdict::BadLength => return faulty(message, reading, Fault::MacLength),
        Verdict::BadKey => unknown(tsig, TsigError::BADKEY, Reason::BadKey, &reading, from),
        Verdict::BadSignature => {
            unknown(tsig, TsigError::BADSIG, Reason::BadSignature, &reading, from)
        }
    };
    Verified { message, reading, signature }
}

/// A message whose TSIG record is none.
fn faulty<'m>(message: &'m [u8], reading: Reading<'m>, fault: Fault) -> Verified<'m> {
    Verified { message, reading: reading.rejected(fault), signature: Signature::Absent }
}

/// A signature of somebody who is not known, whose names may be as long as names can be.
fn unknown<'m>(
    tsig: Tsig<'m>,
    error: TsigError,
    reason: Reason,
    reading: &Reading<'_>,
    from: Peer,
) -> Signature<'m> {
    let head_len = match reading {
        Reading::Query(request) => request.head.len(),
        Reading::NoQuestion(..) | Reading::Reject(..) | Reading::Ignore(_) => HEADER_LEN,
    };
    let len_max = len_max(reading.edns().map(|edns| edns.udp_len), from.transport);
    if head_len + SHORT_OPT_LEN + tsig::refusal_len(&tsig) > len_max.into() {
        return Signature::TooLong(reason);
    }
    Signature::Unknown(tsig, error, reason)
}

impl Verified<'_> {
    /// The octets of the message without as many as [`Signature::end`] makes an answer longer by.
    pub(super) fn asked_len(&self) -> usize {
        self.message.len().saturating_sub(self.signature.record_len().into())
    }
}

impl Signature<'_> {
    /// The key that is shown to have signed the message.
    pub(super) fn key(&self) -> Option<Name<'_>> {
        match self {
            Signature::Good(signer) => Some(signer.key().name()),
            _ => None,
        }
    }

    /// Why the message gets an error, whatever it asks for.
    pub(super) fn refusal(&self) -> Option<Reason> {
        match *self {
            Signature::Absent | Signature::Good(_) => None,
            Signature::Refused(_, reason)
            | Signature::Unknown(_, _, reason)
            | Signature::TooLong(reason) => Some(reason),
        }
    }

    /// By how many octets [`Signature::end`] makes an answer longer.
    pub(super) fn record_len(&self) -> u16 {
        let len = match self {
            Signature::Absent | Signature::TooLong(_) => 0,
            Signature::Good(signer) | Signature::Refused(signer, _) => signer.record_len(),
            Signature::Unknown(tsig, ..) => tsig::refusal_len(tsig),
        };
        u16::try_from(len).expect("two names and a MAC are short")
    }

    /// Has each message of a transfer end so (§5.3.1).
    pub(super) fn of_each(self, mut outgoing: Box<Outgoing>) -> Box<Outgoing> {
        if let Signature::Good(signer) = self {
            outgoing.sign_with(signer);
        }
        outgoing
    }

    /// Ends the answer `out[base..]` with the record that belongs to it.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, base: usize, now_s: u64) {
        match self {
            Signature::Absent | Signature::TooLong(_) => {}
            Signature::Good(signer) | Signature::Refused(signer, _) => {
                signer.sign_next(out, base, now_s);
            }
            Signature::Unknown(tsig, error, _) => tsig::refuse(tsig, *error, out, base, now_s),
        }
    }
}
