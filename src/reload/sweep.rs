//! The sweep: what is there, against what was read of it.
//!
//! It is the truth below the events, which get lost, and the only way to learn that a file is gone.
//! It lists the folders, watches what they reach, and has every file waited for whose fingerprint
//! is not the one it was read with.

use super::debounce::Touch;
use super::folder::{Fingerprint, Folder, Listing, Presence, parent};
use super::library::Library;
use super::notice::Notice;
use super::reach::Reach;
use super::version::Version;
use super::watch::Armed;
use super::{Step, WatchMode};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often all files are compared with what was read, where events do that job: a net for events
/// that get lost (network mounts, containers), at a cost of a few milliseconds for 10,000 files.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// The same where events cannot be had.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// How often a folder is listed again in one sweep because it was not watched while it was listed.
const LIST_TRIES: usize = 3;
/// How long a folder that was empty or missing must have got no further file before it is believed
/// that the files it still lacks were removed: a copy into it may take its time.
const REFILL_QUIET: Duration = Duration::from_secs(10);

impl Library {
    /// Compares all files with what was read of them.
    pub(super) fn sweep(&mut self, now: Instant, step: &mut Step) {
        let armed = self.list(now, step);
        let presence = |file: &Path| match self.sources.presence(file, &self.listing) {
            Presence::Gone if self.refilling.contains_key(parent(file)) => Presence::Unseen,
            presence => presence,
        };
        self.claims.see(presence, now, step);
        if self.options.watch != WatchMode::Off {
            self.compare(now);
        }
        let mut why: Vec<String> = self.watch.complaint().into_iter().collect();
        match armed.whole {
            true => why.extend(self.trust.judge(&self.listing, now)),
            false => self.trust.forget(), // that no event comes is no news
        }
        let polled = |why| Notice::Polled { why, every: POLL_EVERY };
        step.notices.extend(why.into_iter().map(polled));
        let held = self.debounce.long_held(now).into_iter();
        step.notices.extend(held.map(|file| Notice::HeldOpen { file }));
        self.retry_serials(step);
        self.swept = now;
        self.sweep_at = match self.options.watch {
            WatchMode::Off => None,
            WatchMode::Notify if armed.whole && !self.trust.is_doubted() => {
                let next = now + SWEEP_EVERY;
                Some(self.trust.deadline().map_or(next, |more| more.min(next)))
            }
            WatchMode::Notify | WatchMode::Poll => Some(now + POLL_EVERY),
        };
    }

    /// Lists what is there, all of it watched.
    pub(super) fn list(&mut self, now: Instant, step: &mut Step) -> Armed {
        let mut armed = Armed { news: true, whole: false };
        for _ in 0..LIST_TRIES {
            let listing = self.sources.list();
            self.see(&listing, now, step);
            let before = std::mem::take(&mut self.reach);
            armed = self.arm(listing);
            let ended = self.watch.take_ended();
            let is_meant = |file: &Path| before.is_told(file, &ended);
            self.debounce.doubt_writers(now, is_meant, Fingerprint::of);
            if !ended.is_empty() || armed.news {
                self.trust.forget();
            }
            if !armed.news {
                break;
            }
        }
        armed
    }

    /// Watches what a listing and the files that were read reach.
    pub(super) fn arm(&mut self, listing: Listing) -> Armed {
        let versions = self.claims.versions().chain(&self.uncounted);
        let includes = versions.flat_map(|(_, version)| &version.includes);
        self.reach = Reach::of(&listing, includes.map(|(include, _)| include));
        self.listing = listing;
        self.watch.arm(&self.reach.dirs)
    }

    /// Takes note of what became of folders since they were listed before.
    pub(super) fn see(&mut self, listing: &Listing, now: Instant, step: &mut Step) {
        tell_folders(&self.listing, listing, step);
        self.see_refilling(listing, now);
    }

    fn see_refilling(&mut self, listing: &Listing, now: Instant) {
        for (folder, state) in &listing.folders {
            let before = self.listing.folders.get(folder);
            let begins = !matches!(before, None | Some(Folder::Listed(1..)));
            let goes_on = self.refilling.contains_key(folder) && before != Some(state);
            if matches!(state, Folder::Listed(1..)) && (begins || goes_on) {
                self.refilling.insert(folder.clone(), now);
            }
        }
        self.refilling.retain(|_, grew| now < *grew + REFILL_QUIET);
    }

    fn compare(&mut self, now: Instant) {
        let mut seen = HashMap::new();
        let never = Version::default();
        for file in &self.listing.files {
            let known = self.claims.version(&file.path);
            let is_as_known = known.is_some_and(|known| known.file == file.fingerprint);
            let waits =
                || self.is_gathered_as(&file.path, file.fingerprint) || self.is_held(&file.path);
            if !is_as_known && !waits() {
                let before = known.and_then(|known| known.file);
                let was_seen = known.is_none() || before.is_some(); // else it could not be looked at
                let is_due = self.debounce.awaits(&file.path) || self.queue.contains(&file.path);
                if was_seen && !is_due {
                    self.trust.found(&file.path, [before, file.fingerprint], now);
                }
                self.debounce.note(&file.path, Touch::Differs(file.fingerprint), now);
            }
            for (include, before) in &known.unwrap_or(&never).includes {
                let is = *seen.entry(include).or_insert_with(|| Fingerprint::of(include));
                if is != *before && !self.is_gathered_as(include, is) {
                    self.debounce.note(include, Touch::Differs(is), now);
                }
            }
        }
    }
}

/// Says what became of folders since they were listed before.
fn tell_folders(before: &Listing, now: &Listing, step: &mut Step) {
    for (folder, state) in &now.folders {
        let tells = match (before.folders.get(folder), state) {
            (None | Some(Folder::Listed(0)), Folder::Listed(_)) => false, // its files tell
            (Some(Folder::Listed(_)), Folder::Listed(1..)) => false,
            (before, now) => before != Some(now),
        };
        if tells {
            let (folder, state) = (folder.clone(), state.clone());
            step.notices.push(Notice::Folder { folder, state });
        }
    }
    for (folder, state) in &before.folders {
        let is_there = now.folders.contains_key(folder) || now.get(folder).is_some();
        if *state != Folder::Listed(0) && !is_there {
            let (folder, state) = (folder.clone(), Folder::Missing);
            step.notices.push(Notice::Folder { folder, state }); // a sub-folder
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::{kinds, read};
    use crate::reload::{Options, Sources};
    use std::fs;
    use std::sync::Arc;
    use tempfile::TempDir;

    /// A folder with the folder `sub`, and files in that.
    fn folder(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("sub");
        fs::create_dir(&sub).unwrap();
        files.iter().for_each(|file| fs::write(sub.join(file), "1 1\nend").unwrap());
        dir
    }

    /// A folder that is watched, with that file held by a writer.
    fn written(dir: &TempDir, file: &str, now: Instant) -> (Library, Arc<Path>) {
        let paths = vec![dir.path().join("sub"), dir.path().join("more")];
        let sources = Sources { paths, ..Sources::default() };
        let (mut library, _) = Library::load_all_with(read, sources, Options::default());
        library.sweep(now, &mut Step::default());
        let file: Arc<Path> = dir.path().join(file).into();
        library.debounce.note(&file, Touch::Modified, now);
        (library, file)
    }

    #[test]
    fn a_writer_is_waited_for_when_another_folder_goes() {
        let (dir, now) = (folder(&["a.zone", "b.zone"]), Instant::now());
        fs::create_dir(dir.path().join("more")).unwrap();
        let (mut library, file) = written(&dir, "sub/a.zone", now);
        fs::remove_dir(dir.path().join("more")).unwrap();
        library.sweep(now, &mut Step::default());
        library.step(now + Duration::from_secs(60));
        assert!(library.is_held(&file), "its close will be heard");
    }

    #[test]
    fn a_writer_in_a_folder_that_is_watched_no_longer_holds_nothing_in_the_end() {
        let (dir, now) = (folder(&["a.zone"]), Instant::now());
        let (mut library, file) = written(&dir, "sub/a.zone", now);
        fs::rename(dir.path().join("sub"), dir.path().join("away")).unwrap();
        library.sweep(now, &mut Step::default());
        fs::write(dir.path().join("away/a.zone"), "2 1\nend").unwrap();
        fs::rename(dir.path().join("away"), dir.path().join("sub")).unwrap();
        let told = |library: &mut Library, seconds| {
            let step = library.step(now + Duration::from_secs(seconds));
            kinds(&step.notices).contains(&"Reloaded".to_string())
        };
        assert!(!told(&mut library, 1) && library.is_held(&file), "it may only pause");
        library.sweep(now, &mut Step::default());
        assert!((2..60).any(|seconds| told(&mut library, seconds)));
    }
}
