//! Do validators believe what is answered from signed zones?
//!
//! The zones in `dnssec/zones` are signed by three signers in four ways, served by the built program,
//! and asked about through unbound and by delv, which trust nothing but the zone's key. Each question
//! in `dnssec/questions.txt` says what must come of it.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "dnssec/daemon.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod daemon;
#[path = "dnssec/signer.rs"]
mod signer;
mod support;
#[path = "dnssec/validator.rs"]
mod validator;

use daemon::{Daemon, ask};
use signer::{APEX, Denial, Signer, Zones};
use support::message::Message;
use support::server::Server;
use tempfile::TempDir;
use validator::Delv;

const QUESTIONS: &str = include_str!("dnssec/questions.txt");
const AA: u16 = 0x0400;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;
/// The types that DNSSEC adds to answers.
const DNSSEC: [&str; 4] = ["RRSIG", "NSEC", "NSEC3", "DS"];
const RCODES: [&str; 4] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN"];

/// A question, and what must come of it.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    rtype: &'static str,
    rcode: &'static str,
    secure: bool,
}

/// The questions for a zone that denies in that way.
fn cases(signer: Signer, denial: Denial) -> Vec<Case> {
    let lines = QUESTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let case = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[name, rtype, rcode, security] = &words[..] else {
            panic!("{line}: four words expected")
        };
        let name = if name == "@" { format!("{APEX}.") } else { format!("{name}.{APEX}.") };
        let secure = match security {
            "secure" => true,
            "insecure" => false,
            "span" => denial != Denial::OptOut,
            "omitted" => denial != Denial::OptOut || !signer.omits(),
            _ => panic!("{line}: secure, insecure, span or omitted expected"),
        };
        Case { name, rtype, rcode, secure }
    };
    lines.map(case).collect()
}

/// RCODE and whether it is proven, as a resolver says it.
fn verdict(answer: &Message) -> String {
    let rcode = RCODES.get(usize::from(answer.rcode())).copied().unwrap_or("another RCODE");
    let secure = if answer.flags & AD != 0 { "secure" } else { "insecure" };
    format!("{rcode} {secure}")
}

/// The zone, signed and served.
struct Scene {
    zones: Zones,
    server: Server,
    /// For what the validators need.
    folder: TempDir,
}

/// `None` if a program is missing.
fn scene(signer: Signer, denial: Denial) -> Option<Scene> {
    Zones::signed(signer, denial).map(|zones| Scene::of(zones, &[]))
}

impl Scene {
    fn of(zones: Zones, arguments: &[&str]) -> Scene {
        let server = Server::start(&zones.folder(), arguments).unwrap();
        Scene { zones, server, folder: support::program::folder() }
    }

    fn unbound(&self) -> Option<Daemon> {
        validator::unbound(self.server.address, &self.zones.anchors, self.folder.path())
    }

    fn delv(&self) -> Option<Delv> {
        Delv::of(self.server.address, &self.zones.anchors, self.folder.path())
    }
}

const DENIALS: [Denial; 4] = [Denial::Nsec, Denial::Nsec3, Denial::Salted, Denial::OptOut];

fn unbound_believes(signer: Signer, arguments: &[&str]) {
    for denial in DENIALS {
        let Some(zones) = Zones::signed(signer, denial) else { return };
        let scene = Scene::of(zones, arguments);
        let Some(unbound) = scene.unbound() else { return };
        let judge = |case: &Case| {
            let Case { name, rtype, rcode, secure } = case;
            let expected = format!("{rcode} {}", if *secure { "secure" } else { "insecure" });
            let came = verdict(&ask(unbound.address, &format!("{name} {rtype} +do")));
            let wrong = format!("{name} {rtype}: {expected} expected, unbound says {came}");
            (came != expected).then_some(wrong)
        };
        let wrong: Vec<String> = cases(signer, denial).iter().filter_map(judge).collect();
        assert!(wrong.is_empty(), "{signer:?} {denial:?}\n{}", wrong.join("\n"));
        scene.server.stop().unwrap();
    }
}

#[test]
fn unbound_believes_what_dnssec_signzone_signed() {
    unbound_believes(Signer::Dnssec, &[]);
}

#[test]
fn unbound_believes_what_ldns_signzone_signed() {
    unbound_believes(Signer::Ldns, &[]);
}

#[test]
fn unbound_believes_what_kzonesign_signed() {
    unbound_believes(Signer::Kzone, &[]);
}

#[test]
fn unbound_believes_answers_that_say_more() {
    let more = ["--aliases-across-zones", "yes", "--minimal-responses", "no"];
    unbound_believes(Signer::Dnssec, &more);
}

/// delv is not asked about opt-out, because it does not say what rests on a span. It takes a tenth of a
/// second for a question: each zone gets a share of them, with `ZONESMITH_LONG=1` all.
#[test]
fn delv_believes() {
    let (shares, long) = (4, std::env::var_os("ZONESMITH_LONG").is_some());
    let zones = [
        (Signer::Dnssec, Denial::Nsec),
        (Signer::Ldns, Denial::Nsec3),
        (Signer::Kzone, Denial::Salted),
    ];
    for (share, (signer, denial)) in zones.into_iter().enumerate() {
        let Some(scene) = scene(signer, denial) else { return };
        let Some(delv) = scene.delv() else { return };
        let judge = |case: &Case| {
            let said = delv.judge(&case.name, case.rtype);
            let came = (said.is_secure(), said.is_nxdomain, said.complaints.is_empty());
            let expected = (case.secure, case.rcode == "NXDOMAIN", true);
            (came != expected).then(|| format!("{case:?}: {said:?}"))
        };
        let cases = cases(signer, denial).into_iter().enumerate();
        let mine = cases.filter(|(number, _)| long || number % shares == share);
        let wrong: Vec<String> = mine.filter_map(|(_, case)| judge(&case)).collect();
        assert!(wrong.is_empty(), "{signer:?} {denial:?}\n{}", wrong.join("\n"));
        scene.server.stop().unwrap();
    }
}

/// What the tests above would say if a record were missing or wrong.
#[test]
fn what_is_missing_or_altered_is_found_out() {
    let mail_moved = |line: &str| Some(line.replace("192.0.2.2", "192.0.2.3"));
    let no_denial_of_missing = |line: &str| {
        let is_it = line.starts_with("_25._tcp.mail") && line.contains("NSEC");
        (!is_it).then(|| line.to_string())
    };
    let denials_unsigned = |line: &str| (!line.contains("RRSIG\tNSEC")).then(|| line.to_string());
    let found_out = |signer, denial, alter: &dyn Fn(&str) -> Option<String>, name: &str| {
        let Some(zones) = Zones::signed(signer, denial) else { return };
        zones.alter(alter);
        let scene = Scene::of(zones, &[]);
        let (Some(unbound), Some(delv)) = (scene.unbound(), scene.delv()) else { return };
        let verdict = verdict(&ask(unbound.address, &format!("{name}.{APEX}. A +do")));
        assert_eq!(verdict, "SERVFAIL insecure", "{signer:?} {denial:?} {name}");
        if denial != Denial::Nsec {
            return; // delv looks for the signatures of NSEC3 records for ten seconds
        }
        let said = delv.judge(&format!("{name}.{APEX}."), "A");
        assert!(!said.complaints.is_empty(), "{signer:?} {denial:?} {name} {said:?}");
    };
    found_out(Signer::Dnssec, Denial::Nsec, &mail_moved, "mail");
    found_out(Signer::Dnssec, Denial::Nsec, &no_denial_of_missing, "missing");
    found_out(Signer::Dnssec, Denial::Nsec3, &denials_unsigned, "missing");
    found_out(Signer::Ldns, Denial::Nsec3, &denials_unsigned, "ent");
}

/// RFC 4035 §3.1 and §3.1.6: without DO the answer is as before DNSSEC, and AD and CD are never set.
#[test]
fn who_does_not_ask_for_it_gets_none_of_it() {
    for denial in [Denial::Nsec, Denial::OptOut] {
        let Some(Scene { server, .. }) = scene(Signer::Dnssec, denial) else { return };
        for Case { name, rtype, .. } in cases(Signer::Dnssec, denial) {
            for words in ["", "+edns +ad +cd", "+tcp", "+do +ad +cd"] {
                let query = format!("{name} {rtype} {words}");
                let answer = ask(server.address, &query);
                assert_eq!(answer.flags & (AD | CD), 0, "{query}");
                let dnssec = records(&answer)
                    .find(|record| DNSSEC.contains(&rtype_of(record)) && rtype_of(record) != rtype);
                assert!(dnssec.is_none() || words.contains("+do"), "{query}: {dnssec:?}");
            }
        }
        server.stop().unwrap();
    }
}

/// RFC 4035 §3.1.4, RFC 5155 §7.2.7: with a referral goes what a question for the DS would get, which
/// the tests above have validated.
#[test]
fn referrals_carry_the_ds_or_show_that_there_is_none() {
    for denial in DENIALS {
        let Some(zones) = Zones::signed(Signer::Dnssec, denial) else { return };
        let server = Server::start(&zones.file(APEX), &[]).unwrap();
        for cut in ["secure", "plain", "lone.only"] {
            let referral = ask(server.address, &format!("www.{cut}.{APEX}. A +do +tcp"));
            let answer = ask(server.address, &format!("{cut}.{APEX}. DS +do +tcp"));
            let mut shown: Vec<_> =
                referral.authority.iter().filter(|r| rtype_of(r) != "NS").collect();
            let mut owed: Vec<_> =
                answer.answer.iter().chain(&answer.authority).filter(|r| !is_soa(r)).collect();
            shown.sort();
            owed.sort();
            assert!(referral.answer.is_empty() && referral.flags & AA == 0, "{referral:?}");
            assert!(!owed.is_empty(), "{answer:?}");
            assert_eq!(shown, owed, "{denial:?} {cut}");
        }
        server.stop().unwrap();
    }
}

/// All records but OPT.
fn records(message: &Message) -> impl Iterator<Item = &String> {
    message.answer.iter().chain(&message.authority).chain(&message.additional)
}

/// The type of a record in text.
fn rtype_of(record: &str) -> &str {
    record.split(' ').nth(3).unwrap()
}

/// Whether a record is an SOA or signs one.
fn is_soa(record: &str) -> bool {
    rtype_of(record) == "SOA" || record.contains(" RRSIG SOA ")
}
