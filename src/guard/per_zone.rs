//! Rules about who may ask that hold for some zones alone.
//!
//! A rule for a zone's own name goes first, then those for all zones below a name (`*.edu`), the
//! nearest one first. Where one holds, the server's own rule does not.

use super::acl::Acl;
use crate::name::{Name, NameBuf};
use std::collections::HashMap;

/// Rules by zone.
#[derive(Debug, Default)]
pub struct PerZone {
    /// By apex, and by the wildcard that stands for those below it.
    rules: HashMap<NameBuf, ZoneRule>,
}

/// What holds for a zone; where it says nothing, a rule farther off does, or the server's.
#[derive(Debug, Default)]
pub struct ZoneRule {
    /// Who may ask.
    pub ask: Option<Acl>,
    /// Who may have it whole.
    pub transfer: Option<Acl>,
}

impl PerZone {
    /// Sets the rule for a zone, or with `*` as its first label for all zones below a name.
    pub fn set(&mut self, zones: NameBuf, rule: ZoneRule) {
        self.rules.insert(zones, rule);
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule lets somebody have zones whole.
    pub fn has_transfers(&self) -> bool {
        self.rules.values().any(|rule| rule.transfer.is_some())
    }

    /// Who may ask about a zone, if a rule says so.
    pub fn ask(&self, apex: Name<'_>) -> Option<&Acl> {
        self.find(apex, |rule| rule.ask.as_ref())
    }

    /// Who may have a zone whole, if a rule says so.
    pub fn transfer(&self, apex: Name<'_>) -> Option<&Acl> {
        self.find(apex, |rule| rule.transfer.as_ref())
    }

    /// What the nearest rule says that says something.
    fn find(&self, apex: Name<'_>, says: impl Fn(&ZoneRule) -> Option<&Acl>) -> Option<&Acl> {
        if self.rules.is_empty() {
            return None;
        }
        let own = self.rules.get(&apex.to_buf());
        let below = |ancestor| self.rules.get(&NameBuf::join(b"\x01*", ancestor)?);
        own.and_then(&says)
            .or_else(|| apex.ancestors().skip(1).find_map(|above| says(below(above)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_holds() {
        let mut rules = PerZone::default();
        for (zones, allowed) in [("*", "192.0.2.1"), ("*.edu", "192.0.2.2"), ("edu", "192.0.2.3")] {
            let acl = Acl::new(&[allowed.parse().unwrap()], &[]).unwrap();
            let rule = ZoneRule { ask: Some(acl), transfer: None };
            rules.set(zones.parse().unwrap(), rule);
        }
        let asking = |rules: &PerZone, apex: &str| {
            let apex: NameBuf = apex.parse().unwrap();
            let rule = rules.ask(apex.as_name());
            let may =
                |end: &u8| rule.is_some_and(|rule| !rule.denies([192, 0, 2, *end].into(), None));
            (1..=3).filter(may).collect::<Vec<_>>()
        };
        assert_eq!(asking(&rules, "example"), [1]);
        assert_eq!(asking(&rules, "smith.edu"), [2]);
        assert_eq!(asking(&rules, "cs.Smith.EDU"), [2]);
        assert_eq!(asking(&rules, "edu"), [3]);
        assert!(asking(&rules, ".").is_empty(), "nothing stands for the root");
        let transfer = ZoneRule { transfer: Some(Acl::default()), ask: None };
        rules.set("smith.edu".parse().unwrap(), transfer);
        assert_eq!(
            asking(&rules, "smith.edu"),
            [2],
            "a rule that says nothing leaves it to the next"
        );
        assert!(rules.transfer("smith.edu".parse::<NameBuf>().unwrap().as_name()).is_some());
    }
}
