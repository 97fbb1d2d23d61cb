//! Parts of a file that can be read by themselves: where may one begin, and what holds there?
//!
//! A part begins where a record does that names its owner, so all that it needs of what stands before
//! is its [`State`]. Where a part may begin is decided by the octets there alone ([`cuts`]): whatever
//! is inserted or removed elsewhere moves no other beginning, and none is looked for in what may be
//! parentheses or quotes. Whether a record does begin there shows when the file is read: such a record
//! has its state in [`super::Place::starts`]. And a part that is read without a finding ends where an
//! entry does, for an open parenthesis or quote would have been found.

use super::{Context, Include, Reader, Sink};
use crate::diag::{Diagnostic, Report, Span, codes};
use crate::name::NameBuf;

/// The octets before and behind a place that decide whether a part may begin there.
const LOOK_LEN: usize = 16;
/// One line in so many, on average, is one at which a part may begin.
const LINES_PER_CUT: u64 = 16;
const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;

/// What the directives and records before an entry left to it, its owner aside.
#[derive(Clone, Debug, Default)]
pub struct State {
    origin: Option<NameBuf>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    soa_minimum: Option<u32>,
}

impl State {
    /// That at the top of a file.
    pub fn at(origin: Option<NameBuf>) -> State {
        State { origin, ..State::default() }
    }

    fn of(context: &Context) -> State {
        let Context { default_ttl, last_ttl, soa_minimum, .. } = *context;
        State { origin: context.origin.clone(), default_ttl, last_ttl, soa_minimum }
    }

    /// The TTLs that a record without one may get, the first that is there. Once there is a `$TTL`, the
    /// others stand in no more.
    fn ttls(&self) -> [Option<u32>; 3] {
        match self.default_ttl {
            None => [None, self.last_ttl, self.soa_minimum],
            ttl => [ttl, None, None],
        }
    }
}

/// Whether the same entry means the same in both.
impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        let spelled = |state: &State| state.origin.as_ref().map(|o| o.as_name().as_wire().to_vec());
        self.ttls() == other.ttls() && spelled(self) == spelled(other)
    }
}

/// The places, in rising order, where a part may begin, if each is to have at least `len_min` octets.
/// The first part begins at zero, which is not among them.
pub fn cuts(text: &[u8], len_min: usize) -> Vec<u32> {
    let mut cuts = Vec::new();
    let mut from = len_min;
    while let Ok(cut) = next_cut(text, from) {
        cuts.push(u32::try_from(cut).unwrap_or(u32::MAX));
        from = cut + len_min;
    }
    cuts
}

/// The next place where a part may begin, at `from` or behind. If there is none yet, `Err` says where
/// to go on if more of the text comes.
pub fn next_cut(text: &[u8], mut from: usize) -> Result<usize, usize> {
    while let Some(line_end) = text.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let at = from + line_end + 1;
        if text.len() < at + LOOK_LEN {
            return Err(from);
        }
        if is_cut(text, at) {
            return Ok(at);
        }
        from = at;
    }
    Err(from.max(text.len()))
}

/// Whether the line there may begin a part, if an entry begins there.
fn is_cut(text: &[u8], at: usize) -> bool {
    let names_owner = |octet: &u8| octet.is_ascii_alphanumeric() || b"*@_\\".contains(octet);
    let start = at.saturating_sub(LOOK_LEN);
    let near = text.get(start..at + LOOK_LEN).and_then(|near| near.first_chunk());
    let near: Option<&[u8; 2 * LOOK_LEN]> = near.filter(|_| text.get(at).is_some_and(names_owner));
    near.is_some_and(|near| {
        let mix = |hash: u64, word: &[u8]| {
            let word = word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            (hash.rotate_left(29) ^ word).wrapping_mul(MULTIPLIER)
        };
        (near.chunks(8).fold(0, mix) >> 32) % LINES_PER_CUT == 0
    })
}

/// Reads a file as [`super::read`] does, or a part of one that begins in that state, and shows what
/// holds at those of the `cuts` where a record begins. Gives the state at its end, too, unless other
/// files or `$GENERATE` lines belong to it.
pub fn read(
    name: &str,
    text: Vec<u8>,
    state: &State,
    cuts: &[u32],
    include: Include<'_>,
    sink: Sink<'_>,
) -> (Report, Option<State>) {
    let State { origin, default_ttl, last_ttl, soa_minimum } = state.clone();
    let context = Context { origin, default_ttl, last_ttl, soa_minimum, ..Context::default() };
    let mut reader = Reader {
        report: Report::default(),
        include,
        sink,
        context,
        name: NameBuf::root(),
        rdata: Vec::new(),
        told: Vec::new(),
        open: Vec::new(),
        generated_len: 0,
        cuts: Ahead { cuts, state: None },
    };
    if let Some(source) = reader.report.sources.add(name.to_string(), text) {
        reader.open.push(source);
        reader.file(source);
    } else {
        let empty = reader.report.sources.add(name.to_string(), Vec::new()).unwrap_or_default();
        let what = "the file has 4 GiB or more";
        let span = Span { source: empty, ..Span::default() };
        reader.find(Diagnostic::new(&codes::FILE_UNREADABLE, span, what));
    }
    let is_plain = reader.generated_len == 0 && reader.report.sources.iter().count() == 1;
    let state = is_plain.then(|| State::of(&reader.context));
    (reader.report, state)
}

/// The cuts that are still ahead, and what holds at the one where the entry begins that is being read.
pub(super) struct Ahead<'c> {
    cuts: &'c [u32],
    state: Option<State>,
}

impl Ahead<'_> {
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }
}

impl Reader<'_> {
    /// An entry begins there. Those cuts that are behind it are none: no entry begins there.
    #[inline]
    pub(super) fn pass_cut(&mut self, start: u32) {
        self.cuts.state = None;
        if self.cuts.cuts.first().is_some_and(|&cut| cut <= start) && self.open.len() == 1 {
            let behind = self.cuts.cuts.partition_point(|&cut| cut < start);
            let cuts = &self.cuts.cuts[behind..];
            let state = (cuts.first() == Some(&start)).then(|| State::of(&self.context));
            self.cuts = Ahead { cuts: &cuts[usize::from(state.is_some())..], state };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::Record;
    use crate::zonefile::Place;

    const LEN_MIN: usize = 64;

    /// The records of a text, written out, and the places where parts begin, with what holds there.
    fn read_whole(text: &[u8], state: &State) -> (Vec<String>, Vec<(u32, State)>, Option<State>) {
        let (mut records, mut starts) = (Vec::new(), Vec::new());
        let mut include = |_: &str, _: &str| Err("none".to_string());
        let mut sink = |record: Record<'_>, place: Place<'_>| {
            records.push(format!("{record:?}"));
            starts.extend(place.starts.map(|state| (place.record.start, state.clone())));
        };
        let cuts = cuts(text, LEN_MIN);
        let (report, end) = read("x", text.to_vec(), state, &cuts, &mut include, &mut sink);
        assert_eq!(report.findings.len(), 0, "{}", String::from_utf8_lossy(text));
        (records, starts, end)
    }

    fn file() -> String {
        let mut text = "$TTL 60\n".to_string();
        for n in 0..300 {
            text += &match n % 10 {
                3 => format!("$ORIGIN o{n}.example.\n"),
                5 => format!("$TTL {n}\n"),
                7 => format!("t{n} TXT ( a\nw{n}\n \"b\nq{n}\" )\n"),
                8 => format!("h{n} {n} A 192.0.2.1\n A 192.0.2.2\n"),
                _ => format!("h{n} A 192.0.2.1\n"),
            };
        }
        text
    }

    #[test]
    fn parts_read_one_by_one_give_what_the_whole_gives() {
        let (text, top) = (file(), State::at("example.".parse().ok()));
        let (records, starts, end) = read_whole(text.as_bytes(), &top);
        assert!(starts.len() > 5, "{} parts", starts.len());
        let places = starts.iter().map(|start| start.0 as usize);
        let from: Vec<usize> = [0].into_iter().chain(places).collect();
        let to = from.iter().copied().skip(1).chain([text.len()]);
        let mut state = top;
        let mut by_part = Vec::new();
        for (number, (from, to)) in from.iter().zip(to).enumerate() {
            assert!(number == 0 || starts[number - 1].1 == state, "part {number}");
            let (records, _, end) = read_whole(&text.as_bytes()[*from..to], &state);
            by_part.extend(records);
            state = end.unwrap();
        }
        assert_eq!(by_part, records);
        assert!(Some(state) == end);
    }

    #[test]
    fn what_is_inserted_moves_no_part_far_behind_it() {
        let text = file();
        let moved = format!("new A 192.0.2.1\n{text}");
        let by = |text: &str, from_end: &str| -> Vec<usize> {
            let cuts = cuts(text.as_bytes(), LEN_MIN);
            cuts.iter().map(|&cut| from_end.len().wrapping_sub(cut as usize)).collect()
        };
        let (before, after) = (by(&text, &text), by(&moved, &moved));
        let same = before.iter().filter(|cut| after.contains(cut)).count();
        assert!(same * 2 > before.len(), "{same} of {}", before.len());
    }
}
