//! Who may spin: the rule that holds for the whole process.
//!
//! A participant is a thread that waits by this crate's protocol. The count is of those that are
//! **not parked**, whether they run or spin. While it is at most the number of CPUs, every one of
//! them has a CPU, and spinning takes nothing from anybody. Once it is larger, spinners must stop
//! until it is not: [`Participants::yield_slot`] lets exactly as many stop as there are too many.
//!
//! All accesses are relaxed: the count guides, it guards no memory. What has to be exact is its
//! sum, and that read-modify-write operations give in any order.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicUsize, Ordering};

/// The number of CPUs this process may use: affinity and cgroup quota count. Asked once, then kept.
///
/// # Examples
///
/// ```
/// assert!(cenote_park::cpus() >= 1);
/// ```
#[cfg(not(cenote_loom))]
pub fn cpus() -> usize {
    static CPUS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CPUS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The number of CPUs of the model.
#[cfg(cenote_loom)]
pub fn cpus() -> usize {
    2
}

/// How many threads that could wait are not parked, and how many may be so at a time.
///
/// A process has one, [`Participants::global`]. Tests and models make their own.
#[derive(Debug)]
pub struct Participants {
    /// Every participant writes to it: on a cache line of its own, so that nothing else suffers.
    not_parked: CachePadded<AtomicUsize>,
    cpus: usize,
}

/// How many participants may be awake while one of them spins: the CPUs; under a quota, which makes
/// them fewer than there are, one more. Of two threads that answer each other one runs while the
/// other spins, and that uses less of the quota than a sleep and a wake for each answer do.
#[cfg(not(cenote_loom))]
fn spinning_cpus() -> usize {
    let cpus = cpus();
    affinity().map_or(cpus, |affinity| affinity.min(cpus + 1))
}

/// How many CPUs this thread may run on, whatever the quota. `None`: the system does not say.
#[cfg(all(target_os = "linux", not(cenote_loom)))]
fn affinity() -> Option<usize> {
    // SAFETY: it is a set of bits, and none of them is set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` has the size that the call is told; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    if result != 0 {
        return None;
    }
    // SAFETY: it counts the bits of a reference.
    usize::try_from(unsafe { libc::CPU_COUNT(&set) }).ok()
}

/// See above.
#[cfg(not(any(target_os = "linux", cenote_loom)))]
fn affinity() -> Option<usize> {
    None
}

#[cfg(not(cenote_loom))]
static GLOBAL: std::sync::LazyLock<Participants> =
    std::sync::LazyLock::new(|| Participants::new(spinning_cpus()));

#[cfg(cenote_loom)]
loom::lazy_static! {
    static ref GLOBAL: Participants = Participants::new(cpus());
}

impl Participants {
    /// No participants, on `cpus` CPUs.
    pub fn new(cpus: usize) -> Self {
        Participants {
            not_parked: CachePadded::new(AtomicUsize::new(0)),
            cpus,
        }
    }

    /// The process's own.
    pub fn global() -> &'static Participants {
        &GLOBAL
    }

    /// How many participants are not parked.
    pub fn not_parked(&self) -> usize {
        self.not_parked.load(Ordering::Relaxed)
    }

    /// Whether a participant that is itself counted may spin.
    pub fn may_spin(&self) -> bool {
        self.cpus > 1 && !self.is_crowded()
    }

    /// Whether more participants are awake than there are CPUs.
    pub(crate) fn is_crowded(&self) -> bool {
        self.not_parked() > self.cpus
    }

    /// One more is not parked: a participant joined, or woke.
    pub fn enter(&self) {
        self.not_parked.fetch_add(1, Ordering::Relaxed);
    }

    /// One fewer is not parked: a participant parked, or left.
    pub fn leave(&self) {
        let before = self.not_parked.fetch_sub(1, Ordering::Relaxed);
        debug_assert_ne!(before, 0, "a participant left that had not entered");
    }

    /// Leaves, but only while there are too many. True means that the caller no longer counts, and
    /// has to park (or `enter` again). Of several spinners just as many succeed as must stop.
    pub fn yield_slot(&self) -> bool {
        self.not_parked
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n > self.cpus).then(|| n - 1)
            })
            .is_ok()
    }
}
