//! The corners of the zone file language: what is taken, as which records, and what is refused.
//!
//! Where BIND, NSD and Knot agree with each other, this server agrees with them: their checkers are
//! asked the same. Where they do not, the decision stands beside the code in src/zonefile.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::path::Path;
use std::process::Command;
use support::peers;
use support::zone_text::{read, sorted};

const HEAD: &str = "$TTL 300\n@ SOA ns.e. a.e. 1 2 3 4 5\n@ NS ns.e.\n";

/// Lines behind [`HEAD`], and the records that they are: owner, TTL, type, and data as octets.
const TAKEN: &[(&str, &[&str])] = &[
    ("a TXT ( b ( c ) d )", &["a.x. 300 TXT \\x01b\\x01c\\x01d"]),
    ("( a A 192.0.2.1 )", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a (\n\n ; c )\n  \nA(192.0.2.1)\n);c", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a TXT b\\ ", &["a.x. 300 TXT \\x02b "]),
    ("a TXT b\"c d\"e\"f\"\"g\"", &["a.x. 300 TXT \\x01b\\x03c d\\x01e\\x01f\\x01g"]),
    ("a TXT k=\"v w\"", &["a.x. 300 TXT \\x02k=\\x03v w"]),
    (
        "a SVCB 1 . alpn=\"h2,h3\"",
        &["a.x. 300 SVCB \\x00\\x01\\x00\\x00\\x01\\x00\\x06\\x02h2\\x02h3"],
    ),
    ("a TXT a\\;b\"c;d\";e", &["a.x. 300 TXT \\x03a;b\\x03c;d"]),
    ("\"a b\" A 192.0.2.1", &["a\\032b.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("\"a.x.\" A 192.0.2.1", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("\"@\" A 192.0.2.1", &["\\@.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a \"60\" \"IN\" \"NS\" \"b\"", &["a.x. 60 NS \\x01b\\x01x\\x00"]),
    ("a NS @", &["a.x. 300 NS \\x01x\\x00"]),
    ("A IN 1h30m A 192.0.2.1", &["A.x. 5400 A \\xc0\\x00\\x02\\x01"]),
    ("IN A 192.0.2.1", &["IN.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("60 A 192.0.2.1", &["60.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("\tin\t60\ta\t192.0.2.1", &["x. 60 A \\xc0\\x00\\x02\\x01"]),
    (
        "$ttl 9\na A 192.0.2.1\n$TTL 8\nb A 192.0.2.1",
        &["a.x. 9 A \\xc0\\x00\\x02\\x01", "b.x. 8 A \\xc0\\x00\\x02\\x01"],
    ),
    (
        "$origin s\na A 192.0.2.1\n$ORIGIN @\nb A 192.0.2.1",
        &["a.s.x. 300 A \\xc0\\x00\\x02\\x01", "b.s.x. 300 A \\xc0\\x00\\x02\\x01"],
    ),
    ("$ORIGIN (\ns )\na A 192.0.2.1", &["a.s.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a CLASS1 TYPE1 192.0.2.1", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a class1 type1 \\# 04 c 00002 01", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a TYPE65280 \\# ( 2 ab\n cd )", &["a.x. 300 TYPE65280 \\xab\\xcd"]),
    ("a TYPE65280 \\# 0", &["a.x. 300 TYPE65280 "]),
    ("a TXT \"\\#\" b", &["a.x. 300 TXT \\x01#\\x01b"]),
    ("\\$a A 192.0.2.1", &["\\$a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a A 192.0.2.1\r\r\n;\0\r\n", &["a.x. 300 A \\xc0\\x00\\x02\\x01"]),
    ("a 2147483648 A 192.0.2.1", &["a.x. 0 A \\xc0\\x00\\x02\\x01"]),
    ("a TXT \"b\nc\" d", &["a.x. 300 TXT \\x03b\\nc\\x01d"]),
    ("a TXT \"b\\\nc\"", &["a.x. 300 TXT \\x03b\\nc"]),
    ("a TXT ( ; c\n\"b\n\nc\"\nd ; e\n)", &["a.x. 300 TXT \\x04b\\n\\nc\\x01d"]),
    ("a TXT \u{e9}", &["a.x. 300 TXT \\x02\\xc3\\xa9"]),
];

/// Lines behind [`HEAD`] that are refused.
const REFUSED: &[&str] = &[
    "a TXT ( b ( c )",
    "a TXT b\\\nc A 192.0.2.1",
    "a SVCB 1 alpn=\"h2\"",
    "a TXT \"b\nc TXT \"d\"",
    "a TXT \"b\n; c\"",
    "a TXT b\\",
    "a TXT b\"c",
    "a\"b\" A 192.0.2.1",
    "a CAA 0 issue c\"a\"",
    "a 60 60 A 192.0.2.1",
    "a 60 IN 60 A 192.0.2.1",
    "a IN IN A 192.0.2.1",
    "a IN 60 IN A 192.0.2.1",
    "a A 60 192.0.2.1",
    "a CLASS3 A 192.0.2.1",
    "a\u{c}A\u{c}192.0.2.1",
    "\u{c}\na A 192.0.2.1",
    "a TXT b\0c",
    "a TXT \"b\0c\"",
    "\0\na A 192.0.2.1",
    "a A 192.0.2.1\rb A 192.0.2.2",
    "a\rA 192.0.2.1",
    " $TTL 60\na A 192.0.2.1",
    "$a A 192.0.2.1",
    "$ORIGIN \"x.\"",
    "$ORIGIN x. y.",
    "$TTL 1 2",
    "$TTL 4294967296",
    "a 4294967296 A 192.0.2.1",
    "a TYPE65280 \"\\#\" 4 c0000201",
    "a TYPE65280 \\# 3 c0000201",
    "a TYPE65280 \\# 4 0xc0000201",
    "a TYPE65280 \\#",
    "a A \\# 3 c00002",
    "a \\A 192.0.2.1",
    "a TXT \\256",
    "a TXT \\25",
    "\u{1a}",
];

#[test]
fn what_is_taken_gives_these_records() {
    for &(lines, expected) in TAKEN {
        let (records, report) = read(&format!("{HEAD}{lines}"));
        assert!(!report.has_errors(), "{lines:?}: {:?}", report.findings);
        let behind: Vec<_> = records[2..].iter().map(String::as_str).collect();
        assert_eq!(behind, expected, "{lines:?}");
    }
}

#[test]
fn what_is_refused_is_an_error() {
    for lines in REFUSED {
        assert!(read(&format!("{HEAD}{lines}\n")).1.has_errors(), "{lines:?}");
    }
}

#[test]
fn where_the_others_agree_so_does_this_server() {
    let checkers = ["named-checkzone", "nsd-checkzone", "kzonecheck"].map(peers::find);
    let [Some(bind), Some(nsd), Some(knot)] = checkers else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.zone");
    let cases = TAKEN.iter().map(|case| case.0).chain(REFUSED.iter().copied());
    for lines in cases {
        let text = format!("$ORIGIN x.\n{HEAD}{lines}\n");
        std::fs::write(&file, &text).unwrap();
        let theirs = [
            takes(&bind, &["-q", "-k", "ignore", "-i", "none", "x."], &file),
            takes(&nsd, &["x."], &file),
            takes(&knot, &["-o", "x."], &file),
        ];
        let ours = !read(&text).1.has_errors();
        assert!(theirs.contains(&ours), "{lines:?}: {ours}, and the others say {theirs:?}");
    }
}

#[test]
fn bind_reads_the_same_records() {
    let Some(program) = peers::find("named-compilezone") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("x.zone"), folder.path().join("out"));
    for (lines, _) in TAKEN {
        let text = format!("$ORIGIN x.\n{HEAD}{lines}\n");
        std::fs::write(&file, &text).unwrap();
        let arguments = ["-q", "-k", "ignore", "-i", "none", "-s", "full", "-o"];
        let mut command = Command::new(&program);
        let ran = command.args(arguments).arg(&out).arg("x.").arg(&file).output().unwrap();
        let theirs = std::fs::read_to_string(&out).unwrap_or_default();
        if ran.status.success() && !lines.contains("\"@\"") {
            assert_eq!(sorted(&text), sorted(&theirs), "{lines:?}");
        }
    }
}

fn takes(program: &Path, arguments: &[&str], file: &Path) -> bool {
    Command::new(program).args(arguments).arg(file).output().unwrap().status.success()
}
