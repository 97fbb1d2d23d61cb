//! Octets → [`network::signed`].
#![no_main]

#[path = "../network.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod network;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| network::signed(octets));
