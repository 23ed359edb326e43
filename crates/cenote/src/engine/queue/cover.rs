//! Deputies and the sentinel, who save wake-ups that come too late to help.
//!
//! A worker that is awake, and whose tasks are short by the average of those it ran, is a deputy:
//! if it is busy it will look at the queues very soon. A worker that falls asleep while there are
//! deputies makes itself the sentinel, of which there is one: it sleeps for [`SENTINEL_PERIOD`] at
//! most, and then looks. While there are both, a few short tasks are queued without waking a
//! sleeper: a deputy takes them, or, if its present task turns out to be long, the sentinel does.
//! So the promise that no worker waits while a task is queued is kept to within the period. A
//! sentinel on which nobody relied in a whole period is none any more, so an idle pool is not
//! woken.
//!
//! Waiting workers that are awake are always asked first, so a deputy is relied on only if its
//! mailbox was seen closed, after the submitter's fence: then its next announcement, and the look
//! that follows, are still to come. The sentinel is relieved before it looks, with the same fence
//! between.

use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How long the sentinel sleeps at most.
pub(crate) const SENTINEL_PERIOD: Duration = Duration::from_millis(1);

const BITS: usize = 64;

/// No worker's number.
const NOBODY: usize = usize::MAX;

/// See the module.
pub(crate) struct Cover {
    deputies: Box<[CachePadded<AtomicU64>]>,
    /// Read by every submitter, seldom written.
    sentinel: CachePadded<AtomicUsize>,
    /// A submitter has left a task to the sentinel.
    relied: CachePadded<AtomicBool>,
}

impl Cover {
    pub(crate) fn new(seats: usize) -> Self {
        Cover {
            deputies: (0..seats.div_ceil(BITS))
                .map(|_| CachePadded::new(AtomicU64::new(0)))
                .collect(),
            sentinel: CachePadded::new(AtomicUsize::new(NOBODY)),
            relied: CachePadded::new(AtomicBool::new(false)),
        }
    }

    fn place(&self, seat: usize) -> (&AtomicU64, u64) {
        (&self.deputies[seat / BITS], 1 << (seat % BITS))
    }

    /// The worker is awake and its tasks are short, or not any more: see the module.
    pub(crate) fn set_deputy(&self, seat: usize, deputy: bool) {
        let (deputies, bit) = self.place(seat);
        // Relaxed: what has to be seen in time is the announcement.
        if deputy {
            deputies.fetch_or(bit, Ordering::Relaxed);
        } else {
            deputies.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The worker is about to sleep: if there are deputies and no sentinel, it is the sentinel now,
    /// and has to wake by itself after [`SENTINEL_PERIOD`] and to call [`relieve`](Self::relieve).
    pub(crate) fn try_stand_sentinel(&self, seat: usize) -> bool {
        let stands = self.has_deputies()
            && self
                .sentinel
                .compare_exchange(NOBODY, seat, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if stands {
            self.relied.store(false, Ordering::Relaxed);
        }
        stands
    }

    /// The sentinel is awake, and none any more. It looks at the queues before it sleeps again,
    /// after an `announce`. Returns whether anybody relied on it.
    pub(crate) fn relieve(&self) -> bool {
        // Relaxed: the fence in `announce` comes between this and the last look.
        self.sentinel.store(NOBODY, Ordering::Relaxed);
        self.relied.load(Ordering::Relaxed)
    }

    /// Whether the worker is awake, and its tasks are short. A hint.
    pub(crate) fn is_deputy(&self, seat: usize) -> bool {
        let (deputies, bit) = self.place(seat);
        deputies.load(Ordering::Relaxed) & bit != 0
    }

    fn has_deputies(&self) -> bool {
        self.deputies
            .iter()
            .any(|deputies| deputies.load(Ordering::Relaxed) != 0)
    }

    /// Whether a short closure that was just queued will be taken without a sleeper being woken for
    /// it. After a fence.
    pub(crate) fn is_covered(&self) -> bool {
        if self.sentinel.load(Ordering::Relaxed) == NOBODY || !self.has_deputies() {
            return false;
        }
        // Only a hint for the next sentinel.
        if !self.relied.load(Ordering::Relaxed) {
            self.relied.store(true, Ordering::Relaxed);
        }
        true
    }
}
