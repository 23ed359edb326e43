//! Allocations: how often a task asks the allocator for memory.
//!
//! Who cares: whoever has a slow or contended allocator, or counts cycles; every allocation is two
//! calls and often a cache miss on another CPU.
//!
//! The figures: allocations per task, over all threads of the process, for a round trip with a
//! result, and for a task whose result nobody wants; the median over batches of a hundred tasks.
//!
//! Excluded: the start of the pool, the first tasks, and whatever else is made once and used again.
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
use crate::statistics::Spread;

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

/// Tasks over which allocations are counted at a time; as many detached ones are queued at once.
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
    let reply = Reply::default();
    let with_result = counted(effort.allocation_tasks, || round_trips(&pool, &reply))?;
    let ends = mpsc::sync_channel(BATCH);
    let detached = counted(effort.allocation_tasks, || batch(&pool, &ends))?;
    Ok(vec![with_result, detached])
}

/// Allocations per task: the median over batches, so that what is made once does not count, and
/// what is made every few dozen tasks (a queue's next block) does.
fn counted(tasks: usize, run: impl Fn() -> Result<(), String>) -> Result<f64, String> {
    let batches = tasks / BATCH;
    for _ in 0..batches / 10 {
        run()?;
    }
    let mut counts = Vec::with_capacity(batches);
    for _ in 0..batches {
        let before = allocations();
        run()?;
        counts.push((allocations() - before) as f64 / BATCH as f64);
    }
    let spread = Spread::of(&counts).ok_or("too few tasks for a batch")?;
    Ok(spread.median)
}

fn round_trips<P: Pool>(pool: &P, reply: &Reply) -> Result<(), String> {
    for number in 0..BATCH as u64 {
        if pool.call(reply, move || answer(number)) != answer(number) {
            return Err(format!("a wrong answer to {number}"));
        }
    }
    Ok(())
}

/// A channel for the ends of a batch. Bounded, so that it holds its memory from the start.
type Ends = (mpsc::SyncSender<()>, mpsc::Receiver<()>);

fn batch<P: Pool>(pool: &P, (done, finished): &Ends) -> Result<(), String> {
    let mut kept = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let done = done.clone();
        kept.push(pool.spawn(move || done.send(()).expect("the caller waits for all")));
    }
    for _ in 0..BATCH {
        finished
            .recv_timeout(LIMIT)
            .map_err(|_| "a task never ran")?;
    }
    Ok(())
}
