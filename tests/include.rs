//! `$INCLUDE` through the program: which files a zone file may include, and how many.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::peers;
use support::program::{Ended, ended, folder, zonesmith};
use tempfile::TempDir;

const HEAD: &str =
    "$TTL 300\n@ SOA ns.elsewhere. admin 1 7200 900 1209600 60\n@ NS ns.elsewhere.\n";

/// A folder `zones` with `x.zone`, which includes `written`, and a folder `else` beside it with a
/// file `hosts`.
fn including(written: &str) -> TempDir {
    let dir = folder();
    for folder in ["zones", "else"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    fs::write(dir.path().join("zones/x.zone"), format!("{HEAD}$INCLUDE {written}\n")).unwrap();
    fs::write(dir.path().join("else/hosts"), "a A 192.0.2.1\n").unwrap();
    dir
}

fn check(dir: &Path, arguments: &[&str]) -> Ended {
    ended(zonesmith().arg("check").args(arguments).current_dir(dir))
}

#[test]
fn a_file_outside_is_included_only_where_the_command_line_says_so() {
    let dir = including("../else/hosts");
    let refused = check(dir.path(), &["zones"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stdout.contains("error[Z113]: `../else/hosts` cannot be read"), "{refused:?}");
    assert!(refused.stdout.contains("--include-path"), "{refused:?}");
    let allowed = check(dir.path(), &["zones", "--include-path", "else"]);
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
}

#[test]
fn a_fifo_does_not_keep_the_reader_waiting() {
    let Some(mkfifo) = peers::find("mkfifo") else { return };
    let dir = including("fifo");
    assert!(Command::new(mkfifo).arg(dir.path().join("zones/fifo")).status().unwrap().success());
    let refused = check(dir.path(), &["zones"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stdout.contains("it is not a regular file"), "{refused:?}");
}

#[test]
fn folders_and_devices_are_refused() {
    for written in [".", "/dev/zero"] {
        let dir = including(written);
        let refused = check(dir.path(), &["zones", "--include-path", "/"]);
        assert!(refused.stdout.contains("it is not a regular file"), "{refused:?}");
    }
}

#[test]
fn a_chain_that_doubles_comes_to_an_end() {
    let dir = including("1");
    for step in 1..=15 {
        let next = format!("$INCLUDE {}\n", step + 1).repeat(2);
        fs::write(dir.path().join(format!("zones/{step}")), next).unwrap();
    }
    fs::write(dir.path().join("zones/16"), "").unwrap();
    let refused = check(dir.path(), &["zones"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stdout.contains("more than 1000 files are included"), "{}", refused.stdout);
    assert!(refused.stdout.matches("error[Z113]").count() < 20, "{}", refused.stdout.len());
}
