//! Files that are read again while all goes on: by a thread of its own, since a file may keep its
//! reader waiting and the loop waits for nobody.
//!
//! The file system's events say when, SIGHUP says so too, and a slow look finds what neither told. Files
//! that are as they were are read for SIGHUP alone. A reading that gives nothing changes nothing.

use crate::reload::folder::Fingerprint;
use mio::Waker;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// After an event the folder must be quiet for so long: editors write in steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Files, and what each was when it was read last.
pub type Seen = BTreeMap<PathBuf, Option<Fingerprint>>;

/// What a reading gave.
pub struct Reading<T> {
    /// What the files say; none if that cannot be used.
    pub new: Option<T>,
    /// The files that decide it.
    pub files: Vec<PathBuf>,
}

/// When files are looked at, besides SIGHUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// When the file system tells of it, and after so long.
    AtEvents(Duration),
    /// After so long.
    Every(Duration),
    /// Not at all.
    Never,
}

/// Why files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Somebody wants them read.
    Asked,
    /// Something happened near them, or it is time.
    Hint,
}

/// What files say, whenever they say something new.
pub(super) struct Watched<T> {
    asked: Sender<Cause>,
    news: Receiver<T>,
}

impl<T: Send + 'static> Watched<T> {
    /// Has `read` called in a thread with those files that are others than `seen`, and the loop woken if
    /// that gives anything.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        mut seen: Seen,
        look: Look,
        waker: Arc<Waker>,
        mut read: impl FnMut(&[PathBuf]) -> Reading<T> + Send + 'static,
    ) -> io::Result<Watched<T>> {
        let ((asked, asking), (sender, news)) = (mpsc::channel(), mpsc::channel());
        let events = asked.clone();
        let thread = std::thread::Builder::new().name("settings".into());
        thread.spawn(move || {
            let mut folders = Folders::new(look, events);
            let period = match look {
                Look::AtEvents(period) | Look::Every(period) => Some(period),
                Look::Never => None,
            };
            let mut cause = Some(Cause::Hint); // they may have changed before anybody watched
            while let Some(why) = cause {
                seen.keys().for_each(|path| folders.watch(path));
                let others = others(&mut seen, why);
                let mut is_more = false;
                if !others.is_empty() {
                    let Reading { new, files } = read(&others);
                    is_more = follow(&mut seen, files);
                    if new.is_some_and(|new| sender.send(new).is_err()) {
                        break; // the loop has ended
                    }
                    let _ = waker.wake();
                }
                cause = if is_more { Some(Cause::Hint) } else { wait(&asking, period) };
            }
        })?;
        Ok(Watched { asked, news })
    }

    /// Has the files read.
    pub(super) fn ask(&self) {
        let _ = self.asked.send(Cause::Asked); // the thread ends with the loop alone
    }

    /// What the last reading gave, once.
    pub(super) fn take(&self) -> Option<T> {
        self.news.try_iter().last()
    }
}

/// Looks at files; those that are not as they were, or all if somebody asks.
fn others(seen: &mut Seen, why: Cause) -> Vec<PathBuf> {
    let mut others = Vec::new();
    for (path, known) in seen {
        let found = Fingerprint::of(path);
        if std::mem::replace(known, found) != found || why == Cause::Asked {
            others.push(path.clone());
        }
    }
    others
}

/// Goes over to other files; whether there are new ones. Those have been read, but nobody knows in what
/// state, so they are read once more.
fn follow(seen: &mut Seen, files: Vec<PathBuf>) -> bool {
    let before = std::mem::take(seen);
    let known = |path: &PathBuf| before.get(path).copied();
    let is_more = files.iter().any(|path| known(path).is_none());
    seen.extend(files.into_iter().map(|path| (path.clone(), known(&path).flatten())));
    is_more
}

/// Waits until there is a cause, and then until there is no other; none to end.
fn wait(asking: &Receiver<Cause>, period: Option<Duration>) -> Option<Cause> {
    let first = match period {
        Some(period) => asking.recv_timeout(period),
        None => asking.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let mut cause = match first {
        Ok(cause) => cause,
        Err(RecvTimeoutError::Timeout) => return Some(Cause::Hint),
        Err(RecvTimeoutError::Disconnected) => return None,
    };
    while cause == Cause::Hint
        && let Ok(next) = asking.recv_timeout(SETTLE)
    {
        cause = next;
    }
    Some(cause)
}

/// The folders in which the files and what they link to stand.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn new(look: Look, asked: Sender<Cause>) -> Folders {
        let heard = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| tells(event.kind)) {
                let _ = asked.send(Cause::Hint);
            }
        };
        let watcher = match look {
            Look::AtEvents(_) => notify::recommended_watcher(heard).ok(),
            Look::Every(_) | Look::Never => None,
        };
        Folders { watcher, watched: BTreeSet::new() }
    }

    /// Watches where a file stands now. What cannot be watched is found by the slow look.
    fn watch(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let resolved = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        for folder in [path, &resolved].into_iter().filter_map(Path::parent) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            if !self.watched.contains(folder)
                && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder.to_path_buf());
            }
        }
    }
}

/// Whether an event can be about what a file holds: our own reading is not.
fn tells(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::time::Instant;

    /// Waits for the news that the file says so.
    fn wait_for(watched: &Watched<String>, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match watched.take() {
                Some(text) if text == expected => return,
                _ => assert!(Instant::now() < deadline, "{expected:?} does not come"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_is_saved_is_read_however_it_is_saved_and_noticed() {
        let long = Duration::from_secs(3600);
        let looks = [Look::AtEvents(long), Look::Every(Duration::from_millis(20)), Look::Never];
        for look in looks {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let poll = Poll::new().unwrap();
            let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
            let read = |files: &[PathBuf]| Reading {
                new: std::fs::read_to_string(&files[0]).ok(),
                files: files.to_vec(),
            };
            let seen = Seen::from([(path.clone(), None)]);
            let watched = Watched::start(seen, look, waker, read).unwrap();
            let saved = |text: &str, by_rename: bool| {
                let first = if by_rename { folder.path().join("new") } else { path.clone() };
                std::fs::write(&first, text).unwrap();
                if by_rename {
                    std::fs::rename(&first, &path).unwrap();
                }
                if look == Look::Never {
                    watched.ask();
                }
                wait_for(&watched, text);
            };
            saved("one", false);
            saved("two", true);
            saved("three", false);
        }
    }

    #[test]
    fn a_file_that_is_named_later_is_watched_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let [first, more] = ["first", "more"].map(|name| folder.path().join(name));
        std::fs::write(&first, "one").unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let files = vec![first.clone(), more.clone()];
        let read = move |_: &[PathBuf]| {
            let texts = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
            Reading { new: Some(texts.collect()), files: files.clone() }
        };
        let look = Look::AtEvents(Duration::from_secs(3600));
        let watched = Watched::start(Seen::from([(first, None)]), look, waker, read).unwrap();
        wait_for(&watched, "one");
        std::fs::write(&more, " two").unwrap();
        wait_for(&watched, "one two");
        std::fs::write(&more, " three").unwrap();
        wait_for(&watched, "one three");
    }
}
