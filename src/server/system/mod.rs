//! What only the C library has: the one module with `unsafe`.
#![allow(unsafe_code)] // no safe crate offers it; each file says why

pub(super) mod heap;
pub(super) mod mmsg;
