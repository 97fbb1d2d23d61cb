//! What becomes of a reading?
//!
//! It counts only if the file was the same before and after, and if nobody was found to have opened it
//! for writing meanwhile; else it is thrown away, and the file is waited for again. One that counts gets
//! its serial and its history, then the [claims](super::claims) take it.

use super::Step;
use super::debounce::Touch;
use super::folder::Fingerprint;
use super::library::Library;
use super::load::Loaded;
use super::notice::Notice;
use super::reading::Reading;
use super::serial::SerialStep;
use super::version::Version;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Library {
    /// Takes a reading that counts. A zone that turns out to be of a group waits for the rest of it.
    pub(super) fn judge(
        &mut self,
        reading: Reading,
        written: &HashSet<Arc<Path>>,
        now: Instant,
        step: &mut Step,
    ) {
        if !self.counts(&reading, written, now) {
            return;
        }
        let zone = reading.loaded.zone.as_ref();
        match zone.and_then(|zone| self.group_of_zone(&zone.apex().to_buf())) {
            Some(group) => self.gather(group, reading.file, now),
            None => self.commit(reading, now, step),
        }
    }

    /// Whether a reading counts. A file that was written to meanwhile is waited for again, and its
    /// writer's close, if it is known to come, has it read.
    pub(super) fn counts(
        &mut self,
        reading: &Reading,
        written: &HashSet<Arc<Path>>,
        now: Instant,
    ) -> bool {
        let Reading { file, after, .. } = reading;
        let mut includes = after.includes.iter().map(|(include, _)| include);
        let was_written = |file: &Arc<Path>| written.contains(file) || self.debounce.is_held(file);
        if was_written(file) || includes.any(was_written) {
            self.uncounted.insert(file.clone(), after.clone());
            return false;
        }
        self.uncounted.remove(file);
        if reading.before.touched_in_place(after) {
            self.debounce.note(file, Touch::Differs(after.file), now);
            return false;
        }
        let suspects: Vec<_> =
            after.empty(file).into_iter().filter(|e| self.is_suspect(e)).collect();
        for (empty, seen) in &suspects {
            self.debounce.note(empty, Touch::Differs(*seen), now);
        }
        suspects.is_empty()
    }

    /// Whether an empty file was truncated a moment ago, for all that is known. The file system
    /// shows the truncation at once, and may report it a good while later.
    fn is_suspect(&self, (file, seen): &(Arc<Path>, Option<Fingerprint>)) -> bool {
        !self.debounce.is_settled(file) && !self.is_as_read(file, *seen)
    }

    /// Has a version remember what changed since those before it.
    fn remember(&self, file: &Path, loaded: &mut Loaded) {
        let zone = loaded.zone.as_mut().filter(|_| self.options.choices.history);
        let Some(zone) = zone else { return };
        if let Some(before) = self.claims.would_replace(file, &zone.apex().to_buf()) {
            zone.follow(&before);
        }
    }

    /// Takes a reading.
    pub(super) fn commit(&mut self, mut reading: Reading, now: Instant, step: &mut Step) {
        self.number(&reading.file, &mut reading.loaded, step);
        self.commit_numbered(reading, now, step);
    }

    /// Takes a reading whose zone has its serial.
    pub(super) fn commit_numbered(&mut self, reading: Reading, now: Instant, step: &mut Step) {
        let Reading { file, before, after, began, mut loaded } = reading;
        self.revive(&file, &mut loaded, step);
        self.remember(&file, &mut loaded);
        let version = before.joined(after, began);
        let reaches = |version: Option<&Version>| -> Vec<Arc<Path>> {
            version.iter().flat_map(|version| &version.includes).map(|i| i.0.clone()).collect()
        };
        if self.sweep_at.is_some() && reaches(self.claims.version(&file)) != reaches(Some(&version))
        {
            self.sweep_by(now); // other directories are to be watched
        }
        let told_before = step.notices.len();
        self.claims.commit(&file, version, loaded, now, step);
        self.name_who_misses(told_before, step);
    }

    /// Names the secondaries that will not see the changes told from there on: they look whether the
    /// serial has risen (RFC 1996 §4.5, RFC 1034 §4.3.5).
    pub(super) fn name_who_misses(&self, told_before: usize, step: &mut Step) {
        let told = &self.options.choices.told;
        let unseen = |notice: &Notice| match notice {
            Notice::Reloaded { apex, step, .. }
            | Notice::TookOver { apex, step: Some(step), .. }
                if *step != SerialStep::Forward =>
            {
                let secondaries = told.of(apex.as_name()).to_vec();
                (!secondaries.is_empty())
                    .then(|| Notice::Unseen { apex: apex.clone(), secondaries })
            }
            _ => None,
        };
        let more: Vec<Notice> = step.notices[told_before..].iter().filter_map(unseen).collect();
        step.notices.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::{kinds, read};
    use crate::reload::{Options, Sources, WatchMode};
    use std::fs;
    use std::time::Duration;
    use tempfile::TempDir;

    const PLAIN: &str = "2 1\nend";

    /// A library whose zones `a.` and `b.` include files as they are told, of which `number` is being
    /// written.
    fn library(including: [bool; 2], is_group: bool) -> (TempDir, Library) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("z")).unwrap();
        fs::write(dir.path().join("number"), "10").unwrap();
        for (file, includes) in ["a.zone", "b.zone"].iter().zip(including) {
            let text = if includes { including_text(&dir, 1) } else { "1 1\nend".to_string() };
            fs::write(dir.path().join("z").join(file), text).unwrap();
        }
        let sources = Sources { paths: vec![dir.path().join("z")], ..Sources::default() };
        let mut options = Options { watch: WatchMode::Off, ..Options::default() };
        if is_group {
            options.choices.groups.set("*".parse().unwrap(), "all".into());
        }
        let (mut library, _) = Library::load_all_with(read, sources, options);
        library.debounce.note(&number(&dir), Touch::Modified, Instant::now());
        (dir, library)
    }

    fn including_text(dir: &TempDir, serial: u32) -> String {
        format!("{serial} 1\ninclude {}\nend", number(dir).display())
    }

    fn number(dir: &TempDir) -> Arc<Path> {
        dir.path().join("number").into()
    }

    /// What is told when `a.zone` gets that text.
    fn replaced(dir: &TempDir, library: &mut Library, text: &str) -> Vec<String> {
        let file: Arc<Path> = dir.path().join("z/a.zone").into();
        fs::write(&file, text).unwrap();
        library.debounce.note(&file, Touch::Replaced, Instant::now());
        kinds(&library.step(Instant::now()).notices)
    }

    #[test]
    fn a_file_does_not_wait_for_what_it_includes_no_more() {
        let (dir, mut library) = library([true, true], false);
        assert_eq!(replaced(&dir, &mut library, PLAIN), ["Reloaded"]);
    }

    #[test]
    fn a_group_does_not_wait_for_what_its_files_include_no_more() {
        let (dir, mut library) = library([true, false], true);
        assert_eq!(replaced(&dir, &mut library, PLAIN), [""; 0]);
        let later = Instant::now() + Duration::from_secs(2); // they must be left alone for a moment
        assert_eq!(kinds(&library.step(later).notices), ["Reloaded", "Unchanged"]);
    }

    #[test]
    fn a_file_waits_for_what_it_includes_as_of_now() {
        let (dir, mut library) = library([false, true], false);
        assert_eq!(replaced(&dir, &mut library, &including_text(&dir, 2)), [""; 0]);
        let mut step = Step::default();
        library.reload_all(Instant::now(), &mut step);
        step.notices.extend(library.step(Instant::now()).notices);
        let [Notice::HeldOpen { file }, Notice::ReloadedAll { zones, rejected, writing }] =
            &step.notices[..]
        else {
            panic!("{:?}", step.notices)
        };
        assert_eq!((file, [*zones, *rejected, *writing]), (&number(&dir), [2, 0, 2]));
        fs::write(number(&dir), "20").unwrap();
        library.debounce.note(&number(&dir), Touch::Closed, Instant::now());
        assert_eq!(kinds(&library.step(Instant::now()).notices), ["Reloaded", "Reloaded"]);
        assert!(library.uncounted.is_empty());
    }
}
