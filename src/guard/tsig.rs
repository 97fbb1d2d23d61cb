//! TSIG: was this message signed with a key that both sides have (RFC 8945)?
//!
//! A key has a name, an algorithm and a secret ([`Key`]). [`Keys::verify`] says what a signature
//! proves, in the order of §5.2: the key, the MAC, the time, the truncation. What comes of a good one is a
//! [`Signer`], which signs the answer, or one after another all the messages of an answer in many.
//!
//! ```text
//! MAC of a query    = HMAC(message without TSIG, variables)                          §4.3
//! MAC of its answer = HMAC(query's MAC, message without TSIG, variables)             §5.3
//! … and the next    = HMAC(MAC before, message without TSIG, time and fudge)         §5.3.1
//! ```
//!
//! [`Asked`] is the other side: it signs what we ask, and says whether the answer counts.
//!
//! A MAC is to be whole, as ours are, unless the key's file says how short it may be (§7). The last
//! time that a key was used is not kept (§5.2.3 recommends it): queries over UDP may overtake each
//! other, and one that is sent again gets what it got before, and changes nothing.

mod ask;
mod file;
mod key;
mod sign;

pub use ask::{Asked, Doubt};
pub use file::{KeyFileError, KeyFileProblem, is_printable, print, read};
pub use key::{Algorithm, KEY_NAME_LEN_MAX, Key, Keys, MAC_LEN_MAX, SameName};
pub use sign::{Signer, refusal_len, refuse};

use crate::wire::HEADER_LEN;
use crate::wire::tsig::Tsig;
use key::Hasher;

/// What a signature proves.
#[derive(Debug)]
pub enum Verdict {
    /// That who has the key wrote the message, now. The answer is to be signed.
    Signed(Signer),
    /// Nothing: the key, or its algorithm, is not known. The answer is NOTAUTH, with [`refuse`]'s
    /// BADKEY.
    BadKey,
    /// Nothing: the message is another than was signed. The answer is NOTAUTH, with [`refuse`]'s
    /// BADSIG.
    BadSignature,
    /// That who has the key wrote the message, at another time. The answer is NOTAUTH, and to be
    /// signed: that says BADTIME.
    BadTime(Signer),
    /// That who has the key wrote the message, by a shorter MAC than that key is worth. The answer is
    /// NOTAUTH, and to be signed: that says BADTRUNC.
    BadTruncation(Signer),
    /// Nothing: the MAC has a length that none may have. The answer is FORMERR.
    BadLength,
}

impl Keys {
    /// What `tsig` proves, which stands at `at` of `message` and ends it, at `now_s` seconds since
    /// 1970.
    pub fn verify(&self, message: &[u8], tsig: &Tsig<'_>, at: usize, now_s: u64) -> Verdict {
        let key = self.find(tsig.key.as_name());
        let algorithm = Algorithm::of_name(tsig.algorithm);
        let Some(key) = key.filter(|key| Some(key.algorithm()) == algorithm) else {
            return Verdict::BadKey; // §5.2.1
        };
        let (shortest, whole) = (key.algorithm().mac_len_min(), key.algorithm().mac_len());
        if !(shortest..=whole).contains(&tsig.mac.len()) {
            return Verdict::BadLength; // §5.2.2.1
        }
        let mut hasher = key.hasher();
        hasher.signed(&message[..at], tsig);
        if !hasher.is(tsig.mac) {
            return Verdict::BadSignature; // §5.2.2
        }
        let signer = Signer::first(key.clone(), tsig.mac);
        if now_s.abs_diff(tsig.time_s) > tsig.fudge_s.into() {
            return Verdict::BadTime(signer.at_their_time(tsig)); // §5.2.3
        }
        if tsig.mac.len() < key.mac_len_min() {
            return Verdict::BadTruncation(signer.of_truncated()); // §5.2.4
        }
        Verdict::Signed(signer)
    }
}

impl Hasher {
    /// Takes in a message as it was before it was signed (§4.3.2): with its own id, and without the
    /// record that signs it.
    fn signed(&mut self, message: &[u8], tsig: &Tsig<'_>) {
        let (header, rest) = message.split_at(HEADER_LEN);
        let records = u16::from_be_bytes([header[10], header[11]]).wrapping_sub(1);
        self.update(&tsig.original_id);
        self.update(&header[2..10]);
        self.update(&records.to_be_bytes());
        self.update(rest);
        self.variables(tsig);
    }
}

#[cfg(test)]
mod tests;
