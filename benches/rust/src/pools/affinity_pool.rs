//! `affinitypool::Threadpool`: a queue in shards, one future a task. It cancels a task whose future
//! is dropped, and cannot detach one.

use std::future::Future;

use super::reply::{Reply, WAITED_FOR};
use super::{Awaited, Pool, Setup};

/// See the module.
pub struct AffinityPool(affinitypool::Threadpool);

impl Pool for AffinityPool {
    fn start(setup: Setup) -> AffinityPool {
        AffinityPool(affinitypool::Threadpool::new(setup.workers))
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.spawn(task)
    }

    /// By a channel whose receiver spins first: `block_on` of the task's own future takes several
    /// times as long, since the caller sleeps at once.
    fn call<F>(&self, reply: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let mut kept = None;
        reply.spin_for(|to| {
            kept = Some(self.spawn(move || to.send(task()).expect(WAITED_FOR)));
        })
    }
}

impl Awaited for AffinityPool {
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.spawn(task)
    }
}
