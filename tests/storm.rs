//! A storm of 10,000 file events: who asks is answered, each zone that changed is reloaded once, and no
//! other.
//!
//! What a storm costs is counted in readings, of which the log with `-v` tells each, also those that find
//! what is served already. So nothing hangs on how fast the machine is.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use support::program::folder;
use support::server::{Server, wait_until};
use tempfile::TempDir;

const EVENTS: u32 = 10_000;
/// Zones of the folder, of which the first few are in the storm.
const ZONES: u32 = 40;
const STORMY: u32 = 10;
/// So much that reading it for each event would show.
const HOSTS: usize = 300;

fn zone(serial: u32) -> String {
    let hosts = (0..HOSTS).map(|n| format!("h{n} 60 A 192.0.2.{}\n", n % 250));
    let head = format!("@ 60 SOA ns a {serial} 1 1 1 1\n@ 60 NS ns.b.\n");
    head + &format!("www 60 A 192.0.2.{}\n", serial % 250) + &hosts.collect::<String>()
}

struct Lab {
    folder: TempDir,
    server: Server,
}

impl Lab {
    fn new() -> Lab {
        let folder = folder();
        (0..ZONES).for_each(|n| fs::write(folder.path().join(file(n)), zone(1)).unwrap());
        let server = Server::start(folder.path(), &["-v"]).unwrap();
        Lab { folder, server }
    }

    fn save(&self, n: u32, serial: u32) {
        let new = self.folder.path().join(".new");
        fs::write(&new, zone(serial)).unwrap();
        fs::rename(new, self.folder.path().join(file(n))).unwrap();
    }

    /// Waits until all that happened to the files before has been looked at.
    fn look(&self) {
        let last = ZONES - 1;
        let lines =
            || self.server.log().matches(&format!("{}: z{last}. serial ", file(last))).count();
        let before = lines();
        self.save(last, u32::try_from(before).unwrap() + 1);
        assert!(wait_until(|| lines() > before), "{}", self.server.log());
    }

    /// How often the log tells of a reading of the zone since `mark`.
    fn readings(&self, n: u32, mark: usize) -> usize {
        let log = self.server.log();
        log[mark..].lines().filter(|line| line.contains(&format!("/{}: ", file(n)))).count()
    }
}

fn file(n: u32) -> String {
    format!("z{n}.zone")
}

#[test]
fn writers_that_write_and_write_cause_one_reading_each() {
    let lab = Lab::new();
    let mark = lab.server.log().len();
    let new = zone(2);
    let mut writers: Vec<File> =
        (0..STORMY).map(|n| File::create(lab.folder.path().join(file(n))).unwrap()).collect();
    let pieces = usize::try_from(EVENTS / STORMY).unwrap();
    let piece_len = new.len().div_ceil(pieces);
    for piece in new.as_bytes().chunks(piece_len) {
        writers.iter_mut().for_each(|writer| writer.write_all(piece).unwrap());
        assert_eq!(lab.server.address_of("www.z0."), address(1)); // panics if there is none
    }
    lab.look();
    assert!((0..STORMY).all(|n| lab.readings(n, mark) == 0), "{}", lab.server.log());
    drop(writers);
    (0..STORMY).for_each(|n| lab.server.becomes(&format!("www.z{n}."), &address(2)));
    lab.look();
    for n in 0..ZONES - 1 {
        let expected = usize::from(n < STORMY);
        assert_eq!(lab.readings(n, mark), expected, "{}\n{}", file(n), &lab.server.log()[mark..]);
    }
}

/// The server is stopped meanwhile, so that all events are there at once: it is as if they came faster than
/// it can look.
#[test]
fn saves_that_come_all_at_once_cause_one_reload_each() {
    came_all_at_once(EVENTS / EVENTS_PER_SAVE, false);
}

#[test]
fn more_events_than_the_kernel_keeps_cause_one_reload_each() {
    let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    came_all_at_once(kept.trim().parse::<u32>().unwrap() / EVENTS_PER_SAVE + 500, true);
}

/// Created, opened, written to, closed, and moved from and to.
const EVENTS_PER_SAVE: u32 = 5;

fn came_all_at_once(saves: u32, lost: bool) {
    let lab = Lab::new();
    let mark = lab.server.log().len();
    lab.server.signal("STOP").unwrap();
    (0..saves).for_each(|save| lab.save(save % STORMY, save + 2));
    lab.server.signal("CONT").unwrap();
    for n in 0..STORMY {
        lab.server.becomes(&format!("www.z{n}."), &address(last_save(saves, n)));
    }
    lab.look();
    let log = lab.server.log()[mark..].to_string();
    assert_eq!(log.contains("events were lost"), lost, "{log}");
    for n in 0..ZONES - 1 {
        let reloads = log.matches(&format!("/{}: z{n}. serial 1 → ", file(n))).count();
        assert_eq!(reloads, usize::from(n < STORMY), "{}\n{log}", file(n));
        assert!(n < STORMY || lab.readings(n, mark) == 0, "{}\n{log}", file(n));
    }
    let readings: usize = (0..STORMY).map(|n| lab.readings(n, mark)).sum();
    assert!(readings < usize::try_from(saves / 10).unwrap(), "{readings} readings\n{log}");
}

/// The serial that a zone has after so many saves.
fn last_save(saves: u32, n: u32) -> u32 {
    (0..saves).rev().find(|save| save % STORMY == n).unwrap() + 2
}

fn address(serial: u32) -> String {
    format!("192.0.2.{}", serial % 250)
}
