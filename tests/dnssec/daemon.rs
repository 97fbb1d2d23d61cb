//! Servers of others in the foreground, ended with the test, and one way to ask them and ours.

use super::support::message::Message;
use super::support::program::{free_port, plain};
use super::support::query::{Query, Transport};
use super::support::server::{DEADLINE, framed, wait_until};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for an answer before asking again: a datagram may come before the server is
/// there.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A server of others.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts `program` with the arguments that `configure` gives for a port, and waits until it answers
    /// `query`. What it says goes to `log`.
    pub(crate) fn start(
        program: &Path,
        log: &Path,
        query: &str,
        configure: impl FnOnce(u16) -> Vec<String>,
    ) -> Daemon {
        let port = free_port();
        let daemon = Daemon::start_on(port, program, log, &configure(port));
        ask(daemon.address, query);
        daemon
    }

    /// Starts `program` with arguments that make it listen on a port; what it says goes to the end of
    /// `log`.
    pub(crate) fn start_on(port: u16, program: &Path, log: &Path, arguments: &[String]) -> Daemon {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = plain(program);
        command.args(arguments).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Ends it and its children as a power failure would, and waits until the last has let go of the
    /// port.
    pub(crate) fn kill(mut self) {
        let group = format!("kill -KILL -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).status();
        let _ = self.child.wait();
        let address = self.address;
        let is_free = || UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok();
        assert!(wait_until(is_free), "{address} is still taken");
    }
}

impl Drop for Daemon {
    /// Asks it to end, so that it ends its own children first.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let terminate = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &terminate]).status();
        wait_until(|| !matches!(self.child.try_wait(), Ok(None)));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until an answer comes. `query` is in the words of `support/query.rs`.
pub(crate) fn ask(server: SocketAddr, query: &str) -> Message {
    let Query { wire, transport, .. } = Query::parse(query).unwrap();
    let start = Instant::now();
    loop {
        let answer = match transport {
            Transport::Udp => over_udp(server, &wire),
            Transport::Tcp => over_tcp(server, &wire),
        };
        match answer {
            Ok(answer) => {
                return Message::decode(&answer).unwrap_or_else(|error| panic!("{query}: {error}"));
            }
            Err(error) if start.elapsed() > DEADLINE => panic!("{server} {query}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn over_udp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(ASK_AGAIN))?;
    socket.send(query)?;
    let mut answer = vec![0; 65_535];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn over_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(&framed(query))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    if answer.len() < 12 { Err(Error::from(ErrorKind::InvalidData)) } else { Ok(answer) }
}
