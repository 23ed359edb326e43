//! The state word of a task: its phase, who is interested, and how many references there are.
//!
//! ```text
//!  63        9     8     7       5   4       3       2      1 0
//! +-----------+---------+---------+-------+-------+------+-------+
//! | references| GUARDED | outcome | ABORT | WAKER | JOIN | phase |
//! +-----------+---------+---------+-------+-------+------+-------+
//! ```
//!
//! `outcome` is that of a task that was settled before it started, for whoever finds it in the
//! queue later. There are eight outcomes, so their numbers fit into the three bits. 0 is
//! `Completed`, which a task that never started cannot be, so it stands for none.
//!
//! Phases only ever move forward: `QUEUED` → `RUNNING` → `SETTLING` → `DONE`; `SETTLING`, or both
//! of the middle two, may be skipped. Each step is one compare-and-swap, so of several that want to
//! take it (the worker that starts the task, an abort, a deadline) one succeeds:
//!
//! - to `RUNNING`: whoever succeeds owns the work, and runs it;
//! - to `SETTLING`: whoever succeeds owns the place of the result, and writes to it;
//! - to `DONE`: releases the result to whoever has the handle.
//!
//! A task whose handle is gone, and that nobody else refers to, is the worker's alone from when it
//! leaves its queue: nobody could see a step, so it is started by a plain store, and freed without
//! one.
//!
//! Who owns what: the *work* belongs to whoever moved it to `RUNNING`. That of a task that was
//! settled before it started belongs to whoever has the queue's reference, who drops it; its
//! outcome is in the word, and it has no result. The *result* belongs to the settler
//! until `DONE`, then to the handle while `JOIN` is set, or else still to the settler, who drops
//! it. The *waker* belongs to the handle while `WAKER` is clear and the task is not done, else to
//! the settler.

use std::fmt;

use super::outcome::Outcome;
use crate::sync::{AtomicUsize, Ordering};

const PHASE: usize = 0b11;
const QUEUED: usize = 0;
const RUNNING: usize = 1;
const SETTLING: usize = 2;
const DONE: usize = 3;
/// The handle exists and will take the result.
const JOIN: usize = 1 << 2;
/// The handle has left a waker for the settler.
const WAKER: usize = 1 << 3;
/// Somebody asked the running task to stop.
const ABORT: usize = 1 << 4;
/// Where the outcome of an unstarted task lies.
const OUTCOME_SHIFT: u32 = 5;
const OUTCOME: usize = 0b111 << OUTCOME_SHIFT;
const _: () = assert!((Outcome::ALL.len() - 1) << OUTCOME_SHIFT == OUTCOME);
const _: () = assert!(Outcome::Completed as usize == 0);
/// There is something to look at before the task starts.
const GUARDED: usize = 1 << 8;
/// One reference.
const REF: usize = 1 << 9;
/// What most tasks are when they start, and when they end: compared with first, without a look
/// before, which would fetch the cache line twice.
const FRESH: usize = QUEUED | JOIN | (2 * REF);
const FRESH_RUNNING: usize = RUNNING | JOIN | (2 * REF);
/// The same of a task whose handle was dropped: there is one reference, the queue's.
const SOLE: usize = QUEUED | REF;
const SOLE_RUNNING: usize = RUNNING | REF;

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Running,
    Settling,
    Done,
}

/// A value of the word.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot(usize);

impl Snapshot {
    pub(crate) fn phase(self) -> Phase {
        match self.0 & PHASE {
            QUEUED => Phase::Queued,
            RUNNING => Phase::Running,
            SETTLING => Phase::Settling,
            _ => Phase::Done,
        }
    }

    pub(crate) fn is_done(self) -> bool {
        self.0 & PHASE == DONE
    }

    pub(crate) fn is_joined(self) -> bool {
        self.0 & JOIN != 0
    }

    pub(crate) fn has_waker(self) -> bool {
        self.0 & WAKER != 0
    }

    pub(crate) fn is_aborted(self) -> bool {
        self.0 & ABORT != 0
    }

    /// How a task ended that never started: what [`State::settle_queued`] was given. `None`: it was
    /// not settled by that.
    pub(crate) fn unstarted(self) -> Option<Outcome> {
        let number = (self.0 & OUTCOME) >> OUTCOME_SHIFT;
        (number != 0).then(|| Outcome::ALL[number])
    }

    pub(crate) fn references(self) -> usize {
        self.0 / REF
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("phase", &self.phase())
            .field("joined", &self.is_joined())
            .field("waker", &self.has_waker())
            .field("abort", &self.is_aborted())
            .field("references", &self.references())
            .finish()
    }
}

/// What [`State::finish`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Done, and the worker's reference is given up: the task must not be touched any more.
    Released,
    /// Done; the worker still has its reference, and the handle's waker to wake if there is one.
    Wake(bool),
    /// Done; nobody wants the result: the settler drops it, and still has its reference.
    Unwanted,
    /// The settler has the only reference: nobody would see a step, so there was none. The result
    /// is the settler's.
    Sole,
}

/// What [`State::leave`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The settler drops the result. The handle's reference is given up: the task must not be
    /// touched any more.
    Released,
    /// The same, but the handle has the last reference, and still has it.
    Last,
    /// Done already: the result is the handle's, which still has its reference.
    Done,
}

/// The word itself.
pub(crate) struct State(AtomicUsize);

impl State {
    /// Queued, wanted by a handle, with two references: the handle's and the queue's. `guarded`:
    /// [`try_start`](Self::try_start) fails, so that whoever takes it looks at what guards it
    /// first.
    pub(crate) fn new(guarded: bool) -> Self {
        State(AtomicUsize::new(if guarded {
            FRESH | GUARDED
        } else {
            FRESH
        }))
    }

    /// There is something to look at before it starts. Never changes.
    pub(crate) fn is_guarded(&self) -> bool {
        self.0.load(Ordering::Relaxed) & GUARDED != 0
    }

    /// Acquires: whoever sees `DONE` also sees the result.
    pub(crate) fn load(&self) -> Snapshot {
        // Pairs with the releases in `finish` and `done`.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// [`start`](Self::start) for a task that is just as it was made, or has lost its handle since,
    /// and is not guarded. For whoever took it out of its queue. `sole`: it is likely to have lost
    /// it. `Some`: started; true if the caller's is the only reference. `None` says nothing.
    #[inline]
    pub(crate) fn try_start(&self, sole: bool) -> Option<bool> {
        // Acquire: pairs with the release in `leave` and `drop_reference`.
        if sole && self.0.load(Ordering::Acquire) == SOLE {
            return Some(self.start_sole());
        }
        // As in `step`. Acquire on failure: as above.
        match self
            .0
            .compare_exchange(FRESH, FRESH_RUNNING, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Some(false),
            Err(SOLE) => Some(self.start_sole()),
            Err(_) => None,
        }
    }

    /// Nobody else has a reference, nor a place to get one from: a store will do.
    #[inline]
    fn start_sole(&self) -> bool {
        self.0.store(SOLE_RUNNING, Ordering::Relaxed);
        true
    }

    /// Whether the caller's is the only reference; then everybody else's uses came before.
    #[inline]
    pub(crate) fn is_sole(&self) -> bool {
        // Acquire: pairs with the release in `leave` and `drop_reference`.
        self.0.load(Ordering::Acquire) / REF == 1
    }

    /// `QUEUED` → `RUNNING`. True: the caller owns the work. False: it was settled meanwhile.
    pub(crate) fn start(&self) -> bool {
        self.step(|phase| (phase == QUEUED).then_some(RUNNING))
            .is_some()
    }

    /// `QUEUED` → `DONE`, with the outcome, which is not `Completed`, of a task that will never
    /// run. `None`: it has started, or was settled. Else what the word was before: with a waker in
    /// it, that is the caller's now.
    pub(crate) fn settle_queued(&self, outcome: Outcome) -> Option<Snapshot> {
        debug_assert_ne!(outcome, Outcome::Completed);
        let outcome = (outcome as usize) << OUTCOME_SHIFT;
        self.step(|phase| (phase == QUEUED).then_some(DONE | outcome))
    }

    /// `RUNNING` → `SETTLING`. True: the caller owns the result.
    pub(crate) fn settle_running(&self) -> bool {
        self.step(|phase| (phase == RUNNING).then_some(SETTLING))
            .is_some()
    }

    fn step(&self, next: impl Fn(usize) -> Option<usize>) -> Option<Snapshot> {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let phase = next(now & PHASE)?;
            // AcqRel: acquires what was written before the task was queued (the queue does so too,
            // but an abort comes past it), and releases nothing more than the claim itself.
            match self.0.compare_exchange_weak(
                now,
                now & !PHASE | phase,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(before) => return Some(Snapshot(before)),
                Err(changed) => now = changed,
            }
        }
    }

    /// To `DONE` by the worker, which has written the result and owns it. In the usual case, a
    /// handle that has not begun to wait, this is the one step that also gives up the worker's
    /// reference.
    pub(crate) fn finish(&self) -> Finish {
        let mut now = FRESH_RUNNING;
        loop {
            if now / REF == 1 {
                debug_assert_eq!(now & JOIN, 0, "a handle has a reference");
                return Finish::Sole;
            }
            let release = now & (JOIN | WAKER) == JOIN;
            let mut next = now & !PHASE | DONE;
            if release {
                next -= REF;
            }
            // Release: the result is written before; pairs with `load`. Acquire: the waker was
            // written before its flag was set (`offer_waker`); on failure as in `is_sole`.
            match self
                .0
                .compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) if release => return Finish::Released,
                Ok(before) if before & JOIN == 0 => return Finish::Unwanted,
                Ok(before) => return Finish::Wake(before & WAKER != 0),
                Err(changed) => now = changed,
            }
        }
    }

    /// The handle has written its waker, and now gives it to the settler. False: done already; the
    /// waker is still the handle's.
    pub(crate) fn offer_waker(&self) -> bool {
        // Release: pairs with the Acquire in `finish`, which makes the waker visible.
        self.flag(|now| now | WAKER, Ordering::AcqRel)
    }

    /// The handle takes its waker back, to replace it. False: done already; the settler has it.
    pub(crate) fn withdraw_waker(&self) -> bool {
        self.flag(|now| now & !WAKER, Ordering::AcqRel)
    }

    /// The handle is dropped. Before the task is done, this is the one step that also gives up the
    /// handle's reference.
    pub(crate) fn leave(&self) -> Leave {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now & PHASE == DONE {
                return Leave::Done;
            }
            if now / REF == 1 {
                return Leave::Last;
            }
            // Release: this owner's uses come before the free; pairs with `is_sole`, `finish` and
            // `drop_reference`.
            match self.0.compare_exchange_weak(
                now,
                (now & !JOIN) - REF,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Leave::Released,
                Err(changed) => now = changed,
            }
        }
    }

    fn flag(&self, change: impl Fn(usize) -> usize, success: Ordering) -> bool {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now & PHASE == DONE {
                return false;
            }
            match self
                .0
                .compare_exchange_weak(now, change(now), success, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(changed) => now = changed,
            }
        }
    }

    /// Asks a running task to stop. Returns what it found.
    pub(crate) fn ask_abort(&self) -> Snapshot {
        // AcqRel: whoever finds the flag set also sees what the asker did before.
        Snapshot(self.0.fetch_or(ABORT, Ordering::AcqRel))
    }

    pub(crate) fn add_reference(&self) {
        // Relaxed: whoever adds one holds one, so the count cannot reach zero meanwhile.
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        debug_assert!(before / REF > 0, "a reference was made from none");
    }

    /// True: that was the last one; the caller frees the task.
    pub(crate) fn drop_reference(&self) -> bool {
        // Acquire: if this is the only reference, everybody else's uses came before. It saves the
        // read-modify-write, and with it the wait for the cache line.
        if self.0.load(Ordering::Acquire) / REF == 1 {
            return true;
        }
        // AcqRel: releases this owner's uses to whoever drops the last one, and acquires theirs.
        let before = self.0.fetch_sub(REF, Ordering::AcqRel);
        debug_assert!(before / REF > 0, "a reference was dropped twice");
        before / REF == 1
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}
