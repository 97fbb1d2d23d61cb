//! Octets → entries → words (RFC 1035 §5.1).
//!
//! An entry is a line, or several when parentheses join them. Words are separated by blanks,
//! comments run from `;` to the end of the line, quotes and backslashes protect what they enclose.
//! Words keep their escapes: only who knows the field knows what they mean.
//!
//! Where RFC 1035 §5.1 leaves a choice ([`quote`](super::quote) has those about strings over lines):
//! - Parentheses may stand within parentheses, and may enclose owner and type (BIND; NSD and Knot
//!   refuse both).
//! - A backslash outside quotes does not join lines; NSD alone takes it.
//! - A quote within a word starts a word of its own, so `a"b c"d` is three, as in BIND and NSD; Knot
//!   refuses it. In the data of SVCB and HTTPS it belongs to the word: `alpn="h2,h3"` (RFC 9460
//!   §2.1). Only who knows the type can tell, so such words are found whole and split by
//!   [`split_at_quotes`](super::quote::split_at_quotes).
//! - Line ends are LF and CRLF. A carriage return elsewhere is an error, as in Knot: BIND and NSD
//!   take it for a line end, and whoever sees one long line in an editor does not.
//! - An octet of zero in a word is an error, as in Knot: it is what a crash leaves in a file. BIND
//!   refuses it outside quotes; NSD cuts the string there. In a comment it does no harm.
//! - A form feed is no blank, in all four.

use super::quote::string_end;
use crate::rr::text::Word;

/// How an entry begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// With a blank: the owner is that of the record before.
    pub(super) starts_blank: bool,
    /// A word holds a quote that is not its first octet, see [`split_at_quotes`](super::quote::split_at_quotes), or stands right
    /// behind a string.
    pub(super) glued: bool,
}

/// What an entry is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// An opening parenthesis, and where.
    Open(usize),
    /// A closing one.
    Close(usize),
    /// From `;` to the end of the line, without that.
    Comment {
        start: usize,
        end: usize,
    },
    LineEnd,
}

/// A parenthesis or quote without a partner, or an octet that cannot stand there.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) message: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
}

/// A reader of one file's octets.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    /// The entry has had a word with a quote inside.
    glued: bool,
    /// Where that quote was, if not behind `=`: most likely it should not be there.
    stray: Option<usize>,
    /// The opening parentheses of the entry; kept to be used again.
    open: Vec<usize>,
    /// The opening parentheses up to the end of the file that are known to have no partner: it is not
    /// looked for again.
    unclosed: Vec<usize>,
}

/// How far behind a broken entry its end is looked for, in octets.
const REACH_MAX: usize = 4096;

/// The byte order mark that some editors write (RFC 3629 §6).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Lexer<'t> {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Lexer { text, at, glued: false, stray: None, open: Vec::new(), unclosed: Vec::new() }
    }

    /// Where the next token is looked for.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The next entry that has words: they are put into `words`. `None` at the end of the file.
    ///
    /// # Errors
    /// The entry is broken; the next call goes on behind it.
    pub(super) fn next_entry(&mut self, words: &mut Vec<Word>) -> Result<Option<Shape>, Fault> {
        words.clear();
        loop {
            let Some(&first) = self.text.get(self.at) else {
                return Ok(None);
            };
            let starts_blank = matches!(first, b' ' | b'\t');
            (self.glued, self.stray) = (false, None);
            self.read_entry(words)?;
            if !words.is_empty() {
                return Ok(Some(Shape { starts_blank, glued: self.glued }));
            }
        }
    }

    /// Reads words to the end of the line, or of the last line that parentheses join to it.
    fn read_entry(&mut self, words: &mut Vec<Word>) -> Result<(), Fault> {
        self.open.clear();
        let (mut opened, mut glued) = (false, None);
        loop {
            self.plain_words(words);
            if self.open.is_empty() && self.text.get(self.at) == Some(&b'\n') {
                self.at += 1;
                return Ok(());
            }
            let Some(token) = self.token()? else { break };
            match token {
                Token::Word(word) => words.push(word),
                Token::Open(at) if self.unclosed.binary_search(&at).is_ok() => {
                    return Err(self.unclosed(at));
                }
                Token::Open(at) => {
                    opened = true;
                    self.open.push(at);
                }
                Token::Close(at) if self.open.pop().is_none() => {
                    let first = words.first().filter(|_| !opened && !self.is_glued(at));
                    let start = first.map_or(at, |word| word.start as usize);
                    return Err(self.unopened(glued.unwrap_or(start)));
                }
                Token::Close(at) if self.is_glued(at) => glued = glued.or(Some(at)),
                Token::LineEnd if self.open.is_empty() => return Ok(()),
                Token::Close(_) | Token::LineEnd | Token::Comment { .. } => {}
            }
        }
        let first = self.open.first().copied();
        std::mem::swap(&mut self.open, &mut self.unclosed);
        first.map_or(Ok(()), |start| Err(self.unclosed(start)))
    }

    /// Takes blanks, and words that hold nothing but letters and the like, up to anything else: the
    /// most of any file, by the shortest road.
    fn plain_words(&mut self, words: &mut Vec<Word>) {
        loop {
            while let Some(b' ' | b'\t') = self.text.get(self.at) {
                self.at += 1;
            }
            let end = plain_end(self.text, self.at);
            let ends = self.text.get(end).is_none_or(|&octet| kind_of(octet) == Kind::Mark);
            if end == self.at || !ends {
                return;
            }
            words.push(Word { start: place(self.at), end: place(end), quoted: false });
            self.at = end;
        }
    }

    /// The next token. `None` at the end of the file.
    ///
    /// # Errors
    /// What stands there can be no token; the rest of the line is left out.
    pub(super) fn token(&mut self) -> Result<Option<Token>, Fault> {
        while let Some(&octet) = self.text.get(self.at) {
            let start = self.at;
            match octet {
                b' ' | b'\t' => self.at += 1,
                b'\r' => self.carriage_returns()?,
                b';' => {
                    self.skip_comment();
                    return Ok(Some(Token::Comment { start, end: self.at }));
                }
                b'"' => return self.quoted().map(|word| Some(Token::Word(word))),
                b'\n' | b'(' | b')' => {
                    self.at += 1;
                    return Ok(Some(match octet {
                        b'(' => Token::Open(start),
                        b')' => Token::Close(start),
                        _ => Token::LineEnd,
                    }));
                }
                _ => return self.word().map(|word| Some(Token::Word(word))),
            }
        }
        Ok(None)
    }

    /// Moves behind the carriage returns here. They stand before a line end only.
    fn carriage_returns(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let run = self.text[start..].iter().take_while(|&&octet| octet == b'\r').count();
        self.at += run;
        match self.text.get(self.at) {
            None | Some(b'\n') => Ok(()),
            Some(_) => Err(self.fault(start, start + 1, &CARRIAGE_RETURN)),
        }
    }

    /// Moves to the end of the line.
    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// A word without quotes around it. A quote inside one, as in `alpn="h2,h3"`, protects up to
    /// its partner.
    fn word(&mut self) -> Result<Word, Fault> {
        let start = self.at;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'\\' if self.text.get(self.at + 1).is_some_and(|&next| next != b'\n') => {
                    self.at += 2;
                }
                b'"' => {
                    self.glued = true;
                    if self.at > start && self.text[self.at - 1] != b'=' {
                        self.stray = self.stray.or(Some(self.at));
                    }
                    self.at = self.string_end()? + 1;
                }
                0 => return Err(self.fault(self.at, self.at + 1, &ZERO)),
                _ => self.at += 1,
            }
        }
        Ok(Word { start: place(start), end: place(self.at), quoted: false })
    }

    /// A word in quotes; they are not part of it.
    fn quoted(&mut self) -> Result<Word, Fault> {
        let start = self.at + 1;
        let end = self.string_end()?;
        self.at = end + 1;
        self.glued |= self.text.get(self.at).is_some_and(|octet| !b" \t\r\n;()".contains(octet));
        Ok(Word { start: place(start), end: place(end), quoted: true })
    }

    /// Where the quote is that closes the one here.
    fn string_end(&mut self) -> Result<usize, Fault> {
        let start = self.at + 1;
        let Some(end) = string_end(self.text, start) else {
            let open = self.stray.take().unwrap_or(self.at);
            return Err(self.fault(open, open + 1, &OPEN_QUOTE));
        };
        match memchr::memchr(0, &self.text[start..end]) {
            Some(at) => {
                self.at = start + at;
                Err(self.fault(self.at, self.at + 1, &ZERO))
            }
            None => Ok(end),
        }
    }

    /// A fault from `start` to `end`, whose words are those of `like`; leaves out the rest of the line.
    fn fault(&mut self, start: usize, end: usize, like: &Fault) -> Fault {
        self.skip_comment();
        Fault { start: place(start), end: place(end), ..*like }
    }

    /// Whether the parenthesis there has no blank before it or none behind it: then it is more likely
    /// to be a slip than one that stands by itself.
    fn is_glued(&self, at: usize) -> bool {
        let is_blank = |octet: Option<&u8>| octet.is_none_or(|octet| b" \t\r\n;".contains(octet));
        let before = at.checked_sub(1).and_then(|before| self.text.get(before));
        !is_blank(before) || !is_blank(self.text.get(at + 1))
    }

    /// The fault of a closing parenthesis, from `start`.
    fn unopened(&mut self, start: usize) -> Fault {
        let end = if self.text[start] == b')' { start + 1 } else { self.at };
        self.fault(start, end, &UNOPENED)
    }

    /// An open parenthesis swallows the rest of the file. Goes on behind its line and the indented
    /// lines that follow, which are most likely meant to be inside.
    fn unclosed(&mut self, start: usize) -> Fault {
        self.at = start;
        loop {
            self.skip_comment();
            self.at = (self.at + 1).min(self.text.len());
            if !matches!(self.text.get(self.at), Some(b' ' | b'\t')) {
                break;
            }
        }
        let mut inside = Lexer { at: start + 1, ..Lexer::new(&self.text[..self.at]) };
        let mut last = 0;
        while let Ok(Some(token)) = inside.token() {
            if let Token::Word(word) = token {
                last = word.end + u32::from(word.quoted);
            }
        }
        // one that stands right behind a word is most likely a slip itself
        let end =
            if self.is_glued(start) && !self.text[..start].ends_with(b" ") { 0 } else { last }
                .max(place(start + 1));
        Fault { start: place(start), end, ..UNCLOSED }
    }

    /// Behind a broken entry: if a parenthesis is closed in the indented lines that follow, and none of
    /// them opened it, they belong to the entry, and are left out.
    pub(super) fn skip_to_unopened(&mut self) {
        let reach = &self.text[..self.text.len().min(self.at + REACH_MAX)];
        let at = self.at + usize::from(reach.get(self.at) == Some(&b'\n'));
        let mut ahead = Lexer { at, ..Lexer::new(reach) };
        let mut words = Vec::new();
        while let Some(b' ' | b'\t') = reach.get(ahead.at) {
            match ahead.read_entry(&mut words) {
                Ok(()) => words.clear(),
                Err(fault) if fault.message == UNOPENED.message => self.at = ahead.at,
                Err(_) => return,
            }
        }
    }
}

/// What an octet is to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A part of it.
    Plain,
    /// Its end.
    Mark,
    /// A part of it that has to be looked at: an escape, a quote, what should not be there.
    InWord,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Plain; 256];
    let (marks, in_word) = (b" \t\r\n;()", b"\\\"\0");
    let mut at = 0;
    while at < marks.len() {
        kinds[marks[at] as usize] = Kind::Mark;
        if at < in_word.len() {
            kinds[in_word[at] as usize] = Kind::InWord;
        }
        at += 1;
    }
    kinds
};

fn kind_of(octet: u8) -> Kind {
    KINDS[usize::from(octet)]
}

/// Where a run of plain octets ends. Eight are looked at at a time: those that are not plain are below
/// `*`, or one of two others.
fn plain_end(text: &[u8], start: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let mut at = start;
    loop {
        if let Some(eight) = text[at..].first_chunk() {
            let eight = u64::from_le_bytes(*eight);
            // the lowest bit set is right, and what stands above it is not looked at
            let below = |octets: u64, limit: u8| {
                octets.wrapping_sub(ONES * u64::from(limit)) & !octets & HIGHS
            };
            let is = |octet: u8| below(eight ^ (ONES * u64::from(octet)), 1);
            let odd = below(eight, b'*') | is(b';') | is(b'\\');
            at += odd.trailing_zeros() as usize / 8;
            if odd == 0 {
                continue;
            }
        }
        match text.get(at) {
            Some(&octet) if kind_of(octet) == Kind::Plain => at += 1,
            _ => return at,
        }
    }
}

const OPEN_QUOTE: Fault = Fault {
    start: 0,
    end: 0,
    message: "this quote is not closed",
    label: "opened here",
    help: "add a `\"` where the string ends; inside a string a quote is written `\\\"`",
};
const UNOPENED: Fault = Fault {
    message: "a `)` without a `(` before it",
    label: "",
    help: "remove it, or open one on the record's first line",
    ..OPEN_QUOTE
};
const UNCLOSED: Fault = Fault {
    message: "this parenthesis is never closed",
    help: "add a `)` behind the record's last field",
    ..OPEN_QUOTE
};
const CARRIAGE_RETURN: Fault = Fault {
    message: "a carriage return in the middle of a line",
    label: "line ends are LF or CRLF",
    help: "save the file with Unix line ends; within a string it is written `\\013`",
    ..OPEN_QUOTE
};
const ZERO: Fault = Fault {
    message: "an octet of value zero",
    label: "the file may be damaged",
    help: "compare the file with a copy of it; an octet that is meant is written `\\000`",
    ..OPEN_QUOTE
};

/// A place in the file; [`crate::diag::SourceMap`] takes no file where it would not fit.
pub(super) fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn entries(text: &str) -> Vec<Vec<String>> {
        let mut lexer = Lexer::new(text.as_bytes());
        let (mut words, mut entries) = (Vec::new(), Vec::new());
        loop {
            match lexer.next_entry(&mut words) {
                Ok(None) => return entries,
                Ok(Some(shape)) => {
                    let blank = if shape.starts_blank { "_" } else { "" };
                    let text = words.iter().map(|word| word.of(text.as_bytes()));
                    let text = text.map(|octets| String::from_utf8_lossy(octets).into_owned());
                    entries.push(std::iter::once(blank.to_string()).chain(text).collect());
                }
                Err(fault) => entries.push(vec![format!("{} {}", fault.start, fault.message)]),
            }
        }
    }

    #[test]
    fn words_quotes_escapes_and_comments() {
        assert_eq!(
            entries("\u{feff}a b;c\n\n \t\n x\\ y \"p;q\" ( r\n; s )\n t ) u\r\n"),
            [vec!["", "a", "b"], vec!["_", "x\\ y", "p;q", "r", "t", "u"],]
        );
        assert_eq!(entries("a k=\"v w\" \"\" \"\\\"\""), [vec!["", "a", "k=\"v w\"", "", "\\\""]]);
    }

    #[test]
    fn what_has_no_partner_costs_its_entry_only() {
        assert_eq!(
            entries("a \"b\nc )\nd"),
            [
                vec!["2 this quote is not closed"],
                vec!["5 a `)` without a `(` before it"],
                vec!["", "d"],
            ]
        );
        assert_eq!(entries("a ( b"), [vec!["2 this parenthesis is never closed"]]);
    }

    #[test]
    fn octets_that_no_editor_writes_are_told() {
        assert_eq!(entries("a b\r\r\nc d\r"), [vec!["", "a", "b"], vec!["", "c", "d"]]);
        assert_eq!(entries("a b\rc d\ne f")[0], ["3 a carriage return in the middle of a line"]);
        assert_eq!(entries("a b\0c \ne f ;\0")[0], ["3 an octet of value zero"]);
        assert_eq!(entries("a \"b\0\"\ne f ;\0")[1], ["", "e", "f"]);
    }

    #[test]
    fn a_run_of_plain_octets_ends_at_what_is_not_plain() {
        for octet in 0..=u8::MAX {
            for (before, behind) in (0..20).flat_map(|before| [0, 1, 9].map(|b| (before, b))) {
                let text = [&b"a*\xff"[..], &vec![b'!'; before], &[octet], &vec![b'b'; behind]];
                let text = text.concat();
                let end = text.iter().position(|&octet| kind_of(octet) != Kind::Plain);
                assert_eq!(plain_end(&text, 0), end.unwrap_or(text.len()), "{text:?}");
            }
        }
    }

    #[test]
    fn every_octet_string_comes_to_an_end() {
        for seed in 0u32..4000 {
            let mut state = seed;
            let text: String = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    char::from(b" \n\"\\();a\r\tb\0"[(state >> 16) as usize % 12])
                })
                .collect();
            assert!(entries(&text).len() <= 13, "{text:?}");
        }
    }
}
