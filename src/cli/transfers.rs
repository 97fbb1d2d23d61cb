//! The flag of `serve` about who is told of changes: of the server, or in the configuration for some
//! zones alone.

use super::keys;
use super::serve::Stopped;
use crate::guard::tsig::Keys;
use crate::name::NameBuf;
use crate::transfer::secondaries::{Secondary, Target};
use crate::wire::DNS_PORT;
use clap::Args;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Who is told of changes.
#[derive(Debug, Args)]
pub(super) struct Transfers {
    /// Who is told by NOTIFY that a zone has changed, as in 192.0.2.53 or 192.0.2.53:5353, and signed with
    /// a key of `--key` as in 192.0.2.53+key:NAME; may be repeated. `ns` means the zone's name servers
    /// whose addresses are in zones here, `none` nobody [default: nobody]
    #[arg(long, value_name = "WHOM", value_parser = notified)]
    notify: Vec<Notified>,
}

/// Who is told, as it is written.
#[derive(Clone, Debug)]
pub(super) struct Notified {
    who: Who,
    /// The name of the key that both sign with.
    key: Option<NameBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    At(SocketAddr),
    NameServers,
    Nobody,
}

impl Transfers {
    /// Who is told of changes, if that is said.
    pub(super) fn said(&self) -> Option<&[Notified]> {
        Some(&self.notify[..]).filter(|said| !said.is_empty())
    }
}

/// Who is told, with the keys that are named.
pub(super) fn secondaries(said: &[Notified], keys: &Keys) -> Result<Vec<Secondary>, Stopped> {
    let mut secondaries = Vec::new();
    for notified in said {
        let name = notified.key.as_ref().map(NameBuf::as_name);
        let key = name.map(|name| keys::named(name, &notified.to_string(), keys)).transpose()?;
        match notified.who {
            Who::At(address) => secondaries.push(Secondary::At(Target { address, key })),
            Who::NameServers => secondaries.push(Secondary::NameServers(key)),
            Who::Nobody => {}
        }
    }
    Ok(secondaries)
}

/// The same in words.
pub(super) fn words(said: &[Notified]) -> Vec<String> {
    let word = |notified: &Notified| match notified.who {
        Who::At(address) => Some(address.to_string()),
        Who::NameServers => Some("its name servers".to_string()),
        Who::Nobody => None,
    };
    said.iter().filter_map(word).collect()
}

impl fmt::Display for Notified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::At(address) => write!(f, "{address}"),
            Who::NameServers => write!(f, "ns"),
            Who::Nobody => write!(f, "none"),
        }?;
        self.key.iter().try_for_each(|key| write!(f, "+key:{key}"))
    }
}

/// Reads who is told, and what is signed with.
fn notified(text: &str) -> Result<Notified, String> {
    let (who, key) = match text.split_once("+key:") {
        Some((who, key)) => (who, Some(keys::name(key)?)),
        None => (text, None),
    };
    let who = match who {
        "ns" => Who::NameServers,
        "none" if key.is_none() => Who::Nobody,
        address => Who::At(listening(address)?),
    };
    Ok(Notified { who, key: key.map(|key| key.as_name().to_lower()) })
}

fn listening(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    let address = address.or_else(|_| text.parse());
    address.ok().filter(|address| address.port() != 0).ok_or_else(|| {
        "expected an address, with a port or without, as in 192.0.2.53, 192.0.2.53:5353 or \
         [2001:db8::53]:5353; with a key it is `ADDRESS+key:NAME`; or one of the words `ns` and `none`"
            .to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secondary_is_an_address_with_a_port_or_without_and_may_have_a_key() {
        for (text, address, key) in [
            ("192.0.2.53", "192.0.2.53:53", None),
            ("192.0.2.53:5353", "192.0.2.53:5353", None),
            ("2001:db8::53", "[2001:db8::53]:53", None),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353", None),
            ("192.0.2.53+key:A.example", "192.0.2.53:53", Some("a.example.")),
            ("[2001:db8::53]:5353+key:a", "[2001:db8::53]:5353", Some("a.")),
        ] {
            let notified = notified(text).unwrap();
            assert_eq!(words(std::slice::from_ref(&notified)), [address]);
            assert_eq!(notified.key.map(|key| key.to_string()).as_deref(), key, "{text}");
        }
        assert_eq!(notified("ns+key:a").unwrap().to_string(), "ns+key:a.");
        assert_eq!(notified("none").unwrap().who, Who::Nobody);

        for text in
            ["", "ns1.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.0/24", ":53", "none+key:a"]
        {
            assert!(notified(text).unwrap_err().starts_with("expected an address"), "{text}");
        }
        assert!(notified("192.0.2.53+key:a..b").unwrap_err().starts_with("expected a name"));
    }
}
