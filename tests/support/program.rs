//! The built program run to its end, for tests of what it prints, and what such runs need: a port
//! that is free, a folder of zone files that every user may read.

use super::server::{DEADLINE, wait_until};
use std::fs::{self, File, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// Ports to look for a free one in: below those that the kernel gives out by itself, so that no
/// other test's port 0 takes one between the look and the use.
const PORT_FIRST: u16 = 12_000;
const PORT_COUNT: u16 = 18_000;
/// Far enough apart that two test programs rarely try the same port.
const PORT_STEP: u16 = 37;

/// What a run came to.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program with nothing of this process's environment that changes what it prints.
pub fn zonesmith() -> Command {
    plain(Path::new(env!("CARGO_BIN_EXE_zonesmith")))
}

/// Any program, in such an environment.
pub fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["RUST_LOG", "RUST_LOG_STYLE", "NOTIFY_SOCKET", "JOURNAL_STREAM", "CLICOLOR_FORCE"]
    {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs it to its end. One that does not end before the deadline is ended, and fails the test: a
/// server that should have refused to start must not run on.
pub fn ended(command: &mut Command) -> Ended {
    let (out, err) = (tempfile::NamedTempFile::new(), tempfile::NamedTempFile::new());
    let (out, err) = (out.expect("a file for output"), err.expect("a file for errors"));
    let reopen = |file: &tempfile::NamedTempFile| file.reopen().expect("the file is there");
    command.stdout(reopen(&out)).stderr(reopen(&err));
    let mut child = command.spawn().expect("the program starts");
    let mut status = None;
    let in_time = wait_until(|| {
        status = child.try_wait().expect("a child of ours");
        status.is_some()
    });
    let read = |file: &tempfile::NamedTempFile| {
        String::from_utf8_lossy(&fs::read(file.path()).expect("the file is there")).into_owned()
    };
    if !in_time {
        let _ = child.kill();
        let _ = child.wait();
        panic!("it runs on after {DEADLINE:?}: {command:?}\n{}{}", read(&out), read(&err));
    }
    let code = status.and_then(|status| status.code());
    Ended { code, stdout: read(&out), stderr: read(&err) }
}

/// A port of 127.0.0.1 that is free for UDP and TCP, another one with each call. Where the kernel
/// gives out such ports as well, it is taken for certain only as long as its sockets are held.
pub fn free_port() -> u16 {
    free_sockets().0.local_addr().expect("it is bound").port()
}

/// The sockets of such a port.
pub fn free_sockets() -> (UdpSocket, TcpListener) {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() % u32::from(PORT_COUNT);
    let start = u16::try_from(start).expect("less than a u16");
    loop {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let offset = start.wrapping_add(call.wrapping_mul(PORT_STEP)) % PORT_COUNT;
        let address = ("127.0.0.1", PORT_FIRST + offset);
        if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
            return (udp, tcp);
        }
    }
}

/// A new folder that every user may look into: started as root, the server gives that up.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all = Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), all).expect("it is ours");
    folder
}

/// Puts files with their texts into a folder.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a file can be written");
    }
}

/// Copies the repository's `zones` into `folder`, and gives its path there.
pub fn copy_zones(folder: &Path) -> PathBuf {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("zones"), folder.join("zones"));
    fs::create_dir(&to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the repository's zones") {
        let entry = entry.expect("the repository's zones");
        let mut copy = File::create(to.join(entry.file_name())).expect("a file can be written");
        let mut zone = File::open(entry.path()).expect("the repository's zones");
        std::io::copy(&mut zone, &mut copy).expect("a file can be written");
    }
    to
}
