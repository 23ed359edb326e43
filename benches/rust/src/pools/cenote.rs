//! `cenote::Pool`: a closure and its join handle.

use std::future::Future;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::{Awaited, Background, Pool, Reply, Setup, Ticker};

/// See the module. With `SPIN` as it comes, without it `max_spin` is zero.
pub struct Cenote<const SPIN: bool>(cenote::Pool);

/// Why a task is accepted: no scenario fills the queue it asked for.
const ACCEPTED: &str = "the queue has room";
/// Why there is a result.
const RAN: &str = "the task neither panics nor is cancelled";

impl<const SPIN: bool> Pool for Cenote<SPIN> {
    fn start(setup: Setup) -> Self {
        let mut builder = cenote::Pool::builder().threads(setup.workers);
        if let Some(limit) = setup.queue_limit {
            builder = builder.queue_limit(limit);
        }
        if !SPIN {
            builder = builder.max_spin(Duration::ZERO);
        }
        Cenote(builder.build().expect("cenote starts"))
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.try_spawn(task).expect(ACCEPTED).detach();
    }

    fn spawn_batch<F>(&self, tasks: impl ExactSizeIterator<Item = F>) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.try_spawn_batch(tasks).expect(ACCEPTED).detach();
    }

    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.try_spawn(task).expect(ACCEPTED).join().expect(RAN)
    }
}

impl<const SPIN: bool> Awaited for Cenote<SPIN> {
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let result = self.0.run(task);
        async { result.await.expect(RAN) }
    }
}

impl<const SPIN: bool> Background for Cenote<SPIN> {
    fn leave_ticking(&self, workers: usize, period: Duration, ticker: &'static Ticker) {
        // Tasks that wait for each other run on as many workers, and each leaves its loop on its
        // own.
        let together = Arc::new(Barrier::new(workers));
        let started: Vec<_> = (0..workers)
            .map(|_| {
                let together = Arc::clone(&together);
                let task = move || {
                    together.wait();
                    cenote::spawn_background(|| async move {
                        let mut interval = tokio::time::interval(period);
                        loop {
                            interval.tick().await;
                            if !ticker.tick() {
                                break;
                            }
                        }
                    });
                };
                self.0.try_spawn(task).expect(ACCEPTED)
            })
            .collect();
        for task in started {
            task.join().expect(RAN);
        }
    }

    fn leave_timer<F>(&self, delay: Duration, fired: F)
    where
        F: FnOnce(Duration) + Send + 'static,
    {
        self.spawn(move || {
            let start = Instant::now();
            cenote::spawn_background(|| async move {
                tokio::time::sleep(delay).await;
                fired(start.elapsed());
            });
        });
    }
}
