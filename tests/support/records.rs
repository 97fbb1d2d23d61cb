//! A reader of DNS messages that shares nothing with the program and forgives nothing: what a
//! reply says is judged by it.
//!
//! Beyond RFC 1035 §4.1 it holds the writer to these rules: a pointer leads backwards, to octets
//! of a name that is already there; in record data only the types of RFC 1035 have pointers (RFC
//! 3597 §4); counts and lengths match to the last octet.

#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use std::fmt;

/// A name in lower case: its labels from the left, each behind its length, without the root label.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Vec<u8>);

/// A record; names in its data stand in full and in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

/// A message. The sections are answer, authority and additional.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) question: Option<(Name, u16, u16)>,
    /// The octets of QNAME, as they stand.
    pub(crate) qname: Vec<u8>,
    /// The octets of the message.
    pub(crate) len: usize,
    /// Where the question ends.
    pub(crate) question_end: usize,
    pub(crate) sections: [Vec<Record>; 3],
    /// Every name in the message, but QNAME, in full and in lower case.
    pub(crate) names: Vec<Name>,
    pub(crate) pointers: usize,
}

impl Message {
    /// Reads a whole message.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub(crate) fn read(octets: &[u8]) -> Result<Message, String> {
        let mut reader = Reader { octets, at: 0, names: Vec::new(), pointers: 0 };
        let [id, flags, questions] = [reader.u16()?, reader.u16()?, reader.u16()?];
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?];
        let mut question = None;
        let start = reader.at;
        if questions > 1 {
            return Err(format!("{questions} questions"));
        }
        let mut qname = Vec::new();
        if questions == 1 {
            let name = reader.name(false)?;
            qname = octets[start..reader.at].to_vec();
            question = Some((name, reader.u16()?, reader.u16()?));
        }
        let question_end = reader.at;
        reader.names.clear();
        let mut sections = <[Vec<Record>; 3]>::default();
        for (section, count) in sections.iter_mut().zip(counts) {
            for _ in 0..count {
                section.push(reader.record()?);
            }
        }
        if reader.at != octets.len() {
            return Err(format!("{} octets follow the last record", octets.len() - reader.at));
        }
        let (names, pointers) = (reader.names, reader.pointers);
        let len = octets.len();
        Ok(Message { len, id, flags, question, qname, question_end, sections, names, pointers })
    }

    /// The records that are no OPT.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.sections.iter().flatten().filter(|record| record.rtype != 41)
    }

    /// The OPT record.
    pub(crate) fn opt(&self) -> Option<&Record> {
        self.sections[2].iter().find(|record| record.rtype == 41)
    }

    /// The response code, with the upper bits that OPT holds (RFC 6891 §6.1.3).
    pub(crate) fn rcode(&self) -> u16 {
        let high = self.opt().map_or(0, |opt| u16::try_from(opt.ttl >> 24).unwrap_or(0));
        high << 4 | self.flags & 0xf
    }
}

struct Reader<'m> {
    octets: &'m [u8],
    at: usize,
    names: Vec<Name>,
    pointers: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, len: usize) -> Result<&'m [u8], String> {
        let taken = self.octets.get(self.at..self.at + len);
        self.at += len;
        taken.ok_or_else(|| format!("the message ends early, at {}", self.octets.len()))
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().map_err(|_| "two octets")?))
    }

    fn record(&mut self) -> Result<Record, String> {
        let owner = self.name(true)?;
        let [rtype, class] = [self.u16()?, self.u16()?];
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let len = usize::from(self.u16()?);
        let end = self.at + len;
        let data = self.data(rtype, end)?;
        if self.at != end {
            return Err(format!("data of type {rtype} end at {}, not at {end}", self.at));
        }
        Ok(Record { owner, rtype, class, ttl, data })
    }

    fn data(&mut self, rtype: u16, end: usize) -> Result<Vec<u8>, String> {
        // octets before the names, names, whether they may have pointers
        let (fixed, names, pointers) = match rtype {
            2 | 5 | 7..=9 | 12 => (0, 1, true),
            6 => (0, 2, true),
            15 => (2, 1, true),
            17 => (0, 2, false),
            33 => (6, 1, false),
            39 => (0, 1, false),
            _ => (0, 0, false),
        };
        let mut data = self.take(fixed)?.to_vec();
        for _ in 0..names {
            data.extend(self.name(pointers)?.wire());
        }
        let rest = end.checked_sub(self.at).ok_or("data end early")?;
        data.extend_from_slice(self.take(rest)?);
        Ok(data)
    }

    fn name(&mut self, pointers: bool) -> Result<Name, String> {
        let mut labels = Vec::new();
        let (mut at, mut start, mut resume) = (self.at, self.at, None);
        loop {
            let len = *self.octets.get(at).ok_or("a name ends early")?;
            match len {
                0 => break,
                1..=63 => {
                    let label = self.octets.get(at + 1..=at + usize::from(len));
                    labels.push(label.ok_or("a label ends early")?);
                    at += 1 + usize::from(len);
                }
                0xc0.. if pointers => {
                    let low = *self.octets.get(at + 1).ok_or("a pointer ends early")?;
                    let target = usize::from(u16::from_be_bytes([len & 0x3f, low]));
                    if target < 12 || target >= start {
                        return Err(format!("a pointer at {at} leads to {target}"));
                    }
                    self.pointers += 1;
                    resume = resume.or(Some(at + 2));
                    (at, start) = (target, target);
                }
                _ => return Err(format!("a length octet of {len} at {at}")),
            }
        }
        self.at = resume.unwrap_or(at + 1);
        let name = Name::from_labels(labels);
        if name.wire().len() > 255 {
            return Err(format!("a name of {} octets", name.wire().len()));
        }
        self.names.push(name.clone());
        Ok(name)
    }
}

impl Name {
    /// Reads plain text: no escapes. `a.zone.` and `a.zone` are the same.
    pub(crate) fn of(text: &str) -> Name {
        Name::from_labels(text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes))
    }

    /// Labels of at most 63 octets, from the left.
    pub(crate) fn from_labels<'l>(labels: impl IntoIterator<Item = &'l [u8]>) -> Name {
        let mut name = Vec::with_capacity(32);
        for label in labels {
            name.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
            name.extend_from_slice(label);
        }
        name.make_ascii_lowercase(); // a length is below every letter
        Name(name)
    }

    /// Its labels from the left.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&len, behind) = rest.split_first()?;
            let (label, others) = behind.split_at(usize::from(len));
            rest = others;
            Some(label)
        })
    }

    /// How many labels it has.
    pub(crate) fn labels(&self) -> usize {
        self.iter().count()
    }

    /// The leftmost label; of the root nothing.
    pub(crate) fn first(&self) -> &[u8] {
        self.iter().next().unwrap_or_default()
    }

    /// The name in wire form.
    pub(crate) fn wire(&self) -> Vec<u8> {
        [&self.0[..], &[0]].concat()
    }

    /// The labels from the right: these sort in canonical order (RFC 4034 §6.1).
    pub(crate) fn canonical(&self) -> Vec<Vec<u8>> {
        let mut labels: Vec<Vec<u8>> = self.iter().map(<[u8]>::to_vec).collect();
        labels.reverse();
        labels
    }

    /// Whether it is `ancestor` or stands below it.
    pub(crate) fn is_within(&self, ancestor: &Name) -> bool {
        let labels = self.labels().checked_sub(ancestor.labels());
        labels.is_some_and(|labels| self.0[self.len_of(labels)..] == ancestor.0)
    }

    /// Whether it stands below `ancestor`.
    pub(crate) fn is_below(&self, ancestor: &Name) -> bool {
        self != ancestor && self.is_within(ancestor)
    }

    /// The rightmost `labels` labels.
    pub(crate) fn suffix(&self, labels: usize) -> Name {
        Name(self.0[self.len_of(self.labels() - labels)..].to_vec())
    }

    /// The labels in front of an ancestor.
    pub(crate) fn prefix(&self, ancestor: &Name) -> Name {
        Name(self.0[..self.0.len() - ancestor.0.len()].to_vec())
    }

    /// The labels with those of `suffix` behind them.
    pub(crate) fn before(&self, suffix: &Name) -> Name {
        Name([&self.0[..], &suffix.0].concat())
    }

    /// The name with one label in front.
    pub(crate) fn child(&self, label: &str) -> Name {
        Name::from_labels([label.as_bytes()]).before(self)
    }

    /// The octets that the leftmost `labels` labels take.
    fn len_of(&self, labels: usize) -> usize {
        self.iter().take(labels).map(|label| 1 + label.len()).sum()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.iter() {
            write!(f, "{}.", label.escape_ascii())?;
        }
        f.write_str(if self.0.is_empty() { "." } else { "" })
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { owner, rtype, class, ttl, data } = self;
        write!(f, "{owner} {ttl} CLASS{class} TYPE{rtype} {}", data.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The same query with EDNS and DO (RFC 3225).
pub(crate) fn query_with_do(qname: &[u8], rtype: u16) -> Vec<u8> {
    let mut query = query(qname, rtype, Some(1232));
    let flags = query.len() - 4;
    query[flags] |= 0x80;
    query
}

/// The query with options in its OPT record, which stands last.
pub(crate) fn with_options(query: &[u8], options: &[u8]) -> Vec<u8> {
    let mut query = query.to_vec();
    let len_at = query.len() - 2;
    query[len_at..].copy_from_slice(&u16::try_from(options.len()).unwrap_or(0).to_be_bytes());
    query.extend_from_slice(options);
    query
}

/// A query for a name in wire form, over which only EDNS version 0 with `udp_len` may stand.
pub(crate) fn query(qname: &[u8], rtype: u16, udp_len: Option<u16>) -> Vec<u8> {
    let mut query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    query.extend_from_slice(qname);
    query.extend_from_slice(&rtype.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    if let Some(udp_len) = udp_len {
        query[11] = 1;
        query.extend_from_slice(&[0, 0, 41]);
        query.extend_from_slice(&udp_len.to_be_bytes());
        query.extend_from_slice(&[0; 6]);
    }
    query
}
