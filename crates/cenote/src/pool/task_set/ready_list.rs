//! Which tasks of a [`TaskSet`](super::TaskSet) are done, in the order in which they
//! were.
//!
//! Each task of a set has a number, and a waker that puts this number into the list. So the set
//! looks at what has ended, never at all that it has. Guaranteed: whoever left a waker is woken
//! after a number came, or was told that there is one.
//!
//! A number says that a task *may* be done: it may be that of a task that left the set.
//!
//! Wakers are woken, cloned and dropped without the lock, since what they do is their runtime's
//! affair.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::task::blocking::Awaited;
use crate::task::boundary;

/// See the module.
#[derive(Default)]
pub(super) struct ReadyList {
    /// Whether there are numbers. Written under the lock, and read without it by a thread that
    /// spins.
    any: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    numbers: VecDeque<usize>,
    waker: Option<Waker>,
}

impl ReadyList {
    /// The waker of the task with that number.
    pub(super) fn waker_of(self: &Arc<Self>, number: usize) -> Waker {
        let list = Arc::clone(self);
        Waker::from(Arc::new(Notice { list, number }))
    }

    fn push(&self, number: usize) {
        let waker = {
            let mut inner = self.inner.lock();
            inner.numbers.push_back(number);
            // Release: pairs with `is_any`.
            self.any.store(true, Ordering::Release);
            inner.waker.take()
        };
        waker.into_iter().for_each(boundary::wake);
    }

    fn is_any(&self) -> bool {
        // Acquire: pairs with the store in `push`.
        self.any.load(Ordering::Acquire)
    }

    /// Moves all numbers to the end of `into`.
    pub(super) fn take(&self, into: &mut VecDeque<usize>) {
        if !self.is_any() {
            return;
        }
        let mut inner = self.inner.lock();
        if into.is_empty() {
            mem::swap(&mut inner.numbers, into);
        } else {
            into.append(&mut inner.numbers);
        }
        // Relaxed: who puts in the next number does so under the lock.
        self.any.store(false, Ordering::Relaxed);
    }

    /// Leaves a waker in place of that before. False: there are numbers.
    pub(super) fn wait_with(&self, waker: &Waker) -> bool {
        if self.is_any() {
            return false;
        }
        let waker = waker.clone();
        let mut inner = self.inner.lock();
        let waits = inner.numbers.is_empty();
        let unused = if waits {
            inner.waker.replace(waker)
        } else {
            Some(waker)
        };
        drop(inner);
        boundary::drop_quietly(unused);
        waits
    }
}

/// The waker of one task.
struct Notice {
    list: Arc<ReadyList>,
    number: usize,
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.list.push(self.number);
    }
}

/// How a thread waits for a number.
impl Awaited for &ReadyList {
    fn is_ready(&self) -> bool {
        self.is_any()
    }

    fn register(&mut self, waker: &Waker) -> bool {
        self.wait_with(waker)
    }
}
