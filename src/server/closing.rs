//! Why was a connection closed? What the counters make of it, and the log if it cut off a transfer.

use super::connection::End;
use super::counters::Counters;
use std::fmt;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Everything is answered.
    Finished(End),
    /// The kernel says so.
    Broken,
    /// Nothing was asked or taken for too long.
    Idle,
    /// The table was full.
    ForNewer,
    /// Its client had as many as one may have.
    ForOwnNewer,
    /// So is the server.
    AtEnd,
}

impl Closing {
    /// Counts one connection closed so.
    pub(super) fn count(self, counters: &mut Counters) {
        let counter = match self {
            Closing::Finished(End::Client) => &mut counters.closed_by_client,
            Closing::Finished(End::Malformed) => &mut counters.closed_malformed,
            Closing::Broken | Closing::Finished(End::Failed) => &mut counters.closed_broken,
            Closing::Idle => &mut counters.closed_idle,
            Closing::ForNewer => &mut counters.closed_for_newer,
            Closing::ForOwnNewer => &mut counters.closed_for_own_newer,
            Closing::AtEnd => &mut counters.closed_at_end,
        };
        *counter += 1;
    }
}

/// What an operator reads of a transfer that was cut off.
impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Closing::Finished(_) | Closing::Broken => "the other side closed the connection",
            Closing::Idle => "nothing was taken for too long (--tcp-idle)",
            Closing::ForNewer => "it made room for a new connection (--tcp-max)",
            Closing::ForOwnNewer => "it made room for another of its own (--tcp-per-client)",
            Closing::AtEnd => "the server ended",
        })
    }
}
