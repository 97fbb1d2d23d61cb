//! The short road: answers that are copies, since most of what is asked is only to be found.
//!
//! What a zone holds is stored as an answer holds it ([`Rrset::records`]), and whom its data name is
//! known ([`crate::zone::Link`]). So a query of the usual shape ([`PlainQuery`]) can be answered without
//! a [`crate::answer::Reply`] when it gets
//!
//! - records of the name itself, with the addresses that go along, and with their signatures,
//! - that there are no such records, or no such name, from a zone that need not prove it,
//! - a referral from such a zone.
//!
//! A cookie goes back in the answer. The first of these, if no name stands in the data, is the shortest
//! way ([`lone_set`]); [`super::pieces`] writes the others. Whatever is not as simple
//! (an alias, a wildcard, a name that another zone may know, no room, a cookie that is required) takes the
//! long road of [`super::respond_seen`]. On both an answer is the same, octet for octet: what is explained
//! always takes the long one, and the tests compare.
//!
//! # What an answer costs
//! Instructions of a query for an address that is there, as callgrind counts them, sockets' side included
//! and the kernel's not. `tests/instructions.rs` holds their sum.
//!
//! ```text
//! batch      headers of datagrams, system calls, counters             122
//! asker      who asks, whether that matters; what became of it         96
//! parse      header, type and class                                    43
//! hash       the labels of the name, once                             148
//! zone       two looks by suffix, one comparison of names             184
//! node       one look, one comparison; the set of that type           139
//! copy       question and records, header; who is not limited         149
//! all                                                                 881
//! OPT        read, and written: 100 more
//! signature  found and copied: 77 more than OPT
//! cookie     read, checked with SipHash, written: some 580 more than OPT
//! network    what it gets in all is counted, the families of blocks are told apart: some 40 more
//! many names the look ahead reads, hashes and looks up as well: some 340 more
//! ```

use super::pieces::Answer;
use super::setting::len_max;
use super::{Outcome, Peer, State, Transport, answered};
use crate::answer::End;
use crate::clock::Now;
use crate::guard::cookie::{Cookies, Proof};
use crate::guard::rrl::{Kind, Limiter, Passage};
use crate::name::Suffixes;
use crate::rr::{rdata, table};
use crate::wire::codes::Rcode;
use crate::wire::edns::COOKIE_LEN;
use crate::wire::plain::{Copies, PlainQuery};
use crate::wire::response::Section;
use crate::zone::set::{Slot, ZoneSet};
use crate::zone::{Node, Rrset, Zone};

/// Where an answer was made.
pub(super) enum Road {
    /// Here.
    Short(Outcome),
    /// It is to be made on the long road; what becomes of it may be known already.
    Long(Option<Passage>),
}

/// Appends the answer to `message`, if that takes copies alone; else `out` is as it was.
#[inline]
pub(super) fn respond(
    message: &[u8],
    from: &Peer,
    now: Now,
    state: &mut State,
    out: &mut Vec<u8>,
) -> Road {
    if state.wants_thought(from) {
        return Road::Long(None);
    }
    let Some(query) = PlainQuery::read(message, &mut state.hashes) else {
        return Road::Long(None);
    };
    let State { zones, hashes, limiter, cookies, .. } = state;
    let Some((slot, zone)) = find(&query, hashes, zones) else { return Road::Long(None) };
    let signed = query.opt.is_some_and(|opt| opt.dnssec_ok) && zone.is_signed();
    let asked = || Asked {
        query,
        message_len: message.len(),
        from,
        now,
        slot,
        zone,
        zones,
        hashes,
        signed,
    };
    let has_cookie = query.opt.is_some_and(|opt| opt.cookie.is_some());
    match if has_cookie { None } else { lone_set(&query, zone, hashes) } {
        Some((node, set)) => asked().answer(None, limiter.as_mut(), out, |copies| {
            copies.records(Section::Answer, set.records(), set.count()).ok()?;
            if signed && let Some(signatures) = node.signatures(set.rtype()) {
                // RFC 4034 §3: they take the TTL of what they sign
                (signatures.ttl() == set.ttl()).then_some(())?;
                copies.records(Section::Answer, signatures.records(), signatures.count()).ok()?;
            }
            Some((End::Found, Kind::Name, hashes.whole()))
        }),
        None => asked().answer_from_more(cookies.as_ref(), limiter.as_mut(), out),
    }
}

impl State {
    /// Whether something is asked of each answer that copies alone do not give.
    #[inline]
    fn wants_thought(&self, from: &Peer) -> bool {
        !self.policy.minimal_responses
            || self.cookies.as_ref().is_some_and(|cookies| cookies.required)
            || !self.zone_acls.is_empty()
            || !self.acl.is_open() && self.acl.denies(from.source.ip(), None)
    }
}

/// The zone that answers a question for records of one type; none where that takes more thought.
#[inline]
fn find<'z>(
    query: &PlainQuery<'_>,
    hashes: &Suffixes,
    zones: &'z ZoneSet,
) -> Option<(&'z Slot, &'z Zone)> {
    if matches!(query.rtype, table::ANY | table::RRSIG | table::NSEC | table::AXFR | table::IXFR) {
        return None;
    }
    let (slot, labels) = zones.find(query.name, hashes, hashes.labels())?;
    let above = query.rtype == table::DS && labels == hashes.labels(); // RFC 4035 §3.1.4.1
    slot.zone().filter(|_| !above).map(|zone| (slot, zone))
}

/// The set that is the whole answer but for signatures, as the most answers are: no name in its data
/// matters to the asker. And whose it is.
#[inline]
fn lone_set<'z>(
    query: &PlainQuery<'_>,
    zone: &'z Zone,
    hashes: &Suffixes,
) -> Option<(Node<'z>, Rrset<'z>)> {
    if rdata::concerns_names(query.rtype) {
        return None;
    }
    let node = zone.node_with(hashes.whole(), query.name)?;
    if node.is_authoritative() { Some((node, node.rrset(query.rtype)?)) } else { None }
}

/// What was asked, of which zone.
#[derive(Clone, Copy)]
struct Asked<'s> {
    query: PlainQuery<'s>,
    message_len: usize,
    from: &'s Peer,
    now: Now,
    slot: &'s Slot,
    zone: &'s Zone,
    zones: &'s ZoneSet,
    hashes: &'s Suffixes,
    /// Signatures are wanted and there.
    signed: bool,
}

impl<'s> Asked<'s> {
    /// Any other answer.
    #[inline(never)] // the shortest way is not to make room for it
    fn answer_from_more(
        self,
        cookies: Option<&Cookies>,
        limiter: Option<&mut Limiter>,
        out: &mut Vec<u8>,
    ) -> Road {
        let checked = self.query.opt.and_then(|opt| opt.cookie).zip(cookies);
        let checked = checked.map(|(cookie, cookies)| {
            cookies.secrets.check(cookie, self.from.source.ip(), self.now.unix_s_modulo())
        });
        let (proof, cookie) = checked.as_ref().map(|(proof, cookie)| (*proof, cookie)).unzip();
        // RFC 7873 §5.2.5: the address is shown to be the asker's
        let limiter = limiter.filter(|_| proof != Some(Proof::Ours));
        self.answer(cookie, limiter, out, |copies| {
            let Asked { zone, zones, signed, hashes, .. } = self;
            let mut answer = Answer { copies, zone, zones, signed, cut_labels: 0 };
            let end = answer.write(self.query.name, self.query.rtype, hashes)?;
            let (kind, labels) = answer.counts_as(end, hashes);
            Some((end, kind, hashes.hash(labels)))
        })
    }

    /// Appends the answer that `write` copies together, if it may be sent. That says how it ends, what it
    /// counts as, and by which hash.
    #[inline(always)] // what stands in its arguments need not go through memory
    fn answer(
        self,
        cookie: Option<&[u8; COOKIE_LEN]>,
        limiter: Option<&mut Limiter>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Copies<'_>) -> Option<(End, Kind, u64)>,
    ) -> Road {
        let (base, &Peer { transport, ref source }) = (out.len(), self.from);
        let len_max = len_max(self.query.opt.map(|opt| opt.udp_len), transport);
        let mut copies = Copies::to(&self.query, cookie, self.zone.apex_len(), len_max, out);
        let Some((end, kind, name)) = write(&mut copies) else {
            out.truncate(base);
            return Road::Long(None);
        };
        let passage = match limiter {
            Some(limiter) if transport == Transport::Udp && limiter.counts(source.ip()) => {
                let gain = copies.whole_len().saturating_sub(self.message_len);
                limiter.pass(source.ip(), kind, name, gain, self.now.monotonic_ms)
            }
            _ => Passage::Free,
        };
        if passage != Passage::Free {
            out.truncate(base);
            return Road::Long(Some(passage));
        }
        let rcode = if end == End::NxDomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
        copies.finish(rcode, end != End::Referral);
        Road::Short(Outcome::Send(answered(self.slot, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::guard::cookie::{SECRET_LEN, Secret, Secrets};
    use crate::guard::rrl::Rates;
    use crate::name::NameBuf;
    use crate::respond::{Policy, Reason, respond_seen};
    use crate::rr::{Record, Rtype};
    use crate::wire::edns::Cookie;
    use crate::zone::build::Builder;
    use crate::zone::set::Change;

    /// Owner, type, the octets of the data before a name, that name, and the octets behind it.
    type Row = (&'static str, Rtype, &'static [u8], &'static str, &'static [u8]);

    const ROWS: &[Row] = &[
        ("smith.edu.", table::SOA, b"", "ns.smith.edu.", &[0; 21]),
        ("smith.edu.", table::NS, b"", "ns.smith.edu.", b""),
        ("ns.smith.edu.", table::A, &[192, 0, 2, 2], "", b""),
        ("mail.smith.edu.", table::MX, b"\0\x01", "ns.smith.edu.", b""),
        ("mail.smith.edu.", table::MX, b"\0\x02", "mx.example.", b""),
        ("away.smith.edu.", table::CNAME, b"", "ns.smith.edu.", b""),
        ("*.wild.smith.edu.", table::A, &[192, 0, 2, 4], "", b""),
        ("cs.smith.edu.", table::NS, b"", "ns.cs.smith.edu.", b""),
        ("cs.smith.edu.", table::NS, b"", "ns.smith.edu.", b""),
        ("cs.smith.edu.", table::DS, &[0, 1, 13, 2, 7], "", b""),
        ("ns.cs.smith.edu.", table::A, &[192, 0, 2, 3], "", b""),
        ("wild.mx.smith.edu.", table::MX, b"\0\x01", "any.wild.smith.edu.", b""),
    ];

    /// A signature's data before the signer's name: what it covers is in the second octet.
    const OF_A: &[u8] = &[0, 1, 13, 3, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    const OF_MX: &[u8] = &[0, 15, 13, 3, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

    /// The owner of a signature that has another TTL than what it signs.
    const LATE: &str = "late.smith.edu.";
    /// What makes the zone a signed one.
    const SIGNATURES: &[Row] = &[
        ("ns.smith.edu.", table::RRSIG, OF_A, "smith.edu.", &[9; 64]),
        ("mail.smith.edu.", table::RRSIG, OF_MX, "smith.edu.", &[9; 64]),
        (LATE, table::A, &[192, 0, 2, 5], "", b""),
        (LATE, table::RRSIG, OF_A, "smith.edu.", &[9; 64]),
    ];

    /// What is asked, and whether copies answer it.
    const QUESTIONS: &[(&str, Rtype, bool)] = &[
        ("ns.smith.edu.", table::A, true),
        ("NS.Smith.edu.", table::A, true),
        ("ns.smith.edu.", table::AAAA, true),
        ("mail.smith.edu.", table::MX, true),
        ("smith.edu.", table::NS, true),
        ("nowhere.smith.edu.", table::A, true),
        ("not.here.smith.edu.", table::A, true),
        ("www.cs.smith.edu.", table::A, true),
        ("ns.cs.smith.edu.", table::A, true),
        ("cs.smith.edu.", table::DS, true),
        ("www.cs.smith.edu.", table::DS, false),
        ("smith.edu.", table::DS, false),
        ("smith.edu.", table::ANY, false),
        ("smith.edu.", table::SOA, false),
        ("away.smith.edu.", table::A, false),
        ("away.smith.edu.", table::CNAME, true),
        ("any.wild.smith.edu.", table::A, false),
        ("wild.mx.smith.edu.", table::MX, false),
        ("www.example.", table::A, false),
    ];

    fn state() -> State {
        state_of(ROWS)
    }

    fn signed_state() -> State {
        state_of(&[ROWS, SIGNATURES].concat())
    }

    fn state_of(rows: &[Row]) -> State {
        let mut builder = Builder::default();
        for &(owner, rtype, before, name, behind) in rows {
            let ttl = if (owner, rtype) == (LATE, table::RRSIG) { 61 } else { 60 };
            let owner: NameBuf = owner.parse().unwrap();
            let name = (!name.is_empty()).then(|| name.parse::<NameBuf>().unwrap());
            let name = name.as_ref().map_or(&[][..], |name| name.as_name().as_wire());
            let rdata = &[before, name, behind].concat()[..];
            let record = Record { owner: owner.as_name(), rtype, ttl, rdata };
            builder.add(record, Span::default(), &[]);
        }
        let zone = builder.finish(Span::default()).0.unwrap();
        let mut state = State::new(Policy::default());
        add(&mut state, "smith.edu.", Slot::Live(zone.into()));
        state
    }

    fn add(state: &mut State, apex: &str, slot: Slot) {
        state.zones.apply(Change { apex: apex.parse().unwrap(), slot: Some(slot) });
    }

    fn query(name: &str, rtype: Rtype, edns: &[u8]) -> Vec<u8> {
        let name: NameBuf = name.parse().unwrap();
        let head = [7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!edns.is_empty())];
        let name = name.as_name().as_wire();
        [&head, name, &rtype.0.to_be_bytes(), &[0, 1], edns].concat()
    }

    fn peer(transport: Transport) -> Peer {
        Peer { transport, source: ([192, 0, 2, 77], 5353).into() }
    }

    fn is_short(state: &mut State, message: &[u8]) -> bool {
        let (mut out, mut seen) = (b"before".to_vec(), b"before".to_vec());
        let (from, now) = (peer(Transport::Udp), Now::default());
        let told = respond_seen(message, from, now, state, &mut seen, |_| ());
        match respond(message, &from, now, state, &mut out) {
            Road::Short(outcome) => {
                assert_eq!((outcome, out), (told, seen));
                true
            }
            Road::Long(settled) => {
                assert_eq!((settled, &out[..]), (None, &b"before"[..]));
                false
            }
        }
    }

    /// OPT records: without options, with DO, with a client's cookie, with more behind that, of ours, and
    /// none of ours.
    fn opts(cookies: &Cookies, from: Peer) -> Vec<Vec<u8>> {
        let client = Cookie { client: [9; 8], server: &[] };
        let (_, ours) = cookies.secrets.check(client, from.source.ip(), 0);
        let with = |options: &[u8]| {
            let len = u8::try_from(options.len()).unwrap();
            [&b"\0\0\x29\x04\xd0\0\0\0\0\0"[..], &[len], options].concat()
        };
        let client = with(&[&b"\0\x0a\0\x08"[..], &ours[..8]].concat());
        let ours = with(&[&b"\0\x0a\0\x18"[..], &ours].concat());
        let mut wrong = ours.clone();
        wrong[30] ^= 1;
        let dnssec_ok = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0".to_vec();
        vec![vec![], with(b""), dnssec_ok, client, ours, wrong]
    }

    fn cookies() -> Cookies {
        Cookies { required: false, secrets: Secrets::one(Secret::new([3; SECRET_LEN])) }
    }

    #[test]
    fn copies_answer_what_they_can_and_as_the_long_road_does() {
        let opts = opts(&cookies(), peer(Transport::Udp));
        for cookies in [None, Some(cookies())] {
            let mut state = State { cookies, ..state() };
            for &(name, rtype, expected) in QUESTIONS {
                for edns in &opts {
                    let message = query(name, rtype, edns);
                    assert_eq!(is_short(&mut state, &message), expected, "{name} {rtype}");
                }
            }
            for option in [&b"\0\x03\0\0"[..], b"\0\x0a\0\x08abcdefgh\0\x03\0\0"] {
                let len = u8::try_from(option.len()).unwrap();
                let opt = [&b"\0\0\x29\x04\xd0\0\0\0\0\0"[..], &[len], option].concat();
                let message = query("ns.smith.edu.", table::A, &opt);
                assert!(!is_short(&mut state, &message), "it holds more than a cookie");
            }
            state.cookies.iter_mut().for_each(|cookies| cookies.required = true);
            let required = state.cookies.is_some();
            let message = query("ns.smith.edu.", table::A, &opts[4]);
            assert_eq!(is_short(&mut state, &message), !required);
        }
    }

    /// What neither road could be made for: each octet of each query changed, and each query cut.
    #[test]
    fn whatever_comes_both_roads_answer_it_alike() {
        for mut state in [state(), signed_state()] {
            state.cookies = Some(cookies());
            compare_roads(&mut state);
        }
    }

    #[test]
    fn signatures_are_copied_where_they_are_wanted() {
        let mut state = signed_state();
        let (plain, dnssec_ok) =
            (b"\0\0\x29\x04\xd0\0\0\0\0\0\0", b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
        let mut is_short = |name, opt| is_short(&mut state, &query(name, table::A, opt));
        assert!(is_short("ns.smith.edu.", dnssec_ok));
        assert!(is_short("nowhere.smith.edu.", plain));
        assert!(!is_short("nowhere.smith.edu.", dnssec_ok), "a proof is wanted");
        assert!(is_short(LATE, plain));
        assert!(!is_short(LATE, dnssec_ok), "the signature has another TTL");
    }

    fn compare_roads(state: &mut State) {
        let (mut short, mut long) = (0, 0);
        let opts = opts(&cookies(), peer(Transport::Udp));
        let asked = QUESTIONS.iter().chain(&[(LATE, table::A, false)]);
        let queries = asked
            .flat_map(|&(name, rtype, _)| opts.iter().map(move |edns| query(name, rtype, edns)));
        for message in queries {
            for at in 0..message.len() {
                is_short(state, &message[..at]);
                for flipped in [1, 4, 0x20, 0x80, 0xff] {
                    let mut changed = message.clone();
                    changed[at] ^= flipped;
                    let count = if is_short(state, &changed) { &mut short } else { &mut long };
                    *count += 1;
                }
            }
        }
        assert!(short > 2000 && long > 2000, "{short} short, {long} long");
    }

    #[test]
    fn a_zone_that_may_know_a_target_better_is_asked() {
        let mut state = state();
        let message = query("mail.smith.edu.", table::MX, b"");
        assert!(is_short(&mut state, &message));
        add(&mut state, "example.", Slot::Broken);
        assert!(!is_short(&mut state, &message), "mx.example. is there now");
        let message = query("smith.edu.", table::NS, b"");
        assert!(is_short(&mut state, &message));
        add(&mut state, "ns.smith.edu.", Slot::Broken);
        assert!(!is_short(&mut state, &message), "ns.smith.edu. is a zone of its own");
    }

    #[test]
    fn what_the_operator_wants_besides_takes_the_long_road() {
        let message = query("ns.smith.edu.", table::A, b"");
        let mut state = state();
        state.policy.minimal_responses = false;
        assert!(!is_short(&mut state, &message));
        state.policy.minimal_responses = true;
        assert!(is_short(&mut state, &message));
    }

    #[test]
    fn answers_of_both_roads_count_alike() {
        let [mut short, mut long] = [(); 2].map(|()| {
            let rates = Rates { per_second: 3, slip: 2, exempt: vec![] };
            let limiter = Some(Limiter::new(rates, [7; 16]));
            State { limiter, cookies: Some(cookies()), ..state() }
        });
        let opts = opts(&cookies(), peer(Transport::Udp));
        let (mut free, mut limited) = (0, 0);
        let rounds = (0..6).flat_map(|round| opts.iter().map(move |edns| (round, edns)));
        for (round, edns) in rounds {
            for &(name, rtype, _) in QUESTIONS {
                let (message, from) = (query(name, rtype, edns), peer(Transport::Udp));
                let (mut a, mut b, now) = (Vec::new(), Vec::new(), Now::default());
                let outcome = crate::respond::respond(&message, from, now, &mut short, &mut a);
                let told = respond_seen(&message, from, now, &mut long, &mut b, |_| ());
                assert_eq!((&outcome, a), (&told, b), "{name} {rtype}, round {round}");
                match outcome {
                    Outcome::Send(Reason::OverRate) | Outcome::Drop(_) => limited += 1,
                    Outcome::Send(_) | Outcome::Stream(_) => free += 1,
                }
            }
        }
        assert!(free > 100 && limited > 40, "{free} free, {limited} not");
    }
}
