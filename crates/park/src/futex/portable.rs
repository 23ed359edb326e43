//! A futex for every system: `parking_lot_core`'s table of queues, keyed by address.
//!
//! It validates and queues under the lock of the address's hash bucket, which is the contract.

use std::time::Instant;

use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, ParkResult, park, unpark_one};

use super::{Futex, Wait};
use crate::sync::{AtomicU32, Ordering};

pub(super) enum Portable {}

/// The table is the whole process's, so keys have to be addresses of things of one's own: the word.
fn key(word: &AtomicU32) -> usize {
    std::ptr::from_ref(word).addr()
}

impl Futex for Portable {
    fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
        // Relaxed: the bucket's lock orders this against a waker that comes later; one that came
        // earlier changed the word before it took that lock.
        let still_expected = || word.load(Ordering::Relaxed) == expected;
        // SAFETY: the key is the address of a word of this crate that lives through the call, which
        // nothing else in the process parks on. No callback panics or calls back into
        // `parking_lot_core`: one loads an atomic, the other two are empty.
        let result = unsafe {
            park(
                key(word),
                still_expected,
                || {},
                |_, _| {},
                DEFAULT_PARK_TOKEN,
                deadline,
            )
        };
        match result {
            ParkResult::TimedOut => Wait::TimedOut,
            ParkResult::Unparked(_) | ParkResult::Invalid => Wait::Look,
        }
    }

    fn wake(word: &AtomicU32) {
        // SAFETY: the key is the address of a word of this crate, as in `wait`; the callback
        // neither panics nor calls back into `parking_lot_core`.
        unsafe { unpark_one(key(word), |_| DEFAULT_UNPARK_TOKEN) };
    }
}
