//! Zonesmith: an authoritative name server for a folder of zone files.

pub mod answer;
pub mod diag;
pub mod name;
pub mod respond;
pub mod rr;
pub mod wire;
pub mod zone;
pub mod zonefile;
