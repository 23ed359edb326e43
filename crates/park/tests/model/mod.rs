//! What the models share: the checker's bounds, and an event loop that can be rung.

#![allow(dead_code, reason = "every model uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use cenote_park::Driver;
use loom::sync::{Condvar, Mutex};

/// Explores every interleaving with at most three preemptions (`LOOM_MAX_PREEMPTIONS` overrides).
/// A lost wake is a deadlock, which the checker reports.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

/// An event loop reduced to what matters here: a ring makes the wait under way, or the next,
/// return.
#[derive(Clone, Default)]
pub(crate) struct EventLoop(Arc<(Mutex<bool>, Condvar)>);

impl EventLoop {
    /// Sleeps until rung, and forgets the ring.
    pub(crate) fn wait(&self) {
        let (rung, changed) = &*self.0;
        let mut rung = rung.lock().unwrap();
        while !*rung {
            rung = changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Driver for EventLoop {
    fn ring(&self) {
        let (rung, changed) = &*self.0;
        *rung.lock().unwrap() = true;
        changed.notify_one();
    }
}
