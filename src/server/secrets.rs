//! The secrets behind cookies: where do they come from, and how are they changed while all goes on?
//!
//! Without a file there is one from the kernel, which ends with the process: clients then get new
//! cookies, and nothing is lost but a round trip. Servers that share an address share a file. It is
//! read again when it changes ([`super::watched`]); if it is no longer good, the secrets stay as they
//! were.

use crate::guard::cookie::{Secret, Secrets, SecretsError};
use crate::sandbox;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest file that is read, in octets: secrets with a page of comments.
const FILE_LEN_MAX: u64 = 4096;

/// Why a file gives no secrets.
#[derive(Debug)]
pub enum SecretFileError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A folder, or what may have no end.
    NoFile(PathBuf),
    /// Longer than secrets are.
    TooLong(PathBuf),
    /// What is in it.
    Content(PathBuf, SecretsError),
}

/// Why a small file cannot be had.
#[derive(Debug)]
pub(super) enum FileFault {
    Unreadable(io::Error),
    /// A folder, or what may have no end.
    NoFile,
    TooLong,
}

/// A secret that nobody knows.
///
/// # Errors
/// Those of the kernel, where it has no randomness.
pub fn random() -> io::Result<Secrets> {
    random_octets().map(|octets| Secrets::one(Secret::new(octets)))
}

/// Octets that nobody can guess.
///
/// # Errors
/// Those of the kernel, where it has no randomness.
pub fn random_octets<const LEN: usize>() -> io::Result<[u8; LEN]> {
    let mut octets = [0; LEN];
    getrandom::fill(&mut octets).map_err(io::Error::from)?;
    Ok(octets)
}

/// Reads a file of secrets.
///
/// # Errors
/// [`SecretFileError`], which names the file and the line.
pub fn read(path: &Path) -> Result<Secrets, SecretFileError> {
    let (octets, _) = read_file(path, FILE_LEN_MAX).map_err(|fault| match fault {
        FileFault::Unreadable(error) => SecretFileError::Unreadable(path.to_path_buf(), error),
        FileFault::NoFile => SecretFileError::NoFile(path.to_path_buf()),
        FileFault::TooLong => SecretFileError::TooLong(path.to_path_buf()),
    })?;
    let text = String::from_utf8_lossy(&octets);
    Secrets::parse(&text).map_err(|error| SecretFileError::Content(path.to_path_buf(), error))
}

/// Reads a file of at most `len_max` octets; gives also who may do what with it, as stat(2) says it.
pub(super) fn read_file(path: &Path, len_max: u64) -> Result<(Vec<u8>, u32), FileFault> {
    // Opening a pipe would wait for its writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileFault::NoFile);
    }
    let mut octets = Vec::new();
    let len = file.take(len_max + 1).read_to_end(&mut octets)?;
    if len as u64 > len_max {
        return Err(FileFault::TooLong);
    }
    Ok((octets, metadata.mode()))
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> FileFault {
        FileFault::Unreadable(error)
    }
}

impl SecretFileError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            SecretFileError::Unreadable(path, error) => match error.kind() {
                _ if sandbox::refuses(path, error) => sandbox::ADVICE,
                ErrorKind::NotFound => "make it with `openssl rand -hex 16 > FILE`",
                ErrorKind::PermissionDenied => {
                    "let the user that the server runs as read it (chown, chmod)"
                }
                _ => "name a file that can be read",
            },
            SecretFileError::NoFile(_) => "name a file with lines of 32 hexadecimal digits",
            SecretFileError::TooLong(_) | SecretFileError::Content(..) => {
                "each line is one secret of 32 hexadecimal digits, four at most; `openssl rand \
                 -hex 16` prints one"
            }
        }
    }
}

impl fmt::Display for SecretFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretFileError::Unreadable(path, error) => {
                write!(f, "cannot read the cookie secrets in {}: {error}", path.display())
            }
            SecretFileError::NoFile(path) => {
                write!(f, "cannot read cookie secrets from {}: it is no file", path.display())
            }
            SecretFileError::TooLong(path) => {
                write!(f, "{}: longer than any file of cookie secrets", path.display())
            }
            SecretFileError::Content(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// Reads a file of secrets again; if it is no longer good, says so.
pub(super) fn read_again(path: &Path) -> Option<Secrets> {
    let told = |error: SecretFileError| {
        log::error!("{error}; the secrets stay as they were\n  {}", error.advice());
    };
    read(path).map_err(told).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_secret_is_another_each_time() {
        assert!(random().unwrap() != random().unwrap());
    }

    #[test]
    fn what_is_no_file_of_secrets_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let error = |path: &Path| match read(path) {
            Ok(_) => String::new(),
            Err(error) => format!("{error}: {}", error.advice()),
        };
        assert!(error(&path).contains("No such file") && error(&path).contains("openssl rand"));
        assert!(error(folder.path()).contains("it is no file"));
        assert!(error(Path::new("/dev/zero")).contains("it is no file"));
        std::fs::write(&path, "#\n".repeat(3000)).unwrap();
        assert!(error(&path).contains("longer than any file"));
        std::fs::write(&path, "# one\n12\n").unwrap();
        assert!(error(&path).contains("secrets: line 2: not 32 hexadecimal digits: each line is"));
        std::fs::write(&path, "e5e973e5a6b2a43f48e7dc849e37bfcf\n").unwrap();
        assert_eq!(error(&path), "");
    }
}
