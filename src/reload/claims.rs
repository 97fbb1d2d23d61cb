//! Which file serves which zone, and what a good, broken or vanished file changes: never serve worse.
//!
//! Each file that was read *claims* one zone: the one it holds, or, if it is broken, the one that
//! it held when it was last good, or else the one that its name speaks of. Each zone is *held* by
//! one file, and what it serves outlives that file's mistakes:
//!
//! ```text
//!              good                    bad
//!   nothing ────────▶ Live ──────────────────────▶ Stale (last good version)
//!      │  bad          ▲ ◀─────────good──────────────┘
//!      └─────▶ Broken ─┘ good
//!   any ── its file is gone or claims another zone, for `remove_after` ──▶ next claimant, or nothing
//! ```
//!
//! Two files for one zone: the one that holds it keeps it. The other takes over when the holder is
//! gone for good, or at once if it is read after the holder vanished, for then the file was renamed.
//!
//! Sees no disk: listings and what was read of files are arguments.

use super::Step;
use super::copies::saver::Job;
use super::load::{Earlier, Known, Loaded, is_named_after};
use super::notice::{Notice, Serving};
use super::serial::{Numbered, Numbering, SerialStep};
use super::version::Version;
use crate::diag::Report;
use crate::name::NameBuf;
use crate::zone::Zone;
use crate::zone::set::Slot;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) version: Version,
    pub(super) outcome: Outcome,
    /// Whether it has held the zone that it claims.
    pub(super) has_held: bool,
    /// What is known for its next reading, if it is large.
    pub(super) known: Option<Known>,
    /// Since when it is not in its folder any more.
    pub(super) gone: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Good(Arc<Zone>),
    /// Broken; the zone that it claims is boxed for being long and rare.
    Bad(Option<Box<NameBuf>>),
}

/// A zone, the file that holds it, and what is served.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) by: Arc<Path>,
    /// The last good version; `None` if there was none.
    pub(super) zone: Option<Arc<Zone>>,
    /// Whether the file is broken.
    pub(super) stale: bool,
    /// Since when the file claims the zone no more.
    pub(super) orphaned: Option<Instant>,
}

/// All files that were read and all zones that they hold.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) files: HashMap<Arc<Path>, File>,
    pub(super) zones: HashMap<NameBuf, Held>,
    pub(super) remove_after: Duration,
    pub(super) numbering: Numbering,
    /// While the first files are read, a file named after the zone takes it from one that is not.
    pub(super) starting: bool,
}

/// A zone as it is served.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// The zone's name.
    pub apex: &'a NameBuf,
    /// The file that holds it.
    pub file: &'a Path,
    /// What is served; `None` if it answers SERVFAIL.
    pub zone: Option<&'a Zone>,
    /// Whether the file is broken and an older version is served.
    pub stale: bool,
}

impl Claims {
    pub(super) fn new(remove_after: Duration, numbering: Numbering) -> Claims {
        let (files, zones) = (HashMap::new(), HashMap::new());
        Claims { files, zones, remove_after, numbering, starting: true }
    }

    /// The version of a file that was last read.
    pub(super) fn version(&self, file: &Path) -> Option<&Version> {
        self.files.get(file).map(|file| &file.version)
    }

    /// The files that were read, each with its version.
    pub(super) fn versions(&self) -> impl Iterator<Item = (&Arc<Path>, &Version)> {
        self.files.iter().map(|(path, file)| (path, &file.version))
    }

    /// The zones, in no order.
    pub(super) fn zones(&self) -> impl Iterator<Item = Holding<'_>> {
        self.zones.iter().map(|(apex, held)| Holding {
            apex,
            file: &held.by,
            zone: held.zone.as_deref(),
            stale: held.stale,
        })
    }

    /// The last good version of a zone, if a good file would take its place.
    pub(super) fn would_replace(&self, file: &Path, apex: &NameBuf) -> Option<Arc<Zone>> {
        let held = self.zones.get(apex)?;
        let replaces = *held.by == *file || held.yields_to(file, apex, self.starting);
        held.zone.clone().filter(|_| replaces && !self.starting)
    }

    /// Whether a good version of a zone is served, by whatever file.
    pub(super) fn is_served(&self, apex: &NameBuf) -> bool {
        self.zones.get(apex).is_some_and(|held| held.zone.is_some())
    }

    /// The zones that are served as their files say, with these.
    pub(super) fn live(&self) -> impl Iterator<Item = (NameBuf, Job)> {
        self.zones.iter().filter(|(_, held)| !held.stale).filter_map(|(apex, held)| {
            Some((apex.clone(), Some((held.zone.clone()?, held.by.clone()))))
        })
    }

    /// The file that holds a zone.
    pub(super) fn holder(&self, apex: &NameBuf) -> Option<Arc<Path>> {
        self.zones.get(apex).map(|held| held.by.clone())
    }

    /// Whether a good version that a file gave is served.
    pub(super) fn serves_from(&self, file: &Arc<Path>) -> bool {
        self.claimed(file).is_some_and(|apex| self.serves(&apex, file))
    }

    /// The zone that a file claims.
    pub(super) fn claimed(&self, file: &Path) -> Option<NameBuf> {
        self.files.get(file)?.outcome.apex()
    }

    /// Serves a version that was good in an earlier life of the server, for a file that turned out
    /// broken and is to be taken next.
    pub(super) fn revive(&mut self, file: &Arc<Path>, zone: &Arc<Zone>, step: &mut Step) {
        let apex = zone.apex().to_buf();
        step.serve(&apex, Slot::Stale(zone.clone()));
        self.zones.insert(apex, Held { stale: true, ..Held::live(file, zone) });
    }

    /// Takes what was read of a file.
    pub(super) fn commit(
        &mut self,
        file: &Arc<Path>,
        version: Version,
        loaded: Loaded,
        now: Instant,
        step: &mut Step,
    ) {
        let Loaded { apex, zone, report, numbered, parts, read, .. } = loaded;
        let before = match self.starting {
            true => None, // and no look-up, of many thousand
            false => self.files.get_mut(file).and_then(|file| file.known.take()),
        };
        let zone = zone.map(Arc::new);
        match &zone {
            Some(zone) => {
                let news = News { file, zone, numbered, report, read };
                self.commit_good(version, news, now, step);
            }
            None => self.commit_bad(file, version, apex, report, now, step),
        }
        let new = zone.zip(parts).map(|(zone, parts)| Known { zone, parts: parts.into() });
        self.keep_known(file, [new, before]);
    }

    /// Keeps what is known of a file for its next reading, if it is about the zone that is served.
    fn keep_known(&mut self, file: &Arc<Path>, known: [Option<Known>; 2]) {
        if known.iter().all(Option::is_none) {
            return;
        }
        let Some(File { outcome, known: kept, .. }) = self.files.get_mut(file) else { return };
        let held = outcome.apex().and_then(|apex| self.zones.get(&apex)?.zone.as_ref());
        let is_served = |known: &Known| held.is_some_and(|held| Arc::ptr_eq(held, &known.zone));
        *kept = known.into_iter().flatten().find(is_served);
    }

    /// What is known of a file for its next reading.
    pub(super) fn earlier(&self, file: &Path) -> Earlier<'_> {
        if self.starting {
            return Earlier::Unwatched;
        }
        match self.files.get(file).and_then(|file| file.known.as_ref()) {
            Some(known) => Earlier::Known(known),
            None => Earlier::Unknown,
        }
    }

    fn commit_good(&mut self, version: Version, news: News<'_>, now: Instant, step: &mut Step) {
        let News { file, zone, .. } = news;
        let apex = zone.apex().to_buf();
        let kept = match self.zones.get_mut(&apex) {
            None => {
                step.serve(&apex, Slot::Live(zone.clone()));
                self.zones.insert(apex.clone(), Held::live(file, zone));
                step.notices.push(news.loaded());
                zone.clone()
            }
            Some(held) if held.by == *file => held.renew(news, step),
            Some(held) if held.yields_to(file, &apex, self.starting) => {
                let Held { by: before, zone: old, .. } =
                    std::mem::replace(held, Held::live(file, zone));
                step.serve(&apex, Slot::Live(zone.clone()));
                step.notices.push(news.told(old.filter(|_| !self.starting).as_deref()));
                if self.files.get(&before).is_some_and(|old| old.could_serve(&apex)) {
                    step.conflict(&apex, file, &before);
                }
                zone.clone()
            }
            Some(held) => {
                step.conflict(&apex, &held.by, file);
                zone.clone()
            }
        };
        let before = self.files.insert(file.clone(), File::new(version, Outcome::Good(kept)));
        if let Some(former) = before.and_then(|before| before.outcome.apex())
            && former != apex
        {
            self.leave(&former, file, now, step);
        }
    }

    fn commit_bad(
        &mut self,
        file: &Arc<Path>,
        version: Version,
        apex: Option<NameBuf>,
        report: Report,
        now: Instant,
        step: &mut Step,
    ) {
        let before = self.files.get(file);
        let again = before.is_some_and(|old| !old.is_good() && old.version == version);
        let former = before.and_then(|old| old.outcome.apex());
        let (has_held, claim) = (self.keeps_claim(file), self.would_claim(file, apex));
        let outcome = Outcome::Bad(claim.clone().map(Box::new));
        self.files.insert(file.clone(), File { has_held, ..File::new(version, outcome) });
        if let Some(former) = former.filter(|former| Some(former) != claim.as_ref()) {
            self.leave(&former, file, now, step);
        }
        let serving = claim.as_ref().map_or(Serving::Unknown, |apex| self.fail(apex, file, step));
        let (file, report) = (file.clone(), (!again).then_some(report));
        step.notices.push(Notice::Rejected { file, apex: claim, serving, report });
    }

    /// Whether a good version that `file` gave is served.
    fn serves(&self, apex: &NameBuf, file: &Arc<Path>) -> bool {
        self.zones.get(apex).is_some_and(|held| held.by == *file && held.zone.is_some())
    }

    /// A file that claims `apex` is broken: what do its clients get?
    pub(super) fn fail(&mut self, apex: &NameBuf, file: &Arc<Path>, step: &mut Step) -> Serving {
        let Some(held) = self.zones.get_mut(apex) else {
            let held = Held { by: file.clone(), zone: None, stale: true, orphaned: None };
            self.zones.insert(apex.clone(), held);
            step.serve(apex, Slot::Broken);
            return Serving::Failure;
        };
        if held.by != *file {
            return match held.zone {
                Some(_) => Serving::Other { file: held.by.clone() },
                None => Serving::Failure,
            };
        }
        held.orphaned = None;
        let Some(zone) = &held.zone else {
            return Serving::Failure;
        };
        if !held.stale {
            held.stale = true;
            step.serve(apex, Slot::Stale(zone.clone()));
        }
        Serving::LastGood { serial: zone.serial() }
    }
}

/// A file that turned out good.
struct News<'a> {
    file: &'a Arc<Path>,
    zone: &'a Arc<Zone>,
    numbered: Option<Numbered>,
    report: Report,
    /// How many parts of it were read, and how many there are, if not all was.
    read: Option<[usize; 2]>,
}

impl News<'_> {
    /// What is told of a version behind `old`.
    fn told(self, old: Option<&Zone>) -> Notice {
        match old.and_then(|old| Some((old, SerialStep::of(old, self.zone)?))) {
            Some((old, step)) => self.reloaded(old, step),
            None => self.loaded(),
        }
    }

    fn reloaded(self, old: &Zone, step: SerialStep) -> Notice {
        Notice::Reloaded {
            file: self.file.clone(),
            apex: self.zone.apex().to_buf(),
            serial: (old.serial(), self.zone.serial()),
            numbered: self.numbered,
            records: (old.record_count(), self.zone.record_count()),
            step,
            read: self.read,
            report: self.report,
        }
    }

    fn loaded(self) -> Notice {
        Notice::Loaded {
            file: self.file.clone(),
            apex: self.zone.apex().to_buf(),
            serial: self.zone.serial(),
            numbered: self.numbered,
            records: self.zone.record_count(),
            octets: self.zone.octets(),
            report: self.report,
        }
    }
}

impl Held {
    /// Whether it is served as its file says, and the file is there.
    pub(super) fn is_live(&self) -> bool {
        self.zone.is_some() && !self.stale && self.orphaned.is_none()
    }

    pub(super) fn live(file: &Arc<Path>, zone: &Arc<Zone>) -> Held {
        Held { by: file.clone(), zone: Some(zone.clone()), stale: false, orphaned: None }
    }

    /// Whether a good file takes the zone from the one that holds it.
    pub(super) fn yields_to(&self, file: &Path, apex: &NameBuf, starting: bool) -> bool {
        let better = is_named_after(file, apex) && !is_named_after(&self.by, apex);
        self.zone.is_none() || self.orphaned.is_some() || (starting && better)
    }

    /// Its own file was read again and is good. Gives the zone that is served from now on.
    fn renew(&mut self, news: News<'_>, step: &mut Step) -> Arc<Zone> {
        let apex = news.zone.apex().to_buf();
        if self.orphaned.take().is_some() {
            step.returned(&apex, &self.by);
        }
        let stale = std::mem::replace(&mut self.stale, false);
        let Some(old) = self.zone.clone() else {
            let zone = news.zone.clone();
            *self = Held::live(news.file, &zone);
            step.serve(&apex, Slot::Live(zone.clone()));
            step.notices.push(news.loaded());
            return zone;
        };
        let Some(serial_step) = SerialStep::of(&old, news.zone) else {
            if stale {
                step.serve(&apex, Slot::Live(old.clone()));
            }
            let (file, serial) = (self.by.clone(), old.serial());
            step.notices.push(Notice::Unchanged { file, apex, serial, stale });
            return old;
        };
        let new = news.zone.clone();
        self.zone = Some(new.clone());
        step.serve(&apex, Slot::Live(new.clone()));
        step.notices.push(news.reloaded(&old, serial_step));
        new
    }
}

impl File {
    fn new(version: Version, outcome: Outcome) -> File {
        let has_held = matches!(outcome, Outcome::Good(_));
        File { version, outcome, has_held, known: None, gone: None }
    }

    /// Whether it is there, good, and holds the zone.
    fn could_serve(&self, apex: &NameBuf) -> bool {
        self.gone.is_none() && self.is_good() && self.outcome.apex().as_ref() == Some(apex)
    }

    pub(super) fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Good(_))
    }
}

impl Outcome {
    /// The zone that the file claims.
    pub(super) fn apex(&self) -> Option<NameBuf> {
        match self {
            Outcome::Good(zone) => Some(zone.apex().to_buf()),
            Outcome::Bad(apex) => apex.as_deref().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::reload::testing::Play;

    #[test]
    fn a_file_that_breaks_leaves_the_last_good_version() {
        let mut play = Play::new();
        assert_eq!(play.good("z/a.zone", "a.", 1), ["Loaded"]);
        assert_eq!(play.bad("z/a.zone", "a."), ["Rejected"]);
        assert_eq!(play.slot("a."), "stale 1");
        assert_eq!(play.bad("z/a.zone", "other."), ["Rejected"]);
        assert_eq!((play.slot("a."), play.slot("other.")), ("stale 1".into(), String::new()));
        assert_eq!(play.good("z/a.zone", "a.", 1), ["Unchanged"]);
        assert_eq!(play.slot("a."), "live 1");
        assert_eq!(play.good("z/a.zone", "a.", 2), ["Reloaded"]);
        assert_eq!(play.slot("a."), "live 2");
    }

    #[test]
    fn a_file_that_was_never_good_answers_for_its_zone_with_a_failure() {
        let mut play = Play::new();
        assert_eq!(play.bad("z/a.zone", "a."), ["Rejected"]);
        assert_eq!(play.slot("a."), "broken");
        assert_eq!(play.bad("z/a.zone", "b."), ["Removed", "Rejected"], "its SOA can be read now");
        assert_eq!((play.slot("a."), play.slot("b.")), (String::new(), "broken".into()));
        assert_eq!(play.good("z/a.zone", "c.", 1), ["Loaded", "Removed"]);
        assert_eq!((play.slot("b."), play.slot("c.")), (String::new(), "live 1".into()));
    }

    #[test]
    fn a_second_file_that_is_broken_claims_what_it_held_however_often_it_is_read() {
        let mut play = Play::new();
        play.good("z/a.zone", "a.", 1);
        play.good("z/old.zone", "a.", 1);
        for _ in 0..2 {
            assert_eq!(play.bad("z/old.zone", "old."), ["Rejected"]);
            assert_eq!((play.slot("a."), play.slot("old.")), ("live 1".into(), String::new()));
        }
    }

    #[test]
    fn of_two_files_the_one_that_is_served_stays() {
        let mut play = Play::new();
        play.claims.starting = false;
        play.good("z/x.zone", "a.", 1);
        assert_eq!(play.good("z/a.zone", "a.", 2), ["Conflict"]);
        assert_eq!(play.slot("a."), "live 1");
        assert_eq!(play.bad("z/a.zone", "a."), ["Rejected"]);
        assert_eq!(play.slot("a."), "live 1", "the broken one was not served anyway");
        assert_eq!(play.good("z/x.zone", "a.", 3), ["Reloaded"]);
        assert_eq!(play.slot("a."), "live 3");
    }

    #[test]
    fn at_the_start_the_file_named_after_the_zone_is_preferred() {
        let mut play = Play::new();
        assert_eq!(play.good("z/1.zone", "a.", 1), ["Loaded"]);
        assert_eq!(play.good("z/2.zone", "a.", 2), ["Conflict"]);
        assert_eq!(play.slot("a."), "live 1", "the first by name");
        assert_eq!(play.good("z/a.zone", "a.", 3), ["Loaded", "Conflict"]);
        assert_eq!(play.slot("a."), "live 3");
    }

    #[test]
    fn a_good_file_replaces_a_broken_one_that_was_never_served() {
        let mut play = Play::new();
        play.claims.starting = false;
        play.bad("z/a.zone", "a.");
        assert_eq!(play.good("z/b.zone", "a.", 1), ["Loaded"]);
        assert_eq!(play.slot("a."), "live 1");
        assert_eq!(play.bad("z/a.zone", "a."), ["Rejected"]);
        assert_eq!(play.slot("a."), "live 1");
    }

    #[test]
    fn a_zone_that_is_as_it_was_stays_the_same_value() {
        let mut play = Play::new();
        play.good("z/a.zone", "a.", 1);
        let before = play.claims.zones().next().unwrap().zone.map(std::ptr::from_ref);
        assert_eq!(play.good("z/a.zone", "a.", 1), ["Unchanged"]);
        assert_eq!(play.claims.zones().next().unwrap().zone.map(std::ptr::from_ref), before);
    }
}
