//! Signing what we ask, and what the answer's signature proves.

use super::key::{Algorithm, Key, MAC_LEN_MAX};
use super::sign::{append, empty};
use crate::wire::message::last_record_at;
use crate::wire::tsig::{Tsig, TsigError};
use arrayvec::ArrayVec;
use std::fmt;
use std::sync::Arc;

/// What a message of ours was signed with: that is what its answer is bound to.
#[derive(Clone, Debug)]
pub struct Asked {
    key: Arc<Key>,
    mac: ArrayVec<u8, MAC_LEN_MAX>,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is not signed.
    Unsigned,
    /// It is signed with another key.
    OtherKey,
    /// It is another than was signed, or answers another message.
    BadSignature,
    /// It was signed at another time.
    BadTime,
    /// It was shortened more than the key permits.
    BadTruncation,
    /// It says that what we sent cannot be trusted.
    Says(TsigError),
}

impl Asked {
    /// Signs a message that asks something, at `now_s` seconds since 1970 (RFC 8945 §5.1).
    pub fn sign(key: Arc<Key>, message: &mut Vec<u8>, now_s: u64) -> Asked {
        let mut tsig = empty(key.name(), key.algorithm().name(), now_s);
        tsig.original_id = [message[0], message[1]];
        let mut hasher = key.hasher();
        hasher.update(message);
        hasher.variables(&tsig);
        let mac = hasher.finish();
        append(&Tsig { mac: &mac, ..tsig }, message, 0);
        Asked { key, mac }
    }

    /// Whether who has the key answered, and now (RFC 8945 §5.4).
    ///
    /// # Errors
    /// [`Doubt`], and nothing of the answer is to be believed.
    pub fn verify(&self, answer: &[u8], now_s: u64) -> Result<(), Doubt> {
        let at = last_record_at(answer).ok_or(Doubt::Unsigned)?;
        let tsig = Tsig::read(answer, at).ok_or(Doubt::Unsigned)?;
        if matches!(tsig.error, TsigError::BADKEY | TsigError::BADSIG) {
            return Err(Doubt::Says(tsig.error)); // unsigned (§5.3.2)
        }
        let algorithm = Algorithm::of_name(tsig.algorithm);
        if tsig.key.as_name() != self.key.name() || algorithm != Some(self.key.algorithm()) {
            return Err(Doubt::OtherKey);
        }
        let (shortest, whole) =
            (self.key.algorithm().mac_len_min(), self.key.algorithm().mac_len());
        let mut hasher = self.key.hasher();
        hasher.mac_before(&self.mac);
        hasher.signed(&answer[..at], &tsig);
        if !(shortest..=whole).contains(&tsig.mac.len()) || !hasher.is(tsig.mac) {
            return Err(Doubt::BadSignature);
        }
        if tsig.error != TsigError::NONE {
            return Err(Doubt::Says(tsig.error)); // §5.4.3
        }
        if now_s.abs_diff(tsig.time_s) > tsig.fudge_s.into() {
            return Err(Doubt::BadTime);
        }
        let is_whole = tsig.mac.len() >= self.key.mac_len_min();
        if is_whole { Ok(()) } else { Err(Doubt::BadTruncation) }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Unsigned => f.write_str("is not signed"),
            Doubt::OtherKey => f.write_str("is signed with another key"),
            Doubt::BadSignature => f.write_str("has a wrong signature: do the secrets differ?"),
            Doubt::BadTime => f.write_str("was signed at another time: do the clocks differ?"),
            Doubt::BadTruncation => f.write_str("has a signature that is too short"),
            Doubt::Says(TsigError::BADKEY) => f.write_str("says BADKEY: it does not have that key"),
            Doubt::Says(TsigError::BADSIG) => f.write_str("says BADSIG: do the secrets differ?"),
            Doubt::Says(TsigError::BADTIME) => f.write_str("says BADTIME: do the clocks differ?"),
            Doubt::Says(error) => write!(f, "says {error:?}"),
        }
    }
}
