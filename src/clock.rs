//! Time as a value: what is now, said by whoever may look at a clock.
//!
//! The core reads no clock. The loop reads it once a turn and hands it on, so that all answers of a
//! turn agree on the time, and tests choose it.

/// The time, in the two ways in which it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, modulo 2³²: what other machines mean by the time, compared as serial
    /// numbers are (RFC 1982). Somebody may set it back.
    pub unix_s: u32,
    /// Milliseconds since some moment of this process. They never run backwards.
    pub monotonic_ms: u64,
}

/// By how many seconds `later` lies after `earlier`; negative if it lies before. Both are seconds
/// since 1970, modulo 2³², less than 68 years apart (RFC 1982 §3.2).
pub fn seconds_between(earlier: u32, later: u32) -> i32 {
    later.wrapping_sub(earlier).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_counted_across_the_end_of_32_bits() {
        assert_eq!(seconds_between(100, 160), 60);
        assert_eq!(seconds_between(160, 100), -60);
        assert_eq!(seconds_between(u32::MAX, 9), 10);
        assert_eq!(seconds_between(9, u32::MAX), -10);
    }
}
