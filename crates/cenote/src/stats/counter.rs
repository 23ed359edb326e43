//! A number with one writer and any number of readers.
//!
//! Adding is a plain load and a plain store, not one indivisible step, which costs about a
//! nanosecond where `fetch_add` costs five. With a second writer additions would be lost, nothing
//! worse.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only its one writer changes.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds, without overflow checks: in nanoseconds it lasts for 584 years.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Relaxed: a figure to look at; nothing is read because of it.
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// Raises the value to `n`, if it is lower.
    #[inline]
    pub(crate) fn raise(&self, n: u64) {
        if n > self.get() {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    /// The value.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
