//! Zones that belong together: is there a moment at which one is new and the other old?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::program::{folder, zonesmith};
use support::server::{Server, wait_until};
use tempfile::TempDir;

const FORWARD: &str = "lab.example.zone";
const REVERSE: &str = "2.0.192.in-addr.arpa.zone";
const NAMES: [&str; 2] = ["www.lab.example.", "www.2.0.192.in-addr.arpa."];
const GROUP: &str = "[zone.\"lab.example\"]\ngroup = \"lab\"\n\
                     [zone.\"2.0.192.in-addr.arpa\"]\ngroup = \"lab\"\n";
/// How often the two are changed under the eyes of one who asks all the time.
const CHANGES: u32 = 4;

/// A host's two zones in a folder of their own, a configuration that makes them a group, and a folder for
/// copies.
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
        lab.configure(GROUP);
        [FORWARD, REVERSE].iter().for_each(|file| lab.write(file, 1));
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn configure(&self, tables: &str) {
        let text = format!("zones = \"zones\"\nstate = \"state\"\n{tables}");
        fs::write(self.path("zonesmith.toml"), text).unwrap();
    }

    fn start(&self) -> Server {
        let mut command = zonesmith();
        command.args(["serve", "--config"]).arg(self.path("zonesmith.toml"));
        Server::start_as(command).unwrap()
    }

    /// Renames a version into place whose `www` has the address 192.0.2.`version`.
    fn write(&self, file: &str, version: u32) {
        self.save(file, &text(version));
    }

    fn save(&self, file: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path("zones").join(file)).unwrap();
    }

    fn saved(&self, zone: &str, serial: u32) {
        let copy = || fs::read_to_string(self.path("state").join(zone)).unwrap_or_default();
        assert!(wait_until(|| copy().contains(&format!(" serial {serial},"))), "{}", copy());
    }
}

fn text(version: u32) -> String {
    format!(
        "$TTL 300\n@ SOA ns admin {version} 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.{version}\n"
    )
}

fn address(version: u32) -> String {
    format!("192.0.2.{version}")
}

fn served(server: &Server) -> [String; 2] {
    NAMES.map(|name| server.address_of(name))
}

fn waits_for(server: &Server, words: &str) {
    assert!(wait_until(|| server.log().contains(words)), "no {words:?}:\n{}", server.log());
}

#[test]
fn both_change_at_once_whichever_is_saved_first() {
    let lab = Lab::new();
    let server = lab.start();
    for version in 2..2 + CHANGES {
        let mut files = [FORWARD, REVERSE];
        files.rotate_left(version as usize % 2);
        lab.write(files[0], version);
        let mut is_first = true;
        let is_done = || {
            for (one, other) in [(0, 1), (1, 0)] {
                // who sees one new asks for the other after that, and must see it new, too
                let is_new = |which: usize| server.address_of(NAMES[which]) == address(version);
                assert!(!is_new(one) || is_new(other), "{} alone is new", NAMES[one]);
            }
            if std::mem::take(&mut is_first) {
                lab.write(files[1], version);
            }
            served(&server) == [address(version), address(version)]
        };
        assert!(wait_until(is_done), "{:?}\n{}", served(&server), server.log());
    }
    server.stop().unwrap();
}

#[test]
fn a_broken_one_holds_the_other_back_until_it_is_put_right() {
    let lab = Lab::new();
    let server = lab.start();
    lab.save(REVERSE, "broken\n");
    lab.write(FORWARD, 2);
    waits_for(&server, "error[Z013]: ");
    waits_for(&server, "2.0.192.in-addr.arpa.zone, of the same group, cannot be served");
    assert_eq!(served(&server), [address(1), address(1)]);
    lab.write(REVERSE, 2);
    server.becomes(NAMES[0], &address(2));
    assert_eq!(served(&server), [address(2), address(2)]);
    server.stop().unwrap();
}

/// A zone's text in a file that is named after another one.
fn moved(version: u32) -> String {
    format!("$ORIGIN lab.example.\n{}", text(version))
}

#[test]
fn a_zone_that_moves_to_another_file_changes_with_the_other() {
    let lab = Lab::new();
    let server = lab.start();
    lab.save("forward.zone", &moved(2));
    fs::remove_file(lab.path("zones").join(FORWARD)).unwrap();
    lab.save(REVERSE, "broken\n");
    waits_for(&server, "error[Z013]: ");
    assert_eq!(served(&server), [address(1), address(1)]);
    lab.write(REVERSE, 2);
    let is_done = || {
        let is_new = |which: usize| server.address_of(NAMES[which]) == address(2);
        assert!(!is_new(0) || is_new(1), "the forward zone alone is new");
        served(&server) == [address(2), address(2)]
    };
    assert!(wait_until(is_done), "{:?}\n{}", served(&server), server.log());
    server.stop().unwrap();
}

#[test]
fn a_broken_file_that_serves_nothing_holds_nobody_back() {
    let lab = Lab::new();
    let server = lab.start();
    lab.save("old.zone", &moved(1));
    waits_for(&server, "(Z003)");
    lab.save("old.zone", "broken\n");
    waits_for(&server, "old.zone: not loaded; lab.example. goes on from ");
    lab.write(REVERSE, 2);
    server.becomes(NAMES[1], &address(2));
    server.stop().unwrap();
}

#[test]
fn when_the_group_is_no_more_what_waited_is_served() {
    let lab = Lab::new();
    let server = lab.start();
    lab.save(REVERSE, "broken\n");
    lab.write(FORWARD, 2);
    waits_for(&server, "error[Z013]: ");
    lab.configure("");
    server.becomes(NAMES[0], &address(2));
    assert_eq!(served(&server), [address(2), address(1)]);
    server.stop().unwrap();
}

#[test]
fn a_restart_with_a_broken_one_serves_the_copies_of_both() {
    let lab = Lab::new();
    let server = lab.start();
    [FORWARD, REVERSE].iter().for_each(|file| lab.saved(file, 1));
    server.stop().unwrap();
    lab.write(FORWARD, 2);
    lab.save(REVERSE, "broken\n");
    let server = lab.start();
    assert_eq!(served(&server), [address(1), address(1)]);
    waits_for(&server, "error[Z013]: ");
    lab.write(REVERSE, 2);
    server.becomes(NAMES[0], &address(2));
    assert_eq!(served(&server), [address(2), address(2)]);
    server.stop().unwrap();
}

#[test]
fn a_command_to_reload_says_the_truth_about_a_group() {
    let lab = Lab::new();
    let server = lab.start();
    lab.save(REVERSE, "broken\n");
    lab.write(FORWARD, 2);
    server.signal("HUP").unwrap();
    waits_for(&server, "reloaded: 0 zones, 2 rejected");
    lab.write(REVERSE, 2);
    server.signal("HUP").unwrap();
    waits_for(&server, "reloaded: 2 zones, 0 rejected");
    assert_eq!(served(&server), [address(2), address(2)]);
    server.stop().unwrap();
}
