//! `; zonesmith: allow(Z301)`: which warnings and notes did the author of a file say he knows about?
//!
//! The comment stands on the record's line, or on any line of a record of several; it may name several
//! codes, with commas between. It never silences an error in the file; what only a comparison with the
//! version before makes an error ([`Report::allows`]), it does. A file is searched for it
//! only where there is something to silence, so that it costs nothing otherwise.

use super::{Diagnostic, Report, SourceMap};

/// What the comment begins with, behind its semicolon and blanks.
const MARK: &str = "zonesmith:";

impl Report {
    /// Takes out the warnings and notes that a comment at their place allows.
    pub fn drop_allowed(&mut self) {
        let Report { sources, findings } = self;
        findings.retain(|finding| finding.is_error() || !is_allowed(finding, sources));
    }

    /// Whether a comment at its place allows a finding that is not in the report yet: for one that
    /// comes of a comparison, and is an error unless the author says that he means it.
    pub fn allows(&self, finding: &Diagnostic) -> bool {
        is_allowed(finding, &self.sources)
    }
}

/// Whether a line of the entry that the finding is in allows its code.
fn is_allowed(finding: &Diagnostic, sources: &SourceMap) -> bool {
    let text = &sources.get(finding.entry.source).text;
    let from = sources.line(finding.entry).start;
    let end = (finding.entry.end as usize).clamp(from, text.len());
    let mut lines = text[from..].split(|&octet| octet == b'\n');
    let mut at = from;
    let mut within = lines.by_ref().take_while(|line| {
        let is_within = at <= end || line.trim_ascii_start().starts_with(b")");
        at += line.len() + 1;
        is_within
    });
    let mut quoted = false;
    within.any(|line| {
        comment(line, &mut quoted).is_some_and(|comment| allows(comment, finding.code.id))
    })
}

/// Whether a comment allows a code.
fn allows(comment: &[u8], id: &str) -> bool {
    let comment = String::from_utf8_lossy(comment);
    comment.match_indices(MARK).any(|(at, mark)| {
        let list = comment[at + mark.len()..].trim_start().strip_prefix("allow(");
        let codes = list.and_then(|list| list.split(')').next()).unwrap_or_default();
        codes.split(',').any(|code| code.trim().eq_ignore_ascii_case(id))
    })
}

/// What stands behind the semicolon of a line, see [`comment_start`].
fn comment<'l>(line: &'l [u8], quoted: &mut bool) -> Option<&'l [u8]> {
    comment_start(line, quoted).map(|at| &line[at + 1..])
}

/// Where the comment of a line starts: with the semicolon that is in no quotes and behind no backslash.
/// `quoted` says whether the line begins inside a string, and then whether it ends inside one.
pub(super) fn comment_start(line: &[u8], quoted: &mut bool) -> Option<usize> {
    let mut at = 0;
    while let Some(&octet) = line.get(at) {
        match octet {
            b'\\' => at += 1,
            b'"' => *quoted = !*quoted,
            b';' if !*quoted => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Span, codes};

    /// Whether a finding about `word` in an entry that ends with `last` is left in `text`.
    fn is_left(text: &str, code: &'static Code, word: &str, last: &str) -> bool {
        let mut report = Report::default();
        let source = report.sources.add("a.zone".into(), text.into()).unwrap();
        let place = |word: &str| u32::try_from(text.find(word).unwrap()).unwrap();
        let span = Span { source, start: place(word), end: place(word) + 1 };
        let mut finding = Diagnostic::new(code, span, "");
        finding.entry = Span { source, start: 0, end: place(last) + 1 };
        report.findings.push(finding);
        report.drop_allowed();
        !report.findings.is_empty()
    }

    #[test]
    fn on_the_line_and_for_the_code_that_it_names() {
        let left = |comment: &str| {
            is_left(&format!("a NS ns ; {comment}\nb A 1"), &codes::MISSING_DOT, "ns", "ns")
        };
        assert!(!left("zonesmith: allow(Z301)"));
        assert!(!left("known. zonesmith:allow( z204 , z301 ) and more"));
        assert!(left("zonesmith: allow(Z302)"));
        assert!(left("zonesmith: allow Z301"));
        assert!(left("allow(Z301)"));
        assert!(left("\n; zonesmith: allow(Z301)"), "another line is another matter");
    }

    #[test]
    fn on_any_line_of_a_record_of_several() {
        let text = "a SOA x ( 1 ; one\n 2 ; zonesmith: allow(Z309)\n 3\n) ; end\n";
        assert!(!is_left(text, &codes::NEGATIVE_TTL_LONG, "3", "3"));
        let text = "a SOA x ( 1\n 3\n ) ; zonesmith: allow(Z309)\n";
        assert!(!is_left(text, &codes::NEGATIVE_TTL_LONG, "3", "3"));
    }

    #[test]
    fn a_string_is_no_comment_and_an_error_no_warning() {
        let text = "a TXT \"; zonesmith: allow(Z209)\" x";
        assert!(is_left(text, &codes::DUPLICATE, "x", "x"));
        let text = "a TXT \"b\n; zonesmith: allow(Z209)\" x";
        assert!(is_left(text, &codes::DUPLICATE, "x", "x"), "nor is one of several lines");
        let text = "a TXT \"b\nc\" x ; zonesmith: allow(Z209)";
        assert!(!is_left(text, &codes::DUPLICATE, "x", "x"));
        let text = "a A 1 ; zonesmith: allow(Z106)";
        assert!(is_left(text, &codes::BAD_DATA, "1", "1"));
    }
}
