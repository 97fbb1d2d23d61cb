//! Good zones, and what slips of the finger make of them: each token changed in some ways.

use std::ops::Range;
use std::path::Path;

/// A zone: its name and its text.
pub struct Good {
    pub file: String,
    pub apex: String,
    pub text: String,
}

/// A zone with one token changed.
pub struct Mutant<'z> {
    pub zone: &'z Good,
    pub change: &'static str,
    pub text: String,
    /// Where the changed token stands. Where it was deleted or made a comment: from the end of the one before to the
    /// start of the one behind.
    pub place: Range<usize>,
    /// Whether nothing is left of it, or only a part.
    pub deleted: bool,
}

/// All good zones, with so many of the examples in tests/rdata in one.
pub fn good(examples_per_zone: usize) -> Vec<Good> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut zones = Vec::new();
    for (folder, prefix) in [("zones", ""), ("tests/zonefile", "clean"), ("tests/mutation", "")] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of the repository");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(stem) = name.strip_suffix(".zone").filter(|_| name.starts_with(prefix)) else {
                continue;
            };
            let text = std::fs::read_to_string(&path).expect("a zone file");
            zones.push(Good { file: name.into(), apex: apex(stem, &text), text });
        }
    }
    zones.extend(examples(examples_per_zone));
    zones.sort_by(|one, other| one.file.cmp(&other.file));
    zones
}

/// The apex: what `$ORIGIN` says before the SOA, or the file's name.
fn apex(stem: &str, text: &str) -> String {
    let head = text.split("SOA").next().unwrap_or_default();
    let origin = head.lines().find_map(|line| line.strip_prefix("$ORIGIN "));
    let origin = origin.and_then(|rest| rest.split_whitespace().next());
    origin.map_or_else(|| format!("{stem}."), str::to_string)
}

/// The examples of record data, as zones.
fn examples(per_zone: usize) -> Vec<Good> {
    let lines = include_str!("../rdata/examples.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let records: Vec<String> = lines
        .filter_map(|line| {
            let mut fields = line.split('|').map(str::trim);
            let (rtype, data) = (fields.next()?, fields.next()?);
            (rtype != "SOA").then(|| format!("{rtype} {data}"))
        })
        .collect();
    let zone = |(number, records): (usize, &[String])| {
        let mut text = "$TTL 300\n@ SOA ns.e. a.e. 1 2 3 4 5\n@ NS ns.e.\n".to_string();
        for (at, record) in records.iter().enumerate() {
            text.push_str(&format!("r{at} {record}\n"));
        }
        Good { file: format!("examples {number}"), apex: "x.".into(), text }
    };
    records.chunks(per_zone).enumerate().map(zone).collect()
}

/// The tokens of a text: words, strings with their quotes, parentheses.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let octets = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < octets.len() {
        let start = at;
        match octets[at] {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b';' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'(' | b')' => {
                at += 1;
                tokens.push(start..at);
            }
            _ => {
                at = token_end(octets, at);
                tokens.push(start..at);
            }
        }
    }
    tokens
}

fn token_end(octets: &[u8], mut at: usize) -> usize {
    let mut quoted = false;
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    at.min(octets.len())
}

/// The changes to the token of that number in its zone. Which character is meant depends on the number,
/// so that all places of a token are met.
fn changes(token: &str, number: usize) -> Vec<(&'static str, String)> {
    let chars: Vec<char> = token.chars().collect();
    let at = number * 7 % chars.len();
    let with = |range: Range<usize>, new: &str| {
        let before: String = chars[..range.start].iter().collect();
        let after: String = chars[range.end..].iter().collect();
        format!("{before}{new}{after}")
    };
    let stray = ["\"", "(", ")", ";", "\\", ".", "x", "/", "-", ","][number % 10];
    let other = ["192.0.2.256", "A", "IN", "::g", "\"a b\"", "7", "..", "TXXT", "1x"][number % 9];
    let mut changes = vec![
        ("double a character", with(at..at, &chars[at].to_string())),
        ("insert a character", with(at..at, stray)),
        ("append a character", format!("{token}{stray}")),
        ("replace", other.to_string()),
        ("delete", String::new()),
        ("duplicate", format!("{token} {token}")),
    ];
    if chars.len() > 1 {
        changes.push(("drop a character", with(at..at + 1, "")));
        let at = at.min(chars.len() - 2);
        changes.push((
            "swap neighbours",
            with(at..at + 2, &format!("{}{}", chars[at + 1], chars[at])),
        ));
    }
    if chars[0].is_ascii_digit() {
        changes.push(("wrong unit", format!("{token}{}", ["x", "k", "h", "ms", "%"][number % 5])));
        changes.push(("too large", format!("{token}{token}")));
        changes.push(("negative", format!("-{token}")));
    }
    if ["IN", "in"].contains(&token) {
        let class = ["CH", "IM", "I", "CLASS2", "INN", "HS"][number % 6];
        changes.push(("wrong class", class.to_string()));
    }
    changes.retain(|(_, new)| new != token);
    changes
}

impl Mutant<'_> {
    /// The lines that the changed token stands in.
    pub fn lines(&self) -> &str {
        let start = self.text[..self.place.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[self.place.end..]
            .find('\n')
            .map_or(self.text.len(), |at| at + self.place.end);
        &self.text[start..end]
    }
}

/// Every change of every token of a zone.
pub fn mutants(zone: &Good) -> Vec<Mutant<'_>> {
    let tokens = tokens(&zone.text);
    let mut mutants = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        for (change, new) in changes(&zone.text[token.clone()], number) {
            let text = [&zone.text[..token.start], &new, &zone.text[token.end..]].concat();
            let deleted = new.is_empty() || new.starts_with(';');
            let place = match deleted {
                true => gap(&tokens, number, &zone.text, new.len()),
                false => token.start..token.start + uncommented_len(&new),
            };
            let deleted = deleted || uncommented_len(&new) < new.len();
            mutants.push(Mutant { zone, change, text, place, deleted });
        }
    }
    mutants
}

/// How much of a token is left before a comment that was made of its end.
fn uncommented_len(token: &str) -> usize {
    if token.starts_with('"') { token.len() } else { token.find(';').unwrap_or(token.len()) }
}

/// Where a deleted token was, or a comment of `len` octets in its place begins.
fn gap(tokens: &[Range<usize>], number: usize, text: &str, len: usize) -> Range<usize> {
    let token = &tokens[number];
    let before = number.checked_sub(1).map_or(0, |before| tokens[before].end);
    let behind = tokens.get(number + 1).map_or(text.len(), |next| next.start) - token.len();
    before..behind + len
}
