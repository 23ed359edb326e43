//! How long to spin: the adaptive budget, without a clock.
//!
//! A hit widens the budget, a miss narrows it, between a floor and `max_spin`. Two things keep it from
//! getting stuck at the floor when spinning would pay:
//!
//! - A *near miss*: the spin missed, but one of `max_spin` would have hit. Where it is known when the
//!   work came, the budget grows to cover that; where only the end of the sleep is known, a whole
//!   wait shorter than twice `max_spin` doubles it. Without it, two sides that answer each other
//!   never find back: each wake of a parked thread costs more (40 to 80 µs on a virtual machine) than
//!   the floor, so each side misses because the other one parks.
//! - A *full try*: every 32nd wait in a row without a hit gets the whole of `max_spin`.
//!
//! And one thing keeps it from getting stuck at the top when spinning cannot pay: near misses at the
//! top are *vain*, since there is nothing left to double. After four of them in a row near misses
//! narrow too, until the next full try. That is how it looks when both sides share one CPU (because
//! other processes keep the rest busy): each spin then holds up the very answer it waits for.

use std::time::{Duration, Instant};

/// The narrowest budget, unless `max_spin` is less.
const FLOOR: Duration = Duration::from_micros(10);
/// Added on a hit, so that a small budget grows too.
const WIDEN: Duration = Duration::from_nanos(500);
/// So many near misses in a row at `max_spin` may double the budget again.
const VAIN: u32 = 4;
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
    /// How long the wait is expected to last, where the host knows: longer than the budget skips the
    /// spin. Default: not known.
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

/// How long a wait took whose spin missed, from the start of the spin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissedWait {
    /// Until work was published: a spin of that length would have hit.
    UntilWork(Duration),
    /// Until work was found after the sleep. When it came is not known; the wake's own time is in it.
    UntilAwake(Duration),
    /// Something else ended the wait.
    NoWork,
}

/// The budget's state machine: every step is told what happened, none looks at a clock.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    max: Duration,
    budget: Duration,
    /// Waits in a row without a hit, as far as spinning could have hit.
    streak: u32,
    /// Near misses at the whole of `max`, since the last hit or full try.
    vain: u32,
}

impl Policy {
    /// Starts with the whole of `max`: the first waits are the ones nothing is known about.
    pub(crate) fn new(max: Duration) -> Self {
        let max = max.min(LIMIT);
        Policy {
            max,
            budget: max,
            streak: 0,
            vain: 0,
        }
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
            self.budget = self.budget.clamp(self.floor(), self.max);
        }
    }

    /// How long the next session may spin; `None` says not at all.
    pub(crate) fn plan(&mut self, expected: Option<Duration>) -> Option<Duration> {
        if self.max.is_zero() {
            return None;
        }
        let budget = if self.is_full_try() {
            self.max
        } else {
            self.budget
        };
        match expected {
            Some(expected) if expected > budget => {
                // A wait the largest budget would cover counts, so that its full try comes.
                if expected <= self.max {
                    self.streak = self.streak.wrapping_add(1);
                }
                None
            }
            _ => Some(budget),
        }
    }

    /// Work came while spinning.
    pub(crate) fn hit(&mut self) {
        self.streak = 0;
        self.vain = 0;
        self.budget = (self.budget * 5 / 4 + WIDEN).min(self.max);
    }

    /// The budget ended without work.
    pub(crate) fn miss(&mut self, wait: MissedWait) {
        let near = matches!(wait, MissedWait::UntilAwake(wait) if wait < self.max * 2);
        if self.is_full_try() {
            self.vain = 0;
        } else if near && self.budget == self.max {
            self.vain = self.vain.saturating_add(1);
        }
        self.streak = self.streak.wrapping_add(1);
        self.budget = match wait {
            MissedWait::UntilWork(wait) if wait < self.max => {
                (wait * 5 / 4 + WIDEN).clamp(self.budget, self.max)
            }
            MissedWait::UntilAwake(_) if near && self.vain < VAIN => {
                (self.budget * 2).min(self.max)
            }
            _ => (self.budget * 7 / 8).max(self.floor()),
        };
    }

    /// Whether the wait that is planned, or has just missed, is one of those that try all of `max`.
    fn is_full_try(&self) -> bool {
        self.streak % FULL_TRY_EVERY == FULL_TRY_EVERY - 1
    }

    fn floor(&self) -> Duration {
        FLOOR.min(self.max)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
