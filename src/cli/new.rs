//! `zonesmith new`: a first zone with a word on each line, to be saved and changed.
//!
//! It is what `fmt` would make of it, and `check` finds nothing in it.

use super::{EXIT_ZONES, New, output};
use crate::name::NameBuf;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::SystemTime;

const SECONDS_PER_DAY: u64 = 86_400;

/// Prints the zone.
pub(super) fn run(new: &New) -> ExitCode {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match zone(&new.zone, new.address, since_1970.as_secs() / SECONDS_PER_DAY) {
        Ok(text) => {
            output::write(text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            log::error!("{why}");
            ExitCode::from(EXIT_ZONES)
        }
    }
}

/// The text of a zone whose name server and web server have one address.
fn zone(zone: &NameBuf, address: IpAddr, days_since_1970: u64) -> Result<String, String> {
    let fits = |label: &str| format!("{label}.{zone}").parse::<NameBuf>().is_ok();
    if zone.as_name().is_root() {
        return Err("the root zone is not for us to make up: name a zone, as in smith.edu".into());
    }
    if zone.as_name().is_wildcard() {
        return Err(format!("{zone} stands for many names: name a zone, as in smith.edu"));
    }
    if !fits("hostmaster") {
        return Err(format!("{zone} is too long for names below it"));
    }
    let (year, month, day) = date(days_since_1970);
    let serial = format!("{year:04}{month:02}{day:02}01");
    let rtype = if address.is_ipv4() { "A" } else { "AAAA" };
    Ok(format!(
        "\
; A first zone for {zone} Save it as {file}zone in the folder that is served.
;
; A line is: owner, TTL, class, type, data. A blank in front stands for the owner of the line above.
; A name that ends in a dot is complete. One without gets the origin put behind it: `www` is
; www.{zone} here. `@` is the origin alone.

$ORIGIN {zone}
$TTL 1h  ; resolvers may keep a record for so long

; The start of authority: the primary name server, and whom to write to (hostmaster@{mail}).
@  SOA  ns1 hostmaster (
        {serial}  ; serial: make it larger with each change
        6h          ; refresh: how often secondaries look at the serial
        1h          ; retry: and how soon again after they could not
        2w          ; expire: after so long without contact they stop answering
        5m )        ; negative TTL: for how long \"there is no such name\" may be kept

; The name servers. A second one, in another network, keeps the zone alive when this one is away.
@  NS  ns1

; The zone's own name, its name server, and a web server.
@    {rtype}  {address}
ns1  {rtype}  {address}
www  {rtype}  {address}
",
        file = zone.to_string().replace('/', "-"), // as in 0/26.2.0.192.in-addr.arpa (RFC 2317)
        mail = zone.to_string().trim_end_matches('.'),
    ))
}

/// The date of a day, counted from 1970-01-01, in the Gregorian calendar: year, month, day.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day last; 400 of them have 146,097 days. Day 0 of
    // this count is 0000-03-01, 719,468 days before 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zonefile::format::lay_out;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_779), (2026, 11, 22));
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1));
    }

    #[test]
    fn the_zone_is_laid_out_already() {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let text =
                zone(&"smith.edu".parse().unwrap(), address.parse().unwrap(), 20_779).unwrap();
            assert!(text.contains(" 2026112201  ; serial"));
            assert_eq!(String::from_utf8(lay_out(text.as_bytes()).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn names_that_leave_no_room_are_refused() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(zone(&".".parse().unwrap(), address, 0).is_err());
        assert!(zone(&"*.edu".parse().unwrap(), address, 0).is_err());
        assert!(zone(&"a.".repeat(124).parse().unwrap(), address, 0).is_err());
    }
}
