//! What the tests share: an independent judge of DNS messages, the scenario language, the built
//! server as a child process, and the programs of others that some tests talk to.
//!
//! Nothing here uses the crate's own `wire`: a fault in its writer must not be repeated by the
//! reader that looks for it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is compiled with all of this and uses a part"
)]

pub mod dice;
pub mod explained;
pub mod message;
pub mod mutants;
pub mod options;
pub mod peers;
pub mod program;
pub mod query;
pub mod rdata;
pub mod scenario;
pub mod server;
pub mod state;
pub mod tsig;
pub mod zone_text;
