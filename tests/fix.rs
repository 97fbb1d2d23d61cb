//! `zonesmith check --fix`: what cannot be wrong is written, and nothing else.
//!
//! `tests/fix/*.zone` say on their lines what is fixed there, `; fixed[Z209]`, and have a twin
//! `*.fixed` that says what becomes of them; a file without a twin stays as it is. `BLESS=1 cargo
//! test --test fix` writes the twins anew, for the difference to be looked at.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::program::{Ended, ended, folder, write, zonesmith};
use tempfile::TempDir;
use zonesmith::diag::{explain, fix};
use zonesmith::reload::load::{Lints, Loaded, load_with};

/// Two findings that can be mended, one that cannot.
const DOUBTFUL: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n@ 300 NS ns\nns 300 A 192.0.2.1\n\
                        ns 300 A 192.0.2.1 ; again\nm 300 MX 10 ns.a.example\nn 300 MX 10 away\n";
const MENDED: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n@ 300 NS ns\nns 300 A 192.0.2.1\n\
                      ; again\nm 300 MX 10 ns.a.example.\nn 300 MX 10 away\n";

//----------- Files with twins -----------------------------------------------------------------------

#[test]
fn what_is_fixed_is_what_the_files_say() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in files("tests/fix") {
        let text = fs::read_to_string(&path).unwrap();
        let twin = path.with_extension("fixed");
        let (fixed, said) = fix(&path, text.as_bytes());
        let fixed = String::from_utf8(fixed).unwrap();
        match (bless, fixed == text) {
            (true, true) => drop(fs::remove_file(&twin)), // it may not be there
            (true, false) => fs::write(&twin, &fixed).unwrap(),
            (false, _) => {}
        }
        let expected =
            if twin.exists() { fs::read_to_string(&twin).unwrap() } else { text.clone() };
        if fixed != expected {
            wrong.push(format!("{}: see BLESS=1\n{fixed}", path.display()));
        }
        if said != marks(&text) {
            wrong.push(format!("{}: {said:?}, not {:?}", path.display(), marks(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn line_ends_and_what_stands_at_the_ends_stay() {
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 3] = [
        ("CRLF", |text| text.replace('\n', "\r\n")),
        ("a byte order mark", |text| format!("\u{feff}{text}")),
        ("no final line end", |text| text.trim_end().to_string()),
    ];
    for path in files("tests/fix") {
        let text = fs::read_to_string(&path).unwrap();
        let twin = path.with_extension("fixed");
        let expected =
            if twin.exists() { fs::read_to_string(&twin).unwrap() } else { text.clone() };
        for (what, change) in changes {
            let (fixed, said) = fix(&path, change(&text).as_bytes());
            let shown = String::from_utf8(fixed).unwrap();
            assert_eq!(shown, change(&expected), "{}: {what}", path.display());
            assert_eq!(said, marks(&text), "{}: {what}", path.display());
        }
    }
}

#[test]
fn a_copy_that_is_the_last_line_and_has_no_end_goes() {
    let text = "$TTL 1\n@ SOA ns a 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nns A 192.0.2.1";
    let (fixed, said) = fix(Path::new("a.example.zone"), text.as_bytes());
    assert_eq!(fixed, &text.as_bytes()[..text.rfind("ns").unwrap()]);
    assert_eq!(said, ["5 fixed[Z209]"]);
}

#[test]
fn each_code_that_can_be_mended_is_and_the_guide_says_so() {
    let marked: String =
        files("tests/fix").iter().map(|p| fs::read_to_string(p).unwrap()).collect();
    for code in zonesmith::diag::codes::ALL {
        let can = fix::MENDABLE.contains(code);
        assert_eq!(marked.contains(&format!("fixed[{}]", code.id)), can, "{}", code.id);
        let section = explain::section(code);
        assert_eq!(section.contains("`check --fix`"), can, "the guide's section on {}", code.id);
    }
}

//----------- What holds for any file ----------------------------------------------------------------

#[test]
fn fixing_is_idempotent_keeps_comments_and_finds_nothing_new() {
    for path in [files("tests/zonefile"), files("tests/fix"), files("zones")].concat() {
        let text = fs::read(&path).unwrap();
        let (fixed, said) = fix(&path, &text);
        assert_eq!(said.is_empty(), fixed == text, "{}", path.display());
        assert_eq!(fix(&path, &fixed), (fixed.clone(), vec![]), "{}: again", path.display());
        let (before, after) = (loaded(&path, &text), loaded(&path, &fixed));
        let shown = path.display();
        assert_eq!(after.zone.is_some(), before.zone.is_some(), "{shown}");
        assert_eq!(comments(&fixed), comments(&text), "{shown}");
        let codes = |loaded: &Loaded| {
            let mut codes: Vec<_> = loaded.report.findings.iter().map(|f| f.code.id).collect();
            codes.sort_unstable();
            codes
        };
        let (mut left, now) = (codes(&before), codes(&after));
        for code in &now {
            let at = left.iter().position(|one| one == code);
            left.remove(at.unwrap_or_else(|| panic!("{shown}: {code} is new")));
        }
        assert!(left.len() >= said.len(), "{shown}");
        let serves_the_same = said.iter().all(|s| s.contains("Z208") || s.contains("Z209"));
        if let (Some(before), Some(after), true) = (before.zone, after.zone, serves_the_same) {
            assert!(after.same_content(&before), "{shown}");
        }
    }
}

/// Lines of a zone without a fault.
const LINES: [&str; 10] = [
    "@ NS ns1",
    "ns1 A 192.0.2.1 ; the first",
    "    AAAA 2001:db8::1",
    "mail 600 A 192.0.2.2",
    "  600 IN A 192.0.2.3 ; two of them",
    "@ MX 10 mail",
    "www CNAME ns1",
    "_sip._udp IN 60 SRV 0 0 5060 mail",
    "; about a text",
    "text TXT ( \"a; b\"\n  c ) ; over lines",
];
/// A copy of each record, by itself, and the same with another TTL.
const COPIES: [&str; 7] = [
    "ns1 A 192.0.2.1 ; copy",
    "ns1 900 A 192.0.2.1",
    "mail 600 A 192.0.2.3",
    "MAIL IN A 192.0.2.2;copy",
    "@\tMX\t10\tMail",
    "www 5 CNAME ns1 ; copy",
    "text TXT \"a; b\" c",
];
/// Records that take part in a set with another TTL.
const TIMES: [&str; 4] =
    ["mail 700 A 192.0.2.4", "mail A 192.0.2.5", "@ 5 MX 20 mail", "ns1 1h AAAA 2001:db8::2"];

fn zone(lines: &[String], has_default: bool) -> String {
    let head = if has_default { "$TTL 300\n@" } else { "@ 300" };
    format!("{head} SOA ns1 admin 1 2 3 4 5\n{}\n", lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    #[test]
    fn copies_and_unequal_times_are_mended_without_a_change_to_what_is_served(
        added in prop::collection::vec((0..COPIES.len() + TIMES.len(), 0..LINES.len()), 1..6),
        has_default in any::<bool>(),
        are_last in any::<bool>(),
    ) {
        let mut lines = LINES.map(str::to_string).to_vec();
        for &(what, at) in &added {
            lines.insert(if are_last { lines.len() } else { at }, [&COPIES[..], &TIMES[..]].concat()[what].to_string());
        }
        let text = zone(&lines, has_default);
        let path = Path::new("a.example.zone");
        let (fixed, said) = fix(path, text.as_bytes());
        prop_assert_eq!(fix(path, &fixed), (fixed.clone(), vec![]));
        prop_assert_eq!(comments(&fixed), comments(text.as_bytes()));
        let (before, after) = (loaded(path, text.as_bytes()), loaded(path, &fixed));
        match (&before.zone, &after.zone) {
            (Some(before), Some(after)) => prop_assert!(after.same_content(before), "{text}"),
            _ => prop_assert!(said.is_empty() && fixed == text.as_bytes(), "{text}"),
        }
        if has_default && are_last {
            // nothing stands below that could depend on them
            prop_assert!(after.report.findings.is_empty(), "{text}\n{:?}", after.report.findings);
        }
    }

    #[test]
    fn dots_that_are_put_back_give_the_zone_that_was_meant(
        without in prop::collection::btree_set(0..DOTTED.len(), 1..DOTTED.len())
    ) {
        let text = |dot: &dyn Fn(usize) -> bool| {
            let line = |at: usize| DOTTED[at].replace("!", if dot(at) { "." } else { "" });
            format!("$TTL 1h\n{}\n", (0..DOTTED.len()).map(line).collect::<Vec<_>>().join("\n"))
        };
        let path = Path::new("smith.edu.zone");
        let (good, bad) = (text(&|_| true), text(&|at| !without.contains(&at)));
        prop_assert!(loaded(path, good.as_bytes()).report.findings.is_empty());
        let (fixed, said) = fix(path, bad.as_bytes());
        prop_assert_eq!(String::from_utf8(fixed).unwrap(), good.as_str());
        prop_assert_eq!(said.is_empty(), bad == good);
    }
}

/// A zone whose dots can be left out: each `!` is one. The names are there all the same.
const DOTTED: [&str; 8] = [
    "@ SOA ns1.smith.edu! admin.smith.edu! 1 2 3 4 5",
    "@ NS ns1.smith.edu!",
    "ns1 A 192.0.2.1",
    "@ MX 10 ns1.smith.edu!",
    "www CNAME ns1.smith.edu! ; the web",
    "_sip._udp SRV 0 0 1 ns1.smith.edu!",
    "smith.edu! TXT ( \"of the zone\"\n   \"itself\" )",
    "lab A 192.0.2.2\nlab.smith.edu! AAAA 2001:db8::2\n   TXT \"of the lab\"",
];

//----------- The program ----------------------------------------------------------------------------

#[test]
fn it_says_what_it_did_and_what_is_left() {
    let folder = zones();
    let run = check(&folder, &["."]);
    assert!(run.stdout.ends_with("1 file: 0 errors, 3 warnings; --fix mends 2\n"));
    let run = check(&folder, &["--fix", "."]);
    let expected = "./a.example.zone:4:1: fixed[Z209]: this record is there already\n\
        ./a.example.zone:5:13: fixed[Z301]: `ns.a.example` became `ns.a.example.a.example.`\n\
        warning[Z305]: MX points at away.a.example., which has no address\n";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    assert!(run.stdout.ends_with("1 file: 2 fixed, 0 errors, 1 warning\n"), "{}", run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(text(&folder), MENDED);
    assert_eq!(
        check(&folder, &["--fix", "--strict", "."]).code,
        Some(2),
        "as a check of what it is"
    );
}

#[test]
fn machines_get_the_findings_that_are_left_and_people_the_fixes() {
    let folder = zones();
    let run = check(&folder, &["--fix", "--format", "json", "a.example.zone"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["code"]), (1, &Value::from("Z305")));
    assert!(run.stderr.starts_with("a.example.zone:4:1: fixed[Z209]: "), "{}", run.stderr);
    assert_eq!((run.stderr.lines().count(), text(&folder).as_str()), (2, MENDED));
}

#[test]
fn an_editor_can_apply_the_fixes_of_json_and_sarif() {
    let folder = zones();
    let json = check(&folder, &["--format", "json", "a.example.zone"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let mut edits = Vec::new();
    for edit in json.as_array().unwrap().iter().flat_map(|found| found["fix"].as_array().unwrap()) {
        let number = |key: &str| usize::try_from(edit[key].as_u64().unwrap()).unwrap();
        let at = |line: &str, column: &str| {
            let lines = DOUBTFUL.split_inclusive('\n').take(number(line) - 1);
            lines.map(str::len).sum::<usize>() + number(column) - 1
        };
        let text = edit["text"].as_str().unwrap().to_string();
        edits.push((at("line", "column"), at("end_line", "end_column"), text));
    }
    edits.sort_unstable();
    let mut fixed = DOUBTFUL.to_string();
    for (start, end, text) in edits.into_iter().rev() {
        fixed.replace_range(start..end, &text);
    }
    assert_eq!(fixed, MENDED);
    let sarif = check(&folder, &["--format", "sarif", "a.example.zone"]).stdout;
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let results = &sarif["runs"][0]["results"];
    let change = &results[0]["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"]["uri"], "a.example.zone");
    assert_eq!(
        change["replacements"][0],
        serde_json::json!({
            "deletedRegion": { "startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 20 },
            "insertedContent": { "text": "" },
        })
    );
    assert_eq!(results[2]["fixes"], serde_json::json!([]));
}

#[test]
fn a_file_is_replaced_with_its_mode_and_a_link_stays_one() {
    let folder = zones();
    let file = folder.path().join("a.example.zone");
    fs::rename(&file, folder.path().join("real")).unwrap();
    symlink("real", &file).unwrap();
    fs::set_permissions(folder.path().join("real"), Permissions::from_mode(0o640)).unwrap();
    assert_eq!(check(&folder, &["--fix", "."]).code, Some(0));
    assert_eq!(text(&folder), MENDED);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn a_file_that_cannot_be_written_is_checked_as_it_is() {
    let folder = zones();
    let file = folder.path().join("a.example.zone");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let run = check(&folder, &["--fix", "."]);
    let why = "error: ./a.example.zone: it cannot be written: it is read-only\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), why));
    assert!(run.stdout.ends_with("1 file: 0 fixed, 0 errors, 3 warnings\n"), "{}", run.stdout);
    assert_eq!(text(&folder), DOUBTFUL);
}

#[test]
fn standard_input_has_no_file_to_write() {
    let run = check(&zones(), &["--fix", "-"]);
    assert!(run.stderr.starts_with("error: `-`: standard input cannot be fixed"), "{}", run.stderr);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_zone_file_that_another_one_includes_is_left() {
    let folder = zones();
    let other =
        "$TTL 1h\n@ SOA ns a 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n$INCLUDE a.example.zone x\n";
    write(folder.path(), &[("b.example.zone", other)]);
    let run = check(&folder, &["--fix", "--format", "short", "."]);
    assert_eq!(text(&folder), DOUBTFUL);
    let told = "./a.example.zone:4:1: not fixed[Z209]: this record is there already; zones may share this file";
    assert!(run.stdout.starts_with(told), "{}", run.stdout);
}

#[test]
fn a_file_that_two_links_lead_to_is_left() {
    let folder = zones();
    symlink("a.example.zone", folder.path().join("b.example.zone")).unwrap();
    let run = check(&folder, &["--fix", "."]);
    assert_eq!(text(&folder), DOUBTFUL);
    assert!(run.stdout.contains("b.example.zone:4:1: not fixed[Z209]"), "{}", run.stdout);
    assert!(run.stdout.contains("\n2 files: 0 fixed, 0 errors, "), "{}", run.stdout);
}

//----------- Helpers --------------------------------------------------------------------------------

/// A folder with the doubtful zone file.
fn zones() -> TempDir {
    let folder = folder();
    write(folder.path(), &[("a.example.zone", DOUBTFUL)]);
    folder
}

fn text(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("a.example.zone")).unwrap()
}

fn check(folder: &TempDir, arguments: &[&str]) -> Ended {
    ended(zonesmith().arg("check").args(arguments).current_dir(folder.path()))
}

/// The zone files of a folder of this repository.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths: BTreeSet<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "zone")).collect();
    assert!(!paths.is_empty());
    paths.into_iter().collect()
}

/// A folder with a file called as `path` that holds `text`, beside what it may include.
fn beside_includes(path: &Path, text: &[u8]) -> (TempDir, PathBuf) {
    let folder = folder();
    let includes = path.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten();
    for include in includes.map(|entry| entry.unwrap().path()) {
        if include.extension().is_some_and(|extension| extension == "include") {
            fs::copy(&include, folder.path().join(include.file_name().unwrap())).unwrap();
        }
    }
    let file = folder.path().join(path.file_name().unwrap());
    fs::write(&file, text).unwrap();
    (folder, file)
}

/// What becomes of `text` in a file called as `path`, and what was fixed, as `line fixed[code]`.
fn fix(path: &Path, text: &[u8]) -> (Vec<u8>, Vec<String>) {
    let (folder, file) = beside_includes(path, text);
    let name = file.file_name().unwrap().to_str().unwrap();
    let run = check(&folder, &["--fix", "--format", "short", name]);
    assert_eq!(run.stderr, "", "{}", path.display());
    let fixed = run.stdout.lines().filter_map(|line| line.split_once(": fixed["));
    let mut fixed: Vec<String> = fixed
        .map(|(place, what)| {
            let line = place.split(':').nth(1).unwrap();
            format!("{line} fixed[{}]", &what[..4])
        })
        .collect();
    fixed.sort();
    (fs::read(&file).unwrap(), fixed)
}

/// What the comments of a file say is fixed there.
fn marks(text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().flat_map(|(at, line)| {
        let number = if line.starts_with("; ^") { at } else { at + 1 };
        let marks = line.match_indices("fixed[");
        marks.map(move |(start, mark)| {
            let code = &line[start + mark.len()..][..4];
            format!("{number} fixed[{code}]")
        })
    });
    let mut marks: Vec<String> = lines.collect();
    marks.sort();
    marks
}

fn loaded(path: &Path, text: &[u8]) -> Loaded {
    let (_folder, file) = beside_includes(path, text);
    load_with(&file, &[], Lints::All)
}

/// The comments of a text, near enough: what follows a semicolon outside of quotes and escapes.
fn comments(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text).replace("\\;", "").replace("\\\"", "");
    let comment = |line: &str| {
        let mut quoted = false;
        let start = line.find(|c| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        start.map(|start| line[start..].to_string())
    };
    text.lines().filter_map(comment).collect()
}
