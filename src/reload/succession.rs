//! When the file of a zone goes away: does the zone end, and who takes it over?
//!
//! Files vanish for a moment all the time: editors remove before they write, deployments move a
//! folder away and put another in its place. So a zone outlives its file by `remove_after`, and
//! coming back in time is as if nothing had happened. Then the zone goes to another file that claims
//! it, or ends; if that file is broken, the last good version goes on. The same holds for a zone whose file speaks of another zone now.

use super::Step;
use super::claims::{Claims, File, Held, Outcome};
use super::folder::Presence;
use super::load::is_named_after;
use super::notice::Notice;
use super::serial::SerialStep;
use crate::name::NameBuf;
use crate::zone::Zone;
use crate::zone::set::{Change, Slot};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Claims {
    /// Takes a listing: which files vanished, and which came back. The zones of those that stay
    /// away end by [`Claims::expire`].
    pub(super) fn see(
        &mut self,
        presence: impl Fn(&Path) -> Presence,
        now: Instant,
        step: &mut Step,
    ) {
        let mut moved = Vec::new();
        for (path, file) in &mut self.files {
            let gone = presence(path) == Presence::Gone;
            if gone != file.gone.is_some() {
                file.gone = gone.then_some(now);
                moved.push((path.clone(), gone, file.outcome.apex()));
            }
        }
        moved.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, gone, apex) in moved {
            match apex {
                Some(apex) if gone => self.orphan(&apex, &path, now, step),
                Some(apex) => self.restore(&apex, &path, step),
                None => {}
            }
        }
    }

    /// When [`Claims::expire`] is to be asked next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let orphaned = self.zones.values().filter_map(|held| held.orphaned).min();
        orphaned.map(|since| since + self.remove_after)
    }

    /// Ends the zones whose files have been away for long enough, or gives them to the next
    /// claimant. The files must just have been looked at ([`Claims::see`]). Gives those that are to be
    /// read once more. A zone that `waits` for others goes on as it is until that reading.
    pub(super) fn expire(
        &mut self,
        waits: impl Fn(&NameBuf) -> bool,
        now: Instant,
        step: &mut Step,
    ) -> Vec<Arc<Path>> {
        let over = |since: Instant| now >= since + self.remove_after;
        let ends = |held: &Held| held.orphaned.is_some_and(over);
        let ended = self.zones.iter().filter(|(_, held)| ends(held));
        let heirs: BTreeMap<NameBuf, Option<Arc<Path>>> =
            ended.map(|(apex, _)| (apex.clone(), None)).collect();
        self.files.retain(|_, file| !file.gone.is_some_and(over));
        self.bequeath(heirs, waits, step)
    }

    /// The file that may hold `apex` claims it no more: the time runs.
    pub(super) fn orphan(
        &mut self,
        apex: &NameBuf,
        file: &Arc<Path>,
        now: Instant,
        step: &mut Step,
    ) {
        if let Some(held) = self.zones.get_mut(apex)
            && held.by == *file
            && held.orphaned.is_none()
        {
            held.orphaned = Some(now);
            let (apex, file, after) = (apex.clone(), file.clone(), self.remove_after);
            step.notices.push(Notice::Ending { apex, file, after });
        }
    }

    /// A file that claimed `apex` claims another zone now. What was served goes on for a while; what
    /// was never served goes to the next claimant, or ends, at once.
    pub(super) fn leave(
        &mut self,
        apex: &NameBuf,
        file: &Arc<Path>,
        now: Instant,
        step: &mut Step,
    ) {
        match self.zones.get(apex) {
            Some(held) if held.by == *file && held.zone.is_none() => {
                let heirs = BTreeMap::from([(apex.clone(), None)]);
                self.bequeath(heirs, |_| false, step); // there is no version to go on with
            }
            _ => self.orphan(apex, file, now, step),
        }
    }

    /// The file that may hold `apex` is back.
    fn restore(&mut self, apex: &NameBuf, file: &Arc<Path>, step: &mut Step) {
        if let Some(held) = self.zones.get_mut(apex)
            && held.by == *file
            && held.orphaned.take().is_some()
        {
            step.returned(apex, file);
        }
    }

    /// Whether a file would serve a zone if it were good.
    pub(super) fn would_serve(&self, file: &Path, apex: &NameBuf) -> bool {
        let held = self.zones.get(apex);
        held.is_none_or(|held| *held.by == *file || held.yields_to(file, apex, self.starting))
    }

    /// The zone that a file would claim if it were broken and spoke of `apex`.
    pub(super) fn would_claim(&self, file: &Arc<Path>, apex: Option<NameBuf>) -> Option<NameBuf> {
        let former = self.claimed(file);
        match self.keeps_claim(file) {
            true => former,
            false => apex.or(former),
        }
    }

    /// Whether a file is gone, and holds no zone.
    pub(super) fn is_idle(&self, file: &Arc<Path>) -> bool {
        let is_there = self.files.get(file).is_some_and(|file| file.gone.is_none());
        !is_there && self.zones.values().all(|held| held.by != *file)
    }

    /// Whether a file that breaks claims the zone that it did.
    pub(super) fn keeps_claim(&self, file: &Arc<Path>) -> bool {
        self.files.get(file).is_some_and(|old| old.has_held) || self.serves_from(file)
    }

    /// Gives each of these zones to the file that is to hold it: one that is good before one that
    /// is not, then the one named after the zone, then the first by name. Without one it ends. Gives
    /// the files that are to be read once more.
    fn bequeath(
        &mut self,
        mut heirs: BTreeMap<NameBuf, Option<Arc<Path>>>,
        waits: impl Fn(&NameBuf) -> bool,
        step: &mut Step,
    ) -> Vec<Arc<Path>> {
        if heirs.is_empty() {
            return Vec::new();
        }
        for (path, file) in self.files.iter().filter(|(_, file)| file.gone.is_none()) {
            let Some(apex) = file.outcome.apex() else {
                continue;
            };
            let Some(best) = heirs.get_mut(&apex) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| self.rank(path, &apex) < self.rank(best, &apex)) {
                *best = Some(path.clone());
            }
        }
        let heirs = heirs.into_iter();
        let inherit = |(apex, heir)| {
            let waits = waits(&apex);
            self.inherit(apex, heir, waits, step)
        };
        heirs.filter_map(inherit).collect()
    }

    fn rank<'a>(&self, path: &'a Arc<Path>, apex: &NameBuf) -> (bool, bool, &'a Path) {
        let good = self.files.get(path).is_some_and(File::is_good);
        (!good, !is_named_after(path, apex), path)
    }

    /// Gives a zone to its heir, which is to be read once more if that is not all.
    fn inherit(
        &mut self,
        apex: NameBuf,
        heir: Option<Arc<Path>>,
        waits: bool,
        step: &mut Step,
    ) -> Option<Arc<Path>> {
        let held = self.zones.remove(&apex)?;
        let Some(file) = heir else {
            step.changes.push(Change { apex: apex.clone(), slot: None });
            step.notices.push(Notice::Removed { apex, file: held.by });
            return None;
        };
        match (self.files.get(&file).map(|file| &file.outcome), &held.zone) {
            (Some(Outcome::Good(zone)), _) => {
                let zone = zone.clone();
                self.take_over(apex, held, file.clone(), (zone, waits), step).then_some(file)
            }
            (_, Some(zone)) => {
                step.serve(&apex, Slot::Stale(zone.clone()));
                self.hand_over(apex, held, &file);
                Some(file)
            }
            (_, None) => {
                step.notices.push(Notice::Removed { apex: apex.clone(), file: held.by });
                self.fail(&apex, &file, step);
                None
            }
        }
    }

    /// A good heir serves its own version; or, if that `waits` for others, goes on with the one before
    /// until they are read together. Says whether that is so.
    fn take_over(
        &mut self,
        apex: NameBuf,
        held: Held,
        file: Arc<Path>,
        (mut zone, waits): (Arc<Zone>, bool),
        step: &mut Step,
    ) -> bool {
        let old = held.zone.unwrap_or_else(|| zone.clone());
        let numbered = self.numbering.of(&zone, old.serial(), Some(&old));
        if let Some((serial, _)) = numbered {
            Arc::make_mut(&mut zone).set_serial(serial);
        }
        let waits = waits && SerialStep::of(&old, &zone).is_some();
        let (zone, numbered) = if waits { (old.clone(), None) } else { (zone, numbered) };
        if !waits {
            step.serve(&apex, Slot::Live(zone.clone()));
        }
        let stale = waits && held.stale;
        self.zones.insert(apex.clone(), Held { stale, ..Held::live(&file, &zone) });
        step.notices.push(Notice::TookOver {
            apex,
            file,
            before: held.by,
            serial: (old.serial(), zone.serial()),
            numbered: numbered.map(|(_, numbered)| numbered),
            step: SerialStep::of(&old, &zone),
        });
        waits
    }

    /// A broken heir has the last good version go on, as a file does that breaks. Its next reading
    /// tells what is wrong with it, though that was told before: now it matters.
    fn hand_over(&mut self, apex: NameBuf, held: Held, file: &Arc<Path>) {
        if let Some(file) = self.files.get_mut(file) {
            file.version.file = None;
        }
        let held = Held { by: file.clone(), stale: true, orphaned: None, ..held };
        self.zones.insert(apex, held);
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::Severity;
    use crate::reload::testing::{Lab, Play, REMOVE_AFTER, kinds};

    fn two_zones() -> Play {
        let mut play = Play::new();
        play.good("z/a.zone", "a.", 1);
        play.good("z/b.zone", "b.", 1);
        play.claims.starting = false;
        play
    }

    #[test]
    fn a_removed_file_ends_its_zone_after_a_while() {
        let mut play = two_zones();
        assert_eq!(play.later(0, &["z/a.zone"]), ["Ending"]);
        assert_eq!(play.later(9, &["z/a.zone"]), [""; 0]);
        assert_eq!(play.slot("a."), "live 1");
        assert_eq!(play.later(1, &["z/a.zone"]), ["Removed"]);
        assert_eq!((play.slot("a."), play.slot("b.")), (String::new(), "live 1".into()));
        assert!(play.claims.deadline().is_none());
    }

    #[test]
    fn back_in_time_is_as_if_nothing_had_happened() {
        let mut play = two_zones();
        play.later(0, &["z/a.zone"]);
        assert_eq!(play.later(9, &[]), ["Returned"]);
        assert_eq!(play.later(9, &[]), [""; 0]);
        play.later(0, &["z/a.zone"]);
        assert_eq!(play.good("z/a.zone", "a.", 2), ["Returned", "Reloaded"], "seen by an event");
        assert_eq!(play.slot("a."), "live 2");
    }

    #[test]
    fn a_file_that_speaks_of_another_zone_leaves_its_first_one() {
        let mut play = two_zones();
        assert_eq!(play.good("z/a.zone", "c.", 5), ["Loaded", "Ending"]);
        assert_eq!((play.slot("a."), play.slot("c.")), ("live 1".into(), "live 5".into()));
        assert_eq!(play.later(10, &[]), ["Removed"]);
        assert_eq!((play.slot("a."), play.slot("c.")), (String::new(), "live 5".into()));
    }

    #[test]
    fn a_typo_in_the_owner_that_is_mended_changes_nothing() {
        let mut play = two_zones();
        play.good("z/a.zone", "typo.", 2);
        assert_eq!(play.good("z/a.zone", "a.", 2), ["Returned", "Reloaded", "Ending"]);
        assert_eq!(play.later(10, &[]), ["Removed"]);
        assert_eq!((play.slot("a."), play.slot("typo.")), ("live 2".into(), String::new()));
    }

    #[test]
    fn the_other_file_of_a_zone_takes_over_when_the_first_is_gone_for_good() {
        let mut play = two_zones();
        assert_eq!(play.good("z/other.zone", "a.", 7), ["Conflict"]);
        play.later(0, &["z/a.zone"]);
        assert_eq!(play.slot("a."), "live 1", "it may come back");
        assert_eq!(play.later(10, &["z/a.zone"]), ["TookOver"]);
        assert_eq!(play.slot("a."), "live 7");
        assert_eq!(play.good("z/a.zone", "a.", 8), ["Conflict"], "too late");
    }

    #[test]
    fn whoever_takes_over_is_looked_at_as_a_change_is() {
        let told = |serial: u32, addresses: usize| {
            let mut play = two_zones();
            play.has("z/other.zone", "a.", serial, addresses);
            play.later(0, &["z/a.zone"]);
            play.later(10, &["z/a.zone"]);
            play.texts.pop().unwrap()
        };
        let start = "z/other.zone: serves a. in place of z/a.zone, serial ";
        assert_eq!(told(1, 1), format!("{start}1"));
        assert_eq!(told(2, 2), format!("{start}1 → 2"));
        assert!(told(1, 2).starts_with(&format!("{start}1; warning[Z004]: ")));
        assert!(told(0, 2).starts_with(&format!("{start}1 → 0; warning[Z005]: ")));
    }

    #[test]
    fn a_renamed_file_is_served_at_once() {
        let mut play = two_zones();
        play.later(0, &["z/a.zone"]);
        assert_eq!(play.good("z/new.zone", "a.", 2), ["Reloaded"]);
        assert_eq!(play.slot("a."), "live 2");
        assert_eq!(play.later(20, &["z/a.zone"]), [""; 0]);
        assert_eq!(play.slot("a."), "live 2");
    }

    #[test]
    fn a_broken_heir_gets_the_last_good_version() {
        let mut play = two_zones();
        play.bad("z/other.zone", "a.");
        play.later(0, &["z/a.zone"]);
        play.later(10, &["z/a.zone"]);
        assert_eq!(play.slot("a."), "stale 1");
        assert!(play.claims.deadline().is_none());
        play.bad("z/other.zone", "a.");
        assert_eq!(play.slot("a."), "stale 1");
        assert_eq!(play.good("z/other.zone", "a.", 2), ["Reloaded"]);
        assert_eq!(play.slot("a."), "live 2");
    }

    #[test]
    fn a_broken_heir_is_told_of_with_its_reason() {
        let good = "1 1\nend";
        let (mut lab, _) = Lab::new(&[("z/a.zone", good), ("z/c.zone", good)]);
        lab.remove("c.zone");
        lab.write("new.zone", "broken\napex c.\n");
        lab.reload();
        lab.now += REMOVE_AFTER;
        let notices = lab.library.step(lab.now).notices;
        assert_eq!(kinds(&notices), ["Rejected"]);
        let text = notices[0].text(Severity::Warning);
        assert!(text.contains("not loaded; c. goes on as of serial 1 (1 error)"), "{text}");
        assert!(text.contains("error[Z101]: broken"), "{text}");
    }
}
