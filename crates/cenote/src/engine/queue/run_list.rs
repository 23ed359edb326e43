//! Run lists: what a worker has taken from a queue and not begun yet.
//!
//! A worker whose tasks are short takes several of them under one lock. It begins the first; the
//! others lie in its run list, in their order. Whoever takes a task from a list takes the oldest,
//! by one compare-and-swap on the list's word: its owner, when it has run the one before; or any
//! other worker that finds nothing in the queues. So a task that turns out to be long holds up none
//! of those behind it, and a worker that looks for work has to look at the lists as well.
//!
//! A list is filled by its owner alone, and only when it is empty. A step on its word tells the
//! fillings apart, so that nobody takes what was filled in between:
//!
//! ```text
//!  63          16 15       8 7       0
//! +--------------+----------+---------+
//! | filled so often |  tasks | taken   |
//! +--------------+----------+---------+
//! ```
//!
//! A listed task is as good as queued: it has not started, and an abort or a deadline may settle
//! it. It has no place in its lane's queue any more, so there may be that many beyond the limit.

use std::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::task::cell::{Header, TaskRef, prefetch};

/// The most tasks that a list holds.
pub(crate) const LONGEST: usize = if cfg!(cenote_loom) { 2 } else { 32 };

const BITS: usize = 64;

const TASKS_SHIFT: u32 = 8;
const TIMES_SHIFT: u32 = 16;
const BYTE: u64 = 0xff;
const _: () = assert!(LONGEST as u64 <= BYTE);

/// One worker's list.
struct RunList {
    word: AtomicU64,
    /// The lane that the tasks are of. For counts alone.
    lane: AtomicUsize,
    tasks: [AtomicPtr<Header>; LONGEST],
}

/// See the module.
pub(crate) struct RunLists {
    lists: Box<[CachePadded<RunList>]>,
    /// Whose lists are worth a look. Each worker alone writes its bit.
    used: Box<[CachePadded<AtomicU64>]>,
}

/// A task that was taken from a list.
pub(crate) struct Listed {
    pub(crate) task: TaskRef,
    /// There were others behind it.
    pub(crate) more: bool,
}

/// How many of `queued` tasks each of `workers` may have in its list.
pub(crate) fn share(queued: usize, workers: usize) -> usize {
    // In the models too few are queued for that.
    if cfg!(cenote_loom) {
        queued
    } else {
        queued / workers.max(1)
    }
}

/// How many tasks a list of that word holds.
fn waiting(word: u64) -> usize {
    ((word >> TASKS_SHIFT & BYTE) - (word & BYTE)) as usize
}

impl RunList {
    fn new() -> Self {
        RunList {
            word: AtomicU64::new(0),
            lane: AtomicUsize::new(0),
            tasks: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    fn len(&self) -> usize {
        // Acquire: whoever finds the list empty sees what those did who took from it.
        waiting(self.word.load(Ordering::Acquire))
    }

    /// For the owner, whose list has to be empty.
    fn fill(&self, lane: usize, most: usize, mut next: impl FnMut() -> Option<TaskRef>) -> usize {
        // Acquire: pairs with `take`: whoever took the last ones has read them.
        let before = self.word.load(Ordering::Acquire);
        debug_assert_eq!(waiting(before), 0, "a list is filled when it is empty");
        let mut tasks = 0;
        for place in self.tasks.iter().take(most) {
            let Some(task) = next() else { break };
            // Relaxed: the store below releases it.
            place.store(task.into_raw().as_ptr(), Ordering::Relaxed);
            tasks += 1;
        }
        if tasks > 0 {
            self.lane.store(lane, Ordering::Relaxed);
            let times = (before >> TIMES_SHIFT).wrapping_add(1);
            // Release: pairs with `take`. A plain store: nobody changes the word of an empty list.
            self.word.store(
                times << TIMES_SHIFT | (tasks as u64) << TASKS_SHIFT,
                Ordering::Release,
            );
        }
        tasks
    }

    /// Takes the oldest.
    fn take(&self) -> Option<Listed> {
        // Acquire: pairs with `fill`.
        let mut now = self.word.load(Ordering::Acquire);
        loop {
            let left = waiting(now);
            if left == 0 {
                return None;
            }
            let at = (now & BYTE) as usize;
            let task = self.tasks[at].load(Ordering::Relaxed);
            // Release: the load above comes before the next filling. Acquire on failure: as above.
            match self
                .word
                .compare_exchange_weak(now, now + 1, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    if let Some(next) = self.tasks.get(at + 1).filter(|_| left > 1)
                        && let Some(next) = NonNull::new(next.load(Ordering::Relaxed))
                    {
                        // By the time that this one has run, the next one's memory has arrived.
                        prefetch(next);
                    }
                    let task = NonNull::new(task).expect("what was filled in is a task");
                    return Some(Listed {
                        // SAFETY: `fill` put it there by `into_raw`. The step from this very word
                        // is made once, so it is given back once; and the word is that of the
                        // filling that the pointer was read from, for it has changed since if that
                        // has.
                        task: unsafe { TaskRef::from_raw(task) },
                        more: left > 1,
                    });
                }
                Err(changed) => now = changed,
            }
        }
    }
}

impl RunLists {
    pub(crate) fn new(workers: usize) -> Self {
        RunLists {
            lists: (0..workers)
                .map(|_| CachePadded::new(RunList::new()))
                .collect(),
            used: (0..workers.div_ceil(BITS))
                .map(|_| CachePadded::new(AtomicU64::new(0)))
                .collect(),
        }
    }

    fn place(&self, seat: usize) -> (&AtomicU64, u64) {
        (&self.used[seat / BITS], 1 << (seat % BITS))
    }

    /// Fills the worker's own list, which is empty, up to `most`, with what `next` gives. Returns
    /// how many tasks that were. Others look at it from now on.
    pub(crate) fn fill(
        &self,
        seat: usize,
        lane: usize,
        most: usize,
        next: impl FnMut() -> Option<TaskRef>,
    ) -> usize {
        if most == 0 {
            return 0;
        }
        let (used, bit) = self.place(seat);
        // Relaxed: nobody else writes the bit; the fence in `Roster::kick`, which follows a
        // filling, makes it visible in time.
        if used.load(Ordering::Relaxed) & bit == 0 {
            used.fetch_or(bit, Ordering::Relaxed);
        }
        self.lists[seat].fill(lane, most, next)
    }

    /// The worker's own list is empty, and will stay so for some time.
    pub(crate) fn rest(&self, seat: usize) {
        let (used, bit) = self.place(seat);
        if used.load(Ordering::Relaxed) & bit != 0 {
            used.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The oldest task of the worker's own list.
    #[inline]
    pub(crate) fn take(&self, seat: usize) -> Option<Listed> {
        self.lists[seat].take()
    }

    /// A task of anybody's list.
    pub(crate) fn steal(&self) -> Option<Listed> {
        self.used().find_map(RunList::take)
    }

    /// Whether any list holds a task.
    pub(crate) fn has_task(&self) -> bool {
        self.used().any(|list| list.len() > 0)
    }

    /// How many tasks of that lane lie in lists: with those that left the queue before the caller
    /// looked at its gate.
    pub(crate) fn len_of(&self, lane: usize) -> usize {
        // Pairs with `Gate::release`, which comes after a filling.
        fence(Ordering::Acquire);
        self.used()
            .filter(|list| list.lane.load(Ordering::Relaxed) == lane)
            .map(RunList::len)
            .sum()
    }

    fn used(&self) -> impl Iterator<Item = &RunList> {
        self.used.iter().enumerate().flat_map(move |(index, used)| {
            // Relaxed: of a worker that looks for the last time, after the fence of its
            // announcement.
            let mut bits = used.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros() as usize;
                // Without the lowest bit, if there is one.
                bits &= bits.wrapping_sub(1);
                (bit < BITS).then(|| &*self.lists[index * BITS + bit])
            })
        })
    }
}

impl Drop for RunLists {
    fn drop(&mut self) {
        for list in &self.lists {
            while let Some(listed) = list.take() {
                drop(listed.task);
            }
        }
    }
}
