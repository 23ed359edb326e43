//! `async_executor::Executor`, run by plain threads. Its timers are `async_io`'s, which a thread of
//! that crate drives.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_executor::Executor;
use futures_lite::future::block_on;
use tokio_util::sync::CancellationToken;

use super::{Background, Pool, Reply, Setup, Ticker};

/// See the module.
#[derive(Debug)]
pub struct AsyncExecutor {
    executor: Arc<Executor<'static>>,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for AsyncExecutor {
    fn start(setup: Setup) -> AsyncExecutor {
        let executor = Arc::new(Executor::new());
        let stop = CancellationToken::new();
        let threads = (0..setup.workers)
            .map(|_| {
                let (executor, stop) = (Arc::clone(&executor), stop.clone());
                thread::spawn(move || block_on(executor.run(stop.cancelled())))
            })
            .collect();
        AsyncExecutor {
            executor,
            stop,
            threads,
        }
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.executor.spawn(async { task() }).detach();
    }

    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        block_on(self.executor.spawn(async { task() }))
    }
}

impl Background for AsyncExecutor {
    /// As many loops as there are workers; which worker runs one, the executor decides at every
    /// tick.
    fn leave_ticking(&self, workers: usize, period: Duration, ticker: &'static Ticker) {
        for _ in 0..workers {
            self.executor
                .spawn(async move {
                    loop {
                        async_io::Timer::after(period).await;
                        if !ticker.tick() {
                            break;
                        }
                    }
                })
                .detach();
        }
    }

    fn leave_timer<F>(&self, delay: Duration, fired: F)
    where
        F: FnOnce(Duration) + Send + 'static,
    {
        let executor = Arc::clone(&self.executor);
        self.spawn(move || {
            let start = Instant::now();
            executor
                .spawn(async move {
                    async_io::Timer::after(delay).await;
                    fired(start.elapsed());
                })
                .detach();
        });
    }
}

impl Drop for AsyncExecutor {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // A thread whose task panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}
