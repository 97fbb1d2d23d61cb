//! Who may ask at all: one rule for UDP and TCP, which can be said in a sentence.
//!
//! The smallest block that an asker's address lies in decides. Who lies in none may ask, unless some
//! block is allowed: then the list is of those who may, and all others may not. The order in which
//! blocks are written means nothing.

use super::prefix::Prefix;
use std::fmt;
use std::net::IpAddr;

/// Blocks of addresses that may ask, and blocks that may not.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    /// Smaller blocks first.
    rules: Vec<(Prefix, bool)>,
    /// What holds for those who lie in no block.
    others_denied: bool,
}

/// This block is allowed and denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction(pub Prefix);

impl Acl {
    /// The rule that these blocks make; without any, everybody may ask.
    ///
    /// # Errors
    /// [`Contradiction`], with the first block that is both.
    pub fn new(allowed: &[Prefix], denied: &[Prefix]) -> Result<Acl, Contradiction> {
        if let Some(&both) = allowed.iter().find(|block| denied.contains(block)) {
            return Err(Contradiction(both));
        }
        let with = |allows| move |&block: &Prefix| (block, allows);
        let mut rules: Vec<_> =
            allowed.iter().map(with(true)).chain(denied.iter().map(with(false))).collect();
        rules.sort_by_key(|(block, _)| std::cmp::Reverse(block.bit_len()));
        Ok(Acl { rules, others_denied: !allowed.is_empty() })
    }

    /// Whether somebody at that address may not ask.
    pub fn denies(&self, address: IpAddr) -> bool {
        let rule = self.rules.iter().find(|(block, _)| block.contains(address));
        rule.map_or(self.others_denied, |(_, allows)| !allows)
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is allowed and denied", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<Prefix> {
        text.split_whitespace().map(|block| block.parse().unwrap()).collect()
    }

    /// Those of `addresses` that may ask.
    fn asking<'a>(allowed: &str, denied: &str, addresses: &'a str) -> Vec<&'a str> {
        let acl = Acl::new(&blocks(allowed), &blocks(denied)).unwrap();
        let may_ask = |address: &&str| !acl.denies(address.parse().unwrap());
        addresses.split_whitespace().filter(may_ask).collect()
    }

    #[test]
    fn the_smallest_block_decides_in_whatever_order() {
        let addresses = "192.0.2.1 192.0.2.66 198.51.100.1 2001:db8::1";
        assert_eq!(asking("", "", addresses).len(), 4);
        assert_eq!(asking("192.0.2.0/24", "", addresses), ["192.0.2.1", "192.0.2.66"]);
        assert_eq!(asking("192.0.2.0/24", "192.0.2.66", addresses), ["192.0.2.1"]);
        assert_eq!(asking("192.0.2.66", "192.0.2.0/24", addresses), ["192.0.2.66"]);
        let without = ["192.0.2.1", "198.51.100.1", "2001:db8::1"];
        assert_eq!(asking("", "192.0.2.66", addresses), without);
        assert_eq!(asking("192.0.2.66 ::/0", "192.0.2.0/24 198.0.0.0/8", addresses).len(), 2);
    }

    #[test]
    fn a_block_that_is_both_is_named() {
        let both = Acl::new(&blocks("::1 10.0.0.0/8"), &blocks("10.0.0.0/8")).unwrap_err();
        assert_eq!(both.to_string(), "10.0.0.0/8 is allowed and denied");
    }
}
