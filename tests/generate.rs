//! `$GENERATE` as BIND understands it: the same lines give the same records.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::process::Command;
use support::peers;
use support::zone_text::{read, sorted};
use zonesmith::diag::Report;

const HEAD: &str =
    "$TTL 300\n@ SOA ns.elsewhere. admin 1 7200 900 1209600 60\n@ NS ns.elsewhere.\n";

/// Lines that BIND takes.
const TAKEN: [&str; 16] = [
    "$GENERATE 1-3 h$ A 192.0.2.$",
    "$GENERATE 1-9/4 h${-1,3} 60 A 192.0.2.${1}",
    "$GENERATE 9-10 h${0,2,x}.${0,3,o}.${0,4,X} IN A 192.0.2.1",
    "$GENERATE 255-257 ${0,1,N}.${0,7,n}.${0,0,n} A 192.0.2.1",
    "$GENERATE 254-256 ${0,8,n}x A 192.0.2.1",
    "$GENERATE 0-1 h${-1,3} A 192.0.2.1",
    "$GENERATE 0-1 h${-1,0,x}.${-1,0,n} A 192.0.2.1",
    "$GENERATE 0-1 a$$b\\$c\\\\$ IN 60 A 192.0.2.1",
    "$GENERATE 0-1 a$ MX \"10 m$\"",
    "$GENERATE 0-1 a$ TXT \"\\\"x $\\\" y\\;z \\\\$ \\$ $$\"",
    "$GENERATE 0-1 a$ TYPE65280 \"\\# 1 0$\"",
    "$generate 1-2 a$ PTR \"( b$ ) ; c\"",
    "$GENERATE 1-2 @ A 192.0.2.$",
    "$GENERATE 1-2 a${0,60} A 192.0.2.$",
    "$GENERATE 2147483646-2147483647 a$ A 192.0.2.1",
    "$GENERATE 1-2 a$ 60 A 192.0.2.1\n  A 192.0.2.2\nb A 192.0.2.3",
];

/// Lines that BIND refuses.
const REFUSED: [&str; 15] = [
    "$GENERATE 0-1 a$ TXT \"b\\\nc\"",
    "$GENERATE 0-1/0 a$ A 192.0.2.1",
    "$GENERATE 1-0 a$ A 192.0.2.1",
    "$GENERATE 1 a$ A 192.0.2.1",
    "$GENERATE 1-2/ a$ A 192.0.2.1",
    "$GENERATE 1-2 a${1,2,d,4} A 192.0.2.1",
    "$GENERATE 1-2 a${x} A 192.0.2.1",
    "$GENERATE 1-2 a${1 A 192.0.2.1",
    "$GENERATE 1-2 a${1,2,q} A 192.0.2.1",
    "$GENERATE 1-2 \"a$\" A 192.0.2.1",
    "$GENERATE 2147483647-2147483648 a$ A 192.0.2.1",
    "$GENERATE 1-2 a$ MX 10 m$",
    "$GENERATE 1-2 a$ 1$ A 192.0.2.1",
    "$GENERATE 255-256 a$ A 192.0.2.$",
    "$GENERATE 1-2 a..$ A 192.0.2.$",
];

/// The records in an order of their own, and what was found.
fn records(text: &str) -> (Vec<String>, Report) {
    (sorted(text), read(text).1)
}

/// The zone as BIND writes it out; `None` if it refuses it.
fn compiled(text: &str) -> Option<String> {
    let program = peers::find("named-compilezone")?;
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("zone"), folder.path().join("out"));
    std::fs::write(&file, text).unwrap();
    let arguments = ["-q", "-k", "ignore", "-i", "none", "-s", "full", "-o"];
    let mut command = Command::new(program);
    let status = command.args(arguments).arg(&out).arg("x.").arg(&file).output().unwrap().status;
    status.success().then(|| std::fs::read_to_string(out).unwrap())
}

#[test]
fn the_records_are_those_that_bind_generates() {
    if peers::find("named-compilezone").is_none() {
        return;
    }
    for line in TAKEN {
        let text = format!("{HEAD}{line}\n");
        let (found, report) = records(&text);
        assert!(report.findings.is_empty(), "{line}: {:?}", report.findings);
        let theirs = compiled(&text).unwrap_or_else(|| panic!("BIND refuses {line}"));
        assert_eq!(found, records(&theirs).0, "{line}");
        assert!(found.len() > 2, "{line}");
    }
}

#[test]
fn what_bind_refuses_is_refused() {
    if peers::find("named-compilezone").is_none() {
        return;
    }
    for line in REFUSED {
        let text = format!("{HEAD}{line}\n");
        assert_eq!(records(&text).1.findings.len(), 1, "{line}");
        assert!(compiled(&text).is_none(), "BIND takes {line}");
    }
}

#[test]
fn the_last_ttl_goes_on_behind_it_and_the_owner_does_not() {
    let text =
        "@ 7 SOA ns. a. 1 2 3 4 5\n@ NS ns.\n$GENERATE 1-1 a$ 60 A 192.0.2.1\n A 192.0.2.2\n";
    let (found, _) = records(text);
    assert!(found.iter().any(|record| record.starts_with("x. 60 A")), "{found:?}");
    if peers::find("named-compilezone").is_some() {
        assert_eq!(found, records(&compiled(text).unwrap()).0);
    }
}

#[test]
fn an_offset_holds_for_its_own_braces() {
    let (found, _) = records("$TTL 1\n$GENERATE 1-1 ${4}-$ A 192.0.2.1\n");
    assert!(found[0].starts_with("5-1.x. "), "{found:?}"); // BIND 9.18 generates 5-5
}

#[test]
fn much_text_comes_to_an_end() {
    let strings = vec!["t".repeat(250); 100].join(" ");
    let (found, report) = read(&format!("$TTL 1\n$GENERATE 0-65535 a$ TXT \"{strings}\"\n"));
    assert!((1000..5000).contains(&found.len()), "{}", found.len());
    assert!(report.findings[0].message.contains("64 MiB"), "{:?}", report.findings[0]);
}
