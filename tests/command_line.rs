//! What people see: each thing that can go wrong at the command line says what it is and what to do
//! next, and a start that goes well says what is served and where.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::message::Message;
use support::program::{Ended, ended, folder, free_port, plain, write, zonesmith};
use support::query::{Query, header};
use support::server::{Server, wait_until};
use tempfile::TempDir;

/// A zone of three records; its origin is the file's name.
const GOOD: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.1\n";
/// The same with a typo.
const BROKEN: &str = "@ 300 SOA ns admin 7 1d 1h 1w 5m\n  300 NS ns\nns 300 A 192.0.2.256\n";
/// What is said about the typo, below the line that names the file.
const CARETS: &str = "3 | ns 300 A 192.0.2.256\n  |          ^^^^^^^^^^^";
/// The exit code when the server cannot run.
const CANNOT_RUN: Option<i32> = Some(1);
/// The exit code when zone files cannot be served, and for a wrong command line.
const ZONES: Option<i32> = Some(2);
const SERVFAIL: u16 = 2;
const INVALID_DATA: u16 = 24;

fn zones(files: &[(&str, &str)]) -> TempDir {
    let folder = folder();
    write(folder.path(), files);
    folder
}

/// Runs the program in `folder` to its end.
fn run(folder: &TempDir, arguments: &[&str]) -> Ended {
    ended(zonesmith().args(arguments).current_dir(folder.path()))
}

/// Each of `parts` stands in `text`, one after the other.
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing in its place:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

/// The RCODE of the answer and the codes of its extended errors.
fn ask(server: &Server, question: &str) -> (u16, Vec<u16>) {
    let query = Query::parse(question).unwrap();
    let answer = server.ask(&query.wire, query.transport).unwrap().unwrap();
    let message = Message::decode(&answer).unwrap();
    (message.rcode(), message.opt.as_ref().map_or(Vec::new(), |opt| opt.errors.clone()))
}

//----------- Addresses ------------------------------------------------------------------------------

#[test]
fn a_taken_port_says_how_to_see_who_holds_it() {
    let folder = zones(&[("a.zone", GOOD)]);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    for (taken, transport) in [(udp.local_addr(), "UDP"), (tcp.local_addr(), "TCP")] {
        let taken = taken.unwrap();
        let run = run(&folder, &["serve", ".", "--listen", &taken.to_string()]);
        let first =
            format!("error: cannot listen on {taken} ({transport}): another program listens");
        let see = format!("`sudo ss -lunp 'sport = :{}'`", taken.port());
        assert_says(&run.stderr, &[&first, &see, "if it is another zonesmith"]);
        assert_eq!((run.code, run.stdout.as_str()), (CANNOT_RUN, ""));
    }
}

#[test]
fn an_address_of_another_machine_says_how_to_list_ours() {
    let folder = zones(&[("a.zone", GOOD)]);
    let run = run(&folder, &["serve", ".", "--listen", "203.0.113.1:5300"]);
    assert_says(&run.stderr, &["cannot listen on 203.0.113.1:5300", "`ip address`"]);
    assert_eq!(run.code, CANNOT_RUN);
}

/// Needs a port 53 that is privileged; as root, also `setpriv`, to be somebody else.
#[test]
fn port_53_without_the_right_to_it_says_how_to_get_that() {
    let folder = zones(&[("a.zone", GOOD)]);
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first_free.is_ok_and(|port| port.trim().parse::<u16>().is_ok_and(|port| port <= 53)) {
        return;
    }
    let program = folder.path().join("zonesmith"); // where everybody may run it
    fs::copy(env!("CARGO_BIN_EXE_zonesmith"), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut command = match nix::unistd::geteuid().is_root() {
        false => plain(&program),
        true => {
            let Some(setpriv) = support::peers::find("setpriv") else { return };
            let mut command = plain(&setpriv);
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
            command
        }
    };
    let run =
        ended(command.args(["serve", ".", "--listen", "127.0.0.1:53"]).current_dir(folder.path()));
    let says = [
        "error: cannot listen on 127.0.0.1:53 (UDP): not permitted",
        "CAP_NET_BIND_SERVICE",
        "setcap",
        "systemd unit",
        "`--listen 127.0.0.1:5300`",
    ];
    assert_says(&run.stderr, &says);
    assert_eq!(run.code, CANNOT_RUN);
}

#[test]
fn each_listen_is_reported_with_the_port_it_got() {
    let folder = zones(&[("a.zone", GOOD)]);
    let server = Server::start(folder.path(), &["--listen", "127.0.0.2:0"]).unwrap();
    let lines = |start| server.log().lines().filter(|line| line.starts_with(start)).count();
    assert!(wait_until(|| lines("listening on 127.0.0.") == 2), "{}", server.log());
    assert_eq!(lines("listening on 127.0.0.1:0 ") + lines("listening on 127.0.0.2:0 "), 0);
    assert!(server.log().contains("(UDP and TCP)"));
    server.stop().unwrap();
}

//----------- Zone files at start --------------------------------------------------------------------

#[test]
fn a_folder_without_zone_files_says_what_a_zone_file_is() {
    let folder = zones(&[("notes.txt", ""), (".hidden.zone", GOOD)]);
    let run = run(&folder, &["serve", ".", "--listen", "127.0.0.1:0"]);
    let says = ["error: no zone files there\n  . holds no file named *.zone\n", "--recursive"];
    assert_says(&run.stderr, &says);
    assert_eq!(run.code, ZONES);
}

#[test]
fn without_a_path_it_is_the_folder_zones() {
    let folder = zones(&[]);
    let missing = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert_says(&missing.stderr, &["error: no zone files there\n  zones is not there\n"]);
    assert!(!missing.stderr.contains("goes on"), "nothing was served: {}", missing.stderr);
    assert_eq!(missing.code, ZONES);
    fs::create_dir(folder.path().join("zones")).unwrap();
    write(folder.path(), &[("zones/a.zone", BROKEN)]);
    let broken = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert_says(&broken.stderr, &["zones/a.zone: not loaded", CARETS]);
}

#[test]
fn a_broken_file_costs_its_own_zone() {
    let folder = zones(&[("bad.example.zone", BROKEN), ("good.example.zone", GOOD)]);
    let server = Server::start(folder.path(), &[]).unwrap();
    let says = [
        "error: ",
        "/bad.example.zone: not loaded; bad.example. answers SERVFAIL until it is (1 error)\n",
        "error[Z106]: A data: expected an IPv4 address",
        "/bad.example.zone:3:10\n",
        CARETS,
        "/good.example.zone: good.example. serial 7, 3 records\n",
        "serving 1 zone; 1 zone cannot be served and answers SERVFAIL\n",
        "listening on ",
    ];
    assert_says(&server.log(), &says);
    assert_eq!(ask(&server, "ns.good.example. A +edns"), (0, vec![]));
    assert_eq!(ask(&server, "ns.bad.example. A +edns"), (SERVFAIL, vec![INVALID_DATA]));
    server.stop().unwrap();
}

#[test]
fn without_one_good_zone_it_does_not_start() {
    let folder = zones(&[("a.zone", BROKEN), ("b.zone", "")]);
    let run = run(&folder, &["serve", ".", "--listen", "127.0.0.1:0"]);
    let says = [CARETS, "error[Z002]", "error: no zone can be served: mend a file above"];
    assert_says(&run.stderr, &says);
    assert_says(&run.stderr, &["`zonesmith check`"]);
    assert!(!run.stderr.contains("listening on"));
    assert_eq!(run.code, ZONES);
}

#[test]
fn of_two_files_for_one_zone_the_one_of_its_name_is_served() {
    let other = format!("$ORIGIN a.example.\n{}", GOOD.replace("admin 7", "admin 8"));
    let folder = zones(&[("0.zone", &other), ("a.example.zone", GOOD)]);
    let server = Server::start(folder.path(), &[]).unwrap();
    let says = [
        "error: two files hold a.example. (Z003): ",
        "/a.example.zone is served, ",
        "/0.zone is not",
    ];
    assert_says(&server.log(), &says);
    assert_says(&server.log(), &["/a.example.zone: a.example. serial 7", "serving 1 zone\n"]);
    server.stop().unwrap();
}

/// 21 good zones, one more than are named at start, and a broken one.
fn many() -> TempDir {
    let folder = zones(&[("bad.example.zone", BROKEN)]);
    for number in 0..21 {
        write(folder.path(), &[(&format!("z{number}.example.zone"), GOOD)]);
    }
    folder
}

#[test]
fn many_zones_are_counted_and_the_broken_ones_named() {
    let folder = many();
    let server = Server::start(folder.path(), &[]).unwrap();
    assert_says(
        &server.log(),
        &["bad.example.zone: not loaded", "serving 21 zones; 1 zone cannot"],
    );
    assert!(!server.log().contains(", 3 records"), "{}", server.log());
    server.stop().unwrap();
}

#[test]
fn verbose_names_all_zones() {
    let folder = many();
    let server = Server::start(folder.path(), &["-v"]).unwrap();
    let named =
        server.log().lines().filter(|line| line.contains("serial 7, 3 records of ")).count();
    assert_eq!(named, 21, "{}", server.log());
    server.stop().unwrap();
}

//----------- More and less --------------------------------------------------------------------------

#[test]
fn twice_verbose_shows_each_query() {
    let folder = zones(&[("a.example.zone", GOOD)]);
    let server = Server::start(folder.path(), &["-vv"]).unwrap();
    for question in ["ns.a.example. A", "no.a.example. MX", "other.example. A"] {
        let _ = ask(&server, question);
    }
    let seen = |text: &str| {
        server.log().lines().any(|line| line.starts_with("127.0.0.1:") && line.contains(text))
    };
    for (question, rcode) in [
        ("ns.a.example. A", "NOERROR"),
        ("no.a.example. MX", "NXDOMAIN"),
        ("other.example. A", "REFUSED"),
    ] {
        assert!(wait_until(|| seen(question) && seen(rcode)), "{question}: {}", server.log());
    }
    server.stop().unwrap();
}

/// A server whose log goes to a file; ended at the latest with this value.
struct Quiet(Child);

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether something answers there.
fn answers(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let query = [&header(1, 0, false)[..], &[0, 0, 2, 0, 1]].concat(); // . NS
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.send(&query).is_ok() && socket.recv(&mut [0; 512]).is_ok()
}

#[test]
fn quiet_says_nothing_where_nothing_is_wrong() {
    let (folder, log) =
        (zones(&[("a.example.zone", GOOD)]), tempfile::NamedTempFile::new().unwrap());
    let port = free_port();
    let mut command = zonesmith();
    command.args(["serve", ".", "-q", "--listen", &format!("127.0.0.1:{port}")]);
    command.current_dir(folder.path()).stdout(Stdio::null()).stderr(log.reopen().unwrap());
    if nix::unistd::geteuid().is_root() {
        command.args(["--user", "nobody"]);
    }
    let mut server = Quiet(command.spawn().unwrap());
    assert!(wait_until(|| answers(port)), "{}", fs::read_to_string(log.path()).unwrap());
    let kill = format!("kill -TERM {}", server.0.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(wait_until(|| server.0.try_wait().unwrap().is_some()));
    let log = fs::read_to_string(log.path()).unwrap();
    // of a kernel that lacks what the sandbox is made of something is wrong
    assert_eq!(log.lines().find(|line| !line.starts_with("warning: sandbox: ")), None);
}

//----------- check ----------------------------------------------------------------------------------

#[test]
fn check_of_good_files_names_zone_serial_and_size() {
    let folder = zones(&[("a.example.zone", GOOD), ("b.example.zone", GOOD)]);
    let run = run(&folder, &["check", "."]);
    let expected = "./a.example.zone: a.example. serial 7, 3 records\n\
                    ./b.example.zone: b.example. serial 7, 3 records\n\
                    2 files: 0 errors, 0 warnings\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (expected, ""));
    assert_eq!(run.code, Some(0));
}

#[test]
fn check_of_a_broken_file_shows_each_place() {
    let text = format!("{BROKEN}www 300 AAAA 192.0.2.1\nmail 300 MXX 10 ns\n");
    let folder = zones(&[("a.example.zone", &text)]);
    let run = run(&folder, &["check", "a.example.zone"]);
    let says = [
        "error[Z106]: A data: expected an IPv4 address",
        "--> a.example.zone:3:10\n",
        CARETS,
        "--> a.example.zone:4:9\n",
        "4 | www 300 AAAA 192.0.2.1\n  |         ^^^^^^^^^^^^^^",
        "error[Z103]",
        "--> a.example.zone:5:10\n",
        "5 | mail 300 MXX 10 ns\n  |          ^^^",
        "1 file: 3 errors, 0 warnings\n",
    ];
    assert_says(&run.stdout, &says);
    assert_eq!(run.code, ZONES);
}

#[test]
fn check_of_a_doubtful_file_warns_and_is_content() {
    let text = format!("{GOOD}ns 300 A 192.0.2.1\n");
    let folder = zones(&[("a.example.zone", &text)]);
    let run = run(&folder, &["check", "a.example.zone"]);
    let says = [
        "warning[Z209]",
        "--> a.example.zone:4:",
        "a.example.zone: a.example. serial 7, 3 records\n",
        "1 file: 0 errors, 1 warning; --fix mends 1\n",
    ];
    assert_says(&run.stdout, &says);
    assert_eq!(run.code, Some(0));
}

#[test]
fn check_finds_two_files_for_one_zone() {
    let other = format!("$ORIGIN a.example.\n{GOOD}");
    let folder = zones(&[("0.zone", &other), ("a.example.zone", GOOD)]);
    let run = run(&folder, &["check", "."]);
    assert_says(
        &run.stdout,
        &["error[Z003]: two files hold a.example.", "0.zone", "a.example.zone"],
    );
    assert_eq!(run.code, ZONES);
}

#[test]
fn check_of_what_is_not_there_is_an_error() {
    let folder = zones(&[("notes.txt", "")]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let run = run(&folder, &["check", "nowhere", "empty"]);
    let says =
        ["nowhere: there is no such file", "empty: it holds no file named *.zone", "2 errors"];
    assert_says(&run.stdout, &says);
    assert_eq!(run.code, ZONES);
}

#[test]
fn a_file_that_is_named_may_be_called_anything() {
    let folder = zones(&[("db.a", &format!("$ORIGIN a.example.\n{GOOD}"))]);
    let run = run(&folder, &["check", "db.a"]);
    assert_says(&run.stdout, &["db.a: a.example. serial 7, 3 records\n"]);
    assert_eq!(run.code, Some(0));
}

#[test]
fn recursive_looks_into_sub_folders() {
    let folder = zones(&[]);
    fs::create_dir(folder.path().join("more")).unwrap();
    write(&folder.path().join("more"), &[("a.example.zone", GOOD)]);
    assert_eq!(run(&folder, &["check", "."]).code, ZONES);
    let run = run(&folder, &["check", ".", "--recursive"]);
    assert_says(&run.stdout, &["./more/a.example.zone: a.example. serial 7, 3 records\n"]);
    assert_eq!(run.code, Some(0));
}

//----------- Wrong flags ----------------------------------------------------------------------------

#[test]
fn a_wrong_command_line_says_what_was_expected() {
    let folder = zones(&[("a.example.zone", GOOD)]);
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: zonesmith"),
        (&["sevre"], "'serve'"),
        (&["check"], "<PATH>"),
        (&["serve", ".", "--bogus"], "unexpected argument '--bogus'"),
        (&["serve", ".", "--listen", "5300"], "as in 127.0.0.1:5300"),
        (&["serve", ".", "--listen", "localhost:5300"], "expected an IP address and a port"),
        (&["serve", ".", "--remove-after", "soon"], "expected a time, as in 10s"),
        (&["serve", ".", "--minimal-responses", "maybe"], "[possible values: yes, no]"),
        (&["serve", ".", "-q", "-v"], "cannot be used with"),
        (&["serve", ".", "--cookies", "yes"], "[possible values: off, on, required]"),
        (&["serve", ".", "--nsid", ""], "expected 1 to 64 octets, these are 0"),
        (&["serve", ".", "--nsid", "0x0a0"], "two hexadecimal digits for each octet"),
        (&["serve", ".", "--nsid", &"n".repeat(65)], "expected 1 to 64 octets, these are 65"),
        (&["serve", ".", "--identity", &"i".repeat(256)], "expected 1 to 255 octets"),
    ];
    for (arguments, says) in cases {
        let run = run(&folder, arguments);
        assert_says(&run.stderr, &[says]);
        assert_eq!((run.code, run.stdout.as_str()), (ZONES, ""), "{arguments:?}");
    }
}

#[test]
fn cookie_secrets_that_cannot_be_used_say_how_to_make_some() {
    let folder =
        zones(&[("a.example.zone", GOOD), ("wrong", "# ours\n12\n"), ("none", "# ours\n")]);
    for (file, says) in [
        (
            "absent",
            ["cannot read the cookie secrets in absent: No such file", "openssl rand -hex 16"],
        ),
        (".", ["cannot read cookie secrets from .: it is no file", "32 hexadecimal digits"]),
        ("wrong", ["wrong: line 2: not 32 hexadecimal digits", "openssl rand -hex 16"]),
        ("none", ["none: no line with a secret", "openssl rand -hex 16"]),
    ] {
        let listen = ["serve", ".", "--listen", "127.0.0.1:0", "--cookie-secret", file];
        let run = run(&folder, &listen);
        assert_says(&run.stderr, &says);
        assert_eq!(run.code, CANNOT_RUN);
    }
}

#[test]
fn a_user_that_is_not_there_says_where_users_are_listed() {
    let folder = zones(&[("a.example.zone", GOOD)]);
    let run = run(&folder, &["serve", ".", "--listen", "127.0.0.1:0", "--user", "no-such-user"]);
    assert_says(&run.stderr, &["there is no user `no-such-user`", "`getent passwd`"]);
    assert_eq!(run.code, CANNOT_RUN);
}

#[test]
fn the_version_is_the_packages() {
    let run = run(&folder(), &["--version"]);
    assert_eq!(run.stdout, format!("zonesmith {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_reader_that_stops_early_ends_the_program_without_a_word() {
    let folder = zones(&[("a.example.zone", GOOD), ("b.example.zone", BROKEN)]);
    let commands: [&[&str]; 3] =
        [&["check", "."], &["explain", "a.example", "--zones", "."], &["new", "c.example", "::1"]];
    for arguments in commands {
        let mut command = zonesmith();
        command.args(arguments).current_dir(folder.path());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader); // nobody reads
        let ended = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert_eq!(ended.status.code(), Some(141), "{arguments:?}");
    }
}

//----------- Who may ask ----------------------------------------------------------------------------

#[test]
fn blocks_and_bounds_that_are_none_say_what_one_is() {
    let folder = zones(&[("good.zone", GOOD)]);
    for (flag, expected) in [
        (
            "--allow=192.0.2.9/24",
            "the address has bits behind that length; the block is 192.0.2.0/24",
        ),
        ("--deny=smith.edu", "expected an address or a block, as in 192.0.2.0/24"),
        ("--rrl-exempt=192.0.2.0/33", "0 to 32 for IPv4"),
        ("--rrl-exempt=all", "or one of the words `private` and `none`"),
        ("--rrl-rate=1000001", "expected a number from 0 to 1000000"),
        ("--rrl-slip=-1", "invalid"),
        ("--tcp-max=0", "expected a number from 1 to 1000000"),
        ("--tcp-per-client=many", "expected a number from 1"),
        ("--tcp-idle=0", "expected a time from 1s to 1h"),
        ("--tcp-idle=2h", "expected a time from 1s to 1h"),
    ] {
        let ended = run(&folder, &["serve", ".", flag]);
        assert_eq!(ended.code, ZONES, "{flag}: {ended:?}");
        assert_says(&ended.stderr, &[expected]);
    }
    let both = ["serve", ".", "--allow=::1", "--deny=::1/128"];
    let ended = run(&folder, &both);
    assert_eq!(ended.code, ZONES, "{ended:?}");
    assert_says(&ended.stderr, &["error: ::1/128 is allowed and denied", "not with both"]);
}
