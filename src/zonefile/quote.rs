//! Where a quoted string ends: on its line, or on another that needs it.
//!
//! Where RFC 1035 §5.1 leaves a choice:
//! - A quoted string may go on over lines, for "any character can occur" in quotes; the line ends are
//!   part of it, with a backslash before them or without. But a forgotten quote must not swallow what
//!   follows up to the next one. So the line that closes the string must need it: read by itself it
//!   has a quote too many, read as the string's end it has none. No other line of the string has a
//!   quote, and the string is no longer than the text of a character-string can be. NSD takes any
//!   line end, Knot those in parentheses, BIND those with a backslash before them.

use super::lex::place;
use crate::rr::text::Word;

/// The most octets of a string over several lines: 255, each as an escape (RFC 1035 §5.1).
const LINES_LEN_MAX: usize = 4 * 255;

/// Where the quote is that closes a string starting at `start`. On another line it does so only if
/// that line makes no sense without the string.
pub(super) fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let first = start + memchr::memchr3(b'"', b'\\', b'\n', text.get(start..)?)?;
    if text[first] == b'"' {
        return Some(first); // as most strings end
    }
    let reach = start.saturating_add(LINES_LEN_MAX);
    let end = quote_end(text, start, reach)?;
    let Some(line_end) = memchr::memrchr(b'\n', &text[start..end]) else {
        return Some(end);
    };
    let line_start = start + line_end + 1;
    let line = first_line(&text[line_start..]);
    let closes = is_balanced(&text[end + 1..line_start + line.len()], |_| true);
    // a semicolon right behind a word is part of a string more often than the start of a comment
    let by_itself = is_balanced(line, |before| matches!(before, None | Some(b' ' | b'\t')));
    (end <= reach && closes && !by_itself).then_some(end)
}

/// Splits words at the quotes inside them: in `a"b c"d` there are three.
pub(super) fn split_at_quotes(text: &[u8], words: &[Word]) -> Vec<Word> {
    let mut split = Vec::with_capacity(words.len() + 2);
    for &word in words {
        let (mut start, mut at) = (word.start as usize, word.start as usize);
        while !word.quoted && at < word.end as usize {
            match text[at] {
                b'\\' => at += 2,
                b'"' => {
                    let end = quote_end(text, at + 1, usize::MAX).unwrap_or(at + 1);
                    if start < at {
                        split.push(Word { start: place(start), end: place(at), quoted: false });
                    }
                    split.push(Word { start: place(at + 1), end: place(end), quoted: true });
                    (start, at) = (end + 1, end + 1);
                }
                _ => at += 1,
            }
        }
        if word.quoted || start < word.end as usize {
            split.push(Word { start: place(start), ..word });
        }
    }
    split
}

/// Where the next quote is that no backslash stands before, if no line ends before it at `lines_end` or
/// behind that.
fn quote_end(text: &[u8], start: usize, lines_end: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\n' if at >= lines_end => return None,
            b'\\' if text.get(at + 1) != Some(&b'\n') => at += 2,
            _ => at += 1,
        }
    }
}

/// The text up to its first line end.
fn first_line(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())]
}

/// Whether each quote of a line has its partner, those of its comment aside. A semicolon begins one if
/// `comments` says so of the octet before it.
fn is_balanced(line: &[u8], comments: impl Fn(Option<u8>) -> bool) -> bool {
    let (mut quoted, mut at) = (false, 0);
    while let Some(&octet) = line.get(at) {
        match octet {
            b'"' => quoted = !quoted,
            b';' if !quoted && comments(line[..at].last().copied()) => return true,
            b'\\' => at += 1,
            _ => {}
        }
        at += 1;
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::super::lex::Lexer;
    use super::super::lex::tests::entries;
    use super::*;

    #[test]
    fn strings_go_on_over_lines_that_need_them() {
        assert_eq!(entries("a \"b\nc\" d\ne"), [vec!["", "a", "b\nc", "d"], vec!["", "e"]]);
        assert_eq!(entries("a \"b\\\n\nc;\" k=\"\" ; d")[0], ["", "a", "b\\\n\nc;", "k=\"\""]);
        for forgotten in ["a \"b\nc d", "a \"b\nc \"d\"", "a \"b\n; 19\" of c", "a \"b\nc \\\" d"] {
            assert_eq!(entries(forgotten)[0], ["2 this quote is not closed"], "{forgotten:?}");
        }
        let long = |len| entries(&format!("a \"{}\n\"", "b".repeat(len))).swap_remove(0).len();
        assert_eq!((long(LINES_LEN_MAX - 1), long(LINES_LEN_MAX)), (3, 1));
    }

    #[test]
    fn quotes_inside_words_split_them() {
        let text = b"a\"b c\"d \"e\"f g\\\"h";
        let (mut lexer, mut words) = (Lexer::new(text), Vec::new());
        assert!(lexer.next_entry(&mut words).unwrap().unwrap().glued);
        let split = split_at_quotes(text, &words);
        let shown: Vec<_> = split.iter().map(|word| (word.of(text), word.quoted)).collect();
        let [a, d, f, g] = [&b"a"[..], b"d", b"f", b"g\\\"h"].map(|word| (word, false));
        assert_eq!(shown, [a, (b"b c", true), d, (b"e", true), f, g]);
    }
}
