//! Zonesmith: an authoritative name server for a folder of zone files.

pub mod diag;
pub mod name;
pub mod rr;
pub mod wire;
pub mod zone;
pub mod zonefile;
