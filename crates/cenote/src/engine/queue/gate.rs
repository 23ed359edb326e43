//! The gate of a lane's queue: how many tasks are in it, how many may be, and whether it is closed.
//!
//! ```text
//!  63       62                                             0
//! +--------+---------+--------------------------------------+
//! | CLOSED | WAITERS | tasks admitted and not taken yet     |
//! +--------+---------+--------------------------------------+
//! ```
//!
//! All three in one word, so that an admission is decided by one step: after the step that closes,
//! none succeeds; and whoever makes room learns in the same step that somebody waits for it.

use crate::sync::{AtomicUsize, Ordering};

const CLOSED: usize = 1 << (usize::BITS - 1);
const WAITERS: usize = 1 << (usize::BITS - 2);
const COUNT: usize = WAITERS - 1;

/// Why a task was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    word: AtomicUsize,
    limit: usize,
}

impl Gate {
    pub(crate) fn new(limit: usize) -> Self {
        Gate {
            word: AtomicUsize::new(0),
            limit: limit.min(COUNT),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many tasks are admitted and not taken.
    pub(crate) fn count(&self) -> usize {
        self.word.load(Ordering::Relaxed) & COUNT
    }

    /// Open, and nothing admitted.
    pub(crate) fn is_open_and_empty(&self) -> bool {
        self.word.load(Ordering::Relaxed) & (CLOSED | COUNT) == 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Makes room for one task, which the caller then pushes. Returns how many there are with it.
    pub(crate) fn admit(&self) -> Result<usize, Refused> {
        let mut now = self.word.load(Ordering::Relaxed);
        loop {
            if now & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            if now & COUNT >= self.limit {
                return Err(Refused::Full);
            }
            // Relaxed: the queue itself carries the task.
            match self.word.compare_exchange_weak(
                now,
                now + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok((now & COUNT) + 1),
                Err(changed) => now = changed,
            }
        }
    }

    /// Makes room for up to so many tasks, which the caller then pushes. Returns how many, at least
    /// one unless none was wanted, and how many there are with them.
    pub(crate) fn admit_many(&self, wanted: usize) -> Result<(usize, usize), Refused> {
        let mut now = self.word.load(Ordering::Relaxed);
        loop {
            if now & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            let tasks = wanted.min(self.limit.saturating_sub(now & COUNT));
            if tasks == 0 && wanted > 0 {
                return Err(Refused::Full);
            }
            // Relaxed: as in `admit`.
            match self.word.compare_exchange_weak(
                now,
                now + tasks,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok((tasks, (now & COUNT) + tasks)),
                Err(changed) => now = changed,
            }
        }
    }

    /// For how many tasks there is room at this moment. `None`: it is closed.
    pub(crate) fn room(&self) -> Option<usize> {
        let now = self.word.load(Ordering::Relaxed);
        (now & CLOSED == 0).then(|| self.limit.saturating_sub(now & COUNT))
    }

    /// So many tasks were taken. True: somebody waits for the room.
    pub(crate) fn release(&self, tasks: usize) -> bool {
        // Acquire: pairs with `set_waiters`, so that whoever set the flag is found listening.
        // Release: pairs with the fence in `RunLists::len_of`: whoever finds the tasks gone from
        // here finds them in the run list that they went to.
        let before = self.word.fetch_sub(tasks, Ordering::AcqRel);
        debug_assert!(
            before & COUNT >= tasks,
            "more tasks were taken than admitted"
        );
        before & WAITERS != 0
    }

    /// From now on `release` says that somebody waits. Whoever sets this tries `admit` once more
    /// before it waits; the steps on one word have one order, so it or the next `release` sees the
    /// other.
    pub(crate) fn set_waiters(&self) {
        // Release: pairs with the Acquire in `release`.
        self.word.fetch_or(WAITERS, Ordering::Release);
    }

    pub(crate) fn clear_waiters(&self) {
        self.word.fetch_and(!WAITERS, Ordering::Relaxed);
    }

    /// Whether an `admit` that waits would get an answer now.
    pub(crate) fn has_answer(&self) -> bool {
        let now = self.word.load(Ordering::Relaxed);
        now & CLOSED != 0 || now & COUNT < self.limit
    }

    /// Admits nothing any more. True: this call closed it.
    pub(crate) fn close(&self) -> bool {
        // AcqRel: what was done before the close is visible to whoever is refused because of it.
        self.word.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }
}
