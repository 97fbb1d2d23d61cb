//! Which files may a zone file include, and how is one read that somebody else may have put there?
//!
//! A zone file can come from somebody who may not read all that the server may: what it includes
//! must lie in the folder of the zone file or below, or in a folder that `--include-path` names. Not
//! the words decide but where a path really leads, all symlinks followed. A zone file that is a
//! symlink has two folders, and both count: the one it is listed in, where people put files beside
//! it, and the one it really is in, where whoever wrote it has put its files (as a mount that swaps
//! a folder of versions does, or a farm of links into one repository).
//!
//! Only regular files are read: a FIFO would keep the reader waiting for its writer, and a device
//! might have no end. They are told apart after opening, which therefore must not wait.

use super::folder::Fingerprint;
use crate::sandbox;
use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The octets that a file must stay below: a span names a place by 32 bits.
const FILE_LEN_MAX: u64 = u32::MAX as u64;

/// The folders that a zone file may include from.
pub(super) struct Fence<'p> {
    zone_file: &'p Path,
    include_paths: &'p [PathBuf],
    /// With all symlinks resolved, once the first file is included: most zone files include none, and
    /// resolving takes more system calls than reading a small file.
    folders: OnceCell<Vec<PathBuf>>,
}

impl<'p> Fence<'p> {
    /// Those of `zone_file`, and the `include_paths` of the command line.
    pub(super) fn of(zone_file: &'p Path, include_paths: &'p [PathBuf]) -> Fence<'p> {
        Fence { zone_file, include_paths, folders: OnceCell::new() }
    }

    /// Reads a file that the zone file includes; `Err` says why that cannot be.
    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
        if !self.holds(&real) {
            return Err("it lies outside the zone file's folder; `--include-path` allows another \
                        folder"
                .into());
        }
        read(&real).map_err(|error| match sandbox::refuses(&real, &error) {
            true => format!("{error}: {}", sandbox::ADVICE),
            false => error.to_string(),
        })
    }

    /// Whether what is in the folder of a path is refused: all but a link to a file that is not.
    pub(super) fn is_outside(&self, path: &Path) -> bool {
        fs::canonicalize(folder(path)).is_ok_and(|real| !self.holds(&real))
    }

    fn holds(&self, real: &Path) -> bool {
        self.folders().iter().any(|folder| real.starts_with(folder))
    }

    fn folders(&self) -> &[PathBuf] {
        self.folders.get_or_init(|| {
            let real = fs::canonicalize(self.zone_file).ok();
            let own = [Some(folder(self.zone_file)), real.as_deref().map(folder)];
            let included = self.include_paths.iter().map(PathBuf::as_path);
            let all = own.into_iter().flatten().chain(included);
            all.filter_map(|folder| fs::canonicalize(folder).ok()).collect()
        })
    }
}

/// Reads a regular file of less than 4 GiB.
///
/// # Errors
/// It cannot be opened or read, is no regular file, or has too many octets.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_opened(open(path)?)
}

/// The same, once the file has stood still for a clock tick, so that each later change shows in what it
/// was when it was opened; that is given, too, and when it was.
///
/// # Errors
/// As those of [`read`].
pub(super) fn read_settled(path: &Path) -> io::Result<(Vec<u8>, (Fingerprint, SystemTime))> {
    let mut opened = open(path)?;
    let mut now = SystemTime::now();
    if let Some(rest) = opened.2.settles_after(now) {
        std::thread::sleep(rest);
        now = SystemTime::now();
        opened = open(path)?;
    }
    let seen = (opened.2, now);
    read_opened(opened).map(|octets| (octets, seen))
}

fn read_opened((file, len, _): (File, usize, Fingerprint)) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    octets.reserve_exact(len);
    // what it grows by meanwhile is for another reading; who tells no length is read to the end
    let rest = if len == 0 { FILE_LEN_MAX } else { len as u64 };
    file.take(rest).read_to_end(&mut octets)?;
    match octets.len() as u64 >= FILE_LEN_MAX {
        true => Err(too_large()),
        false => Ok(octets),
    }
}

/// Opens one, and says how many octets it has, and what it is.
///
/// # Errors
/// As those of [`read`].
pub(super) fn open(path: &Path) -> io::Result<(File, usize, Fingerprint)> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let len = usize::try_from(metadata.len()).ok().filter(|_| metadata.len() < FILE_LEN_MAX);
    Ok((file, len.ok_or_else(too_large)?, Fingerprint::new(&metadata)))
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it has 4 GiB or more")
}

/// The folder that a path names a file in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_lies_outside_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["zones/sub", "real", "else"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["zones/a", "zones/sub/b", "real/x.zone", "real/c", "else/d"] {
            fs::write(at(file), file).unwrap();
        }
        symlink(at("real/x.zone"), at("zones/x.zone")).unwrap();
        symlink(at("else/d"), at("zones/link")).unwrap();
        let read = |path: &str, allowed: &[PathBuf]| {
            Fence::of(&at("zones/x.zone"), allowed)
                .read(&at(path))
                .map_err(|why| why[..8].to_string())
        };
        for inside in ["zones/a", "zones/sub/b", "zones/sub/../a", "real/c"] {
            assert!(read(inside, &[]).is_ok(), "{inside}");
        }
        for outside in ["else/d", "zones/../else/d", "zones/link", "/etc/passwd"] {
            assert_eq!(read(outside, &[]), Err("it lies ".into()), "{outside}");
        }
        assert_eq!(read("zones/link", &[at("else")]), Ok(b"else/d".to_vec()));
        let is_outside = |path: &str| Fence::of(&at("zones/x.zone"), &[]).is_outside(&at(path));
        assert!(!is_outside("zones/link"), "it may lead elsewhere tomorrow");
        assert!(is_outside("zones/../else/d") && !is_outside("missing/d"));
    }

    #[test]
    fn what_is_refused_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("zones")).unwrap();
        fs::write(at("zones/a"), "").unwrap();
        fs::write(at("log"), "").unwrap();
        fs::write(at("zones/x.zone"), "$INCLUDE a\n$INCLUDE ../log\n").unwrap();
        let loaded = super::super::load::load(&at("zones/x.zone"));
        assert_eq!((loaded.report.has_errors(), loaded.includes), (true, vec![at("zones/a")]));
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(read(&socket).is_err());
        for path in [dir.path(), Path::new("/dev/null"), Path::new("/dev/zero")] {
            assert!(read(path).is_err(), "{}", path.display());
        }
        let huge = dir.path().join("huge");
        File::create(&huge).unwrap().set_len(FILE_LEN_MAX).unwrap(); // a hole: it takes no space
        assert_eq!(read(&huge).unwrap_err().to_string(), "it has 4 GiB or more");
    }
}
