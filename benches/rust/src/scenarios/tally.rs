//! Whether all of many tasks ran: each adds one and its number to a word that they share, and the
//! last one wakes whoever waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

use crossbeam_utils::CachePadded;

/// How many tasks ran, and the sum of their numbers below it. Sums of up to a million numbers fit.
pub(super) struct Tally {
    word: CachePadded<AtomicU64>,
    expected: u64,
    caller: Thread,
}

const ONE: u64 = 1 << 40;

impl Tally {
    /// Leaked, so that a task carries a plain reference: counting references would cost more than
    /// the task.
    pub(super) fn leak(tasks: usize) -> &'static Tally {
        let tasks = tasks as u64;
        Box::leak(Box::new(Tally {
            word: CachePadded::new(AtomicU64::new(0)),
            expected: tasks * ONE + tasks * (tasks - 1) / 2,
            caller: thread::current(),
        }))
    }

    pub(super) fn count(&self, number: u64) {
        // AcqRel: the task that sees the last of the others added happens after all of them.
        let added = ONE + number;
        let sum = self.word.fetch_add(added, Ordering::AcqRel) + added;
        if sum / ONE >= self.expected / ONE {
            self.caller.unpark();
        }
    }

    pub(super) fn wait(&self) -> Result<(), String> {
        // By count alone: a task that runs twice must end the wait too, and then be noticed.
        while self.word.load(Ordering::Acquire) / ONE < self.expected / ONE {
            thread::park();
        }
        let found = self.word.load(Ordering::Acquire);
        if found == self.expected {
            Ok(())
        } else {
            Err(format!(
                "{} tasks ran, with sum {}; expected {} with {}",
                found / ONE,
                found % ONE,
                self.expected / ONE,
                self.expected % ONE
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_ran_twice_in_place_of_another_is_noticed() {
        let right = Tally::leak(3);
        (0..3).for_each(|number| right.count(number));
        assert_eq!(right.wait(), Ok(()));
        let wrong = Tally::leak(3);
        [0, 1, 1].into_iter().for_each(|number| wrong.count(number));
        assert!(wrong.wait().is_err());
    }
}
