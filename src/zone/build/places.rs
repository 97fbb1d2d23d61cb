//! Where do the records stand that were taken in, and what else is known of their file?

use super::{Builder, Raw};
use crate::diag::Span;
use crate::name::{Name, NameBuf, hash};
use crate::rr::Rtype;

/// Which word of an SOA's data is the serial.
const SERIAL: usize = 2;

/// Records whose owner is spelled in another case than before.
pub(in crate::zone) struct Cases {
    /// Where the first one stands.
    pub(in crate::zone) span: Span,
    /// Its owner as it writes it.
    pub(in crate::zone) written: NameBuf,
    /// The owner as it was written first, and where.
    pub(in crate::zone) known: NameBuf,
    pub(in crate::zone) first: Option<Span>,
    /// The number of such records.
    pub(in crate::zone) count: usize,
}

impl Builder {
    /// Where the first SOA stands, and its serial.
    pub fn serial_place(&self) -> Option<[Span; 2]> {
        self.soa().map(|soa| self.place_of_word(&soa, SERIAL))
    }

    /// Where the first record of a name and type stands.
    pub(in crate::zone) fn place_of(&self, name: Name<'_>, rtype: Rtype) -> Option<Span> {
        self.records_of(name, rtype).first().map(|record| record.span)
    }

    /// Where the record of that number in its set stands, and that one of its words that are told
    /// about; the whole record if there is no such word.
    pub(in crate::zone) fn word_of(
        &self,
        name: Name<'_>,
        rtype: Rtype,
        number: usize,
        word: usize,
    ) -> [Span; 2] {
        let record = self.records_of(name, rtype).get(number);
        record.map_or_else(Default::default, |record| self.place_of_word(record, word))
    }

    fn place_of_word(&self, record: &Raw, word: usize) -> [Span; 2] {
        let first = || Span {
            start: record.word,
            end: record.word + u32::from(record.word_len),
            ..record.span
        };
        let span = match word.checked_sub(1) {
            None => Some(first()),
            Some(more) => {
                self.more_words.get(&record.data).and_then(|words| words.get(more)).copied()
            }
        };
        [record.span, span.unwrap_or(record.span)]
    }

    /// The records of a name and type. The records are in order by now.
    pub(in crate::zone) fn records_of(&self, name: Name<'_>, rtype: Rtype) -> &[Raw] {
        let same = |&number: &u32| self.name(number) == name;
        let number = self.index.find(hash::of(name), same).copied();
        let (Some(number), Some(first)) = (number, self.records.first()) else {
            return &[];
        };
        let key = |record: &Raw| (record.name != first.name, record.name, record.rtype);
        let wanted = (number != first.name, number, rtype);
        let start = self.records.partition_point(|record| key(record) < wanted);
        let end = self.records.partition_point(|record| key(record) <= wanted);
        &self.records[start..end]
    }

    /// Takes note of an owner that is spelled in another case than before.
    pub(super) fn note_case(&mut self, number: u32, owner: Name<'_>, span: Span) {
        if let Some(cases) = &mut self.cases {
            cases.count += 1;
            return;
        }
        let first = self.records.iter().find(|record| record.name == number);
        let (first, known) = (first.map(|record| record.span), self.name(number).to_buf());
        let written = owner.to_buf();
        self.cases = Some(Box::new(Cases { span, written, known, first, count: 1 }));
    }

    /// When signatures are to be valid.
    pub(in crate::zone) fn now(&self) -> Option<u32> {
        self.now
    }

    /// The zone that the file is named after.
    pub(in crate::zone) fn named(&self) -> Option<&NameBuf> {
        self.named.as_ref()
    }

    pub(in crate::zone) fn take_cases(&mut self) -> Option<Box<Cases>> {
        self.cases.take()
    }
}
