//! The tests of RFC 8906 §8 as that document has them, `dig` with its flags, against the built
//! program; and what `dig` and `kdig` say of its cookies, which they check.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::peers;
use support::program::{folder, free_port, write};
use support::server::{Server, wait_until};

/// 600 octets of keys, which stand for those that the RFC asks of a signed zone.
const KEY_COUNT: usize = 10;
const SECRETS: [&str; 2] = ["e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"];

/// The section, the form without its server, and a [`summary`] of what it prints.
const FORMS: [(&str, &str, &str); 18] = [
    ("8.1.1", "+noedns +noad +norec soa example.", "NOERROR qr aa, 1"),
    ("8.1.2", "+noedns +noad +norec type1000 example.", "NOERROR qr aa, 0"),
    ("8.1.3.1", "+noedns +noad +norec +cd soa example.", "NOERROR qr aa, 1"),
    ("8.1.3.2", "+noedns +norec +ad soa example.", "NOERROR qr aa, 1"),
    ("8.1.3.3", "+noedns +noad +norec +zflag soa example.", "NOERROR qr aa, 1"),
    ("8.1.3.4", "+noedns +noad +rec soa example.", "NOERROR qr aa rd, 1"),
    ("8.1.4", "+noedns +noad +opcode=15 +norec +header-only", "NOTIMP qr, 0"),
    ("8.1.5", "+noedns +noad +norec +tcp soa example.", "NOERROR qr aa, 1"),
    ("8.2.1", "+nocookie +edns=0 +noad +norec soa example.", "NOERROR qr aa, 1; EDNS 0"),
    ("8.2.2", "+nocookie +edns=1 +noednsneg +noad +norec soa example.", "BADVERS qr, 0; EDNS 0"),
    (
        "8.2.3",
        "+nocookie +edns=0 +noad +norec +ednsopt=100 soa example.",
        "NOERROR qr aa, 1; EDNS 0",
    ),
    (
        "8.2.4",
        "+nocookie +edns=0 +noad +norec +ednsflags=0x40 soa example.",
        "NOERROR qr aa, 1; EDNS 0",
    ),
    (
        "8.2.5",
        "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa example.",
        "BADVERS qr, 0; EDNS 0",
    ),
    (
        "8.2.6",
        "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa example.",
        "BADVERS qr, 0; EDNS 0",
    ),
    (
        "8.2.7",
        "+nocookie +norec +dnssec +bufsize=512 +ignore dnskey example.",
        "NOERROR qr aa tc, 0; EDNS 0 do",
    ),
    ("8.2.8", "+nocookie +edns=0 +noad +norec +dnssec soa example.", "NOERROR qr aa, 1; EDNS 0 do"),
    (
        "8.2.9",
        "+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa example.",
        "BADVERS qr, 0; EDNS 0 do",
    ),
    (
        "8.2.10",
        "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa example.",
        "NOERROR qr aa, 1; EDNS 0; NSID; COOKIE (good)",
    ),
];

/// The server, from a folder with a zone and a file of secrets.
fn start(folder: &Path, arguments: &[&str]) -> Server {
    let key = format!("@ DNSKEY 256 3 8 {}", "A".repeat(80));
    let keys: Vec<String> = (0..KEY_COUNT).map(|n| format!("{key}{n:04}\n")).collect();
    let zone = "$TTL 300\n@ SOA ns admin 7 1d 1h 1w 5m\n@ NS ns\nns A 192.0.2.1\n".to_string();
    write(folder, &[("example.zone", &(zone + &keys.concat()))]);
    Server::start(folder, arguments).unwrap()
}

/// Runs dig or kdig, which is installed, against the server.
fn ask(program: &str, server: &Server, arguments: &str) -> Option<String> {
    ask_port(program, server.address.port(), arguments)
}

fn ask_port(program: &str, port: u16, arguments: &str) -> Option<String> {
    let mut command = Command::new(peers::find(program)?);
    command.args(["@127.0.0.1", "-p", &port.to_string()]);
    let output = command.args(arguments.split(' ')).env_remove("HOME").output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `RCODE FLAGS, ANSWERS; EDNS VERSION FLAGS; OPTION; …` of what dig prints.
fn summary(printed: &str) -> String {
    let between = |start: &str, end: &str| {
        let rest = printed.split_once(start).map_or("", |(_, rest)| rest);
        rest.split_once(end).map_or("", |(word, _)| word).trim().to_string()
    };
    let head = format!(
        "{} {}, {}",
        between("status: ", ","),
        between(";; flags:", ";"),
        between("ANSWER: ", ",")
    );
    let edns = between("; EDNS: version: ", "udp:").replace(", flags:;", "");
    let edns = edns.replace(", flags:", "").replace(';', "");
    let options = printed.lines().skip_while(|line| !line.starts_with("; EDNS:")).skip(1);
    let options = options.take_while(|line| line.starts_with("; ")).map(|line| {
        let name = line[2..].split(':').next().unwrap_or("");
        let (verdict, good) = (line.rsplit(' ').next().unwrap_or(""), "(good)");
        if verdict == good { format!("{name} {good}") } else { name.to_string() }
    });
    let edns = (!edns.is_empty()).then(|| format!("EDNS {edns}"));
    std::iter::once(head).chain(edns).chain(options).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_forms_of_rfc8906_section_8() {
    let folder = folder();
    let server = start(folder.path(), &["--nsid", "ns1"]);
    for (section, arguments, expected) in FORMS {
        let Some(printed) = ask("dig", &server, arguments) else { return };
        assert_eq!(summary(&printed), expected, "§{section} dig {arguments}\n{printed}");
    }
    server.stop().unwrap();
}

#[test]
fn dig_and_kdig_take_their_cookies_and_come_back_with_them() {
    let folder = folder();
    let server = start(folder.path(), &["--cookies", "required"]);
    let soa = "ns.example. admin.example. 7 ";
    // both ask again by themselves with the cookie that came with BADCOOKIE
    let Some(dig) = ask("dig", &server, "+cookie soa example.") else { return };
    assert!(dig.contains("BADCOOKIE, retrying") && dig.contains(soa), "{dig}");
    assert!(dig.contains("(good)"), "{dig}");
    let refused = ask("dig", &server, "+cookie +nobadcookie soa example.").unwrap();
    assert_eq!(summary(&refused).split(',').next(), Some("BADCOOKIE qr rd"), "{refused}");
    let plain = ask("dig", &server, "+nocookie soa example.").unwrap();
    assert!(plain.contains("Truncated, retrying in TCP mode") && plain.contains(soa), "{plain}");
    let alone = ask("dig", &server, "+cookie +header-only").unwrap();
    assert_eq!(summary(&alone), "NOERROR qr rd, 0; EDNS 0; COOKIE (good)", "{alone}");
    let Some(kdig) = ask("kdig", &server, "+cookie +badcookie soa example.") else { return };
    assert!(kdig.contains(soa) && kdig.contains(";; COOKIE: "), "{kdig}");
    server.stop().unwrap();
}

/// BIND with our secret, started and ended with the test.
struct Named {
    child: Child,
    port: u16,
}

impl Named {
    /// Starts it in a folder with our zone, and waits until it answers. As it serves the root, too,
    /// it asks nobody for that.
    fn start(folder: &Path) -> Option<Named> {
        let (program, port) = (peers::find("named")?, free_port());
        let zone = "zone \"example\" { type primary; file \"example.zone\"; };";
        let root = "zone \".\" { type primary; file \"root\"; };";
        let configuration = format!(
            "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ \
             none; }}; pid-file none; session-keyfile none; recursion no; notify no; \
             dnssec-validation no; cookie-algorithm siphash24; cookie-secret \"{}\"; \
             require-server-cookie yes; }}; controls {{ }}; {zone} {root}",
            folder.display(),
            SECRETS[0]
        );
        let root = "$TTL 300\n. SOA . . 1 2 3 4 5\n. NS ns.example.\n";
        write(folder, &[("named.conf", &configuration), ("root", root)]);
        let mut command = Command::new(program);
        command.arg("-g").arg("-c").arg(folder.join("named.conf"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let named = Named { child, port };
        let answers = || ask_port("dig", port, "+tries=1 +time=1 soa example.");
        assert!(wait_until(|| answers().is_some_and(|shown| shown.contains("NOERROR"))));
        Some(named)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Servers that share an address share a secret, whoever wrote them: that is what RFC 9018 is for.
#[test]
fn a_cookie_of_named_is_one_of_ours_and_ours_is_one_of_its() {
    let folder = folder();
    let (secrets, secret) = (folder.path().join("secrets"), SECRETS[0]);
    fs::write(&secrets, secret).unwrap();
    let option = format!("--cookie-secret={}", secrets.display());
    let server = start(folder.path(), &["--cookies=required", &option]);
    let Some(named) = Named::start(folder.path()) else { return };
    let ask = |port: u16, cookie: &str| {
        let asked = format!("+cookie={cookie} +nobadcookie soa example.");
        let printed = ask_port("dig", port, &asked)?;
        let cookie = printed.split_once("COOKIE: ")?.1.split(' ').next()?;
        Some((printed.split_once("status: ")?.1.split(',').next()?.to_string(), cookie.to_string()))
    };
    let ports = [server.address.port(), named.port];
    for (from, to) in [(ports[0], ports[1]), (ports[1], ports[0])] {
        let Some((status, cookie)) = ask(from, "0102030405060708") else { return };
        assert_eq!(status, "BADCOOKIE");
        assert_eq!(ask(to, &cookie).unwrap().0, "NOERROR");
        let changed = if cookie.ends_with('0') { '1' } else { '0' };
        let changed = format!("{}{changed}", &cookie[..cookie.len() - 1]);
        assert_eq!(ask(to, &changed).unwrap().0, "BADCOOKIE");
    }
    server.stop().unwrap();
}

/// RFC 9018 §5: a new secret is first accepted, then made by, and only then the old one goes.
#[test]
fn secrets_change_without_a_client_noticing() {
    let folder = folder();
    let secrets = folder.path().join("secrets");
    let [first, second] = SECRETS;
    fs::write(&secrets, first).unwrap();
    let option = format!("--cookie-secret={}", secrets.display());
    let server = start(folder.path(), &["--cookies=required", &option]);
    let change = |text: &str, expected: &str| {
        let count = || server.log().matches(expected).count();
        let before = count();
        fs::write(&secrets, text).unwrap();
        server.signal("HUP").unwrap();
        assert!(wait_until(|| count() > before), "{}", server.log());
    };
    let mut cookie = "0102030405060708".to_string();
    let mut ask = |expected: &str| {
        let asked = format!("+cookie={cookie} +nobadcookie soa example.");
        let printed = ask("dig", &server, &asked)?;
        assert!(printed.contains(&format!("status: {expected},")), "{asked}\n{printed}");
        cookie = printed.split_once("COOKIE: ")?.1.split(' ').next()?.to_string();
        Some(cookie.clone())
    };
    let Some(made_by_first) = ask("BADCOOKIE") else { return };
    let read = "cookie secrets were read again";
    change(&format!("{first}\n{second}\n"), read);
    assert_eq!(ask("NOERROR").as_deref(), Some(&made_by_first[..]));
    change(&format!("{second}\n{first}\n"), read);
    assert_eq!(ask("NOERROR").as_deref(), Some(&made_by_first[..]), "it is still young");
    change("12\n", "secrets: line 1: not 32 hexadecimal digits; the secrets stay as they were");
    ask("NOERROR").unwrap();
    change(second, read);
    assert_ne!(ask("BADCOOKIE").as_deref(), Some(&made_by_first[..]));
    ask("NOERROR").unwrap();
    server.stop().unwrap();
}
