//! `blocking::unblock`: one pool for the whole process, whose size is set by an environment
//! variable.

use std::future::Future;

use futures_lite::future::block_on;

use super::{Awaited, Pool, Reply, Setup};

/// Where `blocking` reads, once, how many threads it may have. Whoever starts a process that
/// measures must set it to the number of workers: [`crate::child`] does.
pub const THREAD_LIMIT_VARIABLE: &str = "BLOCKING_MAX_THREADS";

/// See the module.
#[derive(Debug)]
pub struct Blocking;

impl Pool for Blocking {
    fn start(_: Setup) -> Blocking {
        Blocking
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        blocking::unblock(task).detach();
    }

    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        block_on(blocking::unblock(task))
    }
}

impl Awaited for Blocking {
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        blocking::unblock(task)
    }
}
