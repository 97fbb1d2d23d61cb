//! The server and whoever runs it: which signals are heard, and what is said to systemd.
//!
//! Signals come as readiness of a descriptor, like everything else in the loop, so no code ever
//! runs inside a signal handler. systemd is told what happens only where it asked for it
//! (`NOTIFY_SOCKET`, sd_notify(3)); a failure to tell it is logged and changes nothing.

use mio::Interest;
use mio::{Registry, Token};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals as Source;
use std::ffi::c_int;
use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGTERM, SIGINT: to end.
    Stop,
    /// SIGHUP: to read every zone again.
    Reload,
}

/// The signals that the server listens to, from its making on.
pub(super) struct Signals {
    source: Source,
}

impl Signals {
    /// Takes over the signals and announces them at `token`.
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
        let mut source = Source::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Signals { source })
    }

    /// What the signals since the last call ask for.
    pub(super) fn requests(&mut self) -> impl Iterator<Item = Request> {
        self.source.pending().map(request)
    }
}

/// Says that queries are answered from now on.
pub(super) fn report_ready() {
    report(&[NotifyState::Ready]);
}

/// Says that a reload was asked for. Nothing stops meanwhile and a zone that cannot be read leaves
/// the last good one serving, so the server is ready again at once.
pub(super) fn report_reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => report(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("no monotonic time for systemd: {error}"),
    }
    report_ready();
}

/// Says that the server ends.
pub(super) fn report_stopping() {
    report(&[NotifyState::Stopping]);
}

/// What a signal of those that were taken over asks for.
fn request(signal: c_int) -> Request {
    match signal {
        SIGHUP => Request::Reload,
        _ => Request::Stop,
    }
}

fn report(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("telling systemd: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hang_up_leaves_the_server_running() {
        assert_eq!(request(SIGHUP), Request::Reload);
        assert_eq!(request(SIGTERM), Request::Stop);
        assert_eq!(request(SIGINT), Request::Stop);
    }
}
