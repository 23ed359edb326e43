//! The round trip while every worker has a timer loop of 5 ms in the background.
//!
//! Who cares: whoever leaves background work on workers (a heartbeat, a batch that is flushed, a
//! connection that is kept alive) and does not want to pay for it with every task.
//!
//! Excluded: what the background work does: a tick adds one. Pools that cannot leave a timer on a
//! worker.
//!
//! Validated: every answer, and that the loops went on: at least half the ticks that fit into the
//! time.

use std::time::{Duration, Instant};

use super::closed_loop::{answer, closed_loop, figures};
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::pools::{self, Background, Reply, Setup, Ticker};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "roundtrip-timers",
    title: "The same while a 5 ms timer loop lives on each worker",
    workers: 2,
    processes: Processes::Several(3),
    contenders: &[
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::LocalPool,
        Contender::AsyncExecutor,
    ],
    figures: &[Figure::new("p50", "µs"), Figure::new("p99", "µs")],
    measure,
};

const PERIOD: Duration = Duration::from_millis(5);

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
    let ticker: &'static Ticker = Box::leak(Box::default());
    pool.leave_ticking(Setup::TWO.workers, PERIOD, ticker);
    let reply = Reply::default();
    let (start, before) = (Instant::now(), ticker.ticks());
    let summary = closed_loop(effort, |number| pool.call(&reply, move || answer(number)))?;
    let (elapsed, ticks) = (start.elapsed(), ticker.ticks() - before);
    ticker.stop();
    let due = elapsed.as_secs_f64() / PERIOD.as_secs_f64() * Setup::TWO.workers as f64;
    // Fewer than ten are too few to tell a late one from a missing one.
    if due >= 10.0 && (ticks as f64) < due / 2.0 {
        return Err(format!(
            "{ticks} ticks in {elapsed:?}, where {due:.0} were due"
        ));
    }
    Ok(figures(summary))
}
