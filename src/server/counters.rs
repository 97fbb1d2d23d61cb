//! Counting and telling: what did the server do, and how is a flood kept out of the log?
//!
//! One thread serves, so counters are plain integers. They state their sums: what comes in equals
//! what became of it. [`LogLimit`] is for lines whose cause lies outside, where a stranger or a
//! full kernel table decides how often they happen: one a second at most, and a count of the rest.

use std::fmt;
use std::time::{Duration, Instant};

/// Between two lines about the same thing. An operator who reads along sees that it lasts; a disk
/// full of log does not follow from a bad minute.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// What the server did since it started.
///
/// - `udp_queries = udp_answers + udp_silent + udp_cut`
/// - `udp_answers` = sent + `udp_send_failed` + `udp_send_full`
/// - `tcp_queries = tcp_answers + tcp_silent`
/// - `tcp_accepted` = open connections + the `closed_` counters
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams received.
    pub udp_queries: u64,
    /// Datagrams for which an answer was made.
    pub udp_answers: u64,
    /// Datagrams that get no answer.
    pub udp_silent: u64,
    /// Of those, from where the server listens itself.
    pub udp_own: u64,
    /// Of those, because such answers went to the asker's network too often.
    pub udp_held: u64,
    /// Of the answers made, those sent with TC in place of records for the same reason.
    pub udp_slipped: u64,
    /// Datagrams longer than any query, dropped unread.
    pub udp_cut: u64,
    /// Answers that the kernel refused to send.
    pub udp_send_failed: u64,
    /// Answers dropped because the socket's send buffer was full.
    pub udp_send_full: u64,
    /// Errors of receiving.
    pub udp_receive_failed: u64,
    /// Messages received in streams.
    pub tcp_queries: u64,
    /// Messages in streams that were answered.
    pub tcp_answers: u64,
    /// Messages in streams that get no answer; their connection is closed.
    pub tcp_silent: u64,
    /// Transfers of zones that were written to their end.
    pub transfers: u64,
    /// Connections accepted.
    pub tcp_accepted: u64,
    /// Errors of accepting.
    pub tcp_accept_failed: u64,
    /// Connections closed after the client had closed them, everything answered.
    pub closed_by_client: u64,
    /// Connections closed because nothing complete came for too long.
    pub closed_idle: u64,
    /// Connections closed, idle longest, to make room for a new one.
    pub closed_for_newer: u64,
    /// Connections closed to make room for a new one of the same client, which had as many as it may.
    pub closed_for_own_newer: u64,
    /// Connections closed because of what was sent on them.
    pub closed_malformed: u64,
    /// Connections that broke.
    pub closed_broken: u64,
    /// Connections still open when the server ended.
    pub closed_at_end: u64,
    /// Queries of those who may not ask, over either transport: REFUSED.
    pub denied: u64,
    /// Queries at which the answering code panicked: faults of ours.
    pub panics: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unanswered, own) = (self.udp_silent + self.udp_cut, self.udp_own);
        let unsent = self.udp_send_failed + self.udp_send_full;
        write!(f, "UDP {} queries, {} answers", self.udp_queries, self.udp_answers)?;
        write!(f, ", {unanswered} unanswered ({own} to itself), {unsent} unsent")?;
        write!(f, ", {} over the rate", self.udp_held + self.udp_slipped)?;
        let made_room = self.closed_for_newer + self.closed_for_own_newer;
        write!(f, "; TCP {} connections", self.tcp_accepted)?;
        write!(f, " ({} closed idle, {made_room} to make room)", self.closed_idle)?;
        write!(f, ", {} queries, {} answers", self.tcp_queries, self.tcp_answers)?;
        write!(f, "; {} queries denied", self.denied)?;
        let errors = self.udp_receive_failed + self.tcp_accept_failed;
        write!(f, "; {errors} socket errors, {} internal errors", self.panics)
    }
}

/// Lets one line in a while through.
#[derive(Default)]
pub(super) struct LogLimit {
    /// When the next line may pass; none has passed yet if this is none.
    next: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    /// Logs a warning, unless there was one less than [`LOG_INTERVAL`] ago.
    pub(super) fn warn(&mut self, now: Instant, text: impl FnOnce() -> String) {
        match self.pass(now) {
            Some(0) => log::warn!("{}", text()),
            Some(held_back) => log::warn!("{} ({held_back} more like it)", text()),
            None => {}
        }
    }

    /// Whether a line may pass now: the number held back since the last one, or none.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.held_back += 1;
            return None;
        }
        self.next = Some(now + LOG_INTERVAL);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gives_a_line_a_second_and_a_count() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        assert_eq!(limit.pass(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(limit.pass(start + Duration::from_millis(999)), None);
        }
        assert_eq!(limit.pass(start + LOG_INTERVAL), Some(1000));
        assert_eq!(limit.pass(start + 3 * LOG_INTERVAL), Some(0));
    }

    #[test]
    fn the_line_at_the_end_names_what_an_operator_asks_for() {
        let counters = Counters { udp_queries: 3, udp_cut: 1, panics: 7, ..Counters::default() };
        let line = counters.to_string();
        assert!(line.starts_with("UDP 3 queries, 0 answers, 1 unanswered (0 to itself)"), "{line}");
        assert!(line.ends_with("7 internal errors"), "{line}");
        let (closed_idle, closed_for_newer, closed_for_own_newer) = (4, 2, 1);
        let closed = Counters { closed_idle, closed_for_newer, closed_for_own_newer, ..counters }
            .to_string();
        assert!(closed.contains("connections (4 closed idle, 3 to make room)"), "{closed}");
    }
}
