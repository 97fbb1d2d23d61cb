//! Record data as bytes, walked by a type's row.

use super::table::{Field, Row};
use super::{Rtype, apl, bitmap, gateway, hip, loc, strings, svcb, table};
use crate::name::Name;

/// A run of record data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A name that messages may compress.
    Name(Name<'a>),
    /// A name that is written out.
    PlainName(Name<'a>),
    /// Anything else.
    Octets(&'a [u8]),
}

/// Where the names stand that messages may compress: side by side behind so many octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadingNames {
    /// The octets before the first.
    pub before: u8,
    /// How many there are.
    pub count: u8,
}

/// Those of a type.
pub fn leading_names(rtype: Rtype) -> LeadingNames {
    LEADING_NAMES.get(usize::from(rtype.0)).copied().unwrap_or(LeadingNames { before: 0, count: 0 })
}

/// Whether data of that type hold a name that messages may compress, or whose addresses a client will
/// want next.
#[inline]
pub fn concerns_names(rtype: Rtype) -> bool {
    CONCERNING.checked_shr(rtype.0.into()).is_some_and(|types| types & 1 != 0)
}

/// A bit for each type that does.
static CONCERNING: u64 = {
    let (mut types, mut row) = (0, 0);
    while row < table::ROWS.len() {
        let Row { rtype, target, .. } = table::ROWS[row];
        let names =
            (rtype.0 as usize) < COMPRESSED_END && LEADING_NAMES[rtype.0 as usize].count > 0;
        if names || target.is_some() {
            types |= 1 << rtype.0;
        }
        row += 1;
    }
    types
};

/// The types of RFC 1035 stand below this code, and no later one may be compressed (RFC 3597 §4).
const COMPRESSED_END: usize = 16;

/// By the code of the type; read off the table when the program is built.
static LEADING_NAMES: [LeadingNames; COMPRESSED_END] = {
    let mut all = [LeadingNames { before: 0, count: 0 }; COMPRESSED_END];
    let mut row = 0;
    while row < table::ROWS.len() {
        let Row { rtype, fields, .. } = table::ROWS[row];
        let (mut names, mut field) = (LeadingNames { before: 0, count: 0 }, 0);
        while field < fields.len() {
            match fields[field] {
                Field::Name => names.count += 1,
                Field::U16 if names.count == 0 => names.before += 2,
                _ => {}
            }
            field += 1;
        }
        if names.count > 0 {
            all[rtype.0 as usize] = names;
        }
        row += 1;
    }
    all
};

/// The data of a record of type `rtype`, part by part, what stands behind the last name in one. What
/// does not follow the row comes as octets, so that every input is walked to its end.
pub fn parts(rtype: Rtype, rdata: &[u8]) -> Parts<'_> {
    let fields = table::row(rtype).map_or(&[][..], |row| row.fields);
    let last = fields.iter().rposition(|field| matches!(field, Field::Name | Field::PlainName));
    Parts { fields: &fields[..last.map_or(0, |last| last + 1)], rest: rdata }
}

/// Iterates over the parts of record data.
pub struct Parts<'a> {
    fields: &'static [Field],
    rest: &'a [u8],
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let Some((&field, fields)) = self.fields.split_first() else {
            let octets = std::mem::take(&mut self.rest);
            return (!octets.is_empty()).then_some(Part::Octets(octets));
        };
        self.fields = fields;
        let len = field_len(field, self.rest).unwrap_or(self.rest.len());
        let (octets, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(match (field, Name::from_wire(octets)) {
            (Field::Name, Some(name)) => Part::Name(name),
            (Field::PlainName, Some(name)) => Part::PlainName(name),
            _ => Part::Octets(octets),
        })
    }
}

/// The names in the data of a record of that row, those of gateways and servers among them.
pub fn names<'a>(row: &Row, rdata: &'a [u8]) -> Names<'a> {
    Names { fields: row.fields, rest: rdata, names: &[] }
}

/// Iterates over the names in record data.
pub struct Names<'a> {
    fields: &'static [Field],
    rest: &'a [u8],
    /// The names of the field before, one behind the other.
    names: &'a [u8],
}

impl<'a> Iterator for Names<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        loop {
            if let Some((name, rest)) = Name::split_from(self.names) {
                self.names = rest;
                return Some(name);
            }
            let (&field, fields) = self.fields.split_first()?;
            let (octets, rest) = self.rest.split_at(field_len(field, self.rest)?);
            (self.fields, self.rest) = (fields, rest);
            self.names = match field {
                Field::Name | Field::PlainName => octets,
                Field::Gateway => gateway::gateway_name(octets),
                Field::Relay => gateway::relay_name(octets),
                Field::Identity => hip::servers(octets),
                _ => &[],
            };
        }
    }
}

/// Whether `rdata` is what `row` describes, to the last octet.
pub fn is_valid(row: &Row, rdata: &[u8]) -> bool {
    let mut rest = rdata;
    for &field in row.fields {
        match field_len(field, rest) {
            Some(len) => rest = &rest[len..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// Whether two data of one type say the same: octet for octet, letters in names without case.
pub fn same(rtype: Rtype, a: &[u8], b: &[u8]) -> bool {
    a == b
        || (a.len() == b.len() && a.eq_ignore_ascii_case(b) && parts(rtype, a).eq(parts(rtype, b)))
}

/// How many octets at the start of `rdata` the field takes; `None` if they are not its kind.
pub(crate) fn field_len(field: Field, rdata: &[u8]) -> Option<usize> {
    let whole = |is_valid: bool| is_valid.then_some(rdata.len());
    let len = match field {
        Field::Name | Field::PlainName => Name::split_from(rdata)?.0.as_wire().len(),
        Field::U8 => 1,
        Field::U16 | Field::Type => 2,
        Field::U32 | Field::Seconds | Field::Time | Field::Ipv4 => 4,
        Field::U64 | Field::Locator => 8,
        Field::Ipv6 => 16,
        Field::Eui(len) => len,
        Field::Code(codes) => codes.octets(),
        Field::Types => return whole(!rdata.is_empty() && bitmap::is_types(rdata)),
        Field::TypesIfAny => return whole(bitmap::is_types(rdata)),
        Field::Ports => return whole(bitmap::is_ports(rdata)),
        Field::Prefixes => return whole(apl::is_valid(rdata)),
        Field::Gateway => gateway::gateway_len(rdata)?,
        Field::Relay => gateway::relay_len(rdata)?,
        Field::Text | Field::Salt => strings::len(rdata)?,
        Field::TextIfAny => strings::len(rdata).unwrap_or(0),
        Field::Texts => strings::all_len(rdata)?,
        Field::Tag => strings::tag_len(rdata)?,
        Field::HashedOwner => strings::len(rdata).filter(|&len| len > 1)?,
        Field::Hex | Field::Base64 | Field::Nsap => return whole(!rdata.is_empty()),
        Field::Value | Field::Base64IfAny | Field::Base64OrHyphen | Field::Octets => rdata.len(),
        Field::Location => return loc::is_valid(rdata.get(..loc::LEN)?).then_some(loc::LEN),
        Field::Identity => return whole(hip::is_valid(rdata)),
        Field::SvcParams => return whole(svcb::is_valid(rdata)),
    };
    (len <= rdata.len()).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_the_row_puts_them() {
        let mx = b"\0\x0a\x04mail\0";
        let parts: Vec<_> = parts(table::MX, mx).collect();
        assert_eq!(parts[0], Part::Octets(b"\0\x0a"));
        assert_eq!(parts[1], Part::Name(Name::from_wire(b"\x04mail\0").unwrap()));
        assert!(same(table::MX, mx, b"\0\x0a\x04MAIL\0"));
        assert!(!same(table::TXT, b"\x01a", b"\x01A"));
    }

    #[test]
    fn leading_names_are_where_the_rows_put_names() {
        for row in table::ROWS {
            let names = leading_names(row.rtype);
            let is_name = |field: &&Field| **field == Field::Name;
            assert_eq!(usize::from(names.count), row.fields.iter().filter(is_name).count());
            let before = row.fields.iter().take_while(|field| **field == Field::U16).count();
            let after = row.fields.iter().skip(before).take(usize::from(names.count));
            if names.count > 0 {
                assert_eq!(usize::from(names.before), 2 * before, "{}", row.mnemonic);
                assert!(after.into_iter().all(|field| *field == Field::Name), "{}", row.mnemonic);
            }
        }
    }

    #[test]
    fn names_are_found_inside_of_fields_too() {
        for (text, expected) in [
            ("A 192.0.2.1", ""),
            ("RP jo.example. .", "jo.example. ."),
            ("SVCB 1 a.example. port=1", "a.example."),
            ("IPSECKEY 10 3 2 a.example. AQID", "a.example."),
            ("IPSECKEY 10 1 2 192.0.2.38 AQID", ""),
            ("AMTRELAY 128 1 3 a.example.", "a.example."),
            ("AMTRELAY 128 1 0 .", ""),
            ("HIP 2 200100 AwEA a. b.", "a. b."),
            ("HIP 2 200100 AwEA", ""),
        ] {
            let rtype = Rtype::from_text(text.split(' ').next().unwrap().as_bytes()).unwrap();
            let octets = super::super::testing::read(text).unwrap();
            let names = names(table::row(rtype).unwrap(), &octets);
            let names: Vec<_> = names.map(|name| name.to_string()).collect();
            assert_eq!(names.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn data_that_ends_early_or_late_is_invalid() {
        let valid = |rtype, rdata: &[u8]| is_valid(table::row(rtype).unwrap(), rdata);
        assert!(valid(table::A, &[1, 2, 3, 4]));
        assert!(!valid(table::A, &[1, 2, 3]));
        assert!(!valid(table::A, &[1, 2, 3, 4, 5]));
        assert!(valid(table::TXT, b"\x01a\x00"));
        assert!(!valid(table::TXT, b""));
        assert!(!valid(table::TXT, b"\x02a"));
        assert!(!valid(table::DS, &[0, 1, 8, 2]));
        assert!(!valid(table::MX, b"\0\x0a\x04mai"));
        assert!(!valid(table::CAA, b"\0\0"));
    }
}
