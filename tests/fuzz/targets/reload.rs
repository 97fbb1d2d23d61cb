//! Octets → [`reloading::reload`].
#![no_main]

#[path = "../reloading.rs"]
mod reloading;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    reloading::reload(octets);
});
