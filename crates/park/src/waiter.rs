//! The waiter: the single owner of a wait word, and its way through the stages. This is its side of
//! the protocol that the proof in the crate's README is about; the waker's side is `word.rs`. How
//! long to spin, and what is counted, is the other half: `learning.rs`.
//!
//! A host calls, in this order and as often as it likes: [`take`](Waiter::take) and run what there
//! is; [`spin`](Waiter::spin); then one of the two ways to sleep. On a thread of its own that is
//! [`park_futex`](Waiter::park_futex), which is a whole sleep. Inside an event loop it is
//! [`park_driver`](Waiter::park_driver) before the loop waits and [`unpark`](Waiter::unpark) after.
//!
//! Guaranteed: what was published before a waiter slept, or while it sleeps, wakes it. Also: a
//! waiter counts exactly once among the [`Participants`] while it is neither parked nor has yielded
//! its slot, and not at all otherwise.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::futex::{self, Wait};
use crate::learning::{Learning, Session};
use crate::participants::Participants;
use crate::poll::{End, Poller};
use crate::spin::{Spin, SpinRequest};
use crate::stats::StageStats;
use crate::sync::{Ordering, fence};
use crate::word::{NOTIFIED, PARKED_DRIVER, PARKED_FUTEX, RUNNING, SPINNING, WaitWord};

/// The owner of a [`WaitWord`], which waits on it.
///
/// `W` is how the word is held: `Arc<WaitWord>`, `&'static WaitWord`, or anything else that derefs
/// to the same word every time. A word has one waiter at a time; a second one would break its
/// promises (though no memory). The waiter may move between threads, but only one uses it at a
/// time.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use cenote_park::{Spin, SpinRequest, WaitWord, Waiter};
///
/// let word = Arc::new(WaitWord::new());
/// let mut waiter = Waiter::new(Arc::clone(&word), Duration::from_micros(20));
///
/// let _nobody_sleeps = word.publish();
/// if waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {
///     waiter.park_futex(None, || false);
/// }
/// assert!(waiter.take());
/// assert!(!waiter.take());
/// ```
#[derive(Debug)]
pub struct Waiter<W: Deref<Target = WaitWord>> {
    word: W,
    /// The epoch of the last `take`.
    seen: u32,
    /// A parked state is published: from `publish_parked` to `unpark`.
    parked: bool,
    /// Counts among the participants that are not parked.
    counted: bool,
    participants: &'static Participants,
    poller: Poller,
    learning: Learning,
}

/// What [`Waiter::unpark`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpark {
    /// The waiter had been parked. False where the re-check found work, or there was no park.
    pub parked: bool,
    /// A waker had claimed the sleep. Its wake call may still be on its way.
    pub claimed: bool,
}

impl<W: Deref<Target = WaitWord>> Waiter<W> {
    /// Takes possession of `word`, and joins the process's participants as a running one.
    ///
    /// `max_spin` bounds each spin; zero never spins; more than 1 s counts as 1 s. It is the
    /// longest time that the wait itself keeps anything else on this thread from running, and what
    /// an idle waiter burns at most before it sleeps.
    ///
    /// A word that was published to before it had a waiter has work: `take` returns true at first.
    pub fn new(word: W, max_spin: Duration) -> Self {
        Waiter::with_participants(word, max_spin, Participants::global())
    }

    /// Like [`new`](Self::new), with a count of participants of its own.
    pub fn with_participants(
        word: W,
        max_spin: Duration,
        participants: &'static Participants,
    ) -> Self {
        // A word used before may have been left in any state.
        word.raw_state().store(RUNNING, Ordering::Relaxed);
        participants.enter();
        Waiter {
            word,
            seen: 0,
            parked: false,
            counted: true,
            participants,
            poller: Poller::new(),
            learning: Learning::new(max_spin),
        }
    }

    /// The word this waits on.
    pub fn word(&self) -> &WaitWord {
        &self.word
    }

    /// The counters of the stages. Clone the `Arc` to read them from elsewhere.
    pub fn stats(&self) -> &Arc<StageStats> {
        self.learning.stats()
    }

    /// Changes the bound of each spin, from the next one on.
    pub fn set_max_spin(&mut self, max_spin: Duration) {
        self.learning.set_max_spin(max_spin);
    }

    /// Whether to spin as ever while CPU time is scarce for this thread: under a quota that holds
    /// the process up, or beside busy neighbours. Default: no, it spins then only while nearly all
    /// waits are short enough. Without an effect on systems that do not tell how long a thread
    /// waited for a CPU; Linux does.
    pub fn spin_under_pressure(&mut self, spin: bool) {
        self.learning.spin_under_pressure(spin);
    }

    /// Whether something was published since the last [`take`](Self::take).
    pub fn has_work(&self) -> bool {
        self.word.epoch() != self.seen
    }

    /// Whether something was published since the last `take`; if so, remembers that it was seen.
    ///
    /// True makes visible what was written before that publication. Look at the work *after* this:
    /// what is published later moves the epoch again.
    pub fn take(&mut self) -> bool {
        // Acquires: pairs with the Release in `WaitWord::publish`.
        let epoch = self.word.epoch();
        if epoch == self.seen {
            return false;
        }
        self.seen = epoch;
        self.learning.drop_session();
        if !self.parked {
            self.wait_is_over(true);
        }
        true
    }

    /// The thread turns to something that is not this protocol's: it no longer counts among the
    /// participants, until the next `spin` or the end of the next park. What was missed is
    /// forgotten.
    ///
    /// For threads that wait now and then, a caller that blocks for a result, and must not take the
    /// place of a spinner while they sleep elsewhere. Un-parks first if need be.
    pub fn step_out(&mut self) {
        if self.parked {
            self.unpark();
        }
        self.learning.forget();
        if self.counted {
            self.counted = false;
            self.participants.leave();
        }
    }

    /// Stage 1: polls the epoch for as long as the policy, the participants and `request` allow.
    ///
    /// The time is bounded by the clock, looked at about every microsecond. `interrupted` is the
    /// host's look at what else may need the thread; true ends the spin, but keeps the rest of its
    /// budget for the next call. It is called about every `request.check_every`, for the first time
    /// after that long.
    ///
    /// Returns at once, whatever the policy says, if there is work. Un-parks first if need be.
    pub fn spin(&mut self, request: &SpinRequest, interrupted: impl FnMut() -> bool) -> Spin {
        self.spin_on(request, || false, interrupted)
    }

    /// Like [`spin`](Self::spin), and `ready` counts as work too.
    ///
    /// For work that is handed over in a place of its own, so that a spinning waiter sees it
    /// without a publication: one cache line travels instead of two. `ready` is polled all the
    /// time, so it has to be a load or little more; what it makes visible is its own affair. The
    /// `recheck` of a park has to look at the same place, and whoever fills it has to
    /// [`claim`](WaitWord::claim) afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, sync::atomic::{AtomicU32, Ordering}, time::Duration};
    /// use cenote_park::{Spin, SpinRequest, WaitWord, Waiter};
    ///
    /// let mailbox = AtomicU32::new(7);
    /// let mut waiter = Waiter::new(Arc::new(WaitWord::new()), Duration::from_micros(20));
    /// let mail = || mailbox.load(Ordering::Acquire) != 0;
    /// let spin = waiter.spin_on(&SpinRequest::default(), mail, || false);
    /// assert_eq!(spin, Spin::Hit);
    /// ```
    pub fn spin_on(
        &mut self,
        request: &SpinRequest,
        ready: impl Fn() -> bool,
        interrupted: impl FnMut() -> bool,
    ) -> Spin {
        if self.parked {
            self.unpark();
        }
        let work = self.has_work() || ready();
        self.wait_is_over(work);
        if work {
            self.learning.hit_at_once();
            return Spin::Hit;
        }
        let participants = self.participants;
        let Some(session) = self
            .learning
            .session(request.expected, || participants.may_spin())
        else {
            return Spin::Skipped;
        };
        self.spin_session(session, request, ready, interrupted)
    }

    fn spin_session(
        &mut self,
        session: Session,
        request: &SpinRequest,
        ready: impl Fn() -> bool,
        interrupted: impl FnMut() -> bool,
    ) -> Spin {
        // Relaxed, here and below: to a waker SPINNING and RUNNING are the same.
        self.word.raw_state().store(SPINNING, Ordering::Relaxed);
        let (word, seen) = (&self.word, self.seen);
        let (end, spent) = self.poller.poll(
            session.left,
            request,
            self.participants,
            || word.epoch() != seen || ready(),
            interrupted,
        );
        self.word.raw_state().store(RUNNING, Ordering::Relaxed);
        if end == End::Yielded {
            self.counted = false;
        }
        self.learning.spun(session, end, spent)
    }

    /// Stage 3, first half: publishes that this waiter sleeps in its event loop, and looks once
    /// more.
    ///
    /// True: the host has to let its event loop wait now, and call [`unpark`](Self::unpark) when
    /// that returns. False: there is work; nothing is published any more.
    ///
    /// `recheck` has to look at *every* source other than the epoch that a waker may fill before it
    /// calls [`WaitWord::claim`] or `publish`: the host's own inbox, due timers, a stop flag.
    #[must_use = "false means that the event loop must not wait"]
    pub fn park_driver(&mut self, recheck: impl FnOnce() -> bool) -> bool {
        if self.publish_parked(PARKED_DRIVER, recheck).is_some() {
            return false;
        }
        self.learning.stats().parks_driver.add(1);
        true
    }

    /// Stage 3, second half: the event loop's wait has returned, for whatever reason. Harmless when
    /// not parked.
    pub fn unpark(&mut self) -> Unpark {
        self.unpark_rung(None)
    }

    /// Like [`unpark`](Self::unpark), for a host whose ring notes when it was made. From `rung_at`
    /// the policy learns how long the spin would have had to last, which the end of the sleep
    /// hides: a wake takes its own time.
    pub fn unpark_rung(&mut self, rung_at: Option<Instant>) -> Unpark {
        if !self.parked {
            return Unpark {
                parked: false,
                claimed: false,
            };
        }
        self.parked = false;
        let claimed = self.retake_state();
        let work = claimed || self.has_work();
        self.wait_was_over_at(rung_at.filter(|_| claimed), work);
        Unpark {
            parked: true,
            claimed,
        }
    }

    /// Stage 2, whole: sleeps on the futex until somebody claims this waiter or `deadline` passes.
    ///
    /// Only for hosts of which nothing else needs the thread meanwhile. `recheck` is as for
    /// [`park_driver`](Self::park_driver), and is called again after each wake that came for no
    /// reason; true ends the sleep. A claim that comes as late as the deadline is still consumed.
    pub fn park_futex(
        &mut self,
        deadline: Option<Instant>,
        mut recheck: impl FnMut() -> bool,
    ) -> Unpark {
        if let Some(unpark) = self.publish_parked(PARKED_FUTEX, &mut recheck) {
            return unpark;
        }
        self.learning.stats().parks_futex.add(1);
        loop {
            let wait = futex::wait(self.word.raw_state(), PARKED_FUTEX, deadline);
            // Relaxed: only whether it was claimed; `unpark` acquires.
            let state = self.word.raw_state().load(Ordering::Relaxed);
            if state != PARKED_FUTEX || wait == Wait::TimedOut || recheck() {
                return self.unpark();
            }
        }
    }

    /// Publishes a parked state and re-checks every source. `None`: parked. Otherwise there was
    /// work, the state is RUNNING again, and a claim that came meanwhile is consumed.
    fn publish_parked(&mut self, state: u32, recheck: impl FnOnce() -> bool) -> Option<Unpark> {
        if self.parked {
            self.unpark();
        }
        self.word.raw_state().store(state, Ordering::Relaxed);
        // Pairs with the fence in `WaitWord::claim` (in JavaScript: with the SeqCst operations of
        // `Atomics`). Either the waker's read sees the state above, or the looks below see its
        // work.
        fence(Ordering::SeqCst);
        let epoch_moved = self.has_work();
        if epoch_moved || recheck() {
            let claimed = self.retake_state();
            self.learning.stats().retracts.add(1);
            self.wait_is_over(epoch_moved || claimed);
            return Some(Unpark {
                parked: false,
                claimed,
            });
        }
        self.parked = true;
        if self.counted {
            self.counted = false;
            self.participants.leave();
        }
        None
    }

    /// Ends a parked state; says whether it had been claimed.
    fn retake_state(&self) -> bool {
        // A swap: after it no waker can claim this sleep, and a claim before it is seen here.
        // Acquire: pairs with the fence in `WaitWord::claim`, to see what the claim was made for.
        let claimed = self.word.raw_state().swap(RUNNING, Ordering::Acquire) == NOTIFIED;
        if claimed {
            self.learning.stats().wakes.add(1);
        }
        claimed
    }

    /// This thread runs again: it counts, and a missed spin's wait has its length.
    fn wait_is_over(&mut self, work: bool) {
        self.wait_was_over_at(None, work);
    }

    /// Like `wait_is_over`; `published` is when the work came, where that is known.
    fn wait_was_over_at(&mut self, published: Option<Instant>, work: bool) {
        if !self.counted {
            self.counted = true;
            self.participants.enter();
        }
        self.learning.wait_is_over(published, work);
    }
}

impl<W: Deref<Target = WaitWord>> Drop for Waiter<W> {
    /// Leaves the participants; wakers find the word awake from now on.
    fn drop(&mut self) {
        self.word.raw_state().store(RUNNING, Ordering::Relaxed);
        if self.counted {
            self.participants.leave();
        }
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests;
