//! The flags of `serve` about who may ask, and how much of the server anybody may take.

use crate::guard::acl::{Acl, Askers, AskersError, Contradiction};
use crate::guard::per_zone::ZoneRule;
use crate::guard::prefix::{self, Prefix};
use crate::guard::rrl::{RATE_MAX, Rates};
use crate::server::Limits;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// What to do about an address that is allowed and denied.
pub(super) const ONE_OF_BOTH: &str = "name it with `allow` or with `deny`, not with both";

/// More connections than one machine has descriptors and memory for.
const CONNECTIONS_MAX: usize = 1_000_000;
/// The longest that clients can be told of, nearly (RFC 7828 §3.1: 16 bits, in units of 100 ms).
const IDLE_MAX_S: u64 = 3600;

/// Who may ask: of the server, or in the configuration for some zones alone.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Who may ask, as in 192.0.2.0/24, ::1, key:NAME or 192.0.2.0/24+key:NAME; may be repeated. All
    /// others get REFUSED. A key decides before an address, then the smallest block [default:
    /// everybody]
    #[arg(long, value_name = "WHO", value_parser = askers)]
    allow: Vec<Askers>,
    /// Who may not ask; may be repeated [default: nobody]
    #[arg(long, value_name = "WHO", value_parser = askers)]
    deny: Vec<Askers>,
    /// Who may have whole zones by AXFR and IXFR, as in 192.0.2.53 or key:NAME; may be repeated, `none`
    /// means nobody. All others get REFUSED [default: nobody]
    #[arg(long, value_name = "WHO", value_parser = receivers)]
    allow_transfer: Vec<Receivers>,
}

/// Who may have whole zones, as it is written.
#[derive(Clone, Debug)]
enum Receivers {
    Nobody,
    Askers(Box<Askers>),
}

/// Who may ask, and how often.
#[derive(Debug, Args)]
pub(super) struct Guards {
    #[command(flatten)]
    access: Access,
    /// A file of TSIG keys, as `zonesmith keygen` and BIND's `tsig-keygen` print them; may be
    /// repeated. It is read again when it changes [default: no keys]
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// How many answers of a kind go to one network (IPv4 /24, IPv6 /56) over UDP in a second, and
    /// how many times 512 octets more than it asked with; 0 sets no limit. Who comes with a cookie of
    /// ours has none
    #[arg(long, value_name = "ANSWERS", default_value = "200", value_parser = rate)]
    rrl_rate: u32,
    /// Every so many-th answer beyond the rate says `come over TCP`; 0 leaves all of them out
    #[arg(long, value_name = "COUNT", default_value = "2")]
    rrl_slip: u32,
    /// Who has no such limit; may be repeated. `private` means this machine and private networks,
    /// `none` nobody
    #[arg(long, value_name = "ADDRESSES", default_value = "private", value_parser = exempt)]
    rrl_exempt: Vec<Exempt>,
    /// How many TCP connections there may be at a time; a newcomer then takes the place of who has
    /// been idle longest
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections_max,
          value_parser = count)]
    tcp_max: usize,
    /// How many of them one client may have (an IPv4 address, an IPv6 /56)
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().per_client_max,
          value_parser = count)]
    tcp_per_client: usize,
    /// How long a TCP connection may be idle; less, down to a tenth, when more than half of them
    /// are taken
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = idle)]
    tcp_idle: Duration,
}

/// Who has no limit.
#[derive(Clone, Copy, Debug)]
enum Exempt {
    Private,
    None,
    Block(Prefix),
}

impl Access {
    /// Who may ask.
    pub(super) fn ask(&self) -> Result<Acl, Contradiction> {
        Acl::new(&self.allow, &self.deny)
    }

    /// Who may have whole zones, if that is said.
    pub(super) fn transfer(&self) -> Option<Acl> {
        let askers = |one: &Receivers| match one {
            Receivers::Nobody => None,
            Receivers::Askers(askers) => Some((**askers).clone()),
        };
        let allowed: Vec<_> = self.allow_transfer.iter().filter_map(askers).collect();
        (!self.allow_transfer.is_empty()).then(|| Acl::of(&allowed))
    }

    /// What is said about some zones alone.
    pub(super) fn zone_rule(&self) -> Result<ZoneRule, Contradiction> {
        let says_who_asks = !self.allow.is_empty() || !self.deny.is_empty();
        let ask = says_who_asks.then(|| self.ask()).transpose()?;
        Ok(ZoneRule { ask, transfer: self.transfer() })
    }
}

impl Guards {
    /// Who may ask, and who may have whole zones.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The files of keys.
    pub(super) fn key_files(&self) -> &[PathBuf] {
        &self.key
    }

    /// How many TCP connections there may be, and for how long.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            connections_max: self.tcp_max,
            per_client_max: self.tcp_per_client,
            idle_max: self.tcp_idle,
        }
    }

    /// How much is sent over UDP; none if that has no limit.
    pub(super) fn rates(&self) -> Option<Rates> {
        let mut blocks = Vec::new();
        for exempt in &self.rrl_exempt {
            match exempt {
                Exempt::Private => blocks.extend(prefix::private()),
                Exempt::None => {}
                Exempt::Block(block) => blocks.push(*block),
            }
        }
        let rates = Rates { per_second: self.rrl_rate, slip: self.rrl_slip, exempt: blocks };
        (rates.per_second > 0).then_some(rates)
    }
}

/// Reads a number of answers in a second.
fn rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().ok().filter(|rate| *rate <= RATE_MAX);
    rate.ok_or_else(|| format!("expected a number from 0 to {RATE_MAX}"))
}

/// Reads a number of connections.
fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=CONNECTIONS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a number from 1 to {CONNECTIONS_MAX}"))
}

/// Reads how long a connection may be idle.
fn idle(text: &str) -> Result<Duration, String> {
    let time = super::duration(text)?;
    let longest = Duration::from_secs(IDLE_MAX_S);
    if time.is_zero() || time > longest {
        return Err(format!("expected a time from 1s to {}h", IDLE_MAX_S / 3600));
    }
    Ok(time)
}

/// Reads who is meant by a rule.
pub(super) fn askers(text: &str) -> Result<Askers, String> {
    text.parse().map_err(|error: AskersError| error.to_string())
}

/// Reads who may have whole zones.
fn receivers(text: &str) -> Result<Receivers, String> {
    match text {
        "none" => Ok(Receivers::Nobody),
        _ => askers(text).map(|askers| Receivers::Askers(Box::new(askers))),
    }
}

/// Reads a block of addresses.
pub(super) fn block(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|error: prefix::PrefixError| error.to_string())
}

/// Reads a block of addresses or a word for some.
fn exempt(text: &str) -> Result<Exempt, String> {
    match text {
        "private" => Ok(Exempt::Private),
        "none" => Ok(Exempt::None),
        _ => block(text)
            .map(Exempt::Block)
            .map_err(|error| format!("{error}; or one of the words `private` and `none`")),
    }
}
