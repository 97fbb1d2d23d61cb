//! Where the file system's events cannot be trusted the files are compared, and the log says so once, with
//! the number of seconds: the limits of inotify are reached; a file is mounted by itself; a change comes
//! without an event.
//!
//! Limits and mounts are those of a user namespace of the test's own, in which any user may set them.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::peers;
use support::program::{folder, plain};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// A file where nothing is watched.
const HOST: &str = "apart/host";

/// A zone whose `www` has the address 192.0.2.`last`.
fn zone(last: u8) -> String {
    format!("@ 60 SOA ns a {last} 1 1 1 1\n@ 60 NS ns.b.\nwww 60 A 192.0.2.{last}\n")
}

/// Longer than a tick of the clock that files have their times by.
fn a_moment_passes() {
    let start = Instant::now();
    assert!(wait_until(|| start.elapsed() > Duration::from_millis(30)));
}

/// A shell in namespaces of its own, in which it is root; `None` where that is not allowed.
fn namespaces(script: &str) -> Option<Command> {
    let unshare = peers::find("unshare")?;
    let mut command = plain(&unshare);
    command.args(["--user", "--map-root-user", "--mount", "/bin/sh", "-euc", script]);
    let allowed = plain(&unshare).args(["--user", "--map-root-user", "--mount", "true"]).output();
    if allowed.is_ok_and(|done| done.status.success()) {
        return Some(command);
    }
    // past the test harness, which shows what is printed only if the test fails
    let _ = writeln!(std::io::stderr(), "skipped: user namespaces are not allowed here");
    None
}

/// Zones, and the server of them, started once the script has set things up there: `$zones` is the folder,
/// `$host` a file outside of it with the same zone as `example.zone`.
struct Lab {
    base: TempDir,
    server: Server,
}

impl Lab {
    fn start(script: &str) -> Option<Lab> {
        Lab::start_in(folder(), script)
    }

    fn start_in(base: TempDir, script: &str) -> Option<Lab> {
        // the server would give up being root, which is the only user here: so it is another one
        let script = format!("{script}\nexec unshare --user --map-user=1000 \"$0\" \"$@\"");
        let mut command = namespaces(&script)?;
        let zones = base.path().join("zones");
        fs::create_dir(&zones).unwrap();
        for (name, last) in [("example.zone", 1), ("other.zone", 9)] {
            fs::write(zones.join(name), zone(last)).unwrap();
        }
        let host = base.path().join(HOST); // the server watches the folder above its zones, too
        fs::create_dir(host.parent().unwrap()).unwrap();
        fs::write(&host, zone(1)).unwrap();
        command.env("zones", &zones).env("host", host);
        command.arg(env!("CARGO_BIN_EXE_zonesmith")).arg("serve").arg(&zones);
        let server = Server::start_as(command).unwrap();
        a_moment_passes(); // what was touched just before the watch began needs no event
        Some(Lab { base, server })
    }

    /// Runs a script among the mounts that the server sees; false where only root may.
    fn among_its_mounts(&self, script: &str) -> bool {
        let Some(nsenter) = peers::find("nsenter") else { return false };
        let mut command = plain(&nsenter);
        command.args(["--mount", "--target", &self.server.pid().to_string()]);
        command.args(["/bin/sh", "-euc", script]).env("zones", self.path("zones"));
        command.status().unwrap().success()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// Waits for the line that says why, and how often the files are compared.
    fn says(&self, why: &str) {
        let said = || self.server.log().lines().any(|line| line.contains(why) && is_told(line));
        assert!(wait_until(said), "{why:?} is not in the log:\n{}", self.server.log());
    }

    /// What is written into a file is served, twice, and the line stands once.
    fn finds_what_is_written(&self, file: &Path) {
        for last in [2, 3] {
            fs::write(file, zone(last)).unwrap();
            self.server.becomes("www.example.", &format!("192.0.2.{last}"));
        }
        let log = self.server.log();
        assert_eq!(log.lines().filter(|line| is_told(line)).count(), 1, "{log}");
    }
}

fn is_told(line: &str) -> bool {
    line.starts_with("warning: ") && line.ends_with("; the files are compared every 2 seconds")
}

#[test]
fn no_directory_can_be_watched() {
    let Some(lab) = Lab::start("echo 0 > /proc/sys/user/max_inotify_watches") else { return };
    lab.says("cannot be watched, the system's limit is reached; raise it with `sysctl fs.inotify");
    lab.finds_what_is_written(&lab.path("zones/example.zone"));
}

#[test]
fn one_directory_more_than_can_be_watched() {
    let Some(lab) = Lab::start("echo 1 > /proc/sys/user/max_inotify_watches") else { return };
    lab.says("cannot be watched, the system's limit is reached");
    lab.finds_what_is_written(&lab.path("zones/example.zone"));
}

#[test]
fn no_program_more_may_watch() {
    let Some(lab) = Lab::start("echo 0 > /proc/sys/user/max_inotify_instances") else { return };
    lab.says("cannot be watched, too many programs watch files; raise the limit with `sysctl");
    lab.finds_what_is_written(&lab.path("zones/example.zone"));
}

/// As a container has a file of the host: the file that lies there now, on another file system.
#[test]
fn a_file_that_is_mounted_by_itself() {
    let shared = TempDir::new_in("/dev/shm").unwrap();
    let file = shared.path().join("example.zone");
    fs::write(&file, zone(1)).unwrap();
    let script = format!("mount --bind {} $zones/example.zone", file.display());
    let Some(lab) = Lab::start(&script) else { return };
    lab.says("example.zone: is mounted by itself");
    lab.finds_what_is_written(&file);
}

/// It is written by another path, of which nothing is watched.
#[test]
fn a_change_comes_without_an_event() {
    let Some(lab) = Lab::start("mount --bind $host $zones/example.zone") else { return };
    fs::write(lab.path(HOST), zone(7)).unwrap();
    lab.server.signal("HUP").unwrap(); // or ten seconds later
    lab.server.becomes("www.example.", "192.0.2.7");
    lab.says("example.zone: changed, and no event told of it");
    lab.finds_what_is_written(&lab.path(HOST));
}

#[test]
fn where_events_come_nothing_is_said() {
    let Some(lab) = Lab::start("") else { return };
    fs::hard_link(lab.path("zones/other.zone"), lab.path("elsewhere")).unwrap();
    lab.server.signal("HUP").unwrap();
    assert!(wait_until(|| lab.server.log().contains("reloaded: ")), "{}", lab.server.log());
    for last in 2..5 {
        fs::write(lab.path("zones/example.zone"), zone(last)).unwrap();
        lab.server.becomes("www.example.", &format!("192.0.2.{last}"));
    }
    assert!(!lab.server.log().lines().any(is_told), "{}", lab.server.log());
}

/// Where the disk of the zones is unmounted, an empty folder stays.
#[test]
fn a_folder_that_is_unmounted_and_mounted_again() {
    let Some(lab) = Lab::start(
        "mkdir $host.d; mv $zones/* $host.d; mount -t tmpfs none $zones; cp $host.d/* $zones",
    ) else {
        return;
    };
    if !lab.among_its_mounts("umount $zones") {
        let _ =
            writeln!(std::io::stderr(), "skipped: mounts of other processes are not allowed here");
        return;
    }
    lab.server.signal("HUP").unwrap();
    let said = wait_until(|| lab.server.log().contains("zones: holds no zone file"));
    assert!(said, "{}", lab.server.log());
    assert_eq!(lab.server.address_of("www.example."), "192.0.2.1");
    fs::write(lab.path("apart/host.d/example.zone"), zone(2)).unwrap();
    assert!(lab.among_its_mounts("mount -t tmpfs none $zones"));
    let copy = format!("cp {}/* $zones", lab.path("apart/host.d").display());
    assert!(lab.among_its_mounts(&copy));
    lab.server.signal("HUP").unwrap(); // or ten seconds later: nothing tells of a mount
    lab.server.becomes("www.example.", "192.0.2.2");
    for last in [3, 4] {
        fs::write(lab.path("apart/host.d/example.zone"), zone(last)).unwrap();
        assert!(lab.among_its_mounts(&copy));
        lab.server.becomes("www.example.", &format!("192.0.2.{last}"));
    }
}
