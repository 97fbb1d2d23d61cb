//! What the program is built from: each dependency has its reason, and none comes twice.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

use std::collections::BTreeMap;

const MANIFEST: &str = include_str!("../Cargo.toml");
const LOCK: &str = include_str!("../Cargo.lock");
const README: &str = include_str!("../README.md");
/// The settings of cargo-deny. A package of ours leaves them out, and this test with them.
const DENY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/deny.toml");

/// The lines of a section of the manifest.
fn section(name: &str) -> impl Iterator<Item = &'static str> {
    let lines = MANIFEST.lines().skip_while(move |line| *line != name).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty())
}

/// Dependencies that stand together, and the comment above them.
fn groups(section_name: &str) -> Vec<(Vec<&'static str>, String)> {
    let mut groups: Vec<(Vec<&str>, String)> = vec![];
    for line in section(section_name) {
        match (line.strip_prefix("# "), groups.last_mut()) {
            (Some(words), Some((crates, reason))) if crates.is_empty() => {
                reason.push_str(&format!(" {words}"));
            }
            (Some(words), _) => groups.push((vec![], words.to_string())),
            (None, Some((crates, _))) => crates.push(first_word(line)),
            (None, None) => panic!("no reason stands above `{line}`"),
        }
    }
    groups.retain(|(crates, _)| !crates.is_empty()); // a comment on the section below
    groups
}

fn first_word(line: &str) -> &str {
    line.split([' ', '=']).next().unwrap()
}

#[test]
fn the_readme_has_each_dependency_with_the_manifests_reason() {
    let table = README.split("## Dependencies\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let shown: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |(crates, reason): (Vec<&str>, String)| {
        let crates: Vec<String> = crates.iter().map(|name| format!("`{name}`")).collect();
        format!("| {} | {reason} |", crates.join(", "))
    };
    let expected: Vec<String> = groups("[dependencies]").into_iter().map(row).collect();
    assert_eq!(shown, expected);
}

#[test]
fn each_dependency_of_the_tests_has_a_reason_of_its_own() {
    let groups = groups("[dev-dependencies]");
    assert!(groups.len() > 1 && groups.iter().all(|(crates, _)| crates.len() == 1), "{groups:?}");
}

#[test]
fn no_crate_comes_in_two_versions_unless_the_settings_say_why() {
    let Ok(deny) = std::fs::read_to_string(DENY) else { return };
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for name in LOCK.lines().filter_map(|line| line.strip_prefix("name = ")) {
        *versions.entry(name.trim_matches('"')).or_default() += 1;
    }
    assert!(versions.len() > 10 && versions.contains_key("mio"), "{versions:?}");
    versions.retain(|name, count| *count > 1 && !deny.contains(&format!("crate = \"{name}@")));
    assert!(
        versions.is_empty(),
        "one of them will do: `cargo tree -d` says who asks: {versions:?}"
    );
}
