//! Allocations: how often a task asks the allocator for memory.
//!
//! Who cares: whoever has a slow or contended allocator, or counts cycles; every allocation is two calls and often a
//! cache miss on another CPU.
//!
//! The figures: allocations per task, over all threads of the process, for a round trip with a result, and for a task
//! whose result nobody wants (a hundred at a time, so that queues keep their size).
//!
//! Excluded: the start of the pool, and the first tasks, which make what is used again later.
//!
//! Validated: every answer; and that the counter counts at all.

use std::hint::black_box;
use std::sync::mpsc;
use std::time::Duration;

use super::closed_loop::answer;
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::counting::allocations;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Reply, Setup};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "allocations",
    title: "Allocations a task",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &Contender::POOLS,
    figures: &[
        Figure::new("with result", "per task"),
        Figure::new("detached", "per task"),
    ],
    measure,
};

/// Detached tasks that are queued at once.
const BATCH: usize = 100;
const LIMIT: Duration = Duration::from_secs(10);

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(
        contender,
        |P| pool::<P>(effort),
        Err("not a pool".to_owned())
    )
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let before = allocations();
    drop(black_box(Box::new(0_u64)));
    if allocations() == before {
        return Err("this program does not count its allocations".to_owned());
    }
    let pool = P::start(Setup::TWO);
    let with_result = counted(effort.allocation_tasks, |tasks| round_trips(&pool, tasks))?;
    let detached = counted(effort.allocation_tasks, |tasks| batches(&pool, tasks))?;
    Ok(vec![with_result, detached])
}

/// Allocations per task of `run`, the second time: the first makes what is used again.
fn counted(tasks: usize, run: impl Fn(usize) -> Result<(), String>) -> Result<f64, String> {
    run(tasks / 10)?;
    let before = allocations();
    run(tasks)?;
    Ok((allocations() - before) as f64 / tasks as f64)
}

fn round_trips<P: Pool>(pool: &P, tasks: usize) -> Result<(), String> {
    let reply = Reply::default();
    for number in 0..tasks as u64 {
        if pool.call(&reply, move || answer(number)) != answer(number) {
            return Err(format!("a wrong answer to {number}"));
        }
    }
    Ok(())
}

fn batches<P: Pool>(pool: &P, tasks: usize) -> Result<(), String> {
    // Bounded, so that it holds its memory from the start.
    let (done, finished) = mpsc::sync_channel(BATCH);
    for _ in 0..tasks / BATCH {
        for _ in 0..BATCH {
            let done = done.clone();
            pool.spawn(move || done.send(()).expect("the caller waits for all"));
        }
        for _ in 0..BATCH {
            finished
                .recv_timeout(LIMIT)
                .map_err(|_| "a task never ran")?;
        }
    }
    Ok(())
}
