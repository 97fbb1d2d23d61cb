//! Messages as bytes: how is a query read, and how is an answer written?
//!
//! ```text
//! 0      2      4        6        8        10       12
//! | id   | bits | QDCOUNT| ANCOUNT| NSCOUNT| ARCOUNT| question, records …     RFC 1035 §4.1.1
//! ```
//!
//! [`request`] reads: total over every input, without allocation. [`response`] writes: section by
//! section, an RRset whole or not at all. [`edns`] does both for the OPT record. [`compress`] knows
//! which names stand where in the message being written. [`tsig`] is the record that signs a message.
//! [`plain`] does for most queries what [`request`] and [`response`] do for all.

pub mod codes;
pub mod compress;
pub mod edns;
pub mod message;
pub mod plain;
pub mod request;
pub mod response;
pub mod tsig;

/// The port of DNS (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;
/// The octets of a message's header (RFC 1035 §4.1.1).
pub const HEADER_LEN: usize = 12;
/// The longest answer over UDP to a query without EDNS (RFC 1035 §4.2.1).
pub const UDP_LEN_PLAIN: u16 = 512;
/// The longest answer over UDP to a query with EDNS: it crosses every common path in one piece
/// (RFC 9715 §3.2).
pub const UDP_LEN_MAX: u16 = 1232;
/// The longest message over TCP: its length is told in two octets (RFC 1035 §4.2.2).
pub const TCP_LEN_MAX: u16 = u16::MAX;

/// A pointer at the question's name, which stands behind the header (RFC 1035 §4.1.4).
pub const QNAME: [u8; 2] = [0xc0, 12];

/// A pointer at an offset (RFC 1035 §4.1.4); a question ends far below 0x4000.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the offset is within the question")]
fn pointer(offset: usize) -> [u8; 2] {
    (0xc000 | offset as u16).to_be_bytes()
}

/// The bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3.2).
pub mod bits {
    /// A response.
    pub const QR: u16 = 0x8000;
    /// An authoritative answer.
    pub const AA: u16 = 0x0400;
    /// Truncated.
    pub const TC: u16 = 0x0200;
    /// Recursion desired.
    pub const RD: u16 = 0x0100;
    /// Where the opcode stands.
    pub const OPCODE: u16 = 0x7800;
}
