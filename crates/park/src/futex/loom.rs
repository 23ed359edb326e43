//! The futex of the model: a mutex, a condition variable and the check of the value.
//!
//! loom has no futex. One lock for all words stands for the kernel's hash bucket: every wake wakes
//! everybody, so all but one of the woken see a wake for no reason, which the contract allows. A
//! wait with a deadline times out at once: loom has no clock, and *when* the deadline passes
//! relative to the wakers is explored anyway, since the waiter may be preempted before it gets
//! here.

use std::time::Instant;

use loom::sync::{Condvar, Mutex};

use super::{Futex, Wait};
use crate::sync::{AtomicU32, Ordering};

pub(super) enum Loom {}

loom::lazy_static! {
    static ref BUCKET: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
}

impl Futex for Loom {
    fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
        let (lock, sleepers) = &*BUCKET;
        let guard = lock
            .lock()
            .expect("no thread panics while it holds the bucket");
        if word.load(Ordering::Relaxed) != expected {
            return Wait::Look;
        }
        if deadline.is_some() {
            return Wait::TimedOut;
        }
        drop(sleepers.wait(guard));
        Wait::Look
    }

    fn wake(_word: &AtomicU32) {
        let (lock, sleepers) = &*BUCKET;
        let _guard = lock
            .lock()
            .expect("no thread panics while it holds the bucket");
        sleepers.notify_all();
    }
}
