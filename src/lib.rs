//! Zonesmith: an authoritative name server for a folder of zone files.
//!
//! # The map
//! Two roads meet in one function, [`respond::respond`].
//!
//! The road of a query: `server::udp` or `server::tcp` → [`wire::request`] → [`mod@respond`] →
//! [`answer`] → [`wire::response`] → `server`.
//!
//! The road of a zone: [`reload`] → [`zonefile`] → [`zone::build`] → one slot of the loop's
//! [`zone::set::ZoneSet`].
//!
//! ```text
//! respond.rs   one message in, one outcome out: the door for UDP, TCP, tests and benches
//! clock.rs     the time as a value, told by the loop
//!   ── words ──
//! name/        domain names as wire bytes: compare, order, hash, text
//! rr/          record types: one table row each; text ⇄ wire by that row
//! diag/        findings about zone files: code, place, help; shown as rustc shows them
//!   ── formats ──
//! wire/        messages as bytes: read a query, write an answer
//! zonefile/    master files → records with places; goes on after an error
//! config/      the configuration file → settings with places
//!   ── meaning ──
//! zone/        a zone as an immutable, answerable thing; the set of all zones
//! answer/      question × zone → Reply (a value): RFC 1034 §4.3.2 on one page
//! guard/       who may ask, and how often: addresses, keys, cookies, rates
//! transfer/    zones on their way to other servers
//! explain/     why an answer is what it is: a reply, read aloud
//!   ── world ──
//! sandbox/     what the process may still do once it has its sockets
//! reload/      disk → Zone, off the loop's thread
//! server/      the mio loop and its sockets; no DNS rules here
//! cli/         serve, check, explain, fmt, new, keygen
//! ```
//!
//! # Arrows
//! `tests/tidy.rs` reads the `use crate::` lines and holds this table:
//! `clock → –`, `name → –`, `rr → name`, `diag → –`, `wire → rr name`, `zonefile → rr name diag`, `config → diag`,
//! `zone → rr name diag`, `answer → zone wire rr name`,
//! `guard → wire name clock`, `transfer → guard zone wire rr name clock`,
//! `respond → answer guard transfer zone wire rr name clock`,
//! `explain → respond answer zone wire rr name clock`,
//! `sandbox → –`, `reload → sandbox zonefile zone rr name diag`,
//! `server → respond transfer reload sandbox guard zone wire diag name clock`, `cli →` all.
//!
//! # Invariants: what is absent
//! - Above the line "world" there is no socket, file, thread, clock, environment, randomness or log.
//! - A [`zone::Zone`] never changes. A reload builds another one elsewhere, and the loop replaces one
//!   slot between two polls. There is no lock.
//! - A file that cannot be used leaves the last good version serving: [`zone::set::Slot::Stale`].
//! - Hostile bytes are data: [`wire`] and [`answer`] return outcomes. A response is never answered.
//! - Nothing leaves the machine unasked: answers are all that a server sends, announcements to
//!   secondaries that it is given, and `check --against` asks the server that it is given.
//! - [`respond::respond`] does not allocate, but to begin a transfer; `tests/alloc.rs` counts.
//!
//! # Words
//! RFC 9499's: *qname* what is asked for; *owner* whose record it is; *apex* the zone's own name;
//! *cut* where a zone ends; *glue* addresses of name servers below a cut; *occluded* hidden below a
//! cut or DNAME; *empty non-terminal* a name that exists only because others stand below it; *closest
//! encloser* the longest existing ancestor; *RRset* the records of one owner and type.

pub mod answer;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diag;
pub mod explain;
pub mod guard;
pub mod name;
pub mod reload;
pub mod respond;
pub mod rr;
pub mod sandbox;
pub mod server;
pub mod transfer;
pub mod wire;
pub mod zone;
pub mod zonefile;
