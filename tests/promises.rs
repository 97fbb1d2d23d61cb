//! What SECURITY.md promises is held by tests: each promise names some, and they are there.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

use std::path::Path;

const SECURITY: &str = include_str!("../SECURITY.md");

#[test]
fn each_promise_names_tests_that_are_there() {
    let promises = promises();
    assert!(promises.len() > 10, "{promises:#?}");
    for promise in &promises {
        let holders = holders(promise);
        assert!(!holders.is_empty() || promise.ends_with(':'), "nothing holds: {promise}");
        for (file, tests) in holders {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            assert!(path.exists(), "there is no {file}: {promise}");
            assert!(!tests.is_empty() || path.is_dir(), "which test of {file}? {promise}");
            for test in tests {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.contains(&format!("fn {test}()")), "{file} has no test {test}");
            }
        }
    }
}

/// The paragraphs and list items below a heading.
fn promises() -> Vec<String> {
    let section = SECURITY.split("## What is promised\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap().replace("\n- ", "\n\n- ");
    let parts = section.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>());
    parts.map(|words| words.join(" ")).filter(|part| part.starts_with(['*', '-'])).collect()
}

/// The files that are named, with the tests that are named behind each.
fn holders(promise: &str) -> Vec<(&str, Vec<&str>)> {
    let Some((_, list)) = promise.rsplit_once("(`") else { return vec![] };
    let mut holders: Vec<(&str, Vec<&str>)> = vec![];
    for word in list.split('`').step_by(2) {
        match holders.last_mut() {
            Some((_, tests)) if !word.contains('/') => tests.push(word),
            _ => holders.push((word, vec![])),
        }
    }
    holders
}
