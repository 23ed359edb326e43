//! The one place that chooses between `std` and `loom`.
//!
//! Everything whose interleavings decide the protocols of this crate comes from here, so that
//! `--cfg cenote_loom` swaps it for the model checker's. Statistics are not modelled: nothing is decided
//! from them.

#[cfg(not(cenote_loom))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(cenote_loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(not(cenote_loom))]
pub(crate) use parking_lot::Mutex;

#[cfg(cenote_loom)]
pub(crate) use self::model_lock::Mutex;

/// Where a loop waits for somebody else's step: tells the model checker so.
#[inline]
pub(crate) fn yield_in_model() {
    #[cfg(cenote_loom)]
    loom::thread::yield_now();
}

#[cfg(cenote_loom)]
pub(crate) use loom::cell::UnsafeCell;

#[cfg(not(cenote_loom))]
pub(crate) use self::plain_cell::UnsafeCell;

/// `loom`'s mutex with `parking_lot`'s interface.
#[cfg(cenote_loom)]
mod model_lock {
    pub(crate) use loom::sync::MutexGuard;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model ends at its first panic")
        }
    }
}

/// `std`'s cell with `loom`'s interface, which marks where each access begins and ends.
#[cfg(not(cenote_loom))]
mod plain_cell {
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}
