//! How long to spin: the adaptive budget, without a clock.
//!
//! A hit widens the budget, a miss narrows it, between 0 and `max_spin`, where it starts. What is
//! learned from each wait:
//!
//! - A *near miss*, a wait that a spin of `max_spin` would have covered, widens the budget to cover
//!   it. Without it, two sides that answer each other never find back to spinning: each wake of a
//!   parked thread costs more than a narrow budget, so each side misses because the other one
//!   parks. A wait is learned from whether or not it began with a spin.
//! - The *share* of near waits, hits among them: a moving average over some 16. Below a third there
//!   is no spin, whatever the budget: one wait in ten is not worth burning a CPU that other
//!   threads, and this one's own share of it, need.
//! - Spins that miss by little, one after the other, are *refuted*: each held up the very answer it
//!   waited for. That is how it looks when both threads share a CPU, because other processes keep
//!   the rest busy, or because the scheduler has not moved them apart yet, which it does only while
//!   it sees both of them runnable. After 10 ms of such spins there is a *pause*: the next waits do
//!   not spin at all, 1,024 at first, twice as many each time until a hit.
//! - Every 32nd wait in a row without a hit, outside of a pause, is a *full try* of `max_spin`.

use std::time::{Duration, Instant};

/// A budget below this is 0: it would cover little more than the look at the clock.
const LEAST: Duration = Duration::from_micros(2);
/// Added on a hit, so that a small budget grows too.
const WIDEN: Duration = Duration::from_nanos(500);
/// Spins that missed by little count as refuted when they took so long together without a hit. A
/// few ticks of the system's scheduler: until then it may yet move the two threads apart.
const REFUTED: Duration = Duration::from_millis(10);
/// With a large `max_spin` it takes at least so many of them.
const LEAST_SPINS: u32 = 8;
/// The waits of the first pause: with the threads on one CPU they take about 20 ms.
const PAUSE: u32 = 1024;
/// A pause is at most 2 to this times the first.
const LONGEST_PAUSE: u32 = 5;
/// The share of near waits that is all of them; in the average each wait weighs a 16th.
const ALL_NEAR: u32 = 1 << 16;
/// Spins pay from this share on.
const WORTH: u32 = ALL_NEAR / 3;
/// From this share on they cost less CPU time than a sleep and a wake do for each of the waits.
const WORTH_CPU: u32 = ALL_NEAR / 4 * 3;
/// One wait in so many without a hit spins for `max_spin`.
const FULL_TRY_EVERY: u32 = 32;

/// The longest `max_spin`. Far beyond any use, and it keeps the arithmetic from overflowing.
const LIMIT: Duration = Duration::from_secs(1);

/// What one wait tells [`Waiter::spin`](crate::Waiter::spin).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cenote_park::SpinRequest;
///
/// let request = SpinRequest {
///     expected: Some(Duration::from_micros(15)),
///     ..SpinRequest::default()
/// };
/// assert_eq!(request.check_every, Duration::from_micros(8));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SpinRequest {
    /// How long the wait is expected to last, where the host knows: longer than the budget skips
    /// the spin. Default: not known.
    pub expected: Option<Duration>,
    /// When the spin has to be over whatever the budget says, for instance because a timer is due.
    /// Default: no such time.
    pub until: Option<Instant>,
    /// How often `interrupted` is called. Default: 8 µs. Zero: at every look at the clock, about
    /// every microsecond.
    pub check_every: Duration,
}

impl Default for SpinRequest {
    fn default() -> Self {
        SpinRequest {
            expected: None,
            until: None,
            check_every: Duration::from_micros(8),
        }
    }
}

/// How a spin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spin {
    /// The epoch moved. It is not taken yet.
    Hit,
    /// The host has work of its own. What is left of the budget is kept for the next call.
    Interrupted,
    /// The time is over, or the slot was given up to somebody who has work: park.
    Missed,
    /// There was nothing to gain, so there was no spin: park.
    Skipped,
}

/// How long a wait took that no spin covered, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissedWait {
    /// Until work was published: a spin of that length would have hit.
    UntilWork(Duration),
    /// Until work was found after the sleep. When it came is not known; the wake's own time is in
    /// it.
    UntilAwake(Duration),
    /// Something else ended the wait.
    NoWork,
}

/// What to do with a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Spin for so long.
    Spin(Duration),
    /// Do not spin, but tell [`Policy::miss`] how the wait went.
    Rest,
    /// Do not spin; there is nothing to learn either.
    Never,
}

/// The budget's state machine: every step is told what happened, none looks at a clock.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    max: Duration,
    budget: Duration,
    /// Waits in a row without a hit.
    streak: u32,
    /// The share of near waits, of `ALL_NEAR`.
    near_share: u32,
    /// Time in spins that missed by less than `max`, since the last hit or pause.
    near_missed: Duration,
    /// Waits that are left of a pause.
    pause: u32,
    /// Pauses since the last hit.
    pauses: u32,
}

impl Policy {
    /// Starts with the whole of `max`: the first waits are the ones nothing is known about.
    pub(crate) fn new(max: Duration) -> Self {
        let max = max.min(LIMIT);
        Policy {
            max,
            budget: max,
            streak: 0,
            near_share: ALL_NEAR,
            near_missed: Duration::ZERO,
            pause: 0,
            pauses: 0,
        }
    }

    /// Whether so many waits are near that spins cost less CPU time than the sleeps they save.
    pub(crate) fn nearly_always_near(&self) -> bool {
        self.near_share >= WORTH_CPU
    }

    /// The present budget.
    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }

    /// Changes `max_spin`. What was learned is kept as far as it fits; after 0 it starts anew.
    pub(crate) fn set_max(&mut self, max: Duration) {
        if self.max.is_zero() {
            *self = Policy::new(max);
        } else {
            self.max = max.min(LIMIT);
            self.budget = self.budget.min(self.max);
        }
    }

    /// What to do with a wait that is expected to last so long, if that is known.
    pub(crate) fn plan(&self, expected: Option<Duration>) -> Plan {
        if self.max.is_zero() || expected.is_some_and(|expected| expected > self.max) {
            return Plan::Never;
        }
        if self.pause > 0 {
            return Plan::Rest;
        }
        if self.streak % FULL_TRY_EVERY == FULL_TRY_EVERY - 1 {
            return Plan::Spin(self.max);
        }
        if self.near_share < WORTH
            || self.budget.is_zero()
            || expected.is_some_and(|expected| expected > self.budget)
        {
            return Plan::Rest;
        }
        Plan::Spin(self.budget)
    }

    /// Work came while spinning.
    pub(crate) fn hit(&mut self) {
        self.streak = 0;
        self.note(true);
        self.near_missed = Duration::ZERO;
        self.pauses = 0;
        self.budget = (self.budget * 5 / 4 + WIDEN).min(self.max);
    }

    /// A wait is over that no spin covered; `spun` says whether one was tried.
    pub(crate) fn miss(&mut self, spun: bool, wait: MissedWait) {
        self.streak = self.streak.wrapping_add(1);
        let (waited, covered) = match wait {
            MissedWait::UntilWork(waited) => (waited, self.max),
            // The wake's own time is in it, and is taken to be half.
            MissedWait::UntilAwake(waited) => (waited, self.max * 2),
            MissedWait::NoWork => (Duration::MAX, Duration::ZERO),
        };
        self.note(waited < covered);
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        if spun && waited < self.max * 2 {
            self.near_missed += self.budget;
            if self.near_missed >= REFUTED.max(self.max * LEAST_SPINS) {
                self.near_missed = Duration::ZERO;
                self.budget = Duration::ZERO;
                self.pause = PAUSE << self.pauses;
                self.pauses = (self.pauses + 1).min(LONGEST_PAUSE);
                return;
            }
        }
        self.budget = if waited < covered {
            (waited.min(self.max) * 5 / 4 + WIDEN).clamp(self.budget, self.max)
        } else if self.budget * 7 / 8 < LEAST {
            Duration::ZERO
        } else {
            self.budget * 7 / 8
        };
    }

    fn note(&mut self, near: bool) {
        self.near_share -= self.near_share / 16;
        if near {
            self.near_share += ALL_NEAR / 16;
        }
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests;
