//! What a pool's handles and workers share, and what is rare: growth, failures, the end.
//!
//! Handles and workers keep it alive; it keeps nobody alive. Timers hold it weakly.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use event_listener::{Event, IntoNotification};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::config::{BoxError, Config};
use super::life::{Life, Phase};
use super::permit::Reserved;
use crate::clock::Stamp;
use crate::integrations::tracing::event;
use crate::os::fork;
use crate::queue::dispatch::{Dispatch, Wake};
use crate::stats::SharedOutcomes;
use crate::task::cell::TaskRef;
use crate::task::error::{JoinError, panic_message};
use crate::timer;
use crate::worker::slot::Slot;
use crate::worker::{self, Worker};

/// After a thread could not be started, so long until the next attempt.
const RETRY_THREAD: Duration = Duration::from_millis(100);

#[repr(C)]
pub(crate) struct Shared {
    /// Keeps the reference count, which lies before it, off the cache line of what every task
    /// reads.
    _apart: CachePadded<()>,
    /// The pool's number in this process.
    pub(crate) id: u32,
    pub(crate) config: Config,
    pub(crate) dispatch: Dispatch,
    pub(crate) lanes: Box<[LaneInfo]>,
    slots: Box<[Slot]>,
    pub(crate) life: Life,
    growth_armed: AtomicBool,
    pub(crate) spawn_failures: AtomicU64,
    pub(crate) init_failures: AtomicU64,
    pub(crate) last_failure: Mutex<Option<InitFailure>>,
    /// No worker could be started: the queues are closed for that.
    broken: AtomicBool,
    /// Told when the last thread has ended, and when a worker has nothing left but who waits for
    /// the end.
    pub(crate) drained: Event,
    /// Workers that have nothing left but tasks that wait for the end themselves.
    pub(crate) drained_workers: AtomicUsize,
    shutdown: CancellationToken,
    /// The fork generation the threads belong to.
    pub(crate) fork: u32,
}

/// What is known of a lane beyond its queue.
pub(crate) struct LaneInfo {
    pub(crate) name: String,
    /// Told when there is room in a queue that was full.
    pub(crate) room: Event,
    /// Places in the queue that are held by permits.
    pub(crate) reserved: Reserved,
    /// Tasks that were settled by no worker.
    pub(crate) outcomes: SharedOutcomes,
}

/// Why a worker's state could not be made.
#[derive(Clone)]
pub(crate) enum InitFailure {
    Error(Arc<dyn std::error::Error + Send + Sync>),
    Panic(Arc<str>),
}

impl InitFailure {
    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        InitFailure::Panic(
            panic_message(payload)
                .unwrap_or("a payload that is no text")
                .into(),
        )
    }
}

impl std::fmt::Display for InitFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InitFailure::Error(error) => error.fmt(f),
            InitFailure::Panic(message) => write!(f, "it panicked: {message}"),
        }
    }
}

impl From<BoxError> for InitFailure {
    fn from(error: BoxError) -> Self {
        InitFailure::Error(Arc::from(error))
    }
}

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl Shared {
    pub(crate) fn new(config: Config, dispatch: Dispatch, lanes: Vec<String>, fork: u32) -> Self {
        let slots = (0..config.max_threads)
            .map(|_| Slot::new(lanes.len()))
            .collect();
        Shared {
            _apart: CachePadded::new(()),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            life: Life::new(config.min_threads, config.max_threads),
            config,
            dispatch,
            lanes: lanes
                .into_iter()
                .map(|name| LaneInfo {
                    name,
                    room: Event::new(),
                    reserved: Reserved::default(),
                    outcomes: SharedOutcomes::default(),
                })
                .collect(),
            slots,
            growth_armed: AtomicBool::new(false),
            spawn_failures: AtomicU64::new(0),
            init_failures: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            broken: AtomicBool::new(false),
            drained: Event::new(),
            drained_workers: AtomicUsize::new(0),
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

    /// Wakes the worker that was sent, if any.
    #[inline]
    pub(crate) fn wake(&self, wake: Wake) {
        if let Some(sent) = wake.0
            && sent.asleep
        {
            let word = self.dispatch.roster().word(sent.worker);
            self.slots[sent.worker].wake(word, word.claim());
        }
    }

    /// Tasks admitted and not taken, in all lanes.
    pub(crate) fn queued(&self) -> usize {
        self.dispatch.lanes().map(|lane| self.queued_in(lane)).sum()
    }

    /// The same, of one lane.
    pub(crate) fn queued_in(&self, lane: usize) -> usize {
        self.lanes[lane]
            .reserved
            .without(|| self.dispatch.lane(lane).gate().count())
    }

    // Permits.

    /// Puts a task in a place that was reserved. It settles, whatever becomes of the pool.
    pub(crate) fn submit_reserved(self: &Arc<Self>, task: TaskRef) {
        let lane = usize::from(task.header().meta.lane);
        if self.fork != fork::generation() {
            task.settle_queued(JoinError::forked());
            return;
        }
        let reserved = self.lanes[lane].reserved.remove();
        let (wake, wanted_room) = self.dispatch.submit_reserved(task, reserved);
        if wake.0.is_none() {
            self.consider_growth();
        }
        self.wake(wake);
        if wanted_room {
            self.make_room(lane);
        }
        if self.dispatch.lane(lane).gate().is_closed() {
            self.settle_if_ended();
            // The place passed for a task until it was given back, as in `give_place_back`.
            self.kick_all();
        }
    }

    /// A place that was reserved is not needed.
    pub(crate) fn give_place_back(&self, lane: usize) {
        if self.fork != fork::generation() {
            return;
        }
        let gate = self.dispatch.lane(lane).gate();
        self.lanes[lane].reserved.remove();
        if gate.release(1) {
            self.make_room(lane);
        }
        // A worker that took the place for a task did not end, and who waits for the end went on
        // waiting. One word: either this sees that the gate was closed, or whoever closes it looks
        // after this.
        if gate.is_closed() {
            self.kick_all();
            self.drained.notify(usize::MAX);
        }
    }

    /// After a task was queued behind a closed gate: there may be no worker left that comes to it.
    pub(crate) fn settle_if_ended(&self) {
        // The lock of the counts puts this look after the last worker's end, or else before that
        // worker's own look at the queues.
        if !self.is_shut_down() && self.life.counts().all() > 0 {
            return;
        }
        if self.is_broken() {
            self.settle_queued(JoinError::no_worker);
        } else {
            self.settle_queued(JoinError::cancelled);
        }
        self.drained.notify(usize::MAX);
    }

    /// A task was taken from a lane's queue, and somebody waits for the room.
    pub(crate) fn make_room(&self, lane: usize) {
        let gate = self.dispatch.lane(lane).gate();
        let room = &self.lanes[lane].room;
        gate.clear_waiters();
        room.notify(1.additional());
        if room.total_listeners() > 0 {
            gate.set_waiters();
            // Room that was made between the two steps was told to nobody.
            if gate.has_answer() {
                room.notify(usize::MAX);
            }
        }
    }

    // Growth.

    /// After a task was queued and no worker waited for it.
    #[inline]
    pub(crate) fn consider_growth(self: &Arc<Self>) {
        if self.life.may_grow() {
            self.arm_growth(self.config.grow_after);
        }
    }

    #[cold]
    fn arm_growth(self: &Arc<Self>, after: Duration) {
        // Relaxed, before the swap: most calls find it armed.
        if self.growth_armed.load(Ordering::Relaxed)
            || self.growth_armed.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let Some(at) = Instant::now().checked_add(after) else {
            return;
        };
        let shared = Arc::downgrade(self);
        let look = move || {
            if let Some(shared) = Weak::upgrade(&shared) {
                shared.look_at_growth();
            }
        };
        if timer::schedule(at, Box::new(look)).is_err() {
            // The next submitter tries again.
            self.growth_armed.store(false, Ordering::Release);
        }
    }

    fn look_at_growth(self: &Arc<Self>) {
        // A submitter that comes from here on arms it again.
        self.growth_armed.store(false, Ordering::Release);
        std::sync::atomic::fence(Ordering::SeqCst);
        let queued = self.queued();
        if self.life.phase() == Phase::ShutDown || queued == 0 || !self.life.may_grow() {
            return;
        }
        let after = if self.workers_are_blocked() {
            match self.start_thread() {
                Ok(_) => {
                    event!(DEBUG, queued, "pool grows");
                    self.config.grow_after
                }
                Err(_) => RETRY_THREAD.max(self.config.grow_after),
            }
        } else {
            self.config.grow_after
        };
        self.arm_growth(after);
    }

    /// Whether every worker has been in one closure for `grow_after` or longer. A worker that is
    /// being started is none of them, and must be waited for.
    fn workers_are_blocked(&self) -> bool {
        let now = Stamp::now();
        let counts = self.life.counts();
        counts.starting == 0
            && self.slots.iter().all(|slot| {
                if !slot.alive.load(Ordering::Relaxed) {
                    return true;
                }
                let since = Stamp::from_bits(slot.busy_since.load(Ordering::Relaxed));
                !since.is_none() && now.since(since) >= self.config.grow_after
            })
    }

    /// Starts a thread for a vacant place. `Ok(false)`: there is none.
    pub(crate) fn start_thread(self: &Arc<Self>) -> io::Result<bool> {
        match self.life.reserve() {
            Some(index) => self.start_reserved(index).map(|()| true),
            None => Ok(false),
        }
    }

    /// Starts a thread for a place that was taken for it.
    pub(crate) fn start_reserved(self: &Arc<Self>, index: usize) -> io::Result<()> {
        // The function that names threads is the user's, and std panics at a name with a NUL.
        let started = catch_unwind(AssertUnwindSafe(|| worker::start(Arc::clone(self), index)))
            .unwrap_or_else(|payload| {
                Err(io::Error::other(InitFailure::panic(&*payload).to_string()))
            });
        if let Err(error) = started {
            self.spawn_failures.fetch_add(1, Ordering::Relaxed);
            self.life.failed(index, |_| ());
            event!(WARN, %error, "worker thread not started");
            return Err(error);
        }
        Ok(())
    }

    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_variables, reason = "only the event has it")
    )]
    pub(crate) fn worker_started(&self, index: usize) {
        self.life.started();
        event!(DEBUG, worker = self.name_of(index), "worker started");
    }

    #[cfg(feature = "tracing")]
    fn name_of(&self, worker: usize) -> String {
        self.slots[worker].name.lock().clone()
    }

    pub(crate) fn note_init_failure(&self, failure: &InitFailure) {
        self.init_failures.fetch_add(1, Ordering::Relaxed);
        event!(WARN, error = %failure, "worker state not made");
        *self.last_failure.lock() = Some(failure.clone());
    }

    /// A worker's state could not be made, in all the attempts it has.
    pub(crate) fn worker_failed(&self, index: usize, failure: InitFailure) {
        *self.last_failure.lock() = Some(failure.clone());
        let is_last = self.life.failed(index, |left| {
            // With the count: whoever finds no thread also finds the pool broken.
            let is_last = left.all() == 0;
            if is_last {
                self.broken.store(true, Ordering::Release);
            }
            is_last
        });
        if is_last {
            self.close_gates();
            event!(ERROR, error = %failure, "pool without workers");
            self.settle_queued(JoinError::no_worker);
            self.drained.notify(usize::MAX);
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    // Retirement.

    pub(crate) fn is_retirable(&self) -> bool {
        self.life.is_retirable()
    }

    /// A worker that was idle for long, and whose mailbox is closed, asks whether it may end.
    pub(crate) fn may_retire(&self) -> bool {
        if !self.life.try_retire() {
            return false;
        }
        if self.queued() > 0 {
            self.life.unretire();
            return false;
        }
        true
    }

    // The end.

    pub(crate) fn is_ending(&self) -> bool {
        self.life.phase() != Phase::Open
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.life.phase() == Phase::ShutDown
    }

    pub(crate) fn shutdown_token(&self) -> CancellationToken {
        self.shutdown.child_token()
    }

    /// Accepts nothing any more.
    pub(crate) fn close_gates(&self) {
        for (lane, info) in self.dispatch.lanes().zip(&self.lanes) {
            if self.dispatch.lane(lane).gate().close() {
                info.room.notify(usize::MAX);
            }
        }
    }

    /// Goes on to a phase: closes the gates, and sends every worker to look.
    pub(crate) fn enter(&self, phase: Phase) {
        self.close_gates();
        self.life.raise(phase);
        if self.life.phase() == Phase::ShutDown {
            self.shutdown.cancel();
            for slot in &self.slots {
                slot.cancel_tokens();
            }
        }
        self.kick_all();
    }

    fn kick_all(&self) {
        for worker in 0..self.slots.len() {
            self.wake(Wake(self.dispatch.roster().kick_worker(worker)));
        }
    }

    /// Settles what is queued, without running it. Returns how many tasks that were.
    pub(crate) fn settle_queued(&self, error: fn() -> JoinError) -> usize {
        let mut settled = 0;
        for lane in self.dispatch.lanes() {
            while let Some(taken) = self.dispatch.lane(lane).pop_unrun() {
                settled += usize::from(taken.task.settle_queued(error()));
                // By this, or by its handle, token or queue timeout before.
                if let Some(outcome) = taken.task.snapshot().unstarted() {
                    self.lanes[lane].outcomes.add(outcome, 1);
                }
            }
        }
        settled
    }

    /// In an ending pool, whether a worker has nothing left to do.
    pub(crate) fn worker_may_exit(&self, worker: &Worker) -> bool {
        match self.life.phase() {
            Phase::Open => false,
            Phase::ShutDown => true,
            Phase::Dropped => self.queued() == 0 && worker.locals() == 0,
            Phase::Closing => {
                if self.queued() > 0 || worker.background() > 0 {
                    return false;
                }
                let slot = &self.slots[worker.index()];
                let closers = slot.closers.load(Ordering::Relaxed);
                if closers > 0
                    && worker.locals() <= closers
                    && !slot.is_drained.swap(true, Ordering::Relaxed)
                {
                    self.drained_workers.fetch_add(1, Ordering::AcqRel);
                    self.drained.notify(usize::MAX);
                }
                worker.locals() == 0
            }
        }
    }

    /// A worker's thread is about to end; it touches nothing of the pool's any more.
    pub(crate) fn worker_ended(self: &Arc<Self>, index: usize, retired: bool) {
        // The place may be another's after the next line.
        event!(DEBUG, worker = self.name_of(index), retired, "worker ended");
        let left = self.life.ended(index, retired);
        if self.is_ending() {
            // Those that waited for the end of tasks they could not take, which this worker may
            // have taken.
            self.kick_all();
            if left.all() == 0 {
                // A task that was put in a queue while the last worker left.
                self.settle_queued(JoinError::cancelled);
                event!(DEBUG, "pool ended");
            }
            self.drained.notify(usize::MAX);
        } else if !retired && left.starting + left.live < self.config.min_threads {
            // The thread ended by itself, which only a fault of the pool's can do: the tasks go on
            // all the same.
            let _ = self.start_thread();
        }
    }
}
