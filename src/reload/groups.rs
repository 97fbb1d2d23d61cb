//! Zones that belong together: new versions of all of them are served, or of none.
//!
//! A host stands in one zone and its address in another, and both are meant to change at once. So the
//! operator can make a *group* of such zones. When a file of a group changes, its others are waited for:
//! until all have been left alone for a moment, and nobody writes one. Then all are read, and judged
//! together:
//!
//! ```text
//! one changes ──▶ gathering ── a quiet second ──▶ all are read
//!                     ▲                             │ │ └─ all are good ──▶ all in one step, for the loop
//!                     └─── one changed meanwhile ───┘ └─── one is not, or is missing ──▶ none that is new
//! ```
//!
//! What is held back counts as broken (Z013): the last good versions of all go on. It is read again with
//! the rest of its group, or when what it waits for may be no more: a file has come or gone, a zone has
//! ended, or the groups are other ones. What holds it back is found in [`hindrance`](super::hindrance).

use super::Step;
use super::folder::Fingerprint;
use super::library::Library;
use super::load::{Loaded, origin_of};
use super::notice::Notice;
use super::reading::Reading;
use super::version::Version;
use crate::diag::{Diagnostic, Report, Span, codes};
use crate::name::NameBuf;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the files of a group must have been left alone: longer than a script takes from one to the
/// next, and short enough to wait for.
pub(super) const QUIET: Duration = Duration::from_secs(1);
/// How long that is tried where one file or the other is always being changed.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(10);

/// The groups of which something is on its way.
#[derive(Debug, Default)]
pub(super) struct Groups {
    gathering: BTreeMap<String, Gathering>,
    /// The files whose new versions wait for others to be put right, the groups of these, and the files
    /// that they wait for.
    held_back: BTreeMap<Arc<Path>, (String, Arc<Path>)>,
}

/// A group of which a file changed.
#[derive(Debug)]
struct Gathering {
    /// All of its files, as they were when they last changed.
    files: BTreeMap<Arc<Path>, Version>,
    since: Instant,
    until: Instant,
}

/// What was read of a group.
pub(super) struct GroupReading {
    group: String,
    readings: Vec<Reading>,
}

impl Library {
    /// The group that a zone belongs to.
    pub(super) fn group_of_zone(&self, apex: &NameBuf) -> Option<String> {
        self.options.choices.groups.find(apex.as_name(), |group| Some(group.clone()))
    }

    /// The group that a file belongs to: the one that it waits for, or that of its zone. What zone a file
    /// holds that was not read yet, only its name tells.
    pub(super) fn group_of(&self, file: &Path) -> Option<String> {
        if self.options.choices.groups.is_empty() {
            return None;
        }
        if let Some((group, _)) = self.groups.held_back.get(file) {
            return Some(group.clone());
        }
        self.group_of_zone(&self.claims.claimed(file).or_else(|| origin_of(file))?)
    }

    /// Has a file that changed wait for the others of its group.
    pub(super) fn gather(&mut self, group: String, file: Arc<Path>, now: Instant) {
        let version = self.version_now(&file);
        let gathering = match self.groups.gathering.remove(&group) {
            Some(gathering) => gathering,
            None => Gathering { files: self.versions_of(&group), since: now, until: now },
        };
        let Gathering { mut files, since, .. } = gathering;
        files.insert(file, version);
        let until = (now + QUIET).min(since + QUIET_WAIT_MAX);
        self.groups.gathering.insert(group, Gathering { files, since, until });
    }

    /// The files of a group, as they were read.
    fn versions_of(&self, group: &str) -> BTreeMap<Arc<Path>, Version> {
        let all = self.claims.versions();
        let all = all.filter(|(file, _)| self.group_of(file).as_deref() == Some(group));
        all.map(|(file, version)| (file.clone(), version.clone())).collect()
    }

    /// Whether a file waits for others of its group.
    pub(super) fn is_gathered(&self, file: &Path) -> bool {
        self.groups.gathering.values().any(|group| group.files.contains_key(file))
    }

    /// Whether a file, or one that it includes, is so and is to be read together with others.
    pub(super) fn is_gathered_as(&self, path: &Path, seen: Option<Fingerprint>) -> bool {
        let files = self.groups.gathering.values().flat_map(|group| &group.files);
        let mut seen_so = files.map(|(file, version)| match **file == *path {
            true => version.file == seen,
            false => {
                version.includes.iter().any(|(include, as_is)| **include == *path && *as_is == seen)
            }
        });
        seen_so.any(|so| so)
    }

    /// Whether a file waits for one of its group that somebody is writing.
    pub(super) fn waits_for_writer(&self, file: &Path) -> bool {
        let groups = self.groups.gathering.values();
        let mut groups = groups.filter(|group| group.files.contains_key(file));
        groups.any(|group| group.files.keys().any(|file| self.is_held(file)))
    }

    /// When the next group can be read, if nothing else happens before.
    pub(super) fn gathered_at(&self) -> Option<Instant> {
        let groups = self.groups.gathering.values().filter(|group| !self.is_incomplete(group));
        groups.map(|group| group.until).min()
    }

    /// Reads all files of each group that has been left alone for long enough.
    pub(super) fn read_groups(&mut self, now: Instant) -> Vec<GroupReading> {
        let is_due = |group: &Gathering| group.until <= now && !self.is_incomplete(group);
        let groups = self.groups.gathering.iter().filter(|(_, group)| is_due(group));
        let due: Vec<_> = groups.map(|(name, _)| name.clone()).collect();
        let groups = due.into_iter().filter_map(|name| self.groups.gathering.remove_entry(&name));
        let groups: Vec<_> = groups.collect();
        let read = |(group, Gathering { files, .. })| {
            let readings = files.keys().filter_map(|file| self.read(file)).collect();
            GroupReading { group, readings }
        };
        groups.into_iter().map(read).collect()
    }

    /// Whether a file of the group is yet to become whole.
    fn is_incomplete(&self, group: &Gathering) -> bool {
        group.files.keys().any(|file| self.is_awaited(file) || self.queue.contains(file))
    }

    /// A file and those that it was known to include, as they are now.
    fn version_now(&self, file: &Path) -> Version {
        let known = self.claims.version(file).into_iter();
        let includes = known.flat_map(|known| known.includes.iter().map(|(include, _)| include));
        Version::now(file, includes)
    }

    /// Takes what was read of a group, if all of it counts; else the group is waited for again.
    pub(super) fn judge_group(
        &mut self,
        reading: GroupReading,
        written: &HashSet<Arc<Path>>,
        now: Instant,
        step: &mut Step,
    ) {
        let GroupReading { group, readings } = reading;
        let mut count = true;
        for reading in &readings {
            count &= self.counts(reading, written, now); // each that does not is waited for
        }
        if count {
            return self.commit_group(&group, readings, now, step);
        }
        for Reading { file, .. } in readings {
            self.gather(group.clone(), file, now);
        }
    }

    /// Takes what was read of a group: if something in it is broken, nothing in it is new.
    pub(super) fn commit_group(
        &mut self,
        group: &str,
        mut readings: Vec<Reading>,
        now: Instant,
        step: &mut Step,
    ) {
        for Reading { file, loaded, .. } in &mut readings {
            self.number(file, loaded, step);
        }
        let hindrance = self.hindrance(group, &readings);
        if hindrance.is_none() {
            self.give_up_zones(&readings, now, step);
        }
        for mut reading in readings {
            match hindrance.as_ref().filter(|by| self.is_held_back(&reading, by)) {
                Some(hindrance) => {
                    hold_back(&reading.file, &mut reading.loaded, hindrance);
                    let waits_for = (group.into(), hindrance.clone());
                    self.groups.held_back.insert(reading.file.clone(), waits_for);
                }
                None => drop(self.groups.held_back.remove(&reading.file)),
            }
            self.commit_numbered(reading, now, step);
        }
    }

    /// Has what waits for others read again if a file came or went, or a zone ended: what it waits for may
    /// be no more.
    pub(super) fn free_what_waited_for(&mut self, told: &[Notice]) {
        let frees = |notice: &Notice| {
            matches!(
                notice,
                Notice::Ending { .. }
                    | Notice::Returned { .. }
                    | Notice::Removed { .. }
                    | Notice::TookOver { .. }
                    | Notice::Folder { .. }
            )
        };
        let is_idle = |(_, hindrance): &(String, Arc<Path>)| self.claims.is_idle(hindrance);
        if told.iter().any(frees) || self.groups.held_back.values().any(is_idle) {
            self.free_held_back();
        }
    }

    /// The groups are other ones: all that waits for others is looked at anew.
    pub(super) fn regroup(&mut self) {
        let gathering = std::mem::take(&mut self.groups.gathering);
        self.queue.extend(gathering.into_values().flat_map(|group| group.files.into_keys()));
        self.free_held_back();
    }

    fn free_held_back(&mut self) {
        self.queue.extend(std::mem::take(&mut self.groups.held_back).into_keys());
    }
}

/// Makes of a version one that waits until the `broken` file is put right.
fn hold_back(file: &Path, loaded: &mut Loaded, broken: &Path) {
    (loaded.zone, loaded.parts, loaded.report) = (None, None, Report::default());
    let source = loaded.report.sources.add(file.display().to_string(), Vec::new());
    let span = Span { source: source.unwrap_or_default(), ..Span::default() };
    let what = format!("{}, of the same group, cannot be served", broken.display());
    let finding = Diagnostic::new(&codes::GROUP_WAITS, span, what)
        .help("as soon as that file is right, both are served");
    loaded.report.findings.push(finding);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::debounce::Touch;
    use crate::reload::testing::{Lab, REMOVE_AFTER, choices, kinds, told};
    use std::fs;

    const GOOD: [&str; 3] = ["1 1\nend", "2 1\nend", "3 1\nend"];

    fn three() -> Lab {
        let (lab, told) =
            Lab::new(&[("z/a.zone", GOOD[0]), ("z/b.zone", GOOD[0]), ("z/c.zone", GOOD[0])]);
        assert_eq!(told, ["Loaded", "Loaded", "Loaded"]);
        lab
    }

    #[test]
    fn what_changes_together_is_read_after_a_moment_and_in_one_step() {
        let mut lab = three();
        ["a.zone", "b.zone", "c.zone"].iter().for_each(|file| lab.write(file, GOOD[1]));
        let [at_once, later] = lab.reload();
        assert_eq!(at_once, ["Reloaded"], "that of no group waits for nobody");
        assert_eq!(later, ["Reloaded", "Reloaded", "ReloadedAll"]);
        assert_eq!(lab.serials(), [2, 2, 2]);
    }

    #[test]
    fn a_broken_one_holds_back_what_the_others_have_new() {
        let mut lab = three();
        lab.write("a.zone", GOOD[1]);
        lab.write("b.zone", "broken");
        assert_eq!(lab.reload()[1], ["Rejected", "Rejected", "ReloadedAll"]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        lab.write("b.zone", GOOD[1]);
        assert_eq!(lab.reload()[1], ["Reloaded", "Reloaded", "ReloadedAll"]);
        assert_eq!(lab.serials(), [2, 2, 1]);
    }

    #[test]
    fn a_broken_one_does_nothing_to_those_that_are_as_they_were() {
        let mut lab = three();
        lab.write("b.zone", "broken");
        assert_eq!(lab.reload()[1], ["Rejected", "ReloadedAll"]);
        assert!(lab.library.zones().all(|held| held.stale == (held.apex.to_string() == "b.")));
    }

    #[test]
    fn what_waits_goes_on_when_the_group_is_no_more() {
        let mut lab = three();
        lab.write("a.zone", GOOD[1]);
        lab.write("b.zone", "broken");
        lab.reload();
        lab.library.choose(choices(&["b."]), &mut Step::default());
        assert_eq!(told(&lab.library.step(lab.now).notices), ["Reloaded"]);
        assert_eq!(lab.serials(), [2, 1, 1]);
    }

    #[test]
    fn a_file_that_is_missing_holds_the_others_back_until_it_returns_or_its_zone_ends() {
        let mut lab = three();
        lab.write("a.zone", GOOD[1]);
        fs::remove_file(lab.dir.path().join("z/b.zone")).unwrap();
        assert_eq!(lab.reload(), [vec!["Ending"], vec!["Rejected", "ReloadedAll"]]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        lab.write("b.zone", GOOD[2]);
        assert_eq!(lab.reload()[1], ["Reloaded", "Reloaded", "ReloadedAll"]);
        assert_eq!(lab.serials(), [2, 3, 1]);
        lab.write("a.zone", GOOD[2]);
        fs::remove_file(lab.dir.path().join("z/b.zone")).unwrap();
        lab.reload();
        lab.now += REMOVE_AFTER;
        lab.reload();
        assert_eq!(lab.serials(), [3, 1], "what it waited for is no more");
    }

    #[test]
    fn a_group_waits_as_long_as_others_of_it_change() {
        let mut lab = three();
        lab.write("a.zone", GOOD[1]);
        lab.library.queue.insert(lab.dir.path().join("z/a.zone").into());
        lab.library.step(lab.now);
        lab.now += QUIET / 2;
        lab.write("b.zone", GOOD[2]);
        lab.library.queue.insert(lab.dir.path().join("z/b.zone").into());
        lab.library.step(lab.now);
        lab.now += QUIET / 2;
        assert_eq!(kinds(&lab.library.step(lab.now).notices), [""; 0]);
        assert_eq!(lab.library.deadline(lab.now), Some(lab.now + QUIET / 2));
        lab.now += QUIET / 2;
        assert_eq!(kinds(&lab.library.step(lab.now).notices), ["Reloaded", "Reloaded"]);
        assert_eq!(lab.serials(), [2, 3, 1]);
    }

    #[test]
    fn a_group_waits_for_the_one_that_somebody_is_writing() {
        let mut lab = three();
        let [a, b] = ["z/a.zone", "z/b.zone"].map(|file| Arc::from(lab.dir.path().join(file)));
        lab.write("a.zone", GOOD[1]);
        lab.write("b.zone", "2 1");
        lab.library.debounce.note(&b, Touch::Modified, lab.now);
        lab.library.debounce.note(&a, Touch::Replaced, lab.now);
        assert_eq!(
            lab.reload(),
            [vec!["HeldOpen", "ReloadedAll"], vec![]],
            "which waits for nobody"
        );
        lab.now += 5 * QUIET;
        assert_eq!(kinds(&lab.library.step(lab.now).notices), [""; 0]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        lab.write("b.zone", GOOD[1]);
        lab.library.debounce.note(&b, Touch::Closed, lab.now);
        lab.library.step(lab.now);
        lab.now += QUIET;
        assert_eq!(kinds(&lab.library.step(lab.now).notices), ["Reloaded", "Reloaded"]);
    }

    #[test]
    fn at_a_start_a_broken_one_has_the_good_ones_served_nevertheless() {
        let (lab, told) = Lab::new(&[("z/a.zone", GOOD[1]), ("z/b.zone", "broken")]);
        assert_eq!(told, ["Loaded", "Rejected"]);
        assert_eq!(lab.serials(), [2]);
    }
}
