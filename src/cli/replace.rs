//! Writing a file in place of what was read, in one step that a reader of it never sees half done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Puts `new` where `old` was read: into a file beside it, which is then renamed. A symlink stays
/// one. Its name starts with a dot, so that no server takes it for a zone file.
///
/// # Errors
/// The file may not be written, or holds something else by now, or the folder takes no new file.
pub(super) fn replace(path: &Path, old: &[u8], new: &[u8]) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    writable(&real)?;
    let mut name = OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".zonesmith-{}", std::process::id()));
    let beside = real.with_file_name(name);
    let written = write(&beside, &real, new).and_then(|()| match fs::read(&real)? == old {
        true => fs::rename(&beside, &real),
        false => Err(io::Error::other("somebody changed it meanwhile")),
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside); // it may not be there
    }
    written
}

/// A file that its owner made read-only stays as it is, though its folder would let us replace it.
fn writable(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    File::options().write(true).open(path).map(drop)
}

/// Writes a new file with the mode and, as far as we may, the owner of `like`.
fn write(path: &Path, like: &Path, text: &[u8]) -> io::Result<()> {
    let like = fs::metadata(like)?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    let _ = fchown(&file, Some(like.uid()), Some(like.gid()));
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_changed_meanwhile_or_is_read_only_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zone");
        fs::write(&path, "theirs").unwrap();
        let refused = |old: &str| replace(&path, old.as_bytes(), b"new").unwrap_err().to_string();
        assert_eq!(refused("read"), "somebody changed it meanwhile");
        fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        assert_eq!(refused("theirs"), "it is read-only");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"theirs", b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
