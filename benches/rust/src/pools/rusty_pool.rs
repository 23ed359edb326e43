//! `rusty_pool::ThreadPool::execute`, with a channel for the result. (`evaluate` returns a handle,
//! but waiting on it takes several times as long: the caller sleeps at once.)

use std::time::Duration;

use super::reply::{Reply, WAITED_FOR};
use super::{Pool, Setup};

/// rusty_pool's own default.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// See the module.
pub struct RustyPool(rusty_pool::ThreadPool);

impl Pool for RustyPool {
    fn start(setup: Setup) -> RustyPool {
        RustyPool(rusty_pool::ThreadPool::new(
            setup.workers,
            setup.workers,
            KEEP_ALIVE,
        ))
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.execute(task);
    }

    fn call<F>(&self, reply: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        reply.spin_for(|to| self.0.execute(move || to.send(task()).expect(WAITED_FOR)))
    }
}
