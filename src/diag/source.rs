//! The files that were read, and places in them.

use std::sync::{Arc, OnceLock};

/// Which file, in the order they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u16);

/// A run of octets in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// The first octet.
    pub start: u32,
    /// The octet after the last.
    pub end: u32,
}

/// One file: what it is called, and its octets.
#[derive(Debug)]
pub struct Source {
    /// The path as the user would write it.
    pub name: String,
    /// The file's content.
    pub text: Arc<Vec<u8>>,
    /// Where each line starts; made when somebody asks, which is when there is something to say.
    lines: OnceLock<Vec<u32>>,
}

impl Source {
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', &self.text).map(|end| end + 1);
            let place = |at| u32::try_from(at).expect("a file is shorter than 4 GiB");
            std::iter::once(0).chain(ends.map(place)).collect()
        })
    }
}

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    /// Where it starts in the file, in octets.
    pub start: usize,
    /// Its octets, without the line end.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Its octets without the comment and the blanks around.
    pub fn without_comment(self) -> &'a [u8] {
        let end = super::allow::comment_start(self.text, &mut false).unwrap_or(self.text.len());
        self.text[..end].trim_ascii()
    }
}

/// All files of one run. Their order is the order in which they were read.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a file. `None` once there are 65,536 of them, or if it has 4 GiB or more: a [`Span`]
    /// could not name the place.
    pub fn add(&mut self, name: String, text: Vec<u8>) -> Option<SourceId> {
        let id = u16::try_from(self.sources.len()).ok()?;
        u32::try_from(text.len()).ok()?;
        let lines = OnceLock::new();
        self.sources.push(Source { name, text: Arc::new(text), lines });
        Some(SourceId(id))
    }

    /// The file of that number.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[usize::from(id.0)]
    }

    /// All files, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// The line that holds the start of `span`.
    pub fn line(&self, span: Span) -> Line<'_> {
        let lines = self.get(span.source).lines();
        self.line_of_number(span.source, lines.partition_point(|&start| start <= span.start))
    }

    /// The line of that number; the last one if there are not so many.
    pub fn line_of_number(&self, source: SourceId, number: usize) -> Line<'_> {
        let source = self.get(source);
        let number = number.clamp(1, source.lines().len());
        let start = source.lines()[number - 1] as usize;
        let end = source.lines().get(number).map_or(source.text.len(), |&next| next as usize - 1);
        let line = &source.text[start..end];
        Line { number, start, text: line.strip_suffix(b"\r").unwrap_or(line) }
    }

    /// `file:line:column` of the start of `span`; columns count from 1, in octets.
    pub fn place(&self, span: Span) -> String {
        let line = self.line(span);
        let column = (span.start as usize).saturating_sub(line.start) + 1;
        format!("{}:{}:{column}", self.get(span.source).name, line.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_at_line_ends_and_at_the_end_of_the_file() {
        let mut map = SourceMap::default();
        let source = map.add("a.zone".into(), b"one\r\ntwo\n".to_vec()).unwrap();
        let at = |start| Span { source, start, end: start };
        assert_eq!(map.place(at(0)), "a.zone:1:1");
        assert_eq!(map.place(at(5)), "a.zone:2:1");
        assert_eq!(map.place(at(9)), "a.zone:3:1");
        assert_eq!(map.line(at(1)).text, b"one");
        assert_eq!(map.line(at(9)).text, b"");
    }
}
