//! A zone file laid out: the same records and the same comments, in columns.
//!
//! What the layout is:
//! - The records of a block, that is between blank lines and directives, have columns for owner,
//!   TTL, class, type and data, two blanks apart. The TTL comes first where both are there. Words of
//!   the data are one blank apart.
//! - Comments stay on their lines. Behind records and directives they stand in one column for each
//!   block, and those that go on below, indented, keep to it. All others stay where they are.
//! - Of a record over several lines the first is laid out up to the type. What follows was arranged
//!   by a person, as the numbers of an SOA with a comment each, and stays as it is; in a string over
//!   several lines it is data.
//! - Line ends are LF, blanks at the ends of lines go, and the last line has its end.
//!
//! Records are never reordered and words never rewritten. What is laid out already does not change.

use super::lex::{Lexer, Token};
use crate::rr::Class;

/// The blanks between two columns, and before a comment.
const GAP: usize = 2;
/// A column is no wider than that; what is longer pushes the rest of its line alone, not the block.
const COLUMN_WIDTH_MAX: usize = 40;
/// No comment is moved beyond this column for the sake of a longer line.
const COMMENT_COLUMN_MAX: usize = 100;

/// Owner, TTL, class and type.
const COLUMNS: usize = 4;

/// The text laid out. `None` if a parenthesis or a quote in it has no partner: the lines are not
/// known then.
pub fn lay_out(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = lines(text)?;
    while lines.last().is_some_and(|line| matches!(line, Line::Blank)) {
        lines.pop();
    }
    let mut out = Vec::with_capacity(text.len());
    for block in lines.chunk_by(|one, next| one.is_with(next)) {
        write_block(block, &mut out);
    }
    Some(out)
}

/// A line of the file, or several that parentheses or a string join.
enum Line<'t> {
    Blank,
    /// A comment alone, with the blanks before it.
    Comment {
        indent: &'t [u8],
        comment: &'t [u8],
    },
    Directive {
        text: Vec<u8>,
        comment: &'t [u8],
    },
    Record {
        head: [&'t [u8]; COLUMNS],
        data: Vec<u8>,
        comment: &'t [u8],
    },
    /// What has no columns.
    Other(Vec<u8>),
}

impl Line<'_> {
    /// Whether the next line belongs to the same block.
    fn is_with(&self, next: &Line<'_>) -> bool {
        let kind = |line: &Line<'_>| match line {
            Line::Blank => 0,
            Line::Directive { .. } => 1,
            Line::Record { .. } | Line::Other(_) => 2,
            Line::Comment { .. } => 3,
        };
        let (one, next) = (kind(self), kind(next));
        one == next || one == 3 && next == 2 || one == 2 && next == 3
    }

    fn comment(&self) -> &[u8] {
        match self {
            Line::Directive { comment, .. } | Line::Record { comment, .. } => comment,
            Line::Blank | Line::Comment { .. } | Line::Other(_) => b"",
        }
    }
}

//----------- Reading --------------------------------------------------------------------------------

/// A token and its octets, quotes included.
struct Piece<'t> {
    token: Token,
    raw: &'t [u8],
    /// Where its octets begin.
    start: usize,
}

impl Piece<'_> {
    fn end(&self) -> usize {
        self.start + self.raw.len()
    }
}

fn lines(text: &[u8]) -> Option<Vec<Line<'_>>> {
    let mut lexer = Lexer::new(text);
    let mut lines = Vec::new();
    let mut pieces = Vec::new();
    let (mut start, mut depth) = (lexer.place(), 0usize);
    loop {
        let token = lexer.token().ok()?;
        match token {
            Some(Token::LineEnd) if depth > 0 => {}
            Some(Token::LineEnd) => {
                lines.push(line(text, start, &pieces));
                pieces.clear();
                start = lexer.place();
            }
            Some(token) => {
                depth = match token {
                    Token::Open(_) => depth + 1,
                    Token::Close(_) => depth.checked_sub(1)?,
                    _ => depth,
                };
                pieces.push(piece(text, token));
            }
            None if depth > 0 => return None,
            None => {
                lines.push(line(text, start, &pieces));
                return Some(lines);
            }
        }
    }
}

fn piece(text: &[u8], token: Token) -> Piece<'_> {
    let (start, end) = match token {
        Token::Word(word) => {
            let quote = usize::from(word.quoted);
            (word.start as usize - quote, word.end as usize + quote)
        }
        Token::Open(at) | Token::Close(at) => (at, at + 1),
        Token::Comment { start, end } => (start, start + text[start..end].trim_ascii_end().len()),
        Token::LineEnd => (0, 0),
    };
    Piece { token, raw: &text[start..end], start }
}

/// Understands a line that begins at `start`.
fn line<'t>(text: &'t [u8], start: usize, pieces: &[Piece<'t>]) -> Line<'t> {
    let Some(first) = pieces.first() else {
        return Line::Blank;
    };
    if let (Token::Comment { .. }, [_]) = (first.token, pieces) {
        return Line::Comment { indent: &text[start..first.start], comment: first.raw };
    }
    let one_line = !text[start..pieces[pieces.len() - 1].end()].contains(&b'\n');
    let starts_blank = first.start > start;
    if one_line && !starts_blank && first.raw.starts_with(b"$") {
        let (words, comment) = without_comment(pieces);
        return Line::Directive { text: joined(words), comment };
    }
    let Some((head, rest)) = head(pieces, starts_blank) else {
        return Line::Other(as_written(text, start, pieces));
    };
    if one_line {
        let (words, comment) = without_comment(rest);
        return Line::Record { head, data: joined(words), comment };
    }
    match rest.first() {
        Some(data) => Line::Record { head, data: as_written(text, data.start, rest), comment: b"" },
        None => Line::Other(as_written(text, start, pieces)),
    }
}

/// Owner, TTL, class and type, if they stand before all parentheses, and what follows them.
fn head<'p, 't>(
    pieces: &'p [Piece<'t>],
    starts_blank: bool,
) -> Option<([&'t [u8]; COLUMNS], &'p [Piece<'t>])> {
    let mut head = [&b""[..]; COLUMNS];
    let [owner, ttl, class, rtype] = &mut head;
    let skip = usize::from(!starts_blank);
    for (at, piece) in pieces.iter().enumerate() {
        if !matches!(piece.token, Token::Word(_)) || piece.raw.contains(&b'\n') {
            return None;
        }
        let bare = piece.raw.strip_prefix(b"\"").unwrap_or(piece.raw); // quotes change no meaning
        let bare = bare.strip_suffix(b"\"").unwrap_or(bare);
        if at < skip {
            *owner = piece.raw;
        } else if ttl.is_empty() && bare.first().is_some_and(u8::is_ascii_digit) {
            *ttl = piece.raw;
        } else if class.is_empty() && Class::from_text(bare).is_some() {
            *class = piece.raw;
        } else {
            *rtype = piece.raw;
            return Some((head, &pieces[at + 1..]));
        }
    }
    None
}

/// Takes the comment off the end of a line.
fn without_comment<'p, 't>(pieces: &'p [Piece<'t>]) -> (&'p [Piece<'t>], &'t [u8]) {
    match pieces.split_last() {
        Some((last, words)) if matches!(last.token, Token::Comment { .. }) => (words, last.raw),
        _ => (pieces, b""),
    }
}

/// The pieces one blank apart.
fn joined(pieces: &[Piece<'_>]) -> Vec<u8> {
    pieces.iter().map(|piece| piece.raw).collect::<Vec<_>>().join(&b' ')
}

/// The text from `start` on as it stands, without the blanks at the ends of its lines.
fn as_written(text: &[u8], start: usize, pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = start;
    for piece in pieces {
        let between = &text[at..piece.start];
        let line_ends = between.iter().filter(|&&octet| octet == b'\n').count();
        out.resize(out.len() + line_ends, b'\n');
        let indent = between.iter().rposition(|&octet| octet == b'\n').map_or(0, |end| end + 1);
        out.extend_from_slice(&between[indent..]);
        out.extend_from_slice(piece.raw);
        at = piece.end();
    }
    out
}

//----------- Writing --------------------------------------------------------------------------------

fn write_block(block: &[Line<'_>], out: &mut Vec<u8>) {
    let widths = widths(block);
    let body: Vec<Vec<u8>> = block.iter().map(|line| body(line, &widths)).collect();
    let commented = body.iter().zip(block).filter(|(_, line)| !line.comment().is_empty());
    let ends = commented.map(|(body, _)| width(body)).filter(|&end| end <= COMMENT_COLUMN_MAX);
    let column = ends.max().unwrap_or(0) + GAP;
    let mut goes_on = false; // a comment of the line before may go on in this one
    for (line, body) in block.iter().zip(body) {
        let indented = matches!(line, Line::Comment { indent, .. } if !indent.is_empty());
        if let (true, true, Line::Comment { comment, .. }) = (goes_on, indented, line) {
            pad(out, 0, column);
            out.extend_from_slice(comment);
        } else {
            out.extend_from_slice(&body);
            goes_on = !line.comment().is_empty();
            if goes_on {
                pad(out, width(&body), column.max(width(&body) + GAP));
                out.extend_from_slice(line.comment());
            }
        }
        out.push(b'\n');
    }
}

/// How wide the columns of a block are.
fn widths(block: &[Line<'_>]) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for line in block {
        let Line::Record { head, .. } = line else { continue };
        for (widest, word) in widths.iter_mut().zip(head) {
            let width = width(word);
            *widest = (*widest).max(if width <= COLUMN_WIDTH_MAX { width } else { 0 });
        }
    }
    widths
}

/// A line without its trailing comment.
fn body(line: &Line<'_>, widths: &[usize; COLUMNS]) -> Vec<u8> {
    match line {
        Line::Blank => Vec::new(),
        Line::Comment { indent, comment } => [*indent, *comment].concat(),
        Line::Directive { text, .. } | Line::Other(text) => text.clone(),
        Line::Record { head, data, .. } => {
            let mut body = Vec::new();
            for (at, (word, &column)) in head.iter().zip(widths).enumerate() {
                let is_owner = at == 0; // a blank one is still there: the line starts with blanks
                if is_owner || column > 0 || !word.is_empty() {
                    body.extend_from_slice(word);
                    pad(&mut body, width(word), column.max(width(word)) + GAP);
                }
            }
            body.extend_from_slice(data);
            body
        }
    }
}

/// Goes from one column to another.
fn pad(out: &mut Vec<u8>, from: usize, to: usize) {
    out.resize(out.len() + to.saturating_sub(from), b' ');
}

/// The columns that a text takes on a screen, near enough: one for each character.
fn width(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str) -> String {
        let once = lay_out(text.as_bytes()).unwrap();
        assert_eq!(lay_out(&once).unwrap(), once, "a fixed point");
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn blocks_have_columns_of_their_own() {
        let text = "$TTL  1h ;a\r\n$ORIGIN\tx. ; b  \n@ IN 60 A 192.0.2.1;c\n\t MX   10   m ; d\n\
                    ; e\nlonger AAAA  ::1   \n\n  A 192.0.2.2\n\n\n";
        let expected = "$TTL 1h     ;a\n$ORIGIN x.  ; b\n\
                        @       60  IN  A     192.0.2.1  ;c\n                MX    10 m       ; d\n; e\n\
                        longer          AAAA  ::1\n\n  A  192.0.2.2\n";
        assert_eq!(laid_out(text), expected);
    }

    #[test]
    fn records_over_several_lines_keep_their_arrangement() {
        let text = "@ SOA ns a (   ; why\r\n      1    ; serial  \n\n   2 3 4 5 ) \nwww  A ( 192.0.2.1 )\n";
        let expected = "@    SOA  ns a (   ; why\n      1    ; serial\n\n   2 3 4 5 )\nwww  A    ( 192.0.2.1 )\n";
        assert_eq!(laid_out(text), expected);
        assert_eq!(laid_out("( a\n A 192.0.2.1 )  "), "( a\n A 192.0.2.1 )\n");
    }

    #[test]
    fn strings_over_several_lines_stay_as_they_are() {
        let text = "a TXT   x  \"b  \r\n  c;\"   d  ;  e\nlong A 192.0.2.1\n\"f \n\"  A 192.0.2.1 ;g\n$INCLUDE  \"h\n\"\n";
        let expected = "a     TXT  x  \"b  \r\n  c;\"   d  ;  e\nlong  A    192.0.2.1\n\"f \n\"  A 192.0.2.1 ;g\n$INCLUDE  \"h\n\"\n";
        assert_eq!(laid_out(text), expected);
    }

    #[test]
    fn words_stay_as_they_are() {
        let text = "\"a b\"  TXT  k=\"v  w\"  \"x  ; y\" z\\  \nb TXT \"c\"d\\;e";
        let expected = "\"a b\"  TXT  k=\"v  w\" \"x  ; y\" z\\ \nb      TXT  \"c\" d\\;e\n";
        assert_eq!(laid_out(text), expected);
    }

    #[test]
    fn comments_go_on_below_and_long_lines_move_nobody() {
        let long = "l".repeat(60);
        let text = format!("a A 192.0.2.1 ; one\n    ; two\n{long} A 192.0.2.1\n   ; alone\n");
        let expected = format!(
            "a  A  192.0.2.1  ; one\n                 ; two\n{long}  A  192.0.2.1\n   ; alone\n"
        );
        assert_eq!(laid_out(&text), expected);
        assert_eq!(laid_out("\u{feff} ; c"), " ; c\n");
        assert_eq!(laid_out("\n \n"), "");
        assert!(lay_out(b"a (").is_none() && lay_out(b"a )").is_none() && lay_out(b"\"").is_none());
    }
}
