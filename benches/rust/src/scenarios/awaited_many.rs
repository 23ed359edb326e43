//! Many awaited at once: async tasks on a current-thread runtime that each submit a closure, await
//! its result, and go on; 1, 100 or 1,000 of them at the same time.
//!
//! Who cares: a service on tokio that hands off part of each request, with many requests at once.
//! Nobody's answer is waited for idly then: what counts is how many a second pass through.
//!
//! The figure: ns a closure, from the first submission to the last result; median of 3 runs.
//!
//! Excluded: a closure's own work, other load on the runtime.
//!
//! Validated: every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::closed_loop::{answer, check};
use super::{Figure, Outcome, Processes, Scenario, awaited};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::pools::{Awaited, Setup};
use crate::statistics::Spread;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "awaited-many",
    title: "Awaited by 1, 100 and 1,000 async tasks at once on a current-thread runtime",
    workers: 2,
    processes: Processes::Several(1),
    contenders: awaited::SCENARIO.contenders,
    figures: &[
        Figure::new("1 at once", "ns/task"),
        Figure::new("100 at once", "ns/task"),
        Figure::new("1,000 at once", "ns/task"),
    ],
    measure,
};

/// As the figures name them.
const AT_ONCE: [usize; 3] = [1, 100, 1_000];

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    awaited::for_awaited!(contender, |P| pool::<P>(effort))
}

fn pool<P: Awaited>(effort: &Effort) -> Outcome {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(Setup::TWO.workers)
        .build()
        .expect("tokio starts");
    // It stays here as well: some pools may not end on a thread that runs async tasks.
    let pool = Arc::new(P::start(Setup::TWO));
    AT_ONCE
        .into_iter()
        .map(|at_once| several(&runtime, &pool, at_once, effort))
        .collect()
}

fn several<P: Awaited>(
    runtime: &Runtime,
    pool: &Arc<P>,
    at_once: usize,
    effort: &Effort,
) -> Result<f64, String> {
    // One at a time they take the longest, and as many as there are round trips do.
    let each = effort.awaited_tasks.min(effort.roundtrips * at_once) / at_once;
    let run = |each| runtime.block_on(trips(Arc::clone(pool), at_once, each));
    // The first ones make the pool's memory and are not counted.
    run(each.div_ceil(10))?;
    let mut nanos = Vec::new();
    for _ in 0..effort.bursts {
        nanos.push(run(each)?.as_secs_f64() * 1e9 / (each * at_once) as f64);
    }
    Ok(Spread::of(&nanos).expect("at least one run").median)
}

/// `at_once` tasks on this runtime, each of which makes `each` round trips, one after the other.
async fn trips<P: Awaited>(pool: Arc<P>, at_once: usize, each: usize) -> Result<Duration, String> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|task| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                for number in (task * each) as u64..((task + 1) * each) as u64 {
                    check(number, pool.call_async(move || answer(number)).await)?;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(start.elapsed())
}
