//! LOC data (RFC 1876): a place on Earth, `42 21 54 N 71 06 18 W -24m 30m`.

use super::decimal;
use super::text::{DataError, Words};
use std::fmt::Write as _;

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
            Some(_) => u64::try_from(centimetres(words, "a size in metres (as in 30m)")?).ok(),
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

/// Whether `octets` are a place of version 0 with angles on the globe, and sizes of one digit and
/// one power (RFC 1876 §2).
pub(super) fn is_valid(octets: &[u8]) -> bool {
    let Some([latitude, longitude, _]) = numbers(octets) else { return false };
    octets[0] == 0
        && octets[1..4].iter().all(|size| size >> 4 <= 9 && size & 0xf <= 9)
        && latitude.abs_diff(ORIGIN) <= 90 * 3_600_000
        && longitude.abs_diff(ORIGIN) <= 180 * 3_600_000
}

/// Prints a place. A size of no metres is printed only in its usual form, nought to the power of
/// nought, since reading gives no other.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let [latitude, longitude, altitude] = numbers(octets)?;
    print_angle(latitude, ['N', 'S'], out)?;
    print_angle(longitude, ['E', 'W'], out)?;
    print_metres(i64::from(altitude) - ALTITUDE_BASE_CM, out)?;
    for &size in &octets[1..4] {
        if size >> 4 == 0 && size != 0 {
            return None;
        }
        out.push(' ');
        print_metres(i64::from(size >> 4) * 10i64.pow(u32::from(size & 0xf)), out)?;
    }
    Some(())
}

/// Latitude, longitude and altitude.
fn numbers(octets: &[u8]) -> Option<[u32; 3]> {
    let (&numbers, _) = octets.get(4..LEN)?.split_first_chunk::<12>()?;
    let [a, b, c, d, e, f, g, h, i, j, k, l] = numbers;
    Some([[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes))
}

fn print_angle(angle: u32, directions: [char; 2], out: &mut String) -> Option<()> {
    let ms = angle.abs_diff(ORIGIN);
    let [degrees, minutes] = [ms / 3_600_000, ms / 60_000 % 60];
    let [seconds, thousandths] = [ms / 1000 % 60, ms % 1000];
    let direction = directions[usize::from(angle < ORIGIN)];
    write!(out, "{degrees} {minutes} {seconds}.{thousandths:03} {direction} ").ok()
}

fn print_metres(cm: i64, out: &mut String) -> Option<()> {
    let sign = if cm < 0 { "-" } else { "" };
    write!(out, "{sign}{}.{:02}m", cm.abs() / 100, cm.abs() % 100).ok()
}

/// Degrees, minutes, seconds with up to three decimals, and a direction.
fn angle(
    words: &mut Words<'_>,
    expected: &'static str,
    degrees_max: u32,
    directions: [&[u8]; 2],
) -> Result<u32, DataError> {
    let wrong = |words: &Words<'_>| words.bad(format!("expected {expected}"));
    let limits_ms = [degrees_max * 3_600_000, 59 * 60_000, 60_000]; // 60.000 is what rounding gives
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
    let cm = centimetres(words, "an altitude in metres (as in -24m)")?;
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
    use super::super::testing::{self, show};
    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        testing::read(&format!("LOC {text}")).ok()
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

    #[test]
    fn printed_with_every_field() {
        assert_eq!(
            show("LOC 42 21 54 N 71 06 18 W -24m 30m"),
            "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"
        );
        assert_eq!(
            show("LOC 0 S 0 0 0.001 W -0.5 0"),
            "0 0 0.000 N 0 0 0.001 W -0.50m 0.00m 10000.00m 10.00m"
        );
        assert_eq!(read("51 11 60 N 0 E 0"), read("51 12 N 0 E 0"));
    }

    #[test]
    fn octets_that_are_no_place() {
        let octets = read("90 N 180 W 0").unwrap();
        assert!(is_valid(&octets));
        for (at, octet) in [(0, 1), (1, 0xa0), (2, 0x1a), (4, 0xff), (8, 0)] {
            let mut wrong = octets.clone();
            wrong[at] = octet;
            assert!(!is_valid(&wrong), "{wrong:?}");
        }
        let mut unusual = octets;
        unusual[1] = 0x03;
        assert!(is_valid(&unusual));
        assert_eq!(print(&unusual, &mut String::new()), None);
    }
}
