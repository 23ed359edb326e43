//! Round trip from an async task: submit a closure from a task on a tokio runtime, and await its
//! result.
//!
//! Who cares: a service on tokio that hands off part of each request. The runtime's own threads
//! must be woken as well.
//!
//! Excluded: a task's own work, other load on the runtime. With two runtime threads and two workers
//! on two CPUs, there are more threads than CPUs, as there are in such a service.
//!
//! Validated: every answer.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::closed_loop::{answer, closed_loop_async, figures};
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::pools::{Awaited, Setup};
use crate::statistics::Summary;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "awaited",
    title: "Round trip from an async task on tokio (`.await`), multi-thread(2) and current-thread runtime",
    workers: 2,
    processes: Processes::Several(3),
    contenders: &[
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::SpawnBlocking,
        Contender::Blocking,
        Contender::Crossbeam,
        Contender::Crossfire,
        Contender::AffinityPool,
    ],
    figures: &[
        Figure::new("multi p50", "µs"),
        Figure::new("multi p99", "µs"),
        Figure::new("current p50", "µs"),
        Figure::new("current p99", "µs"),
    ],
    measure,
};

/// Calls a function that is generic over the pool, for a pool whose results can be awaited.
macro_rules! for_awaited {
    ($contender:expr, |$pool:ident| $body:expr) => {{
        use $crate::contender::Contender;
        use $crate::pools;
        match $contender {
            Contender::Cenote => {
                type $pool = pools::Cenote<true>;
                $body
            }
            Contender::CenoteNoSpin => {
                type $pool = pools::Cenote<false>;
                $body
            }
            Contender::SpawnBlocking => {
                type $pool = pools::SpawnBlocking;
                $body
            }
            Contender::Blocking => {
                type $pool = pools::Blocking;
                $body
            }
            Contender::Crossbeam => {
                type $pool = pools::Crossbeam;
                $body
            }
            Contender::Crossfire => {
                type $pool = pools::Crossfire;
                $body
            }
            Contender::AffinityPool => {
                type $pool = pools::AffinityPool;
                $body
            }
            other => Err(format!("{} is not awaited", other.name())),
        }
    }};
}
pub(super) use for_awaited;

fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_awaited!(contender, |P| both::<P>(effort))
}

fn both<P: Awaited>(effort: &Effort) -> Outcome {
    let mut multi = on::<P>(Builder::new_multi_thread().worker_threads(2), effort)?;
    let current = on::<P>(&mut Builder::new_current_thread(), effort)?;
    multi.extend(current);
    Ok(multi)
}

fn on<P: Awaited>(builder: &mut Builder, effort: &Effort) -> Outcome {
    let runtime: Runtime = builder
        .max_blocking_threads(Setup::TWO.workers)
        .build()
        .expect("tokio starts");
    let pool = Arc::new(P::start(Setup::TWO));
    let effort = *effort;
    // `pool` stays here as well: some pools may not end on a thread that runs async tasks.
    // Spawned, so that it runs on the runtime's threads as any request does, and not in `block_on`.
    let task = runtime.spawn(trips(Arc::clone(&pool), effort));
    let summary = runtime
        .block_on(task)
        .map_err(|error| error.to_string())??;
    Ok(figures(summary))
}

async fn trips<P: Awaited>(pool: Arc<P>, effort: Effort) -> Result<Summary, String> {
    closed_loop_async(effort, |number| pool.call_async(move || answer(number))).await
}
