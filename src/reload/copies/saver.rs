//! The thread that saves copies: who waits for the disk, if neither the loop nor the next reload may?
//!
//! It is told of a version once the loop has it. Of each zone only what was told last is kept, so that a
//! zone that changes faster than the disk takes it costs one copy at a time, and no version longer than
//! it takes to write it. It runs at the lowest priority. What cannot be done, because the disk is full
//! perhaps, is tried again every [`RETRY_EVERY`], when a reload was asked for, and at the end. When the
//! server ends it saves what waits, as long as that takes no more than [`END_WAIT_MAX`]; what is left is
//! saved after the next start.

use super::super::folder::{Folder, Sources};
use super::super::notice::Notice;
use super::{Copies, CopyNews};
use crate::name::NameBuf;
use crate::zone::Zone;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long the server's end may wait for copies that are not saved yet.
const END_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long after something could not be done it is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// How much further back than all else the thread stands for the processor: the most there is.
const NICENESS: i32 = 19;

/// What becomes of the copy of a zone: it is saved of this version, from that file, or removed.
pub(in super::super) type Job = Option<(Arc<Zone>, Arc<Path>)>;

/// The running thread.
pub(in super::super) struct Saver {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    told: Condvar,
}

#[derive(Default)]
struct Jobs {
    /// What is to be done, and whether that was tried before.
    waiting: BTreeMap<NameBuf, (Job, bool)>,
    /// What could not be done.
    failed: BTreeMap<NameBuf, Job>,
    /// When that is tried again, if there is any.
    retry_at: Option<Instant>,
    /// When the thread is to end, whatever waits; `None` until the server ends.
    end: Option<Instant>,
}

impl Saver {
    /// Starts the thread. It first removes the copies of files of these sources that are gone, but for
    /// those of the zones that are `held`.
    pub(in super::super) fn start(
        copies: Copies,
        sources: Sources,
        held: HashSet<NameBuf>,
    ) -> io::Result<Saver> {
        let shared = Arc::new(Shared::default());
        let seen = shared.clone();
        let work = move || {
            let _ = rustix::process::nice(NICENESS); // it works at any priority
            let mut faults = Faults { copies: &copies, failing: false };
            faults.tell("what is no copy any more", tidy(&copies, &sources, &held));
            run(&seen, &mut faults);
        };
        Ok(Saver { shared, thread: Builder::new().name("copies".into()).spawn(work)? })
    }

    /// Tells what becomes of copies.
    pub(in super::super) fn tell(&self, jobs: Vec<(NameBuf, Job)>) {
        if !jobs.is_empty() {
            self.shared.lock().take(jobs);
            self.shared.told.notify_one();
        }
    }

    /// Has what could not be done tried again.
    pub(in super::super) fn retry(&self) {
        self.shared.lock().retry();
        self.shared.told.notify_one();
    }

    /// Ends the thread.
    pub(in super::super) fn end(self) {
        let mut jobs = self.shared.lock();
        jobs.end = Some(Instant::now() + END_WAIT_MAX);
        jobs.retry();
        drop(jobs);
        self.shared.told.notify_one();
        if self.thread.join().is_err() {
            log::error!("the thread that saves copies of zones had ended with a panic");
        }
    }
}

impl Shared {
    /// A thread that panicked left a list behind, which is as good as any.
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job; `None` to end.
    fn next(&self) -> Option<(NameBuf, (Job, bool))> {
        let mut jobs = self.lock();
        loop {
            if jobs.end.is_some_and(|end| Instant::now() >= end) {
                return None;
            }
            if jobs.retry_at.is_some_and(|at| Instant::now() >= at) {
                jobs.retry();
            }
            if let Some(job) = jobs.waiting.pop_first() {
                return Some(job);
            }
            if jobs.end.is_some() {
                return None;
            }
            jobs = self.wait(jobs);
        }
    }

    /// Waits until there may be something to do.
    fn wait<'j>(&self, jobs: MutexGuard<'j, Jobs>) -> MutexGuard<'j, Jobs> {
        match jobs.retry_at {
            None => self.told.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let rest = at.saturating_duration_since(Instant::now());
                let waited = self.told.wait_timeout(jobs, rest);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl Jobs {
    fn take(&mut self, jobs: Vec<(NameBuf, Job)>) {
        for (apex, job) in jobs {
            self.failed.remove(&apex);
            self.waiting.insert(apex, (job, false));
        }
    }

    /// Keeps what could not be done for another time, unless there is something newer.
    fn keep(&mut self, apex: NameBuf, job: Job) {
        if !self.waiting.contains_key(&apex) {
            self.failed.insert(apex, job);
            self.retry_at.get_or_insert_with(|| Instant::now() + RETRY_EVERY);
        }
    }

    fn retry(&mut self) {
        self.retry_at = None;
        let failed = std::mem::take(&mut self.failed).into_iter();
        self.waiting.extend(failed.map(|(apex, job)| (apex, (job, true)))); // none is in both
    }
}

/// What cannot be done is told once, and when something else cannot after it could in between.
struct Faults<'c> {
    copies: &'c Copies,
    failing: bool,
}

impl Faults<'_> {
    fn tell(&mut self, what: &str, done: io::Result<()>) {
        let was_failing = std::mem::replace(&mut self.failing, done.is_err());
        if let Err(error) = done
            && !was_failing
        {
            let folder = self.copies.folder().to_path_buf();
            let (what, why) = (what.into(), self.copies.why(&error));
            Notice::Copy(CopyNews::Failed { what, folder, why }).log();
        }
    }
}

fn run(shared: &Shared, faults: &mut Faults<'_>) {
    let copies = faults.copies;
    while let Some((apex, (job, again))) = shared.next() {
        let done = match &job {
            Some((zone, file)) => copies.save(zone, file),
            None => copies.remove(&apex),
        };
        let is_known = done.is_err() && again;
        if done.is_err() {
            shared.lock().keep(apex.clone(), job);
        }
        if !is_known {
            faults.tell(&format!("the copy of {apex}"), done);
        }
    }
}

/// Removes the copies of zone files that are gone: their folder is served and holds others.
fn tidy(copies: &Copies, sources: &Sources, held: &HashSet<NameBuf>) -> io::Result<()> {
    let listing = sources.list();
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let files: HashSet<PathBuf> = listing.files.iter().filter_map(|f| absolute(&f.path)).collect();
    let full = listing.folders.iter().filter(|(_, state)| matches!(state, Folder::Listed(1..)));
    let folders: HashSet<PathBuf> = full.filter_map(|(folder, _)| absolute(folder)).collect();
    let is_gone = |file: &Path| {
        !files.contains(file) && file.parent().is_some_and(|folder| folders.contains(folder))
    };
    copies.tidy(|apex, file| !held.contains(apex) && is_gone(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::{wait_until, zone};
    use std::fs;

    /// A thread that could not save the copy of `a.`, and could do so now.
    fn failed() -> (tempfile::TempDir, Saver, impl Fn() -> bool) {
        let dir = tempfile::tempdir().unwrap();
        let (copies, apex) = (Copies::open(dir.path()).unwrap(), "a.".parse::<NameBuf>().unwrap());
        fs::create_dir(copies.path_new(apex.as_name())).unwrap(); // in the way
        let saver = Saver::start(copies.clone(), Sources::default(), HashSet::new()).unwrap();
        let job = (Arc::new(zone(&apex, 1, 1)), Arc::from(Path::new("a.zone")));
        saver.tell(vec![(apex.clone(), Some(job))]);
        wait_until("it fails", || !saver.shared.lock().failed.is_empty());
        fs::remove_dir(copies.path_new(apex.as_name())).unwrap();
        let is_saved = move || copies.serial(&apex) == Some(1);
        assert!(!is_saved());
        (dir, saver, is_saved)
    }

    #[test]
    fn what_could_not_be_saved_is_saved_some_time_later() {
        let (_dir, saver, is_saved) = failed();
        assert!(saver.shared.lock().retry_at.replace(Instant::now()).is_some());
        saver.shared.told.notify_one();
        wait_until("it is tried again", is_saved);
        saver.end();
    }

    #[test]
    fn what_could_not_be_saved_is_saved_when_a_reload_was_asked_for() {
        let (_dir, saver, is_saved) = failed();
        saver.shared.lock().retry_at = None; // not by itself
        saver.retry();
        wait_until("it is tried again", is_saved);
        saver.end();
    }

    #[test]
    fn what_could_not_be_saved_is_saved_at_the_end() {
        let (_dir, saver, is_saved) = failed();
        saver.end();
        assert!(is_saved());
    }
}
