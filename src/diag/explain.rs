//! What does a code mean? The guide's page on the codes, section by section.
//!
//! The page is the one source: people read it in `examples/guide`, `check --explain` and SARIF show
//! parts of it, and a test holds that its examples do what it says.

use super::{Code, codes};

/// The guide's page: a section `## Z301: title` for each code, in their order.
pub const PAGE: &str = include_str!("../../examples/guide/codes.md");

/// The code of that name, in any case.
pub fn code(id: &str) -> Option<&'static Code> {
    codes::ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// What the page says of a code, without the heading. Empty if it has no section, which a test
/// holds never to be.
pub fn section(code: &Code) -> &'static str {
    let sections = PAGE.split("\n## ").skip(1);
    let found = sections.filter_map(|section| section.split_once('\n'));
    let mut found = found.filter(|(heading, _)| heading.starts_with(code.id));
    found.next().map_or("", |(_, text)| text.trim())
}

/// The section as text for a terminal: examples are indented instead of fenced.
pub fn text(code: &Code) -> String {
    let mut text = format!("{}: {}\n", code.id, code.title);
    let mut in_example = false;
    for line in section(code).lines() {
        if line.starts_with("```") {
            in_example = !in_example;
            continue;
        }
        let indent = if in_example { "    " } else { "" };
        text.push('\n');
        text.push_str(if line.is_empty() { "" } else { indent });
        text.push_str(line);
    }
    text
}

/// All codes, a line each.
pub fn list() -> String {
    let line = |code: &&Code| format!("{} {:<7} {}", code.id, code.severity.word(), code.title);
    codes::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_and_its_example_indented() {
        let code = code("z301").unwrap();
        let text = text(code);
        assert!(text.starts_with("Z301: a final dot is missing\n\nA name"), "{text}");
        assert!(text.contains("\nWrong:\n    $TTL 3600\n") && !text.contains("```"), "{text}");
        assert!(super::code("Z999").is_none());
    }
}
