//! The last good version of each zone, kept in a folder: what is served when a file is found broken by a
//! server that has just started?
//!
//! Each zone has one file there, its *copy*, written when a version has become live ([`saver`]), and
//! removed with the zone. It is read only when the zone's own file cannot be used.
//!
//! Whenever the process is killed or the power fails, the old copy is there or the new one, whole
//! ([`replace`]). What the disk itself damages is noticed by the hash in its last line ([`form`]), and not
//! used.

mod form;
mod replace;
pub(super) mod saver;
pub(super) mod serials;

use super::folder::{DirId, dir_id};
use super::include;
use super::load::{Lints, load_text};
use crate::name::{Name, NameBuf};
use crate::sandbox;
use crate::zone::Zone;
use form::Header;
use log::Level;
use replace::Before;
use siphasher::sip::SipHasher13;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::Hasher as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How a copy's name ends: it is a zone file.
const SUFFIX: &str = ".zone";
/// How the name of one ends that is being written. It begins with a dot.
const SUFFIX_NEW: &str = ".new";
/// A name longer than this many octets ends in a hash of it: file systems allow 255.
const NAME_LEN_MAX: usize = 200;
/// The longest first line: the longest path that Linux has, each octet written as three, and a name.
const HEADER_LEN_MAX: u64 = 3 * 4096 + 2048;

/// What to do when the folder was removed, whether it was made again or not.
const REPLACED: &str = "the folder that was there when the server started is gone, and the sandbox \
                        keeps it from writing to another: restart the server";

/// The folder of copies.
#[derive(Clone, Debug)]
pub struct Copies {
    folder: PathBuf,
    /// The folder itself, as it was when it was opened.
    dir: Option<DirId>,
    /// The zone whose copy was made of a file, for all copies there were when this was asked first.
    by_file: OnceCell<HashMap<PathBuf, NameBuf>>,
}

/// What people are told about copies.
#[derive(Debug)]
pub enum CopyNews {
    /// A zone whose file cannot be used is served from its copy.
    Served {
        /// The zone.
        apex: NameBuf,
        /// The copy.
        copy: PathBuf,
        /// Its serial.
        serial: u32,
    },
    /// A copy that was needed cannot be used.
    Unusable {
        /// The zone.
        apex: NameBuf,
        /// The copy.
        copy: PathBuf,
        /// Why.
        why: String,
    },
    /// The serials that were served last cannot be read.
    SerialsUnusable {
        /// Where they are.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The serials that are served cannot be written.
    SerialsFailed {
        /// Where they were to be.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A copy cannot be written or removed.
    Failed {
        /// What is meant.
        what: String,
        /// The folder.
        folder: PathBuf,
        /// Why.
        why: String,
    },
}

impl Copies {
    /// The folder, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or nothing can be written there.
    pub fn open(folder: &Path) -> io::Result<Copies> {
        fs::create_dir_all(folder)?;
        let probe = folder.join(format!(".{SUFFIX_NEW}"));
        File::create(&probe)?;
        fs::remove_file(&probe)?;
        let dir = dir_id(folder);
        Ok(Copies { folder: folder.to_path_buf(), dir, by_file: OnceCell::new() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why something cannot be written, with what helps: the sandbox allows a folder, not its name.
    pub(super) fn why(&self, error: &io::Error) -> String {
        match sandbox::keeps_to_folders() && dir_id(&self.folder) != self.dir {
            true => format!("{error}: {REPLACED}"),
            false => error.to_string(),
        }
    }

    /// Where the copy of a zone is.
    pub(super) fn path(&self, apex: Name<'_>) -> PathBuf {
        self.folder.join(file_name(apex) + SUFFIX)
    }

    /// Where it is while it is written.
    fn path_new(&self, apex: Name<'_>) -> PathBuf {
        self.folder.join(format!(".{}{SUFFIX_NEW}", file_name(apex)))
    }

    /// How many records the copy of a zone has, by its first line.
    pub(super) fn record_count(&self, apex: &NameBuf) -> Option<usize> {
        header(&self.path(apex.as_name())).map(|header| header.records)
    }

    /// The serial of the copy of a zone, by its first line.
    pub(super) fn serial(&self, apex: &NameBuf) -> Option<u32> {
        header(&self.path(apex.as_name())).map(|header| header.serial)
    }

    /// The zone whose copy was made of a file.
    pub(super) fn zone_of(&self, file: &Path) -> Option<&NameBuf> {
        let by_file = self.by_file.get_or_init(|| {
            let headers = self.all().into_iter().filter_map(|copy| header(&copy));
            headers.map(|header| (header.file, header.apex)).collect()
        });
        by_file.get(&std::path::absolute(file).ok()?)
    }

    /// Reads the copy of a zone; `None` if there is none, an error says why it cannot be used.
    pub(super) fn load(&self, apex: &NameBuf) -> Option<Result<Zone, String>> {
        let path = self.path(apex.as_name());
        match include::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
            Ok(text) => Some(zone_in(&path, text, apex)),
        }
    }

    /// Saves a copy, if the one that is there is another.
    pub(super) fn save(&self, zone: &Zone, file: &Path) -> io::Result<()> {
        let saved = self.save_by_stages(zone, file, &mut |_| Ok(()));
        if saved.is_err() {
            let _ = fs::remove_file(self.path_new(zone.apex())); // it may have filled the disk
        }
        saved
    }

    fn save_by_stages(&self, zone: &Zone, file: &Path, before: Before<'_>) -> io::Result<()> {
        let (header, path) = (Header::of(zone, file), self.path(zone.apex()));
        if is_saved(&path, &header, zone)? {
            return Ok(());
        }
        let new = self.path_new(zone.apex());
        let write = |mut out: &mut dyn Write| form::write(&header, zone, &mut out);
        replace::replace(&self.folder, [&new, &path], write, before)
    }

    /// Removes the copy of a zone, if there is one.
    pub(super) fn remove(&self, apex: &NameBuf) -> io::Result<()> {
        match fs::remove_file(self.path(apex.as_name())) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync(),
        }
    }

    /// Removes what a killed server left half-written, and the copies of files that are gone.
    pub(super) fn tidy(&self, is_gone: impl Fn(&NameBuf, &Path) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name.ends_with(SUFFIX_NEW) {
                fs::remove_file(entry.path())?;
            }
        }
        for copy in self.all() {
            if header(&copy).is_some_and(|header| is_gone(&header.apex, &header.file)) {
                fs::remove_file(copy)?;
            }
        }
        self.sync()
    }

    fn all(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.to_string_lossy().ends_with(SUFFIX)).collect()
    }

    fn sync(&self) -> io::Result<()> {
        replace::sync(&self.folder)
    }
}

impl CopyNews {
    /// How much it matters.
    pub(super) fn level(&self) -> Level {
        match self {
            CopyNews::Served { .. } | CopyNews::Failed { .. } | CopyNews::SerialsFailed { .. } => {
                Level::Warn
            }
            CopyNews::Unusable { .. } | CopyNews::SerialsUnusable { .. } => Level::Error,
        }
    }

    /// What the log says.
    pub(super) fn line(&self) -> String {
        match self {
            CopyNews::Served { apex, copy, serial } => {
                format!("{apex} is served from its copy {}, serial {serial}", copy.display())
            }
            CopyNews::Unusable { apex, copy, why } => {
                format!("the copy of {apex}, {}, cannot be used: {why}", copy.display())
            }
            CopyNews::SerialsUnusable { file, why } => format!(
                "the serials served last, {}, cannot be used: {why}; each zone goes on from that of its \
                 copy: look whether secondaries have a higher one",
                file.display()
            ),
            CopyNews::SerialsFailed { file, why } => format!(
                "the serials that are served cannot be written to {}: {why}; until they can, a restart \
                 may serve one again that secondaries know with another content",
                file.display()
            ),
            CopyNews::Failed { what, folder, why } => format!(
                "{what} in {} cannot be written or removed: {why}; until it can, a start with a broken \
                 file may find an older version there, or none",
                folder.display()
            ),
        }
    }
}

/// The name of a zone's copy, without its suffix: the zone's name, so that people find it.
fn file_name(apex: Name<'_>) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    let lower = apex.to_lower();
    let labels = lower.as_name().labels().map(|label| form::encoded(label, plain));
    let name = labels.filter(|label| !label.is_empty()).collect::<Vec<_>>().join(".");
    match name.len() {
        0 => "%".into(), // the root: no other name is encoded so
        1..=NAME_LEN_MAX => name,
        _ => {
            let mut hash = SipHasher13::new();
            hash.write(lower.as_name().as_wire());
            format!("{}%{:016x}", &name[..NAME_LEN_MAX], hash.finish())
        }
    }
}

/// What the first line of a copy says.
fn header(copy: &Path) -> Option<Header> {
    let mut line = Vec::new();
    let file = BufReader::with_capacity(512, File::open(copy).ok()?);
    file.take(HEADER_LEN_MAX).read_until(b'\n', &mut line).ok()?;
    Header::read(line.strip_suffix(b"\n")?)
}

/// The zone that a copy holds.
fn zone_in(path: &Path, text: Vec<u8>, apex: &NameBuf) -> Result<Zone, String> {
    if !form::is_whole(&text) {
        return Err("it is damaged; it is written anew once the zone's file is good".into());
    }
    let loaded = load_text(path, text, &[], Lints::Quick, &mut |_, _| ());
    let zone = loaded.zone.ok_or("it has an error: `zonesmith check` shows it")?;
    match zone.apex() == apex.as_name() {
        true => Ok(zone),
        false => Err(format!("it is one of {}", zone.apex())),
    }
}

/// Whether the copy that is there is this one, by its first and last line.
fn is_saved(path: &Path, new: &Header, zone: &Zone) -> io::Result<bool> {
    if header(path).as_ref() != Some(new) {
        return Ok(false);
    }
    let mut copy = File::open(path)?;
    let Some(at) = copy.seek(SeekFrom::End(0))?.checked_sub(form::END_LEN as u64) else {
        return Ok(false);
    };
    let mut end = [0; form::END_LEN];
    copy.read_exact_at(&mut end, at)?;
    Ok(end[..] == form::end(new, zone)?)
}

#[cfg(test)]
mod tests {
    use super::replace::Stage;
    use super::*;
    use crate::reload::testing;
    use tempfile::TempDir;

    const FILE: &str = "/zones/a.example.zone";

    fn apex() -> NameBuf {
        "a.example.".parse().unwrap()
    }

    /// A zone whose copy takes several pieces.
    fn zone(serial: u32) -> Zone {
        testing::zone(&apex(), serial, 2000)
    }

    fn copies() -> (TempDir, Copies) {
        let dir = tempfile::tempdir().unwrap();
        let copies = Copies::open(dir.path()).unwrap();
        (dir, copies)
    }

    /// The serial of what a server that starts now would find.
    fn found(copies: &Copies) -> Option<u32> {
        let copies = Copies::open(copies.folder()).unwrap();
        copies.load(&apex()).map(|found| found.unwrap().serial())
    }

    /// Saves as a process does that is killed before the stage of that number. Gives the stages taken.
    fn killed_before(copies: &Copies, zone: &Zone, number: usize) -> Vec<Stage> {
        let mut taken = Vec::new();
        let saved = copies.save_by_stages(zone, Path::new(FILE), &mut |stage| {
            if taken.len() == number {
                return Err(io::Error::other("killed"));
            }
            taken.push(stage);
            Ok(())
        });
        assert_eq!(saved.is_err(), taken.len() == number);
        taken
    }

    #[test]
    fn killed_before_any_stage_the_old_copy_is_there_or_the_new_one() {
        let (old, new) = (zone(1), zone(2));
        let stages = killed_before(&copies().1, &old, usize::MAX);
        let (first, last) = (&stages[..3], &stages[stages.len() - 3..]);
        assert_eq!(first, [Stage::Create, Stage::Write, Stage::Write], "{stages:?}");
        assert_eq!(last, [Stage::Sync, Stage::Rename, Stage::SyncFolder]);
        for number in 0..stages.len() {
            for has_old in [true, false] {
                let (_dir, copies) = copies();
                if has_old {
                    copies.save(&old, Path::new(FILE)).unwrap();
                }
                killed_before(&copies, &new, number);
                let before = stages[..number].contains(&Stage::Rename);
                let expected = if before { Some(2) } else { has_old.then_some(1) };
                assert_eq!(found(&copies), expected, "killed before {number} of {stages:?}");
                // whoever is started again saves, and finds what it saved
                copies.save(&new, Path::new(FILE)).unwrap();
                assert_eq!(found(&copies), Some(2));
            }
        }
    }

    #[test]
    fn whatever_was_written_of_the_new_file_the_old_copy_is_found_and_the_rest_goes() {
        let (_dir, copies) = copies();
        copies.save(&zone(1), Path::new(FILE)).unwrap();
        let whole = fs::read(copies.path(apex().as_name())).unwrap();
        for len in (0..whole.len()).step_by(9973) {
            let new = copies.path_new(apex().as_name());
            fs::write(&new, &whole[..len]).unwrap();
            assert_eq!(found(&copies), Some(1));
            copies.tidy(|_, _| false).unwrap();
            assert!(!new.exists() && found(&copies) == Some(1));
        }
    }

    #[test]
    fn a_damaged_copy_is_not_used_and_is_written_anew() {
        let (_dir, copies) = copies();
        copies.save(&zone(1), Path::new(FILE)).unwrap();
        let path = copies.path(apex().as_name());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let why = copies.load(&apex()).unwrap().unwrap_err();
        assert!(why.starts_with("it is damaged"), "{why}");
        copies.save(&zone(1), Path::new(FILE)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
        fs::rename(&path, copies.path("b.example.".parse::<NameBuf>().unwrap().as_name())).unwrap();
        let other = copies.load(&"b.example.".parse().unwrap()).unwrap();
        assert_eq!(other.unwrap_err(), "it is one of a.example.");
    }

    #[test]
    fn what_is_saved_is_not_written_again() {
        let (_dir, copies) = copies();
        copies.save(&zone(1), Path::new(FILE)).unwrap();
        let written = |zone: &Zone, file: &str| {
            let mut stages = 0;
            let mut count = |_| {
                stages += 1;
                Ok(())
            };
            copies.save_by_stages(zone, Path::new(file), &mut count).unwrap();
            stages > 0
        };
        assert!(!written(&zone(1), FILE));
        assert!(written(&testing::zone(&apex(), 1, 1999), FILE), "the same serial");
        assert!(written(&zone(1), FILE));
        assert!(written(&zone(1), "/zones/b.zone"), "another file");
    }

    #[test]
    fn a_copy_is_found_by_its_file_and_goes_with_it() {
        let (dir, copies) = copies();
        copies.save(&zone(1), Path::new(FILE)).unwrap();
        let again = Copies::open(dir.path()).unwrap();
        assert_eq!(again.zone_of(Path::new(FILE)), Some(&apex()));
        assert_eq!(again.zone_of(Path::new("/zones/other.zone")), None);
        assert_eq!(again.record_count(&apex()), Some(2002));
        again.tidy(|_, file| file != Path::new(FILE)).unwrap();
        assert_eq!(found(&again), Some(1));
        again.tidy(|_, file| file == Path::new(FILE)).unwrap();
        assert_eq!(found(&again), None);
        again.remove(&apex()).unwrap();
    }

    #[test]
    fn names_of_copies_differ_where_zones_do_and_are_plain() {
        let long = format!("{}.", [&"x".repeat(63)[..]; 3].join("."));
        let zones = [
            (".", "%"),
            ("Smith.EDU.", "smith.edu"),
            ("0/25.2.0.192.in-addr.arpa.", "0%2f25.2.0.192.in-addr.arpa"),
            (r"a\.b.", "a%2eb"),
            ("a.b.", "a.b"),
            (r"\000.", "%00"),
            (r"%.", "%25"),
            (&long, long.trim_end_matches('.')),
        ];
        for (zone, name) in zones {
            assert_eq!(file_name(zone.parse::<NameBuf>().unwrap().as_name()), name);
        }
        let longest = |last: char| format!("{long}{last}{}.", "/".repeat(59));
        let names = ['a', 'b'].map(|last| {
            let zone: NameBuf = longest(last).parse().unwrap();
            file_name(zone.as_name())
        });
        assert!(names[0] != names[1] && names[0].len() < 240, "{names:?}");
    }
}
