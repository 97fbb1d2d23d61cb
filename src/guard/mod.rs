//! Who may ask, and how often.
//!
//! [`cookie`] tells those whose address is theirs from those who may have made it up.

pub mod cookie;
