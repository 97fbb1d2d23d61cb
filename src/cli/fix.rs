//! `zonesmith check --fix`: writes the fixes that cannot be wrong.
//!
//! What was fixed is read again before it is written, as the server would read it: each record must
//! say what it said, but for those that were fixed, and those what was meant; nothing may be found
//! that was not found before. A fix that does not hold this is left out, and that is said. Fixing
//! goes on until nothing is left to fix: one fix can make room for another.

use super::replace::replace;
use crate::diag::fix::{Change, apply};
use crate::diag::{Diagnostic, Meant, Report, SourceId, Span, render};
use crate::reload::load::{Lints, Loaded, load_text, load_with};
use crate::rr::{Record, Rtype};
use crate::zone::build::FINDINGS_MAX;
use crate::zonefile::Place;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The most rounds for one file. Each fixes as much as a list of findings holds; two are usual.
const ROUNDS_MAX: usize = 20;
/// The most readings of one file: a fix that does not hold is looked for by halves.
const READINGS_MAX: usize = 200;

/// What became of a file.
pub(super) struct Fixed {
    /// The file as it is now.
    pub(super) loaded: Loaded,
    /// A line for each fix that was written.
    pub(super) done: Vec<String>,
    /// A line for each that was left, and why.
    pub(super) left: Vec<String>,
    /// Why nothing was written although there was something to write.
    pub(super) failed: Option<String>,
}

/// Fixes one file, but not one that several zones are read from.
pub(super) fn file(path: &Path, include_paths: &[PathBuf], is_shared: bool) -> Fixed {
    let loaded = load_with(path, include_paths, Lints::All);
    let mut fixed = Fixed { loaded, done: Vec::new(), left: Vec::new(), failed: None };
    let report = &fixed.loaded.report;
    if is_shared || candidates(report).is_empty() {
        fixed.left = left(report, SHARED);
        return fixed;
    }
    let old = report.sources.get(SourceId(0)).text.to_vec();
    let mut reader = Reader { path, include_paths, readings: 0 };
    let mut state = reader.read(old.clone());
    let mut why = AGAIN;
    for _ in 0..ROUNDS_MAX {
        let Some((next, done)) = reader.round(&state) else {
            why = ELSE_WRONG;
            break;
        };
        fixed.done.extend(done);
        state = next;
    }
    if state.text != old
        && let Err(error) = replace(path, &old, &state.text)
    {
        fixed.done.clear();
        fixed.failed = Some(format!("it cannot be written: {error}"));
        return fixed;
    }
    fixed.left = left(&state.loaded.report, why);
    fixed.loaded = state.loaded;
    fixed
}

/// The findings with edits, as many as do not touch the same place.
fn candidates(report: &Report) -> Vec<&Diagnostic> {
    let mut taken: BTreeMap<u32, u32> = BTreeMap::new(); // where each edit starts and ends
    let mut is_free = |finding: &&Diagnostic| {
        let edits = finding.fix.as_ref().map_or(&[][..], |fix| &fix.edits);
        let touches = |Span { start, end, .. }: Span| {
            let before = taken.range(..=start).next_back();
            before.is_some_and(|(&first, &last)| first == start || last > start)
                || taken.range(start..).next().is_some_and(|(&first, _)| first < end)
        };
        let is_free = !edits.is_empty() && !edits.iter().any(|edit| touches(edit.span));
        if is_free {
            taken.extend(edits.iter().map(|edit| (edit.span.start, edit.span.end)));
        }
        is_free
    };
    report.findings.iter().filter(&mut is_free).collect()
}

/// Why fixes in a file are left that is not one zone's alone.
const SHARED: &str = "zones may share this file, and what is wrong in one can be right in another";
/// Why a fix is left that did not hold.
const ELSE_WRONG: &str = "with the fix something else would be wrong";

/// Why fixes are left when the rounds are over.
const AGAIN: &str = "there is more than one run fixes: run it again";

/// A line for each finding that has a fix, with the reason why it is left.
fn left(report: &Report, why: &str) -> Vec<String> {
    let fixable = report.findings.iter().filter(|finding| finding.fix.is_some());
    let line = |finding: &Diagnostic| {
        let is_included = finding.fix.as_ref().is_some_and(|fix| fix.edits.is_empty());
        let why = if is_included { SHARED } else { why };
        format!("{}; {why}", render::line_as(finding, &report.sources, "not fixed"))
    };
    fixable.map(line).collect()
}

/// A text and what it says.
struct State {
    text: Vec<u8>,
    loaded: Loaded,
    records: Vec<Told>,
}

/// A record, and where it stands.
struct Told {
    place: Span,
    record: Owned,
}

/// Everything that a record says.
#[derive(Clone, PartialEq, Eq)]
struct Owned {
    owner: Vec<u8>,
    ttl: u32,
    rtype: Rtype,
    rdata: Vec<u8>,
}

/// Reads texts as if the file held them.
struct Reader<'p> {
    path: &'p Path,
    include_paths: &'p [PathBuf],
    readings: usize,
}

impl Reader<'_> {
    fn read(&mut self, text: Vec<u8>) -> State {
        self.readings += 1;
        let mut records = Vec::new();
        let mut tap = |record: Record<'_>, place: Place<'_>| {
            let Record { owner, ttl, rtype, rdata } = record;
            let (owner, rdata) = (owner.as_wire().to_ascii_lowercase(), rdata.to_vec());
            records.push(Told { place: place.record, record: Owned { owner, ttl, rtype, rdata } });
        };
        let copy = text.clone();
        let loaded = load_text(self.path, copy, self.include_paths, Lints::All, &mut tap);
        State { text, loaded, records }
    }

    /// Fixes what can be fixed at once; gives a line for each.
    fn round(&mut self, state: &State) -> Option<(State, Vec<String>)> {
        let report = &state.loaded.report;
        let (mut taken, mut best) = (Vec::new(), None);
        self.settle(state, &mut taken, &candidates(report), &mut best);
        let line = |finding: &&Diagnostic| render::line_as(finding, &report.sources, "fixed");
        Some((best?, taken.iter().map(line).collect()))
    }

    /// Takes as many of the candidates as hold together with those that are taken already.
    fn settle<'f>(
        &mut self,
        state: &State,
        taken: &mut Vec<&'f Diagnostic>,
        candidates: &[&'f Diagnostic],
        best: &mut Option<State>,
    ) {
        if candidates.is_empty() || self.readings >= READINGS_MAX {
            return;
        }
        let all = [&taken[..], candidates].concat();
        if let Some(next) = self.with(state, &all) {
            (*taken, *best) = (all, Some(next));
        } else if candidates.len() > 1 {
            let (first, second) = candidates.split_at(candidates.len() / 2);
            self.settle(state, taken, first, best);
            self.settle(state, taken, second, best);
        }
    }

    /// The text with these findings fixed, if it then says what was meant.
    fn with(&mut self, state: &State, fixed: &[&Diagnostic]) -> Option<State> {
        let fixes = || fixed.iter().filter_map(|finding| finding.fix.as_ref());
        let next = self.read(apply(&state.text, fixes().flat_map(|fix| &fix.edits)));
        let meant = meant(&state.records, fixes().flat_map(|fix| &fix.changes))?;
        let says = next.records.iter().map(|told| &told.record);
        let holds =
            says.eq(&meant) && finds_no_more(&state.loaded.report, fixed, &next.loaded.report);
        holds.then_some(next)
    }
}

/// The records with all changes made; `None` if one is about no record.
fn meant<'c>(records: &[Told], changes: impl Iterator<Item = &'c Change>) -> Option<Vec<Owned>> {
    let mut by_place: HashMap<Span, Vec<&Meant>> = HashMap::new();
    for change in changes {
        by_place.entry(change.record).or_default().push(&change.meant);
    }
    let mut meant = Vec::with_capacity(records.len());
    for told in records {
        let changes = by_place.remove(&told.place).unwrap_or_default();
        if changes.contains(&&Meant::Gone) {
            continue;
        }
        let mut record = told.record.clone();
        changes.into_iter().try_for_each(|change| record.change(change))?;
        meant.push(record);
    }
    by_place.is_empty().then_some(meant)
}

impl Owned {
    /// Makes a change; `None` if the record does not have what is to change.
    fn change(&mut self, meant: &Meant) -> Option<()> {
        match meant {
            Meant::Gone => return None,
            Meant::Cut => {}
            Meant::Ttl(seconds) => self.ttl = *seconds,
            Meant::Owner(name) => self.owner = name.to_ascii_lowercase(),
            Meant::Name { from, to } | Meant::Text { from, to } => {
                let at = self.rdata.windows(from.len()).position(|part| part == from)?;
                self.rdata.splice(at..at + from.len(), to.iter().copied());
            }
        }
        Some(())
    }
}

/// Whether nothing is found but what was found before and is not fixed. Of a full list it is not
/// known what comes next; errors must not.
fn finds_no_more(old: &Report, fixed: &[&Diagnostic], new: &Report) -> bool {
    if old.findings.len() >= FINDINGS_MAX {
        return !new.has_errors();
    }
    let key = |finding: &Diagnostic| (finding.code.id, finding.message.clone());
    let mut before: HashMap<_, usize> = HashMap::new();
    for finding in &old.findings {
        *before.entry(key(finding)).or_default() += 1;
    }
    let mut after = fixed.iter().copied().chain(&new.findings);
    after.all(|finding| match before.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    })
}
