//! What the tables about some zones say, in the configuration file.

use super::config::{Table, command, reason};
use super::guards::{Access, ONE_OF_BOTH};
use super::serials::Serials;
use super::transfers::{Notified, Transfers};
use crate::config::{self, Config, Word, ZoneTable};
use crate::diag::codes::{CONFIG_KEY, CONFIG_VALUE};
use crate::diag::{Diagnostic, Span};
use crate::guard::acl::Contradiction;
use crate::guard::per_zone::PerZone;
use crate::name::NameBuf;
use crate::name::pattern::Patterns;
use crate::reload::Policy;
use clap::{Args, FromArgMatches};
use std::collections::HashMap;

/// What the tables of some zones say.
#[derive(Default)]
pub(super) struct ZoneRules {
    /// Who may ask.
    pub(super) acls: PerZone,
    /// Where serials come from.
    pub(super) serials: Patterns<Policy>,
    /// Who is told of changes.
    pub(super) notified: Patterns<Vec<Notified>>,
    /// Which zones belong together.
    pub(super) groups: Patterns<String>,
}

/// What one such table can say.
#[derive(Debug, Args)]
pub(super) struct AboutZones {
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    serials: Serials,
    #[command(flatten)]
    transfers: Transfers,
    /// New versions of the zones of a group are served together or not at all.
    #[arg(long, value_name = "NAME", value_parser = group_name)]
    group: Option<String>,
}

/// What a group can be called.
fn group_name(text: &str) -> Result<String, &'static str> {
    let has_name = !text.trim().is_empty();
    has_name.then(|| text.to_string()).ok_or("a group has a name, as in `lab`")
}

/// What holds for some zones alone, by the tables about them.
pub(super) fn zone_rules(config: &Config, findings: &mut Vec<Diagnostic>) -> ZoneRules {
    let (table, mut rules, mut seen) = (Table::of_zones(), ZoneRules::default(), HashMap::new());
    for ZoneTable { zones, settings } in &config.zones {
        let name = match zone_name(zones) {
            Ok(name) => name,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        if let Some(first) = seen.insert(name.clone(), zones.span) {
            findings.push(twice(zones, first));
        }
        let before = findings.len();
        let arguments = table.arguments(settings, None, findings);
        if findings.len() > before {
            continue;
        }
        let command = AboutZones::augment_args(command());
        let about = AboutZones::from_arg_matches(&command.get_matches_from(arguments));
        let taken = about.map(|about| rules.take(name, &about));
        match taken {
            Ok(Ok(())) => {}
            Ok(Err(both)) => findings.push(
                Diagnostic::new(&CONFIG_VALUE, zones.span, both.to_string()).help(ONE_OF_BOTH),
            ),
            Err(error) => findings.push(config::wrong_value(zones, zones.span, reason(&error))),
        }
    }
    rules
}

/// The name or pattern that a table is about: a name that a zone can have, with `*` for all below it.
fn zone_name(zones: &Word) -> Result<NameBuf, Box<Diagnostic>> {
    let text = &zones.text;
    let wrong = |help: &str| {
        let what = format!("`{text}` is not a zone's name");
        Box::new(Diagnostic::new(&CONFIG_VALUE, zones.span, what).help(help))
    };
    if !text.is_ascii() {
        return Err(wrong("write the name as the zone has it, in letters of ASCII: `xn--…`"));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    match text.parse::<NameBuf>() {
        Ok(parsed) if !name.contains('*') || text == "*" => Ok(parsed),
        _ => Err(wrong(
            "write one zone as \"smith.edu\", all below a name as \"*.edu\", all zones as \"*\"",
        )),
    }
}

/// Two tables have one name: which of them would hold, nobody could see.
fn twice(zones: &Word, first: Span) -> Diagnostic {
    let what = format!("there is another table of `{}`", zones.text);
    Diagnostic::new(&CONFIG_KEY, zones.span, what)
        .related(first, "it is here")
        .help("write all that holds for these zones into one of them")
}

impl ZoneRules {
    /// Takes over what a table says.
    fn take(&mut self, zones: NameBuf, about: &AboutZones) -> Result<(), Contradiction> {
        let access = about.access.zone_rule()?;
        if let Some(policy) = about.serials.said() {
            self.serials.set(zones.clone(), policy);
        }
        if let Some(said) = about.transfers.said() {
            self.notified.set(zones.clone(), said.to_vec());
        }
        if let Some(group) = &about.group {
            self.groups.set(zones.clone(), group.clone());
        }
        if access.says_something() {
            self.acls.set(zones, access);
        }
        Ok(())
    }
}
