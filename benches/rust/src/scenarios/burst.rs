//! Burst: many tasks at once that do nothing but count.
//!
//! Who cares: a batch job; a service that catches up. It is the price of a task when nobody waits
//! for a single one.
//!
//! Excluded: results (handles are detached), a task's own work beyond one addition that all tasks
//! share.
//!
//! Validated: the tasks add up both how many ran and their numbers, in one atomic word; both must
//! be right at the end.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Setup};
use crate::statistics::Spread;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "burst",
    title: "Burst of 300,000 empty tasks, from one producer and from four",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &Contender::POOLS,
    figures: &[
        Figure::new("one producer", "ns/task"),
        Figure::new("four producers", "ns/task"),
    ],
    measure,
};

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(
        contender,
        |P| pool::<P>(effort),
        Err("not a pool".to_owned())
    )
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let pool = P::start(Setup {
        queue_limit: Some(effort.burst_tasks + 1),
        ..Setup::TWO
    });
    [1, 4]
        .into_iter()
        .map(|producers| {
            // The first burst makes the pool's memory and is not counted.
            burst(&pool, producers, effort.burst_tasks / 10)?;
            let mut nanos = Vec::new();
            for _ in 0..effort.bursts {
                let took = burst(&pool, producers, effort.burst_tasks)?;
                nanos.push(took.as_secs_f64() * 1e9 / effort.burst_tasks as f64);
            }
            Ok(Spread::of(&nanos).expect("at least one burst").median)
        })
        .collect()
}

/// How many tasks ran, and the sum of their numbers below it. Sums of up to a million numbers fit.
struct Tally {
    word: CachePadded<AtomicU64>,
    expected: u64,
    caller: Thread,
}

const ONE: u64 = 1 << 40;

impl Tally {
    /// Leaked, so that a task carries a plain reference: counting references would cost more than
    /// the task.
    fn leak(tasks: usize) -> &'static Tally {
        let tasks = tasks as u64;
        Box::leak(Box::new(Tally {
            word: CachePadded::new(AtomicU64::new(0)),
            expected: tasks * ONE + tasks * (tasks - 1) / 2,
            caller: thread::current(),
        }))
    }

    fn count(&self, number: u64) {
        // AcqRel: the task that sees the last of the others added happens after all of them.
        let added = ONE + number;
        let sum = self.word.fetch_add(added, Ordering::AcqRel) + added;
        if sum / ONE >= self.expected / ONE {
            self.caller.unpark();
        }
    }

    fn wait(&self) -> Result<(), String> {
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

/// Submits `tasks` tasks from this thread, or from several, and returns the time until all have
/// run.
fn burst<P: Pool>(pool: &P, producers: usize, tasks: usize) -> Result<Duration, String> {
    let tasks = tasks / producers * producers;
    let tally = Tally::leak(tasks);
    let submit = |from: usize, to: usize| {
        for number in from as u64..to as u64 {
            pool.spawn(move || tally.count(number));
        }
    };
    if producers == 1 {
        let start = Instant::now();
        submit(0, tasks);
        tally.wait()?;
        return Ok(start.elapsed());
    }
    // The producers start together, and the clock with the first of them: this thread may be the
    // last to be woken.
    let ready = Barrier::new(producers);
    let share = tasks / producers;
    thread::scope(|scope| {
        let started: Vec<_> = (0..producers)
            .map(|producer| {
                let (ready, submit) = (&ready, &submit);
                scope.spawn(move || {
                    ready.wait();
                    let start = Instant::now();
                    submit(producer * share, (producer + 1) * share);
                    start
                })
            })
            .collect();
        tally.wait()?;
        let end = Instant::now();
        let start = started
            .into_iter()
            .map(|thread| thread.join().expect("submitting does not panic"))
            .min()
            .expect("there are producers");
        Ok(end - start)
    })
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
