//! The numbers of the protocol, with their names.

use std::fmt;

/// A response code: four bits in the header, eight more in OPT (RFC 6891 §6.1.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rcode(pub u16);

impl Rcode {
    /// The question was answered, if only by saying that there are no such records.
    pub const NOERROR: Rcode = Rcode(0);
    /// The query could not be understood.
    pub const FORMERR: Rcode = Rcode(1);
    /// The zone is known, its data are not.
    pub const SERVFAIL: Rcode = Rcode(2);
    /// The name does not exist.
    pub const NXDOMAIN: Rcode = Rcode(3);
    /// The kind of query is not supported.
    pub const NOTIMP: Rcode = Rcode(4);
    /// The server does not serve this name.
    pub const REFUSED: Rcode = Rcode(5);
    /// A DNAME gives a name that is too long (RFC 6672 §2.2).
    pub const YXDOMAIN: Rcode = Rcode(6);
    /// The server has no authority for the zone (RFC 5936 §2.2.1).
    pub const NOTAUTH: Rcode = Rcode(9);
    /// An EDNS version that is not known (RFC 6891 §6.1.3).
    pub const BADVERS: Rcode = Rcode(16);
    /// A cookie that the server did not make (RFC 7873 §8).
    pub const BADCOOKIE: Rcode = Rcode(23);
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Rcode::NOERROR => "NOERROR",
            Rcode::FORMERR => "FORMERR",
            Rcode::SERVFAIL => "SERVFAIL",
            Rcode::NXDOMAIN => "NXDOMAIN",
            Rcode::NOTIMP => "NOTIMP",
            Rcode::REFUSED => "REFUSED",
            Rcode::YXDOMAIN => "YXDOMAIN",
            Rcode::NOTAUTH => "NOTAUTH",
            Rcode::BADVERS => "BADVERS",
            Rcode::BADCOOKIE => "BADCOOKIE",
            Rcode(code) => return write!(f, "RCODE{code}"),
        })
    }
}

impl fmt::Debug for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The code of an Extended DNS Error (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ede(pub u16);

impl Ede {
    /// §4.1: none of the others; the text says what.
    pub const OTHER: Ede = Ede(0);
    /// §4.19: the operator does not allow it.
    pub const PROHIBITED: Ede = Ede(18);
    /// §4.21: the server does not serve the name.
    pub const NOT_AUTHORITATIVE: Ede = Ede(20);
    /// §4.22: the server does not do what was asked.
    pub const NOT_SUPPORTED: Ede = Ede(21);
    /// §4.25: the zone's file cannot be used.
    pub const INVALID_DATA: Ede = Ede(24);
}
