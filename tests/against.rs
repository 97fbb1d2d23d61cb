//! `zonesmith check --against`: is the serial raised, compared with files and with what a server
//! answers? And what is said where there is nothing to compare with.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::thread::{JoinHandle, spawn};
use support::program::{Ended, ended, folder, free_port, free_sockets, write, zonesmith};
use support::server::{DEADLINE, Server};
use tempfile::TempDir;

/// A zone of three records; its origin is the file's name.
const ZONE: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.1\n";
/// The exit code when an error was found.
const FOUND: Option<i32> = Some(2);

/// The zone with another serial.
fn serial(number: u32) -> String {
    ZONE.replace(" 7 ", &format!(" {number} "))
}

/// The zone with another address.
fn changed(zone: &str) -> String {
    zone.replace("192.0.2.1", "192.0.2.2")
}

/// A folder with `new/a.zone`, and `old/a.zone` if there is one.
fn versions(new: &str, old: Option<&str>) -> TempDir {
    let folder = folder();
    for name in ["new", "old"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    write(&folder.path().join("new"), &[("a.zone", new)]);
    if let Some(old) = old {
        write(&folder.path().join("old"), &[("a.zone", old), ("b.zone", ZONE)]);
    }
    folder
}

fn check(folder: &TempDir, arguments: &[&str]) -> Ended {
    ended(zonesmith().args(["check", "new"]).args(arguments).current_dir(folder.path()))
}

/// The lines of `check --format short` with these versions.
fn found(new: &str, old: &str) -> String {
    let folder = versions(new, Some(old));
    check(&folder, &["--format", "short", "--against", "old"]).stdout
}

//----------- Files ----------------------------------------------------------------------------------

#[test]
fn a_content_that_changed_needs_a_higher_serial() {
    let same = found(&changed(ZONE), ZONE);
    let expected =
        "new/a.zone:1:20: warning[Z004]: the content changed, the serial did not: old has 7, too\n";
    assert_eq!(same, expected);
    let back = found(&serial(6), ZONE);
    assert_eq!(
        back,
        "new/a.zone:1:20: warning[Z005]: the serial went back: old has 7, this is 6\n"
    );
    assert_eq!(found(&changed(&serial(8)), ZONE), "");
    assert_eq!(found(ZONE, ZONE), "", "nothing changed, nothing to raise");
    assert_eq!(found(&serial(8), ZONE), "", "raised for nothing does no harm");
    assert_eq!(found(&serial(1), &serial(u32::MAX)), "", "serials go round (RFC 1982)");
}

#[test]
fn what_the_server_would_hold_back_is_an_error() {
    let host = |n: usize| format!("w{n} 300 A 192.0.2.1\n");
    let zone = |number, count| serial(number) + &(0..count).map(host).collect::<String>();
    let half = "error[Z010]: more than half of the records are gone: 13 are left of 203";
    assert_eq!(found(&zone(8, 10), &zone(7, 200)), format!("new/a.zone:1:20: {half}\n"));
    let cut = "error[Z011]: the last line has no line end, and of 13 records 12 are left";
    let short = found(zone(8, 9).trim_end(), &zone(7, 10));
    assert!(short.contains(cut) && short.contains("note[Z007]"), "{short}");
    let allowed = zone(8, 10).replace("5m\n", "5m ; zonesmith: allow(Z010)\n");
    assert_eq!(found(&allowed, &zone(7, 200)), "");
}

#[test]
fn people_see_the_serial_underlined_and_the_next_one() {
    let folder = versions(&changed(ZONE), Some(ZONE));
    let run = check(&folder, &["--against", "old/a.zone"]);
    let expected = "\
warning[Z004]: the content changed, the serial did not: old/a.zone has 7, too
 --> new/a.zone:1:20
  |
1 | @ 300 SOA ns admin 7 1d 1h 1w 5m
  |                    ^
  |
  = help: write 8, or secondaries keep the old zone

new/a.zone: a. serial 7, 3 records; old/a.zone has serial 7
1 file: 0 errors, 1 warning
";
    assert_eq!(run.stdout, expected);
    assert_eq!(run.code, Some(0));
    assert_eq!(check(&folder, &["--strict", "--against", "old"]).code, FOUND);
}

#[test]
fn a_comment_at_the_soa_silences_it() {
    let allowed = changed(ZONE).replace("5m\n", "5m ; zonesmith: allow(Z004)\n");
    assert_eq!(found(&allowed, ZONE), "");
}

#[test]
fn a_zone_that_is_not_there_is_a_note_and_one_with_errors_an_error() {
    let folder = versions(ZONE, Some(ZONE));
    let run = check(&folder, &["--strict", "--against", "old/b.zone"]);
    assert!(run.stdout.contains("note[Z009]: old/b.zone does not hold a."), "{}", run.stdout);
    assert!(run.stdout.ends_with("1 file: 0 errors, 0 warnings, 1 note\n"), "{}", run.stdout);
    assert_eq!(run.code, Some(0));
    write(&folder.path().join("old"), &[("a.zone", "@ 300 SOA ns admin 7 1d 1h 1w 5m\n@ A\n")]);
    let run = check(&folder, &["--against", "old"]);
    assert!(run.stdout.contains("error[Z008]: old/a.zone has errors"), "{}", run.stdout);
    assert!(run.stdout.contains("`zonesmith check old/a.zone` shows them"), "{}", run.stdout);
    assert_eq!(run.code, FOUND);
}

#[test]
fn what_is_no_version_of_anything_says_what_to_write() {
    let folder = versions(ZONE, None);
    for (text, says) in [
        ("old", "it holds no zone; name a zone file or a folder"),
        ("gone/a.zone", "there is no such file or folder"),
        ("127.0.0.1:99999", "99999 is no port"),
        ("127.0.0.1:99999", "as in 127.0.0.1:5300, [::1]:5300 or ns1.example.edu"),
    ] {
        let run = check(&folder, &["--against", text]);
        let line = run.stdout.lines().next().unwrap();
        assert!(line.starts_with(&format!("error[Z008]: {text}: nothing is compared")), "{line}");
        assert!(line.contains(says), "{line}");
        assert!(run.stdout.contains("new/a.zone: a. serial 7"), "it is checked all the same");
        assert_eq!(run.code, FOUND);
    }
}

//----------- Servers --------------------------------------------------------------------------------

/// What `check --format short` says of `new` where a server serves `old/`.
fn served(new: &str, old: &str) -> String {
    let folder = versions(new, Some(old));
    let server = Server::start(&folder.path().join("old"), &[]).unwrap();
    let address = server.address.to_string();
    let run = check(&folder, &["--format", "short", "--against", &address]);
    server.stop().unwrap();
    run.stdout.replace(&address, "SERVER")
}

#[test]
fn a_server_tells_its_serial() {
    let back = served(&serial(6), ZONE);
    assert_eq!(
        back,
        "new/a.zone:1:20: warning[Z005]: the serial went back: SERVER has 7, this is 6\n"
    );
    let timers = ZONE.replace("1w", "2w");
    assert!(served(&timers, ZONE).contains("warning[Z004]"), "the SOA itself differs");
    assert_eq!(served(&ZONE.replace("admin", "ADMIN"), ZONE), "", "names have no case");
    assert_eq!(served(ZONE, ZONE), "", "most likely it was not touched");
    assert_eq!(served(&serial(8), ZONE), "");
}

#[test]
fn people_see_what_the_server_has() {
    let folder = versions(&serial(8), Some(ZONE));
    write(&folder.path().join("new"), &[("c.zone", ZONE)]);
    let server = Server::start(&folder.path().join("old"), &[]).unwrap();
    let address = server.address.to_string();
    let run = check(&folder, &["--against", &address]);
    server.stop().unwrap();
    let line = format!("new/a.zone: a. serial 8, 3 records; {address} has serial 7\n");
    assert!(run.stdout.contains(&line), "{}", run.stdout);
    let note = format!("note[Z009]: {address} does not hold c.: it refuses the question");
    assert!(run.stdout.contains(&note), "{}", run.stdout);
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_server_that_cannot_serve_the_zone_is_an_error() {
    let folder = versions(ZONE, Some("@ 300 SOA ns admin 7 1d 1h 1w 5m\n@ A\n"));
    let server = Server::start(&folder.path().join("old"), &[]).unwrap();
    let run = check(&folder, &["--against", &server.address.to_string()]);
    server.stop().unwrap();
    assert!(run.stdout.contains("it answers SERVFAIL; its log may say why"), "{}", run.stdout);
    assert_eq!(run.code, FOUND);
}

#[test]
fn where_nobody_listens_is_said_once() {
    let folder = versions(ZONE, None);
    write(&folder.path().join("new"), &[("b.zone", ZONE)]);
    let address = format!("127.0.0.1:{}", free_port());
    let run = check(&folder, &["--format", "short", "--against", &address]);
    let expected = format!("{address} does not answer: no server listens there\n");
    assert!(run.stdout.ends_with(&expected), "{}", run.stdout);
    assert_eq!((run.stdout.lines().count(), run.code), (1, FOUND));
}

//----------- Servers that do not behave -------------------------------------------------------------

/// A server for one test: it sends these messages, in this order, for the first datagram that comes,
/// and the last of them over TCP. Each is made of the query.
type Replies = Vec<fn(&[u8]) -> Vec<u8>>;

fn odd_server(replies: Replies, over_tcp: bool) -> (SocketAddr, JoinHandle<()>) {
    let (udp, tcp) = free_sockets();
    let address = udp.local_addr().unwrap();
    udp.set_read_timeout(Some(DEADLINE)).unwrap();
    let thread = spawn(move || {
        let mut query = [0; 512];
        let (len, client) = udp.recv_from(&mut query).unwrap();
        let (last, first) = replies.split_last().unwrap();
        for reply in first {
            udp.send_to(&reply(&query[..len]), client).unwrap();
        }
        if !over_tcp {
            udp.send_to(&last(&query[..len]), client).unwrap();
            return;
        }
        let (mut stream, _) = tcp.accept().unwrap();
        let mut asked = vec![0; len + 2];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(asked[2..], query[..len], "the same question again");
        let answer = last(&asked[2..]);
        for octet in [&u16::try_from(answer.len()).unwrap().to_be_bytes(), &answer[..]].concat() {
            stream.write_all(&[octet]).unwrap();
        }
    });
    (address, thread)
}

/// An authoritative answer with serial 9.
fn nine(query: &[u8]) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2..8].copy_from_slice(&[0x84, 0, 0, 1, 0, 1]);
    answer.extend(b"\xc0\x0c\0\x06\0\x01\0\0\x01\x2c\0\x1e\xc0\x0c\x05admin\xc0\x0c");
    answer.extend([0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    answer
}

fn with(query: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut answer = nine(query);
    change(&mut answer);
    answer
}

fn ask_odd(replies: Replies, over_tcp: bool) -> String {
    let folder = versions(ZONE, None);
    let (address, thread) = odd_server(replies, over_tcp);
    let run = check(&folder, &["--format", "short", "--against", &address.to_string()]);
    thread.join().unwrap();
    run.stdout
}

#[test]
fn only_what_answers_the_question_counts() {
    let told = ask_odd(
        vec![
            |query| with(query, |answer| answer[0] ^= 1), // another number
            |query| with(query, |answer| answer[2] = 4),  // no response
            |query| with(query, |answer| answer[13] = b'z'), // another question
            |_| Vec::new(),
            |_| vec![0xff; 4],
            nine,
        ],
        false,
    );
    assert!(told.contains("warning[Z005]") && told.contains("has 9, this is 7"), "{told}");
}

#[test]
fn an_answer_that_is_cut_is_asked_for_over_tcp() {
    let cut = |query: &[u8]| with(query, |answer| answer[2] |= 2);
    let told = ask_odd(vec![cut, nine], true);
    assert!(told.contains("has 9, this is 7"), "{told}");
}

#[test]
fn an_answer_from_a_cache_is_none() {
    let cached = |query: &[u8]| with(query, |answer| answer[2] = 0x80);
    let told = ask_odd(vec![cached], false);
    assert!(told.contains("error[Z008]") && told.contains("name one of the zone's own"), "{told}");
}

#[test]
fn a_name_that_points_at_itself_is_no_answer() {
    let circle = |query: &[u8]| with(query, |answer| answer[query.len() + 1] = 17);
    let told = ask_odd(vec![circle], false);
    assert!(told.contains("error[Z008]") && told.contains("something else"), "{told}");
}

/// Takes seconds, so only in the long run.
#[test]
fn a_server_that_says_nothing_is_given_up() {
    if std::env::var_os("ZONESMITH_LONG").is_none() {
        return;
    }
    let folder = versions(ZONE, None);
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let run = check(&folder, &["--against", &address]);
    assert!(run.stdout.contains("does not answer: no answer within 6 seconds"), "{}", run.stdout);
    assert_eq!(run.code, FOUND);
}
