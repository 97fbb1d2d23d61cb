//! Signatures as RFC 8945 has them, made and judged without the program's help: HMAC is put together
//! from its definition (RFC 2104 §2), and each octet that it covers is collected here.

#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The file of keys that servers of scenarios have.
pub(crate) const KEY_FILE: &str = "\
key \"partner\" { algorithm hmac-sha256; secret \"cGFydG5lcg==\"; };
key \"old.example\" { algorithm hmac-sha1; secret \"b2xkLmV4YW1wbGU=\"; };
key \"mid\" { algorithm hmac-sha384; secret \"bWlk\"; };
key \"long\" { algorithm hmac-sha512; secret \"bG9uZw==\"; };
key \"short\" { algorithm hmac-sha256-128; secret \"c2hvcnQ=\"; };
";
/// Their names and algorithms, and those of a key that the server does not have. The secret of each is
/// its name.
const KEYS: [(&str, &str); 6] = [
    ("partner", "hmac-sha256"),
    ("old.example", "hmac-sha1"),
    ("mid", "hmac-sha384"),
    ("long", "hmac-sha512"),
    ("short", "hmac-sha256"),
    ("stranger", "hmac-sha256"),
];
const TSIG: u16 = 250;
const ANY_AND_NO_TTL: [u8; 6] = [0, 255, 0, 0, 0, 0];
const BADTIME: u16 = 18;
const FUDGE_S: u16 = 300;
/// How far apart the test's look at the clock and the server's may be: the longest that a test waits.
const CLOCKS_APART_S: u64 = 60;

/// How a query is to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    key: String,
    algorithm: String,
    secret: String,
    /// How far in the future.
    ahead_s: i64,
    /// How many octets of the MAC are sent; zeros follow where it has fewer.
    mac_len: Option<usize>,
    original_id: Option<u16>,
}

/// The parts of a TSIG record, and where it starts.
struct Record {
    at: usize,
    key: Vec<u8>,
    algorithm: Vec<u8>,
    time_s: u64,
    fudge_s: u16,
    mac: Vec<u8>,
    original_id: u16,
    error: u16,
    other: Vec<u8>,
}

impl Signing {
    /// `KEY` and behind commas any of `algorithm=NAME`, `secret=TEXT`, `ahead=SECONDS`, `mac=OCTETS`,
    /// `id=NUMBER`.
    pub(crate) fn parse(text: &str) -> Result<Signing, String> {
        let mut words = text.split(',');
        let key = words.next().unwrap_or_default();
        let plain = key.to_ascii_lowercase();
        let known = KEYS.iter().find(|(name, _)| *name == plain);
        let (_, algorithm) = known.unwrap_or(&("", "hmac-sha256"));
        let mut signing = Signing {
            key: key.to_string(),
            algorithm: (*algorithm).to_string(),
            secret: plain,
            ahead_s: 0,
            mac_len: None,
            original_id: None,
        };
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = value.parse::<i64>().map_err(|_| format!("`{word}`: a number expected"));
            match name {
                "algorithm" => signing.algorithm = value.to_string(),
                "secret" => signing.secret = value.to_string(),
                "ahead" => signing.ahead_s = number?,
                "mac" => signing.mac_len = usize::try_from(number?).ok(),
                "id" => signing.original_id = u16::try_from(number?).ok(),
                _ => return Err(format!("unknown word {word} for a signature")),
            }
        }
        Ok(signing)
    }

    /// The message, signed there and then (RFC 8945 §5.1).
    pub(crate) fn sign(&self, message: &[u8], unix_s: u32) -> Result<Vec<u8>, String> {
        let original_id = self.original_id.map_or([message[0], message[1]], u16::to_be_bytes);
        let time_s = u64::from(unix_s).saturating_add_signed(self.ahead_s);
        let (key, algorithm) = (wire(&self.key)?, wire(&self.algorithm)?);
        let mut record = Record {
            at: message.len(),
            key,
            algorithm,
            time_s,
            fudge_s: FUDGE_S,
            mac: Vec::new(),
            original_id: u16::from_be_bytes(original_id),
            error: 0,
            other: Vec::new(),
        };
        let signed = [&original_id[..], &message[2..], &record.variables()].concat();
        record.mac = hmac(&self.algorithm, self.secret.as_bytes(), &signed);
        record.mac.resize(self.mac_len.unwrap_or(record.mac.len()), 0);
        let mut signed = [message, &record.wire()].concat();
        let count = u16::from_be_bytes([signed[10], signed[11]]) + 1;
        signed[10..12].copy_from_slice(&count.to_be_bytes());
        Ok(signed)
    }
}

/// Takes the TSIG record off an answer to `query`. Gives the rest, and a line about it: the key, the
/// error, and whether it is signed. The error says what is wrong with it.
pub(crate) fn take(
    answer: &[u8],
    query: &[u8],
    unix_s: u32,
) -> Result<(Vec<u8>, Option<String>), String> {
    let Some(record) = Record::of(answer) else { return Ok((answer.to_vec(), None)) };
    let asked = Record::of(query).ok_or("a signed answer to an unsigned query")?;
    let count = u16::from_be_bytes([answer[10], answer[11]]) - 1;
    let mut rest = answer[..record.at].to_vec();
    rest[10..12].copy_from_slice(&count.to_be_bytes());
    let key = text(&record.key);
    if !record.key.eq_ignore_ascii_case(&asked.key) {
        return Err(format!("the answer is signed with {key}"));
    }
    if record.original_id.to_be_bytes() != answer[..2] {
        return Err("the original id is not the id".to_string());
    }
    record.check_times(&asked, unix_s)?;
    let is_signed = !record.mac.is_empty();
    if is_signed {
        let before = u16::try_from(asked.mac.len()).map_err(|_| "a long MAC")?.to_be_bytes();
        let signed = [&before[..], &asked.mac, &rest, &record.variables()].concat();
        let secret = key.trim_end_matches('.').to_ascii_lowercase();
        let algorithm = text(&record.algorithm);
        if record.mac != hmac(algorithm.trim_end_matches('.'), secret.as_bytes(), &signed) {
            return Err("the MAC of the answer is wrong".to_string());
        }
    }
    let error = match record.error {
        0 => "NOERROR".to_string(),
        16 => "BADSIG".to_string(),
        17 => "BADKEY".to_string(),
        BADTIME => "BADTIME".to_string(),
        22 => "BADTRUNC".to_string(),
        other => format!("error {other}"),
    };
    let state = if is_signed { "signed" } else { "unsigned" };
    Ok((rest, Some(format!("tsig {key} {error} {state}"))))
}

impl Record {
    /// The record that ends a message.
    fn of(message: &[u8]) -> Option<Record> {
        let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        let mut at = 12;
        for _ in 0..word(4)? {
            at = name_end(message, at)? + 4;
        }
        let records = usize::from(word(6)?) + usize::from(word(8)?) + usize::from(word(10)?);
        for _ in 1..records {
            let end = name_end(message, at)?;
            at = end + 10 + usize::from(word(end + 8)?);
        }
        let end = name_end(message, at)?;
        if records == 0 || word(end)? != TSIG || message.get(end + 2..end + 8)? != ANY_AND_NO_TTL {
            return None;
        }
        let data = end + 10;
        let fields = name_end(message, data)?;
        let mut time_octets = [0; 8];
        time_octets[2..].copy_from_slice(message.get(fields..fields + 6)?);
        let mac_end = fields + 10 + usize::from(word(fields + 8)?);
        let other_end = mac_end + 6 + usize::from(word(mac_end + 4)?);
        (other_end == message.len()).then_some(Record {
            at,
            key: message[at..end].to_vec(),
            algorithm: message[data..fields].to_vec(),
            time_s: u64::from_be_bytes(time_octets),
            fudge_s: word(fields + 6)?,
            mac: message[fields + 10..mac_end].to_vec(),
            original_id: word(mac_end)?,
            error: word(mac_end + 2)?,
            other: message[mac_end + 6..].to_vec(),
        })
    }

    /// RFC 8945 §4.3.3.
    fn variables(&self) -> Vec<u8> {
        let mut octets = self.key.to_ascii_lowercase();
        octets.extend(ANY_AND_NO_TTL);
        octets.extend(self.algorithm.to_ascii_lowercase());
        octets.extend(&self.time_s.to_be_bytes()[2..]);
        octets.extend(self.fudge_s.to_be_bytes());
        octets.extend(self.error.to_be_bytes());
        octets.extend(u16::try_from(self.other.len()).expect("it was read").to_be_bytes());
        octets.extend(&self.other);
        octets
    }

    /// RFC 8945 §4.2.
    fn wire(&self) -> Vec<u8> {
        let len = |octets: &[u8]| u16::try_from(octets.len()).expect("short").to_be_bytes();
        let mut data = self.algorithm.clone();
        data.extend(&self.time_s.to_be_bytes()[2..]);
        data.extend(self.fudge_s.to_be_bytes());
        data.extend(len(&self.mac));
        data.extend(&self.mac);
        data.extend(self.original_id.to_be_bytes());
        data.extend(self.error.to_be_bytes());
        data.extend(len(&self.other));
        data.extend(&self.other);
        [&self.key, &TSIG.to_be_bytes()[..], &ANY_AND_NO_TTL, &len(&data), &data].concat()
    }

    /// An answer is signed now, but one that says BADTIME at the query's time, with ours beside it
    /// (RFC 8945 §5.2.3).
    fn check_times(&self, asked: &Record, unix_s: u32) -> Result<(), String> {
        let is_now = |time_s: u64| time_s.abs_diff(unix_s.into()) <= CLOCKS_APART_S;
        let (told, other) = match (self.error, &self.other[..]) {
            (BADTIME, &[a, b, c, d, e, f]) => {
                (u64::from_be_bytes([0, 0, a, b, c, d, e, f]), self.time_s == asked.time_s)
            }
            (_, other) => (self.time_s, other.is_empty()),
        };
        if is_now(told) && other { Ok(()) } else { Err(format!("the time is {told}, {other}")) }
    }
}

fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            _ => return Some(at + 2),
        }
    }
}

/// A name with plain labels, as it stands in messages.
fn wire(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    for label in text.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).map_err(|_| "a label that is too long")?);
        octets.extend(label.bytes());
    }
    octets.push(0);
    Ok(octets)
}

/// A name with plain labels as text.
fn text(mut wire: &[u8]) -> String {
    let mut text = String::new();
    while let Some((&len @ 1.., rest)) = wire.split_first() {
        text += &String::from_utf8_lossy(&rest[..len.into()]);
        text.push('.');
        wire = &rest[len.into()..];
    }
    text
}

/// RFC 2104 §2. Of an algorithm that nobody knows it has no octet.
fn hmac(algorithm: &str, secret: &[u8], octets: &[u8]) -> Vec<u8> {
    match algorithm {
        "hmac-sha1" => keyed::<Sha1>(64, secret, octets),
        "hmac-sha256" => keyed::<Sha256>(64, secret, octets),
        "hmac-sha384" => keyed::<Sha384>(128, secret, octets),
        "hmac-sha512" => keyed::<Sha512>(128, secret, octets),
        _ => Vec::new(),
    }
}

fn keyed<D: Digest>(block_len: usize, secret: &[u8], octets: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let key = secret.iter().copied().chain(std::iter::repeat(0)).take(block_len);
        key.map(|octet| octet ^ with).collect::<Vec<u8>>()
    };
    let inner = D::digest([&pad(0x36)[..], octets].concat());
    D::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
}
