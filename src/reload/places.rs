//! Where does each record of a zone file stand? For who explains an answer: the server keeps no places.

use super::load::load_seeing;
use crate::diag::{SourceMap, Span, render};
use crate::name::NameBuf;
use crate::rr::{Record, Rtype, rdata};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The data of each record of an owner and type, and where it stands.
type Records = Vec<(Vec<u8>, Span)>;

/// The records of a zone file and of what it includes.
pub struct Places {
    records: HashMap<(NameBuf, Rtype), Records>,
    sources: SourceMap,
}

/// A line of a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user would write it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there without its comment, safe to print.
    pub text: String,
}

impl Places {
    /// Reads a zone file again.
    pub fn of(file: &Path, include_paths: &[PathBuf]) -> Places {
        let mut records: HashMap<_, Records> = HashMap::new();
        let mut see = |record: Record<'_>, span: Span| {
            let key = (record.owner.to_buf(), record.rtype);
            records.entry(key).or_default().push((record.rdata.to_vec(), span));
        };
        let loaded = load_seeing(file, include_paths, &mut see);
        Places { records, sources: loaded.report.sources }
    }

    /// Where the records of an owner and type stand; that of certain data alone, if they are given.
    pub fn find(&self, owner: &NameBuf, rtype: Rtype, data: Option<&[u8]>) -> Vec<Place> {
        let records = self.records.get(&(owner.clone(), rtype)).map_or(&[][..], Vec::as_slice);
        let is_meant = |rdata: &[u8]| data.is_none_or(|data| rdata::same(rtype, rdata, data));
        let meant = records.iter().filter(|(rdata, _)| is_meant(rdata));
        meant.map(|(_, span)| self.place(*span)).collect()
    }

    fn place(&self, span: Span) -> Place {
        let line = self.sources.line(span);
        let file = self.sources.get(span.source).name.clone();
        Place { file, line: line.number, text: render::printable(line.without_comment()) }
    }
}
