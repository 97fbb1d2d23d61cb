//! Octets written with letters and digits: hexadecimal, base64, base32, and the notations of some
//! types for a few of them (`00-00-5e-00-53-2a`, `2001:db8:0:1`, `0x47.0005`).
//!
//! What runs to the end of the data can be cut into words where the author likes (RFC 4034 §2.2).

use super::text::{DataError, Words};
use data_encoding::{BASE32HEX_NOPAD, BASE64, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE, HEXUPPER};

const HEX: &str = "octets in hexadecimal, two digits each (as in 2bb183af)";
const BASE64_WORDS: &str = "octets in base64 (as in AwEAAcw=)";
const SALT: &str = "a salt in hexadecimal (as in aabbccdd), or `-` for none";
const HASHED_OWNER: &str =
    "a hashed owner name in base32: digits and the letters a to v (as in 2t7b4g4vsa5smi47)";
const EUI: &str = "pairs of hexadecimal digits joined by hyphens (as in 00-00-5e-00-53-2a)";
const LOCATOR: &str = "four groups of up to four hexadecimal digits (as in 2001:db8:0:1)";
const NSAP: &str = "an address in hexadecimal behind 0x (as in 0x47.0005.80)";

/// The remaining words as one hexadecimal number: at least one octet.
pub(super) fn parse_hex(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let start = out.len();
    let odd = rest(words, HEX, 2, u8::is_ascii_hexdigit, out)?;
    decode_behind(start, &HEXLOWER_PERMISSIVE, out).ok_or_else(|| words.expected_at(odd, HEX))
}

/// The remaining words as base64: at least one octet.
pub(super) fn parse_base64(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let start = out.len();
    let odd = rest(words, BASE64_WORDS, 4, is_base64, out)?;
    decode_behind(start, &BASE64, out).ok_or_else(|| words.expected_at(odd, BASE64_WORDS))
}

/// The remaining words as base64, if there are any.
pub(super) fn parse_base64_if_any(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    if words.peek().is_none() { Ok(()) } else { parse_base64(words, out) }
}

/// The remaining words as base64, or a hyphen for no octets.
pub(super) fn parse_base64_or_hyphen(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    if words.peek() == Some(b"-") {
        words.take(BASE64_WORDS)?;
        return Ok(());
    }
    parse_base64(words, out)
}

/// One word of base64 that others follow: at least one octet. Gives their number.
pub(super) fn parse_base64_word(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<usize, DataError> {
    let word = words.take(BASE64_WORDS)?;
    let octets = BASE64.decode(word).ok().filter(|octets| !octets.is_empty());
    let start = out.len();
    decoded(octets, words, BASE64_WORDS, out)?;
    Ok(out.len() - start)
}

/// One word of hexadecimal that others follow: at least one octet. Gives their number.
pub(super) fn parse_hex_word(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<usize, DataError> {
    let word = words.take(HEX)?;
    let octets = HEXLOWER_PERMISSIVE.decode(word).ok().filter(|octets| !octets.is_empty());
    let start = out.len();
    decoded(octets, words, HEX, out)?;
    Ok(out.len() - start)
}

/// A salt behind its length octet (RFC 5155 §3.3).
pub(super) fn parse_salt(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    match words.take(SALT)? {
        b"-" => out.push(0),
        digits => counted(digits, &HEXLOWER_PERMISSIVE, words, SALT, out)?,
    }
    Ok(())
}

/// A hashed owner name behind its length octet (RFC 5155 §3.3).
pub(super) fn parse_hashed_owner(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    let letters = words.take(HASHED_OWNER)?;
    counted(letters, &BASE32HEX_NOPAD, words, HASHED_OWNER, out)
}

/// `len` octets as pairs of digits joined by hyphens (RFC 7043 §3.2).
pub(super) fn parse_eui(
    words: &mut Words<'_>,
    out: &mut Vec<u8>,
    len: usize,
) -> Result<(), DataError> {
    let word = words.take(EUI)?;
    let pairs: Vec<&[u8]> = word.split(|&octet| octet == b'-').collect();
    let whole = pairs.len() == len && pairs.iter().all(|pair| pair.len() == 2);
    let octets = whole.then(|| HEXLOWER_PERMISSIVE.decode(&pairs.concat()).ok()).flatten();
    let octets = octets.ok_or_else(|| words.bad(format!("expected {len} {EUI}")))?;
    out.extend(octets);
    Ok(())
}

/// Eight octets as four groups of digits (RFC 6742 §2.1.2).
pub(super) fn parse_locator(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(LOCATOR)?;
    let groups: Option<Vec<u16>> = word.split(|&octet| octet == b':').map(group).collect();
    let groups = groups.filter(|groups| groups.len() == 4);
    let groups = groups.ok_or_else(|| words.expected(LOCATOR))?;
    out.extend(groups.into_iter().flat_map(u16::to_be_bytes));
    Ok(())
}

/// An address of open systems: dots are for the eye (RFC 1706 §4).
pub(super) fn parse_nsap(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(NSAP)?;
    let digits = word.strip_prefix(b"0x").or(word.strip_prefix(b"0X")).unwrap_or_default();
    let digits: Vec<u8> = digits.iter().copied().filter(|&octet| octet != b'.').collect();
    let octets = HEXLOWER_PERMISSIVE.decode(&digits).ok().filter(|octets| !octets.is_empty());
    decoded(octets, words, NSAP, out)
}

/// Prints hexadecimal.
pub(super) fn print_hex(octets: &[u8], out: &mut String) {
    HEXUPPER.encode_append(octets, out);
}

/// Prints base64; nothing for no octets.
pub(super) fn print_base64(octets: &[u8], out: &mut String) {
    BASE64.encode_append(octets, out);
}

/// Prints base64, or a hyphen for no octets.
pub(super) fn print_base64_or_hyphen(octets: &[u8], out: &mut String) {
    if octets.is_empty() { out.push('-') } else { print_base64(octets, out) }
}

/// Prints a salt behind its length octet.
pub(super) fn print_salt(octets: &[u8], out: &mut String) {
    if octets.len() == 1 { out.push('-') } else { print_hex(&octets[1..], out) }
}

/// Prints a hashed owner name behind its length octet.
pub(super) fn print_hashed_owner(octets: &[u8], out: &mut String) {
    BASE32HEX_NOPAD.encode_append(&octets[1..], out);
}

/// Prints pairs of digits joined by hyphens.
pub(super) fn print_eui(octets: &[u8], out: &mut String) {
    print_joined(octets.chunks(1), '-', out);
}

/// Prints four groups of digits.
pub(super) fn print_locator(octets: &[u8], out: &mut String) {
    print_joined(octets.chunks(2), ':', out);
}

/// Prints an address of open systems.
pub(super) fn print_nsap(octets: &[u8], out: &mut String) {
    out.push_str("0x");
    print_hex(octets, out);
}

fn print_joined<'a>(groups: impl Iterator<Item = &'a [u8]>, joint: char, out: &mut String) {
    for (at, group) in groups.enumerate() {
        if at > 0 {
            out.push(joint);
        }
        HEXLOWER.encode_append(group, out);
    }
}

/// Appends the remaining words joined: at least one, and none with another octet than `is_digit`
/// allows. Gives the number of the word that is wrong if they cannot be decoded: people cut them
/// between octets, so it is the first that is no multiple of `unit` digits, or else the last.
fn rest(
    words: &mut Words<'_>,
    expected: &'static str,
    unit: usize,
    is_digit: impl Fn(&u8) -> bool,
    out: &mut Vec<u8>,
) -> Result<usize, DataError> {
    let (start, mut odd) = (out.len(), None);
    while words.peek().is_some() || out.len() == start {
        let word = words.take(expected)?;
        if word.is_empty() || !word.iter().all(&is_digit) {
            return Err(words.expected(expected));
        }
        if word.len() % unit != 0 {
            odd = odd.or(Some(words.last()));
        }
        out.extend_from_slice(word);
    }
    Ok(odd.unwrap_or(words.last()))
}

fn is_base64(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=')
}

/// Up to four hexadecimal digits.
fn group(digits: &[u8]) -> Option<u16> {
    let is_group = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    is_group.then(|| u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

fn decoded(
    octets: Option<Vec<u8>>,
    words: &Words<'_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    out.extend(octets.ok_or_else(|| words.expected(expected))?);
    Ok(())
}

/// Appends what letters, in any case, stand for behind its length octet: at least one octet.
fn counted(
    letters: &[u8],
    encoding: &Encoding,
    words: &Words<'_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), DataError> {
    let at = out.len();
    out.push(0);
    out.extend(letters.iter().map(u8::to_ascii_uppercase));
    decode_behind(at + 1, encoding, out).ok_or_else(|| words.expected(expected))?;
    let len = u8::try_from(out.len() - at - 1);
    out[at] = len.map_err(|_| words.bad("at most 255 octets can stand here"))?;
    Ok(())
}

/// Puts what the letters from `start` on stand for in their place: at least one octet. `None` if they
/// cannot be decoded.
fn decode_behind(start: usize, encoding: &Encoding, out: &mut Vec<u8>) -> Option<()> {
    let letters_end = out.len();
    let len = encoding.decode_len(letters_end - start).ok()?;
    out.resize(letters_end + len, 0);
    let (letters, octets) = out[start..].split_at_mut(letters_end - start);
    let len = encoding.decode_mut(letters, octets).ok().filter(|&len| len > 0)?;
    out.copy_within(letters_end..letters_end + len, start);
    out.truncate(start + len);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};

    #[test]
    fn what_runs_to_the_end_can_be_cut_anywhere() {
        assert_eq!(read("TLSA 3 1 1 aB cD"), read("TLSA 3 1 1 ABCD"));
        assert_eq!(read("DHCID Zm9 vYmE="), read("DHCID Zm9vYmE="));
        for text in ["TLSA 3 1 1 abc", "TLSA 3 1 1 ag", "TLSA 3 1 1", "DHCID Zm9", "DHCID Zm=v"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_notation_has_its_own_emptiness() {
        assert_eq!(show("NSEC3PARAM 1 0 0 -"), "1 0 0 -");
        assert_eq!(show("NSEC3PARAM 1 0 0 aabb"), "1 0 0 AABB");
        assert_eq!(show("DOA 0 1 2 \"\" -"), "0 1 2 \"\" -");
        assert_eq!(show("KEY 49152 3 5"), "49152 3 5");
        assert!(read("NSEC3PARAM 1 0 0 \"\"").is_err());
        assert!(read("DNSKEY 256 3 5").is_err());
    }

    #[test]
    fn notations_with_joints() {
        assert_eq!(show("NID 10 14:4FFF:ff20:0"), "10 0014:4fff:ff20:0000");
        assert_eq!(show("NSAP 0x47.0005.80"), "0x47000580");
        assert_eq!(show("EUI48 00-00-5E-00-53-2A"), "00-00-5e-00-53-2a");
        for text in ["NID 1 1:2:3", "NID 1 1:2:3:4:5", "NID 1 1::2:3", "NID 1 1:2:3:12345"] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in
            ["NSAP 47", "NSAP 0x", "NSAP 0x123", "EUI48 00-00-5e-00-53", "EUI48 0-0-0-0-0-0"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
