//! What reloading tells people: what happened to which file and zone, and what to do next.
//!
//! Each thing that can happen is one variant of [`Notice`], made where it is decided; how it reads
//! in the log is decided here alone.

use super::copies::CopyNews;
use super::folder::Folder;
use super::serial::{Numbered, SerialStep};
use crate::diag::{self, Report, Severity};
use crate::name::NameBuf;
use log::Level;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The target under which all of it is logged.
const TARGET: &str = "zonesmith::reload";
/// The most findings about one file in the log: each save tells them again.
const FINDINGS_SHOWN_MAX: usize = 20;

/// What is said where serials rise by a policy and are not remembered.
const FORGETFUL: &str = "after a restart each zone begins at its file's serial again, below those that \
                         `--serial` made: name a folder with `--state` that remembers them";

/// Something that people are told.
#[derive(Debug)]
pub enum Notice {
    /// A file gave a zone that was not served before.
    Loaded {
        /// The file.
        file: Arc<Path>,
        /// The zone.
        apex: NameBuf,
        /// Its serial.
        serial: u32,
        /// What a serial policy had to do with it.
        numbered: Option<Numbered>,
        /// Its number of records.
        records: usize,
        /// The octets that it takes in memory.
        octets: usize,
        /// Warnings.
        report: Report,
    },
    /// A file gave a new version of the zone that it serves.
    Reloaded {
        /// The file.
        file: Arc<Path>,
        /// The zone.
        apex: NameBuf,
        /// The serial before and now.
        serial: (u32, u32),
        /// What a serial policy had to do with it.
        numbered: Option<Numbered>,
        /// The number of records before and now.
        records: (usize, usize),
        /// What the serial says about the content.
        step: SerialStep,
        /// How many parts of the file were read, and how many there are, if not all was.
        read: Option<[usize; 2]>,
        /// Warnings.
        report: Report,
    },
    /// A change that these secondaries will not see: the serial did not rise.
    Unseen {
        /// The zone.
        apex: NameBuf,
        /// Which they are.
        secondaries: Vec<String>,
    },
    /// A file was read again and holds what it held. `stale` if it was broken in between.
    Unchanged {
        /// The file.
        file: Arc<Path>,
        /// The zone.
        apex: NameBuf,
        /// Its serial.
        serial: u32,
        /// Whether the file was broken in between.
        stale: bool,
    },
    /// A file cannot be served.
    Rejected {
        /// The file.
        file: Arc<Path>,
        /// The zone that it is about, if it lets that be seen.
        apex: Option<NameBuf>,
        /// What the zone's clients get meanwhile.
        serving: Serving,
        /// What is wrong; `None` if this version of the file was reported before.
        report: Option<Report>,
    },
    /// A second file holds a zone; it is not served.
    Conflict {
        /// The zone.
        apex: NameBuf,
        /// The file that it is served from.
        served: Arc<Path>,
        /// The file that is left out.
        other: Arc<Path>,
    },
    /// Another file serves a zone from now on.
    TookOver {
        /// The zone.
        apex: NameBuf,
        /// The file that serves it now.
        file: Arc<Path>,
        /// The file that served it before.
        before: Arc<Path>,
        /// The serial before and now.
        serial: (u32, u32),
        /// What a serial policy had to do with it.
        numbered: Option<Numbered>,
        /// What the serial says about the content; `None` if nothing changed.
        step: Option<SerialStep>,
    },
    /// The file of a zone holds it no more; the zone ends unless the file comes back.
    Ending {
        /// The zone.
        apex: NameBuf,
        /// The file that it is served from.
        file: Arc<Path>,
        /// How long the zone is still served.
        after: Duration,
    },
    /// The file came back in time.
    Returned {
        /// The zone.
        apex: NameBuf,
        /// The file.
        file: Arc<Path>,
    },
    /// A zone is served no more.
    Removed {
        /// The zone.
        apex: NameBuf,
        /// The file that served it.
        file: Arc<Path>,
    },
    /// The state of a folder changed.
    Folder {
        /// The folder, or a path of the command line that is not there.
        folder: PathBuf,
        /// As it is now.
        state: Folder,
    },
    /// A writer has had a file open for long.
    HeldOpen {
        /// The file.
        file: Arc<Path>,
    },
    /// The file system's events cannot be had or do not tell of everything. The files are compared.
    Polled {
        /// Why, and what to do about it.
        why: String,
        /// How often.
        every: Duration,
    },
    /// There are serial policies, and nothing remembers the serials that were served.
    Forgetful,
    /// Events were lost; everything is looked at again.
    EventsLost,
    /// Something about the copies of zones.
    Copy(CopyNews),
    /// All files were read again, as they were when somebody asked for it.
    ReloadedAll {
        /// How many zones are served as their files say.
        zones: usize,
        /// How many files are not served, or were not seen.
        rejected: usize,
        /// How many of the files somebody is writing.
        writing: usize,
    },
}

/// What the clients of a zone get whose file cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Nothing changes for anybody: no zone could be told from the file.
    Unknown,
    /// SERVFAIL: the zone was never read whole.
    Failure,
    /// The last good version.
    LastGood {
        /// Its serial.
        serial: u32,
    },
    /// What another file says.
    Other {
        /// The other file.
        file: Arc<Path>,
    },
}

impl Notice {
    /// Writes it to the log.
    pub fn log(&self) {
        if log::log_enabled!(target: TARGET, self.level()) {
            let verbose = log::log_enabled!(target: TARGET, Level::Debug);
            let least = if verbose { Severity::Note } else { Severity::Warning };
            log::log!(target: TARGET, self.level(), "{}", self.text(least));
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Rejected { .. } | Notice::Conflict { .. } => Level::Error,
            Notice::Reloaded { step: SerialStep::Same | SerialStep::Backward, .. }
            | Notice::TookOver { step: Some(SerialStep::Same | SerialStep::Backward), .. } => {
                Level::Warn
            }
            Notice::Loaded { report, .. } | Notice::Reloaded { report, .. }
                if report.gravest() > Some(Severity::Note) =>
            {
                Level::Warn
            }
            Notice::Folder { state: Folder::Listed(1..), .. } => Level::Info,
            Notice::Ending { .. } | Notice::Folder { .. } | Notice::HeldOpen { .. } => Level::Warn,
            Notice::Polled { .. } | Notice::EventsLost | Notice::Unseen { .. } => Level::Warn,
            Notice::Forgetful => Level::Warn,
            Notice::Unchanged { stale: false, .. } => Level::Debug,
            Notice::Copy(news) => news.level(),
            _ => Level::Info,
        }
    }

    /// What the log says: one line, and below it what was found in the file that matters at least
    /// so much.
    pub fn text(&self, least: Severity) -> String {
        let detail = if least == Severity::Note { self.detail() } else { String::new() };
        let line = self.line() + &detail;
        let found = self.report().filter(|report| report.gravest() >= Some(least));
        found.map_or(line.clone(), |found| format!("{line}\n{}", findings(found, least)))
    }

    /// What it cost.
    fn detail(&self) -> String {
        match self {
            Notice::Loaded { records, octets, .. } => {
                format!(" of {} octets each in memory", octets / records.max(&1))
            }
            Notice::Reloaded { read: Some([parts, all]), .. } => {
                format!("; {parts} of {all} parts of the file were read")
            }
            _ => String::new(),
        }
    }

    /// What was found in the file that was read.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Notice::Loaded { report, .. } | Notice::Reloaded { report, .. } => Some(report),
            Notice::Rejected { report, .. } => report.as_ref(),
            _ => None,
        }
    }

    /// The line.
    fn line(&self) -> String {
        match self {
            Notice::Loaded { file, apex, serial, numbered, records, .. } => {
                let (file, by) = (file.display(), by(*numbered));
                format!("{file}: {apex} serial {serial}{by}, {records} records")
            }
            Notice::Reloaded { file, apex, serial, numbered, records, step, .. } => {
                let (warning, by) = (step.warning(*serial), by(*numbered));
                let (serial, records) = (from_to(*serial), from_to(*records));
                let file = file.display();
                format!("{file}: {apex} serial {serial}{by}, {records} records{warning}")
            }
            Notice::Unchanged { file, apex, serial, stale } => {
                let how = if *stale { "is good again" } else { "was read again" };
                let file = file.display();
                format!("{file}: {how}; {apex} holds what it held, serial {serial}")
            }
            Notice::Rejected { file, apex, serving, report } => {
                rejected(file, apex.as_ref(), serving, report.as_ref())
            }
            _ => self.line_on_rivals(),
        }
    }

    /// The lines about two files of one zone.
    fn line_on_rivals(&self) -> String {
        match self {
            Notice::Conflict { apex, served, other } => {
                let (id, served) = (diag::codes::ZONE_TWICE.id, served.display());
                let other = other.display();
                format!(
                    "two files hold {apex} ({id}): {served} is served, {other} is not; remove one of them"
                )
            }
            Notice::TookOver { apex, file, before, serial, numbered, step } => {
                let warning = step.map_or(String::new(), |step| step.warning(*serial));
                let (serial, by) = (from_to(*serial), by(*numbered));
                let (file, before) = (file.display(), before.display());
                format!("{file}: serves {apex} in place of {before}, serial {serial}{by}{warning}")
            }
            _ => self.line_on_files(),
        }
    }

    /// The lines about files that came, went or cannot be seen.
    fn line_on_files(&self) -> String {
        match self {
            Notice::Ending { apex, file, after } => {
                let file = file.display();
                format!("{file}: holds {apex} no more; it ends in {after:?} unless it comes back")
            }
            Notice::Returned { apex, file } => {
                format!("{}: is back; {apex} goes on", file.display())
            }
            Notice::Removed { apex, file } => {
                format!("{apex} is served no more: {} does not hold it any more", file.display())
            }
            Notice::Folder { folder, state } => folder_line(folder, state),
            Notice::Unseen { apex, secondaries } => {
                let all = secondaries.join(", ");
                format!("{apex} stays as it was at {all}: the serial did not rise")
            }
            Notice::HeldOpen { file } => {
                let file = file.display();
                format!("{file}: a program is writing it; it is read when that program closes it")
            }
            Notice::Polled { why, every } => {
                format!("{why}; the files are compared every {} seconds", every.as_secs())
            }
            Notice::Copy(news) => news.line(),
            Notice::ReloadedAll { zones, rejected, writing } => {
                reloaded_all(*zones, *rejected, *writing)
            }
            Notice::Forgetful => FORGETFUL.into(),
            _ => "file system events were lost; all zone files are compared".into(),
        }
    }
}

fn rejected(
    file: &Path,
    apex: Option<&NameBuf>,
    serving: &Serving,
    report: Option<&Report>,
) -> String {
    let (file, again) = (file.display(), if report.is_some() { "" } else { "still " });
    let apex = apex.map(NameBuf::to_string).unwrap_or_default();
    let goes_on = match serving {
        Serving::Unknown => String::new(),
        Serving::Failure => format!("; {apex} answers SERVFAIL until it is"),
        Serving::LastGood { serial } => format!("; {apex} goes on as of serial {serial}"),
        Serving::Other { file } => format!("; {apex} goes on from {}", file.display()),
    };
    let errors = report.map_or(String::new(), |report| format!(" ({})", errors(report)));
    format!("{file}: {again}not loaded{goes_on}{errors}")
}

/// What was found that matters at least so much, with its lines.
fn findings(report: &Report, least: Severity) -> String {
    let told = || report.findings.iter().filter(|finding| finding.code.severity >= least);
    let shown = told().take(FINDINGS_SHOWN_MAX);
    let mut texts: Vec<String> =
        shown.map(|finding| diag::render::one(finding, &report.sources, false)).collect();
    match told().count().saturating_sub(FINDINGS_SHOWN_MAX) {
        0 => {}
        more => texts.push(format!("and {more} more; `zonesmith check` shows them all")),
    }
    texts.join("\n\n")
}

fn errors(report: &Report) -> String {
    match report.count(Severity::Error) {
        1 => "1 error".into(),
        count => format!("{count} errors"),
    }
}

fn from_to<T: PartialEq + std::fmt::Display>((from, to): (T, T)) -> String {
    if from == to { to.to_string() } else { format!("{from} → {to}") }
}

/// What a serial policy had to do with it.
fn by(numbered: Option<Numbered>) -> String {
    numbered.map_or(String::new(), |numbered| numbered.to_string())
}

fn reloaded_all(zones: usize, rejected: usize, writing: usize) -> String {
    let zones = if zones == 1 { "1 zone".to_string() } else { format!("{zones} zones") };
    let writing = match writing {
        0 => String::new(),
        1 => "; 1 file is being written, and read when it is closed".into(),
        _ => format!("; {writing} files are being written, and read when they are closed"),
    };
    format!("reloaded: {zones}, {rejected} rejected{writing}")
}

fn folder_line(folder: &Path, state: &Folder) -> String {
    let name = folder.display();
    match state {
        Folder::Listed(0) => {
            format!("{name}: holds no zone file; nothing that was served from it changes")
        }
        Folder::Listed(count) => format!("{name}: {count} zone files are there again"),
        Folder::Missing => format!("{name}: is not there; what was served from it goes on"),
        Folder::Unreadable(why) => {
            format!("{name}: cannot be read ({why}); what was served from it goes on")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<Path> {
        Arc::from(Path::new("zones/smith.edu.zone"))
    }

    fn apex() -> NameBuf {
        "smith.edu.".parse().unwrap()
    }

    fn reloaded(serial: (u32, u32)) -> Notice {
        let step = SerialStep::between(serial.0, serial.1);
        let (file, apex, report) = (file(), apex(), Report::default());
        Notice::Reloaded {
            file,
            apex,
            serial,
            numbered: None,
            records: (20, 21),
            step,
            read: None,
            report,
        }
    }

    #[test]
    fn a_serial_that_stands_still_names_the_next() {
        let (quiet, same, back) = (reloaded((41, 42)), reloaded((41, 41)), reloaded((41, 7)));
        let start = "zones/smith.edu.zone: smith.edu. serial 41 → 42, 20 → 21 records";
        assert_eq!((quiet.text(Severity::Warning).as_str(), quiet.level()), (start, Level::Info));
        assert!(
            same.text(Severity::Warning).contains("warning[Z004]")
                && same.text(Severity::Warning).contains("write 42")
        );
        assert!(
            back.text(Severity::Warning).contains("warning[Z005]: the serial went back")
                && back.text(Severity::Warning).contains("write 42 or more")
                && back.level() == Level::Warn
        );
    }

    #[test]
    fn a_log_has_room_for_some_findings() {
        let mut report = Report::default();
        report.sources.add("a.zone".into(), Vec::new()).unwrap();
        let finding = diag::Diagnostic::new(&diag::codes::SYNTAX, diag::Span::default(), "wrong");
        report.findings = vec![finding; FINDINGS_SHOWN_MAX + 3];
        let (serving, report) = (Serving::Unknown, Some(report));
        let text =
            Notice::Rejected { file: file(), apex: None, serving, report }.text(Severity::Warning);
        assert_eq!(text.matches("error[Z101]: wrong").count(), FINDINGS_SHOWN_MAX);
        assert!(text.ends_with("and 3 more; `zonesmith check` shows them all"), "{text}");
    }

    #[test]
    fn a_note_alone_is_told_to_those_who_ask_for_more() {
        let mut notice = reloaded((41, 42));
        let line = notice.text(Severity::Note);
        let Notice::Reloaded { report, .. } = &mut notice else { panic!("it was reloaded") };
        report.sources.add("a.zone".into(), Vec::new()).unwrap();
        let find = |code| diag::Diagnostic::new(code, diag::Span::default(), "what");
        report.findings.push(find(&diag::codes::NEGATIVE_TTL_HIGH));
        assert_eq!((notice.level(), notice.text(Severity::Warning)), (Level::Info, line));
        assert!(notice.text(Severity::Note).contains("note[Z316]: what"));
        let Notice::Reloaded { report, .. } = &mut notice else { panic!("it was reloaded") };
        report.findings.push(find(&diag::codes::DUPLICATE));
        let text = notice.text(Severity::Warning);
        assert!(text.contains("warning[Z209]") && !text.contains("note["), "{text}");
        assert_eq!(notice.level(), Level::Warn);
    }

    #[test]
    fn a_rejected_file_says_what_goes_on() {
        let text = |serving, report| {
            Notice::Rejected { file: file(), apex: Some(apex()), serving, report }
                .text(Severity::Warning)
        };
        assert_eq!(
            text(Serving::LastGood { serial: 41 }, Some(Report::default())),
            "zones/smith.edu.zone: not loaded; smith.edu. goes on as of serial 41 (0 errors)"
        );
        assert_eq!(
            text(Serving::Failure, None),
            "zones/smith.edu.zone: still not loaded; smith.edu. answers SERVFAIL until it is"
        );
    }
}
