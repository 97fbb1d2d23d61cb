//! Disk → Zone, off the loop's thread.

pub mod load;
