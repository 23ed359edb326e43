//! What a pool was built with, in the form the workers use it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::worker::WorkerInfo;
use crate::worker::state::WorkerState;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type Init = dyn Fn(&WorkerInfo) -> Result<WorkerState, BoxError> + Send + Sync;
pub(crate) type Hook = dyn Fn(&WorkerInfo) + Send + Sync;
pub(crate) type NameFn = dyn Fn(usize) -> String + Send + Sync;

/// See [`Builder`](crate::Builder) for what each means.
pub(crate) struct Config {
    pub(crate) min_threads: usize,
    pub(crate) max_threads: usize,
    pub(crate) name: Arc<NameFn>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) on_start: Option<Arc<Hook>>,
    pub(crate) on_stop: Option<Arc<Hook>>,
    pub(crate) max_spin: Duration,
    pub(crate) spin_under_pressure: bool,
    pub(crate) turn_budget_nanos: u64,
    pub(crate) concurrency: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) grow_after: Duration,
    pub(crate) eager_runtime: bool,
    pub(crate) max_blocking_threads: usize,
    pub(crate) init: Option<Arc<Init>>,
    pub(crate) init_retries: u32,
}

impl Config {
    /// The user's functions, to be dropped.
    pub(crate) fn take_functions(&mut self) -> impl Sized + use<> {
        let name = std::mem::replace(&mut self.name, Arc::new(|_| String::new()));
        let hooks = (self.on_start.take(), self.on_stop.take());
        (name, hooks, self.init.take())
    }

    pub(crate) fn thread_name(&self, index: usize) -> String {
        (self.name)(index)
    }

    /// The first thing on a new worker thread.
    pub(crate) fn prepare_thread(&self, info: &WorkerInfo) {
        if let Some(hook) = &self.on_start {
            hook(info);
        }
    }

    /// The last thing on a worker thread that had started.
    pub(crate) fn thread_stopped(&self, info: &WorkerInfo) {
        if let Some(hook) = &self.on_stop {
            hook(info);
        }
    }
}
