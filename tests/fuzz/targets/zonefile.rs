//! Octets → [`properties::zonefile`].
#![no_main]

#[path = "../properties.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod properties;

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|octets: &[u8]| -> Corpus {
    if writes_much(octets) {
        return Corpus::Reject;
    }
    properties::zonefile(octets);
    Corpus::Keep
});

/// Whether `$GENERATE` may write out a thousand records: what is right with them is so with ten, and
/// the fuzzer would look at nothing else.
fn writes_much(octets: &[u8]) -> bool {
    let generates = octets.windows(9).any(|word| word.eq_ignore_ascii_case(b"$GENERATE"));
    generates && octets.windows(3).any(|three| three.iter().all(u8::is_ascii_digit))
}
