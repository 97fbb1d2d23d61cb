//! A large file that was edited → its zone, from the zone before and the parts of the file that changed.
//!
//! When a large file is read, its parts are noted ([`Parts`]): a fingerprint of each, what held where it
//! begins, and which names it holds. When it is read again, parts with a known fingerprint are left
//! out, the others are read ([`Parts::amend`]), and the new names take the places of the old ones in a
//! copy of the zone ([`splice`](crate::zone::build::splice)).
//!
//! ```text
//! before   | 1 | 2 | 3 | 4 | 5 |        2 changed: read anew; 4 has records of a name of 2: that part
//! now      | 1 | 2'| 3 | 4 | 5 |        and what is between them is read anew, too
//! ```
//!
//! It gives what a whole build gives, or nothing, and then the whole is built: small files, more than
//! a quarter changed, files that include others or have anything wrong with them, a `$TTL` or
//! `$ORIGIN` that means something else for what follows, and what a splice leaves to it.

mod pieces;

use crate::name::NameBuf;
use crate::rr::Record;
use crate::zone::Zone;
use crate::zone::build::Builder;
use crate::zone::build::splice::Run;
use crate::zonefile::Place;
use crate::zonefile::part::{self, State};
use pieces::{Piece, Pieces};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek};
use std::ops::Range;

/// From which size on files are read in parts, and how large those are.
#[derive(Clone, Copy, Debug)]
pub struct Grain {
    /// A zone of fewer records is always built whole.
    pub records_min: usize,
    /// The least octets of a part; most have not much more.
    pub part_len_min: usize,
}

/// What a server does: zones that are searched for what is probably not meant are built whole.
pub const LARGE: Grain =
    Grain { records_min: super::load::LINT_RECORDS_MAX + 1, part_len_min: 32 << 10 };
/// No record takes fewer octets of a file.
const RECORD_LEN_MIN: usize = 8;
/// One in so many of the octets may have to be read anew; beyond that the whole is.
const SHARE: usize = 4;

/// The parts of a file, and the zone they gave: what is known when it is read again.
#[derive(Debug)]
pub struct Parts {
    grain: Grain,
    /// The secret of the fingerprints: nobody can make two parts that look alike.
    key: (u64, u64),
    parts: Vec<Part>,
    /// What holds at the end.
    end: State,
    /// The number of names with records.
    names: u32,
    /// The serial that the file has: a [policy](super::serial) may have had another one served.
    serial: u32,
}

#[derive(Clone, Debug)]
struct Part {
    print: u128,
    /// What holds where it begins.
    state: State,
    /// How many names stand before it: the number of its first own one.
    first: u32,
    /// The lowest number of a name that it has records of.
    lowest: u32,
}

/// What reading only some parts gave.
#[derive(Debug)]
pub struct Amended {
    /// The zone.
    pub zone: Zone,
    /// The parts of its file.
    pub parts: Parts,
    /// How many parts were read, and how many there are.
    pub read: [usize; 2],
}

/// Parts as they are noted while a file is read, the names by their numbers in the builder.
pub(super) struct Notes {
    parts: Vec<(u32, Part)>,
}

impl Notes {
    /// For a text that begins in that state, behind so many names.
    fn new(state: State, names: u32) -> Notes {
        Notes { parts: vec![(0, Part { print: 0, state, first: names, lowest: u32::MAX })] }
    }

    /// For a whole file.
    pub(super) fn of_file(origin: Option<NameBuf>) -> Notes {
        Notes::new(State::at(origin), 0)
    }

    /// Has a record taken in, and notes whose it is.
    pub(super) fn add(&mut self, builder: &mut Builder, record: Record<'_>, place: Place<'_>) {
        if let Some(state) = place.starts {
            let (first, _) = builder.owners();
            let part = Part { print: 0, state: state.clone(), first, lowest: u32::MAX };
            self.parts.push((place.record.start, part));
        }
        builder.add(record, place.record, place.words);
        if let Some((_, part)) = self.parts.last_mut() {
            part.lowest = part.lowest.min(builder.owners().1);
        }
    }

    /// The parts with their fingerprints, of this text.
    fn printed(mut self, key: (u64, u64), text: &[u8]) -> Vec<Part> {
        let starts: Vec<u32> = self.parts.iter().map(|(start, _)| *start).collect();
        for ((_, part), octets) in self.parts.iter_mut().zip(ranges(&starts, text.len())) {
            part.print = fingerprint(key, &text[octets]);
            part.lowest = part.lowest.min(part.first);
        }
        self.parts.into_iter().map(|(_, part)| part).collect()
    }

    /// What is to be known when the file is read again; `end` is what holds at its end.
    pub(super) fn finish(
        self,
        zone: &Zone,
        text: &[u8],
        end: State,
        names: u32,
        grain: Grain,
    ) -> Option<Parts> {
        if zone.record_count() < grain.records_min || !zone.is_plain() {
            return None;
        }
        let random = RandomState::new();
        let key = (random.hash_one(0), random.hash_one(1));
        let (parts, serial) = (self.printed(key, text), zone.serial());
        Some(Parts { grain, key, parts, end, names, serial })
    }
}

impl Grain {
    /// Where parts of a text may begin; nowhere if it is too small.
    pub(super) fn cuts(self, text: &[u8]) -> Vec<u32> {
        match text.len() / RECORD_LEN_MIN < self.records_min {
            true => Vec::new(),
            false => part::cuts(text, self.part_len_min),
        }
    }
}

/// What is to be read anew: these parts go, these octets come.
#[derive(Clone, Debug)]
struct Gap {
    old: Range<usize>,
    new: Range<usize>,
}

impl Parts {
    /// The zone that a file of `len` octets gives now, where it was `old` when these parts were noted.
    /// `None` if it takes a whole build to know.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn amend<F: Read + Seek>(
        &self,
        old: &Zone,
        name: &str,
        file: &mut F,
        len: usize,
    ) -> io::Result<Option<Amended>> {
        let by_print: HashMap<u128, usize> = self.numbered().collect();
        let is_known = |print| by_print.contains_key(&print);
        let Some(pieces) = Pieces::read(file, len, self.grain, self.key, is_known)? else {
            return Ok(None);
        };
        let gaps = self.gaps(&pieces.all, &self.kept(&pieces.all, &by_print));
        let to_read: usize = gaps.iter().map(|gap| gap.new.len()).sum();
        if !pieces.is_ended || to_read > pieces.len() / SHARE {
            return Ok(None);
        }
        let mut texts = Vec::with_capacity(gaps.len());
        for gap in &gaps {
            let Some(octets) = pieces.octets(&gap.new, file, self.key)? else { return Ok(None) };
            texts.push(octets);
        }
        Ok(self.read_gaps(old, name, &gaps, texts, &pieces.all))
    }

    /// Reads what stands in the gaps.
    fn read_gaps(
        &self,
        old: &Zone,
        name: &str,
        gaps: &[Gap],
        texts: Vec<Vec<u8>>,
        pieces: &[Piece],
    ) -> Option<Amended> {
        let apex_stays = gaps.first().is_none_or(|gap| gap.old.start > 0);
        let mut builder = Builder::amending(old, apex_stays);
        let (mut runs, mut noted) = (Vec::new(), Vec::new());
        for (gap, text) in gaps.iter().zip(texts) {
            let (run, parts) = self.read(gap, pieces, &mut builder, name, text)?;
            runs.push(run);
            noted.push(parts);
        }
        let mut zone = builder.splice(old, &runs)?;
        if apex_stays && zone.serial() != self.serial {
            zone.set_serial(self.serial);
        }
        let counts = [old.record_count(), zone.record_count()];
        if counts[1] < self.grain.records_min || counts[1] < counts[0] - counts[0] / 2 {
            return None;
        }
        let read = noted.iter().map(Vec::len).sum();
        let parts = Parts { serial: zone.serial(), ..self.with(gaps, &runs, noted) };
        Some(Amended { zone, read: [read, parts.parts.len()], parts })
    }

    fn numbered(&self) -> impl Iterator<Item = (u128, usize)> {
        self.parts.iter().enumerate().map(|(at, part)| (part.print, at))
    }

    /// Which of the pieces of the file are known parts, in the same order.
    fn kept(&self, pieces: &[Piece], by_print: &HashMap<u128, usize>) -> Vec<Option<usize>> {
        let mut next = 0;
        let mut kept: Vec<Option<usize>> = pieces
            .iter()
            .map(|piece| {
                let expected = self.parts.get(next).filter(|part| part.print == piece.print);
                let found = expected.map(|_| next).or(by_print.get(&piece.print).copied());
                let found = found.filter(|&at| at >= next);
                next = found.map_or(next, |at| at + 1);
                found
            })
            .collect();
        let lost = self.lost(&kept);
        kept.iter_mut().for_each(|known| *known = known.filter(|&at| !lost[at]));
        kept
    }

    /// The parts that are to be read anew: those not kept, and those that share names with them.
    fn lost(&self, kept: &[Option<usize>]) -> Vec<bool> {
        let mut lost = vec![true; self.parts.len()];
        kept.iter().flatten().for_each(|&at| lost[at] = false);
        let shares = |(_, part): &(usize, &Part)| part.lowest < part.first;
        let sharing = self.parts.iter().enumerate().filter(shares);
        let sharing: Vec<_> = sharing.map(|(at, part)| self.part_of(part.lowest)..at + 1).collect();
        loop {
            let is_split = |range: &&Range<usize>| {
                let of = &lost[(*range).clone()];
                of.contains(&true) && of.contains(&false)
            };
            let Some(split) = sharing.iter().find(is_split).cloned() else { return lost };
            lost[split].fill(true);
        }
    }

    /// The part that a name stands in first.
    fn part_of(&self, name: u32) -> usize {
        self.parts.partition_point(|part| part.first <= name).saturating_sub(1)
    }

    fn gaps(&self, pieces: &[Piece], kept: &[Option<usize>]) -> Vec<Gap> {
        let (mut gaps, mut gap) = (Vec::new(), Gap { old: 0..0, new: 0..0 });
        let known = pieces.iter().map(|piece| piece.place.clone()).zip(kept);
        let known = known.filter_map(|(piece, kept)| Some((piece, (*kept)?)));
        let len = pieces.last().map_or(0, |piece| piece.place.end);
        let end = (len..len, self.parts.len());
        for (piece, at) in known.chain([end]) {
            (gap.old.end, gap.new.end) = (at, piece.start);
            let is_empty = gap.old.is_empty() && gap.new.is_empty();
            gaps.extend((!is_empty).then(|| gap.clone()));
            gap = Gap { old: at + 1..at + 1, new: piece.end..piece.end };
        }
        gaps
    }

    /// Reads what stands in a gap. What follows must mean what it meant.
    fn read(
        &self,
        gap: &Gap,
        pieces: &[Piece],
        builder: &mut Builder,
        name: &str,
        octets: Vec<u8>,
    ) -> Option<(Run, Vec<Part>)> {
        let state = self.state_at(gap.old.start);
        let (first, _) = builder.owners();
        let mut notes = Notes::new(state.clone(), first);
        let inside = pieces.iter().map(|piece| piece.place.start).filter(|at| gap.new.contains(at));
        let cuts = inside.skip(1).filter_map(|at| u32::try_from(at - gap.new.start).ok());
        let cuts: Vec<u32> = cuts.collect();
        let mut include = |_: &str, _: &str| Err(String::new());
        let mut sink = |record: Record<'_>, place: Place<'_>| notes.add(builder, record, place);
        let (report, end) = part::read(name, octets, state, &cuts, &mut include, &mut sink);
        let text = report.sources.iter().next().map_or(&[][..], |source| &source.text);
        let parts = if text.is_empty() { Vec::new() } else { notes.printed(self.key, text) };
        let old = self.first_at(gap.old.start)..self.first_at(gap.old.end);
        let run = Run { old, new: first..builder.owners().0 };
        let is_closed = parts.iter().all(|part| part.lowest >= first);
        let goes_on = end.as_ref() == Some(self.state_at(gap.old.end));
        (report.findings.is_empty() && is_closed && goes_on).then_some((run, parts))
    }

    fn state_at(&self, part: usize) -> &State {
        self.parts.get(part).map_or(&self.end, |part| &part.state)
    }

    /// How many names stand before a part.
    fn first_at(&self, part: usize) -> u32 {
        self.parts.get(part).map_or(self.names, |part| part.first)
    }

    /// The parts with those of the gaps in their places, and all names by their new numbers.
    fn with(&self, gaps: &[Gap], runs: &[Run], noted: Vec<Vec<Part>>) -> Parts {
        let mut parts = Vec::with_capacity(self.parts.len());
        let (mut by, mut moved_by) = (0i64, vec![0; self.parts.len()]);
        let mut at = 0;
        let end = (Gap { old: self.parts.len()..self.parts.len(), new: 0..0 }, Vec::new(), 0..0, 0);
        let gaps = gaps.iter().cloned().zip(runs).zip(noted).map(|((gap, run), noted)| {
            (gap, noted, run.new.clone(), run.new.len() as i64 - run.old.len() as i64)
        });
        for (gap, noted, new, grows) in gaps.chain([end]) {
            for kept in at..gap.old.start {
                moved_by[kept] = by;
                let Part { first, lowest, .. } = self.parts[kept];
                let origin = if lowest < first { self.part_of(lowest) } else { kept };
                let lowest = shift(lowest, moved_by[origin]);
                parts.push(Part { first: shift(first, by), lowest, ..self.parts[kept].clone() });
            }
            let to = i64::from(self.first_at(gap.old.start)) + by - i64::from(new.start);
            parts.extend(noted.into_iter().map(|part| Part {
                first: shift(part.first, to),
                lowest: shift(part.lowest, to),
                ..part
            }));
            by += grows;
            at = gap.old.end;
        }
        Parts { parts, end: self.end.clone(), names: shift(self.names, by), ..*self }
    }
}

fn shift(number: u32, by: i64) -> u32 {
    u32::try_from(i64::from(number) + by).unwrap_or(u32::MAX)
}

/// From each start to the next, and from the last to the end.
fn ranges(starts: &[u32], end: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = starts.iter().map(|&start| start as usize);
    starts.clone().zip(starts.skip(1).chain([end])).map(|(from, to)| from..to)
}

fn fingerprint((k0, k1): (u64, u64), octets: &[u8]) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(k0, k1);
    hasher.write(octets);
    hasher.finish128().as_u128()
}
