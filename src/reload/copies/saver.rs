//! The thread that saves copies: who waits for the disk, if neither the loop nor the next reload may?
//!
//! It is told of a version once the loop has it. Of each zone only what was told last is kept, so that a
//! zone that changes faster than the disk takes it costs one copy at a time, and no version longer than
//! it is being written. It runs at the lowest priority. When the server ends it saves what waits, as
//! long as that takes no more than [`END_WAIT_MAX`]; what is left is saved after the next start.

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
    waiting: BTreeMap<NameBuf, Job>,
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
            let mut faults = Faults { folder: copies.folder().to_path_buf(), failing: false };
            faults.tell("what is no copy any more", tidy(&copies, &sources, &held));
            run(&copies, &seen, &mut faults);
        };
        Ok(Saver { shared, thread: Builder::new().name("copies".into()).spawn(work)? })
    }

    /// Tells what becomes of copies.
    pub(in super::super) fn tell(&self, jobs: Vec<(NameBuf, Job)>) {
        if !jobs.is_empty() {
            self.shared.lock().waiting.extend(jobs);
            self.shared.told.notify_one();
        }
    }

    /// Ends the thread.
    pub(in super::super) fn end(self) {
        self.shared.lock().end = Some(Instant::now() + END_WAIT_MAX);
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
    fn next(&self) -> Option<(NameBuf, Job)> {
        let mut jobs = self.lock();
        loop {
            if jobs.end.is_some_and(|end| Instant::now() >= end) {
                return None;
            }
            if let Some(job) = jobs.waiting.pop_first() {
                return Some(job);
            }
            if jobs.end.is_some() {
                return None;
            }
            jobs = self.told.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What cannot be done is told once, and again after it could be done in between.
struct Faults {
    folder: PathBuf,
    failing: bool,
}

impl Faults {
    fn tell(&mut self, what: &str, done: io::Result<()>) {
        let was_failing = std::mem::replace(&mut self.failing, done.is_err());
        if let Err(error) = done
            && !was_failing
        {
            let (what, folder, why) = (what.into(), self.folder.clone(), error.to_string());
            Notice::Copy(CopyNews::Failed { what, folder, why }).log();
        }
    }
}

fn run(copies: &Copies, shared: &Shared, faults: &mut Faults) {
    while let Some((apex, job)) = shared.next() {
        let done = match &job {
            Some((zone, file)) => copies.save(zone, file),
            None => copies.remove(&apex),
        };
        faults.tell(&format!("the copy of {apex}"), done);
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
