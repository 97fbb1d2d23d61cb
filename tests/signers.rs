//! Does the signer of the specification make the chains that others make?
//!
//! The specification judges signed answers by zones that it signed itself (`spec/sign.rs`). Here the
//! same zones are signed with programs of others. All must agree on every NSEC and NSEC3 record, and
//! on which sets have signatures; keys and signatures themselves differ.

#![allow(clippy::unwrap_used, reason = "a file or program that fails is a failed test")]

#[path = "support/peers.rs"]
#[allow(unreachable_pub, dead_code, reason = "it belongs to a module that is shared")]
mod peers;
mod spec;

use spec::records::{Name, Record};
use spec::sign::{Hashing, Signing, sign};
use spec::types::{CNAME, DNAME, DNSKEY, MX, NS, NSEC3PARAM, RRSIG};
use spec::{Zone, covered, read_name};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use zonesmith::zonefile;

/// Zones in which the signers have choices to make.
const ZONES: [&str; 4] = [
    "zone. 3600 SOA ns.zone. admin.zone. 1 7200 900 1209600 300
zone. 3600 NS ns.zone.
ns.zone. 3600 A 192.0.2.1
",
    // empty non-terminals: of data, of an unsigned delegation, of both; a wildcard below one
    "zone. 60 SOA ns.zone. admin.zone. 1 7200 900 1209600 300
zone. 60 NS ns.zone.
ns.zone. 300 A 192.0.2.1
ns.zone. 300 AAAA 2001:db8::1
a.b.c.zone. 300 TXT data
cut.only.zone. 300 NS elsewhere.
cut.both.zone. 300 NS elsewhere.
a.both.zone. 300 TXT data
*.wild.zone. 300 MX 10 ns.zone.
x.*.wild.zone. 300 TXT data
",
    // delegations: signed, unsigned, with glue below and at the cut, and one below the other
    "zone. 3600 SOA ns.signed.zone. admin.zone. 1 7200 900 1209600 300
zone. 3600 NS ns.signed.zone.
signed.zone. 300 NS ns.signed.zone.
signed.zone. 300 DS 1 13 2 abababababababababababababababababababababababababababababababab
ns.signed.zone. 300 A 192.0.2.1
unsigned.zone. 300 NS unsigned.zone.
unsigned.zone. 300 A 192.0.2.2
deep.ns.unsigned.zone. 300 A 192.0.2.3
second.unsigned.zone. 300 NS deep.ns.unsigned.zone.
zzz.zone. 300 NS elsewhere.
",
    // aliases, and labels whose order is not that of letters
    "zone. 300 SOA ns.zone. admin.zone. 1 7200 900 1209600 300
zone. 300 NS ns.zone.
zone. 300 MX 10 mx.zone.
ns.zone. 300 A 192.0.2.1
mx.zone. 300 A 192.0.2.2
*.zone. 300 CNAME ns.zone.
alias.zone. 300 CNAME *.zone.
name.zone. 300 DNAME elsewhere.
a.zone. 300 TXT data
a-a.zone. 300 TXT data
z.a.zone. 300 TXT data
_a.zone. 300 TXT data
1.zone. 300 TXT data
",
];

#[test]
fn chains_are_those_of_dnssec_signzone() {
    let (Some(signer), Some(maker)) =
        (peers::find("dnssec-signzone"), peers::find("dnssec-keygen"))
    else {
        return;
    };
    compare(true, |folder, signing| {
        for kind in [&[][..], &["-f", "KSK"]] {
            run(Command::new(&maker).args(["-a", "13"]).args(kind).arg("zone."), folder);
        }
        let mut command = Command::new(&signer);
        command.args(["-S", "-O", "full", "-o", "zone.", "-f", "signed"]);
        if let Signing::Nsec3 { hashing, opt_out } = signing {
            let salt = match &hashing.salt[..] {
                [] => "-".to_string(),
                salt => hexadecimal(salt),
            };
            command.args(["-3", &salt, "-H", &hashing.iterations.to_string()]);
            command.args(["-A"].iter().take(usize::from(*opt_out)));
        }
        run(command.arg("plain"), folder);
    });
}

#[test]
fn chains_are_those_of_ldns_signzone() {
    let (Some(signer), Some(maker)) = (peers::find("ldns-signzone"), peers::find("ldns-keygen"))
    else {
        return;
    };
    // With opt-out it leaves nothing out of the chain, which RFC 5155 §7.1 allows.
    compare(false, |folder, signing| {
        let keys = [&[][..], &["-k"]].map(|kind| {
            let mut command = Command::new(&maker);
            run(command.args(["-a", "ECDSAP256SHA256"]).args(kind).arg("zone."), folder)
        });
        let mut command = Command::new(&signer);
        // -A: the keys are signed with both keys
        command.args(["-A", "-o", "zone.", "-f", "signed"]);
        if let Signing::Nsec3 { hashing, .. } = signing {
            command.args(["-n", "-t", &hashing.iterations.to_string()]);
            if !hashing.salt.is_empty() {
                command.args(["-s", &hexadecimal(&hashing.salt)]);
            }
        }
        run(command.arg("plain").args(keys.iter().map(|key| key.trim())), folder);
    });
}

#[test]
fn hashes_are_those_of_rfc_5155() {
    let hashing = Hashing { iterations: 12, salt: vec![0xaa, 0xbb, 0xcc, 0xdd] };
    let hash = |name: &str| spec::sign::hash_label(&hashing.hash(&Name::of(name)));
    // Appendix A
    assert_eq!(hash("example."), "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
    assert_eq!(hash("a.example."), "35mthgpgcu1qg68fab165klnsnk3dpvl");
    assert_eq!(hash("*.w.example."), "r53bq7cc2uvmubfu5ocmm6pers9tk9en");
}

/// Signs every zone in every way, if it may be with opt-out, with `signer` in a folder where the file `plain` becomes `signed`.
fn compare(opt_out: bool, signer: impl Fn(&Path, &Signing)) {
    let salted = Hashing { iterations: 3, salt: vec![0xaa, 0xbb] };
    let plain = Hashing { iterations: 0, salt: vec![] };
    let nsec3 = |hashing: &Hashing, opt_out| Signing::Nsec3 { hashing: hashing.clone(), opt_out };
    let signings =
        [Signing::Nsec, nsec3(&plain, false), nsec3(&plain, opt_out), nsec3(&salted, opt_out)];
    for text in ZONES {
        for signing in &signings {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("plain"), text).unwrap();
            signer(folder.path(), signing);
            let theirs = std::fs::read_to_string(folder.path().join("signed")).unwrap();
            let (ours, theirs) = (told(&sign(&read(text), signing)), told(&read(&theirs)));
            let (missing, extra): (Vec<_>, Vec<_>) =
                (theirs.difference(&ours).collect(), ours.difference(&theirs).collect());
            assert!(
                ours == theirs,
                "{signing:?}\n{text}missing: {missing:#?}\nnot theirs: {extra:#?}"
            );
        }
    }
}

/// What a signed zone tells, but keys and signatures.
fn told(zone: &Zone) -> BTreeSet<String> {
    let told = zone.records.iter().filter_map(|record| {
        let Record { owner, rtype, ttl, data, .. } = record;
        let data = match *rtype {
            DNSKEY => return None,
            // Each signer has a TTL of its own for it.
            NSEC3PARAM => return Some(format!("{owner} NSEC3PARAM {}", data.escape_ascii())),
            RRSIG if covered(record) == Some(NSEC3PARAM) => return None,
            // RFC 4034 §3.1: covered type, algorithm, labels, original TTL; times and the key tag
            // differ; the signer's name
            RRSIG => [&data[..8], &read_name(&data[18..]).0.wire()].concat(),
            _ => data.clone(),
        };
        Some(format!("{owner} {ttl} TYPE{rtype} {}", data.escape_ascii()))
    });
    told.collect()
}

/// The records of a file; names and their data in lower case.
fn read(text: &str) -> Zone {
    let mut records = Vec::new();
    let mut sink = |record: zonesmith::rr::Record<'_>, _: zonefile::Place<'_>| {
        let owner = read_name(&record.owner.as_wire().to_ascii_lowercase()).0;
        let (rtype, ttl, mut data) = (record.rtype.0, record.ttl, record.rdata.to_vec());
        if [NS, CNAME, DNAME, MX].contains(&rtype) {
            data.make_ascii_lowercase();
        }
        records.push(Record { owner, rtype, class: 1, ttl, data });
    };
    let mut include = |_: &str, _: &str| Err("nothing is included".to_string());
    let report = zonefile::read("zone", text.into(), None, &mut include, &mut sink);
    assert!(!report.has_errors(), "{:?}", report.findings);
    Zone { apex: Name::of("zone."), records }
}

fn hexadecimal(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(octets)
}

/// Runs a program in a folder. Gives what it prints.
fn run(command: &mut Command, folder: &Path) -> String {
    let output = command.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
