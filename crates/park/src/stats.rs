//! What the stages of waiting did, counted.
//!
//! One writer (the waiter), any number of readers: plain loads and stores, no read-modify-write, so
//! that counting costs about a nanosecond. A snapshot is not one instant: counters of one event may
//! differ by that event.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

macro_rules! stage_stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one waiter. They only grow, except `budget_nanos`, which is a gauge.
        #[derive(Debug, Default)]
        pub struct StageStats {
            $(pub(crate) $name: Counter,)*
        }

        /// The values of a [`StageStats`] at about one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct StageSnapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl StageStats {
            /// Reads every counter.
            pub fn snapshot(&self) -> StageSnapshot {
                StageSnapshot { $($name: self.$name.get(),)* }
            }
        }
    };
}

stage_stats! {
    /// Spin sessions begun. Each ends as one of the next four, or is forgotten.
    spins,
    /// Sessions that ended because work came.
    spin_hits,
    /// Sessions that used up their budget.
    spin_misses,
    /// Sessions given up because more threads were awake than there are CPUs.
    spin_yields,
    /// Sessions that ended early because `SpinRequest::until` came.
    spin_dues,
    /// Waits that did not spin: `max_spin` is 0, one CPU, no slot free, or work not expected in
    /// time.
    spin_skips,
    /// Nanoseconds spent spinning, to about a microsecond per session.
    spin_nanos,
    /// The budget of the next session, in nanoseconds.
    budget_nanos,
    /// Sleeps on the futex.
    parks_futex,
    /// Sleeps in the event loop.
    parks_driver,
    /// Parks taken back because the re-check found work.
    retracts,
    /// Claims consumed: wake calls that were made for this waiter.
    wakes,
    /// Waits that did not spin because CPU time is scarce for this thread.
    spin_cuts,
}

/// A number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        // A load and a store, not an addition in one step: there is no second writer.
        self.set(self.get().wrapping_add(n));
    }

    pub(crate) fn add_nanos(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn set_nanos(&self, time: Duration) {
        self.set(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn set(&self, n: u64) {
        // Relaxed: a figure to look at; nothing is read because of it.
        self.0.store(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
