//! An allocator that counts: the system's, and one addition a call. A program installs it as its
//! global allocator to make [`allocations`] mean something.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often memory was asked for, also to grow what was there.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Allocations of this process so far. Stays at zero unless [`CountingAllocator`] is the global
/// allocator.
///
/// `Relaxed`: who reads it has waited for the tasks it counts, and that wait orders their additions
/// before this load.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// The system's allocator, counted.
#[derive(Debug, Clone, Copy)]
pub struct CountingAllocator;

// SAFETY: every call is passed on unchanged to `System`, whose contract is the same; counting
// touches no memory but the static, and neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises about `layout` are the ones `System` needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises about `layout` are the ones `System` needs.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `block` came from `System` by way of this allocator, with `layout`; the rest is
        // the caller's promise.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` by way of this allocator, with `layout`.
        unsafe { System.dealloc(block, layout) }
    }
}
