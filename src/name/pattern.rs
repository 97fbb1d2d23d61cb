//! Rules for some names: the nearest one holds.
//!
//! A rule for a name itself goes first, then those for all names below another (`*.edu`), the nearest one
//! first. One that says nothing about a matter leaves it to the next.

use super::{Name, NameBuf};
use std::collections::HashMap;

/// Rules by name, and by the wildcard that stands for the names below it.
#[derive(Debug)]
pub struct Patterns<R> {
    rules: HashMap<NameBuf, R>,
}

impl<R> Patterns<R> {
    /// Sets the rule for a name, or with `*` as its first label for all names below another.
    pub fn set(&mut self, names: NameBuf, rule: R) {
        self.rules.insert(names, rule);
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules, in no order.
    pub fn rules(&self) -> impl Iterator<Item = &R> {
        self.rules.values()
    }

    /// The same with what `make` makes of each rule.
    ///
    /// # Errors
    /// The first of those that it gives.
    pub fn try_map<S, E>(&self, make: impl Fn(&R) -> Result<S, E>) -> Result<Patterns<S>, E> {
        let rules = self.rules.iter().map(|(names, rule)| Ok((names.clone(), make(rule)?)));
        Ok(Patterns { rules: rules.collect::<Result<_, E>>()? })
    }

    /// What the nearest rule says that says something.
    pub fn find<'r, S>(&'r self, name: Name<'_>, says: impl Fn(&'r R) -> Option<S>) -> Option<S> {
        if self.is_empty() {
            return None;
        }
        let own = self.rules.get(&name.to_buf());
        let below = |ancestor| self.rules.get(&NameBuf::join(b"\x01*", ancestor)?);
        own.and_then(&says)
            .or_else(|| name.ancestors().skip(1).find_map(|above| says(below(above)?)))
    }
}

impl<R> Default for Patterns<R> {
    fn default() -> Patterns<R> {
        Patterns { rules: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_that_says_something_holds() {
        let mut rules = Patterns::default();
        for (names, rule) in [("*", Some(1)), ("*.edu", Some(2)), ("edu", Some(3)), ("a.edu", None)]
        {
            rules.set(names.parse().unwrap(), rule);
        }
        let says =
            |name: &str| rules.find(name.parse::<NameBuf>().unwrap().as_name(), |rule| *rule);
        assert_eq!(says("example"), Some(1));
        assert_eq!(says("cs.Smith.EDU"), Some(2));
        assert_eq!(says("edu"), Some(3));
        assert_eq!(says("a.edu"), Some(2), "it says nothing itself");
        assert_eq!(says("."), None, "nothing stands for the root");
    }
}
