//! Numbers that also have names in zone files: DNSSEC algorithms, certificate types and their like.
//!
//! The names are IANA's; where BIND, NSD or Knot also take another spelling, it stands behind
//! IANA's, so that printing finds that one first.

use super::decimal;
use super::text::{DataError, Words};
use std::fmt::Write as _;

/// A field of one or two octets, and the names of its values.
#[derive(Debug, PartialEq, Eq)]
pub struct Codes {
    /// What a message says was expected.
    expected: &'static str,
    /// The octets of the number: one or two.
    octets: usize,
    /// Whether the name is printed, or the number, as servers do for algorithms.
    shown: bool,
    names: &'static [(&'static str, u16)],
}

/// DNSSEC algorithms (RFC 4034 appendix A.1 and IANA's registry).
pub static ALGORITHM: Codes = Codes {
    expected: "an algorithm from 0 to 255 or its name (as in 13 or ECDSAP256SHA256)",
    octets: 1,
    shown: false,
    names: &[
        ("RSAMD5", 1),
        ("DH", 2),
        ("DSA", 3),
        ("RSASHA1", 5),
        ("DSA-NSEC3-SHA1", 6),
        ("NSEC3DSA", 6),
        ("RSASHA1-NSEC3-SHA1", 7),
        ("NSEC3RSASHA1", 7),
        ("RSASHA256", 8),
        ("RSASHA512", 10),
        ("ECC-GOST", 12),
        ("ECCGOST", 12),
        ("ECDSAP256SHA256", 13),
        ("ECDSAP384SHA384", 14),
        ("ED25519", 15),
        ("ED448", 16),
        ("SM2SM3", 17),
        ("ECC-GOST12", 23),
        ("INDIRECT", 252),
        ("PRIVATEDNS", 253),
        ("PRIVATEOID", 254),
    ],
};

/// Certificate types (RFC 4398 §2.1).
pub static CERTIFICATE: Codes = Codes {
    expected: "a certificate type from 0 to 65535 or its name (as in 1 or PKIX)",
    octets: 2,
    shown: true,
    names: &[
        ("PKIX", 1),
        ("SPKI", 2),
        ("PGP", 3),
        ("IPKIX", 4),
        ("ISPKI", 5),
        ("IPGP", 6),
        ("ACPKIX", 7),
        ("IACPKIX", 8),
        ("URI", 253),
        ("OID", 254),
    ],
};

/// Digest types of DS and its copies (RFC 4034 appendix A.2, RFC 4509, RFC 6605).
pub static DIGEST: Codes = Codes {
    expected: "a digest type from 0 to 255 or its name (as in 2 or SHA-256)",
    octets: 1,
    shown: false,
    names: &[
        ("SHA-1", 1),
        ("SHA1", 1),
        ("SHA-256", 2),
        ("SHA256", 2),
        ("GOST", 3),
        ("SHA-384", 4),
        ("SHA384", 4),
    ],
};

/// Hash algorithms of NSEC3 (RFC 5155 §11).
pub static NSEC3_HASH: Codes = Codes {
    expected: "a hash algorithm from 0 to 255 or its name (as in 1 or SHA-1)",
    octets: 1,
    shown: false,
    names: &[("SHA-1", 1)],
};

/// Schemes of DSYNC (RFC 9859 §2.2).
pub static SCHEME: Codes = Codes {
    expected: "a scheme from 0 to 255 or its name (as in 1 or NOTIFY)",
    octets: 1,
    shown: true,
    names: &[("NOTIFY", 1)],
};

/// Protocols of WKS (RFC 1035 §3.4.2).
pub static PROTOCOL: Codes = Codes {
    expected: "an IP protocol from 0 to 255 or its name (as in 6 or TCP)",
    octets: 1,
    shown: false,
    names: &[("ICMP", 1), ("TCP", 6), ("UDP", 17)],
};

impl Codes {
    /// The octets of the number.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Reads a number or a name, in any case, and appends the number.
    pub(super) fn parse(&self, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
        let word = words.take(self.expected)?;
        let named = self.names.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
        let code = named.map(|(_, code)| *code).or_else(|| decimal(word));
        let code = code.filter(|&code| self.octets == 2 || code <= 255);
        let code = code.ok_or_else(|| words.expected(self.expected))?;
        out.extend_from_slice(&code.to_be_bytes()[2 - self.octets..]);
        Ok(())
    }

    /// Prints the name, if it is usual and there is one, or the number.
    pub(super) fn print(&self, octets: &[u8], out: &mut String) -> Option<()> {
        let code = octets.iter().fold(0, |code, &octet| code << 8 | u16::from(octet));
        match self.names.iter().find(|(_, named)| self.shown && *named == code) {
            Some((name, _)) => out.push_str(name),
            None => write!(out, "{code}").ok()?,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, show};

    #[test]
    fn a_name_stands_for_its_number() {
        for (names, numbers) in [
            ("CERT pkix 0 ED25519 AA==", "CERT 1 0 15 AA=="),
            ("DS 1 ecdsap256sha256 sha-256 00", "DS 1 13 2 00"),
            ("DSYNC CDS notify 53 .", "DSYNC TYPE59 1 53 ."),
        ] {
            assert_eq!(read(names), read(numbers));
        }
        assert_eq!(show("CERT 1 0 13 AA=="), "PKIX 0 13 AA==");
        assert!(read("CERT 65536 0 0 AA==").is_err());
        assert!(read("CERT 0 0 256 AA==").is_err());
        assert!(read("CERT 0 0 PKIX AA==").is_err());
    }
}
