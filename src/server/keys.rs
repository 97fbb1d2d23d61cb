//! The files of TSIG keys. What is in them goes into no log.

use super::secrets::{FileFault, read_file};
use crate::guard::tsig::{self, KeyFileError, KeyFileProblem, Keys};
use crate::sandbox;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The longest file that is read, in octets: some thousand keys.
const FILE_LEN_MAX: u64 = 1 << 20;
/// What users who neither own a file nor are of its group may do with it.
const OTHERS: u32 = 0o007;

/// Why a file gives no keys.
#[derive(Debug)]
pub struct KeyFault {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    File(FileFault),
    Text,
    Content(KeyFileError),
}

/// Whether others than those who are meant may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Its owner and group alone.
    Kept,
    /// Every user of the machine.
    Open,
}

/// Adds the keys of a file.
///
/// # Errors
/// [`KeyFault`], which names the file and the line.
pub fn read(path: &Path, keys: &mut Keys) -> Result<Exposure, KeyFault> {
    let fault = |why| KeyFault { path: path.to_path_buf(), why };
    let (octets, mode) = read_file(path, FILE_LEN_MAX).map_err(|why| fault(Why::File(why)))?;
    let text = String::from_utf8(octets).map_err(|_| fault(Why::Text))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text); // some editors put it there
    tsig::read(text, keys).map_err(|why| fault(Why::Content(why)))?;
    Ok(if mode & OTHERS == 0 { Exposure::Kept } else { Exposure::Open })
}

impl KeyFault {
    fn help(&self) -> &'static str {
        match &self.why {
            Why::File(FileFault::Unreadable(error)) => match error.kind() {
                _ if sandbox::refuses(&self.path, error) => sandbox::ADVICE,
                ErrorKind::NotFound => "make it with `zonesmith keygen NAME > FILE`",
                ErrorKind::PermissionDenied => {
                    "let the user that the server runs as read it (chown, chmod)"
                }
                _ => "name a file that can be read",
            },
            Why::Content(error) => error.problem.help(),
            Why::File(FileFault::NoFile | FileFault::TooLong) | Why::Text => {
                KeyFileProblem::NoKey.help()
            }
        }
    }
}

/// As a zone's errors look, but without the line itself: it may be the one with the secret.
impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::File(FileFault::Unreadable(error)) => {
                write!(f, "the key file cannot be read: {error}\n --> {path}")
            }
            Why::File(FileFault::NoFile) => write!(f, "no regular file\n --> {path}"),
            Why::File(FileFault::TooLong) => write!(f, "longer than any key file\n --> {path}"),
            Why::Text => write!(f, "a key file is text in UTF-8\n --> {path}"),
            Why::Content(KeyFileError { line, problem }) => {
                write!(f, "{problem}\n --> {path}:{line}")
            }
        }?;
        write!(f, "\n  = help: {}", self.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    const KEY: &str = "key \"partner\" {\n algorithm hmac-sha256;\n secret \"c2VjcmV0\";\n};\n";

    #[test]
    fn a_broken_file_is_shown_by_its_line_and_never_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partner.key");
        let shown = |path: &Path| match read(path, &mut Keys::default()) {
            Ok(exposure) => format!("{exposure:?}"),
            Err(fault) => fault.to_string(),
        };
        assert!(shown(&path).contains("No such file") && shown(&path).contains("keygen NAME"));
        assert!(shown(folder.path()).starts_with("no regular file\n --> "));
        assert!(shown(Path::new("/dev/zero")).starts_with("no regular file"));
        fs::write(&path, "#\n".repeat(1 << 20)).unwrap();
        assert!(shown(&path).starts_with("longer than any key file"));
        fs::write(&path, b"\xff").unwrap();
        assert!(shown(&path).starts_with("a key file is text in UTF-8"));
        fs::write(&path, KEY.replace("c2VjcmV0", "c2VjcmV")).unwrap();
        let (text, place) = (shown(&path), format!(" --> {}:3\n  = help: ", path.display()));
        assert!(text.starts_with("the secret is no text in base 64\n"), "{text}");
        assert!(text.contains(&place) && !text.contains("c2Vj"), "{text}");
    }

    #[test]
    fn a_file_may_begin_with_a_byte_order_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partner.key");
        fs::write(&path, format!("\u{feff}{KEY}")).unwrap();
        let mut keys = Keys::default();
        read(&path, &mut keys).unwrap();
        assert_eq!(keys.iter().count(), 1);
    }

    #[test]
    fn who_else_may_read_a_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partner.key");
        fs::write(&path, KEY).unwrap();
        for (mode, exposure) in
            [(0o600, Exposure::Kept), (0o640, Exposure::Kept), (0o644, Exposure::Open)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, &mut Keys::default()).unwrap(), exposure, "{mode:o}");
        }
    }
}
