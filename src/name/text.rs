//! Names as people write them (RFC 1035 §5.1): dots between labels, `\.` and `\032` as escapes.

use super::{LABEL_LEN_MAX, NAME_LEN_MAX, Name, NameBuf};
use std::fmt;
use std::str::FromStr;

/// Why text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was written.
    Empty,
    /// Two dots in a row, or a dot in front.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// More than 255 octets in all.
    NameTooLong,
    /// A backslash not followed by one character or three digits up to 255.
    BadEscape,
    /// No final dot, and no origin to stand behind the name.
    NoOrigin,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::Empty => "a name is missing",
            NameError::EmptyLabel => "a label is empty: two dots in a row, or a dot in front",
            NameError::LabelTooLong => "a label has more than 63 octets",
            NameError::NameTooLong => "the name has more than 255 octets",
            NameError::BadEscape => {
                "a backslash stands before neither a character nor three digits up to 255"
            }
            NameError::NoOrigin => "the name has no final dot, and no origin is known to follow it",
        })
    }
}

impl std::error::Error for NameError {}

/// Reads a name from text. One without a final dot is relative to `origin`.
///
/// `@` is no name here; in a zone file it stands for the origin, and zone files know that.
///
/// # Errors
/// What is wrong with the text, see [`NameError`].
pub fn parse(text: &[u8], origin: Option<Name<'_>>) -> Result<NameBuf, NameError> {
    let mut name = NameBuf::root();
    parse_into(text, origin, &mut name).map(|()| name)
}

/// As [`parse`], into a name that is there already: a file of a million names makes none anew.
///
/// # Errors
/// As [`parse`]; the name is the root then.
pub fn parse_into(
    text: &[u8],
    origin: Option<Name<'_>>,
    name: &mut NameBuf,
) -> Result<(), NameError> {
    if let Some(len) = write_plain(text, origin, &mut name.wire) {
        name.len = super::length(len);
        return Ok(());
    }
    let written = write(text, origin, &mut name.wire);
    match written {
        Ok(len) => name.len = super::length(len),
        Err(_) => name.set(Name::ROOT),
    }
    written.map(|_| ())
}

/// As [`write`], for names as nearly all are: without escapes, and without a mistake. The text is what
/// the name will be, but that each dot becomes the length of the label behind it.
fn write_plain(
    text: &[u8],
    origin: Option<Name<'_>>,
    wire: &mut [u8; NAME_LEN_MAX],
) -> Option<usize> {
    wire.get_mut(1..=text.len())?.copy_from_slice(text);
    let mut start = 0;
    let mut label = |end: usize| {
        let len = end - start;
        wire[start] = u8::try_from(len).ok().filter(|len| (1..=63).contains(len))?;
        start = end + 1;
        Some(())
    };
    for (at, &octet) in text.iter().enumerate() {
        match octet {
            b'.' => label(at)?,
            b'\\' => return None,
            _ => {}
        }
    }
    let behind = match text.last()? {
        b'.' => Name::ROOT,
        _ => label(text.len()).and(origin)?,
    };
    let behind = behind.as_wire();
    wire.get_mut(start..start + behind.len())?.copy_from_slice(behind);
    Some(start + behind.len())
}

/// Writes the name that a text stands for; gives its length.
fn write(
    text: &[u8],
    origin: Option<Name<'_>>,
    wire: &mut [u8; NAME_LEN_MAX],
) -> Result<usize, NameError> {
    let mut name = Writer { wire, label: 0, end: 1 };
    let mut rest = match text {
        b"" => return Err(NameError::Empty),
        b"." => return name.finish(None),
        _ => text,
    };
    loop {
        let plain = rest.iter().position(|octet| matches!(octet, b'.' | b'\\'));
        let (run, behind) = rest.split_at(plain.unwrap_or(rest.len()));
        name.push(run)?;
        match behind {
            [] => return name.finish(origin),
            [b'.', tail @ ..] => {
                rest = tail;
                name.end_label()?;
            }
            [_, tail @ ..] => {
                let (octet, tail) = unescape(tail).ok_or(NameError::BadEscape)?;
                rest = tail;
                name.push(&[octet])?;
            }
        }
    }
}

/// Resolves what follows a backslash: the octet meant, and the text behind it.
pub fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Some((u8::try_from(value).ok()?, rest))
        }
        [b'0'..=b'9', ..] | [] => None,
        [octet, rest @ ..] => Some((*octet, rest)),
    }
}

/// Whether a quote stands in the text that is not escaped.
pub(crate) fn has_quote(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text)
        .any(|at| text[..at].iter().rev().take_while(|&&octet| octet == b'\\').count() % 2 == 0)
}

/// Builds a name run by run, keeping the length octet of the open label in view.
struct Writer<'n> {
    wire: &'n mut [u8; NAME_LEN_MAX],
    /// Where the open label's length octet stands.
    label: usize,
    /// Where the next octet goes.
    end: usize,
}

impl Writer<'_> {
    fn push(&mut self, run: &[u8]) -> Result<(), NameError> {
        let in_label = 1 + LABEL_LEN_MAX - (self.end - self.label);
        let in_name = NAME_LEN_MAX - self.end;
        if run.len() > in_label.min(in_name) {
            let label_is_full = in_label <= in_name;
            return Err(if label_is_full {
                NameError::LabelTooLong
            } else {
                NameError::NameTooLong
            });
        }
        self.wire[self.end..self.end + run.len()].copy_from_slice(run);
        self.end += run.len();
        Ok(())
    }

    fn end_label(&mut self) -> Result<(), NameError> {
        let len = self.end - self.label - 1;
        if len == 0 {
            return Err(NameError::EmptyLabel);
        }
        self.wire[self.label] = super::length(len);
        self.label = self.end;
        self.end += 1;
        (self.label < NAME_LEN_MAX).then_some(()).ok_or(NameError::NameTooLong)
    }

    /// Ends the name, behind its final dot or with the origin; gives its length.
    fn finish(mut self, origin: Option<Name<'_>>) -> Result<usize, NameError> {
        if self.end == self.label + 1 {
            self.wire[self.label] = 0; // a final dot: the root label stands behind it
            return Ok(self.end);
        }
        let origin = origin.ok_or(NameError::NoOrigin)?.as_wire();
        self.end_label()?;
        let end = self.label + origin.len();
        let room = self.wire.get_mut(self.label..end).ok_or(NameError::NameTooLong)?;
        room.copy_from_slice(origin);
        Ok(end)
    }
}

impl FromStr for NameBuf {
    type Err = NameError;

    /// Reads a name in full; a missing final dot is supplied.
    fn from_str(text: &str) -> Result<NameBuf, NameError> {
        parse(text.as_bytes(), Some(Name::ROOT))
    }
}

impl fmt::Display for Name<'_> {
    /// The name with its final dot, escaped so that reading it gives the same name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                write_octet(f, octet)?;
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

fn write_octet(f: &mut fmt::Formatter<'_>, octet: u8) -> fmt::Result {
    match octet {
        b'.' | b';' | b'(' | b')' | b'"' | b'\\' | b'@' | b'$' => {
            write!(f, "\\{}", char::from(octet))
        }
        0x21..=0x7e => write!(f, "{}", char::from(octet)),
        _ => write!(f, "\\{octet:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_wire_are_each_others_inverse() {
        for text in [".", "smith.edu.", "a\\.b.c.", "\\000\\255\\032.x.", "*.sites.", "\\@.a."] {
            let name: NameBuf = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn the_short_road_leads_where_the_long_one_does() {
        let origin: NameBuf = "smith.edu.".parse().unwrap();
        let label = |len| "a".repeat(len);
        let mut cases: Vec<String> =
            ["", ".", "..", "a", "a.", "a.b", "a..b", ".a", "a..", "A.b."].map(String::from).into();
        cases.extend([
            label(63),
            label(64),
            label(63) + ".",
            label(64) + ".b",
            "b.".to_string() + &label(64),
        ]);
        cases.extend((120..130).flat_map(|n| [0, 1].map(|b| "a.".repeat(n) + &label(b))));
        cases.extend((240..258).map(|len| "abc.".repeat(65)[..len].to_string()));
        for (text, origin) in
            cases.iter().flat_map(|c| [None, Some(origin.as_name())].map(|o| (c, o)))
        {
            let (mut short, mut long) = ([0; NAME_LEN_MAX], [0; NAME_LEN_MAX]);
            let plain = write_plain(text.as_bytes(), origin, &mut short);
            let whole = write(text.as_bytes(), origin, &mut long);
            assert_eq!(plain.is_some(), whole.is_ok() && text != ".", "{text}");
            assert_eq!(
                plain.map(|len| &short[..len]),
                whole.ok().map(|len| &long[..len]).filter(|_| text != "."),
                "{text}"
            );
        }
    }

    #[test]
    fn each_mistake_has_its_name() {
        let origin = "smith.edu.".parse::<NameBuf>().unwrap();
        let read =
            |text: &str| parse(text.as_bytes(), Some(origin.as_name())).map(|n| n.to_string());
        assert_eq!(read("www"), Ok("www.smith.edu.".into()));
        assert_eq!(read(""), Err(NameError::Empty));
        assert_eq!(read("www..a."), Err(NameError::EmptyLabel));
        assert_eq!(read(".a."), Err(NameError::EmptyLabel));
        assert_eq!(read(".."), Err(NameError::EmptyLabel));
        assert_eq!(read("a\\256."), Err(NameError::BadEscape));
        assert_eq!(read("a\\1"), Err(NameError::BadEscape));
        assert_eq!(read(&"a".repeat(64)), Err(NameError::LabelTooLong));
        assert_eq!(read(&format!("{}.", "a".repeat(63))), Ok(format!("{}.", "a".repeat(63))));
        assert_eq!(read(&"a.".repeat(128)), Err(NameError::NameTooLong));
        assert_eq!(read(&"a.".repeat(127)), Ok("a.".repeat(127)));
        assert_eq!(parse(b"www", None), Err(NameError::NoOrigin));
    }
}
