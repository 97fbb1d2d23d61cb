//! `zonesmith check`: reads zone files as the server would, and says what it finds.
#![expect(clippy::print_stdout, reason = "what was found is what this command gives")]

use super::{Check, EXIT_ZONES};
use crate::diag::render;
use crate::name::NameBuf;
use crate::reload::folder::{Folder, Listing};
use crate::reload::load::{Loaded, load_allowing};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What was found so far.
#[derive(Default)]
struct Tally {
    errors: usize,
    warnings: usize,
    /// Which file holds which zone.
    zones: HashMap<NameBuf, String>,
}

/// Checks every file; the exit code says whether there was an error.
pub(super) fn run(check: &Check) -> ExitCode {
    let sources = check.zones.sources(check.paths.clone());
    let listing = sources.list();
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut tally = Tally::default();
    for path in &sources.paths {
        tally.missing(path, &listing);
    }
    for file in &listing.files {
        tally.file(&file.path, &sources.include_paths, color);
    }
    println!("{}", tally.summary(listing.files.len()));
    ExitCode::from(if tally.errors > 0 { EXIT_ZONES } else { 0 })
}

impl Tally {
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
        self.errors += 1;
        println!("{}: {why}\n", path.display());
    }

    fn file(&mut self, path: &Path, include_paths: &[PathBuf], color: bool) {
        let Loaded { zone, report, .. } = load_allowing(path, include_paths);
        let (errors, warnings) = report.counts();
        self.errors += errors;
        self.warnings += warnings;
        if !report.findings.is_empty() {
            println!("{}\n", render::report(&report, color));
        }
        let Some(zone) = zone else { return };
        let shown = path.display().to_string();
        let (apex, records) = (zone.apex().to_buf(), zone.record_count());
        println!("{shown}: {apex} serial {}, {records} records", zone.serial());
        if let Some(first) = self.zones.insert(apex.clone(), shown.clone()) {
            self.errors += 1;
            println!(
                "error[Z003]: two files hold {apex}: {first} and {shown}; remove one of them\n"
            );
        }
    }

    fn summary(&self, files: usize) -> String {
        let count = |n: usize, word: &str| match n {
            1 => format!("1 {word}"),
            _ => format!("{n} {word}s"),
        };
        let (errors, warnings) = (count(self.errors, "error"), count(self.warnings, "warning"));
        format!("{}: {errors}, {warnings}", count(files, "file"))
    }
}

/// Whether a zone file was found below a folder.
fn below(folder: &Path, listing: &Listing) -> bool {
    listing.files.iter().any(|file| file.path.starts_with(folder))
}
