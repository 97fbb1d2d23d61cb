//! Does a new version of a zone look as if something had been lost on the way to it?
//!
//! A copy that ended early, a script that found nothing to write, a disk that was full: each leaves a
//! file that may read without an error, and whose zone is a ruin. So a version is held back, as one
//! with an error is, if by comparison with what is served
//!
//! - more than half of at least [`RECORDS_MIN`] records are gone (Z010), or
//! - its last line has no line end, and there are fewer records than before (Z011).
//!
//! (A zone whose apex has no NS record any more is no zone at all, Z204.) Whoever means it says so
//! beside the SOA record: `; zonesmith: allow(Z010)`.

use super::load::Loaded;
use crate::diag::{Diagnostic, Report, Span, codes};
use crate::zone::Zone;

/// The least number of records before of which losing more than half is suspicious: people rewrite small
/// zones by hand.
const RECORDS_MIN: usize = 100;

/// Makes of a version that looks damaged, compared with `old`, one that cannot be served.
pub(super) fn hold_back(old: &Zone, loaded: &mut Loaded) {
    let found = loaded.zone.as_ref().map_or(Vec::new(), |new| {
        find([old, new], &loaded.report, loaded.serial.unwrap_or_default())
    });
    if found.is_empty() {
        return;
    }
    loaded.zone = None;
    // what ends early is told once, and by its graver name
    let cut = found.iter().any(|finding| finding.code == &codes::CUT_SHORT);
    loaded.report.findings.retain(|finding| !cut || finding.code != &codes::FILE_CUT);
    loaded.report.findings.extend(found);
    loaded.report.sort();
}

/// What looks damaged in a version, by comparison with the one before; `report` is what was found in
/// the new one, whose SOA record and serial stand there.
pub fn find([old, new]: [&Zone; 2], report: &Report, [soa, serial]: [Span; 2]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let counts = [old.record_count(), new.record_count()];
    if lost_too_many(counts) {
        found.push(records_gone(counts, serial));
    }
    let cut = report.findings.iter().find(|finding| finding.code == &codes::FILE_CUT);
    if let Some(cut) = cut.filter(|_| counts[1] < counts[0]) {
        found.push(cut_short(counts, cut.span));
    }
    let found = found.into_iter().map(|finding| Diagnostic { entry: soa, ..finding });
    found.filter(|finding| !report.allows(finding)).collect()
}

fn lost_too_many([old, new]: [usize; 2]) -> bool {
    old >= RECORDS_MIN && new < old - old / 2
}

fn records_gone([old, new]: [usize; 2], place: Span) -> Diagnostic {
    let what = format!("more than half of the records are gone: {new} are left of {old}");
    let help = "if that is meant, write `; zonesmith: allow(Z010)` beside the SOA record; if not, \
                put back what is lost";
    Diagnostic::new(&codes::RECORDS_GONE, place, what).help(help)
}

fn cut_short([old, new]: [usize; 2], place: Span) -> Diagnostic {
    let what = format!("the last line has no line end, and of {old} records {new} are left");
    let help = "if the file is whole, end its last line, or write `; zonesmith: allow(Z011)` beside \
                the SOA record; if not, something cut it";
    Diagnostic::new(&codes::CUT_SHORT, place, what).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::{Lints, load_text};
    use std::path::Path;

    /// A file with a zone of three records and so many hosts, and a comment beside its SOA.
    fn text(hosts: usize, comment: &str) -> String {
        let host = |n: usize| format!("w{n} A 192.0.2.{}\n", n % 250);
        let soa = format!("$TTL 60\n@ SOA ns admin ( 1 ; {comment}\n 1 1 1 1 )\n");
        soa + "@ NS ns\nns A 192.0.2.1\n" + &(0..hosts).map(host).collect::<String>()
    }

    fn load(text: &str) -> Loaded {
        let path = Path::new("a.example.zone");
        load_text(path, text.into(), &[], Lints::Quick, &mut |_, _| ())
    }

    /// The codes of what keeps `new` from taking the place of `old`.
    fn held(old: &str, new: &str) -> Vec<&'static str> {
        let (old, mut new) = (load(old).zone.unwrap(), load(new));
        hold_back(&old, &mut new);
        assert_eq!(new.zone.is_none(), new.report.has_errors());
        new.report.findings.iter().filter(|f| f.is_error()).map(|f| f.code.id).collect()
    }

    #[test]
    fn more_than_half_of_a_hundred_records() {
        let whole = |hosts| text(hosts, "");
        assert_eq!(held(&whole(97), &whole(46)), ["Z010"], "49 of 100");
        assert_eq!(held(&whole(97), &whole(47)), [""; 0], "50 of 100");
        assert_eq!(held(&whole(98), &whole(47)), ["Z010"], "50 of 101");
        assert_eq!(held(&whole(98), &whole(48)), [""; 0], "51 of 101");
        assert_eq!(held(&whole(96), &whole(0)), [""; 0], "3 of 99");
        assert_eq!(held(&whole(0), &whole(900)), [""; 0], "more is not damage");
    }

    #[test]
    fn a_last_line_without_its_end_where_records_are_missing() {
        let (old, fewer) = (text(9, ""), text(8, ""));
        assert_eq!(held(&old, fewer.trim_end()), ["Z011"]);
        assert_eq!(held(&old, &fewer), [""; 0]);
        assert_eq!(held(&old, old.trim_end()), [""; 0], "as many as before");
        assert_eq!(held(&text(200, ""), text(8, "").trim_end()), ["Z010", "Z011"]);
    }

    #[test]
    fn a_comment_beside_the_soa_accepts_it_and_no_other_comment() {
        let allowed = text(8, "zonesmith: allow(Z011)");
        assert_eq!(held(&text(9, ""), allowed.trim_end()), [""; 0]);
        assert_eq!(held(&text(200, ""), allowed.trim_end()), ["Z010"]);
        let both = text(8, "zonesmith: allow(Z010, Z011)");
        assert_eq!(held(&text(200, ""), both.trim_end()), [""; 0]);
        let elsewhere = text(8, "") + "x A 192.0.2.9 ; zonesmith: allow(Z010)\n";
        assert_eq!(held(&text(200, ""), &elsewhere), ["Z010"]);
    }
}
