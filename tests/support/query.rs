//! The words of a query step, as a message.

use super::message::HEADER_LEN;
use super::options::{ServerCookie, Setting};
use super::rdata;
use super::tsig::Signing;

/// How a message is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// A query, ready to be sent, and what a judge must remember of it.
#[derive(Clone, Debug)]
pub struct Query {
    /// The message, but for what [`Query::asked_in`] puts into it.
    pub wire: Vec<u8>,
    pub transport: Transport,
    /// The payload size in its OPT record, if it has one.
    pub edns: Option<u16>,
    /// The DO flag.
    pub dnssec_ok: bool,
    /// A server's cookie, and how many octets before the end it stands.
    cookie: Option<(ServerCookie, usize)>,
    /// How it is signed.
    signing: Option<Signing>,
}

/// What the `+` words say.
struct Flags {
    transport: Transport,
    edns: Option<u16>,
    version: u8,
    dnssec_ok: bool,
    options: Vec<u8>,
    /// A server's cookie to be made, and where in the options.
    cookie: Option<(ServerCookie, usize)>,
    signing: Option<Signing>,
    bits: u16,
}

/// The ID of all queries: a judge compares it, nobody has to guess it.
const ID: u16 = 0x5a17;
const RD: u16 = 0x0100;
const DO: u16 = 0x8000;
/// What `+edns` alone says, as dig does.
const PAYLOAD_SIZE: u16 = 1232;

impl Query {
    /// `NAME TYPE [CLASS]`, or `-` for no question, and any of +tcp +edns[=SIZE] +do +version=N
    /// +option=CODE:HEX +nsid +keepalive +zoneversion +cookie=HEX[:SERVER] +norec +tc +aa +ad +cd +z
    /// +opcode=N +tsig=KEY ([`Signing::parse`]). SERVER is a server's cookie in hex, or one to be made, as `ours-60`
    /// ([`ServerCookie::parse`]).
    pub fn parse(words: &str) -> Result<Query, String> {
        let (plus, plain): (Vec<&str>, Vec<&str>) =
            words.split_whitespace().partition(|word| word.starts_with('+'));
        let flags = parse_flags(&plus)?;
        let mut wire = header(ID, flags.bits, flags.edns.is_some());
        match plain[..] {
            ["-"] => wire[5] = 0,
            _ => wire.extend(question_wire(&plain)?),
        }
        push_opt(&mut wire, &flags);
        let cookie = flags.cookie.map(|(cookie, at)| (cookie, flags.options.len() - at));
        let Flags { transport, edns, dnssec_ok, signing, .. } = flags;
        Ok(Query { wire, transport, edns, dnssec_ok, cookie, signing })
    }

    /// The message as it is asked there and then.
    pub fn asked_in(&self, setting: &Setting) -> Vec<u8> {
        let mut wire = self.wire.clone();
        if let Some((cookie, from_end)) = self.cookie {
            let at = wire.len() - from_end;
            wire[at..at + 16].copy_from_slice(&cookie.made_in(setting));
        }
        if let Some(signing) = &self.signing {
            wire = signing.sign(&wire, setting.unix_s).expect("names that can be written");
        }
        wire
    }

    /// Bytes as they are, in hex, with text in quotes; `+tcp` may stand among them.
    pub fn parse_raw(words: &str) -> Result<Query, String> {
        let tcp = words.contains("+tcp");
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let wire = hex_and_text(&words.replace("+tcp", ""))?;
        Ok(Query { wire, transport, edns: None, dnssec_ok: false, cookie: None, signing: None })
    }

    /// The question section, as far as there is a whole question.
    pub fn question(&self) -> &[u8] {
        if self.wire.get(4..6) == Some(&[0, 0]) {
            return &[];
        }
        let Some(mut at) = self.wire.len().checked_sub(HEADER_LEN).map(|_| HEADER_LEN) else {
            return &[];
        };
        while let Some(&length @ 1..) = self.wire.get(at) {
            at += 1 + usize::from(length);
        }
        self.wire.get(HEADER_LEN..at + 5).unwrap_or(&[])
    }

    /// Whether the name in the question has capital letters.
    pub fn has_capitals(&self) -> bool {
        self.question().iter().any(u8::is_ascii_uppercase)
    }

    /// The RD flag.
    pub fn recursion_desired(&self) -> bool {
        self.wire.get(2).is_some_and(|octet| octet & 1 != 0)
    }

    /// The most octets that an answer may have (RFC 1035 §4.2, RFC 6891 §6.2.5, and our 1232).
    pub fn size_max(&self) -> usize {
        match (self.transport, self.edns) {
            (Transport::Tcp, _) => 65_535,
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(size)) => usize::from(size).clamp(512, 1232),
        }
    }
}

/// A header with one question.
pub fn header(id: u16, flags: u16, with_opt: bool) -> Vec<u8> {
    let counts = [1, 0, 0, u16::from(with_opt)];
    [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

fn parse_flags(words: &[&str]) -> Result<Flags, String> {
    let mut flags = Flags {
        transport: Transport::Udp,
        edns: None,
        version: 0,
        dnssec_ok: false,
        options: Vec::new(),
        cookie: None,
        signing: None,
        bits: RD,
    };
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let bad = |_| format!("`{word}`: a number expected");
        match name {
            "+tcp" => flags.transport = Transport::Tcp,
            "+norec" => flags.bits &= !RD,
            "+aa" => flags.bits |= 0x0400,
            "+tc" => flags.bits |= 0x0200,
            "+z" => flags.bits |= 0x0040,
            "+ad" => flags.bits |= 0x0020,
            "+cd" => flags.bits |= 0x0010,
            "+opcode" => flags.bits |= value.parse::<u16>().map_err(bad)? << 11,
            "+do" => flags.dnssec_ok = true,
            "+version" => flags.version = value.parse().map_err(bad)?,
            "+option" => flags.options.extend(option(value)?),
            "+nsid" => flags.options.extend(option("3:")?),
            "+keepalive" => flags.options.extend(option("11:")?),
            "+zoneversion" => flags.options.extend(option("19:")?),
            "+tsig" => flags.signing = Some(Signing::parse(value)?),
            "+cookie" => push_cookie(&mut flags, value)?,
            "+edns" if value.is_empty() => flags.edns = Some(PAYLOAD_SIZE),
            "+edns" => flags.edns = Some(value.parse().map_err(bad)?),
            _ => return Err(format!("unknown word {word}")),
        }
    }
    if flags.dnssec_ok || flags.version > 0 || !flags.options.is_empty() {
        flags.edns = flags.edns.or(Some(PAYLOAD_SIZE));
    }
    Ok(flags)
}

/// `NAME TYPE [CLASS]` as the question section.
fn question_wire(words: &[&str]) -> Result<Vec<u8>, String> {
    let (&[name, rtype], class) = words.split_first_chunk().ok_or("NAME TYPE expected")?;
    let rtype = rdata::type_code(rtype).ok_or(format!("unknown type {rtype}"))?;
    let class = *class.first().unwrap_or(&"IN");
    let class = rdata::class_code(class).ok_or(format!("unknown class {class}"))?;
    Ok([&name_wire(name)?[..], &rtype.to_be_bytes(), &class.to_be_bytes()].concat())
}

/// `CLIENT`, `CLIENT:SERVER` in hex, or `CLIENT:ours` for a server's cookie that is made later.
fn push_cookie(flags: &mut Flags, text: &str) -> Result<(), String> {
    let (client, server) = text.split_once(':').unwrap_or((text, ""));
    let octets = hex_and_text(client)?;
    let server = match server.chars().next() {
        Some('o') => {
            let client = octets[..].try_into().map_err(|_| "a client's cookie has 8 octets")?;
            let at = flags.options.len() + 4 + octets.len();
            flags.cookie = Some((ServerCookie::parse(client, server)?, at));
            vec![0; 16]
        }
        _ => hex_and_text(server)?,
    };
    let octets = [octets, server].concat();
    let len = u16::try_from(octets.len()).map_err(|_| "an option that is too long")?;
    flags.options.extend([&10u16.to_be_bytes()[..], &len.to_be_bytes(), &octets].concat());
    Ok(())
}

/// `CODE:HEX` as an EDNS option.
fn option(text: &str) -> Result<Vec<u8>, String> {
    let (code, value) = text.split_once(':').ok_or("CODE:HEX expected")?;
    let code: u16 = code.parse().map_err(|_| "an option's code is a number")?;
    let value = hex_and_text(value)?;
    let length = u16::try_from(value.len()).map_err(|_| "an option that is too long")?;
    Ok([&code.to_be_bytes()[..], &length.to_be_bytes(), &value].concat())
}

fn push_opt(wire: &mut Vec<u8>, flags: &Flags) {
    let Some(size) = flags.edns else { return };
    let bits = if flags.dnssec_ok { DO } else { 0 };
    let length = u16::try_from(flags.options.len()).expect("options of one line fit");
    wire.extend([0, 0, 41]);
    wire.extend(size.to_be_bytes());
    wire.extend([0, flags.version]);
    wire.extend(bits.to_be_bytes());
    wire.extend(length.to_be_bytes());
    wire.extend(&flags.options);
}

/// A name in text form as bytes.
pub fn name_wire(text: &str) -> Result<Vec<u8>, String> {
    let (mut wire, mut label) = (Vec::new(), Vec::new());
    let mut rest = text.strip_suffix('.').unwrap_or(text).bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'.' => push_label(&mut wire, &mut label)?,
            b'\\' => label.push(unescape(&mut rest).ok_or(format!("bad escape in {text}"))?),
            _ => label.push(octet),
        }
    }
    if text != "." {
        push_label(&mut wire, &mut label)?;
    }
    wire.push(0);
    Ok(wire)
}

fn unescape(rest: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = rest.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let digits = [first, rest.next()?, rest.next()?];
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn push_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), String> {
    match u8::try_from(label.len()) {
        Ok(length @ 1..=63) => wire.push(length),
        _ => return Err(format!("a label of {} octets", label.len())),
    }
    wire.append(label);
    Ok(())
}

/// `0005 "smith"` and so on.
fn hex_and_text(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (at, part) in text.split('"').enumerate() {
        if at % 2 == 1 {
            bytes.extend(part.bytes());
            continue;
        }
        let digits: Vec<char> = part.chars().filter(|char| !char.is_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair: String = pair.iter().collect();
            let octet = u8::from_str_radix(&pair, 16).ok().filter(|_| pair.len() == 2);
            bytes.push(octet.ok_or(format!("`{pair}` is not an octet in hex"))?);
        }
    }
    Ok(bytes)
}
