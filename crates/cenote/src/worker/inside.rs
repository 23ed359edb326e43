//! The engine's loop inside of a task: the thread works as ever, until what the task waits for is
//! there.

use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant};

use tokio::runtime::EnterGuard;

use super::run::Thread;
use crate::engine::Engine;
use crate::engine::queue::dispatch::Wake as Sent;
use crate::engine::step::{Host, Runs};
use crate::pool::shared::Shared;
use crate::task::cell::TaskRef;

/// Sends a worker to look.
pub(super) struct Kick {
    shared: Arc<Shared>,
    seat: usize,
}

impl Kick {
    pub(super) fn new(shared: &Arc<Shared>, seat: usize) -> Self {
        Kick {
            shared: Arc::clone(shared),
            seat,
        }
    }
}

impl Wake for Kick {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let engine = &self.shared.engine;
        engine.wake(Sent(engine.dispatch.roster().kick_worker(self.seat)));
    }
}

/// The loop inside of a task.
pub(super) struct Inside<'a> {
    pub(super) thread: &'a Thread<'a>,
    pub(super) is_over: &'a dyn Fn() -> bool,
}

impl Host for Inside<'_> {
    type Context<'a>
        = EnterGuard<'a>
    where
        Self: 'a;

    fn engine(&self) -> &Engine {
        self.thread.engine()
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        self.thread.enter()
    }

    fn leaves(&self) -> bool {
        (self.is_over)()
    }

    fn execute(&self, task: TaskRef, runs: Runs) {
        self.thread.execute(task, runs);
    }

    fn after_task(&self) {
        self.thread.after_task();
    }

    /// Always: what is waited for may be a future that nobody else has a place for.
    fn has_place(&self) -> bool {
        true
    }

    fn is_shared(&self) -> bool {
        self.thread.is_shared()
    }

    fn may_exit(&self) -> bool {
        (self.is_over)()
    }

    fn may_retire(&self) -> bool {
        false
    }

    fn found_nothing(&self) {
        self.thread.found_nothing();
    }

    fn sleep_in_driver(&self) {
        self.thread.sleep_in_driver();
    }

    fn slept(&self) {
        self.thread.slept();
    }

    fn idle_timeout(&self) -> Duration {
        self.thread.idle_timeout()
    }

    fn has_leftovers(&self) -> bool {
        self.thread.has_leftovers()
    }

    fn clear_leftovers(&self) {
        self.thread.clear_leftovers();
    }

    fn deadline(&self, after: Duration) -> Option<Instant> {
        self.thread.deadline(after)
    }
}
