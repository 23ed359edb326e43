//! Idle: what a pool costs that has run tasks and has none now.
//!
//! Who cares: whoever pays by the CPU second, or wants a machine to sleep.
//!
//! The figure: CPU time of the process per second while its main thread sleeps.
//!
//! Excluded: the half second after the last task, in which a pool may wind down.
//!
//! Validated: the tasks beforehand have all answered.

use std::thread;
use std::time::Instant;

use super::closed_loop::{answer, closed_loop};
use super::{Figure, Outcome, Processes, Scenario};
use crate::clock::process_cpu;
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Reply, Setup};
use crate::statistics::millis;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "idle",
    title: "Idle: CPU of a pool that has run tasks",
    workers: 2,
    processes: Processes::AtOnce,
    contenders: &Contender::POOLS,
    figures: &[Figure::new("CPU", "ms/s")],
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
    let pool = P::start(Setup::TWO);
    let reply = Reply::default();
    closed_loop(effort, |number| pool.call(&reply, move || answer(number)))?;
    thread::sleep(effort.settle);
    let (start, before) = (Instant::now(), process_cpu());
    thread::sleep(effort.idle);
    let (cpu, elapsed) = (process_cpu() - before, start.elapsed());
    Ok(vec![millis(cpu) / elapsed.as_secs_f64()])
}
