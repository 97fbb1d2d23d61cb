//! The fuzz targets' properties over their corpus, without a fuzzer: what it once found stays found.
//!
//! `tests/fuzz/Cargo.toml` says how to run the fuzzer itself. Each file here is one input; a name that
//! says what was wrong marks one that once broke a property.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "fuzz/network.rs"]
mod network;
#[path = "fuzz/properties.rs"]
mod properties;
#[path = "fuzz/reloading.rs"]
#[allow(dead_code, reason = "another test makes up edits of its own")]
mod reloading;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.collect();
    assert!(files.len() > 5, "{} files", files.len());
    for file in files {
        let octets = std::fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| property(&octets));
        assert!(outcome.is_ok(), "{}", file.display());
    }
}

#[test]
fn zone_files() {
    replay("zonefile", properties::zonefile);
}

#[test]
fn record_data() {
    replay("rdata_text", properties::rdata_text);
}

#[test]
fn names() {
    replay("name_text", properties::name_text);
}

#[test]
fn record_data_as_octets() {
    replay("rdata_wire", properties::rdata_wire);
}

#[test]
fn messages() {
    replay("respond", network::respond);
}

#[test]
fn signed_messages() {
    replay("signed", network::signed);
}

#[test]
fn requests() {
    replay("request", network::request);
}

#[test]
fn streams() {
    replay("framing", network::framing);
}

#[test]
fn edits() {
    replay("reload", |octets| {
        reloading::reload(octets);
    });
    let values = include_bytes!("fuzz/corpus/reload/values");
    assert_eq!(reloading::reload(values), 2, "they are read in parts");
}

/// The octets of each shape: time that grows with their square would be minutes.
fn len() -> usize {
    if std::env::var_os("ZONESMITH_LONG").is_some() { 4 << 20 } else { 1 << 18 }
}

/// Each shape is read in a fraction of that.
const DEADLINE: Duration = Duration::from_secs(60);

/// Shapes that a reader may go through again and again: each is repeated to fill the length.
const SHAPES: [(&str, &str); 17] = [
    ("open parentheses", "("),
    ("pairs of parentheses", "()\n"),
    ("closing parentheses", " )\n"),
    ("parentheses opened on each line", "a TXT ( b\n"),
    ("indented lines behind an open one", "( \n "),
    ("one long word", "x"),
    ("one long string", "\\\""),
    ("quotes", "\"\n"),
    ("quotes in words", "a\"b\"\n"),
    ("quotes left open", "a TXT \"b\nc TXT d\n"),
    ("backslashes", "\\\n"),
    ("words of one record", "a b "),
    ("strings of one record", "\"a\" "),
    ("blanks", " \t"),
    ("comments", ";\n"),
    ("errors", "a 1 A 1\n"),
    ("carriage returns", "\r"),
];

#[test]
fn no_shape_takes_quadratic_time() {
    for (name, shape) in SHAPES {
        let head = "$TTL 300\n@ SOA ns.e. a.e. 1 2 3 4 5\n@ NS ns.e.\n";
        let body = shape.repeat(len() / shape.len());
        for text in [body.clone(), format!("{head}{body}"), format!("{head}a TXT {body}")] {
            ends(name, text);
        }
    }
}

/// Text with so many parts.
type Repeated = fn(usize) -> String;

/// Data of records whose parts may be compared with each other: keys of services and of lists in them,
/// types in bitmaps, blocks of addresses, servers. Each is as long as
/// record data may be, and then much longer.
const DATA: [(&str, Repeated); 9] = [
    ("SVCB 1 .", |n| format!(" key{}", 1000 + n % 60_000)),
    ("SVCB 1 . mandatory=port", |n| format!(",key{}", 1000 + n % 60_000)),
    ("SVCB 1 . alpn=a", |_| ",b".into()),
    ("HTTPS 1 . ipv6hint=::1", |n| format!(",::{:x}", n % 65_536)),
    ("NSEC a", |n| format!(" TYPE{}", n % 65_536)),
    ("APL", |n| format!(" 1:10.{}.{}.0/24", n / 256 % 256, n % 256)),
    ("HIP 2 AA AA", |n| format!(" s{n}.e.")),
    ("LOC 1", |n| format!(" {n}")),
    ("TYPE1000 \\# 60000", |n| format!(" {n:04x}")),
];

#[test]
fn no_record_data_take_quadratic_time() {
    for (head, part) in DATA {
        let start = "$TTL 300\n@ SOA ns.e. a.e. 1 2 3 4 5\n@ NS ns.e.\n";
        for parts in [8000, len() / 4] {
            let long: String = (0..parts).map(part).collect();
            ends(head, format!("{start}a {head}{long}\n"));
        }
    }
}

/// Records that a zone may compare with each other again and again.
#[test]
fn no_zone_takes_quadratic_time() {
    let line: [fn(usize) -> String; 7] = [
        |_| "a A 192.0.2.1\n".into(),
        |number| format!("a TXT {number}\n"),
        |number| format!("a TYPE{} \\# 0\n", 1000 + number % 60_000),
        |number| format!("a{number}.{} A 192.0.2.1\n", "b.".repeat(100)),
        |number| format!("a{number} CNAME a{}\n", number + 1),
        |number| format!("c{number} NS ns.c{number}\nns.c{number} A 192.0.2.1\n"),
        |number| format!("out{number}.e. A 192.0.2.1\n"),
    ];
    for line in line {
        let mut text = "$TTL 300\n@ SOA ns.e. a.e. 1 2 3 4 5\n@ NS ns.e.\n".to_string();
        let mut number = 0;
        while text.len() < len() / 4 {
            let _ = write!(text, "{}", line(number));
            number += 1;
        }
        ends(&line(1), text);
    }
}

/// Reads a text, shows what is found in it and lays it out, before the deadline.
fn ends(what: &str, text: String) {
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let (_, report) = properties::read(text.as_bytes());
        zonesmith::diag::render::report(&report, false);
        zonesmith::zonefile::format::lay_out(text.as_bytes());
        done.send(())
    });
    assert_eq!(waits.recv_timeout(DEADLINE), Ok(()), "{what}");
}
