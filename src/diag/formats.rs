//! Findings for machines: GitHub's workflow commands, JSON, and SARIF 2.1.0.
//!
//! A [`Located`] finding has its places as numbers, so that it can outlive the text it is about.
//! Columns count characters from 1, as these formats want it; where text is ASCII that is what
//! [`render`](super::render) shows too. A span of several lines is cut at the end of its first.

use super::render::printable;
use super::{Code, Diagnostic, Edit, Severity, SourceMap, Span, codes, explain};
use serde_json::{Value, json};

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path as the user wrote it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The first column, from 1.
    pub column: usize,
    /// The column after the last.
    pub end_column: usize,
}

/// A finding with its places worked out.
#[derive(Clone, Debug)]
pub struct Located {
    code: &'static Code,
    place: Place,
    message: String,
    label: String,
    help: Option<String>,
    related: Vec<(Place, String)>,
    edits: Vec<Replacement>,
}

/// One edit of a fix, from a line and column up to another.
#[derive(Clone, Debug)]
struct Replacement {
    start: (usize, usize),
    end: (usize, usize),
    text: String,
}

impl Replacement {
    fn of(edit: &Edit, sources: &SourceMap) -> Replacement {
        let at = |offset| {
            let place = Place::of(Span { start: offset, end: offset, ..edit.span }, sources);
            (place.line, place.column)
        };
        let Span { start, end, .. } = edit.span;
        Replacement { start: at(start), end: at(end), text: edit.text.clone() }
    }

    fn to_json(&self) -> Value {
        json!({
            "line": self.start.0,
            "column": self.start.1,
            "end_line": self.end.0,
            "end_column": self.end.1,
            "text": self.text,
        })
    }

    /// As SARIF has it (§3.57).
    fn to_sarif(&self) -> Value {
        json!({
            "deletedRegion": {
                "startLine": self.start.0,
                "startColumn": self.start.1,
                "endLine": self.end.0,
                "endColumn": self.end.1,
            },
            "insertedContent": { "text": self.text },
        })
    }
}

impl Place {
    fn of(span: Span, sources: &SourceMap) -> Place {
        let line = sources.line(span);
        let start = (span.start as usize).saturating_sub(line.start).min(line.text.len());
        let end = (span.end as usize).saturating_sub(line.start).clamp(start, line.text.len());
        let column = |octets| 1 + String::from_utf8_lossy(octets).chars().count();
        let (column, end_column) = (column(&line.text[..start]), column(&line.text[..end]));
        let file = sources.get(span.source).name.clone();
        Place { file, line: line.number, column, end_column }
    }

    /// As SARIF has it (§3.29).
    fn to_sarif(&self) -> Value {
        json!({
            "artifactLocation": { "uri": uri(&self.file) },
            "region": {
                "startLine": self.line,
                "startColumn": self.column,
                "endColumn": self.end_column,
            },
        })
    }
}

impl Located {
    /// Works out the places of a finding.
    pub fn new(finding: &Diagnostic, sources: &SourceMap) -> Located {
        let related = finding.related.iter();
        let edits = finding.fix.iter().flat_map(|fix| &fix.edits);
        Located {
            code: finding.code,
            place: Place::of(finding.span, sources),
            message: printable(finding.message.as_bytes()),
            label: finding.label.clone(),
            help: finding.help.clone(),
            related: related.map(|(s, words)| (Place::of(*s, sources), words.clone())).collect(),
            edits: edits.map(|edit| Replacement::of(edit, sources)).collect(),
        }
    }

    fn to_json(&self) -> Value {
        let related = self.related.iter().map(|(place, message)| {
            json!({
                "file": place.file,
                "line": place.line,
                "column": place.column,
                "end_column": place.end_column,
                "message": message,
            })
        });
        json!({
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "end_column": self.place.end_column,
            "code": self.code.id,
            "severity": self.code.severity.word(),
            "message": self.message,
            "label": self.label,
            "help": self.help,
            "related": related.collect::<Vec<_>>(),
            "fix": self.edits.iter().map(Replacement::to_json).collect::<Vec<_>>(),
        })
    }

    /// As SARIF has it (§3.27).
    fn to_sarif(&self) -> Value {
        let rule = codes::ALL.iter().position(|code| code.id == self.code.id);
        let related = self.related.iter().map(|(place, message)| {
            json!({ "physicalLocation": place.to_sarif(), "message": { "text": message } })
        });
        json!({
            "ruleId": self.code.id,
            "ruleIndex": rule,
            "level": self.code.severity.word(),
            "message": { "text": self.text() },
            "locations": [{ "physicalLocation": self.place.to_sarif() }],
            "relatedLocations": related.collect::<Vec<_>>(),
            "fixes": self.sarif_fixes(),
        })
    }

    /// As SARIF has it (§3.55): none, or one that changes the finding's file.
    fn sarif_fixes(&self) -> Vec<Value> {
        let replacements: Vec<Value> = self.edits.iter().map(Replacement::to_sarif).collect();
        let fix = json!({ "artifactChanges": [{
            "artifactLocation": { "uri": uri(&self.place.file) },
            "replacements": replacements,
        }] });
        if self.edits.is_empty() { Vec::new() } else { vec![fix] }
    }

    /// The message, and the help below it.
    fn text(&self) -> String {
        let label = Some(&self.label).filter(|label| !label.is_empty());
        let parts = std::iter::once(&self.message).chain(label).chain(&self.help);
        parts.map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// A workflow command that puts the finding beside the line in a pull request.
pub fn github(found: &Located) -> String {
    let Place { file, line, column, .. } = &found.place;
    let word = match found.code.severity {
        Severity::Note => "notice", // GitHub's own word
        severity => severity.word(),
    };
    let id = found.code.id;
    let (file, text) = (property(file), data(&found.text()));
    let file = file.strip_prefix("./").unwrap_or(&file); // GitHub compares it with its own paths
    format!("::{word} file={file},line={line},col={column},title={id}::{text}")
}

/// An array with an object for each finding.
pub fn json(found: &[Located]) -> String {
    format!("{:#}", Value::Array(found.iter().map(Located::to_json).collect()))
}

/// A log of one run, with a rule for each code.
pub fn sarif(found: &[Located]) -> String {
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes::ALL.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": found.iter().map(Located::to_sarif).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}")
}

fn rule(code: &Code) -> Value {
    json!({
        "id": code.id,
        "shortDescription": { "text": code.title },
        "help": { "text": explain::text(code), "markdown": explain::section(code) },
        "defaultConfiguration": { "level": code.severity.word() },
    })
}

impl Severity {
    /// The word that says it, in every format but GitHub's.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// The text of a workflow command; what would end it is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A path as a URI reference (RFC 3986): relative as it is, absolute with its scheme.
fn uri(path: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let escaped = path.strip_prefix("./").unwrap_or(path).bytes().map(|octet| match plain(octet) {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    });
    format!("{scheme}{}", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located() -> Located {
        let mut sources = SourceMap::default();
        let text = "; ü\nww\u{fc} AA 100%\n".as_bytes().to_vec();
        let source = sources.add("my zones/a,b.zone".into(), text).unwrap();
        let place = |start, end| Span { source, start, end };
        let finding = Diagnostic::new(&codes::BAD_TYPE, place(10, 12), "`AA` is no type: 100%")
            .label("here")
            .related(place(5, 40), "more\nwords")
            .help("write A");
        Located::new(&finding, &sources)
    }

    #[test]
    fn places_count_characters_and_end_with_their_line() {
        let found = located();
        let place = |column, end_column| Place { column, end_column, ..found.place.clone() };
        assert_eq!((found.place.line, &found.place), (2, &place(5, 7)));
        assert_eq!(found.related[0].0, place(1, 12));
    }

    #[test]
    fn a_workflow_command_is_one_line_whatever_the_text() {
        let expected = "::error file=my zones/a%2Cb.zone,line=2,col=5,title=Z103::\
                        `AA` is no type: 100%25%0Ahere%0Awrite A";
        assert_eq!(github(&located()), expected);
    }

    #[test]
    fn json_and_sarif_can_be_read_back() {
        let found = [located()];
        let value: Value = serde_json::from_str(&json(&found)).unwrap();
        assert_eq!(value[0]["message"], "`AA` is no type: 100%");
        assert_eq!(value[0]["related"][0]["message"], "more\nwords");
        let read: Value = serde_json::from_str(&sarif(&found)).unwrap();
        let run = &read["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), codes::ALL.len());
        let result = &run["results"][0];
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], codes::ALL[rule].id);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20zones/a%2Cb.zone");
    }
}
