//! What a command gives, on standard output.
//!
//! Who reads it may stop early, as `head` does: then there is nobody to write for, and the program
//! ends without a word, with the exit code of a program that SIGPIPE ended.

use super::EXIT_CANNOT_RUN;
use std::fmt::Display;
use std::io::{self, Write};

/// 128 and the number of SIGPIPE, as shells have it.
const EXIT_PIPE: i32 = 141;

/// Prints a text and a line's end.
pub(super) fn line(text: impl Display) {
    write(format_args!("{text}\n"));
}

/// Prints a text as it is.
pub(super) fn write(text: impl Display) {
    if let Err(error) = write!(io::stdout().lock(), "{text}") {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(EXIT_PIPE);
        }
        log::error!("standard output cannot be written: {error}");
        std::process::exit(EXIT_CANNOT_RUN.into());
    }
}
