//! From what was asked to sockets: on which addresses does the server listen?
//!
//! Each address gets a UDP and a TCP socket with the same port. With `--listen` the addresses are
//! given, and one that cannot be had is an error. Without, it is port 53 on each address that the
//! machine has, one pair of sockets per address: so another program on one of them (a stub resolver
//! on 127.0.0.53, say) costs that address and not the start, and an answer leaves from the address
//! that was asked with no work per datagram. A wildcard address is bound as it is; then packet info
//! sees to that.
//!
//! No socket shares its port (no `SO_REUSEPORT`, no `SO_REUSEADDR` for UDP): two servers on one
//! port would each get a part of the queries, and nobody would know why. [`advice`] turns what the
//! kernel says into what to do.

use super::buffers;
use super::system::mmsg;
use crate::respond::Transport;
use crate::wire::DNS_PORT;
use mio::net::{TcpListener, UdpSocket};
use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Connections that may wait to be accepted; the kernel cuts it to its own bound.
const BACKLOG: i32 = 1024;

/// Ports to try when the kernel may choose: one that is free for UDP can be taken for TCP.
const PORT_TRIES: usize = 32;

/// Where the server listens: two sockets with one address.
pub struct Listener {
    /// For datagrams.
    pub udp: UdpSocket,
    /// For streams.
    pub tcp: TcpListener,
    /// The address, with the port that it got.
    pub local: SocketAddr,
    /// It is every address of its family.
    pub wildcard: bool,
}

/// An address that could not be had, and why. Its text says what to do.
#[derive(Debug)]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Which of its sockets.
    pub transport: Transport,
    /// What the kernel said.
    pub error: io::Error,
}

/// No socket at all.
#[derive(Debug)]
pub enum BindAllError {
    /// The machine does not tell its addresses, or has none.
    NoAddresses(io::Error),
    /// None of them could be had; this is why the first could not.
    NoneBound(ListenError),
}

/// Binds every address that was asked for, in that order.
///
/// # Errors
/// About the first address that cannot be had.
pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<Listener>, ListenError> {
    addresses.iter().map(|&address| bind_pair(address)).collect()
}

/// Binds `port` on each address that the machine has: what could be bound, and what was left out.
///
/// # Errors
/// If nothing could be bound.
pub fn bind_all(port: u16) -> Result<(Vec<Listener>, Vec<ListenError>), BindAllError> {
    let addresses = machine_addresses(port).map_err(BindAllError::NoAddresses)?;
    bind_each(&addresses)
}

/// What can be bound of `addresses`, and what is left out.
fn bind_each(addresses: &[SocketAddr]) -> Result<(Vec<Listener>, Vec<ListenError>), BindAllError> {
    let (mut bound, mut skipped) = (Vec::new(), Vec::new());
    for &address in addresses {
        match bind_pair(address) {
            Ok(listener) => bound.push(listener),
            Err(error) => skipped.push(error),
        }
    }
    if bound.is_empty() {
        let none = || BindAllError::NoAddresses(ErrorKind::AddrNotAvailable.into());
        let first = skipped.into_iter().next();
        return Err(first.map_or_else(none, BindAllError::NoneBound));
    }
    Ok((bound, skipped))
}

/// From where datagrams would come that the server had sent to itself: the addresses it listens on,
/// and for a wildcard those that the machine has now. One that comes later is not known: it gets an answer,
/// which is a response and gets none.
pub(super) fn own_addresses(listeners: &[Listener]) -> Vec<SocketAddr> {
    let mut own: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local).collect();
    for wildcard in listeners.iter().filter(|listener| listener.wildcard) {
        let machine = machine_addresses(wildcard.local.port()).unwrap_or_default();
        own.extend(machine.iter().filter(|one| one.is_ipv4() == wildcard.local.is_ipv4()));
    }
    own
}

/// The addresses of all interfaces, each once, link-local ones with their interface.
fn machine_addresses(port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for storage in getifaddrs()?.filter_map(|interface| interface.address) {
        let v4 = storage.as_sockaddr_in().map(|&v4| SocketAddr::V4(v4.into()));
        let v6 = || storage.as_sockaddr_in6().map(|&v6| SocketAddr::V6(v6.into()));
        let Some(mut address) = v4.or_else(v6) else {
            continue;
        };
        address.set_port(port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// A UDP and a TCP socket with the same port. Port 0 lets the kernel choose one that both can have.
fn bind_pair(address: SocketAddr) -> Result<Listener, ListenError> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match try_pair(address) {
            Err(taken) if taken.error.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            result => return result,
        }
    }
}

fn try_pair(address: SocketAddr) -> Result<Listener, ListenError> {
    let failed = |transport| move |error| ListenError { address, transport, error };
    let udp = bind_udp(address).map_err(failed(Transport::Udp))?;
    let local = udp.local_addr().map_err(failed(Transport::Udp))?;
    let tcp = bind_tcp(local).map_err(failed(Transport::Tcp))?;
    Ok(Listener { udp, tcp, local, wildcard: local.ip().is_unspecified() })
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    if address.ip().is_unspecified() {
        mmsg::receive_packet_info(&socket, &address)?;
    }
    if let Err(error) = mmsg::ignore_path_mtu(&socket, &address) {
        log::debug!("{address}: path MTUs cannot be ignored: {error}");
    }
    buffers::ask(&socket)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // For TCP on Linux this lets nobody share the port: it is only not kept from us for a minute by
    // connections of a server that ran here before.
    socket.set_reuse_address(true)?;
    buffers::bound_streams(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        write!(f, "cannot listen on {} ({transport}): ", self.address)?;
        f.write_str(&reason(&self.error))
    }
}

impl std::error::Error for ListenError {}

impl ListenError {
    /// What to do about it: lines of text for somebody who has never met this error.
    pub fn advice(&self) -> String {
        advice(self.address, self.error.kind())
    }
}

impl fmt::Display for BindAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindAllError::NoAddresses(error) => {
                write!(f, "this machine names no address to listen on: {}", reason(error))
            }
            BindAllError::NoneBound(first) => {
                write!(f, "none of this machine's addresses can be had; the first: {first}")
            }
        }
    }
}

impl std::error::Error for BindAllError {}

impl BindAllError {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            BindAllError::NoAddresses(_) => "name one, as in `--listen 127.0.0.1:5300`".to_owned(),
            BindAllError::NoneBound(first) => first.advice(),
        }
    }
}

/// What the kernel said, in words that say more where the usual ones say little.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "another program listens there".to_owned(),
        ErrorKind::PermissionDenied => "not permitted".to_owned(),
        ErrorKind::AddrNotAvailable => "this machine does not have that address (yet)".to_owned(),
        _ => error.to_string(),
    }
}

/// What to do when `address` cannot be had because of an error of `kind`. Every line stands for
/// itself; no line where there is nothing to say.
pub fn advice(address: SocketAddr, kind: ErrorKind) -> String {
    match kind {
        ErrorKind::AddrInUse if address.port() == DNS_PORT => taken_53(address),
        ErrorKind::AddrInUse => taken(address.port()),
        ErrorKind::PermissionDenied if address.port() < FIRST_FREE_PORT => privileged(address),
        ErrorKind::AddrNotAvailable => ABSENT.to_owned(),
        _ => String::new(),
    }
}

/// The first port that needs no privilege, unless the machine is set up otherwise.
const FIRST_FREE_PORT: u16 = 1024;

const ABSENT: &str = "\
`ip address` lists the addresses of this machine; use one of them, or give it this one first
a link-local address needs its interface: fe80::1%eth0 as `[fe80::1%2]:53`, where 2 is the \
interface's number in that list
an address that comes up later (DHCP, VPN): start the server after it, or use `--listen 0.0.0.0:53`";

fn taken_53(address: SocketAddr) -> String {
    let wildcard = address.ip().is_unspecified();
    let holder = if wildcard {
        "port 53 is usually held by systemd-resolved (on 127.0.0.53 and 127.0.0.54, which collides \
         only with a wildcard address as this one), by dnsmasq or by another name server"
    } else {
        "port 53 is usually held by dnsmasq or another name server; by systemd-resolved only on \
         127.0.0.53 and 127.0.0.54"
    };
    let own = "or an address of its own: without `--listen` the server takes every address of this \
               machine whose port 53 is free, and leaves out those that are taken";
    let resolved = "turn systemd-resolved's listener off: `DNSStubListener=no` under [Resolve] in \
                    /etc/systemd/resolved.conf.d/no-stub.conf, then restart systemd-resolved; but \
                    this machine's own look-ups then need another server in /etc/resolv.conf";
    let mut lines = vec![holder.to_owned(), see_holder(DNS_PORT), other_port()];
    lines.push(own.to_owned());
    if wildcard || is_stub(address) {
        lines.push(resolved.to_owned());
    }
    lines.join("\n")
}

/// Whether systemd-resolved keeps this address for itself (resolved.conf(5), DNSStubListener).
fn is_stub(address: SocketAddr) -> bool {
    ["127.0.0.53", "127.0.0.54"].iter().any(|stub| address.ip().to_string() == *stub)
}

fn taken(port: u16) -> String {
    let again = "if it is another zonesmith, end that one first, or use another port";
    [see_holder(port), again.to_owned()].join("\n")
}

fn privileged(address: SocketAddr) -> String {
    let port = address.port();
    let who = format!("ports below {FIRST_FREE_PORT} need the capability CAP_NET_BIND_SERVICE");
    let grant = "give it to the program: `sudo setcap 'cap_net_bind_service=+ep' \
                 \"$(command -v zonesmith)\"` (again after each new build)";
    let unit = "run it by its systemd unit, which grants that and nothing else, or start it as \
                root: it gives up root as soon as it has its sockets";
    let other = format!("{}, which anybody may use in place of {port}", other_port());
    [&who, grant, unit, &other].map(str::to_owned).join("\n")
}

fn see_holder(port: u16) -> String {
    format!(
        "see who holds it: `sudo ss -lunp 'sport = :{port}'` (UDP), `sudo ss -ltnp 'sport = :{port}'` (TCP)"
    )
}

fn other_port() -> String {
    "use a high port: `--listen 127.0.0.1:5300`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn ports(addresses: &[&str]) -> Vec<Listener> {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| address(text)).collect();
        bind(&addresses).unwrap()
    }

    #[test]
    fn port_0_is_the_same_port_for_both_sockets_and_another_for_each_listen() {
        let listeners = ports(&["127.0.0.1:0", "127.0.0.1:0", "127.0.0.2:0"]);
        for listener in &listeners {
            assert_ne!(listener.local.port(), 0);
            assert_eq!(listener.udp.local_addr().unwrap(), listener.local);
            assert_eq!(listener.tcp.local_addr().unwrap(), listener.local);
            assert!(!listener.wildcard);
        }
        assert_ne!(listeners[0].local.port(), listeners[1].local.port());
    }

    #[test]
    fn the_wildcards_of_both_families_share_a_port() {
        let v4 = ports(&["0.0.0.0:0"]);
        assert!(v4[0].wildcard);
        let v6 = format!("[::]:{}", v4[0].local.port());
        match bind(&[address(&v6)]) {
            Ok(v6) => assert!(v6[0].wildcard),
            Err(error) => assert_eq!(error.error.kind(), ErrorKind::AddrInUse, "{error}"),
        }
    }

    #[test]
    fn a_second_server_on_a_port_fails_loudly() {
        let first = ports(&["127.0.0.1:0"]);
        let error = bind(&[first[0].local]).err().unwrap();
        assert_eq!(error.error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("another program listens there"), "{error}");
        assert!(error.advice().contains(&format!(":{}'", first[0].local.port())));
    }

    #[test]
    fn a_port_that_only_tcp_lacks_is_an_error_about_tcp() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(&[tcp.local_addr().unwrap()]).err().unwrap();
        assert_eq!(error.transport, Transport::Tcp);
    }

    #[test]
    fn addresses_that_are_taken_or_absent_are_left_out() {
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let asked = [taken, address("198.51.100.77:0"), address("127.0.0.1:0")];
        let (bound, skipped) = bind_each(&asked).unwrap();
        assert_eq!(bound.len(), 1);
        assert_eq!(skipped.iter().map(|error| error.address).collect::<Vec<_>>(), asked[..2]);
        let none = bind_each(&asked[..2]).err().unwrap();
        assert!(none.to_string().contains(&taken.to_string()), "{none}");
    }

    #[test]
    fn the_servers_own_addresses_are_those_it_listens_on() {
        let listeners = ports(&["127.0.0.2:0", "0.0.0.0:0"]);
        let own = own_addresses(&listeners);
        assert!(own.contains(&listeners[0].local), "{own:?}");
        let port = listeners[1].local.port();
        assert!(own.contains(&address(&format!("127.0.0.1:{port}"))), "{own:?}");
        assert!(own.iter().all(SocketAddr::is_ipv4));
    }

    #[test]
    fn the_machine_has_its_loopback_address() {
        let addresses = machine_addresses(7).unwrap();
        assert!(addresses.contains(&address("127.0.0.1:7")), "{addresses:?}");
    }

    #[test]
    fn advice_about_port_53_names_the_usual_holders_and_the_ways_out() {
        let wildcard = advice(address("0.0.0.0:53"), ErrorKind::AddrInUse);
        for words in ["systemd-resolved", "127.0.0.53", "dnsmasq", "ss -lunp 'sport = :53'"] {
            assert!(wildcard.contains(words), "{words} in {wildcard}");
        }
        for words in ["--listen 127.0.0.1:5300", "DNSStubListener=no", "own look-ups"] {
            assert!(wildcard.contains(words), "{words} in {wildcard}");
        }
        let single = advice(address("192.0.2.1:53"), ErrorKind::AddrInUse);
        assert!(!single.contains("DNSStubListener"), "it would not help: {single}");
    }

    #[test]
    fn advice_about_privileges_is_for_low_ports_only() {
        let low = advice(address("127.0.0.1:53"), ErrorKind::PermissionDenied);
        for words in ["CAP_NET_BIND_SERVICE", "setcap 'cap_net_bind_service=+ep'", "5300"] {
            assert!(low.contains(words), "{words} in {low}");
        }
        assert_eq!(advice(address("127.0.0.1:5300"), ErrorKind::PermissionDenied), "");
    }

    #[test]
    fn advice_about_an_absent_address_says_where_to_look() {
        let absent = advice(address("192.0.2.77:53"), ErrorKind::AddrNotAvailable);
        assert!(absent.contains("ip address"), "{absent}");
    }
}
