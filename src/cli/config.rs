//! The configuration file beside the command line: one table of settings, the flags of `serve`.
//!
//! A key is a flag without its dashes, `zones` stands for the paths, and a value is read as the flag
//! reads it. So there is nothing that only one of both can say, but for what is about some zones
//! alone. A flag that is typed wins over its key. Paths are as seen from the file's folder.
//!
//! While the server runs the file is read again when it changes: what [`AT_START`] names is told to
//! wait for the next start, all else is taken over.

use super::guards::{self, ONE_OF_BOTH};
use super::zone_tables::{AboutZones, ZoneRules, zone_rules};
use super::{Arguments, Command, Serve};
use crate::config::{self, Config, Setting, Word};
use crate::diag::codes::{CONFIG_SYNTAX, CONFIG_VALUE, FILE_UNREADABLE};
use crate::diag::{Diagnostic, Report, SourceId, Span};
use crate::reload::folder::Fingerprint;
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches};
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Where the file is looked for if none is named.
pub(super) const PATH_DEFAULT: &str = "/etc/zonesmith/zonesmith.toml";
/// The key for the paths of the command line.
const PATHS_KEY: &str = "zones";
/// What flags call their values that are paths.
const PATH_VALUES: [&str; 4] = ["DIR", "FILE", "ZONES", "PATH"];
/// The flag that names the file itself.
const CONFIG_FLAG: &str = "config";
/// The keys that a running server does not take over: sockets, folders and users are chosen before it
/// gives up the right to choose.
pub(super) const AT_START: [&str; 13] = [
    PATHS_KEY,
    "recursive",
    "include-path",
    "listen",
    "user",
    "cookies",
    "cookie-secret",
    "remove-after",
    "hold-damaged",
    "state",
    "watch",
    "no-sandbox",
    CONFIG_FLAG,
];
/// No configuration is longer, in octets.
const FILE_LEN_MAX: u64 = 16 << 20;

/// What the command line and the file say together.
pub(super) struct Wanted {
    /// What both can say.
    pub(super) serve: Box<Serve>,
    /// What holds for some zones alone.
    pub(super) zone_rules: ZoneRules,
    /// The file, if there is one.
    pub(super) file: Option<ConfigFile>,
}

/// A configuration that was read.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// What it was when it was read.
    pub(super) fingerprint: Option<Fingerprint>,
    /// What it sets, by key.
    said: BTreeMap<String, Vec<String>>,
}

impl ConfigFile {
    /// The keys that another version sets otherwise, and a running server does not take over.
    pub(super) fn waiting(&self, other: Option<&ConfigFile>) -> Vec<&'static str> {
        let differs =
            |key: &&str| self.said.get(*key) != other.and_then(|other| other.said.get(*key));
        AT_START.into_iter().filter(differs).collect()
    }
}

/// Reads the file, if there is one, and joins it with a command line that was read without.
///
/// # Errors
/// Every finding about the file.
pub(super) fn join(typed: &[OsString]) -> Result<Wanted, Report> {
    let matches = Arguments::command().get_matches_from(typed);
    let serve = serve_of(&matches);
    let Some(path) = path(&serve) else {
        return Ok(Wanted { serve, zone_rules: ZoneRules::default(), file: None });
    };
    let fingerprint = Fingerprint::of(&path);
    let (mut report, source, text) = open(&path)?;
    let config = match config::read(&text, source) {
        Ok(config) => config,
        Err(findings) => return Err(Report { findings, ..report }),
    };
    let table = Table::of_serve(&path);
    let given = matches.subcommand().map(|(_, given)| given);
    let added = table.arguments(&config.settings, given, &mut report.findings);
    let zone_rules = zone_rules(&config, &mut report.findings);
    if report.has_errors() {
        report.sort();
        return Err(report);
    }
    let joined = with(typed, added);
    let matches = Arguments::command().try_get_matches_from(joined);
    match matches {
        Ok(matches) => {
            let serve = serve_of(&matches);
            if let Some(finding) = contradiction(&serve, &config) {
                report.findings.push(finding);
                return Err(report);
            }
            let file = ConfigFile { path, fingerprint, said: said(&config) };
            Ok(Wanted { serve, zone_rules, file: Some(file) })
        }
        Err(error) => {
            let whole = Span { source, ..Span::default() };
            report.findings.push(Diagnostic::new(&CONFIG_VALUE, whole, reason(&error)));
            Err(report)
        }
    }
}

/// Who is allowed and denied, where the file says one of both.
fn contradiction(serve: &Serve, config: &Config) -> Option<Diagnostic> {
    let both = serve.guards.access().ask().err()?;
    let rules =
        config.settings.iter().filter(|setting| matches!(&setting.key.text[..], "allow" | "deny"));
    let named = |word: &&Word| guards::askers(&word.text).is_ok_and(|askers| askers == *both.0);
    let mut places = rules.flat_map(|setting| &setting.values).filter(named);
    let finding = Diagnostic::new(&CONFIG_VALUE, places.next()?.span, both.to_string());
    let finding = finding.help(ONE_OF_BOTH);
    Some(places.fold(finding, |finding, word| finding.related(word.span, "here, too")))
}

/// What a file sets for the server, by key.
fn said(config: &Config) -> BTreeMap<String, Vec<String>> {
    let texts = |setting: &Setting| setting.values.iter().map(|value| value.text.clone()).collect();
    let settings = config.settings.iter();
    settings.map(|setting| (setting.key.text.clone(), texts(setting))).collect()
}

/// The file that is named, or the one that is there.
fn path(serve: &Serve) -> Option<PathBuf> {
    let default = || Some(PathBuf::from(PATH_DEFAULT)).filter(|path| path.exists());
    serve.config.clone().or_else(default)
}

fn serve_of(matches: &ArgMatches) -> Box<Serve> {
    match Arguments::from_arg_matches(matches).map(|arguments| arguments.command) {
        Ok(Command::Serve(serve)) => serve,
        Ok(_) => unreachable!("only `serve` has a configuration"),
        Err(error) => error.exit(),
    }
}

/// Reads the text of a file, and puts it where findings can show it.
fn open(path: &Path) -> Result<(Report, SourceId, String), Report> {
    let mut report = Report::default();
    let read = read(path);
    let octets = read.as_ref().ok().cloned().unwrap_or_default();
    let source = report.sources.add(path.display().to_string(), octets.clone()).unwrap_or_default();
    let whole = Span { source, ..Span::default() };
    let finding = match read {
        Err(error) => Diagnostic::new(&FILE_UNREADABLE, whole, format!("cannot be read: {error}"))
            .help("name a file that the server's user can read, or leave out `--config`"),
        // what a full disk and a dead editor leave behind: no access rule would hold any more
        Ok(octets) if octets.trim_ascii().is_empty() => {
            Diagnostic::new(&CONFIG_SYNTAX, whole, "the file is empty")
                .help("write what is to hold; a comment will do if that is nothing")
        }
        Ok(octets) => match String::from_utf8(octets) {
            Ok(text) => return Ok((report, source, text)),
            Err(error) => {
                let at = u32::try_from(error.utf8_error().valid_up_to()).unwrap_or(u32::MAX);
                let span = Span { source, start: at, end: at.saturating_add(1) };
                Diagnostic::new(&CONFIG_SYNTAX, span, "an octet that is no UTF-8")
                    .help("save the file as UTF-8")
            }
        },
    };
    report.findings.push(finding);
    Err(report)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    match metadata.is_file() && metadata.len() <= FILE_LEN_MAX {
        true => std::fs::read(path),
        false => Err(io::Error::other("it is no file, or far too long")),
    }
}

/// Puts arguments right behind the word `serve`, where no `--` can make them paths.
fn with(typed: &[OsString], added: Vec<OsString>) -> Vec<OsString> {
    let at = typed.iter().position(|argument| argument == "serve").map_or(typed.len(), |at| at + 1);
    let (before, after) = typed.split_at(at);
    before.iter().cloned().chain(added).chain(after.iter().cloned()).collect()
}

/// What can be set, and how its values are read.
pub(super) struct Table<'p> {
    settings: Vec<(String, Arg)>,
    /// Where relative paths begin.
    folder: Option<&'p Path>,
}

impl<'p> Table<'p> {
    fn of_serve(path: &'p Path) -> Table<'p> {
        let command = Serve::augment_args(command());
        let named = command.get_arguments().filter_map(|arg| match arg.get_long() {
            Some(CONFIG_FLAG) => None,
            Some(long) => Some((long.to_string(), arg.clone())),
            None => Some((PATHS_KEY.to_string(), arg.clone())),
        });
        Table { settings: named.collect(), folder: path.parent() }
    }

    pub(super) fn of_zones() -> Table<'p> {
        let command = AboutZones::augment_args(command());
        let named = command.get_arguments();
        let named = named.filter_map(|arg| Some((arg.get_long()?.to_string(), arg.clone())));
        Table { settings: named.collect(), folder: None }
    }

    /// The settings as arguments, but for those that are given already.
    pub(super) fn arguments(
        &self,
        settings: &[Setting],
        given: Option<&ArgMatches>,
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for setting in settings {
            let Some((_, arg)) = self.settings.iter().find(|(name, _)| *name == setting.key.text)
            else {
                findings.push(self.unknown(&setting.key));
                continue;
            };
            let id = arg.get_id().as_str();
            let typed = given.and_then(|given| given.value_source(id));
            match self.arguments_of(setting, arg) {
                Ok(_) if typed == Some(ValueSource::CommandLine) => {}
                Ok(more) => arguments.extend(more),
                Err(finding) => findings.push(*finding),
            }
        }
        arguments
    }

    /// A key that stands where it means nothing.
    fn unknown(&self, key: &Word) -> Diagnostic {
        let finding = config::unknown_key(key, self.settings.iter().map(|(name, _)| &name[..]));
        let is_in = |table: Table<'_>| table.settings.iter().any(|(name, _)| *name == key.text);
        if is_in(Table::of_zones()) {
            finding.help("it is about some zones alone: write it below `[zone.\"smith.edu\"]`")
        } else if is_in(Table::of_serve(Path::new(""))) {
            finding.help("it is about the whole server: write it above the first `[zone.…]`")
        } else {
            finding
        }
    }

    /// One setting as arguments.
    fn arguments_of(&self, setting: &Setting, arg: &Arg) -> Result<Vec<OsString>, Box<Diagnostic>> {
        let wrong = |span, why: &str| Err(Box::new(config::wrong_value(&setting.key, span, why)));
        match arg.get_action() {
            ArgAction::SetTrue => match &setting.values[..] {
                [value] if value.is_truth && !setting.is_list => {
                    let flag = OsString::from(format!("--{}", setting.key.text));
                    Ok(Some(flag).filter(|_| value.text == "true").into_iter().collect())
                }
                _ => wrong(setting.span, "expected `true` or `false`"),
            },
            _ if setting.is_list && setting.values.is_empty() => {
                Err(Box::new(nobody(setting, arg)))
            }
            ArgAction::Append => {
                setting.values.iter().map(|value| self.argument(setting, value, arg)).collect()
            }
            _ if setting.is_list => wrong(setting.span, "expected one value, this is a list"),
            _ => setting.values.iter().map(|value| self.argument(setting, value, arg)).collect(),
        }
    }

    /// A path as it is seen from the file's folder, and that is no flag.
    fn path(&self, text: &str) -> PathBuf {
        let path = self.folder.unwrap_or(Path::new("")).join(text);
        if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
            return Path::new(".").join(path);
        }
        path
    }

    /// One value as an argument, if the flag can read it.
    fn argument(
        &self,
        setting: &Setting,
        value: &Word,
        arg: &Arg,
    ) -> Result<OsString, Box<Diagnostic>> {
        let text = match (value.is_truth, &value.text[..]) {
            (true, "true") if has_choice(arg, "yes") => "yes".into(),
            (true, "false") if has_choice(arg, "no") => "no".into(),
            (_, "") if is_path(arg) => {
                let why = "expected a path, there is nothing between the quotes";
                return Err(Box::new(config::wrong_value(&setting.key, value.span, why)));
            }
            (_, text) if is_path(arg) => self.path(text).into_os_string(),
            (_, text) => OsString::from(text),
        };
        let mut argument = OsString::new();
        if let Some(long) = arg.get_long() {
            argument.push(format!("--{long}="));
        }
        argument.push(text);
        let alone = command().arg(arg.clone()).try_get_matches_from([&argument]);
        alone.map_err(|error| config::wrong_value(&setting.key, value.span, reason(&error)))?;
        Ok(argument)
    }
}

/// A command that has nothing yet.
pub(super) fn command() -> clap::Command {
    clap::Command::new("zonesmith").no_binary_name(true).disable_help_flag(true)
}

/// A list without anything in it: nobody can tell whether all are meant, none, or what the server says.
fn nobody(setting: &Setting, arg: &Arg) -> Diagnostic {
    let can_say_so = arg.get_long().is_some_and(|long| {
        let word = format!("--{long}=none");
        !is_path(arg) && command().arg(arg.clone()).try_get_matches_from([word]).is_ok()
    });
    let finding = config::wrong_value(&setting.key, setting.span, "the list is empty");
    match can_say_so {
        true => finding.help("write `[\"none\"]` for nobody, or leave the key out"),
        false => finding.help("leave the key out, or write what it is to hold"),
    }
}

fn is_path(arg: &Arg) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().any(|name| PATH_VALUES.contains(&name.as_str()))
}

fn has_choice(arg: &Arg, choice: &str) -> bool {
    arg.get_possible_values().iter().any(|value| value.get_name() == choice)
}

/// Why a value cannot be read, without what clap says around it.
pub(super) fn reason(error: &clap::Error) -> String {
    let choices = error.get(ContextKind::ValidValue).map(ToString::to_string);
    match (error.kind(), error.source(), choices) {
        (ErrorKind::InvalidValue, _, Some(choices)) => format!("expected one of {choices}"),
        (_, Some(source), _) => source.to_string(),
        _ => error.render().to_string().trim_start_matches("error: ").trim_end().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "examples/guide/configuration.md";
    const HEADING: &str = "\n## Every setting\n\n";

    /// The table of the page, by the flags.
    fn reference() -> String {
        let mut rows =
            String::from("| key | value | what it does | while running |\n|---|---|---|---|\n");
        for (key, arg) in Table::of_serve(Path::new("")).settings {
            let names = arg.get_value_names().unwrap_or_default();
            let name = names.iter().map(clap::builder::Str::as_str).collect::<String>();
            let choices: Vec<_> =
                arg.get_possible_values().iter().map(|it| format!("`{}`", it.get_name())).collect();
            let value = match arg.get_action() {
                ArgAction::SetTrue => "`true` or `false`".to_string(),
                ArgAction::Append => format!("list of {name}"),
                _ if !choices.is_empty() => choices.join(", "),
                _ => name,
            };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let at = if AT_START.contains(&&key[..]) { "at the next start" } else { "at once" };
            rows += &format!("| `{key}` | {value} | {} | {at} |\n", help.replace(" |", " or"));
        }
        rows
    }

    #[test]
    fn the_page_has_every_setting() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        let page = std::fs::read_to_string(&path).unwrap();
        let (text, table) = page.split_once(HEADING).unwrap();
        let expected = reference();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, format!("{text}{HEADING}{expected}")).unwrap();
        } else {
            assert_eq!(table, expected, "`BLESS=1 cargo test --lib the_page_has` writes it anew");
        }
    }

    #[test]
    fn every_key_that_waits_is_a_setting() {
        let table = Table::of_serve(Path::new(""));
        let is_key =
            |key: &&&str| **key == CONFIG_FLAG || table.settings.iter().any(|it| it.0 == **key);
        assert_eq!(AT_START.iter().filter(is_key).count(), AT_START.len());
    }
}
