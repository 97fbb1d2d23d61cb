//! zones/ is what a newcomer serves first: do other servers' checkers and our own find it clean?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::peers;

#[test]
fn our_own_check_finds_them_clean() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonesmith"));
    let output = command.arg("check").arg(folder()).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(shown(&output).contains("6 files: 0 errors, 0 warnings"), "{}", shown(&output));
}

#[test]
fn named_checkzone_finds_them_clean() {
    each_is_clean("named-checkzone", |origin| vec!["-i".into(), "none".into(), origin]);
}

#[test]
fn nsd_checkzone_finds_them_clean() {
    each_is_clean("nsd-checkzone", |origin| vec![origin]);
}

#[test]
fn kzonecheck_finds_them_clean() {
    each_is_clean("kzonecheck", |origin| vec!["-o".into(), origin]);
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones")
}

/// Runs a checker on each file; `before` gives what stands before the file's name.
fn each_is_clean(program: &str, before: impl Fn(String) -> Vec<String>) {
    let Some(checker) = peers::find(program) else { return };
    let mut checked = 0;
    for entry in folder().read_dir().unwrap() {
        let path = entry.unwrap().path();
        let origin = path.file_stem().unwrap().to_str().unwrap().to_string();
        let output = Command::new(&checker).args(before(origin)).arg(&path).output().unwrap();
        assert!(output.status.success(), "{program} {}: {}", path.display(), shown(&output));
        checked += 1;
    }
    assert_eq!(checked, 6);
}

/// What nslookup prints below its two lines about the server, spaces made one; `None` without it.
/// Nothing may be called non-authoritative.
fn shown(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}
