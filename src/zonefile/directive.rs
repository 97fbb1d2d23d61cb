//! `$ORIGIN`, `$TTL` and `$INCLUDE`.
//!
//! Where RFC 1035 §5.1 and RFC 2308 §4 leave a choice:
//! - Directives stand at the start of a line, in any case of letters, as in NSD, Knot and BIND. A
//!   word that starts with a dollar sign and is none of them is an error, as in BIND and Knot; NSD
//!   goes on with a warning.
//! - `$ORIGIN` takes a relative name, relative to the origin before, and `@`; NSD and Knot want the
//!   final dot. None of the four takes it in quotes. `$INCLUDE` takes its file in quotes, as in BIND
//!   and Knot.
//! - A `$TTL` line holds for what follows it, and there may be several, as in all four.

use super::{
    Entry, FILES_LEN_MAX, FILES_MAX, INCLUDE_DEPTH_MAX, Outcome, Reader, generate, source_name,
};
use crate::diag::{Diagnostic, SourceId, SourceMap, codes};
use crate::name::{NameBuf, NameError, text};
use crate::rr::seconds_from_text;
use crate::rr::text::Word;

impl Reader<'_> {
    /// Carries out a directive.
    pub(super) fn directive(&mut self, entry: Entry<'_>, word: &[u8]) -> Outcome {
        match word.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => self.origin(entry),
            b"$TTL" => self.ttl(entry),
            b"$INCLUDE" => self.include(entry),
            b"$GENERATE" => self.generate(entry),
            _ => {
                let what = format!("`{}` is not a directive", entry.show(entry.words[0]));
                let help = "there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; a name that starts with a dollar sign is written `\\$`";
                let span = entry.span(entry.words[0]);
                Err(Diagnostic::new(&codes::BAD_DIRECTIVE, span, what).help(help).into())
            }
        }
    }

    fn origin(&mut self, entry: Entry<'_>) -> Outcome {
        let [_, word] = arguments(entry, "$ORIGIN takes one domain name", "$ORIGIN example.")?;
        if word.quoted {
            let what = "the name stands in quotes";
            let found = Diagnostic::new(&codes::BAD_DIRECTIVE, entry.span(word), what);
            return Err(found.help("remove the quotes").into());
        }
        self.context.origin = Some(self.name(entry, word)?);
        Ok(())
    }

    fn ttl(&mut self, entry: Entry<'_>) -> Outcome {
        let [_, word] = arguments(entry, "$TTL takes one time to live", "$TTL 1h")?;
        let ttl = seconds_from_text(word.of(entry.text)).ok_or_else(|| bad_ttl(entry, word))?;
        self.context.default_ttl = Some(self.capped(entry, ttl, word));
        Ok(())
    }

    /// Reads another file here, with an origin of its own if one is written.
    fn include(&mut self, entry: Entry<'_>) -> Outcome {
        let (path, origin) = match *entry.words {
            [_, path] => (path, self.context.origin.clone()),
            [_, path, origin] => (path, Some(self.name(entry, origin)?)),
            _ => {
                let form = "$INCLUDE takes a file and, if need be, an origin";
                arguments(entry, form, "$INCLUDE hosts.txt sub").map(|[_, path]| (path, None))?
            }
        };
        let source = self.included(entry, path)?;
        let outer = self.context.clone();
        self.context.origin = origin;
        self.open.push(source);
        self.file(source);
        self.open.pop();
        self.context = outer;
        Ok(())
    }

    /// Fetches a file to include. One that is being read already would never end.
    fn included(&mut self, entry: Entry<'_>, path: Word) -> Result<SourceId, Box<Diagnostic>> {
        let fail = |what: String, help: &str| {
            Box::new(Diagnostic::new(&codes::BAD_INCLUDE, entry.span(path), what).help(help))
        };
        if self.open.len() > INCLUDE_DEPTH_MAX {
            let what = format!("files include each other more than {INCLUDE_DEPTH_MAX} deep");
            return Err(fail(what, "put what they hold into fewer files"));
        }
        let (files, octets) = read_so_far(&self.report.sources);
        if files >= FILES_MAX {
            let what = format!("more than {FILES_MAX} files are included");
            return Err(fail(what, "put what they hold into fewer files"));
        }
        let from = source_name(&self.report.sources, entry.source);
        let written = String::from_utf8_lossy(path.of(entry.text));
        let (name, text) = (self.include)(&written, &from).map_err(|why| {
            let what = format!("`{}` cannot be read: {why}", entry.show(path));
            fail(what, "a path is relative to the folder of the file that includes it")
        })?;
        if self.open.iter().any(|&open| self.report.sources.get(open).name == name) {
            let what = format!("`{}` is being read already", entry.show(path));
            return Err(fail(what, "a file cannot include itself, nor one that includes it"));
        }
        let fits = octets + text.len() as u64 <= FILES_LEN_MAX;
        let source = fits.then(|| self.report.sources.add(name, text)).flatten();
        source.ok_or_else(|| {
            let what = "all files together have 4 GiB or more";
            fail(what.into(), "serve fewer records, or include a file only once")
        })
    }

    /// A name of the zone file, as [`Reader::read_name`] gives it, to keep.
    pub(super) fn name(
        &mut self,
        entry: Entry<'_>,
        word: Word,
    ) -> Result<NameBuf, Box<Diagnostic>> {
        self.read_name(entry, word).map(|()| self.name.clone())
    }

    /// Reads a name of the zone file into `self.name`: `@` is the origin, one without a final dot is
    /// relative to it.
    pub(super) fn read_name(&mut self, entry: Entry<'_>, word: Word) -> Outcome {
        let origin = self.context.origin.as_ref().map(NameBuf::as_name);
        match (word.of(entry.text), origin) {
            (b"@", Some(origin)) if !word.quoted => self.name.set(origin),
            (octets, _) => text::parse_into(octets, origin, &mut self.name)
                .map_err(|error| bad_name(entry, word, error))?,
        }
        Ok(())
    }
}

fn bad_name(entry: Entry<'_>, word: Word, error: NameError) -> Box<Diagnostic> {
    let what = format!("`{}` is not a domain name: {error}", entry.show(word));
    let found = Diagnostic::new(&codes::BAD_NAME, entry.span(word), what);
    match error {
        NameError::NoOrigin => {
            found.help("call the file `<zone>.zone`, or begin it with the line `$ORIGIN <zone>.`")
        }
        _ => found,
    }
    .into()
}

/// The number of files, and of their octets.
fn read_so_far(sources: &SourceMap) -> (usize, u64) {
    sources.iter().fold((0, 0), |(files, octets), s| (files + 1, octets + s.text.len() as u64))
}

/// The words of a directive that has exactly so many.
fn arguments<const N: usize>(
    entry: Entry<'_>,
    form: &str,
    example: &str,
) -> Result<[Word; N], Box<Diagnostic>> {
    <[Word; N]>::try_from(entry.words).map_err(|_| {
        let span = match entry.words.get(N) {
            Some(&extra) => entry.span(entry.repeated_before(extra).unwrap_or(extra)),
            None => entry.end(),
        };
        Diagnostic::new(&codes::BAD_DIRECTIVE, span, form).help(format!("as in `{example}`")).into()
    })
}

/// An error about a word that should be a TTL.
pub(super) fn bad_ttl(entry: Entry<'_>, word: Word) -> Box<Diagnostic> {
    let what = format!("`{}` is not a time to live", entry.show(word));
    let is_last = entry.words.len() > 1 && entry.words.last() == Some(&word);
    let is_range = generate::is_range(word.of(entry.text)) && entry.words.get(1) == Some(&word);
    // where the type is missing, or `$GENERATE`, there is more wrong with the line
    let first = match entry.directive() {
        None if is_last || is_range => entry.words[0],
        Some(_) if is_last => entry.words[entry.words.len().min(3) - 1],
        _ => word,
    };
    let span = if first == word { entry.span(word) } else { entry.span_from(first, word) };
    let form = "write seconds up to 2147483647, or units as in 1h30m (w, d, h, m, s)";
    Diagnostic::new(&codes::BAD_TTL, span, what)
        .help(entry.forgotten_owner().unwrap_or_else(|| form.to_string()))
        .into()
}
