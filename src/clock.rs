//! Time as a value: what is now, said by whoever may look at a clock.
//!
//! The core reads no clock. The loop reads it once a turn and hands it on, so that all answers of a
//! turn agree on the time, and tests choose it.

/// The time, in the two ways in which it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970: what other machines mean by the time. Somebody may set it back.
    pub unix_s: u64,
    /// Milliseconds since some moment of this process. They never run backwards.
    pub monotonic_ms: u64,
}

impl Now {
    /// The seconds since 1970 modulo 2³², to be compared as serial numbers are (RFC 1982).
    #[allow(clippy::cast_possible_truncation, reason = "seconds are counted modulo 2³²")]
    pub fn unix_s_modulo(self) -> u32 {
        self.unix_s as u32
    }
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
    fn seconds_begin_anew_behind_32_bits() {
        let now = Now { unix_s: (1 << 32) + 7, monotonic_ms: 0 };
        assert_eq!(now.unix_s_modulo(), 7);
    }

    #[test]
    fn seconds_are_counted_across_the_end_of_32_bits() {
        assert_eq!(seconds_between(100, 160), 60);
        assert_eq!(seconds_between(160, 100), -60);
        assert_eq!(seconds_between(u32::MAX, 9), 10);
        assert_eq!(seconds_between(9, u32::MAX), -10);
    }
}
