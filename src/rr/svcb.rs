//! SVCB and HTTPS parameters (RFC 9460): `alpn=h2,h3 port=8443 ipv4hint=192.0.2.1`.
//!
//! On the wire they stand in ascending order of their keys, each once; in text in any order.

use super::decimal;
use super::text::{DataError, Words};
use crate::name::text::unescape;
use data_encoding::BASE64;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How the value of a key is written.
#[derive(Clone, Copy)]
enum Value {
    /// Keys that a client must know, by name.
    Keys,
    /// Protocol identifiers, each behind its length octet.
    Protocols,
    /// None may be written.
    Nothing,
    /// A port.
    Port,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Octets in base64.
    Base64,
    /// Octets as they stand.
    Octets,
}

/// IANA's registry of keys: name, code, value.
const KEYS: &[(&str, u16, Value)] = &[
    ("mandatory", 0, Value::Keys),
    ("alpn", 1, Value::Protocols),
    ("no-default-alpn", 2, Value::Nothing),
    ("port", 3, Value::Port),
    ("ipv4hint", 4, Value::Ipv4),
    ("ech", 5, Value::Base64),
    ("ipv6hint", 6, Value::Ipv6),
    ("dohpath", 7, Value::Octets),
    ("ohttp", 8, Value::Nothing),
];

/// Reads the remaining words as parameters and appends them, sorted by key.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let mut params: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut mandatory_at = 0;
    while let Some(word) = words.take_if_any() {
        let (key, value) = param(word).map_err(|what| words.bad(what))?;
        if params.iter().any(|(other, _)| *other == key) {
            return Err(words.bad("this key is there already"));
        }
        if key == 0 {
            mandatory_at = words.last();
        }
        params.push((key, value));
    }
    params.sort();
    if let Some(missing) = unmet(&params) {
        let known = KEYS.iter().find(|key| key.1 == missing);
        let name = known.map_or(format!("key{missing}"), |key| key.0.to_string());
        let what = format!("`mandatory` names the key {name}, which is not there");
        return Err(DataError::Bad(mandatory_at, what));
    }
    for (key, value) in params {
        out.extend_from_slice(&key.to_be_bytes());
        let len = u16::try_from(value.len()).map_err(|_| words.bad("the value is too long"))?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// Whether `octets` are parameters in wire form: whole, keys ascending (RFC 9460 §2.2).
pub(super) fn is_valid(octets: &[u8]) -> bool {
    let mut rest = octets;
    let mut last = None;
    while let [k1, k2, l1, l2, tail @ ..] = rest {
        let key = u16::from_be_bytes([*k1, *k2]);
        let len = usize::from(u16::from_be_bytes([*l1, *l2]));
        if last.is_some_and(|last| last >= key) || len > tail.len() {
            return false;
        }
        last = Some(key);
        rest = &tail[len..];
    }
    rest.is_empty()
}

/// One `key=value`.
fn param(word: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let mut halves = word.splitn(2, |&octet| octet == b'=');
    let (name, value) = (halves.next().unwrap_or_default(), halves.next());
    let known = KEYS.iter().find(|key| key.0.as_bytes() == name);
    let numbered = name.strip_prefix(b"key").and_then(decimal::<u16>).filter(|&key| key < 65_535);
    let (key, kind) = match (known, numbered) {
        (Some(known), _) => (known.1, known.2),
        (None, Some(number)) => (number, Value::Octets),
        (None, None) => return Err("expected a service parameter, as alpn=h2 or key667=x".into()),
    };
    Ok((key, encode(kind, &resolve(unquoted(value.unwrap_or_default())?)?)?))
}

/// A value without the quotes that may stand around it.
fn unquoted(value: &[u8]) -> Result<&[u8], String> {
    match value.strip_prefix(b"\"") {
        None => Ok(value),
        Some(rest) => rest.strip_suffix(b"\"").ok_or("the quote is not closed".into()),
    }
}

/// A value with the escapes of the zone file resolved.
fn resolve(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, tail)) = rest.split_first() {
        let escaped = (octet == b'\\').then(|| unescape(tail).ok_or("a backslash stands alone"));
        let (octet, tail) = escaped.transpose()?.unwrap_or((octet, tail));
        octets.push(octet);
        rest = tail;
    }
    Ok(octets)
}

fn encode(kind: Value, value: &[u8]) -> Result<Vec<u8>, String> {
    if value.is_empty() && !matches!(kind, Value::Nothing | Value::Octets) {
        return Err("this key needs a value".into());
    }
    match kind {
        Value::Octets => Ok(value.to_vec()),
        Value::Nothing if value.is_empty() => Ok(Vec::new()),
        Value::Nothing => Err("this key takes no value".into()),
        Value::Port => decimal::<u16>(value)
            .map(|port| port.to_be_bytes().to_vec())
            .ok_or_else(|| "expected a port from 0 to 65535".into()),
        Value::Base64 => BASE64.decode(value).map_err(|_| "expected base64".into()),
        Value::Keys => mandatory(value),
        Value::Protocols => protocols(value),
        Value::Ipv4 => addresses(value, |text| text.parse::<Ipv4Addr>().ok().map(|a| a.octets())),
        Value::Ipv6 => addresses(value, |text| text.parse::<Ipv6Addr>().ok().map(|a| a.octets())),
    }
}

/// Keys by name, sorted; `mandatory` itself is not among them (RFC 9460 §8).
fn mandatory(value: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || "expected the names of other keys, joined by commas".to_string();
    let mut keys = Vec::new();
    for name in value.split(|&octet| octet == b',') {
        let known = KEYS.iter().find(|key| key.0.as_bytes() == name).map(|key| key.1);
        let numbered = || name.strip_prefix(b"key").and_then(decimal::<u16>);
        keys.push(known.or_else(numbered).filter(|&key| key != 0).ok_or_else(wrong)?);
    }
    keys.sort_unstable();
    let ascending = keys.windows(2).all(|pair| pair[0] < pair[1]);
    ascending.then(|| keys.iter().flat_map(|key| key.to_be_bytes()).collect()).ok_or_else(wrong)
}

/// Protocols joined by commas; a comma or backslash inside one is written behind a backslash
/// (RFC 9460 appendix A.1).
fn protocols(value: &[u8]) -> Result<Vec<u8>, String> {
    let mut ids = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        let id = ids.last_mut().ok_or("a protocol is missing")?;
        match octet {
            b',' => ids.push(Vec::new()),
            b'\\' => id.push(*octets.next().ok_or("a backslash stands at the end")?),
            _ => id.push(octet),
        }
    }
    let mut out = Vec::new();
    for id in ids {
        let len = u8::try_from(id.len()).ok().filter(|&len| len > 0);
        out.push(len.ok_or("a protocol has from 1 to 255 octets")?);
        out.extend(id);
    }
    Ok(out)
}

fn addresses<const N: usize>(
    value: &[u8],
    read: impl Fn(&str) -> Option<[u8; N]>,
) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(value).map_err(|_| "expected IP addresses".to_string())?;
    let octets: Option<Vec<[u8; N]>> = text.split(',').map(read).collect();
    octets.map(|list| list.concat()).ok_or_else(|| "expected IP addresses joined by commas".into())
}

/// The first key that `mandatory` names and that is not there.
fn unmet(params: &[(u16, Vec<u8>)]) -> Option<u16> {
    let (_, named) = params.first().filter(|(key, _)| *key == 0)?;
    let mut keys = named.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    keys.find(|key| !params.iter().any(|(there, _)| there == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_rfc_9460_appendix_d_writes_them() {
        assert_eq!(param(b"port=53"), Ok((3, vec![0, 53])));
        assert_eq!(param(b"key667=hello"), Ok((667, b"hello".to_vec())));
        assert_eq!(param(b"key667=\"hello\\210qoo\""), Ok((667, b"hello\xd2qoo".to_vec())));
        assert_eq!(param(br#"alpn="f\\\\oo\\,bar,h2""#), Ok((1, b"\x08f\\oo,bar\x02h2".to_vec())));
        assert_eq!(param(br"alpn=f\\\092oo\092,bar,h2"), Ok((1, b"\x08f\\oo,bar\x02h2".to_vec())));
        assert_eq!(param(b"mandatory=ipv4hint,alpn"), Ok((0, vec![0, 1, 0, 4])));
        assert_eq!(param(b"ipv4hint=192.0.2.1,192.0.2.2").unwrap().1.len(), 8);
        assert_eq!(param(b"no-default-alpn"), Ok((2, vec![])));
    }

    #[test]
    fn values_that_are_wrong() {
        for word in [
            &b"port"[..],
            b"port=65536",
            b"no-default-alpn=x",
            b"alpn=",
            b"alpn=h2,,h3",
            b"nokey=1",
            b"mandatory=mandatory",
            b"mandatory=alpn,alpn",
            b"ipv6hint=192.0.2.1",
            b"ech=?",
        ] {
            assert!(param(word).is_err(), "{}", word.escape_ascii());
        }
    }

    #[test]
    fn wire_form_is_ascending_and_whole() {
        assert!(is_valid(&[]));
        assert!(is_valid(&[0, 3, 0, 2, 0, 53]));
        assert!(!is_valid(&[0, 3, 0, 2, 0]));
        assert!(!is_valid(&[0, 3, 0, 0, 0, 3, 0, 0]));
        assert!(!is_valid(&[0]));
    }
}
