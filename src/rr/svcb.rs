//! SVCB and HTTPS parameters (RFC 9460): `alpn=h2,h3 port=8443 ipv4hint=192.0.2.1`.
//!
//! On the wire they stand in ascending order of their keys, each once; in text in any order. A key
//! can be written by its number too, as `key3`; its value then stands as it is on the wire, and is
//! checked all the same. Printed are the names that RFC 9460 gives, which every server reads; keys
//! registered later are printed by their numbers.

use super::decimal;
use super::strings;
use super::text::{DataError, Words};
use crate::name::NameError;
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::fmt::Write as _;
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
    /// A URI template (RFC 9461 §5).
    Template,
    /// Octets as they stand.
    Octets,
}

/// IANA's registry of keys: name, code, value.
const KEYS: &[(&str, u16, Value)] = &[
    ("mandatory", MANDATORY, Value::Keys),
    ("alpn", ALPN, Value::Protocols),
    ("no-default-alpn", NO_DEFAULT_ALPN, Value::Nothing),
    ("port", 3, Value::Port),
    ("ipv4hint", 4, Value::Ipv4),
    ("ech", 5, Value::Base64),
    ("ipv6hint", 6, Value::Ipv6),
    ("dohpath", 7, Value::Template),
    ("ohttp", 8, Value::Nothing),
];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
/// The last key of RFC 9460; those behind it came later.
const NAMED_MAX: u16 = 6;

/// Reads the remaining words as parameters and appends them, sorted by key.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let mut params = BTreeMap::new();
    while let Some(word) = words.take_if_any() {
        let (key, value) = param(word).map_err(|what| words.bad(what))?;
        if params.insert(key, (words.last(), value)).is_some() {
            return Err(words.bad("this key is there already"));
        }
    }
    let ascending: Vec<_> = params.iter().map(|(key, (_, value))| (*key, &value[..])).collect();
    if let Some((key, missing)) = unmet(&ascending) {
        let what = format!("`{}` needs {} beside it", key_name(key), key_name(missing));
        return Err(DataError::Bad(params[&key].0, what));
    }
    for (key, value) in ascending {
        out.extend_from_slice(&key.to_be_bytes());
        let len = u16::try_from(value.len()).map_err(|_| words.bad("the value is too long"))?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}

/// The first key that needs another one, which is not among these (RFC 9460 §7.1.1, §8). Keys
/// ascend.
fn unmet(params: &[(u16, &[u8])]) -> Option<(u16, u16)> {
    let mut needs = params.iter().flat_map(|&(key, value)| {
        let others = match key {
            MANDATORY => keys(value),
            NO_DEFAULT_ALPN => vec![ALPN],
            _ => vec![],
        };
        others.into_iter().map(move |other| (key, other))
    });
    let is_there = |other: u16| params.binary_search_by_key(&other, |param| param.0).is_ok();
    needs.find(|&(_, other)| !is_there(other))
}

/// Whether `octets` are parameters in wire form: whole, keys ascending, each value of its key's
/// form, and those there that others need (RFC 9460 §2.2, §7.1.1, §8).
pub(super) fn is_valid(octets: &[u8]) -> bool {
    let (mut params, mut rest) = (Vec::<(u16, &[u8])>::new(), octets);
    while let Some((key, value, tail)) = split(rest) {
        if params.last().is_some_and(|last| last.0 >= key) || !is_value(kind(key), value) {
            return false;
        }
        params.push((key, value));
        rest = tail;
    }
    rest.is_empty() && unmet(&params).is_none()
}

/// Prints parameters.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let mut rest = octets;
    while let Some((key, value, tail)) = split(rest) {
        if rest.len() < octets.len() {
            out.push(' ');
        }
        out.push_str(&key_name(key));
        if !value.is_empty() {
            out.push('=');
            print_value(if key <= NAMED_MAX { kind(key) } else { Value::Octets }, value, out)?;
        }
        rest = tail;
    }
    Some(())
}

/// Splits the first parameter off: key, value, and what follows.
fn split(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[k1, k2, l1, l2], rest) = octets.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l1, l2])))?;
    Some((u16::from_be_bytes([k1, k2]), value, rest))
}

fn kind(key: u16) -> Value {
    KEYS.iter().find(|known| known.1 == key).map_or(Value::Octets, |known| known.2)
}

fn key_name(key: u16) -> String {
    let known = KEYS.iter().find(|known| known.1 == key && key <= NAMED_MAX);
    known.map_or_else(|| format!("key{key}"), |known| known.0.to_string())
}

/// Keys in wire form.
fn keys(value: &[u8]) -> Vec<u16> {
    value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// Whether a value in wire form is one of that kind.
fn is_value(kind: Value, value: &[u8]) -> bool {
    let is_list_of = |len: usize| !value.is_empty() && value.len().is_multiple_of(len);
    match kind {
        Value::Keys => {
            let keys = keys(value);
            is_list_of(2) && keys[0] != MANDATORY && keys.windows(2).all(|pair| pair[0] < pair[1])
        }
        Value::Protocols => {
            let ids = || protocols(value);
            is_list_of(1) && ids().all(|id| id.is_some_and(|id| !id.is_empty()))
        }
        Value::Nothing => value.is_empty(),
        Value::Port => value.len() == 2,
        Value::Ipv4 => is_list_of(4),
        Value::Ipv6 => is_list_of(16),
        Value::Base64 => !value.is_empty(),
        Value::Template | Value::Octets => true,
    }
}

/// Protocols in wire form; `None` where one is cut off, and then the end.
fn protocols(value: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let (&len, tail) = rest.split_first()?;
        let whole = tail.split_at_checked(usize::from(len));
        rest = whole.map_or(&[], |(_, tail)| tail);
        Some(whole.map(|(id, _)| id))
    })
}

/// Prints a value in quotes, but for those that cannot need them.
fn print_value(kind: Value, value: &[u8], out: &mut String) -> Option<()> {
    let joined = |list: Vec<String>| list.join(",");
    let text = match kind {
        Value::Keys => joined(keys(value).into_iter().map(key_name).collect()),
        Value::Port => u16::from_be_bytes(value.try_into().ok()?).to_string(),
        Value::Base64 => BASE64.encode(value),
        Value::Ipv4 => joined(addresses::<4, Ipv4Addr>(value)),
        Value::Ipv6 => joined(addresses::<16, Ipv6Addr>(value)),
        Value::Protocols => {
            let mut list = Vec::new();
            for id in protocols(value) {
                let comma = if list.is_empty() { &b""[..] } else { b"," };
                list.extend_from_slice(comma);
                list.extend(id?.iter().flat_map(|&octet| escaped(octet)));
            }
            return strings::print_value(&list, out);
        }
        Value::Nothing | Value::Template | Value::Octets => {
            return strings::print_value(value, out);
        }
    };
    write!(out, "{text}").ok()
}

/// A comma or backslash inside a protocol stands behind a backslash (RFC 9460 appendix A.1).
fn escaped(octet: u8) -> impl Iterator<Item = u8> {
    matches!(octet, b',' | b'\\').then_some(b'\\').into_iter().chain([octet])
}

fn addresses<const LEN: usize, A: From<[u8; LEN]> + ToString>(value: &[u8]) -> Vec<String> {
    value.as_chunks::<LEN>().0.iter().map(|&octets| A::from(octets).to_string()).collect()
}

/// One `key=value`.
fn param(word: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let mut halves = word.splitn(2, |&octet| octet == b'=');
    let (name, value) = (halves.next().unwrap_or_default(), halves.next());
    let known = KEYS.iter().find(|key| key.0.as_bytes() == name);
    let (key, written) = match (known, numbered(name)) {
        (Some(known), _) => (known.1, known.2),
        (None, Some(number)) => (number, Value::Octets),
        (None, None) => return Err("expected a service parameter, as alpn=h2 or key667=x".into()),
    };
    let value = unquoted(value.unwrap_or_default())?;
    let mut octets = Vec::with_capacity(value.len());
    strings::resolve(value, &mut octets).ok_or_else(|| NameError::BadEscape.to_string())?;
    let octets = encode(written, &octets)?;
    if !is_value(kind(key), &octets) {
        return Err(format!("the octets are no value of {}", key_name(key)));
    }
    Ok((key, octets))
}

/// A value without the quotes that may stand around it.
fn unquoted(value: &[u8]) -> Result<&[u8], String> {
    match value.strip_prefix(b"\"") {
        None => Ok(value),
        Some(rest) => rest.strip_suffix(b"\"").ok_or("the quote is not closed".into()),
    }
}

/// `key667`
fn numbered(name: &[u8]) -> Option<u16> {
    name.strip_prefix(b"key").and_then(decimal)
}

fn encode(kind: Value, value: &[u8]) -> Result<Vec<u8>, String> {
    if value.is_empty() && !matches!(kind, Value::Nothing | Value::Octets) {
        return Err("this key needs a value, as in alpn=h2".into());
    }
    match kind {
        Value::Template | Value::Octets => Ok(value.to_vec()),
        Value::Nothing if value.is_empty() => Ok(Vec::new()),
        Value::Nothing => Err("this key takes no value".into()),
        Value::Port => decimal::<u16>(value)
            .map(|port| port.to_be_bytes().to_vec())
            .ok_or_else(|| "expected a port from 0 to 65535, as in port=8443".into()),
        Value::Base64 => BASE64
            .decode(value)
            .map_err(|_| "expected octets in base64, as in ech=AEj+DQBE".to_string()),
        Value::Keys => mandatory(value),
        Value::Protocols => protocol_list(value),
        Value::Ipv4 => address_list(value, |text| text.parse().map(|a: Ipv4Addr| a.octets()).ok())
            .ok_or_else(|| "expected IPv4 addresses, as in ipv4hint=192.0.2.1,192.0.2.2".into()),
        Value::Ipv6 => address_list(value, |text| text.parse().map(|a: Ipv6Addr| a.octets()).ok())
            .ok_or_else(|| "expected IPv6 addresses, as in ipv6hint=2001:db8::1".into()),
    }
}

/// Keys by name, sorted; `mandatory` itself is not among them (RFC 9460 §8).
fn mandatory(value: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = "expected the names of other keys, each once, as in mandatory=alpn,port";
    let mut keys = Vec::new();
    for name in value.split(|&octet| octet == b',') {
        let known = KEYS.iter().find(|key| key.0.as_bytes() == name);
        keys.push(known.map(|key| key.1).or_else(|| numbered(name)).ok_or(wrong)?);
    }
    keys.sort_unstable();
    let value: Vec<u8> = keys.into_iter().flat_map(u16::to_be_bytes).collect();
    is_value(Value::Keys, &value).then_some(value).ok_or_else(|| wrong.into())
}

/// Protocols joined by commas.
fn protocol_list(value: &[u8]) -> Result<Vec<u8>, String> {
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
        out.push(len.ok_or("a protocol has from 1 to 255 octets, as in alpn=h2,h3")?);
        out.extend(id);
    }
    Ok(out)
}

fn address_list<const LEN: usize>(
    value: &[u8],
    read: impl Fn(&str) -> Option<[u8; LEN]>,
) -> Option<Vec<u8>> {
    let list: Option<Vec<[u8; LEN]>> =
        std::str::from_utf8(value).ok()?.split(',').map(read).collect();
    Some(list?.concat())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};
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
        assert_eq!(param(b"key3=\\0005"), Ok((3, vec![0, 53])));
        assert_eq!(param(b"key9=x\\\""), Ok((9, b"x\"".to_vec())));
    }

    #[test]
    fn values_that_are_wrong() {
        for word in [
            &b"port"[..],
            b"port=65536",
            b"key3=53x",
            b"no-default-alpn=x",
            b"ALPN=h2",
            b"alpn=",
            b"dohpath",
            b"alpn=h2,,h3",
            b"nokey=1",
            b"mandatory=mandatory",
            b"mandatory=alpn,alpn",
            b"ipv6hint=192.0.2.1",
            b"ech=?",
        ] {
            assert!(param(word).is_err(), "{}", word.escape_ascii());
        }
        assert!(read("SVCB 1 . alpn=h2 alpn=h3").is_err());
        assert!(read("SVCB 1 . mandatory=port alpn=h3").is_err());
        assert!(read("SVCB 1 . no-default-alpn").is_err());
    }

    #[test]
    fn printed_as_every_server_reads_it() {
        assert_eq!(
            show(
                r#"SVCB 16 . ipv6hint=2001:db8::1 alpn="f\\\\oo\\,bar,h2" mandatory=alpn,key667 port=53 key667="a b\"" ech=AAAA ohttp"#
            ),
            r#"16 . mandatory=alpn,key667 alpn="f\\\\oo\\,bar,h2" port=53 ech=AAAA ipv6hint=2001:db8::1 key8 key667="a b\"""#
        );
    }

    #[test]
    fn wire_form_is_ascending_whole_and_of_its_keys() {
        assert!(is_valid(&[]));
        assert!(is_valid(&[0, 3, 0, 2, 0, 53]));
        assert!(is_valid(&[0, 0, 0, 2, 0, 3, 0, 3, 0, 2, 0, 53]));
        for octets in [
            &[0][..],
            &[0, 3, 0, 2, 0],
            &[0, 3, 0, 0],
            &[0, 3, 0, 2, 0, 53, 0, 3, 0, 2, 0, 53],
            &[0, 0, 0, 2, 0, 4, 0, 3, 0, 2, 0, 53],
            &[0, 1, 0, 0],
            &[0, 1, 0, 2, 2, b'h'],
            &[0, 1, 0, 1, 0],
            &[0, 2, 0, 0],
            &[0, 4, 0, 3, 1, 2, 3],
            &[0, 6, 0, 0],
        ] {
            assert!(!is_valid(octets), "{octets:?}");
        }
    }
}
