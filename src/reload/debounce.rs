//! From events to "read this file now": when is a file whole?
//!
//! A file that was renamed into place or closed after writing is whole at once. One that is being
//! written is whole when its writer closes it, however long it pauses. Where nothing tells of the
//! close (a change found by the sweep, a hard link, a network mount) a file counts as whole when it
//! has stood still for a moment. Where the close may have been missed, because events were lost, it must
//! stand still for much longer: most likely the writer only pauses.
//!
//! ```text
//!            Closed, Replaced
//!   ┌───────────────────────────────────────────▶ ready
//!   │  Modified ──▶ held ── Closed, Replaced ───▶   ▲
//!   │               ▲ └─ close missed? ─────────────┤ stood still
//!   └─ Created, ────┴─▶ settling ───────────────────┘
//!      Differs   Modified   └─ moved: settles anew
//! ```
//!
//! Pure: time and fingerprints are arguments.

use super::folder::Fingerprint;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a file of which no close is reported must stand still: longer than the pauses of a
/// program that writes, short enough to feel immediate.
const SETTLE: Duration = Duration::from_millis(100);
/// The same for an empty file: truncated a moment ago, most likely, with its text on the way.
const SETTLE_EMPTY: Duration = Duration::from_secs(2);
/// The same for a file that was being written when events were lost: longer than most pauses of a writer
/// who is still there, and not long for one whose close was lost.
const SETTLE_DOUBTED: Duration = Duration::from_secs(10);
/// How long the close of a file is waited for that nobody writes to any more. It ends the wait when
/// there is no close to come (`truncate(2)` changes a file without opening it), and it is longer
/// than any transfer stalls before it is given up.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(600);
/// How long a writer may keep a file open before people are told what is waited for.
const HELD_NOTE_AFTER: Duration = Duration::from_secs(10);

/// What was noticed of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Closed by one who could write to it.
    Closed,
    /// Renamed into place.
    Replaced,
    /// Written to; the close is to come.
    Modified,
    /// It appeared, and is so now.
    Created(Option<Fingerprint>),
    /// It is not what was read, and is so now.
    Differs(Option<Fingerprint>),
    /// It is there no more.
    Removed,
}

/// The files that are about to be read.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    waits: HashMap<Arc<Path>, Wait>,
    ready: BTreeSet<Arc<Path>>,
    written: HashSet<Arc<Path>>,
    /// Those that stood still and were not touched since.
    settled: HashSet<Arc<Path>>,
}

#[derive(Debug)]
struct Wait {
    /// A writer has the file open.
    held: bool,
    /// It may have closed the file unheard.
    doubted: bool,
    since: Instant,
    until: Instant,
    /// As it was when the waiting began.
    fingerprint: Option<Fingerprint>,
    /// Whether people know.
    told: bool,
}

impl Debounce {
    /// Takes note of something that happened to a file.
    pub(super) fn note(&mut self, file: &Arc<Path>, touch: Touch, now: Instant) {
        if matches!(touch, Touch::Modified | Touch::Closed) {
            self.written.insert(file.clone());
        }
        self.settled.remove(file);
        match touch {
            Touch::Closed | Touch::Replaced => {
                self.waits.remove(file);
                self.ready.insert(file.clone());
            }
            Touch::Modified => self.hold(file, now),
            Touch::Created(Some(new)) if new.size == 0 && cfg!(target_os = "linux") => {
                self.hold(file, now);
            }
            Touch::Created(seen) | Touch::Differs(seen) => self.settle(file, seen, now),
            Touch::Removed => {
                self.waits.remove(file);
                self.ready.remove(file);
            }
        }
    }

    /// The files that are whole now, in the order of their paths. `look` tells how a file is now.
    pub(super) fn due(
        &mut self,
        now: Instant,
        mut look: impl FnMut(&Path) -> Option<Fingerprint>,
    ) -> BTreeSet<Arc<Path>> {
        for (file, wait) in self.waits.iter_mut().filter(|(_, wait)| wait.until <= now) {
            let fingerprint = look(file);
            if wait.held && !wait.doubted || fingerprint == wait.fingerprint {
                self.ready.insert(file.clone());
                self.settled.insert(file.clone());
            } else {
                wait.settle(fingerprint, now);
            }
        }
        let ready = std::mem::take(&mut self.ready);
        self.waits.retain(|file, _| !ready.contains(file));
        ready
    }

    /// When [`Debounce::due`] is to be asked next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match self.ready.is_empty() {
            true => self.waits.values().map(|wait| wait.until).min(),
            false => Some(now),
        }
    }

    /// Whether a writer has the file open, as far as is known.
    pub(super) fn is_held(&self, file: &Path) -> bool {
        self.waits.get(file).is_some_and(|wait| wait.held)
    }

    /// Whether the file is to be read, when it is whole.
    pub(super) fn awaits(&self, file: &Path) -> bool {
        self.waits.contains_key(file) || self.ready.contains(file)
    }

    /// The files that were written to in place since this was asked last: what was read of them
    /// meanwhile may be half of it. Each of them is held, or ready to be read once more.
    pub(super) fn take_written(&mut self) -> HashSet<Arc<Path>> {
        std::mem::take(&mut self.written)
    }

    /// Whether the file stood still for a while before it became ready, and is as it was then.
    pub(super) fn is_settled(&self, file: &Path) -> bool {
        self.settled.contains(file)
    }

    /// Events about these files were lost, or their folder is watched no longer: a close may have been
    /// among what was not heard, and the writer may just as well still be there. `look` tells how a file
    /// is now.
    pub(super) fn doubt_writers(
        &mut self,
        now: Instant,
        is_meant: impl Fn(&Path) -> bool,
        mut look: impl FnMut(&Path) -> Option<Fingerprint>,
    ) {
        for (file, wait) in self.waits.iter_mut().filter(|(file, w)| w.held && is_meant(file)) {
            wait.doubted = true;
            wait.settle(look(file), now);
        }
    }

    /// The files that a writer has kept open for so long that people wonder; each once.
    pub(super) fn long_held(&mut self, now: Instant) -> Vec<Arc<Path>> {
        let long = |wait: &Wait| wait.held && !wait.told && now >= wait.since + HELD_NOTE_AFTER;
        let mut files = Vec::new();
        for (file, wait) in self.waits.iter_mut().filter(|(_, wait)| long(wait)) {
            wait.told = true;
            files.push(file.clone());
        }
        files
    }

    fn hold(&mut self, file: &Arc<Path>, now: Instant) {
        self.ready.remove(file);
        let until = now + CLOSE_WAIT_MAX;
        match self.waits.get_mut(file) {
            Some(wait) if wait.held => (wait.doubted, wait.until) = (false, until),
            _ => {
                let wait = Wait { held: true, until, ..Wait::new(now) };
                self.waits.insert(file.clone(), wait);
            }
        }
    }

    fn settle(&mut self, file: &Arc<Path>, seen: Option<Fingerprint>, now: Instant) {
        let waits_already =
            self.waits.get(file).is_some_and(|wait| wait.held || wait.fingerprint == seen);
        if !waits_already && !self.ready.contains(file) {
            let mut wait = Wait::new(now);
            wait.settle(seen, now);
            self.waits.insert(file.clone(), wait);
        }
    }
}

impl Wait {
    fn new(now: Instant) -> Wait {
        let (held, doubted, told) = (false, false, false);
        Wait { held, doubted, since: now, until: now, fingerprint: None, told }
    }

    /// The file, so now, must stand still from now on.
    fn settle(&mut self, seen: Option<Fingerprint>, now: Instant) {
        let time = match seen {
            _ if self.doubted => SETTLE_DOUBTED,
            Some(Fingerprint { size: 0, .. }) => SETTLE_EMPTY,
            _ => SETTLE,
        };
        (self.fingerprint, self.until) = (seen, now + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Touch::{Closed, Modified, Removed, Replaced};

    fn print(size: u64) -> Option<Fingerprint> {
        Some(Fingerprint { file: (1, 1), size, mtime_ns: 0, ctime_ns: 0 })
    }

    fn created(size: u64) -> Touch {
        Touch::Created(print(size))
    }

    fn differs(size: u64) -> Touch {
        Touch::Differs(print(size))
    }

    /// Plays touches at their milliseconds, the file having `size` from then on, and gives the
    /// milliseconds at which the file became ready. Time jumps from deadline to deadline.
    fn play(script: &[(u64, Touch, u64)], end_ms: u64) -> Vec<u64> {
        let (start, file) = (Instant::now(), Arc::from(Path::new("a.zone")));
        let at = |ms| start + Duration::from_millis(ms);
        let (mut debounce, mut ready, mut now, mut size) = (Debounce::default(), vec![], 0, 0);
        let mut script = script.iter().peekable();
        loop {
            while let Some((_, touch, then)) = script.next_if(|step| step.0 <= now) {
                debounce.note(&file, *touch, at(now));
                size = *then;
            }
            if !debounce.due(at(now), |_| print(size)).is_empty() {
                ready.push(now);
            }
            let deadline = debounce.deadline(at(now));
            let deadline = deadline.map(|when| when.duration_since(start).as_millis());
            let next = [deadline.and_then(|ms| u64::try_from(ms).ok()), script.peek().map(|s| s.0)];
            match next.into_iter().flatten().min() {
                Some(next) if next <= end_ms => now = next,
                _ => return ready,
            }
        }
    }

    #[test]
    fn a_closed_or_replaced_file_is_ready_at_once() {
        assert_eq!(play(&[(5, Closed, 9)], 10_000), [5]);
        assert_eq!(play(&[(5, Replaced, 9), (6, Replaced, 8)], 10_000), [5, 6]);
        assert_eq!(play(&[(0, differs(9), 9), (50, Replaced, 8)], 10_000), [50]);
    }

    #[test]
    fn a_writer_is_waited_for_whatever_it_does_meanwhile() {
        let slow =
            [(0, Modified, 0), (900, Modified, 5), (7_000, differs(5), 5), (9_000, Closed, 9)];
        assert_eq!(play(&slow, 20_000), [9_000]);
        assert_eq!(play(&[(0, created(0), 0), (5_000, Closed, 9)], 20_000), [5_000]);
        assert_eq!(play(&[(0, created(0), 0), (1, Modified, 4), (2, Closed, 9)], 9_000), [2]);
        assert_eq!(play(&[(0, differs(4), 4), (50, Modified, 5)], 9_000), [0; 0]);
    }

    #[test]
    fn a_writer_who_never_closes_is_given_up_in_the_end() {
        assert_eq!(play(&[(0, Modified, 4)], 700_000), [600_000]);
        assert_eq!(play(&[(0, Modified, 4), (400_000, Modified, 5)], 1_100_000), [1_000_000]);
    }

    #[test]
    fn what_has_no_close_must_stand_still() {
        assert_eq!(play(&[(0, created(7), 7)], 9_000), [100]);
        assert_eq!(play(&[(0, differs(7), 7), (60, differs(7), 7)], 9_000), [100]);
        assert_eq!(play(&[(0, differs(7), 7), (60, differs(8), 8)], 9_000), [160]);
        assert_eq!(play(&[(0, differs(7), 8)], 9_000), [200], "it moved without a word");
        assert_eq!(play(&[(0, differs(0), 0)], 9_000), [2_000]);
    }

    #[test]
    fn a_removed_file_is_not_read() {
        assert_eq!(play(&[(0, differs(7), 7), (60, Removed, 0)], 9_000), [0; 0]);
        assert_eq!(play(&[(0, Closed, 7), (0, Removed, 0)], 9_000), [0; 0]);
    }

    #[test]
    fn a_writer_who_keeps_a_file_open_is_told_once() {
        let (mut debounce, now) = (Debounce::default(), Instant::now());
        let file: Arc<Path> = Arc::from(Path::new("a.zone"));
        debounce.note(&file, Modified, now);
        assert!(debounce.is_held(&file) && debounce.long_held(now).is_empty());
        assert_eq!(debounce.long_held(now + HELD_NOTE_AFTER).len(), 1);
        assert!(debounce.long_held(now + HELD_NOTE_AFTER).is_empty(), "told once");
    }

    #[test]
    fn after_lost_events_a_written_file_must_stand_still_for_long_unless_its_writer_is_heard_again()
    {
        let (start, mut size) = (Instant::now(), 4);
        let at = |seconds| start + Duration::from_secs(seconds);
        let [file, other] = ["a.zone", "b.zone"].map(|file| Arc::from(Path::new(file)));
        let mut debounce = Debounce::default();
        debounce.note(&file, Modified, start);
        debounce.note(&other, Modified, start);
        debounce.doubt_writers(start, |path| *path == *file, |_| print(size));
        debounce.note(&file, differs(4), at(1));
        size = 5;
        assert!(debounce.due(at(10), |_| print(size)).is_empty() && debounce.is_held(&file));
        assert_eq!(debounce.due(at(20), |_| print(size)), [file.clone()].into(), "one was meant");
        debounce.note(&file, Modified, at(20));
        debounce.doubt_writers(at(20), |_| true, |_| print(size));
        debounce.note(&file, Modified, at(21));
        assert_eq!(debounce.due(at(90), |_| print(size)), [other].into());
        debounce.note(&file, Closed, at(90));
        assert_eq!(debounce.due(at(90), |_| print(size)), [file].into());
    }
}
