//! What a running server takes over: the configuration and the files of keys are read again when one
//! of them changes, together, and where a mistake stands in one all stays as it was.

use super::config::{self, ConfigFile, Wanted};
use super::serve::settings;
use super::{Serve, Watch};
use crate::diag::render;
use crate::reload::folder::Fingerprint;
use crate::server::{Look, Reading, Seen, Server, Settings};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at where nothing tells of their changes, and where that may fail.
const POLL: Duration = Duration::from_secs(2);
const SLOW_LOOK: Duration = Duration::from_secs(30);

/// What is read again.
struct Live {
    typed: Vec<OsString>,
    /// The configuration that the server began with.
    first: Option<ConfigFile>,
    /// The files that were named last.
    files: Vec<PathBuf>,
}

/// The files of settings as they are now. Whoever reads them later misses no change.
pub(super) fn seen(serve: &Serve, config: Option<&ConfigFile>) -> Seen {
    let keys = serve.guards.key_files().iter();
    let keys = keys.map(|path| (path.clone(), Fingerprint::of(path)));
    config.map(|file| (file.path.clone(), file.fingerprint)).into_iter().chain(keys).collect()
}

/// Has the files beside the zones watched: the configuration and keys, which were read as `seen`, and
/// cookie secrets.
///
/// # Errors
/// The system gives no thread.
pub(super) fn watch(
    serve: &Serve,
    typed: Vec<OsString>,
    first: Option<ConfigFile>,
    seen: Seen,
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
    if !seen.is_empty() {
        let mut live = Live { typed, first, files: seen.keys().cloned().collect() };
        server.watch_settings(seen, look, move |others| live.read(others))?;
    }
    Ok(())
}

impl Live {
    /// Reads everything again because of some files. With a mistake in any, all stays as it is.
    fn read(&mut self, others: &[PathBuf]) -> Reading<Settings> {
        let new = match config::join(&self.typed) {
            Ok(wanted) => self.take(wanted, others),
            Err(report) => {
                let findings = format!("\n{}", render::report(&report, false));
                self.tell_unusable(others, &findings);
                None
            }
        };
        Reading { new, files: self.files.clone() }
    }

    fn take(&mut self, wanted: Wanted, others: &[PathBuf]) -> Option<Settings> {
        let Wanted { serve, zone_rules, file } = wanted;
        self.files = seen(&serve, file.as_ref()).into_keys().collect();
        let settings = settings(&serve, zone_rules).ok(); // it says why
        match &settings {
            Some(_) => others.iter().for_each(|path| self.tell(path, file.as_ref())),
            None => self.tell_unusable(others, ""),
        }
        settings
    }

    fn tell_unusable(&self, others: &[PathBuf], findings: &str) {
        let others: Vec<_> = others.iter().map(|path| self.words(path)).collect();
        log::error!("{} cannot be used; what was said before goes on{findings}", others.join(", "));
    }

    /// Tells that a file holds, and what of the configuration does not yet.
    fn tell(&self, path: &Path, config: Option<&ConfigFile>) {
        let words = self.words(path);
        let config = config.filter(|config| config.path == path);
        let waiting = config.map(|config| config.waiting(self.first.as_ref())).unwrap_or_default();
        if waiting.is_empty() {
            return log::info!("{words} is read again and holds from now on");
        }
        let keys: Vec<_> = waiting.iter().map(|key| format!("`{key}`")).collect();
        log::warn!(
            "{words} is read again and holds from now on, but for {}\n  a new start takes that over",
            keys.join(", ")
        );
    }

    /// What kind of file it is, and where.
    fn words(&self, path: &Path) -> String {
        let is_config = self.first.as_ref().is_some_and(|first| first.path == path);
        let kind = if is_config { "configuration" } else { "keys" };
        format!("{kind}: {}", path.display())
    }
}
