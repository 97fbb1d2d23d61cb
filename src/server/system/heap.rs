//! Where large blocks of memory come from: the parts of a large zone, and the text of its file.
//!
//! The C library asks the system for a large block by itself and gives it back when it is freed, but it
//! raises what it counts as large with each that is freed, up to 32 MiB. Then blocks of an old version
//! of a zone stay with the program for the next one: half as much again as the zone takes. So that
//! bound is fixed.

/// From which size on a block is given back to the system as soon as it is freed, in octets: what small
/// zones and answers take is below it, and stays at hand.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_BLOCK_LEN_MIN: libc::c_int = 1 << 20;

/// Fixes the bound, if no other thread has been started yet. False if that was not so, or the C library
/// knows no such bound: then nothing changes.
pub fn give_back_large_blocks() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1) {
        // SAFETY: mallopt(3) takes two numbers, and may be called while no other thread allocates: this
        // thread is the only one, and it starts none before the call returns.
        return unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_BLOCK_LEN_MIN) } == 1;
    }
    false
}
