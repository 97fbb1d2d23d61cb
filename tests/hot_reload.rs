//! Save a file and it is live; get it wrong and the last good version goes on answering: through the
//! real program, in the ways that people and programs save files.
//!
//! Each test has a folder of its own with one zone whose `www` has the address under test, and a
//! second zone, so that the folder is never emptied by accident. (`tests/saving.rs` goes every way of
//! saving under continuous questions.) The server is in its sandbox, as it is by default: whatever
//! takes the place of what was there at the start must be readable inside it.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// A zone whose `www` has the address 192.0.2.`last`.
fn zone(serial: u32, last: u8) -> String {
    format!(
        "$TTL 300\n@ SOA ns admin {serial} 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.{last}\n"
    )
}

/// A folder with two zones, and the server of it.
struct Lab {
    folder: TempDir,
    server: Server,
}

impl Lab {
    fn new() -> Lab {
        Lab::with(&["--remove-after", "1s"])
    }

    fn with(arguments: &[&str]) -> Lab {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("example.zone"), zone(1, 1)).unwrap();
        fs::write(folder.path().join("other.zone"), zone(1, 9)).unwrap();
        let server = Server::start(folder.path(), arguments).unwrap();
        let lab = Lab { folder, server };
        assert_eq!(lab.ask("www.example."), "192.0.2.1");
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The address of a name, or the response code.
    fn ask(&self, name: &str) -> String {
        self.server.address_of(name)
    }

    fn becomes(&self, name: &str, expected: &str) {
        self.server.becomes(name, expected);
    }

    fn says(&self, words: &str) {
        let said = wait_until(|| self.server.log().contains(words));
        assert!(said, "{words:?} is not in the log:\n{}", self.server.log());
    }
}

#[test]
fn a_file_renamed_into_place_is_live() {
    let lab = Lab::new();
    lab.write(".new", &zone(2, 2));
    fs::rename(lab.path(".new"), lab.path("example.zone")).unwrap();
    lab.becomes("www.example.", "192.0.2.2");
    lab.says("serial 1 → 2");
}

#[test]
fn a_file_written_over_is_live_once_it_is_closed() {
    let lab = Lab::new();
    let mut file = File::create(lab.path("example.zone")).unwrap();
    let text = zone(2, 2);
    for piece in text.as_bytes().chunks(7) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        assert_eq!(lab.ask("www.example."), "192.0.2.1", "{}", lab.server.log());
    }
    // another zone's change is served meanwhile: the server has looked, and held this one back
    lab.write("other.zone", &zone(2, 8));
    lab.becomes("www.other.", "192.0.2.8");
    assert_eq!(lab.ask("www.example."), "192.0.2.1", "{}", lab.server.log());
    drop(file);
    lab.becomes("www.example.", "192.0.2.2");
    assert!(!lab.server.log().contains("not loaded"), "{}", lab.server.log());
}

#[test]
fn a_writer_who_pauses_is_waited_for_when_another_folder_goes() {
    let lab = Lab::with(&["--recursive"]);
    fs::create_dir(lab.path("sub")).unwrap();
    lab.write("sub/third.zone", &zone(1, 7));
    lab.becomes("www.third.", "192.0.2.7");
    let mut file = File::create(lab.path("example.zone")).unwrap();
    let text = zone(2, 2);
    let (first, rest) = text.split_at(text.find("www").unwrap()); // a zone by itself
    file.write_all(first.as_bytes()).unwrap();
    fs::remove_dir_all(lab.path("sub")).unwrap();
    lab.says("sub: is not there");
    // this must stand still, and does so after whatever stood still since the folder went
    lab.write(".new", &zone(2, 8));
    fs::hard_link(lab.path(".new"), lab.path("new.zone")).unwrap();
    lab.becomes("www.new.", "192.0.2.8");
    assert_eq!(lab.ask("www.example."), "192.0.2.1", "{}", lab.server.log());
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    lab.becomes("www.example.", "192.0.2.2");
}

#[test]
fn a_new_file_is_a_new_zone() {
    let lab = Lab::new();
    assert_eq!(lab.ask("www.new."), "rcode 5");
    lab.write("new.zone", &zone(1, 3));
    lab.becomes("www.new.", "192.0.2.3");
}

#[test]
fn mistakes_are_shown_with_their_line_and_the_last_good_version_answers() {
    let lab = Lab::new();
    lab.write("example.zone", &zone(2, 2).replace("192.0.2.2", "192.0.2.256"));
    lab.says("example.zone:5:7");
    lab.says("192.0.2.256");
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
    lab.write("example.zone", "");
    lab.says("holds no record");
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
    lab.write("example.zone", &zone(3, 3)[..40]);
    lab.says("data end early");
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
    lab.write("example.zone", &zone(3, 3));
    lab.becomes("www.example.", "192.0.2.3");
}

#[test]
fn a_file_that_is_broken_at_the_start_fails_its_zone_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("example.zone"), zone(1, 1).replace("SOA", "SOAP")).unwrap();
    fs::write(folder.path().join("other.zone"), zone(1, 9)).unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    assert_eq!(server.address_of("www.example."), "rcode 2");
    assert_eq!(server.address_of("www.other."), "192.0.2.9");
    fs::write(folder.path().join("example.zone"), zone(1, 1)).unwrap();
    server.becomes("www.example.", "192.0.2.1");
    assert_eq!(server.log().matches("not loaded").count(), 1, "{}", server.log());
}

/// A zone as [`zone`] with so many more hosts.
fn large(serial: u32, last: u8, hosts: usize) -> String {
    let hosts = (0..hosts).map(|n| format!("h{n} A 192.0.2.{}\n", n % 250));
    zone(serial, last) + &hosts.collect::<String>()
}

#[test]
fn a_version_that_lost_half_its_records_is_held_back_until_it_is_allowed() {
    let lab = Lab::new();
    lab.write("example.zone", &large(2, 2, 120));
    lab.becomes("www.example.", "192.0.2.2");
    lab.write("example.zone", &large(3, 3, 20));
    lab.says("example. goes on as of serial 2 (1 error)");
    lab.says("error[Z010]: more than half of the records are gone: 24 are left of 124");
    lab.says("write `; zonesmith: allow(Z010)` beside the SOA record");
    assert_eq!(lab.ask("www.example."), "192.0.2.2");
    assert_eq!(lab.ask("h99.example."), "192.0.2.99");
    let allowed = large(3, 3, 20).replace("1209600 300", "1209600 300 ; zonesmith: allow(Z010)");
    lab.write("example.zone", &allowed);
    lab.becomes("www.example.", "192.0.2.3");
    assert_eq!(lab.ask("h99.example."), "rcode 3");
}

#[test]
fn a_version_that_is_cut_at_its_end_is_held_back_until_it_is_ended() {
    let lab = Lab::new();
    lab.write("example.zone", &large(2, 2, 9));
    lab.becomes("h8.example.", "192.0.2.8");
    lab.write("example.zone", large(3, 3, 8).trim_end());
    lab.says("error[Z011]: the last line has no line end, and of 13 records 12 are left");
    assert_eq!(lab.ask("www.example."), "192.0.2.2");
    assert!(!lab.server.log().contains("Z007"), "told once: {}", lab.server.log());
    lab.write("example.zone", &large(3, 3, 8));
    lab.becomes("www.example.", "192.0.2.3");
    assert_eq!(lab.ask("h8.example."), "rcode 3");
}

#[test]
fn a_zone_without_name_servers_is_none_and_nothing_allows_that() {
    let lab = Lab::new();
    let without =
        zone(2, 2).replace("@ NS ns\n", "").replace(" 300\n", " 300 ; zonesmith: allow(Z204)\n");
    lab.write("example.zone", &without);
    lab.says("error[Z204]");
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
}

#[test]
fn who_wants_nothing_held_back_gets_that() {
    let lab = Lab::with(&["--hold-damaged", "no"]);
    lab.write("example.zone", &large(2, 2, 120));
    lab.becomes("www.example.", "192.0.2.2");
    lab.write("example.zone", &zone(3, 3));
    lab.becomes("www.example.", "192.0.2.3");
    lab.write("example.zone", zone(4, 4).trim_end());
    lab.becomes("www.example.", "192.0.2.4");
}

#[test]
fn a_serial_that_went_back_is_served_and_warned_of() {
    let lab = Lab::new();
    lab.write("example.zone", &zone(9, 2));
    lab.becomes("www.example.", "192.0.2.2");
    lab.write("example.zone", &zone(7, 3));
    lab.becomes("www.example.", "192.0.2.3");
    lab.says("warning[Z005]: the serial went back from 9 to 7: write 10 or more");
}

#[test]
fn a_forgotten_serial_is_served_and_warned_of() {
    let lab = Lab::new();
    lab.write("example.zone", &zone(1, 2));
    lab.becomes("www.example.", "192.0.2.2");
    lab.says("the serial did not: write 2");
}

#[test]
fn a_removed_file_ends_its_zone_after_a_while() {
    let lab = Lab::new();
    fs::remove_file(lab.path("example.zone")).unwrap();
    lab.says("it ends in 1s");
    lab.becomes("www.example.", "rcode 5");
    lab.write("example.zone", &zone(2, 2));
    lab.becomes("www.example.", "192.0.2.2");
}

#[test]
fn an_emptied_or_missing_folder_changes_nothing() {
    let lab = Lab::new();
    fs::remove_file(lab.path("example.zone")).unwrap();
    fs::remove_file(lab.path("other.zone")).unwrap();
    lab.says("holds no zone file");
    lab.write("other.zone", &zone(2, 8));
    lab.becomes("www.other.", "192.0.2.8");
    assert_eq!(lab.ask("www.example."), "192.0.2.1", "{}", lab.server.log());
}

/// A folder with the folders `v1` and `v2`, whose `example.zone` differ in the address of `www`.
fn versions() -> TempDir {
    let base = TempDir::new().unwrap();
    for (version, last) in [("v1", 1), ("v2", 2)] {
        fs::create_dir(base.path().join(version)).unwrap();
        let file = base.path().join(version).join("example.zone");
        fs::write(file, zone(last.into(), last)).unwrap();
    }
    base
}

/// Has `link` point to `target`, at once.
fn flip(target: &str, link: &Path) {
    let next = link.with_file_name(".next");
    symlink(target, &next).unwrap();
    fs::rename(next, link).unwrap();
}

#[test]
fn a_folder_swapped_by_its_symlink_is_live() {
    let base = versions();
    let current = base.path().join("current");
    flip("v1", &current);
    let server = Server::start(&current, &[]).unwrap();
    server.becomes("www.example.", "192.0.2.1");
    flip("v2", &current);
    server.becomes("www.example.", "192.0.2.2");
}

#[test]
fn a_symlink_to_a_folder_elsewhere_may_be_swapped() {
    let (base, typed) = (versions(), TempDir::new().unwrap());
    let current = typed.path().join("current");
    flip(base.path().join("v1").to_str().unwrap(), &current);
    let server = Server::start(&current, &[]).unwrap();
    server.becomes("www.example.", "192.0.2.1");
    flip(base.path().join("v2").to_str().unwrap(), &current);
    server.becomes("www.example.", "192.0.2.2");
}

#[test]
fn a_file_swapped_by_its_symlink_is_live() {
    let base = versions();
    let current = base.path().join("example.zone");
    flip("v1/example.zone", &current);
    for served in [base.path(), &current] {
        flip("v1/example.zone", &current);
        let server = Server::start(served, &[]).unwrap();
        server.becomes("www.example.", "192.0.2.1");
        flip("v2/example.zone", &current);
        server.becomes("www.example.", "192.0.2.2");
    }
}

/// As Kubernetes mounts a ConfigMap: files are links by way of `..data`, which is swapped.
#[test]
fn a_mount_whose_data_are_swapped_is_live() {
    let base = versions();
    flip("v1", &base.path().join("..data"));
    symlink("..data/example.zone", base.path().join("example.zone")).unwrap();
    let server = Server::start(base.path(), &[]).unwrap();
    server.becomes("www.example.", "192.0.2.1");
    flip("v2", &base.path().join("..data"));
    fs::remove_dir_all(base.path().join("v1")).unwrap();
    server.becomes("www.example.", "192.0.2.2");
}

#[test]
fn a_folder_moved_away_and_another_in_its_place_is_live() {
    let base = versions();
    let (zones, away) = (base.path().join("zones"), base.path().join("away"));
    fs::rename(base.path().join("v1"), &zones).unwrap();
    let server = Server::start(&zones, &[]).unwrap();
    server.becomes("www.example.", "192.0.2.1");
    fs::rename(&zones, &away).unwrap();
    let said = wait_until(|| server.log().contains("is not there"));
    assert!(said && server.address_of("www.example.") == "192.0.2.1", "{}", server.log());
    fs::rename(base.path().join("v2"), &zones).unwrap();
    server.becomes("www.example.", "192.0.2.2");
    fs::rename(&zones, base.path().join("v2")).unwrap();
    fs::rename(&away, &zones).unwrap();
    fs::write(zones.join("example.zone"), zone(3, 3)).unwrap();
    server.becomes("www.example.", "192.0.2.3");
}

#[test]
fn a_folder_that_comes_later_is_live() {
    let base = versions();
    let later = base.path().join("later");
    let server = Server::start(&base.path().join("v1"), &[later.to_str().unwrap()]).unwrap();
    fs::create_dir(&later).unwrap();
    let text = zone(1, 4).replace("@ SOA", "$ORIGIN other.\n@ SOA");
    fs::write(later.join("other.zone"), text).unwrap();
    let became = wait_until(|| server.address_of("www.other.") == "192.0.2.4");
    assert!(became, "{}", server.log());
}

#[test]
fn a_second_file_for_a_zone_is_named_and_left_out() {
    let lab = Lab::new();
    let second = format!("$ORIGIN example.\n{}", zone(7, 7));
    lab.write("second.zone", &second);
    lab.says("second.zone");
    lab.says("example.zone");
    for name in ["EXAMPLE.zone", "example..zone"] {
        lab.write(name, &zone(8, 8)); // names of the same zone
        lab.says(&format!("/{name} is not; remove one of them"));
    }
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
}

#[test]
fn an_included_file_counts() {
    let lab = Lab::new();
    lab.write("hosts.inc", "host A 192.0.2.10\n");
    lab.write("example.zone", &format!("{}$INCLUDE hosts.inc\n", zone(2, 1)));
    lab.becomes("host.example.", "192.0.2.10");
    lab.write("hosts.inc", "host A 192.0.2.11\n");
    lab.becomes("host.example.", "192.0.2.11");
}

#[test]
fn sighup_reads_everything_where_nothing_is_watched() {
    let lab = Lab::with(&["--watch", "off"]);
    lab.write("example.zone", &zone(2, 2));
    lab.server.signal("HUP").unwrap();
    lab.becomes("www.example.", "192.0.2.2");
}

/// Who waits for the line asks once, and has the truth.
#[test]
fn after_sighup_a_line_says_that_the_files_as_they_were_are_served() {
    for watch in ["off", "notify"] {
        let lab = Lab::with(&["--watch", watch]);
        for round in 1..=20 {
            let last = round + 1;
            lab.write("example.zone", &zone(last.into(), last));
            lab.server.signal("HUP").unwrap();
            let told = || lab.server.log().matches("reloaded: 2 zones, 0 rejected\n").count();
            assert!(wait_until(|| told() == usize::from(round)), "{}", lab.server.log());
            assert_eq!(lab.ask("www.example."), format!("192.0.2.{last}"), "{}", lab.server.log());
        }
        lab.write("example.zone", "broken");
        lab.write("third.zone", &format!("$ORIGIN other.\n{}", zone(3, 3)));
        lab.server.signal("HUP").unwrap();
        lab.says("reloaded: 1 zone, 2 rejected\n");
        lab.write("example.zone", &zone(1, 9));
        lab.server.signal("HUP").unwrap();
        lab.says("reloaded: 2 zones, 1 rejected\n");
        assert_eq!(lab.ask("www.example."), "192.0.2.9");
    }
}

#[test]
fn what_is_being_written_at_sighup_is_told_and_not_waited_for() {
    let lab = Lab::new();
    let mut file = File::create(lab.path("example.zone")).unwrap();
    file.write_all(b"$TTL 300\n").unwrap();
    lab.write("other.zone", &zone(2, 8)); // once this is served, the writer is known
    lab.becomes("www.other.", "192.0.2.8");
    lab.server.signal("HUP").unwrap();
    lab.says("reloaded: 2 zones, 0 rejected; 1 file is being written, and read when it is closed");
    assert_eq!(lab.ask("www.example."), "192.0.2.1");
    file.write_all(zone(2, 2).as_bytes()).unwrap();
    drop(file);
    lab.becomes("www.example.", "192.0.2.2");
}

#[test]
fn no_question_goes_unanswered_while_zones_change() {
    let lab = Lab::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = lab.server.address_of("www.example."); // panics if there is none
                assert!(answer.starts_with("192.0.2."), "{answer}");
                asked += 1;
            }
            asked
        });
        for round in 2..40 {
            let file = OpenOptions::new().write(true).truncate(true).open(lab.path("example.zone"));
            file.unwrap().write_all(zone(round, 1 + (round % 200) as u8).as_bytes()).unwrap();
        }
        lab.becomes("www.example.", "192.0.2.40");
        done.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
    });
}
