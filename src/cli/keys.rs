//! TSIG keys: those that `serve` is given, and new ones by `zonesmith keygen`.

use super::serve::{Stopped, cannot_run};
use super::{EXIT_CANNOT_RUN, EXIT_COMMAND_LINE, Keygen, output};
use crate::guard::acl::Askers;
use crate::guard::tsig::{self, Algorithm, Key, Keys, MAC_LEN_MAX};
use crate::name::{Name, NameBuf};
use crate::server::keys::{self, Exposure};
use crate::server::secrets;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Slips of a key's name that is probably meant.
const SLIPS_MAX: usize = 2;

/// Prints a new key as a file has it.
pub(super) fn generate(keygen: &Keygen) -> ExitCode {
    if !tsig::is_printable(&keygen.name) {
        log::error!(
            "{}: no key is named so: take letters, digits, `-`, `_` and dots, 90 octets at most",
            keygen.name
        );
        return ExitCode::from(EXIT_COMMAND_LINE);
    }
    match secrets::random_octets::<MAC_LEN_MAX>() {
        Ok(octets) => {
            let secret = &octets[..keygen.algorithm.mac_len()]; // RFC 8945 §8
            output::write(tsig::print(&keygen.name, keygen.algorithm, secret));
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::error!("no secret can be made: {error}");
            ExitCode::from(EXIT_CANNOT_RUN)
        }
    }
}

/// Reads the keys of all files, and warns of those that anybody may read.
pub(super) fn read(paths: &[PathBuf]) -> Result<Keys, Stopped> {
    let mut keys = Keys::default();
    for path in paths {
        match keys::read(path, &mut keys) {
            Ok(Exposure::Kept) => {}
            Ok(Exposure::Open) => log::warn!(
                "every user of this machine may read the keys\n --> {path}\n  = help: take that from \
                 them: `chmod o= {path}`",
                path = path.display()
            ),
            Err(fault) => return Err(cannot_run(&fault, "")),
        }
    }
    Ok(keys)
}

/// Sees to it that every key that a rule names is in a file.
pub(super) fn check_named<'a>(
    rules: impl Iterator<Item = &'a Askers>,
    keys: &Keys,
) -> Result<(), Stopped> {
    for askers in rules {
        if let Some(name) = askers.key() {
            named(name, &askers.to_string(), keys)?;
        }
    }
    Ok(())
}

/// The key of that name, which `place` has.
pub(super) fn named(name: Name<'_>, place: &str, keys: &Keys) -> Result<Arc<Key>, Stopped> {
    if let Some(key) = keys.find(name) {
        return Ok(Arc::clone(key));
    }
    let shown = name.to_string();
    let others = keys.iter().map(|key| key.name().to_string());
    let near = others.map(|other| (strsim::osa_distance(&other, &shown), other));
    let near = near.filter(|(slips, _)| *slips <= SLIPS_MAX).min();
    let advice = match near {
        Some((_, other)) => format!("did you mean `{}`?", other.trim_end_matches('.')),
        None => "name the file that has it with `--key FILE`".to_string(),
    };
    cannot_run(&format!("{place}: no key file has that key"), &advice);
    Err(Stopped(EXIT_COMMAND_LINE))
}

/// Reads the name of an algorithm.
pub(super) fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::of_text(text).ok_or_else(|| tsig::KeyFileProblem::Algorithm.to_string())
}

/// Reads the name of a key.
pub(super) fn name(text: &str) -> Result<NameBuf, String> {
    text.parse().map_err(|_| "expected a name, as in ns1-ns2.example".to_string())
}
