//! The kernel's futex, private to the process.
//!
//! The kernel compares and queues under the lock of the address's hash bucket, which is the
//! contract. The C library has no function for the call, so it is made by number.

use std::time::{Duration, Instant};
use std::{io, ptr};

use super::{Futex, Wait};
use crate::sync::AtomicU32;

pub(super) enum Linux {}

/// A word of the times that this call takes: 32 bits on 32-bit systems, also where the C library's
/// `timespec` has 64. A 32-bit process of the x32 interface makes the calls of a 64-bit one.
#[cfg(any(target_pointer_width = "64", target_arch = "x86_64"))]
type Word = i64;
#[cfg(not(any(target_pointer_width = "64", target_arch = "x86_64")))]
type Word = i32;

/// The kernel's `timespec`, as this call takes it.
#[repr(C)]
struct Time {
    seconds: Word,
    nanoseconds: Word,
}

impl Time {
    /// `None`: too long for the kernel.
    fn new(time: Duration) -> Option<Time> {
        Some(Time {
            seconds: time.as_secs().try_into().ok()?,
            nanoseconds: Word::from(time.subsec_nanos().cast_signed()),
        })
    }
}

impl Futex for Linux {
    fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
        let timeout = match deadline {
            None => None,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                None => return Wait::TimedOut,
                // `FUTEX_WAIT` counts from now, on the clock `Instant` uses. A time that is too
                // long for the kernel is longer than any uptime: no limit.
                Some(left) => Time::new(left),
            },
        };
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the kernel reads the word, as an atomic, and the time, if there is one; both live
        // through the call, in the form that it takes.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                timeout,
            )
        } < 0;
        // Else EAGAIN: the word differed. Or EINTR: a signal. Nothing else can come of a valid
        // address.
        if failed && io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT) {
            Wait::TimedOut
        } else {
            Wait::Look
        }
    }

    fn wake(word: &AtomicU32) {
        // Fails only for an address that is not mapped, and a reference is.
        // SAFETY: the kernel takes the word for an address, and touches no memory of the process.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            )
        };
    }
}
