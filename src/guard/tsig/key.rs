//! Keys: a name, an algorithm, and what a secret makes of it.

use crate::name::{Name, NameBuf};
use crate::wire::tsig::{Tsig, time_octets};
use arrayvec::ArrayVec;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;
use std::sync::Arc;

/// The octets of the longest MAC, that of hmac-sha512.
pub const MAC_LEN_MAX: usize = 64;
/// The longest name of a key, in octets. Behind the longest question and an OPT record with a cookie it
/// leaves room for a TSIG record in the 512 octets that any client takes:
/// 12 + 259 + 39 + (90 + 13 + 26 + 64 + 6) = 509.
pub const KEY_NAME_LEN_MAX: usize = 90;
/// The shortest MAC that is ever taken, in octets (RFC 8945 §5.2.2.1).
const MAC_LEN_MIN: usize = 10;

/// How a message is hashed (RFC 8945 §6). hmac-md5 must not be used any more, hmac-sha224 nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// For old partners alone.
    HmacSha1,
    /// What everybody has.
    HmacSha256,
    /// Longer.
    HmacSha384,
    /// The longest.
    HmacSha512,
}

/// A key. Its secret is never shown.
#[derive(Clone)]
pub struct Key {
    name: NameBuf,
    algorithm: Algorithm,
    /// The shortest MAC that proves anything, in octets (RFC 8945 §7).
    mac_len_min: usize,
    /// The hash as the secret alone leaves it.
    keyed: Hasher,
}

/// Keys, each of another name.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Arc<Key>>);

/// There is a key of that name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameName;

/// A keyed hash that takes in octets.
#[derive(Clone)]
pub(super) enum Hasher {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] =
        [Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::HmacSha384, Algorithm::HmacSha512];

    fn row(self) -> (&'static str, &'static [u8], usize) {
        match self {
            Algorithm::HmacSha1 => ("hmac-sha1", b"\x09hmac-sha1\0", 20),
            Algorithm::HmacSha256 => ("hmac-sha256", b"\x0bhmac-sha256\0", 32),
            Algorithm::HmacSha384 => ("hmac-sha384", b"\x0bhmac-sha384\0", 48),
            Algorithm::HmacSha512 => ("hmac-sha512", b"\x0bhmac-sha512\0", 64),
        }
    }

    /// The name, without its final dot.
    pub fn text(self) -> &'static str {
        self.row().0
    }

    /// The name, as it stands in messages.
    pub fn name(self) -> Name<'static> {
        Name::stored(self.row().1)
    }

    /// The octets of a MAC, and of a secret that is worth one.
    pub fn mac_len(self) -> usize {
        self.row().2
    }

    /// The algorithm of that name.
    pub fn of_name(name: Name<'_>) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The algorithm that is written so, with or without a final dot.
    pub fn of_text(text: &str) -> Option<Algorithm> {
        let text = text.strip_suffix('.').unwrap_or(text);
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.text().eq_ignore_ascii_case(text))
    }

    /// The shortest MAC that may ever be taken, in octets (RFC 8945 §5.2.2.1).
    pub(super) fn mac_len_min(self) -> usize {
        MAC_LEN_MIN.max(self.mac_len() / 2)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Key {
    /// A key that whole MACs are made with, or `None` if its name has more than [`KEY_NAME_LEN_MAX`]
    /// octets.
    pub fn new(name: Name<'_>, algorithm: Algorithm, secret: &[u8]) -> Option<Key> {
        let (keyed, mac_len_min) = (Hasher::new(algorithm, secret), algorithm.mac_len());
        let fits = name.as_wire().len() <= KEY_NAME_LEN_MAX;
        fits.then(|| Key { name: name.to_lower(), algorithm, mac_len_min, keyed })
    }

    /// The same key where MACs may be shortened to so many octets, or `None` if none ever may be.
    pub fn shortened_to(self, mac_len_min: usize) -> Option<Key> {
        let permitted = self.algorithm.mac_len_min()..=self.algorithm.mac_len();
        permitted.contains(&mac_len_min).then_some(Key { mac_len_min, ..self })
    }

    /// The name, in lower case.
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The shortest MAC that proves anything, in octets.
    pub fn mac_len_min(&self) -> usize {
        self.mac_len_min
    }

    pub(super) fn hasher(&self) -> Hasher {
        self.keyed.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.name(), self.algorithm)
    }
}

impl Keys {
    /// Adds a key.
    ///
    /// # Errors
    /// [`SameName`], and there is no other key than before.
    pub fn add(&mut self, key: Key) -> Result<(), SameName> {
        if self.find(key.name()).is_some() {
            return Err(SameName);
        }
        self.0.push(Arc::new(key));
        Ok(())
    }

    /// The key of that name.
    pub fn find(&self, name: Name<'_>) -> Option<&Arc<Key>> {
        self.0.iter().find(|key| key.name() == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|key| &**key)
    }
}

impl Hasher {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Hasher {
        fn keyed<H: KeyInit>(secret: &[u8]) -> H {
            H::new_from_slice(secret).expect("HMAC takes a secret of any length")
        }
        match algorithm {
            Algorithm::HmacSha1 => Hasher::Sha1(keyed(secret)),
            Algorithm::HmacSha256 => Hasher::Sha256(keyed(secret)),
            Algorithm::HmacSha384 => Hasher::Sha384(keyed(secret)),
            Algorithm::HmacSha512 => Hasher::Sha512(keyed(secret)),
        }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        match self {
            Hasher::Sha1(mac) => mac.update(octets),
            Hasher::Sha256(mac) => mac.update(octets),
            Hasher::Sha384(mac) => mac.update(octets),
            Hasher::Sha512(mac) => mac.update(octets),
        }
    }

    /// Takes in a MAC behind its length (RFC 8945 §4.3.1).
    pub(super) fn mac_before(&mut self, mac: &[u8]) {
        let len = u16::try_from(mac.len()).expect("a MAC is short");
        self.update(&len.to_be_bytes());
        self.update(mac);
    }

    /// Takes in what a TSIG record says (RFC 8945 §4.3.3).
    pub(super) fn variables(&mut self, tsig: &Tsig<'_>) {
        self.update(tsig.key.as_name().to_lower().as_name().as_wire());
        self.update(&[0, 255, 0, 0, 0, 0]); // CLASS ANY, TTL 0
        self.update(tsig.algorithm.to_lower().as_name().as_wire());
        self.timers(tsig);
        self.update(&tsig.error.0.to_be_bytes());
        self.mac_before(tsig.other); // a length and octets, as well
    }

    /// Takes in when it says so (RFC 8945 §5.3.1).
    pub(super) fn timers(&mut self, tsig: &Tsig<'_>) {
        self.update(&time_octets(tsig.time_s));
        self.update(&tsig.fudge_s.to_be_bytes());
    }

    /// Whether what was taken in has that MAC, or one that begins so. The time that this takes tells
    /// nothing about where they differ.
    pub(super) fn is(self, mac: &[u8]) -> bool {
        match self {
            Hasher::Sha1(hash) => hash.verify_truncated_left(mac).is_ok(),
            Hasher::Sha256(hash) => hash.verify_truncated_left(mac).is_ok(),
            Hasher::Sha384(hash) => hash.verify_truncated_left(mac).is_ok(),
            Hasher::Sha512(hash) => hash.verify_truncated_left(mac).is_ok(),
        }
    }

    /// The MAC of what was taken in.
    pub(super) fn finish(self) -> ArrayVec<u8, MAC_LEN_MAX> {
        match self {
            Hasher::Sha1(mac) => mac.finalize().into_bytes().into_iter().collect(),
            Hasher::Sha256(mac) => mac.finalize().into_bytes().into_iter().collect(),
            Hasher::Sha384(mac) => mac.finalize().into_bytes().into_iter().collect(),
            Hasher::Sha512(mac) => mac.finalize().into_bytes().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// RFC 2202 §3 and RFC 4231 §4.3, test case 2.
    #[test]
    fn the_hashes_are_those_of_the_rfcs() {
        for (algorithm, mac) in [
            (Algorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Algorithm::HmacSha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                Algorithm::HmacSha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7\
                 8b3239ecfab21649",
            ),
            (
                Algorithm::HmacSha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a\
                 6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let mut hasher = Hasher::new(algorithm, b"Jefe");
            hasher.update(b"what do ya want ");
            hasher.update(b"for nothing?");
            let made = hasher.finish();
            assert_eq!((HEXLOWER.encode(&made), made.len()), (mac.into(), algorithm.mac_len()));
        }
    }

    #[test]
    fn a_key_shows_its_name_and_algorithm_alone() {
        let name: NameBuf = "Partner.".parse().unwrap();
        let key = Key::new(name.as_name(), Algorithm::HmacSha256, b"secret").unwrap();
        assert_eq!(format!("{key:?}"), "Key(partner. hmac-sha256)");
        let mut keys = Keys::default();
        assert_eq!((keys.add(key.clone()), keys.add(key)), (Ok(()), Err(SameName)));
        assert!(keys.find("PARTNER.".parse::<NameBuf>().unwrap().as_name()).is_some());
        let long: NameBuf = format!("{}.{}.", "k".repeat(40), "k".repeat(48)).parse().unwrap();
        assert!(Key::new(long.as_name(), Algorithm::HmacSha256, b"secret").is_none());
    }
}
