//! One step of reloading after the other: look what happened, read what is whole, say what changes.
//!
//! The library joins the parts that know the disk (listing, watch, reading) with those that do not
//! ([`debounce`](super::debounce), [`claims`](super::claims)). A step is bounded: what happened
//! meanwhile is taken first and all at once, however much it is, and at most [`BATCH_MAX`] files
//! are read, each once.
//!
//! What a reading changes, and whether it counts, is [judged](super::judging) once what happened meanwhile
//! is known.

use super::asked::Asked;
use super::claims::{Claims, Holding};
use super::debounce::{Debounce, Touch};
use super::folder::{Fingerprint, Listing, Sources};
use super::groups::Groups;
use super::load::{Earlier, Loaded, load_again};
use super::notice::Notice;
use super::numbering::{Memory, clock};
use super::reach::Reach;
use super::reading::{Reader, Reading};
use super::serial::Numbering;
use super::trust::Trust;
use super::version::Version;
use super::watch::{Hit, Watch};
use super::{Command, Options, Step, WatchMode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The least time between two sweeps: in a burst of events each may ask for one.
const SWEEP_GAP: Duration = Duration::from_millis(50);
/// The most files read in one step: what changes together reaches the loop in portions, and the
/// worker can be told to end in between.
const BATCH_MAX: usize = 256;
/// How long after a reading its events are waited for: the kernel reports a writer at once, but the
/// watcher's thread has yet to pass it on.
const CATCH_UP: Duration = Duration::from_millis(3);

/// The zone files, the zones that they hold, and what is known of their changes.
pub struct Library {
    pub(super) sources: Sources,
    pub(super) options: Options,
    read: Reader,
    pub(super) claims: Claims,
    /// The serials that were served last.
    pub(super) memory: Memory,
    pub(super) debounce: Debounce,
    pub(super) watch: Watch,
    pub(super) trust: Trust,
    pub(super) listing: Listing,
    pub(super) reach: Reach,
    /// The folders that were empty or missing and are being filled again, and when each last grew.
    pub(super) refilling: HashMap<PathBuf, Instant>,
    /// What the files were, and included, whose last reading did not count.
    pub(super) uncounted: HashMap<Arc<Path>, Version>,
    /// The files to be read.
    pub(super) queue: BTreeSet<Arc<Path>>,
    pub(super) groups: Groups,
    /// What was asked to be read again and is not through yet.
    pub(super) asked: Option<Asked>,
    pub(super) swept: Instant,
    /// The next sweep; `None` if only a command asks for one.
    pub(super) sweep_at: Option<Instant>,
    pub(super) commands: (Sender<Command>, Receiver<Command>),
}

impl Library {
    /// Reads all zone files that are there now, then watches them: each reading is an event, too. What
    /// changed in between shows in the first sweep.
    pub fn load_all(sources: Sources, options: Options) -> (Library, Step) {
        Library::load_all_with(load_again, sources, options)
    }

    pub(super) fn load_all_with(
        read: Reader,
        sources: Sources,
        mut options: Options,
    ) -> (Library, Step) {
        let (commands, now) = (channel(), Instant::now());
        let mut library = Library {
            watch: Watch::new(options.watch, commands.0.clone()),
            trust: Trust::default(),
            claims: Claims::new(
                options.remove_after,
                Numbering { policies: std::mem::take(&mut options.choices.serials), clock },
            ),
            memory: Memory::default(),
            debounce: Debounce::default(),
            listing: Listing::default(),
            reach: Reach::default(),
            refilling: HashMap::new(),
            uncounted: HashMap::new(),
            queue: BTreeSet::new(),
            groups: Groups::default(),
            asked: None,
            swept: now,
            sweep_at: None,
            sources,
            options,
            read,
            commands,
        };
        let step = library.first_step(now);
        (library, step)
    }

    /// The zones, in no order. Those that answer SERVFAIL are among them.
    pub fn zones(&self) -> impl Iterator<Item = Holding<'_>> {
        self.claims.zones()
    }

    /// Looks what happened until now and does what is due.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let mut step = Step::default();
        self.take_events(now, &mut step);
        let ending = self.claims.deadline().is_some_and(|deadline| deadline <= now);
        if ending || self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now, &mut step);
            let told_before = step.notices.len();
            self.expire(now, &mut step);
            self.free_what_waited_for(&step.notices);
            self.name_who_misses(told_before, &mut step);
        }
        self.take_due(now);
        self.debounce.take_written();
        let readings = self.read_batch(now);
        let groups = self.read_groups(now);
        if !(readings.is_empty() && groups.is_empty()) && self.options.watch == WatchMode::Notify {
            std::thread::sleep(CATCH_UP);
            self.take_events(Instant::now(), &mut step);
        }
        let written = self.debounce.take_written();
        for reading in readings {
            self.judge(reading, &written, Instant::now(), &mut step);
        }
        for group in groups {
            self.judge_group(group, &written, Instant::now(), &mut step);
        }
        self.remember_serials(&mut step);
        self.answer(&mut step);
        step
    }

    /// When the next step is due, whatever happens.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let waiting = (!self.queue.is_empty()).then_some(now);
        let files = [self.debounce.deadline(now), self.gathered_at()];
        let parts = [waiting, self.sweep_at, self.claims.deadline()];
        parts.into_iter().chain(files).flatten().min()
    }

    /// The first reading of everything: nobody is served yet, so nothing is waited for.
    fn first_step(&mut self, now: Instant) -> Step {
        let mut step = Step::default();
        self.recall_serials(&mut step);
        let listing = self.sources.list_names();
        self.see(&listing, now, &mut step);
        let mut groups: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
        for file in &listing.files {
            let reading = Reading::take_first(&file.path, |file| self.load(file));
            let Some(reading) = reading else { continue };
            match reading.loaded.apex.as_ref().and_then(|apex| self.group_of_zone(apex)) {
                Some(group) => groups.entry(group).or_default().push(reading),
                None => self.commit(reading, now, &mut step),
            }
        }
        for (group, readings) in groups {
            self.commit_group(&group, readings, now, &mut step);
        }
        self.arm(listing);
        self.trust.forget();
        self.claims.starting = false;
        self.forget_serials();
        self.remember_serials(&mut step);
        self.sweep_at = (self.options.watch != WatchMode::Off).then_some(now);
        step
    }

    fn take_events(&mut self, now: Instant, step: &mut Step) {
        for hit in self.watch.take(&self.reach) {
            self.trust.heard(&hit);
            match hit {
                Hit::File(file, touch) => self.take_touch(&file, touch, now),
                Hit::Sweep => self.sweep_by(now),
                Hit::SweepLater => self.sweep_by(now + SWEEP_GAP),
                Hit::Lost => {
                    self.debounce.doubt_writers(now, |_| true, Fingerprint::of);
                    self.sweep_by(now);
                    step.notices.push(Notice::EventsLost);
                }
            }
        }
    }

    fn take_touch(&mut self, file: &Arc<Path>, touch: Touch, now: Instant) {
        match touch {
            // permissions or times, set before the file was read
            Touch::Differs(seen) if self.is_as_read(file, seen) => return,
            // what it links to is to be watched, once it is read
            Touch::Created(_) | Touch::Replaced => self.sweep_by(now + SWEEP_GAP),
            _ => {}
        }
        self.debounce.note(file, touch, now);
    }

    pub(super) fn is_as_read(&self, file: &Path, seen: Option<Fingerprint>) -> bool {
        match self.claims.version(file) {
            Some(version) => version.file == seen,
            None => self.claims.versions().any(|(_, version)| version.include(file) == seen),
        }
    }

    pub(super) fn sweep_by(&mut self, moment: Instant) {
        let moment = moment.max(self.swept + SWEEP_GAP);
        self.sweep_at = Some(self.sweep_at.map_or(moment, |at| at.min(moment)));
    }

    /// Puts the files in the queue that are whole, and the files that include them.
    fn take_due(&mut self, now: Instant) {
        let due = self.debounce.due(now, Fingerprint::of);
        if due.is_empty() {
            return;
        }
        let mut included = BTreeSet::new();
        for (file, version) in self.claims.versions().chain(&self.uncounted) {
            for (include, _) in version.includes.iter().filter(|(path, _)| due.contains(path)) {
                self.queue.insert(file.clone());
                included.insert(include.clone());
            }
        }
        let is_zone = |file: &Arc<Path>| {
            let may_be = || self.sources.is_zone_file(file, &self.listing);
            self.claims.version(file).is_some() || !included.contains(file) && may_be()
        };
        self.queue.extend(due.iter().filter(|file| is_zone(file)).cloned());
    }

    /// Reads what is in the queue. What belongs to a group waits for the rest of it.
    fn read_batch(&mut self, now: Instant) -> Vec<Reading> {
        let mut readings = Vec::new();
        while readings.len() < BATCH_MAX
            && let Some(file) = self.queue.pop_first()
        {
            match self.group_of(&file) {
                Some(group) => self.gather(group, file, now),
                None if !self.is_held(&file) => readings.extend(self.read(&file)),
                None => {} // its close will have it read
            }
        }
        readings
    }

    /// Whether somebody writes the file or one that it includes. Their close will have it read.
    pub(super) fn is_held(&self, file: &Path) -> bool {
        self.among(file, |path| self.debounce.is_held(path)).is_some()
    }

    /// The first that is so, of the file and those that it includes now, as far as is known: a file that
    /// changed since it was read may include others.
    pub(super) fn among(&self, file: &Path, is_so: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        if is_so(file) {
            return Some(file.to_path_buf());
        }
        let known = self.uncounted.get(file).or_else(|| self.claims.version(file))?;
        let so = known.includes.iter().find(|(include, _)| is_so(include));
        let so = so.filter(|_| known.file == Fingerprint::of(file));
        so.map(|(include, _)| include.to_path_buf())
    }

    pub(super) fn read(&self, file: &Arc<Path>) -> Option<Reading> {
        Reading::take(file, self.claims.version(file), |file| self.load(file))
    }

    fn load(&self, file: &Path) -> Loaded {
        let read = |earlier| (self.read)(file, &self.sources.include_paths, earlier);
        let mut loaded = read(self.claims.earlier(file));
        self.hold_back(file, &mut loaded);
        if loaded.zone.is_none() && loaded.read.is_some() {
            loaded = read(Earlier::Unknown); // to show where it is damaged, it takes the whole
            self.hold_back(file, &mut loaded);
        }
        self.find_refusal(&mut loaded);
        loaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::{kinds, read, wait_until};
    use std::fs;
    use tempfile::TempDir;

    const LATER: Duration = Duration::from_secs(3600);

    fn folder(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sub")).unwrap();
        files.iter().for_each(|file| fs::write(dir.path().join(file), "1 1\nend").unwrap());
        dir
    }

    /// A library without events, whose zones end as soon as their files do.
    fn library(dir: &TempDir, paths: &[&str]) -> (Library, Step) {
        let paths = paths.iter().map(|path| dir.path().join(path)).collect();
        let (watch, remove_after) = (WatchMode::Off, Duration::ZERO);
        let options = Options { watch, remove_after, ..Options::default() };
        Library::load_all_with(
            read,
            Sources { paths, recursive: true, ..Sources::default() },
            options,
        )
    }

    fn apexes(library: &Library) -> Vec<String> {
        let mut apexes: Vec<_> = library.zones().map(|zone| zone.apex.to_string()).collect();
        apexes.sort();
        apexes
    }

    /// Reads everything again at that moment, and gives the kinds of notices but `Unchanged` and what
    /// comes at the end.
    fn reload(library: &mut Library, now: Instant) -> Vec<String> {
        let mut step = Step::default();
        library.reload_all(now, &mut step);
        step.notices.extend(library.step(now).notices);
        let mut kinds = kinds(&step.notices);
        kinds.retain(|kind| !["Unchanged", "ReloadedAll"].contains(&kind.as_str()));
        kinds
    }

    #[test]
    fn the_first_reading_names_what_is_there() {
        let dir = folder(&["a.zone", "b.zone", "sub/c.zone"]);
        fs::write(dir.path().join("d.zone"), "broken").unwrap();
        let (library, step) = library(&dir, &["", "missing"]);
        assert_eq!(apexes(&library), ["a.", "b.", "c.", "d."]);
        assert_eq!(kinds(&step.notices), ["Folder", "Loaded", "Loaded", "Rejected", "Loaded"]);
        assert_eq!(step.changes.len(), 4);
        let broken = library.zones().find(|zone| zone.zone.is_none()).unwrap();
        assert!(broken.file.ends_with("d.zone"));
    }

    #[test]
    fn an_emptied_folder_changes_nothing_and_may_be_filled_slowly() {
        let dir = folder(&["a.zone", "b.zone"]);
        let (mut library, _) = library(&dir, &[""]);
        let now = Instant::now();
        for file in ["a.zone", "b.zone"] {
            fs::remove_file(dir.path().join(file)).unwrap();
        }
        assert_eq!(reload(&mut library, now + LATER), ["Folder"]);
        assert_eq!(reload(&mut library, now + 2 * LATER), [""; 0]);
        assert_eq!(apexes(&library), ["a.", "b."]);
        fs::write(dir.path().join("a.zone"), "2 1\nend").unwrap();
        assert_eq!(reload(&mut library, now + 3 * LATER), ["Reloaded"]);
        assert_eq!(apexes(&library), ["a.", "b."], "the rest may be on its way");
        assert_eq!(reload(&mut library, now + 4 * LATER), ["Ending", "Removed"]);
        assert_eq!(apexes(&library), ["a."]);
    }

    #[test]
    fn what_is_named_or_vanishes_with_its_folder_stays() {
        let dir = folder(&["a.zone", "sub/b.zone", "sub/c.zone"]);
        fs::create_dir(dir.path().join("more")).unwrap();
        fs::write(dir.path().join("more/named"), "1 1\napex n.\nend").unwrap();
        let (mut library, _) = library(&dir, &["a.zone", "sub", "more/named"]);
        assert_eq!(apexes(&library), ["a.", "b.", "c.", "n."]);
        let now = Instant::now();
        for path in ["a.zone", "more/named"] {
            fs::remove_file(dir.path().join(path)).unwrap();
        }
        fs::rename(dir.path().join("sub"), dir.path().join("away")).unwrap();
        assert_eq!(reload(&mut library, now + LATER), ["Folder", "Folder", "Folder"]);
        assert_eq!(reload(&mut library, now + 2 * LATER), [""; 0]);
        assert_eq!(apexes(&library), ["a.", "b.", "c.", "n."]);
        fs::rename(dir.path().join("away"), dir.path().join("sub")).unwrap();
        assert_eq!(reload(&mut library, now + 3 * LATER), ["Folder"]);
    }

    #[test]
    fn a_broken_file_is_explained_once() {
        let dir = folder(&["a.zone"]);
        let (mut library, _) = library(&dir, &[""]);
        fs::write(dir.path().join("a.zone"), "broken").unwrap();
        let now = Instant::now();
        let mut explained = || {
            library.reload_all(now, &mut Step::default());
            library.step(now).notices.iter().filter(|notice| notice.report().is_some()).count()
        };
        assert_eq!((explained(), explained()), (1, 0));
    }

    #[test]
    fn a_file_that_is_included_no_more_is_no_zone_file() {
        let dir = folder(&[]);
        let number = dir.path().join("number");
        fs::write(&number, "10").unwrap();
        let including = format!("1 1\ninclude {}\nend", number.display());
        fs::write(dir.path().join("a.zone"), including).unwrap();
        let (mut library, _) = library(&dir, &[""]);
        let now = Instant::now();
        fs::write(&number, "2000").unwrap();
        library.debounce.note(&number.into(), Touch::Replaced, now);
        fs::write(dir.path().join("a.zone"), "3 1\nend").unwrap();
        library.reload_all(now, &mut Step::default());
        let told = kinds(&library.step(now).notices);
        assert_eq!(told, ["Reloaded", "ReloadedAll"]);
        library.debounce.note(&dir.path().join("number").into(), Touch::Replaced, now);
        assert_eq!(kinds(&library.step(now).notices), [""; 0]);
    }

    #[test]
    fn a_step_reads_a_bounded_number_of_files() {
        let dir = folder(&[]);
        for n in 0..=BATCH_MAX {
            fs::write(dir.path().join(format!("{n}.zone")), "broken").unwrap();
        }
        let (mut library, _) = library(&dir, &[""]);
        let now = Instant::now();
        assert_eq!(reload(&mut library, now).len(), BATCH_MAX);
        assert_eq!(library.deadline(now), Some(now), "the rest waits");
        assert_eq!(
            kinds(&library.step(now).notices),
            ["Rejected", "ReloadedAll"],
            "told at the end"
        );
    }

    #[test]
    fn a_sweep_reads_nothing_that_did_not_change() {
        let dir = folder(&["a.zone", "b.zone"]);
        let seen = Fingerprint::of(&dir.path().join("b.zone")).unwrap();
        wait_until("they are a moment old", || seen.is_older_than(std::time::SystemTime::now()));
        let paths = vec![dir.path().to_path_buf()];
        let (sources, options) = (Sources { paths, ..Sources::default() }, Options::default());
        let (mut library, _) = Library::load_all_with(read, sources, options);
        library.step(Instant::now());
        library.read = |_, _, _| panic!("not read");
        for hour in 1..4 {
            let step = library.step(Instant::now() + hour * LATER);
            assert_eq!((kinds(&step.notices), step.changes.len()), (vec![], 0));
        }
    }

    #[test]
    fn an_empty_file_is_believed_once_it_has_stood_still() {
        let dir = folder(&["a.zone"]);
        let (mut library, _) = library(&dir, &[""]);
        fs::write(dir.path().join("a.zone"), "").unwrap();
        assert_eq!(reload(&mut library, Instant::now()), [""; 0]);
        let later = library.step(Instant::now() + LATER);
        assert_eq!(kinds(&later.notices), ["Rejected", "ReloadedAll"], "which is waited for");
    }
}
