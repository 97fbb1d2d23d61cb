//! The serials of the zones, by their [policies](super::serial), in this life of the server and across
//! restarts.
//!
//! What a version is compared with is what is served of its zone, and after a start the zone's copy. The
//! serials that a policy has to do with are remembered before their versions reach the loop
//! ([`copies::serials`](super::copies::serials)); a copy with another serial is an older version.

use super::Choices;
use super::Step;
use super::copies::{Copies, CopyNews, serials::Serials};
use super::library::Library;
use super::load::Loaded;
use super::notice::Notice;
use super::serial::{Refusal, SerialStep};
use crate::name::NameBuf;
use crate::zone::Zone;
use crate::zone::set::{Change, Slot};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The serials that were served last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    serials: Serials,
    /// Whether they cannot be written; told once.
    failing: bool,
    /// Whether it was said that they are not kept.
    told: bool,
}

/// The time in seconds since 1970, as far as four octets hold it.
pub(super) fn clock() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() & u64::from(u32::MAX)).unwrap_or_default()
}

impl Library {
    /// Has other choices hold as of the next version of each zone.
    pub(super) fn choose(&mut self, mut choices: Choices, step: &mut Step) {
        self.claims.numbering.policies = std::mem::take(&mut choices.serials);
        self.options.choices = choices;
        self.regroup();
        self.say_if_forgetful(step);
    }

    /// Reads which serials were served last.
    pub(super) fn recall_serials(&mut self, step: &mut Step) {
        self.say_if_forgetful(step);
        let Some(copies) = &self.options.copies else { return };
        match copies.load_serials() {
            Ok(serials) => self.memory.serials = serials,
            Err(why) => {
                let file = copies.serials_path();
                step.notices.push(Notice::Copy(CopyNews::SerialsUnusable { file, why }));
            }
        }
    }

    /// Says, once, that serials are not remembered.
    fn say_if_forgetful(&mut self, step: &mut Step) {
        let forgets = self.options.copies.is_none() && self.claims.numbering.policies.is_any();
        if forgets && !std::mem::replace(&mut self.memory.told, true) {
            step.notices.push(Notice::Forgetful);
        }
    }

    /// Finds why the policy of a version's zone does not hold.
    pub(super) fn find_refusal(&self, loaded: &mut Loaded) {
        let Some(zone) = &loaded.zone else { return };
        let policy = self.claims.numbering.policies.of(zone.apex());
        if let Some((policy, refusal)) = policy.zip(Refusal::of(zone)) {
            let finding = refusal.finding(policy, loaded.serial.unwrap_or_default());
            if !loaded.report.allows(&finding) {
                loaded.report.findings.push(finding);
                loaded.report.sort();
            }
        }
    }

    /// Gives a version its serial.
    pub(super) fn number(&self, file: &Path, loaded: &mut Loaded, step: &mut Step) {
        let numbering = &self.claims.numbering;
        let zone = loaded.zone.as_mut();
        let Some(zone) = zone.filter(|zone| numbering.policies.holding(zone).is_some()) else {
            return;
        };
        let apex = zone.apex().to_buf();
        let Some((last, old)) = self.last_version(file, &apex, zone.serial(), step) else { return };
        if let Some((serial, numbered)) = numbering.of(zone, last, old.as_deref()) {
            zone.set_serial(serial);
            loaded.numbered = Some(numbered);
        }
    }

    /// The serial that was served last of a zone, if a file with that serial would follow it, and the
    /// version with it, if that is known and needed.
    fn last_version(
        &self,
        file: &Path,
        apex: &NameBuf,
        serial: u32,
        step: &mut Step,
    ) -> Option<(u32, Option<Arc<Zone>>)> {
        let remembered = self.memory.serials.get(apex).copied();
        if !self.claims.starting && self.claims.is_served(apex) {
            let old = self.claims.would_replace(file, apex)?;
            let last = remembered.unwrap_or(old.serial());
            return Some((last, Some(old).filter(|old| old.serial() == last)));
        }
        let copies = self.options.copies.as_ref()?;
        let last = remembered.or_else(|| copies.serial(apex))?;
        if SerialStep::between(last, serial) == SerialStep::Forward {
            return Some((last, None));
        }
        match copies.load(apex) {
            Some(Ok(copy)) => Some((last, Some(copy).filter(|c| c.serial() == last).map(Arc::new))),
            Some(Err(why)) => {
                let (apex, copy) = (apex.clone(), copies.path(apex.as_name()));
                step.notices.push(Notice::Copy(CopyNews::Unusable { apex, copy, why }));
                remembered.map(|last| (last, None))
            }
            None => Some((last, None)),
        }
    }

    /// Remembers the serials that these changes serve, before anybody sees them.
    pub(super) fn remember_serials(&mut self, step: &mut Step) {
        let policies = &self.claims.numbering.policies;
        let mut changed = false;
        for Change { apex, slot } in &step.changes {
            let now = match slot {
                Some(Slot::Live(zone)) => policies.holding(zone).map(|_| zone.serial()),
                Some(Slot::Stale(_) | Slot::Broken) => continue, // nothing new is served
                None => None,
            };
            let serials = &mut self.memory.serials;
            let before = match now {
                Some(serial) => serials.insert(apex.clone(), serial),
                None => serials.remove(apex),
            };
            changed |= before != now;
        }
        if changed {
            self.save_serials(step);
        }
    }

    /// Writes the serials once more, if that failed.
    pub(super) fn retry_serials(&mut self, step: &mut Step) {
        if self.memory.failing {
            self.save_serials(step);
        }
    }

    /// Forgets the zones that are gone for good: without a file and without a copy.
    pub(super) fn forget_serials(&mut self) {
        let Some(copies) = &self.options.copies else { return };
        let held = |apex: &NameBuf| self.claims.holder(apex).is_some();
        let has_copy = |copies: &Copies, apex: &NameBuf| copies.path(apex.as_name()).exists();
        self.memory.serials.retain(|apex, _| held(apex) || has_copy(copies, apex));
    }

    fn save_serials(&mut self, step: &mut Step) {
        let Some(copies) = &self.options.copies else { return };
        let saved = copies.save_serials(&self.memory.serials);
        let was_failing = std::mem::replace(&mut self.memory.failing, saved.is_err());
        if let Err(error) = saved
            && !was_failing
        {
            let (file, why) = (copies.serials_path(), copies.why(&error));
            step.notices.push(Notice::Copy(CopyNews::SerialsFailed { file, why }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::Policies;
    use crate::reload::serial::Policy;
    use crate::reload::testing::{kinds, read, shown};
    use crate::reload::{Options, Sources, WatchMode};
    use crate::zone::set::ZoneSet;
    use std::fs;
    use std::time::{Duration, Instant};
    use tempfile::TempDir;

    /// A folder of zones and one for their state, and what a server serves.
    struct Lab {
        dir: TempDir,
        library: Library,
        zones: ZoneSet,
    }

    impl Lab {
        fn new(file: &str) -> Lab {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("z")).unwrap();
            fs::write(dir.path().join("z/a.zone"), file).unwrap();
            fs::write(dir.path().join("z/b.zone"), "1 1\nend").unwrap();
            Lab::over(dir).0
        }

        /// A server that starts. Gives the kinds of notices, too.
        fn over(dir: TempDir) -> (Lab, Vec<String>) {
            let sources = Sources { paths: vec![dir.path().join("z")], ..Sources::default() };
            let policies = Policies { server: Policy::Increment, ..Policies::default() };
            let copies = Copies::open(&dir.path().join("state")).unwrap();
            let (watch, copies) = (WatchMode::Off, Some(copies));
            let remove_after = Duration::ZERO;
            let choices = Choices { serials: policies, ..Choices::default() };
            let options = Options { watch, remove_after, copies, choices, ..Options::default() };
            let (library, step) = Library::load_all_with(read, sources, options);
            let mut lab = Lab { dir, library, zones: ZoneSet::default() };
            let kinds = lab.take(step);
            (lab, kinds)
        }

        fn take(&mut self, step: Step) -> Vec<String> {
            step.changes.into_iter().for_each(|change| drop(self.zones.apply(change)));
            kinds(&step.notices)
        }

        /// Saves that version and reads it.
        fn save(&mut self, file: &str) -> String {
            fs::write(self.dir.path().join("z/a.zone"), file).unwrap();
            self.reload();
            shown(&self.zones, "a.")
        }

        fn reload(&mut self) {
            self.library.reload_all(Instant::now(), &mut Step::default());
            let step = self.library.step(Instant::now());
            self.take(step);
        }

        /// Has the copy written, as the thread for that does some time later.
        fn write_copy(&self) {
            let apex: NameBuf = "a.".parse().unwrap();
            let zone = self.zones.get(apex.as_name()).and_then(Slot::zone).unwrap();
            let file = self.dir.path().join("z/a.zone");
            self.library.options.copies.as_ref().unwrap().save(zone, &file).unwrap();
        }

        /// Kills the server, saves that version, and starts another.
        fn killed_and_started_with(self, file: &str) -> Lab {
            fs::write(self.dir.path().join("z/a.zone"), file).unwrap();
            Lab::over(self.dir).0
        }

        fn slot(&self) -> String {
            shown(&self.zones, "a.")
        }
    }

    #[test]
    fn serials_rise_with_the_content_alone() {
        let mut lab = Lab::new("41 1\nend");
        assert_eq!(lab.slot(), "live 41");
        assert_eq!(lab.save("41 2\nend"), "live 42");
        assert_eq!(lab.save("41 2\n\nend"), "live 42", "saved again");
        assert_eq!(lab.save("50 3\nend"), "live 50", "raised by hand");
        assert_eq!(lab.save("60 3\nend"), "live 60", "and without another reason");
        assert_eq!(lab.save("7 3\nend"), "live 60", "it never goes back");
        assert_eq!(lab.save("7 4\nend"), "live 61");
    }

    #[test]
    fn a_restart_goes_on_from_what_was_served_wherever_the_copy_stands() {
        for copy_of in ["none", "the first", "the last"] {
            let mut lab = Lab::new("41 1\nend");
            if copy_of != "none" {
                lab.write_copy();
            }
            lab.save("41 2\nend");
            assert_eq!(lab.save("41 3\nend"), "live 43");
            if copy_of == "the last" {
                lab.write_copy();
            }
            let mut lab = lab.killed_and_started_with("41 3\nend");
            // without its copy nobody knows that the content is the same
            let same = if copy_of == "the last" { "live 43" } else { "live 44" };
            assert_eq!(lab.slot(), same, "{copy_of}");
            let risen = lab.save("41 4\nend");
            let lab = lab.killed_and_started_with("41 5\nend");
            assert!(lab.slot() > risen, "{copy_of}: {} behind {risen}", lab.slot());
            assert_eq!(lab.killed_and_started_with("90 6\nend").slot(), "live 90");
        }
    }

    #[test]
    fn a_copy_alone_tells_what_was_served_before_there_was_a_policy() {
        let lab = Lab::new("41 1\nend");
        lab.write_copy();
        fs::remove_file(lab.library.options.copies.as_ref().unwrap().serials_path()).unwrap();
        assert_eq!(lab.killed_and_started_with("41 2\nend").slot(), "live 42");
    }

    #[test]
    fn damaged_serials_are_told_and_the_copy_goes_on() {
        let mut lab = Lab::new("41 1\nend");
        lab.save("41 2\nend");
        lab.write_copy();
        fs::write(lab.library.options.copies.as_ref().unwrap().serials_path(), "a. 1").unwrap();
        fs::write(lab.dir.path().join("z/a.zone"), "41 3\nend").unwrap();
        let (lab, kinds) = Lab::over(lab.dir);
        assert_eq!((lab.slot(), &kinds[0][..]), ("live 43".into(), "Copy(SerialsUnusable"));
    }

    #[test]
    fn serials_that_could_not_be_written_are_written_later() {
        let mut lab = Lab::new("41 1\nend");
        let in_the_way = lab.dir.path().join("state/serials.new");
        fs::create_dir(&in_the_way).unwrap();
        assert_eq!(lab.save("41 2\nend"), "live 42");
        fs::remove_dir(&in_the_way).unwrap();
        lab.reload();
        assert_eq!(lab.killed_and_started_with("41 3\nend").slot(), "live 43");
    }

    #[test]
    fn a_policy_that_changes_holds_from_the_next_version_on() {
        let mut lab = Lab::new("41 1\nend");
        assert_eq!(lab.save("41 2\nend"), "live 42");
        lab.library.choose(Choices::default(), &mut Step::default());
        assert_eq!(lab.slot(), "live 42");
        assert_eq!(lab.save("41 3\nend"), "live 41");
        let policies = Policies { server: Policy::Increment, ..Policies::default() };
        let choices = Choices { serials: policies, ..Choices::default() };
        lab.library.choose(choices, &mut Step::default());
        assert_eq!(lab.save("41 4\nend"), "live 42", "what was before is forgotten");
    }

    #[test]
    fn another_file_of_the_zone_goes_on_where_the_first_ended() {
        let mut lab = Lab::new("41 1\nend");
        fs::write(lab.dir.path().join("z/c.zone"), "7 3\napex a.\nend").unwrap();
        lab.reload();
        assert_eq!(lab.save("41 2\nend"), "live 42", "the other waits");
        fs::remove_file(lab.dir.path().join("z/a.zone")).unwrap();
        lab.reload();
        lab.reload();
        assert_eq!(lab.slot(), "live 43");
    }

    #[test]
    fn a_zone_that_is_removed_is_forgotten() {
        let mut lab = Lab::new("41 1\nend");
        lab.save("41 2\nend");
        fs::remove_file(lab.dir.path().join("z/a.zone")).unwrap();
        lab.reload();
        lab.reload();
        assert_eq!(lab.slot(), "");
        let copies = lab.library.options.copies.as_ref().unwrap();
        assert_eq!(copies.load_serials().unwrap().into_values().collect::<Vec<_>>(), [1], "b.");
        let mut lab = lab.killed_and_started_with("41 3\nend");
        assert_eq!(lab.slot(), "live 41");
        // removed while no server runs
        lab.save("41 4\nend");
        fs::remove_file(lab.dir.path().join("z/a.zone")).unwrap();
        let lab = Lab::over(lab.dir).0;
        assert!(!lab.library.memory.serials.contains_key(&"a.".parse().unwrap()));
    }
}
