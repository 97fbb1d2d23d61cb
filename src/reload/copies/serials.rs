//! The serials that were served last, where a policy makes them, in one file of the state folder.
//!
//! A copy is written behind the loop's back, some time after its version became live, and the versions of
//! a zone that changes fast do not all get one. A serial that secondaries have seen must not come again with
//! another content. So it is written here before its version goes to the loop: one small file for all
//! zones, which takes the old one's place whole.
//!
//! ```text
//! ; the serials served last, by zonesmith 1
//! smith.edu. 2026112203
//! ; whole 0123456789abcdef
//! ```

use super::replace::{self, Before};
use super::{Copies, form};
use crate::name::NameBuf;
use crate::reload::include;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

const NAME: &str = "serials";
/// No zone's copy is named so, nor one that is being written.
const NAME_NEW: &str = "serials.new";
/// The first line. The number changes with the form.
const HEAD: &str = "; the serials served last, by zonesmith 1";

/// Serials by zone.
pub(in super::super) type Serials = BTreeMap<NameBuf, u32>;

impl Copies {
    /// Where the serials are.
    pub(in super::super) fn serials_path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Reads the serials; an error says why that cannot be done.
    pub(in super::super) fn load_serials(&self) -> Result<Serials, String> {
        match include::read(&self.serials_path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Serials::new()),
            Err(error) => Err(error.to_string()),
            Ok(text) => read(&text).ok_or_else(|| "it is damaged".into()),
        }
    }

    /// Writes the serials. They are on the disk when this has succeeded.
    pub(in super::super) fn save_serials(&self, serials: &Serials) -> io::Result<()> {
        self.save_serials_by_stages(serials, &mut |_| Ok(()))
    }

    fn save_serials_by_stages(&self, serials: &Serials, before: Before<'_>) -> io::Result<()> {
        let (new, path) = (self.folder.join(NAME_NEW), self.serials_path());
        replace::replace(&self.folder, [&new, &path], |out| write(serials, out), before)
    }
}

fn write(serials: &Serials, mut out: &mut dyn Write) -> io::Result<()> {
    form::write_whole(&mut out, |out| {
        writeln!(out, "{HEAD}")?;
        serials.iter().try_for_each(|(apex, serial)| writeln!(out, "{apex} {serial}"))
    })
}

fn read(text: &[u8]) -> Option<Serials> {
    let text = std::str::from_utf8(text).ok().filter(|text| form::is_whole(text.as_bytes()))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return None;
    }
    let lines = lines.filter(|line| !line.starts_with(';'));
    let entry = |line: &str| {
        let (apex, serial) = line.split_once(' ')?;
        Some((apex.parse().ok()?, serial.parse().ok()?))
    };
    lines.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::replace::Stage;
    use super::*;

    fn serials(serial: u32) -> Serials {
        let names = [".", "smith.edu.", r"a\.b\032c.", r"\;odd."];
        names.iter().map(|name| (name.parse().unwrap(), serial)).collect()
    }

    #[test]
    fn killed_before_any_stage_the_old_serials_are_there_or_the_new_ones() {
        let all = [Stage::Create, Stage::Write, Stage::Sync, Stage::Rename, Stage::SyncFolder];
        for (number, stage) in all.into_iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let copies = Copies::open(dir.path()).unwrap();
            assert_eq!(copies.load_serials(), Ok(Serials::new()), "none yet");
            copies.save_serials(&serials(1)).unwrap();
            let mut taken = Vec::new();
            let killed = copies.save_serials_by_stages(&serials(2), &mut |next| {
                if next == stage {
                    return Err(io::Error::other("killed"));
                }
                taken.push(next);
                Ok(())
            });
            assert!(killed.is_err() && taken == all[..number], "{taken:?}");
            let found = if stage == Stage::SyncFolder { 2 } else { 1 };
            let again = Copies::open(dir.path()).unwrap();
            assert_eq!(again.load_serials(), Ok(serials(found)), "killed before {stage:?}");
            again.tidy(|_, _| false).unwrap();
            again.save_serials(&serials(3)).unwrap();
            assert_eq!(again.load_serials(), Ok(serials(3)));
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_noticed() {
        let mut text = Vec::new();
        write(&serials(7), &mut text).unwrap();
        assert_eq!(read(&text), Some(serials(7)));
        assert!((0..text.len()).all(|len| read(&text[..len]).is_none()), "cut");
        for at in 0..text.len() {
            text[at] ^= 1;
            assert!(read(&text).is_none(), "octet {at}");
            text[at] ^= 1;
        }
        let dir = tempfile::tempdir().unwrap();
        let copies = Copies::open(dir.path()).unwrap();
        std::fs::write(copies.serials_path(), &text[1..]).unwrap();
        assert_eq!(copies.load_serials(), Err("it is damaged".into()));
    }
}
