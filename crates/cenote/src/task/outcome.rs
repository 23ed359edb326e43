//! How a task ended.

/// How a task ended: what it is counted as, and what its handle says.
///
/// An accepted task has exactly one outcome. `Rejected` is of those that were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outcome {
    /// It returned, or its future finished.
    Completed = 0,
    Panicked = 1,
    /// Aborted through its handle.
    Aborted = 2,
    /// It had not begun at its queue timeout.
    QueueTimedOut = 3,
    /// It had not finished at its timeout.
    TimedOut = 4,
    /// Cancelled by its token, or by the end of its pool.
    Cancelled = 5,
    /// There was no worker to run it.
    Lost = 6,
    /// Not accepted: the queue was full, or the pool closed.
    Rejected = 7,
}

impl Outcome {
    /// All, each at its own number.
    pub(crate) const ALL: [Outcome; 8] = [
        Outcome::Completed,
        Outcome::Panicked,
        Outcome::Aborted,
        Outcome::QueueTimedOut,
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::Lost,
        Outcome::Rejected,
    ];
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_lies_at_its_number() {
        for (number, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, number);
        }
    }
}
