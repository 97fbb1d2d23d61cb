//! Signing answers: one, or many that belong together.

use super::key::{Hasher, Key, MAC_LEN_MAX};
use crate::name::Name;
use crate::wire::tsig::{TIME_LEN, Tsig, TsigError, record_len, time_octets};
use arrayvec::ArrayVec;
use std::sync::Arc;

/// By how many seconds a reader's clock may differ from ours (RFC 8945 §10).
const FUDGE_S: u16 = 300;
/// Where a message has the number of its additional records (RFC 1035 §4.1.1).
const COUNT_AT: usize = 10;

/// Signs the messages that answer one query, in their order.
///
/// ```text
/// let mut signer = Signer::first(key, request_mac);
/// each message:  leave signer.record_len() octets of room, write it behind out[base..],
///                signer.sign_next(&mut out, base, now_s)
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    key: Arc<Key>,
    /// The MAC of the query, then that of the answer before.
    before: ArrayVec<u8, MAC_LEN_MAX>,
    is_first: bool,
    /// What the answer says is wrong with the query's signature.
    fault: Fault,
}

/// What is wrong with a signature that was made with the key.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Nothing,
    Time(TheirTime),
    Truncation,
}

/// By which clock a query was signed.
#[derive(Clone, Copy, Debug)]
struct TheirTime {
    time_s: u64,
    fudge_s: u16,
}

impl Signer {
    /// Signs what answers a query that was signed with `key` and had that MAC, in the length that it
    /// came in (RFC 8945 §5.2.2.1).
    pub fn first(key: Arc<Key>, request_mac: &[u8]) -> Signer {
        let before = request_mac.iter().copied().take(MAC_LEN_MAX).collect();
        Signer { key, before, is_first: true, fault: Fault::Nothing }
    }

    /// The same where the query's time is wrong: the answer takes it over, so that who sent it can
    /// verify the answer, and says ours (RFC 8945 §5.2.3).
    pub(super) fn at_their_time(mut self, tsig: &Tsig<'_>) -> Signer {
        self.fault = Fault::Time(TheirTime { time_s: tsig.time_s, fudge_s: tsig.fudge_s });
        self
    }

    /// The same where the query's MAC is too short for the key (RFC 8945 §5.2.4).
    pub(super) fn of_truncated(mut self) -> Signer {
        self.fault = Fault::Truncation;
        self
    }

    /// Whose key it is.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// By how many octets a message grows.
    pub fn record_len(&self) -> usize {
        let algorithm = self.key.algorithm();
        let names_len = self.key.name().as_wire().len() + algorithm.name().as_wire().len();
        let other_len = if matches!(self.fault, Fault::Time(_)) { TIME_LEN } else { 0 };
        record_len(names_len, algorithm.mac_len() + other_len)
    }

    /// Signs the message `out[base..]`, which is whole but for that, at `now_s` seconds since 1970:
    /// appends the TSIG record and counts it. The first message of an answer is bound to the query
    /// (RFC 8945 §5.3), each further one to the one before (§5.3.1).
    pub fn sign_next(&mut self, out: &mut Vec<u8>, base: usize, now_s: u64) {
        let (key, our_time) = (Arc::clone(&self.key), time_octets(now_s));
        let mut tsig = empty(key.name(), key.algorithm().name(), now_s);
        tsig.original_id = [out[base], out[base + 1]];
        match self.fault {
            Fault::Nothing => {}
            Fault::Time(TheirTime { time_s, fudge_s }) => {
                (tsig.time_s, tsig.fudge_s) = (time_s, fudge_s);
                (tsig.error, tsig.other) = (TsigError::BADTIME, &our_time);
            }
            Fault::Truncation => tsig.error = TsigError::BADTRUNC,
        }
        let mac = self.mac(&out[base..], &tsig);
        append(&Tsig { mac: &mac, ..tsig }, out, base);
        (self.before, self.is_first) = (mac, false);
    }

    fn mac(&self, message: &[u8], tsig: &Tsig<'_>) -> ArrayVec<u8, MAC_LEN_MAX> {
        let mut hasher: Hasher = self.key.hasher();
        hasher.mac_before(&self.before);
        hasher.update(message);
        if self.is_first {
            hasher.variables(tsig);
        } else {
            hasher.timers(tsig);
        }
        hasher.finish()
    }
}

/// Ends the message `out[base..]`, which answers one with `tsig`, by a record that says why that one
/// cannot be trusted: unsigned, since who asked is not known (RFC 8945 §5.3.2).
pub fn refuse(tsig: &Tsig<'_>, error: TsigError, out: &mut Vec<u8>, base: usize, now_s: u64) {
    let mut answer = empty(tsig.key.as_name(), tsig.algorithm, now_s);
    (answer.original_id, answer.error) = ([out[base], out[base + 1]], error);
    append(&answer, out, base);
}

/// By how many octets [`refuse`] makes a message grow.
pub fn refusal_len(tsig: &Tsig<'_>) -> usize {
    empty(tsig.key.as_name(), tsig.algorithm, 0).record_len()
}

/// A record with nothing in it yet.
pub(super) fn empty<'a>(key: Name<'_>, algorithm: Name<'a>, time_s: u64) -> Tsig<'a> {
    Tsig {
        key: key.to_buf(),
        algorithm,
        time_s,
        fudge_s: FUDGE_S,
        mac: &[],
        original_id: [0; 2],
        error: TsigError::NONE,
        other: &[],
    }
}

/// Appends a record to the message `out[base..]`, and counts it.
pub(super) fn append(tsig: &Tsig<'_>, out: &mut Vec<u8>, base: usize) {
    tsig.write(out);
    let count = &mut out[base + COUNT_AT..base + COUNT_AT + 2];
    let records = u16::from_be_bytes([count[0], count[1]]).saturating_add(1);
    count.copy_from_slice(&records.to_be_bytes());
}
