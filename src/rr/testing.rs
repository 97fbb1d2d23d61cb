//! What the unit tests here share: data read from a line and printed again.

use super::text::{DataError, Word, Words};
use super::{print, table, text};

/// Reads `TYPE data…`; names without a final dot are relative to the root.
pub(super) fn read(line: &str) -> Result<Vec<u8>, DataError> {
    let words = split(line.as_bytes());
    let row = table::by_mnemonic(words[0].of(line.as_bytes())).unwrap();
    let words = Words::new(line.as_bytes(), &words[1..], Some(crate::name::Name::ROOT));
    let mut out = Vec::new();
    text::parse(row, words, &mut out).map(|()| out)
}

/// Reads `TYPE data…` and prints the data.
pub(super) fn show(line: &str) -> String {
    let mnemonic = line.split(' ').next().unwrap();
    let row = table::by_mnemonic(mnemonic.as_bytes()).unwrap();
    print::display(row.rtype, &read(line).unwrap()).to_string()
}

/// Words between blanks; quotes hold one together.
fn split(line: &[u8]) -> Vec<Word> {
    let (mut words, mut at) = (Vec::new(), 0);
    while at < line.len() {
        let quoted = line[at] == b'"';
        let start = at + usize::from(quoted);
        let (mut end, mut inside) = (start, quoted);
        while end < line.len() && (inside || line[end] != b' ') && !(quoted && line[end] == b'"') {
            inside ^= line[end] == b'"';
            end += if line[end] == b'\\' { 2 } else { 1 };
        }
        let place = |at: usize| u32::try_from(at).unwrap();
        words.push(Word { start: place(start), end: place(end), quoted });
        at = end + usize::from(quoted) + 1;
    }
    words
}
