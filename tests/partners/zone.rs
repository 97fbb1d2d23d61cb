//! A zone that changes at random, in ways that transfers may stumble over.

use crate::support::dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Hosts that stay, for more than one message.
const HOSTS: usize = 500;
/// Owners that come and go: one at or below the other, and below cuts and wildcards.
const OWNERS: [&str; 12] = [
    "@",
    "www",
    "WWW.deep",
    "a.b.c.deep",
    "*.wild",
    "x.wild",
    "sub",
    "hidden.sub",
    "odd\\.dot\\032space",
    "alias",
    "h7",
    "_svc._tcp",
];
/// What they have, with the numbers 0 to 9 for `%`. Nothing else may stand beside a CNAME.
const DATA: [(&str, &str); 10] = [
    ("A", "192.0.2.%"),
    ("AAAA", "2001:db8::%"),
    ("TXT", "\"%\" \"\\000\\255;\""),
    (
        "TXT",
        "\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy %\"",
    ),
    ("MX", "% Mail"),
    ("MX", "% mail"),
    ("SRV", "% 0 5060 www"),
    ("SVCB", "1% . alpn=h2 ipv4hint=192.0.2.%"),
    ("TYPE65280", "\\# 4 0a0b0c0%"),
    ("CNAME", "h%"),
];

/// A version of a zone.
pub(crate) struct Zone {
    pub(crate) apex: String,
    /// What is served: by its author's hand, or by the server's.
    pub(crate) serial: u32,
    /// What the file goes on saying if its author forgets to raise it.
    forgotten: Option<u32>,
    /// The last number of its SOA.
    minimum: u32,
    sets: BTreeMap<(String, &'static str), Set>,
}

/// The records of one owner and type.
struct Set {
    ttl: usize,
    data: BTreeSet<String>,
}

impl Zone {
    /// Its serial begins shortly before the largest there is, so that it soon is a small one.
    pub(crate) fn new(apex: &str, is_forgotten: bool, dice: &mut Dice) -> Zone {
        let (serial, sets) = (u32::MAX - 2, BTreeMap::new());
        let forgotten = is_forgotten.then_some(serial);
        let mut zone = Zone { apex: apex.to_owned(), serial, forgotten, minimum: 300, sets };
        for host in 0..HOSTS {
            zone.add(&format!("host{host}"), "A", format!("192.0.2.{}", host % 256), 300);
            zone.add(&format!("host{host}"), "TXT", format!("\"host {host}\""), 300);
        }
        (0..20).for_each(|_| zone.add_any(dice));
        zone
    }

    /// Changes some records, and raises the serial.
    pub(crate) fn edit(&mut self, dice: &mut Dice) {
        for _ in 0..=dice.below(15) {
            match dice.below(8) {
                0..4 => self.add_any(dice),
                4 => self.remove_set(dice),
                5 => self.change_ttl(dice),
                6 => self.move_host(dice),
                _ => self.minimum = 300 + u32::try_from(dice.below(9)).unwrap(),
            }
        }
        let most = if self.forgotten.is_some() { 1 } else { 3 };
        let step = 1 + u32::try_from(dice.below(most)).unwrap();
        // PowerDNS takes a serial of 0 for none.
        self.serial = self.serial.wrapping_add(step).max(1);
    }

    fn add_any(&mut self, dice: &mut Dice) {
        let (owner, (rtype, data)) = (*dice.pick(&OWNERS), *dice.pick(&DATA));
        let data = data.replace('%', &dice.below(10).to_string());
        self.add(owner, rtype, data, 60 + dice.below(3));
    }

    /// A delegation has nothing but name servers, an alias nothing but its target.
    fn add(&mut self, owner: &str, rtype: &'static str, data: String, ttl: usize) {
        let is_alias = rtype == "CNAME";
        if is_alias && ["@", "sub"].contains(&owner) {
            return;
        }
        self.sets.retain(|key, _| key.0 != owner || (key.1 == "CNAME") == is_alias && !is_alias);
        let set = self.sets.entry((owner.to_owned(), rtype));
        set.or_insert(Set { ttl, data: BTreeSet::new() }).data.insert(data);
    }

    fn some_set(&self, dice: &mut Dice) -> (String, &'static str) {
        self.sets.keys().nth(dice.below(self.sets.len())).unwrap().clone()
    }

    fn remove_set(&mut self, dice: &mut Dice) {
        let key = self.some_set(dice);
        self.sets.remove(&key);
    }

    fn change_ttl(&mut self, dice: &mut Dice) {
        let key = self.some_set(dice);
        self.sets.get_mut(&key).unwrap().ttl += 1;
    }

    /// Gives the records of one owner to another, and spells it in capitals.
    fn move_host(&mut self, dice: &mut Dice) {
        let (key, number) = (self.some_set(dice), dice.below(HOSTS));
        if let Some(set) = self.sets.remove(&key).filter(|_| key.1 != "CNAME") {
            for data in set.data {
                self.add(&format!("HOST{number}.deep"), key.1, data, set.ttl);
            }
        }
    }

    /// As a zone file has it.
    pub(crate) fn text(&self) -> String {
        let Zone { apex, serial, minimum, .. } = self;
        let in_file = self.forgotten.unwrap_or(*serial);
        // One record tells the versions apart, whatever else came and went.
        let mut text = format!(
            "$ORIGIN {apex}.\n@ 300 SOA ns1 admin {in_file} 1 1 2w {minimum}\n@ 300 NS ns1\n\
             version 300 TXT {serial}\n\
             ns1 300 A 192.0.2.1\nsub 300 NS ns.sub\nns.sub 300 A 192.0.2.54\n\
             dname 300 DNAME elsewhere.example.\n"
        );
        for ((owner, rtype), Set { ttl, data }) in &self.sets {
            for data in data {
                let _ = writeln!(text, "{owner} {ttl} {rtype} {data}");
            }
        }
        text
    }
}
