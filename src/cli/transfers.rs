//! The flags of `serve` about other servers that hold the zones, too.

use crate::server::listen::DNS_PORT;
use clap::Args;
use std::net::{IpAddr, SocketAddr};

/// Who is told of changes.
#[derive(Debug, Args)]
pub(super) struct Transfers {
    /// Who is told by NOTIFY that a zone has changed, as in 192.0.2.53 or 192.0.2.53:5353; may be
    /// repeated [default: nobody]
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = secondary)]
    notify: Vec<SocketAddr>,
}

impl Transfers {
    /// Who is told of changes.
    pub(super) fn secondaries(&self) -> &[SocketAddr] {
        &self.notify
    }
}

/// Reads where a secondary listens.
fn secondary(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    let address = address.or_else(|_| text.parse());
    address.ok().filter(|address| address.port() != 0).ok_or_else(|| {
        "expected an address, with a port or without, as in 192.0.2.53, 192.0.2.53:5353 or \
         [2001:db8::53]:5353"
            .to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secondary_is_an_address_with_a_port_or_without() {
        for (text, address) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(secondary(text).unwrap().to_string(), address);
        }
        for text in ["", "ns1.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.0/24", ":53"] {
            assert!(secondary(text).unwrap_err().starts_with("expected an address"), "{text}");
        }
    }
}
