//! `spawn_blocking` of a tokio runtime with a bounded number of blocking threads.

use std::future::Future;

use futures_lite::future::block_on;
use tokio::runtime::{Builder, Runtime};

use super::{Awaited, Pool, Reply, Setup};

/// See the module. The runtime has no other threads: nothing but blocking tasks runs on it.
#[derive(Debug)]
pub struct SpawnBlocking(Runtime);

impl Pool for SpawnBlocking {
    fn start(setup: Setup) -> SpawnBlocking {
        SpawnBlocking(
            Builder::new_current_thread()
                .max_blocking_threads(setup.workers)
                .build()
                .expect("tokio starts"),
        )
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.spawn_blocking(task);
    }

    /// By a plain `block_on`: `Handle::block_on` takes several times as long.
    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        block_on(self.0.spawn_blocking(task)).expect("the task does not panic")
    }
}

impl Awaited for SpawnBlocking {
    /// On the blocking threads of the runtime that the caller runs on, as a service would.
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let result = tokio::task::spawn_blocking(task);
        async { result.await.expect("the task does not panic") }
    }
}
