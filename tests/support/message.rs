//! Messages as the judge reads them: strictly, and into text.
//!
//! [`Message::decode`] takes nothing that RFC 1035 §4 does not allow: counts that do not fit, bytes
//! left over, pointers that do not go backwards, names that are too long, are all errors.

use super::rdata;

/// Octets of a message's header.
pub const HEADER_LEN: usize = 12;
/// The type of the pseudo record that carries EDNS (RFC 6891).
const OPT: u16 = 41;
/// The EDNS option that explains an error (RFC 8914).
const EXTENDED_ERROR: u16 = 15;

/// A message, decoded.
#[derive(Debug)]
pub struct Message {
    pub id: u16,
    /// The second sixteen bits of the header: QR, opcode, AA, TC, RD, RA, AD, CD, RCODE.
    pub flags: u16,
    /// The bytes of the question section.
    pub question: Vec<u8>,
    pub answer: Vec<String>,
    pub authority: Vec<String>,
    pub additional: Vec<String>,
    pub opt: Option<Opt>,
}

/// The OPT record, taken out of the additional section.
#[derive(Debug, Default)]
pub struct Opt {
    pub payload_size: u16,
    pub rcode_high: u8,
    pub version: u8,
    pub flags: u16,
    /// The codes of the extended errors.
    pub errors: Vec<u16>,
    /// All options, with their codes.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Message {
    /// The last word of the first answer, an address for instance; or else the response code.
    pub fn told(&self) -> String {
        match self.answer.first() {
            Some(record) => record.rsplit(' ').next().unwrap_or_default().to_string(),
            None => format!("rcode {}", self.rcode()),
        }
    }

    /// Reads a whole message. The error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Message, String> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        for _ in 0..counts[0] {
            reader.name(true)?;
            reader.take(4)?;
        }
        let question = bytes[HEADER_LEN..reader.at].to_vec();
        let mut opt = None;
        let answer = records(&mut reader, counts[1], &mut None)?;
        let authority = records(&mut reader, counts[2], &mut None)?;
        let additional = records(&mut reader, counts[3], &mut Some(&mut opt))?;
        match bytes.len() - reader.at {
            0 => Ok(Message { id, flags, question, answer, authority, additional, opt }),
            left => Err(format!("{left} octets stand behind the last record")),
        }
    }

    /// The RCODE, with the upper bits that the OPT record holds.
    pub fn rcode(&self) -> u16 {
        let high = self.opt.as_ref().map_or(0, |opt| u16::from(opt.rcode_high));
        high << 4 | self.flags & 15
    }
}

/// Reads `count` records; an OPT record goes to `opt`, in the section that may have one.
fn records(
    reader: &mut Reader<'_>,
    count: u16,
    opt: &mut Option<&mut Option<Opt>>,
) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let owner = reader.name(true)?;
        let (rtype, class) = (reader.u16()?, reader.u16()?);
        let ttl = u32::from(reader.u16()?) << 16 | u32::from(reader.u16()?);
        let length = usize::from(reader.u16()?);
        let end = reader.at + length;
        if end > reader.bytes.len() {
            return Err(format!("the data of {owner} type {rtype} goes beyond the message"));
        }
        if rtype == OPT {
            let place = opt.as_mut().ok_or("an OPT record outside the additional section")?;
            let options = reader.take(length)?;
            if place.replace(read_opt(&owner, class, ttl, options)?).is_some() {
                return Err("two OPT records".to_string());
            }
            continue;
        }
        let data = rdata::text(rtype, &mut Reader { bytes: &reader.bytes[..end], at: reader.at })?;
        reader.at = end;
        let (class, rtype) = (rdata::class_name(class), rdata::type_name(rtype));
        texts.push(format!("{owner} {ttl} {class} {rtype} {data}").trim_end().to_string());
    }
    Ok(texts)
}

fn read_opt(owner: &str, class: u16, ttl: u32, options: &[u8]) -> Result<Opt, String> {
    if owner != "." {
        return Err(format!("an OPT record at {owner} instead of the root"));
    }
    let [rcode_high, version, high, low] = ttl.to_be_bytes();
    let flags = u16::from_be_bytes([high, low]);
    let mut opt = Opt { payload_size: class, rcode_high, version, flags, ..Opt::default() };
    let mut reader = Reader { bytes: options, at: 0 };
    while reader.at < options.len() {
        let (code, length) = (reader.u16()?, reader.u16()?);
        let value = reader.take(usize::from(length))?;
        if let (EXTENDED_ERROR, &[high, low, ..]) = (code, value) {
            opt.errors.push(u16::from_be_bytes([high, low]));
        }
        opt.options.push((code, value.to_vec()));
    }
    Ok(opt)
}

/// A place in a message.
pub struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// The next `length` octets.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes.get(self.at..self.at + length);
        let taken =
            taken.ok_or(format!("the message ends within a field at offset {}", self.at))?;
        self.at += length;
        Ok(taken)
    }

    /// The next octet.
    pub fn u8(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// The next 16 bits.
    pub fn u16(&mut self) -> Result<u16, String> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    /// A name. Pointers are followed where `compressed` names are legal, each further towards the
    /// front than all before it, so this ends.
    pub fn name(&mut self, compressed: bool) -> Result<String, String> {
        let start = self.at;
        let (mut text, mut octets) = (String::new(), 1);
        let (mut behind, mut lowest) = (None, self.at);
        loop {
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => {
                    octets += 1 + usize::from(length);
                    text += &label_text(self.take(usize::from(length))?);
                    text.push('.');
                }
                192.. if compressed => {
                    let target = usize::from(length & 63) << 8 | usize::from(self.u8()?);
                    if target >= lowest || target < HEADER_LEN {
                        return Err(format!("the name at {start} points to {target}"));
                    }
                    behind = behind.or(Some(self.at));
                    (self.at, lowest) = (target, target);
                }
                192.. => return Err(format!("a pointer at {start}, in data that allows none")),
                _ => return Err(format!("the name at {start} has a label of unknown kind")),
            }
        }
        self.at = behind.unwrap_or(self.at);
        match octets {
            256.. => Err(format!("the name at {start} has {octets} octets")),
            _ if text.is_empty() => Ok(".".to_string()),
            _ => Ok(text),
        }
    }
}

/// A label as zone files write it (RFC 1035 §5.1, RFC 4343 §2.1).
fn label_text(label: &[u8]) -> String {
    label.iter().map(|&octet| escaped(octet, b".\\\";()@$ ")).collect()
}

/// An octet as text; `special` ones behind a backslash, unprintable ones as their number.
pub fn escaped(octet: u8, special: &[u8]) -> String {
    match octet {
        b' ' if special.contains(&b' ') => "\\032".to_string(),
        _ if special.contains(&octet) => format!("\\{}", char::from(octet)),
        b' '..=b'~' => char::from(octet).to_string(),
        _ => format!("\\{octet:03}"),
    }
}
