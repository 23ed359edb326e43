//! The one place that chooses between `std` and `loom`.
//!
//! Everything whose interleavings decide the protocol comes from here, so that `--cfg loom` swaps it
//! for the model checker's. The statistics are not modelled: nothing is decided from them.

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};
