//! The flags of `serve` about other servers that hold the zones, too.

use crate::name::NameBuf;
use crate::server::listen::DNS_PORT;
use clap::Args;
use std::net::{IpAddr, SocketAddr};

/// Who is told of changes.
#[derive(Debug, Args)]
pub(super) struct Transfers {
    /// Who is told by NOTIFY that a zone has changed, as in 192.0.2.53 or 192.0.2.53:5353, and signed with
    /// a key of `--key` as in 192.0.2.53+key:NAME; may be repeated [default: nobody]
    #[arg(long, value_name = "ADDRESS[:PORT][+key:NAME]", value_parser = secondary)]
    notify: Vec<Secondary>,
}

/// A server that is told.
#[derive(Clone, Debug)]
pub(super) struct Secondary {
    pub(super) address: SocketAddr,
    /// The name of the key that both sign with.
    pub(super) key: Option<NameBuf>,
}

impl Transfers {
    /// Who is told of changes.
    pub(super) fn secondaries(&self) -> &[Secondary] {
        &self.notify
    }
}

/// Reads where a secondary listens, and what is signed with.
fn secondary(text: &str) -> Result<Secondary, String> {
    let (address, key) = match text.split_once("+key:") {
        Some((address, key)) => (address, Some(super::keys::name(key)?)),
        None => (text, None),
    };
    Ok(Secondary { address: listening(address)?, key: key.map(|key| key.as_name().to_lower()) })
}

fn listening(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    let address = address.or_else(|_| text.parse());
    address.ok().filter(|address| address.port() != 0).ok_or_else(|| {
        "expected an address, with a port or without, as in 192.0.2.53, 192.0.2.53:5353 or \
         [2001:db8::53]:5353; with a key it is `ADDRESS+key:NAME`"
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
            let secondary = secondary(text).unwrap();
            assert_eq!(secondary.address.to_string(), address);
            assert_eq!(secondary.key.map(|key| key.to_string()).as_deref(), key, "{text}");
        }
        for text in
            ["", "ns1.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.0/24", ":53", "+key:a"]
        {
            assert!(secondary(text).unwrap_err().starts_with("expected an address"), "{text}");
        }
        assert!(secondary("192.0.2.53+key:a..b").unwrap_err().starts_with("expected a name"));
    }
}
