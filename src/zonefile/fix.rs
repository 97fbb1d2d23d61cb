//! Fixes written out: what records should say → edits of their file, where the text lets it.
//!
//! A line hands its owner and its TTL on to those that follow it and have none, so a fix that takes
//! one of them away from a line that others depend on is left out; so is one about a record that a
//! `$GENERATE` line wrote. Records of included files are left alone: another zone may include them
//! under another origin, and what is wrong here may be right there. After an error nobody knows what
//! the rest of the file should say, and nothing has a fix.

use super::entry::head;
use super::{Entry, lex, strings};
use crate::diag::fix::Change;
use crate::diag::{Edit, Meant, Report, SourceId, Span};
use crate::name::text;
use crate::rr::text::Word;
use std::ops::Range;

/// The zone file itself.
const ZONE_FILE: SourceId = SourceId(0);

/// Gives each finding's fix its edits. Those that cannot be written without doubt go.
pub fn write_out(report: &mut Report) {
    let broken = report.has_errors();
    let mut fixable = report.findings.iter_mut().filter(|found| found.fix.is_some()).peekable();
    if fixable.peek().is_none() {
        return;
    }
    let text = &report.sources.get(ZONE_FILE).text;
    let lines = if broken { Lines::default() } else { Lines::read(text) };
    for found in fixable {
        let Some(fix) = &mut found.fix else { continue };
        let is_elsewhere = fix.changes.iter().any(|change| change.record.source != ZONE_FILE);
        if !is_elsewhere {
            fix.edits = lines.edits(text, &fix.changes).unwrap_or_default();
        }
        if broken || (fix.edits.is_empty() && !is_elsewhere) {
            found.fix = None;
        }
    }
}

/// The entries of a file.
#[derive(Default)]
struct Lines {
    words: Vec<Word>,
    lines: Vec<Line>,
}

/// One entry.
struct Line {
    /// Its words.
    words: Range<usize>,
    starts_blank: bool,
    /// A word holds a quote inside.
    glued: bool,
    kind: Kind,
    /// A later line takes its owner from this one, if this one writes one.
    lends_owner: bool,
    /// A later line takes its TTL from this one, if this one writes one.
    lends_ttl: bool,
}

enum Kind {
    /// The TTL that is written, and the first word of the data.
    Record { ttl: Option<Word>, data: usize },
    /// `$TTL`: from here on a TTL left out is the one said there.
    DefaultTtl,
    /// `$ORIGIN`.
    Origin,
    /// `$INCLUDE` and `$GENERATE`: their records may take owner and TTL from above.
    Records,
}

impl Lines {
    fn read(text: &[u8]) -> Lines {
        let mut lexer = lex::Lexer::new(text);
        let (mut read, mut lines) = (Vec::new(), Lines::default());
        while let Ok(Some(shape)) = lexer.next_entry(&mut read) {
            let entry = Entry { source: ZONE_FILE, text, shape, words: &read, origin: None };
            let words = lines.words.len()..lines.words.len() + read.len();
            let kind = kind(entry, words.end);
            let (starts_blank, glued) = (shape.starts_blank, shape.glued);
            let (lends_owner, lends_ttl) = (false, false);
            lines.words.extend_from_slice(&read);
            lines.lines.push(Line { words, starts_blank, glued, kind, lends_owner, lends_ttl });
        }
        lines.lend();
        lines
    }

    /// Works out, from the last line up, who depends on whom.
    fn lend(&mut self) {
        let default = self.lines.iter().position(|line| matches!(line.kind, Kind::DefaultTtl));
        let (mut owner, mut ttl) = (false, false);
        for (number, line) in self.lines.iter_mut().enumerate().rev() {
            (line.lends_owner, line.lends_ttl) = (owner, ttl);
            let no_default = default.is_none_or(|default| number < default);
            match &line.kind {
                Kind::Record { ttl: written, .. } => {
                    owner = line.starts_blank;
                    ttl = written.is_none() && (no_default || ttl);
                }
                Kind::Records => (owner, ttl) = (true, no_default),
                Kind::DefaultTtl => ttl = false,
                Kind::Origin => {}
            }
        }
    }

    fn edits(&self, text: &[u8], changes: &[Change]) -> Option<Vec<Edit>> {
        let mut edits = Vec::new();
        for Change { record, meant } in changes {
            let at = self.lines.partition_point(|line| self.start(line) <= record.start);
            let at = at.checked_sub(1)?;
            let line = self.lines.get(at).filter(|line| self.start(line) == record.start)?;
            let Kind::Record { ttl, data } = line.kind else { return None };
            if line.glued {
                return None;
            }
            let data = &self.words[data..line.words.end];
            match meant {
                Meant::Gone => edits.push(self.removed(text, at)?),
                Meant::Ttl(_) if line.lends_ttl => return None,
                Meant::Ttl(seconds) => edits.push(self.timed(line, ttl, *seconds)?),
                Meant::Owner(_) if line.starts_blank => {} // it takes that of the line above
                Meant::Owner(name) => {
                    edits.push(dotted(text, *self.words.get(line.words.start)?, name)?);
                }
                Meant::Name { to, .. } => {
                    let named =
                        |&word| dotted(text, word, to).or_else(|| dot_for_at(text, word, to));
                    edits.push(data.iter().find_map(named)?);
                }
                Meant::Cut => edits.extend(data.iter().flat_map(|&word| strings::cuts(text, word))),
                Meant::Text { .. } => edits.extend(quoted(text, data)?),
            }
        }
        Some(edits)
    }

    /// Where a line's first word starts.
    fn start(&self, line: &Line) -> u32 {
        let first = self.words[line.words.start];
        first.start - u32::from(first.quoted) // the quote is the record's first octet
    }

    /// Takes a record away, its comment not.
    fn removed(&self, text: &[u8], at: usize) -> Option<Edit> {
        let line = &self.lines[at];
        let Kind::Record { ttl, .. } = line.kind else { return None };
        let keeps_owner = line.starts_blank || !line.lends_owner || self.repeats_owner(text, at);
        if !keeps_owner || (ttl.is_some() && line.lends_ttl) {
            return None;
        }
        let words = &self.words[line.words.clone()];
        let first = words.first()?;
        let line_start =
            memchr::memrchr(b'\n', &text[..first.start as usize]).map_or(0, |at| at + 1);
        let end = behind_alone(text, line_start, words)?;
        let end = match text.get(end) {
            Some(b';') => end,
            _ => memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |at| end + at + 1),
        };
        Some(edit(line_start, end, String::new()))
    }

    /// Whether the record just above writes the same owner.
    fn repeats_owner(&self, text: &[u8], at: usize) -> bool {
        let owner = |line: &Line| self.words[line.words.start].of(text).to_vec();
        let above = at.checked_sub(1).and_then(|above| self.lines.get(above));
        above.is_some_and(|above| {
            let writes_owner = matches!(above.kind, Kind::Record { .. }) && !above.starts_blank;
            writes_owner && owner(above) == owner(&self.lines[at])
        })
    }

    /// Writes a TTL, in place of the one that is there or before class and type.
    fn timed(&self, line: &Line, ttl: Option<Word>, seconds: u32) -> Option<Edit> {
        if let Some(word) = ttl {
            return Some(edit(word.start as usize, word.end as usize, seconds.to_string()));
        }
        let next = line.words.start + usize::from(!line.starts_blank);
        let next = self.words.get(next)?;
        let at = next.start as usize - usize::from(next.quoted);
        Some(edit(at, at, format!("{seconds} ")))
    }
}

/// What an entry is; its words end at `end` among those of all entries.
fn kind(entry: Entry<'_>, end: usize) -> Kind {
    match entry.directive().map(<[u8]>::to_ascii_uppercase).as_deref() {
        Some(b"$TTL") => return Kind::DefaultTtl,
        Some(b"$ORIGIN") => return Kind::Origin,
        Some(_) => return Kind::Records,
        None => {}
    }
    let owner = usize::from(!entry.shape.starts_blank).min(entry.words.len());
    match head(entry, &entry.words[owner..]) {
        Ok(head) => {
            Kind::Record { ttl: head.ttl.map(|(_, word)| word), data: end - head.data.len() }
        }
        Err(_) => Kind::Records,
    }
}

/// The final dot put behind a word, if it then is the name `to`.
fn dotted(text: &[u8], word: Word, to: &[u8]) -> Option<Edit> {
    let end = word.end as usize;
    says([word.of(text), b"."].concat(), to).map(|_| edit(end, end, ".".into()))
}

/// A mail address with a dot for the `@`, if it then is the name `to`.
fn dot_for_at(text: &[u8], word: Word, to: &[u8]) -> Option<Edit> {
    let octets = word.of(text);
    let (mut name, mut at, mut found) = (Vec::new(), 0, false);
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'\\' => name.push(octet),
            b'.' if !found => name.extend(b"\\."),
            b'@' if found => return None,
            b'@' => {
                found = true;
                name.push(b'.');
            }
            _ => name.push(octet),
        }
        at += 1;
        if octet == b'\\' {
            name.extend(octets.get(at));
            at += 1;
        }
    }
    let complete = [&name[..], b"."].concat();
    let written = says(name, to).or_else(|| says(complete, to)).filter(|_| found)?;
    Some(edit(word.start as usize, word.end as usize, written))
}

/// The text, if it is the whole name `to`.
fn says(written: Vec<u8>, to: &[u8]) -> Option<String> {
    let name = text::parse(&written, None).ok()?;
    String::from_utf8(written).ok().filter(|_| name.as_name().as_wire() == to)
}

/// The words of one line put into one pair of quotes, a blank between each two.
fn quoted(text: &[u8], data: &[Word]) -> Option<Vec<Edit>> {
    let (first, last) = (data.first()?, data.last()?);
    let end = behind_alone(text, first.start as usize, data)?;
    // a semicolon at the last word may be meant to belong to it
    let is_cut = text.get(end) == Some(&b';') && end == last.end as usize;
    if is_cut || data.iter().any(|word| word.quoted) {
        return None;
    }
    let between = data.windows(2).map(|pair| (pair[0].end as usize, pair[1].start as usize));
    let between = between.filter(|&(start, end)| text[start..end] != *b" ");
    let mut edits: Vec<Edit> = between.map(|(start, end)| edit(start, end, " ".into())).collect();
    for at in [first.start as usize, last.end as usize] {
        edits.push(edit(at, at, "\"".into()));
    }
    Some(edits)
}

/// Where the words end that stand alone from `start` on, on one line, with blanks only between them:
/// there a comment begins, or the line ends.
fn behind_alone(text: &[u8], start: usize, words: &[Word]) -> Option<usize> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let mut at = start;
    for word in words {
        let quote = usize::from(word.quoted);
        let between = text.get(at..word.start as usize - quote)?;
        if !between.iter().all(is_blank) {
            return None;
        }
        at = word.end as usize + quote;
    }
    at += text[at..].iter().take_while(|&octet| is_blank(octet)).count();
    matches!(text.get(at), None | Some(b';' | b'\r' | b'\n')).then_some(at)
}

pub(super) fn edit(start: usize, end: usize, text: String) -> Edit {
    let (start, end) = (lex::place(start), lex::place(end));
    Edit { span: Span { source: ZONE_FILE, start, end }, text }
}
