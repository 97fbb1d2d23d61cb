//! Keys between servers, as others have them: `dig` and `kdig` sign questions and verify the answers,
//! alone and in transfers of many messages; NSD, Knot and BIND hold a zone that they get by a key; and
//! nothing that is printed holds a secret.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "dnssec/daemon.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod daemon;
mod support;

use daemon::{Daemon, ask};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::peers;
use support::program::{ended, folder, plain, write, zonesmith};
use support::server::{Server, wait_until};
use tempfile::TempDir;

const ALGORITHMS: [&str; 4] = ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1"];
/// Hosts of the zone: their records fill dozens of messages.
const HOSTS: usize = 20_000;

/// A folder with a zone of many hosts in `zones`.
fn with_zone() -> TempDir {
    let folder = folder();
    fs::create_dir(folder.path().join("zones")).unwrap();
    let mut text =
        "$TTL 300\n@ SOA ns1 admin 7 2h 15m 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n".to_string();
    for host in 0..HOSTS {
        let _ = writeln!(text, "h{host} A 192.0.2.{}\nh{host} TXT \"host {host}\"", host % 256);
    }
    write(folder.path(), &[("zones/smith.edu.zone", &text)]);
    folder
}

/// A new key in a file of the folder; gives its secret.
fn keygen(folder: &Path, name: &str, algorithm: &str) -> String {
    let made = ended(zonesmith().args(["keygen", name, "--algorithm", algorithm]));
    assert_eq!((made.code, &made.stderr[..]), (Some(0), ""));
    write(folder, &[(&format!("{name}.key"), &made.stdout)]);
    let secret = made.stdout.split('"').nth(3).unwrap();
    secret.to_string()
}

/// What a program prints of a question that it signs. The error is that a signature is wrong.
fn signed(program: &Path, server: SocketAddr, words: &[&str]) -> Result<String, String> {
    let (ip, port) = (format!("@{}", server.ip()), server.port().to_string());
    let run = ended(plain(program).args([&ip, "-p", &port]).args(words));
    let all = format!("{}{}", run.stdout, run.stderr);
    let wrong = ["could not be validated", "Couldn't verify", "failed to verify", "BADSIG"];
    let is_wrong = wrong.iter().any(|words| all.contains(words)) || !all.contains("TSIG");
    if is_wrong { Err(all) } else { Ok(run.stdout) }
}

#[test]
fn dig_and_kdig_verify_answers_and_transfers_of_many_messages() {
    let folder = with_zone();
    let secrets = ALGORITHMS.map(|algorithm| keygen(folder.path(), algorithm, algorithm));
    let mut arguments = Vec::new();
    for algorithm in ALGORITHMS {
        let file = folder.path().join(format!("{algorithm}.key"));
        arguments.push(format!("--key={}", file.display()));
        arguments.push(format!("--allow-transfer=key:{algorithm}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(&folder.path().join("zones"), &arguments).unwrap();
    for program in ["dig", "kdig"] {
        let Some(found) = peers::find(program) else { continue };
        for (algorithm, secret) in ALGORITHMS.iter().zip(&secrets) {
            let key = format!("{algorithm}:{algorithm}:{secret}");
            for transport in ["+tcp", "+notcp"] {
                let words = ["-y", &key, transport, "h7.smith.edu", "TXT"];
                let shown = signed(&found, server.address, &words).unwrap();
                assert!(shown.contains("\"host 7\""), "{program} {key} {transport}\n{shown}");
            }
            let shown = signed(&found, server.address, &["-y", &key, "smith.edu", "AXFR"]).unwrap();
            let hosts = shown.matches("\"host ").count();
            assert_eq!(hosts, HOSTS, "{program} {algorithm}");
            assert!(shown.matches("TSIG").count() > 10, "many messages: {algorithm}");
            let wrong = format!("{algorithm}:{algorithm}:c2VjcmV0c2VjcmV0c2VjcmV0");
            let words = ["-y", &wrong, "smith.edu", "AXFR"];
            let refused = signed(&found, server.address, &words).unwrap_err();
            assert!(!refused.contains("\"host "), "{program}\n{refused}");
        }
    }
    assert!(secrets.iter().all(|secret| !server.log().contains(secret)));
    server.stop().unwrap();
}

#[test]
fn dig_reads_the_file_and_one_with_shorter_signatures() {
    let (Some(dig), folder) = (peers::find("dig"), with_zone()) else { return };
    let secret = keygen(folder.path(), "whole", "hmac-sha256");
    let short = format!("key \"short\" {{ algorithm hmac-sha256-128; secret \"{secret}\"; }};\n");
    write(folder.path(), &[("short.key", &short)]);
    let [whole, short] = ["whole.key", "short.key"].map(|name| folder.path().join(name));
    let [whole, short] = [&whole, &short].map(|path| path.display().to_string());
    let zones = folder.path().join("zones");
    let server = Server::start(&zones, &["--key", &whole, "--key", &short]).unwrap();
    for file in [&whole, &short] {
        let shown = signed(&dig, server.address, &["-k", file, "h7.smith.edu", "TXT"]).unwrap();
        assert!(shown.contains("\"host 7\""), "{shown}");
    }
    let key = format!("hmac-sha256-128:whole:{secret}");
    let refused = signed(&dig, server.address, &["-y", &key, "h7.smith.edu"]).unwrap_err();
    assert!(refused.contains("BADTRUNC") && refused.contains("NOTAUTH"), "{refused}");
    server.stop().unwrap();
}

#[test]
fn what_bind_and_knot_make_is_read() {
    let folder = with_zone();
    let (dig, zones) = (peers::find("dig"), folder.path().join("zones"));
    for (program, arguments) in [
        ("tsig-keygen", ["-a", "hmac-sha512", "theirs"]),
        ("keymgr", ["-t", "theirs", "hmac-sha384"]),
    ] {
        let (Some(program), Some(dig)) = (peers::find(program), &dig) else { continue };
        let made = ended(plain(&program).args(arguments)).stdout;
        write(folder.path(), &[("theirs.key", &made)]);
        let file = folder.path().join("theirs.key").display().to_string();
        let server = Server::start(&zones, &["--key", &file, "--allow", "key:theirs"]).unwrap();
        let words = match program.ends_with("keymgr") {
            true => ["-y", made.trim_start_matches("# ").lines().next().unwrap()],
            false => ["-k", &file],
        };
        let words = [&words[..], &["h7.smith.edu", "TXT"]].concat();
        let shown = signed(dig, server.address, &words).unwrap();
        assert!(shown.contains("\"host 7\""), "{program:?}\n{shown}");
        server.stop().unwrap();
    }
}

#[test]
fn a_file_that_others_may_read_is_warned_of_and_a_broken_one_ends_the_start() {
    let folder = with_zone();
    let secret = keygen(folder.path(), "partner", "hmac-sha256");
    let (path, zones) = (folder.path().join("partner.key"), folder.path().join("zones"));
    let file = path.display().to_string();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let server = Server::start(&zones, &["--key", &file]).unwrap();
    let warning = format!("every user of this machine may read the keys\n --> {file}\n  = help: ");
    assert!(server.log().contains(&warning), "{}", server.log());
    server.stop().unwrap();

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("secret \"", "secret \"!")).unwrap();
    let listen = ["serve", "zones", "--listen", "127.0.0.1:0", "--key", "partner.key"];
    let run = ended(zonesmith().args(listen).current_dir(folder.path()));
    let shown = "error: the secret is no text in base 64\n --> partner.key:3\n  = help: ";
    assert!(run.code == Some(1) && run.stderr.contains(shown), "{run:?}");
    assert!(!run.stderr.contains(&secret), "{run:?}");

    fs::write(&path, text).unwrap();
    for flag in ["--allow", "--deny", "--allow-transfer"] {
        let run =
            ended(zonesmith().args(listen).args([flag, "key:other"]).current_dir(folder.path()));
        let shown = "error: key:other.: no key file has that key\n  name the file";
        assert!(run.code == Some(2) && run.stderr.contains(shown), "{flag} {run:?}");
    }
}

#[test]
fn a_key_has_a_plain_name() {
    for name in ["a\"b", "two words", ".", "a;b"] {
        let run = ended(zonesmith().args(["keygen", name]));
        assert_eq!((run.code, &run.stdout[..]), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains("no key is named so: take letters"), "{run:?}");
    }
    let run = ended(zonesmith().args(["keygen", "k", "--algorithm", "hmac-md5"]));
    assert!(run.stderr.contains("expected hmac-sha256, hmac-sha384"), "{run:?}");
}

/// Starts a secondary of others whose configuration names the primary, the key and its secret.
fn secondary(
    name: &str,
    program: &str,
    arguments: &[&str],
    configure: impl Fn(&Path, u16, SocketAddr, &str) -> String,
) {
    let (Some(program), folder) = (peers::find(program), with_zone()) else { return };
    let secret = keygen(folder.path(), "partner", "hmac-sha256");
    let key = folder.path().join("partner.key").display().to_string();
    let (zones, home) = (folder.path().join("zones"), folder.path().join(name));
    fs::create_dir(&home).unwrap();
    let flags = ["--key", &key, "--allow-transfer", "key:partner"];
    let server = Server::start(&zones, &flags).unwrap();
    let (conf, log) = (home.join("conf"), home.join("log"));
    let daemon = Daemon::start(&program, &log, "smith.edu. SOA", |port| {
        fs::write(&conf, configure(&home, port, server.address, &secret)).unwrap();
        let conf = conf.display().to_string();
        arguments.iter().map(ToString::to_string).chain([conf]).collect()
    });
    let last = format!("h{}.smith.edu. TXT", HOSTS - 1);
    let said = format!("\"host {}\"", HOSTS - 1);
    let has = || ask(daemon.address, &last).answer.iter().any(|record| record.ends_with(&said));
    let log = || fs::read_to_string(&log).unwrap_or_default();
    assert!(wait_until(has), "{name} has no zone:\n{}\n{}", log(), server.log());
    drop(daemon);
    server.stop().unwrap();
}

#[test]
fn nsd_gets_a_zone_by_a_key() {
    secondary("nsd", "nsd", &["-d", "-c"], |home, port, primary, secret| {
        let (home, ip) = (home.display(), primary.ip());
        format!(
            "server:\n ip-address: 127.0.0.1@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n \
             database: \"\"\n zonesdir: \"{home}\"\n pidfile: \"{home}/pid\"\n xfrdfile: \"{home}/xfrd\"\n \
             zonelistfile: \"{home}/list\"\n xfrdir: \"{home}\"\n rrl-ratelimit: 0\n\
             remote-control:\n control-enable: no\n\
             key:\n name: partner\n algorithm: hmac-sha256\n secret: \"{secret}\"\n\
             zone:\n name: smith.edu\n zonefile: \"{home}/zone\"\n \
             request-xfr: AXFR {ip}@{} partner\n",
            primary.port()
        )
    });
}

#[test]
fn knot_gets_a_zone_by_a_key() {
    secondary("knot", "knotd", &["-c"], |home, port, primary, secret| {
        let (home, ip) = (home.display(), primary.ip());
        format!(
            "server:\n  rundir: \"{home}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  \
             tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: \"{home}\"\n\
             key:\n  - id: partner\n    algorithm: hmac-sha256\n    secret: {secret}\n\
             remote:\n  - id: primary\n    address: {ip}@{}\n    key: partner\n\
             zone:\n  - domain: smith.edu\n    storage: \"{home}\"\n    master: primary\n",
            primary.port()
        )
    });
}

#[test]
fn bind_gets_a_zone_by_a_key() {
    secondary("bind", "named", &["-f", "-n", "1", "-c"], |home, port, primary, secret| {
        let (home, ip) = (home.display(), primary.ip());
        format!(
            "options {{ directory \"{home}\"; listen-on port {port} {{ 127.0.0.1; }}; \
             listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; \
             recursion no; notify no; dnssec-validation no; empty-zones-enable no; }};\ncontrols {{ }};\n\
             logging {{ category default {{ default_stderr; }}; }};\n\
             key \"partner\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             zone \"smith.edu\" {{ type secondary; file \"zone\"; masterfile-format text; \
             primaries {{ {ip} port {} key partner; }}; }};\n",
            primary.port()
        )
    });
}

/// What the server must say, from some place of its log on.
fn says(server: &Server, from: usize, words: &str) {
    assert!(wait_until(|| server.log()[from..].contains(words)), "no {words:?}:\n{}", server.log());
}

#[test]
fn a_file_of_keys_is_read_again_and_a_broken_one_costs_nothing_but_a_message() {
    let Some(dig) = peers::find("dig") else { return };
    let folder = folder();
    fs::create_dir(folder.path().join("zones")).unwrap();
    write(
        folder.path(),
        &[("zones/lab.zone", "@ 1h SOA ns a 1 1d 1h 1w 5m\n@ 1h NS ns\nns 1h A 192.0.2.1\n")],
    );
    let old = keygen(folder.path(), "pair", "hmac-sha256");
    let file = folder.path().join("pair.key");
    let key_flag = file.display().to_string();
    let flags = ["--listen", "127.0.0.1:0", "--key", &key_flag, "--allow", "key:pair"];
    let server = Server::start(&folder.path().join("zones"), &flags).unwrap();
    let asked = |secret: &str| {
        let key = format!("hmac-sha256:pair:{secret}");
        signed(&dig, server.address, &["-y", &key, "ns.lab"])
            .map(|answer| answer.contains("192.0.2.1"))
    };
    assert_eq!(asked(&old), Ok(true));
    let changed = format!("keys: {} is read again and holds from now on", file.display());
    let broken = format!("keys: {} cannot be used; what was said before goes on", file.display());

    let mut from = server.log().len();
    let new = keygen(folder.path(), "pair", "hmac-sha256");
    says(&server, from, &changed);
    assert_eq!(asked(&new), Ok(true));
    assert!(asked(&old).is_err());

    from = server.log().len();
    let made = fs::read_to_string(&file).unwrap();
    write(folder.path(), &[("pair.key", &made.replace("hmac-sha256", "hmac-md5"))]);
    says(&server, from, &broken);
    says(&server, from, &format!("--> {}:2\n", file.display()));
    assert_eq!(asked(&new), Ok(true), "the last good keys go on");
    assert!(!server.log().contains(&new), "no log holds a secret");

    from = server.log().len();
    let other = ended(zonesmith().args(["keygen", "pear"])).stdout;
    write(folder.path(), &[("pair.key", &other)]);
    says(&server, from, "key:pair.: no key file has that key\n  did you mean `pear`?");
    says(&server, from, &broken);
    assert_eq!(asked(&new), Ok(true), "a rule names that key");

    from = server.log().len();
    write(folder.path(), &[("new", &made)]);
    fs::rename(folder.path().join("new"), &file).unwrap();
    says(&server, from, &changed);
    assert_eq!(asked(&new), Ok(true));
    server.stop().unwrap();
}
