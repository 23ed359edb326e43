//! Threads that receive boxed closures from one unbounded `crossbeam_channel`: the pool that one
//! writes oneself in twenty lines. A panic ends a thread; nothing is bounded, named or counted.

use std::future::Future;
use std::thread;

use super::reply::{Reply, WAITED_FOR};
use super::{Awaited, Pool, Setup};

type Job = Box<dyn FnOnce() + Send>;

/// See the module.
#[derive(Debug)]
pub struct Crossbeam(crossbeam_channel::Sender<Job>);

impl Pool for Crossbeam {
    fn start(setup: Setup) -> Crossbeam {
        let (sender, receiver) = crossbeam_channel::unbounded::<Job>();
        for _ in 0..setup.workers {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.iter().for_each(|job| job()));
        }
        Crossbeam(sender)
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.send(Box::new(task)).expect("the threads receive");
    }

    fn call<F>(&self, reply: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        reply.spin_for(|to| {
            self.spawn(move || to.send(task()).expect(WAITED_FOR));
        })
    }
}

impl Awaited for Crossbeam {
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (to, result) = tokio::sync::oneshot::channel();
        self.spawn(move || to.send(task()).expect(WAITED_FOR));
        async { result.await.expect("the task sends its result") }
    }
}
