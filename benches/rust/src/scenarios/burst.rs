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
use std::thread;
use std::time::{Duration, Instant};

use super::tally::Tally;
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Setup};
use crate::statistics::Spread;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "burst",
    title: "Burst of 300,000 empty tasks, from one producer, from four and from eight",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &Contender::POOLS,
    figures: &[
        Figure::new("one producer", "ns/task"),
        Figure::new("four producers", "ns/task"),
        Figure::new("eight producers", "ns/task"),
    ],
    measure,
};

/// As the figures name them.
const PRODUCERS: [usize; 3] = [1, 4, 8];

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
    PRODUCERS
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

/// Submits `tasks` tasks from this thread, or from several, and returns the time until all have
/// run.
fn burst<P: Pool>(pool: &P, producers: usize, tasks: usize) -> Result<Duration, String> {
    let tasks = tasks / producers * producers;
    let tally = Tally::leak(tasks);
    let submit = |from: usize, to: usize| {
        let mut kept = Vec::with_capacity(to - from);
        for number in from as u64..to as u64 {
            kept.push(pool.spawn(move || tally.count(number)));
        }
        kept
    };
    if producers == 1 {
        let start = Instant::now();
        let _kept = submit(0, tasks);
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
                    (start, submit(producer * share, (producer + 1) * share))
                })
            })
            .collect();
        tally.wait()?;
        let end = Instant::now();
        let start = started
            .into_iter()
            .map(|thread| thread.join().expect("submitting does not panic").0)
            .min()
            .expect("there are producers");
        Ok(end - start)
    })
}
