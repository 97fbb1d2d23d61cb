//! `$ORIGIN`, `$TTL` and `$INCLUDE`.

use super::{Entry, INCLUDE_DEPTH_MAX, Outcome, Reader, source_name};
use crate::diag::{Diagnostic, codes};
use crate::name::{NameBuf, text};
use crate::rr::text::Word;
use crate::rr::ttl_from_text;

impl Reader<'_> {
    /// Carries out a directive.
    pub(super) fn directive(&mut self, entry: Entry<'_>, word: &[u8]) -> Outcome {
        match word.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => self.origin(entry),
            b"$TTL" => self.ttl(entry),
            b"$INCLUDE" => self.include(entry),
            _ => {
                let what = format!("`{}` is not a directive", entry.show(entry.words[0]));
                let span = entry.span(entry.words[0]);
                Err(Diagnostic::new(&codes::BAD_DIRECTIVE, span, what)
                    .help("there are $ORIGIN, $TTL and $INCLUDE; a name that starts with a dollar sign is written `\\$`")
                    .into())
            }
        }
    }

    fn origin(&mut self, entry: Entry<'_>) -> Outcome {
        let [_, word] = arguments(entry, "$ORIGIN takes one domain name")?;
        self.context.origin = Some(self.name(entry, word)?);
        Ok(())
    }

    fn ttl(&mut self, entry: Entry<'_>) -> Outcome {
        let [_, word] = arguments(entry, "$TTL takes one time to live")?;
        let ttl = ttl_from_text(word.of(entry.text)).ok_or_else(|| bad_ttl(entry, word))?;
        self.context.default_ttl = Some(ttl);
        Ok(())
    }

    /// Reads another file here, with an origin of its own if one is written.
    fn include(&mut self, entry: Entry<'_>) -> Outcome {
        let (path, origin) = match *entry.words {
            [_, path] => (path, self.context.origin.clone()),
            [_, path, origin] => (path, Some(self.name(entry, origin)?)),
            _ => arguments(entry, "$INCLUDE takes a file and, if need be, an origin")
                .map(|[_, path]| (path, None))?,
        };
        let fail =
            |what: String| Box::new(Diagnostic::new(&codes::BAD_INCLUDE, entry.span(path), what));
        if self.depth == INCLUDE_DEPTH_MAX {
            let what = format!("files include each other more than {INCLUDE_DEPTH_MAX} deep");
            return Err(fail(what));
        }
        let from = source_name(&self.report.sources, entry.source);
        let (name, text) = (self.include)(&entry.show(path), &from)
            .map_err(|why| fail(format!("`{}` cannot be read: {why}", entry.show(path))))?;
        let source = self.report.sources.add(name, text);
        let source = source.ok_or_else(|| fail("too many files, or one of 4 GiB".into()))?;
        let outer = self.context.clone();
        self.context.origin = origin;
        self.depth += 1;
        self.file(source);
        self.depth -= 1;
        self.context = outer;
        Ok(())
    }

    /// A name of the zone file: `@` is the origin, one without a final dot is relative to it.
    pub(super) fn name(&self, entry: Entry<'_>, word: Word) -> Result<NameBuf, Box<Diagnostic>> {
        let origin = self.context.origin.as_ref();
        match (word.of(entry.text), origin) {
            (b"@", Some(origin)) if !word.quoted => Ok(origin.clone()),
            (octets, _) => text::parse(octets, origin.map(NameBuf::as_name)).map_err(|error| {
                let what = format!("`{}` is not a domain name: {error}", entry.show(word));
                Diagnostic::new(&codes::BAD_NAME, entry.span(word), what).into()
            }),
        }
    }
}

/// The words of a directive that has exactly so many.
fn arguments<const N: usize>(entry: Entry<'_>, form: &str) -> Result<[Word; N], Box<Diagnostic>> {
    <[Word; N]>::try_from(entry.words).map_err(|_| {
        let span = match entry.words.get(N) {
            Some(&extra) => entry.span(extra),
            None => entry.end(),
        };
        Diagnostic::new(&codes::BAD_DIRECTIVE, span, form).into()
    })
}

/// An error about a word that should be a TTL.
pub(super) fn bad_ttl(entry: Entry<'_>, word: Word) -> Box<Diagnostic> {
    let what = format!("`{}` is not a time to live", entry.show(word));
    Diagnostic::new(&codes::BAD_TTL, entry.span(word), what)
        .help("write seconds up to 2147483647, or units as in 1h30m (w, d, h, m, s)")
        .into()
}
