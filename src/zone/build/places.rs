//! Where do the records stand that were taken in, and what else is known of their file?

use super::{Builder, Raw};
use crate::diag::Span;
use crate::name::{Name, NameBuf};
use crate::rr::Rtype;
use std::collections::HashMap;

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

/// The words that findings can be about, by where the data of their records stand.
#[derive(Default)]
pub(super) struct Words {
    /// Of each record the first, in the order of the records.
    first: Vec<(u32, Span)>,
    /// Those behind it.
    more: HashMap<u32, Box<[Span]>>,
}

impl Words {
    pub(super) fn note(&mut self, data: u32, words: &[Span]) {
        let Some((&first, more)) = words.split_first() else { return };
        self.first.push((data, first));
        if !more.is_empty() {
            self.more.insert(data, more.into());
        }
    }

    /// Forgets those of all records but one.
    pub(super) fn keep_only(&mut self, data: Option<u32>) {
        self.first.retain(|(other, _)| Some(*other) == data);
        self.first.shrink_to_fit();
        self.more.retain(|other, _| Some(*other) == data);
        self.more.shrink_to_fit();
    }

    fn get(&self, data: u32, word: usize) -> Option<Span> {
        match word.checked_sub(1) {
            None => {
                let at = self.first.binary_search_by_key(&data, |(data, _)| *data).ok()?;
                Some(self.first[at].1)
            }
            Some(more) => self.more.get(&data)?.get(more).copied(),
        }
    }
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
        [record.span, self.words.get(record.data, word).unwrap_or(record.span)]
    }

    /// The records of a name and type. The records are in order by now.
    pub(in crate::zone) fn records_of(&self, name: Name<'_>, rtype: Rtype) -> &[Raw] {
        let (Some(number), Some(first)) = (self.names.find(name), self.records.first()) else {
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
