//! DNS Cookies: is the address that a datagram comes from really the asker's (RFC 7873, RFC 9018)?
//!
//! The server keeps nothing about its clients. What it hands out it can check again, as long as it
//! has the secret; and any server that has the same secret can, too (RFC 9018 §4):
//!
//! ```text
//! 0               8        9         12         16
//! | client cookie | 1      | zeros   | unix time | SipHash-2-4 over all before it and the address |
//! |    (8)        | version| reserved| (4)       | (8), with the secret as its key                |
//! ```

use crate::clock::seconds_between;
use crate::wire::edns::{COOKIE_LEN, Cookie};
use arrayvec::ArrayVec;
use siphasher::sip::SipHasher24;
use std::fmt;
use std::net::IpAddr;

/// The octets of a secret: SipHash's key.
pub const SECRET_LEN: usize = 16;
/// Secrets that are tried. A change of secrets needs two; with more, a made-up cookie costs more.
pub const SECRETS_MAX: usize = 4;

/// RFC 9018 §4.1.
const VERSION: u8 = 1;
/// How old a cookie may be (RFC 9018 §4.3).
const AGE_MAX_S: i32 = 3600;
/// How far the clock of the server that made it may be ahead (RFC 9018 §4.3).
const AHEAD_MAX_S: i32 = 300;
/// From what age on another one is handed out (RFC 9018 §4.3).
const RENEWED_FROM_S: i32 = 1800;
/// Where the time stands in a cookie option, and where the hash does.
const TIME_AT: usize = 12;
const HASH_AT: usize = 16;

/// What cookies are for.
pub struct Cookies {
    /// Over UDP nothing is answered without a cookie of ours.
    pub required: bool,
    /// What makes and checks them.
    pub secrets: Secrets,
}

/// A key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_LEN]);

/// The first makes cookies, all of them accept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(ArrayVec<Secret, SECRETS_MAX>);

/// Why a text holds no secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsError {
    /// A line is not 32 digits in hex. Lines are counted from 1.
    Line(usize),
    /// There is no line.
    None,
    /// This line is one too many.
    TooMany(usize),
}

/// What a cookie proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The server handed it to this address (RFC 7873 §5.2.5).
    Ours,
    /// The client has none of ours yet (RFC 7873 §5.2.3).
    ClientOnly,
    /// It has one that is too old, for another address, or made up (RFC 7873 §5.2.4).
    NotOurs,
}

impl Secret {
    /// A secret of these octets, which nobody else should be able to guess.
    pub fn new(octets: [u8; SECRET_LEN]) -> Secret {
        Secret(octets)
    }

    /// The hash in a cookie whose first 16 octets are these (RFC 9018 §4.4).
    fn hash(&self, front: &[u8; HASH_AT], address: IpAddr) -> u64 {
        let mut octets = [0; HASH_AT + 16];
        octets[..HASH_AT].copy_from_slice(front);
        let octets = match address.to_canonical() {
            IpAddr::V4(address) => {
                octets[HASH_AT..HASH_AT + 4].copy_from_slice(&address.octets());
                &octets[..HASH_AT + 4]
            }
            IpAddr::V6(address) => {
                octets[HASH_AT..].copy_from_slice(&address.octets());
                &octets[..]
            }
        };
        SipHasher24::new_with_key(&self.0).hash(octets)
    }
}

impl Secrets {
    /// One secret.
    pub fn one(secret: Secret) -> Secrets {
        Secrets(ArrayVec::from_iter([secret]))
    }

    /// Reads lines of 32 digits in hex. Empty lines and those that start with `#` say nothing.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Secrets, SecretsError> {
        let mut secrets = ArrayVec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let secret = secret_from_hex(line).ok_or(SecretsError::Line(at + 1))?;
            secrets.try_push(secret).map_err(|_| SecretsError::TooMany(at + 1))?;
        }
        if secrets.is_empty() { Err(SecretsError::None) } else { Ok(Secrets(secrets)) }
    }

    /// What a cookie from `address` proves at `unix_s`, and the one that goes into the answer.
    pub fn check(
        &self,
        cookie: Cookie<'_>,
        address: IpAddr,
        unix_s: u32,
    ) -> (Proof, [u8; COOKIE_LEN]) {
        let fresh = || self.make(cookie.client, address, unix_s);
        if cookie.server.is_empty() {
            return (Proof::ClientOnly, fresh());
        }
        match self.accept(cookie, address, unix_s) {
            Some((option, age_s)) if age_s < RENEWED_FROM_S => (Proof::Ours, option),
            Some(_) => (Proof::Ours, fresh()),
            None => (Proof::NotOurs, fresh()),
        }
    }

    /// A cookie made now.
    fn make(&self, client: [u8; 8], address: IpAddr, unix_s: u32) -> [u8; COOKIE_LEN] {
        let mut option = [0; COOKIE_LEN];
        option[..8].copy_from_slice(&client);
        option[8] = VERSION;
        option[TIME_AT..HASH_AT].copy_from_slice(&unix_s.to_be_bytes());
        let (front, hash) = split(&option);
        let hash = self.0.first().map_or(hash, |secret| secret.hash(front, address));
        option[HASH_AT..].copy_from_slice(&hash.to_le_bytes());
        option
    }

    /// The whole cookie and its age in seconds, if it is one of ours. The hash is compared as one
    /// number, so the time that this takes does not tell how much of a guess was right.
    fn accept(
        &self,
        cookie: Cookie<'_>,
        address: IpAddr,
        unix_s: u32,
    ) -> Option<([u8; COOKIE_LEN], i32)> {
        let server: [u8; COOKIE_LEN - 8] = cookie.server.try_into().ok()?;
        let mut option = [0; COOKIE_LEN];
        option[..8].copy_from_slice(&cookie.client);
        option[8..].copy_from_slice(&server);
        let made_s = u32::from_be_bytes(server[4..8].try_into().ok()?);
        let age_s = seconds_between(made_s, unix_s);
        if server[0] != VERSION || !(-AHEAD_MAX_S..=AGE_MAX_S).contains(&age_s) {
            return None;
        }
        let (front, hash) = split(&option);
        let ours = self.0.iter().any(|secret| secret.hash(front, address) == hash);
        ours.then_some((option, age_s))
    }
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretsError::Line(line) => write!(f, "line {line}: not 32 hexadecimal digits"),
            SecretsError::None => f.write_str("no line with a secret"),
            SecretsError::TooMany(line) => {
                write!(f, "line {line}: more than {SECRETS_MAX} secrets")
            }
        }
    }
}

/// What is hashed, and the hash.
fn split(option: &[u8; COOKIE_LEN]) -> (&[u8; HASH_AT], u64) {
    let (front, hash) = option.split_first_chunk().expect("a cookie is longer");
    (front, u64::from_le_bytes(hash.try_into().expect("eight octets are left")))
}

fn secret_from_hex(digits: &str) -> Option<Secret> {
    let mut octets = [0; SECRET_LEN];
    if digits.len() != 2 * SECRET_LEN || !digits.is_ascii() {
        return None;
    }
    for (at, octet) in octets.iter_mut().enumerate() {
        let digits = &digits[2 * at..2 * at + 2];
        let signless = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        *octet = u8::from_str_radix(digits, 16).ok().filter(|_| signless)?;
    }
    Some(Secret(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 9018 appendices A.1 to A.3, the old one of A.4, and the new one of A.4.
    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// What is made of a cookie option in hex.
    fn check(secrets: &str, option: &str, address: &str, unix_s: u32) -> (Proof, String) {
        let option = octets(option);
        let (&client, server) = option.split_first_chunk().unwrap();
        let cookie = Cookie { client, server };
        let address = address.parse().unwrap();
        let (proof, answer) = Secrets::parse(secrets).unwrap().check(cookie, address, unix_s);
        (proof, answer.iter().map(|octet| format!("{octet:02x}")).collect())
    }

    #[test]
    fn rfc9018_a1_learning_a_new_server_cookie() {
        let answer = check(SECRET, "2464c4abcf10c957", "198.51.100.100", 1_559_731_985);
        let expected = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        assert_eq!(answer, (Proof::ClientOnly, expected.to_string()));
    }

    #[test]
    fn rfc9018_a2_renewed_after_forty_minutes() {
        let old = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        let answer = check(SECRET, old, "198.51.100.100", 1_559_734_385);
        assert_eq!(answer, (Proof::Ours, renewed.to_string()));
        let early = check(SECRET, old, "198.51.100.100", 1_559_731_985 + 1799);
        assert_eq!(early, (Proof::Ours, old.to_string()));
    }

    #[test]
    fn rfc9018_a3_reserved_bits_are_hashed_as_they_came() {
        let old = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        let new = "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e";
        let made_s = 0x5cf7_8f71;
        let in_time = check(SECRET, old, "203.0.113.203", made_s + 60);
        assert_eq!(in_time, (Proof::Ours, old.to_string()));
        let answer = check(SECRET, old, "203.0.113.203", 0x5cf7_a9ac);
        assert_eq!(answer.1, new);
    }

    #[test]
    fn rfc9018_a4_a_cookie_of_the_secret_before_is_renewed() {
        let address = "2001:db8:220:1:59de:d0f4:8769:82b8";
        let old = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
        let new = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
        let now = 0x5cf7_c609;
        assert_eq!(check(OLD, old, address, now), (Proof::Ours, old.to_string()));
        assert_eq!(check(NEW, old, address, now), (Proof::NotOurs, new.to_string()));
        let both = check(&format!("{NEW}\n{OLD}"), old, address, now);
        assert_eq!(both.0, Proof::Ours);
    }

    #[test]
    fn a_cookie_holds_for_an_hour_and_from_clocks_five_minutes_ahead() {
        let option = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        let made_s = 1_559_731_985_u32;
        let proof = |unix_s| check(SECRET, option, "198.51.100.100", unix_s).0;
        for (unix_s, expected) in [
            (made_s + 3600, Proof::Ours),
            (made_s + 3601, Proof::NotOurs),
            (made_s - 300, Proof::Ours),
            (made_s - 301, Proof::NotOurs),
            (made_s.wrapping_add(1 << 31), Proof::NotOurs),
        ] {
            assert_eq!(proof(unix_s), expected, "{unix_s}");
        }
    }

    #[test]
    fn every_bit_of_a_cookie_counts() {
        let option = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        for bit in 0..8 * COOKIE_LEN {
            let mut octets = octets(option);
            octets[bit / 8] ^= 1 << (bit % 8);
            let changed: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            let answer = check(SECRET, &changed, "198.51.100.100", 1_559_731_985);
            assert_eq!(answer.0, Proof::NotOurs, "bit {bit}");
        }
        let other = check(SECRET, option, "198.51.100.101", 1_559_731_985);
        assert_eq!(other.0, Proof::NotOurs, "another address");
        let mapped = check(SECRET, option, "::ffff:198.51.100.100", 1_559_731_985);
        assert_eq!(mapped.0, Proof::Ours, "the same address on a socket for both families");
        for len in [16, 23, 25, 40] {
            let changed = format!("{option:0<80}")[..2 * len].to_string();
            let answer = check(SECRET, &changed, "198.51.100.100", 1_559_731_985);
            assert_eq!(answer.0, Proof::NotOurs, "{len} octets");
        }
    }

    #[test]
    fn a_cookie_of_another_version_is_not_ours_even_with_our_hash() {
        let secrets = Secrets::parse(SECRET).unwrap();
        let (address, unix_s) = ("198.51.100.100".parse().unwrap(), 1_559_731_985);
        for version in [0, VERSION, 2] {
            let mut option = secrets.make([7; 8], address, unix_s);
            option[8] = version;
            let hash = secrets.0[0].hash(split(&option).0, address);
            option[HASH_AT..].copy_from_slice(&hash.to_le_bytes());
            let cookie = Cookie { client: [7; 8], server: &option[8..] };
            let ours = secrets.check(cookie, address, unix_s).0 == Proof::Ours;
            assert_eq!(ours, version == VERSION, "version {version}");
        }
    }

    #[test]
    fn secrets_are_lines_and_errors_name_theirs() {
        let error = |text: &str| Secrets::parse(text).err().map(|error| error.to_string());
        assert_eq!(error(&format!("# new\n\n  {NEW}  \r\n{OLD}\n")), None);
        assert_eq!(error("\n# none\n").unwrap(), "no line with a secret");
        for wrong in [
            "12",
            "é",
            &NEW[1..],
            &format!("{NEW}0"),
            &NEW.replace('c', "g"),
            &NEW.replacen("44", "+4", 1),
        ] {
            let text = format!("{SECRET}\n{wrong}\n");
            assert_eq!(error(&text).unwrap(), "line 2: not 32 hexadecimal digits", "{wrong}");
        }
        assert_eq!(error(&[SECRET; 5].join("\n")).unwrap(), "line 5: more than 4 secrets");
    }
}
