//! Which serial does a version of a zone get? Secondaries go by it alone (RFC 1996 §4.5, RFC 1034 §4.3.5).
//!
//! The file says one. Where its author forgets to raise it, a *policy* does, if the operator chose one:
//!
//! ```text
//! the file's serial is ahead of the last one served ──▶ the file's
//! the content is what was served ─────────────────────▶ the last one served
//! the content changed ────────────────────────────────▶ a new one by the policy, ahead of the last
//! ```
//!
//! So the serial never goes back, and rises whenever secondaries have something to fetch. The file is not
//! touched. Where the serial is part of something that only the zone's author can make anew, a signature
//! or a digest, no policy holds ([`Refusal`]).
//!
//! Sees no disk and no clock: what was served before, and the time, are arguments.

use crate::diag::{Diagnostic, Span, codes};
use crate::name::Name;
use crate::name::pattern::Patterns;
use crate::rr::{table, time};
use crate::zone::Zone;
use std::fmt;

/// Where the serial of a changed version comes from if the file does not raise it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// From the file, as it is.
    #[default]
    Keep,
    /// It is the last one and one more.
    Increment,
    /// It is the day and two digits, as in 2026112200.
    Date,
    /// It is the time in seconds since 1970.
    Unixtime,
}

/// The policies of all zones.
#[derive(Debug, Default)]
pub struct Policies {
    /// That of zones for which nothing else is said.
    pub server: Policy,
    /// Those of some zones alone.
    pub zones: Patterns<Policy>,
}

/// Policies, and the time that they go by.
#[derive(Debug)]
pub(super) struct Numbering {
    pub(super) policies: Policies,
    /// Tells seconds since 1970.
    pub(super) clock: fn() -> u32,
}

/// What a policy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The policy.
    pub policy: Policy,
    /// The serial that the file has.
    pub file: u32,
}

/// Why no policy holds for a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A signature is made over the SOA (RFC 4034 §3.1.8.1).
    Signed,
    /// A digest is made over all records, the SOA among them (RFC 8976 §3.3).
    Digested,
}

/// What the serial says about the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialStep {
    /// It grew.
    Forward,
    /// The content changed and it did not.
    Same,
    /// It is lower than before, or so much higher that it counts as lower.
    Backward,
}

impl SerialStep {
    /// From one version to the next, whose content differs (RFC 1982 §3.2).
    pub fn between(old: u32, new: u32) -> SerialStep {
        match new.wrapping_sub(old) {
            0 => SerialStep::Same,
            1..=0x7fff_ffff => SerialStep::Forward,
            _ => SerialStep::Backward,
        }
    }

    /// From one version to another; `None` if they are the same.
    pub(super) fn of(old: &Zone, new: &Zone) -> Option<SerialStep> {
        let step = SerialStep::between(old.serial(), new.serial());
        (step != SerialStep::Same || !old.same_content(new)).then_some(step)
    }

    /// What the log says behind a line about such a step; nothing if all is well.
    pub(super) fn warning(self, (old, new): (u32, u32)) -> String {
        let (same, back) = (codes::SERIAL_SAME.id, codes::SERIAL_BACKWARD.id);
        let next = old.wrapping_add(1);
        match self {
            SerialStep::Forward => String::new(),
            SerialStep::Same => format!(
                "; warning[{same}]: the content changed, the serial did not: \
                 write {next}, or secondaries keep the old zone"
            ),
            SerialStep::Backward => format!(
                "; warning[{back}]: the serial went back from {old} to {new}: \
                 write {next} or more, or secondaries keep the old zone"
            ),
        }
    }
}

impl Policy {
    /// The serial of a changed version: what the policy is named for, if that is ahead of the last one
    /// (RFC 1982 §3.2), else the next. Never 0, which some take for none.
    fn next(self, last: u32, now_s: u32) -> u32 {
        let next = last.wrapping_add(1).max(1);
        let wanted = match self {
            Policy::Keep | Policy::Increment => next,
            Policy::Date => time::day(now_s) * 100,
            Policy::Unixtime => now_s,
        };
        let is_ahead = wanted != 0 && SerialStep::between(last, wanted) == SerialStep::Forward;
        if is_ahead { wanted } else { next }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Policy::Keep => "keep",
            Policy::Increment => "increment",
            Policy::Date => "date",
            Policy::Unixtime => "unixtime",
        })
    }
}

impl Policies {
    /// Whether there is one that does anything.
    pub(super) fn is_any(&self) -> bool {
        let mut all = self.zones.rules().chain([&self.server]);
        all.any(|policy| *policy != Policy::Keep)
    }

    /// That of a zone, if it does anything.
    pub(super) fn of(&self, apex: Name<'_>) -> Option<Policy> {
        let policy = self.zones.find(apex, |policy| Some(*policy)).unwrap_or(self.server);
        (policy != Policy::Keep).then_some(policy)
    }

    /// That of a zone, if it holds for this version.
    pub(super) fn holding(&self, zone: &Zone) -> Option<Policy> {
        self.of(zone.apex()).filter(|_| Refusal::of(zone).is_none())
    }
}

impl Numbering {
    /// The serial of a version that follows one with the serial `last`, and what the policy had to do
    /// with it. `old` is that one, if it is still known.
    pub(super) fn of(&self, zone: &Zone, last: u32, old: Option<&Zone>) -> Option<(u32, Numbered)> {
        let (policy, file) = (self.policies.holding(zone)?, zone.serial());
        if SerialStep::between(last, file) == SerialStep::Forward {
            return None;
        }
        let is_same = old.is_some_and(|old| old.same_content(zone));
        let serial = if is_same { last } else { policy.next(last, (self.clock)()) };
        (serial != file).then_some((serial, Numbered { policy, file }))
    }
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " ({}; the file has {})", self.policy, self.file)
    }
}

impl Refusal {
    pub(super) fn of(zone: &Zone) -> Option<Refusal> {
        let apex = zone.apex_node();
        let digested = apex.rrset(table::ZONEMD).map(|_| Refusal::Digested);
        apex.signatures(table::SOA).map(|_| Refusal::Signed).or(digested)
    }

    /// What is found about a zone whose policy does not hold. Its SOA record and serial stand there.
    pub(super) fn finding(self, policy: Policy, [soa, serial]: [Span; 2]) -> Diagnostic {
        let why = match self {
            Refusal::Signed => "a signature covers the SOA record",
            Refusal::Digested => "the ZONEMD record covers the SOA record",
        };
        let what = format!("`serial = {policy}` does not hold here: {why}");
        let finding = Diagnostic::new(&codes::SERIAL_FIXED, serial, what).help(
            "what makes the signature or digest raises the serial; say `serial = \"keep\"` for this \
             zone in the configuration",
        );
        Diagnostic { entry: soa, ..finding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::{Lints, load_text};
    use crate::reload::testing::NOW_S;
    use std::path::Path;

    const SOA: &str = "@ SOA ns admin 41 1 1 1 1\n";

    fn zone(more: &str) -> Zone {
        let text = format!("$TTL 60\n{SOA}@ NS ns\nns A 192.0.2.1\n{more}");
        let path = Path::new("a.example.zone");
        load_text(path, text.into(), &[], Lints::Quick, &mut |_, _| ()).zone.unwrap()
    }

    #[test]
    fn serials_compare_around_the_end() {
        assert_eq!(SerialStep::between(u32::MAX, 0), SerialStep::Forward);
        assert_eq!(SerialStep::between(0, u32::MAX), SerialStep::Backward);
        assert_eq!(SerialStep::between(0, 0x8000_0000), SerialStep::Backward);
    }

    #[test]
    fn each_policy_goes_on_from_any_serial() {
        let (day, now) = (2_026_112_200, NOW_S);
        for (policy, last, next) in [
            (Policy::Increment, 41, 42),
            (Policy::Increment, u32::MAX, 1),
            (Policy::Date, 41, day),
            (Policy::Date, day - 1, day),
            (Policy::Date, day, day + 1),
            (Policy::Date, day + 99, day + 100), // more than a hundred changes in a day
            (Policy::Date, now, day),
            (Policy::Unixtime, 41, now),
            (Policy::Unixtime, now - 1, now),
            (Policy::Unixtime, now, now + 1), // two changes in a second
            (Policy::Unixtime, day, day + 1), // a date before is ahead of the time
            (Policy::Unixtime, now.wrapping_add(1 << 31), now.wrapping_add((1 << 31) + 1)),
        ] {
            assert_eq!(policy.next(last, now), next, "{policy} behind {last}");
        }
        let serials = [0, 1, 41, now, day, 1 << 31, u32::MAX - 1, u32::MAX];
        for last in serials {
            for now in serials {
                for policy in [Policy::Increment, Policy::Date, Policy::Unixtime] {
                    let next = policy.next(last, now);
                    assert_eq!(SerialStep::between(last, next), SerialStep::Forward);
                    assert_ne!(next, 0);
                }
            }
        }
    }

    #[test]
    fn the_files_serial_holds_where_it_is_ahead_and_the_last_one_where_nothing_changed() {
        let (old, new) = (zone(""), zone("w A 192.0.2.2\n"));
        let policies = Policies { server: Policy::Increment, zones: Patterns::default() };
        let numbering = Numbering { policies, clock: || NOW_S };
        let serial = |zone, last, old| numbering.of(zone, last, old).map(|(serial, _)| serial);
        assert_eq!(serial(&new, 40, Some(&old)), None, "the file has 41");
        assert_eq!(serial(&new, 41, Some(&old)), Some(42));
        assert_eq!(serial(&new, 45, Some(&old)), Some(46));
        assert_eq!(serial(&old, 45, Some(&old)), Some(45));
        assert_eq!(serial(&old, 41, Some(&old)), None);
        assert_eq!(serial(&old, 45, None), Some(46), "who knows what it was");
        assert_eq!(serial(&new, 41 + (1 << 31), Some(&old)), Some(42 + (1 << 31)), "no order");
        let numbered = numbering.of(&new, 45, Some(&old)).unwrap().1;
        assert_eq!(numbered.to_string(), " (increment; the file has 41)");
    }

    #[test]
    fn the_nearest_policy_holds_and_keep_is_none() {
        let mut policies = Policies { server: Policy::Date, zones: Patterns::default() };
        assert!(policies.is_any() && !Policies::default().is_any());
        policies.zones.set("*.edu".parse().unwrap(), Policy::Keep);
        policies.zones.set("smith.edu".parse().unwrap(), Policy::Unixtime);
        let of = |zone: &str| policies.of(zone.parse::<crate::name::NameBuf>().unwrap().as_name());
        assert_eq!(of("example"), Some(Policy::Date));
        assert_eq!(of("umass.edu"), None);
        assert_eq!(of("smith.edu"), Some(Policy::Unixtime));
    }

    #[test]
    fn a_zone_whose_serial_is_signed_or_digested_keeps_it() {
        let signature = |of: &str| {
            format!("@ RRSIG {of} 8 2 60 20400101000000 20200101000000 1 a.example. AAAA\n")
        };
        let zonemd = format!("@ ZONEMD 41 1 1 {}\n", "00".repeat(48));
        assert_eq!(Refusal::of(&zone("")), None);
        assert_eq!(Refusal::of(&zone(&signature("NS"))), None);
        assert_eq!(Refusal::of(&zone(&signature("SOA"))), Some(Refusal::Signed));
        assert_eq!(Refusal::of(&zone(&zonemd)), Some(Refusal::Digested));
        assert_eq!(Refusal::of(&zone(&zonemd.replace('@', "below"))), None, "of another zone");
    }

    #[test]
    fn a_serial_that_is_set_stands_wherever_the_soa_does() {
        let (mut set, read) = (zone(""), SOA.replace("41", "4294967295"));
        set.set_serial(u32::MAX);
        let text = format!("$TTL 60\n{read}@ NS ns\nns A 192.0.2.1\n");
        let path = Path::new("a.example.zone");
        let read = load_text(path, text.into(), &[], Lints::Quick, &mut |_, _| ()).zone.unwrap();
        assert_eq!((set.serial(), set.soa_data()), (u32::MAX, read.soa_data()));
        assert_eq!(set.ready_soa().parts(), read.ready_soa().parts());
        assert!(set.same_content(&read));
    }
}
