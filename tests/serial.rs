//! `--serial` raises the serial that is served where the file forgets to: in answers, transfers and across
//! restarts and kills. Does it ever come again with another content, and does it stay where nothing changed?
//!
//! What secondaries make of it stands in `partners.rs`.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::message::Message;
use support::program::{ended, folder, zonesmith};
use support::query::{Query, Transport};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// How often the server is killed while it may be remembering; more with ZONESMITH_LONG=1.
const KILLS: u8 = 4;
const KILLS_LONG: u8 = 100;

const SIGNATURE: &str = "@ RRSIG SOA 8 1 300 20400101000000 20200101000000 1 example. AAAA\n";
const FORGETFUL: &str = "after a restart each zone begins at its file's serial again";

/// A zone whose `www` has the address 192.0.2.`last`.
fn zone(serial: u32, last: u8) -> String {
    format!(
        "$TTL 300\n@ SOA ns admin {serial} 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.{last}\n"
    )
}

/// A folder with a folder `zones` of one zone, and a folder `state`, both open to every user.
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
        lab.save(&zone(41, 1));
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn save(&self, text: &str) {
        self.save_as("example", text);
    }

    fn save_as(&self, zone: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path("zones").join(format!("{zone}.zone"))).unwrap();
    }

    fn start(&self, arguments: &[&str]) -> Server {
        let mut command = zonesmith();
        command.arg("serve").arg(self.path("zones")).args(["--remove-after", "1s"]).args(arguments);
        Server::start_as(command).unwrap()
    }

    /// A server that remembers.
    fn start_with_state(&self, policy: &str) -> Server {
        self.start(&["--serial", policy, "--state", self.path("state").to_str().unwrap()])
    }

    /// Waits until the copy of `example.` has that serial.
    fn copied(&self, serial: u32) {
        let copy = || fs::read_to_string(self.path("state/example.zone")).unwrap_or_default();
        let words = format!("serial {serial},");
        assert!(wait_until(|| copy().lines().next().unwrap_or_default().contains(&words)));
    }
}

fn says(server: &Server, words: &str) {
    let said = wait_until(|| server.log().contains(words));
    assert!(said, "{words:?} is not in the log:\n{}", server.log());
}

fn message(server: &Server, query: &str) -> Message {
    let answer = server.ask(&Query::parse(query).unwrap().wire, Transport::Udp).unwrap();
    Message::decode(&answer.unwrap()).unwrap()
}

/// The serial of an SOA record in text.
fn serial_in(records: &[String]) -> u32 {
    records[0].split(' ').nth(6).unwrap().parse().unwrap()
}

fn serial_of(server: &Server, zone: &str) -> u32 {
    serial_in(&message(server, &format!("{zone} SOA")).answer)
}

fn serial(server: &Server) -> u32 {
    serial_of(server, "example.")
}

/// Has all files read again, and waits until that is done.
fn reload(server: &Server) {
    let done = || server.log().matches("reloaded: ").count();
    let before = done();
    server.signal("HUP").unwrap();
    assert!(wait_until(|| done() > before), "{}", server.log());
}

#[test]
fn an_edit_raises_the_serial_wherever_it_stands_and_nothing_else() {
    let lab = Lab::new();
    let server = lab.start(&["--serial", "increment"]);
    assert_eq!(serial(&server), 41);
    let edited = zone(41, 2);
    lab.save(&edited);
    server.becomes("www.example.", "192.0.2.2");
    says(&server, "serial 41 → 42 (increment; the file has 41), 4 records\n");
    assert_eq!(serial(&server), 42);
    let missing = message(&server, "missing.example. A");
    assert_eq!((missing.rcode(), serial_in(&missing.authority)), (3, 42));
    let other_type = message(&server, "www.example. AAAA +do");
    assert_eq!(serial_in(&other_type.authority), 42);
    assert!(!server.log().contains("Z004"), "{}", server.log());
    assert_eq!(fs::read_to_string(lab.path("zones/example.zone")).unwrap(), edited);
    server.stop().unwrap();
}

#[test]
fn the_same_content_keeps_its_serial_and_a_serial_by_hand_is_served() {
    let lab = Lab::new();
    let server = lab.start(&["--serial", "increment"]);
    lab.save(&zone(41, 2));
    server.becomes("www.example.", "192.0.2.2");
    lab.save(&(zone(41, 2) + "; saved again\n"));
    reload(&server);
    assert_eq!(serial(&server), 42);
    lab.save(&zone(50, 2));
    assert!(wait_until(|| serial(&server) == 50), "{}", server.log());
    says(&server, "serial 42 → 50, 4 records\n");
    lab.save(&zone(7, 3));
    server.becomes("www.example.", "192.0.2.3");
    says(&server, "serial 50 → 51 (increment; the file has 7), 4 records\n");
    assert_eq!(serial(&server), 51);
    // what cannot be served changes nothing, and what is mended is what it was
    lab.save(&zone(7, 3).replace("192.0.2.3", "192.0.2.333"));
    says(&server, "example. goes on as of serial 51");
    lab.save(&zone(7, 3));
    says(&server, "is good again; example. holds what it held, serial 51");
    assert_eq!(serial(&server), 51);
    server.stop().unwrap();
}

#[test]
fn date_and_unixtime_are_those_of_today() {
    let made = |policy| {
        let lab = Lab::new();
        let server = lab.start(&["--serial", policy]);
        lab.save(&zone(41, 2));
        server.becomes("www.example.", "192.0.2.2");
        let first = serial(&server);
        lab.save(&zone(41, 3));
        server.becomes("www.example.", "192.0.2.3");
        assert!(serial(&server) > first, "{first} and {}", serial(&server));
        first
    };
    let today = |format: &str| {
        let run = ended(std::process::Command::new("date").args(["-u", format]));
        run.stdout.trim().parse::<u32>().unwrap()
    };
    for (policy, format, unit) in [("date", "+%Y%m%d", 100), ("unixtime", "+%s", 1)] {
        let (before, made, after) = (today(format), made(policy), today(format));
        assert!((before..=after).contains(&(made / unit)), "{policy}: {made}");
    }
}

#[test]
fn a_restart_goes_on_where_the_server_ended() {
    let lab = Lab::new();
    let server = lab.start_with_state("increment");
    assert!(!server.log().contains(FORGETFUL), "{}", server.log());
    lab.save(&zone(41, 2));
    server.becomes("www.example.", "192.0.2.2");
    lab.copied(42);
    server.stop().unwrap();

    let server = lab.start_with_state("increment");
    assert_eq!(serial(&server), 42, "nothing changed");
    says(&server, "example. serial 42 (increment; the file has 41), 4 records\n");
    lab.save(&zone(41, 3));
    server.becomes("www.example.", "192.0.2.3");
    assert_eq!(serial(&server), 43);
    server.stop().unwrap();

    lab.save(&zone(41, 4));
    let server = lab.start_with_state("increment");
    assert_eq!((serial(&server), server.address_of("www.example.")), (44, "192.0.2.4".into()));
    server.stop().unwrap();

    // a broken file is served from the copy, as it was
    lab.save("broken");
    let server = lab.start_with_state("increment");
    assert_eq!(serial(&server), 44);
    lab.save(&zone(41, 4));
    says(&server, "is good again; example. holds what it held, serial 44");
    server.stop().unwrap();

    // who gives up the policy gets what the file says
    let server = lab.start_with_state("keep");
    assert_eq!(serial(&server), 41);
    server.stop().unwrap();
}

#[test]
fn killed_at_any_moment_it_never_gives_a_serial_to_another_content() {
    let kills = if std::env::var_os("ZONESMITH_LONG").is_some() { KILLS_LONG } else { KILLS };
    let lab = Lab::new();
    let mut seen = 41;
    for round in 0..kills {
        let server = lab.start_with_state("increment");
        let started = serial(&server);
        assert!(round == 0 || started > seen, "{started} behind {seen}\n{}", server.log());
        for change in [0, 1] {
            let last = 2 + 2 * round + change;
            lab.save(&zone(41, last));
            server.becomes("www.example.", &format!("192.0.2.{last}"));
        }
        seen = serial(&server); // its copy is being written, most likely
        server.signal("KILL").unwrap();
        drop(server);
        lab.save(&zone(41, 255 - round));
    }
}

#[test]
fn without_a_state_folder_a_restart_forgets_and_the_server_says_so_once() {
    let lab = Lab::new();
    let server = lab.start(&["--serial", "date"]);
    lab.save(&zone(41, 2));
    server.becomes("www.example.", "192.0.2.2");
    assert_eq!(server.log().matches(FORGETFUL).count(), 1, "{}", server.log());
    assert!(server.log().contains("name a folder with `--state`"));
    server.stop().unwrap();
    let server = lab.start(&[]);
    assert_eq!(serial(&server), 41);
    assert!(!server.log().contains(FORGETFUL));
}

#[test]
fn a_policy_that_comes_while_the_server_runs_is_told_to_be_forgotten_too() {
    let lab = Lab::new();
    let config = lab.path("zonesmith.toml");
    let says_config =
        |more: &str| fs::write(&config, format!("zones = \"zones\"\n{more}")).unwrap();
    says_config("");
    let mut command = zonesmith();
    command.args(["serve", "--config"]).arg(&config);
    let server = Server::start_as(command).unwrap();
    assert!(!server.log().contains(FORGETFUL));
    says_config("[zone.example]\nserial = \"date\"\n");
    says(&server, FORGETFUL);
    says_config("serial = \"date\"\n");
    assert!(wait_until(|| server.log().matches("holds from now on").count() == 2));
    lab.save(&zone(41, 2));
    server.becomes("www.example.", "192.0.2.2");
    assert_eq!(server.log().matches(FORGETFUL).count(), 1, "{}", server.log());
}

#[test]
fn a_removed_zone_is_forgotten() {
    let lab = Lab::new();
    lab.save_as("other", &zone(1, 9));
    let server = lab.start_with_state("increment");
    lab.save(&zone(41, 2));
    server.becomes("www.example.", "192.0.2.2");
    let remembered = || fs::read_to_string(lab.path("state/serials")).unwrap();
    assert!(remembered().contains("\nexample. 42\nother. 1\n"), "{}", remembered());
    fs::remove_file(lab.path("zones/example.zone")).unwrap();
    server.becomes("www.example.", "rcode 5");
    assert!(remembered().contains("by zonesmith 1\nother. 1\n"), "{}", remembered());
    server.stop().unwrap();
}

#[test]
fn where_a_signature_or_digest_covers_the_soa_the_files_serial_stays() {
    let zonemd = format!("@ ZONEMD 41 1 1 {}\n", "00".repeat(48));
    for (covering, why) in [
        (SIGNATURE, "a signature covers the SOA record"),
        (&zonemd, "the ZONEMD record covers the SOA record"),
    ] {
        let lab = Lab::new();
        lab.save(&(zone(41, 1) + covering));
        let server = lab.start(&["--serial", "increment"]);
        let told = format!("warning[Z012]: `serial = increment` does not hold here: {why}\n");
        says(&server, &told);
        says(&server, "example.zone:2:16\n");
        lab.save(&(zone(41, 2) + covering));
        server.becomes("www.example.", "192.0.2.2");
        assert_eq!(serial(&server), 41);
        says(&server, "serial 41, 5 records; warning[Z004]");
        assert_eq!(server.log().matches(&told).count(), 2, "once for each reading");
        let silent = "300\n@ NS ns ; zonesmith: allow(Z012)\n";
        lab.save(&(zone(42, 3).replace("300\n@ NS ns\n", silent) + covering));
        says(&server, "serial 41 → 42");
        assert_eq!(server.log().matches(&told).count(), 3, "that comment stands elsewhere");
        lab.save(&(zone(43, 3).replace("300\n@", "300 ; zonesmith: allow(Z012)\n@") + covering));
        says(&server, "serial 42 → 43");
        assert_eq!(server.log().matches(&told).count(), 3);
        // a zone that is signed no longer has its serial raised
        lab.save(&zone(43, 4));
        server.becomes("www.example.", "192.0.2.4");
        assert_eq!(serial(&server), 44);
    }
}

#[test]
fn zones_have_policies_of_their_own_and_a_save_changes_them() {
    let lab = Lab::new();
    for name in ["a.lab", "b.lab"] {
        lab.save_as(name, &zone(41, 1));
    }
    let config = lab.path("zonesmith.toml");
    let tables = "[zone.\"*.lab\"]\nserial = \"increment\"\n[zone.\"b.lab\"]\nserial = \"keep\"\n";
    fs::write(&config, format!("zones = \"zones\"\nstate = \"state\"\n{tables}")).unwrap();
    let mut command = zonesmith();
    command.args(["serve", "--config"]).arg(&config);
    let server = Server::start_as(command).unwrap();
    let serials = || ["example.", "a.lab.", "b.lab."].map(|zone| serial_of(&server, zone));
    let edit = |last: u8| {
        for name in ["example", "a.lab", "b.lab"] {
            lab.save_as(name, &zone(41, last));
            server.becomes(&format!("www.{name}."), &format!("192.0.2.{last}"));
        }
    };
    edit(2);
    assert_eq!(serials(), [41, 42, 41]);
    let new = format!("zones = \"zones\"\nstate = \"state\"\nserial = \"increment\"\n{tables}");
    fs::write(&config, new).unwrap();
    says(&server, "is read again and holds from now on\n");
    assert_eq!(serials(), [41, 42, 41], "until the next version");
    // the line is told before whoever reads zones has heard of it
    let mut last = 2;
    let risen = wait_until(|| {
        last += 1;
        edit(last);
        serials()[0] > 41
    });
    assert!(risen, "{}", server.log());
    assert_eq!(serials(), [42, 40 + u32::from(last), 41]);
    server.stop().unwrap();
}

#[test]
fn another_file_that_takes_the_zone_over_goes_on_and_without_a_policy_is_warned_of() {
    for (policy, serial_then) in [("increment", 42), ("keep", 7)] {
        let lab = Lab::new();
        let server = lab.start(&["--serial", policy]);
        lab.save_as("spare", &format!("$ORIGIN example.\n{}", zone(7, 9)));
        says(&server, "two files hold example.");
        fs::remove_file(lab.path("zones/example.zone")).unwrap();
        server.becomes("www.example.", "192.0.2.9");
        assert_eq!(serial(&server), serial_then);
        says(&server, "spare.zone: serves example. in place of ");
        let warned = server.log().contains("; warning[Z005]: the serial went back from 41 to 7");
        assert_eq!(warned, policy == "keep", "{}", server.log());
    }
}
