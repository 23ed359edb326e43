//! `rayon_core::ThreadPool::spawn`, with a channel for the result. (`install`, which blocks for a
//! result by itself, takes several times as long from outside the pool: the caller sleeps at once.)

use super::reply::{Reply, WAITED_FOR};
use super::{Pool, Setup};

/// See the module.
#[derive(Debug)]
pub struct Rayon(rayon_core::ThreadPool);

impl Pool for Rayon {
    fn start(setup: Setup) -> Rayon {
        Rayon(
            rayon_core::ThreadPoolBuilder::new()
                .num_threads(setup.workers)
                .build()
                .expect("rayon starts"),
        )
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.spawn(task);
    }

    fn call<F>(&self, reply: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        reply.spin_for(|to| self.0.spawn(move || to.send(task()).expect(WAITED_FOR)))
    }
}
