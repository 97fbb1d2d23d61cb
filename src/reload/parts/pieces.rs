//! A file that is read piece by piece, to see which of its pieces are known: what is known is not kept.
//!
//! So a large file that was edited is never in memory as a whole: its octets pass through one small
//! window, and of most pieces there is only a fingerprint to compare.

use super::{Grain, SHARE, fingerprint};
use crate::zonefile::part;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

/// How much is read at once.
const READ_LEN: usize = 256 << 10;

/// A stretch of a file, between two places where a part may begin.
pub(super) struct Piece {
    /// Where it stands.
    pub(super) place: Range<usize>,
    pub(super) print: u128,
    /// What it holds, if that was not known.
    octets: Option<Vec<u8>>,
}

/// What a file holds, as far as it was not known.
pub(super) struct Pieces {
    pub(super) all: Vec<Piece>,
    /// Whether its last line has a line end, or holds nothing.
    pub(super) is_ended: bool,
}

impl Pieces {
    /// Reads a file of so many octets. `None` if too much of it is unknown.
    pub(super) fn read(
        file: &mut impl Read,
        len: usize,
        grain: Grain,
        key: (u64, u64),
        is_known: impl Fn(u128) -> bool,
    ) -> io::Result<Option<Pieces>> {
        let mut window = Window::default();
        let (mut all, mut unknown) = (Vec::new(), 0);
        loop {
            let piece = window.next(file, grain.part_len_min)?;
            let print = fingerprint(key, piece.octets);
            let octets = (!is_known(print)).then(|| piece.octets.to_vec());
            unknown += octets.as_ref().map_or(0, Vec::len);
            if unknown > len / SHARE {
                return Ok(None);
            }
            let place = piece.start..piece.start + piece.octets.len();
            all.push(Piece { place, print, octets });
            if piece.is_last {
                let line = memchr::memrchr(b'\n', piece.octets).map_or(0, |end| end + 1);
                let is_ended = piece.octets[line..].trim_ascii().is_empty();
                return Ok(Some(Pieces { all, is_ended }));
            }
        }
    }

    /// How many octets the file has.
    pub(super) fn len(&self) -> usize {
        self.all.last().map_or(0, |piece| piece.place.end)
    }

    /// What stands in a stretch of whole pieces. Those that were known are read again; `None` if they
    /// are others now.
    pub(super) fn octets(
        &self,
        stretch: &Range<usize>,
        file: &mut (impl Read + Seek),
        key: (u64, u64),
    ) -> io::Result<Option<Vec<u8>>> {
        let mut all = Vec::with_capacity(stretch.len());
        for piece in self.all.iter().filter(|piece| stretch.contains(&piece.place.start)) {
            if let Some(octets) = &piece.octets {
                all.extend_from_slice(octets);
                continue;
            }
            let start = all.len();
            all.resize(start + piece.place.len(), 0);
            file.seek(SeekFrom::Start(piece.place.start as u64))?;
            file.read_exact(&mut all[start..])?;
            if fingerprint(key, &all[start..]) != piece.print {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }
}

/// A part of a file that moves towards its end.
#[derive(Default)]
struct Window {
    /// What was read, and room behind it.
    octets: Vec<u8>,
    /// Where in it the next piece begins.
    at: usize,
    /// Where in it what was read ends.
    end: usize,
    /// Where in the file that is.
    start: usize,
    is_end: bool,
}

/// A piece as it passes.
struct Passing<'w> {
    octets: &'w [u8],
    start: usize,
    is_last: bool,
}

impl Window {
    fn next(&mut self, file: &mut impl Read, len_min: usize) -> io::Result<Passing<'_>> {
        let mut from = len_min;
        let len = loop {
            match part::next_cut(&self.octets[self.at..self.end], from) {
                Ok(cut) => break cut,
                Err(_) if self.is_end => break self.end - self.at,
                Err(seen) => from = seen,
            }
            self.fill(file)?;
        };
        let (at, start) = (self.at, self.start);
        (self.at, self.start) = (at + len, start + len);
        let is_last = self.at == self.end && self.is_end;
        Ok(Passing { octets: &self.octets[at..self.at], start, is_last })
    }

    /// Reads on, over what has passed.
    fn fill(&mut self, file: &mut impl Read) -> io::Result<()> {
        self.octets.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        let full = self.end + READ_LEN;
        self.octets.resize(full.max(self.octets.len()), 0);
        while self.end < full && !self.is_end {
            match file.read(&mut self.octets[self.end..full]) {
                Ok(read) => (self.end, self.is_end) = (self.end + read, read == 0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const GRAIN: Grain = Grain { records_min: 1, part_len_min: 40 };
    const KEY: (u64, u64) = (1, 2);

    fn text() -> Vec<u8> {
        (0..60_000).flat_map(|n| format!("host{n} A 192.0.2.{}\n", n % 200).into_bytes()).collect()
    }

    fn read(text: &[u8], is_known: impl Fn(u128) -> bool) -> Option<Pieces> {
        Pieces::read(&mut Cursor::new(text), 4 * text.len(), GRAIN, KEY, is_known).unwrap()
    }

    #[test]
    fn pieces_begin_where_parts_of_the_whole_text_do() {
        let text = text();
        assert!(text.len() > 3 * READ_LEN);
        let pieces = read(&text, |_| false).unwrap();
        let starts: Vec<usize> = pieces.all.iter().skip(1).map(|piece| piece.place.start).collect();
        let cuts = part::cuts(&text, GRAIN.part_len_min);
        assert_eq!(starts, cuts.iter().map(|&cut| cut as usize).collect::<Vec<_>>());
        assert!(pieces.is_ended && pieces.len() == text.len());
        let file = &mut Cursor::new(&text);
        assert!(pieces.octets(&(0..text.len()), file, KEY).unwrap() == Some(text.clone()));
    }

    #[test]
    fn what_is_known_is_read_again_only_where_it_is_wanted_and_only_if_it_is_the_same() {
        let mut text = text();
        let pieces = read(&text, |_| true).unwrap();
        let place = pieces.all[7].place.clone();
        let octets = |text: &[u8]| pieces.octets(&place, &mut Cursor::new(text), KEY).unwrap();
        assert_eq!(octets(&text).as_deref(), Some(&text[place.clone()]));
        text[place.start] ^= 1;
        assert_eq!(octets(&text), None);
        assert!(pieces.octets(&place, &mut Cursor::new(&text[..place.start]), KEY).is_err());
    }

    #[test]
    fn where_too_much_is_unknown_reading_ends() {
        let (text, grain) = (text(), GRAIN);
        let file = &mut Cursor::new(&text);
        assert!(Pieces::read(file, text.len(), grain, KEY, |_| false).unwrap().is_none());
        assert!(file.position() < text.len() as u64 / 2);
    }

    #[test]
    fn a_line_left_open_is_seen() {
        for (text, is_ended) in [("", true), ("a\n", true), ("a\n \t", true), ("a\nb", false)] {
            assert_eq!(read(text.as_bytes(), |_| true).unwrap().is_ended, is_ended, "{text:?}");
        }
    }
}
