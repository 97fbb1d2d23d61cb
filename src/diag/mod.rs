//! Talking to people about their files: what was found, where, and what to do next.
//!
//! A [`Diagnostic`] is a value: a stable [`Code`], one [`Span`] it is about, further places that
//! explain it, and help. The parser and the zone builder make them; [`render`] turns them into the
//! text that `check` and the server's log show, [`formats`] into what machines read, and [`explain`]
//! has a longer text on each code. A comment in the file can silence a warning or a note. Spans point into a
//! [`SourceMap`], which holds the bytes of each file that was read, so that a finding can always show
//! its line.

mod allow;
pub mod codes;
pub mod explain;
pub mod fix;
pub mod formats;
pub mod render;
pub mod source;

pub use codes::{Code, Severity};
pub use fix::{Edit, Fix, Meant};
pub use source::{SourceId, SourceMap, Span};

/// One finding about a zone file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind of finding this is: one row of the table of codes.
    pub code: &'static Code,
    /// The text it is about.
    pub span: Span,
    /// The record or directive that the span is in; a comment on one of its lines can silence it.
    pub entry: Span,
    /// What is wrong, in one line, without a full stop.
    pub message: String,
    /// What stands under the span's carets; may be empty.
    pub label: String,
    /// Other places that explain the finding, each with its words.
    pub related: Vec<(Span, String)>,
    /// What to write or do instead.
    pub help: Option<String>,
    /// What cannot be wrong to write instead.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding of kind `code` at `span`.
    pub fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            span,
            entry: span,
            message: message.into(),
            label: String::new(),
            related: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// Puts words under the carets.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// Shows another place.
    #[must_use]
    pub fn related(mut self, span: Span, words: impl Into<String>) -> Diagnostic {
        self.related.push((span, words.into()));
        self
    }

    /// Says what to write or do instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Whether the zone cannot be served because of it.
    pub fn is_error(&self) -> bool {
        self.code.severity == Severity::Error
    }
}

/// Everything found in one zone file and the files it includes, with their text.
#[derive(Debug, Default)]
pub struct Report {
    /// The files that were read.
    pub sources: SourceMap,
    /// What was found in them.
    pub findings: Vec<Diagnostic>,
}

impl Report {
    /// The number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.code.severity == severity).count()
    }

    /// How much the gravest finding matters; `None` if nothing was found.
    pub fn gravest(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.code.severity).max()
    }

    /// Whether an error was found.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }

    /// Puts the findings in the order of the text: by file as read, then by place.
    pub fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.span.source, finding.span.start));
    }
}
