//! How a copy of a zone is written: what is needed to notice that it is damaged?
//!
//! ```text
//! ; a copy of smith.edu. by zonesmith 1: serial 41, 130 records, from /etc/zonesmith/zones/smith.edu.zone
//! smith.edu. 300 IN SOA ns1.smith.edu. …
//! …
//! ; whole 0123456789abcdef
//! ```
//!
//! It is a zone file, so that people can read it, compare it, and put it back by hand; each record on a
//! line of its own, all names in full. The last line is the hash of all before it: what was cut, or
//! changed in any octet, is no copy. The hash is no defence against somebody who means it: who can write
//! there is the server's own user.

use crate::name::NameBuf;
use crate::rr::print;
use crate::zone::Zone;
use siphasher::sip::SipHasher13;
use std::ffi::OsStr;
use std::hash::Hasher as _;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What stands behind the zone's name in the first line. The number changes with the form.
const BY: &str = " by zonesmith 1: serial ";
const START: &str = "; a copy of ";
const RECORDS: &str = ", ";
const FROM: &str = " records, from ";
const END: &str = "; whole ";
/// The length of the last line, its end included.
pub(super) const END_LEN: usize = END.len() + 16 + 1;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) apex: NameBuf,
    pub(super) serial: u32,
    pub(super) records: usize,
    /// The zone file, as an absolute path.
    pub(super) file: PathBuf,
}

impl Header {
    pub(super) fn of(zone: &Zone, file: &Path) -> Header {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        let apex = zone.apex().to_lower();
        Header { apex, serial: zone.serial(), records: zone.record_count(), file }
    }

    /// Reads the first line, its end left out.
    pub(super) fn read(line: &[u8]) -> Option<Header> {
        let line = std::str::from_utf8(line).ok()?.strip_prefix(START)?;
        let (apex, rest) = line.split_once(BY)?;
        let (serial, rest) = rest.split_once(RECORDS)?;
        let (records, file) = rest.split_once(FROM)?;
        Some(Header {
            apex: apex.parse().ok()?,
            serial: serial.parse().ok()?,
            records: records.parse().ok()?,
            file: PathBuf::from(OsStr::from_bytes(&decoded(file)?)),
        })
    }

    fn line(&self) -> String {
        let Header { apex, serial, records, file } = self;
        let file = encoded(file.as_os_str().as_bytes(), |octet| (b' '..=b'~').contains(&octet));
        format!("{START}{apex}{BY}{serial}{RECORDS}{records}{FROM}{file}")
    }
}

/// Writes a copy.
pub(super) fn write(header: &Header, zone: &Zone, out: &mut impl Write) -> io::Result<()> {
    write_whole(out, |out| {
        writeln!(out, "{}", header.line())?;
        for node in zone.nodes() {
            let owner = node.name();
            for set in node.rrsets() {
                let (ttl, rtype) = (set.ttl(), set.rtype());
                for rdata in set.rdatas() {
                    writeln!(out, "{owner} {ttl} IN {rtype} {}", print::display(rtype, rdata))?;
                }
            }
        }
        Ok(())
    })
}

/// Writes lines, and the last line that makes them whole.
pub(super) fn write_whole<O: Write>(
    out: &mut O,
    lines: impl FnOnce(&mut Hashing<'_, O>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Hashing { out, hash: SipHasher13::new() };
    lines(&mut out)?;
    let Hashing { out, hash } = out;
    writeln!(out, "{}", end_line(&hash))
}

/// The last line that a copy would have, its end included.
pub(super) fn end(header: &Header, zone: &Zone) -> io::Result<Vec<u8>> {
    let mut last = Last(Vec::new());
    write(header, zone, &mut last)?;
    Ok(last.0)
}

/// Whether a copy is as it was written.
pub(super) fn is_whole(copy: &[u8]) -> bool {
    let Some(at) = copy.len().checked_sub(END_LEN) else { return false };
    let (rest, end) = copy.split_at(at);
    let mut hash = SipHasher13::new();
    hash.write(rest);
    end.strip_suffix(b"\n") == Some(end_line(&hash).as_bytes())
}

fn end_line(hash: &SipHasher13) -> String {
    format!("{END}{:016x}", hash.finish())
}

/// Passes on and hashes.
pub(super) struct Hashing<'o, O> {
    out: &'o mut O,
    hash: SipHasher13,
}

impl<O: Write> Write for Hashing<'_, O> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let len = self.out.write(octets)?;
        self.hash.write(&octets[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Keeps the last octets alone.
struct Last(Vec<u8>);

impl Write for Last {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(octets);
        let beyond = self.0.len().saturating_sub(END_LEN);
        self.0.drain(..beyond);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Octets as text: those that are `plain` as they are, all others and `%` as `%` and two digits.
pub(super) fn encoded(octets: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        match plain(octet) && octet != b'%' {
            true => text.push(octet.into()),
            false => text.push_str(&format!("%{octet:02x}")),
        }
    }
    text
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::{Lints, load, load_text};

    fn copy(zone: &Zone, file: &Path) -> Vec<u8> {
        let mut copy = Vec::new();
        write(&Header::of(zone, file), zone, &mut copy).unwrap();
        copy
    }

    #[test]
    fn every_zone_that_tests_have_reads_back_as_the_same_zone() {
        let mut seen = 0;
        for folder in ["zones", "tests/zonefile", "tests/mutation", "tests/dnssec/zones"] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let Some(zone) = load(&path).zone else { continue };
                let text = copy(&zone, &path);
                assert!(is_whole(&text), "{}", path.display());
                let header = text.split(|&octet| octet == b'\n').next().unwrap();
                assert_eq!(Header::read(header), Some(Header::of(&zone, &path)));
                let read =
                    load_text(Path::new("x"), text.clone(), &[], Lints::Quick, &mut |_, _| ());
                let again = read.zone.unwrap_or_else(|| panic!("{}", path.display()));
                assert!(again.same_content(&zone), "{}", path.display());
                assert_eq!(again.serial(), zone.serial());
                assert_eq!(copy(&again, &path), text, "{}", path.display());
                assert!(text.ends_with(&end(&Header::of(&zone, &path), &zone).unwrap()));
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen} zones");
    }

    #[test]
    fn whatever_is_cut_or_changed_is_noticed() {
        let path = Path::new("zones/umass.edu.zone");
        let text = copy(&load(path).zone.unwrap(), path);
        assert!((0..text.len()).all(|len| !is_whole(&text[..len])), "cut");
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut text = text.clone();
                text[at] ^= 1 << bit;
                assert!(!is_whole(&text), "bit {bit} of octet {at}");
            }
        }
        assert!(!is_whole(&[&text[..], b"\n"].concat()) && !is_whole(&text.repeat(2)));
    }

    #[test]
    fn any_path_reads_back() {
        for path in [&b"/a b%/\xff\n"[..], b"/, 3 records, from /x", b"/"] {
            let file = PathBuf::from(OsStr::from_bytes(path));
            let apex = "0/25.2.0.192.in-addr.arpa.".parse().unwrap();
            let header = Header { apex, serial: u32::MAX, records: 0, file };
            assert!(!header.line().contains('\n'));
            assert_eq!(Header::read(header.line().as_bytes()), Some(header));
        }
    }
}
