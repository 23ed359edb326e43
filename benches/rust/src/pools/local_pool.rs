//! `tokio_util::task::LocalPoolHandle`: each worker is a tokio runtime, and a task is a future made
//! there.

use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tokio_util::task::LocalPoolHandle;

use super::{Background, Pool, Reply, Setup, Ticker};

/// See the module.
#[derive(Debug)]
pub struct LocalPool(LocalPoolHandle);

impl Pool for LocalPool {
    fn start(setup: Setup) -> LocalPool {
        LocalPool(LocalPoolHandle::new(setup.workers))
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.spawn_pinned(|| async { task() });
    }

    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        block_on(self.0.spawn_pinned(|| async { task() })).expect("the task does not panic")
    }
}

impl Background for LocalPool {
    fn leave_ticking(&self, workers: usize, period: Duration, ticker: &'static Ticker) {
        for worker in 0..workers {
            let started = self.0.spawn_pinned_by_idx(
                move || async move {
                    tokio::task::spawn_local(async move {
                        let mut interval = tokio::time::interval(period);
                        loop {
                            interval.tick().await;
                            if !ticker.tick() {
                                break;
                            }
                        }
                    });
                },
                worker,
            );
            block_on(started).expect("the task does not panic");
        }
    }

    fn leave_timer<F>(&self, delay: Duration, fired: F)
    where
        F: FnOnce(Duration) + Send + 'static,
    {
        self.0.spawn_pinned(move || async move {
            let start = Instant::now();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(delay).await;
                fired(start.elapsed());
            });
        });
    }
}
