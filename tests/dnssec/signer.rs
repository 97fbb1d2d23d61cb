//! Zones signed by the signers of others: keys made and signatures written anew for each test.

use super::support::peers;
use super::support::program::{self, ended, plain};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The zone whose answers are looked at.
pub(crate) const APEX: &str = "signed.example";
/// The signed zone below it.
pub(crate) const CHILD: &str = "secure.signed.example";
/// Zones beside them that nobody signs.
const UNSIGNED: [&str; 3] =
    ["plain.signed.example", "lone.only.signed.example", "elsewhere.example"];

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signer {
    /// BIND's.
    Dnssec,
    /// NLnet Labs'.
    Ldns,
    /// Knot's.
    Kzone,
}

/// How the zone denies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Denial {
    Nsec,
    /// Without salt or iterations, as RFC 9276 wants it.
    Nsec3,
    /// With a salt, and hashed again five times.
    Salted,
    /// With the opt-out flag.
    OptOut,
}

/// Zones ready to be served.
pub(crate) struct Zones {
    folder: TempDir,
    /// The zone's keys, as DNSKEY records: what a validator is told to trust.
    pub(crate) anchors: Vec<String>,
}

impl Zones {
    /// Signs the zone and its child; `None` if a program is missing.
    pub(crate) fn signed(signer: Signer, denial: Denial) -> Option<Zones> {
        if signer.programs().iter().any(|program| peers::find(program).is_none()) {
            return None;
        }
        let folder = program::folder();
        fs::create_dir(folder.path().join("zones")).unwrap();
        let zones = Zones { folder, anchors: Vec::new() };
        for zone in UNSIGNED {
            fs::copy(unsigned(zone), zones.file(zone)).unwrap();
        }
        let ds = zones.sign(CHILD, "", signer, denial);
        zones.sign(APEX, &ds, signer, denial);
        let anchors = zones.keys();
        Some(Zones { anchors, ..zones })
    }

    /// The folder of zone files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("zones")
    }

    /// All zones, by name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        UNSIGNED.into_iter().chain([CHILD, APEX])
    }

    /// The file of a zone.
    pub(crate) fn file(&self, zone: &str) -> PathBuf {
        self.folder().join(format!("{zone}.zone"))
    }

    /// Rewrites each line of the signed zone; those that come to nothing are dropped.
    pub(crate) fn alter(&self, line: &dyn Fn(&str) -> Option<String>) {
        let text = fs::read_to_string(self.file(APEX)).unwrap();
        let altered: Vec<String> = text.lines().filter_map(line).collect();
        let altered = altered.join("\n") + "\n";
        assert_ne!(altered, text, "nothing was altered");
        fs::write(self.file(APEX), altered).unwrap();
    }

    /// Signs one zone, with `more` records in it; gives its DS records.
    fn sign(&self, zone: &str, more: &str, signer: Signer, denial: Denial) -> String {
        let work = self.folder.path().join(format!("{zone}.work"));
        fs::create_dir(&work).unwrap();
        let text = fs::read_to_string(unsigned(zone)).unwrap();
        fs::write(work.join("unsigned"), format!("$ORIGIN {zone}.\n{text}{more}")).unwrap();
        let ds = match signer {
            Signer::Dnssec => dnssec_signzone(&work, zone, denial),
            Signer::Ldns => ldns_signzone(&work, zone, denial),
            Signer::Kzone => kzonesign(&work, zone, denial),
        };
        fs::rename(work.join("signed"), self.file(zone)).unwrap();
        ds
    }

    /// The keys that sign keys. Each record is on a line of its own.
    fn keys(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file(APEX)).unwrap();
        let lines = text.lines().map(|line| line.split(';').next().unwrap_or(""));
        let key = |line: &str| {
            let (_, data) = line.split_once("DNSKEY")?;
            let words: Vec<&str> = data.split_whitespace().collect();
            (words[0] == "257").then(|| {
                format!("{APEX}. IN DNSKEY 257 {} {} {}", words[1], words[2], words[3..].concat())
            })
        };
        let keys: Vec<String> =
            lines.filter(|line| !line.contains("RRSIG")).filter_map(key).collect();
        assert!(!keys.is_empty(), "no key in\n{text}");
        keys
    }
}

impl Signer {
    /// Whether it leaves delegations that are not signed out of an opt-out chain. ldns sets the flag,
    /// and leaves out nothing.
    pub(crate) fn omits(self) -> bool {
        self != Signer::Ldns
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Signer::Dnssec => &["dnssec-keygen", "dnssec-signzone"],
            Signer::Ldns => &["ldns-keygen", "ldns-signzone"],
            Signer::Kzone => &["kzonesign", "keymgr"],
        }
    }
}

/// A zone file as it is before it is signed.
fn unsigned(zone: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dnssec/zones");
    folder.join(format!("{zone}.zone"))
}

fn dnssec_signzone(work: &Path, zone: &str, denial: Denial) -> String {
    for flags in [&["-f", "KSK"][..], &[]] {
        run(work, "dnssec-keygen", &[&["-q", "-a", "ECDSAP256SHA256"], flags, &[zone]].concat());
    }
    let denial: &[&str] = match denial {
        Denial::Nsec => &[],
        Denial::Nsec3 => &["-3", "-", "-H", "0"],
        Denial::Salted => &["-3", "C0FFEE", "-H", "5"],
        Denial::OptOut => &["-3", "-", "-H", "0", "-A"],
    };
    let common = ["-q", "-S", "-O", "full", "-f", "signed", "-o", zone];
    run(work, "dnssec-signzone", &[&common, denial, &["unsigned"]].concat());
    fs::read_to_string(work.join(format!("dsset-{zone}."))).unwrap()
}

fn ldns_signzone(work: &Path, zone: &str, denial: Denial) -> String {
    let key = |flags: &[&str]| {
        let key = run(work, "ldns-keygen", &[&["-a", "ED25519"], flags, &[zone]].concat());
        key.trim().to_string()
    };
    let (key_signing, zone_signing) = (key(&["-k"]), key(&[]));
    let denial: &[&str] = match denial {
        Denial::Nsec => &[],
        Denial::Nsec3 => &["-n", "-t", "0"],
        Denial::Salted => &["-n", "-s", "c0ffee", "-t", "5"],
        Denial::OptOut => &["-n", "-t", "0", "-p"],
    };
    let files = ["-o", zone, "-f", "signed", "unsigned", &key_signing, &zone_signing];
    run(work, "ldns-signzone", &[denial, &files].concat());
    fs::read_to_string(work.join(format!("{key_signing}.ds"))).unwrap()
}

fn kzonesign(work: &Path, zone: &str, denial: Denial) -> String {
    let denial = match denial {
        Denial::Nsec => "nsec3: off",
        Denial::Nsec3 => "nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0",
        Denial::Salted => "nsec3: on\n    nsec3-iterations: 5\n    nsec3-salt-length: 3",
        Denial::OptOut => {
            "nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n    nsec3-opt-out: on"
        }
    };
    let configuration = format!(
        "database:\n  storage: {}\npolicy:\n  - id: tests\n    single-type-signing: on\n    {denial}\n\
         zone:\n  - domain: {zone}\n    file: {}\n    dnssec-signing: on\n    dnssec-policy: tests\n",
        work.join("keys").display(),
        work.join("unsigned").display()
    );
    fs::write(work.join("conf"), configuration).unwrap();
    for folder in ["keys", "out"] {
        fs::create_dir(work.join(folder)).unwrap();
    }
    run(work, "kzonesign", &["-c", "conf", "-o", "out", zone]);
    fs::rename(work.join("out/unsigned"), work.join("signed")).unwrap();
    run(work, "keymgr", &["-c", "conf", zone, "ds"])
}

/// Runs a program in `work`; gives what it prints.
fn run(work: &Path, name: &str, arguments: &[&str]) -> String {
    let file = peers::find(name).expect("looked for before");
    let mut command: Command = plain(&file);
    let run = ended(command.current_dir(work).args(arguments));
    assert_eq!(run.code, Some(0), "{name} {arguments:?}\n{}{}", run.stdout, run.stderr);
    run.stdout
}
