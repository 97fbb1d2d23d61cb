//! What leaves the worker: changes for the loop, lines for people, copies for the disk; in this order.
//!
//! Who reads a line can ask at once. Most lines come when the changes are on their way to the loop, which
//! takes them before it looks at its sockets again. The line that a script waits for, that all files were
//! read again, comes when the loop has said that it has them.

use super::Step;
use super::copies::saver::Saver;
use super::library::Library;
use super::notice::Notice;
use super::worker::Wake;
use crate::zone::set::Change;
use std::sync::mpsc::Sender;

/// What the worker speaks through.
pub(super) struct Outlet {
    changes: Sender<Vec<Change>>,
    wake: Wake,
    saver: Option<Saver>,
    /// How many lists of changes the loop has not put in place yet.
    under_way: usize,
    /// Lines that wait for it.
    waiting: Vec<Notice>,
}

impl Outlet {
    pub(super) fn new(changes: Sender<Vec<Change>>, wake: Wake) -> Outlet {
        Outlet { changes, wake, saver: None, under_way: 0, waiting: Vec::new() }
    }

    /// Starts to save copies, if there are to be any.
    pub(super) fn start(&mut self, library: &Library) {
        self.saver = library.start_saver();
    }

    /// Passes on what a step gave. False if nobody takes changes any more.
    pub(super) fn tell(&mut self, library: &Library, step: Step) -> bool {
        let Step { changes, notices } = step;
        let jobs = library.copy_jobs(&changes);
        let mut taken = true;
        if !changes.is_empty() {
            taken = self.changes.send(changes).is_ok();
            (self.wake)();
            self.under_way += 1;
        }
        let asked = notices.iter().any(|notice| matches!(notice, Notice::ReloadedAll { .. }));
        for notice in notices {
            match notice {
                Notice::ReloadedAll { .. } => self.waiting.push(notice),
                notice => notice.log(),
            }
        }
        self.say_what_waited();
        if let Some(saver) = &self.saver {
            saver.tell(jobs);
            if asked {
                saver.retry();
            }
        }
        taken
    }

    /// So many lists of changes are in place.
    pub(super) fn applied(&mut self, messages: usize) {
        self.under_way = self.under_way.saturating_sub(messages);
        self.say_what_waited();
    }

    /// Ends what was started.
    pub(super) fn end(self) {
        self.saver.into_iter().for_each(Saver::end);
    }

    fn say_what_waited(&mut self) {
        if self.under_way == 0 {
            self.waiting.drain(..).for_each(|notice| notice.log());
        }
    }
}
