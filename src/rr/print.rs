//! Record data as text: the inverse of [`super::text`], by the same row.
//!
//! What is printed reads back as the same octets, and is printed again as the same text. Data of a
//! type without a row, data that does not follow its row, and the few that have no text (a LOC size
//! written in an unusual way, a gateway of an unknown type) are printed in the form of RFC 3597,
//! which has a place for everything.

use super::rdata;
use super::table::{self, Field};
use super::{Rtype, apl, bitmap, encoded, gateway, hip, loc, strings, svcb, time};
use crate::name::Name;
use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The data of a record of type `rtype`, to be shown: `10 mail.smith.edu.`
pub fn display(rtype: Rtype, rdata: &[u8]) -> Text<'_> {
    Text { rtype, rdata }
}

/// Record data that can be formatted.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    rtype: Rtype,
    rdata: &'a [u8],
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match by_row(self.rtype, self.rdata) {
            Some(text) => f.write_str(&text),
            None => f.write_str(&generic(self.rdata)),
        }
    }
}

/// The data as its row says; `None` if that cannot say it.
fn by_row(rtype: Rtype, rdata: &[u8]) -> Option<String> {
    let row = table::row(rtype).filter(|row| rdata::is_valid(row, rdata))?;
    let (mut text, mut rest) = (String::new(), rdata);
    for &field in row.fields {
        let (octets, tail) = rest.split_at_checked(rdata::field_len(field, rest)?)?;
        let len = text.len();
        if len > 0 {
            text.push(' ');
        }
        let start = text.len();
        print_field(field, octets, &mut text)?;
        if text.len() == start {
            text.truncate(len); // a field that is not there needs no blank before it
        }
        rest = tail;
    }
    Some(text)
}

/// `\# 4 0A000001` (RFC 3597 §5)
fn generic(rdata: &[u8]) -> String {
    let mut text = format!("\\# {}", rdata.len());
    if !rdata.is_empty() {
        text.push(' ');
        encoded::print_hex(rdata, &mut text);
    }
    text
}

fn print_field(field: Field, octets: &[u8], out: &mut String) -> Option<()> {
    match field {
        Field::Name | Field::PlainName => write!(out, "{}", Name::from_wire(octets)?).ok()?,
        Field::U8 | Field::U16 | Field::U32 | Field::U64 | Field::Seconds => {
            write!(out, "{}", number(octets)).ok()?;
        }
        Field::Code(codes) => codes.print(octets, out)?,
        Field::Type => {
            write!(out, "{}", Rtype(u16::from_be_bytes(octets.try_into().ok()?))).ok()?;
        }
        Field::Types | Field::TypesIfAny => bitmap::print_types(octets, out)?,
        Field::Ports => bitmap::print_ports(octets, out)?,
        Field::Time => time::print(octets, out)?,
        Field::Ipv4 => write!(out, "{}", Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)).ok()?,
        Field::Ipv6 => {
            write!(out, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)).ok()?;
        }
        Field::Prefixes => apl::print(octets, out)?,
        Field::Gateway => gateway::print_gateway(octets, out)?,
        Field::Relay => gateway::print_relay(octets, out)?,
        Field::Text | Field::TextIfAny | Field::Texts => strings::print(octets, out)?,
        Field::Tag => strings::print_tag(octets, out)?,
        Field::Value => strings::print_value(octets, out)?,
        Field::Hex => encoded::print_hex(octets, out),
        Field::Base64 | Field::Base64IfAny => encoded::print_base64(octets, out),
        Field::Base64OrHyphen => encoded::print_base64_or_hyphen(octets, out),
        Field::Salt => encoded::print_salt(octets, out),
        Field::HashedOwner => encoded::print_hashed_owner(octets, out),
        Field::Eui(_) => encoded::print_eui(octets, out),
        Field::Locator => encoded::print_locator(octets, out),
        Field::Nsap => encoded::print_nsap(octets, out),
        Field::Location => loc::print(octets, out)?,
        Field::Identity => hip::print(octets, out)?,
        Field::SvcParams => svcb::print(octets, out)?,
        Field::Octets => return None,
    }
    Some(())
}

/// A number in network byte order, of at most eight octets.
fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_text_is_printed_as_octets() {
        for (rtype, rdata, text) in [
            (Rtype(65_280), &[1, 2][..], r"\# 2 0102"),
            (Rtype(65_280), &[], r"\# 0"),
            (table::NULL, &[10], r"\# 1 0A"),
            (table::A, &[192, 0, 2], r"\# 3 C00002"),
            (table::IPSECKEY, &[10, 9, 0, 7], r"\# 4 0A090007"),
        ] {
            assert_eq!(display(rtype, rdata).to_string(), text);
        }
    }

    #[test]
    fn fields_that_are_not_there_leave_no_blank() {
        assert_eq!(display(table::CSYNC, &[0, 0, 0, 1, 0, 3]).to_string(), "1 3");
        assert_eq!(display(table::KEY, &[0xc0, 0, 3, 5]).to_string(), "49152 3 5");
        assert_eq!(display(table::APL, &[]).to_string(), "");
        assert_eq!(display(table::TXT, &[0, 0]).to_string(), r#""" """#);
    }
}
