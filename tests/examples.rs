//! The examples run, and show what they promise.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::server::{DEADLINE, Server};

#[test]
fn lookup_explains_query_and_response() {
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let server = Server::start(&zones, &[]).unwrap();
    let address = server.address.to_string();
    let output =
        Command::new(example("lookup")).args([&address, "mail.smith.edu", "CNAME"]).output();
    server.stop().unwrap();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let expected = [
        "12  04 6d 61 69 6c           label \"mail\"",
        "flags: query, RD: recursion desired, OPCODE 0",
        "flags: QR: response, AA: authoritative, RD: recursion desired, OPCODE 0, RCODE 0 (no error)",
        "32  c0 0c                    pointer: go on at offset 12. owner: mail.smith.edu.",
        "TTL: may be kept for 21600 seconds",
        "RDATA: ghs.google.com.",
    ];
    for line in expected {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn lookup_without_a_server_says_so() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = Command::new(example("lookup")).arg(&nobody).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is a server there?"), "{said}");
}

#[test]
fn selectors_echoes_datagrams() {
    let echo = Echo::start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(echo.address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    for length in [0, 1, 1232, 60_000] {
        let sent = vec![7; length];
        socket.send(&sent).unwrap();
        let mut received = vec![0; 65_535];
        let length = socket.recv(&mut received).unwrap();
        assert_eq!(received[..length], sent);
    }
}

/// More than the kernel's buffers hold, and nothing is read until all is sent or refused: the echo
/// has to stop reading, to go on when there is room, and to serve others meanwhile.
#[test]
fn selectors_echoes_streams_of_any_length() {
    let echo = Echo::start();
    let sent: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut slow = TcpStream::connect(echo.address).unwrap();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut writer = slow.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || writer.write_all(&copy).unwrap());

    let mut quick = TcpStream::connect(echo.address).unwrap();
    quick.set_read_timeout(Some(DEADLINE)).unwrap();
    quick.write_all(b"meanwhile").unwrap();
    let mut received = [0; 9];
    quick.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"meanwhile");

    let mut received = vec![0; sent.len()];
    slow.read_exact(&mut received).unwrap();
    writing.join().unwrap();
    assert!(received == sent, "what came back is not what was sent");
}

/// The example as a child process; killed when the test is done with it.
struct Echo {
    child: Child,
    address: SocketAddr,
}

impl Echo {
    fn start() -> Echo {
        let mut child = Command::new(example("selectors")).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        Echo { child, address }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the program.
fn example(name: &str) -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_zonesmith")).parent().unwrap();
    let path = programs.join("examples").join(name);
    assert!(path.exists(), "{} is not there: run `cargo build --examples`", path.display());
    path
}
