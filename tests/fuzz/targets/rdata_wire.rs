//! Octets → [`properties::rdata_wire`].
#![no_main]

#[path = "../properties.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod properties;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| properties::rdata_wire(octets));
