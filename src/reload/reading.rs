//! One reading of one file, with what is needed to judge whether it counts.

use super::folder::Fingerprint;
use super::load::{Earlier, Loaded, origin_of};
use super::version::Version;
use crate::diag::{Diagnostic, Report, Span, codes};
use std::fs;
use std::io::{Error, ErrorKind::NotADirectory, ErrorKind::NotFound};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What reads a file that may include from these folders, too, and of which something may be known:
/// [`load_again`](super::load::load_again), or a test's own.
pub(super) type Reader = fn(&Path, &[PathBuf], Earlier<'_>) -> Loaded;

/// A file that was read.
pub(super) struct Reading {
    /// The file.
    pub(super) file: Arc<Path>,
    /// As it was before, with the files that it was known to include.
    pub(super) before: Version,
    /// As it was after, with the files that it includes.
    pub(super) after: Version,
    /// When the reading began.
    pub(super) began: SystemTime,
    /// What was read.
    pub(super) loaded: Loaded,
}

impl Reading {
    /// Reads a file, of which `known` was read before. `None` if it is not there at all, or no
    /// file: a listing says what that means.
    pub(super) fn take(
        file: &Arc<Path>,
        known: Option<&Version>,
        read: impl Fn(&Path) -> Loaded,
    ) -> Option<Reading> {
        let seen = fs::metadata(file);
        if seen.as_ref().map_or_else(|_| !is_there(file), |seen| !seen.is_file()) {
            return None;
        }
        let began = SystemTime::now();
        let before = Version {
            file: seen.ok().map(|seen| Fingerprint::new(&seen)),
            includes: known.map_or(Vec::new(), Version::includes_now),
        };
        let (loaded, includes) = guarded(file, read);
        let after = Version::now(file, includes.iter());
        let file = file.clone();
        let is_there = after.file.is_some() || is_there(&file);
        is_there.then_some(Reading { file, before, after, began, loaded })
    }

    /// Reads a file that is not watched yet: whoever watches it later sees by its fingerprint whether it
    /// changed in between. If it may have been touched so near to its reading that this would not show,
    /// nothing is known of its version.
    pub(super) fn take_first(file: &Arc<Path>, read: impl Fn(&Path) -> Loaded) -> Option<Reading> {
        let began = SystemTime::now();
        let (loaded, includes) = guarded(file, read);
        let seen = loaded.seen.or_else(|| Some((Fingerprint::of(file)?, began)));
        let known = seen.map(|(seen, at)| seen.as_of(at));
        let began = seen.map_or(began, |(_, at)| at); // nothing was read before
        let file = file.clone();
        let before = Version { file: known, ..Version::default() };
        let after = Version { file: known, includes: Version::now_of(includes.iter()) };
        let is_there = loaded.zone.is_some() || is_there(&file);
        is_there.then_some(Reading { file, before, after, began, loaded })
    }
}

/// Whether a file is there, for all that is known: one that nobody may look at may be.
fn is_there(file: &Path) -> bool {
    let missing = |error: &Error| matches!(error.kind(), NotFound | NotADirectory);
    !fs::symlink_metadata(file).is_err_and(|error| missing(&error))
}

/// What a file gives, even if its reading panics, and what it includes.
fn guarded(file: &Path, read: impl Fn(&Path) -> Loaded) -> (Loaded, Vec<Arc<Path>>) {
    let loaded = catch_unwind(AssertUnwindSafe(|| read(file)));
    let mut loaded = loaded.unwrap_or_else(|_| gave_up(file));
    if loaded.report.findings.is_empty() {
        loaded.report = Report::default(); // the text is not needed to show nothing
    }
    let includes = loaded.includes.drain(..).map(Arc::from).collect();
    (loaded, includes)
}

/// What is said of a file whose reading panicked: a bug, and the other zones go on.
fn gave_up(file: &Path) -> Loaded {
    let mut report = Report::default();
    if report.sources.add(file.display().to_string(), Vec::new()).is_some() {
        let what = "reading this file failed within the program";
        let finding = Diagnostic::new(&codes::FILE_UNREADABLE, Span::default(), what)
            .help("this is a bug: please report it together with the file");
        report.findings.push(finding);
    }
    Loaded { apex: origin_of(file), report, ..Loaded::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::{Earlier, load_again};

    #[test]
    fn what_is_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let take = |path: &Path| Reading::take(&Arc::from(path), None, |_| panic!("not read"));
        assert!(take(&dir.path().join("missing")).is_none());
        assert!(take(dir.path()).is_none());
        assert!(take(Path::new("/dev/null")).is_none());
    }

    #[test]
    fn what_was_touched_a_moment_ago_is_read_once_that_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("smith.edu.zone");
        let unwatched = |path: &Path| load_again(path, &[], Earlier::Unwatched);
        let known = |path: &Arc<Path>| {
            let reading = Reading::take_first(path, unwatched).unwrap();
            (reading.before.file, reading.loaded.report.has_errors())
        };
        for text in ["broken", "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS ns.b.\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(known(&Arc::from(&*path)), (Fingerprint::of(&path), text == "broken"));
        }
    }

    #[test]
    fn a_panic_becomes_a_finding() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("smith.edu.zone");
        fs::write(&path, "text").unwrap();
        let reading = Reading::take(&Arc::from(path), None, |_| panic!("a bug")).unwrap();
        assert_eq!(reading.loaded.apex, "smith.edu.".parse().ok());
        assert!(reading.loaded.zone.is_none() && reading.loaded.report.has_errors());
    }
}
