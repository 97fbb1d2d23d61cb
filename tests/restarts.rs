//! The last good version of a zone outlives the server: what does one that starts with a broken file
//! serve, if `--state` gave it a folder?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::program::{ended, folder, plain, zonesmith};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// How often the server is killed while it may be saving; more with ZONESMITH_LONG=1.
const KILLS: u32 = 5;
const KILLS_LONG: u32 = 500;

/// A zone whose `www` has the address 192.0.2.`last`, with so many more hosts.
fn zone(serial: u32, last: u8, hosts: usize) -> String {
    let hosts: String = (0..hosts).map(|n| format!("h{n} A 192.0.2.{}\n", n % 250)).collect();
    format!(
        "$TTL 300\n@ SOA ns admin {serial} 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.{last}\n{hosts}"
    )
}

/// A folder with a folder `zones` of two zones, and a folder `state`, both open to every user.
struct Lab {
    base: TempDir,
}

impl Lab {
    fn new() -> Lab {
        let lab = Lab { base: folder() };
        for name in ["zones", "state"] {
            fs::create_dir(lab.path(name)).unwrap();
        }
        fs::set_permissions(lab.path("state"), Permissions::from_mode(0o777)).unwrap();
        lab.write("example.zone", &zone(1, 1, 0));
        lab.write("other.zone", &zone(1, 9, 0));
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("zones").join(name), text).unwrap();
    }

    fn start(&self) -> Server {
        self.start_with(&["--remove-after", "1s", "--state", self.path("state").to_str().unwrap()])
    }

    fn start_with(&self, arguments: &[&str]) -> Server {
        let mut command = zonesmith();
        command.arg("serve").arg(self.path("zones")).args(arguments);
        Server::start_as(command).unwrap()
    }

    /// The first line of a zone's copy; nothing if there is none.
    fn copy(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path("state").join(name)).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_string()
    }

    fn saved(&self, name: &str, serial: u32) {
        let has = format!(" serial {serial},");
        assert!(wait_until(|| self.copy(name).contains(&has)), "{has} not in {}", self.copy(name));
    }

    /// Has the server save a version of `example.`, and ends it.
    fn saved_and_ended(&self, serial: u32, last: u8, hosts: usize) {
        self.write("example.zone", &zone(serial, last, hosts));
        let server = self.start();
        self.saved("example.zone", serial);
        server.stop().unwrap();
    }
}

fn says(server: &Server, words: &str) {
    let said = wait_until(|| server.log().contains(words));
    assert!(said, "{words:?} is not in the log:\n{}", server.log());
}

#[test]
fn a_start_with_a_broken_file_serves_the_copy_and_says_so() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 0);
    lab.write("example.zone", &zone(8, 8, 0).replace("192.0.2.8", "192.0.2.888"));
    let server = lab.start();
    assert_eq!(server.address_of("www.example."), "192.0.2.7");
    says(&server, "warning: example. is served from its copy ");
    says(&server, "state/example.zone, serial 7\n");
    says(&server, "example.zone: not loaded; example. goes on as of serial 7 (1 error)");
    says(&server, "serving 2 zones\n");
    lab.write("example.zone", &zone(8, 8, 0));
    server.becomes("www.example.", "192.0.2.8");
    says(&server, "example. serial 7 → 8, 4 records");
    lab.saved("example.zone", 8);
}

#[test]
fn copies_never_go_where_zone_files_are() {
    let lab = Lab::new();
    let text = fs::read_to_string(lab.path("zones/example.zone")).unwrap();
    fs::set_permissions(lab.path("zones"), Permissions::from_mode(0o777)).unwrap();
    symlink(lab.path("zones"), lab.path("link")).unwrap();
    let refused: [&[&str]; 4] = [
        &["zones", "--state", "zones"],
        &["zones", "--state", "link/"],
        &["zones/example.zone", "--state", "zones"],
        &["zones", "--recursive", "--state", "zones/state"],
    ];
    for arguments in refused {
        let told = ended(zonesmith().arg("serve").args(arguments).current_dir(&lab.base));
        assert_eq!(told.code, Some(2), "{arguments:?}: {}", told.stderr);
        assert!(told.stderr.contains("copies of zones would take their place"), "{}", told.stderr);
        assert!(told.stderr.contains("name a folder that is the server's alone"));
    }
    assert_eq!(fs::read_to_string(lab.path("zones/example.zone")).unwrap(), text);
    // below it, where nobody looks for zone files
    let server = lab.start_with(&["--state", lab.path("zones/state").to_str().unwrap()]);
    assert_eq!(server.address_of("www.example."), "192.0.2.1");
}

#[test]
fn a_copy_alone_is_enough_to_start_with() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 0);
    lab.write("example.zone", "");
    fs::remove_file(lab.path("zones/other.zone")).unwrap();
    assert_eq!(lab.start().address_of("www.example."), "192.0.2.7");
}

/// What such a file is about, only its path can tell.
#[test]
fn a_file_that_is_not_named_after_its_zone_finds_its_copy() {
    let lab = Lab::new();
    fs::remove_file(lab.path("zones/example.zone")).unwrap();
    let named_otherwise = format!("$ORIGIN example.\n{}", zone(7, 7, 0));
    lab.write("lab.zone", &named_otherwise);
    let server = lab.start();
    lab.saved("example.zone", 7);
    server.stop().unwrap();
    lab.write("lab.zone", &named_otherwise.replace("$ORIGIN", "$OORIGIN"));
    let server = lab.start();
    assert_eq!(server.address_of("www.example."), "192.0.2.7");
    assert_eq!(server.address_of("www.lab."), "rcode 5");
    lab.write("lab.zone", &named_otherwise.replace("A 192.0.2.7", "A 192.0.2.8"));
    server.becomes("www.example.", "192.0.2.8");
}

#[test]
fn a_version_that_looks_damaged_is_held_back_across_restarts() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 150);
    lab.write("example.zone", &zone(8, 8, 10));
    let server = lab.start();
    assert_eq!(server.address_of("www.example."), "192.0.2.7");
    assert_eq!(server.address_of("h149.example."), "192.0.2.149");
    says(&server, "error[Z010]: more than half of the records are gone: 14 are left of 154");
    server.stop().unwrap();
    assert!(lab.copy("example.zone").contains("serial 7,"));
    let folder = lab.path("state");
    let server = lab.start_with(&["--state", folder.to_str().unwrap(), "--hold-damaged", "no"]);
    assert_eq!(server.address_of("www.example."), "192.0.2.8");
}

#[test]
fn a_removed_zone_takes_its_copy_along() {
    let lab = Lab::new();
    let server = lab.start();
    lab.saved("example.zone", 1);
    lab.saved("other.zone", 1);
    fs::remove_file(lab.path("zones/example.zone")).unwrap();
    server.becomes("www.example.", "rcode 5");
    assert!(wait_until(|| lab.copy("example.zone").is_empty()));
    assert!(lab.copy("other.zone").contains("serial 1,"));
}

#[test]
fn the_copy_of_a_file_that_was_removed_meanwhile_goes_at_the_start() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 0);
    fs::remove_file(lab.path("zones/example.zone")).unwrap();
    let server = lab.start();
    assert!(wait_until(|| lab.copy("example.zone").is_empty()));
    assert_eq!(server.address_of("www.example."), "rcode 5");
}

#[test]
fn a_damaged_copy_is_named_and_not_served() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 0);
    let copy = lab.path("state/example.zone");
    fs::write(&copy, fs::read_to_string(&copy).unwrap().replace("192.0.2.7", "192.0.2.9")).unwrap();
    lab.write("example.zone", "broken");
    let server = lab.start();
    assert_eq!(server.address_of("www.example."), "rcode 2");
    says(&server, "error: the copy of example., ");
    says(&server, "cannot be used: it is damaged; it is written anew once the zone's file is good");
    lab.write("example.zone", &zone(8, 8, 0));
    server.becomes("www.example.", "192.0.2.8");
    lab.saved("example.zone", 8);
}

/// The stages of saving are each tried in `reload::copies`. Here the moment is what chance makes it:
/// right behind the line by which a version became live, when its copy is about to be written.
#[test]
fn killed_at_any_moment_it_finds_a_version_that_was_live() {
    let kills = if std::env::var_os("ZONESMITH_LONG").is_some() { KILLS_LONG } else { KILLS };
    let lab = Lab::new();
    lab.saved_and_ended(1, 2, 2000);
    for round in 0..kills {
        let (before, after) = (2 * round + 1, 2 * round + 2);
        let last = |serial: u32| u8::try_from(serial % 200 + 1).unwrap();
        lab.write("example.zone", &zone(before, last(before), 2000));
        let server = lab.start();
        lab.saved("example.zone", before);
        lab.write("example.zone", &zone(after, last(after), 2000));
        says(&server, &format!("serial {before} → {after}"));
        server.signal("KILL").unwrap();
        drop(server);
        lab.write("example.zone", "broken");
        let server = lab.start();
        let answer = server.address_of("www.example.");
        let live = [before, after].map(|serial| format!("192.0.2.{}", last(serial)));
        assert!(live.contains(&answer), "{answer}, not one of {live:?}\n{}", server.log());
        assert_eq!(server.address_of("h1999.example."), "192.0.2.249");
        server.stop().unwrap();
    }
}

#[test]
fn systemd_says_which_folder_is_the_servers() {
    let lab = Lab::new();
    let mut command = zonesmith();
    command.env("STATE_DIRECTORY", lab.path("state")).arg("serve").arg(lab.path("zones"));
    let _server = Server::start_as(command).unwrap();
    lab.saved("example.zone", 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_at_once() {
    let lab = Lab::new();
    let state = lab.path("zones/example.zone");
    let mut command = zonesmith();
    command.arg("serve").arg(lab.path("zones")).args(["--listen", "127.0.0.1:0", "--state"]);
    let run = ended(command.arg(&state));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("zones/example.zone: cannot be written: "), "{}", run.stderr);
    assert!(run.stderr.contains("let the user that the server runs as write there"));
}

#[test]
fn a_folder_that_is_removed_and_made_again_needs_a_restart() {
    let lab = Lab::new();
    let server = lab.start();
    ["example.zone", "other.zone"].iter().for_each(|copy| lab.saved(copy, 1));
    fs::remove_dir_all(lab.path("state")).unwrap();
    fs::create_dir(lab.path("state")).unwrap();
    fs::set_permissions(lab.path("state"), Permissions::from_mode(0o777)).unwrap();
    lab.write("example.zone", &zone(2, 2, 0));
    if !server.log().contains("Landlock") {
        says(
            &server,
            "keeps it from writing to another: restart the server; until it can, a start",
        );
    }
    server.stop().unwrap();
    let _server = lab.start();
    lab.saved("example.zone", 2);
}

#[test]
fn without_a_folder_nothing_is_written() {
    let lab = Lab::new();
    let server = lab.start_with(&[]);
    lab.write("example.zone", &zone(2, 2, 0));
    server.becomes("www.example.", "192.0.2.2");
    server.stop().unwrap();
    let names = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!((names(lab.base.path()), names(&lab.path("state"))), (2, 0));
}

/// People can read a copy, and put it back by hand.
#[test]
fn a_copy_is_a_zone_file() {
    let lab = Lab::new();
    lab.saved_and_ended(7, 7, 3);
    let run = ended(zonesmith().arg("check").arg(lab.path("state/example.zone")));
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("example. serial 7, 7 records\n"), "{}", run.stdout);
    let Some(checker) = support::peers::find("named-checkzone") else { return };
    let run = ended(plain(&checker).arg("example").arg(lab.path("state/example.zone")));
    assert!(run.stdout.contains("loaded serial 7"), "{}{}", run.stdout, run.stderr);
}
