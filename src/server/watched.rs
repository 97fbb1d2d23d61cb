//! Files that are read again while all goes on: by a thread of its own, since a file may keep its
//! reader waiting and the loop waits for nobody.
//!
//! The file system's events say when to look, SIGHUP says so too, and a slow look finds what neither told.
//! Files that are others than before are read once their writers have closed them, as far as the system
//! tells, and they have stood still, for who writes a file empties it first; all of them are read at once
//! for SIGHUP. A reading that gives nothing changes nothing.

use crate::reload::folder::Fingerprint;
use mio::Waker;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files must have stood still for so long: editors write in steps.
const SETTLE: Duration = Duration::from_millis(100);
/// The same if one of them is empty: its text is on the way, most likely.
const SETTLE_EMPTY: Duration = Duration::from_secs(2);

/// How long a close is waited for: it may have been lost, or a program may have been stopped.
const HELD_MAX: Duration = Duration::from_secs(600);
/// How long a writer may keep a file open before people are told what is waited for.
const HELD_NOTE_AFTER: Duration = Duration::from_secs(10);

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

/// Why files are looked at, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Something happened near them, or it is time.
    Hint,
    /// Somebody wants them read.
    Asked,
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
            let writers = Writers::default();
            let mut folders = Folders::new(look, events, writers.clone());
            let period = match look {
                Look::AtEvents(period) | Look::Every(period) => Some(period),
                Look::Never => None,
            };
            let mut cause = Some(Cause::Hint); // they may have changed before anybody watched
            while let Some(why) = cause {
                seen.keys().for_each(|path| folders.watch(path));
                let Some(others) = others(&mut seen, why, &asking, &writers) else { break };
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

/// Looks at files, until they stand still or somebody asks; those that are not as they were, or all if
/// somebody asks. None to end.
fn others(
    seen: &mut Seen,
    mut why: Cause,
    asking: &Receiver<Cause>,
    writers: &Writers,
) -> Option<Vec<PathBuf>> {
    let (mut found, mut held) = (look(seen), Held::default());
    let mut until = Instant::now() + settle_time(seen, &found);
    while why == Cause::Hint && found != *seen {
        match asking.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(cause) => why = gravest(cause, asking),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        let now = look(seen);
        if now != found || held.goes_on(writers.open_file(seen)) {
            until = Instant::now() + settle_time(seen, &now);
            found = now;
        } else if Instant::now() >= until {
            break;
        }
    }
    let before = std::mem::replace(seen, found);
    let is_other = |path: &&PathBuf| why == Cause::Asked || before.get(*path) != seen.get(*path);
    Some(seen.keys().filter(is_other).cloned().collect())
}

/// How long writers have been waited for.
struct Held {
    since: Instant,
    told: bool,
}

impl Default for Held {
    fn default() -> Held {
        Held { since: Instant::now(), told: false }
    }
}

impl Held {
    /// Whether a file that is being written is to be waited for.
    fn goes_on(&mut self, open: Option<&Path>) -> bool {
        let Some(path) = open else { return false };
        let elapsed = self.since.elapsed();
        if elapsed >= HELD_NOTE_AFTER && !std::mem::replace(&mut self.told, true) {
            log::info!("{}: a program is writing it; it is read when it is closed", path.display());
        }
        elapsed < HELD_MAX
    }
}

/// The same files as they are now.
fn look(seen: &Seen) -> Seen {
    seen.keys().map(|path| (path.clone(), Fingerprint::of(path))).collect()
}

fn settle_time(seen: &Seen, found: &Seen) -> Duration {
    let emptied = |(path, now): (&PathBuf, &Option<Fingerprint>)| {
        now.is_some_and(|now| now.size == 0) && seen.get(path) != Some(now)
    };
    if found.iter().any(emptied) { SETTLE_EMPTY } else { SETTLE }
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

/// Waits until there is a cause; none to end.
fn wait(asking: &Receiver<Cause>, period: Option<Duration>) -> Option<Cause> {
    let first = match period {
        Some(period) => asking.recv_timeout(period),
        None => asking.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    match first {
        Ok(first) => Some(gravest(first, asking)),
        Err(RecvTimeoutError::Timeout) => Some(Cause::Hint),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// The gravest of a cause and all others that are there: a burst of events is one.
fn gravest(first: Cause, asking: &Receiver<Cause>) -> Cause {
    asking.try_iter().fold(first, Cause::max)
}

/// The folders in which the files and what they link to stand.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn new(look: Look, asked: Sender<Cause>, writers: Writers) -> Folders {
        let heard = move |event: notify::Result<notify::Event>| {
            event.iter().for_each(|event| writers.note(event));
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

/// The files, without links on the way to them, that somebody has written to and not closed yet.
#[derive(Clone, Default)]
struct Writers(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Writers {
    fn note(&self, event: &notify::Event) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in event.paths.iter().filter_map(|path| resolved(path)) {
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) if cfg!(target_os = "linux") => {
                    open.insert(path);
                }
                EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Remove(_)
                | EventKind::Modify(ModifyKind::Name(_)) => {
                    open.remove(&path);
                }
                _ => {}
            }
        }
    }

    /// One of these files that is not closed yet.
    fn open_file<'s>(&self, seen: &'s Seen) -> Option<&'s Path> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |path: &&PathBuf| path.canonicalize().is_ok_and(|path| open.contains(&path));
        seen.keys().find(is_open).map(PathBuf::as_path)
    }
}

/// Where an event was, also if nothing is there any more.
fn resolved(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
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
    fn a_file_that_was_emptied_is_read_once_its_text_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        let ((_asked, asking), begun) = (mpsc::channel(), Instant::now());
        let mut seen = Seen::from([(path.clone(), None)]);
        std::thread::scope(|scope| {
            let now = &mut seen;
            let looking =
                scope.spawn(move || others(now, Cause::Hint, &asking, &Writers::default()));
            while !looking.is_finished() && begun.elapsed() < 2 * SETTLE {
                std::thread::sleep(SETTLE / 20); // its writer pauses
            }
            std::fs::write(&path, "text").unwrap();
            assert_eq!(looking.join().unwrap(), Some(vec![path.clone()]));
        });
        let has_text = seen[&path].is_some_and(|seen| seen.size == 4);
        assert!(has_text || begun.elapsed() >= SETTLE_EMPTY, "read while it was empty");
    }

    #[test]
    fn a_file_that_became_empty_is_believed_later_than_one_that_was() {
        let print = |size| Fingerprint { file: (1, 1), size, mtime_ns: 1, ctime_ns: 1 };
        let files = |size| Seen::from([("file".into(), Some(print(size)))]);
        assert_eq!(settle_time(&files(1), &files(0)), SETTLE_EMPTY);
        for (before, now) in [(0, 0), (0, 1), (1, 2)] {
            assert_eq!(settle_time(&files(before), &files(now)), SETTLE);
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
