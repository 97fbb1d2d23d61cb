//! Digests of another length than their kind has: whoever compares them finds none that is the same.
//!
//! A DS record with such a digest makes the zone below it bogus to all who validate (RFC 4035 §5.2), a
//! TLSA record makes its server one that mail is not delivered to (RFC 7672 §2.2).

use super::{At, Lint};
use crate::diag::codes;
use crate::rr::{Rtype, table};
use crate::zone::{Node, Rrset};

/// Kinds of digests, by number: what they are called, and their octets.
type Kinds = &'static [(u8, &'static str, usize)];

/// RFC 4034 §5.1.4, RFC 4509 §2.2, RFC 5933 §5.1, RFC 6605 §2, RFC 9558 §4, RFC 9563 §4.
const OF_KEYS: Kinds = &[
    (1, "SHA-1", 20),
    (2, "SHA-256", 32),
    (3, "GOST R 34.11-94", 32),
    (4, "SHA-384", 48),
    (5, "GOST R 34.11-2012", 32),
    (6, "SM3", 32),
];
/// RFC 4255 §3.1.2, RFC 6594 §5.2.
const OF_HOST_KEYS: Kinds = &[(1, "SHA-1", 20), (2, "SHA-256", 32)];
/// RFC 6698 §2.1.3.
const OF_CERTIFICATES: Kinds = &[(1, "SHA-256", 32), (2, "SHA-512", 64)];
/// RFC 8976 §2.2.3.
const OF_ZONES: Kinds = &[(1, "SHA-384", 48), (2, "SHA-512", 64)];

/// Where the octet of the kind stands in the data; the digest is behind it.
const fn form(rtype: Rtype) -> Option<(usize, Kinds)> {
    match rtype {
        table::DS | table::CDS | table::TA | table::DLV => Some((3, OF_KEYS)),
        table::SSHFP => Some((1, OF_HOST_KEYS)),
        table::TLSA | table::SMIMEA => Some((2, OF_CERTIFICATES)),
        table::ZONEMD => Some((5, OF_ZONES)),
        _ => None,
    }
}

impl<'z> Lint<'z, '_> {
    pub(super) fn digests(&mut self, node: Node<'z>, set: Rrset<'z>) {
        let Some((kind_at, kinds)) = form(set.rtype()) else { return };
        for (number, rdata) in set.rdatas().enumerate() {
            let Some((kind, digest)) = rdata.get(kind_at..).and_then(<[u8]>::split_first) else {
                continue;
            };
            let Some((_, name, len)) = kinds.iter().find(|(number, ..)| number == kind) else {
                continue;
            };
            if digest.len() == *len {
                continue;
            }
            let what = format!("a digest of {} octets, {name} has {len}", digest.len());
            let help = format!("copy all {} digits of it, and its kind", 2 * len);
            let at = At { owner: node.name(), rtype: set.rtype(), number, word: 0 };
            let found = self.warn_at(&codes::DIGEST_LENGTH, at, what);
            found.span = found.entry;
            found.help = Some(help);
        }
    }
}
