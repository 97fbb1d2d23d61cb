//! What the command line's paths mean: which zone files are there now?
//!
//! A zone file is a file, or a symlink to one, named `*.zone` that does not start with a dot.
//! Sub-folders count only when asked for. A file named on the command line may be called anything.
//!
//! A listing tells a folder that was listed from one that is missing or unreadable, because only a
//! folder that was listed, and that still holds zone files, can say that a zone file was removed.
//! Everything else (an unmounted disk, a folder being replaced, a permission lost for a moment)
//! looks the same from here and must change nothing.

use crate::sandbox;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind::PermissionDenied};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How deep sub-folders are followed: deeper than any layout by customer, year and letter goes, and
/// an end to folders mounted into themselves.
const DEPTH_MAX: usize = 16;

/// More than a tick of any kernel's clock.
const TICK: Duration = Duration::from_millis(20);

/// What the command line says is to be served.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Folders and files.
    pub paths: Vec<PathBuf>,
    /// Whether sub-folders of folders count.
    pub recursive: bool,
    /// Folders that zone files may include from, besides their own.
    pub include_paths: Vec<PathBuf>,
}

/// A directory itself, whatever path leads to it: device and inode.
pub type DirId = (u64, u64);

/// What changes when a file does: the file itself, its size and its times. Symlinks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Device and inode.
    pub file: (u64, u64),
    /// In octets.
    pub size: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of content, name or permissions, in nanoseconds since 1970. No tool sets it back.
    pub ctime_ns: i64,
}

/// A zone file of a listing.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    /// Its path, starting as on the command line.
    pub path: Arc<Path>,
    /// Whether other directories than its own decide what it is: a symlink, or a file that was
    /// named on the command line.
    pub apart: bool,
    /// As it is now; `None` if nothing can be said (a symlink that leads nowhere), or nobody looked.
    pub fingerprint: Option<Fingerprint>,
}

/// What became of listing a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// It was read to its end and holds that many zone files, sub-folders not counted.
    Listed(usize),
    /// It is not there.
    Missing,
    /// It cannot be listed, and why.
    Unreadable(String),
}

/// Whether a zone file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// Its folder was listed and holds others, but not this one.
    Gone,
    /// It is not seen, but nothing says that somebody removed it.
    Unseen,
}

/// The zone files that are there at one moment.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their paths.
    pub files: Vec<ZoneFile>,
    /// The folders, and paths of the command line that are not there.
    pub folders: BTreeMap<PathBuf, Folder>,
}

impl Sources {
    /// What is there now.
    pub fn list(&self) -> Listing {
        self.list_with(Lister { recursive: self.recursive, looks: true, ..Lister::default() })
    }

    /// The same without looking at each file: where its directory says what a file is, there is no
    /// fingerprint.
    pub fn list_names(&self) -> Listing {
        self.list_with(Lister { recursive: self.recursive, ..Lister::default() })
    }

    /// Whether a zone file that stands in that folder is one of these.
    pub fn include(&self, folder: &Path) -> bool {
        let Ok(folder) = folder.canonicalize() else { return false };
        let is_it = |path: &Path| path.canonicalize().is_ok_and(|path| path == folder);
        let holds =
            |path: &Path| path.canonicalize().is_ok_and(|path| path.parent() == Some(&folder));
        let Listing { files, folders } = self.list_names();
        folders.keys().any(|path| is_it(path))
            || files.iter().any(|file| file.apart && holds(&file.path))
    }

    fn list_with(&self, mut lister: Lister) -> Listing {
        let kinds: Vec<_> = self.paths.iter().map(|path| (path, fs::metadata(path))).collect();
        for (path, kind) in &kinds {
            match kind {
                Ok(kind) if kind.is_dir() => lister.folder(path, 0),
                Ok(kind) if kind.is_file() => {}
                Ok(_) => lister.note(path, Folder::Unreadable("it is not a file".into())),
                Err(error) => lister.note(path, Folder::of_error(path, error)),
            }
        }
        for (path, kind) in &kinds {
            if let Ok(kind) = kind.as_ref().map(Fingerprint::of_file) {
                kind.into_iter().for_each(|fingerprint| lister.named(path, fingerprint));
            }
        }
        lister.finish()
    }

    /// Whether the command line names this file itself, by whatever path.
    fn names(&self, path: &Path) -> bool {
        let same = |named: &PathBuf| {
            named.file_name() == path.file_name() && dir_id(parent(named)) == dir_id(parent(path))
        };
        self.paths.iter().any(same)
    }

    /// Whether a zone file is there, by a listing of these sources.
    pub fn presence(&self, path: &Path, listing: &Listing) -> Presence {
        if listing.get(path).is_some() {
            return Presence::There;
        }
        match path.parent().and_then(|folder| listing.folders.get(folder)) {
            Some(Folder::Listed(1..)) if !self.names(path) => Presence::Gone,
            _ => Presence::Unseen,
        }
    }

    /// Whether what is there is a zone file, by its path and the folders of a listing.
    pub(super) fn is_zone_file(&self, path: &Path, listing: &Listing) -> bool {
        let is_in_folder = path.parent().is_some_and(|at| listing.folders.contains_key(at));
        self.names(path) || is_in_folder && path.file_name().is_some_and(is_zone_file)
    }
}

impl Listing {
    /// The file of that path.
    pub fn get(&self, path: &Path) -> Option<&ZoneFile> {
        let key = path.as_os_str();
        let at = self.files.binary_search_by(|file| file.path.as_os_str().cmp(key));
        at.ok().map(|at| &self.files[at])
    }
}

impl Folder {
    fn of_error(path: &Path, error: &io::Error) -> Folder {
        match error.kind() {
            io::ErrorKind::NotFound => Folder::Missing,
            _ if sandbox::refuses(path, error) => {
                Folder::Unreadable(format!("{error}: {}", sandbox::ADVICE))
            }
            _ => Folder::Unreadable(error.to_string()),
        }
    }
}

impl Fingerprint {
    /// Nothing is known: no file is so, and neither is one that is not there.
    pub(super) const UNKNOWN: Fingerprint =
        Fingerprint { file: (0, 0), size: u64::MAX, mtime_ns: i64::MIN, ctime_ns: i64::MIN };

    /// The fingerprint of what stands at a path now, symlinks followed.
    pub fn of(path: &Path) -> Option<Fingerprint> {
        fs::metadata(path).ok().map(|metadata| Fingerprint::new(&metadata))
    }

    /// None for what is no regular file.
    fn of_file(metadata: &Metadata) -> Option<Fingerprint> {
        metadata.is_file().then(|| Fingerprint::new(metadata))
    }

    /// The fingerprint of what was looked at.
    pub fn new(metadata: &Metadata) -> Fingerprint {
        let ns = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Fingerprint {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the same file was touched between `self` and `later`; not when another one took its
    /// place, for then each of the two can have been read whole.
    pub fn touched_in_place(&self, later: &Fingerprint) -> bool {
        self.file == later.file && self != later
    }

    /// Whether the last change lies clearly before `moment`: by more than a clock tick, in
    /// which a second change would leave the same times.
    pub fn is_older_than(&self, moment: SystemTime) -> bool {
        moment.checked_sub(TICK).is_some_and(|moment| self.was_there(moment))
    }

    /// What is known of the version that was read from `began` on, of a file seen so only then or later.
    pub(super) fn as_of(self, began: SystemTime) -> Fingerprint {
        if self.is_older_than(began) { self } else { Fingerprint::UNKNOWN }
    }

    /// How long it takes until the last change is [older](Fingerprint::is_older_than) than the moment
    /// then; `None` if it is, or lies so far in the future that a clock was set.
    pub fn settles_after(&self, now: SystemTime) -> Option<Duration> {
        let changed_ns = u64::try_from(self.ctime_ns).ok()?;
        let settled = SystemTime::UNIX_EPOCH + Duration::from_nanos(changed_ns + 1) + TICK;
        let rest = settled.duration_since(now).ok().filter(|rest| !rest.is_zero())?;
        (rest <= 2 * TICK).then_some(rest)
    }

    /// Whether the last change lies before `moment`, by the times of files.
    pub fn was_there(&self, moment: SystemTime) -> bool {
        let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).is_ok_and(|moment| self.ctime_ns < moment)
    }
}

/// Whether a file of that name in a folder is a zone file.
pub fn is_zone_file(name: &std::ffi::OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".zone") && !name.starts_with(b".")
}

/// The directory that holds what a path names.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// The directory that stands at a path now.
pub fn dir_id(path: &Path) -> Option<DirId> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

/// A listing being made.
#[derive(Default)]
struct Lister {
    recursive: bool,
    /// Whether every file is looked at.
    looks: bool,
    /// Each directory listed, and the path it was listed by: one reached twice is listed once.
    seen: HashMap<DirId, PathBuf>,
    listing: Listing,
}

impl Lister {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let id = match fs::metadata(folder) {
            Ok(metadata) if metadata.is_dir() => (metadata.dev(), metadata.ino()),
            Ok(_) => return self.note(folder, Folder::Missing),
            Err(error) => return self.note(folder, Folder::of_error(folder, &error)),
        };
        if depth > DEPTH_MAX || self.seen.contains_key(&id) {
            return;
        }
        self.seen.insert(id, folder.to_path_buf());
        let outcome = match self.entries(folder, depth) {
            Ok(count) => Folder::Listed(count),
            Err(error) => {
                self.listing.files.retain(|file| parent(&file.path) != folder);
                Folder::of_error(folder, &error)
            }
        };
        self.note(folder, outcome);
    }

    fn entries(&mut self, folder: &Path, depth: usize) -> io::Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let by_name = is_zone_file(&entry.file_name());
            let hidden = entry.file_name().as_bytes().starts_with(b".");
            if by_name && !kind.is_dir() && self.entry(&path, kind)? {
                count += 1;
            } else if self.recursive && !hidden && (kind.is_dir() || path.is_dir()) {
                self.folder(&path, depth + 1);
            }
        }
        Ok(count)
    }

    /// Takes a file that is called as zone files are; false if it is something else after all. An error
    /// says that the folder lets nobody look at its files.
    fn entry(&mut self, path: &Path, kind: FileType) -> io::Result<bool> {
        let looked = (self.looks || !kind.is_file()).then(|| fs::metadata(path));
        let fingerprint = match looked {
            Some(Ok(metadata)) if !metadata.is_file() => return Ok(false),
            Some(Ok(metadata)) => Some(Fingerprint::new(&metadata)),
            Some(Err(error)) if kind.is_file() && error.kind() == PermissionDenied => {
                return Err(io::Error::other(format!("its files cannot be looked at: {error}")));
            }
            Some(Err(_)) | None => None,
        };
        let apart = kind.is_symlink();
        self.listing.files.push(ZoneFile { path: path.into(), apart, fingerprint });
        Ok(true)
    }

    /// Takes a file of the command line, under the path that its folder was listed by, if it was.
    fn named(&mut self, path: &Path, fingerprint: Fingerprint) {
        let listed = dir_id(parent(path)).and_then(|id| self.seen.get(&id));
        let path = match (listed, path.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => path.to_path_buf(),
        };
        let fingerprint = Some(fingerprint);
        self.listing.files.push(ZoneFile { path: path.into(), apart: true, fingerprint });
    }

    fn note(&mut self, path: &Path, outcome: Folder) {
        self.listing.folders.insert(path.to_path_buf(), outcome);
    }

    fn finish(mut self) -> Listing {
        let files = &mut self.listing.files;
        files.sort_by(|a, b| {
            let by_path = a.path.as_os_str().cmp(b.path.as_os_str());
            by_path.then(b.apart.cmp(&a.apart))
        });
        files.dedup_by(|second, first| first.path == second.path);
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;

    fn tree(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        dir
    }

    fn names(dir: &TempDir, listing: &Listing) -> Vec<String> {
        let name =
            |file: &ZoneFile| file.path.strip_prefix(dir.path()).unwrap().display().to_string();
        listing.files.iter().map(name).collect()
    }

    fn sources(dir: &TempDir, paths: &[&str], recursive: bool) -> Sources {
        let paths = paths.iter().map(|path| dir.path().join(path)).collect();
        Sources { paths, recursive, ..Sources::default() }
    }

    #[test]
    fn what_a_zone_file_is() {
        let dir = tree(&["b.zone", "a.zone", ".a.zone", "a.zone~", "zone", "sub/c.zone", "named"]);
        symlink("nowhere", dir.path().join("dangling.zone")).unwrap();
        fs::create_dir(dir.path().join("folder.zone")).unwrap();
        let flat = sources(&dir, &["", "named"], false).list();
        assert_eq!(names(&dir, &flat), ["a.zone", "b.zone", "dangling.zone", "named"]);
        assert!(flat.get(&dir.path().join("dangling.zone")).unwrap().fingerprint.is_none());
        let by_name = sources(&dir, &["", "named"], false).list_names();
        assert_eq!(names(&dir, &by_name), names(&dir, &flat));
        let deep = sources(&dir, &[""], true).list();
        assert_eq!(names(&dir, &deep), ["a.zone", "b.zone", "dangling.zone", "sub/c.zone"]);
    }

    #[test]
    fn a_folder_whose_files_nobody_may_look_at_is_unreadable() {
        let dir = tree(&["a.zone", "b.zone", "sub/c.zone"]);
        let allow = |mode| fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        let sources = sources(&dir, &[""], true);
        let is_list_denied = || {
            // root may look at everything, until it gives that up; this binds one thread
            let [effective, permitted, inheritable] = [CapabilitySet::empty(); 3];
            set_capabilities(None, CapabilitySets { effective, permitted, inheritable }).unwrap();
            let listing = sources.list();
            let why = listing.folders.get(&dir.path().join("")).cloned();
            listing.files.is_empty() && matches!(why, Some(Folder::Unreadable(_)))
        };
        let denied = |mode| {
            allow(mode);
            std::thread::scope(|scope| scope.spawn(is_list_denied).join().unwrap())
        };
        let seen = [0o755, 0o644, 0o000].map(denied);
        allow(0o755);
        assert_eq!(seen, [false, true, true]);
    }

    #[test]
    fn a_change_settles_within_a_clock_tick_unless_it_lies_in_the_future() {
        let dir = tree(&["a.zone"]);
        let seen = Fingerprint::of(&dir.path().join("a.zone")).unwrap();
        let changed = u64::try_from(seen.ctime_ns).map(Duration::from_nanos).unwrap();
        let changed = SystemTime::UNIX_EPOCH + changed;
        for now in [changed - TICK / 2, changed, changed + TICK] {
            let settled = now + seen.settles_after(now).unwrap();
            assert!(seen.is_older_than(settled) && !seen.is_older_than(now));
        }
        for now in [changed - 2 * TICK, changed + 2 * TICK] {
            assert_eq!(seen.settles_after(now), None);
        }
    }

    #[test]
    fn cycles_end_and_what_is_reached_twice_counts_once() {
        let dir = tree(&["a.zone", "sub/b.zone"]);
        symlink("..", dir.path().join("sub/up")).unwrap();
        let twice = ["", ".", "a.zone", "./sub/../a.zone", "sub"];
        let listing = sources(&dir, &twice, true).list();
        assert_eq!(names(&dir, &listing), ["a.zone", "sub/b.zone"]);
    }

    #[test]
    fn only_a_listed_folder_with_other_files_says_that_one_is_gone() {
        let dir = tree(&["two/a.zone", "two/b.zone", "one/c.zone", "named"]);
        let sources = sources(&dir, &["two", "one", "named"], false);
        let presence = |file: &str| sources.presence(&dir.path().join(file), &sources.list());
        assert_eq!(presence("two/a.zone"), Presence::There);
        for file in ["two/a.zone", "one/c.zone", "named"] {
            fs::remove_file(dir.path().join(file)).unwrap();
        }
        assert_eq!(presence("two/a.zone"), Presence::Gone);
        assert_eq!(presence("one/c.zone"), Presence::Unseen);
        assert_eq!(presence("named"), Presence::Unseen);
        fs::rename(dir.path().join("two"), dir.path().join("away")).unwrap();
        assert_eq!(presence("two/a.zone"), Presence::Unseen);
        assert_eq!(sources.list().folders[&dir.path().join("two")], Folder::Missing);
    }
}
