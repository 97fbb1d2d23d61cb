//! Why an answer is what it is: one row for each reason, which the answer, its EDE and the query log
//! read.

use crate::answer::End;
use crate::wire::HEADER_LEN;
use crate::wire::codes::{Ede, Rcode};
use crate::wire::edns::ExtendedError;
use crate::wire::request::{Fault, Question};
use std::fmt;

/// Why an answer is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A zone answered, and how its question ended.
    Answered(End),
    /// A zone answered from its last good version: its file cannot be used as it is now. Askers are
    /// not told: those are its data, not expired ones (RFC 8914 §4.4 is about caches).
    AnsweredStale(End),
    /// Who or what the server is was asked, and told.
    Identity,
    /// A cookie was asked for, and nothing else (RFC 7873 §5.4).
    CookieGiven,
    /// Such a question with a cookie that is not ours, or any other where one is required.
    BadCookie,
    /// Cookies are required, and there was none: the question may come over TCP.
    NoCookie,
    /// The asker's network has been told enough for now: the question may come over TCP.
    OverRate,
    /// The message is signed with a key, or in a way, that is not known here (RFC 8945 §5.2.1).
    BadKey,
    /// The message is not what was signed (RFC 8945 §5.2.2).
    BadSignature,
    /// The message was signed at another time (RFC 8945 §5.2.3).
    BadTime,
    /// The signature is shorter than the key's file permits (RFC 8945 §5.2.4).
    BadTruncation,
    /// The asker may not ask.
    Denied,
    /// No zone here holds the name.
    NotServed,
    /// The zone's file could never be used.
    Broken,
    /// Zone transfers are not offered.
    Transfer,
    /// The asker may not have whole zones.
    TransferDenied,
    /// A whole zone over UDP.
    TransferOverUdp,
    /// A zone was asked for, and what fits one message was sent.
    Transferred,
    /// A transfer of a name that is no apex.
    NoApex,
    /// Who or what the server is was asked, and its operator does not tell.
    IdentityKept,
    /// A class other than IN and ANY.
    OtherClass,
    /// An EDNS version other than 0.
    EdnsVersion,
    /// The message is no query that can be answered.
    Fault(Fault),
}

/// What of a reason goes into the answer's OPT (RFC 8914).
enum Told {
    /// Nothing: the response code says it.
    Nothing,
    /// The code alone, where its name says it all or who asks may be made up: each octet more is
    /// one more that a victim gets.
    Code(Ede),
    /// The code and the sentence.
    Words(Ede),
}

impl Reason {
    /// The response code of an answer that no zone makes.
    pub(super) fn rcode(self) -> Rcode {
        self.row().0
    }

    /// What is told about it to those who speak EDNS.
    pub(super) fn error(self) -> Option<ExtendedError> {
        match self.row() {
            (_, Told::Nothing, _) => None,
            (_, Told::Code(code), _) => Some(ExtendedError { code, text: "" }),
            (_, Told::Words(code), text) => Some(ExtendedError { code, text }),
        }
    }

    /// What is wrong with a signature (RFC 8945 §5.2). Its error stands in the answer's TSIG record; EDE has
    /// no codes for them.
    fn of_signature(self) -> &'static str {
        match self {
            Reason::BadKey => "BADKEY: no key of that name and algorithm (--key)",
            Reason::BadSignature => "BADSIG: not signed with our secret, or changed since",
            Reason::BadTime => "BADTIME: the clocks are too far apart",
            Reason::BadTruncation => "BADTRUNC: the MAC is shorter than the key permits",
            _ => "",
        }
    }

    fn row(self) -> (Rcode, Told, &'static str) {
        use Told::{Code, Nothing, Words};
        match self {
            Reason::Answered(_) | Reason::AnsweredStale(_) => (Rcode::NOERROR, Nothing, ""),
            Reason::Identity => (Rcode::NOERROR, Nothing, "what the server is called"),
            Reason::CookieGiven => (Rcode::NOERROR, Nothing, "a cookie"),
            Reason::BadCookie => (Rcode::BADCOOKIE, Nothing, "the cookie is not one of ours"),
            Reason::NoCookie => {
                (Rcode::NOERROR, Nothing, "no cookie, so over TCP (--cookies required)")
            }
            Reason::OverRate => {
                (Rcode::NOERROR, Nothing, "over the rate, so over TCP (--rrl-rate)")
            }
            Reason::Denied => (
                Rcode::REFUSED,
                Code(Ede::PROHIBITED),
                "that address, or key, may not ask (--allow, --deny)",
            ),
            Reason::BadKey | Reason::BadSignature | Reason::BadTime | Reason::BadTruncation => {
                (Rcode::NOTAUTH, Words(Ede::OTHER), self.of_signature())
            }
            Reason::NotServed => {
                (Rcode::REFUSED, Code(Ede::NOT_AUTHORITATIVE), "no zone here holds the name")
            }
            Reason::Broken => {
                (Rcode::SERVFAIL, Words(Ede::INVALID_DATA), "the zone's file cannot be used")
            }
            Reason::Transfer => {
                (Rcode::REFUSED, Words(Ede::NOT_SUPPORTED), "zone transfers are not offered")
            }
            Reason::TransferDenied => (
                Rcode::REFUSED,
                Words(Ede::PROHIBITED),
                "that address may not have zones (--allow-transfer)",
            ),
            Reason::TransferOverUdp => {
                (Rcode::NOTIMP, Words(Ede::NOT_SUPPORTED), "whole zones are sent over TCP")
            }
            Reason::Transferred => (Rcode::NOERROR, Nothing, "a transfer"),
            Reason::NoApex => (
                Rcode::NOTAUTH,
                Words(Ede::NOT_AUTHORITATIVE),
                "no zone of that name is served here",
            ),
            Reason::IdentityKept => {
                (Rcode::REFUSED, Words(Ede::PROHIBITED), "the server does not tell what it is")
            }
            Reason::OtherClass => {
                (Rcode::REFUSED, Words(Ede::NOT_SUPPORTED), "only class IN is served")
            }
            // RFC 6891 §6.1.3: the version in OPT says it, to somebody who may read options in
            // another way than we write them.
            Reason::EdnsVersion => (Rcode::BADVERS, Nothing, "only EDNS version 0 is spoken"),
            Reason::Fault(Fault::Opcode) => {
                (Rcode::NOTIMP, Words(Ede::NOT_SUPPORTED), "only the opcode QUERY is known")
            }
            Reason::Fault(fault) => (Rcode::FORMERR, Words(Ede::OTHER), fault.sentence()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Answered(end) => end.fmt(f),
            Reason::AnsweredStale(end) => {
                write!(f, "{end}, from the last good version of the zone's file")
            }
            _ => f.write_str(self.row().2),
        }
    }
}

/// One line about a query and its answer: `smith.edu. NS NOERROR: found`.
pub fn describe(query: &[u8], answer: &[u8], reason: Reason) -> String {
    let has_question = query.get(4..6).is_some_and(|count| count != [0, 0]);
    let rest = query.get(HEADER_LEN..).filter(|_| has_question);
    let asked = match rest.and_then(Question::split_from) {
        Some((question, _)) => format!("{} {}", question.name, question.rtype),
        None => "no question".to_string(),
    };
    let rcode = match reason {
        Reason::Answered(_) | Reason::AnsweredStale(_) => {
            Rcode(u16::from(answer.get(3).map_or(0, |octet| octet & 0xf)))
        }
        _ => reason.rcode(),
    };
    format!("{asked} {rcode}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::edns::ERROR_TEXT_LEN_MAX;

    /// One of each kind.
    const ALL: [Reason; 31] = [
        Reason::Answered(End::Found),
        Reason::AnsweredStale(End::Found),
        Reason::Identity,
        Reason::CookieGiven,
        Reason::BadCookie,
        Reason::NoCookie,
        Reason::OverRate,
        Reason::BadKey,
        Reason::BadSignature,
        Reason::BadTime,
        Reason::BadTruncation,
        Reason::Denied,
        Reason::NotServed,
        Reason::Broken,
        Reason::Transfer,
        Reason::TransferDenied,
        Reason::TransferOverUdp,
        Reason::Transferred,
        Reason::NoApex,
        Reason::IdentityKept,
        Reason::OtherClass,
        Reason::EdnsVersion,
        Reason::Fault(Fault::Opcode),
        Reason::Fault(Fault::QuestionCount),
        Reason::Fault(Fault::Question),
        Reason::Fault(Fault::Records),
        Reason::Fault(Fault::Opt),
        Reason::Fault(Fault::Cookie),
        Reason::Fault(Fault::ZoneVersion),
        Reason::Fault(Fault::Tsig),
        Reason::Fault(Fault::MacLength),
    ];

    #[test]
    fn every_refusal_and_failure_is_explained_shortly() {
        for reason in ALL {
            let error = reason.error();
            let refusal = [1, 2, 4, 5, 9].contains(&reason.rcode().0);
            assert_eq!(error.is_some(), refusal, "{reason:?}");
            assert!(error.is_none_or(|error| error.text.len() <= ERROR_TEXT_LEN_MAX), "{reason:?}");
            assert!(!reason.to_string().is_empty());
        }
    }
}
