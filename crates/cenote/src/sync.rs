//! The one place that chooses between `std` and `loom`.
//!
//! Everything whose interleavings decide the protocols of this crate comes from here, so that
//! `--cfg cenote_loom` swaps it for the model checker's. Statistics are not modelled: nothing is
//! decided from them.

#[cfg(not(cenote_loom))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(cenote_loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(not(cenote_loom))]
pub(crate) use self::plain_lock::{Condvar, Mutex};

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

/// `std`'s mutex and condition variable, without poisoning.
///
/// No user code runs while one of these locks is held. So a panic under one is a fault of this
/// crate, which the panic hook has reported. What the lock guards is figures and lists that hold
/// whatever was done to them last; to refuse them from then on would panic in every thread that
/// comes by, and where that is a destructor, end the process.
#[cfg(not(cenote_loom))]
mod plain_lock {
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    use std::time::Instant;

    use self::order::{Order, Released};

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T> {
        order: Order,
        inner: std::sync::Mutex<T>,
    }

    /// The first field is dropped first.
    pub(crate) struct MutexGuard<'a, T> {
        order: Released<'a>,
        inner: std::sync::MutexGuard<'a, T>,
    }

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Mutex {
                order: Order::new(),
                inner: std::sync::Mutex::new(value),
            }
        }

        #[inline]
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let order = self.order.acquire();
            MutexGuard { order, inner }
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        #[inline]
        fn deref(&self) -> &T {
            &self.inner
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        #[inline]
        fn deref_mut(&mut self) -> &mut T {
            &mut self.inner
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(std::sync::Condvar);

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Condvar(std::sync::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        /// Until it is notified, or for no reason less long.
        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            let MutexGuard { order, inner } = guard;
            let order = order.release();
            let inner = self.0.wait(inner).unwrap_or_else(PoisonError::into_inner);
            let order = order.acquire();
            MutexGuard { order, inner }
        }

        /// The same, and not beyond `deadline`.
        pub(crate) fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            deadline: Instant,
        ) -> MutexGuard<'a, T> {
            let MutexGuard { order, inner } = guard;
            let order = order.release();
            let left = deadline.saturating_duration_since(Instant::now());
            let (inner, _) = self
                .0
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner);
            let order = order.acquire();
            MutexGuard { order, inner }
        }
    }

    /// Nothing: the lock itself orders what it guards.
    #[cfg(not(cenote_tsan))]
    mod order {
        #[derive(Debug, Default)]
        pub(super) struct Order;

        pub(super) struct Released<'a>(&'a Order);

        impl Order {
            pub(super) const fn new() -> Self {
                Order
            }

            #[inline]
            pub(super) fn acquire(&self) -> Released<'_> {
                Released(self)
            }
        }

        impl<'a> Released<'a> {
            #[inline]
            pub(super) fn release(self) -> &'a Order {
                self.0
            }
        }
    }

    /// Says to ThreadSanitizer what the lock orders: the contended half of `std`'s locks is in code
    /// that it cannot see.
    #[cfg(cenote_tsan)]
    mod order {
        use std::sync::atomic::{AtomicBool, Ordering};

        #[derive(Debug, Default)]
        pub(super) struct Order(AtomicBool);

        pub(super) struct Released<'a>(&'a Order);

        impl Order {
            pub(super) const fn new() -> Self {
                Order(AtomicBool::new(false))
            }

            pub(super) fn acquire(&self) -> Released<'_> {
                // Acquire: pairs with the store in `drop`.
                self.0.load(Ordering::Acquire);
                Released(self)
            }
        }

        impl<'a> Released<'a> {
            pub(super) fn release(self) -> &'a Order {
                self.0
            }
        }

        impl Drop for Released<'_> {
            fn drop(&mut self) {
                // Release: pairs with the load in `acquire`, by whoever has the lock next.
                self.0.0.store(true, Ordering::Release);
            }
        }
    }
}

/// `loom`'s mutex with the interface of the above.
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

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::time::{Duration, Instant};

    use super::{Condvar, Mutex};

    #[test]
    fn a_panic_under_a_lock_leaves_it_usable() {
        let (lock, changed) = (Mutex::new(0), Condvar::new());
        let panic = || -> () {
            *lock.lock() += 1;
            let _held = lock.lock();
            resume_unwind(Box::new("on purpose"));
        };
        assert!(catch_unwind(AssertUnwindSafe(panic)).is_err());
        assert_eq!(*lock.lock(), 1);
        let deadline = Instant::now() + Duration::from_millis(1);
        let mut held = lock.lock();
        // It may also end for no reason.
        while Instant::now() < deadline {
            held = changed.wait_until(held, deadline);
        }
        assert_eq!(*held, 1);
    }
}
