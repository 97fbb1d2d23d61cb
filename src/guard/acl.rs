//! Who may ask at all: one rule for UDP and TCP, which can be said in a sentence.
//!
//! Askers are named as [`Askers`]: by a block of addresses, by a key, or by both. Rules that name the
//! key which signed a message decide before those that name none; among them the smallest block that
//! the asker's address lies in does. Who is named by no rule may ask, unless somebody is allowed: then
//! the list is of those who may, and all others may not. The order in which rules are written means
//! nothing. A block is of one family: `::/0` names no IPv4 address.
//!
//! ```text
//! 192.0.2.0/24                  who comes from there
//! key:partner.example           who signs with that key, from anywhere
//! 192.0.2.0/24+key:partner.example    who does both
//! ```

use super::prefix::{Prefix, PrefixError};
use crate::name::{Name, NameBuf};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Who is meant by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Askers {
    block: Prefix,
    /// The name of the key that they sign with, in lower case; none if it does not matter.
    key: Option<NameBuf>,
}

/// Why a text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskersError {
    /// What stands for a block of addresses is none.
    Block(PrefixError),
    /// What stands for a key's name is no domain name.
    Key,
}

/// Who may ask, and who may not.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    /// Those with keys first, and smaller blocks before larger ones.
    rules: Vec<(Askers, bool)>,
    /// What holds for those whom no rule names.
    others_denied: bool,
}

/// These are allowed and denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction(pub Box<Askers>);

impl Askers {
    /// The key that they sign with, if that matters.
    pub fn key(&self) -> Option<Name<'_>> {
        self.key.as_ref().map(NameBuf::as_name)
    }

    fn include(&self, address: IpAddr, key: Option<Name<'_>>) -> bool {
        self.block.contains(address) && self.key().is_none_or(|name| Some(name) == key)
    }
}

impl Acl {
    /// The rule that these make; without any, everybody may ask.
    ///
    /// # Errors
    /// [`Contradiction`], with the first who are both.
    pub fn new(allowed: &[Askers], denied: &[Askers]) -> Result<Acl, Contradiction> {
        if let Some(both) = allowed.iter().find(|askers| denied.contains(askers)) {
            return Err(Contradiction(Box::new(both.clone())));
        }
        let with = |allows| move |askers: &Askers| (askers.clone(), allows);
        let mut rules: Vec<_> =
            allowed.iter().map(with(true)).chain(denied.iter().map(with(false))).collect();
        rules.sort_by_key(|(askers, _)| {
            std::cmp::Reverse((askers.key.is_some(), askers.block.bit_len()))
        });
        Ok(Acl { rules, others_denied: !allowed.is_empty() })
    }

    /// The rule that lets these do something, and nobody else: without any, nobody at all.
    pub fn of(allowed: &[Askers]) -> Acl {
        let acl = Acl::new(allowed, &[]).unwrap_or_default(); // nobody is denied besides
        Acl { others_denied: true, ..acl }
    }

    /// Whether everybody may ask.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.rules.is_empty() && !self.others_denied
    }

    /// Whom its rules name by a key.
    pub fn with_keys(&self) -> impl Iterator<Item = &Askers> {
        self.rules.iter().map(|(askers, _)| askers).filter(|askers| askers.key.is_some())
    }

    /// Whether somebody at that address, whose message was signed with that key, may not ask.
    pub fn denies(&self, address: IpAddr, key: Option<Name<'_>>) -> bool {
        let rule = self.rules.iter().find(|(askers, _)| askers.include(address, key));
        rule.map_or(self.others_denied, |(_, allows)| !allows)
    }
}

impl From<Prefix> for Askers {
    fn from(block: Prefix) -> Askers {
        Askers { block, key: None }
    }
}

impl FromStr for Askers {
    type Err = AskersError;

    fn from_str(text: &str) -> Result<Askers, AskersError> {
        let (block, key) = match text.strip_prefix("key:") {
            Some(name) => (Prefix::everywhere(), Some(name)),
            None => {
                let (block, key) = text.split_once("+key:").unwrap_or((text, ""));
                let key = text.contains("+key:").then_some(key);
                (block.parse().map_err(AskersError::Block)?, key)
            }
        };
        let key = key.map(str::parse::<NameBuf>).transpose().map_err(|_| AskersError::Key)?;
        Ok(Askers { block, key: key.map(|name| name.as_name().to_lower()) })
    }
}

impl fmt::Display for Askers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            None => self.block.fmt(f),
            Some(name) if self.block == Prefix::everywhere() => write!(f, "key:{name}"),
            Some(name) => write!(f, "{}+key:{name}", self.block),
        }
    }
}

impl fmt::Display for AskersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskersError::Block(error) => {
                write!(f, "{error}; with a key it is `key:NAME` or `BLOCK+key:NAME`")
            }
            AskersError::Key => f.write_str("expected a key's name, as in key:partner.example"),
        }
    }
}

impl std::error::Error for AskersError {}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is allowed and denied", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn askers(text: &str) -> Vec<Askers> {
        text.split_whitespace().map(|askers| askers.parse().unwrap()).collect()
    }

    /// Those of `addresses` that may ask. A key may follow an address.
    fn asking<'a>(allowed: &str, denied: &str, addresses: &'a str) -> Vec<&'a str> {
        let acl = Acl::new(&askers(allowed), &askers(denied)).unwrap();
        let may_ask = |asker: &&str| {
            let (address, key) = asker.split_once('+').unwrap_or((asker, ""));
            let key: Option<NameBuf> = (!key.is_empty()).then(|| key.parse().unwrap());
            !acl.denies(address.parse().unwrap(), key.as_ref().map(NameBuf::as_name))
        };
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
        let all = "192.0.2.66 0.0.0.0/0 ::/0";
        assert_eq!(asking(all, "192.0.2.0/24 198.0.0.0/8", addresses).len(), 2);
        assert_eq!(asking("::/0", "", addresses), ["2001:db8::1"]);
        assert_eq!(asking("", "::/0", addresses), ["192.0.2.1", "192.0.2.66", "198.51.100.1"]);
    }

    #[test]
    fn a_key_decides_before_an_address() {
        let all = "192.0.2.1 192.0.2.1+ours 192.0.2.1+other 2001:db8::1+OURS";
        assert_eq!(asking("key:ours", "", all), ["192.0.2.1+ours", "2001:db8::1+OURS"]);
        assert_eq!(asking("192.0.2.0/24+key:ours", "", all), ["192.0.2.1+ours"]);
        assert_eq!(asking("key:ours", "192.0.2.1", all), ["192.0.2.1+ours", "2001:db8::1+OURS"]);
        assert_eq!(
            asking("", "key:other", all),
            ["192.0.2.1", "192.0.2.1+ours", "2001:db8::1+OURS"]
        );
        let both = asking("key:ours 2001:db8::/32", "192.0.2.0/24+key:ours", all);
        assert_eq!(both, ["2001:db8::1+OURS"], "the smaller block of two with the key");
    }

    #[test]
    fn askers_are_printed_as_they_are_written() {
        for text in ["192.0.2.0/24", "key:ours.", "192.0.2.0/24+key:ours."] {
            assert_eq!(text.parse::<Askers>().unwrap().to_string(), text);
        }
        let error = |text: &str| text.parse::<Askers>().unwrap_err().to_string();
        assert!(error("ours").ends_with("with a key it is `key:NAME` or `BLOCK+key:NAME`"));
        for text in ["key:", "key:a..b", "192.0.2.1+key:"] {
            assert_eq!(error(text), "expected a key's name, as in key:partner.example", "{text}");
        }
    }

    #[test]
    fn who_is_both_is_named() {
        let both = Acl::new(&askers("::1 10.0.0.0/8"), &askers("10.0.0.0/8")).unwrap_err();
        assert_eq!(both.to_string(), "10.0.0.0/8 is allowed and denied");
        let both = Acl::new(&askers("key:Ours"), &askers("key:ours")).unwrap_err();
        assert_eq!(both.to_string(), "key:ours. is allowed and denied");
        assert!(Acl::new(&askers("key:ours"), &askers("::/0")).is_ok());
    }
}
