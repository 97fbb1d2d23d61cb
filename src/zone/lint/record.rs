//! What a record says by itself: the SOA's numbers and names, owners, times to live, texts.

use super::target::renamed;
use super::written::doubled;
use super::{At, Lint, rrset};
use crate::diag::{Fix, Meant, codes};
use crate::name::{LABEL_LEN_MAX, Name, NameBuf};
use crate::rr::table;
use crate::zone::{Node, Rrset};

/// Which words of an SOA these fields are.
const MAILBOX: usize = 1;
const MINIMUM: usize = 6;
/// Longer than this a name that does not exist is not remembered by anybody's wish: a day.
const NEGATIVE_TTL_MAX: u32 = 86_400;
/// Up to so long it works well: three hours (RFC 2308 §5 takes one to three for sensible).
const NEGATIVE_TTL_SENSIBLE_MAX: u32 = 10_800;
/// Longer than a month no record is remembered by anybody's wish; many caches drop it after a day or
/// a week anyway (RFC 8767 §4).
const TTL_SENSIBLE_MAX: u32 = 31 * 86_400;
/// What the texts begin with that are lists behind semicolons (RFC 6376, 7489, 8460, 8461).
const TAGS: [&[u8]; 4] = [b"v=dkim1", b"v=dmarc1", b"v=tlsrptv1", b"v=stsv1"];

impl<'z> Lint<'z, '_> {
    pub(super) fn soa(&mut self) {
        let (apex, set) = (self.zone.apex(), self.zone.negative_soa());
        self.negative_ttl(set);
        let rdata = set.rdatas().next().unwrap_or_default();
        let mailbox = Name::split_from(rdata).and_then(|(_, rest)| Name::split_from(rest));
        let Some((mailbox, _)) = mailbox else { return };
        let own = if mailbox.is_within(apex) { apex.label_count() } else { 0 };
        let mut labels = mailbox.labels().take(mailbox.label_count() - own); // the zone's are its own
        if labels.any(|label| label.contains(&b'@')) {
            let what = format!("the mail address of the SOA reads {mailbox}");
            let help = "write a dot for the `@`, and a backslash before each dot that precedes it";
            let to = mailbox_meant(mailbox, apex).filter(|_| !self.is_signed);
            let at = At { owner: apex, rtype: table::SOA, number: 0, word: MAILBOX };
            let found = self.warn_at(&codes::MAILBOX_AT, at, what);
            found.help = Some(help.into());
            found.fix = to.map(|to| renamed(found.entry, mailbox, &to));
        }
    }

    /// How long is it remembered that a name does not exist (RFC 2308 §5)?
    fn negative_ttl(&mut self, soa: Rrset<'z>) {
        if soa.ttl() <= NEGATIVE_TTL_SENSIBLE_MAX {
            return;
        }
        let is_long = soa.ttl() > NEGATIVE_TTL_MAX;
        let code = if is_long { &codes::NEGATIVE_TTL_LONG } else { &codes::NEGATIVE_TTL_HIGH };
        let what = format!("that a name does not exist is remembered for {} seconds", soa.ttl());
        let at = At { owner: self.zone.apex(), rtype: table::SOA, number: 0, word: MINIMUM };
        self.warn_at(code, at, what).help =
            Some("the SOA's last field says for how long; 300 to 10800 is usual".into());
    }

    /// An owner that repeats the zone's name was meant to end in a dot.
    pub(super) fn owner(&mut self, node: Node<'z>) {
        let Some(set) = node.rrsets().next() else { return };
        let Some(meant) = doubled(node.name(), self.zone.apex()) else { return };
        let what = format!("`{}` became `{}`", without_dot(&meant), node.name());
        let help = format!("did you mean `{meant}`, with its final dot?");
        let fix = self.is_free_for(node, &meant).then(|| self.moved(node, &meant));
        let found = self.warn(&codes::OWNER_DOUBLED, node.name(), set.rtype(), what);
        found.help = Some(help);
        found.fix = fix;
    }

    /// Whether the zone has the name that was meant, and nothing there that the node's records would
    /// mix with: whoever wrote those may have meant them to stand instead.
    fn is_free_for(&self, node: Node<'z>, meant: &NameBuf) -> bool {
        let held = self.zone.node_of(meant.as_name()).filter(|held| held.rrsets().next().is_some());
        !self.is_signed
            && held.is_some_and(|held| node.rrsets().all(|set| rrset(held, set.rtype()).is_none()))
    }

    /// A fix that gives all records of a node another owner.
    fn moved(&self, node: Node<'z>, to: &NameBuf) -> Fix {
        let sets = node.rrsets().map(|set| self.builder.records_of(node.name(), set.rtype()));
        let records: Vec<_> = sets.flatten().map(|record| record.span).collect();
        Fix::of(records, &Meant::Owner(to.as_name().as_wire().to_vec()))
    }

    pub(super) fn record_set(&mut self, node: Node<'z>, set: Rrset<'z>) {
        if set.ttl() > TTL_SENSIBLE_MAX && self.long_ttls.insert(set.ttl()) {
            let days = set.ttl() / 86_400;
            let what = format!("caches may keep this for {days} days, right or wrong");
            let help = "`1h` to `1d` is usual; an hour before a change, lower it";
            self.warn(&codes::TTL_LONG, node.name(), set.rtype(), what).help = Some(help.into());
        }
        match set.rtype() {
            table::NS | table::DNAME if node.name().is_wildcard() => self.wildcard_cut(node, set),
            table::SRV => self.service(node),
            table::TXT | table::SPF => self.text(node, set),
            _ => self.digests(node, set),
        }
    }

    /// A wildcard can cut nothing off: what it would mean is left open (RFC 4592 §4.2, §4.4).
    fn wildcard_cut(&mut self, node: Node<'z>, set: Rrset<'z>) {
        let what =
            format!("{} records of a wildcard mean different things to servers", set.rtype());
        let help = "write them for each name that is meant";
        self.warn(&codes::WILDCARD_CUT, node.name(), set.rtype(), what).help = Some(help.into());
    }

    /// Clients ask for `_service._protocol.name` (RFC 2782), or for an instance below it (RFC 6763).
    fn service(&mut self, node: Node<'z>) {
        let mut labels = node.name().labels();
        if !labels.any(|label| label.starts_with(b"_") || label == b"*") {
            let what = format!("{} names no service to ask for", node.name());
            let help = "the owner begins with service and protocol, as in `_sip._udp`";
            self.warn(&codes::SERVICE_NAME, node.name(), table::SRV, what).help = Some(help.into());
        }
    }

    /// Without quotes a blank ends a string and a semicolon begins a comment; strings are joined
    /// without a blank (RFC 7208 §3.3).
    fn text(&mut self, node: Node<'z>, set: Rrset<'z>) {
        for (number, rdata) in set.rdatas().enumerate() {
            let Some((first, rest)) = string(rdata) else { continue };
            let second = string(rest).map(|(second, _)| second);
            let what = match second {
                Some(second)
                    if first.eq_ignore_ascii_case(b"v=spf1") && !second.starts_with(b" ") =>
                {
                    format!("this reads `v=spf1{}…`", String::from_utf8_lossy(second))
                }
                None if TAGS.contains(&&*first.to_ascii_lowercase()) => {
                    format!("this reads `{}` and no more", String::from_utf8_lossy(first))
                }
                _ => continue,
            };
            let at = At { owner: node.name(), rtype: set.rtype(), number, word: 0 };
            let is_signed = self.is_signed;
            let found = self.warn_at(&codes::TEXT_CUT, at, what);
            found.span = found.entry;
            found.help = Some("put the whole text into one pair of quotes".into());
            found.fix = policy_meant(rdata)
                .filter(|_| {
                    !is_signed && set.rdatas().filter(|rdata| is_policy(rdata)).count() == 1
                })
                .map(|to| Fix::of([found.entry], &Meant::Text { from: rdata.to_vec(), to }));
        }
    }
}

/// The first character-string and what follows it.
fn string(rdata: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = rdata.split_first()?;
    rest.split_at_checked(usize::from(len))
}

/// Whether the strings begin as an SPF policy does; a name has one at most (RFC 7208 section 4.5).
fn is_policy(rdata: &[u8]) -> bool {
    string(rdata).is_some_and(|(first, _)| {
        first.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"))
    })
}

/// An SPF policy whose words became strings, in one string. Nobody means the strings, which are no
/// policy. What follows a semicolon is lost to other texts, and where they end is a guess.
fn policy_meant(rdata: &[u8]) -> Option<Vec<u8>> {
    let (mut words, mut rest) = (Vec::new(), rdata);
    while !rest.is_empty() {
        let (word, behind) = string(rest)?;
        words.push(word);
        rest = behind;
    }
    let text = words.join(&b' ');
    let len = u8::try_from(text.len()).ok()?;
    is_policy(rdata).then(|| [&[len], &text[..]].concat())
}

/// What a mail address with an `@` means: the part before it is one label, dots and all (RFC 1035
/// section 8). Where the zone's name repeats behind it the final dot is missing, too.
fn mailbox_meant(mailbox: Name<'_>, apex: Name<'_>) -> Option<NameBuf> {
    let mut local = Vec::new();
    for (number, label) in mailbox.labels().enumerate() {
        if number > 0 {
            local.push(b'.');
        }
        let Some(at) = label.iter().position(|&octet| octet == b'@') else {
            local.extend_from_slice(label);
            continue;
        };
        local.extend_from_slice(&label[..at]);
        let head = [&[u8::try_from(label.len() - at - 1).ok()?], &label[at + 1..]].concat();
        let behind = mailbox.suffix(mailbox.label_count().checked_sub(number + 1)?);
        let domain = NameBuf::join(&head, behind).filter(|_| head.len() > 1)?;
        let domain = doubled(domain.as_name(), apex).unwrap_or(domain);
        let is_label = (1..=LABEL_LEN_MAX).contains(&local.len());
        let local = [&[u8::try_from(local.len()).ok()?], &local[..]].concat();
        return is_label.then(|| NameBuf::join(&local, domain.as_name())).flatten();
    }
    None
}

/// The name as it was written: without the dot that is missing.
pub(super) fn without_dot(name: &NameBuf) -> String {
    name.to_string().trim_end_matches('.').to_string()
}

/// Whether an alias stands at that node.
pub(super) fn alias<'z>(node: Node<'z>) -> Option<Name<'z>> {
    Name::from_wire(rrset(node, table::CNAME)?.rdatas().next()?)
}
