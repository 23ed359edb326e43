//! The kernel's futex, private to the process.
//!
//! The kernel compares and queues under the lock of the address's hash bucket, which is the
//! contract.

use std::time::Instant;

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Timespec};

use super::{Futex, Wait};
use crate::sync::AtomicU32;

pub(super) enum Linux {}

impl Futex for Linux {
    fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
        let timeout = match deadline {
            None => None,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                None => return Wait::TimedOut,
                // `FUTEX_WAIT` counts from now, on the clock `Instant` uses. A time that is too
                // long for the kernel is longer than any uptime: no limit.
                Some(left) => Timespec::try_from(left).ok(),
            },
        };
        match futex::wait(word, Flags::PRIVATE, expected, timeout.as_ref()) {
            Err(Errno::TIMEDOUT) => Wait::TimedOut,
            // EAGAIN: the word differed. EINTR: a signal. Nothing else can come of a valid address.
            _ => Wait::Look,
        }
    }

    fn wake(word: &AtomicU32) {
        // Fails only for an address that is not mapped, and a reference is.
        let _ = futex::wake(word, Flags::PRIVATE, 1);
    }
}
