//! What was written before an origin was put behind it? A name keeps no trace of that, so these are
//! guesses: each origin that the zone makes likely is taken off again.

use super::super::Zone;
use crate::name::{Name, NameBuf};
use std::net::IpAddr;

/// Top-level names under which people write whole names and forget the dot. Two labels are enough.
const TOP_LABELS: &[&[u8]] =
    &[b"arpa", b"biz", b"com", b"edu", b"gov", b"info", b"int", b"invalid", b"mil", b"net", b"org"];
/// Those that can be a host's name too, countries above all: only with two labels before them.
const SHORT_TOP_LABELS: &[&[u8]] = &[
    b"app",
    b"at",
    b"au",
    b"be",
    b"br",
    b"ca",
    b"ch",
    b"cloud",
    b"cn",
    b"co",
    b"cz",
    b"de",
    b"dev",
    b"dk",
    b"es",
    b"eu",
    b"example",
    b"fi",
    b"fr",
    b"gr",
    b"hu",
    b"ie",
    b"in",
    b"internal",
    b"io",
    b"is",
    b"it",
    b"jp",
    b"kr",
    b"lan",
    b"local",
    b"me",
    b"mx",
    b"nl",
    b"no",
    b"nz",
    b"pl",
    b"pt",
    b"ro",
    b"ru",
    b"se",
    b"sk",
    b"test",
    b"tr",
    b"ua",
    b"uk",
    b"us",
    b"za",
];

/// An origin is looked for at most so many labels below the apex: the depth of an IPv6 address.
const ORIGIN_DEPTH_MAX: usize = 32;

/// What `name` would be with a final dot where it was written, if that repeats the zone's name:
/// `www.smith.edu.` for `www.smith.edu.smith.edu.`. Below a name of one label, as `com.`, the name
/// itself may well be repeated once.
pub(super) fn doubled(name: Name<'_>, apex: Name<'_>) -> Option<NameBuf> {
    if apex.is_root() || name.as_wire().len() < 2 * apex.as_wire().len() - 1 {
        return None;
    }
    let labels_min = apex.label_count().max(2);
    readings(name, apex).map(|(meant, _)| meant).find(|meant| {
        meant.as_name().is_within(apex) && meant.as_name().label_count() >= labels_min
    })
}

/// What `name` would be with a final dot where it was written, if that looks like a whole name
/// outside of the zone.
pub(super) fn foreign(name: Name<'_>, zone: &Zone) -> Option<NameBuf> {
    likely(name, zone, |meant| {
        let top = meant.suffix(1).first_label().to_ascii_lowercase();
        match meant.label_count() {
            0 | 1 => false,
            2 => TOP_LABELS.contains(&&*top),
            _ => TOP_LABELS.contains(&&*top) || SHORT_TOP_LABELS.contains(&&*top),
        }
    })
}

/// What was written as a target in a zone of addresses, where hosts have no names.
pub(super) fn whole_host(name: Name<'_>, zone: &Zone) -> Option<NameBuf> {
    let is_reverse = zone.apex().suffix(1).first_label().eq_ignore_ascii_case(b"arpa");
    likely(name, zone, |meant| is_reverse && meant.label_count() > 1)
}

/// The address that was written where a name belongs.
pub(super) fn address(name: Name<'_>, zone: &Zone) -> Option<IpAddr> {
    let first = name.first_label();
    if !first.first().is_some_and(u8::is_ascii_digit) && !first.contains(&b':') {
        return None;
    }
    let address = |meant: Name<'_>| meant.to_string().strip_suffix('.')?.parse().ok();
    let relative = likely(name, zone, |meant| address(meant).is_some());
    relative.map_or_else(|| address(name), |meant| address(meant.as_name()))
}

/// The first reading of `name` that fits, below a name that the zone has: the apex, or what `$ORIGIN`
/// may have said.
fn likely(name: Name<'_>, zone: &Zone, fits: impl Fn(Name<'_>) -> bool) -> Option<NameBuf> {
    let apex = zone.apex();
    let has = |origin| origin == apex || zone.node_of(origin).is_some();
    let mut readings = readings(name, apex).filter(|_| !apex.is_root());
    let found = readings.find(|(meant, origin)| fits(meant.as_name()) && has(*origin));
    found.map(|(meant, _)| meant)
}

/// What stands in front of each origin within `apex` in `name`, longest origin first.
fn readings<'n>(name: Name<'n>, apex: Name<'n>) -> impl Iterator<Item = (NameBuf, Name<'n>)> + 'n {
    let depth = name.label_count().saturating_sub(apex.label_count());
    let depth = if name.is_within(apex) { depth } else { 0 };
    let skipped = depth.saturating_sub(ORIGIN_DEPTH_MAX).max(1);
    let origins = name.ancestors().take(depth + 1).skip(skipped);
    origins.filter_map(move |origin| {
        let written = &name.as_wire()[..name.as_wire().len() - origin.as_wire().len()];
        Some((NameBuf::join(written, Name::ROOT)?, origin))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled_text(name: &str, apex: &str) -> Option<String> {
        let [name, apex]: [NameBuf; 2] = [name, apex].map(|text| text.parse().unwrap());
        doubled(name.as_name(), apex.as_name()).map(|meant| meant.to_string())
    }

    #[test]
    fn a_name_is_doubled_by_any_origin_of_the_zone() {
        let meant = |name| doubled_text(name, "smith.edu.");
        assert_eq!(meant("www.smith.edu.smith.edu.").as_deref(), Some("www.smith.edu."));
        assert_eq!(meant("www.smith.edu.lab.smith.edu.").as_deref(), Some("www.smith.edu."));
        assert_eq!(meant("Smith.EDU.smith.edu.").as_deref(), Some("Smith.EDU."));
        assert_eq!(meant("edu.smith.edu."), None);
        assert_eq!(meant("www.blacksmith.edu.smith.edu."), None);
    }

    #[test]
    fn a_short_zone_may_hold_its_own_name() {
        assert_eq!(doubled_text("com.com.", "com."), None);
        assert_eq!(doubled_text("ns.com.com.", "com.").as_deref(), Some("ns.com."));
        assert_eq!(doubled_text("com.", "."), None);
    }
}
