//! Memory: what an idle worker keeps in RAM.
//!
//! Who cares: whoever sizes a pool for blocking work, with dozens of threads.
//!
//! The figure: growth of the process's resident memory over a pool of 64 workers, each of which has
//! run one task, per worker: thread stack and thread-local memory as touched, allocator arena, the
//! pool's own structures. What a pool needs once is spread over the 64.
//!
//! Excluded: memory that is reserved and untouched (a thread's stack is 2 MiB of addresses).
//!
//! Validated: the tasks wait for each other, so 64 of them run only if there are 64 workers.

use std::thread;

use super::every_worker::every_worker;
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::machine::resident_kib;
use crate::pools::{Pool, Setup};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "memory",
    title: "Memory of an idle worker, in a pool of 64 that each ran one task",
    workers: 64,
    processes: Processes::AtOnce,
    contenders: &Contender::POOLS,
    figures: &[Figure::new("RSS", "KiB/worker")],
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
    let resident = || resident_kib().ok_or("this system does not say how much memory is resident");
    let workers = effort.idle_workers;
    // Once beforehand, so that reading it has made the memory that it needs.
    resident()?;
    let before = resident()?;
    let pool = P::start(Setup {
        workers,
        queue_limit: None,
    });
    every_worker(&pool, workers)?;
    // Workers put away what they ran and go to sleep; nothing tells from outside when they have.
    thread::sleep(effort.settle);
    Ok(vec![(resident()? - before) / workers as f64])
}
