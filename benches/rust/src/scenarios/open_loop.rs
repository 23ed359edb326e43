//! Open loop: tasks of 100 µs arrive at random, 4,000 a second, whether or not earlier ones are
//! done.
//!
//! Who cares: whoever answers for a p99. A caller that waits for each result (a closed loop) cannot
//! see a queue.
//!
//! The figures: from the moment a task was *due* to the end of the task, so it is never below 100
//! µs. If the dispatching thread is late, because a pool made it wait or took its CPU, that counts.
//! How late it was is the last figure: from the due time until the task was handed over.
//!
//! Excluded: the way back of the result; overload (two fifths of one CPU are tasks).
//!
//! Arrivals are a Poisson process with a fixed seed: the same for everybody, every time. One thread
//! dispatches: it sleeps until 20 µs before a task is due, then looks at the clock; identically for
//! all.
//!
//! Validated: every task leaves its own latency behind; none may be missing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Figure, Outcome, Processes, Scenario};
use crate::clock::{burn, sleep_exactly, sleep_until, wait_until};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Setup};
use crate::statistics::{Samples, Summary, arrivals, micros};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "open-loop",
    title: "Open loop: Poisson, 4,000/s of 100 µs tasks, from the due time to the task's end",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &Contender::POOLS,
    figures: &[
        Figure::new("p50", "µs"),
        Figure::new("p99", "µs"),
        Figure::new("p99.9", "µs"),
        Figure::new("handed over, p99", "µs"),
    ],
    measure,
};

const PER_SECOND: f64 = 4_000.0;
const WORK: Duration = Duration::from_micros(100);
const SEED: u64 = 0x00ce_401e;
/// What a pool may need for the last tasks once all are submitted.
const LIMIT: Duration = Duration::from_secs(10);

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(
        contender,
        |P| pool::<P>(effort),
        Err("not a pool".to_owned())
    )
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let pool = P::start(Setup::TWO);
    let due = arrivals(PER_SECOND, effort.open_loop, SEED);
    // Leaked, so that tasks carry a plain reference. Zero is a task that has not run.
    let latencies: &'static [AtomicU64] =
        Box::leak(due.iter().map(|_| AtomicU64::new(0)).collect::<Box<[_]>>());
    sleep_exactly();
    // A few tasks beforehand, so that threads are there and have run.
    let mut warmup = Vec::new();
    for _ in 0..20 {
        warmup.push(pool.spawn(|| {
            burn(WORK);
        }));
    }
    let mut kept = Vec::with_capacity(due.len());
    let start = Instant::now() + Duration::from_millis(20);
    let mut handed_over = Samples::with_capacity(due.len());
    for (&due, latency) in due.iter().zip(latencies) {
        let due = start + due;
        wait_until(due);
        let task = move || {
            burn(WORK);
            let nanos = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            // Release pairs with the Acquire load below; it carries nothing else, but orders the
            // value itself.
            latency.store(nanos.max(1), Ordering::Release);
        };
        kept.push(pool.spawn(task));
        handed_over.record(due.elapsed());
    }
    let summary = collect(latencies, Instant::now() + LIMIT)?;
    Ok(vec![
        micros(summary.p50),
        micros(summary.p99),
        micros(summary.p999),
        micros(handed_over.summary().p99),
    ])
}

fn collect(latencies: &[AtomicU64], limit: Instant) -> Result<Summary, String> {
    let mut samples = Samples::with_capacity(latencies.len());
    for (number, latency) in latencies.iter().enumerate() {
        loop {
            match latency.load(Ordering::Acquire) {
                0 if Instant::now() > limit => {
                    return Err(format!("task {number} of {} never ran", latencies.len()));
                }
                0 => sleep_until(Instant::now() + Duration::from_millis(1)),
                nanos => {
                    samples.record(Duration::from_nanos(nanos));
                    break;
                }
            }
        }
    }
    Ok(samples.summary())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_never_ran_is_noticed() {
        let latencies = [AtomicU64::new(5), AtomicU64::new(0)];
        let outcome = collect(&latencies, Instant::now());
        assert!(outcome.expect_err("one never ran").contains("task 1 of 2"));
    }
}
