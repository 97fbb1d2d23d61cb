//! Who is told of a zone's changes: the addresses that a rule names, and where it says so the zone's own
//! name servers (RFC 1996 §2.1, the "Notify Set").
//!
//! Addresses of name servers come from the zones that are served, glue among them: nobody is asked.
//! Left out are the server that the SOA names as the primary, and this one.

use crate::guard::tsig::{Key, Keys};
use crate::name::hash::Suffixes;
use crate::name::pattern::Patterns;
use crate::name::{Name, NameBuf};
use crate::rr::table;
use crate::wire::DNS_PORT;
use crate::zone::set::ZoneSet;
use crate::zone::{Rrset, Zone};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Who is told, by zone.
#[derive(Debug, Default)]
pub struct Secondaries {
    /// Of zones that have no rule of their own.
    pub server: Vec<Secondary>,
    /// Of some zones alone.
    pub zones: Patterns<Vec<Secondary>>,
}

/// Who is told, as a rule names it.
#[derive(Clone, Debug)]
pub enum Secondary {
    /// A server.
    At(Target),
    /// The zone's name servers, and what is signed with.
    NameServers(Option<Arc<Key>>),
}

/// A server that is told.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// What messages to it and from it are signed with.
    pub key: Option<Arc<Key>>,
}

/// Who is told of one version of a zone.
#[derive(Debug, Default)]
pub struct NotifySet {
    /// Each once.
    pub targets: Vec<Target>,
    /// The name servers whose addresses no zone here has.
    pub unknown: Vec<NameBuf>,
}

impl Secondaries {
    /// Whether anybody is told of anything.
    pub fn is_any(&self) -> bool {
        self.zones.rules().chain([&self.server]).any(|rule| !rule.is_empty())
    }

    /// Who is told of `zone`, which is one of `zones`. `own` is where this server listens.
    pub fn of(&self, zone: &Zone, zones: &ZoneSet, own: &[SocketAddr]) -> NotifySet {
        let rule = self.zones.find(zone.apex(), Some).unwrap_or(&self.server);
        let mut set = NotifySet::default();
        for secondary in rule {
            match secondary {
                Secondary::At(target) => set.add(target.clone()),
                Secondary::NameServers(key) => set.add_name_servers(zone, zones, own, key.as_ref()),
            }
        }
        set
    }
}

impl Target {
    /// Whether both are the same server, with a key of the same name.
    pub fn is(&self, other: &Target) -> bool {
        let name = |target: &Target| target.key.as_ref().map(|key| key.name().to_buf());
        self.address == other.address && name(self) == name(other)
    }

    /// Has messages signed with the key of the same name there, if there is one.
    pub fn rekey(&mut self, keys: &Keys) {
        let new = self.key.as_ref().and_then(|key| keys.find(key.name()));
        self.key = new.or(self.key.as_ref()).cloned();
    }
}

impl NotifySet {
    fn add(&mut self, target: Target) {
        if !self.targets.iter().any(|one| one.is(&target)) {
            self.targets.push(target);
        }
    }

    fn add_name_servers(
        &mut self,
        zone: &Zone,
        zones: &ZoneSet,
        own: &[SocketAddr],
        key: Option<&Arc<Key>>,
    ) {
        let primary = Name::split_from(zone.soa_data()).map(|(mname, _)| mname);
        let servers = zone.apex_node().rrset(table::NS).into_iter().flat_map(Rrset::targets);
        for server in servers.filter(|server| Some(*server) != primary) {
            let addresses = addresses_of(server, zones);
            if addresses.is_empty() {
                self.unknown.push(server.to_lower());
            }
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, DNS_PORT));
            for address in sockets.filter(|address| !own.contains(address)) {
                self.add(Target { address, key: key.cloned() });
            }
        }
    }
}

/// The addresses of a name, as far as a zone here has them, as its own or as glue.
fn addresses_of(name: Name<'_>, zones: &ZoneSet) -> Vec<IpAddr> {
    let hashes = Suffixes::of(name);
    let zone = zones.find(name, &hashes, hashes.labels()).and_then(|(slot, _)| slot.zone());
    let Some(node) = zone.and_then(|zone| zone.node_of(name)) else { return Vec::new() };
    let rdatas = |rtype| node.rrset(rtype).into_iter().flat_map(Rrset::rdatas);
    let v4 = rdatas(table::A).filter_map(|octets| <[u8; 4]>::try_from(octets).ok());
    let v6 = rdatas(table::AAAA).filter_map(|octets| <[u8; 16]>::try_from(octets).ok());
    v4.map(IpAddr::from).chain(v6.map(IpAddr::from)).collect()
}
