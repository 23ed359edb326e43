//! `threadpool::ThreadPool::execute`, with a channel of std's for the result: waiting on one that
//! spins takes longer.

use super::reply::{Reply, WAITED_FOR};
use super::{Pool, Setup};

/// See the module.
#[derive(Debug)]
pub struct Threadpool(threadpool::ThreadPool);

impl Pool for Threadpool {
    fn start(setup: Setup) -> Threadpool {
        Threadpool(threadpool::ThreadPool::new(setup.workers))
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
        reply.sleep_for(|to| self.0.execute(move || to.send(task()).expect(WAITED_FOR)))
    }
}
