//! Threads that receive boxed closures from one unbounded `crossfire` channel: the same as with a
//! crossbeam channel, on a channel that async tasks can wait on too. A panic ends a thread.

use std::future::Future;
use std::thread;

use crossfire::oneshot::oneshot;
use crossfire::{MTx, detect_backoff_cfg, mpmc};

use super::{Awaited, Pool, Reply, Setup};

/// Why there is a result.
const SENT: &str = "the task sends its result";

type Job = Box<dyn FnOnce() + Send>;

/// See the module.
#[derive(Debug)]
pub struct Crossfire(MTx<mpmc::List<Job>>);

impl Pool for Crossfire {
    fn start(setup: Setup) -> Crossfire {
        // Its documentation asks for this call in a program's beginning.
        detect_backoff_cfg();
        let (sender, receiver) = mpmc::unbounded_blocking::<Job>();
        for _ in 0..setup.workers {
            let receiver = receiver.clone();
            thread::spawn(move || {
                while let Ok(job) = receiver.recv() {
                    job();
                }
            });
        }
        Crossfire(sender)
    }

    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.send(Box::new(task)).expect("the threads receive");
    }

    /// By its one-shot channel: a crossbeam channel that is made once takes a little longer.
    fn call<F>(&self, _: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (to, result) = oneshot();
        self.spawn(move || to.send(task()));
        result.recv().expect(SENT)
    }
}

impl Awaited for Crossfire {
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (to, result) = oneshot();
        self.spawn(move || to.send(task()));
        async { result.await.expect(SENT) }
    }
}
