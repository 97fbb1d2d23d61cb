//! How a file goes with the zone in it: the name that it has, the case that it writes names in.

use super::{At, Lint};
use crate::diag::codes;
use crate::name::Name;
use crate::rr::table;

impl Lint<'_, '_> {
    /// A file called `smith.edu.zone` is taken for the zone `smith.edu.` by whoever looks for it. A
    /// name of one label, as in `lab.zone`, says nothing of the kind.
    pub(super) fn file_name(&mut self) {
        let Some(named) = self.builder.named().cloned() else { return };
        let apex = self.zone.apex();
        if named.as_name().label_count() < 2 || stands_for(named.as_name(), apex) {
            return;
        }
        let at = At { owner: apex, rtype: table::SOA, number: 0, word: 0 };
        let what = format!("the file is named after {named} and holds {apex}");
        let found = self.warn_at(&codes::FILE_NAMED_OTHERWISE, at, what);
        found.span = found.entry;
        found.label = format!("this is the SOA of {apex}");
        let file = apex.to_string().trim_end_matches('.').replace('/', "-");
        let help = format!("call the file `{file}.zone`, or write the SOA's owner as `{named}`");
        found.help = Some(help);
    }

    /// Names are the same in any case (RFC 4343); people who search for one are not.
    pub(super) fn cases(&mut self) {
        let Some(cases) = self.builder.take_cases() else { return };
        let (first, written) = (cases.first, &cases.written);
        let what = format!("`{written}` is `{}` in another case", cases.known);
        let found = self.builder.find(&codes::NAME_CASES, cases.span, what);
        if cases.count > 1 {
            found.label = format!("the first of {} such records", cases.count);
        }
        found.related.extend(first.map(|span| (span, "written so here".to_string())));
        found.help = Some("both are one name; write it in one way, so that it is found".into());
    }
}

/// Whether a file named so is meant for the zone: its name is the zone's, or begins with it, as
/// `smith.edu.signed.zone` does. A file's name can have no slash, as names have by RFC 2317 §4.
fn stands_for(named: Name<'_>, apex: Name<'_>) -> bool {
    let (_, labels) = apex.as_wire().split_last().unwrap_or((&0, &[]));
    let alike = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || *b == b'/';
    !apex.is_root()
        && named.as_wire().len() > labels.len()
        && named.as_wire().iter().zip(labels).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameBuf;

    #[test]
    fn what_names_of_files_stand_for() {
        let stands = |named: &str, apex: &str| {
            let [named, apex]: [NameBuf; 2] = [named, apex].map(|text| text.parse().unwrap());
            stands_for(named.as_name(), apex.as_name())
        };
        assert!(stands("Smith.EDU.", "smith.edu."));
        assert!(stands("0-25.2.0.192.in-addr.arpa.", "0/25.2.0.192.in-addr.arpa."));
        assert!(!stands("0-25.2.0.192.in-addr.arpa.", "0/26.2.0.192.in-addr.arpa."));
        assert!(!stands("cs.smith.edu.", "smith.edu."));
        assert!(stands("smith.edu.signed.", "smith.edu."));
        assert!(!stands("smith.education.", "smith.edu."));
        assert!(!stands("smith.edu.", "smith.edu.cs."));
    }
}
