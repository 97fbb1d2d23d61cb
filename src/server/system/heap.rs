//! Where large blocks of memory come from: the parts of a large zone, and the text of its file.
//!
//! The C library asks the system for a large block by itself and gives it back when it is freed, but it
//! raises what it counts as large with each that is freed, up to 32 MiB. Then blocks of an old version
//! of a zone stay with the program for the next one: half as much again as the zone takes. So that
//! bound is fixed.
//!
//! What is given back comes as new pages for the next version, and each page that is first written to
//! costs a turn of the kernel: 18,000 of them for a million records, half the time that an edit takes.
//! So the kernel is told that the largest blocks may have huge pages, where it gives these to who
//! asks. Look-ups find their way through them with fewer steps, too.

use std::alloc::{GlobalAlloc, Layout, System};

/// From which size on a block is given back to the system as soon as it is freed, in octets: what small
/// zones and answers take is below it, and stays at hand.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_BLOCK_LEN_MIN: libc::c_int = 1 << 20;
/// From which size on a block may have huge pages, in octets: two of them on most machines.
const HUGE_FROM: usize = 4 << 20;

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

/// The system's memory, with huge pages for the largest blocks.
pub struct Heap;

// SAFETY: each call is the system's own, with the same arguments and results. What the kernel is told in
// between changes no octet and frees none.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what `System` asks for.
        let block = unsafe { System.alloc(layout) };
        prefer_huge_pages(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        prefer_huge_pages(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_len: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, new_len) }
    }
}

/// Tells the kernel of a block that was just made, if it is large.
#[inline]
fn prefer_huge_pages(block: *mut u8, len: usize) {
    if len >= HUGE_FROM && !block.is_null() {
        advise(block, len);
    }
}

/// madvise(2) takes whole pages, and the block may begin within one. A kernel that has no huge pages
/// refuses, and nothing is lost.
#[cfg(target_os = "linux")]
#[cold]
fn advise(block: *mut u8, len: usize) {
    // SAFETY: sysconf(3) reads a number.
    let page_len = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(1);
    let before = block.addr() % page_len;
    let start = block.wrapping_sub(before);
    // SAFETY: this advice says how the kernel is to back the pages, never what they hold, so it harms
    // nothing that shares the first page with the block. No memory is read or written through `start`.
    unsafe { libc::madvise(start.cast(), before + len, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_block: *mut u8, _len: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of the pages that a block of so many octets begins in; none if it has no
    /// huge pages at all.
    #[cfg(target_os = "linux")]
    fn flags(len: usize) -> Option<String> {
        let layout = Layout::from_size_align(len, 16).unwrap();
        let given = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        given.is_ok_and(|given| !given.contains("[never]")).then_some(())?;
        // SAFETY: the layout is not empty.
        let block = unsafe { Heap.alloc_zeroed(layout) };
        let at = u64::try_from(block.addr()).unwrap() + u64::try_from(len / 2).unwrap();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        // SAFETY: it was allocated with this layout just now.
        unsafe { Heap.dealloc(block, layout) };
        let mut is_in = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text| u64::from_str_radix(text, 16);
            if let Some((Ok(from), Ok(to))) = range.map(|(from, to)| (number(from), number(to))) {
                is_in = (from..to).contains(&at);
            }
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| is_in) {
                return Some(flags.to_owned());
            }
        }
        panic!("no mapping holds the block");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_largest_blocks_may_have_huge_pages_and_smaller_ones_do_not() {
        let has = |flags: String| flags.split(' ').any(|flag| flag == "hg");
        if let Some(flags) = flags(2 * HUGE_FROM) {
            assert!(has(flags));
            assert!(!has(self::flags(HUGE_FROM / 2).unwrap()));
        }
    }

    #[test]
    fn a_block_keeps_what_it_holds_as_it_grows_past_the_bound_and_shrinks() {
        let layout = |len| Layout::from_size_align(len, 16).unwrap();
        let (small, large) = (HUGE_FROM / 4, HUGE_FROM * 3);
        // SAFETY: each call gets the block that the one before gave, with its layout, and only octets
        // within it are touched.
        unsafe {
            let block = Heap.alloc(layout(small));
            block.write_bytes(7, small);
            let block = Heap.realloc(block, layout(small), large);
            block.add(small).write_bytes(9, large - small);
            let block = Heap.realloc(block, layout(large), small);
            let kept = std::slice::from_raw_parts(block, small).iter().all(|&octet| octet == 7);
            Heap.dealloc(block, layout(small));
            assert!(kept);
        }
    }
}
