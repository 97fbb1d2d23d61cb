//! `zonesmith check`: reads zone files as the server would, and says what it finds.
//!
//! People get each finding with its lines, and a line for each zone; machines get the findings alone.
#![expect(clippy::print_stdout, reason = "what was found is what this command gives")]

use super::against::Against;
use super::{Check, EXIT_ZONES, Explained, Format};
use crate::diag::formats::{self, Located};
use crate::diag::{Code, Diagnostic, Report, Severity, Span, codes, explain, render};
use crate::name::NameBuf;
use crate::reload::Sources;
use crate::reload::folder::{Folder, Listing};
use crate::reload::load::{Lints, Loaded, load_with};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What was found so far.
struct Tally {
    format: Format,
    color: bool,
    errors: usize,
    warnings: usize,
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
        println!("{}", explanation(explained));
        return ExitCode::SUCCESS;
    }
    let sources = check.zones.sources(check.paths.clone());
    let listing = sources.list();
    let mut tally = Tally::new(check.format);
    if let Some(text) = &check.against {
        tally.open(text, &check.zones.sources(vec![PathBuf::from(text)]));
    }
    for path in &sources.paths {
        tally.missing(path, &listing);
    }
    for file in &listing.files {
        tally.file(&file.path, &sources.include_paths);
    }
    tally.end(listing.files.len());
    let fails = tally.errors > 0 || (check.strict && tally.warnings > 0);
    ExitCode::from(if fails { EXIT_ZONES } else { 0 })
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
        let (zones, against, kept) = (HashMap::new(), None, Vec::new());
        Tally { against, format, color, errors: 0, warnings: 0, notes: 0, zones, kept }
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

    fn file(&mut self, path: &Path, include_paths: &[PathBuf]) {
        let mut loaded = load_with(path, include_paths, Lints::All);
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
            println!("{}", text(self.color));
        }
    }

    /// Counts findings, and writes or keeps them for machines.
    fn take(&mut self, report: &Report) {
        self.errors += report.count(Severity::Error);
        self.warnings += report.count(Severity::Warning);
        self.notes += report.count(Severity::Note);
        for finding in &report.findings {
            let located = || Located::new(finding, &report.sources);
            match self.format {
                Format::Human => {}
                Format::Short => println!("{}", render::line(finding, &report.sources)),
                Format::Github => println!("{}", formats::github(&located())),
                Format::Json | Format::Sarif => self.kept.push(located()),
            }
        }
    }

    fn end(&self, files: usize) {
        match self.format {
            Format::Human => println!("{}", self.summary(files)),
            Format::Short | Format::Github => {}
            Format::Json => println!("{}", formats::json(&self.kept)),
            Format::Sarif => println!("{}", formats::sarif(&self.kept)),
        }
    }

    fn summary(&self, files: usize) -> String {
        let count = |n: usize, word: &str| match n {
            1 => format!("1 {word}"),
            _ => format!("{n} {word}s"),
        };
        let (errors, warnings) = (count(self.errors, "error"), count(self.warnings, "warning"));
        let notes = match self.notes {
            0 => String::new(),
            notes => format!(", {}", count(notes, "note")),
        };
        format!("{}: {errors}, {warnings}{notes}", count(files, "file"))
    }
}

/// Whether a zone file was found below a folder.
fn below(folder: &Path, listing: &Listing) -> bool {
    listing.files.iter().any(|file| file.path.starts_with(folder))
}
