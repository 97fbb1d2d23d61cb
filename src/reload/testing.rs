//! What the tests of this folder share: zones without a disk, folders with one, and waiting.

use super::Step;
use super::claims::Claims;
use super::folder::{Fingerprint, Presence};
use super::groups::QUIET;
use super::load::{Earlier, Loaded, load};
use super::notice::Notice;
use super::serial::{Numbering, Policies};
use super::version::Version;
use super::{Choices, Library, Options, Sources, WatchMode};
use crate::diag::{Diagnostic, Report, Severity, Span, codes};
use crate::name::NameBuf;
use crate::zone::Zone;
use crate::zone::set::{Slot, ZoneSet};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits before it fails: far more than a loaded machine needs.
const DEADLINE: Duration = Duration::from_secs(30);

/// The time that claims are told: 2026-11-22.
pub(super) const NOW_S: u32 = 1_795_305_600;

/// A zone of that name and serial with so many addresses.
pub(super) fn zone(apex: &NameBuf, serial: u32, addresses: usize) -> Zone {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("{apex}zone"));
    let soa = format!("@ 60 IN SOA ns.example. admin.example. {serial} 1 1 1 1\n");
    let host = |n: usize| format!("w{n} 60 IN A 192.0.2.{}\n", n % 256);
    let hosts: String = (0..addresses).map(host).collect();
    fs::write(&path, soa + "@ 60 IN NS ns.example.\n" + &hosts).unwrap();
    load(&path).zone.unwrap()
}

/// A reader for a language in which tests write: `<serial> <addresses>`, lines with `apex <name>`
/// and `include <file>` (whose number is added to the serial), and `end` in the last line. Without
/// that it is broken; `panic` is a bug of the reader.
pub(super) fn read(path: &Path, _: &[PathBuf], _: Earlier<'_>) -> Loaded {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(!text.contains("panic"), "as the test wants it");
    let named = |word: &'static str| {
        let lines = text.lines().filter_map(move |line| line.strip_prefix(word));
        lines.map(|rest| rest.trim().to_string()).collect::<Vec<_>>()
    };
    let includes: Vec<PathBuf> = named("include").iter().map(PathBuf::from).collect();
    let apex = named("apex").first().and_then(|apex| apex.parse().ok());
    let apex = apex.or_else(|| super::load::origin_of(path));
    let mut numbers = text.split_whitespace().map_while(|word| word.parse::<u32>().ok());
    let included = |path: &PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u32>().ok();
    let added: Option<Vec<u32>> = includes.iter().map(included).collect();
    let good = text.lines().last() == Some("end");
    let parts = (numbers.next(), numbers.next(), added, apex.as_ref());
    let zone = match parts {
        (Some(serial), Some(addresses), Some(added), Some(apex)) if good => {
            Some(zone(apex, serial + added.iter().sum::<u32>(), addresses as usize))
        }
        _ => None,
    };
    let report = if zone.is_some() { Report::default() } else { an_error() };
    Loaded { apex, zone, report, includes, ..Loaded::default() }
}

/// A report with one error.
pub(super) fn an_error() -> Report {
    let mut report = Report::default();
    report.sources.add("a.zone".into(), b"text".to_vec()).unwrap();
    report.findings.push(Diagnostic::new(&codes::SYNTAX, Span::default(), "broken"));
    report
}

/// The kinds of notices, as words.
pub(super) fn kinds(notices: &[Notice]) -> Vec<String> {
    let kind = |notice: &Notice| {
        let text = format!("{notice:?}");
        text.split([' ', '{']).next().unwrap_or_default().to_string()
    };
    notices.iter().map(kind).collect()
}

/// Waits until `condition` holds; fails when it does not for too long.
pub(super) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Claims without a disk, and what the loop would serve.
pub(super) struct Play {
    pub(super) claims: Claims,
    zones: ZoneSet,
    /// What was told.
    pub(super) texts: Vec<String>,
    now: Instant,
    version: u64,
}

impl Play {
    /// `remove_after` is ten seconds.
    pub(super) fn new() -> Play {
        let numbering = Numbering { policies: Policies::default(), clock: || NOW_S };
        let claims = Claims::new(Duration::from_secs(10), numbering);
        let (zones, texts) = (ZoneSet::default(), Vec::new());
        Play { claims, zones, texts, now: Instant::now(), version: 0 }
    }

    /// The file holds that zone now, with one address. Gives the kinds of notices.
    pub(super) fn good(&mut self, file: &str, apex: &str, serial: u32) -> Vec<String> {
        self.has(file, apex, serial, 1)
    }

    /// The file holds that zone now, with so many addresses.
    pub(super) fn has(
        &mut self,
        file: &str,
        apex: &str,
        serial: u32,
        addresses: usize,
    ) -> Vec<String> {
        self.reads(file, apex, Some(zone(&apex.parse().unwrap(), serial, addresses)))
    }

    /// The file is broken now and speaks of that zone.
    pub(super) fn bad(&mut self, file: &str, apex: &str) -> Vec<String> {
        self.reads(file, apex, None)
    }

    fn reads(&mut self, file: &str, apex: &str, zone: Option<Zone>) -> Vec<String> {
        self.version += 1;
        let size = self.version;
        let fingerprint = Some(Fingerprint { file: (1, 1), size, mtime_ns: 0, ctime_ns: 0 });
        let version = Version { file: fingerprint, includes: Vec::new() };
        let report = if zone.is_some() { Report::default() } else { an_error() };
        let loaded = Loaded { apex: apex.parse().ok(), zone, report, ..Loaded::default() };
        let (file, mut step) = (Path::new(file).into(), Step::default());
        self.claims.commit(&file, version, loaded, self.now, &mut step);
        self.apply(step)
    }

    /// So many seconds later these files are seen to be gone.
    pub(super) fn later(&mut self, seconds: u64, gone: &[&str]) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let mut step = Step::default();
        let presence = |file: &Path| match gone.iter().any(|gone| Path::new(gone) == file) {
            true => Presence::Gone,
            false => Presence::There,
        };
        self.claims.see(presence, self.now, &mut step);
        self.claims.expire(|_| false, self.now, &mut step);
        self.apply(step)
    }

    fn apply(&mut self, step: Step) -> Vec<String> {
        step.changes.into_iter().for_each(|change| drop(self.zones.apply(change)));
        self.texts.extend(step.notices.iter().map(|notice| notice.text(Severity::Warning)));
        kinds(&step.notices)
    }

    /// What stands for the zone: `live 41`, `stale 41`, `broken`, or nothing.
    pub(super) fn slot(&self, apex: &str) -> String {
        shown(&self.zones, apex)
    }
}

/// What stands for a zone in a set, in words.
pub(super) fn shown(zones: &ZoneSet, apex: &str) -> String {
    let apex: NameBuf = apex.parse().unwrap();
    match zones.get(apex.as_name()) {
        Some(Slot::Live(zone)) => format!("live {}", zone.serial()),
        Some(Slot::Stale(zone)) => format!("stale {}", zone.serial()),
        Some(Slot::Broken) => "broken".into(),
        None => String::new(),
    }
}

/// How long zones are served whose files are gone.
pub(super) const REMOVE_AFTER: Duration = Duration::from_secs(10);

/// A library without events whose zones `a.` and `b.` belong together, and `c.` to none.
pub(super) struct Lab {
    pub(super) dir: TempDir,
    pub(super) library: Library,
    pub(super) now: Instant,
}

impl Lab {
    pub(super) fn new(files: &[(&str, &str)]) -> (Lab, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("z")).unwrap();
        files.iter().for_each(|(file, text)| fs::write(dir.path().join(file), text).unwrap());
        let paths = vec![dir.path().join("z")];
        let options = Options {
            watch: WatchMode::Off,
            remove_after: REMOVE_AFTER,
            choices: choices(&["a.", "b."]),
            ..Options::default()
        };
        let sources = Sources { paths, ..Sources::default() };
        let (library, step) = Library::load_all_with(read, sources, options);
        (Lab { dir, library, now: Instant::now() }, kinds(&step.notices))
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.path().join("z").join(file), text).unwrap();
    }

    pub(super) fn remove(&self, file: &str) {
        fs::remove_file(self.dir.path().join("z").join(file)).unwrap();
    }

    /// Reads everything again, and what came of it at once and after a quiet second.
    pub(super) fn reload(&mut self) -> [Vec<String>; 2] {
        let mut step = Step::default();
        self.library.reload_all(self.now, &mut step);
        [Duration::ZERO, QUIET].map(|after| {
            let at_least = Instant::now() + after; // some of it goes by the clock
            self.now = (self.now + after).max(at_least);
            step.notices.extend(self.library.step(self.now).notices);
            told(&std::mem::take(&mut step.notices))
        })
    }

    /// The serials that are served, in the order of the zones' names.
    pub(super) fn serials(&self) -> Vec<u32> {
        let zones = self.library.zones();
        let zones = zones.filter_map(|held| Some((held.apex.to_string(), held.zone?.serial())));
        zones.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// The choice that these zones belong together.
pub(super) fn choices(zones: &[&str]) -> Choices {
    let mut choices = Choices::default();
    zones.iter().for_each(|zone| choices.groups.set(zone.parse().unwrap(), "both".into()));
    choices
}

/// The kinds of notices, but for files that hold what they held.
pub(super) fn told(notices: &[Notice]) -> Vec<String> {
    let mut kinds = kinds(notices);
    kinds.retain(|kind| kind != "Unchanged");
    kinds
}
