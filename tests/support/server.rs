//! The built program as a child process, and how to talk to it.
//!
//! It listens on a free port of 127.0.0.1, which its line on standard error names, and ends with
//! SIGTERM. Every wait has a deadline; none is there for luck.

use super::message::Message;
use super::query::{Query, Transport, header};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// How long a test waits before it gives up: far more than a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// What stands before the address in the line by which the server says that it listens.
const LISTENING: &str = "listening on ";

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_zonesmith");

/// A running server; killed if the test ends before it is stopped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `serve FOLDER` with more arguments and waits until it listens.
    pub fn start(folder: &Path, arguments: &[&str]) -> Result<Server, String> {
        Server::start_by(Command::new(PROGRAM), folder, arguments)
    }

    /// The same with so many descriptors at most.
    pub fn start_with_descriptors(
        count: usize,
        folder: &Path,
        arguments: &[&str],
    ) -> Result<Server, String> {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
        shell.args(["-c", &script, PROGRAM]);
        Server::start_by(shell, folder, arguments)
    }

    fn start_by(mut command: Command, folder: &Path, arguments: &[&str]) -> Result<Server, String> {
        command.arg("serve").arg(folder).args(arguments);
        command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET");
        Server::start_as(command)
    }

    /// Starts a command that ends in `serve` and its arguments, on a free port, and waits until it
    /// listens.
    pub fn start_as(mut command: Command) -> Result<Server, String> {
        command.args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("it does not start: {error}"))?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let log = Arc::new(Mutex::new(String::new()));
        let lines = follow(stderr, Arc::clone(&log));
        let unbound = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { child, address: unbound, log };
        server.address =
            lines.recv_timeout(DEADLINE).map_err(|_| server.complaint("it does not listen"))?;
        Ok(server)
    }

    /// The address of a name, or the response code.
    pub fn address_of(&self, name: &str) -> String {
        let query = Query::parse(&format!("{name} A")).expect("a name");
        let answer = self.ask(&query.wire, Transport::Udp).expect("it can be asked");
        Message::decode(&answer.expect("it answers")).expect("a message").told()
    }

    /// Waits until [`Server::address_of`] a name is as expected.
    pub fn becomes(&self, name: &str, expected: &str) {
        let became = wait_until(|| self.address_of(name) == expected);
        assert!(became, "{name} is {}, not {expected}\n{}", self.address_of(name), self.log());
    }

    /// Asks one question and gives back the answer, or `None` if the server stays silent: then it
    /// has answered a second question, sent behind the first, and nothing before it; or it has
    /// ended the connection. Over UDP a third question is asked then, as the kernel hands over two
    /// datagrams of one sender in another order if that moved between processors.
    pub fn ask(&self, query: &[u8], transport: Transport) -> Result<Option<Vec<u8>>, String> {
        let id = query.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
        let sentinel = sentinel(!id);
        let answer = match transport {
            Transport::Udp => self.over_udp(query, &sentinel).map(Some),
            Transport::Tcp => self.over_tcp(query, &sentinel),
        };
        let answer = answer.map_err(|error| self.complaint(&format!("no answer: {error}")))?;
        Ok(answer.filter(|answer| answer[..2] != sentinel[..2]))
    }

    fn over_udp(&self, query: &[u8], sentinel: &[u8]) -> std::io::Result<Vec<u8>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(self.address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.send(query)?;
        socket.send(sentinel)?;
        let answer = received(&socket)?;
        if answer[..2] != sentinel[..2] {
            return Ok(answer);
        }
        socket.send(sentinel)?;
        received(&socket)
    }

    fn over_tcp(&self, query: &[u8], sentinel: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        let mut stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(&[framed(query), framed(sentinel)].concat())?;
        let mut length = [0; 2];
        match stream.read_exact(&mut length) {
            Err(error) if ended(&error) => return Ok(None),
            result => result?,
        }
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(Some(answer))
    }

    /// Sends SIGTERM and waits for the end. The error holds what the server logged.
    pub fn stop(mut self) -> Result<(), String> {
        self.signal("TERM")?;
        match self.wait()? {
            status if status.success() => Ok(()),
            status => Err(self.complaint(&format!("it ended with {status}"))),
        }
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        status.map_err(|error| format!("no shell: {error}"))?.success().then_some(()).ok_or(kill)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it has in use.
    pub fn resident_kb(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).expect("a size")
    }

    /// How many descriptors it has open for more than a moment: all but those of files.
    pub fn descriptors(&self) -> usize {
        self.links().iter().filter(|link| !is_file(link)).count()
    }

    /// The files and folders that it has open. It reads them now and then, so there may be some at
    /// any moment, and none at another.
    pub fn files(&self) -> Vec<PathBuf> {
        self.links().into_iter().filter(|link| is_file(link)).collect()
    }

    /// What its descriptors lead to (proc(5)): a path, or as in `socket:[1234]`.
    fn links(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs");
        entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect()
    }

    fn wait(&mut self) -> Result<ExitStatus, String> {
        let mut status = None;
        let ended = wait_until(|| {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        if !ended {
            return Err(self.complaint("it does not end"));
        }
        status.ok_or("ended without a status".to_string())
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no test panics while it holds the log").clone()
    }

    fn complaint(&self, what: &str) -> String {
        format!("the server: {what}; its log:\n{}", self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether what a descriptor leads to is a file or folder of the disk.
fn is_file(link: &Path) -> bool {
    link.is_absolute() && !link.starts_with("/dev")
}

/// Asks again and again until `met` says yes; whether it did before the deadline.
pub fn wait_until(mut met: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !met() {
        if start.elapsed() > DEADLINE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Connects from another address of loopback than the usual.
pub fn connect_from(source: [u8; 4], server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// Reads an answer off a stream.
pub fn read_answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// A message behind its length (RFC 1035 §4.2.2).
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a test's message fits TCP");
    [&length.to_be_bytes()[..], message].concat()
}

/// Whether the other side has closed the connection; a reset, if it did so with our bytes unread.
fn ended(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

/// A question that every server answers, if only by refusing: `. NS`.
fn sentinel(id: u16) -> Vec<u8> {
    [&header(id, 0, false)[..], &[0, 0, 2, 0, 1]].concat()
}

fn received(socket: &UdpSocket) -> std::io::Result<Vec<u8>> {
    let mut datagram = vec![0; 65_535];
    let length = socket.recv(&mut datagram)?;
    datagram.truncate(length);
    Ok(datagram)
}

/// Reads standard error to its end on a thread of its own, so that the server never waits for us.
fn follow(stderr: ChildStderr, log: Arc<Mutex<String>>) -> mpsc::Receiver<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let address = line
                .split_once(LISTENING)
                .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
            if let Ok(mut log) = log.lock() {
                log.push_str(&line);
                log.push('\n');
            }
            address.map(|address| sender.send(address));
        }
    });
    receiver
}
