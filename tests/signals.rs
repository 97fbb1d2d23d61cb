//! Signals to a running server. They reach the whole process, so this is one test in its own file.

use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::low_level::raise;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zonesmith::reload::Command;
use zonesmith::respond::{Policy, State};
use zonesmith::server::{Limits, Server, listen};

/// After this the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn sighup_reloads_and_sigterm_ends_after_what_was_asked_is_answered() {
    let listeners = listen::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let address = listeners[0].local;
    let state = State::new(Policy::default());
    let server = Server::new(listeners, state, Limits::default()).unwrap();
    let (_changes, change_receiver) = mpsc::channel();
    let (command_sender, commands) = mpsc::channel();

    // All of this waits in the kernel before the loop runs for the first time.
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for id in 0..100 {
        client.send_to(&[0, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], address).unwrap();
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&[0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    raise(SIGHUP).unwrap();
    raise(SIGTERM).unwrap();

    let counters = thread::spawn(move || server.run(change_receiver, command_sender));
    let mut answer = [0; 1232];
    for id in 0..100 {
        client.recv(&mut answer).unwrap();
        assert_eq!(answer[1], id);
    }
    assert!(stream.read(&mut answer).unwrap() > 12);
    assert!(matches!(commands.recv_timeout(PATIENCE), Ok(Command::ReloadAll)));
    let counters = counters.join().unwrap().unwrap();
    assert_eq!((counters.udp_queries, counters.udp_answers), (100, 100));
    assert_eq!((counters.tcp_accepted, counters.tcp_answers), (1, 1));
}
