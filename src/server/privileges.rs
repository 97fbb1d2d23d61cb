//! Giving up root: as whom does the server run once it has its sockets?
//!
//! Port 53 needs a privilege, answering needs none. Started as root, the server becomes another
//! user for good: the one asked for, else the owner of the zone folder, else `nobody`. That user
//! must be able to read the zones, now and at each reload, so it is tried first, with the effective
//! ids alone, which can be taken back. If a zone cannot be read, the server says which and stays
//! what it is: a lab that works as root is better than one that serves nothing, and the warning
//! says how to mend it.
//!
//! All this changes the whole process, so it is done while there is one thread.

use nix::errno::Errno;
use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgroups, setegid, seteuid, setgroups, setresgid, setresuid,
};
use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The user of last resort.
const NOBODY: &str = "nobody";
/// Its ids where the machine has no such user, as in a container without /etc/passwd: the kernel's
/// own stand-in for an id that cannot be said.
const NOBODY_ID: u32 = 65_534;

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, or its number if it has none.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Became {
    /// The process is this user now, without a way back.
    User(Identity),
    /// The process is what it was, because this user cannot read a zone.
    Unchanged {
        /// Who it would have become.
        identity: Identity,
        /// The first file or folder that cannot be read.
        unreadable: PathBuf,
    },
}

/// Why the server cannot run as the user asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum PrivilegeError {
    /// There is no such user.
    NoSuchUser(String),
    /// Only root may become another user.
    NotRoot(String),
    /// The kernel refused.
    Refused(Identity, Errno),
}

/// Whom to become: none to stay who we are. `user` is what the operator asked for, a name or a
/// number.
///
/// # Errors
/// If that user does not exist, or is another one and we are not root.
pub fn plan(
    user: Option<&str>,
    zone_paths: &[PathBuf],
) -> Result<Option<Identity>, PrivilegeError> {
    let euid = geteuid();
    let asked = user.map(named).transpose()?;
    match asked {
        Some(identity) if identity.uid == euid.as_raw() => Ok(None),
        Some(identity) if !euid.is_root() => Err(PrivilegeError::NotRoot(identity.name)),
        Some(identity) => Ok(Some(identity)),
        None if euid.is_root() => Ok(Some(folder_owner(zone_paths).unwrap_or_else(nobody))),
        None => Ok(None),
    }
}

/// Becomes `identity`, with no groups but its own, if it can read the zones.
///
/// # Errors
/// If the kernel refuses. The process may then have lost its supplementary groups; it should end.
pub fn become_user(identity: Identity, zone_paths: &[PathBuf]) -> Result<Became, PrivilegeError> {
    match try_become(&identity, zone_paths) {
        Ok(None) => Ok(Became::User(identity)),
        Ok(Some(unreadable)) => Ok(Became::Unchanged { identity, unreadable }),
        Err(errno) => Err(PrivilegeError::Refused(identity, errno)),
    }
}

/// Becomes `identity`, or gives what it cannot read.
fn try_become(identity: &Identity, zone_paths: &[PathBuf]) -> Result<Option<PathBuf>, Errno> {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let (old_uid, old_gid, old_groups) = (geteuid(), getegid(), getgroups()?);
    setgroups(&[])?;
    setegid(gid)?;
    seteuid(uid)?;
    let unreadable = zone_paths.iter().find_map(|path| unreadable(path));
    seteuid(old_uid)?; // root again, which alone may change all ids, or change them back
    if unreadable.is_some() {
        setegid(old_gid)?;
        setgroups(&old_groups)?;
    } else {
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    Ok(unreadable)
}

/// What cannot be read of a zone file, or of a folder and the zone files in it. Other errors than a
/// lack of permission are not ours to tell: they are the same for every user.
fn unreadable(path: &Path) -> Option<PathBuf> {
    let is_denied = |error: &std::io::Error| error.kind() == ErrorKind::PermissionDenied;
    let denied = |path: &Path| File::open(path).is_err_and(|error| is_denied(&error));
    if denied(path) {
        return Some(path.to_owned());
    }
    let files = fs::read_dir(path).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files.filter(|file| is_zone_file(file)).find(|file| denied(file))
}

/// A name that the server reads when it stands in a folder.
fn is_zone_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".zone") && !name.starts_with(b".")
}

/// The user of that name or number.
fn named(user: &str) -> Result<Identity, PrivilegeError> {
    let by_name = User::from_name(user).ok().flatten().map(Identity::from);
    let by_number = || user.parse().ok().map(numbered);
    by_name.or_else(by_number).ok_or_else(|| PrivilegeError::NoSuchUser(user.to_owned()))
}

/// The user with that id. One that has no name has a group of its own number.
fn numbered(uid: u32) -> Identity {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| Identity { name: uid.to_string(), uid, gid: uid }, Identity::from)
}

/// Who owns the folder of the zones, if that is not root.
fn folder_owner(zone_paths: &[PathBuf]) -> Option<Identity> {
    let path = zone_paths.first()?;
    let folder = if path.is_dir() { path } else { path.parent()? };
    let uid = fs::metadata(folder).ok()?.uid();
    (uid != 0).then(|| numbered(uid))
}

fn nobody() -> Identity {
    let user = User::from_name(NOBODY).ok().flatten();
    let unnamed = || Identity { name: NOBODY.to_owned(), uid: NOBODY_ID, gid: NOBODY_ID };
    user.map_or_else(unnamed, Identity::from)
}

impl From<User> for Identity {
    fn from(user: User) -> Identity {
        Identity { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }
    }
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Became::User(identity) => write!(f, "running as user {}", identity.name),
            Became::Unchanged { identity, unreadable } => write!(
                f,
                "still running as root: user {user} cannot read {path}. Let that user read it \
                 (`chown -R {user}` the zone folder, or `chmod a+rX` it and every folder above), \
                 or name another user with --user; `--user root` keeps root without this warning",
                user = identity.name,
                path = unreadable.display()
            ),
        }
    }
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrivilegeError::NoSuchUser(user) => {
                write!(f, "there is no user `{user}`; `getent passwd` lists those that there are")
            }
            PrivilegeError::NotRoot(user) => write!(
                f,
                "cannot become user `{user}`: only root may; start as root, or leave --user out"
            ),
            PrivilegeError::Refused(identity, errno) => write!(
                f,
                "cannot become user `{}`: {}. Root lacks CAP_SETUID or CAP_SETGID here; grant \
                 them, start as that user in the first place, or stay root with `--user root`",
                identity.name,
                errno.desc()
            ),
        }
    }
}

impl std::error::Error for PrivilegeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        assert_eq!(named("root").map(|root| root.uid), Ok(0));
        assert_eq!(named("0").map(|root| root.name), Ok("root".to_owned()));
        let unnamed = Identity { name: "4000000".to_owned(), uid: 4_000_000, gid: 4_000_000 };
        assert_eq!(named("4000000"), Ok(unnamed));
        let nobody = "no such user".to_owned();
        assert_eq!(named(&nobody), Err(PrivilegeError::NoSuchUser(nobody)));
    }

    #[test]
    fn who_we_are_is_nobody_to_become() {
        let me = geteuid().as_raw().to_string();
        assert_eq!(plan(Some(&me), &[]), Ok(None));
    }

    #[test]
    fn only_zone_files_of_a_folder_have_to_be_readable() {
        assert!(is_zone_file(Path::new("zones/smith.edu.zone")));
        assert!(!is_zone_file(Path::new("zones/.smith.edu.zone.swp")));
        assert!(!is_zone_file(Path::new("zones/.smith.edu.zone")));
        assert!(!is_zone_file(Path::new("zones/keys")));
    }

    #[test]
    fn what_is_not_there_is_not_unreadable() {
        assert_eq!(unreadable(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn the_texts_say_what_to_do() {
        let identity = Identity { name: "www".to_owned(), uid: 33, gid: 33 };
        let unreadable = PathBuf::from("/srv/zones/smith.edu.zone");
        let warning = Became::Unchanged { identity: identity.clone(), unreadable }.to_string();
        assert!(warning.contains("/srv/zones/smith.edu.zone") && warning.contains("chmod"));
        let error = PrivilegeError::Refused(identity, Errno::EPERM).to_string();
        assert!(error.contains("CAP_SETUID"), "{error}");
    }
}
