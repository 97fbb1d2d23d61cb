//! Are the zone's signatures valid now, and for long enough (RFC 4035 §5.3.1)?
//!
//! A zone is signed as a whole, so what is wrong with one signature is wrong with thousands: each kind
//! of trouble is told once, at the signature that it meets first, with their number. Times go round
//! every 136 years and are compared as serials are (RFC 4034 §3.1.5).

use super::{At, Lint};
use crate::diag::codes::{self, Code};
use crate::rr::{Rtype, table, time};
use crate::zone::{Node, Rrset};

/// A signature that ends in so many seconds is about to end: a week, in which somebody looks.
const ENDING_MAX: u32 = 7 * 86_400;
/// Or this part of its validity, if that is less: signers renew those of two weeks some days before.
const ENDING_PART: u32 = 7;

/// What is wrong with signatures: one kind.
pub(super) struct Trouble<'z> {
    code: &'static Code,
    /// The signature that it met first.
    at: At<'z>,
    covered: Rtype,
    /// When that was or will be.
    moment: u32,
    count: usize,
}

impl<'z> Lint<'z, '_> {
    /// Takes note of those signatures of a name that are not valid now, or not for long.
    pub(super) fn signatures(&mut self, node: Node<'z>) {
        let Some(now) = self.builder.now() else { return };
        let sets = node.rrsets().filter(|set| set.rtype() == table::RRSIG);
        for (number, rdata) in sets.flat_map(Rrset::rdatas).enumerate() {
            let Some((covered, [expiration, inception])) = fields(rdata) else { continue };
            let Some((code, moment)) = judge(now, expiration, inception) else { continue };
            let at = At { owner: node.name(), rtype: table::RRSIG, number, word: 0 };
            let new = Trouble { code, at, covered, moment, count: 1 };
            match self.troubles.iter_mut().find(|old| old.code == code) {
                None => self.troubles.push(new),
                Some(old) if is_before(moment, old.moment) => {
                    *old = Trouble { count: old.count + 1, ..new };
                }
                Some(old) => old.count += 1,
            }
        }
    }

    /// Tells what is wrong with signatures.
    pub(super) fn tell_troubles(&mut self) {
        for Trouble { code, at, covered, moment, count } in std::mem::take(&mut self.troubles) {
            let date = time::date(moment);
            let is_ahead = self.builder.now().is_some_and(|now| moment > now);
            let (does, help) = words(code, is_ahead);
            let what = format!("the signature of {} {covered} {does} {date}", at.owner);
            let found = self.warn_at(code, at, what);
            found.span = found.entry;
            found.help = Some(help.into());
            if count > 1 {
                found.label = format!("the first of {count} such signatures in this zone");
            }
        }
    }
}

/// What is said of a signature and its date, and what to do. A date can lie ahead and count as past.
fn words(code: &Code, is_ahead: bool) -> (&'static str, &'static str) {
    if *code == codes::SIGNATURE_EARLY {
        ("is not valid before", "serve it from then on, or correct the signer's clock")
    } else if *code == codes::SIGNATURE_ENDING {
        ("expires on", "sign the zone again before that")
    } else if is_ahead {
        (
            "counts as expired, with",
            "what lies more than 68 years ahead is past (RFC 4034 section 3.1.5): sign for less",
        )
    } else {
        ("expired on", "sign the zone again: who validates takes its answers for forged")
    }
}

/// The type that a signature covers, and its expiration and inception (RFC 4034 §3.1).
fn fields(rdata: &[u8]) -> Option<(Rtype, [u32; 2])> {
    let covered = u16::from_be_bytes(*rdata.first_chunk()?);
    let time = |at: usize| rdata.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets));
    Some((Rtype(covered), [time(8)?, time(12)?]))
}

/// What is wrong with a signature at a time, and when that begins or began.
fn judge(now: u32, expiration: u32, inception: u32) -> Option<(&'static Code, u32)> {
    let ending = (expiration.wrapping_sub(inception) / ENDING_PART).min(ENDING_MAX);
    if is_before(expiration, now) {
        Some((&codes::SIGNATURE_EXPIRED, expiration))
    } else if is_before(now, inception) {
        Some((&codes::SIGNATURE_EARLY, inception))
    } else if expiration.wrapping_sub(now) < ending {
        Some((&codes::SIGNATURE_ENDING, expiration))
    } else {
        None
    }
}

/// Whether a time comes before another one (RFC 1982 §3.2).
fn is_before(a: u32, b: u32) -> bool {
    (1..=0x7fff_ffff).contains(&b.wrapping_sub(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 86_400;

    fn id(now: u32, inception: u32, expiration: u32) -> Option<&'static str> {
        judge(now, expiration, inception).map(|(code, _)| code.id)
    }

    #[test]
    fn the_first_and_the_last_second_are_valid() {
        let (from, to) = (1000 * DAY, 1014 * DAY);
        assert_eq!(id(from - 1, from, to), Some("Z318"));
        assert_eq!(id(from, from, to), None);
        assert_eq!(id(to, from, to), Some("Z319"));
        assert_eq!(id(to + 1, from, to), Some("Z317"));
    }

    #[test]
    fn near_is_a_week_or_a_seventh() {
        let from = 1000 * DAY;
        assert_eq!(id(from + 12 * DAY, from, from + 14 * DAY), None);
        assert_eq!(id(from + 12 * DAY + 1, from, from + 14 * DAY), Some("Z319"));
        assert_eq!(id(from + 83 * DAY, from, from + 90 * DAY), None);
        assert_eq!(id(from + 83 * DAY + 1, from, from + 90 * DAY), Some("Z319"));
    }

    #[test]
    fn times_go_round_in_the_year_2106() {
        let near_end = u32::MAX - DAY;
        assert_eq!(id(near_end, near_end - DAY, 20 * DAY), None);
        assert_eq!(id(21 * DAY, near_end, 20 * DAY), Some("Z317"));
        assert_eq!(id(near_end, 5 * DAY, 20 * DAY), Some("Z318"));
    }
}
