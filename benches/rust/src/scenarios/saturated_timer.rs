//! A timer under saturation: when does a timer of 10 ms fire that a task left behind, while its
//! worker has no free moment?
//!
//! Who cares: whoever leaves background work behind (a flush, a heartbeat, a time limit) on workers
//! that may be busy for long: under a stream of tasks it must not starve.
//!
//! The figures: from the moment the timer was made until it fired, over many timers one after the
//! other: median and worst.
//!
//! Excluded: pools whose tasks cannot leave a timer behind; tasks longer than 100 µs, behind which
//! no pool can fire it.
//!
//! Validated: every task ran, every timer fired, and the tasks that saturate the workers did so
//! until it was due: 400 of them use 40 ms of CPU time, 20 ms on each of two workers.

use std::sync::mpsc;
use std::time::Duration;

use super::{Figure, Outcome, Processes, Scenario};
use crate::clock::burn;
use crate::contender::Contender;
use crate::effort::Effort;
use crate::pools::{self, Background, Setup};
use crate::statistics::{Samples, millis};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "saturated-timer",
    title: "A 10 ms timer left behind on workers saturated by 100 µs tasks",
    workers: 2,
    processes: Processes::Several(1),
    contenders: &[
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::LocalPool,
        Contender::AsyncExecutor,
    ],
    figures: &[Figure::new("p50", "ms"), Figure::new("worst", "ms")],
    measure,
};

const DELAY: Duration = Duration::from_millis(10);
const WORK: Duration = Duration::from_micros(100);
const TASKS: usize = 400;
const LIMIT: Duration = Duration::from_secs(10);

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    match contender {
        Contender::Cenote => pool::<pools::Cenote<true>>(effort),
        Contender::CenoteNoSpin => pool::<pools::Cenote<false>>(effort),
        Contender::LocalPool => pool::<pools::LocalPool>(effort),
        Contender::AsyncExecutor => pool::<pools::AsyncExecutor>(effort),
        other => Err(format!("{} leaves no timers behind", other.name())),
    }
}

fn pool<P: Background>(effort: &Effort) -> Outcome {
    let pool = P::start(Setup::TWO);
    let mut samples = Samples::with_capacity(effort.timers);
    for _ in 0..effort.timers {
        let (fire, fired) = mpsc::channel();
        let (run, ran) = mpsc::channel();
        pool.leave_timer(DELAY, move |took| {
            fire.send(took).expect("the caller waits for the timer");
        });
        let mut kept = Vec::with_capacity(TASKS);
        for _ in 0..TASKS {
            let run = run.clone();
            kept.push(pool.spawn(move || {
                burn(WORK);
                run.send(()).expect("the caller waits for all");
            }));
        }
        for task in 0..TASKS {
            ran.recv_timeout(LIMIT)
                .map_err(|_| format!("only {task} of {TASKS} tasks ran"))?;
        }
        let took = fired
            .recv_timeout(LIMIT)
            .map_err(|_| "the timer never fired")?;
        if took < DELAY {
            return Err(format!("a timer of {DELAY:?} fired after {took:?}"));
        }
        samples.record(took);
    }
    let summary = samples.summary();
    Ok(vec![millis(summary.p50), millis(summary.max)])
}
