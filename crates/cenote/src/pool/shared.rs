//! What a pool's handles and workers share: the engine, and around it names, settings, figures,
//! the seats' slots, tokens.
//!
//! Handles and workers keep it alive; it keeps nobody alive. Timers hold it weakly.

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crossbeam_utils::CachePadded;
use tokio_util::sync::CancellationToken;

use super::config::{BoxError, Config};
use crate::engine::life::Phase;
use crate::engine::queue::chain::Chain;
use crate::engine::queue::gate::Refused;
use crate::engine::queue::lane::LaneQueue;
use crate::engine::{Accepted, Engine, Support};
use crate::integrations::tracing::event;
use crate::os::fork;
use crate::stats::SharedOutcomes;
use crate::task::boundary;
use crate::task::cell::TaskRef;
use crate::task::error::panic_message;
use crate::task::home::{self, Home};
use crate::task::outcome::Outcome;
use crate::timer;
use crate::worker;
use crate::worker::slot::Slot;
use crate::worker::threads::Threads;

/// See the module.
#[repr(C)]
pub(crate) struct Shared {
    /// Keeps the reference count, which lies before it, off the cache line of what every task
    /// reads.
    _apart: CachePadded<()>,
    /// The pool's number in this process.
    pub(crate) id: u32,
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) lanes: Box<[LaneInfo]>,
    slots: Box<[Slot]>,
    pub(crate) threads: Threads,
    pub(crate) spawn_failures: AtomicU64,
    pub(crate) init_failures: AtomicU64,
    last_failure: Mutex<Option<InitFailure>>,
    shutdown: CancellationToken,
    /// The fork generation the threads belong to.
    pub(crate) fork: u32,
}

/// What is known of a lane beyond its queue.
pub(crate) struct LaneInfo {
    pub(crate) name: String,
    /// Tasks that were settled by no worker.
    pub(crate) outcomes: SharedOutcomes,
}

/// Why a worker could not start.
#[derive(Clone)]
pub(crate) struct InitFailure {
    /// Made once, behind the boundary: what shows an error is the user's code.
    text: Arc<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl InitFailure {
    /// One of the user's functions panicked.
    pub(crate) fn panic(function: &'static str, payload: &(dyn Any + Send)) -> Self {
        let message = panic_message(payload).unwrap_or("a payload that is no text");
        InitFailure {
            text: format!("{function} panicked: {message}").into(),
            source: None,
        }
    }

    /// `worker_state` returned an error.
    pub(crate) fn error(error: BoxError) -> Self {
        let text = boundary::of_nobody(|| format!("worker_state failed: {error}"));
        InitFailure {
            text: text.map_or_else(
                |_| "worker_state failed with an error that cannot be shown".into(),
                Into::into,
            ),
            source: Some(Arc::from(error)),
        }
    }

    pub(crate) fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl std::fmt::Display for InitFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl Shared {
    pub(crate) fn new(
        config: Config,
        queues: Box<[LaneQueue]>,
        lanes: Vec<String>,
        fork: u32,
    ) -> Self {
        let slots = (0..config.max_threads)
            .map(|_| Slot::new(lanes.len()))
            .collect();
        let (least, most) = (config.min_threads, config.max_threads);
        let engine = Engine::new(queues, least..=most, config.grow_after);
        Shared {
            _apart: CachePadded::new(()),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            threads: Threads::new(most, Arc::clone(&engine.drained)),
            engine,
            config,
            lanes: lanes
                .into_iter()
                .map(|name| LaneInfo {
                    name,
                    outcomes: SharedOutcomes::default(),
                })
                .collect(),
            slots,
            spawn_failures: AtomicU64::new(0),
            init_failures: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            shutdown: CancellationToken::new(),
            fork,
        }
    }

    pub(crate) fn slot(&self, worker: usize) -> &Slot {
        &self.slots[worker]
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether the threads are in another process, of which this one is a fork.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.fork != fork::generation()
    }

    #[inline]
    pub(crate) fn submit(self: &Arc<Self>, task: TaskRef) -> Result<Accepted, (TaskRef, Refused)> {
        self.engine.submit(task, self)
    }

    /// Queues as many of the tasks as there is room for; the rest stays in the chain.
    pub(crate) fn submit_many(self: &Arc<Self>, chain: &mut Chain) -> Result<(), Refused> {
        self.engine.submit_many(chain, self)
    }

    /// Puts a task in a place that was reserved. It settles, whatever becomes of the pool.
    pub(crate) fn submit_reserved(self: &Arc<Self>, task: TaskRef) -> Accepted {
        if self.is_forked() {
            task.settle_queued(Outcome::Lost);
            task.discard();
            return Accepted { prompt: false };
        }
        self.engine.submit_reserved(task, self)
    }

    /// A place that was reserved is not needed.
    pub(crate) fn give_place_back(&self, lane: usize) {
        if !self.is_forked() {
            self.engine.give_place_back(lane);
        }
    }

    // Threads.

    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_variables, reason = "only the event has it")
    )]
    pub(crate) fn worker_started(&self, index: usize) {
        self.engine.life.started();
        event!(DEBUG, worker = self.name_of(index), "worker started");
    }

    #[cfg(feature = "tracing")]
    fn name_of(&self, worker: usize) -> String {
        self.slots[worker].name.lock().clone()
    }

    pub(crate) fn note_init_failure(&self, failure: &InitFailure) {
        self.init_failures.fetch_add(1, Ordering::Relaxed);
        event!(WARN, error = %failure, "worker state not made");
        self.set_last_failure(failure);
    }

    pub(crate) fn last_failure(&self) -> Option<InitFailure> {
        self.last_failure.lock().clone()
    }

    fn set_last_failure(&self, failure: &InitFailure) {
        let before = self.last_failure.lock().replace(failure.clone());
        // Not under the lock: the error's destructor is user code.
        boundary::drop_quietly(before);
    }

    /// A worker's state could not be made, in all the attempts it has.
    pub(crate) fn worker_failed(self: &Arc<Self>, index: usize, failure: InitFailure) {
        self.set_last_failure(&failure);
        if self.engine.worker_failed(index, self) {
            event!(ERROR, error = %failure, "pool without workers");
        }
    }

    /// A worker's thread is about to end; it touches nothing of the pool's any more.
    pub(crate) fn worker_ended(self: &Arc<Self>, index: usize, retired: bool) {
        // The seat may be another's after the next step.
        event!(DEBUG, worker = self.name_of(index), retired, "worker ended");
        let is_last = self
            .engine
            .worker_ended(index, retired, self.config.min_threads, self);
        if is_last {
            event!(DEBUG, "pool ended");
        }
    }

    // The end.

    pub(crate) fn shutdown_token(&self) -> CancellationToken {
        self.shutdown.child_token()
    }

    /// Goes on to a phase: closes the gates, and sends every worker to look.
    pub(crate) fn enter(&self, phase: Phase) {
        // Before the workers know of the shutdown: they drop their futures, and with them go the
        // tokens. And afterwards: one that was made in between has not seen it.
        let shuts_down = phase == Phase::ShutDown;
        if shuts_down {
            self.cancel_tokens();
        }
        self.engine.enter(phase);
        if shuts_down {
            self.cancel_tokens();
        }
    }

    fn cancel_tokens(&self) {
        drop(boundary::of_nobody(|| self.shutdown.cancel()));
        for slot in &self.slots {
            slot.cancel_tokens();
        }
    }
}

impl Home for Shared {
    fn settled_unstarted(&self, task: &TaskRef) {
        self.engine.forget(task);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        home::close(self.id);
        // What is the user's of this, wherever the last reference goes.
        boundary::drop_quietly(self.last_failure.lock().take());
        boundary::drop_quietly(self.config.take_functions());
    }
}

impl AsRef<Engine> for Shared {
    fn as_ref(&self) -> &Engine {
        &self.engine
    }
}

impl Support for Arc<Shared> {
    fn start(&self, seat: usize) -> io::Result<()> {
        // The function that names threads is the user's, and std panics at a name with a NUL.
        let started =
            boundary::of_nobody(|| worker::start(Arc::clone(self), seat)).unwrap_or_else(|panic| {
                let failure = InitFailure::panic("thread_name", panic.payload());
                Err(io::Error::other(failure.to_string()))
            });
        started.inspect_err(|_error| {
            self.spawn_failures.fetch_add(1, Ordering::Relaxed);
            event!(WARN, error = %_error, "worker thread not started");
        })
    }

    fn look_later(&self, after: Duration) -> bool {
        let Some(at) = Instant::now().checked_add(after) else {
            // Armed for ever: the pool never grows.
            return true;
        };
        let shared = Arc::downgrade(self);
        let look = move || {
            if let Some(shared) = Weak::upgrade(&shared)
                && let Some(_queued) = shared.engine.look_at_growth(&shared)
            {
                event!(DEBUG, queued = _queued, "pool grows");
            }
        };
        // A thread's name and the events are the user's code.
        let look = move || timer::elsewhere(Box::new(look));
        timer::schedule(at, Box::new(look)).is_ok()
    }

    fn note_unrun(&self, task: &TaskRef) {
        // One that somebody has run is counted there.
        if let Some(outcome) = task.snapshot().unstarted() {
            let lane = usize::from(task.header().meta.lane);
            self.lanes[lane].outcomes.add(outcome, 1);
        }
    }
}
