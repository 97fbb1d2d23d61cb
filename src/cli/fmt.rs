//! `zonesmith fmt`: lays zone files out, each in one step that a reader of the file never sees half
//! done.
//!
//! A file with an error is left alone: what its author meant is not known. A file that is not named
//! `*.zone` may be a part that zone files include, so it need not say its origin, TTL and first
//! owner by itself. After laying out, the records are read again and compared: should they differ,
//! the file is left alone, too.

use super::replace::replace;
use super::{EXIT_ZONES, Fmt, output};
use crate::diag::{Report, codes, render};
use crate::name::NameBuf;
use crate::reload::folder::{Folder, Listing};
use crate::reload::load::load_allowing;
use crate::rr::{Record, Rtype};
use crate::zonefile::{self, Place, format};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The path that stands for standard input.
const STDIN: &str = "-";

/// As much of standard input as is read: one octet more than a zone file can have.
const TEXT_LEN_MAX: u64 = 1 << 32;

/// What becomes of a file.
enum Outcome {
    /// It is laid out already.
    Unchanged,
    /// It has been laid out, or would be: so many lines differ.
    Changed(usize),
    /// It is left alone: why.
    LeftAlone(String),
}

/// Lays out every file; the exit code says whether one was left alone or, with `--check`, differs.
pub(super) fn run(arguments: &Fmt) -> ExitCode {
    let (stdin, paths): (Vec<_>, Vec<_>) =
        arguments.paths.iter().cloned().partition(|path| path == Path::new(STDIN));
    let sources = arguments.zones.sources(paths);
    let listing = sources.list();
    let mut good = true;
    if !stdin.is_empty() {
        good &= tell(Path::new(STDIN), filter(arguments.check), arguments.check);
    }
    for path in &sources.paths {
        if let Some(why) = missing(path, &listing) {
            output::line(format_args!("{}: {why}", path.display()));
            good = false;
        }
    }
    for file in &listing.files {
        let outcome = one(&file.path, &sources.include_paths, arguments.check);
        good &= tell(&file.path, outcome, arguments.check);
    }
    ExitCode::from(if good { 0 } else { EXIT_ZONES })
}

/// Says what became of a file; gives whether all is well.
fn tell(path: &Path, outcome: Outcome, check: bool) -> bool {
    let path = path.display();
    let count = |lines| if lines == 1 { "1 line".to_string() } else { format!("{lines} lines") };
    match outcome {
        Outcome::Unchanged => return true,
        Outcome::Changed(_) if !check && path.to_string() == STDIN => return true,
        Outcome::Changed(lines) if check => {
            output::line(format_args!("{path}: {} would change", count(lines)));
        }
        Outcome::Changed(lines) => {
            output::line(format_args!("{path}: {} changed", count(lines)));
            return true;
        }
        Outcome::LeftAlone(why) => log::error!("{path}: left as it is\n{why}"),
    }
    false
}

/// Why a path of the command line gives no file.
fn missing(path: &Path, listing: &Listing) -> Option<String> {
    match listing.folders.get(path)? {
        Folder::Missing => Some("there is no such file or folder".into()),
        Folder::Unreadable(why) => Some(format!("it cannot be read: {why}")),
        Folder::Listed(0) if !listing.files.iter().any(|file| file.path.starts_with(path)) => {
            Some("it holds no file named *.zone".into())
        }
        Folder::Listed(_) => None,
    }
}

/// From standard input to standard output.
fn filter(check: bool) -> Outcome {
    let mut text = Vec::new();
    if let Err(error) = io::stdin().lock().take(TEXT_LEN_MAX).read_to_end(&mut text) {
        return Outcome::LeftAlone(error.to_string());
    }
    let new = match part_error(STDIN, &text).map_or_else(|| laid_out(&text), Err) {
        Ok(new) => new,
        Err(why) => return Outcome::LeftAlone(why),
    };
    if !check && let Err(error) = io::stdout().lock().write_all(&new) {
        return Outcome::LeftAlone(error.to_string());
    }
    compare(&text, &new)
}

/// Lays out one file.
fn one(path: &Path, include_paths: &[PathBuf], check: bool) -> Outcome {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) => return Outcome::LeftAlone(error.to_string()),
    };
    let error = match path.extension().is_some_and(|extension| extension == "zone") {
        true => first_error(&load_allowing(path, include_paths).report, &[]),
        false => part_error(&path.display().to_string(), &text),
    };
    let new = match error.map_or_else(|| laid_out(&text), Err) {
        Ok(new) => new,
        Err(why) => return Outcome::LeftAlone(why),
    };
    if new != text
        && !check
        && let Err(error) = replace(path, &text, &new)
    {
        return Outcome::LeftAlone(format!("  it cannot be written: {error}"));
    }
    compare(&text, &new)
}

fn compare(old: &[u8], new: &[u8]) -> Outcome {
    let (mut old_lines, mut new_lines) = (old.split(is_line_end), new.split(is_line_end));
    let mut differing = 0;
    loop {
        match (old_lines.next(), new_lines.next()) {
            (None, None) if old == new => return Outcome::Unchanged,
            (None, None) => return Outcome::Changed(differing),
            (one, other) => differing += usize::from(one != other),
        }
    }
}

fn is_line_end(octet: &u8) -> bool {
    *octet == b'\n'
}

//----------- Without a change of meaning ------------------------------------------------------------

/// The text laid out, or why it is better left.
fn laid_out(text: &[u8]) -> Result<Vec<u8>, String> {
    let new = format::lay_out(text).ok_or("  a parenthesis or a quote has no partner")?;
    if read("", &as_part(text)).0 != read("", &as_part(&new)).0 {
        return Err("  it would not mean the same: this is a bug, please report it with the file"
            .to_string());
    }
    Ok(new)
}

/// The first error of a file that may be a part of a zone file, if it has one by itself.
fn part_error(name: &str, text: &[u8]) -> Option<String> {
    first_error(&read(name, text).1, &[codes::NO_TTL.id, codes::NO_OWNER.id])
}

/// The first error, in one line, but for those of certain codes.
fn first_error(report: &Report, but: &[&str]) -> Option<String> {
    let mut errors = report.findings.iter().filter(|found| found.is_error());
    let error = errors.find(|found| !but.contains(&found.code.id))?;
    Some(format!("  {}", render::line(error, &report.sources)))
}

/// Everything that a record says.
type Owned = (NameBuf, u32, Rtype, Vec<u8>);

/// The text as a part of a zone file: what it takes from above is there.
fn as_part(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text); // it would stand in the middle
    [b"$TTL 1\n. TXT above\n", text].concat()
}

/// The records of a text, without those that it includes.
fn read(name: &str, text: &[u8]) -> (Vec<Owned>, Report) {
    let mut records = Vec::new();
    let mut sink = |record: Record<'_>, _: Place<'_>| {
        let Record { owner, ttl, rtype, rdata } = record;
        records.push((owner.to_buf(), ttl, rtype, rdata.to_vec()));
    };
    let mut include = |path: &str, _: &str| Ok((format!("{path} (not read)"), Vec::new()));
    let origin = Some(NameBuf::root());
    let report = zonefile::read(name, text.to_vec(), origin, &mut include, &mut sink);
    (records, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_part_are_compared_though_their_ttl_and_owner_stand_elsewhere() {
        assert_eq!(read("", b"\xef\xbb\xbf A 192.0.2.1\n").0.len(), 0);
        let (records, _) = read("", &as_part(b"\xef\xbb\xbf A 192.0.2.1\na A 192.0.2.2"));
        assert_eq!(records.len(), 3);
    }
}
