//! A random task, and how it is submitted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cenote::{CancellationToken, JoinHandle, Priority, SpawnError};

use super::random::{Random, busy};
use super::{Run, Tracked};

/// Submits a random task. `None`: it was refused, and its closure is gone.
pub(crate) fn submit(run: &Arc<Run>, random: &mut Random) -> Option<JoinHandle<u64>> {
    let lane = &run.lanes[[0, 0, 1, 2][random.below(4) as usize]];
    let mut task = lane.task();
    task =
        task.priority([Priority::High, Priority::Normal, Priority::Low][random.below(3) as usize]);
    if random.one_in(8) {
        task = task.queue_timeout(Duration::from_micros(random.below(400)));
    }
    if random.one_in(8) {
        task = task.timeout(Duration::from_micros(random.below(2_000)));
    }
    let token = random.one_in(8).then(CancellationToken::new);
    if let Some(token) = &token {
        task = task.cancel_on(&token.child_token());
    }
    let tracked = Tracked(Arc::clone(&run.dropped));
    let (bodies, progress) = (Arc::clone(&run.bodies), Arc::clone(&run.progress));
    let ran = move || {
        bodies.fetch_add(1, Ordering::Relaxed);
        progress.fetch_add(1, Ordering::Relaxed);
    };
    let times = if random.one_in(10) {
        20_000
    } else {
        random.below(200)
    };
    let blocks = random.one_in(2);
    let handle = match random.below(10) {
        0..5 => {
            let work = move || {
                let _tracked = tracked;
                ran();
                busy(times);
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
        5 => {
            let work = move || {
                let _tracked = tracked;
                ran();
                cenote::with_state(|state: &mut u64| *state += 1);
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
        6..8 => {
            let work = move || async move {
                let _tracked = tracked;
                ran();
                for _ in 0..times % 4 {
                    tokio::task::yield_now().await;
                }
                if times % 7 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn_local(work)
                } else {
                    task.try_spawn_local(work)
                },
            )
        }
        8 => {
            // Leaves something behind.
            let work = move || {
                ran();
                cenote::spawn_background(|| async move {
                    let _tracked = tracked;
                    tokio::time::sleep(Duration::from_micros(times)).await;
                });
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
        _ => {
            // Waits for another one from inside.
            let on = Arc::clone(run);
            let work = move || {
                let _tracked = tracked;
                ran();
                let inner = Tracked(Arc::clone(&on.dropped));
                let bodies = Arc::clone(&on.bodies);
                let nested = on.lanes[0].try_spawn(move || {
                    let _inner = inner;
                    bodies.fetch_add(1, Ordering::Relaxed);
                    busy(times);
                    7
                });
                let nested = accepted(&on, nested);
                nested.map_or(7, |nested| nested.join().unwrap())
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
    };
    if let Some(token) = token
        && random.one_in(2)
    {
        busy(random.below(500));
        token.cancel();
    }
    handle
}

/// Counts a task that was accepted.
pub(crate) fn accepted<T, F>(
    run: &Run,
    spawned: Result<JoinHandle<T>, SpawnError<F>>,
) -> Option<JoinHandle<T>> {
    match spawned {
        Ok(handle) => {
            run.accepted.fetch_add(1, Ordering::Relaxed);
            Some(handle)
        }
        Err(refused) => {
            // Closed only for tasks that spawn while the load is over.
            assert!(
                refused.is_full() || run.pool.is_closed(),
                "{}",
                refused.code()
            );
            // What it had captured was never accepted.
            drop(refused.into_inner());
            run.dropped.fetch_sub(1, Ordering::Relaxed);
            None
        }
    }
}
