//! Where do the file system's events not tell of every change?
//!
//! On a network mount nobody tells of what others wrote. A file that is a mount by itself, as containers
//! have them, is the one that was there at the start: what takes its name elsewhere is another file. And
//! some mounts hide what they are; there it shows when the sweep finds a change of which no event comes.
//! In each of these cases the files are compared more often, and people are told so, once.

use super::folder::{Fingerprint, Listing, dir_id, parent};
use super::watch::Hit;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How long after a change its event may come: the kernel queues it at once, and a machine that is busy
/// passes it on later.
const EVENT_WAIT: Duration = Duration::from_secs(2);

/// File systems on which others change files, by the numbers of linux/magic.h and of the file systems'
/// own sources.
const REMOTE: [(u32, &str); 12] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"), // virtiofs, too
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x786f_4256, "VirtualBox"),
    (0x4750_4653, "GPFS"),
];

/// Whether events can be trusted.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Files that were found changed without an event, and when.
    unheard: HashMap<Arc<Path>, Instant>,
    /// No event came for one of them.
    lost: bool,
    /// What the next sweep finds may have happened while nobody listened, until then.
    deaf_until: Option<SystemTime>,
    doubted: bool,
    /// What was told; each is told once.
    told: HashSet<String>,
}

impl Trust {
    /// A sweep found that a file is not what it was, and no event has told of it yet.
    pub(super) fn found(
        &mut self,
        file: &Arc<Path>,
        [before, is]: [Option<Fingerprint>; 2],
        now: Instant,
    ) {
        // a link to a file that is made elsewhere changes its third time, without an event here
        let content = |seen: Option<Fingerprint>| seen.map(|is| (is.file, is.size, is.mtime_ns));
        let could_hear =
            self.deaf_until.is_none_or(|until| is.is_some_and(|is| !is.was_there(until)));
        if !self.doubted && could_hear && content(before) != content(is) {
            self.unheard.entry(file.clone()).or_insert(now);
        }
    }

    /// An event came. One about a directory may be about any file.
    pub(super) fn heard(&mut self, hit: &Hit) {
        match hit {
            Hit::File(file, _) => drop(self.unheard.remove(file)),
            Hit::Sweep | Hit::SweepLater | Hit::Lost => self.unheard.clear(),
        }
    }

    /// Another directory is watched, or one no longer: what happened until now is unknown, whether a
    /// sweep has found it or will.
    pub(super) fn forget(&mut self) {
        self.unheard.clear();
        self.deaf_until = Some(SystemTime::now());
    }

    /// Whether the files are to be compared more often.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// When there is more to say, whatever happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unheard.values().min().map(|found| *found + EVENT_WAIT)
    }

    /// Says why events cannot be trusted as of now, after a sweep, if that is new.
    pub(super) fn judge(&mut self, listing: &Listing, now: Instant) -> Option<String> {
        self.deaf_until = None;
        let why = self.unheard_for_long(now);
        self.lost |= why.is_some();
        let why = why.or_else(|| remote(listing)).or_else(|| mounted(listing));
        self.doubted = self.lost || why.is_some();
        why.filter(|why| self.told.insert(why.clone()))
    }

    fn unheard_for_long(&mut self, now: Instant) -> Option<String> {
        let mut files = self.unheard.iter();
        let (file, _) = files.find(|(_, found)| **found + EVENT_WAIT <= now)?;
        let why = format!("{}: changed, and no event told of it", file.display());
        self.unheard.clear();
        (!self.lost).then_some(why) // one tells of all
    }
}

/// A folder on a file system that others change.
fn remote(listing: &Listing) -> Option<String> {
    let files = listing.files.iter().filter(|file| file.apart).map(|file| parent(&file.path));
    let mut folders = listing.folders.keys().map(PathBuf::as_path).chain(files);
    folders.find_map(|folder| {
        let kind = remote_kind(kind(folder)?)?;
        let folder = folder.display();
        Some(format!("{folder}: lies on a {kind} mount, where not every change is reported"))
    })
}

/// The number of the file system that holds a path.
fn kind(path: &Path) -> Option<u32> {
    let kind = statfs(path).ok()?.f_type;
    u32::try_from(kind & 0xffff_ffff).ok() // it has 32 bits, and a sign on some machines
}

fn remote_kind(kind: u32) -> Option<&'static str> {
    REMOTE.iter().find(|row| row.0 == kind).map(|row| row.1)
}

/// A file that is a mount by itself. In a container it lies on another device than its folder.
fn mounted(listing: &Listing) -> Option<String> {
    let mut devices = HashMap::new();
    let mut elsewhere = |path: &Path, is: Option<Fingerprint>| {
        let folder = parent(path).to_path_buf();
        let device =
            *devices.entry(folder).or_insert_with_key(|folder| dir_id(folder).map(|id| id.0));
        is.is_some_and(|is| device.is_some_and(|device| device != is.file.0))
    };
    let mut files = listing.files.iter().filter(|file| elsewhere(&file.path, file.fingerprint));
    let file = files.find(|file| is_mount(&file.path))?;
    let file = file.path.display();
    Some(format!(
        "{file}: is mounted by itself, so that a file that replaces it elsewhere is never seen here: \
         mount its folder instead; of what is written into it not every change is reported"
    ))
}

fn is_mount(path: &Path) -> bool {
    let seen = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    seen.is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::debounce::Touch;

    fn print(size: u64, ctime_ns: i64) -> Option<Fingerprint> {
        Some(Fingerprint { file: (1, 1), size, mtime_ns: 0, ctime_ns })
    }

    /// What is said a moment and a while after a change from `before` was found, if `heard` came meanwhile.
    fn said(before: Option<Fingerprint>, heard: Option<&Hit>) -> [Option<String>; 3] {
        let (mut trust, now, listing) = (Trust::default(), Instant::now(), Listing::default());
        let file: Arc<Path> = Arc::from(Path::new("a.zone"));
        trust.found(&file, [before, print(2, 2)], now);
        let first = trust.judge(&listing, now);
        heard.iter().for_each(|hit| trust.heard(hit));
        let second = trust.judge(&listing, now + EVENT_WAIT);
        assert_eq!(trust.is_doubted(), second.is_some());
        trust.found(&file, [before, print(2, 2)], now + EVENT_WAIT);
        [first, second.clone(), second.and(trust.judge(&listing, now + 2 * EVENT_WAIT))]
    }

    #[test]
    fn a_change_of_which_no_event_tells_is_told_once() {
        let changed = Some("a.zone: changed, and no event told of it".to_string());
        assert_eq!(said(print(1, 1), None), [None, changed.clone(), None]);
        assert_eq!(said(None, None), [None, changed, None], "a new file");
    }

    #[test]
    fn an_event_that_comes_late_is_an_event() {
        let file: Arc<Path> = Arc::from(Path::new("a.zone"));
        assert_eq!(said(print(1, 1), Some(&Hit::File(file, Touch::Closed))), [None, None, None]);
        assert_eq!(
            said(print(1, 1), Some(&Hit::Sweep)),
            [None, None, None],
            "a folder was replaced"
        );
        assert_eq!(said(print(1, 1), Some(&Hit::Lost)), [None, None, None]);
        let other: Arc<Path> = Arc::from(Path::new("b.zone"));
        assert!(said(print(1, 1), Some(&Hit::File(other, Touch::Closed)))[1].is_some());
    }

    #[test]
    fn what_happened_before_the_watch_began_needs_no_event() {
        let (mut trust, now, listing) = (Trust::default(), Instant::now(), Listing::default());
        let file: Arc<Path> = Arc::from(Path::new("a.zone"));
        trust.forget();
        for (after, is_told) in [(EVENT_WAIT, false), (2 * EVENT_WAIT, true)] {
            trust.found(&file, [print(1, 1), print(2, 2)], now);
            assert_eq!(trust.judge(&listing, now + after).is_some(), is_told, "the first sweep");
        }
    }

    #[test]
    fn a_link_made_elsewhere_is_no_change() {
        assert_eq!(said(print(2, 1), None), [None, None, None]);
    }

    #[test]
    fn mounts_that_others_change_are_known_and_those_of_this_machine_are_not() {
        assert_eq!(remote_kind(0x6969), Some("NFS"));
        let local = [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630];
        assert!(
            local.iter().all(|kind| remote_kind(*kind).is_none()),
            "ext4 tmpfs btrfs xfs overlay"
        );
        let dir = tempfile::tempdir().unwrap();
        assert!(kind(dir.path()).is_some() && kind(&dir.path().join("missing")).is_none());
        assert!(is_mount(Path::new("/")) && !is_mount(dir.path()));
    }
}
