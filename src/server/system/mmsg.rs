//! Datagrams in batches: `recvmmsg` and `sendmmsg`, with the address that was asked.
//!
//! No safe interface offers both calls together with packet info of its own for each message. This is
//! written for Linux, which alone has the calls in this form; there is no fallback for other systems.
//!
//! A [`Batch`] owns everything the kernel reads or writes: query buffers, addresses, control
//! messages and the headers that point at them. All of it lives in one heap block ([`Storage`])
//! that never moves; the headers are set up once and only what a call changed is set again.
//!
//! On a wildcard socket the kernel says of each datagram which local address it came to
//! (`IP_PKTINFO`, `IPV6_PKTINFO`; RFC 3542 §6.2). The very same control message, handed back with
//! the answer, makes the answer leave from that address; only the interface in it is cleared, so
//! that routing decides as for any other datagram.

use arrayvec::ArrayVec;
use mio::net::UdpSocket;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{NonNull, null_mut};

/// Datagrams per system call. 32 already take all that batching gives; 64 measured no better.
pub(in crate::server) const BATCH_LEN: usize = BATCH_LEN_C as usize;
/// The same as the kernel takes it.
const BATCH_LEN_C: libc::c_uint = 32;

/// The longest query that is read, in octets. Real ones stay below 512, and with every EDNS option
/// in use below 1232; what is longer is received cut, says so, and is dropped unread: half a query
/// has no meaning, and no client waits for the answer to one.
const QUERY_LEN_MAX: usize = 4096;

/// What each answer buffer holds without growing: more than an answer over UDP ever is.
const ANSWER_CAPACITY: usize = 4096;

/// Room for one control message with either kind of packet info (32 or 40 octets), aligned as the
/// kernel's `cmsghdr` is.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// What the kernel reads and writes. All fields are plain data for which zero is a value.
struct Storage {
    queries: [[u8; QUERY_LEN_MAX]; BATCH_LEN],
    sources: [libc::sockaddr_storage; BATCH_LEN],
    controls: [Control; BATCH_LEN],
    query_vectors: [libc::iovec; BATCH_LEN],
    query_headers: [libc::mmsghdr; BATCH_LEN],
    answer_vectors: [libc::iovec; BATCH_LEN],
    answer_headers: [libc::mmsghdr; BATCH_LEN],
}

/// Queries that were received together, and their answers.
pub(in crate::server) struct Batch {
    /// From `Box::into_raw`, owned by this value. Everything in it is reached through this pointer,
    /// by references that end before the next system call.
    storage: NonNull<Storage>,
    answers: Box<[Vec<u8>]>,
    /// The number of datagrams received last.
    len: usize,
    /// Those of them whose answers wait to be sent.
    answered: ArrayVec<usize, BATCH_LEN>,
}

/// One datagram of a batch.
pub(in crate::server) struct Datagram<'a> {
    /// Its octets.
    pub(in crate::server) query: &'a [u8],
    /// Where it came from.
    pub(in crate::server) source: SocketAddr,
    /// Empty; what is appended here is sent back.
    pub(in crate::server) answer: &'a mut Vec<u8>,
}

// SAFETY: the block behind `storage` belongs to this value alone, no pointer to it leaves the
// module, and its contents are tied to no thread.
unsafe impl Send for Batch {}

impl Batch {
    /// An empty batch, all buffers allocated.
    pub(in crate::server) fn new() -> Batch {
        // SAFETY: integers, arrays of them and null pointers: zero is a value of every field.
        let storage: Box<Storage> = Box::new(unsafe { zeroed() });
        let storage = NonNull::from(Box::leak(storage));
        let answers = (0..BATCH_LEN).map(|_| Vec::with_capacity(ANSWER_CAPACITY)).collect();
        let mut batch = Batch { storage, answers, len: 0, answered: ArrayVec::new() };
        batch.point_headers();
        batch
    }

    /// Receives up to [`BATCH_LEN`] datagrams: how many. The answers of the last batch are gone.
    ///
    /// # Errors
    /// Those of recvmmsg(2); `WouldBlock` if there is no datagram.
    pub(in crate::server) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for index in 0..self.len {
            self.reset_query_header(index);
        }
        self.len = 0;
        self.answered.clear();
        let headers = self.query_headers();
        let fd = socket.as_raw_fd();
        // SAFETY: `headers` points at BATCH_LEN headers, each pointing at buffers of this batch
        // with their true lengths. They live as long as `self`, which is borrowed mutably here, so
        // nothing else reads or writes them during the call. The descriptor is open: `socket` is
        // borrowed. Without a timeout the kernel takes a null pointer.
        let receive = || result(unsafe { libc::recvmmsg(fd, headers, BATCH_LEN_C, 0, null_mut()) });
        self.len = socket.try_io(receive)?;
        Ok(self.len)
    }

    /// The number of datagrams received last.
    pub(in crate::server) fn len(&self) -> usize {
        self.len
    }

    /// The datagrams received last, without those that were cut.
    pub(in crate::server) fn queries(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: `storage` is valid, and as long as `self` is borrowed no system call changes what
        // is read here.
        (0..self.len.min(BATCH_LEN))
            .filter_map(|index| unsafe { query(self.storage.as_ptr(), index) })
    }

    /// The datagram at `index` among those received; none if it was cut or its source is of no
    /// family that we know.
    pub(in crate::server) fn datagram(&mut self, index: usize) -> Option<Datagram<'_>> {
        assert!(index < self.len && index < BATCH_LEN);
        let storage = self.storage.as_ptr();
        // SAFETY: `storage` is valid and `self` is borrowed mutably for as long as the result
        // lives, so no system call and no other reference changes what is read here.
        let (query, source) = unsafe { (query(storage, index)?, &(*storage).sources[index]) };
        let source = socket_addr(source)?;
        let answer = &mut self.answers[index];
        answer.clear();
        Some(Datagram { query, source, answer })
    }

    /// The answer to the datagram at `index` is made: it is among those that are sent.
    pub(in crate::server) fn queue_answer(&mut self, index: usize) {
        assert!(index < self.len);
        self.answered.push(index);
    }

    /// The number of answers that wait to be sent.
    pub(in crate::server) fn answer_count(&self) -> usize {
        self.answered.len()
    }

    /// Sends the answers, without the first `skip` of them: how many went out, at least one.
    ///
    /// # Errors
    /// Those of sendmmsg(2), about the first answer that was to be sent.
    pub(in crate::server) fn send(&mut self, socket: &UdpSocket, skip: usize) -> io::Result<usize> {
        let count = self.point_answer_headers(skip);
        let storage = self.storage.as_ptr();
        let fd = socket.as_raw_fd();
        // SAFETY: the first `count` answer headers were just set up; they point at the sources and
        // controls of this batch and at answers, none of which moves or changes before the call
        // returns, because `self` is borrowed mutably. The kernel only reads what they point at.
        socket.try_io(|| {
            result(unsafe {
                let headers = (&raw mut (*storage).answer_headers).cast();
                libc::sendmmsg(fd, headers, count, 0)
            })
        })
    }

    fn query_headers(&self) -> *mut libc::mmsghdr {
        // SAFETY: `storage` is valid; only the address of a field is taken.
        unsafe { (&raw mut (*self.storage.as_ptr()).query_headers).cast() }
    }

    /// Points every header at what it always has: buffers for queries, a vector for answers.
    fn point_headers(&mut self) {
        let storage = self.storage.as_ptr();
        for index in 0..BATCH_LEN {
            // SAFETY: `storage` is valid and owned, `index` is in bounds, and only places are
            // written and addresses taken; no reference is made.
            unsafe {
                let vector = &raw mut (*storage).query_vectors[index];
                (*vector).iov_base = (&raw mut (*storage).queries[index]).cast();
                (*vector).iov_len = QUERY_LEN_MAX;
                let header = &raw mut (*storage).query_headers[index].msg_hdr;
                (*header).msg_name = (&raw mut (*storage).sources[index]).cast();
                (*header).msg_iov = vector;
                (*header).msg_iovlen = 1;
                (*header).msg_control = (&raw mut (*storage).controls[index]).cast();
                let header = &raw mut (*storage).answer_headers[index].msg_hdr;
                (*header).msg_iov = &raw mut (*storage).answer_vectors[index];
                (*header).msg_iovlen = 1;
            }
            self.reset_query_header(index);
        }
    }

    /// Sets again what receiving a datagram changed in its header, and the kernel reads.
    fn reset_query_header(&mut self, index: usize) {
        // SAFETY: `storage` is valid and owned; no other reference to this header lives.
        let header = unsafe { &mut (*self.storage.as_ptr()).query_headers[index].msg_hdr };
        header.msg_namelen = SOURCE_LEN;
        header.msg_controllen = size_of::<Control>();
    }

    /// Sets up a header for each answer after the first `skip`: how many.
    fn point_answer_headers(&mut self, skip: usize) -> libc::c_uint {
        let mut count = 0;
        for place in skip..self.answered.len() {
            self.point_answer_header(place - skip, self.answered[place]);
            count += 1;
        }
        count
    }

    /// Points the header at `place` at the answer to the datagram at `index`, which goes back to
    /// where that came from with the control message that came along.
    fn point_answer_header(&mut self, place: usize, index: usize) {
        assert!(place < BATCH_LEN && index < BATCH_LEN);
        let (storage, answer) = (self.storage.as_ptr(), &self.answers[index]);
        // SAFETY: `storage` is valid, both indices are in bounds, and only places are written and
        // addresses taken. The kernel fills control messages aligned as `Control` is, and says in
        // `msg_controllen` how much of it is valid.
        unsafe {
            let vector = &raw mut (*storage).answer_vectors[place];
            (*vector).iov_base = answer.as_ptr().cast_mut().cast();
            (*vector).iov_len = answer.len();
            let query = &raw const (*storage).query_headers[index].msg_hdr;
            let header = &raw mut (*storage).answer_headers[place].msg_hdr;
            (*header).msg_name = (&raw mut (*storage).sources[index]).cast();
            (*header).msg_namelen = (*query).msg_namelen;
            (*header).msg_control = (&raw mut (*storage).controls[index]).cast();
            (*header).msg_controllen = (*query).msg_controllen;
            release_interface(header);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a box, and nobody else frees it.
        drop(unsafe { Box::from_raw(self.storage.as_ptr()) });
    }
}

/// The octets of a datagram that was received whole.
///
/// # Safety
/// `storage` is valid, and nothing changes it while the result lives.
unsafe fn query<'s>(storage: *const Storage, index: usize) -> Option<&'s [u8]> {
    // SAFETY: by the contract above; indices are checked.
    let (header, query) = unsafe { (&(*storage).query_headers[index], &(*storage).queries[index]) };
    let is_whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
    is_whole.then(|| &query[..header.msg_len as usize])
}

/// Asks the kernel to say of each datagram which local address it came to.
pub(in crate::server) fn receive_packet_info(
    socket: &impl AsFd,
    address: &SocketAddr,
) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        SocketAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Makes the kernel ignore what it is told of path MTUs, which strangers could forge to make it
/// send fragments that others can then replace (RFC 9715 §3.1).
///
/// Linux has no `IPV6_USE_MIN_MTU` (RFC 3542 §11.1); `IPV6_MTU` does the same for one socket. It
/// cuts nothing: the longest answer, its headers included, is as long as that MTU
/// ([`UDP_LEN_MAX`](crate::wire::UDP_LEN_MAX)).
pub(in crate::server) fn ignore_path_mtu(
    socket: &impl AsFd,
    address: &SocketAddr,
) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => {
            set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
        }
        SocketAddr::V6(_) => {
            let (level, omit) = (libc::IPPROTO_IPV6, libc::IPV6_PMTUDISC_OMIT);
            set_option(socket, level, libc::IPV6_MTU_DISCOVER, omit)?;
            set_option(socket, level, libc::IPV6_MTU, IPV6_MTU_MIN)
        }
    }
}

/// The MTU that every IPv6 link has (RFC 8200 §5).
const IPV6_MTU_MIN: libc::c_int = 1280;

/// Room for the address of either family.
const SOURCE_LEN: libc::socklen_t = len_of::<libc::sockaddr_storage>();

/// The size of a small type, as the kernel takes it.
#[allow(clippy::cast_possible_truncation)] // 128 octets at most
const fn len_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

fn set_option(
    socket: &impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = len_of::<libc::c_int>();
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed and so open, and the kernel reads `len` octets of `value`.
    let done = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) };
    result(done).map(drop)
}

/// What a system call that counts gave.
fn result(returned: libc::c_int) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Clears the interface in packet info, so that the answer takes the route that its destination
/// has. A link-local address means nothing without its interface, so that one keeps it.
///
/// # Safety
/// `header` is valid, and its control buffer holds `msg_controllen` octets that the kernel wrote.
unsafe fn release_interface(header: *const libc::msghdr) {
    // SAFETY: by the contract above, a first control message lies wholly in the buffer. Its data is
    // aligned for either struct, because the buffer is and a `cmsghdr` is a multiple of 8 long.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return;
        }
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info: *mut libc::in_pktinfo = libc::CMSG_DATA(message).cast();
                (*info).ipi_ifindex = 0;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: *mut libc::in6_pktinfo = libc::CMSG_DATA(message).cast();
                if !Ipv6Addr::from((*info).ipi6_addr.s6_addr).is_unicast_link_local() {
                    (*info).ipi6_ifindex = 0;
                }
            }
            _ => {}
        }
    }
}

/// The address that the kernel wrote, if it is of a family that we know.
fn socket_addr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let place: *const libc::sockaddr_storage = storage;
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which struct stands here; it is smaller than the storage,
            // which is aligned for all of them.
            let v4 = unsafe { &*place.cast::<libc::sockaddr_in>() };
            let ip = u32::from_be(v4.sin_addr.s_addr).into();
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*place.cast::<libc::sockaddr_in6>() };
            let (ip, port) = (v6.sin6_addr.s6_addr.into(), u16::from_be(v6.sin6_port));
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as Client;
    use std::time::{Duration, Instant};

    /// Loopback in the families that this machine has.
    fn loopbacks() -> impl Iterator<Item = &'static str> {
        let has = |address: &&str| Client::bind(*address).is_ok();
        ["127.0.0.1:0", "[::1]:0"].into_iter().filter(has)
    }

    /// A non-blocking socket, and a client of it.
    fn pair(address: &str) -> (UdpSocket, Client) {
        let socket = UdpSocket::bind(address.parse().unwrap()).unwrap();
        let client = Client::bind(address).unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (socket, client)
    }

    /// Receives until something is there.
    fn receive(batch: &mut Batch, socket: &UdpSocket) -> usize {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match batch.receive(socket) {
                Ok(len) => return len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "no datagram came");
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn answers_go_back_to_where_the_queries_came_from() {
        for address in loopbacks() {
            let (socket, client) = pair(address);
            let mut batch = Batch::new();
            for round in 0..3 {
                client.send(&[round; 5]).unwrap();
                assert_eq!(receive(&mut batch, &socket), 1);
                let datagram = batch.datagram(0).unwrap();
                assert_eq!(datagram.source, client.local_addr().unwrap());
                assert_eq!(datagram.query, [round; 5]);
                assert!(datagram.answer.is_empty());
                datagram.answer.extend_from_slice(b"answer");
                batch.queue_answer(0);
                assert_eq!(batch.send(&socket, 0).unwrap(), 1);
                let mut answer = [0; 16];
                assert_eq!(client.recv(&mut answer).unwrap(), 6);
            }
        }
    }

    #[test]
    fn only_answers_that_were_made_are_sent_and_skipping_counts_those() {
        let (socket, client) = pair("127.0.0.1:0");
        for octet in 0..6 {
            client.send(&[octet]).unwrap();
        }
        let mut batch = Batch::new();
        assert_eq!(receive(&mut batch, &socket), 6);
        for index in [0, 2, 5] {
            let datagram = batch.datagram(index).unwrap();
            datagram.answer.extend_from_slice(datagram.query);
            batch.queue_answer(index);
        }
        assert_eq!(batch.answer_count(), 3);
        assert_eq!(batch.send(&socket, 1).unwrap(), 2);
        let mut answer = [0; 16];
        let answers = [(); 2].map(|()| (client.recv(&mut answer).unwrap(), answer[0]));
        assert_eq!(answers, [(1, 2), (1, 5)]);
    }

    #[test]
    fn a_datagram_longer_than_the_buffer_is_not_given_out() {
        let (socket, client) = pair("127.0.0.1:0");
        client.send(&[7; QUERY_LEN_MAX + 1]).unwrap();
        client.send(&[7; QUERY_LEN_MAX]).unwrap();
        client.send(&[]).unwrap();
        let mut batch = Batch::new();
        assert_eq!(receive(&mut batch, &socket), 3);
        assert!(batch.datagram(0).is_none());
        assert_eq!(batch.datagram(1).unwrap().query.len(), QUERY_LEN_MAX);
        assert_eq!(batch.datagram(2).unwrap().query, b"");
    }

    #[test]
    fn an_answer_leaves_a_wildcard_socket_from_the_address_that_was_asked() {
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        receive_packet_info(&socket, &local).unwrap();
        let mut batch = Batch::new();
        for asked in ["127.0.0.2", "127.0.0.1"] {
            let client = Client::bind("127.0.0.1:0").unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            client.send_to(b"query", (asked, local.port())).unwrap();
            receive(&mut batch, &socket);
            batch.datagram(0).unwrap().answer.extend_from_slice(b"answer");
            batch.queue_answer(0);
            batch.send(&socket, 0).unwrap();
            let (_, from) = client.recv_from(&mut [0; 16]).unwrap();
            assert_eq!(from.ip().to_string(), asked);
        }
    }

    #[test]
    fn the_longest_answer_is_never_a_fragment_on_a_link_of_the_least_mtu() {
        for address in loopbacks() {
            let socket = Client::bind(address).unwrap();
            ignore_path_mtu(&socket, &socket.local_addr().unwrap()).unwrap();
        }
        let headers = 40 + 8; // IPv6 and UDP
        assert!(libc::c_int::from(crate::wire::UDP_LEN_MAX) + headers <= IPV6_MTU_MIN);
    }
}
