//! Programs of others that some tests talk to: found, or the test is skipped aloud.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

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

/// The programs that run beside each other: each spends its time on being started.
const WORKERS: usize = 4;

/// The items for which `keeps` says so. It is asked by several threads, each of which has a file below
/// `folder` to write to.
pub fn filter<T: Send>(
    items: impl Iterator<Item = T> + Send,
    folder: &Path,
    keeps: impl Fn(&T, &Path) -> bool + Sync,
) -> Vec<T> {
    let (queue, kept) = (Mutex::new(items), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (queue, kept, keeps) = (&queue, &kept, &keeps);
            let file = folder.join(worker.to_string());
            scope.spawn(move || {
                let next = || queue.lock().expect("no worker panics").next();
                while let Some(item) = next() {
                    if keeps(&item, &file) {
                        kept.lock().expect("no worker panics").push(item);
                    }
                }
            });
        }
    });
    kept.into_inner().expect("no worker panics")
}
