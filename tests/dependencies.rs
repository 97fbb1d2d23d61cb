//! What the program is built from: each dependency has its reason, none comes twice, and licences and
//! sources are those that the settings of cargo-deny allow. They are held here too, since that program
//! takes long to build: who has it gets the same from it.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

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

#[test]
fn licences_sources_and_crates_are_as_the_settings_allow() {
    let Ok(deny) = std::fs::read_to_string(DENY) else { return };
    let packages = packages();
    assert!(packages.len() > 50, "{} crates", packages.len());
    let settings = Settings::read(&deny);
    let faults: Vec<String> = packages.iter().filter_map(|it| settings.fault(it)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What the settings allow and forbid.
struct Settings {
    licences: Vec<String>,
    /// A crate and one licence more that it may have.
    exceptions: Vec<(String, String)>,
    banned: Vec<String>,
    registries: Vec<String>,
}

impl Settings {
    /// Reads the lines that are used in the file: `key = ["a", "b"]`, and one inline table a line.
    fn read(deny: &str) -> Settings {
        let list = |key: &str| {
            let line = deny.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ["));
            quoted(line.unwrap_or_else(|| panic!("no `{key} = [` in .ci/deny.toml")))
        };
        let (mut banned, mut exceptions) = (vec![], vec![]);
        for line in deny.lines().filter(|line| line.starts_with("    { crate")) {
            match quoted(line).as_slice() {
                [name, licence] if line.contains("allow = ") => {
                    exceptions.push((name.clone(), licence.clone()));
                }
                [name, _reason] if name.contains('@') => {} // of which there may be two versions
                [name, _reason] => banned.push(name.clone()),
                words => panic!("`{line}` has {words:?}"),
            }
        }
        assert!(!banned.is_empty() && !exceptions.is_empty(), "the settings are read wrongly");
        Settings { licences: list("allow"), exceptions, banned, registries: list("allow-registry") }
    }

    /// What is wrong with a crate.
    fn fault(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap();
        let source = package["source"].as_str().map(|source| source.replacen("registry+", "", 1));
        let licence = package["license"].as_str().unwrap_or("none");
        let wildcard =
            package["dependencies"].as_array().unwrap().iter().any(|it| it["req"] == "*");
        if self.banned.iter().any(|banned| banned == name) {
            Some(format!("{name} is banned"))
        } else if source.as_ref().is_some_and(|source| !self.registries.contains(source)) {
            Some(format!("{name} comes from {source:?}"))
        } else if !self.allows(name, licence) {
            Some(format!("{name} has the licence {licence}"))
        } else {
            (source.is_none() && wildcard).then(|| format!("{name} takes any version of a crate"))
        }
    }

    /// Whether each part of a licence (SPDX, or with `/` for OR as was once the custom) is allowed.
    fn allows(&self, name: &str, licence: &str) -> bool {
        let excepted = |one: &str| self.exceptions.iter().any(|it| it.0 == name && it.1 == one);
        let allowed = |one: &str| self.licences.iter().any(|it| it == one) || excepted(one);
        licence.split(" AND ").all(|part| {
            let choices = part.trim_matches(['(', ')']).replace('/', " OR ");
            choices.split(" OR ").any(allowed)
        })
    }
}

/// The words in quotes of a line.
fn quoted(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(str::to_string).collect()
}

/// What the program and its tests are built from on this machine, as cargo tells.
fn packages() -> Vec<Value> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let offline = ["--locked", "--offline", "--filter-platform", host];
    let metadata = cargo(&[&["metadata", "--format-version=1"], &offline[..]].concat());
    let Value::Object(mut metadata) = serde_json::from_str(&metadata).unwrap() else {
        panic!("no object: {metadata}")
    };
    let Some(Value::Array(packages)) = metadata.remove("packages") else { panic!("no packages") };
    packages
}

#[test]
fn the_settings_are_held() {
    let deny = "allow = [\"MIT\"]\nallow-registry = [\"https://a\"]\n    \
                { crate = \"bad\", reason = \"it is\" },\n    \
                { crate = \"old@2\", reason = \"it stays\" },\n    \
                { crate = \"odd\", allow = [\"CC0-1.0\"] },\n";
    let settings = Settings::read(deny);
    let fault = |name: &str, licence: &str, source: &str, req: &str| {
        let dependencies = serde_json::json!([{ "req": req }]);
        let source = Some(source).filter(|source| !source.is_empty());
        settings.fault(&serde_json::json!({
            "name": name, "license": licence, "source": source, "dependencies": dependencies
        }))
    };
    for (name, licence, source, req) in [
        ("good", "MIT", "registry+https://a", "*"),
        ("good", "MIT OR GPL-3.0", "registry+https://a", "1"),
        ("good", "GPL-3.0/MIT", "registry+https://a", "1"),
        ("odd", "(MIT OR GPL-3.0) AND CC0-1.0", "registry+https://a", "1"),
        ("old", "MIT", "", "1"),
    ] {
        assert_eq!(fault(name, licence, source, req), None);
    }
    for (name, licence, source, req) in [
        ("bad", "MIT", "registry+https://a", "1"),
        ("good", "MIT AND GPL-3.0", "registry+https://a", "1"),
        ("good", "CC0-1.0", "registry+https://a", "1"),
        ("good", "MIT", "registry+https://b", "1"),
        ("good", "MIT", "git+https://a", "1"),
        ("ours", "MIT", "", "*"),
    ] {
        assert!(fault(name, licence, source, req).is_some(), "{name} {licence} {source} {req}");
    }
}
