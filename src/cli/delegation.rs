//! Will anybody who follows a zone's NS records come here? A hint at start, where it can be known.
//!
//! A lab serves zones with the addresses of real servers on a loopback address, and means it; a
//! wildcard address may be any. So only a server that listens on nothing but addresses of its own is
//! told, and only of zones whose name servers all stand in the zone, for only then are all addresses
//! known. Behind a translation of addresses the hint is wrong; it is no warning.

use crate::name::Name;
use crate::rr::table;
use crate::zone::{Rrset, Zone};
use std::net::{IpAddr, SocketAddr};

/// What to say of the zones none of whose name servers has an address that is listened on.
pub(super) fn hint<'z>(
    zones: impl Iterator<Item = &'z Zone>,
    listening: &[SocketAddr],
) -> Option<String> {
    let listening: Vec<IpAddr> = listening.iter().map(SocketAddr::ip).collect();
    if listening.iter().any(|ip| ip.is_loopback() || ip.is_unspecified()) {
        return None;
    }
    let missed = zones.filter_map(|zone| Some((zone.apex(), missed(zone, &listening)?)));
    let mut missed: Vec<(Name<'_>, Vec<IpAddr>)> = missed.collect();
    missed.sort_by_key(|(apex, _)| apex.to_string());
    let ((apex, addresses), others) = missed.split_first()?;
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let others = match others.len() {
        0 => String::new(),
        1 => "; 1 more zone is like it".into(),
        count => format!("; {count} more zones are like it"),
    };
    Some(format!(
        "{apex} has its name servers at {}, where this server does not listen: who follows its NS \
         records does not come here{others}",
        addresses.join(", ")
    ))
}

/// The addresses of the zone's name servers, if all are known and none is listened on. Whoever is sent
/// to a loopback address, as for `localhost.`, asks himself.
fn missed(zone: &Zone, listening: &[IpAddr]) -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for server in zone.apex_node().rrset(table::NS)?.targets() {
        if !server.is_within(zone.apex()) {
            return None;
        }
        let sets = zone.node_of(server).into_iter().flat_map(|node| {
            [table::A, table::AAAA].into_iter().filter_map(move |rtype| node.rrset(rtype))
        });
        addresses.extend(sets.flat_map(Rrset::rdatas).filter_map(address));
    }
    let is_met = |ip: &IpAddr| ip.is_loopback() || listening.contains(ip);
    let is_missed = !addresses.is_empty() && !addresses.iter().any(is_met);
    is_missed.then_some(addresses)
}

/// The address in the data of an A or AAAA record.
fn address(rdata: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(rdata).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(rdata).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::load;

    /// The hint for zones with these lines below their SOA, and a server that listens there.
    fn hint_for(zones: &[&str], listening: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let read = |(number, lines): (usize, &&str)| {
            let path = folder.path().join(format!("{number}.zone"));
            std::fs::write(&path, format!("@ 60 SOA ns a 1 1 1 1 1\n{lines}\n")).unwrap();
            load(&path).zone.unwrap()
        };
        let zones: Vec<Zone> = zones.iter().enumerate().map(read).collect();
        let listening: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
        hint(zones.iter(), &listening)
    }

    const ELSEWHERE: &str = "@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1";

    #[test]
    fn addresses_of_others_are_told_once_for_all_zones() {
        let told = hint_for(&[ELSEWHERE, ELSEWHERE, ELSEWHERE], &["192.0.2.7:53"]).unwrap();
        assert!(told.starts_with("0. has its name servers at 192.0.2.1, 2001:db8::1, where"));
        assert!(told.ends_with("; 2 more zones are like it"), "{told}");
    }

    #[test]
    fn silence_where_it_is_meant_or_cannot_be_known() {
        let silent = |zone, listening: &[&str]| hint_for(&[zone], listening).is_none();
        assert!(silent(ELSEWHERE, &["192.0.2.1:53"]));
        assert!(silent(ELSEWHERE, &["192.0.2.7:53", "[2001:db8::1]:53"]));
        assert!(silent(ELSEWHERE, &["192.0.2.7:53", "127.0.0.1:53"]));
        assert!(silent(ELSEWHERE, &["0.0.0.0:53"]));
        assert!(silent(ELSEWHERE, &["[::]:53"]));
        assert!(silent("@ NS ns\nns AAAA ::1", &["192.0.2.7:53"]));
        assert!(silent("@ NS ns\nns A 192.0.2.1\n@ NS ns.elsewhere.", &["192.0.2.7:53"]));
        assert!(silent("@ NS ns", &["192.0.2.7:53"]), "it has a warning already");
    }
}
