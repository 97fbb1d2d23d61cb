//! One zone file off the disk → a zone, with everything found in it.

use super::include::{self, Fence};
use crate::diag::{Diagnostic, Report, Span, codes};
use crate::name::{Name, NameBuf, text};
use crate::rr::Record;
use crate::sandbox;
use crate::zone::Zone;
use crate::zone::build::Builder;
use crate::zonefile::{self, Place, Sink, fix};
use std::path::{Path, PathBuf};

/// What reading one zone file gave.
pub struct Loaded {
    /// The zone that the file is about: the SOA's owner, or else what the file's name says.
    pub apex: Option<NameBuf>,
    /// The zone, if the file can be served.
    pub zone: Option<Zone>,
    /// What was found. It has errors exactly if there is no zone.
    pub report: Report,
    /// The files that it includes, as opened: a change in one changes the zone.
    pub includes: Vec<PathBuf>,
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

/// Reads a zone file and all that it includes, from its own folder or from `include_paths`. Relative
/// names are relative to the name of the file, if it is `<origin>.zone`, until an `$ORIGIN` line.
pub fn load_with(path: &Path, include_paths: &[PathBuf], lints: Lints) -> Loaded {
    read_and_build(path, include_paths, lints, &mut |_, _| ())
}

/// Reads a zone file as the server does, and shows each record and its place.
pub(super) fn load_seeing(
    path: &Path,
    include_paths: &[PathBuf],
    see: &mut dyn FnMut(Record<'_>, Span),
) -> Loaded {
    read_and_build(path, include_paths, Lints::Quick, &mut |record, place| {
        see(record, place.record);
    })
}

fn read_and_build(path: &Path, include_paths: &[PathBuf], lints: Lints, see: Sink<'_>) -> Loaded {
    match include::read(path) {
        Ok(text) => load_text(path, text, include_paths, lints, see),
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
    let origin = origin_of(path);
    let shown = path.display().to_string();
    let fence = Fence::of(path, include_paths);
    let mut includes = Vec::new();
    let mut include = |written: &str, from: &str| {
        let path = Path::new(from).parent().unwrap_or(Path::new("")).join(written);
        includes.push(path.clone());
        Ok((path.display().to_string(), fence.read(&path)?))
    };
    let records_max = if lints == Lints::All { usize::MAX } else { LINT_RECORDS_MAX };
    let mut builder = Builder::default().lint_up_to(records_max);
    let mut sink = |record: Record<'_>, place: Place| {
        see(record, place);
        builder.add(record, place.record, place.last);
    };
    let mut report = zonefile::read(&shown, text, origin.clone(), &mut include, &mut sink);
    let apex = builder.apex().or(origin);
    let zone = build(builder, &mut report);
    report.drop_allowed();
    if lints == Lints::All {
        fix::write_out(&mut report); // for those who have the file open, not for a server's log
    }
    Loaded { apex, zone, report, includes }
}

/// The zone name that a path says: `zones/smith.edu.zone` is about `smith.edu.`.
pub fn origin_of(path: &Path) -> Option<NameBuf> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".zone")?;
    text::parse(stem.as_bytes(), Some(Name::ROOT)).ok()
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
    Loaded { apex, zone: None, report, includes: Vec::new() }
}
