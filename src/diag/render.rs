//! A report as text: each finding with its line, its carets and its help, as rustc shows them.

use super::{Diagnostic, Report, Severity, SourceMap, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// The longest part of a line that is shown, in octets: a record can be a megabyte long.
const SHOWN_LEN_MAX: usize = 240;

/// All findings of a report, each with its source line. `color` adds terminal colours.
pub fn report(report: &Report, color: bool) -> String {
    let texts = report.findings.iter().map(|finding| one(finding, &report.sources, color));
    texts.collect::<Vec<_>>().join("\n\n")
}

/// One finding with its source line.
pub fn one(finding: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let mut windows = vec![Window::of(sources, finding.span)];
    windows.extend(finding.related.iter().map(|&(span, _)| Window::of(sources, span)));
    let labels = std::iter::once(&finding.label).chain(finding.related.iter().map(|r| &r.1));
    let mut group = Group::with_title(
        level(finding.code.severity).primary_title(finding.message.as_str()).id(finding.code.id),
    );
    for (at, (window, label)) in windows.iter().zip(labels).enumerate() {
        let kind = if at == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        group = group.element(window.snippet(kind, label));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// One finding in one line: `zones/a.zone:14:20: error[Z204]: …`.
pub fn line(finding: &Diagnostic, sources: &SourceMap) -> String {
    let word = match finding.code.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = sources.place(finding.span);
    let line = format!("{place}: {word}[{}]: {}", finding.code.id, finding.message);
    printable(line.as_bytes()) // the message repeats what the file says
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    }
}

/// The part of a line around a span, as text that is safe to print, and where the span is in it.
struct Window<'a> {
    file: &'a str,
    line_number: usize,
    text: String,
    span: Range<usize>,
}

impl<'a> Window<'a> {
    fn of(sources: &'a SourceMap, span: Span) -> Window<'a> {
        let line = sources.line(span);
        let start = (span.start as usize).saturating_sub(line.start).min(line.text.len());
        let end = (span.end as usize).saturating_sub(line.start).clamp(start, line.text.len());
        let from = if start > SHOWN_LEN_MAX / 2 { start - SHOWN_LEN_MAX / 4 } else { 0 };
        let to = line.text.len().min(from + SHOWN_LEN_MAX);
        let before = printable(&line.text[from..start.min(to)]);
        let under = printable(&line.text[start.min(to)..end.min(to)]);
        let after = printable(&line.text[end.min(to)..to]);
        let file = sources.get(span.source).name.as_str();
        let span = before.len()..before.len() + under.len();
        Window { file, line_number: line.number, text: format!("{before}{under}{after}"), span }
    }

    fn snippet(
        &'a self,
        kind: AnnotationKind,
        label: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotation = kind.span(self.span.clone()).label((!label.is_empty()).then_some(label));
        Snippet::source(self.text.as_str())
            .path(self.file)
            .line_start(self.line_number)
            .annotation(annotation)
    }
}

/// Text for a terminal: control characters and stray octets become `\u{fffd}`, tabs one space.
fn printable(octets: &[u8]) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    String::from_utf8_lossy(octets).chars().map(shown).collect()
}
