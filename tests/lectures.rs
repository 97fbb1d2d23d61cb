//! The transcripts of the lectures: asked the same questions, with the tools of the lectures, the
//! server gives the answers that the notes print, and gives them with authority.
//!
//! Two things differ, and must: the lectures asked a server that also resolves for its own campus,
//! so theirs shows `ra`, and the address of a name at google.com behind `mail.smith.edu`.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::path::{Path, PathBuf};
use support::peers;
use support::program::{ended, plain};
use support::server::Server;

fn zones() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones")
}

/// What a tool prints when it asks a server that was started with `arguments`, its columns set
/// apart by one space; `None` if the tool is missing.
fn ask(tool: &str, server: &Server, words: &[&str]) -> Option<String> {
    let tool = peers::find(tool)?;
    let port = server.address.port();
    let mut command = plain(&tool);
    match tool.ends_with("dig") {
        true => command.args(["@127.0.0.1", "-p", &port.to_string()]).args(words),
        false => command.arg(format!("-port={port}")).args(words).arg("127.0.0.1"),
    };
    let printed = ended(&mut command).stdout;
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(printed.lines().map(squeezed).collect::<Vec<_>>().join("\n"))
}

/// nslookup prints the server, then exactly this; nothing says "Non-authoritative answer".
fn nslookup_prints(words: &[&str], expected: &[&str]) {
    let server = Server::start(&zones(), &[]).unwrap();
    let Some(printed) = ask("nslookup", &server, words) else { return };
    let head =
        ["Server: 127.0.0.1".into(), format!("Address: 127.0.0.1#{}", server.address.port())];
    let lines: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> =
        lines.into_iter().filter(|line| !head.contains(&(*line).into())).collect();
    assert_eq!(lines, expected, "{printed}");
}

#[test]
fn the_five_name_servers_of_smith_edu_in_their_order() {
    nslookup_prints(
        &["-type=ns", "smith.edu"],
        &[
            "smith.edu nameserver = ns1.smith.edu.",
            "smith.edu nameserver = ns1.umass.edu.",
            "smith.edu nameserver = babel.smith.edu.",
            "smith.edu nameserver = ns2.umass.edu.",
            "smith.edu nameserver = ns3.umass.edu.",
        ],
    );
}

#[test]
fn who_takes_the_mail_of_smith_edu() {
    nslookup_prints(
        &["-type=mx", "smith.edu"],
        &[
            "smith.edu mail exchanger = 10 mx1.smith.edu.",
            "smith.edu mail exchanger = 20 mx2.smith.edu.",
        ],
    );
}

#[test]
fn an_alias_names_its_target() {
    nslookup_prints(
        &["-type=cname", "mail.smith.edu"],
        &["mail.smith.edu canonical name = ghs.google.com."],
    );
}

#[test]
fn an_alias_out_of_all_zones_ends_where_the_authority_ends() {
    nslookup_prints(
        &["mail.smith.edu"],
        &[
            "mail.smith.edu canonical name = ghs.google.com.",
            "** server can't find ghs.google.com: REFUSED",
        ],
    );
}

#[test]
fn a_host_has_its_address() {
    nslookup_prints(
        &["science.smith.edu"],
        &["Name: science.smith.edu", "Address: 131.229.64.139"],
    );
}

#[test]
fn an_address_has_its_name() {
    nslookup_prints(
        &["131.229.64.139"],
        &["139.64.229.131.in-addr.arpa name = science.smith.edu."],
    );
}

#[test]
fn localhost_has_both_its_addresses() {
    nslookup_prints(
        &["localhost"],
        &["Name: localhost", "Address: 127.0.0.1", "Name: localhost", "Address: ::1"],
    );
}

#[test]
fn concordia_ca_has_its_address_name_servers_and_mail() {
    nslookup_prints(&["concordia.ca"], &["Name: concordia.ca", "Address: 132.205.244.185"]);
    nslookup_prints(
        &["-type=ns", "concordia.ca"],
        &[
            "concordia.ca nameserver = ns-a.concordia.ca.",
            "concordia.ca nameserver = ns1.zonerisq.ca.",
            "concordia.ca nameserver = ns-b.concordia.ca.",
            "concordia.ca nameserver = ns1.cc.umanitoba.ca.",
            "concordia.ca nameserver = ns2.zonerisq.ca.",
        ],
    );
    nslookup_prints(
        &["-type=mx", "concordia.ca"],
        &["concordia.ca mail exchanger = 10 mx.concordia.ca."],
    );
}

/// The records of a section of dig's output.
fn section<'a>(printed: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!(";; {name} SECTION:");
    let lines = printed.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

const NAME_SERVERS: [&str; 5] = [
    "smith.edu. 21600 IN NS ns1.smith.edu.",
    "smith.edu. 21600 IN NS ns1.umass.edu.",
    "smith.edu. 21600 IN NS babel.smith.edu.",
    "smith.edu. 21600 IN NS ns2.umass.edu.",
    "smith.edu. 21600 IN NS ns3.umass.edu.",
];

/// The transcript's, but for three TTLs that had run down in a cache there.
const ADDRESSES: [&str; 5] = [
    "babel.smith.edu. 21600 IN A 131.229.64.2",
    "ns1.smith.edu. 21600 IN A 198.101.218.79",
    "ns1.umass.edu. 21600 IN A 128.119.10.27",
    "ns2.umass.edu. 21600 IN A 128.119.10.28",
    "ns3.umass.edu. 21600 IN A 128.103.38.68",
];

#[test]
fn dig_shows_an_authoritative_answer() {
    let server = Server::start(&zones(), &[]).unwrap();
    let Some(printed) = ask("dig", &server, &["smith.edu"]) else { return };
    let header = ";; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1";
    assert!(printed.lines().any(|line| line == header), "{printed}");
    assert_eq!(section(&printed, "ANSWER"), ["smith.edu. 21600 IN A 131.229.64.19"]);
}

#[test]
fn dig_shows_the_transcript_where_responses_are_not_minimal() {
    let server = Server::start(&zones(), &["--minimal-responses", "no"]).unwrap();
    let Some(printed) = ask("dig", &server, &["smith.edu"]) else { return };
    // the sixth is OPT, which the dig of 2018 did not send
    let header = ";; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 5, ADDITIONAL: 6";
    assert!(printed.lines().any(|line| line == header), "{printed}");
    assert_eq!(section(&printed, "ANSWER"), ["smith.edu. 21600 IN A 131.229.64.19"]);
    assert_eq!(section(&printed, "AUTHORITY"), NAME_SERVERS);
    let mut addresses = section(&printed, "ADDITIONAL");
    addresses.sort_unstable();
    assert_eq!(addresses, ADDRESSES);
}
