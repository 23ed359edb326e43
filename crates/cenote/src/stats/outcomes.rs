//! Counts of how tasks ended, by [`Outcome`].
//!
//! A worker counts what it settles in [`OutcomeCounters`], without sharing; whoever else settles a
//! task (a submitter that is turned away, an abort of queued work, a shutdown) in
//! [`SharedOutcomes`].

use std::sync::atomic::{AtomicU64, Ordering};

use super::counter::Counter;
use crate::task::outcome::Outcome;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $field:ident $variant:ident,)*) => {
        /// How many tasks ended in which way, since the pool was built.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Outcomes {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Outcomes {
            fn of(mut count: impl FnMut(Outcome) -> u64) -> Outcomes {
                Outcomes { $($field: count(Outcome::$variant),)* }
            }

            /// Every outcome's name with its count, in a fixed order.
            ///
            /// ```
            /// let pool = cenote::Pool::builder().threads(1).build()?;
            /// pool.blocking_run(|| 6 * 7)?;
            /// for (name, count) in pool.stats().outcomes().iter() {
            ///     println!("{name}: {count}");
            /// }
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }

            /// Adds the counts of `other` to these.
            pub(crate) fn add(&mut self, other: &Outcomes) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

outcomes! {
    /// Returned, or the future finished.
    completed Completed,
    /// Panicked.
    panicked Panicked,
    /// Aborted through the handle.
    aborted Aborted,
    /// Not begun before the queue timeout.
    queue_timed_out QueueTimedOut,
    /// Not finished before the timeout.
    timed_out TimedOut,
    /// Cancelled by the token or by the pool's shutdown.
    cancelled Cancelled,
    /// Without a worker to run it.
    lost Lost,
    /// Not accepted: the queue was full, or the pool closed.
    rejected Rejected,
}

impl Outcomes {
    /// How many accepted tasks have ended: all outcomes but `rejected`.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// pool.blocking_run(|| 6 * 7)?;
    /// println!("{} tasks are settled", pool.stats().outcomes().settled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settled(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum::<u64>() - self.rejected
    }
}

/// Counts by outcome that one thread at a time writes.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct OutcomeCounters([Counter; Outcome::ALL.len()]);

impl OutcomeCounters {
    /// Counts one task.
    #[inline]
    pub(crate) fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].add(1);
    }

    /// The counts.
    pub(crate) fn snapshot(&self) -> Outcomes {
        Outcomes::of(|outcome| self.0[outcome as usize].get())
    }
}

/// Counts by outcome that any thread writes.
#[derive(Debug, Default)]
pub(crate) struct SharedOutcomes([AtomicU64; Outcome::ALL.len()]);

impl SharedOutcomes {
    /// Counts `n` tasks.
    pub(crate) fn add(&self, outcome: Outcome, n: u64) {
        // Relaxed: a figure to look at; nothing is read because of it.
        self.0[outcome as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// The counts.
    pub(crate) fn snapshot(&self) -> Outcomes {
        Outcomes::of(|outcome| self.0[outcome as usize].load(Ordering::Relaxed))
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_under_its_own_name() {
        for (position, outcome) in Outcome::ALL.into_iter().enumerate() {
            let (own, shared) = (OutcomeCounters::default(), SharedOutcomes::default());
            own.count(outcome);
            shared.add(outcome, 1);
            for snapshot in [own.snapshot(), shared.snapshot()] {
                let counts: Vec<u64> = snapshot.iter().map(|(_, count)| count).collect();
                let expected: Vec<u64> = (0..counts.len())
                    .map(|i| u64::from(i == position))
                    .collect();
                assert_eq!(counts, expected);
            }
        }
    }

    #[test]
    fn the_rejected_are_not_settled() {
        let counts = SharedOutcomes::default();
        counts.add(Outcome::Completed, 3);
        counts.add(Outcome::QueueTimedOut, 2);
        counts.add(Outcome::Rejected, 10);
        assert_eq!(counts.snapshot().settled(), 5);
    }

    #[test]
    fn no_count_is_lost_between_many_writers() {
        const EACH: u64 = 1_000_000;
        let counts = SharedOutcomes::default();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    (0..EACH).for_each(|_| counts.add(Outcome::Rejected, 1));
                });
            }
        });
        assert_eq!(counts.snapshot().rejected, 4 * EACH);
    }
}
