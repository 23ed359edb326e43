//! Who has nothing to do: a mailbox for each worker, and bitmaps to find the open ones.
//!
//! **The mailbox** is one word, which the worker and those who submit change by compare-and-swap:
//!
//! | value | name | who sets it | a submitter may |
//! |---|---|---|---|
//! | 0 | `BUSY` | worker | nothing: the worker looks at the queues before it waits |
//! | 1 | `ANNOUNCED` | worker | kick: the worker is about to look at the queues for the last time |
//! | 2, 3 | `OPEN` | worker | kick, or put a task in; the worker polls the mailbox |
//! | 4, 5 | `ASLEEP` | worker | kick, then wake the worker by its word's `claim` |
//! | 6 | `KICKED` | submitter | nothing: somebody else sends the worker to the queues |
//! | above | a task | submitter | nothing: the worker has its task |
//!
//! Of `OPEN` and `ASLEEP` the first is for every task; the second is for closures only: the worker
//! has no place for another future.
//!
//! So a task that finds an open worker goes to it in one step, on the cache line the worker polls,
//! and past the queues. Not so with a worker that sleeps: nobody knows when the system will let it
//! run, and what lies in its mailbox is out of the others' reach. A task that sends for it is
//! queued, and whoever comes first takes it. A worker opens only after it announced itself *and
//! then* found the queues empty: a task put in its mailbox passes none that was queued before by
//! the same submitter. A task stays in the mailbox, as a value that nobody but the worker follows,
//! until the worker announces itself again: to take it, a load is enough.
//!
//! **The bitmaps** only say where to look. Each worker alone writes its bits. `open` is set before
//! the fence of an announcement, so no waiting worker stays unseen; it may be stale, which costs a
//! submitter a look at a closed mailbox. `parked` says who sleeps: the others are asked first, then
//! the sleepers, each from the lowest number up, so that the same few stay warm.
//!
//! Who may be left asleep although a task was queued is in [`cover`](super::cover).

use std::ptr::NonNull;

use cenote_park::WaitWord;
use crossbeam_utils::CachePadded;

use super::cover::Cover;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, fence};
use crate::task::cell::{Header, Kind, TaskRef};

const BUSY: usize = 0;
const ANNOUNCED: usize = 1;
const OPEN_ALL: usize = 2;
const OPEN_CLOSURES: usize = 3;
const ASLEEP_ALL: usize = 4;
const ASLEEP_CLOSURES: usize = 5;
const KICKED: usize = 6;
/// The least value that is a task. Headers are aligned to 8.
const LEAST_TASK: usize = 8;
const _: () = assert!(align_of::<Header>() >= LEAST_TASK);

const BITS: usize = 64;
/// In a pool of more workers than this each clears its bit of `open` with every closing of its
/// mailbox, so that a search does not go through all that are busy. With fewer, a look at their
/// mailboxes costs less than the bits.
const FEW: usize = 8;

fn code(value: usize) -> *mut Header {
    std::ptr::without_provenance_mut(value)
}

/// What a submitter and the worker share of it: on one cache line, so that one line travels.
struct Post {
    mailbox: AtomicPtr<Header>,
    word: WaitWord,
}

struct Group {
    open: AtomicU64,
    parked: AtomicU64,
}

/// See the module.
pub(crate) struct Roster {
    posts: Box<[CachePadded<Post>]>,
    groups: Box<[CachePadded<Group>]>,
    cover: Cover,
}

/// What a worker found in its mailbox.
pub(crate) enum Mail {
    Nothing,
    /// Somebody queued a task and sent this worker to look.
    Kick,
    Task(TaskRef),
}

/// A worker to which something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seat: usize,
    /// It was asleep, or about to be: it has to be woken by its word's `claim`.
    pub(crate) asleep: bool,
}

impl Roster {
    pub(crate) fn new(seats: usize) -> Self {
        Roster {
            posts: (0..seats)
                .map(|_| {
                    CachePadded::new(Post {
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
            cover: Cover::new(seats),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.posts.len()
    }

    pub(crate) fn cover(&self) -> &Cover {
        &self.cover
    }

    pub(crate) fn word(&self, seat: usize) -> &WaitWord {
        &self.posts[seat].word
    }

    // The worker's side.

    /// This worker has nothing to do. It has to look at the queues next, and then
    /// [`open`](Self::open) or [`close`](Self::close) its mailbox.
    pub(crate) fn announce(&self, seat: usize) {
        let (group, bit) = self.place(seat);
        // Relaxed: nobody else writes this bit.
        if group.open.load(Ordering::Relaxed) & bit == 0 {
            group.open.fetch_or(bit, Ordering::Relaxed);
        }
        // Release: whoever finds the worker waiting sees what it did before.
        self.posts[seat]
            .mailbox
            .store(code(ANNOUNCED), Ordering::Release);
        // Pairs with the fence in `kick`: a submitter that pushed before its fence is seen by the
        // look at the queues that follows; one that comes later sees the bit and `ANNOUNCED`.
        fence(Ordering::SeqCst);
    }

    /// The queues were empty: tasks may be put in. False: the worker was kicked meanwhile; it
    /// closes.
    pub(crate) fn open(&self, seat: usize, locals: bool) -> bool {
        let open = if locals { OPEN_ALL } else { OPEN_CLOSURES };
        self.step(seat, ANNOUNCED, open)
    }

    /// The worker gives up polling its mailbox, and is about to sleep. False: it has mail.
    pub(crate) fn fall_asleep(&self, seat: usize) -> bool {
        self.step(seat, OPEN_ALL, ASLEEP_ALL) || self.step(seat, OPEN_CLOSURES, ASLEEP_CLOSURES)
    }

    fn step(&self, seat: usize, from: usize, to: usize) -> bool {
        // Release: for the next submitter's look. Relaxed on failure: `close` acquires.
        self.posts[seat]
            .mailbox
            .compare_exchange(code(from), code(to), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether something came since the mailbox was opened. For the spin, and for the re-check of a
    /// park.
    pub(crate) fn has_mail(&self, seat: usize) -> bool {
        // Relaxed: `close` acquires.
        self.posts[seat].mailbox.load(Ordering::Relaxed).addr() >= KICKED
    }

    /// The worker will do something again: nothing more goes into the mailbox. What is in it comes
    /// out; call it once for each announcement.
    pub(crate) fn close(&self, seat: usize) -> Mail {
        let mailbox = &self.posts[seat].mailbox;
        // Acquire: pairs with the Release of the step that put it in.
        let mut mail = mailbox.load(Ordering::Acquire);
        if mail.addr() < KICKED {
            mail = mailbox.swap(code(BUSY), Ordering::AcqRel);
        }
        if self.posts.len() > FEW {
            self.hide(seat);
        }
        match mail.addr() {
            KICKED => Mail::Kick,
            LEAST_TASK.. => match NonNull::new(mail) {
                // SAFETY: `offer` put it in by `into_raw`. The mailbox was opened once since the
                // last announcement, and only this worker takes mail, once for each; what stays in
                // the mailbox is followed by nobody.
                Some(task) => Mail::Task(unsafe { TaskRef::from_raw(task) }),
                None => Mail::Nothing,
            },
            _ => Mail::Nothing,
        }
    }

    /// The worker is about to sleep: it is asked last.
    pub(crate) fn set_parked(&self, seat: usize, parked: bool) {
        let (group, bit) = self.place(seat);
        // Relaxed: guides the search, decides nothing.
        if parked {
            group.parked.fetch_or(bit, Ordering::Relaxed);
        } else {
            group.parked.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The worker finds task after task in the queues: submitters need not look at its mailbox,
    /// until it announces itself.
    pub(crate) fn hide(&self, seat: usize) {
        let (group, bit) = self.place(seat);
        group.open.fetch_and(!bit, Ordering::Relaxed);
    }

    fn place(&self, seat: usize) -> (&Group, u64) {
        (&self.groups[seat / BITS], 1 << (seat % BITS))
    }

    // The submitter's side.

    /// Puts the task into the mailbox of a worker that polls it, and says whose. Otherwise gives
    /// the task back.
    pub(crate) fn offer(&self, task: TaskRef) -> Result<Sent, TaskRef> {
        let kind = task.header().meta.kind;
        let raw = task.into_raw();
        let taken = self.find(Asleep::Skip, |post| Self::put(post, raw.as_ptr(), kind));
        // SAFETY: no mailbox took it, so it is given back here, once.
        taken.ok_or_else(|| unsafe { TaskRef::from_raw(raw) })
    }

    /// A task of `kind` was queued: sends a waiting worker to look, and says whom. `may_cover`:
    /// sleepers are left alone if deputies and a sentinel will do.
    pub(crate) fn kick(&self, kind: Kind, may_cover: bool) -> Option<Sent> {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        // It may turn out to have no place for a future; it then kicks another
        // (`Dispatch::pass_on`).
        let kick = |post: &Post| Self::kick_at(post, kind);
        self.find(Asleep::Skip, kick).or_else(|| {
            if may_cover && self.cover.is_covered() {
                return None;
            }
            self.find(Asleep::Ask, kick)
        })
    }

    /// So many tasks of `kind` were queued: sends as many waiting workers to look, calls `sent`
    /// with each, and returns how many. Of those asleep, no more than `sleepers` if deputies and a
    /// sentinel will do for the other tasks.
    pub(crate) fn kick_many(
        &self,
        kind: Kind,
        tasks: usize,
        sleepers: usize,
        mut sent: impl FnMut(Sent),
    ) -> usize {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        let mut left = tasks;
        let mut kicked = 0;
        for ask_all in [false, true] {
            if ask_all && sleepers < left && self.cover.is_covered() {
                left = sleepers;
            }
            for (index, group) in self.groups.iter().enumerate() {
                // Relaxed: as in `find`.
                let open = group.open.load(Ordering::Relaxed);
                let mut bits = if ask_all || open == 0 {
                    open
                } else {
                    open & !group.parked.load(Ordering::Relaxed)
                };
                while bits != 0 && left > 0 {
                    let seat = index * BITS + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let post = &self.posts[seat];
                    if let Some(asleep) = Self::kick_at(post, kind) {
                        sent(Sent { seat, asleep });
                        left -= 1;
                        kicked += 1;
                    }
                }
            }
        }
        kicked
    }

    /// Puts a task into a mailbox, if its worker polls it and has a place for one of that kind.
    fn put(post: &Post, task: *mut Header, kind: Kind) -> Option<bool> {
        // Most often it is open: without a look before, which would fetch the cache line twice.
        let mut from = OPEN_ALL;
        loop {
            // Release: pairs with `close`, which takes the mail.
            match post.mailbox.compare_exchange(
                code(from),
                task,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(false),
                Err(now) => from = now.addr(),
            }
            let fits = from == OPEN_ALL || from == OPEN_CLOSURES && kind == Kind::Closure;
            if !fits {
                return None;
            }
        }
    }

    /// Sends a worker to look, if it waits and may have a place for a task of that kind. Says
    /// whether it sleeps.
    fn kick_at(post: &Post, kind: Kind) -> Option<bool> {
        // Most often somebody else's kick was there before: a look leaves the cache line with all
        // who look. Relaxed: after the fence in `kick`.
        let mut from = post.mailbox.load(Ordering::Relaxed).addr();
        loop {
            let fits = match from {
                ANNOUNCED | OPEN_ALL | ASLEEP_ALL => true,
                OPEN_CLOSURES | ASLEEP_CLOSURES => kind == Kind::Closure,
                _ => false,
            };
            if !fits {
                return None;
            }
            // Release: pairs with `close`, which takes the mail.
            match post.mailbox.compare_exchange(
                code(from),
                code(KICKED),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(from >= ASLEEP_ALL),
                Err(now) => from = now.addr(),
            }
        }
    }

    /// Sends one certain worker to look around, if it waits: for the end of the pool.
    pub(crate) fn kick_worker(&self, seat: usize) -> Option<Sent> {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        let asleep = Self::kick_at(&self.posts[seat], Kind::Closure)?;
        Some(Sent { seat, asleep })
    }

    /// The first waiting worker that `send` succeeds with, which says whether it sleeps.
    fn find(&self, asleep: Asleep, send: impl Fn(&Post) -> Option<bool>) -> Option<Sent> {
        for (index, group) in self.groups.iter().enumerate() {
            // Relaxed: for `kick`, after a fence. For `offer` a miss costs no more than the way
            // through the queue.
            let open = group.open.load(Ordering::Relaxed);
            if open == 0 {
                continue;
            }
            let mut bits = match asleep {
                Asleep::Skip => open & !group.parked.load(Ordering::Relaxed),
                // All of them: one that was asleep at the first look may not be now.
                Asleep::Ask => open,
            };
            while bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let seat = index * BITS + bit;
                if let Some(asleep) = send(&self.posts[seat]) {
                    return Some(Sent { seat, asleep });
                }
            }
        }
        None
    }
}

/// Which workers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asleep {
    Skip,
    Ask,
}
