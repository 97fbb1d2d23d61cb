//! `zonesmith check`: reads zone files as the server would, and says what it finds.
//!
//! People get each finding with its lines, and a line for each zone; machines get the findings alone.

use super::against::Against;
use super::config::{self, Wanted};
use super::fix::{self, Fixed};
use super::serve::settings;
use super::{Check, EXIT_ZONES, Explained, Format, output};
use crate::diag::formats::{self, Located};
use crate::diag::{Code, Diagnostic, Report, Severity, Span, codes, explain, render};
use crate::name::NameBuf;
use crate::reload::Sources;
use crate::reload::folder::{Folder, Listing};
use crate::reload::load::{Lints, Loaded, load_allowing, load_with};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What was found so far.
struct Tally {
    format: Format,
    color: bool,
    errors: usize,
    warnings: usize,
    /// The findings that `--fix` would mend.
    fixable: usize,
    /// Those that it did mend; `None` without it.
    fixed: Option<usize>,
    /// A file could not be fixed, or has a fault that is logged.
    failed: bool,
    notes: usize,
    /// Which file holds which zone.
    zones: HashMap<NameBuf, String>,
    /// What they are compared with.
    against: Option<Against>,
    /// The findings of a format that is written at the end.
    kept: Vec<Located>,
}

/// Checks every file; the exit code says whether there was an error.
pub(super) fn run(check: &Check) -> ExitCode {
    if let Some(explained) = check.explain {
        output::line(explanation(explained));
        return ExitCode::SUCCESS;
    }
    let sources = check.zones.sources(check.paths.clone());
    let listing = sources.list();
    let mut tally = Tally::new(check.format);
    if check.fix {
        if check.paths.iter().any(|path| path == Path::new("-")) {
            log::error!("`-`: standard input cannot be fixed: save it as a file, and name that");
            return ExitCode::from(EXIT_ZONES);
        }
        tally.fixed = Some(0);
    }
    if let Some(text) = &check.against {
        tally.open(text, &check.zones.sources(vec![PathBuf::from(text)]));
    }
    check.config.iter().for_each(|path| tally.config(path));
    for path in &sources.paths {
        tally.missing(path, &listing);
    }
    let shared = if check.fix { shared(&listing, &sources.include_paths) } else { HashSet::new() };
    for file in &listing.files {
        let loaded = match check.fix {
            true => tally.fix(&file.path, &sources.include_paths, &shared),
            false => load_with(&file.path, &sources.include_paths, Lints::All),
        };
        tally.file(&file.path, loaded);
    }
    tally.end(listing.files.len() + usize::from(check.config.is_some()));
    let fails = tally.failed || tally.errors > 0 || (check.strict && tally.warnings > 0);
    ExitCode::from(if fails { EXIT_ZONES } else { 0 })
}

/// The files that are not one zone's alone, as they are really called: those that zone files include,
/// and those that several links lead to.
fn shared(listing: &Listing, include_paths: &[PathBuf]) -> HashSet<PathBuf> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let files: Vec<&Path> = listing.files.iter().map(|file| &*file.path).collect();
    let includes = files.iter().flat_map(|file| load_allowing(file, include_paths).includes);
    let mut shared: HashSet<PathBuf> = includes.filter_map(|path| real(&path)).collect();
    let mut met = HashSet::new();
    let again = files.iter().filter_map(|file| real(file)).filter(|file| !met.insert(file.clone()));
    shared.extend(again.collect::<Vec<_>>());
    shared
}

fn explanation(explained: Explained) -> String {
    match explained {
        Explained::All => explain::list(),
        Explained::Code(code) => explain::text(code),
    }
}

impl Tally {
    fn new(format: Format) -> Tally {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Tally {
            format,
            color,
            errors: 0,
            warnings: 0,
            notes: 0,
            against: None,
            fixable: 0,
            fixed: None,
            failed: false,
            zones: HashMap::new(),
            kept: Vec::new(),
        }
    }

    /// Reads a configuration as the server would, and the keys that it names.
    fn config(&mut self, path: &Path) {
        let typed = ["zonesmith".into(), "serve".into(), "--config".into(), path.into()];
        match config::join(&typed) {
            Ok(Wanted { serve, zone_rules, .. }) => {
                self.failed |= settings(&serve, zone_rules).is_err(); // it says why
                if !self.failed {
                    self.say(|_| format!("{}: the configuration can be used", path.display()));
                }
            }
            Err(report) => {
                self.say(|color| format!("{}\n", render::report(&report, color)));
                self.take(&report);
            }
        }
    }

    /// A path that holds no zone file is an error: what was meant to be checked was not.
    fn missing(&mut self, path: &Path, listing: &Listing) {
        let why = match listing.folders.get(path) {
            Some(Folder::Missing) => "there is no such file or folder".to_string(),
            Some(Folder::Unreadable(why)) => format!("it cannot be read: {why}"),
            Some(Folder::Listed(0)) if !below(path, listing) => {
                "it holds no file named *.zone (`--recursive` looks into sub-folders, too)".into()
            }
            _ => return,
        };
        let shown = path.display().to_string();
        let human = format!("{shown}: {why}\n");
        self.whole_file(&codes::FILE_UNREADABLE, &shown, why, &human);
    }

    /// Fixes a file and says how, beside what machines read.
    fn fix(&mut self, path: &Path, include_paths: &[PathBuf], shared: &HashSet<PathBuf>) -> Loaded {
        let is_shared = fs::canonicalize(path).is_ok_and(|real| shared.contains(&real));
        let Fixed { loaded, done, left, failed } = fix::file(path, include_paths, is_shared);
        for line in done.iter().chain(&left) {
            match self.format {
                Format::Human | Format::Short => output::line(line),
                Format::Github | Format::Json | Format::Sarif => log::info!("{line}"),
            }
        }
        if let Some(why) = failed {
            log::error!("{}: {why}", path.display());
            self.failed = true;
        }
        self.fixed = Some(self.fixed.unwrap_or(0) + done.len());
        loaded
    }

    /// Finds what the zones are to be compared with.
    fn open(&mut self, text: &str, sources: &Sources) {
        match Against::open(text, sources) {
            Ok(against) => self.against = Some(against),
            Err(why) => {
                let what = format!("nothing is compared with it: {why}");
                let human = format!("error[{}]: {text}: {what}\n", codes::NOT_COMPARED.id);
                self.whole_file(&codes::NOT_COMPARED, text, what, &human);
            }
        }
    }

    fn file(&mut self, path: &Path, mut loaded: Loaded) {
        let compared = self.against.as_mut().and_then(|against| against.compare(&mut loaded));
        let Loaded { zone, report, .. } = loaded;
        if !report.findings.is_empty() {
            self.say(|color| format!("{}\n", render::report(&report, color)));
            self.take(&report);
        }
        let Some(zone) = zone else { return };
        let shown = path.display().to_string();
        let (apex, records) = (zone.apex().to_buf(), zone.record_count());
        let compared = compared.unwrap_or_default();
        self.say(|_| {
            format!("{shown}: {apex} serial {}, {records} records{compared}", zone.serial())
        });
        if let Some(first) = self.zones.insert(apex.clone(), shown.clone()) {
            let what = format!("two files hold {apex}: {first} and {shown}; remove one of them");
            let human = format!("error[{}]: {what}\n", codes::ZONE_TWICE.id);
            self.whole_file(&codes::ZONE_TWICE, &shown, what, &human);
        }
    }

    /// A finding about a file as a whole.
    fn whole_file(&mut self, code: &'static Code, file: &str, what: String, human: &str) {
        self.say(|_| human.to_string());
        let mut report = Report::default();
        report.sources.add(file.to_string(), Vec::new());
        report.findings.push(Diagnostic::new(code, Span::default(), what));
        self.take(&report);
    }

    /// Writes a text for people.
    fn say(&self, text: impl FnOnce(bool) -> String) {
        if self.format == Format::Human {
            output::line(text(self.color));
        }
    }

    /// Counts findings, and writes or keeps them for machines.
    fn take(&mut self, report: &Report) {
        self.errors += report.count(Severity::Error);
        self.warnings += report.count(Severity::Warning);
        self.notes += report.count(Severity::Note);
        for finding in &report.findings {
            let edits = finding.fix.as_ref().map_or(0, |fix| fix.edits.len());
            self.fixable += usize::from(edits > 0);
            let located = || Located::new(finding, &report.sources);
            match self.format {
                Format::Human => {}
                Format::Short => output::line(render::line(finding, &report.sources)),
                Format::Github => output::line(formats::github(&located())),
                Format::Json | Format::Sarif => self.kept.push(located()),
            }
        }
    }

    fn end(&self, files: usize) {
        match self.format {
            Format::Human => output::line(self.summary(files)),
            Format::Short | Format::Github => {}
            Format::Json => output::line(formats::json(&self.kept)),
            Format::Sarif => output::line(formats::sarif(&self.kept)),
        }
    }

    fn summary(&self, files: usize) -> String {
        let count = |n: usize, word: &str| match n {
            1 => format!("1 {word}"),
            _ => format!("{n} {word}s"),
        };
        let fixed = self.fixed.map_or_else(String::new, |fixed| format!("{fixed} fixed, "));
        let (errors, warnings) = (count(self.errors, "error"), count(self.warnings, "warning"));
        let notes = match self.notes {
            0 => String::new(),
            notes => format!(", {}", count(notes, "note")),
        };
        let hint = match (self.fixed, self.fixable) {
            (Some(_), _) | (None, 0) => String::new(),
            (None, fixable) => format!("; --fix mends {fixable}"),
        };
        format!("{}: {fixed}{errors}, {warnings}{notes}{hint}", count(files, "file"))
    }
}

/// Whether a zone file was found below a folder.
fn below(folder: &Path, listing: &Listing) -> bool {
    listing.files.iter().any(|file| file.path.starts_with(folder))
}
