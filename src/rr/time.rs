//! The times of RRSIG and SIG (RFC 4034 §3.2): `20040509183619`, or seconds since 1970.
//!
//! A number of 14 digits is a date; seconds that fit four octets have at most ten. On the wire
//! times go round every 136 years (RFC 1982), so that a later date gives the octets of an earlier
//! one; BIND, NSD and Knot read it so too. Printed they are those of 1970 to 2106: no clock is needed
//! to print them.

use super::decimal;
use super::text::{DataError, Words};
use std::fmt::Write as _;

const TIME: &str = "a time from 1970 on in UTC (as in 20260131235959), or seconds since 1970";
const DAY_S: u32 = 86_400;
/// Days before each month of a year that is no leap year.
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Reads a time and appends its four octets.
pub(super) fn parse(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
    let word = words.take(TIME)?;
    let seconds = if word.len() == 14 { seconds(word) } else { decimal(word) };
    let seconds: u32 = seconds.ok_or_else(|| words.expected(TIME))?;
    out.extend_from_slice(&seconds.to_be_bytes());
    Ok(())
}

/// Prints a time as a date of 14 digits.
pub(super) fn print(octets: &[u8], out: &mut String) -> Option<()> {
    let seconds = u32::from_be_bytes(octets.try_into().ok()?);
    let ([year, month, day], [hour, minute, second]) = calendar(seconds);
    write!(out, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}").ok()
}

/// A time as people read it: `2026-01-31 23:59:59 UTC`.
pub(crate) fn date(seconds: u32) -> String {
    let ([year, month, day], [hour, minute, second]) = calendar(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The day of a time as a number of eight digits: 20260131.
pub(crate) fn day(seconds: u32) -> u32 {
    let ([year, month, day], _) = calendar(seconds);
    (year * 100 + month) * 100 + day
}

/// Year, month and day, and hour, minute and second of seconds since 1970.
fn calendar(seconds: u32) -> ([u32; 3], [u32; 3]) {
    let (mut year, mut days) = (1970, seconds / DAY_S);
    while days >= 365 + leap_day(year) {
        days -= 365 + leap_day(year);
        year += 1;
    }
    let month = (1..=12).rev().find(|&month| days_before(year, month) <= days).unwrap_or(1);
    let day = days - days_before(year, month) + 1;
    ([year, month, day], [seconds % DAY_S / 3600, seconds / 60 % 60, seconds % 60])
}

/// The seconds of a date of 14 digits, as far as four octets hold them; `None` if there is no such
/// date. A minute may have a leap second.
fn seconds(digits: &[u8]) -> Option<u32> {
    let year = decimal::<u32>(&digits[..4]).filter(|&year| year >= 1970)?;
    let mut pairs = digits[4..].chunks(2).map(decimal::<u32>);
    let mut next = |min, max| pairs.next().flatten().filter(|number| (min..=max).contains(number));
    let month = next(1, 12)?;
    let month_days = days_before(year, month + 1) - days_before(year, month);
    let day = next(1, month_days)?;
    let (hour, minute, second) = (next(0, 23)?, next(0, 59)?, next(0, 60)?);
    let leap_days = |years: u32| years / 4 - years / 100 + years / 400;
    let years = 365 * (year - 1970) + leap_days(year - 1) - leap_days(1969);
    let days = years + days_before(year, month) + day - 1;
    Some(days.wrapping_mul(DAY_S).wrapping_add(hour * 3600 + minute * 60 + second))
}

/// The days of a year before its month; 13 gives those of the whole year.
fn days_before(year: u32, month: u32) -> u32 {
    let days = DAYS_BEFORE.get(month as usize - 1).copied().unwrap_or(365);
    if month > 2 { days + leap_day(year) } else { days }
}

/// One in a leap year, otherwise none.
fn leap_day(year: u32) -> u32 {
    u32::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_seconds() {
        for (date, expected) in [
            ("19700101000000", Some(0)),
            ("20000229000000", Some(951_782_400)),
            ("20040509183619", Some(1_084_127_779)),
            ("20261231235959", Some(1_798_761_599)),
            ("21060207062815", Some(u32::MAX)),
            ("19700101000060", Some(60)),
            ("21060207062816", Some(0)),
            ("99991231235959", Some(4_294_197_631)),
            ("19691231235959", None),
            ("20230229000000", None),
            ("21000229000000", None),
            ("20231301000000", None),
            ("20230100000000", None),
            ("20230101240000", None),
        ] {
            assert_eq!(seconds(date.as_bytes()), expected, "{date}");
        }
    }

    #[test]
    fn printed_dates() {
        for text in ["19700101000000", "20000229000000", "20261231235959", "21060207062815"] {
            let mut printed = String::new();
            print(&seconds(text.as_bytes()).unwrap().to_be_bytes(), &mut printed);
            assert_eq!(printed, text);
        }
        assert_eq!(date(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!((day(951_827_696), day(u32::MAX)), (20_000_229, 21_060_207));
    }
}
