//! A zone file edited at random: do the parts read anew give what the whole file gives?
//!
//! Each step edits the file, reads it in parts where that is possible, from the zone and the parts of
//! the step before, and reads it whole. Both must give the same records in the same order, octet for
//! octet, and the same answers to many questions. Parts are small here, so that few lines have many.
//! `ZONESMITH_LONG=1` tries ten times as many, and built for speed a hundred times; `SEED=n` others.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "fuzz/reloading.rs"]
#[allow(dead_code, reason = "another test feeds the fuzzer's edits")]
mod reloading;
mod support;

use reloading::{QTYPES, compare, compare_answers, load, qnames};
use std::fs;
use std::sync::Arc;
use support::dice::Dice;
use support::server::{Server, wait_until};
use zonesmith::reload::load::Known;
use zonesmith::reload::parts::Grain;
use zonesmith::zone::Zone;

const GRAIN: Grain = Grain { records_min: 20, part_len_min: 40 };
/// Files, and edits of each.
const FILES: usize = 8;
const EDITS: usize = 30;
/// A file has that many entries, roughly.
const ENTRIES: usize = 500;

impl Dice {
    /// A name below the zone's: names above, below and beside each other are likely.
    fn name(&mut self) -> String {
        let host = self.below(ENTRIES);
        match self.below(20) {
            0 => format!("a.h{host}"),
            1 => format!("a.b.h{host}"),
            2 => format!("b.e{}", host % 9),
            3 => format!("*.h{host}"),
            4 => format!("x.*.w{}", host % 9),
            5 => format!("H{host}"),
            6 => "@".to_string(),
            7..=10 => format!("h{host}"),
            11 => format!("a.n{}", self.below(20 * ENTRIES)),
            12 | 13 => format!("n{}", self.below(20)),
            _ => format!("n{}", self.below(20 * ENTRIES)),
        }
    }

    /// Type and data, most often such as stand beside others.
    fn data(&mut self) -> String {
        match self.below(24) {
            0 => "CNAME h1".to_string(),
            1 => format!("NS {}", self.name().replace('*', "c")),
            2 => format!("NS ns.h{}", self.below(ENTRIES)),
            3..=5 => format!("MX {} {}", self.below(9), self.name()),
            6 => format!("SRV 1 2 3 h{}.zone.", self.below(ENTRIES)),
            7 => format!("TXT ( \"a b\"\nq{}\n \"c ; d\" )", self.below(99)),
            8 => "TXT \"over\nlines\"".to_string(),
            9 => "DS 1 13 2 abcd".to_string(),
            10 => format!("AAAA 2001:db8::{}", self.below(999)),
            _ => format!("A 192.0.2.{}", self.below(256)),
        }
    }

    fn entry(&mut self) -> String {
        let ttl = ["", "", "", "", "", "", "", "60 ", "IN 300 "][self.below(9)];
        match self.below(200) {
            0 => "$TTL 300".to_string(),
            1 => "$ORIGIN zone.".to_string(),
            2 => "; a comment\n\n".to_string(),
            3 => "\t\n ; blank".to_string(),
            4..=16 => format!("{} {ttl}{}\n {}", self.name(), self.data(), self.data()),
            _ => format!("{} {ttl}{}", self.name(), self.data()),
        }
    }

    /// What is seldom written, and changes more than its line.
    fn rare(&mut self) -> String {
        let all = [
            "$ORIGIN sub.zone.",
            "$TTL 77",
            "$INCLUDE other",
            "$GENERATE 1-3 g$ A 192.0.2.$",
            "open A ( 192.0.2.1",
            "quote TXT \"open",
            "close ) A 192.0.2.1",
            "h1 DNAME h2",
            "* A 192.0.2.9",
            "h7.zone. NS ns.h7.zone.",
            "e1 NS ns.e1",
            "a.b.c.e2 A 192.0.2.1",
            "zone. TXT far",
            "ZONE. TXT spelt",
            "h3 RRSIG A 13 2 60 20300101000000 20200101000000 1 zone. YWJj",
            "h5 A 192.0.2.1\nh5 A 192.0.2.1",
            "h5 60 A 192.0.2.7\nh5 61 A 192.0.2.8",
            "outside. A 192.0.2.1",
        ];
        self.pick(&all).to_string()
    }

    /// Edits a file, whose first entries are its head.
    fn edit(&mut self, entries: &mut Vec<String>) {
        let at = HEAD + self.below(entries.len() - HEAD);
        match self.below(24) {
            0 => entries.insert(HEAD, self.entry()),
            1 => entries.insert(at, self.rare()),
            2 => entries.push(self.entry()),
            3..=6 => drop(entries.remove(at)),
            7 => {
                let end = (at + self.below(40)).min(entries.len());
                drop(entries.drain(at..end));
            }
            8 => {
                let moved = entries.remove(at);
                entries.insert(HEAD, moved);
            }
            9 => entries.insert(at, entries[HEAD].clone()),
            10 => entries[0] = format!("$TTL {}", 300 + self.below(2)),
            11 => {
                let minimum = self.below(3);
                entries[1] = format!("@ SOA h1 h2 1 7200 900 1209600 {minimum}");
            }
            12 => {
                let more: Vec<String> = (0..self.below(60)).map(|_| self.entry()).collect();
                drop(entries.splice(at..at, more));
            }
            13..=18 => entries.insert(at, self.entry()),
            _ => entries[at] = self.entry(),
        }
    }
}

/// The entries that no edit takes away.
const HEAD: usize = 3;

/// A file without what is refused: so many edits would break it otherwise that few were compared.
fn file(dice: &mut Dice) -> Vec<String> {
    let mut entries = vec![
        "$TTL 300".to_string(),
        "@ SOA h1 h2 1 7200 900 1209600 60".to_string(),
        "@ NS h1\n@ NS ns.elsewhere.".to_string(),
    ];
    for host in 0..ENTRIES {
        let data = format!("A 192.0.2.{}", dice.below(256));
        entries.push(match dice.below(12) {
            0 => format!("h{host} MX 1 h{}\n A 192.0.2.1", dice.below(ENTRIES)),
            1 => format!("h{host} NS ns.h{host}\nns.h{host} {data}"),
            2 => format!("a.b.h{host} {data}"),
            3 => format!("h{host} CNAME h{}", dice.below(ENTRIES)),
            4 if host % 5 == 0 => format!("*.h{host} MX 1 a.h{}", dice.below(ENTRIES)),
            _ => format!("h{host} {data}"),
        });
    }
    entries
}

fn text(entries: &[String]) -> String {
    entries.iter().fold(String::new(), |text, entry| text + entry + "\n")
}

/// Names of both zones, for many questions.
fn questions(zones: [&Zone; 2], dice: &mut Dice) -> Vec<(Vec<u8>, u16)> {
    let names = zones.map(|zone| qnames(zone, |_| dice.below(16) == 0)).concat();
    names.into_iter().map(|name| (name, QTYPES[dice.below(QTYPES.len())])).collect()
}

/// How many readings were compared, and how many of them were in parts.
fn edit_and_compare(dice: &mut Dice) -> [usize; 2] {
    let mut entries = file(dice);
    let (mut known, mut counts): (Option<Known>, _) = (None, [0; 2]);
    for _ in 0..EDITS {
        let mut edited = entries.clone();
        for _ in 0..dice.below(4) {
            dice.edit(&mut edited);
        }
        let text = text(&edited);
        let mut again = load(text.as_bytes(), known.as_ref(), GRAIN);
        let zone = compare(load(text.as_bytes(), None, GRAIN), &mut again);
        counts[0] += usize::from(zone.is_some());
        counts[1] += usize::from(again.read.is_some());
        let Some(zone) = zone else { continue }; // a step that broke something is taken back
        let before = known.as_ref().map_or(&*zone, |known| &*known.zone);
        let questions = questions([before, &*zone], dice);
        let whole = load(text.as_bytes(), None, GRAIN).zone.unwrap();
        compare_answers([Arc::new(whole), zone.clone()], questions.into_iter());
        let mut zone = zone;
        if dice.below(3) == 0 {
            Arc::make_mut(&mut zone).set_serial(99); // what is served need not be the file's
        }
        if let Some(parts) = again.parts {
            known = Some(Known { zone, parts: parts.into() });
            entries = edited;
        }
    }
    counts
}

#[test]
#[allow(clippy::print_stdout, reason = "figures for who asks for them")]
fn what_is_read_in_parts_is_what_the_whole_says() {
    let long = std::env::var_os("ZONESMITH_LONG").is_some();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let mut dice = Dice(seed.unwrap_or(0x5eed_0061).max(1));
    let mut counts = [0; 2];
    let times = match (long, cfg!(debug_assertions)) {
        (false, _) => 1,
        (true, true) => 10,
        (true, false) => 100, // built for speed
    };
    for _ in 0..FILES * times {
        let [compared, in_parts] = edit_and_compare(&mut dice);
        counts = [counts[0] + compared, counts[1] + in_parts];
    }
    println!("{} readings compared, {} of them in parts", counts[0], counts[1]);
    assert!(counts[1] * 4 > counts[0], "{} of {} in parts", counts[1], counts[0]);
}

/// What a mail exchanger's name is depends on a cut above it, which stands elsewhere in the file.
#[test]
fn a_cut_that_comes_or_goes_changes_what_names_below_it_are_to_others() {
    let host = |number: usize| format!("h{number} A 192.0.2.1");
    let mut without: Vec<String> =
        (0..HEAD).zip(file(&mut Dice(1))).map(|(_, head)| head).collect();
    without.push("m MX 1 ns.cut".to_string());
    without.extend((0..ENTRIES).map(host));
    without.push("ns.cut A 192.0.2.1".to_string());
    without.extend((ENTRIES..2 * ENTRIES).map(host));
    let mut with = without.clone();
    with.insert(HEAD + 1 + ENTRIES, "cut NS ns.elsewhere.".to_string());
    for [before, after] in
        [[&with, &without], [&without, &with]].map(|both| both.map(|it| text(it)))
    {
        let first = load(before.as_bytes(), None, GRAIN);
        let (zone, parts) = (first.zone.unwrap().into(), first.parts.unwrap().into());
        let mut again = load(after.as_bytes(), Some(&Known { zone, parts }), GRAIN);
        assert!(again.read.is_some(), "it was read whole");
        assert!(compare(load(after.as_bytes(), None, GRAIN), &mut again).is_some());
    }
}

/// A wildcard stands for a name as long as nothing nearer is there (RFC 4592 §3.3.1): that name itself, or
/// one above it, which may stand elsewhere in the file.
#[test]
fn a_name_that_comes_or_goes_changes_whether_a_wildcard_stands_for_those_below() {
    let host = |number: usize| format!("h{number} A 192.0.2.1");
    let mut without: Vec<String> =
        (0..HEAD).zip(file(&mut Dice(1))).map(|(_, head)| head).collect();
    without.push("* A 192.0.2.9".to_string());
    without.push("m MX 1 x.near\nn MX 1 X.Near\no MX 1 near".to_string());
    without.extend((0..2 * ENTRIES).map(host));
    for comes in ["near A 192.0.2.1", "x.near A 192.0.2.1", "y.near A 192.0.2.1"] {
        let mut with = without.clone();
        with.insert(HEAD + 2 + ENTRIES, comes.to_string());
        for [before, after] in
            [[&with, &without], [&without, &with]].map(|both| both.map(|it| text(it)))
        {
            let first = load(before.as_bytes(), None, GRAIN);
            let (zone, parts) = (first.zone.unwrap().into(), first.parts.unwrap().into());
            let mut again = load(after.as_bytes(), Some(&Known { zone, parts }), GRAIN);
            assert!(again.read.is_some(), "it was read whole");
            let zone = compare(load(after.as_bytes(), None, GRAIN), &mut again).unwrap();
            let whole = load(after.as_bytes(), None, GRAIN).zone.unwrap();
            let names = qnames(&zone, |_| true).into_iter().map(|name| (name, 15));
            compare_answers([Arc::new(whole), zone.clone()], names);
        }
    }
}

#[test]
fn of_a_large_zone_the_server_reads_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let head = "$TTL 300\n@ SOA ns admin 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n";
    let hosts = (0..120_000).map(|host| format!("host{host} A 192.0.2.1\n"));
    let text = hosts.fold(head.to_string(), |text, host| text + &host);
    let path = folder.path().join("example.zone");
    fs::write(&path, &text).unwrap();
    let server = Server::start(folder.path(), &["-v"]).unwrap();
    assert!(server.log().contains("120003 records of "), "{}", server.log());
    let edited = text.replace("host7000 A 192.0.2.1\n", "host7000 A 192.0.2.7\nnew A 192.0.2.8\n");
    fs::write(folder.path().join("new"), edited.replace("admin 1 ", "admin 2 ")).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    server.becomes("host7000.example.", "192.0.2.7");
    assert_eq!(server.address_of("new.example."), "192.0.2.8");
    assert_eq!(server.address_of("host119999.example."), "192.0.2.1");
    let told = || server.log().contains("parts of the file were read");
    assert!(wait_until(told), "{}", server.log());
}

/// The C library would keep the blocks of old versions for new ones, half as much as a zone takes.
#[test]
#[cfg(target_env = "gnu")]
fn memory_of_old_versions_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = (0..101_000).map(|host| format!("host{host} 60 TXT {}\n", "x".repeat(200)));
    let hosts: String = hosts.collect();
    let zone = |serial: u32| {
        let head = format!("@ 60 SOA ns admin {serial} 7200 900 1209600 300\n@ 60 NS ns\n");
        head + &format!("ns 60 A 192.0.2.{serial}\n") + &hosts
    };
    fs::write(folder.path().join("example.zone"), zone(1)).unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    server.becomes("ns.example.", "192.0.2.1");
    let before = server.resident_kb();
    for serial in 2..5 {
        fs::write(folder.path().join("new"), zone(serial)).unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("example.zone")).unwrap();
        server.becomes("ns.example.", &format!("192.0.2.{serial}"));
    }
    let is_given_back = || server.resident_kb() < before + before / 8;
    assert!(wait_until(is_given_back), "{} kB, before {before} kB", server.resident_kb());
}
