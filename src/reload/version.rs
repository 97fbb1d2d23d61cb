//! Which version of a file was read: is what is served what stands on the disk?
//!
//! A reading takes time, and files change meanwhile. So fingerprints are taken before and after; the
//! version that counts is the one before, for if it differs from what is there now, the file is read
//! once more. Only which files are included is known no sooner than after the reading.

use super::folder::Fingerprint;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// What a file and the files it includes were when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    /// The file; `None` if it was not there.
    pub(super) file: Option<Fingerprint>,
    /// The included files.
    pub(super) includes: Vec<(Arc<Path>, Option<Fingerprint>)>,
}

impl Version {
    /// The included files as they are now.
    pub(super) fn includes_now(&self) -> Vec<(Arc<Path>, Option<Fingerprint>)> {
        let includes = self.includes.iter();
        includes.map(|(path, _)| (path.clone(), Fingerprint::of(path))).collect()
    }

    /// As the files are now.
    pub(super) fn now<'a>(file: &Path, includes: impl Iterator<Item = &'a Arc<Path>>) -> Version {
        Version { file: Fingerprint::of(file), includes: Version::now_of(includes) }
    }

    /// Included files as they are now.
    pub(super) fn now_of<'a>(
        includes: impl Iterator<Item = &'a Arc<Path>>,
    ) -> Vec<(Arc<Path>, Option<Fingerprint>)> {
        includes.map(|path| (path.clone(), Fingerprint::of(path))).collect()
    }

    /// Whether a file was written to between the two.
    pub(super) fn touched_in_place(&self, later: &Version) -> bool {
        let touched = |before: Option<Fingerprint>, after: Option<Fingerprint>| {
            before.zip(after).is_some_and(|(before, after)| before.touched_in_place(&after))
        };
        let include = |(path, after): &(Arc<Path>, _)| touched(self.include(path), *after);
        touched(self.file, later.file) || later.includes.iter().any(include)
    }

    /// The version that was read between the two. Of a file that was seen only after the reading,
    /// which `began` at that time, nothing is known unless it is older.
    pub(super) fn joined(self, later: Version, began: SystemTime) -> Version {
        let version = |(path, after): (Arc<Path>, Option<Fingerprint>)| {
            let settled = after.map(|after| after.as_of(began));
            let version = self.include(&path).or(settled);
            (path, version)
        };
        let includes = later.includes.into_iter().map(version).collect();
        Version { file: self.file, includes }
    }

    /// The included files that hold nothing, and the file itself if it does.
    pub(super) fn empty<'a>(
        &'a self,
        file: &'a Arc<Path>,
    ) -> Vec<(Arc<Path>, Option<Fingerprint>)> {
        let all =
            std::iter::once((file, self.file)).chain(self.includes.iter().map(|i| (&i.0, i.1)));
        let empty = all.filter(|(_, seen)| seen.is_some_and(|seen| seen.size == 0));
        empty.map(|(path, seen)| (path.clone(), seen)).collect()
    }

    /// The fingerprint of an included file.
    pub(super) fn include(&self, path: &Path) -> Option<Fingerprint> {
        self.includes.iter().find(|(include, _)| **include == *path).and_then(|include| include.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BEGAN_NS: i64 = 1_000_000_000_000;

    fn print(inode: u64, ctime_ns: i64) -> Option<Fingerprint> {
        Some(Fingerprint { file: (1, inode), size: 1, mtime_ns: 1, ctime_ns })
    }

    fn version(file: Option<Fingerprint>, include: Option<Fingerprint>) -> Version {
        Version { file, includes: vec![(Path::new("inc").into(), include)] }
    }

    #[test]
    fn a_reading_counts_unless_the_same_file_was_touched() {
        let before = version(print(1, 10), print(2, 10));
        let cases = [
            (version(print(1, 10), print(2, 10)), false),
            (version(print(1, 11), print(2, 10)), true),
            (version(print(1, 10), print(2, 11)), true),
            (version(print(3, 11), print(4, 11)), false), // replaced: each was read whole
            (version(None, None), false),
        ];
        for (after, touched) in cases {
            assert_eq!(before.touched_in_place(&after), touched, "{after:?}");
        }
    }

    #[test]
    fn an_include_that_may_have_changed_before_it_was_known_is_read_again() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_nanos(BEGAN_NS.unsigned_abs());
        let unknown = Version { file: print(1, 10), includes: Vec::new() };
        let joined = |ctime_ns| {
            let after = version(print(1, 10), print(2, ctime_ns));
            unknown.clone().joined(after, began).includes[0].1
        };
        assert_eq!(joined(10), print(2, 10), "long before");
        let unknown_yet = Some(Fingerprint::UNKNOWN);
        assert_eq!(joined(BEGAN_NS - 1), unknown_yet, "in the same tick of the clock");
        let known = version(print(1, 10), print(2, 10));
        assert_eq!(known.clone().joined(version(print(1, 10), print(2, 12)), began), known);
    }
}
