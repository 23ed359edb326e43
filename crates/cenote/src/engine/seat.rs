//! What the engine knows of one worker beside its mailbox: whether it is there, what it is busy
//! with, and how to wake it.
//!
//! A seat outlives the threads that take it one after another.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use cenote_park::{Claim, WaitWord};

use super::Engine;
use crate::clock::Stamp;
use crate::sync::Mutex;
use crate::task::boundary;

/// See the module.
pub(crate) struct Seat {
    /// When the last wake call was made, in ticks.
    rung_at: AtomicU64,
    /// Wakes the worker where it waits in its driver, while it has one.
    ring: Mutex<Option<Waker>>,
    /// A thread has the seat.
    pub(crate) is_taken: AtomicBool,
    /// When the closure that runs began, in ticks; 0 between closures.
    pub(crate) busy_since: AtomicU64,
    /// Since when the worker has had no place for another future, in ticks; 0 while it has one.
    pub(crate) full_since: AtomicU64,
    /// Tasks on the worker that wait for the end of the pool: they do not count as left.
    pub(crate) closers: AtomicUsize,
    /// Counted among the workers that have nothing left but those.
    pub(crate) is_drained: AtomicBool,
}

impl Seat {
    pub(crate) fn new() -> Self {
        Seat {
            rung_at: AtomicU64::new(0),
            ring: Mutex::new(None),
            is_taken: AtomicBool::new(false),
            busy_since: AtomicU64::new(0),
            full_since: AtomicU64::new(0),
            closers: AtomicUsize::new(0),
            is_drained: AtomicBool::new(false),
        }
    }

    /// Makes the wake call that a claim of the worker's word asks for.
    pub(crate) fn wake(&self, word: &WaitWord, claim: Claim) {
        if claim == Claim::Awake {
            return;
        }
        // Relaxed: a figure. The wake call orders it before the worker's look.
        self.rung_at
            .store(Stamp::now().to_bits(), Ordering::Relaxed);
        if claim == Claim::Futex {
            word.wake_futex();
        } else {
            self.ring_now();
        }
    }

    /// Makes the worker's wait in its driver end.
    pub(crate) fn ring_now(&self) {
        // Woken without the lock: the waker may run its runtime's code.
        let ring = self.ring.lock().clone();
        if let Some(ring) = ring {
            boundary::wake(ring);
        }
    }

    pub(crate) fn rung_at(&self) -> Stamp {
        Stamp::from_bits(self.rung_at.load(Ordering::Relaxed))
    }

    /// The same, once for each wake call.
    pub(crate) fn take_rung_at(&self) -> Stamp {
        let rung_at = self.rung_at();
        if !rung_at.is_none() {
            self.rung_at.store(Stamp::NONE.to_bits(), Ordering::Relaxed);
        }
        rung_at
    }

    pub(crate) fn set_ring(&self, ring: Option<Waker>) {
        let before = std::mem::replace(&mut *self.ring.lock(), ring);
        drop(before);
    }
}

/// The wait word of a seat, which lies in the engine's roster. It keeps what holds the engine.
pub(crate) struct SeatWord<P> {
    pool: P,
    seat: usize,
}

impl<P> SeatWord<P> {
    pub(crate) fn new(pool: P, seat: usize) -> Self {
        SeatWord { pool, seat }
    }
}

impl<P> Deref for SeatWord<P>
where
    P: Deref,
    P::Target: AsRef<Engine>,
{
    type Target = WaitWord;

    fn deref(&self) -> &WaitWord {
        let engine: &Engine = (*self.pool).as_ref();
        engine.dispatch.roster().word(self.seat)
    }
}
