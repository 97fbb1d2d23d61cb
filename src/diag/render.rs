//! A report as text: each finding with its line, its carets and its help, as rustc shows them.

use super::{Diagnostic, Report, Severity, SourceId, SourceMap, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// The longest part of a line that is shown, in octets: a record can be a megabyte long.
const SHOWN_LEN_MAX: usize = 240;
/// Places of one file so many lines apart are shown as one excerpt; the renderer goes through every
/// line between them.
const LINES_APART_MAX: usize = 1000;
/// Places so many lines apart are shown with what is between them; else the renderer leaves that out.
const LINES_BETWEEN_MAX: usize = 2;

/// All findings of a report, each with its source line. `color` adds terminal colours.
pub fn report(report: &Report, color: bool) -> String {
    let texts = report.findings.iter().map(|finding| one(finding, &report.sources, color));
    texts.collect::<Vec<_>>().join("\n\n")
}

/// One finding with its source line.
pub fn one(finding: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let excerpts = excerpts(finding, sources);
    let mut group = Group::with_title(
        level(finding.code.severity).primary_title(finding.message.as_str()).id(finding.code.id),
    );
    for excerpt in &excerpts {
        let whole_file = excerpt.text.is_empty() && excerpt.line_start == 1;
        group = match whole_file {
            true => group.element(Origin::path(excerpt.file)),
            false => group.element(excerpt.snippet()),
        };
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// One finding in one line: `zones/a.zone:14:20: error[Z204]: …`.
pub fn line(finding: &Diagnostic, sources: &SourceMap) -> String {
    line_as(finding, sources, finding.code.severity.word())
}

/// One finding in one line with another word for its severity: `a.zone:14:20: fixed[Z209]: …`.
pub fn line_as(finding: &Diagnostic, sources: &SourceMap, word: &str) -> String {
    let place = sources.place(finding.span);
    let line = format!("{place}: {word}[{}]: {}", finding.code.id, finding.message);
    printable(line.as_bytes()) // the message repeats what the file says
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// What is shown of the files: the places of the primary span's file near it in one excerpt, each
/// other place in one of its own.
fn excerpts<'a>(finding: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Excerpt<'a>> {
    let primary = Window::of(sources, finding.span, &finding.label);
    let related = finding.related.iter().map(|(span, words)| Window::of(sources, *span, words));
    let (mut near, mut others) = (Vec::new(), Vec::new());
    for window in related {
        if primary.goes_with(&window) { near.push(window) } else { others.push(window) }
    }
    let mut excerpts = vec![Excerpt::join(sources, primary, near)];
    excerpts.extend(others.into_iter().map(|other| Excerpt::of(other, AnnotationKind::Context)));
    excerpts
}

/// The part of a line around a span, as text that is safe to print, and where the span is in it.
struct Window<'a> {
    source: SourceId,
    file: &'a str,
    line_number: usize,
    text: String,
    span: Range<usize>,
    label: &'a str,
}

impl<'a> Window<'a> {
    fn of(sources: &'a SourceMap, span: Span, label: &'a str) -> Window<'a> {
        let line = sources.line(span);
        let start = (span.start as usize).saturating_sub(line.start).min(line.text.len());
        let end = (span.end as usize).saturating_sub(line.start).clamp(start, line.text.len());
        let from = if start > SHOWN_LEN_MAX / 2 { start - SHOWN_LEN_MAX / 4 } else { 0 };
        let to = line.text.len().min(from + SHOWN_LEN_MAX);
        let before = printable(&line.text[from..start.min(to)]);
        let under = printable(&line.text[start.min(to)..end.min(to)]);
        let after = printable(&line.text[end.min(to)..to]);
        let (source, file) = (span.source, sources.get(span.source).name.as_str());
        let span = before.len()..before.len() + under.len();
        let text = format!("{before}{under}{after}");
        Window { source, file, line_number: line.number, text, span, label }
    }

    /// Whether both can stand in one excerpt: near enough, and a line that both show shown alike.
    fn goes_with(&self, other: &Window<'_>) -> bool {
        self.source == other.source
            && self.line_number.abs_diff(other.line_number) <= LINES_APART_MAX
            && (self.line_number != other.line_number || self.text == other.text)
    }
}

/// Lines of one file, and what is marked in them.
struct Excerpt<'a> {
    file: &'a str,
    line_start: usize,
    text: String,
    marks: Vec<(AnnotationKind, Range<usize>, &'a str)>,
}

impl<'a> Excerpt<'a> {
    fn of(window: Window<'a>, kind: AnnotationKind) -> Excerpt<'a> {
        let Window { file, line_number, text, span, label, .. } = window;
        Excerpt { file, line_start: line_number, text, marks: vec![(kind, span, label)] }
    }

    /// Puts the lines of all windows below each other. Lines between them that will not be shown
    /// are empty.
    fn join(sources: &SourceMap, primary: Window<'a>, near: Vec<Window<'a>>) -> Excerpt<'a> {
        let source = primary.source;
        let mut windows: Vec<_> = vec![(AnnotationKind::Primary, primary)];
        windows.extend(near.into_iter().map(|window| (AnnotationKind::Context, window)));
        windows.sort_by_key(|(_, window)| window.line_number); // stable: the primary one first
        let mut windows = windows.into_iter();
        let (kind, first) = windows.next().expect("the primary window is there");
        let (mut last, mut last_text) = (first.line_number, first.text.clone());
        let mut excerpt = Excerpt::of(first, kind);
        for (kind, window) in windows {
            if window.line_number == last && window.text != last_text {
                continue; // a very long line, shown at another part
            }
            for number in last + 1..=window.line_number {
                excerpt.text.push('\n');
                if number == window.line_number {
                    excerpt.text.push_str(&window.text);
                } else if window.line_number - last <= LINES_BETWEEN_MAX {
                    let line = sources.line_of_number(source, number).text;
                    excerpt.text.push_str(&printable(&line[..line.len().min(SHOWN_LEN_MAX)]));
                }
            }
            let start = excerpt.text.len() - window.text.len();
            let span = start + window.span.start..start + window.span.end;
            excerpt.marks.push((kind, span, window.label));
            (last, last_text) = (window.line_number, window.text);
        }
        excerpt
    }

    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let marks = self.marks.iter().map(|(kind, span, label)| {
            kind.span(span.clone()).label((!label.is_empty()).then_some(*label))
        });
        Snippet::source(self.text.as_str())
            .path(self.file)
            .line_start(self.line_start)
            .annotations(marks)
    }
}

/// Text for a terminal: control characters and stray octets become `\u{fffd}`, tabs one space.
pub fn printable(octets: &[u8]) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    String::from_utf8_lossy(octets).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes;

    /// The lines of the excerpt, from a finding about the first `primary` with a related place at
    /// the first `other`.
    fn shown(text: &str, primary: &str, other: &str) -> String {
        let mut sources = SourceMap::default();
        let source = sources.add("a.zone".into(), text.into()).unwrap();
        let span = |word: &str| {
            let start = u32::try_from(text.find(word).unwrap()).unwrap();
            Span { source, start, end: start + u32::try_from(word.len()).unwrap() }
        };
        let finding = Diagnostic::new(&codes::DUPLICATE, span(primary), "again")
            .related(span(other), "first");
        let text = one(&finding, &sources, false);
        let lines = text.lines().filter(|line| !line.ends_with('|')).map(str::trim_end).skip(1);
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn places_near_each_other_stand_in_one_excerpt() {
        let expected =
            [" --> a.zone:3:1", "1 | one", "  | --- first", "2 | two", "3 | three", "  | ^^^^^"];
        assert_eq!(shown("one\ntwo\nthree\n", "three", "one"), expected.join("\n"));
        let far = format!("one\n{}three\n", "\n".repeat(100));
        let expected = [
            "   --> a.zone:102:1",
            "  1 | one",
            "    | --- first",
            "...",
            "102 | three",
            "    | ^^^^^",
        ];
        assert_eq!(shown(&far, "three", "one"), expected.join("\n"));
    }

    #[test]
    fn places_far_apart_stand_in_two_excerpts() {
        let far = format!("one\n{}three\n", "\n".repeat(LINES_APART_MAX));
        assert!(shown(&far, "three", "one").contains("::: a.zone:1:1"));
    }

    #[test]
    fn two_places_of_one_line_share_it() {
        assert_eq!(
            shown("one two\n", "two", "one"),
            " --> a.zone:1:5\n1 | one two\n  | --- ^^^\n  | first"
        );
    }
}
