//! A zone and a signed one: RFC 4035 §2, RFC 5155 §7.1.
//!
//! Every field is as it should be but the signature itself: a digest of what is signed takes its
//! place, so that each set has one of its own. Nobody could verify it, and servers do not.

use super::Zone;
use super::records::{Name, Record};
use super::types::{DNSKEY, DS, NS, NSEC, NSEC3, NSEC3PARAM, RRSIG};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};

/// ECDSA P-256 with SHA-256 (RFC 6605).
const ALGORITHM: u8 = 13;
const OPT_OUT: u8 = 1;

/// How to sign a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    Nsec,
    Nsec3 { hashing: Hashing, opt_out: bool },
}

/// How names become hashes, with SHA-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    pub iterations: u16,
    pub salt: Vec<u8>,
}

/// The zone with keys, a chain and signatures.
pub fn sign(zone: &Zone, signing: &Signing) -> Zone {
    let mut zone = zone.clone();
    // The TTL that RFC 9077 §3 gives to the records of a chain
    let (ttl, soa) = (zone.negative_soa().ttl, zone.records[0].clone());
    let record = |rtype, data| Record { rtype, data, ..soa.clone() };
    zone.records.extend(keys().map(|key| record(DNSKEY, key)));
    let chain = match signing {
        Signing::Nsec => zone.nsec_chain(ttl),
        Signing::Nsec3 { hashing, opt_out } => {
            zone.records.push(record(NSEC3PARAM, hashing.parameters(0))); // RFC 5155 §4.1.2
            zone.nsec3_chain(ttl, hashing, *opt_out)
        }
    };
    zone.records.extend(chain);
    let signatures = zone.make_signatures();
    zone.records.extend(signatures);
    zone
}

impl Zone {
    /// RFC 4035 §2.3: an NSEC for each name with data of the zone's own or a delegation.
    fn nsec_chain(&self, ttl: u32) -> Vec<Record> {
        let owners: BTreeMap<_, Name> =
            self.own_names().into_iter().map(|name| (name.canonical(), name)).collect();
        let owners: Vec<Name> = owners.into_values().collect();
        let link = |at: usize| {
            let (owner, next) = (owners[at].clone(), &owners[(at + 1) % owners.len()]);
            // Each has a signature: that of the NSEC.
            let types = self.own_types(&owner).into_iter().chain([NSEC, RRSIG]).collect();
            let data = [next.wire(), bitmap(&types)].concat();
            Record { owner, rtype: NSEC, class: 1, ttl, data }
        };
        (0..owners.len()).map(link).collect()
    }

    /// RFC 5155 §7.1: the same for hashes of names; here empty non-terminals take part, and with
    /// opt-out unsigned delegations and what only they make exist do not.
    fn nsec3_chain(&self, ttl: u32, hashing: &Hashing, opt_out: bool) -> Vec<Record> {
        let mut names = BTreeSet::new();
        for owner in self.own_names() {
            if !(opt_out && self.own_types(&owner) == BTreeSet::from([NS])) {
                names.extend((self.apex.labels()..=owner.labels()).map(|n| owner.suffix(n)));
            }
        }
        let hashed: BTreeMap<_, Name> =
            names.into_iter().map(|name| (hashing.hash(&name), name)).collect();
        let hashes: Vec<&Vec<u8>> = hashed.keys().collect();
        let link = |(at, (hash, name)): (usize, (&Vec<u8>, &Name))| {
            let mut types = self.own_types(name);
            if types.iter().any(|&rtype| rtype != NS || *name == self.apex) {
                types.insert(RRSIG);
            }
            let next = hashes[(at + 1) % hashes.len()];
            let parameters = hashing.parameters(if opt_out { OPT_OUT } else { 0 });
            let data = [parameters, vec![20], next.clone(), bitmap(&types)].concat();
            let owner = self.apex.child(&hash_label(hash));
            Record { owner, rtype: NSEC3, class: 1, ttl, data }
        };
        hashed.iter().enumerate().map(link).collect()
    }

    /// The names that are this zone's to speak of: all but those below cuts.
    fn own_names(&self) -> BTreeSet<Name> {
        let below_cut = |name: &Name| {
            (self.apex.labels()..name.labels()).any(|labels| self.is_cut(&name.suffix(labels)))
        };
        self.records.iter().map(|record| record.owner.clone()).filter(|n| !below_cut(n)).collect()
    }

    /// The types of a name that the chain tells: at a cut only what is the parent's (RFC 4035 §2.3).
    fn own_types(&self, name: &Name) -> BTreeSet<u16> {
        let types = self.records.iter().filter(|r| r.owner == *name).map(|record| record.rtype);
        let cut = self.is_cut(name);
        types.filter(|rtype| !cut || [NS, DS, NSEC].contains(rtype)).collect()
    }

    /// RFC 4035 §2.2: every set but the NS sets of cuts, and what is not the zone's.
    fn make_signatures(&self) -> Vec<Record> {
        let mut signatures = Vec::new();
        for owner in self.own_names() {
            for rtype in self.own_types(&owner) {
                if rtype == NS && self.is_cut(&owner) {
                    continue;
                }
                let ttl = self.rrset(&owner, rtype)[0].ttl;
                // Both keys sign the keys, the second one all else.
                let signers = keys().skip(usize::from(rtype != DNSKEY));
                signatures.extend(signers.map(|key| {
                    let data = self.signature(&owner, rtype, ttl, &key);
                    Record { owner: owner.clone(), rtype: RRSIG, class: 1, ttl, data }
                }));
            }
        }
        signatures
    }

    /// RFC 4034 §3.1.
    fn signature(&self, owner: &Name, rtype: u16, ttl: u32, key: &[u8]) -> Vec<u8> {
        let labels = owner.labels() - usize::from(owner.first() == b"*");
        let mut data = rtype.to_be_bytes().to_vec();
        data.extend([ALGORITHM, u8::try_from(labels).unwrap()]);
        for seconds in [ttl, 1_900_000_000, 1_600_000_000] {
            data.extend(u32::to_be_bytes(seconds)); // original TTL, expiration, inception
        }
        data.extend(key_tag(key).to_be_bytes());
        data.extend(self.apex.wire());
        let digest = Sha1::digest([&data[..], &owner.wire()].concat());
        data.extend(digest);
        data
    }
}

impl Hashing {
    /// RFC 5155 §5.
    pub fn hash(&self, name: &Name) -> Vec<u8> {
        let mut hash = name.wire();
        for _ in 0..=self.iterations {
            hash.extend(&self.salt);
            hash = Sha1::digest(&hash).to_vec();
        }
        hash
    }

    /// The fields that NSEC3PARAM is, and with which NSEC3 begins (RFC 5155 §3.2, §4.2).
    fn parameters(&self, flags: u8) -> Vec<u8> {
        let salt_len = u8::try_from(self.salt.len()).unwrap();
        [&[1, flags][..], &self.iterations.to_be_bytes(), &[salt_len], &self.salt].concat()
    }
}

/// A hash as the first label of its NSEC3 (RFC 5155 §3).
pub fn hash_label(hash: &[u8]) -> String {
    data_encoding::BASE32HEX_NOPAD.encode(hash).to_ascii_lowercase()
}

/// The data of two DNSKEY records: one that signs keys, one that signs zones (RFC 4034 §2.1).
fn keys() -> impl Iterator<Item = Vec<u8>> {
    [257u16, 256].into_iter().map(|flags| {
        let public = [Sha1::digest(flags.to_be_bytes()); 4].concat();
        [&flags.to_be_bytes()[..], &[3, ALGORITHM], &public[..64]].concat()
    })
}

/// RFC 4034 appendix B.
fn key_tag(key: &[u8]) -> u16 {
    let words = key.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap()
}

/// RFC 4034 §4.1.2.
fn bitmap(types: &BTreeSet<u16>) -> Vec<u8> {
    let mut windows: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for [window, low] in types.iter().map(|rtype| rtype.to_be_bytes()) {
        let bits = windows.entry(window).or_default();
        bits.resize(usize::from(low / 8) + 1, 0); // types come in order: it only grows
        bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
    }
    let blocks = windows
        .into_iter()
        .map(|(window, bits)| [vec![window, u8::try_from(bits.len()).unwrap()], bits].concat());
    blocks.flatten().collect()
}
