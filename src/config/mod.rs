//! The configuration file: TOML, read into settings that know where they stand.
//!
//! ```text
//! text ─▶ settings, each a key with one value or a list ─▶ who knows what they mean (cli)
//!         zone tables, each with settings of its own
//! ```
//!
//! What keys there are, and what their values may be, is said once, where the flags of the command
//! line are declared. Here is only what holds for all: the form of the file, and how its mistakes
//! are told, as those of a zone file are.

use crate::diag::codes::{CONFIG_KEY, CONFIG_SYNTAX, CONFIG_VALUE, Code};
use crate::diag::{Diagnostic, SourceId, Span};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The key of the tables that are about some zones alone.
pub const ZONE_TABLE: &str = "zone";
/// Keys that differ in so few letters are taken for each other's slips.
const SLIPS_MAX: usize = 2;

/// What a file sets.
#[derive(Debug, Default)]
pub struct Config {
    /// What holds for the server.
    pub settings: Vec<Setting>,
    /// What holds for some zones.
    pub zones: Vec<ZoneTable>,
}

/// A table `[zone."NAME"]`.
#[derive(Debug)]
pub struct ZoneTable {
    /// The name or pattern.
    pub zones: Word,
    /// What it sets.
    pub settings: Vec<Setting>,
}

/// One key and its value.
#[derive(Debug)]
pub struct Setting {
    /// The key.
    pub key: Word,
    /// Its value, or all of a list.
    pub values: Vec<Word>,
    /// Whether the value is a list.
    pub is_list: bool,
    /// Where the whole value stands.
    pub span: Span,
}

/// A piece of the file as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says: text without its quotes, a number or a truth value as it is written.
    pub text: String,
    /// Whether it is `true` or `false`, without quotes.
    pub is_truth: bool,
    /// Where it stands.
    pub span: Span,
}

/// Reads the text of a file. Of one that is no TOML nothing is read.
///
/// # Errors
/// The first mistake of a text that is no TOML; else every finding about its form.
pub fn read(text: &str, source: SourceId) -> Result<Config, Vec<Diagnostic>> {
    let mut reader = Reader { source, findings: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mut findings: Vec<_> =
            errors.iter().map(|error| reader.syntax(error, text.len())).collect();
        findings.sort_by_key(|finding| finding.span.start);
        findings.truncate(1); // what follows the first is often not what it seems
        return Err(findings);
    }
    let config = reader.config(table.into_inner());
    if reader.findings.is_empty() { Ok(config) } else { Err(reader.findings) }
}

/// A key that is not known, with the one that is probably meant.
pub fn unknown_key<'k>(key: &Word, known: impl Iterator<Item = &'k str>) -> Diagnostic {
    let near = known.map(|name| (strsim::osa_distance(name, &key.text), name));
    let near = near.filter(|(slips, _)| *slips <= SLIPS_MAX).min();
    let finding =
        Diagnostic::new(&CONFIG_KEY, key.span, format!("there is no setting `{}`", key.text));
    match near {
        Some((_, name)) => finding.help(format!("did you mean `{name}`?")),
        None => {
            finding.help("`zonesmith serve --help` names all: a key is a flag without its dashes")
        }
    }
}

/// A value that cannot be used.
pub fn wrong_value(key: &Word, span: Span, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(&CONFIG_VALUE, span, format!("`{}`: {why}", key.text))
}

struct Reader {
    source: SourceId,
    findings: Vec<Diagnostic>,
}

impl Reader {
    fn config(&mut self, table: DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in table {
            let key = self.word(key.span(), key.into_inner().to_string());
            match value.get_ref() {
                DeValue::Table(_) if key.text == ZONE_TABLE => {
                    config.zones = self.zone_tables(value.into_inner());
                }
                DeValue::Table(_) => {
                    let what = format!("there is no table `{}`", key.text);
                    self.find(&CONFIG_KEY, key.span, what).help = Some(
                        "the only tables are those of zones, as in `[zone.\"smith.edu\"]`".into(),
                    );
                }
                _ if key.text == ZONE_TABLE => {
                    self.find(&CONFIG_VALUE, key.span, "`zone` is a table").help =
                        Some("name the zone, as in `[zone.\"smith.edu\"]`".into());
                }
                _ => config.settings.extend(self.setting(key, value)),
            }
        }
        config
    }

    /// The tables below `zone`.
    fn zone_tables(&mut self, tables: DeValue<'_>) -> Vec<ZoneTable> {
        let DeValue::Table(tables) = tables else { return Vec::new() };
        let mut zones = Vec::new();
        for (name, table) in tables {
            let name = self.word(name.span(), name.into_inner().to_string());
            let DeValue::Table(table) = table.into_inner() else {
                let what = format!("`{}` is no table", name.text);
                self.find(&CONFIG_VALUE, name.span, what).help =
                    Some("a zone's name stands in quotes, as in `[zone.\"smith.edu\"]`".into());
                continue;
            };
            let mut settings = Vec::new();
            for (key, value) in table {
                let key = self.word(key.span(), key.into_inner().to_string());
                match value.get_ref() {
                    DeValue::Table(_) => self.unquoted(&name, &key),
                    _ => settings.extend(self.setting(key, value)),
                }
            }
            zones.push(ZoneTable { zones: name, settings });
        }
        zones
    }

    /// A table in the table of a zone: what TOML makes of `[zone.smith.edu]`.
    fn unquoted(&mut self, name: &Word, key: &Word) {
        let what = format!("the table of the zone `{}` has no table `{}`", name.text, key.text);
        let help = format!(
            "a zone's name stands in quotes, as in `[zone.\"{}.{}\"]`",
            name.text, key.text
        );
        self.find(&CONFIG_VALUE, key.span, what).help = Some(help);
    }

    fn setting(&mut self, key: Word, value: Spanned<DeValue<'_>>) -> Option<Setting> {
        let span = self.span(value.span());
        let (values, is_list) = match value.into_inner() {
            DeValue::Array(values) => {
                (values.into_iter().filter_map(|value| self.value(&key, value)).collect(), true)
            }
            value => {
                (self.value(&key, Spanned::new(range(span), value)).into_iter().collect(), false)
            }
        };
        Some(Setting { key, values, is_list, span })
    }

    /// A value that is no list.
    fn value(&mut self, key: &Word, value: Spanned<DeValue<'_>>) -> Option<Word> {
        let (place, value) = (value.span(), value.into_inner());
        let is_truth = value.is_bool();
        let text = match value {
            DeValue::String(text) => text.into_owned(),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => number.to_string(),
                    Err(_) => number.to_string(), // too long for any setting, which then says so
                }
            }
            DeValue::Boolean(truth) => truth.to_string(),
            other => {
                let why =
                    format!("expected text, a number or a truth value, this is {}", kind(&other));
                self.findings.push(wrong_value(key, self.span(place), why));
                return None;
            }
        };
        Some(Word { is_truth, ..self.word(place, text) })
    }

    fn word(&self, place: Range<usize>, text: String) -> Word {
        Word { text, is_truth: false, span: self.span(place) }
    }

    fn span(&self, place: Range<usize>) -> Span {
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { source: self.source, start: at(place.start), end: at(place.end) }
    }

    fn find(
        &mut self,
        code: &'static Code,
        span: Span,
        what: impl Into<String>,
    ) -> &mut Diagnostic {
        self.findings.push(Diagnostic::new(code, span, what));
        self.findings.last_mut().expect("one was just pushed")
    }

    fn syntax(&self, error: &toml::de::Error, len: usize) -> Diagnostic {
        let place = error.span().unwrap_or(len..len);
        let message = error.message().replace('\n', ", ");
        Diagnostic::new(&CONFIG_SYNTAX, self.span(place), message)
            .help("the file is TOML: `key = \"text\"`, `key = [\"one\", \"another\"]`, `key = 5`")
    }
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// What a value is, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "a list in a list",
        DeValue::Table(_) => "a table",
        DeValue::Float(_) => "a fraction",
        _ => "a date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "span text: message" of each finding.
    fn findings(text: &str) -> Vec<String> {
        let findings = read(text, SourceId(0)).expect_err("it has a mistake");
        let shown = findings.iter().map(|finding| {
            format!("{}: {}: {}", finding.code.id, &text[range(finding.span)], finding.message)
        });
        shown.collect()
    }

    #[test]
    fn settings_and_tables_of_zones_know_where_they_stand() {
        let text = "rrl-rate = 5\nrecursive = true\nlisten = ['[::1]:53', \"127.0.0.1:53\"]\n\
            [zone.\"smith.edu\"]\nallow = []\n[zone.\"*.lab\"]\n";
        let config = read(text, SourceId(0)).unwrap();
        let shown = |setting: &Setting| {
            let at = |word: &Word| format!("{} at {:?}", word.text, &text[range(word.span)]);
            let values: Vec<_> = setting.values.iter().map(at).collect();
            format!("{}: {}", at(&setting.key), values.join(", "))
        };
        let settings: Vec<_> = config.settings.iter().map(shown).collect();
        assert_eq!(
            settings,
            [
                "listen at \"listen\": [::1]:53 at \"'[::1]:53'\", 127.0.0.1:53 at \"\\\"127.0.0.1:53\\\"\"",
                "recursive at \"recursive\": true at \"true\"",
                "rrl-rate at \"rrl-rate\": 5 at \"5\"",
            ]
        );
        let zones: Vec<_> = config.zones.iter().map(|table| &table.zones.text[..]).collect();
        assert_eq!(zones, ["*.lab", "smith.edu"]);
    }

    #[test]
    fn mistakes_of_form_are_told_where_they_are() {
        let cases: &[(&str, &[&str])] = &[
            ("listen = [\"a\"\n[zone.lab]\nallow = 5\n", &["Z401: "]),
            (
                "state = 1.5\n",
                &[
                    "Z403: 1.5: `state`: expected text, a number or a truth value, this is a fraction",
                ],
            ),
            ("[limits]\n", &["Z402: limits: there is no table `limits`"]),
            ("zone = 1\n", &["Z403: zone: `zone` is a table"]),
            ("[zone]\nallow = []\n", &["Z403: allow: `allow` is no table"]),
        ];
        for (text, expected) in cases {
            let found = findings(text);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(*expected).all(|(a, b)| a.starts_with(b)), "{found:?}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognized() {
        let key = |text: &str| Word { text: text.into(), is_truth: false, span: Span::default() };
        let help = |text| unknown_key(&key(text), ["allow", "listen"].into_iter()).help.unwrap();
        assert_eq!(help("lisen"), "did you mean `listen`?");
        assert_eq!(help("alow"), "did you mean `allow`?");
        assert!(help("colour").starts_with("`zonesmith serve --help`"));
    }
}
