//! Response rate limiting: how much is sent to an address that nobody has proved to be theirs?
//!
//! Who sends queries with a victim's address in them has the answers sent there, and answers are
//! longer than questions. So answers over UDP are counted by who gets them (a /24, a /56) and by
//! what they say; what comes beyond a rate is left unsaid. Resolvers keep answers, so an honest one
//! does not ask for the same thing hundreds of times a second. Should it be limited because
//! somebody uses its address, it still gets an answer with TC now and then, and comes over TCP, where
//! no address can be made up.
//!
//! ```text
//!  SipHash(seed; block of addresses, kind, name) ──▶ set of four buckets ──▶ the one with that tag,
//!                                                                           else the emptiest
//!  a block of addresses, times a secret number   ──▶ the bucket of its network
//!
//!  a bucket fills with each answer, and leaks `rate` in a second; none is given to a full one
//! ```
//!
//! An answer counts twice. For its kind it is one, or as many as it has times [`KIND_GAIN`] octets more
//! than its question. For its network, whatever is asked, it is as much as it has more than its question,
//! with [`NETWORK_GAIN`] octets for one. So a network is sent no more than came in its name and
//! `rate` × 512 octets in a second, over however many names; small answers, which gain nobody much, may come
//! often; and a flood of one kind leaves a quarter to what else the network asks.
//!
//! The tables have a fixed size and are made at the start. Who fills that of the kinds with made-up addresses
//! takes the place of buckets that are nearly empty, never of a full one while its set has another; and
//! cannot choose a set, not knowing the seed. Networks that meet in one bucket share it: none is ever
//! forgotten there. Time comes with each call.

use super::prefix::Prefix;
use siphasher::sip::SipHasher13;
use std::net::IpAddr;

/// The octets of a seed: SipHash's key.
pub const SEED_LEN: usize = 16;

/// The most answers in a second that can be asked for. A thousand times as many fit a bucket.
pub const RATE_MAX: u32 = 1_000_000;

/// An answer that has this many octets more than its question is one of its kind, as shorter ones are;
/// with twice as many it counts for two.
pub const KIND_GAIN: u32 = 384;
/// So many octets more than was asked with are one answer, for a network.
pub const NETWORK_GAIN: u32 = 512;

/// Buckets that a hash may have: a line of the processor's cache.
const SET_LEN: usize = 4;
/// Sets: with their buckets 1 MiB, for the answers to 65,536 pairs of block and name at a time.
const SETS: usize = 1 << 14;
/// Buckets of networks, in bits: 256 KiB.
const NETWORKS_BITS: u32 = 14;

/// What fills a bucket for one answer: leaks are counted in thousandths, because time is.
const ANSWER: u32 = 1000;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Answers of a kind to a block of addresses in one second, 1 to [`RATE_MAX`], and all that it gets more
    /// than it asked with, counted in [`NETWORK_GAIN`] octets; so many may come at once.
    pub per_second: u32,
    /// Of the answers beyond, each so many-th is sent with TC and without records; none if 0.
    pub slip: u32,
    /// Who is not limited.
    pub exempt: Vec<Prefix>,
}

/// What an answer counts as. Names that a stranger can make without end count as their zone's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records of a name, or that it has none of a type; by name.
    Name,
    /// The same out of a wildcard or a DNAME; by zone.
    Made,
    /// That a name does not exist; by zone.
    NxDomain,
    /// Whom to ask; by delegation.
    Referral,
    /// What a question for ANY gets; all together.
    Any,
    /// Errors, refusals, and what is said without a zone; all together.
    Bare,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is sent.
    Free,
    /// It is sent without its records, and with TC.
    Slip,
    /// It is not sent.
    Held,
}

/// Counts answers and says which may be sent.
pub struct Limiter {
    rates: Rates,
    hasher: SipHasher13,
    sets: Vec<[Bucket; SET_LEN]>,
    networks: Vec<Bucket>,
    /// Odd, and as secret as the seed: it says which networks share a bucket.
    factor: u64,
}

/// Answers of one kind to one block of addresses, or all of them. All zeros is an empty bucket that is nobody's.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    tag: u32,
    /// When `level` was true, in milliseconds modulo 2³². A bucket left alone for weeks may look as
    /// if it had been used since; that is as good as any other level for so old a thing.
    at_ms: u32,
    /// Answers that did not leak out yet, in thousandths.
    level: u32,
    /// Answers held back since it became this tag's.
    held: u32,
}

impl Limiter {
    /// Nothing is counted yet. Nobody else should be able to guess the seed.
    pub fn new(rates: Rates, seed: [u8; SEED_LEN]) -> Limiter {
        let hasher = SipHasher13::new_with_key(&seed);
        let factor = hasher.hash(b"networks") | 1;
        let sets = vec![[Bucket::default(); SET_LEN]; SETS];
        Limiter {
            rates,
            hasher,
            sets,
            networks: vec![Bucket::default(); 1 << NETWORKS_BITS],
            factor,
        }
    }

    /// Limits as another one does, and goes on counting.
    pub fn take_rates(&mut self, other: Limiter) {
        self.rates = other.rates;
    }

    /// Whether answers to that address are counted.
    pub fn counts(&self, address: IpAddr) -> bool {
        !self.rates.exempt.iter().any(|block| block.contains(address))
    }

    /// Counts an answer about a name with this hash, and with so many octets more than its question, and says
    /// what becomes of it.
    pub fn pass(
        &mut self,
        address: IpAddr,
        kind: Kind,
        name: u64,
        gain: usize,
        now_ms: u64,
    ) -> Passage {
        let (block, rate) = (block(address), self.rates.per_second);
        let hash = self.hash(block, kind, name);
        let network = block.wrapping_mul(self.factor) >> (u64::BITS - NETWORKS_BITS);
        #[allow(clippy::cast_possible_truncation, reason = "a part of the hash, and of the time")]
        let (at, tag, now_ms) = (hash as usize % SETS, (hash >> 32) as u32, now_ms as u32);
        let bucket = choose(&mut self.sets[at], tag, now_ms, rate);
        let network = &mut self.networks[network as usize];
        network.leak(now_ms, rate);
        let gain = u32::try_from(gain).unwrap_or(0) * ANSWER; // a datagram's: it has room
        let full = match (bucket.level + ANSWER > rate * ANSWER, network.level >= rate * ANSWER) {
            (true, _) => bucket,
            (false, true) => network,
            (false, false) => {
                bucket.level += ANSWER.max(gain / KIND_GAIN);
                network.level += gain / NETWORK_GAIN;
                return Passage::Free;
            }
        };
        full.held = full.held.wrapping_add(1);
        let slips = full.held.checked_rem(self.rates.slip) == Some(0);
        if slips { Passage::Slip } else { Passage::Held }
    }

    fn hash(&self, block: u64, kind: Kind, name: u64) -> u64 {
        let name = match kind {
            Kind::Any | Kind::Bare => 0,
            _ => name,
        };
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&(block | kind as u64).to_le_bytes());
        octets[8..].copy_from_slice(&name.to_le_bytes());
        self.hasher.hash(&octets)
    }
}

/// The /24 or /56 of an address, with eight zero bits behind it. No IPv6 network begins with the 32
/// zero bits of the IPv4 ones (RFC 4291 §2.4).
fn block(address: IpAddr) -> u64 {
    let bits = match address.to_canonical() {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    };
    bits & !0xff
}

/// The bucket of this tag, leaked; else the emptiest of the set becomes it.
fn choose(set: &mut [Bucket; SET_LEN], tag: u32, now_ms: u32, rate: u32) -> &mut Bucket {
    for bucket in set.iter_mut() {
        bucket.leak(now_ms, rate);
    }
    let at = set.iter().position(|bucket| bucket.tag == tag).unwrap_or_else(|| {
        let emptiest = (0..SET_LEN).min_by_key(|&at| set[at].level).unwrap_or(0);
        set[emptiest] = Bucket { tag, at_ms: now_ms, ..Bucket::default() };
        emptiest
    });
    &mut set[at]
}

impl Bucket {
    fn leak(&mut self, now_ms: u32, rate: u32) {
        let leaked = u64::from(now_ms.wrapping_sub(self.at_ms)) * u64::from(rate);
        self.level = self.level.saturating_sub(u32::try_from(leaked).unwrap_or(u32::MAX));
        self.at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 20;

    fn limiter(slip: u32) -> Limiter {
        let exempt = vec!["192.0.2.0/24".parse().unwrap()];
        Limiter::new(Rates { per_second: RATE, slip, exempt }, [7; SEED_LEN])
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What `count` answers of a kind come to: free, slipped, held.
    fn pass(limiter: &mut Limiter, to: &str, kind: Kind, count: usize, now_ms: u64) -> [usize; 3] {
        let mut passed = [0; 3];
        for _ in 0..count {
            passed[limiter.pass(address(to), kind, 1, 0, now_ms) as usize] += 1;
        }
        passed
    }

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_the_rate() {
        let mut limiter = limiter(2);
        assert_eq!(pass(&mut limiter, "198.51.100.1", Kind::Name, 100, 5000), [20, 40, 40]);
        assert_eq!(pass(&mut limiter, "198.51.100.1", Kind::Name, 10, 5049), [0, 5, 5]);
        assert_eq!(pass(&mut limiter, "198.51.100.1", Kind::Name, 10, 5250), [5, 2, 3]);
        assert_eq!(pass(&mut limiter, "198.51.100.1", Kind::Name, 100, 9_999_999)[0], 20);
    }

    #[test]
    fn slip_says_how_many_of_those_held_back_are_sent_to_tcp() {
        for (slip, expected) in [(0, [20, 0, 60]), (1, [20, 60, 0]), (3, [20, 20, 40])] {
            let mut limiter = limiter(slip);
            assert_eq!(pass(&mut limiter, "198.51.100.1", Kind::Any, 80, 0), expected, "{slip}");
        }
    }

    #[test]
    fn a_block_of_addresses_is_one_and_its_neighbour_another() {
        for (first, same, other) in [
            ("198.51.100.1", "198.51.100.255", "198.51.101.1"),
            ("198.51.100.1", "::ffff:198.51.100.2", "2001:db8::1"),
            ("2001:db8:0:1ff::1", "2001:db8:0:100::", "2001:db8:0:200::"),
        ] {
            let mut limiter = limiter(0);
            assert_eq!(pass(&mut limiter, first, Kind::Name, 20, 0)[0], 20);
            assert_eq!(pass(&mut limiter, same, Kind::Name, 1, 0)[0], 0, "{same}");
            assert_eq!(pass(&mut limiter, other, Kind::Name, 1, 0)[0], 1, "{other}");
        }
    }

    #[test]
    fn kinds_are_counted_apart_and_by_name_where_names_are_few() {
        let by_name = [Kind::Name, Kind::Made, Kind::NxDomain, Kind::Referral];
        let together = [Kind::Any, Kind::Bare];
        let mut limiter = limiter(0);
        for kind in by_name.into_iter().chain(together) {
            assert_eq!(pass(&mut limiter, "198.51.100.1", kind, 30, 0)[0], 20, "{kind:?}");
            let other = limiter.pass(address("198.51.100.1"), kind, 2, 0, 0);
            assert_eq!(other == Passage::Free, by_name.contains(&kind), "{kind:?}");
        }
    }

    /// How many answers of so many octets more than was asked with are free, each about another name.
    fn free(limiter: &mut Limiter, gain: usize, names: std::ops::Range<u64>, now_ms: u64) -> usize {
        let to = address("198.51.100.1");
        names
            .filter(|&name| limiter.pass(to, Kind::Name, name, gain, now_ms) == Passage::Free)
            .count()
    }

    #[test]
    fn what_a_network_gains_is_bounded_whatever_is_asked() {
        for (gain, expected) in [(0, 4000), (1, 4000), (16, 646), (512, 20), (1000, 11)] {
            let mut limiter = limiter(2);
            assert_eq!(free(&mut limiter, gain, 0..4000, 0), expected, "{gain}");
            let next = if gain > 1 { expected / 20 } else { 4000 };
            let later = free(&mut limiter, gain, 4000..8000, 50);
            assert!(later.abs_diff(next) <= 1, "{gain}: {later} in a twentieth of a second");
        }
        let mut limiter = limiter(2);
        free(&mut limiter, 512, 0..20, 0);
        let beyond = [(); 4].map(|()| limiter.pass(address("198.51.100.1"), Kind::Any, 0, 0, 0));
        assert_eq!(beyond, [Passage::Held, Passage::Slip, Passage::Held, Passage::Slip]);
        assert_eq!(pass(&mut limiter, "198.51.101.1", Kind::Name, 20, 0)[0], 20, "the neighbours");
    }

    #[test]
    fn long_answers_of_a_kind_leave_a_quarter_to_others() {
        let mut limiter = limiter(0);
        for (gain, expected) in [(384, 20), (768, 10), (1200, 7)] {
            let mut passed = 0;
            let to = address(&format!("198.51.{}.1", gain % 256));
            for _ in 0..100 {
                passed += usize::from(limiter.pass(to, Kind::Any, 0, gain, 0) == Passage::Free);
            }
            assert_eq!(passed, expected, "{gain}");
            assert!(limiter.pass(to, Kind::Name, 1, 16, 0) == Passage::Free, "{gain}");
        }
    }

    #[test]
    fn who_is_exempt_is_not_counted() {
        let limiter = limiter(2);
        assert!(!limiter.counts(address("192.0.2.9")) && limiter.counts(address("192.0.3.9")));
    }

    #[test]
    fn a_table_full_of_strangers_forgets_none_that_is_over_its_rate() {
        let mut limiter = limiter(0);
        let mut free = 0;
        for number in 0..400_000_u32 {
            let stranger = IpAddr::V4((number << 8 | 1).into());
            limiter.pass(stranger, Kind::Name, 1, 0, 0);
            free += pass(&mut limiter, "2001:db8::1", Kind::Name, 1, 0)[0];
        }
        assert_eq!(free, 20);
        assert_eq!(size_of::<[Bucket; SET_LEN]>() * limiter.sets.len(), 1 << 20);
    }

    #[test]
    fn the_seed_decides_who_shares_a_set() {
        let rates = Rates { per_second: RATE, slip: 0, exempt: vec![] };
        let [one, other] = [1, 2].map(|seed| Limiter::new(rates.clone(), [seed; SEED_LEN]));
        let set = |limiter: &Limiter, name| {
            limiter.hash(block(address("198.51.100.1")), Kind::Name, name) % SETS as u64
        };
        let shares = |limiter, name: &u64| set(limiter, *name) == set(limiter, 0);
        let shared: Vec<u64> = (1..100_000).filter(|name| shares(&one, name)).collect();
        assert!(shared.len() > 2);
        assert!(!shared.iter().any(|name| shares(&other, name)), "{shared:?}");
    }
}
