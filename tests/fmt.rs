//! `zonesmith fmt` and `zonesmith new`: what is laid out means the same, keeps its comments, and does
//! not change again.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use proptest::prelude::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::program::{Ended, copy_zones, ended, folder, write, zonesmith};
use support::zone_text::read;
use zonesmith::zonefile::format::lay_out;

const GOOD: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.1\n";
const LAID_OUT: &str =
    "@   300  SOA  ns admin 7 1d 1h 1w 5m\n    300  NS   ns\nns  300  A    192.0.2.1\n";

/// What lines are made of, with the blanks between them.
const WORDS: [&str; 28] = [
    "@",
    "a",
    "b.x.",
    "\"c d\"",
    "*",
    "60",
    "1h",
    "IN",
    "CLASS1",
    "A",
    "192.0.2.1",
    "TXT",
    "\"; (\"",
    "MX",
    "10",
    "NS",
    "(",
    ")",
    "e\"f  g\"h",
    "i\\ ",
    "\\(",
    "$ORIGIN",
    "$TTL",
    "SVCB",
    "TYPE65280",
    "\\#",
    "0",
    "; a comment",
];
const BLANKS: [&str; 9] = [" ", " ", "  ", "\t", "\n", "\n", "\r\n", "\n\n", "\n \t"];

/// A record, a directive or a comment that is right by itself, written in some way.
fn good_line() -> impl Strategy<Value = String> {
    let one_of = |words: &'static [&'static str]| prop::sample::select(words);
    let owner = one_of(&["@", "www", "\"a b\"", "*.b", "", "long.name.with.many.labels.in.it"]);
    let head = one_of(&["", " 60", "\tIN", " IN 1h", " 1h  IN ", " class1"]);
    let data = one_of(&[
        "A 192.0.2.1",
        "TXT  \"a;  b\"   c",
        "TXT (a\n   \"b\" ; inside\n\n  )  c",
        "MX\t10 mail",
        "SVCB 1 . alpn=\"h2,h3\"",
        "A(192.0.2.1)",
        "TXT \\;a\"b  c\"d\\ ",
        "TYPE65280 \\# 2 ab cd",
    ]);
    let end =
        one_of(&["", " ", ";c", "   ;  a comment  ", "\t; \"(", "\r", "\n   ; goes on", "\n\n"]);
    let record = (owner, head, data, end)
        .prop_map(|(owner, head, data, end)| format!("{owner}{head} {data}{end}"));
    let other =
        one_of(&["$ORIGIN sub", "$TTL\t5 ; five", "$ORIGIN x.", "; alone  ", "   ; in", " ", ""]);
    prop_oneof![4 => record, 1 => other.prop_map(str::to_string)]
}

/// The comments of a text that has no quotes and escapes around semicolons but those above.
fn comments(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let hidden = text.replace("\";  b\"", "").replace("a;  b", "").replace("\\;", "");
    let parts = hidden.lines().filter_map(|line| line.split_once(';'));
    parts.map(|(_, comment)| comment.trim_end().to_string()).collect()
}

proptest! {
    #[test]
    fn good_zones_mean_the_same(lines in prop::collection::vec(good_line(), 1..12)) {
        let text = format!("$TTL 300\n@ SOA ns admin 1 2 3 4 5\n{}", lines.join("\n"));
        let (records, report) = read(&text);
        prop_assert!(!report.has_errors(), "{:?}", report.findings);
        let out = lay_out(text.as_bytes()).unwrap();
        let shown = String::from_utf8(out.clone()).unwrap();
        prop_assert_eq!(lay_out(&out).unwrap(), out.clone(), "again");
        prop_assert_eq!(read(&shown).0, records);
        prop_assert_eq!(comments(&out), comments(text.as_bytes()));
        prop_assert!(!shown.contains('\r') && shown.ends_with('\n') && !shown.ends_with("\n\n"));
    }

    #[test]
    fn whatever_is_taken_means_the_same(
        pieces in prop::collection::vec((0..WORDS.len(), 0..BLANKS.len()), 0..40)
    ) {
        let text: String = pieces.iter().map(|&(w, b)| [WORDS[w], BLANKS[b]].concat()).collect();
        if let Some(out) = lay_out(text.as_bytes()) {
            let shown = String::from_utf8(out.clone()).unwrap();
            prop_assert_eq!(lay_out(&out), Some(out), "again");
            let ((before, _), (after, report)) = (read(&text), read(&shown));
            prop_assert_eq!(before, after, "{:?}", report.findings);
        }
    }
}

fn files(folder: &str, start: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.filter(|path| name(path).starts_with(start) && name(path).ends_with(".zone")).collect()
}

#[test]
fn the_zones_of_this_repository_mean_the_same() {
    let all = [files("zones", ""), files("tests/zonefile", "clean")].concat();
    assert!(all.len() > 8);
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let out = String::from_utf8(lay_out(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(lay_out(out.as_bytes()).unwrap(), out.as_bytes(), "{}", path.display());
        assert_eq!(read(&text).0, read(&out).0, "{}", path.display());
        let words = |text: &str| {
            let mut words: Vec<_> = text.split_whitespace().map(str::to_string).collect();
            words.sort(); // `IN 60` becomes `60 IN`
            words
        };
        assert_eq!(words(&text), words(&out), "{}: nothing but blanks changes", path.display());
    }
}

//----------- The program ----------------------------------------------------------------------------

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    ended(zonesmith().args(arguments).current_dir(folder))
}

#[test]
fn a_file_is_laid_out_in_its_place() {
    let folder = folder();
    write(folder.path(), &[("a.example.zone", GOOD), ("b.example.zone", LAID_OUT)]);
    let file = folder.path().join("a.example.zone");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    symlink("a.example.zone", folder.path().join("link")).unwrap();
    let check = run(folder.path(), &["fmt", "--check", "."]);
    assert_eq!(
        (check.code, check.stdout.as_str()),
        (Some(2), "./a.example.zone: 3 lines would change\n")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), GOOD);
    let changed = run(folder.path(), &["fmt", "."]);
    assert_eq!(
        (changed.code, changed.stdout.as_str()),
        (Some(0), "./a.example.zone: 3 lines changed\n")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), LAID_OUT);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    assert_eq!(run(folder.path(), &["fmt", "--check", "."]).code, Some(0));
    fs::write(&file, GOOD).unwrap();
    assert_eq!(run(folder.path(), &["fmt", "link"]).code, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), LAID_OUT);
    assert!(fs::symlink_metadata(folder.path().join("link")).unwrap().is_symlink());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left behind");
}

#[test]
fn a_file_with_an_error_is_left_alone() {
    let folder = folder();
    let broken = GOOD.replace("192.0.2.1", "192.0.2.256");
    write(
        folder.path(),
        &[("a.example.zone", &broken), ("no_ns.zone", &GOOD.replace("NS ns", "A 192.0.2.2"))],
    );
    let ended = run(folder.path(), &["fmt", ".", "gone"]);
    assert_eq!(ended.code, Some(2));
    let told = [ended.stdout, ended.stderr].concat();
    for part in ["./a.example.zone:3:10: error[Z106]", "error[Z204]", "gone: there is no such file"]
    {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("a.example.zone")).unwrap(), broken);
}

#[test]
fn a_part_of_a_zone_file_is_laid_out_when_it_is_named() {
    let folder = folder();
    write(folder.path(), &[("hosts", " A 192.0.2.1\nlonger A 192.0.2.2\n"), ("bad", "a AA 1\n")]);
    assert_eq!(run(folder.path(), &["fmt", "hosts"]).code, Some(0));
    let text = fs::read_to_string(folder.path().join("hosts")).unwrap();
    assert_eq!(text, "        A  192.0.2.1\nlonger  A  192.0.2.2\n");
    assert_eq!(run(folder.path(), &["fmt", "bad"]).code, Some(2));
}

#[test]
fn a_hyphen_reads_standard_input_and_prints() {
    let folder = folder();
    write(folder.path(), &[("in", GOOD), ("bad", "a (\n")]);
    let filter = |file: &str, arguments: &[&str]| {
        let input = fs::File::open(folder.path().join(file)).unwrap();
        let mut command: Command = zonesmith();
        ended(command.args(arguments).stdin(Stdio::from(input)))
    };
    let shown = filter("in", &["fmt", "-"]);
    assert_eq!((shown.code, shown.stdout.as_str()), (Some(0), LAID_OUT));
    let check = filter("in", &["fmt", "--check", "-"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(2), "-: 3 lines would change\n"));
    let bad = filter("bad", &["fmt", "-"]);
    assert_eq!((bad.code, bad.stdout.as_str()), (Some(2), ""));
}

#[test]
fn laid_out_zones_are_those_that_were_served() {
    let folder = folder();
    copy_zones(folder.path());
    let check = || run(folder.path(), &["check", "zones"]).stdout;
    let before = check();
    assert_eq!(run(folder.path(), &["fmt", "zones"]).code, Some(0));
    assert_eq!(check(), before);
    assert_eq!(run(folder.path(), &["fmt", "--check", "zones"]).code, Some(0));
}

#[test]
fn a_new_zone_has_nothing_to_be_said_about() {
    let zones = [
        ("smith.edu", "192.0.2.1"),
        ("Lab.Example.", "2001:db8::1"),
        ("2.0.192.in-addr.arpa", "::1"),
        ("0/26.2.0.192.in-addr.arpa", "192.0.2.1"),
        ("a\\;b.example", "192.0.2.1"),
    ];
    for (zone, address) in zones {
        let folder = folder();
        let new = run(folder.path(), &["new", zone, address]);
        assert_eq!(new.code, Some(0), "{new:?}");
        let (_, file) = new.stdout.split_once("Save it as ").unwrap();
        let file = file.split(' ').next().unwrap();
        write(folder.path(), &[(file, &new.stdout)]);
        let check = run(folder.path(), &["check", "--strict", file]);
        assert_eq!(check.code, Some(0));
        assert!(check.stdout.ends_with("1 file: 0 errors, 0 warnings\n"), "{}", check.stdout);
        assert_eq!(run(folder.path(), &["fmt", "--check", file]).code, Some(0), "{}", new.stdout);
    }
}

#[test]
fn a_new_zone_wants_a_name_and_an_address() {
    let folder = folder();
    for (zone, address) in [("a..b", "192.0.2.1"), (".", "192.0.2.1"), ("smith.edu", "192.0.2.256")]
    {
        let ended = run(folder.path(), &["new", zone, address]);
        assert_eq!(ended.code, Some(2), "{zone} {address}");
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}
