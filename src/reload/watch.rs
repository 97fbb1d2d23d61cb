//! The file system's events: what happened to which file?
//!
//! Directories are watched, never files: a file that is renamed over takes its watch along. A
//! directory is told by device and inode, because two paths can lead to one (the kernel then has
//! one watch, and reports under one path), and one path to another directory than a moment ago.
//!
//! Reading a file is an event too; of the accesses only the close of a writer is let through, or
//! every reading would cause the next.
//!
//! What comes faster than it is taken is bounded: beyond [`EVENTS_MAX`] it is only known that events
//! were lost, as when the kernel's own queue overflows.

use super::debounce::Touch;
use super::folder::{DirId, Fingerprint, dir_id};
use super::reach::{Meaning, Reach};
use super::{Command, WatchMode};
use nix::errno::Errno;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most events that wait to be taken: as many as the kernel's queue holds by default.
const EVENTS_MAX: usize = 16_384;
/// Whether the close of a writer is reported. Elsewhere a written file has to stand still.
const CLOSE_IS_REPORTED: bool = cfg!(target_os = "linux");

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// Something happened to a zone file or an included file.
    File(Arc<Path>, Touch),
    /// What files there are has changed.
    Sweep,
    /// What files there are may have changed, though not by anything that is read now.
    SweepLater,
    /// Events were lost.
    Lost,
}

/// The watched directories.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    inbox: Arc<Mutex<Inbox>>,
    /// The path that each watch was asked for by, and the directory that stood there.
    armed: HashMap<PathBuf, DirId>,
    /// Other paths of these directories.
    aliases: HashMap<PathBuf, Vec<PathBuf>>,
    /// See [`Watch::take_ended`].
    ended: BTreeSet<PathBuf>,
    /// Why events cannot be had, until people are told.
    complaint: Option<String>,
    complained: bool,
}

/// What arming found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Armed {
    /// Whether a directory is watched that was not before: what happened in it until now is unknown.
    pub(super) news: bool,
    /// Whether every directory is watched.
    pub(super) whole: bool,
}

/// Events that were not taken yet.
#[derive(Default)]
struct Inbox {
    events: Vec<Event>,
    lost: bool,
}

impl Watch {
    /// Makes the watch. It sends [`Command::Look`] when there is something to [take](Watch::take).
    pub(super) fn new(mode: WatchMode, commands: Sender<Command>) -> Watch {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let mut watch = Watch {
            watcher: None,
            inbox: inbox.clone(),
            armed: HashMap::new(),
            aliases: HashMap::new(),
            ended: BTreeSet::new(),
            complaint: None,
            complained: false,
        };
        if mode == WatchMode::Notify {
            match notify::recommended_watcher(move |event| receive(&inbox, &commands, event)) {
                Ok(watcher) => watch.watcher = Some(watcher),
                Err(error) => watch.complain(None, &error),
            }
        }
        watch
    }

    /// Watches these directories and no others.
    pub(super) fn arm(&mut self, dirs: &BTreeSet<PathBuf>) -> Armed {
        let mut paths: BTreeMap<DirId, Vec<&PathBuf>> = BTreeMap::new();
        for dir in dirs {
            if let Some(id) = dir_id(dir) {
                paths.entry(id).or_default().push(dir);
            }
        }
        let (mut wanted, mut aliases) = (HashMap::new(), HashMap::new());
        for (id, mut paths) in paths {
            let known = paths.iter().position(|path| self.armed.get(*path) == Some(&id));
            let path = paths.swap_remove(known.unwrap_or(0)).clone();
            aliases.insert(path.clone(), paths.into_iter().cloned().collect());
            wanted.insert(path, id);
        }
        self.drop_all_but(&wanted);
        self.aliases = aliases;
        self.add(wanted)
    }

    /// What happened since it was asked last.
    pub(super) fn take(&mut self, reach: &Reach) -> Vec<Hit> {
        let Inbox { events, lost } = std::mem::take(&mut *lock(&self.inbox));
        let mut hits: Vec<Hit> = Vec::new();
        if lost || events.iter().any(Event::need_rescan) {
            hits.push(Hit::Lost);
        }
        for event in events {
            let Some(touch) = touch(&event.kind) else {
                continue;
            };
            for path in &event.paths {
                self.mistrust(path, touch);
                self.all_paths(path, |path| hits.extend(meant(reach, path, touch)));
            }
        }
        hits
    }

    /// The directories whose watch ended since this was asked last, by all of their paths: who writes
    /// there, and closes, is not heard any more.
    pub(super) fn take_ended(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.ended)
    }

    /// Why events cannot be had: told once, and again after they could be had in between.
    pub(super) fn complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    fn drop_all_but(&mut self, wanted: &HashMap<PathBuf, DirId>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.armed.retain(|path, id| {
            let stays = wanted.get(path) == Some(id);
            if !stays {
                // an error says that the watch ended with its directory, which is as good
                let _ = watcher.unwatch(path);
                self.ended.extend(all_paths_of(path, &self.aliases));
            }
            stays
        });
    }

    fn add(&mut self, wanted: HashMap<PathBuf, DirId>) -> Armed {
        let mut armed = Armed { news: false, whole: self.watcher.is_some() };
        for (path, id) in wanted {
            let Some(watcher) = &mut self.watcher else {
                break;
            };
            if self.armed.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(path, id);
                    armed.news = true;
                }
                Err(error) if is_missing(&error) => {} // it went a moment ago: its parent tells
                Err(error) => {
                    self.complain(Some(&path), &error);
                    armed.whole = false;
                }
            }
        }
        self.complained &= !armed.whole;
        armed
    }

    /// A watched directory was moved or removed, or another one took its place: its watch and those
    /// of the directories below it have ended or report under a path that is wrong by now.
    fn mistrust(&mut self, path: &Path, touch: Touch) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let comes_or_goes = matches!(touch, Touch::Removed | Touch::Replaced | Touch::Created(_));
        if comes_or_goes && self.armed.contains_key(path) {
            self.armed.retain(|dir, _| {
                let below = dir.starts_with(path);
                if below {
                    let _ = watcher.unwatch(dir);
                    self.ended.extend(all_paths_of(dir, &self.aliases));
                }
                !below
            });
        }
    }

    /// Calls `each` with every path of what stands at `path`.
    fn all_paths(&self, path: &Path, mut each: impl FnMut(&Path)) {
        each(path);
        if let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
            let aliases = self.aliases.get(dir).into_iter().flatten();
            aliases.for_each(|alias| each(&alias.join(name)));
        }
    }

    fn complain(&mut self, path: Option<&Path>, error: &notify::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            self.complaint = Some(complaint(path, error));
        }
    }
}

/// A watched directory by its own path and the others.
fn all_paths_of(dir: &Path, aliases: &HashMap<PathBuf, Vec<PathBuf>>) -> Vec<PathBuf> {
    let others = aliases.get(dir).into_iter().flatten().cloned();
    std::iter::once(dir.to_path_buf()).chain(others).collect()
}

/// Takes an event from the watcher's thread; wakes the worker if it has nothing to take yet.
fn receive(inbox: &Mutex<Inbox>, commands: &Sender<Command>, event: notify::Result<Event>) {
    let event = event.unwrap_or_else(|_| {
        Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan) // who knows what it was
    });
    if touch(&event.kind).is_none() && !event.need_rescan() {
        return;
    }
    let mut inbox = lock(inbox);
    let was_empty = inbox.events.is_empty() && !inbox.lost;
    inbox.push(event);
    if was_empty {
        // without a worker there is nobody to tell
        let _ = commands.send(Command::Look);
    }
}

impl Inbox {
    fn push(&mut self, event: Event) {
        let again = |last: &Event| last.kind == event.kind && last.paths == event.paths;
        if self.events.last().is_some_and(again) {
            return; // a large file is written in many pieces
        }
        match self.events.len() < EVENTS_MAX {
            true => self.events.push(event),
            false => self.lost = true,
        }
    }
}

/// A thread that panicked left a list of events behind, which is as good as any.
fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What kind of thing happened; `None` for what changes nothing.
fn touch(kind: &EventKind) -> Option<Touch> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Touch::Closed),
        EventKind::Access(_) => None,
        EventKind::Create(_) => Some(Touch::Created(None)),
        EventKind::Remove(_) => Some(Touch::Removed),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Touch::Replaced),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(Touch::Removed),
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None, // From and To said it
        EventKind::Modify(ModifyKind::Name(_)) => Some(Touch::Created(None)),
        EventKind::Modify(ModifyKind::Data(_)) if CLOSE_IS_REPORTED => Some(Touch::Modified),
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => Some(Touch::Differs(None)),
    }
}

fn meant(reach: &Reach, path: &Path, touch: Touch) -> Vec<Hit> {
    match reach.meaning(path) {
        Meaning::Files(files) => {
            let hits = files.into_iter().map(|file| {
                let touch = look(&file, touch);
                Hit::File(file, touch)
            });
            hits.chain((touch == Touch::Removed).then_some(Hit::Sweep)).collect()
        }
        Meaning::Way => vec![Hit::Sweep],
        Meaning::Other => vec![Hit::SweepLater],
        Meaning::Nothing => Vec::new(),
    }
}

/// Adds how the file is now, where that matters.
fn look(file: &Path, touch: Touch) -> Touch {
    match touch {
        Touch::Created(_) => Touch::Created(Fingerprint::of(file)),
        Touch::Differs(_) => Touch::Differs(Fingerprint::of(file)),
        other => other,
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn complaint(path: Option<&Path>, error: &notify::Error) -> String {
    let what = path.map_or("changes".into(), |path| path.display().to_string());
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => format!(
            "{what}: cannot be watched, the system's limit is reached; \
             raise it with `sysctl fs.inotify.max_user_watches=1048576`"
        ),
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(Errno::EMFILE as i32) => format!(
            "{what}: cannot be watched, too many programs watch files; \
             raise the limit with `sysctl fs.inotify.max_user_instances=1024`"
        ),
        kind => {
            let kind = match kind {
                notify::ErrorKind::Io(io) => io.to_string(),
                notify::ErrorKind::Generic(text) => text.clone(),
                kind => format!("{kind:?}"),
            };
            format!("{what}: cannot be watched ({kind})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, MetadataKind, RemoveKind};

    #[test]
    fn what_events_say() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let renamed = |mode| EventKind::Modify(ModifyKind::Name(mode));
        let cases = [
            (open, None),
            (read, None),
            (written, Some(Touch::Closed)),
            (renamed(RenameMode::To), Some(Touch::Replaced)),
            (renamed(RenameMode::From), Some(Touch::Removed)),
            (renamed(RenameMode::Both), None),
            (EventKind::Create(CreateKind::File), Some(Touch::Created(None))),
            (EventKind::Remove(RemoveKind::File), Some(Touch::Removed)),
            (
                EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
                Some(Touch::Differs(None)),
            ),
        ];
        for (kind, expected) in cases {
            assert_eq!(touch(&kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_limit_that_is_reached_is_named_with_the_way_to_raise_it() {
        let watches = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        assert!(complaint(None, &watches).contains("sysctl fs.inotify.max_user_watches="));
        let instances = std::io::Error::from_raw_os_error(Errno::EMFILE as i32);
        let text = complaint(Some(Path::new("zones")), &notify::Error::io(instances));
        assert!(text.starts_with("zones: ") && text.contains("fs.inotify.max_user_instances="));
    }

    #[test]
    fn a_burst_is_bounded_and_repetitions_cost_nothing() {
        let (inbox, (commands, woken)) = (Mutex::default(), std::sync::mpsc::channel());
        let write = |n: usize| {
            let kind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
            receive(&inbox, &commands, Ok(Event::new(kind).add_path(n.to_string().into())));
        };
        (0..10_000).for_each(|_| write(0));
        assert_eq!(lock(&inbox).events.len(), 1);
        (0..EVENTS_MAX * 2).for_each(write);
        let inbox = lock(&inbox);
        assert!(inbox.events.len() == EVENTS_MAX && inbox.lost);
        assert_eq!(woken.try_iter().count(), 1, "one wake-up for all of them");
    }

    #[test]
    fn a_watch_that_ends_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let (commands, _woken) = std::sync::mpsc::channel();
        let mut watch = Watch::new(WatchMode::Notify, commands);
        let [path, alias] = [dir.path().join("a"), dir.path().join("b")];
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::symlink("a", &alias).unwrap();
        let both = BTreeSet::from([path, alias]);
        watch.arm(&both);
        assert!(watch.take_ended().is_empty());
        watch.arm(&BTreeSet::new());
        assert_eq!(watch.take_ended(), both, "two paths of one directory");
        assert!(watch.take_ended().is_empty());
    }
}
