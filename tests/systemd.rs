//! The unit file: does systemd's own checker take it, and does it say what the program does?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::peers;
use support::server::{Server, wait_until};

const UNIT: &str = include_str!("../systemd/zonesmith.service");
/// Where a package puts the program. The checker demands that it be there.
const INSTALLED: &str = "/usr/bin/zonesmith";

#[test]
fn systemd_finds_nothing_to_complain_of() {
    let Some(systemd_analyze) = peers::find("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("zonesmith.service");
    std::fs::write(&unit, UNIT.replace(INSTALLED, env!("CARGO_BIN_EXE_zonesmith"))).unwrap();
    let output = Command::new(systemd_analyze).arg("verify").arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn its_filter_lets_the_sandbox_be_set_up() {
    let Some(systemd_analyze) = peers::find("systemd-analyze") else { return };
    let lines = UNIT.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut allowed: Vec<String> = lines.flat_map(str::split_whitespace).map(Into::into).collect();
    let mut expanded = 0;
    while let Some(name) = allowed.get(expanded).cloned() {
        expanded += 1;
        if name.starts_with('@') {
            let mut command = Command::new(&systemd_analyze);
            let output = command.args(["--no-pager", "syscall-filter", &name]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let entries = text.lines().filter(|line| line.starts_with(' '));
            let entries = entries.map(|line| line.trim().to_string());
            allowed.extend(entries.filter(|entry| !entry.starts_with('#')));
        }
    }
    let landlock = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];
    for call in [&landlock[..], &["prctl", "capget", "capset", "prlimit64"]].concat() {
        assert!(allowed.iter().any(|name| name == call), "{call}: {allowed:?}");
    }
}

/// What systemd sets, the program reads.
#[test]
fn the_server_has_a_folder_of_its_own() {
    let name = UNIT.lines().find_map(|line| line.strip_prefix("StateDirectory=")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (zones, state) = (folder.path().join("zones"), folder.path().join(name));
    std::fs::create_dir(&zones).unwrap();
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
    std::fs::write(zones.join("a.zone"), "@ 60 SOA ns a 1 1 1 1 1\n@ 60 NS ns.b.\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonesmith"));
    command.env("STATE_DIRECTORY", &state).arg("serve").arg(&zones);
    let server = Server::start_as(command).unwrap();
    assert!(wait_until(|| state.join("a.zone").exists()), "{}", server.log());
}

#[test]
fn its_command_is_one_that_we_know() {
    let command = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some(INSTALLED));
    let folder = tempfile::tempdir().unwrap();
    let words = words.map(|word| match Path::new(word).is_absolute() {
        true => folder.path().to_str().unwrap(),
        false => word,
    });
    // The folder is empty, so the program ends; had it not understood us, it would show its usage.
    let output = Command::new(env!("CARGO_BIN_EXE_zonesmith")).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("Usage"), "{said}");
}
