//! The buffers of UDP sockets, as the program that is run asks for them: what it says where the
//! kernel gives less.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::thread;
use support::program::{copy_zones, folder};
use support::server::Server;

const SO_RCVBUF: u64 = libc::SO_RCVBUF as u64;
const SO_SNDBUF: u64 = libc::SO_SNDBUF as u64;

/// Has the kernel say yes to every wish for a buffer of this thread and its children, and do nothing
/// about it.
fn deaf_kernel() {
    let rules = [(libc::SYS_setsockopt, [SO_RCVBUF, SO_SNDBUF].map(wish).into())];
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let (allow, ignore) = (SeccompAction::Allow, SeccompAction::Errno(0));
    let filter = SeccompFilter::new(rules.into(), allow, ignore, arch).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&filter).unwrap();
}

/// setsockopt(2) with this option of a socket itself.
fn wish(option: u64) -> SeccompRule {
    let level = u64::try_from(libc::SOL_SOCKET).unwrap();
    SeccompRule::new(vec![argument(1, level), argument(2, option)]).unwrap()
}

fn argument(place: u8, value: u64) -> SeccompCondition {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).unwrap()
}

/// What the server says of its buffers.
fn said(arguments: &[&str]) -> Vec<String> {
    let folder = folder();
    let zones = copy_zones(folder.path());
    let server = Server::start(&zones, arguments).unwrap();
    let log = server.log();
    server.stop().unwrap();
    let lines = log.lines().filter(|line| line.contains("buffers of UDP sockets"));
    lines.map(str::to_string).collect()
}

#[test]
fn buffers_that_are_too_small_are_told_with_the_setting_that_allows_more() {
    let run = thread::spawn(|| {
        deaf_kernel();
        let detail = said(&["-v"]);
        assert_eq!(detail.len(), 2, "{detail:?}");
        for limit in ["net.core.rmem_max=2097152", "net.core.wmem_max=524288"] {
            let names_it = |line: &String| line.contains(&format!("`sysctl {limit}`"));
            assert!(detail.iter().any(names_it), "{limit} in {detail:?}");
        }
        assert_eq!(said(&[]), [""; 0], "on loopback it is a detail");
        assert_eq!(said(&["--listen", "0.0.0.0:0"]), detail, "for a network it is not");
    });
    run.join().unwrap();
}

#[test]
fn buffers_of_the_size_that_was_asked_for_are_no_matter() {
    let largest = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    largest.set_recv_buffer_size(1 << 29).unwrap();
    largest.set_send_buffer_size(1 << 29).unwrap();
    let (receive, send) =
        (largest.recv_buffer_size().unwrap() / 2, largest.send_buffer_size().unwrap() / 2);
    let lacking = usize::from(receive < 2_097_152) + usize::from(send < 524_288);
    assert_eq!(said(&["-v"]).len(), lacking);
}
