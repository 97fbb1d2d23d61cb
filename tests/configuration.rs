//! The configuration file: does the server do what it says, from the start and after each save, and
//! does a mistake in it cost nothing but a message?

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::program::{Ended, ended, folder, free_port, write, zonesmith};
use support::query::Transport;
use support::server::{Server, wait_until};
use tempfile::TempDir;
use zonesmith::name::{Name, NameBuf};

const ZONE: &str = "$TTL 300\n@ SOA ns admin 1 1d 1h 1w 5m\n@ NS ns\nns A 192.0.2.1\n";
const ZONES: &[(&str, &str)] = &[("zones/smith.edu.zone", ZONE), ("zones/lab.zone", ZONE)];
/// What a question gets that its asker may not ask.
const REFUSED: &str = "rcode 5";
/// The exit code of a wrong command line.
const COMMAND_LINE: Option<i32> = Some(2);

/// A folder with two zones and a configuration.
struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new(config: &str) -> Lab {
        let folder = folder();
        fs::create_dir(folder.path().join("zones")).unwrap();
        write(folder.path(), ZONES);
        let lab = Lab { folder };
        lab.save(config);
        lab
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("zonesmith.toml")
    }

    fn save(&self, config: &str) {
        fs::write(self.path(), config).unwrap();
    }

    fn start(&self, arguments: &[&str]) -> Server {
        let mut command = zonesmith();
        command.args(["serve", "--config"]).arg(self.path()).args(arguments);
        Server::start_as(command).unwrap()
    }

    /// Runs a server that cannot start.
    fn refused(&self) -> Ended {
        ended(zonesmith().args(["serve", "--config", "zonesmith.toml"]).current_dir(&self.folder))
    }
}

fn waits_for(server: &Server, words: &str) {
    assert!(wait_until(|| server.log().contains(words)), "no {words:?}:\n{}", server.log());
}

#[test]
fn what_flags_can_say_the_file_can_say_and_flags_win() {
    // paths begin at the file's folder; `--listen` of the test wins
    let lab = Lab::new(
        "zones = \"zones\"\nlisten = [\"192.0.2.7:5300\"]\nidentity = \"from the file\"\n",
    );
    let server = lab.start(&["--identity", "typed"]);
    assert_eq!(server.address_of("ns.smith.edu."), "192.0.2.1");
    waits_for(&server, "configuration: ");
    server.stop().unwrap();
    let lab = Lab::new("zones = [\"zones\"]\ndeny = [\"127.0.0.0/8\"]\n");
    let server = lab.start(&[]);
    assert_eq!(server.address_of("ns.smith.edu."), REFUSED);
    server.stop().unwrap();
}

#[test]
fn zones_have_rules_of_their_own() {
    let lab = Lab::new(
        "zones = \"zones\"\n[zone.\"*.edu\"]\ndeny = [\"127.0.0.1\"]\nallow-transfer = [\"127.0.0.1\"]\n",
    );
    let server = lab.start(&[]);
    assert_eq!(server.address_of("ns.smith.edu."), REFUSED);
    assert_eq!(server.address_of("ns.lab."), "192.0.2.1");
    lab.save("zones = \"zones\"\ndeny = [\"127.0.0.1\"]\n[zone.lab]\nallow = [\"127.0.0.1\"]\n");
    server.becomes("ns.smith.edu.", REFUSED);
    waits_for(&server, "holds from now on");
    server.becomes("ns.lab.", "192.0.2.1");
    server.stop().unwrap();
}

#[test]
fn a_save_holds_at_once_and_a_mistake_changes_nothing() {
    let lab = Lab::new("zones = \"zones\"\n");
    let server = lab.start(&[]);
    assert_eq!(server.address_of("ns.lab."), "192.0.2.1");
    lab.save("zones = \"zones\"\ndeny = [\"127.0.0.1\"]\n");
    server.becomes("ns.lab.", REFUSED);
    lab.save("zones = \"zones\"\ndeny = [\"127.0.0\"]\n");
    waits_for(&server, "cannot be used; what was said before goes on");
    waits_for(&server, "zonesmith.toml:2:9");
    assert_eq!(server.address_of("ns.lab."), REFUSED);
    // saved as editors do
    let new = lab.folder.path().join("new");
    fs::write(&new, "zones = \"zones\"\n").unwrap();
    fs::rename(&new, lab.path()).unwrap();
    server.becomes("ns.lab.", "192.0.2.1");
    lab.save("zones = \"zones\"\nremove-after = \"5s\"\ndeny = [\"127.0.0.1\"]\n");
    server.becomes("ns.lab.", REFUSED);
    waits_for(&server, "but for `remove-after`\n  a new start takes that over");
    fs::remove_file(lab.path()).unwrap();
    waits_for(&server, "[Z001]");
    assert_eq!(server.address_of("ns.lab."), REFUSED);
    server.stop().unwrap();
}

#[test]
fn a_file_that_is_being_written_or_was_emptied_changes_nothing() {
    let rule = "zones = \"zones\"\ndeny = [\"127.0.0.1\"]\n";
    let lab = Lab::new("zones = \"zones\"\n");
    let server = lab.start(&[]);
    lab.save(rule);
    server.becomes("ns.lab.", REFUSED); // so it is watched
    waits_for(&server, "holds from now on");
    let told = server.log().len();
    let mut writer = fs::File::create(lab.path()).unwrap();
    writer.write_all(b"zones = \"zones\"\n").unwrap();
    // zones that are saved meanwhile are live, over and over, and half a configuration is not
    let (begun, mut serial) = (Instant::now(), 1);
    while begun.elapsed() < Duration::from_millis(500) {
        serial += 1;
        let text = ZONE.replace("admin 1", &format!("admin {serial}"));
        write(lab.folder.path(), &[("zones/lab.zone", &text)]);
        waits_for(&server, &format!("lab. serial {} → {serial}", serial - 1));
        assert!(!server.log()[told..].contains("holds from now on"), "{}", server.log());
    }
    assert_eq!(server.address_of("ns.lab."), REFUSED);
    writer.write_all(b"deny = [\"192.0.2.1\"]\n").unwrap();
    drop(writer);
    server.becomes("ns.lab.", "192.0.2.1");
    lab.save(rule);
    server.becomes("ns.lab.", REFUSED);
    lab.save("");
    waits_for(&server, "[Z401]: the file is empty");
    assert_eq!(server.address_of("ns.lab."), REFUSED);
    server.stop().unwrap();
}

#[test]
fn a_key_that_no_file_has_is_refused_wherever_it_is_named() {
    let lab = Lab::new("zones = \"zones\"\nkey = \"pair.key\"\n");
    let made = ended(zonesmith().args(["keygen", "pair"]));
    write(lab.folder.path(), &[("pair.key", &made.stdout)]);
    let server = lab.start(&[]);
    let rules = ["allow = [\"key:pear\"]\n", "[zone.lab]\nallow-transfer = [\"key:pear\"]\n"];
    for rule in rules {
        let told = server.log().len();
        lab.save(&format!("zones = \"zones\"\nkey = \"pair.key\"\n{rule}"));
        let says = || server.log()[told..].contains("cannot be used; what was said before goes on");
        assert!(wait_until(says), "{}", server.log());
        let shown = "error: key:pear.: no key file has that key\n  did you mean `pair`?\n";
        assert!(server.log()[told..].contains(shown), "{}", server.log());
        assert_eq!(server.address_of("ns.lab."), "192.0.2.1");
        let refused = lab.refused();
        assert!(refused.code == COMMAND_LINE && refused.stderr.contains(shown), "{refused:?}");
    }
    server.stop().unwrap();
}

/// The zones that are announced to a socket, as they come, each once.
fn announced(secondary: &UdpSocket) -> Vec<String> {
    let (mut zones, mut message) = (Vec::new(), [0; 512]);
    while let Ok((len, from)) = secondary.recv_from(&mut message) {
        let (name, _) = Name::split_from(&message[12..len]).unwrap();
        zones.push(name.to_string());
        message[2] |= 0x80;
        secondary.send_to(&message[..len], from).unwrap();
    }
    zones.sort();
    zones.dedup();
    zones
}

fn secondary() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[test]
fn zones_have_secondaries_of_their_own_and_a_save_changes_them() {
    let ([(all, all_at), (some, some_at)], lab) = ([secondary(), secondary()], Lab::new(""));
    let server_rule = format!("zones = \"zones\"\nnotify = [\"{all_at}\"]\n");
    lab.save(&format!("{server_rule}[zone.\"*.edu\"]\nnotify = [\"{some_at}\"]\n"));
    let server = lab.start(&["-vv"]);
    let are = |socket: &UdpSocket, expected: &str| {
        let mut zones = Vec::new();
        let come = || {
            zones.extend(announced(socket));
            !zones.is_empty()
        };
        assert!(wait_until(come), "{expected}\n{}", server.log());
        assert_eq!(zones, [expected], "{}", server.log());
    };
    are(&all, "lab.");
    are(&some, "smith.edu.");
    lab.save(&format!(
        "{server_rule}[zone.\"*.edu\"]\nnotify = [\"none\"]\n[zone.lab]\nnotify = [\"{some_at}\"]\n"
    ));
    waits_for(&server, "holds from now on");
    for (file, serial) in [("zones/smith.edu.zone", 2), ("zones/lab.zone", 3)] {
        let text = ZONE.replace("admin 1", &format!("admin {serial}"));
        write(lab.folder.path(), &[(file, &text)]);
        waits_for(&server, &format!("serial 1 → {serial}"));
    }
    are(&some, "lab.");
    assert_eq!(announced(&all), [""; 0]);
    // a change without a new serial names those that miss it
    write(lab.folder.path(), &[("zones/lab.zone", &format!("{ZONE}www A 192.0.2.9\n"))]);
    waits_for(&server, &format!("lab. stays as it was at {some_at}: the serial did not rise"));
    server.stop().unwrap();
}

#[test]
fn who_is_named_no_more_is_told_no_more_though_it_never_answered() {
    let ([(gone, gone_at), (stays, stays_at)], lab) = ([secondary(), secondary()], Lab::new(""));
    lab.save(&format!("zones = \"zones\"\nnotify = [\"{gone_at}\", \"{stays_at}\"]\n"));
    let server = lab.start(&[]);
    let mut message = [0; 512];
    assert!(wait_until(|| gone.recv(&mut message).is_ok()), "{}", server.log());
    lab.save(&format!("zones = \"zones\"\nnotify = [\"{stays_at}\"]\n"));
    waits_for(&server, "holds from now on");
    while gone.recv(&mut message).is_ok() || stays.recv(&mut message).is_ok() {}
    // the sendings of a second later, and of three seconds later
    for _ in 0..2 * ZONES.len() {
        assert!(wait_until(|| stays.recv(&mut message).is_ok()), "{}", server.log());
    }
    assert!(gone.recv(&mut message).is_err(), "it is told still");
    server.stop().unwrap();
}

#[test]
fn a_key_and_who_is_told_by_it_can_be_added_while_zones_are_served() {
    let lab = Lab::new("zones = \"zones\"\n");
    let server = lab.start(&[]);
    let (socket, address) = secondary();
    // the file is named before it is there
    let config =
        format!("zones = \"zones\"\nkey = \"pair.key\"\nnotify = \"{address}+key:pair\"\n");
    lab.save(&config);
    waits_for(&server, "make it with `zonesmith keygen NAME > FILE`");
    let made = ended(zonesmith().args(["keygen", "pair"]));
    write(lab.folder.path(), &[("pair.key", &made.stdout)]);
    waits_for(&server, "pair.key is read again and holds from now on");
    write(lab.folder.path(), &[("zones/lab.zone", &ZONE.replace("admin 1", "admin 2"))]);
    let (mut message, mut len) = ([0; 512], 0);
    let came = wait_until(|| {
        len = socket.recv(&mut message).unwrap_or(0);
        len > 0
    });
    assert!(
        came && message[2] >> 3 == 4 && message[11] == 1,
        "no signed NOTIFY:\n{}",
        server.log()
    );
    server.stop().unwrap();
}

#[test]
fn sighup_reads_it_where_nothing_is_watched() {
    let lab = Lab::new("zones = \"zones\"\nwatch = \"off\"\n");
    let server = lab.start(&[]);
    lab.save("zones = \"zones\"\nwatch = \"off\"\ndeny = [\"127.0.0.1\"]\n");
    assert_eq!(server.address_of("ns.lab."), "192.0.2.1");
    server.signal("HUP").unwrap();
    server.becomes("ns.lab.", REFUSED);
    server.stop().unwrap();
}

/// What the file says, and what is told: where, what, and what to do.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "lisen = \"::1\"\n",
        &["error[Z402]: there is no setting `lisen`", ":1:1", "did you mean `listen`?"],
    ),
    ("frobnicate = 1\n", &["error[Z402]", "a key is a flag without its dashes"]),
    ("config = \"x\"\n", &["error[Z402]: there is no setting `config`"]),
    (
        "# one\nlisten = [\"::1\", \"[::1]:53\"]\n",
        &["error[Z403]: `listen`: expected an IP address and a port", ":2:11", "^^^^^"],
    ),
    ("recursive = \"yes\"\n", &["error[Z403]: `recursive`: expected `true` or `false`"]),
    ("watch = [\"poll\"]\n", &["error[Z403]: `watch`: expected one value, this is a list"]),
    ("watch = \"pol\"\n", &["error[Z403]: `watch`: expected one of notify, poll, off"]),
    (
        "[zone.lab]\nserial = \"incr\"\n",
        &["error[Z403]: `serial`: expected one of keep, increment, date, unixtime", ":2:10"],
    ),
    ("rrl-rate = -1\n", &["error[Z403]: `rrl-rate`: expected a number from 0 to 1000000"]),
    ("tcp-max = 0x0\n", &["error[Z403]: `tcp-max`: expected a number from 1 to 1000000"]),
    ("zones = \"zones\n", &["error[Z401]: ", ":1:", "the file is TOML"]),
    ("[zone.\"a..b\"]\n", &["error[Z403]: `a..b` is not a zone's name", "all below a name as"]),
    (
        "[zone.lab]\nkey = [\"a\"]\n",
        &["error[Z402]: there is no setting `key`", ":2:1", "write it above the first `[zone.…]`"],
    ),
    (
        "[zone.a.example]\nallow = [\"::1\"]\n",
        &["has no table `example`", "stands in quotes, as in `[zone.\"a.example\"]`"],
    ),
    ("[Zone.lab]\n", &["error[Z402]: there is no table `Zone`", "as in `[zone.\"smith.edu\"]`"]),
    ("[zone.\"a.*\"]\n", &["error[Z403]: `a.*` is not a zone's name"]),
    ("[zone.\"*.*\"]\n", &["error[Z403]: `*.*` is not a zone's name"]),
    ("[zone.\"ä.example\"]\n", &["error[Z403]: `ä.example` is not a zone's name", "`xn--…`"]),
    (
        "[zone.lab]\ndeny = [\"::1\"]\n[zone.\"LAB.\"]\nallow-transfer = [\"::1\"]\n",
        &["error[Z402]: there is another table of `", "it is here", "into one of them"],
    ),
    (
        "[zone.lab]\nallow-transfer = []\n",
        &[
            "error[Z403]: `allow-transfer`: the list is empty",
            ":2:18",
            "write `[\"none\"]` for nobody",
        ],
    ),
    ("allow = []\n", &["error[Z403]: `allow`: the list is empty", "leave the key out, or"]),
    ("zones = [\"\"]\n", &["error[Z403]: `zones`: expected a path", ":1:10"]),
    (
        "group = \"lab\"\n",
        &[
            "error[Z402]: there is no setting `group`",
            "about some zones alone: write it below `[zone.",
        ],
    ),
    ("[zone.lab]\ngroup = \"\"\n", &["error[Z403]: `group`: a group has a name", ":2:9"]),
    (
        "[zone.lab]\nallow = [\"::1\"]\ndeny = [\"::1\"]\n",
        &["error[Z403]: ::1/128 is allowed and denied", "not with both"],
    ),
    (
        "allow = [\"::2\", \"::1\"]\ndeny = [\"::1\"]\n",
        &["error[Z403]: ::1/128 is allowed and denied", ":1:17", "2 | deny", "here, too"],
    ),
];

#[test]
fn each_mistake_is_shown_where_it_stands() {
    for (config, expected) in MISTAKES {
        let lab = Lab::new(config);
        let Ended { code, stderr, .. } = lab.refused();
        assert_eq!(code, COMMAND_LINE, "{config}");
        let told = stderr;
        assert!(told.contains("the configuration cannot be used"), "{told}");
        let missing: Vec<_> = expected.iter().filter(|words| !told.contains(**words)).collect();
        assert!(missing.is_empty(), "{config}no {missing:?} in:\n{told}");
    }
    let lab = Lab::new("");
    fs::remove_file(lab.path()).unwrap();
    let told = lab.refused().stderr;
    assert!(told.contains("[Z001]: cannot be read: No such file"), "{told}");
    assert!(told.contains("leave out `--config`"), "{told}");
}

#[test]
fn check_says_before_a_start_what_that_would_say() {
    for (config, expected) in MISTAKES {
        let lab = Lab::new(config);
        let check = || ended(zonesmith().args(["check", "--config"]).arg(lab.path()));
        let Ended { code, stdout, .. } = check();
        assert_eq!(code, Some(2), "{config}{stdout}");
        assert!(expected.iter().all(|words| stdout.contains(words)), "{config}{stdout}");
        lab.save("zones = \"zones\"\nallow = [\"key:pair\"]\n");
        let Ended { code, stderr, .. } = check();
        assert!(code == Some(2) && stderr.contains("no key file has that key"), "{stderr}");
        lab.save("zones = \"zones\"\n");
        let Ended { code, stdout, .. } = check();
        assert_eq!(code, Some(0), "{stdout}");
        assert!(stdout.ends_with("can be used\n1 file: 0 errors, 0 warnings\n"), "{stdout}");
    }
}

#[test]
fn an_address_that_is_named_twice_is_bound_once() {
    let lab = Lab::new("zones = \"zones\"\n");
    let address = format!("127.0.0.1:{}", free_port());
    let server = lab.start(&["--listen", &address, "--listen", &address]);
    assert_eq!(server.log().matches(&format!("listening on {address}")).count(), 1);
    server.stop().unwrap();
}

#[test]
fn a_path_that_looks_like_a_flag_is_a_path() {
    let told = Lab::new("zones = \"--help\"\nlisten = \"127.0.0.1:0\"\n").refused().stderr;
    assert!(told.contains("\n  ./--help is not there\n"), "{told}");
}

/// The response code to an AXFR over TCP.
fn rcode_of_axfr(server: &Server, zone: &str) -> u8 {
    let name: NameBuf = zone.parse().unwrap();
    let header = [7, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let query = [&header[..], name.as_name().as_wire(), &[0, 252, 0, 1]].concat();
    server.ask(&query, Transport::Tcp).unwrap().unwrap()[3] & 15
}

#[test]
fn a_zone_can_be_closed_to_transfers_that_the_server_allows() {
    let rule = "zones = \"zones\"\nallow-transfer = [\"127.0.0.1\"]\n";
    let lab = Lab::new(&format!("{rule}[zone.lab]\nallow-transfer = [\"none\"]\n"));
    let server = lab.start(&[]);
    assert_eq!((rcode_of_axfr(&server, "smith.edu."), rcode_of_axfr(&server, "lab.")), (0, 5));
    server.stop().unwrap();
}

#[test]
fn all_mistakes_are_told_at_once() {
    let lab = Lab::new("lisen = \"x\"\nwatch = \"x\"\n[zone.lab]\nalow = [\"::1\"]\n");
    let told = lab.refused().stderr;
    assert_eq!(told.matches("error[Z40").count(), 3, "{told}");
}
