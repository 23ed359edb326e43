//! One value for the whole process, and a new one for each process that is forked off it.
//!
//! What a parent had cannot be used in its child: its lock may be held by a thread that is not
//! there. The value is made at its first use and never freed.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::fork;

/// See the module.
pub(crate) struct PerProcess<T>(AtomicPtr<Of<T>>);

struct Of<T> {
    /// The process it belongs to.
    generation: u32,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's, made now if need be. `make` may be called more than once; one wins.
    pub(crate) fn get_or_make(&'static self, make: impl Fn() -> T) -> &'static T {
        // Acquire, with the exchange below: what it points to was written before.
        let mut current = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: the pointer is null, or came from the box below and is never freed.
            if let Some(of) = unsafe { current.as_ref() }
                && of.generation == fork::generation()
            {
                return &of.value;
            }
            fork::install();
            let own = Box::into_raw(Box::new(Of {
                generation: fork::generation(),
                value: make(),
            }));
            match self
                .0
                .compare_exchange(current, own, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => current = own,
                Err(first) => {
                    // SAFETY: `own` came from the box above, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(own) });
                    current = first;
                }
            }
        }
    }
}
