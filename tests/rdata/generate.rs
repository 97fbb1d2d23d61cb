//! Valid data for a row, made of a run of random octets; written from the RFCs, not from the code.

use zonesmith::rr::table::{Field, Row};

/// Random octets, one after the other; nought when they are used up.
pub(crate) struct Source<'a> {
    octets: &'a [u8],
}

impl<'a> Source<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Source<'a> {
        Source { octets }
    }

    fn octet(&mut self) -> u8 {
        let (first, rest) = self.octets.split_first().unwrap_or((&0, &[]));
        self.octets = rest;
        *first
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.octet()) << 8 | usize::from(self.octet())) % end
    }

    fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.octet()).collect()
    }

    /// From `min` to `max` octets.
    fn some(&mut self, min: usize, max: usize) -> Vec<u8> {
        let len = min + self.below(max + 1 - min);
        self.octets(len)
    }
}

/// Octets that a record of that type can have as its data.
pub(crate) fn data(row: &Row, source: &mut Source<'_>) -> Vec<u8> {
    row.fields.iter().flat_map(|&field| octets(field, source)).collect()
}

fn octets(field: Field, source: &mut Source<'_>) -> Vec<u8> {
    match field {
        Field::Name | Field::PlainName => name(source),
        Field::U8 => source.octets(1),
        Field::U16 => source.octets(2),
        Field::U32 | Field::Seconds | Field::Time | Field::Ipv4 => source.octets(4),
        Field::U64 | Field::Locator => source.octets(8),
        Field::Ipv6 => source.octets(16),
        Field::Eui(len) => source.octets(len),
        Field::Code(_) => code(field, source),
        Field::Type => small_u16(source),
        Field::Types => types(1, source),
        Field::TypesIfAny => types(0, source),
        Field::Ports => ports(source),
        Field::Prefixes => prefixes(source),
        Field::Gateway => {
            let (kind, host) = host(source);
            [vec![kind, source.octet()], host].concat()
        }
        Field::Relay => {
            let (kind, host) = host(source);
            [vec![kind | source.octet() & 0x80], host].concat()
        }
        Field::Text => counted(&source.some(0, 255)),
        Field::TextIfAny => texts(0, 1, source),
        Field::Texts => texts(1, 4, source),
        Field::Tag => {
            let len = 1 + source.below(15);
            let tag: Vec<u8> = (0..len).map(|_| b'a' + source.octet() % 26).collect();
            counted(&tag)
        }
        Field::Value => source.some(0, 300),
        Field::Hex | Field::Base64 | Field::Nsap => source.some(1, 80),
        Field::Base64IfAny | Field::Base64OrHyphen | Field::Octets => source.some(0, 80),
        Field::Salt => counted(&source.some(0, 255)),
        Field::HashedOwner => counted(&source.some(1, 40)),
        Field::Location => location(source),
        Field::Identity => identity(source),
        Field::SvcParams => service_parameters(source),
    }
}

/// A name of up to seven labels, with every octet in them.
fn name(source: &mut Source<'_>) -> Vec<u8> {
    let mut name = Vec::new();
    for _ in 0..source.below(8) {
        let longest = if source.octet() == 0 { 63 } else { 8 };
        let label = counted(&source.some(1, longest));
        if name.len() + label.len() < 255 {
            name.extend(label);
        }
    }
    name.push(0);
    name
}

fn counted(octets: &[u8]) -> Vec<u8> {
    [&[u8::try_from(octets.len()).unwrap()], octets].concat()
}

fn texts(min: usize, max: usize, source: &mut Source<'_>) -> Vec<u8> {
    let count = min + source.below(max + 1 - min);
    (0..count).flat_map(|_| counted(&source.some(0, 40))).collect()
}

/// Small numbers are those that have names.
fn code(field: Field, source: &mut Source<'_>) -> Vec<u8> {
    let wide = matches!(field, Field::Code(codes) if codes == &zonesmith::rr::codes::CERTIFICATE);
    if wide { small_u16(source) } else { small_u16(source)[1..].to_vec() }
}

fn small_u16(source: &mut Source<'_>) -> Vec<u8> {
    let large = source.octet() < 64;
    let number = if large { source.below(65_536) } else { source.below(70) };
    u16::try_from(number).unwrap().to_be_bytes().to_vec()
}

/// RFC 4034 §4.1.2
fn types(min: usize, source: &mut Source<'_>) -> Vec<u8> {
    let mut windows = std::collections::BTreeMap::<u8, [u8; 32]>::new();
    for _ in 0..min + source.below(9) {
        let [window, low] = <[u8; 2]>::try_from(small_u16(source)).unwrap();
        windows.entry(window).or_default()[usize::from(low / 8)] |= 128 >> (low % 8);
    }
    let mut out = Vec::new();
    for (number, bits) in windows {
        let used = bits.iter().rposition(|&octet| octet != 0).unwrap() + 1;
        out.push(number);
        out.extend(counted(&bits[..used]));
    }
    out
}

fn ports(source: &mut Source<'_>) -> Vec<u8> {
    let mut bits = source.some(0, 40);
    if let Some(last) = bits.last_mut() {
        *last |= 1; // bits with a zero octet at their end are valid, and have no text
    }
    bits
}

/// RFC 3123 §4
fn prefixes(source: &mut Source<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..source.below(4) {
        let (family, len) = if source.octet() < 128 { (1, 4) } else { (2, 16) };
        let mut address = source.some(0, len);
        while address.last() == Some(&0) {
            address.pop();
        }
        let prefix = u8::try_from(source.below(8 * len + 1)).unwrap();
        let negation = source.octet() & 0x80;
        out.extend([0, family, prefix, negation | u8::try_from(address.len()).unwrap()]);
        out.extend(address);
    }
    out
}

/// Nothing, an address, or a name, and the number of the way.
fn host(source: &mut Source<'_>) -> (u8, Vec<u8>) {
    match source.below(4) {
        0 => (0, vec![]),
        1 => (1, source.octets(4)),
        2 => (2, source.octets(16)),
        _ => (3, name(source)),
    }
}

/// RFC 1876 §2
fn location(source: &mut Source<'_>) -> Vec<u8> {
    let mut out = vec![0];
    for _ in 0..3 {
        let digit = u8::try_from(source.below(10)).unwrap();
        let power = u8::try_from(source.below(10)).unwrap();
        out.push(if digit == 0 { 0 } else { digit << 4 | power });
    }
    for degrees in [90, 180] {
        let limit = degrees * 3_600_000;
        let number = u32::from_be_bytes(source.octets(4).try_into().unwrap()) % (2 * limit + 1);
        out.extend(((1 << 31) - limit + number).to_be_bytes());
    }
    out.extend(source.octets(4));
    out
}

/// RFC 8005 §5
fn identity(source: &mut Source<'_>) -> Vec<u8> {
    let (tag, key) = (source.some(1, 40), source.some(1, 300));
    let mut out = vec![u8::try_from(tag.len()).unwrap(), source.octet()];
    out.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
    out.extend([tag, key].concat());
    for _ in 0..source.below(3) {
        out.extend(name(source));
    }
    out
}

/// RFC 9460 §7, §8
fn service_parameters(source: &mut Source<'_>) -> Vec<u8> {
    let mut params = Vec::<(u16, Vec<u8>)>::new();
    let present = source.octet();
    if present & 1 != 0 {
        let ids = (0..1 + source.below(3)).flat_map(|_| counted(&source.some(1, 9))).collect();
        params.push((1, ids));
        if source.octet() < 64 {
            params.push((2, vec![]));
        }
    }
    let lists = [(2, 3, 2), (4, 4, 4), (8, 5, 9), (16, 6, 16)];
    for (bit, key, len) in lists {
        if present & bit != 0 {
            let count = if matches!(key, 4 | 6) { 1 + source.below(3) } else { 1 };
            params.push((key, source.octets(len * count)));
        }
    }
    if present & 32 != 0 {
        params.push((7, source.some(1, 20)));
    }
    if present & 64 != 0 {
        params.push((100 + u16::from(source.octet()), source.some(0, 20)));
    }
    if present & 128 != 0 && !params.is_empty() {
        let named = params.iter().flat_map(|(key, _)| key.to_be_bytes()).collect();
        params.insert(0, (0, named));
    }
    let param = |(key, value): (u16, Vec<u8>)| {
        let len = u16::try_from(value.len()).unwrap();
        [&key.to_be_bytes()[..], &len.to_be_bytes(), &value].concat()
    };
    params.into_iter().flat_map(param).collect()
}
