//! The configuration of a running server: read again when its file changes, taken over where that is
//! possible, and kept as it was where a mistake stands.

use super::config::{self, ConfigFile, Wanted};
use super::keys;
use super::serve::settings;
use super::{Serve, Watch};
use crate::diag::render;
use crate::guard::tsig::Keys;
use crate::server::{Look, Server, Settings};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often files are looked at where nothing tells of their changes, and where that may fail.
const POLL: Duration = Duration::from_secs(2);
const SLOW_LOOK: Duration = Duration::from_secs(30);

/// Has the files beside the zones watched: the configuration and cookie secrets. The configuration may
/// name `keys`.
///
/// # Errors
/// The system gives no thread.
pub(super) fn watch(
    serve: &Serve,
    typed: Vec<OsString>,
    file: Option<ConfigFile>,
    keys: Keys,
    server: &mut Server,
) -> io::Result<()> {
    let look = match serve.watch {
        Watch::Notify => Look::AtEvents(SLOW_LOOK),
        Watch::Poll => Look::Every(POLL),
        Watch::Off => Look::Never,
    };
    if let Some(path) = &serve.cookie_secret {
        server.watch_secrets(path.clone(), look)?;
    }
    if let Some(file) = file {
        let (path, known) = (file.path.clone(), file.fingerprint);
        server.watch_settings(path, known, look, move |path| read(path, &typed, &file, &keys))?;
    }
    Ok(())
}

/// Reads the file again. With a mistake in it everything stays as it is.
fn read(path: &Path, typed: &[OsString], first: &ConfigFile, keys: &Keys) -> Option<Settings> {
    let told = format!("configuration: {}", path.display());
    let wanted = config::join(typed);
    let wanted = wanted.map_err(|report| {
        let findings = render::report(&report, false);
        log::error!("{told} cannot be used; what was said before goes on\n{findings}");
    });
    let Wanted { serve, zone_rules, file } = wanted.ok()?;
    let settings = settings(&serve, zone_rules).and_then(|settings| {
        keys::check_named(settings.with_keys(), keys)?;
        Ok(settings)
    });
    let settings =
        settings.map_err(|_| log::error!("{told} cannot be used; what was said before goes on"));
    let settings = settings.ok()?;
    let waiting = file.map(|file| file.waiting(first)).unwrap_or_default();
    if waiting.is_empty() {
        log::info!("{told} is read again and holds from now on");
    } else {
        let keys: Vec<_> = waiting.iter().map(|key| format!("`{key}`")).collect();
        log::warn!(
            "{told} is read again and holds from now on, but for {}\n  a new start takes that over",
            keys.join(", ")
        );
    }
    Some(settings)
}
