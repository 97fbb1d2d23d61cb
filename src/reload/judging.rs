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
    /// Takes a reading that counts.
    pub(super) fn judge(
        &mut self,
        reading: Reading,
        written: &HashSet<Arc<Path>>,
        now: Instant,
        step: &mut Step,
    ) {
        if self.counts(&reading, written, now) {
            self.commit(reading, now, step);
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
            return false;
        }
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
