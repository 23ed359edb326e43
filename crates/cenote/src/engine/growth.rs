//! When a pool starts another thread: when tasks wait, and every worker has been in one closure, or
//! full of futures, for `grow_after`.
//!
//! Nobody watches all the time. A submitter whose task found no worker arms a look, once; the look
//! arms the next one for as long as tasks wait. See [`life`](super::life) for how a thread that
//! retires and a submitter that hopes for it find each other.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::life::Phase;
use super::{Engine, Support};
use crate::clock::Stamp;

/// After a thread could not be started, so long until the next attempt.
const RETRY_THREAD: Duration = Duration::from_millis(100);

impl Engine {
    /// After a task was queued and no worker waited for it.
    #[inline]
    pub(crate) fn consider_growth(&self, support: &impl Support) {
        if self.life.may_grow() {
            self.arm_growth(self.grow_after, support);
        }
    }

    #[cold]
    fn arm_growth(&self, after: Duration, support: &impl Support) {
        // Relaxed, before the swap: most calls find it armed.
        if self.growth_armed.load(Ordering::Relaxed)
            || self.growth_armed.swap(true, Ordering::AcqRel)
        {
            return;
        }
        if !support.look_later(after) {
            // The next submitter tries again.
            self.growth_armed.store(false, Ordering::Release);
        }
    }

    /// Starts a thread if one is needed. Returns how many tasks wait, if it did.
    pub(crate) fn look_at_growth(&self, support: &impl Support) -> Option<usize> {
        // A submitter that comes from here on arms it again.
        self.growth_armed.store(false, Ordering::Release);
        crate::sync::fence(crate::sync::Ordering::SeqCst);
        let queued = self.queued();
        if self.life.phase() == Phase::ShutDown || queued == 0 || !self.life.may_grow() {
            return None;
        }
        let grown = if self.workers_are_blocked() {
            self.start_thread(support)
        } else {
            Ok(false)
        };
        let after = match grown {
            Ok(_) => self.grow_after,
            Err(_) => RETRY_THREAD.max(self.grow_after),
        };
        self.arm_growth(after, support);
        matches!(grown, Ok(true)).then_some(queued)
    }

    /// Whether every worker has been in one closure, or had no place for another future, for
    /// `grow_after` or longer. A worker that is
    /// being started is none of them, and must be waited for.
    fn workers_are_blocked(&self) -> bool {
        let now = Stamp::now();
        let counts = self.life.counts();
        counts.starting == 0
            && self.seats.iter().all(|seat| {
                if !seat.is_taken.load(Ordering::Relaxed) {
                    return true;
                }
                // One that is full and not busy takes closures: what is queued are futures then.
                [&seat.busy_since, &seat.full_since]
                    .into_iter()
                    .any(|since| {
                        let since = Stamp::from_bits(since.load(Ordering::Relaxed));
                        !since.is_none() && now.since(since) >= self.grow_after
                    })
            })
    }

    /// Starts a thread for a vacant seat. `Ok(false)`: there is none.
    pub(crate) fn start_thread(&self, support: &impl Support) -> io::Result<bool> {
        let Some(seat) = self.life.reserve() else {
            return Ok(false);
        };
        self.start_reserved(seat, support).map(|()| true)
    }

    /// Starts a thread for a seat that was taken for it.
    pub(crate) fn start_reserved(&self, seat: usize, support: &impl Support) -> io::Result<()> {
        support
            .start(seat)
            .inspect_err(|_| self.life.failed(seat, |_| ()))
    }
}
