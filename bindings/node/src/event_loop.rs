//! What a station asks of its loop: how long a poll would block, and whether something is ready.

use std::ffi::c_int;
use std::time::{Duration, Instant};

use crate::uv::{Uv, UvLoop};

/// One loop, on its own thread.
#[derive(Clone, Copy)]
pub(crate) struct EventLoop {
    uv: &'static Uv,
    raw: *mut UvLoop,
}

impl EventLoop {
    /// # Safety
    ///
    /// `raw` is this thread's loop, and outlives every use of the value and of its copies.
    pub(crate) unsafe fn new(uv: &'static Uv, raw: *mut UvLoop) -> Self {
        Self { uv, raw }
    }

    /// For how long the next poll would block, in ms: 0 not at all, negative without a limit.
    pub(crate) fn timeout(&self) -> c_int {
        // SAFETY: this thread's loop, by the contract of `new`.
        unsafe { (self.uv.backend_timeout)(self.raw) }
    }

    /// Reads the clock anew. The loop computes its poll's timeout from what it read last.
    pub(crate) fn update_time(&self) {
        // SAFETY: this thread's loop, by the contract of `new`.
        unsafe { (self.uv.update_time)(self.raw) };
    }

    /// When the next timer is due, which is `timeout` ms after the time that the loop read last.
    pub(crate) fn next_timer(&self, timeout: c_int) -> Instant {
        // SAFETY: this thread's loop, by the contract of `new`.
        let loop_now_ms = unsafe { (self.uv.now)(self.raw) };
        // SAFETY: reads a clock.
        let now_ns = unsafe { (self.uv.hrtime)() };
        let due_ms = loop_now_ms.saturating_add(timeout.unsigned_abs().into());
        let due_ns = due_ms.saturating_mul(1_000_000);
        Instant::now() + Duration::from_nanos(due_ns.saturating_sub(now_ns))
    }

    /// Whether the loop's own descriptors have something for it.
    pub(crate) fn readiness(&self) -> Readiness {
        // SAFETY: this thread's loop, by the contract of `new`.
        let descriptor = unsafe { (self.uv.backend_fd)(self.raw) };
        Readiness::of(descriptor)
    }
}

/// What a look at the loop's poll set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Nothing is ready: a poll would block.
    Quiet,
    /// Something is ready: a poll would return at once.
    Ready,
    /// It cannot be seen here; the loop must take a turn to find out.
    Unknown,
}

impl Readiness {
    #[cfg(unix)]
    fn of(descriptor: c_int) -> Self {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use std::os::fd::BorrowedFd;
        if descriptor < 0 {
            return Self::Unknown;
        }
        // SAFETY: the loop's own descriptor, open as long as the loop is, which runs this call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(
            &mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)],
            Some(&now),
        ) {
            Ok(0) => Self::Quiet,
            Ok(_) => Self::Ready,
            // An interrupted look says nothing; the loop's own poll will tell.
            Err(_) => Self::Unknown,
        }
    }

    #[cfg(not(unix))]
    fn of(_descriptor: c_int) -> Self {
        Self::Unknown
    }
}
