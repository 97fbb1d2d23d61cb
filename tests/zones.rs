//! zones/ is what a newcomer serves first: do other servers' checkers and our own find it clean,
//! and do the lecture's commands print what the lecture prints?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::peers;
use support::server::Server;

/// The name servers of smith.edu, in the order of the lecture's transcript.
const SMITH_SERVERS: [&str; 5] =
    ["ns1.smith.edu.", "ns1.umass.edu.", "babel.smith.edu.", "ns2.umass.edu.", "ns3.umass.edu."];
/// The same for concordia.ca.
const CONCORDIA_SERVERS: [&str; 5] = [
    "ns-a.concordia.ca.",
    "ns1.zonerisq.ca.",
    "ns-b.concordia.ca.",
    "ns1.cc.umanitoba.ca.",
    "ns2.zonerisq.ca.",
];

#[test]
fn our_own_check_finds_them_clean() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonesmith"));
    let output = command.arg("check").arg(folder()).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(shown(&output).contains("6 files: 0 errors, 0 warnings"), "{}", shown(&output));
}

#[test]
fn named_checkzone_finds_them_clean() {
    each_is_clean("named-checkzone", |origin| vec!["-i".into(), "none".into(), origin]);
}

#[test]
fn nsd_checkzone_finds_them_clean() {
    each_is_clean("nsd-checkzone", |origin| vec![origin]);
}

#[test]
fn kzonecheck_finds_them_clean() {
    each_is_clean("kzonecheck", |origin| vec!["-o".into(), origin]);
}

#[test]
fn nslookup_shows_the_five_name_servers() {
    for (zone, servers) in [("smith.edu", SMITH_SERVERS), ("concordia.ca", CONCORDIA_SERVERS)] {
        let Some(lines) = nslookup(&["-type=ns", zone]) else { return };
        let expected = servers.map(|server| format!("{zone} nameserver = {server}"));
        assert_eq!(lines, expected);
    }
}

#[test]
fn nslookup_shows_addresses_aliases_and_mail_servers() {
    let transcripts: [(&[&str], &[&str]); 6] = [
        (&["smith.edu"], &["Name: smith.edu", "Address: 131.229.64.19"]),
        (&["science.smith.edu"], &["Name: science.smith.edu", "Address: 131.229.64.139"]),
        (&["-type=cname", "mail.smith.edu"], &["mail.smith.edu canonical name = ghs.google.com."]),
        (
            &["-type=mx", "smith.edu"],
            &[
                "smith.edu mail exchanger = 10 mx1.smith.edu.",
                "smith.edu mail exchanger = 20 mx2.smith.edu.",
            ],
        ),
        (&["concordia.ca"], &["Name: concordia.ca", "Address: 132.205.244.185"]),
        (&["131.229.64.19"], &["19.64.229.131.in-addr.arpa name = smith.edu."]),
    ];
    for (question, expected) in transcripts {
        let Some(lines) = nslookup(question) else { return };
        assert_eq!(lines, expected, "nslookup {}", question.join(" "));
    }
}

#[test]
fn dig_shows_the_lectures_header() {
    let Some(dig) = peers::find("dig") else { return };
    let ask = |arguments: &[&str]| {
        let server = Server::start(&folder(), arguments).unwrap();
        let port = server.address.port().to_string();
        let output = Command::new(&dig).args(["@127.0.0.1", "-p", &port, "smith.edu"]).output();
        server.stop().unwrap();
        shown(&output.unwrap())
    };
    let text = ask(&[]);
    assert!(
        text.contains("flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1"),
        "{text}"
    );
    let text = ask(&["--minimal-responses", "no"]);
    assert!(
        text.contains("flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 5, ADDITIONAL: 6"),
        "{text}"
    );
    let lines: Vec<String> = text.lines().map(one_space).collect();
    for server in SMITH_SERVERS {
        assert!(lines.contains(&format!("smith.edu. 21600 IN NS {server}")), "{text}");
    }
    for address in
        ["ns1.umass.edu. 21600 IN A 128.119.10.27", "babel.smith.edu. 21600 IN A 131.229.64.2"]
    {
        assert!(lines.contains(&address.to_string()), "{text}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones")
}

/// Runs a checker on each file; `before` gives what stands before the file's name.
fn each_is_clean(program: &str, before: impl Fn(String) -> Vec<String>) {
    let Some(checker) = peers::find(program) else { return };
    let mut checked = 0;
    for entry in folder().read_dir().unwrap() {
        let path = entry.unwrap().path();
        let origin = path.file_stem().unwrap().to_str().unwrap().to_string();
        let output = Command::new(&checker).args(before(origin)).arg(&path).output().unwrap();
        assert!(output.status.success(), "{program} {}: {}", path.display(), shown(&output));
        checked += 1;
    }
    assert_eq!(checked, 6);
}

/// What nslookup prints below its two lines about the server, spaces made one; `None` without it.
/// Nothing may be called non-authoritative.
fn nslookup(question: &[&str]) -> Option<Vec<String>> {
    let program = peers::find("nslookup")?;
    let server = Server::start(&folder(), &[]).unwrap();
    let port = format!("-port={}", server.address.port());
    let output = Command::new(program).arg(port).args(question).arg("127.0.0.1").output().unwrap();
    server.stop().unwrap();
    let text = shown(&output);
    assert!(output.status.success() && !text.contains("Non-authoritative"), "{text}");
    let lines = text.lines().map(one_space).filter(|line| !line.is_empty());
    let about_server = |line: &String| line.starts_with("Server:") || line.contains('#');
    Some(lines.filter(|line| !about_server(line)).collect())
}

fn one_space(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}
