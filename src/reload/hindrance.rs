//! What keeps the new versions of a group from being served?
//!
//! Each of its zones is to have a good file that would serve it. So a broken file hinders the others
//! unless it serves nothing, because another one holds the zone that it claims; and so does a zone whose
//! file is gone or speaks of another one now, unless a good file is there to take it over: then the file
//! was renamed, or two were.

use super::Step;
use super::claims::Held;
use super::library::Library;
use super::reading::Reading;
use super::serial::SerialStep;
use crate::name::NameBuf;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Library {
    /// A file because of which nothing in a group may be new: it is broken or missing.
    pub(super) fn hindrance(&self, group: &str, readings: &[Reading]) -> Option<Arc<Path>> {
        let broken: Vec<_> = readings.iter().filter_map(|reading| self.broken(reading)).collect();
        let mut served = self.served(readings);
        for (apex, _) in broken.iter().filter(|(_, file)| self.claims.serves_from(file)) {
            served.remove(apex); // its last good version goes on, whoever else holds it
        }
        let is_hindered = |apex: &NameBuf| {
            !served.contains(apex) && self.group_of_zone(apex).as_deref() == Some(group)
        };
        if let Some((_, file)) = broken.iter().find(|(apex, _)| is_hindered(apex)) {
            return Some((*file).clone());
        }
        let mut held = self.claims.zones.iter().filter(|_| !self.claims.starting); // and no look at all
        let counts = |held: &Held| {
            held.zone.is_some() || !readings.iter().any(|reading| reading.file == held.by)
        };
        let hindrance = held.find(|(apex, held)| is_hindered(apex) && counts(held));
        hindrance.map(|(_, held)| held.by.clone())
    }

    /// A file that turned out broken, and the zone that it claims.
    fn broken<'r>(&self, reading: &'r Reading) -> Option<(NameBuf, &'r Arc<Path>)> {
        let Reading { file, loaded, .. } = reading;
        let is_broken = loaded.zone.is_none();
        let claim = is_broken.then(|| self.claims.would_claim(file, loaded.apex.clone()))?;
        Some((claim?, file))
    }

    /// Whether a version is held back by that file: it changes what is served. The file itself tells what
    /// becomes of its zone.
    pub(super) fn is_held_back(&self, reading: &Reading, hindrance: &Path) -> bool {
        let Reading { file, loaded, .. } = reading;
        let Some(zone) = loaded.zone.as_ref().filter(|_| **file != *hindrance) else {
            return false;
        };
        let apex = zone.apex().to_buf();
        let gives_up =
            self.claims.serves_from(file) && self.claims.claimed(file) != Some(apex.clone());
        let before = self.last_good(file, &apex);
        gives_up || before.is_some_and(|before| SerialStep::of(&before, zone).is_some())
    }

    /// Has the zones whose files hold others now be taken over by what is read with these.
    pub(super) fn give_up_zones(&mut self, readings: &[Reading], now: Instant, step: &mut Step) {
        let given_up = self.given_up(readings);
        for Reading { file, .. } in readings.iter().filter(|_| !given_up.is_empty()) {
            let former = self.claims.claimed(file).filter(|former| given_up.contains(former));
            former.iter().for_each(|former| self.claims.orphan(former, file, now, step));
        }
    }

    /// The zones whose files are good and hold others now.
    fn given_up(&self, readings: &[Reading]) -> HashSet<NameBuf> {
        let zones = readings.iter().filter_map(|Reading { file, loaded, .. }| {
            let zone = loaded.zone.as_ref()?;
            let former = self.claims.claimed(file).filter(|_| self.claims.serves_from(file))?;
            (former.as_name() != zone.apex()).then_some(former)
        });
        zones.collect()
    }

    /// The zones that a good file would serve, if nothing hinders it.
    fn served(&self, readings: &[Reading]) -> HashSet<NameBuf> {
        let given_up = self.given_up(readings);
        let zones = readings.iter().filter_map(|Reading { file, loaded, .. }| {
            let apex = loaded.zone.as_ref()?.apex().to_buf();
            (self.claims.would_serve(file, &apex) || given_up.contains(&apex)).then_some(apex)
        });
        zones.collect()
    }

    /// Ends the zones whose files have been away for long enough. Who takes over one of a group waits for
    /// the rest of it.
    pub(super) fn expire(&mut self, now: Instant, step: &mut Step) {
        let groups = &self.options.choices.groups;
        let waits = |apex: &NameBuf| groups.find(apex.as_name(), Some).is_some();
        let heirs = self.claims.expire(waits, now, step);
        self.queue.extend(heirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::groups::QUIET;
    use crate::reload::testing::{Lab, REMOVE_AFTER, kinds, told};

    const GOOD: [&str; 3] = ["1 1\nend", "2 1\nend", "3 1\nend"];
    /// Of the zone `a.`, in a file with another name.
    const MOVED: [&str; 2] = ["1 1\napex a.\nend", "2 1\napex a.\nend"];

    fn lab(file: &str, text: &str) -> Lab {
        let path = format!("z/{file}");
        Lab::new(&[(&path, text), ("z/b.zone", GOOD[0]), ("z/c.zone", GOOD[0])]).0
    }

    #[test]
    fn a_file_is_not_missing_whose_zone_another_good_one_holds() {
        let mut lab = lab("x.zone", MOVED[0]);
        lab.write("a.zone", GOOD[1]);
        lab.remove("x.zone");
        assert_eq!(lab.reload(), [vec!["Ending"], vec!["Reloaded", "ReloadedAll"]]);
        assert_eq!(lab.serials(), [2, 1, 1]);
    }

    #[test]
    fn a_file_that_is_named_after_no_zone_of_the_group_waits_for_the_others() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.remove("a.zone");
        lab.write("x.zone", MOVED[1]);
        lab.write("b.zone", GOOD[1]);
        let both = vec!["Reloaded", "Reloaded", "ReloadedAll"];
        assert_eq!(lab.reload(), [vec!["Ending"], both]);
        assert_eq!(lab.serials(), [2, 2, 1]);
    }

    #[test]
    fn a_renamed_file_waits_for_a_broken_one_and_its_zone_goes_on() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.remove("a.zone");
        lab.write("x.zone", MOVED[1]);
        lab.write("b.zone", "broken");
        lab.reload();
        for _ in 0..2 {
            assert_eq!(lab.serials(), [1, 1, 1]);
            lab.now += REMOVE_AFTER;
            lab.reload();
        }
        lab.write("b.zone", GOOD[1]);
        lab.reload();
        assert_eq!(lab.serials(), [2, 2, 1]);
    }

    #[test]
    fn a_second_file_that_takes_over_waits_for_a_broken_one() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.write("x.zone", MOVED[1]);
        lab.write("b.zone", "broken");
        assert_eq!(lab.reload()[1], ["Rejected", "Conflict", "ReloadedAll"]);
        lab.remove("a.zone");
        lab.library.sweep(lab.now, &mut Step::default());
        lab.now += REMOVE_AFTER;
        assert_eq!(kinds(&lab.library.step(lab.now).notices), ["TookOver"]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        assert_eq!(lab.reload()[1], ["Rejected", "Rejected", "ReloadedAll"]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        lab.write("b.zone", GOOD[1]);
        assert_eq!(lab.reload()[1], ["Reloaded", "Reloaded", "ReloadedAll"]);
        assert_eq!(lab.serials(), [2, 2, 1]);
    }

    #[test]
    fn a_broken_file_that_serves_nothing_hinders_nobody() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.write("x.zone", MOVED[0]);
        lab.reload();
        lab.write("x.zone", "broken");
        assert_eq!(lab.reload()[1], ["Rejected", "ReloadedAll"]);
        lab.write("b.zone", GOOD[1]);
        assert_eq!(lab.reload()[1], ["Reloaded", "Rejected", "ReloadedAll"]);
        assert_eq!(lab.serials(), [1, 2, 1]);
    }

    #[test]
    fn a_broken_heir_that_is_removed_hinders_no_more() {
        let mut lab = lab("x.zone", MOVED[0]);
        lab.write("x.zone", "2 1\napex new.\nend");
        lab.write("a.zone", "broken");
        assert_eq!(lab.reload()[1], ["Rejected", "Rejected", "ReloadedAll"]);
        assert_eq!(lab.serials(), [1, 1, 1]);
        lab.remove("a.zone");
        lab.library.sweep_by(lab.now);
        lab.now += QUIET;
        lab.library.step(lab.now);
        lab.now += QUIET;
        assert_eq!(told(&lab.library.step(lab.now).notices), ["Loaded", "Ending"]);
    }

    #[test]
    fn two_files_that_trade_their_zones_change_at_once() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.write("a.zone", "3 1\napex b.\nend");
        lab.write("b.zone", MOVED[1]);
        lab.reload();
        assert_eq!(lab.serials(), [2, 3, 1]);
    }

    #[test]
    fn a_zone_that_its_file_gave_up_holds_the_others_back_until_it_ends() {
        let mut lab = lab("a.zone", GOOD[0]);
        lab.write("a.zone", "2 1\napex new.\nend");
        lab.write("b.zone", GOOD[1]);
        lab.reload();
        assert_eq!(lab.serials(), [1, 1, 1, 2]);
        lab.now += REMOVE_AFTER;
        lab.reload();
        assert_eq!(lab.serials(), [2, 1, 2], "b., c., new.");
    }
}
