//! House rules that no compiler knows, read off the sources: who may use whom, what the core must
//! not touch, how long things may be. Each fault says where it is and what to do about it.

#![allow(clippy::unwrap_used, reason = "a source that cannot be read is a failed test")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where the map stands that says who may use whom: a line of `module → modules` for each.
const MAP: &str = include_str!("../src/lib.rs");
/// The modules in which there is no world.
const CORE: [&str; 13] = [
    "clock", "name", "rr", "diag", "wire", "zonefile", "config", "zone", "answer", "guard",
    "transfer", "respond", "explain",
];
/// What the world is made of, as it is written in paths.
const WORLD: [&str; 13] = [
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "Instant",
    "SystemTime",
    "log",
    "mio",
    "libc",
    "getrandom",
];
/// The one module that may say `unsafe`: what only the C library has.
const UNSAFE: &str = "server/system/";
/// Marks of work that is not done.
const UNFINISHED: [&str; 6] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];
/// Lines of a file, its tests included: more than that has two ideas.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function: it fits a screen.
const FUNCTION_LINES_MAX: usize = 60;

#[test]
fn modules_use_only_what_the_map_allows() {
    let arrows = arrows(MAP);
    let modules: Vec<&str> = arrows.iter().map(|(module, _)| module.as_str()).collect();
    check(|file| {
        let module = file.module.as_str();
        let Some((_, allowed)) = arrows.iter().find(|(from, _)| from == module) else {
            let advice = "is in no row of the arrows in src/lib.rs: add it".to_string();
            return if ["lib", "main"].contains(&module) { vec![] } else { vec![(1, advice)] };
        };
        let wrong =
            |to: &String| to != module && modules.contains(&to.as_str()) && !allowed.contains(to);
        let used = crate_paths(file.production()).into_iter().filter(|(_, to)| wrong(to));
        let advice = "move the code to where both reach it, or argue for an arrow in src/lib.rs";
        used.map(|(line, to)| (line, format!("`{module}` must not use `{to}`: {advice}"))).collect()
    });
}

#[test]
fn the_core_touches_no_world() {
    check(|file| {
        let core = CORE.contains(&file.module.as_str());
        let banned: &[&str] = match file.module.as_str() {
            _ if core => &WORLD,
            "reload" => &["mio"],
            _ => &[],
        };
        find_words(file.production(), banned, |word| {
            format!(
                "`{word}` in `{}`: hand the fact in as an argument, or do it in the shell",
                file.module
            )
        })
    });
}

#[test]
fn unsafe_stands_in_one_module() {
    check(|file| match file.path.starts_with(UNSAFE) {
        true => vec![],
        false => find_words(&file.code, &["unsafe"], |_| {
            format!("`unsafe` outside src/{UNSAFE}: use a safe crate")
        }),
    });
}

#[test]
fn files_and_functions_are_short() {
    check(|file| {
        let lines = file.text.lines().count();
        let mut faults: Vec<(usize, String)> = functions(&file.code)
            .into_iter()
            .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
            .map(|(line, lines)| {
                (
                    line,
                    format!(
                        "a function of {lines} lines, at most {FUNCTION_LINES_MAX}: name its parts"
                    ),
                )
            })
            .collect();
        if lines > FILE_LINES_MAX {
            faults.push((
                1,
                format!("{lines} lines, at most {FILE_LINES_MAX}: split it by its ideas"),
            ));
        }
        faults
    });
}

#[test]
fn nothing_is_left_undone() {
    check(|file| {
        find_words(&file.text, &UNFINISHED, |word| format!("`{word}`: do it, or open an issue"))
    });
}

#[test]
fn each_file_says_what_it_is() {
    let says = |file: &Source| file.text.starts_with("//! ");
    check(|file| match says(file) {
        true => vec![],
        false => vec![(1, "begin with `//!` and the question that this file answers".to_string())],
    });
}

#[test]
fn each_scenario_says_where_it_comes_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let silent: Vec<PathBuf> = files_below(&root, "txt")
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("# "))
        .collect();
    assert!(silent.is_empty(), "begin with `# ` and the rule that it tests: {silent:?}");
}

/// One source file.
struct Source {
    /// Below src/, with `/` between its parts.
    path: String,
    /// The folder or file directly below src/: `wire`, `respond`.
    module: String,
    text: String,
    /// The text with blanks for comments, strings and characters; lines stay where they are.
    code: String,
}

impl Source {
    /// The code without its unit tests, which stand last and may use what helps them.
    fn production(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests").next().unwrap_or("")
    }
}

/// The table of arrows: each module, and the modules it may use. An empty row may use all.
fn arrows(map: &str) -> Vec<(String, Vec<String>)> {
    let text = map.split("//! # Arrows").nth(1).and_then(|rest| rest.split("//! # ").next());
    let text = text.expect("src/lib.rs draws the map below `//! # Arrows`");
    let rows: Vec<(&str, &str)> = text.split('`').filter_map(|code| code.split_once('→')).collect();
    let all: Vec<String> = rows.iter().map(|(from, _)| from.trim().to_string()).collect();
    let allowed = |to: &str| match to.trim() {
        "" => all.clone(),
        names => names.split_whitespace().map(str::to_string).collect(),
    };
    rows.iter().map(|(from, to)| (from.trim().to_string(), allowed(to))).collect()
}

/// Puts all faults of all files into one failure.
fn check(rule: impl Fn(&Source) -> Vec<(usize, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = String::new();
    for path in files_below(&root, "rs") {
        let source = read(&root, &path);
        for (line, fault) in rule(&source) {
            let _ = writeln!(faults, "src/{}:{line}: {fault}", source.path);
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

fn read(root: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_string();
    let code = code_only(&text);
    Source { path, module, text, code }
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The modules named by `crate::module` and `crate::{module, ..}`, with their lines.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        let line = line_of(code, at);
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group).into_iter().map(|name| (line, name))),
            None => found.push((line, first_word(rest))),
        }
    }
    found
}

/// `name::{Name, NameBuf}, rr}` gives `name` and `rr`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 1, 0);
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && char == ',') {
            heads.push(first_word(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|&char| is_word(char)).collect()
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Where one of `words` stands as a word of its own.
fn find_words(text: &str, words: &[&str], fault: impl Fn(&str) -> String) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].chars().next_back().is_some_and(is_word);
            let after = text[at + word.len()..].chars().next().is_some_and(is_word);
            if !before && !after {
                found.push((line_of(text, at), fault(word)));
            }
        }
    }
    found
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// The functions with a body: the line that each starts on, and how many lines it has.
fn functions(code: &str) -> Vec<(usize, usize)> {
    let starts = code.match_indices("fn ").map(|(at, _)| at);
    let starts = starts.filter(|&at| !code[..at].chars().next_back().is_some_and(is_word));
    let measured = starts.filter_map(|at| {
        let body = at + code[at..].find(['{', ';'])?;
        let end = body + matching_brace(code[body..].strip_prefix('{')?)?;
        Some((line_of(code, at), 1 + line_of(code, end) - line_of(code, at)))
    });
    measured.collect()
}

/// Where the brace closes that was opened before `code`.
fn matching_brace(code: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, char) in code.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Blanks out comments, strings and character literals, so that what is left can be counted.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = skipped_len(rest, code.chars().next_back());
        let (taken, after) = rest.split_at(length.max(char.len_utf8()));
        match length {
            0 => code.push(char),
            _ => code.extend(taken.chars().map(|char| if char == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    code
}

/// How long the comment, string or character at the front of `text` is; 0 if there is none.
fn skipped_len(text: &str, before: Option<char>) -> usize {
    let raw = text.trim_start_matches(['b', 'r']);
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let is_raw =
        raw.len() < text.len() && raw[hashes..].starts_with('"') && !before.is_some_and(is_word);
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else if is_raw && text[..text.len() - raw.len()].contains('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        let open = text.len() - raw.len() + hashes + 1;
        text[open..].find(&close).map_or(text.len(), |end| open + end + close.len())
    } else if text.starts_with('"') {
        quoted_len(text, '"')
    } else if text.starts_with('\'') && is_character(text) {
        quoted_len(text, '\'')
    } else {
        0
    }
}

/// `'x'` and `'\n'` are characters, `'a` in `&'a` is a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    matches!((chars.next(), chars.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// The length of a literal between two `quote`s, escapes respected.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        if char == quote && !escaped {
            return at + char.len_utf8();
        }
        escaped = char == '\\' && !escaped;
    }
    text.len()
}

#[test]
fn the_reader_of_sources_reads() {
    let text = [
        "/* { */ fn a() {",
        " let b = \"}\"; // }",
        " let c = '}'; let d: &'static str = r#\"}\"#;",
        "}",
        "fn e();",
    ];
    assert_eq!(functions(&code_only(&text.join("\n"))), [(1, 4)]);
    let uses = "use crate::{name::{Name, NameBuf}, rr};\nuse crate::wire::bits;";
    let found: Vec<String> = crate_paths(uses).into_iter().map(|(_, module)| module).collect();
    assert_eq!(found, ["name", "rr", "wire"]);
    let map = "//! # Arrows\n//! `a → –`, `b → a`,\n//! `c →` all.\n//! # Words `d → a`";
    let rows: Vec<String> =
        arrows(map).iter().map(|(from, to)| format!("{from}: {to:?}")).collect();
    assert_eq!(rows, [r#"a: ["–"]"#, r#"b: ["a"]"#, r#"c: ["a", "b", "c"]"#]);
    assert_eq!(find_words("catalog::x; log::y", &["log"], str::to_string).len(), 1);
}
