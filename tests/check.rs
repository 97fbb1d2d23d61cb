//! `zonesmith check` as machines and pipelines use it: formats, `--strict`, `--explain`.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use serde_json::Value;
use support::program::{Ended, ended, folder, write, zonesmith};
use tempfile::TempDir;

/// One warning: the target of the MX record. Its column is counted in characters or octets.
const DOUBTFUL: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.1\n\
                        \u{fc} 300 MX 10 mail.a.example ; 100%\n";
/// One error.
const BROKEN: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.256\n";
/// No finding.
const GOOD: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.1\n";
/// The exit code when something was found, and for a wrong command line.
const FOUND: Option<i32> = Some(2);

/// A folder with a doubtful, a broken and a good zone file.
fn zones() -> TempDir {
    let folder = folder();
    let files = [("a.example.zone", DOUBTFUL), ("b.example.zone", BROKEN), ("c.zone", GOOD)];
    write(folder.path(), &files);
    folder
}

fn check(folder: &TempDir, arguments: &[&str]) -> Ended {
    ended(zonesmith().arg("check").args(arguments).current_dir(folder.path()))
}

#[test]
fn short_is_a_line_for_each_finding_and_nothing_else() {
    let run = check(&zones(), &["--format", "short", ".", "nowhere"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "nowhere:1:1: error[Z001]: there is no such file or folder");
    assert!(lines[1].starts_with("./a.example.zone:4:14: warning[Z301]: `mail.a.example` became"));
    assert!(lines[2].starts_with("./b.example.zone:3:10: error[Z106]: "));
    assert_eq!(run.code, FOUND);
}

#[test]
fn github_gets_workflow_commands() {
    let run = check(&zones(), &["--format", "github", "."]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let start = "::warning file=a.example.zone,line=4,col=13,title=Z301::`mail.a.example` became \
                 `mail.a.example.a.example.`%0Adid you mean";
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    assert!(lines[1].starts_with("::error file=b.example.zone,line=3,col=10,title=Z106::"));
    assert_eq!(run.code, FOUND);
}

#[test]
fn json_is_one_array_for_all_files() {
    let folder = zones();
    let run = check(&folder, &["--format", "json", "."]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let expected = serde_json::json!({
        "file": "./a.example.zone", "line": 4, "column": 13, "end_column": 27,
        "code": "Z301", "severity": "warning",
        "message": "`mail.a.example` became `mail.a.example.a.example.`",
        "label": "", "help": "did you mean `mail.a.example.`, with its final dot?", "related": [],
        "fix": [],
    });
    assert_eq!(found[0], expected);
    assert_eq!((run.code, run.stderr.as_str()), (FOUND, ""));
    let none = check(&folder, &["--format", "json", "c.zone"]);
    assert_eq!((none.stdout.as_str(), none.code), ("[]\n", Some(0)));
}

#[test]
fn sarif_has_a_rule_for_each_result() {
    let run = check(&zones(), &["--format", "sarif", "."]);
    let read: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(read["version"], "2.1.0");
    let (rules, results) =
        (&read["runs"][0]["tool"]["driver"]["rules"], &read["runs"][0]["results"]);
    assert_eq!(results.as_array().unwrap().len(), 2);
    for result in results.as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startColumn"].as_u64() <= region["endColumn"].as_u64());
    }
}

#[test]
fn two_files_for_one_zone_are_a_finding_for_machines_too() {
    let folder = zones();
    write(folder.path(), &[("d.zone", &format!("$ORIGIN c.\n{GOOD}"))]);
    let run = check(&folder, &["--format", "short", "c.zone", "d.zone"]);
    assert_eq!(
        run.stdout,
        "d.zone:1:1: error[Z003]: two files hold c.: c.zone and d.zone; remove one of them\n"
    );
    assert_eq!(run.code, FOUND);
}

#[test]
fn strict_fails_on_a_warning() {
    let folder = zones();
    assert_eq!(check(&folder, &["a.example.zone"]).code, Some(0));
    assert_eq!(check(&folder, &["--strict", "a.example.zone"]).code, FOUND);
    assert_eq!(check(&folder, &["--strict", "c.zone"]).code, Some(0));
}

#[test]
fn an_allowed_warning_is_none() {
    let folder = zones();
    let allowed = DOUBTFUL.replace("100%", "zonesmith: allow(Z301)");
    write(folder.path(), &[("a.example.zone", &allowed)]);
    let run = check(&folder, &["--strict", "a.example.zone"]);
    assert!(run.stdout.ends_with("1 file: 0 errors, 0 warnings\n"), "{}", run.stdout);
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_code_is_explained_without_a_file() {
    let folder = zones();
    let run = check(&folder, &["--explain", "z204"]);
    let start = "Z204: the zone has no NS record at its apex\n\nEvery zone names its name servers";
    assert!(run.stdout.starts_with(start), "{}", run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let all = check(&folder, &["--explain", "all"]);
    assert!(all.stdout.starts_with("Z001 error   the file cannot be read\n"), "{}", all.stdout);
}

#[test]
fn a_code_that_is_none_says_how_to_see_all() {
    let run = check(&zones(), &["--explain", "Z999"]);
    assert!(run.stderr.contains("`zonesmith check --explain all`"), "{}", run.stderr);
    assert_eq!((run.code, run.stdout.as_str()), (FOUND, ""));
}

/// One note: for six hours it is remembered that a name does not exist.
const NOTED: &str = "@ 1d SOA ns admin 7 1d 1h 1w 6h\n  300 NS ns\nns 300 A 192.0.2.1\n";

#[test]
fn a_note_is_shown_in_every_format_and_fails_nothing() {
    let folder = folder();
    write(
        folder.path(),
        &[("a.zone", NOTED), ("b.zone", &NOTED.replace("6h", "6h ; zonesmith: allow(Z316)"))],
    );
    let human = check(&folder, &["--strict", "."]);
    assert!(human.stdout.starts_with("note[Z316]: that a name does not exist"), "{}", human.stdout);
    assert!(human.stdout.ends_with("2 files: 0 errors, 0 warnings, 1 note\n"), "{}", human.stdout);
    assert_eq!(human.code, Some(0));
    let in_format = |format| check(&folder, &["--strict", "--format", format, "."]).stdout;
    assert!(
        in_format("short").starts_with("./a.zone:1:30: note[Z316]: "),
        "{}",
        in_format("short")
    );
    assert!(in_format("github").starts_with("::notice file=a.zone,line=1,col=30,title=Z316::"));
    let json: Value = serde_json::from_str(&in_format("json")).unwrap();
    assert_eq!(json[0]["severity"], "note");
    let sarif: Value = serde_json::from_str(&in_format("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "note");
}
