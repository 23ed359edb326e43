//! Trickle: one task of 1 ms every 10 ms, and nothing else.
//!
//! Who cares: a service with little to do on a machine that it shares, or that is billed by the CPU
//! second. A pool that spins between tasks shows here.
//!
//! The figures: CPU time of the whole process, less what the tasks themselves used, per second; and
//! the median of a round trip less the task's own time, from a pool that has been idle for 9 ms.
//!
//! Excluded: nothing of the process. The caller's own sleeping and waiting is in all figures alike.
//!
//! Validated: every answer; every task reports how much CPU time it used.

use std::time::{Duration, Instant};

use super::closed_loop::answer;
use super::{Figure, Outcome, Processes, Scenario};
use crate::clock::{burn, process_cpu, sleep_exactly, sleep_until};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Reply, Setup};
use crate::statistics::{Samples, micros, millis};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "trickle",
    title: "Trickle: one 1 ms task per 10 ms; CPU above the work itself",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &Contender::POOLS,
    figures: &[Figure::new("CPU", "ms/s"), Figure::new("hop p50", "µs")],
    measure,
};

const WORK: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_millis(10);

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
    // A task says in one number what CPU time it used and how long it took, both in nanoseconds.
    let call = || {
        let start = Instant::now();
        let packed = pool.call(&reply, || {
            let start = Instant::now();
            let used = burn(WORK);
            (used.as_nanos() as u64) << 32 | start.elapsed().as_nanos() as u64 & 0xffff_ffff
        });
        let hop = start
            .elapsed()
            .saturating_sub(Duration::from_nanos(packed & 0xffff_ffff));
        (Duration::from_nanos(packed >> 32), hop)
    };
    if pool.call(&reply, || answer(1)) != answer(1) {
        return Err("a wrong answer".to_owned());
    }
    for _ in 0..5 {
        call();
    }

    sleep_exactly();
    let tasks = effort.trickle.div_duration_f64(PERIOD) as u32;
    let mut hops = Samples::with_capacity(tasks as usize);
    let mut work = Duration::ZERO;
    let (start, before) = (Instant::now(), process_cpu());
    for task in 0..tasks {
        sleep_until(start + PERIOD * task);
        let (used, hop) = call();
        if used < WORK {
            return Err(format!("a task of {WORK:?} used only {used:?}"));
        }
        work += used;
        hops.record(hop);
    }
    sleep_until(start + PERIOD * tasks);
    let (cpu, elapsed) = (process_cpu() - before, start.elapsed());
    let above = cpu.saturating_sub(work);
    Ok(vec![
        millis(above) / elapsed.as_secs_f64(),
        micros(hops.summary().p50),
    ])
}
