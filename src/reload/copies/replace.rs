//! A file that takes another one's place, whole or not at all, whenever the process is killed or the power
//! fails:
//!
//! ```text
//! write the new file ─▶ fsync it ─▶ rename it to the old one's name ─▶ fsync the folder
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Octets that are written at a time.
const PIECE_LEN: usize = 64 * 1024;

/// One step of replacing, about to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The new file is made, or emptied if one was left there.
    Create,
    /// A piece is written to it.
    Write,
    /// It goes to the disk.
    Sync,
    /// It takes the place of the old one.
    Rename,
    /// The folder goes to the disk.
    SyncFolder,
}

/// Called before each stage; an error ends the replacing there, as a killed process would.
pub(super) type Before<'b> = &'b mut dyn FnMut(Stage) -> io::Result<()>;

/// Has a new file, with what `write` gives, take the place of `path`. Both are in `folder`.
pub(super) fn replace(
    folder: &Path,
    [new, path]: [&Path; 2],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    before: Before<'_>,
) -> io::Result<()> {
    before(Stage::Create)?;
    let pieces = Pieces { file: File::create(new)?, before };
    let mut out = BufWriter::with_capacity(PIECE_LEN, pieces);
    write(&mut out)?;
    let Pieces { file, before } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    before(Stage::Sync)?;
    file.sync_all()?;
    before(Stage::Rename)?;
    fs::rename(new, path)?;
    before(Stage::SyncFolder)?;
    sync(folder)
}

/// Has what is in a folder go to the disk: which files there are, not what is in them.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes to a file, each piece a stage.
struct Pieces<'b> {
    file: File,
    before: Before<'b>,
}

impl Write for Pieces<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        (self.before)(Stage::Write)?;
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
