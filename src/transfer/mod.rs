//! Zones on their way to other servers: machines without I/O, of which the loop is the shell.
//!
//! ```text
//! respond ──▶ Outgoing ──▶ one message at a time, when the connection has sent the one before
//! a zone has changed ──▶ Notifier ──▶ datagrams, until secondaries have answered
//! ```
//!
//! [`Outgoing`] is a transfer under way. It holds the version of the zone that it sends, however often
//! that is replaced meanwhile, and a place in it: some hundred octets, and no message before somebody
//! asks for the next. So a reader that is slow costs one message, and many transfers at once cost each
//! other time and nothing else. [`Writer`] is what one message is written with; all transfers share it.
//!
//! [`notify`] is how secondaries learn that there is something to ask for, [`secondaries`] who they are.
//!
//! A message is whole when [`Outgoing::write`] returns, all but for a signature over it: what signs
//! (RFC 8945 §5.3.1) does so there, and has room in front of [`MESSAGE_LEN_MAX`] kept back by the
//! caller's `len_max`.

pub mod notify;
mod outgoing;
mod query;
pub mod secondaries;
mod walk;
mod writer;

pub use outgoing::{Outgoing, Progress};
pub use query::serial_asked_from;
pub use writer::Writer;

/// Octets of a message of a transfer, unless one record alone is longer. Behind them no pointer reaches
/// (RFC 1035 §4.1.4), so longer messages are not shorter for each record.
pub const MESSAGE_LEN_MAX: usize = 0x4000;
