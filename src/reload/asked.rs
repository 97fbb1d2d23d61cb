//! Who asks for a reload wants to know when it is done: are the files as they were then served, or
//! rejected?
//!
//! All files are read again. Those that somebody is writing at that time are left out, for nobody can say
//! what they will be; their number is told. One that changes while it is read, or has not stood still
//! yet, or waits for others of its group, is waited for. The answer comes when none is left.

use super::Step;
use super::claims::Held;
use super::library::Library;
use super::notice::Notice;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What was asked to be read again.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The files that are not read yet.
    left: BTreeSet<Arc<Path>>,
    /// Those that somebody is writing.
    writing: BTreeSet<Arc<Path>>,
}

impl Library {
    /// Has every file read again that nobody is writing.
    pub(super) fn reload_all(&mut self, now: Instant, step: &mut Step) {
        self.sweep(now, step);
        let files: Vec<_> = self.listing.files.iter().map(|file| file.path.clone()).collect();
        self.queue.extend(files.iter().cloned());
        self.asked.get_or_insert_default().left.extend(files);
    }

    /// Says that what was asked for is done, once it is.
    pub(super) fn answer(&mut self, step: &mut Step) {
        let Some(mut asked) = self.asked.take() else { return };
        let left = std::mem::take(&mut asked.left);
        let is_held = |file: &Arc<Path>| self.is_held(file) || self.waits_for_writer(file);
        let (held, left): (BTreeSet<_>, _) = left.into_iter().partition(is_held);
        let written = held.iter().filter_map(|f| self.among(f, |path| self.debounce.is_held(path)));
        let written: BTreeSet<PathBuf> = written.collect();
        let held_open = |file: PathBuf| Notice::HeldOpen { file: file.into() };
        step.notices.extend(written.into_iter().map(held_open));
        asked.writing.extend(held);
        asked.left = left;
        let is_left = |file: &Arc<Path>| self.queue.contains(file) || self.is_awaited(file);
        asked.left.retain(|file| is_left(file) || self.is_gathered(file));
        match asked.left.is_empty() {
            true => step.notices.push(self.reloaded_all(asked.writing.len())),
            false => self.asked = Some(asked),
        }
    }

    /// Whether the file or one that it includes is to be read when it has stood still.
    pub(super) fn is_awaited(&self, file: &Path) -> bool {
        self.among(file, |path| self.debounce.awaits(path)).is_some()
    }

    /// How many zones are served as their files say, which must be there to see, and how many files are
    /// not.
    fn reloaded_all(&self, writing: usize) -> Notice {
        let live = |held: &&Held| held.is_live() && self.listing.get(&held.by).is_some();
        let zones = self.claims.zones.values().filter(live).count();
        let there = self.claims.files.values().filter(|file| file.gone.is_none());
        Notice::ReloadedAll { zones, rejected: there.count().saturating_sub(zones), writing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::read;
    use crate::reload::{Options, Sources, WatchMode};
    use std::fs;

    #[test]
    fn what_cannot_be_read_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let [zones, away] = ["zones", "away"].map(|name| dir.path().join(name));
        fs::create_dir(&zones).unwrap();
        let write = |name: &str| fs::write(zones.join(name), "1 1\nend").unwrap();
        ["a.zone", "b.zone"].iter().for_each(|name| write(name));
        let sources = Sources { paths: vec![zones.clone()], ..Sources::default() };
        let options = Options { watch: WatchMode::Off, ..Options::default() };
        let (mut library, _) = Library::load_all_with(read, sources, options);
        let mut told = || {
            let mut step = Step::default();
            library.reload_all(Instant::now(), &mut step);
            step.notices.extend(library.step(Instant::now()).notices);
            let last = step.notices.pop();
            let Some(Notice::ReloadedAll { zones, rejected, .. }) = last else {
                panic!("{last:?}")
            };
            [zones, rejected]
        };
        assert_eq!(told(), [2, 0]);
        fs::rename(&zones, &away).unwrap();
        assert_eq!(told(), [0, 2], "a folder that is gone");
        fs::rename(&away, &zones).unwrap();
        assert_eq!(told(), [2, 0]);
        fs::remove_file(zones.join("a.zone")).unwrap();
        assert_eq!(told(), [1, 1], "it may be on its way, as its folder came back a moment ago");
    }
}
