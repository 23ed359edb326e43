//! The one place that chooses between `std` and `loom`.
//!
//! Everything whose interleavings decide the protocol comes from here, so that `--cfg cenote_loom`
//! swaps it for the model checker's; so does the clock. The statistics are not modelled: nothing is
//! decided from them.

#[cfg(not(cenote_loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};

#[cfg(cenote_loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};

/// The clock. In the model it stands still, so that an execution can be repeated.
pub(crate) mod clock {
    use std::time::{Duration, Instant};

    #[cfg(cenote_loom)]
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

    pub(crate) fn now() -> Instant {
        #[cfg(cenote_loom)]
        return *START.get_or_init(Instant::now);
        #[cfg(not(cenote_loom))]
        Instant::now()
    }

    pub(crate) fn since(then: Instant) -> Duration {
        now().saturating_duration_since(then)
    }
}
