//! A DNS look-up, byte by byte, as a first networking lab does it: a query is put together by hand,
//! sent over UDP, and the query and the response are printed with what each byte means.
//!
//! ```text
//! cargo run --example lookup                                    # smith.edu A at 127.0.0.1:5300
//! cargo run --example lookup -- 127.0.0.1:5300 mail.smith.edu CNAME
//! ```
//!
//! Everything is in the standard library; the message format is RFC 1035 §4. Read on from `run`:
//! it is the whole program, and each function it calls comes after it.

#![allow(clippy::print_stdout, reason = "a program for the terminal: printing is its purpose")]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

/// How long to wait for the response. UDP may lose a datagram and nobody is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest datagram there is, so that no response is cut off by our buffer.
const DATAGRAM_LEN_MAX: usize = 65_535;
/// How many pointers one name may follow: more would be a message that leads us in circles.
const POINTERS_MAX: usize = 64;

/// Record types that have a name here: mnemonic and number (RFC 1035 §3.2.2, RFC 3596, RFC 6891).
const TYPES: [(&str, u16); 10] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("OPT", 41),
    ("ANY", 255),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("lookup: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or("127.0.0.1:5300".to_string());
    let name = arguments.next().unwrap_or("smith.edu".to_string());
    let rtype = type_number(&arguments.next().unwrap_or("A".to_string()))?;

    let query = build_query(&name, rtype)?;
    println!("Query to {server}, {} bytes:\n{}", query.len(), dump(&query));
    let response = exchange(&server, &query)?;
    println!("Response, {} bytes:\n{}", response.len(), dump(&response));
    Ok(())
}

//----------- Building the query -----------------------------------------------------------------

/// The twelve bytes of header and one question.
fn build_query(name: &str, rtype: u16) -> Result<Vec<u8>, String> {
    let mut query = Vec::new();
    query.extend(id().to_be_bytes()); // "big endian": the network sends the high byte first
    query.extend(0x0100_u16.to_be_bytes()); // flags: only RD, "recursion desired", is set
    query.extend(1_u16.to_be_bytes()); // QDCOUNT: one question
    query.extend([0; 6]); // ANCOUNT, NSCOUNT, ARCOUNT: no records in a query
    push_name(&mut query, name)?;
    query.extend(rtype.to_be_bytes());
    query.extend(1_u16.to_be_bytes()); // class IN, the Internet
    Ok(query)
}

/// A number that the response must repeat. Ours comes from the process number, which will do in a
/// lab; a real resolver takes a random one, so that nobody can forge a response.
fn id() -> u16 {
    let [.., high, low] = std::process::id().to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// `smith.edu` goes out as 5 s m i t h 3 e d u 0: each label behind its length, then a zero.
fn push_name(message: &mut Vec<u8>, name: &str) -> Result<(), String> {
    for label in name.trim_end_matches('.').split('.').filter(|_| name != ".") {
        match u8::try_from(label.len()) {
            Ok(length @ 1..=63) => message.push(length),
            _ => return Err(format!("`{label}` is no label: it needs 1 to 63 bytes")),
        }
        message.extend(label.as_bytes());
    }
    message.push(0);
    Ok(())
}

fn type_number(text: &str) -> Result<u16, String> {
    let wanted = text.to_ascii_uppercase();
    let known = TYPES.iter().find(|(mnemonic, _)| *mnemonic == wanted).map(|&(_, number)| number);
    let numbered = || wanted.strip_prefix("TYPE").unwrap_or(&wanted).parse().ok();
    known.or_else(numbered).ok_or(format!("`{text}` is no type: try A, NS, MX, or a number"))
}

fn type_name(number: u16) -> String {
    let known = TYPES.iter().find(|&&(_, candidate)| candidate == number);
    known.map_or(format!("TYPE{number}"), |(mnemonic, _)| (*mnemonic).to_string())
}

//----------- Over the network -------------------------------------------------------------------

/// Sends one datagram and waits for one. `connect` sends nothing: it only has the kernel throw away
/// datagrams that come from anywhere else.
fn exchange(server: &str, query: &[u8]) -> Result<Vec<u8>, String> {
    let talk = || -> std::io::Result<Vec<u8>> {
        let any = if server.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(query)?;
        let mut response = vec![0; DATAGRAM_LEN_MAX];
        let length = socket.recv(&mut response)?;
        response.truncate(length);
        Ok(response)
    };
    talk().map_err(|error| format!("no response from {server} ({error}); is a server there?"))
}

//----------- The annotated dump -----------------------------------------------------------------

/// One line per field: offset, bytes, meaning. Whatever the message holds, this comes to an end: a
/// field that does not fit is the last line.
fn dump(message: &[u8]) -> String {
    let mut dump = Dump { message, at: 0, text: String::new() };
    if dump.message().is_none() {
        dump.rest("the message ends in the middle of a field, or a name leads nowhere");
    } else if dump.at < message.len() {
        dump.rest("nothing should stand here: the counts in the header are used up");
    }
    dump.text
}

/// Reads a message from the front and writes down what it sees. Every method returns `None` where
/// the message does not go on as it should.
struct Dump<'a> {
    message: &'a [u8],
    /// Where the next field starts.
    at: usize,
    text: String,
}

impl Dump<'_> {
    fn message(&mut self) -> Option<()> {
        self.number("ID: the response repeats the query's")?;
        self.flags()?;
        let questions = self.number("QDCOUNT: questions")?;
        let answers = self.number("ANCOUNT: records that answer")?;
        let authorities = self.number("NSCOUNT: records about who has authority")?;
        let additionals = self.number("ARCOUNT: additional records")?;
        (0..questions).try_for_each(|_| self.question())?;
        (0..answers).try_for_each(|_| self.record("Answer"))?;
        (0..authorities).try_for_each(|_| self.record("Authority"))?;
        (0..additionals).try_for_each(|_| self.record("Additional"))
    }

    fn flags(&mut self) -> Option<()> {
        let flags = u16::from_be_bytes(self.peek(2)?.try_into().ok()?);
        let mut set: Vec<String> = Vec::new();
        set.push(if flags & 0x8000 == 0 { "query" } else { "QR: response" }.to_string());
        let names = [(0x0400, "AA: authoritative"), (0x0200, "TC: truncated, ask again over TCP")];
        let more = [(0x0100, "RD: recursion desired"), (0x0080, "RA: recursion available")];
        let both = names.iter().chain(&more).filter(|(bit, _)| flags & bit != 0);
        set.extend(both.map(|(_, name)| (*name).to_string()));
        set.push(format!("OPCODE {}", flags >> 11 & 15));
        set.push(format!("RCODE {} ({})", flags & 15, rcode_name(flags & 15)));
        self.line(2, &format!("flags: {}", set.join(", ")))
    }

    fn question(&mut self) -> Option<()> {
        self.heading("Question");
        self.name("QNAME")?;
        self.rtype("QTYPE")?;
        self.number("QCLASS (1 = IN, the Internet)").map(drop)
    }

    fn record(&mut self, section: &str) -> Option<()> {
        self.heading(section);
        self.name("owner")?;
        let rtype = self.rtype("TYPE")?;
        if type_name(rtype) == "OPT" {
            self.number("in place of a class: the largest UDP response its sender takes")?;
            self.line(4, "in place of a TTL: extended RCODE, EDNS version, flags (0x8000 = DO)")?;
        } else {
            self.number("CLASS (1 = IN, the Internet)")?;
            self.seconds("TTL: may be kept for")?;
        }
        let length = usize::from(self.number("RDLENGTH: bytes of RDATA that follow")?);
        let end = self.at.checked_add(length).filter(|&end| end <= self.message.len())?;
        self.rdata(&type_name(rtype), end)
    }

    /// The data of a record, ending at offset `end`; what is not understood is shown as it is.
    fn rdata(&mut self, rtype: &str, end: usize) -> Option<()> {
        match rtype {
            "A" | "AAAA" => self.address(end)?,
            "NS" | "CNAME" | "PTR" => self.name("RDATA")?,
            "MX" => {
                self.number("preference: the lowest is tried first")?;
                self.name("mail server")?;
            }
            "SOA" => self.soa()?,
            "TXT" => self.strings(end)?,
            _ => {}
        }
        match end.checked_sub(self.at)? {
            0 => Some(()),
            left => self.line(left, "RDATA that this program does not explain"),
        }
    }

    /// Four bytes are an IPv4 address and sixteen an IPv6 address; else all is left for `rdata`.
    fn address(&mut self, end: usize) -> Option<()> {
        let bytes = self.message.get(self.at..end)?;
        let four = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_string());
        let sixteen = <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).to_string());
        let Ok(text) = four.or(sixteen) else {
            return Some(());
        };
        self.line(bytes.len(), &text)
    }

    fn soa(&mut self) -> Option<()> {
        self.name("MNAME: the primary server")?;
        self.name("RNAME: a mail address, its @ as a dot")?;
        let serial = u32::from_be_bytes(self.peek(4)?.try_into().ok()?);
        self.line(4, &format!("serial {serial}: the zone's version"))?;
        self.seconds("refresh")?;
        self.seconds("retry")?;
        self.seconds("expire")?;
        self.seconds("minimum: \"no such name\" may be kept for")
    }

    fn strings(&mut self, end: usize) -> Option<()> {
        while self.at < end {
            let length = usize::from(self.peek(1)?[0]);
            let string = printable(self.peek(1 + length)?.get(1..)?);
            self.line(1 + length, &format!("\"{string}\", behind its length"))?;
        }
        Some(())
    }

    /// A name: its labels one by one, and the pointer that may stand for the rest of it (§4.1.4).
    fn name(&mut self, what: &str) -> Option<()> {
        let whole = name_at(self.message, self.at)?;
        loop {
            let length = self.peek(1)?[0];
            match length {
                0 => return self.line(1, &format!("end of name. {what}: {whole}")),
                1..=63 => {
                    let label = printable(self.peek(1 + usize::from(length))?.get(1..)?);
                    self.line(1 + usize::from(length), &format!("label \"{label}\""))?;
                }
                _ => {
                    let target = pointer(self.peek(2)?)?;
                    let meaning = format!("pointer: go on at offset {target}. {what}: {whole}");
                    return self.line(2, &meaning);
                }
            }
        }
    }

    fn rtype(&mut self, what: &str) -> Option<u16> {
        let number = u16::from_be_bytes(self.peek(2)?.try_into().ok()?);
        self.line(2, &format!("{what} {number} = {}", type_name(number)))?;
        Some(number)
    }

    /// A field of 16 bits.
    fn number(&mut self, meaning: &str) -> Option<u16> {
        let number = u16::from_be_bytes(self.peek(2)?.try_into().ok()?);
        self.line(2, &format!("{number}  {meaning}"))?;
        Some(number)
    }

    /// A field of 32 bits that counts seconds.
    fn seconds(&mut self, meaning: &str) -> Option<()> {
        let seconds = u32::from_be_bytes(self.peek(4)?.try_into().ok()?);
        self.line(4, &format!("{meaning} {seconds} seconds"))
    }

    /// The next `length` bytes, without going on.
    fn peek(&self, length: usize) -> Option<&[u8]> {
        self.message.get(self.at..self.at.checked_add(length)?)
    }

    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "  {text}");
    }

    /// Writes down the next `length` bytes, eight to a line, and goes on behind them.
    fn line(&mut self, length: usize, meaning: &str) -> Option<()> {
        let bytes = self.peek(length)?.to_vec();
        for (row, chunk) in bytes.chunks(8).enumerate() {
            let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
            let (offset, hex) = (self.at + 8 * row, hex.join(" "));
            let meaning = if row == 0 { meaning } else { "" };
            let line = format!("  {offset:5}  {hex:23}  {meaning}");
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        self.at += length;
        Some(())
    }

    /// Writes down all that is left.
    fn rest(&mut self, meaning: &str) {
        let left = self.message.len().saturating_sub(self.at);
        if left == 0 {
            let _ = writeln!(self.text, "  {:5}  {:23}  {meaning}", self.at, "");
        }
        let _ = self.line(left, meaning);
    }
}

/// The name at offset `at`, all pointers followed; `None` if it never ends well.
fn name_at(message: &[u8], mut at: usize) -> Option<String> {
    let (mut text, mut pointers) = (String::new(), 0);
    loop {
        let length = *message.get(at)?;
        match length {
            0 => {
                return Some(if text.is_empty() { ".".to_string() } else { text });
            }
            1..=63 => {
                let end = at + 1 + usize::from(length);
                text += &printable(message.get(at + 1..end)?);
                text.push('.');
                at = end;
            }
            _ => {
                pointers += 1;
                at = pointer(message.get(at..at + 2)?).filter(|_| pointers <= POINTERS_MAX)?;
            }
        }
    }
}

/// A length byte that starts with two one bits is half of a pointer: 14 bits of offset.
fn pointer(bytes: &[u8]) -> Option<usize> {
    let number = u16::from_be_bytes(bytes.try_into().ok()?);
    (number >= 0xc000).then_some(usize::from(number & 0x3fff))
}

/// Text from the network may hold anything, also what would steer a terminal: such bytes are shown
/// as a backslash and their decimal number, as zone files write them.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'.' | b'\\' | b'"' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text += &format!("\\{byte:03}"),
        }
    }
    text
}

fn rcode_name(rcode: u16) -> &'static str {
    match rcode {
        0 => "no error",
        1 => "the query was malformed",
        2 => "the server failed",
        3 => "no such name",
        4 => "not implemented",
        5 => "refused",
        _ => "see the IANA list of RCODEs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_the_rfc_draws() {
        let query = build_query("smith.edu", 1).unwrap();
        assert_eq!(query[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(query[12..], *b"\x05smith\x03edu\x00\x00\x01\x00\x01");
        assert!(build_query("smith..edu", 1).is_err());
    }

    #[test]
    fn a_pointer_is_shown_and_followed() {
        let mut response = build_query("smith.edu", 1).unwrap();
        response[7] = 1;
        response.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x54\x60\x00\x04\x83\xe5\x40\x13");
        let text = dump(&response);
        assert!(text.contains("pointer: go on at offset 12. owner: smith.edu."), "{text}");
        assert!(text.contains("131.229.64.19") && text.contains("21600 seconds"), "{text}");
    }

    #[test]
    fn any_bytes_are_dumped_to_their_end() {
        let mut random = 1_u32;
        for round in 0..20_000_usize {
            let mut message = build_query("a.example", 15).unwrap();
            message[7] = 2;
            message.extend(b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x01\x00\x20\xc0\x1b\xc0\x0c");
            message.truncate(round % 60);
            for _ in 0..round % 7 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [place, value, ..] = random.to_be_bytes();
                if let Some(byte) = message.get_mut(usize::from(place % 60)) {
                    *byte = value;
                }
            }
            assert!(dump(&message).is_ascii());
        }
    }
}
