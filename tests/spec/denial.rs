//! Which records prove what is not there: RFC 4035 §3.1.3 with NSEC, RFC 5155 §7.2 with NSEC3.

use super::Zone;
use super::records::{Name, Record};
use super::sign::{Hashing, hash_label};
use super::types::{NSEC, NSEC3, NSEC3PARAM};

/// One record of a chain: what it stands at, and what it says comes next.
struct Link<'z, Place> {
    record: &'z Record,
    at: Place,
    next: Place,
}

impl Zone {
    /// The name is not there, nor a wildcard that could stand for it.
    pub fn name_error(&self, name: &Name) -> Vec<Record> {
        match self.hashing() {
            // RFC 4035 §3.1.3.2
            None => {
                let wildcard = self.closest_encloser(name).child("*");
                self.nsec_covering(name).into_iter().chain(self.nsec_covering(&wildcard)).collect()
            }
            // RFC 5155 §7.2.2. A validator takes for the closest encloser what it sees proven (§8.4).
            Some(hashing) => {
                let wildcard = self.closest_provable_encloser(name, &hashing).child("*");
                let mut proof = self.closest_encloser_proof(name, &hashing);
                // Below a name that opt-out left without a record the wildcard higher up may be
                // there: then nothing can be proven, and BIND sends the record that matches it.
                let matching = self.nsec3_at(&wildcard, &hashing);
                proof.extend(matching.or(self.nsec3_covering(&wildcard, &hashing)));
                proof
            }
        }
    }

    /// The name is there, or a wildcard for it, but without the type that was asked for.
    pub fn no_data(&self, name: &Name) -> Vec<Record> {
        let source = self.source(name);
        if source == *name { self.name_no_data(name) } else { self.wildcard_no_data(name, &source) }
    }

    fn name_no_data(&self, name: &Name) -> Vec<Record> {
        match self.hashing() {
            // RFC 4035 §3.1.3.1
            None => self.nsec_about(name).into_iter().collect(),
            // RFC 5155 §7.2.3; without a match, which opt-out allows for unsigned delegations and
            // the empty non-terminals above them, §7.2.4 with erratum 3441
            Some(hashing) => match self.nsec3_at(name, &hashing) {
                Some(nsec3) => vec![nsec3],
                None => self.closest_encloser_proof(name, &hashing),
            },
        }
    }

    fn wildcard_no_data(&self, name: &Name, wildcard: &Name) -> Vec<Record> {
        match self.hashing() {
            // RFC 4035 §3.1.3.4
            None => self.nsec_about(wildcard).into_iter().chain(self.nsec_covering(name)).collect(),
            // RFC 5155 §7.2.5. Opt-out may leave a wildcard that is an empty non-terminal without a
            // match. Then what covers it takes the place, by the program's choice.
            Some(hashing) => {
                let mut proof = self.closest_encloser_proof(name, &hashing);
                let matching = self.nsec3_at(wildcard, &hashing);
                proof.extend(matching.or(self.nsec3_covering(wildcard, &hashing)));
                proof
            }
        }
    }

    /// A wildcard could stand for the name, because nothing is there that is closer (RFC 4035
    /// §3.1.3.3, RFC 5155 §7.2.6).
    pub fn nothing_closer(&self, name: &Name) -> Vec<Record> {
        let found = match self.hashing() {
            None => self.nsec_covering(name),
            Some(hashing) => {
                let encloser = self.closest_encloser(name);
                self.nsec3_covering(&name.suffix(encloser.labels() + 1), &hashing)
            }
        };
        found.into_iter().collect()
    }

    /// RFC 5155 §7.2.1: the closest encloser is there, and the name one label longer is not.
    fn closest_encloser_proof(&self, name: &Name, hashing: &Hashing) -> Vec<Record> {
        let encloser = self.closest_provable_encloser(name, hashing);
        let next_closer = name.suffix(encloser.labels() + 1);
        let matching = self.nsec3_at(&encloser, hashing);
        matching.into_iter().chain(self.nsec3_covering(&next_closer, hashing)).collect()
    }

    /// RFC 5155 §1.3: the longest ancestor that an NSEC3 record matches.
    fn closest_provable_encloser(&self, name: &Name, hashing: &Hashing) -> Name {
        let mut above = (self.apex.labels()..name.labels()).rev();
        let labels = above.find(|&labels| self.nsec3_at(&name.suffix(labels), hashing).is_some());
        name.suffix(labels.unwrap())
    }

    /// The NSEC of a name that exists. An empty non-terminal has none; the one before it says what
    /// comes next, and that this is below it.
    fn nsec_about(&self, name: &Name) -> Option<Record> {
        self.rrset(name, NSEC).pop().or(self.nsec_covering(name))
    }

    /// RFC 4034 §4: the NSEC whose owner comes before the name, and whose next name after it.
    fn nsec_covering(&self, name: &Name) -> Option<Record> {
        let links = self.records.iter().filter(|record| record.rtype == NSEC).map(|record| {
            let next = super::read_name(&record.data).0;
            Link { record, at: record.owner.canonical(), next: next.canonical() }
        });
        covering(links, &name.canonical())
    }

    fn nsec3_at(&self, name: &Name, hashing: &Hashing) -> Option<Record> {
        let owner = self.apex.child(&hash_label(&hashing.hash(name)));
        self.rrset(&owner, NSEC3).pop()
    }

    /// RFC 5155 §1.3: the NSEC3 whose hash comes before that of the name, and whose next after it.
    fn nsec3_covering(&self, name: &Name, hashing: &Hashing) -> Option<Record> {
        let links = self.records.iter().filter(|record| record.rtype == NSEC3).map(|record| {
            let salt_len = usize::from(record.data[4]);
            let next = &record.data[5 + salt_len + 1..][..20];
            // Base32hex keeps the order of what it writes (RFC 4648 §7).
            Link { record, at: record.owner.first().to_vec(), next: hash_label(next).into_bytes() }
        });
        covering(links, &hash_label(&hashing.hash(name)).into_bytes())
    }

    /// How the zone's names are hashed, if they are (RFC 5155 §4).
    fn hashing(&self) -> Option<Hashing> {
        let parameters = self.rrset(&self.apex, NSEC3PARAM).pop()?.data;
        let iterations = u16::from_be_bytes([parameters[2], parameters[3]]);
        Some(Hashing { iterations, salt: parameters[5..].to_vec() })
    }
}

/// The link between whose ends something stands. The last one's next is the first.
fn covering<'z, Place: Ord>(
    links: impl Iterator<Item = Link<'z, Place>>,
    place: &Place,
) -> Option<Record> {
    let covers = |link: &Link<'_, Place>| {
        let (behind, before) = (link.at < *place, *place < link.next);
        let last = link.next <= link.at;
        behind && before || last && (behind || before)
    };
    links.filter(covers).map(|link| link.record.clone()).next()
}
