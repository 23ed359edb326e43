//! Has every worker of a pool run a task, so that all threads are there and have done something.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use crate::pools::Pool;

/// How long it may take until all workers run a task.
const LIMIT: Duration = Duration::from_secs(10);

/// Returns when each of `workers` workers has run a task. The tasks wait for each other, so as many
/// of them run only if there are as many workers.
pub(super) fn every_worker<P: Pool>(pool: &P, workers: usize) -> Result<(), String> {
    let together = Arc::new(Barrier::new(workers));
    let (done, finished) = mpsc::channel();
    let mut kept = Vec::with_capacity(workers);
    for _ in 0..workers {
        let (together, done) = (Arc::clone(&together), done.clone());
        kept.push(pool.spawn(move || {
            together.wait();
            done.send(()).expect("the caller waits for all");
        }));
    }
    for worker in 0..workers {
        finished
            .recv_timeout(LIMIT)
            .map_err(|_| format!("only {worker} of {workers} workers ran a task"))?;
    }
    Ok(())
}
