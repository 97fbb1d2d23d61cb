//! Log lines: short on a terminal, with the level that journald reads under systemd.

use env_logger::{Builder, Env, Target};
use log::{Level, LevelFilter};
use std::io::{IsTerminal, Write};

/// Starts logging to standard error. `RUST_LOG` overrides -v and -q.
pub(super) fn start(verbose: u8, quiet: u8) {
    let level = match (verbose, quiet) {
        (0, 0) => LevelFilter::Info,
        (0, 1) => LevelFilter::Warn,
        (0, _) => LevelFilter::Error,
        (1, _) => LevelFilter::Debug,
        (_, _) => LevelFilter::Trace,
    };
    // other crates' chatter is shown where RUST_LOG asks for it; notify warns of what we tell better
    let filter = format!("warn,notify=error,zonesmith={level},query={level}");
    let journald = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
    let mut builder = Builder::from_env(Env::default().default_filter_or(filter));
    builder.target(Target::Stderr).format(move |out, record| {
        let text = record.args().to_string();
        if journald {
            return text
                .lines()
                .try_for_each(|line| writeln!(out, "<{}>{line}", priority(record.level())));
        }
        let style = out.default_level_style(record.level());
        match record.level() {
            Level::Error => writeln!(out, "{style}error{style:#}: {text}"),
            Level::Warn => writeln!(out, "{style}warning{style:#}: {text}"),
            Level::Info | Level::Debug | Level::Trace => writeln!(out, "{text}"),
        }
    });
    builder.init();
}

/// The level as syslog counts it (sd-daemon(3)).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
