//! Does the specification answer the examples of the RFCs as these do?
//!
//! RFC 4035 appendices A and B, RFC 5155 appendices A and B: a zone, questions, and which records
//! prove the answers. The zones are signed here, so that everything but the signatures is as printed.

mod spec;

use spec::answer::{Answer, NOERROR, NXDOMAIN, Question, Server};
use spec::records::{Name, Record};
use spec::sign::{Hashing, Signing, sign};
use spec::types::{A, AAAA, DS, MX, NS, NSEC, NSEC3};
use spec::{Zone, covered};
use zonesmith::zonefile;

/// What both zones have.
const COMMON: &str = "example. 3600 SOA ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600
example. 3600 NS ns1.example.
example. 3600 NS ns2.example.
example. 3600 MX 1 xx.example.
a.example. 3600 NS ns1.a.example.
a.example. 3600 NS ns2.a.example.
a.example. 3600 DS 57855 5 1 b6dcd485719adca18e5f3d48a2331627fdd3636b
ns1.a.example. 3600 A 192.0.2.5
ns2.a.example. 3600 A 192.0.2.6
ai.example. 3600 A 192.0.2.9
ns1.example. 3600 A 192.0.2.1
ns2.example. 3600 A 192.0.2.2
*.w.example. 3600 MX 1 ai.example.
x.w.example. 3600 MX 1 xx.example.
x.y.w.example. 3600 MX 1 xx.example.
xx.example. 3600 A 192.0.2.10
";
const RFC_4035: &str = "b.example. 3600 NS ns1.b.example.
b.example. 3600 NS ns2.b.example.
ns1.b.example. 3600 A 192.0.2.7
ns2.b.example. 3600 A 192.0.2.8
";
const RFC_5155: &str = "c.example. 3600 NS ns1.c.example.
c.example. 3600 NS ns2.c.example.
ns1.c.example. 3600 A 192.0.2.7
ns2.c.example. 3600 A 192.0.2.8
2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. 3600 A 192.0.2.127
";

#[test]
fn rfc_4035_appendix_b() {
    let zone = sign(&read(&[COMMON, RFC_4035].concat()), &Signing::Nsec);
    let ask = |name, rtype| ask(&zone, name, rtype, NSEC);
    assert_eq!(ask("x.w.example", MX), owed(NOERROR, &[])); // B.1
    assert_eq!(ask("ml.example", A), owed(NXDOMAIN, &["b.example.", "example."])); // B.2
    assert_eq!(ask("ns1.example", MX), owed(NOERROR, &["ns1.example."])); // B.3
    assert_eq!(ask("mc.a.example", MX), owed(NOERROR, &[])); // B.4
    assert_eq!(ask("mc.b.example", MX), owed(NOERROR, &["b.example."])); // B.5
    assert_eq!(ask("a.z.w.example", MX), owed(NOERROR, &["x.y.w.example."])); // B.6
    let both = owed(NOERROR, &["*.w.example.", "x.y.w.example."]);
    assert_eq!(ask("a.z.w.example", AAAA), both); // B.7
    assert_eq!(ask("example", DS), owed(NOERROR, &["example."])); // B.8
}

#[test]
fn rfc_5155_appendix_b() {
    let hashing = Hashing { iterations: 12, salt: vec![0xaa, 0xbb, 0xcc, 0xdd] };
    let zone = read(&[COMMON, RFC_5155].concat());
    let zone = sign(&zone, &Signing::Nsec3 { hashing, opt_out: true });
    let ask = |name, rtype| ask(&zone, name, rtype, NSEC3);
    let apex = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.";
    let ns1 = "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.";
    let a = "35mthgpgcu1qg68fab165klnsnk3dpvl.example.";
    let x_w = "b4um86eghhds6nea196smvmlo4ors995.example.";
    let y_w = "ji6neoaepv8b5o6k4ev33abha8ht9fgc.example.";
    let w = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example.";
    let ns2 = "q04jkcevqvmu85r014c7dkba38o0ji5r.example.";
    let wildcard = "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example.";
    assert_eq!(ask("a.c.x.w.example", A), owed(NXDOMAIN, &[apex, a, x_w])); // B.1
    assert_eq!(ask("ns1.example", MX), owed(NOERROR, &[ns1])); // B.2
    assert_eq!(ask("y.w.example", A), owed(NOERROR, &[y_w])); // B.2.1
    assert_eq!(ask("mc.c.example", MX), owed(NOERROR, &[apex, a])); // B.3
    assert_eq!(ask("a.z.w.example", MX), owed(NOERROR, &[ns2])); // B.4
    assert_eq!(ask("a.z.w.example", AAAA), owed(NOERROR, &[w, ns2, wildcard])); // B.5
    assert_eq!(ask("example", DS), owed(NOERROR, &[apex])); // B.6
    // §7.2.8: other data stand at a name that is a hash too; at the next one none do
    assert_eq!(ask(ns1, A), owed(NOERROR, &[]));
    assert_eq!(ask(ns2, NSEC3).0, NXDOMAIN);
}

#[test]
fn signatures_stand_beside_what_is_signed() {
    let zone = sign(&read(&[COMMON, RFC_4035].concat()), &Signing::Nsec);
    let signed = |name, rtype| {
        let Answer { answer, authority, additional, .. } = answer(&zone, name, rtype);
        [answer, authority, additional].map(|section| {
            let covered = section.iter().filter_map(|r| Some((r.owner.to_string(), covered(r)?)));
            covered.collect::<Vec<_>>()
        })
    };
    let set = |owner: &str, rtype| vec![(owner.to_string(), rtype)];
    // B.1: the answer, the name servers, the addresses; with both name servers' of the apex
    let [answer, authority, additional] = signed("x.w.example", MX);
    assert_eq!(answer, set("x.w.example.", MX));
    assert_eq!(authority, set("example.", NS));
    assert!(additional.contains(&("xx.example.".to_string(), A)), "{additional:?}");
    // B.4: of a referral the DS, not the delegation, nor the glue
    assert_eq!(signed("mc.a.example", MX), [vec![], set("a.example.", DS), vec![]]);
    // B.5: of one that is not signed the proof
    assert_eq!(signed("mc.b.example", MX), [vec![], set("b.example.", NSEC), vec![]]);
    // B.6: what stands for the name has its owner, and the labels of the wildcard
    let [answer, authority, _] = signed("a.z.w.example", MX);
    assert_eq!(answer, set("a.z.w.example.", MX));
    assert_eq!(authority[0], ("x.y.w.example.".to_string(), NSEC));
}

/// The code of an answer, and the owners of its proofs in their order.
fn ask(zone: &Zone, name: &str, rtype: u16, proof: u16) -> (u16, String) {
    let Answer { rcode, mut authority, .. } = answer(zone, name, rtype);
    authority.retain(|record| record.rtype == proof);
    authority.sort();
    let owners: Vec<String> = authority.iter().map(|record| record.owner.to_string()).collect();
    (rcode, owners.join(" "))
}

fn owed(rcode: u16, proofs: &[&str]) -> (u16, String) {
    (rcode, proofs.join(" "))
}

fn answer(zone: &Zone, name: &str, rtype: u16) -> Answer {
    let server = Server { zones: std::slice::from_ref(zone), minimal_responses: false };
    server.answer(&Question { name: &Name::of(name), rtype, dnssec_ok: true, any: 0 })
}

fn read(text: &str) -> Zone {
    let mut records = Vec::new();
    let mut sink = |record: zonesmith::rr::Record<'_>, _: zonefile::Place<'_>| {
        let owner = spec::read_name(record.owner.as_wire()).0;
        let (rtype, ttl, data) = (record.rtype.0, record.ttl, record.rdata.to_vec());
        records.push(Record { owner, rtype, class: 1, ttl, data });
    };
    let mut include = |_: &str, _: &str| Err("nothing is included".to_string());
    let report = zonefile::read("example", text.into(), None, &mut include, &mut sink);
    assert!(!report.has_errors(), "{:?}", report.findings);
    Zone { apex: Name::of("example."), records }
}
