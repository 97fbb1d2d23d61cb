//! The flag of `serve` about serials: of the server, or in the configuration for some zones alone.

use crate::reload::Policy;
use clap::{Args, ValueEnum};

/// Where serials come from.
#[derive(Debug, Args)]
pub(super) struct Serials {
    /// The serial of a zone that changed: `keep` serves the file's; the others raise the one that is
    /// served where the file's is not ahead of the last, by one, to the day in UTC and two digits, or to
    /// the seconds since 1970. `--state` remembers it. The file is not touched [default: keep]
    #[arg(long, value_name = "HOW")]
    serial: Option<Choice>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    Keep,
    Increment,
    Date,
    Unixtime,
}

impl Serials {
    /// The policy.
    pub(super) fn policy(&self) -> Policy {
        self.said().unwrap_or_default()
    }

    /// The policy, if one is named.
    pub(super) fn said(&self) -> Option<Policy> {
        self.serial.map(|choice| match choice {
            Choice::Keep => Policy::Keep,
            Choice::Increment => Policy::Increment,
            Choice::Date => Policy::Date,
            Choice::Unixtime => Policy::Unixtime,
        })
    }
}
