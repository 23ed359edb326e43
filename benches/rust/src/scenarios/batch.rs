//! Batch: a thousand tasks that are there all at once, handed over together by one thread.
//!
//! Who cares: whoever splits work in many pieces and wants all of them done. A pool that takes them
//! in one call spares itself a step for each.
//!
//! The figures: ns a task until the last one is handed over, and until the last one has run: median
//! and 99th percentile over many batches, one after the other.
//!
//! Excluded: results (handles are detached), a task's own work beyond one addition that all tasks
//! share. A pool without a call for many is handed one after the other.
//!
//! Validated: as in `burst`.

use std::time::{Duration, Instant};

use super::tally::Tally;
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Setup};
use crate::statistics::Samples;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "batch",
    title: "Batches of 1,000 empty tasks, handed over together",
    workers: 2,
    processes: Processes::Several(3),
    contenders: &Contender::POOLS,
    figures: &[
        Figure::new("handed over, p50", "ns/task"),
        Figure::new("run, p50", "ns/task"),
        Figure::new("run, p99", "ns/task"),
    ],
    measure,
};

const BATCH: usize = 1_000;

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(
        contender,
        |P| pool::<P>(effort),
        Err("not a pool".to_owned())
    )
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let pool = P::start(Setup {
        queue_limit: Some(BATCH),
        ..Setup::TWO
    });
    // The first batches make the pool's memory and are not counted.
    for _ in 0..effort.batches / 10 {
        batch(&pool)?;
    }
    let mut handed_over = Samples::with_capacity(effort.batches);
    let mut run = Samples::with_capacity(effort.batches);
    for _ in 0..effort.batches {
        let (until_handed_over, until_run) = batch(&pool)?;
        handed_over.record(until_handed_over);
        run.record(until_run);
    }
    let a_task = |batch: Duration| batch.as_secs_f64() * 1e9 / BATCH as f64;
    let run = run.summary();
    Ok(vec![
        a_task(handed_over.summary().p50),
        a_task(run.p50),
        a_task(run.p99),
    ])
}

fn batch<P: Pool>(pool: &P) -> Result<(Duration, Duration), String> {
    let tally = Tally::leak(BATCH);
    let tasks = (0..BATCH).map(|number| move || tally.count(number as u64));
    let start = Instant::now();
    let _kept = pool.spawn_batch(tasks);
    let handed_over = start.elapsed();
    tally.wait()?;
    Ok((handed_over, start.elapsed()))
}
