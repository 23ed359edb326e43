//! What a waiter learns from its waits and counts of them: whether to spin, for how long, and what
//! the stages did.
//!
//! The other half, the protocol, is `waiter.rs`. Nothing here decides whether a wake-up is lost:
//! the proof in the crate's README holds whatever this answers, and none of it touches the wait
//! word. The waiter tells how each spin ended and when a wait was over; it asks for how long to
//! spin.
//!
//! A *session* is one spin with its budget; it may be interrupted, and go on with what is left. A
//! wait that no spin covered is *missed*; when it is over, the policy learns how long it took. A
//! spin that gave up its slot, or that was due, says nothing of the wait, and teaches nothing.
//!
//! The budget and its means are in `spin.rs`, the counters in `stats.rs`; `scarcity.rs` says when
//! CPU time is too scarce for a spin that may miss. What every wait calls is `#[inline]`, since the
//! waiter is generic and so compiled in its user's crate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::poll::End;
use crate::scarcity::Scarcity;
use crate::spin::{MissedWait, Plan, Policy, Spin};
use crate::stats::StageStats;
use crate::sync::clock;

/// What one waiter has learned, and its counters.
#[derive(Debug)]
pub(crate) struct Learning {
    policy: Policy,
    pub(crate) scarcity: Scarcity,
    /// A spin that was interrupted and may go on.
    session: Option<Session>,
    /// A wait that no spin covered and that is not over: it is learned from then.
    missed: Option<Missed>,
    stats: Arc<StageStats>,
}

#[derive(Clone, Copy, Debug)]
struct Missed {
    began: Instant,
    /// It began with a spin.
    spun: bool,
}

/// One spin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    began: Instant,
    /// Of the budget.
    pub(crate) left: Duration,
}

impl Learning {
    pub(crate) fn new(max_spin: Duration) -> Self {
        let policy = Policy::new(max_spin);
        let stats = Arc::new(StageStats::default());
        stats.budget_nanos.set_nanos(policy.budget());
        Learning {
            policy,
            scarcity: Scarcity::new(),
            session: None,
            missed: None,
            stats,
        }
    }

    /// The counters. The waiter counts its sleeps and wakes in them.
    #[inline]
    pub(crate) fn stats(&self) -> &Arc<StageStats> {
        &self.stats
    }

    pub(crate) fn set_max_spin(&mut self, max_spin: Duration) {
        self.policy.set_max(max_spin);
        self.session = None;
        self.note_budget();
    }

    /// Whether to spin as ever while CPU time is scarce.
    pub(crate) fn spin_under_pressure(&mut self, spin: bool) {
        self.scarcity.set_looks(!spin);
    }

    /// How long to spin now; `None` is not at all. `expected` is how long the wait is expected to
    /// last, `may_spin` whether the participants leave room for it.
    #[inline]
    pub(crate) fn session(
        &mut self,
        expected: Option<Duration>,
        may_spin: impl FnOnce() -> bool,
    ) -> Option<Session> {
        if let Some(session) = self.session.take() {
            return Some(session);
        }
        let plan = if may_spin() {
            self.policy.plan(expected)
        } else {
            Plan::Never
        };
        if plan == Plan::Never {
            self.stats.spin_skips.add(1);
            return None;
        }
        let began = clock::now();
        let Plan::Spin(left) = self.unless_scarce(plan, began) else {
            self.missed = Some(Missed { began, spun: false });
            return None;
        };
        self.stats.spins.add(1);
        Some(Session { began, left })
    }

    /// Leaves out a spin that is likely to miss, while CPU time is scarce. Counts what rests.
    fn unless_scarce(&mut self, plan: Plan, now: Instant) -> Plan {
        if !matches!(plan, Plan::Spin(_)) {
            self.stats.spin_skips.add(1);
            return plan;
        }
        if !self.scarcity.is_on(now) || self.policy.nearly_always_near() {
            return plan;
        }
        self.stats.spin_cuts.add(1);
        Plan::Rest
    }

    /// The session spun for `spent`, and ended so.
    #[inline]
    pub(crate) fn spun(&mut self, session: Session, end: End, spent: Duration) -> Spin {
        self.stats.spin_nanos.add_nanos(spent);
        match end {
            End::Hit => {
                self.hit();
                Spin::Hit
            }
            End::Interrupted => {
                self.session = Some(Session {
                    left: session.left.saturating_sub(spent),
                    ..session
                });
                Spin::Interrupted
            }
            End::Missed => {
                self.stats.spin_misses.add(1);
                self.missed = Some(Missed {
                    began: session.began,
                    spun: true,
                });
                Spin::Missed
            }
            End::Yielded => {
                self.stats.spin_yields.add(1);
                Spin::Missed
            }
            End::Due => {
                self.stats.spin_dues.add(1);
                Spin::Missed
            }
        }
    }

    /// There was work before a spin could begin, or go on.
    #[inline]
    pub(crate) fn hit_at_once(&mut self) {
        if self.session.take().is_some() {
            self.hit();
        }
    }

    /// Work was taken: an interrupted spin does not go on.
    #[inline]
    pub(crate) fn drop_session(&mut self) {
        self.session = None;
    }

    /// Nothing is learned from the wait that is going on.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.session = None;
        self.missed = None;
    }

    /// The wait is over, whether by `work` or not: what was missed has its length. `published` is
    /// when the work came, where that is known.
    #[inline]
    pub(crate) fn wait_is_over(&mut self, published: Option<Instant>, work: bool) {
        if let Some(Missed { began, spun }) = self.missed.take() {
            let wait = match published {
                Some(at) => MissedWait::UntilWork(at.saturating_duration_since(began)),
                None if work => MissedWait::UntilAwake(clock::since(began)),
                None => MissedWait::NoWork,
            };
            self.policy.miss(spun, wait);
            self.note_budget();
        }
    }

    fn hit(&mut self) {
        self.policy.hit();
        self.stats.spin_hits.add(1);
        self.note_budget();
    }

    fn note_budget(&self) {
        self.stats.budget_nanos.set_nanos(self.policy.budget());
    }
}
