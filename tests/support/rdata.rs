//! Record data as text: the types that zones/ and the scenarios use; all others as in RFC 3597 §5.

use super::message::{Reader, escaped};
use data_encoding::{BASE32HEX_NOPAD, BASE64};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Types that have a name in the scenarios: mnemonic and code.
const TYPES: [(&str, u16); 24] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("DNAME", 39),
    ("DS", 43),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];
/// The characters that are shown of long data in base 64.
const BASE64_SHOWN: usize = 16;
/// Classes that have a name.
const CLASSES: [(&str, u16); 5] = [("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

/// `A`, or `TYPE65280`.
pub fn type_name(code: u16) -> String {
    name_of(&TYPES, code).unwrap_or_else(|| format!("TYPE{code}"))
}

/// The code of `A` or `TYPE65280`.
pub fn type_code(text: &str) -> Option<u16> {
    code_of(&TYPES, text).or_else(|| text.strip_prefix("TYPE")?.parse().ok())
}

/// `IN`, or `CLASS42`.
pub fn class_name(code: u16) -> String {
    name_of(&CLASSES, code).unwrap_or_else(|| format!("CLASS{code}"))
}

/// The code of `IN` or `CLASS42`.
pub fn class_code(text: &str) -> Option<u16> {
    code_of(&CLASSES, text).or_else(|| text.strip_prefix("CLASS")?.parse().ok())
}

fn name_of(table: &[(&str, u16)], code: u16) -> Option<String> {
    table.iter().find(|row| row.1 == code).map(|row| row.0.to_string())
}

fn code_of(table: &[(&str, u16)], text: &str) -> Option<u16> {
    table.iter().find(|row| row.0 == text).map(|row| row.1)
}

/// The data of a record that ends where `reader` ends. Pointers are allowed in the types that RFC
/// 1035 defines and in no other (RFC 3597 §4).
pub fn text(rtype: u16, reader: &mut Reader<'_>) -> Result<String, String> {
    let rtype = type_name(rtype);
    let text = match rtype.as_str() {
        "A" => Ipv4Addr::from(array(reader)?).to_string(),
        "AAAA" => Ipv6Addr::from(array(reader)?).to_string(),
        "NS" | "CNAME" | "PTR" => reader.name(true)?,
        "DNAME" => reader.name(false)?,
        "SOA" => soa(reader)?,
        "MX" => format!("{} {}", reader.u16()?, reader.name(true)?),
        "SRV" => {
            let [priority, weight, port] = [reader.u16()?, reader.u16()?, reader.u16()?];
            format!("{priority} {weight} {port} {}", reader.name(false)?)
        }
        "TXT" | "HINFO" => strings(reader)?.join(" "),
        "CAA" => {
            let (flags, length) = (reader.u8()?, reader.u8()?);
            let tag = String::from_utf8_lossy(reader.take(usize::from(length))?).into_owned();
            format!("{flags} {tag} {}", quoted(reader.rest()))
        }
        "DS" | "CDS" => {
            let (tag, algorithm, digest) = (reader.u16()?, reader.u8()?, reader.u8()?);
            format!("{tag} {algorithm} {digest} {}", hex(reader.rest()))
        }
        "DNSKEY" | "CDNSKEY" => {
            let (flags, protocol, algorithm) = (reader.u16()?, reader.u8()?, reader.u8()?);
            format!("{flags} {protocol} {algorithm} {}", base64(reader.rest()))
        }
        "RRSIG" => rrsig(reader)?,
        "NSEC" => format!("{}{}", reader.name(false)?, bitmap(reader)?),
        "NSEC3" => {
            let parameters = hashing(reader)?;
            let length = reader.u8()?;
            let next = BASE32HEX_NOPAD.encode(reader.take(usize::from(length))?);
            format!("{parameters} {}{}", next.to_lowercase(), bitmap(reader)?)
        }
        "NSEC3PARAM" => hashing(reader)?,
        _ => format!("\\# {} {}", reader.bytes.len() - reader.at, hex(reader.rest())),
    };
    match reader.bytes.len() - reader.at {
        0 => Ok(text),
        left => Err(format!("{rtype} data with {left} octets too many")),
    }
}

fn array<const LEN: usize>(reader: &mut Reader<'_>) -> Result<[u8; LEN], String> {
    reader.take(LEN)?.try_into().map_err(|_| "an address that is too short".to_string())
}

fn soa(reader: &mut Reader<'_>) -> Result<String, String> {
    let mut words = vec![reader.name(true)?, reader.name(true)?];
    for _ in 0..5 {
        words.push(reader.u32()?.to_string());
    }
    Ok(words.join(" "))
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>, String> {
    let mut strings = Vec::new();
    while reader.at < reader.bytes.len() {
        let length = reader.u8()?;
        strings.push(quoted(reader.take(usize::from(length))?));
    }
    Ok(strings)
}

fn quoted(octets: &[u8]) -> String {
    let text: String = octets.iter().map(|&octet| escaped(octet, b"\\\"")).collect();
    format!("\"{text}\"")
}

/// Times in seconds, as RFC 4034 §3.2 allows.
fn rrsig(reader: &mut Reader<'_>) -> Result<String, String> {
    let (covered, algorithm, labels) = (type_name(reader.u16()?), reader.u8()?, reader.u8()?);
    let (ttl, end, start) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let (tag, signer) = (reader.u16()?, reader.name(false)?);
    let signature = base64(reader.rest());
    Ok(format!("{covered} {algorithm} {labels} {ttl} {end} {start} {tag} {signer} {signature}"))
}

/// How names are hashed (RFC 5155 §4.3).
fn hashing(reader: &mut Reader<'_>) -> Result<String, String> {
    let (algorithm, flags, iterations, length) =
        (reader.u8()?, reader.u8()?, reader.u16()?, reader.u8()?);
    let salt = hex(reader.take(usize::from(length))?);
    let salt = if salt.is_empty() { "-" } else { &salt };
    Ok(format!("{algorithm} {flags} {iterations} {salt}"))
}

/// The types in a bitmap, each behind a space (RFC 4034 §4.1.2).
fn bitmap(reader: &mut Reader<'_>) -> Result<String, String> {
    let mut text = String::new();
    while reader.at < reader.bytes.len() {
        let (window, length) = (u16::from(reader.u8()?), reader.u8()?);
        let octets = reader.take(usize::from(length))?;
        for (at, bit) in
            (0..).zip(octets.iter().flat_map(|octet| (0..8).map(move |bit| octet << bit)))
        {
            if bit & 0x80 != 0 {
                text += &format!(" {}", type_name(window << 8 | at));
            }
        }
    }
    Ok(text)
}

/// Base 64; of long data the start, which tells one from the other.
fn base64(octets: &[u8]) -> String {
    let text = BASE64.encode(octets);
    match text.get(..BASE64_SHOWN) {
        Some(start) if text.len() > BASE64_SHOWN => format!("{start}..."),
        _ => text,
    }
}

/// Octets in hex, upper case.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}
