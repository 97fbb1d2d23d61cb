//! Who or what is the server? Told to those who ask, if its operator wants that.
//!
//! Names of class CHAOS have been asked for this since long before there was a standard (RFC 4892);
//! NSID (RFC 5001) asks beside an ordinary question. Each is silent unless it was given a text.

use crate::name::Name;
use crate::rr::{Class, table};
use crate::wire::edns::NSID_LEN_MAX;
use crate::wire::request::Question;
use arrayvec::ArrayVec;

/// The longest text that a name tells, in octets: one string of a TXT record (RFC 1035 §3.3).
pub const TEXT_LEN_MAX: usize = 255;

/// What the operator lets the server tell about itself.
#[derive(Default)]
pub struct Identity {
    /// In NSID.
    pub nsid: Option<ArrayVec<u8, NSID_LEN_MAX>>,
    /// Which server of several it is.
    pub id: Option<ArrayVec<u8, TEXT_LEN_MAX>>,
    /// Which program it is, in which version.
    pub version: Option<ArrayVec<u8, TEXT_LEN_MAX>>,
}

/// What is said to a question of class CHAOS.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<'i> {
    /// This.
    Text(&'i [u8]),
    /// Nothing: the operator gave no text.
    Kept,
    /// There is no such name, or it has no such type.
    Unknown,
}

/// What a name asks for.
enum Asked {
    Id,
    Version,
}

/// The names in wire form, lower case. BIND's own came first, and are what programs ask for.
const NAMES: [(&[u8], Asked); 4] = [
    (b"\x02id\x06server\0", Asked::Id),
    (b"\x08hostname\x04bind\0", Asked::Id),
    (b"\x07version\x06server\0", Asked::Version),
    (b"\x07version\x04bind\0", Asked::Version),
];

impl Identity {
    /// What is said to a question of class CHAOS.
    pub fn tell(&self, question: Question<'_>) -> Told<'_> {
        debug_assert_eq!(question.class, Class::CH);
        let asked = NAMES.iter().find(|(wire, _)| Name::from_wire(wire) == Some(question.name));
        let text = match asked {
            _ if ![table::TXT, table::ANY].contains(&question.rtype) => return Told::Unknown,
            Some((_, Asked::Id)) => &self.id,
            Some((_, Asked::Version)) => &self.version,
            None => return Told::Unknown,
        };
        text.as_ref().map_or(Told::Kept, |text| Told::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameBuf;

    #[test]
    fn each_name_tells_what_it_is_asked_for() {
        let text = |text: &str| text.bytes().collect();
        let identity = Identity { nsid: None, id: Some(text("ns1")), version: None };
        for (name, rtype, expected) in [
            ("id.server.", table::TXT, Told::Text(b"ns1")),
            ("HostName.bind.", table::ANY, Told::Text(b"ns1")),
            ("version.bind.", table::TXT, Told::Kept),
            ("version.server.", table::TXT, Told::Kept),
            ("version.bind.", table::A, Told::Unknown),
            ("authors.bind.", table::TXT, Told::Unknown),
            ("bind.", table::TXT, Told::Unknown),
            (".", table::TXT, Told::Unknown),
        ] {
            let owned: NameBuf = name.parse().unwrap();
            let question = Question { name: owned.as_name(), rtype, class: Class::CH };
            assert_eq!(identity.tell(question), expected, "{name} {rtype}");
        }
    }
}
