//! Reading a zone file allocates nothing per record: twice the records cost a few allocations more,
//! those by which a list doubles. Left out are the parameters of SVCB and HTTPS, which are put in order
//! before they are written, and the data of a few types that hardly any zone has (LOC, APL, EUI48).
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

#[path = "support/counting.rs"]
mod counting;

use zonesmith::rr::Record;
use zonesmith::zonefile;

/// A record of each kind of field that most zones have.
const RECORDS: &[&str] = &[
    "A 192.0.2.1",
    "60 AAAA 2001:db8::1",
    "IN NS ns",
    "MX 10 mail.example.",
    "TXT \"two words\" plain \"\\\"escaped\\\"\"",
    "TXT ( \"over\" ; lines\n \"lines\" )",
    "CNAME www",
    "SRV 0 5 5060 sip",
    "CAA 0 issue \"ca.example\"",
    "SOA ns admin ( 1 2h 3 4 5 )",
    "NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
    "DS 60485 13 2 ( D4B7D520E7BB5F0F67674A0CCEB1E3E0\n 614B93C4F9E99B8383F6A1E4469DA50A )",
    "DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+",
    "RRSIG A 13 2 3600 20261231000000 20261101000000 60485 e. mdsswUyr3DPW132mOi8V9xESWE8jTo0d",
    "NSEC b.e. A MX RRSIG NSEC",
    "NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS",
    "TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
    "SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789",
    "HTTPS 1 .",
    "TYPE65280 \\# 4 0a000001",
];

/// The allocations of a file with `times` records.
fn allocations(record: &str, times: usize) -> usize {
    let text = format!("$TTL 300\n{}", format!("a {record}\n").repeat(times)).into_bytes();
    let mut count = 0;
    let mut include = |_: &str, _: &str| Err(String::new());
    let mut sink = |_: Record<'_>, _: zonefile::Place<'_>| count += 1;
    let origin = "example.".parse().ok();
    let before = counting::count();
    let report = zonefile::read("t", text, origin, &mut include, &mut sink);
    let allocations = counting::count() - before;
    assert!(report.findings.is_empty(), "{record}: {:?}", report.findings);
    assert_eq!(count, times);
    allocations
}

#[test]
fn a_zone_of_twice_the_records_takes_no_more_allocations() {
    let more = RECORDS.iter().map(|record| {
        let (some, twice) = (allocations(record, 1000), allocations(record, 2000));
        (record, twice.saturating_sub(some))
    });
    let wrong: Vec<_> = more.filter(|(_, more)| *more > 2).collect();
    assert!(wrong.is_empty(), "allocations per 1000 records: {wrong:#?}");
}
