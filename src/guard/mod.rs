//! Who may ask, and how often.
//!
//! [`acl`] turns addresses away, [`per_zone`] for some zones alone. [`cookie`] tells those whose
//! address is theirs from those who may have made it up; what is sent to the latter [`rrl`] limits.
//! [`tsig`] tells who has a key. [`prefix`] is how operators write blocks of addresses.

pub mod acl;
pub mod cookie;
pub mod per_zone;
pub mod prefix;
pub mod rrl;
pub mod tsig;
