//! What has to be watched: in which directories, under which names, can a zone file change?
//!
//! A plain file in a zone folder changes in that folder. A symlink also changes where it points to,
//! at each step of the way, and when one of the directories on that way is itself replaced:
//!
//! ```text
//!   zones/k.zone → ..data/k.zone          watched: zones/        names: k.zone, ..data
//!   zones/..data → ..2024_01/                      zones/..data  names: k.zone
//! ```
//!
//! So each path is walked link by link. Of zone folders all names matter; of other directories
//! (the parents of zone folders, of included files, of symlink targets) only the names that were
//! met on the way, for they may be as busy as `/tmp`. Links among the directories further up are
//! left to the sweep.

use super::folder::{Folder, Listing, is_zone_file, parent};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest chain of symlinks that is followed, as in the kernel.
const LINKS_MAX: usize = 40;

/// Directories and names, all as absolute paths.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The directories to watch.
    pub(super) dirs: BTreeSet<PathBuf>,
    /// The zone folders among them, and how their files' paths start.
    folders: HashMap<PathBuf, PathBuf>,
    /// The files that a name decides on.
    files: HashMap<PathBuf, Vec<Arc<Path>>>,
    /// The names that decide what directories are.
    ways: HashSet<PathBuf>,
}

/// What a name means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// These zone files or included files.
    Files(Vec<Arc<Path>>),
    /// Something that decides which files there are.
    Way,
    /// Another entry of a zone folder.
    Other,
    /// Nothing that matters.
    Nothing,
}

impl Reach {
    /// What the files of a listing and the files that they include reach.
    pub(super) fn of<'a>(
        listing: &Listing,
        includes: impl Iterator<Item = &'a Arc<Path>>,
    ) -> Reach {
        let mut reach = Reach::default();
        for (folder, state) in &listing.folders {
            reach.add_folder(folder);
            if !matches!(state, Folder::Listed(_)) {
                reach.add_file(&Arc::from(folder.as_path())); // a file, when it comes back
            }
        }
        for file in listing.files.iter().filter(|file| file.apart) {
            reach.add_file(&file.path);
        }
        includes.for_each(|include| reach.add_file(include));
        reach
    }

    /// What an absolute path means.
    pub(super) fn meaning(&self, path: &Path) -> Meaning {
        let mut files = self.files.get(path).cloned().unwrap_or_default();
        let folder = path.parent().and_then(|folder| self.folders.get(folder));
        if let (Some(shown), Some(name)) = (folder, path.file_name())
            && is_zone_file(name)
        {
            let file = Arc::from(shown.join(name));
            if !files.contains(&file) {
                files.push(file);
            }
        }
        let is_way = self.ways.contains(path) || self.dirs.contains(path);
        match (files.is_empty(), folder) {
            (false, _) => Meaning::Files(files),
            (true, _) if is_way => Meaning::Way,
            (true, Some(_)) => Meaning::Other,
            (true, None) => Meaning::Nothing,
        }
    }

    /// Whether the watches of these directories tell what happens to a file.
    pub(super) fn is_told(&self, file: &Path, dirs: &BTreeSet<PathBuf>) -> bool {
        let in_folder =
            |dir: &PathBuf| self.folders.get(dir).map(PathBuf::as_path) == file.parent();
        let by_name = |(step, files): (&PathBuf, &Vec<Arc<Path>>)| {
            dirs.contains(parent(step)) && files.iter().any(|of| **of == *file)
        };
        dirs.iter().any(in_folder) || !dirs.is_empty() && self.files.iter().any(by_name)
    }

    fn add_folder(&mut self, folder: &Path) {
        if let Ok(absolute) = std::path::absolute(folder) {
            self.add_dir(&absolute);
            self.folders.insert(absolute, folder.to_path_buf());
        }
    }

    /// Watches a directory, and the names by which it is reached.
    fn add_dir(&mut self, dir: &Path) {
        if self.ways.contains(dir) {
            return;
        }
        self.dirs.insert(dir.to_path_buf());
        for step in way(dir) {
            self.dirs.insert(parent(&step).to_path_buf());
            self.ways.insert(step);
        }
    }

    fn add_file(&mut self, file: &Arc<Path>) {
        let Ok(absolute) = std::path::absolute(file) else {
            return;
        };
        for step in way(&absolute) {
            self.add_dir(parent(&step));
            let files = self.files.entry(step).or_default();
            if !files.contains(file) {
                files.push(file.clone());
            }
        }
    }
}

/// A path, where it points to if it is a symlink, and so on.
fn way(path: &Path) -> Vec<PathBuf> {
    let mut steps = vec![path.to_path_buf()];
    while let Some(last) = steps.last()
        && let Ok(target) = fs::read_link(last)
        && steps.len() <= LINKS_MAX
    {
        let next = parent(last).join(target);
        steps.push(next);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::Sources;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_step_of_a_symlink_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let zones = dir.path().join("zones");
        fs::create_dir_all(zones.join("..2024")).unwrap();
        fs::write(zones.join("..2024/k.zone"), "").unwrap();
        fs::write(zones.join("plain.zone"), "").unwrap();
        symlink("..2024", zones.join("..data")).unwrap();
        symlink("..data/k.zone", zones.join("k.zone")).unwrap();
        let include: Arc<Path> = dir.path().join("inc/hosts").into();
        let listing = Sources { paths: vec![zones.clone()], ..Sources::default() }.list();
        let reach = Reach::of(&listing, std::iter::once(&include));

        let dirs = [dir.path().into(), dir.path().join("inc"), zones.clone(), zones.join("..data")];
        assert!(dirs.iter().all(|dir| reach.dirs.contains(dir)), "{:?}", reach.dirs);
        let file = |name: &str| Meaning::Files(vec![Arc::from(zones.join(name))]);
        let cases = [
            (zones.join("plain.zone"), file("plain.zone")),
            (zones.join("new.zone"), file("new.zone")),
            (zones.join("k.zone"), file("k.zone")),
            (zones.join("..data/k.zone"), file("k.zone")),
            (zones.join("..data"), Meaning::Way),
            (zones.clone(), Meaning::Way),
            (dir.path().join("inc/hosts"), Meaning::Files(vec![include.clone()])),
            (dir.path().join("inc/other"), Meaning::Nothing),
            (dir.path().join("other.zone"), Meaning::Nothing),
            (zones.join("plain.zone~"), Meaning::Other),
        ];
        for (path, meaning) in cases {
            assert_eq!(reach.meaning(&path), meaning, "{}", path.display());
        }
    }

    #[test]
    fn a_symlink_to_itself_ends() {
        let dir = tempfile::tempdir().unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        assert!(way(&dir.path().join("loop")).len() <= LINKS_MAX + 1);
    }
}
