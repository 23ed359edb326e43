//! Which threads a pool has: starting, growing, retiring, and how far the pool is from its end.
//!
//! One lock guards the count; it is taken when a thread starts or ends, never on the way of a task.
//! The phase is read everywhere, without the lock.
//!
//! **Grow against retire.** A submitter queues its task, then (after a fence) reads how many
//! threads there are, and arms a look at growth if there may be more. A thread that retires first
//! takes itself off the count, then (after a fence) looks at the queues, and stays after all if
//! something waits. One of the two sees the other.

#[cfg(not(cenote_loom))]
use crate::sync::Condvar;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// How far the pool is from its end. Only ever goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open = 0,
    /// The last handle was dropped: accepted tasks are run, background futures are dropped.
    Dropped = 1,
    /// `close`: accepted tasks are run, background futures finish.
    Closing = 2,
    /// Queued tasks are cancelled, futures dropped.
    ShutDown = 3,
}

/// See the module.
pub(crate) struct Life {
    phase: AtomicUsize,
    /// `starting + live`, for readers without the lock.
    threads: AtomicUsize,
    min: usize,
    max: usize,
    places: Mutex<Places>,
    #[cfg(not(cenote_loom))]
    changed: Condvar,
}

struct Places {
    taken: Box<[bool]>,
    counts: Counts,
}

/// The threads at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Reserved, and not running yet.
    pub(crate) starting: usize,
    pub(crate) live: usize,
    /// Off the count, and not gone yet.
    pub(crate) leaving: usize,
    /// The most that were live at once.
    pub(crate) peak: usize,
}

impl Counts {
    /// Threads of any kind.
    pub(crate) fn all(&self) -> usize {
        self.starting + self.live + self.leaving
    }
}

impl Life {
    pub(crate) fn new(min: usize, max: usize) -> Self {
        Life {
            phase: AtomicUsize::new(Phase::Open as usize),
            threads: AtomicUsize::new(0),
            min,
            max,
            places: Mutex::new(Places {
                taken: vec![false; max].into(),
                counts: Counts::default(),
            }),
            #[cfg(not(cenote_loom))]
            changed: Condvar::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        // Acquire: what was done before the phase was raised is visible to whoever acts on it.
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Dropped,
            2 => Phase::Closing,
            _ => Phase::ShutDown,
        }
    }

    pub(crate) fn raise(&self, phase: Phase) {
        self.phase.fetch_max(phase as usize, Ordering::AcqRel);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.places.lock().counts
    }

    /// How many threads there are, and are being started.
    pub(crate) fn threads(&self) -> usize {
        // Relaxed: a count of this moment.
        self.threads.load(Ordering::Relaxed)
    }

    /// Whether there may be another thread. For a submitter, after its task is queued and a fence.
    pub(crate) fn may_grow(&self) -> bool {
        // Relaxed: after a fence; see the module.
        self.threads.load(Ordering::Relaxed) < self.max
    }

    /// Whether there are more threads than there must be.
    pub(crate) fn is_retirable(&self) -> bool {
        // Relaxed: a hint; `try_retire` decides.
        self.threads.load(Ordering::Relaxed) > self.min
    }

    /// Changes the counts, and what follows from them.
    fn change<R>(&self, change: impl FnOnce(&mut Places) -> R) -> R {
        let mut places = self.places.lock();
        let result = change(&mut places);
        let counts = &mut places.counts;
        counts.peak = counts.peak.max(counts.live);
        // Relaxed: the fence below.
        self.threads
            .store(counts.starting + counts.live, Ordering::Relaxed);
        drop(places);
        // Pairs with the submitter's fence, between its queueing and `may_grow`.
        fence(Ordering::SeqCst);
        #[cfg(not(cenote_loom))]
        self.changed.notify_all();
        result
    }

    /// Takes a place for a thread that is about to be started. `None`: there are `max` threads, or
    /// one of the places is not vacated yet.
    pub(crate) fn reserve(&self) -> Option<usize> {
        self.change(|places| {
            if places.counts.starting + places.counts.live >= self.max {
                return None;
            }
            let index = places.taken.iter().position(|taken| !taken)?;
            places.taken[index] = true;
            places.counts.starting += 1;
            Some(index)
        })
    }

    /// The thread of a reserved place runs.
    pub(crate) fn started(&self) {
        self.change(|places| {
            places.counts.starting -= 1;
            places.counts.live += 1;
        });
    }

    /// The thread of a reserved place could not be started, or gave up before it ran. `and_then`
    /// gets what is left, under the lock: what it does is done when others see these counts.
    pub(crate) fn failed<R>(&self, index: usize, and_then: impl FnOnce(Counts) -> R) -> R {
        self.change(|places| {
            places.counts.starting -= 1;
            places.taken[index] = false;
            and_then(places.counts)
        })
    }

    /// A thread that is idle takes itself off the count, to end. False: it is needed. The caller
    /// looks at the queues afterwards, and ends, or [stays](Self::unretire).
    pub(crate) fn try_retire(&self) -> bool {
        self.change(|places| {
            let retires = places.counts.starting + places.counts.live > self.min;
            if retires {
                places.counts.live -= 1;
                places.counts.leaving += 1;
            }
            retires
        })
    }

    /// A thread that had retired stays after all.
    pub(crate) fn unretire(&self) {
        self.change(|places| {
            places.counts.leaving -= 1;
            places.counts.live += 1;
        });
    }

    /// A thread that ran has ended, and its place is vacant. Returns what is left.
    pub(crate) fn ended(&self, index: usize, retired: bool) -> Counts {
        self.change(|places| {
            if retired {
                places.counts.leaving -= 1;
            } else {
                places.counts.live -= 1;
            }
            places.taken[index] = false;
            places.counts
        })
    }

    /// Blocks until no thread is being started.
    #[cfg(not(cenote_loom))]
    pub(crate) fn wait_until_started(&self) {
        let mut places = self.places.lock();
        while places.counts.starting > 0 {
            places = self.changed.wait(places);
        }
    }
}
