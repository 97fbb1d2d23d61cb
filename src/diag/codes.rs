//! The codes: one row per kind of finding. A code once given keeps its meaning.
//!
//! `Z0xx` is about files, `Z1xx` about the language, `Z2xx` about the zone as a whole, `Z3xx` about
//! what is probably not meant, `Z4xx` about the configuration file. [`super::explain`] has a text on each.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone is served as it is meant, most likely; somebody may want to know all the same.
    Note,
    /// The zone is served; something in it is probably not meant.
    Warning,
    /// The zone cannot be served as written.
    Error,
}

/// One kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `Z` and three digits.
    pub id: &'static str,
    /// Whether it keeps the zone from being served.
    pub severity: Severity,
    /// The kind in a few words.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident $severity:ident $id:literal $title:literal;)*) => {
        $(#[doc = $title] pub static $name: Code =
            Code { id: $id, severity: Severity::$severity, title: $title };)*
        /// Every code, in the order of its number.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    FILE_UNREADABLE     Error   "Z001" "the file cannot be read";
    FILE_EMPTY          Error   "Z002" "the file holds no record";
    ZONE_TWICE          Error   "Z003" "two files hold the same zone";
    SERIAL_SAME         Warning "Z004" "the content changed, the serial did not";
    SERIAL_BACKWARD     Warning "Z005" "the serial went back";
    FILE_NAMED_OTHERWISE Warning "Z006" "the file is named after another zone";
    FILE_CUT            Note    "Z007" "the last line has no line end";
    NOT_COMPARED        Error   "Z008" "the version to compare with cannot be had";
    NOTHING_TO_COMPARE  Note    "Z009" "there is no version to compare with";
    RECORDS_GONE        Error   "Z010" "more than half of the records are gone";
    CUT_SHORT           Error   "Z011" "the last line has no line end, and records are gone";
    SERIAL_FIXED        Warning "Z012" "a serial policy does not hold for the zone";
    GROUP_WAITS         Error   "Z013" "another zone of its group cannot be served";
    SYNTAX              Error   "Z101" "the line is not a record";
    BAD_NAME            Error   "Z102" "not a domain name";
    BAD_TYPE            Error   "Z103" "not a record type";
    BAD_CLASS           Error   "Z104" "a class that zone files here do not hold";
    BAD_TTL             Error   "Z105" "not a time to live";
    BAD_DATA            Error   "Z106" "the record's data is wrong";
    DATA_MISSING        Error   "Z107" "the record's data ends early";
    DATA_EXTRA          Error   "Z108" "something follows the record's data";
    UNBALANCED          Error   "Z109" "a parenthesis or quote has no partner";
    NO_OWNER            Error   "Z110" "the first record has no owner";
    NO_TTL              Error   "Z111" "no time to live is known";
    BAD_DIRECTIVE       Error   "Z112" "not a directive";
    BAD_INCLUDE         Error   "Z113" "an included file cannot be used";
    TTL_TOO_LARGE       Warning "Z114" "a TTL of more than 31 bits";
    SOA_MISSING         Error   "Z201" "the zone has no SOA record";
    SOA_TWICE           Error   "Z202" "the zone has more than one SOA record";
    OUT_OF_ZONE         Error   "Z203" "the owner is not in the zone";
    NS_MISSING          Error   "Z204" "the zone has no NS record at its apex";
    ALIAS_AND_OTHER     Error   "Z205" "an alias beside records it cannot stand beside";
    SINGLE_ONLY         Error   "Z206" "a record that a name can have only one of";
    BELOW_DNAME         Error   "Z207" "a record below a DNAME";
    TTL_DIFFERS         Warning "Z208" "records of one set differ in their TTL";
    DUPLICATE           Warning "Z209" "the record is there already";
    TYPE_NOT_STORED     Error   "Z210" "a type that exists only in messages";
    NO_DENIAL           Warning "Z212" "a signed zone cannot show that something is not there";
    HASHED_AGAIN        Warning "Z213" "NSEC3 hashes names more than once";
    HASHED_TOO_OFTEN    Error   "Z214" "NSEC3 hashes names too often";
    MISSING_DOT         Warning "Z301" "a final dot is missing";
    OWNER_DOUBLED       Warning "Z302" "an owner repeats the zone's name";
    TARGET_ADDRESS      Warning "Z303" "a record points at an address";
    TARGET_ALIAS        Warning "Z304" "a record points at an alias";
    TARGET_ABSENT       Warning "Z305" "a record points at nothing";
    GLUE_MISSING        Warning "Z306" "glue is missing";
    BELOW_CUT           Warning "Z307" "a record below a delegation";
    WILDCARD_SHADOWED   Warning "Z308" "a wildcard does not stand for a name";
    NEGATIVE_TTL_LONG   Warning "Z309" "absence is remembered for long";
    ALIAS_LOOP          Warning "Z310" "aliases lead round in a circle";
    WILDCARD_CUT        Warning "Z311" "a wildcard with NS or DNAME records";
    TTL_LONG            Warning "Z312" "a record is remembered for very long";
    SERVICE_NAME        Warning "Z313" "the owner of an SRV record names no service";
    TEXT_CUT            Warning "Z314" "text without quotes is cut";
    MAILBOX_AT          Warning "Z315" "a mail address with an @";
    NEGATIVE_TTL_HIGH   Note    "Z316" "absence is remembered for hours";
    SIGNATURE_EXPIRED   Warning "Z317" "a signature has expired";
    SIGNATURE_EARLY     Warning "Z318" "a signature is not valid yet";
    SIGNATURE_ENDING    Warning "Z319" "a signature expires soon";
    NAME_CASES          Note    "Z320" "a name is written in different cases";
    STRING_LONG         Warning "Z321" "a string of more than 255 octets";
    DIGEST_LENGTH       Warning "Z322" "a digest of another length than its kind has";
    CONFIG_SYNTAX       Error   "Z401" "the configuration is no TOML";
    CONFIG_KEY          Error   "Z402" "not a setting";
    CONFIG_VALUE        Error   "Z403" "not a value of that setting";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
