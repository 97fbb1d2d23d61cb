//! One zone file off the disk → a zone, with everything found in it.

use super::folder::Fingerprint;
use super::include::{self, Fence};
use super::parts::{Amended, Grain, LARGE, Notes, Parts};
use super::serial::Numbered;
use crate::diag::{Diagnostic, Report, SourceId, Span, codes};
use crate::name::{Name, NameBuf, text};
use crate::rr::Record;
use crate::sandbox;
use crate::zone::Zone;
use crate::zone::build::Builder;
use crate::zonefile::part::{self, State};
use crate::zonefile::{Place, Sink, fix};
use std::collections::HashSet;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What reading one zone file gave.
#[derive(Default)]
pub struct Loaded {
    /// The zone that the file is about: the SOA's owner, or else what the file's name says.
    pub apex: Option<NameBuf>,
    /// The zone, if the file can be served.
    pub zone: Option<Zone>,
    /// What the file was when it was opened, and when that was, if nobody watched it.
    pub seen: Option<(Fingerprint, SystemTime)>,
    /// What was found. It has errors exactly if there is no zone.
    pub report: Report,
    /// Where the SOA record stands, and its serial.
    pub serial: Option<[Span; 2]>,
    /// What a serial policy did to the zone.
    pub numbered: Option<Numbered>,
    /// The files that it includes, as opened, but for those outside its folders: a change in one changes
    /// the zone.
    pub includes: Vec<PathBuf>,
    /// The parts of the file, if it is large and may be read in parts next time.
    pub parts: Option<Parts>,
    /// How many of its parts were read, and how many there are, if not all of it was.
    pub read: Option<[usize; 2]>,
}

/// What is known of a file that is about to be read.
#[derive(Clone, Copy, Debug)]
pub enum Earlier<'k> {
    /// Nothing, and nobody watches it: that it changed afterwards must show in its times.
    Unwatched,
    /// Nothing.
    Unknown,
    /// What it gave before.
    Known(&'k Known),
}

/// What is known of a file that was read: the zone that it gave, and its parts.
#[derive(Clone, Debug)]
pub struct Known {
    /// The zone.
    pub zone: Arc<Zone>,
    /// The parts.
    pub parts: Arc<Parts>,
}

/// In which zones what is probably not meant is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lints {
    /// In those of up to [`LINT_RECORDS_MAX`] records: a server has better to do with a large one.
    Quick,
    /// In all.
    All,
}

/// The most records of a zone that is looked through while others may wait to be read; it takes a
/// fraction of a second.
pub const LINT_RECORDS_MAX: usize = 100_000;

/// Reads a zone file and what it includes from its own folder: [`load_allowing`] no other.
pub fn load(path: &Path) -> Loaded {
    load_allowing(path, &[])
}

/// Reads a zone file as the server does: [`load_with`] the quick lints.
pub fn load_allowing(path: &Path, include_paths: &[PathBuf]) -> Loaded {
    load_with(path, include_paths, Lints::Quick)
}

/// Reads a zone file as of now, see [`load_at`].
pub fn load_with(path: &Path, include_paths: &[PathBuf], lints: Lints) -> Loaded {
    load_at(path, include_paths, lints, now())
}

/// The time in seconds since 1970, as far as four octets hold it (RFC 4034 §3.1.5).
fn now() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() & u64::from(u32::MAX)).unwrap_or_default()
}

/// Reads a zone file and all that it includes, from its own folder or from `include_paths`. Relative
/// names are relative to the name of the file, if it is `<origin>.zone`, until an `$ORIGIN` line.
/// Signatures are looked at as of `now`, in seconds since 1970.
pub fn load_at(path: &Path, include_paths: &[PathBuf], lints: Lints, now: u32) -> Loaded {
    read_and_build(path, include_paths, lints, now, &mut |_, _| ())
}

/// Reads a zone file as [`load_allowing`] does. Of a large one that is known only what changed is taken
/// in, where that comes to the same; one that is not watched is read once it has stood still.
pub fn load_again(path: &Path, include_paths: &[PathBuf], earlier: Earlier<'_>) -> Loaded {
    let amended = match earlier {
        Earlier::Known(known) => known.amend_file(path),
        Earlier::Unwatched | Earlier::Unknown => None,
    };
    amended.unwrap_or_else(|| {
        let read = match earlier {
            Earlier::Unwatched => include::read_settled(path).map(|(text, at)| (text, Some(at))),
            Earlier::Unknown | Earlier::Known(_) => include::read(path).map(|text| (text, None)),
        };
        match read {
            Ok((text, seen)) => Loaded { seen, ..load_whole(path, text, include_paths, LARGE) },
            Err(error) => unreadable(path, &error),
        }
    })
}

/// As [`load_again`], as if the file held this text, with parts of that grain.
pub fn load_text_again(
    path: &Path,
    text: Vec<u8>,
    include_paths: &[PathBuf],
    known: Option<&Known>,
    grain: Grain,
) -> Loaded {
    let amended = known.and_then(|known| known.amend(path, &mut Cursor::new(&text), text.len()));
    amended.unwrap_or_else(|| load_whole(path, text, include_paths, grain))
}

impl Known {
    fn amend_file(&self, path: &Path) -> Option<Loaded> {
        let (mut file, len, _) = include::open(path).ok()?;
        self.amend(path, &mut file, len)
    }

    /// What the file gives now, if what changed tells. One that cannot be read is for a whole reading
    /// to tell of.
    fn amend<F: Read + Seek>(&self, path: &Path, file: &mut F, len: usize) -> Option<Loaded> {
        let shown = path.display().to_string();
        let Amended { zone, parts, read } =
            self.parts.amend(&self.zone, &shown, file, len).ok().flatten()?;
        let apex = Some(zone.apex().to_buf());
        let (zone, parts, read) = (Some(zone), Some(parts), Some(read));
        Some(Loaded { apex, zone, parts, read, ..Loaded::default() })
    }
}

fn load_whole(path: &Path, text: Vec<u8>, include_paths: &[PathBuf], grain: Grain) -> Loaded {
    let see: Sink<'_> = &mut |_, _| ();
    build_text(path, text, include_paths, (Lints::Quick, now()), Some(grain), see)
}

/// Reads a zone file as the server does, and shows each record and its place.
pub(super) fn load_seeing(
    path: &Path,
    include_paths: &[PathBuf],
    see: &mut dyn FnMut(Record<'_>, Span),
) -> Loaded {
    read_and_build(path, include_paths, Lints::Quick, now(), &mut |record, place| {
        see(record, place.record);
    })
}

fn read_and_build(
    path: &Path,
    include_paths: &[PathBuf],
    lints: Lints,
    now: u32,
    see: Sink<'_>,
) -> Loaded {
    match include::read(path) {
        Ok(text) => build_text(path, text, include_paths, (lints, now), None, see),
        Err(error) => unreadable(path, &error),
    }
}

/// As [`load_with`], as if the file held this text. Shows each record and its place.
pub fn load_text(
    path: &Path,
    text: Vec<u8>,
    include_paths: &[PathBuf],
    lints: Lints,
    see: Sink<'_>,
) -> Loaded {
    build_text(path, text, include_paths, (lints, now()), None, see)
}

fn build_text(
    path: &Path,
    text: Vec<u8>,
    include_paths: &[PathBuf],
    (lints, now): (Lints, u32),
    grain: Option<Grain>,
    see: Sink<'_>,
) -> Loaded {
    let origin = origin_of(path);
    let shown = path.display().to_string();
    let fence = Fence::of(path, include_paths);
    let mut includes = Vec::new();
    let mut include = |written: &str, from: &str| {
        let path = Path::new(from).parent().unwrap_or(Path::new("")).join(written);
        let read = fence.read(&path);
        if read.is_ok() || !fence.is_outside(&path) {
            includes.push(path.clone());
        }
        Ok((path.display().to_string(), read?))
    };
    let records_max = match (lints, grain) {
        (Lints::All, _) => usize::MAX,
        (Lints::Quick, None) => LINT_RECORDS_MAX,
        (Lints::Quick, Some(grain)) => grain.records_min - 1,
    };
    let builder = Builder::default().lint_up_to(records_max);
    let mut builder = builder.at(now).from_file_of(origin.clone()).expecting(text.len());
    let cuts = grain.map_or(Vec::new(), |grain| grain.cuts(&text));
    let mut notes = Notes::of_file(origin.clone());
    let mut sink = |record: Record<'_>, place: Place<'_>| {
        see(record, place);
        notes.add(&mut builder, record, place);
    };
    let top = State::at(origin.clone());
    let (mut report, end) = part::read(&shown, text, &top, &cuts, &mut include, &mut sink);
    let names = builder.owners().0;
    let is_first = builder.apex_is_first();
    let apex = builder.apex().or(origin);
    let serial = builder.serial_place();
    find_cuts(&mut report);
    let zone = build(builder, &mut report);
    let is_clean = report.findings.is_empty();
    let text = report.sources.iter().next().map(|source| source.text.clone());
    let parts = grain.zip(zone.as_ref()).zip(text).zip(end).filter(|_| is_clean && is_first);
    let parts =
        parts.and_then(|(((grain, zone), text), end)| notes.finish(zone, &text, end, names, grain));
    report.drop_allowed();
    if lints == Lints::All {
        fix::write_out(&mut report); // for those who have the file open, not for a server's log
    }
    Loaded { apex, zone, report, serial, includes, parts, ..Loaded::default() }
}

/// The zone name that a path says: `zones/smith.edu.zone` is about `smith.edu.`.
pub fn origin_of(path: &Path) -> Option<NameBuf> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".zone")?;
    text::parse(stem.as_bytes(), Some(Name::ROOT)).ok()
}

/// Whether a path says that it is about this zone.
pub(super) fn is_named_after(file: &Path, apex: &NameBuf) -> bool {
    origin_of(file).as_ref() == Some(apex)
}

/// A file whose last line has no line end may have been cut by whoever copied it.
fn find_cuts(report: &mut Report) {
    let Report { sources, findings } = report;
    let mut seen = HashSet::new();
    for (number, source) in (0..).zip(sources.iter()) {
        let line_start = memchr::memrchr(b'\n', &source.text).map_or(0, |end| end + 1);
        let line = &source.text[line_start..];
        if line.trim_ascii().is_empty() || !seen.insert(&source.name) {
            continue;
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let end = place(source.text.len());
        let span = Span { source: SourceId(number), start: end, end };
        let help = "if the file is whole, end its last line; if not, something cut it";
        let found = Diagnostic::new(&codes::FILE_CUT, span, "the last line has no line end");
        let entry = Span { start: place(line_start), ..span };
        findings.push(Diagnostic { entry, ..found.help(help) });
    }
}

/// Builds the zone where the file was read without an error. After one, findings about the zone as
/// a whole would be about what is missing because of it.
fn build(builder: Builder, report: &mut Report) -> Option<Zone> {
    if report.has_errors() {
        return None;
    }
    let (zone, findings) = builder.finish(Span::default());
    report.findings.extend(findings);
    report.sort();
    zone
}

fn unreadable(path: &Path, error: &std::io::Error) -> Loaded {
    let (apex, shown) = (origin_of(path), path.display().to_string());
    let mut report = Report::default();
    let what = format!("the file cannot be read: {error}");
    let source = report.sources.add(shown, Vec::new()).unwrap_or_default();
    let span = Span { source, ..Span::default() };
    let mut finding = Diagnostic::new(&codes::FILE_UNREADABLE, span, what);
    if sandbox::refuses(path, error) {
        finding = finding.help(sandbox::ADVICE);
    }
    report.findings.push(finding);
    Loaded { apex, report, ..Loaded::default() }
}
