//! Key files: what `zonesmith keygen` and BIND's `tsig-keygen` print, and what Knot's `keymgr -t` does.
//!
//! ```text
//! key "partner.example" {            # hmac-sha256:partner.example:SECRET
//!     algorithm hmac-sha256;         key:
//!     secret "SECRET";                 - id: partner.example
//! };                                   algorithm: hmac-sha256
//!                                      secret: SECRET
//! ```
//!
//! `hmac-sha256-128` lets a partner shorten MACs to 128 bits, as BIND has it.
//!
//! An error never shows what stands in the file: it may be a secret.

use super::key::{Algorithm, KEY_NAME_LEN_MAX, Key, Keys};
use crate::name::NameBuf;
use KeyFileProblem::{Expected, NoEnd};
use data_encoding::{BASE64, BASE64_NOPAD};
use std::fmt::{self, Write};

/// Why a text holds no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFileError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: KeyFileProblem,
}

/// What is wrong in a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileProblem {
    /// There is no key at all.
    NoKey,
    /// Something else was to stand here.
    Expected(&'static str),
    /// A comment or a quoted text goes on to the end.
    NoEnd,
    /// The name is none.
    Name,
    /// The name has more than [`KEY_NAME_LEN_MAX`] octets.
    LongName,
    /// A key of that name stands before, in this file or another.
    SameName,
    /// The algorithm is not known.
    Algorithm,
    /// MACs may not be shortened to so many bits.
    Bits,
    /// The secret is not in base 64, or empty.
    Secret,
    /// The key has no algorithm, or no secret.
    Missing(&'static str),
}

/// Adds the keys of a file's text to `keys`.
///
/// # Errors
/// [`KeyFileError`], with the first line that is wrong.
pub fn read(text: &str, keys: &mut Keys) -> Result<(), KeyFileError> {
    let mut words = Words { rest: text, line: 1 };
    let mut count = 0;
    while let Some(word) = words.next()? {
        match word {
            "key:" => count += read_list(&mut words, keys)?,
            "key" => {
                read_block(&mut words, keys)?;
                count += 1;
            }
            ";" => {}
            _ => return Err(words.error(Expected("`key \"NAME\" {`"))),
        }
    }
    if count == 0 { Err(words.error(KeyFileProblem::NoKey)) } else { Ok(()) }
}

/// A key as a file has it. The secret is written in base 64.
pub fn print(name: &NameBuf, algorithm: Algorithm, secret: &[u8]) -> String {
    let (mut text, name) = (String::new(), name.to_string());
    let name = name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(&name);
    let secret = BASE64.encode(secret);
    let _ =
        writeln!(text, "key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{secret}\";\n}};");
    text
}

/// Whether [`print()`] can print a key of that name so that every program reads it: letters, digits, `-`
/// and `_` between dots, and no more than [`KEY_NAME_LEN_MAX`] octets.
pub fn is_printable(name: &NameBuf) -> bool {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let name = name.as_name();
    let fits = !name.is_root() && name.as_wire().len() <= KEY_NAME_LEN_MAX;
    fits && name.labels().all(|label| label.iter().all(plain))
}

/// A key that is being read.
struct Draft<'t> {
    name: &'t str,
    /// Where the name stands.
    line: usize,
    algorithm: Option<(Algorithm, usize)>,
    secret: Option<Vec<u8>>,
}

/// BIND's form, behind `key`.
fn read_block(words: &mut Words<'_>, keys: &mut Keys) -> Result<(), KeyFileError> {
    let name = words.expect_any("the key's name")?;
    let mut draft = Draft { name, line: words.line, algorithm: None, secret: None };
    words.expect("{")?;
    loop {
        match words.expect_any("`algorithm`, `secret` or `}`")? {
            "}" => return draft.finish(keys),
            "algorithm" => draft.algorithm = Some(words.algorithm()?),
            "secret" => draft.secret = Some(words.secret()?),
            ";" => continue,
            _ => return Err(words.error(Expected("`algorithm`, `secret` or `}`"))),
        }
        words.expect(";")?;
    }
}

/// Knot's form, behind `key:`. Gives the number of keys.
fn read_list(words: &mut Words<'_>, keys: &mut Keys) -> Result<usize, KeyFileError> {
    let mut count = 0;
    while words.take_if("-")? {
        words.expect("id:")?;
        let name = words.expect_any("the key's name")?;
        let mut draft = Draft { name, line: words.line, algorithm: None, secret: None };
        loop {
            if words.take_if("algorithm:")? {
                draft.algorithm = Some(words.algorithm()?);
            } else if words.take_if("secret:")? {
                draft.secret = Some(words.secret()?);
            } else {
                break;
            }
        }
        draft.finish(keys)?;
        count += 1;
    }
    Ok(count)
}

impl Draft<'_> {
    fn finish(self, keys: &mut Keys) -> Result<(), KeyFileError> {
        let error = |problem| KeyFileError { line: self.line, problem };
        let name: NameBuf = self.name.parse().map_err(|_| error(KeyFileProblem::Name))?;
        let algorithm = self.algorithm.ok_or(error(KeyFileProblem::Missing("algorithm")))?;
        let (algorithm, mac_len_min) = algorithm;
        let secret = self.secret.as_ref().ok_or(error(KeyFileProblem::Missing("secret")))?;
        let key = Key::new(name.as_name(), algorithm, secret);
        let key = key.ok_or(error(KeyFileProblem::LongName))?;
        let key = key.shortened_to(mac_len_min).ok_or(error(KeyFileProblem::Bits))?;
        keys.add(key).map_err(|_| error(KeyFileProblem::SameName))
    }
}

/// The words of a file, and the line that the last one stands on.
#[derive(Clone, Copy)]
struct Words<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Words<'t> {
    /// The next word: a mark, a text without its quotes, or what stands between.
    fn next(&mut self) -> Result<Option<&'t str>, KeyFileError> {
        self.skip_blanks()?;
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        if first == '"' {
            let text = self.rest[1..].split(['"', '\n']).next().unwrap_or("");
            self.rest = self.rest[1 + text.len()..].strip_prefix('"').ok_or(self.error(NoEnd))?;
            return Ok(Some(text));
        }
        let is_mark = |c: char| matches!(c, '{' | '}' | ';' | '"');
        let len = match is_mark(first) {
            true => Some(1),
            false => self.rest.find(|c: char| is_mark(c) || c.is_whitespace()),
        };
        let (word, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
        self.rest = rest;
        Ok(Some(word))
    }

    /// Steps over blanks and comments: from `#` or `//` to the line's end, and from `/*` to `*/`.
    fn skip_blanks(&mut self) -> Result<(), KeyFileError> {
        loop {
            let trimmed = self.rest.trim_start();
            let comment = match trimmed {
                _ if trimmed.starts_with('#') || trimmed.starts_with("//") => {
                    trimmed.find('\n').unwrap_or(trimmed.len())
                }
                _ if trimmed.starts_with("/*") => trimmed.find("*/").ok_or(self.error(NoEnd))? + 2,
                _ => 0,
            };
            let skipped = self.rest.len() - trimmed.len() + comment;
            self.line += self.rest[..skipped].matches('\n').count();
            self.rest = &self.rest[skipped..];
            if comment == 0 {
                return Ok(());
            }
        }
    }

    fn expect_any(&mut self, what: &'static str) -> Result<&'t str, KeyFileError> {
        self.next()?.ok_or(self.error(Expected(what)))
    }

    fn expect(&mut self, word: &'static str) -> Result<(), KeyFileError> {
        let found = self.expect_any(word)?;
        if found == word { Ok(()) } else { Err(self.error(Expected(word))) }
    }

    /// Takes the next word if it is this one; whether it was.
    fn take_if(&mut self, word: &str) -> Result<bool, KeyFileError> {
        let mut ahead = *self;
        let is_there = ahead.next()? == Some(word);
        if is_there {
            *self = ahead;
        }
        Ok(is_there)
    }

    /// An algorithm, and to how many octets MACs may be shortened.
    fn algorithm(&mut self) -> Result<(Algorithm, usize), KeyFileError> {
        let word = self.expect_any("the algorithm")?;
        if let Some(algorithm) = Algorithm::of_text(word) {
            return Ok((algorithm, algorithm.mac_len()));
        }
        let (text, bits) = word.rsplit_once('-').ok_or(self.error(KeyFileProblem::Algorithm))?;
        let algorithm = Algorithm::of_text(text).ok_or(self.error(KeyFileProblem::Algorithm))?;
        let bits: usize = bits.parse().map_err(|_| self.error(KeyFileProblem::Bits))?;
        let len = bits.is_multiple_of(8).then_some(bits / 8);
        let len = len.filter(|len| (algorithm.mac_len_min()..=algorithm.mac_len()).contains(len));
        let len = len.filter(|len| (algorithm.mac_len_min()..=algorithm.mac_len()).contains(len));
        Ok((algorithm, len.ok_or(self.error(KeyFileProblem::Bits))?))
    }

    fn secret(&mut self) -> Result<Vec<u8>, KeyFileError> {
        let word = self.expect_any("the secret")?;
        let octets = BASE64_NOPAD.decode(word.trim_end_matches('=').as_bytes()).ok();
        octets.filter(|octets| !octets.is_empty()).ok_or(self.error(KeyFileProblem::Secret))
    }

    fn error(&self, problem: KeyFileProblem) -> KeyFileError {
        KeyFileError { line: self.line, problem }
    }
}

impl KeyFileProblem {
    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            KeyFileProblem::Algorithm => {
                "make a key with one of these: `zonesmith keygen NAME --algorithm hmac-sha512`"
            }
            KeyFileProblem::Bits => {
                "write a multiple of 8 behind the algorithm, from half of its MAC (80 at least) to all \
                 of it, or nothing: then MACs are whole"
            }
            KeyFileProblem::Name | KeyFileProblem::LongName => {
                "a short name of both partners does, as in ns1-ns2.example"
            }
            KeyFileProblem::SameName => {
                "keep one of the two, or name them differently; a file is read once"
            }
            KeyFileProblem::Secret => {
                "copy it once more from where the key was made; it ends in front of `\"`"
            }
            KeyFileProblem::NoKey
            | KeyFileProblem::Expected(_)
            | KeyFileProblem::NoEnd
            | KeyFileProblem::Missing(_) => {
                "it reads `key \"NAME\" { algorithm hmac-sha256; secret \"…\"; };`, as `zonesmith keygen \
                 NAME` prints it"
            }
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl fmt::Display for KeyFileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileProblem::NoKey => f.write_str("there is no key up to here"),
            KeyFileProblem::Expected(what) => write!(f, "expected {what}"),
            KeyFileProblem::NoEnd => f.write_str("a quote or a comment has no end"),
            KeyFileProblem::Name => f.write_str("the key's name is no domain name"),
            KeyFileProblem::LongName => {
                write!(f, "the key's name has more than {KEY_NAME_LEN_MAX} octets")
            }
            KeyFileProblem::SameName => f.write_str("another key has that name"),
            KeyFileProblem::Algorithm => {
                f.write_str("expected hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1")
            }
            KeyFileProblem::Bits => f.write_str("a MAC is not shortened to so many bits"),
            KeyFileProblem::Secret => f.write_str("the secret is no text in base 64"),
            KeyFileProblem::Missing(what) => write!(f, "the key has no {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<String, String> {
        let mut keys = Keys::default();
        read(text, &mut keys).map_err(|error| error.to_string())?;
        Ok(keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_printed_is_read() {
        for algorithm in Algorithm::ALL {
            let name = "a.b.".parse().unwrap();
            let text = print(&name, algorithm, &[7; 20]);
            assert!(text.starts_with("key \"a.b\" {\n\talgorithm hmac-sha"), "{text}");
            assert_eq!(keys(&text), Ok(format!("Key(a.b. {algorithm})")));
        }
    }

    #[test]
    fn the_forms_of_bind_and_knot_are_read() {
        let bind = "# c\nkey one. { /* {\n */ secret c2VjcmV0; algorithm \"HMAC-SHA1\"; }; // c\n\
                    key \"two\" {\n\talgorithm hmac-sha512;\n\tsecret \"ab//cdE=\";\n};\n";
        assert_eq!(keys(bind).unwrap(), "Key(one. hmac-sha1) Key(two. hmac-sha512)");
        let knot = "# hmac-sha256:a.b:c2VjcmV0\nkey:\n  - id: a.b\n    algorithm: hmac-sha256\n    \
                    secret: c2VjcmV0\n  - id: c.d\n    secret: \"c2VjcmV0\"\n    \
                    algorithm: hmac-sha384\n";
        assert_eq!(keys(knot).unwrap(), "Key(a.b. hmac-sha256) Key(c.d. hmac-sha384)");
    }

    #[test]
    fn an_error_has_its_line_and_shows_no_secret() {
        let block = |inside: &str| format!("\nkey \"k\" {{\n{inside}\n}};\n");
        let algorithm = "algorithm hmac-sha256;\n";
        for (text, expected) in [
            ("", "line 1: there is no key up to here"),
            ("\n\n# only words\n", "line 4: there is no key up to here"),
            ("c2VjcmV0", "line 1: expected `key \"NAME\" {`"),
            ("key", "line 1: expected the key's name"),
            ("key \"k\nc2VjcmV0", "line 1: a quote or a comment has no end"),
            ("\n/* key", "line 1: a quote or a comment has no end"),
            ("key\n\"k\"\n[", "line 3: expected {"),
            (
                "key \"a..b\" {algorithm hmac-sha1; secret aaaa;}",
                "line 1: the key's name is no domain name",
            ),
            (&block(""), "line 2: the key has no algorithm"),
            (&block(algorithm), "line 2: the key has no secret"),
            (
                &block("algorithm hmac-md5;"),
                "line 3: expected hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1",
            ),
            (
                &block(&format!("{algorithm}secret \"c2Vjc!V0\";")),
                "line 4: the secret is no text in base 64",
            ),
            (
                &block(&format!("{algorithm}secret \"\";")),
                "line 4: the secret is no text in base 64",
            ),
            (
                &block("algorithm hmac-sha256-120;"),
                "line 3: a MAC is not shortened to so many bits",
            ),
            (
                &block("algorithm hmac-sha256-129;"),
                "line 3: a MAC is not shortened to so many bits",
            ),
            (&block("secret c2VjcmV0 c2VjcmV0;"), "line 3: expected ;"),
            (&block("c2VjcmV0"), "line 3: expected `algorithm`, `secret` or `}`"),
            (
                "key k { secret aaaa; algorithm hmac-sha1; };\nkey K { secret aaaa; algorithm hmac-sha1; };",
                "line 2: another key has that name",
            ),
            ("key:\n  - id: k\n    algorithm: hmac-sha1\n", "line 2: the key has no secret"),
            (
                &format!(
                    "key {}.{} {{ secret aaaa; algorithm hmac-sha1; }};",
                    "k".repeat(50),
                    "k".repeat(50)
                ),
                "line 1: the key's name has more than 90 octets",
            ),
        ] {
            assert_eq!(keys(text), Err(expected.to_string()), "{text}");
        }
    }

    #[test]
    fn every_prefix_is_read_to_an_end() {
        let text = "key \"k\" {/* c */algorithm hmac-sha1; secret \"aaaa\";};\nkey:\n- id: l\n";
        (0..text.len()).for_each(|len| drop(keys(&text[..len])));
    }
}
