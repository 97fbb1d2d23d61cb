//! Programs of others that some tests talk to: found, or the test is skipped aloud.

use std::io::Write;
use std::path::PathBuf;

/// Folders that hold a system's programs, besides those in PATH: Debian keeps servers in sbin.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Where `program` is. `None` means that the test cannot run: it says so in a line that
/// `tests/run` counts, and with CI=true it fails instead.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        let missing = format!("skipped: {program} is not installed");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
        // Past the test harness, which shows what is printed only if the test fails.
        let _ = writeln!(std::io::stderr(), "{missing}");
    }
    found
}
