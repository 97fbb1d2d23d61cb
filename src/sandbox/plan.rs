//! What must the server still be able to read, now and after any of it was replaced?
//!
//! The kernel allows a folder itself, not its name. So that a zone folder, a file, or a symlink on
//! the way may be replaced while all goes on, what holds it is allowed: the parent of the path as it
//! was typed, and that of where it leads with all symlinks resolved. But a parent that all kinds of
//! things lie in (`/`, `/etc`, a home, …) is too much to allow. Then it is the folder or file itself,
//! and one that takes its place is readable after a restart only.

use nix::unistd::{Uid, User};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Folders that belong to the whole system, besides `/`: too much lies in them to allow all of it.
const SYSTEM: [&str; 10] =
    ["/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var"];

/// What may be read, and what written.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Each path with all symlinks resolved, and whether what lies there may be replaced.
    paths: BTreeMap<PathBuf, Replaced>,
    /// The folders that may be written to, with all symlinks resolved.
    written: BTreeSet<PathBuf>,
}

/// A folder with all that it holds, or a file, that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// With all symlinks resolved.
    pub path: PathBuf,
    /// What becomes of what takes the place of what was named.
    pub replaced: Replaced,
}

/// What becomes of what takes the place of a zone path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is read, too: it lies in a folder that is allowed.
    Readable,
    /// It cannot be read before a restart: only what was there at the start is allowed.
    Unreadable,
}

impl Plan {
    /// Allows what a path leads to, and what may take its place.
    pub fn allow(&mut self, path: &Path) {
        let Ok(typed) = std::path::absolute(path) else { return };
        let parent = typed.file_name().and_then(|_| typed.parent());
        if let Some(parent) = parent.and_then(|parent| fs::canonicalize(parent).ok()) {
            self.allow_in(&parent, &typed);
        }
        match fs::canonicalize(&typed) {
            Ok(real) => self.allow_in(real.parent().unwrap_or(&real), &real),
            Err(_) if typed.ancestors().all(|folder| !self.paths.contains_key(folder)) => {
                self.paths.insert(typed, Replaced::Unreadable); // it is told that it is not there
            }
            Err(_) => {}
        }
    }

    /// Allows a folder that somebody named as such, with all that it holds.
    pub fn allow_folder(&mut self, folder: &Path) {
        let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        self.paths.entry(path).or_insert(Replaced::Unreadable);
    }

    /// Allows files to be made, written, renamed and removed in a folder that is there, and below.
    pub fn allow_writing(&mut self, folder: &Path) {
        self.written.insert(fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()));
    }

    /// The folders in which that is allowed.
    pub fn written(&self) -> impl Iterator<Item = &Path> {
        self.written.iter().map(PathBuf::as_path)
    }

    /// What may be read, without what lies in a folder that is allowed.
    pub fn allowed(&self) -> impl Iterator<Item = Allowed> {
        let is_inside =
            |path: &Path| path.ancestors().skip(1).any(|folder| self.paths.contains_key(folder));
        let all = self.paths.iter().filter(move |(path, _)| !is_inside(path));
        all.map(|(path, &replaced)| Allowed { path: path.clone(), replaced })
    }

    /// Allows `parent`, or if that is too much, what lies at `path` in it.
    fn allow_in(&mut self, parent: &Path, path: &Path) {
        if !is_too_much(parent) {
            self.paths.insert(parent.to_path_buf(), Replaced::Readable);
        } else if let Ok(real) = fs::canonicalize(path) {
            self.paths.entry(real).or_insert(Replaced::Unreadable);
        }
    }
}

/// Whether all kinds of things lie in a folder: it is the system's, or a home or above one.
fn is_too_much(folder: &Path) -> bool {
    let is_system = SYSTEM.iter().any(|system| Path::new(system) == folder);
    let is_home = folder.parent() == Some(Path::new("/home"));
    is_system || is_home || homes(folder).any(|home| home.starts_with(folder))
}

/// The homes that may have to do with a folder: that of its owner, and that of who starts us.
fn homes(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let owner = fs::metadata(folder).ok().map(|metadata| Uid::from_raw(metadata.uid()));
    let owner = owner.and_then(|uid| User::from_uid(uid).ok().flatten()).map(|user| user.dir);
    let ours = std::env::var_os("HOME").map(PathBuf::from);
    let all = [owner, ours, Some(PathBuf::from("/"))].into_iter().flatten();
    all.map(|home| fs::canonicalize(&home).unwrap_or(home))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A folder below which nothing is a home, with `files` in it.
    fn tree(files: &[&str]) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        for file in files {
            let path = base.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        (dir, base)
    }

    fn allowed(plan: &Plan) -> Vec<(PathBuf, Replaced)> {
        plan.allowed().map(|allowed| (allowed.path, allowed.replaced)).collect()
    }

    #[test]
    fn the_parent_is_allowed_as_typed_and_as_resolved() {
        let (_dir, base) = tree(&["typed/x", "releases/v1/zones/a.zone"]);
        symlink(base.join("releases/v1"), base.join("typed/current")).unwrap();
        let mut plan = Plan::default();
        plan.allow(&base.join("typed/current"));
        let both = ["releases", "typed"].map(|name| (base.join(name), Replaced::Readable));
        assert_eq!(allowed(&plan), both);
        plan.allow(&base.join("releases/v1/zones"));
        assert_eq!(allowed(&plan), both, "it lies in what is allowed");
    }

    #[test]
    fn a_path_that_ends_in_dots_is_allowed_where_it_leads() {
        let (_dir, base) = tree(&["zones/sub/a.zone", "else/x"]);
        let mut plan = Plan::default();
        plan.allow(&base.join("zones/sub/.."));
        assert_eq!(allowed(&plan), [(base, Replaced::Readable)]);
    }

    #[test]
    fn a_folder_directly_in_the_systems_is_allowed_itself() {
        for (path, real) in [("/etc", "/etc"), ("/usr/bin", "/usr/bin"), ("/", "/")] {
            let mut plan = Plan::default();
            plan.allow(Path::new(path));
            assert_eq!(allowed(&plan), [(PathBuf::from(real), Replaced::Unreadable)], "{path}");
        }
    }

    #[test]
    fn a_home_and_what_is_above_one_is_too_much() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap().dir;
        assert!(is_too_much(&root) && is_too_much(root.parent().unwrap()));
        assert!(is_too_much(Path::new("/home")) && is_too_much(Path::new("/home/alice")));
        assert!(!is_too_much(Path::new("/home/alice/lab")));
        assert!(!is_too_much(Path::new("/etc/zonesmith")) && !is_too_much(Path::new("/srv")));
    }

    #[test]
    fn what_is_not_there_yet_is_awaited_in_its_parent() {
        let (_dir, base) = tree(&["x"]);
        let mut plan = Plan::default();
        plan.allow(&base.join("zones"));
        assert_eq!(allowed(&plan), [(base.clone(), Replaced::Readable)]);
        let mut plan = Plan::default();
        plan.allow(&base.join("a/b/zones"));
        assert_eq!(allowed(&plan), [(base.join("a/b/zones"), Replaced::Unreadable)]);
    }

    #[test]
    fn a_folder_that_is_named_as_such_is_allowed_itself() {
        let (_dir, base) = tree(&["inc/hosts"]);
        let mut plan = Plan::default();
        plan.allow_folder(&base.join("inc"));
        assert_eq!(allowed(&plan), [(base.join("inc"), Replaced::Unreadable)]);
    }
}
