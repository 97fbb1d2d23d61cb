//! Rules about who may ask that hold for some zones alone, by the zones' [`Patterns`]. Where one holds,
//! the server's own rule does not.

use super::acl::Acl;
use crate::name::pattern::Patterns;
use crate::name::{Name, NameBuf};

/// Rules by zone.
#[derive(Debug, Default)]
pub struct PerZone {
    rules: Patterns<ZoneRule>,
}

/// What holds for a zone; where it says nothing, a rule farther off does, or the server's.
#[derive(Debug, Default)]
pub struct ZoneRule {
    /// Who may ask.
    pub ask: Option<Acl>,
    /// Who may have it whole.
    pub transfer: Option<Acl>,
}

impl ZoneRule {
    /// Whether it says anything at all.
    pub fn says_something(&self) -> bool {
        self.ask.is_some() || self.transfer.is_some()
    }
}

impl PerZone {
    /// Sets the rule for a zone, or with `*` as its first label for all zones below a name.
    pub fn set(&mut self, zones: NameBuf, rule: ZoneRule) {
        self.rules.set(zones, rule);
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule lets somebody have zones whole.
    pub fn has_transfers(&self) -> bool {
        self.rules.rules().any(|rule| rule.transfer.is_some())
    }

    /// The rules of all zones.
    pub fn acls(&self) -> impl Iterator<Item = &Acl> {
        self.rules.rules().flat_map(|rule| rule.ask.iter().chain(&rule.transfer))
    }

    /// Who may ask about a zone, if a rule says so.
    pub fn ask(&self, apex: Name<'_>) -> Option<&Acl> {
        self.rules.find(apex, |rule| rule.ask.as_ref())
    }

    /// Who may have a zone whole, if a rule says so.
    pub fn transfer(&self, apex: Name<'_>) -> Option<&Acl> {
        self.rules.find(apex, |rule| rule.transfer.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_about_transfers_leaves_the_asking_to_the_next() {
        let mut rules = PerZone::default();
        let all = Acl::new(&["192.0.2.1".parse().unwrap()], &[]).unwrap();
        rules.set("*.edu".parse().unwrap(), ZoneRule { ask: Some(all), transfer: None });
        let transfer = ZoneRule { transfer: Some(Acl::default()), ask: None };
        rules.set("smith.edu".parse().unwrap(), transfer);
        let apex: NameBuf = "smith.edu".parse().unwrap();
        assert!(rules.ask(apex.as_name()).is_some() && rules.transfer(apex.as_name()).is_some());
        let other: NameBuf = "umass.edu".parse().unwrap();
        assert!(rules.ask(other.as_name()).is_some() && rules.transfer(other.as_name()).is_none());
        assert!(rules.ask("example".parse::<NameBuf>().unwrap().as_name()).is_none());
    }
}
