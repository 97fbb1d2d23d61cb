//! What the version before says about a new one, in this life of the server or an earlier one.
//!
//! A version is compared with what is served, and after a start with its zone's copy, before it counts
//! ([`damage`]). Where a file cannot be used and nothing is served of its zone, the copy is
//! ([`copies`](super::copies)). A file is known by its path: what it was about cannot be told from a text
//! whose SOA record is broken.

use super::Step;
use super::copies::CopyNews;
use super::copies::saver::{Job, Saver};
use super::damage;
use super::library::Library;
use super::load::Loaded;
use super::notice::Notice;
use crate::name::NameBuf;
use crate::zone::Zone;
use crate::zone::set::{Change, Slot};
use std::path::Path;
use std::sync::Arc;

impl Library {
    /// Has a version that looks damaged, compared with what is served, count as broken.
    pub(super) fn hold_back(&self, file: &Path, loaded: &mut Loaded) {
        let new = loaded.zone.as_ref().filter(|_| self.options.hold_damaged);
        let old = new.and_then(|new| {
            let apex = new.apex().to_buf();
            let served = self.claims.would_replace(file, &apex);
            served.or_else(|| self.copy_with_more(&apex, new.record_count()).map(Arc::new))
        });
        if let Some(old) = old {
            damage::hold_back(&old, loaded);
        }
    }

    /// The version of a zone that a good file would take the place of: what is served, or its copy.
    pub(super) fn last_good(&self, file: &Path, apex: &NameBuf) -> Option<Arc<Zone>> {
        let served = self.claims.would_replace(file, apex);
        served.or_else(|| self.copy_with_more(apex, 0).map(Arc::new))
    }

    /// The copy of a zone that is not served yet, if it has more than so many records.
    fn copy_with_more(&self, apex: &NameBuf, count: usize) -> Option<Zone> {
        let copies = self.options.copies.as_ref().filter(|_| !self.claims.is_served(apex))?;
        copies.record_count(apex).filter(|&records| records > count)?;
        copies.load(apex)?.ok()
    }

    /// Serves the copy of a zone whose file cannot be used, and of which nothing else is served.
    pub(super) fn revive(&mut self, file: &Arc<Path>, loaded: &mut Loaded, step: &mut Step) {
        let Some(copies) = &self.options.copies else { return };
        if loaded.zone.is_some() || self.claims.serves_from(file) {
            return;
        }
        let copied = copies.zone_of(file).filter(|apex| !self.claims.is_served(apex));
        let Some(apex) = copied.or(loaded.apex.as_ref()).cloned() else { return };
        let Some(found) = copies.load(&apex).filter(|_| !self.claims.is_served(&apex)) else {
            return;
        };
        let copy = copies.path(apex.as_name());
        let news = match found {
            Ok(zone) => {
                let serial = zone.serial();
                self.claims.revive(file, &Arc::new(zone), step);
                loaded.apex = Some(apex.clone());
                CopyNews::Served { apex, copy, serial }
            }
            Err(why) => CopyNews::Unusable { apex, copy, why },
        };
        step.notices.push(Notice::Copy(news));
    }

    /// What becomes of the copies of zones by these changes.
    pub(super) fn copy_jobs(&self, changes: &[Change]) -> Vec<(NameBuf, Job)> {
        if self.options.copies.is_none() {
            return Vec::new();
        }
        let job = |change: &Change| match &change.slot {
            None => Some((change.apex.clone(), None)),
            Some(Slot::Live(zone)) => {
                let file = self.claims.holder(&change.apex)?;
                Some((change.apex.clone(), Some((zone.clone(), file))))
            }
            Some(Slot::Stale(_) | Slot::Broken) => None,
        };
        changes.iter().filter_map(job).collect()
    }

    /// Starts the thread that saves copies, if there are to be any, and has it save what is served.
    pub(super) fn start_saver(&self) -> Option<Saver> {
        let copies = self.options.copies.clone()?;
        let held = self.claims.zones().map(|held| held.apex.clone()).collect();
        match Saver::start(copies, self.sources.clone(), held) {
            Ok(saver) => {
                saver.tell(self.claims.live().collect());
                Some(saver)
            }
            Err(error) => {
                log::error!("no copies of zones are saved: the system gives no thread: {error}");
                None
            }
        }
    }
}
