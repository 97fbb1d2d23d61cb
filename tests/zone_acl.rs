//! A zone that is closed to somebody is closed by every road: what may not be asked for does not go
//! along with the answers of an open zone either, and no alias leads there.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use std::net::IpAddr;
use support::message::Message;
use support::options::Setting;
use support::program::{folder, write};
use support::query::Query;
use support::tsig;
use zonesmith::clock::Now;
use zonesmith::guard::acl::Acl;
use zonesmith::guard::per_zone::ZoneRule;
use zonesmith::guard::tsig as keys;
use zonesmith::reload::load;
use zonesmith::respond::{self, Outcome, Peer, Policy, State, Transport};
use zonesmith::zone::set::{Change, Slot};

const OPEN: &str = "\
$TTL 300
@       SOA    ns admin 1 1d 1h 1w 5m
        NS     ns
        NS     secret.closed.test.
ns      A      192.0.2.1
mail    MX     1 secret.closed.test.
mail    MX     2 ns
service SRV    1 1 80 secret.closed.test.
alias   CNAME  secret.closed.test.
moved   DNAME  closed.test.
relay   MX     1 secret.lower
lower-alias CNAME secret.lower
lower   NS     ns
";

const CLOSED: &str = "\
$TTL 300
@       SOA    ns.open.test. admin.open.test. 1 1d 1h 1w 5m
        NS     ns.open.test.
secret  A      192.0.2.66
back    CNAME  ns.open.test.
";

/// The addresses of who may ask about every zone, and of who may not.
const FRIEND: &str = "192.0.2.9";
const STRANGER: &str = "198.51.100.9";

const ALL: [(&str, &str); 3] =
    [("open.test", OPEN), ("closed.test", CLOSED), ("lower.open.test", CLOSED)];

/// What answers from these zones.
fn state(policy: Policy, files: &[(&str, &str)]) -> State {
    let folder = folder();
    let mut state = State::new(policy);
    keys::read(tsig::KEY_FILE, &mut state.keys).unwrap();
    for (apex, text) in files {
        let name = format!("{apex}.zone");
        write(folder.path(), &[(&name, text)]);
        let loaded = load::load(&folder.path().join(name));
        let slot = Some(Slot::Live(loaded.zone.unwrap().into()));
        state.zones.apply(Change { apex: loaded.apex.unwrap(), slot });
    }
    state
}

/// A rule for each closed zone; and one for the open zone where the server's own closes all others.
const RULES: [fn(&mut State); 2] = [
    |state| {
        for zone in ["closed.test", "lower.open.test"] {
            let rule = ZoneRule { ask: Some(friends_alone()), transfer: None };
            state.zone_acls.set(zone.parse().unwrap(), rule);
        }
    },
    |state| {
        state.acl = friends_alone();
        let rule = ZoneRule { ask: Some(Acl::default()), transfer: None };
        state.zone_acls.set("open.test".parse().unwrap(), rule);
    },
];

fn friends_alone() -> Acl {
    Acl::new(&[FRIEND.parse().unwrap(), "key:partner".parse().unwrap()], &[]).unwrap()
}

/// All policies that there are.
fn policies() -> impl Iterator<Item = Policy> {
    [(true, true), (true, false), (false, true), (false, false)].into_iter().map(
        |(minimal_responses, aliases_across_zones)| Policy {
            minimal_responses,
            aliases_across_zones,
        },
    )
}

fn ask(state: &mut State, source: &str, words: &str) -> Message {
    let now = Now { unix_s: 1_559_731_985, monotonic_ms: 0 };
    let setting = Setting { source: source.parse().unwrap(), unix_s: 1_559_731_985 };
    let wire = Query::parse(words).unwrap().asked_in(&setting);
    let from = Peer {
        transport: Transport::Tcp,
        source: (source.parse::<IpAddr>().unwrap(), 5353).into(),
    };
    let [mut answer, mut seen] = [Vec::new(), Vec::new()];
    let outcome = respond::respond(&wire, from, now, state, &mut answer);
    assert!(matches!(outcome, Outcome::Send(_)), "{words}: {outcome:?}");
    respond::respond_seen(&wire, from, now, state, &mut seen, |_| ());
    assert_eq!(answer, seen, "{words}: what is explained is what is answered");
    Message::decode(&answer).unwrap()
}

/// Questions about the open zone whose answers would tell of a closed one.
const QUESTIONS: [&str; 9] = [
    "open.test. NS",
    "mail.open.test. MX",
    "service.open.test. SRV",
    "alias.open.test. A",
    "alias.open.test. MX",
    "secret.moved.open.test. A",
    "nowhere.moved.open.test. A",
    "relay.open.test. MX",
    "lower-alias.open.test. A",
];

#[test]
fn what_may_not_be_asked_for_comes_by_no_other_road() {
    for (policy, close) in policies().flat_map(|policy| RULES.map(|close| (policy, close))) {
        let [mut ruled, mut without] = [state(policy, &ALL), state(policy, &ALL[..1])];
        close(&mut ruled);
        close(&mut without);
        assert_eq!(ask(&mut ruled, STRANGER, "secret.closed.test. A").told(), "rcode 5");
        for words in QUESTIONS {
            let told = format!("{:?}", ask(&mut ruled, STRANGER, words));
            assert!(!told.contains("192.0.2.66"), "{policy:?} {words}: {told}");
            if !words.starts_with("lower") {
                let expected = format!("{:?}", ask(&mut without, STRANGER, words));
                assert_eq!(told, expected, "{policy:?} {words}: as if there were no closed zone");
            }
        }
    }
}

#[test]
fn who_may_ask_gets_all_that_goes_along() {
    for policy in policies() {
        let [mut ruled, mut open] = [state(policy, &ALL), state(policy, &ALL)];
        RULES[0](&mut ruled);
        for words in QUESTIONS {
            let [told, expected] =
                [&mut ruled, &mut open].map(|state| format!("{:?}", ask(state, FRIEND, words)));
            assert_eq!(told, expected, "{policy:?} {words}");
        }
        let along = format!("{:?}", ask(&mut ruled, FRIEND, "mail.open.test. MX"));
        assert!(along.contains("192.0.2.66"), "{along}");
        let signed = ask(&mut ruled, STRANGER, "mail.open.test. MX +tsig=partner");
        assert!(signed.additional.iter().any(|record| record.contains("192.0.2.66")), "{signed:?}");
    }
}
