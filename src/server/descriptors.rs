//! Descriptors: how many connections can there be, with enough left for zone files?
//!
//! A process may have so many descriptors open and no more, often 1,024. Connections must not use
//! them up: a zone file that changes is opened, too. So the bound on connections is kept below that
//! on descriptors, after asking the kernel for as many as are needed.

use super::Limits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for everything but listeners and connections: the standard three, the log, the poll,
/// the waker, signals, the watcher's, and the files that are being read, of which an `$INCLUDE` may
/// have some open at a time.
const RESERVED: usize = 48;

/// Descriptors of a listener.
const PER_LISTENER: usize = 2;

/// The limits, with no more connections than there are descriptors for.
pub(super) fn fit(limits: Limits, listeners: usize) -> Limits {
    let others = RESERVED + PER_LISTENER * listeners;
    let available = raise(limits.connections_max.saturating_add(others));
    let connections_max = limits.connections_max.min(available.saturating_sub(others).max(1));
    if connections_max < limits.connections_max {
        log::warn!(
            "at most {connections_max} TCP connections at a time, not {}: the server may have \
             {available} descriptors; allow it more (LimitNOFILE= in its systemd unit, `ulimit -n`)",
            limits.connections_max
        );
    }
    Limits { connections_max, ..limits }
}

/// Asks for `needed` descriptors, and gives how many there may be.
fn raise(needed: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return needed; // where nobody tells, accepting will
    };
    let wanted = (needed as u64).min(hard);
    let raised = wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    usize::try_from(if raised { wanted } else { soft }).unwrap_or(usize::MAX)
}
