//! The wait word: what a waiter and everybody who may wake it share.
//!
//! Two 32-bit words. `epoch` counts publications: it moves when there is something new to look at.
//! `state` says what its owner is doing, so that a waker makes the cheapest call that suffices:
//!
//! | value | name | written by | a waker then |
//! |---|---|---|---|
//! | 0 | [`RUNNING`] | owner | does nothing: the owner looks at the epoch before it sleeps |
//! | 1 | [`SPINNING`] | owner | does nothing: the owner is polling the epoch |
//! | 2 | [`PARKED_FUTEX`] | owner | claims it, then wakes the futex |
//! | 3 | [`PARKED_DRIVER`] | owner | claims it, then rings the owner's event loop |
//! | 4 | [`NOTIFIED`] | waker | does nothing: another waker has claimed this sleep |
//!
//! Only the owner enters and leaves a parked state; wakers only ever turn a parked state into
//! [`NOTIFIED`]. So a sleep is claimed at most once, and whoever claims it makes the one wake call.
//!
//! The layout is fixed (`repr(C)`, epoch first), because the word may lie in a `SharedArrayBuffer`
//! whose other users are JavaScript's `Atomics` on an `Int32Array`.

use crate::futex;
use crate::sync::{AtomicU32, Ordering, fence};

/// The owner runs. It looks at the epoch again before it sleeps.
pub const RUNNING: u32 = 0;
/// The owner polls the epoch. To a waker this is the same as [`RUNNING`].
pub const SPINNING: u32 = 1;
/// The owner sleeps, or is about to, on the futex.
pub const PARKED_FUTEX: u32 = 2;
/// The owner sleeps, or is about to, in its own event loop.
pub const PARKED_DRIVER: u32 = 3;
/// A waker has claimed the sleep and makes the wake call; the owner has not run yet.
pub const NOTIFIED: u32 = 4;

/// Where the epoch lies, in 32-bit words from the start.
pub const EPOCH_INDEX: usize = 0;
/// Where the state lies, in 32-bit words from the start.
pub const STATE_INDEX: usize = 1;

/// The word one waiter owns and its wakers share. 8 bytes, aligned to 4.
///
/// It is owned by one [`Waiter`](crate::Waiter) at a time. Any thread may
/// [`publish`](Self::publish).
///
/// # Examples
///
/// ```
/// use cenote_park::{Claim, RUNNING, WaitWord};
///
/// let word = WaitWord::new();
/// assert_eq!(word.state(), RUNNING);
/// assert_eq!(word.publish(), Claim::Awake); // nobody sleeps: no wake call
/// assert_eq!(word.epoch(), 1);
/// ```
#[repr(C)]
pub struct WaitWord {
    epoch: AtomicU32,
    state: AtomicU32,
}

// The layout JavaScript relies on.
#[cfg(not(cenote_loom))]
const _: () = {
    assert!(size_of::<WaitWord>() == 8 && align_of::<WaitWord>() == 4);
    assert!(std::mem::offset_of!(WaitWord, epoch) == EPOCH_INDEX * 4);
    assert!(std::mem::offset_of!(WaitWord, state) == STATE_INDEX * 4);
};

/// What a waker has to do after it published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a claimed sleeper is woken by nobody else"]
pub enum Claim {
    /// Nothing: the waiter is awake, or another waker has claimed this sleep.
    Awake,
    /// Call [`WaitWord::wake_futex`].
    Futex,
    /// Call the waiter's [`Driver::ring`](crate::Driver::ring).
    Driver,
}

impl WaitWord {
    /// A word whose owner runs and that nothing was published to.
    #[cfg(not(cenote_loom))]
    pub const fn new() -> Self {
        WaitWord {
            epoch: AtomicU32::new(0),
            state: AtomicU32::new(RUNNING),
        }
    }

    /// A word whose owner runs and that nothing was published to.
    #[cfg(cenote_loom)]
    pub fn new() -> Self {
        WaitWord {
            epoch: AtomicU32::new(0),
            state: AtomicU32::new(RUNNING),
        }
    }

    /// The word that lies at `ptr`, for instance in a `SharedArrayBuffer`. Zeroed memory is a fresh
    /// word.
    ///
    /// # Safety
    ///
    /// - `ptr` is aligned to 4, and 8 bytes from there are valid for reads and writes for all of
    ///   `'a`.
    /// - For all of `'a` they are accessed only by atomic operations of 32 bits (`Atomics` in
    ///   JavaScript; a plain `array[0] = 1` there would be a data race).
    #[cfg(not(cenote_loom))]
    pub unsafe fn from_ptr<'a>(ptr: *const u32) -> &'a Self {
        debug_assert!(ptr.is_aligned());
        // SAFETY: `WaitWord` is `repr(C)` of two `AtomicU32`, each of the size and, given the
        // caller's word, alignment of the memory; every bit pattern is valid for them. The caller
        // vouches for validity and for atomic access only, during `'a`; interior mutability allows
        // the writes.
        unsafe { &*ptr.cast::<WaitWord>() }
    }

    /// Says that there is something new, and claims the waiter if it sleeps.
    ///
    /// Call it *after* the work can be seen by the waiter. What was written before is visible to
    /// the waiter once its [`take`](crate::Waiter::take) returned true.
    pub fn publish(&self) -> Claim {
        // Release: pairs with the Acquire load in `Waiter::take`, which makes the work visible.
        self.epoch.fetch_add(1, Ordering::Release);
        self.claim()
    }

    /// Claims the waiter if it sleeps, without moving the epoch: for work in a place of the
    /// waiter's own, which its `recheck` looks at. Exactly one call wins each sleep.
    ///
    /// Call it *after* that work can be seen.
    pub fn claim(&self) -> Claim {
        // Pairs with the fence in `Waiter::publish_parked`. Between "published, then read the
        // state" and "parked, then re-checked" at least one side sees the other; without either
        // fence both could miss (store buffering), and the waiter would sleep on work.
        fence(Ordering::SeqCst);
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let claim = match state {
                PARKED_FUTEX => Claim::Futex,
                PARKED_DRIVER => Claim::Driver,
                _ => return Claim::Awake,
            };
            // Relaxed: the fence above has released what was written before it. It pairs with the
            // Acquire swap in `Waiter::retake_state`, so that a waiter that finds itself claimed
            // also sees what it was claimed for. A failure reads the value anew.
            match self.state.compare_exchange_weak(
                state,
                NOTIFIED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return claim,
                Err(now) => state = now,
            }
        }
    }

    /// The call a [`Claim::Futex`] asks for. Harmless at any other time.
    pub fn wake_futex(&self) {
        futex::wake(&self.state);
    }

    /// How often something was published, modulo 2³².
    ///
    /// A waiter notices that the epoch moved, so 2³² publications between two of its looks would go
    /// unseen. A bounded queue in front of it rules that out.
    pub fn epoch(&self) -> u32 {
        // Acquire: whoever sees the number also sees the work it counts.
        self.epoch.load(Ordering::Acquire)
    }

    /// What the owner is doing, as one of the constants. Only good for looking: it may be over when
    /// this returns.
    pub fn state(&self) -> u32 {
        self.state.load(Ordering::Relaxed)
    }

    /// The owner's side of the state. Only the owner's `Waiter` may write to it.
    pub(crate) fn raw_state(&self) -> &AtomicU32 {
        &self.state
    }
}

impl Default for WaitWord {
    fn default() -> Self {
        WaitWord::new()
    }
}

impl std::fmt::Debug for WaitWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitWord")
            .field("epoch", &self.epoch())
            .field("state", &format_args!("{}", name_of(self.state())))
            .finish()
    }
}

fn name_of(state: u32) -> &'static str {
    match state {
        RUNNING => "RUNNING",
        SPINNING => "SPINNING",
        PARKED_FUTEX => "PARKED_FUTEX",
        PARKED_DRIVER => "PARKED_DRIVER",
        NOTIFIED => "NOTIFIED",
        _ => "unknown",
    }
}
