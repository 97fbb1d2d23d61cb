//! LOC data (RFC 1876): a place on Earth, `42 21 54 N 71 06 18 W -24m 30m`.

use super::decimal;
use super::text::{DataError, Words};

/// The octets of version 0, the only one.
pub(super) const LEN: usize = 16;

/// The equator and the prime meridian, in thousandths of a second of arc (RFC 1876 §2).
const ORIGIN: u32 = 1 << 31;
/// How far below the reference ellipsoid altitudes start, in centimetres.
const ALTITUDE_BASE_CM: i64 = 100_000 * 100;
/// Size, horizontal and vertical precision when they are not written: 1 m, 10 km, 10 m.
const DEFAULTS_CM: [u64; 3] = [100, 1_000_000, 1_000];

/// Reads a location and appends its 16 octets.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let latitude = angle(words, "a latitude (as in 42 21 54 N)", 90, [b"N", b"S"])?;
    let longitude = angle(words, "a longitude (as in 71 06 18 W)", 180, [b"E", b"W"])?;
    let altitude = altitude(words)?;
    out.push(0);
    for default_cm in DEFAULTS_CM {
        let cm = match words.peek() {
            Some(_) => u64::try_from(centimetres(words, "a size in metres")?).ok(),
            None => Some(default_cm),
        };
        let size = cm.and_then(size);
        out.push(size.ok_or_else(|| words.bad("expected a size from 0 to 90000000 metres"))?);
    }
    for number in [latitude, longitude, altitude] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    Ok(())
}

/// Degrees, minutes, seconds with up to three decimals, and a direction.
fn angle(
    words: &mut Words<'_>,
    expected: &'static str,
    degrees_max: u32,
    directions: [&[u8]; 2],
) -> Result<u32, DataError> {
    let wrong = |words: &Words<'_>| words.bad(format!("expected {expected}"));
    let limits_ms = [degrees_max * 3_600_000, 59 * 60_000, 59_999];
    let mut total_ms = 0;
    for (unit_ms, limit_ms) in [3_600_000, 60_000, 1_000].into_iter().zip(limits_ms) {
        let next = words.peek().ok_or(DataError::Missing(expected))?;
        if next.first().is_some_and(u8::is_ascii_alphabetic) && unit_ms < 3_600_000 {
            break;
        }
        let word = words.take(expected)?;
        let ms = if unit_ms == 1_000 {
            decimals(word, 3).and_then(|ms| u32::try_from(ms).ok())
        } else {
            decimal::<u32>(word).and_then(|number| number.checked_mul(unit_ms))
        };
        total_ms += ms.filter(|&ms| ms <= limit_ms).ok_or_else(|| wrong(words))?;
    }
    let direction = words.take(expected)?;
    let side = directions.iter().position(|d| direction.eq_ignore_ascii_case(d));
    match side {
        _ if total_ms > degrees_max * 3_600_000 => Err(wrong(words)),
        Some(0) => Ok(ORIGIN + total_ms),
        Some(_) => Ok(ORIGIN - total_ms),
        None => Err(wrong(words)),
    }
}

fn altitude(words: &mut Words<'_>) -> Result<u32, DataError> {
    let cm = centimetres(words, "an altitude in metres")?;
    u32::try_from(cm + ALTITUDE_BASE_CM)
        .map_err(|_| words.bad("expected an altitude from -100000 to 42849672 metres"))
}

fn centimetres(words: &mut Words<'_>, expected: &'static str) -> Result<i64, DataError> {
    let word = words.take(expected)?;
    let metres = word.strip_suffix(b"m").or(word.strip_suffix(b"M")).unwrap_or(word);
    let (sign, digits) = match metres.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, metres),
    };
    let cm = decimals(digits, 2).ok_or_else(|| words.bad(format!("expected {expected}")))?;
    Ok(sign * cm)
}

/// A number with at most `places` decimals, times 10 to the power of `places`.
fn decimals(word: &[u8], places: usize) -> Option<i64> {
    let mut halves = word.splitn(2, |&octet| octet == b'.');
    let whole: u32 = decimal(halves.next()?)?;
    let mut fraction = halves.next().unwrap_or(b"0").to_vec();
    if fraction.len() > places {
        return None;
    }
    fraction.resize(places, b'0');
    let scale = 10i64.pow(u32::try_from(places).ok()?);
    Some(i64::from(whole) * scale + i64::from(decimal::<u32>(&fraction)?))
}

/// Centimetres as one digit and a power of ten (RFC 1876 §2), cut to the leading digit.
fn size(cm: u64) -> Option<u8> {
    if cm > 9_000_000_000 {
        return None;
    }
    let mut power = 0u8;
    let mut digit = cm;
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    u8::try_from(digit).ok().map(|digit| digit << 4 | power)
}

#[cfg(test)]
mod tests {
    use super::super::text::Word;
    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        let mut words = Vec::new();
        let mut at = 0u32;
        for word in text.split(' ') {
            let end = at + u32::try_from(word.len()).unwrap();
            words.push(Word { start: at, end, quoted: false });
            at = end + 1;
        }
        let row = super::super::table::by_mnemonic(b"LOC").unwrap();
        let mut out = Vec::new();
        let words = Words::new(text.as_bytes(), &words, None);
        super::super::text::parse(row, words, &mut out).ok().map(|()| out)
    }

    #[test]
    fn the_examples_of_rfc_1876_appendix_a() {
        let octets = read("42 21 54 N 71 06 18 W -24m 30m").unwrap();
        assert_eq!(octets[..4], [0, 0x33, 0x16, 0x13]);
        assert_eq!(octets[4..8], (ORIGIN + 152_514_000).to_be_bytes());
        assert_eq!(octets[8..12], (ORIGIN - 255_978_000).to_be_bytes());
        assert_eq!(octets[12..], 9_997_600u32.to_be_bytes());
        assert!(read("42 21 43.952 N 71 5 6.344 W -24m 1m 200m").is_some());
        assert!(read("32 7 19 S 116 2 25 E 10m").is_some());
    }

    #[test]
    fn places_that_are_none() {
        for text in ["91 N 0 E 0", "42 60 N 0 E 0", "42 X 0 E 0", "42 N 0 E", "1 N 1 E 0 95000000"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
