//! Octets → entries → words (RFC 1035 §5.1).
//!
//! An entry is a line, or several when parentheses join them. Words are separated by blanks,
//! comments run from `;` to the end of the line, quotes and backslashes protect what they enclose.
//! Words keep their escapes: only who knows the field knows what they mean.

use crate::rr::text::Word;

/// How an entry begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// With a blank: the owner is that of the record before.
    pub(super) starts_blank: bool,
}

/// A parenthesis or quote without a partner.
#[derive(Debug)]
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
}

/// The byte order mark that some editors write (RFC 3629 §6).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Lexer<'t> {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Lexer { text, at }
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
            let shape = Shape { starts_blank: matches!(first, b' ' | b'\t') };
            self.read_entry(words)?;
            if !words.is_empty() {
                return Ok(Some(shape));
            }
        }
    }

    /// Reads words to the end of the line, or of the last line that parentheses join to it.
    fn read_entry(&mut self, words: &mut Vec<Word>) -> Result<(), Fault> {
        let mut open = Vec::new();
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b'\n' if open.is_empty() => {
                    self.at += 1;
                    return Ok(());
                }
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b';' => self.skip_comment(),
                b'(' => {
                    open.push(self.at);
                    self.at += 1;
                }
                b')' => {
                    if open.pop().is_none() {
                        return Err(self.unopened());
                    }
                    self.at += 1;
                }
                b'"' => words.push(self.quoted()?),
                _ => words.push(self.word()),
            }
        }
        match open.first() {
            Some(&start) => Err(self.unclosed(start)),
            None => Ok(()),
        }
    }

    /// Moves to the end of the line.
    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// A word without quotes around it. A quote inside one, as in `alpn="h2,h3"`, protects up to
    /// its partner on the same line.
    fn word(&mut self) -> Word {
        let start = self.at;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'\\' if self.text.get(self.at + 1).is_some_and(|&next| next != b'\n') => {
                    self.at += 2;
                }
                b'"' => self.at = quote_end(self.text, self.at + 1).unwrap_or(self.at) + 1,
                _ => self.at += 1,
            }
        }
        Word { start: place(start), end: place(self.at), quoted: false }
    }

    /// A word in quotes; they are not part of it.
    fn quoted(&mut self) -> Result<Word, Fault> {
        let start = self.at + 1;
        let Some(end) = quote_end(self.text, start) else {
            let fault = Fault {
                start: place(self.at),
                end: place(start),
                message: "this quote is not closed on its line",
                label: "opened here",
                help: "add a `\"` where the string ends; inside a string a quote is written `\\\"`",
            };
            self.skip_comment();
            return Err(fault);
        };
        self.at = end + 1;
        Ok(Word { start: place(start), end: place(end), quoted: true })
    }

    fn unopened(&mut self) -> Fault {
        let start = place(self.at);
        self.skip_comment();
        Fault {
            start,
            end: start + 1,
            message: "this parenthesis closes none",
            label: "no `(` before it",
            help: "remove it, or open one on the record's first line",
        }
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
        Fault {
            start: place(start),
            end: place(start + 1),
            message: "this parenthesis is never closed",
            label: "opened here",
            help: "add a `)` behind the record's last field",
        }
    }
}

/// Where the quote is that closes a string starting at `start`, if it is on the same line.
fn quote_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\n' => return None,
            b'\\' if text.get(at + 1).is_some_and(|&next| next != b'\n') => at += 2,
            _ => at += 1,
        }
    }
}

/// A place in the file; [`crate::diag::SourceMap`] takes no file where it would not fit.
pub(super) fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<Vec<String>> {
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
                vec!["2 this quote is not closed on its line"],
                vec!["7 this parenthesis closes none"],
                vec!["", "d"],
            ]
        );
        assert_eq!(entries("a ( b"), [vec!["2 this parenthesis is never closed"]]);
    }

    #[test]
    fn every_octet_string_comes_to_an_end() {
        for seed in 0u32..4000 {
            let mut state = seed;
            let text: String = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    char::from(b" \n\"\\();a\r\tb$"[(state >> 16) as usize % 12])
                })
                .collect();
            assert!(entries(&text).len() <= 13, "{text:?}");
        }
    }
}
