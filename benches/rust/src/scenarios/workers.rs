//! Many workers: the round trip in a pool of 2, of 64 and of 512 workers.
//!
//! Who cares: whoever sizes a pool for blocking work, so that most workers sleep while one answers.
//! A pool that looks through all its workers to find one that sleeps, or wakes more than one, shows
//! here.
//!
//! The figures: median and 99th percentile at each size, and the medians beside that of 2 workers.
//!
//! A pool that takes milliseconds makes fewer round trips: a size is measured for 2 s at most.
//!
//! Excluded: the start of the threads. Each worker has run a task before, and sleeps. `blocking`,
//! which has one pool for the process, and starts its threads as tasks wait.
//!
//! Validated: every answer; and that there are as many workers, as tasks that wait for each other.

use std::time::Duration;

use super::closed_loop::{answer, closed_loop_within};
use super::every_worker::every_worker;
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Reply, Setup};
use crate::statistics::{Summary, micros};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "workers",
    title: "Round trip in a pool of 2, 64 and 512 workers that have each run a task",
    workers: 512,
    processes: Processes::Several(3),
    contenders: &[
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::Rayon,
        Contender::SpawnBlocking,
        Contender::LocalPool,
        Contender::Threadpool,
        Contender::RustyPool,
        Contender::AsyncExecutor,
        Contender::Crossbeam,
        Contender::Crossfire,
        Contender::AffinityPool,
    ],
    figures: &[
        Figure::new("2, p50", "µs"),
        Figure::new("2, p99", "µs"),
        Figure::new("64, p50", "µs"),
        Figure::new("64, p99", "µs"),
        Figure::new("512, p50", "µs"),
        Figure::new("512, p99", "µs"),
        Figure::new("64 : 2, p50", "×"),
        Figure::new("512 : 2, p50", "×"),
    ],
    measure,
};

/// How long the round trips of one size may take.
const LIMIT: Duration = Duration::from_secs(2);

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(
        contender,
        |P| pool::<P>(effort),
        Err("not a pool".to_owned())
    )
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let summaries = effort
        .pool_sizes
        .iter()
        .map(|&workers| of_size::<P>(workers, effort))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(figures(&summaries))
}

/// The pool ends before this returns, so that the next one has the machine to itself.
fn of_size<P: Pool>(workers: usize, effort: &Effort) -> Result<Summary, String> {
    let pool = P::start(Setup {
        workers,
        queue_limit: None,
    });
    every_worker(&pool, workers)?;
    let effort = Effort {
        warmup: effort.warmup / 10,
        ..*effort
    };
    let reply = Reply::default();
    closed_loop_within(LIMIT, &effort, |number| {
        pool.call(&reply, move || answer(number))
    })
}

/// Those of each size; then the medians of all but the first, beside the first's.
fn figures(summaries: &[Summary]) -> Vec<f64> {
    let medians: Vec<_> = summaries.iter().map(|one| micros(one.p50)).collect();
    summaries
        .iter()
        .flat_map(|one| [micros(one.p50), micros(one.p99)])
        .chain(medians.iter().skip(1).map(|median| median / medians[0]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_medians_are_compared_with_that_of_the_smallest_pool() {
        let summary = |p50, p99| Summary {
            p50: Duration::from_micros(p50),
            p99: Duration::from_micros(p99),
            p999: Duration::ZERO,
            max: Duration::ZERO,
        };
        let figures = figures(&[summary(2, 9), summary(3, 8), summary(5, 7)]);
        assert_eq!(figures, [2.0, 9.0, 3.0, 8.0, 5.0, 7.0, 1.5, 2.5]);
    }
}
