//! Fixes: what records should say, where that cannot be wrong, and the edits that write it.
//!
//! Who makes a finding knows what its records should say, but not how they stand in the file: it
//! gives [`Change`]s, [`crate::zonefile`] turns them into [`Edit`]s where the text lets it, and a
//! finding that has none has no fix. A guess, however good, is help and no fix.

use super::{Code, Span, codes};

/// The codes whose findings may have a fix; the guide says so of each.
pub const MENDABLE: [&Code; 7] = [
    &codes::TTL_DIFFERS,
    &codes::DUPLICATE,
    &codes::MISSING_DOT,
    &codes::OWNER_DOUBLED,
    &codes::TEXT_CUT,
    &codes::MAILBOX_AT,
    &codes::STRING_LONG,
];

/// How a finding is put right.
#[derive(Clone, Debug, Default)]
pub struct Fix {
    /// What becomes of the records.
    pub changes: Vec<Change>,
    /// How that is written. None as long as nobody looked at the text, and for records of included
    /// files: another zone may include them under another origin.
    pub edits: Vec<Edit>,
}

/// What becomes of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the record stands.
    pub record: Span,
    /// What it should say.
    pub meant: Meant,
}

/// What a record should say. Names and data are in wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Nothing: the zone has it already.
    Gone,
    /// The same with this TTL.
    Ttl(u32),
    /// The same with this owner.
    Owner(Vec<u8>),
    /// The same with the name `to` in its data instead of `from`.
    Name {
        /// What the data say.
        from: Vec<u8>,
        /// What was meant.
        to: Vec<u8>,
    },
    /// The same, its strings written as they are cut.
    Cut,
    /// The same with its strings joined into one, a blank between each two.
    Text {
        /// The strings.
        from: Vec<u8>,
        /// The one string.
        to: Vec<u8>,
    },
}

/// A piece of a file, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes; empty where something is put in.
    pub span: Span,
    /// What comes.
    pub text: String,
}

impl Fix {
    /// A fix that changes records in one way.
    pub fn of(records: impl IntoIterator<Item = Span>, meant: &Meant) -> Fix {
        let change = |record| Change { record, meant: meant.clone() };
        Fix { changes: records.into_iter().map(change).collect(), edits: Vec::new() }
    }
}

/// The text with all edits made; they do not overlap.
pub fn apply<'e>(text: &[u8], edits: impl Iterator<Item = &'e Edit>) -> Vec<u8> {
    let mut edits: Vec<&Edit> = edits.collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(edit.text.as_bytes());
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}
