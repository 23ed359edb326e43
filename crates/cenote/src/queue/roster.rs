//! Who has nothing to do: a mailbox for each worker, and bitmaps to find the open ones.
//!
//! **The mailbox** is one word, which the worker and those who submit change by compare-and-swap:
//!
//! | value | name | who sets it | a submitter may |
//! |---|---|---|---|
//! | 0 | `BUSY` | worker | nothing: the worker looks at the queues before it waits |
//! | 1 | `ANNOUNCED` | worker | kick: the worker is about to look at the queues for the last time |
//! | 2 | `OPEN_ALL` | worker | kick, or put a task in |
//! | 3 | `OPEN_CLOSURES` | worker | the same, but for closures only: it has no place for another future |
//! | 4 | `KICKED` | submitter | nothing: somebody else sends the worker to the queues |
//! | above | a task | submitter | nothing: the worker has its task |
//!
//! So a task that finds an open worker goes to it in one step, on the cache line the worker spins on, and
//! past the queues. A worker opens only after it announced itself *and then* found the queues empty: a
//! task put in its mailbox passes none that was queued before by the same submitter.
//!
//! **The bitmaps** only say where to look. A bit of `open` may be stale; a submitter that finds a busy worker
//! behind it clears it, and looks at the mailbox once more afterwards; a worker that announces itself looks at its
//! bit afterwards. One of the two sees the other, so no waiting worker stays unseen. `parked` says who sleeps:
//! the others are asked first, then the sleepers, each from the lowest number up, so that the same few stay warm.

use std::ptr::NonNull;

use cenote_park::WaitWord;
use crossbeam_utils::CachePadded;

use crate::sync::{AtomicPtr, AtomicU64, Ordering, fence};
use crate::task::cell::{Header, Kind, TaskRef};

const BUSY: usize = 0;
const ANNOUNCED: usize = 1;
const OPEN_ALL: usize = 2;
const OPEN_CLOSURES: usize = 3;
const KICKED: usize = 4;
/// The least value that is a task. Headers are aligned to 8.
const LEAST_TASK: usize = 8;
const _: () = assert!(align_of::<Header>() >= LEAST_TASK);

const BITS: usize = 64;

fn code(value: usize) -> *mut Header {
    std::ptr::without_provenance_mut(value)
}

/// What a submitter and the worker share of it: on one cache line, so that one line travels.
pub(crate) struct Seat {
    mailbox: AtomicPtr<Header>,
    word: WaitWord,
}

struct Group {
    open: AtomicU64,
    parked: AtomicU64,
}

/// See the module.
pub(crate) struct Roster {
    seats: Box<[CachePadded<Seat>]>,
    groups: Box<[CachePadded<Group>]>,
}

/// What a worker found in its mailbox when it closed it.
pub(crate) enum Mail {
    Nothing,
    /// Somebody queued a task and sent this worker to look.
    Kick,
    Task(TaskRef),
}

impl Roster {
    pub(crate) fn new(seats: usize) -> Self {
        Roster {
            seats: (0..seats)
                .map(|_| {
                    CachePadded::new(Seat {
                        mailbox: AtomicPtr::new(code(BUSY)),
                        word: WaitWord::new(),
                    })
                })
                .collect(),
            groups: (0..seats.div_ceil(BITS))
                .map(|_| {
                    CachePadded::new(Group {
                        open: AtomicU64::new(0),
                        parked: AtomicU64::new(0),
                    })
                })
                .collect(),
        }
    }

    pub(crate) fn word(&self, worker: usize) -> &WaitWord {
        &self.seats[worker].word
    }

    // The worker's side.

    /// This worker has nothing to do. It has to look at the queues next, and then [`open`](Self::open) or
    /// [`close`](Self::close) its mailbox.
    pub(crate) fn announce(&self, worker: usize) {
        let seat = &self.seats[worker];
        // Release: whoever finds the worker waiting sees what it did before.
        seat.mailbox.store(code(ANNOUNCED), Ordering::Release);
        // Pairs with the fences in `kick` and `offer`: a submitter that pushed before its fence is seen by the look
        // at the queues that follows; one that comes later sees `ANNOUNCED`. And with the one in `clear_stale`.
        fence(Ordering::SeqCst);
        let (group, bit) = self.place(worker);
        // Relaxed: after the fence.
        if group.open.load(Ordering::Relaxed) & bit == 0 {
            group.open.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The queues were empty: tasks may be put in. False: the worker was kicked meanwhile; it closes.
    pub(crate) fn open(&self, worker: usize, locals: bool) -> bool {
        let open = if locals { OPEN_ALL } else { OPEN_CLOSURES };
        self.seats[worker]
            .mailbox
            .compare_exchange(code(ANNOUNCED), code(open), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether something came since the mailbox was opened. For the spin, and for the re-check of a park.
    pub(crate) fn has_mail(&self, worker: usize) -> bool {
        // Relaxed: `close` acquires.
        let now = self.seats[worker].mailbox.load(Ordering::Relaxed).addr();
        now != OPEN_ALL && now != OPEN_CLOSURES
    }

    /// The worker will do something again. What is in the mailbox comes out, and nothing more goes in.
    pub(crate) fn close(&self, worker: usize) -> Mail {
        // Acquire: pairs with the Release of the step that put it in. Release: for the next submitter's look.
        let mail = self.seats[worker].mailbox.swap(code(BUSY), Ordering::AcqRel);
        match mail.addr() {
            KICKED => Mail::Kick,
            LEAST_TASK.. => match NonNull::new(mail) {
                // SAFETY: `offer` put it in by `into_raw`, and this swap has taken it out.
                Some(task) => Mail::Task(unsafe { TaskRef::from_raw(task) }),
                None => Mail::Nothing,
            },
            _ => Mail::Nothing,
        }
    }

    /// The worker is about to sleep: it is asked last.
    pub(crate) fn set_parked(&self, worker: usize, parked: bool) {
        let (group, bit) = self.place(worker);
        // Relaxed: guides the search, decides nothing.
        if parked {
            group.parked.fetch_or(bit, Ordering::Relaxed);
        } else {
            group.parked.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    fn place(&self, worker: usize) -> (&Group, u64) {
        (&self.groups[worker / BITS], 1 << (worker % BITS))
    }

    // The submitter's side.

    /// Puts the task into an open mailbox. Returns whose: the caller has to wake that worker by its word's
    /// `claim`. Otherwise gives the task back.
    pub(crate) fn offer(&self, task: TaskRef) -> Result<usize, TaskRef> {
        let kind = task.header().meta.kind;
        let raw = task.into_raw();
        let taken = self.find(|seat| {
            let now = seat.mailbox.load(Ordering::Relaxed);
            let fits = match now.addr() {
                OPEN_ALL => true,
                OPEN_CLOSURES => kind == Kind::Closure,
                _ => false,
            };
            // Release: pairs with `close`, which takes the task out.
            fits && seat
                .mailbox
                .compare_exchange(now, raw.as_ptr(), Ordering::Release, Ordering::Relaxed)
                .is_ok()
        });
        // SAFETY: no mailbox took it, so it is given back here, once.
        taken.ok_or_else(|| unsafe { TaskRef::from_raw(raw) })
    }

    /// A task of `kind` was queued: sends a waiting worker to look. Returns whom: the caller has to wake that worker
    /// by its word's `claim`.
    pub(crate) fn kick(&self, kind: Kind) -> Option<usize> {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        self.find(|seat| {
            let now = seat.mailbox.load(Ordering::Relaxed);
            let fits = match now.addr() {
                // It may turn out to have no place for a future; it then kicks another (`Dispatch::next`).
                ANNOUNCED | OPEN_ALL => true,
                OPEN_CLOSURES => kind == Kind::Closure,
                _ => false,
            };
            fits && seat
                .mailbox
                .compare_exchange(now, code(KICKED), Ordering::Release, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// Sends one certain worker to look around, if it waits: for the end of the pool, and for growth.
    pub(crate) fn kick_worker(&self, worker: usize) -> bool {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        let mailbox = &self.seats[worker].mailbox;
        mailbox
            .fetch_update(Ordering::Release, Ordering::Relaxed, |now| {
                matches!(now.addr(), ANNOUNCED | OPEN_ALL | OPEN_CLOSURES).then_some(code(KICKED))
            })
            .is_ok()
    }

    /// The first waiting worker that `take` takes: those that are awake first.
    fn find(&self, mut take: impl FnMut(&Seat) -> bool) -> Option<usize> {
        for asleep in [false, true] {
            for (index, group) in self.groups.iter().enumerate() {
                // Relaxed: hints. That none is missed is argued at `clear_stale`.
                let open = group.open.load(Ordering::Relaxed);
                if open == 0 {
                    continue;
                }
                let parked = group.parked.load(Ordering::Relaxed);
                // The second time all of them: one that was asleep at the first look may not be now.
                let mut bits = if asleep { open } else { open & !parked };
                while bits != 0 {
                    let bit = bits & bits.wrapping_neg();
                    bits &= !bit;
                    let worker = index * BITS + bit.trailing_zeros() as usize;
                    let seat = &self.seats[worker];
                    if take(seat) || self.clear_stale(group, bit, seat) && take(seat) {
                        return Some(worker);
                    }
                }
            }
        }
        None
    }

    /// The worker behind a bit was not to be had. If it is busy, the bit goes. True: it is worth another try.
    fn clear_stale(&self, group: &Group, bit: u64, seat: &Seat) -> bool {
        if seat.mailbox.load(Ordering::Relaxed).addr() != BUSY {
            return false;
        }
        group.open.fetch_and(!bit, Ordering::Relaxed);
        // Pairs with the fence in `announce`: a worker that announced itself before this fence is seen by the
        // next look; one that does later sees its bit gone, and sets it.
        fence(Ordering::SeqCst);
        if seat.mailbox.load(Ordering::Relaxed).addr() == BUSY {
            return false;
        }
        group.open.fetch_or(bit, Ordering::Relaxed);
        true
    }
}
