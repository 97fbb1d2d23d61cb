//! Half-written files: whatever part of a version a writer has written, what is served is a version that
//! was whole.
//!
//! A version that is cut for good gives the old zone, the cut zone, or a version that is held back. What
//! it may give at which octet, the test knows by itself: each record of [`zone`] is an [`Entry`] with its
//! end. The first test cuts at every octet, in this process. The second has the built program serve one
//! zone for each octet, all of which are written at the same time and each of whose writers pauses at
//! another octet; then the writers end there. `ZONESMITH_LONG=1` does so with a zone of over a hundred records and
//! cuts every zone of `zones/`.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use support::program::folder;
use support::server::{Server, wait_until};
use zonesmith::diag::codes;
use zonesmith::reload::damage;
use zonesmith::reload::load::{Lints, Loaded, load_text};
use zonesmith::rr::Record;

/// The most writers at a time: each needs a descriptor.
const WRITERS_MAX: usize = 400;

/// How many hosts a zone has: in the middle, and in a long run. Over a hundred records, half may be lost.
const HOSTS: usize = 4;
const HOSTS_MANY: usize = 120;

fn long() -> bool {
    std::env::var_os("ZONESMITH_LONG").is_some()
}

/// The entries of a zone, whose `first` and `last` have the address 192.0.2.`version`. They have what a
/// cut can fall into: parentheses and strings over several lines, comments, directives, blank lines.
fn zone(version: u8, hosts: usize) -> Vec<String> {
    let mut entries = vec![
        "; a zone (and what it is for)\n$TTL 300\n\n".to_string(),
        format!("@ SOA ns admin ( {version} ; the serial\n 7200 900\n 1209600 300 ) ; ends here\n"),
        "@ NS ns\n".into(),
        "ns A 192.0.2.53\n".into(),
        format!("first A 192.0.2.{version}\n"),
        "text TXT \"one\" ( \"two;\n lines\" three ) ; text\n\n".into(),
    ];
    entries.extend((0..hosts).map(|n| format!("host{n} A 192.0.2.{}\n", 100 + n % 100)));
    entries.push(format!("$ORIGIN below\nmail MX 10 (\n ns )\n$ORIGIN {ORIGIN_WORD}\n"));
    entries.push(format!("last A 192.0.2.{version}\n"));
    entries
}

/// Stands for the zone's own name: all zones have the same text but for it, and it has that many letters.
const ORIGIN_WORD: &str = "zNNNN.";

/// The zone's text under a name of as many letters.
fn text(entries: &[String], name: &str) -> String {
    let text = entries.concat().replace(ORIGIN_WORD, &format!("{name}."));
    assert_eq!(text.len(), entries.concat().len());
    text
}

/// The name of the zone that is cut at `offset`.
fn name(offset: usize) -> String {
    format!("z{offset:04}")
}

//----------- In this process ------------------------------------------------------------------------

/// What a version gives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has an error.
    Rejected,
    /// A damage rule names it.
    Held(Vec<&'static str>),
    /// It is served with these records.
    Served(Vec<String>),
}

fn read(path: &Path, text: &[u8]) -> (Loaded, Vec<String>) {
    let mut records = Vec::new();
    let loaded = load_text(path, text.into(), &[], Lints::Quick, &mut |record, _| {
        let Record { owner, ttl, rtype, rdata } = record;
        records.push(format!("{owner} {ttl} {rtype} {rdata:?}"));
    });
    (loaded, records)
}

/// What `new` gives where `old` is served.
fn verdict(path: &Path, old: &Loaded, new: &[u8]) -> Verdict {
    let (new, records) = read(path, new);
    let Some(zone) = &new.zone else { return Verdict::Rejected };
    let old = old.zone.as_ref().unwrap();
    let found = damage::find([old, zone], &new.report, new.serial.unwrap());
    match found.is_empty() {
        true => Verdict::Served(records),
        false => Verdict::Held(found.iter().map(|finding| finding.code.id).collect()),
    }
}

#[test]
fn a_version_cut_at_any_octet_is_served_only_where_its_records_end() {
    for hosts in [HOSTS, HOSTS_MANY] {
        let (old, new) = (zone(11, hosts), zone(22, hosts));
        let (path, old) = (Path::new("zNNNN.zone"), text(&old, "zNNNN"));
        let old = read(path, old.as_bytes()).0;
        let whole = text(&new, "zNNNN");
        let records = read(path, whole.as_bytes()).1;
        let step = if hosts == HOSTS || long() { 1 } else { 7 }; // of a prime number: all columns
        let counts = count_verdicts(whole.len(), step, |offset| {
            let verdict = verdict(path, &old, &whole.as_bytes()[..offset]);
            assert_allowed(&new, offset, &verdict, &records);
            verdict
        });
        assert!(counts[0] > 0 && counts[1] > 0 && counts[2] > 0, "all kinds: {counts:?}");
    }
}

/// How many of the cuts are rejected, held and served.
fn count_verdicts(len: usize, step: usize, each: impl Fn(usize) -> Verdict) -> [usize; 3] {
    let mut counts = [0; 3];
    for offset in (0..=len).filter(|offset| offset % step == 0 || offset + 300 > len) {
        counts[match each(offset) {
            Verdict::Rejected => 0,
            Verdict::Held(_) => 1,
            Verdict::Served(_) => 2,
        }] += 1;
    }
    counts
}

/// Holds the promise for a cut at `offset` of a version made of `entries` that has `records`.
fn assert_allowed(entries: &[String], offset: usize, verdict: &Verdict, records: &[String]) {
    let text = entries.concat();
    let part = &text[..offset];
    let mut ends = entries.iter().scan(0, |end, entry| {
        *end += entry.len();
        Some(*end)
    });
    let at_end = offset > 0 && ends.any(|end| end == offset);
    match verdict {
        Verdict::Served(served) => assert_first(served, records, part),
        Verdict::Held(codes) => {
            let cut = codes.contains(&codes::CUT_SHORT.id);
            assert_eq!(cut, !part.ends_with('\n'), "{part:?}: {codes:?}");
        }
        Verdict::Rejected => {
            let zone_begins = part.contains("NS ns\n");
            assert!(!(at_end && zone_begins), "{part:?} is a whole zone");
        }
    }
    let left = part.lines().filter(|line| line.contains(" A ")).count();
    let many = records.len() >= 100;
    if at_end && part.contains("NS ns\n") && (!many || left > records.len() / 2) {
        assert!(matches!(verdict, Verdict::Served(_)), "{part:?}: {verdict:?}");
    }
}

/// What a part of a text may be served as: the first of its records. Of the last line, if only its text is
/// cut and no record is missing, it is not known whether it was meant so.
fn assert_first(served: &[String], records: &[String], part: &str) {
    let all = served.len() == records.len();
    let known = if all { served.len() - 1 } else { served.len() };
    assert!(records.starts_with(&served[..known]), "{part:?}: {served:?}");
    let last_line = part.rsplit('\n').next().unwrap();
    assert!(all || last_line.trim().is_empty(), "{part:?}: the end of a line is missing");
}

/// Zones that people write, by the rule alone that what is served has the records before the cut.
#[test]
fn the_zones_of_this_repository_cut_at_any_octet() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort_by_key(|file| fs::metadata(file).unwrap().len());
    if !long() {
        files.truncate(4); // the small ones
    }
    for path in files {
        let whole = fs::read(&path).unwrap();
        let (old, records) = read(&path, &whole);
        count_verdicts(whole.len(), 1, |offset| {
            let verdict = verdict(&path, &old, &whole[..offset]);
            if let Verdict::Served(served) = &verdict {
                assert_first(served, &records, str::from_utf8(&whole[..offset]).unwrap());
            }
            verdict
        });
    }
}

/// What the old version and the new one have.
const OLD: &str = "192.0.2.11";
const NEW: &str = "192.0.2.22";

//----------- Through the real program ---------------------------------------------------------------

#[test]
fn while_a_writer_pauses_anywhere_the_old_version_is_served_and_then_what_the_file_gives() {
    let hosts = if long() { HOSTS_MANY } else { HOSTS };
    let len = zone(22, hosts).concat().len();
    let offsets: Vec<usize> = (0..=len).collect();
    offsets.chunks(WRITERS_MAX).for_each(|offsets| Lab::new(offsets, hosts).go());
}

/// A folder with a zone for each offset, in its old version, and the server of it.
struct Lab<'a> {
    folder: tempfile::TempDir,
    server: Server,
    offsets: &'a [usize],
    old: Vec<String>,
    new: Vec<String>,
}

impl Lab<'_> {
    fn new(offsets: &[usize], hosts: usize) -> Lab<'_> {
        let (folder, old, new) = (folder(), zone(11, hosts), zone(22, hosts));
        for offset in offsets {
            let name = name(*offset);
            fs::write(folder.path().join(format!("{name}.zone")), text(&old, &name)).unwrap();
        }
        let server = Server::start(folder.path(), &[]).unwrap();
        Lab { folder, server, offsets, old, new }
    }

    fn go(&self) {
        let writers: Vec<File> = self.offsets.iter().map(|offset| self.begin(*offset)).collect();
        self.reload();
        for offset in self.offsets {
            self.holds(*offset, [OLD, OLD]);
        }
        let log = self.server.log();
        assert!(!log.contains("not loaded"), "half a file was read:\n{log}");
        drop(writers);
        self.reload();
        self.offsets.iter().for_each(|offset| self.gave_what_it_should(*offset));
        for offset in self.offsets {
            let name = name(*offset);
            fs::write(self.path(&name), text(&self.new, &name)).unwrap();
        }
        self.reload();
        self.offsets.iter().for_each(|offset| self.holds(*offset, [NEW, NEW]));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.zone"))
    }

    /// A writer that has truncated its file, has come as far as `offset`, and pauses.
    fn begin(&self, offset: usize) -> File {
        let name = name(offset);
        let mut file = File::create(self.path(&name)).unwrap();
        file.write_all(&text(&self.new, &name).as_bytes()[..offset]).unwrap();
        file
    }

    /// Has all files read as they are, but those that are being written.
    fn reload(&self) {
        let told = || self.server.log().matches("reloaded: ").count();
        let before = told();
        self.server.signal("HUP").unwrap();
        assert!(wait_until(|| told() > before), "{}", self.server.log());
    }

    /// The addresses of the zone's first and last host.
    fn holds(&self, offset: usize, expected: [&str; 2]) {
        let name = name(offset);
        let hosts = ["first", "last"].map(|host| format!("{host}.{name}."));
        let asked = hosts.map(|host| self.server.address_of(&host));
        assert_eq!(asked, expected, "cut at {offset}: {:?}", &self.new.concat()[..offset]);
    }

    /// Whether the cut version, the old one or what the cut left of the last line is served.
    fn gave_what_it_should(&self, offset: usize) {
        let name = name(offset);
        let path = Path::new("folder").join(format!("{name}.zone"));
        let old = read(&path, text(&self.old, &name).as_bytes()).0;
        let whole = text(&self.new, &name);
        let Verdict::Served(records) = verdict(&path, &old, &whole.as_bytes()[..offset]) else {
            return self.holds(offset, [OLD, OLD]);
        };
        let address = |host: &str| {
            let start = format!("{host}.{name}. 300 A [192, 0, 2, ");
            let last = records.iter().find_map(|record| record.strip_prefix(&start));
            last.map_or("rcode 3".into(), |last| format!("192.0.2.{}", last.trim_end_matches(']')))
        };
        let expected = ["first", "last"].map(address);
        self.holds(offset, [&expected[0], &expected[1]]);
    }
}
