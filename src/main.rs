//! The program: arguments in, exit code out.

use std::process::ExitCode;
use zonesmith::server::Heap;

#[global_allocator]
static HEAP: Heap = Heap;

fn main() -> ExitCode {
    zonesmith::cli::run()
}
