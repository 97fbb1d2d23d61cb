//! EDNS: what does the query's OPT record say, and what does the answer's (RFC 6891)?
//!
//! ```text
//! | . | 41 | UDP length | high RCODE, version, DO … | length | code, length, value | code, …   §6.1.2
//! ```
//!
//! [`Edns`] is what was asked for, with values borrowed from the message; [`Opt`] what is answered. An
//! option that is not known here is stepped over (§6.1.2). How long an answer's OPT will be is known
//! before its first record is written, so room for it is kept back, and no truncation loses it. With
//! the longest question and every option it leaves the 512 octets that any client takes:
//! 12 + 259 + 11 + 68 + 28 + 10 + 66 = 454.

use super::codes::{Ede, Rcode};
use super::request::Fault;
use super::{UDP_LEN_MAX, UDP_LEN_PLAIN};

/// The octets of a client's cookie (RFC 7873 §4).
pub const CLIENT_COOKIE_LEN: usize = 8;
/// The octets of an answer's cookie option: the client's cookie, and a server's cookie of 16
/// (RFC 9018 §4).
pub const COOKIE_LEN: usize = 24;
/// The longest name server identifier that is sent, in octets.
pub const NSID_LEN_MAX: usize = 64;
/// The longest text that goes along with an extended error, in octets.
pub const ERROR_TEXT_LEN_MAX: usize = 60;

/// The octets of an OPT record without options.
pub(super) const OPT_LEN: usize = 11;
/// The octets of an option without its value.
const OPTION_LEN: usize = 4;

/// The octets of an OPT record that holds a cookie alone: what stays where there is little room.
pub const SHORT_OPT_LEN: usize = OPT_LEN + OPTION_LEN + COOKIE_LEN;

/// The codes of the options that mean something here.
mod code {
    pub(super) const NSID: u16 = 3; // RFC 5001
    pub(super) const COOKIE: u16 = 10; // RFC 7873
    pub(super) const KEEPALIVE: u16 = 11; // RFC 7828
    pub(super) const EXTENDED_ERROR: u16 = 15; // RFC 8914
    pub(super) const ZONE_VERSION: u16 = 19; // RFC 9660
}

/// The query's OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns<'m> {
    /// The longest UDP answer that the asker can take, in octets.
    pub udp_len: u16,
    /// The version that the asker speaks.
    pub version: u8,
    /// Whether it wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// What else it wants. None, where the version is one that we do not know.
    pub options: Options<'m>,
}

/// The options of the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'m> {
    /// It asks for the server's identifier. A value means nothing (RFC 5001 §2.1).
    pub nsid: bool,
    /// The first cookie; others are ignored (RFC 7873 §5.2).
    pub cookie: Option<Cookie<'m>>,
    /// It asks how long an idle connection is kept. A value, which clients leave out, means nothing:
    /// the server decides (RFC 7828 §3.3.2).
    pub keepalive: bool,
    /// It asks for the zone's version (RFC 9660 §3.1).
    pub zone_version: bool,
}

/// A cookie option of the right length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'m> {
    /// The client's part.
    pub client: [u8; CLIENT_COOKIE_LEN],
    /// The server's part, 8 to 32 octets; empty if the client has none yet.
    pub server: &'m [u8],
}

/// The answer's OPT record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opt<'a> {
    /// DO is copied from the query (RFC 3225 §3).
    pub dnssec_ok: bool,
    /// The server's identifier (RFC 5001 §2.2), at most [`NSID_LEN_MAX`] octets.
    pub nsid: Option<&'a [u8]>,
    /// The cookie (RFC 7873 §5.2).
    pub cookie: Option<[u8; COOKIE_LEN]>,
    /// How long an idle connection is kept, in units of 100 ms (RFC 7828 §3.1).
    pub tcp_idle_ds: Option<u16>,
    /// The version of the zone that answers.
    pub zone_version: Option<ZoneVersion>,
    /// Why there is no better answer.
    pub error: Option<ExtendedError>,
}

/// Which zone answers, and in which version (RFC 9660 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneVersion {
    /// The labels of the zone's name, without the root's.
    pub labels: u8,
    /// The serial of its SOA.
    pub serial: u32,
}

/// An error, explained (RFC 8914 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedError {
    /// What kind of error it is.
    pub code: Ede,
    /// The error in words, at most [`ERROR_TEXT_LEN_MAX`] octets; may be empty.
    pub text: &'static str,
}

impl<'m> Edns<'m> {
    /// Reads the fields of an OPT record.
    ///
    /// # Errors
    /// What is wrong with an option. If only its value is, there is enough left to answer with OPT.
    pub(super) fn read(
        class: u16,
        [_, version, flags, _]: [u8; 4],
        rdata: &'m [u8],
    ) -> Result<Edns<'m>, (Fault, Option<Edns<'m>>)> {
        let edns = Edns {
            udp_len: class.max(UDP_LEN_PLAIN), // RFC 6891 §6.2.3: less than 512 counts as 512
            version,
            dnssec_ok: flags & 0x80 != 0,
            options: Options::default(),
        };
        if version != 0 {
            return Ok(edns); // what stands in such an OPT is not ours to judge (§6.1.3)
        }
        match Options::read(rdata) {
            Ok(options) => Ok(Edns { options, ..edns }),
            Err(Fault::Opt) => Err((Fault::Opt, None)),
            Err(fault) => Err((fault, Some(edns))),
        }
    }
}

impl<'m> Options<'m> {
    fn read(rdata: &'m [u8]) -> Result<Options<'m>, Fault> {
        let mut options = Options::default();
        let mut rest = rdata;
        while !rest.is_empty() {
            let (&[c1, c2, l1, l2], tail) = rest.split_first_chunk().ok_or(Fault::Opt)?;
            let len = usize::from(u16::from_be_bytes([l1, l2]));
            let (value, tail) = tail.split_at_checked(len).ok_or(Fault::Opt)?;
            options.note(u16::from_be_bytes([c1, c2]), value)?;
            rest = tail;
        }
        Ok(options)
    }

    fn note(&mut self, code: u16, value: &'m [u8]) -> Result<(), Fault> {
        match code {
            code::NSID => self.nsid = true,
            code::COOKIE if self.cookie.is_none() => self.cookie = Some(Cookie::read(value)?),
            code::KEEPALIVE => self.keepalive = true,
            code::ZONE_VERSION if value.is_empty() => self.zone_version = true,
            code::ZONE_VERSION => return Err(Fault::ZoneVersion), // RFC 9660 §3.1
            _ => {}
        }
        Ok(())
    }
}

impl<'m> Cookie<'m> {
    /// The cookie that is all there is among the options of a record; none if there is anything else.
    pub(super) fn alone(options: &'m [u8]) -> Option<Cookie<'m>> {
        let ([c1, c2, l1, l2], value) = options.split_first_chunk()?;
        let (code, len) = (u16::from_be_bytes([*c1, *c2]), u16::from_be_bytes([*l1, *l2]));
        let is_alone = code == code::COOKIE && value.len() == usize::from(len);
        if is_alone { Cookie::read(value).ok() } else { None }
    }

    /// RFC 7873 §5.2.2: 8 octets, or 16 to 40.
    fn read(value: &'m [u8]) -> Result<Cookie<'m>, Fault> {
        let (&client, server) = value.split_first_chunk().ok_or(Fault::Cookie)?;
        match server.len() {
            0 | 8..=32 => Ok(Cookie { client, server }),
            _ => Err(Fault::Cookie),
        }
    }
}

impl Opt<'_> {
    /// The octets of the record.
    pub fn record_len(&self) -> usize {
        let mut len = OPT_LEN;
        self.each_option(|_, parts| len += OPTION_LEN + value_len(parts));
        len
    }

    /// The same without what is only good to know, if the record has more than `len_max` octets.
    #[must_use]
    pub fn within(self, len_max: usize) -> Self {
        if self.record_len() <= len_max {
            return self;
        }
        Opt { dnssec_ok: self.dnssec_ok, cookie: self.cookie, ..Opt::default() }
    }

    /// Appends the record, with the upper bits of `rcode` (RFC 6891 §6.1.3).
    pub fn write(&self, rcode: Rcode, out: &mut Vec<u8>) {
        out.extend_from_slice(&opt_head(rcode, self.dnssec_ok));
        let options_at = out.len();
        self.each_option(|code, parts| {
            out.extend_from_slice(&code.to_be_bytes());
            out.extend_from_slice(&len_octets(value_len(parts)));
            parts.iter().for_each(|part| out.extend_from_slice(part));
        });
        let len = len_octets(out.len() - options_at);
        out[options_at - 2..options_at].copy_from_slice(&len);
    }

    /// Each option with its code, and its value in parts.
    fn each_option(&self, mut each: impl FnMut(u16, &[&[u8]])) {
        if let Some(nsid) = self.nsid {
            each(code::NSID, &[nsid]);
        }
        if let Some(cookie) = &self.cookie {
            each(code::COOKIE, &[cookie]);
        }
        if let Some(idle) = self.tcp_idle_ds {
            each(code::KEEPALIVE, &[&idle.to_be_bytes()]);
        }
        if let Some(ZoneVersion { labels, serial }) = self.zone_version {
            let soa_serial = 0; // the type of version (RFC 9660 §4)
            each(code::ZONE_VERSION, &[&[labels, soa_serial], &serial.to_be_bytes()]);
        }
        if let Some(ExtendedError { code, text }) = self.error {
            each(code::EXTENDED_ERROR, &[&code.0.to_be_bytes(), text.as_bytes()]);
        }
    }
}

/// An OPT record without options (RFC 6891 §6.1.2), with the upper bits of `rcode` (§6.1.3).
#[inline]
pub(super) fn opt_head(rcode: Rcode, dnssec_ok: bool) -> [u8; OPT_LEN] {
    let ([u1, u2], [_, rcode_high]) = (UDP_LEN_MAX.to_be_bytes(), (rcode.0 >> 4).to_be_bytes());
    [0, 0, 41, u1, u2, rcode_high, 0, u8::from(dnssec_ok) << 7, 0, 0, 0]
}

/// The same with a cookie alone.
pub(super) fn opt_with_cookie(
    rcode: Rcode,
    dnssec_ok: bool,
    cookie: &[u8; COOKIE_LEN],
) -> [u8; SHORT_OPT_LEN] {
    let mut opt = [0; SHORT_OPT_LEN];
    let (head, option) = opt.split_at_mut(OPT_LEN);
    head.copy_from_slice(&opt_head(rcode, dnssec_ok));
    head[OPT_LEN - 2..].copy_from_slice(&len_octets(OPTION_LEN + COOKIE_LEN));
    option[..2].copy_from_slice(&code::COOKIE.to_be_bytes());
    option[2..OPTION_LEN].copy_from_slice(&len_octets(COOKIE_LEN));
    option[OPTION_LEN..].copy_from_slice(cookie);
    opt
}

fn value_len(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

fn len_octets(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("options are bounded").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[u8]) -> Result<Options<'_>, Fault> {
        Edns::read(1232, [0; 4], options).map(|edns| edns.options).map_err(|(fault, _)| fault)
    }

    fn cookie(len: u8) -> Vec<u8> {
        [&[0, 10, 0, len][..], &vec![7; usize::from(len)]].concat()
    }

    #[test]
    fn options_are_found_among_others() {
        let options = read(b"\xfd\xe9\0\x02ab\0\x03\0\0\0\x0b\0\x02\0\x09\0\x13\0\0").unwrap();
        let expected = Options { nsid: true, cookie: None, keepalive: true, zone_version: true };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_cookie_has_8_octets_or_16_to_40() {
        for len in 0..=u8::MAX {
            let right = len == 8 || (16..=40).contains(&len);
            match read(&cookie(len)) {
                Ok(options) => {
                    let cookie = options.cookie.unwrap();
                    assert!(right, "{len}");
                    assert_eq!(cookie.client.len() + cookie.server.len(), usize::from(len));
                }
                Err(fault) => assert_eq!((fault, right), (Fault::Cookie, false), "{len}"),
            }
        }
    }

    #[test]
    fn the_first_cookie_counts() {
        let both = [&cookie(8)[..], b"\0\x0a\0\x03abc"].concat();
        assert_eq!(read(&both).unwrap().cookie.unwrap().client, [7; 8]);
    }

    #[test]
    fn an_option_that_is_cut_leaves_no_opt_and_a_wrong_value_does() {
        for cut in [&b"\0"[..], b"\0\x03\0", b"\0\x03\0\x01", b"\0\x03\0\0\0"] {
            assert_eq!(Edns::read(512, [0; 4], cut), Err((Fault::Opt, None)));
        }
        let wrong = Edns::read(512, [0, 0, 0x80, 0], b"\0\x13\0\x01x").unwrap_err();
        assert_eq!(wrong.0, Fault::ZoneVersion);
        assert!(wrong.1.is_some_and(|edns| edns.dnssec_ok));
    }

    #[test]
    fn options_of_another_version_are_not_looked_at() {
        let edns = Edns::read(512, [0, 1, 0, 0], b"\0\x0a\0\x01").unwrap();
        assert_eq!((edns.version, edns.options), (1, Options::default()));
    }

    #[test]
    fn the_record_is_as_long_as_it_said_and_fits_every_client() {
        let opt = Opt {
            dnssec_ok: true,
            nsid: Some(&[b'n'; NSID_LEN_MAX]),
            cookie: Some([1; COOKIE_LEN]),
            tcp_idle_ds: None,
            zone_version: Some(ZoneVersion { labels: 2, serial: 1 }),
            error: Some(ExtendedError {
                code: Ede(22),
                text: str::from_utf8(&[b'x'; ERROR_TEXT_LEN_MAX]).unwrap(),
            }),
        };
        let mut out = Vec::new();
        opt.write(Rcode::BADCOOKIE, &mut out);
        assert_eq!(out.len(), opt.record_len());
        assert_eq!(out[5], 1, "the upper bits of 23");
        let longest_question = 255 + 4;
        assert!(12 + longest_question + out.len() <= usize::from(UDP_LEN_PLAIN));
    }
}
