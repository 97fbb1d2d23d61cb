//! From disk to served zones, off the loop's thread: which files changed, and what do they change?
//!
//! ```text
//! watch ─ events ─▶ debounce ─ files to read ─▶ load ─▶ claims ─ changes ─▶ the loop
//!   ▲                   ▲ what differs                     │ notices ─▶ the log
//!   └── reach ◀── folder (the listing) ────────────────────┘
//! ```
//!
//! Events are hints, fingerprints are the truth. The file system's events tell at once that a file
//! was closed after writing or renamed into place ([`debounce`]); they get lost on network mounts,
//! in containers and in overflowing queues, so a slow sweep compares every file with what was last
//! read of it. Nothing is read while a writer has it open, and a reading during which the file
//! changed is thrown away.
//!
//! What a good, broken or vanished file means for the zones is decided in [`claims`], which sees no
//! disk: never serve worse. A version that reads well and looks [damaged](damage) counts as broken. The
//! last good version outlives the process in [`copies`]. Which serial a version gets, the file's or one by a policy, is
//! decided in [`serial`]; which ones are served together or not at all, in [`groups`]. [`library`] joins the two, and [`worker`] is the thread around it.

mod asked;
mod claims;
pub mod copies;
pub mod damage;
mod debounce;
mod earlier;
pub mod folder;
mod groups;
mod hindrance;
mod include;
mod judging;
pub mod library;
pub mod load;
pub mod notice;
mod numbering;
mod outlet;
pub mod parts;
pub mod places;
mod reach;
mod reading;
mod serial;
#[cfg(test)]
mod simulation;
mod succession;
mod sweep;
#[cfg(test)]
mod testing;
mod trust;
mod version;
mod watch;
pub mod worker;

use crate::name::pattern::Patterns;
use crate::name::{Name, NameBuf};
use crate::zone::set::{Change, Slot};
use notice::Notice;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use claims::Holding;
pub use copies::Copies;
pub use folder::Sources;
pub use library::Library;
pub use serial::{Policies, Policy, SerialStep};
pub use worker::start;

/// How changes on disk are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WatchMode {
    /// By the file system's events, with a slow sweep as the net below.
    #[default]
    Notify,
    /// By sweeps alone, more often: for mounts that have no events.
    Poll,
    /// Not at all; files are read again when [`Command::ReloadAll`] says so.
    Off,
}

/// What the operator chose about reloading.
#[derive(Debug)]
pub struct Options {
    /// How changes are noticed.
    pub watch: WatchMode,
    /// How long the zone of a removed file is still served.
    pub remove_after: Duration,
    /// Whether a version that looks [damaged](damage) is held back.
    pub hold_damaged: bool,
    /// Where the last good version of each zone is kept.
    pub copies: Option<Copies>,
    /// What can be chosen anew later.
    pub choices: Choices,
}

/// What the operator can choose anew while zones are served.
#[derive(Debug, Default)]
pub struct Choices {
    /// Where serials come from.
    pub serials: Policies,
    /// Which zones belong together: those with the same word.
    pub groups: Patterns<String>,
    /// Whether zones remember what changed since earlier versions, for secondaries.
    pub history: bool,
    /// The secondaries that are told of changes. They go by the serial alone: a warning names them when a
    /// change does not raise it.
    pub told: Told,
}

/// Who is told of changes, in words for people.
#[derive(Debug, Default)]
pub struct Told {
    /// Of zones for which nothing else is said.
    pub server: Vec<String>,
    /// Of some zones alone.
    pub zones: Patterns<Vec<String>>,
}

impl Told {
    /// Who is told of a zone.
    fn of(&self, apex: Name<'_>) -> &[String] {
        self.zones.find(apex, Some).unwrap_or(&self.server)
    }
}

/// How long the zone of a removed file is still served, unless the operator says otherwise: longer
/// than any editor or deployment takes between removing a file and putting the new one there.
pub const REMOVE_AFTER_DEFAULT: Duration = Duration::from_secs(10);

impl Default for Options {
    fn default() -> Options {
        Options {
            watch: WatchMode::default(),
            remove_after: REMOVE_AFTER_DEFAULT,
            hold_damaged: true,
            copies: None,
            choices: Choices::default(),
        }
    }
}

/// What the worker is told.
#[derive(Debug)]
pub enum Command {
    /// Reads every zone file again, whatever the fingerprints say. One that somebody is writing is
    /// read when it is closed.
    ReloadAll,
    /// So many lists of changes are in place, in the order they were sent. What stood there before is
    /// to be freed, where that takes no time from answering.
    Applied {
        /// How many lists of changes.
        messages: usize,
        /// What they replaced.
        replaced: Vec<Slot>,
    },
    /// What holds as of the next version of each zone.
    Choose(Choices),
    /// The watch has seen something; it says so itself.
    Look,
    /// Ends the thread.
    Quit,
}

/// What one step of reloading gives.
#[derive(Debug, Default)]
pub struct Step {
    /// What the loop changes in its set of zones, in this order.
    pub changes: Vec<Change>,
    /// What people are told, in the order it happened.
    pub notices: Vec<Notice>,
}

impl Step {
    fn serve(&mut self, apex: &NameBuf, slot: Slot) {
        self.changes.push(Change { apex: apex.clone(), slot: Some(slot) });
    }

    fn conflict(&mut self, apex: &NameBuf, served: &Arc<Path>, other: &Arc<Path>) {
        let (apex, served, other) = (apex.clone(), served.clone(), other.clone());
        self.notices.push(Notice::Conflict { apex, served, other });
    }

    fn returned(&mut self, apex: &NameBuf, file: &Arc<Path>) {
        self.notices.push(Notice::Returned { apex: apex.clone(), file: file.clone() });
    }
}
