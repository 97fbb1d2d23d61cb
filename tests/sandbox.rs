//! The sandbox: what the server can do no more, what it still can, and what it says of both.
//!
//! This program runs itself again in two roles. `Inside` enters the sandbox as the server does, and
//! tries what somebody would try who took it over. `Bare` runs another program on a kernel that has no
//! Landlock, made by a filter of system calls. Each attempt that the sandbox foils is made in the
//! bare kernel, too, where it must succeed.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope,
};
use libtest_mimic::{Arguments, Trial};
use rustix::process::{DumpableBehavior, getppid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use support::message::Message;
use support::program::{ended, folder, plain, write};
use support::query::{Query, Transport};
use support::server::{DEADLINE, Server, wait_until};
use tempfile::TempDir;
use zonesmith::sandbox::{self, Plan};

/// Says that this program is to be something else than the tests.
const ROLE: &str = "ZONESMITH_TEST_ROLE";
const ZONESMITH: &str = env!("CARGO_BIN_EXE_zonesmith");
const DENIED: &str = "Permission denied (os error 13)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match std::env::var(ROLE).as_deref() {
        Ok("inside") => try_all(&arguments),
        Ok(role) => bare(role.parse().unwrap(), &arguments),
        Err(_) => return libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
    ExitCode::SUCCESS
}

fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 12] = [
        ("what_lies_outside_is_out_of_reach", what_lies_outside_is_out_of_reach),
        ("without_landlock_the_same_is_in_reach", without_landlock_the_same_is_in_reach),
        ("the_server_has_no_privilege_left", the_server_has_no_privilege_left),
        ("without_landlock_it_warns_and_serves", without_landlock_it_warns_and_serves),
        ("one_line_says_that_there_is_a_sandbox", one_line_says_that_there_is_a_sandbox),
        ("a_link_that_leads_out_is_refused", a_link_that_leads_out_is_refused),
        ("a_replaced_include_folder_is_refused", a_replaced_include_folder_is_refused),
        ("a_replaced_folder_in_a_home_is_refused", a_replaced_folder_in_a_home_is_refused),
        ("a_file_in_a_home_is_warned_of", a_file_in_a_home_is_warned_of),
        ("systemd_hears_of_the_start", systemd_hears_of_the_start),
        ("what_is_not_there_at_the_start_is_told", what_is_not_there_at_the_start_is_told),
        ("cookie_secrets_are_read_again", cookie_secrets_are_read_again),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    tests.into_iter().map(trial).collect()
}

//----------- Attempts -------------------------------------------------------------------------------

/// Where attempts are made, and the kernel that foils each; `None` if none does.
struct Place {
    inside: PathBuf,
    outside: PathBuf,
    /// May be written to.
    state: PathBuf,
    address: String,
}

type Attempt = (&'static str, Option<ABI>, fn(&Place) -> io::Result<()>);

const ATTEMPTS: [Attempt; 22] = [
    ("read a file inside", None, |at| fs::read(at.inside.join("file")).map(drop)),
    ("list a folder inside", None, |at| fs::read_dir(&at.inside).map(drop)),
    ("look at a file outside", None, |at| fs::metadata(at.outside.join("file")).map(drop)),
    ("leave no core file", None, |_| match rustix::process::dumpable_behavior()? {
        DumpableBehavior::NotDumpable => Ok(()),
        _ => Err(io::Error::other("it leaves one")),
    }),
    ("write a file of its own", None, |at| {
        fs::write(at.state.join("new"), "x")?;
        fs::write(at.state.join("new"), "")?;
        fs::rename(at.state.join("new"), at.state.join("file"))?;
        fs::read(at.state.join("file"))?;
        File::open(&at.state)?.sync_all()?;
        fs::remove_file(at.state.join("file"))
    }),
    ("send datagrams", None, |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("read a file outside", Some(ABI::V1), |at| fs::read(at.outside.join("file")).map(drop)),
    ("list a folder outside", Some(ABI::V1), |at| fs::read_dir(&at.outside).map(drop)),
    ("read on another thread", Some(ABI::V1), |at| {
        let file = at.outside.join("file");
        std::thread::spawn(move || fs::read(file).map(drop)).join().unwrap()
    }),
    ("read by a link inside", Some(ABI::V1), |at| fs::read(at.inside.join("link")).map(drop)),
    ("write a file inside", Some(ABI::V1), |at| {
        File::options().append(true).open(at.inside.join("file")).map(drop)
    }),
    ("make a file inside", Some(ABI::V1), |at| File::create_new(at.inside.join("new")).map(drop)),
    ("make a folder outside", Some(ABI::V1), |at| fs::create_dir(at.outside.join("new"))),
    ("remove a file inside", Some(ABI::V1), |at| fs::remove_file(at.inside.join("spare"))),
    ("link a file of its own", Some(ABI::V1), |at| symlink("x", at.state.join("link"))),
    ("make a folder of its own", Some(ABI::V1), |at| fs::create_dir(at.state.join("folder"))),
    ("write outside by a folder of its own", Some(ABI::V1), |at| {
        fs::write(at.state.join("..").join(at.outside.file_name().unwrap()).join("mine"), "")
    }),
    ("start a program", Some(ABI::V1), |_| Command::new("/bin/true").status().map(drop)),
    ("connect", Some(ABI::V4), |at| TcpStream::connect(&at.address).map(drop)),
    ("listen", Some(ABI::V4), |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("signal a process outside", Some(ABI::V6), |_| {
        Ok(rustix::process::test_kill_process(getppid().unwrap())?)
    }),
    ("reach an abstract socket", Some(ABI::V6), |at| {
        UnixDatagram::unbound()?.connect_addr(&abstract_socket(&at.outside))
    }),
];

/// The abstract socket that is named as a folder is.
fn abstract_socket(folder: &Path) -> SocketAddr {
    SocketAddr::from_abstract_name(folder.as_os_str().as_encoded_bytes()).unwrap()
}

/// Enters the sandbox, tries everything, and prints what came of it.
fn try_all(arguments: &[String]) {
    let [inside, outside, state, address] = arguments else { panic!("four arguments") };
    let [inside, outside, state] = [inside, outside, state].map(PathBuf::from);
    let at = Place { inside, outside, state, address: address.clone() };
    let mut plan = Plan::default();
    plan.allow_folder(&at.inside);
    plan.allow_writing(&at.state);
    let entered = sandbox::enter(&plan);
    let mut out = io::stdout();
    entered.faults.iter().for_each(|fault| writeln!(out, "{fault}").unwrap());
    for (name, _, attempt) in ATTEMPTS {
        let outcome = match attempt(&at) {
            Ok(()) => "done".to_string(),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => "denied".to_string(),
            Err(error) => error.to_string(),
        };
        writeln!(out, "{name}: {outcome}").unwrap();
    }
}

/// Goes on as another program, in a kernel whose Landlock answers with this error.
fn bare(errno: u32, arguments: &[String]) {
    let rules = BTreeMap::from([(libc::SYS_landlock_create_ruleset, vec![])]);
    let (allow, refuse) = (SeccompAction::Allow, SeccompAction::Errno(errno));
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, allow, refuse, arch).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&filter).unwrap();
    let mut command = Command::new(&arguments[0]);
    match arguments[0] == ZONESMITH {
        true => command.env_remove(ROLE),
        false => command.env(ROLE, "inside"),
    };
    panic!("{}", command.args(&arguments[1..]).exec());
}

/// What is to be run in a kernel whose Landlock answers with this error.
fn in_bare_kernel(errno: i32, program: &Path) -> Command {
    let mut command = plain(&std::env::current_exe().unwrap());
    command.env(ROLE, errno.to_string()).arg(program);
    command
}

/// Makes the attempts in a new place. Gives what came of them, a line each.
fn attempt(mut command: Command) -> Vec<String> {
    let (inside, outside, state) = (folder(), folder(), folder());
    write(inside.path(), &[("file", ""), ("spare", "")]);
    write(outside.path(), &[("file", "")]);
    symlink(outside.path().join("file"), inside.path().join("link")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _datagrams = UnixDatagram::bind_addr(&abstract_socket(outside.path())).unwrap();
    command.arg(inside.path()).arg(outside.path()).arg(state.path());
    let run = ended(command.arg(listener.local_addr().unwrap().to_string()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
    run.stdout.lines().map(str::to_string).collect()
}

fn what_lies_outside_is_out_of_reach() {
    let mut command = plain(&std::env::current_exe().unwrap());
    command.env(ROLE, "inside");
    let expected = ATTEMPTS.map(|(name, foiled_by, _)| match foiled_by {
        Some(abi) if kernel_has(abi) => format!("{name}: denied"),
        _ => format!("{name}: done"),
    });
    assert_eq!(attempt(command), expected);
}

fn without_landlock_the_same_is_in_reach() {
    let expected = ATTEMPTS.map(|(name, ..)| format!("{name}: done"));
    let this = std::env::current_exe().unwrap();
    assert_eq!(attempt(in_bare_kernel(libc::ENOSYS, &this)), expected);
}

/// Whether this kernel has that version of Landlock, asked past the code under test.
fn kernel_has(abi: ABI) -> bool {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    match abi {
        abi if abi >= ABI::V6 => ruleset.scope(Scope::from_all(abi)).is_ok(),
        abi if abi >= ABI::V4 => ruleset.handle_access(AccessNet::from_all(abi)).is_ok(),
        _ => ruleset.handle_access(AccessFs::from_all(abi)).is_ok(),
    }
}

/// Whether the rest of a test can be run; says so if not.
fn landlock() -> bool {
    let there = kernel_has(ABI::V1);
    if !there {
        let _ = writeln!(io::stderr(), "skipped: this kernel has no Landlock");
    }
    there
}

//----------- The server -----------------------------------------------------------------------------

/// A zone whose `www` has the address 192.0.2.`last`.
fn zone(last: u8) -> String {
    format!(
        "$TTL 300\n@ SOA ns admin {last} 2h 15m 2w 5m\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.{last}\n"
    )
}

/// A folder with a folder `zones` that holds `example.zone`.
fn lab() -> TempDir {
    let lab = folder();
    fs::create_dir(lab.path().join("zones")).unwrap();
    write(lab.path(), &[("zones/example.zone", &zone(1))]);
    lab
}

fn serve(folder: &Path) -> Command {
    let mut command = plain(Path::new(ZONESMITH));
    command.arg("serve").arg(folder);
    command
}

fn start(mut command: Command, arguments: &[&str]) -> Server {
    command.args(arguments);
    Server::start_as(command).unwrap()
}

/// Waits until `www` in a zone has that address, or none if `last` is 0.
fn becomes(server: &Server, zone: &str, last: u8) {
    let query = Query::parse(&format!("www.{zone} A")).unwrap();
    let is = || {
        let answer = server.ask(&query.wire, Transport::Udp).unwrap().unwrap();
        let records = Message::decode(&answer).unwrap().answer;
        records.first().map_or(last == 0, |record| record.ends_with(&format!(" 192.0.2.{last}")))
    };
    assert!(wait_until(is), "www.{zone} does not become {last}\n{}", server.log());
}

fn says(server: &Server, words: &str) {
    let said = wait_until(|| server.log().contains(words));
    assert!(said, "{words:?} is not in the log:\n{}", server.log());
}

/// A field of what the kernel tells about each thread of the server.
fn field(server: &Server, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let files = tasks.map(|task| task.unwrap().path().join("status"));
    let texts: Vec<String> = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
    assert!(texts.len() > 1, "there is a worker, too");
    let value = |text: &String| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        line.unwrap().to_string()
    };
    texts.iter().map(value).collect()
}

/// Whether every thread of the server has given up all privileges but that of root to read.
fn assert_without_privilege(server: &Server) {
    let is_root = field(server, "Uid")[0].starts_with("0\t");
    let kept = if is_root { "0000000000000004" } else { "0000000000000000" };
    let expected = [
        ("NoNewPrivs", "1"),
        ("CapEff", kept),
        ("CapPrm", kept),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
    ];
    for (name, value) in expected {
        assert!(field(server, name).iter().all(|is| is == value), "{name} is not {value}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    for name in ["Max core file size", "Max locked memory", "Max msgqueue size"] {
        let limit = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert!(limit.split_whitespace().take(2).eq(["0", "0"]), "{name}: {limit}");
    }
}

fn the_server_has_no_privilege_left() {
    let lab = lab();
    let zones = lab.path().join("zones");
    assert_without_privilege(&start(serve(&zones), &[]));
    // a folder that only its owner may read: started as root, the server stays root
    let private = TempDir::new().unwrap();
    write(private.path(), &[("example.zone", &zone(1))]);
    assert_without_privilege(&start(serve(private.path()), &[]));
    let free = start(serve(&zones), &["--no-sandbox"]);
    says(&free, "warning: no sandbox: whoever takes over the server has all that its user has");
    assert!(field(&free, "NoNewPrivs").iter().all(|is| is == "0"));
}

fn without_landlock_it_warns_and_serves() {
    for (errno, why) in [
        (libc::ENOSYS, "warning: sandbox: there is no Landlock"),
        (libc::EOPNOTSUPP, "warning: sandbox: Landlock is switched off"),
    ] {
        let (lab, other) = (lab(), folder());
        let zones = lab.path().join("zones");
        write(other.path(), &[("other.zone", &zone(3))]);
        let mut command = in_bare_kernel(errno, Path::new(ZONESMITH));
        command.arg("serve").arg(&zones);
        let server = start(command, &[]);
        says(&server, why);
        assert_without_privilege(&server);
        write(&zones, &[("example.zone", &zone(2))]);
        becomes(&server, "example.", 2);
        symlink(other.path().join("other.zone"), zones.join("other.zone")).unwrap();
        becomes(&server, "other.", 3);
    }
}

fn one_line_says_that_there_is_a_sandbox() {
    if !landlock() {
        return;
    }
    let lab = lab();
    let (inc, base) = (folder(), fs::canonicalize(lab.path()).unwrap());
    let include = ["--include-path", inc.path().to_str().unwrap()];
    let quiet = start(serve(&base.join("zones")), &include);
    assert_eq!(quiet.log().matches("sandbox: ").count(), 1, "{}", quiet.log());
    says(&quiet, "sandbox: reads zone files, writes none, starts no program");
    let verbose = start(serve(&base.join("zones")), &[&include[..], &["-v"]].concat());
    says(&verbose, &format!("sandbox: reads {} and below\n", base.display()));
    let inc = fs::canonicalize(inc.path()).unwrap();
    says(&verbose, &format!("sandbox: reads {}; if something else takes its place", inc.display()));
}

fn a_link_that_leads_out_is_refused() {
    if !landlock() {
        return;
    }
    let (lab, other) = (lab(), folder());
    let zones = lab.path().join("zones");
    write(other.path(), &[("other.zone", &zone(3))]);
    let server = start(serve(&zones), &[]);
    symlink(other.path().join("other.zone"), zones.join("other.zone")).unwrap();
    says(&server, &format!("the file cannot be read: {DENIED}"));
    says(&server, "which `serve -v` lists, and this leads elsewhere: restart the server");
    becomes(&server, "other.", 0);
    becomes(&start(serve(&zones), &[]), "other.", 3);
    // where the link leads is allowed, and so is what takes the place of the file there
    let server = start(serve(&zones), &[]);
    write(other.path(), &[(".new", &zone(4))]);
    fs::rename(other.path().join(".new"), other.path().join("other.zone")).unwrap();
    becomes(&server, "other.", 4);
}

fn a_replaced_include_folder_is_refused() {
    if !landlock() {
        return;
    }
    let (lab, base) = (lab(), folder());
    let (zones, inc) = (lab.path().join("zones"), base.path().join("inc"));
    fs::create_dir(&inc).unwrap();
    write(&inc, &[("hosts", "www A 192.0.2.5\n")]);
    let text = zone(1).replace("www A 192.0.2.1", &format!("$INCLUDE {}/hosts", inc.display()));
    write(&zones, &[("example.zone", &text)]);
    let server = start(serve(&zones), &["--include-path", inc.to_str().unwrap()]);
    becomes(&server, "example.", 5);
    write(&inc, &[("hosts", "www A 192.0.2.6\n")]);
    becomes(&server, "example.", 6);
    fs::rename(&inc, base.path().join("away")).unwrap();
    fs::create_dir(&inc).unwrap();
    write(&inc, &[("hosts", "www A 192.0.2.7\n")]);
    says(&server, &format!("{DENIED}: the sandbox keeps the server to the folders"));
    becomes(&server, "example.", 6);
}

fn a_replaced_folder_in_a_home_is_refused() {
    if !landlock() {
        return;
    }
    let lab = lab();
    let zones = lab.path().join("zones");
    write(lab.path(), &[("secret", "not for the server")]);
    let mut command = serve(&zones);
    command.env("HOME", lab.path());
    let server = start(command, &["-v"]);
    says(&server, "zones; if something else takes its place, after a restart only");
    write(&zones, &[("example.zone", &zone(2))]);
    becomes(&server, "example.", 2);
    fs::rename(&zones, lab.path().join("away")).unwrap();
    fs::create_dir(&zones).unwrap();
    write(&zones, &[("example.zone", &zone(3))]);
    says(&server, "restart the server, or move the file into one of them");
    becomes(&server, "example.", 2);
    fs::rename(&zones, lab.path().join("new")).unwrap();
    fs::rename(lab.path().join("away"), &zones).unwrap();
    write(&zones, &[("example.zone", &zone(4))]);
    becomes(&server, "example.", 4);
}

fn a_file_in_a_home_is_warned_of() {
    if !landlock() {
        return;
    }
    let lab = lab();
    let mut command = serve(&lab.path().join("zones/example.zone"));
    command.env("HOME", lab.path().join("zones"));
    let server = start(command, &[]);
    says(&server, "zones/example.zone lies where too much else does: a file that replaces it");
    write(lab.path(), &[("zones/example.zone", &zone(2)), ("zones/.new", &zone(3))]);
    becomes(&server, "example.", 2);
    fs::rename(lab.path().join("zones/.new"), lab.path().join("zones/example.zone")).unwrap();
    says(&server, "restart the server, or move the file into one of them");
    becomes(&server, "example.", 2);
}

fn systemd_hears_of_the_start() {
    let lab = lab();
    let path = lab.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = serve(&lab.path().join("zones"));
    command.env("NOTIFY_SOCKET", &path);
    let _server = start(command, &[]);
    let mut message = [0; 64];
    let len = socket.recv(&mut message).unwrap();
    assert_eq!(message[..len].trim_ascii(), b"READY=1");
}

fn what_is_not_there_at_the_start_is_told() {
    if !landlock() {
        return;
    }
    let lab = lab();
    let server = start(serve(&lab.path().join("zones")), &["--include-path", "/nowhere/at/all"]);
    says(&server, "warning: sandbox: /nowhere/at/all is not there: restart the server once it is");
}

fn cookie_secrets_are_read_again() {
    let (lab, secrets) = (lab(), folder());
    let zones = lab.path().join("zones");
    write(secrets.path(), &[("secret", "e5e973e5a6b2a43f48e7dc849e37bfcf\n"), (".new", "bad\n")]);
    let file = secrets.path().join("secret");
    let server = start(serve(&zones), &["--cookie-secret", file.to_str().unwrap()]);
    fs::rename(secrets.path().join(".new"), &file).unwrap();
    server.signal("HUP").unwrap();
    says(&server, "line 1: not 32 hexadecimal digits");
}
