//! EDNS options as scenarios say them, and cookies as a server with known secrets makes them.
//!
//! The judge knows the secrets, so it can tell a cookie of ours from any other octets, at every
//! time and for every address: nothing about a cookie is taken on trust or left out.

use siphasher::sip::SipHasher24;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file of secrets: the first makes cookies, both are accepted.
pub const SECRETS: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf\ndd3bdf9344b678b185a6f5cb60fca715\n";
/// In their order, and one that the server does not have.
const KEYS: [u128; 3] = [
    0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf,
    0xdd3b_df93_44b6_78b1_85a6_f5cb_60fc_a715,
    0x4455_36bc_d251_3298_075a_5d37_9663_c962,
];
/// How far apart the test's look at the clock and the server's may be: the longest that a test waits.
const CLOCKS_APART_S: u32 = 60;

/// The longest text of an extended error, in octets.
const ERROR_TEXT_LEN_MAX: usize = 60;

const NSID: u16 = 3;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const EXTENDED_ERROR: u16 = 15;
const ZONE_VERSION: u16 = 19;

/// Where and when a question is asked, which cookies depend on.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The asker's address.
    pub source: IpAddr,
    /// The time, in seconds since 1970.
    pub unix_s: u32,
}

/// The server's part of a cookie, to be made when the question is asked.
#[derive(Clone, Copy, Debug)]
pub struct ServerCookie {
    client: [u8; 8],
    /// Which of the keys made it.
    key: usize,
    /// How long ago, in seconds.
    age_s: i32,
}

impl Setting {
    /// Here and now.
    pub fn live() -> Setting {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
        let unix_s = u32::try_from(since.as_secs()).expect("before 2106");
        Setting { source: IpAddr::from([127, 0, 0, 1]), unix_s }
    }
}

impl ServerCookie {
    /// `ours`, `old` (by the second secret) or `other` (by none), then how many seconds ago: `ours-60`;
    /// or in the future: `ours+60`.
    pub fn parse(client: [u8; 8], words: &str) -> Result<ServerCookie, String> {
        let (by, age) = words.split_at(words.find(['-', '+']).unwrap_or(words.len()));
        let key = ["ours", "old", "other"].iter().position(|&name| name == by);
        let key = key.ok_or(format!("`{words}`: ours, old or other expected"))?;
        let ahead_s = if age.is_empty() { Ok(0) } else { age.parse::<i32>() };
        let age_s = -ahead_s.map_err(|_| format!("`{age}`: seconds expected"))?;
        Ok(ServerCookie { client, key, age_s })
    }

    /// Its 16 octets.
    pub fn made_in(&self, setting: &Setting) -> [u8; 16] {
        let made_s = setting.unix_s.wrapping_add_signed(-self.age_s);
        let [a, b, c, d] = made_s.to_be_bytes();
        server_cookie(self.client, [1, 0, 0, 0, a, b, c, d], self.key, setting.source)
    }
}

/// RFC 9018 §4: version, three octets of nothing and the time, then the hash.
fn server_cookie(client: [u8; 8], front: [u8; 8], key: usize, source: IpAddr) -> [u8; 16] {
    let mut hashed = [client, front].concat();
    match source {
        IpAddr::V4(address) => hashed.extend(address.octets()),
        IpAddr::V6(address) => hashed.extend(address.octets()),
    }
    let hash = SipHasher24::new_with_key(&KEYS[key].to_be_bytes()).hash(&hashed);
    [front, hash.to_le_bytes()].concat().try_into().expect("two halves")
}

/// An answer's options as lines, in their order. The error is what no answer may hold. `asked` is
/// the query.
pub fn show(
    options: &[(u16, Vec<u8>)],
    asked: &[u8],
    setting: &Setting,
) -> Result<Vec<String>, String> {
    let codes: Vec<u16> = options.iter().map(|(code, _)| *code).collect();
    if (1..codes.len()).any(|at| codes[..at].contains(&codes[at])) {
        return Err(format!("an option twice: {codes:?}"));
    }
    options.iter().map(|(code, value)| show_one(*code, value, asked, setting)).collect()
}

fn show_one(code: u16, value: &[u8], asked: &[u8], setting: &Setting) -> Result<String, String> {
    match (code, value) {
        (NSID, _) => Ok(format!("nsid {}", quoted(value))),
        (COOKIE, _) => show_cookie(value, asked, setting),
        (KEEPALIVE, &[high, low]) => Ok(format!("keepalive {}", u16::from_be_bytes([high, low]))),
        (ZONE_VERSION, &[labels, kind, a, b, c, d]) => {
            Ok(format!("zoneversion {labels} {kind} {}", u32::from_be_bytes([a, b, c, d])))
        }
        (EXTENDED_ERROR, &[high, low, ref text @ ..]) if text.len() <= ERROR_TEXT_LEN_MAX => {
            let ede = u16::from_be_bytes([high, low]);
            Ok(format!("ede {ede} {}", quoted(text)).replace(" \"\"", ""))
        }
        _ => Err(format!("an option {code} with the value {value:02x?}")),
    }
}

/// The client's part, and whether the server's is the one that came or was made just now.
fn show_cookie(value: &[u8], asked: &[u8], setting: &Setting) -> Result<String, String> {
    let cookie: [u8; 24] = value.try_into().map_err(|_| format!("a cookie {value:02x?}"))?;
    let (client, server) = (hex(&cookie[..8]), &cookie[8..]);
    if asked.windows(24).any(|window| window == cookie) {
        return Ok(format!("cookie {client} same"));
    }
    let made_s = u32::from_be_bytes(cookie[12..16].try_into().expect("four of 24"));
    let front = server[..8].try_into().expect("half of 16");
    let ours = server_cookie(cookie[..8].try_into().expect("8 of 24"), front, 0, setting.source);
    match made_s.abs_diff(setting.unix_s) {
        _ if server[..4] != [1, 0, 0, 0] || server != ours => {
            Err(format!("a cookie that is not ours: {value:02x?}"))
        }
        0..=CLOCKS_APART_S => Ok(format!("cookie {client} new")),
        apart => Err(format!("a cookie made {apart} s from now")),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Printable text in quotes, other octets in hex.
fn quoted(octets: &[u8]) -> String {
    match str::from_utf8(octets) {
        Ok(text) if !text.contains(|c: char| c.is_control() || c == '"') => format!("\"{text}\""),
        _ => format!("0x{}", hex(octets)),
    }
}

/// A line without the words of an extended error, where the expected one has none.
pub fn without_words<'l>(line: &'l str, expected: &[String]) -> &'l str {
    match line.strip_prefix("ede ").and_then(|rest| rest.split_once(' ')) {
        Some((code, _)) if expected.contains(&format!("ede {code}")) => &line[..4 + code.len()],
        _ => line,
    }
}
