//! A worker's thread, from its start to its end, and what the engine's loop needs of it.
//!
//! Guaranteed: the worker survives every panic of the user's code; what was in its mailbox when it
//! leaves is run; its state is dropped on this thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::Waiter;
use tokio::runtime::{EnterGuard, LocalRuntime};

use super::execute::SHORT_NANOS;
use super::state::{StateCell, WorkerState};
use super::{WORKER, Worker, WorkerInfo};
use crate::clock::Stamp;
use crate::engine::Engine;
use crate::engine::seat::SeatWord;
use crate::engine::step::{Host, Runs, Step};
use crate::os::stack::Stack;
use crate::pool::shared::{InitFailure, Shared};
use crate::task::boundary;
use crate::task::cell::TaskRef;
use crate::task::memory;

/// Starts the thread for a seat, which has to be counted as starting before.
pub(crate) fn start(shared: Arc<Shared>, index: usize) -> io::Result<()> {
    let name = shared.config.thread_name(index);
    let mut builder = thread::Builder::new().name(name.clone());
    if let Some(bytes) = shared.config.stack_size {
        builder = builder.stack_size(bytes);
    }
    let own = Arc::clone(&shared);
    shared.threads.start(index, builder, move || {
        main(own, WorkerInfo { name, index })
    })
}

fn main(shared: Arc<Shared>, info: WorkerInfo) {
    let prepared = boundary::of_nobody(|| shared.config.prepare_thread(&info))
        .map_err(|panic| InitFailure::panic("on_thread_start", panic.payload()));
    let state = match prepared.and_then(|()| make_state(&shared, &info)) {
        Ok(state) => state,
        Err(failure) => {
            shared.threads.leaves(info.index);
            shared.worker_failed(info.index, failure);
            return;
        }
    };
    let word = SeatWord::new(Arc::clone(&shared), info.index);
    let mut waiter = Waiter::new(word, shared.config.max_spin);
    waiter.spin_under_pressure(shared.config.spin_under_pressure);
    let slot = shared.slot(info.index);
    slot.set_stages(Some(Arc::clone(waiter.stats())));
    info.name.clone_into(&mut slot.name.lock());
    let seat = shared.engine.seat(info.index);
    seat.is_taken.store(true, Ordering::Relaxed);
    let worker = Rc::new(Worker {
        shared: Arc::clone(&shared),
        index: info.index,
        name: info.name.clone(),
        step: Step::new(info.index, waiter, !shared.config.max_spin.is_zero()),
        runtime: RefCell::new(None),
        ended: Cell::new(false),
        waiting_in_runtime: Cell::new(false),
        in_runtime: Cell::new(false),
        locals: Cell::new(0),
        state: StateCell::new(state),
        turned: Cell::new(0),
        // As long as nothing is known, tasks are not short.
        average_run: Cell::new(SHORT_NANOS * 64),
        pending: Cell::new(None),
        sole: Cell::new(false),
        awaiting: Cell::new(0),
        awaits: Cell::new(false),
        placed: Cell::new(false),
        borrowed: RefCell::new(None),
        lent: RefCell::new(None),
        polls: Cell::new(false),
        wanted: RefCell::new(Vec::new()),
        turns: RefCell::new(None),
        outer_lanes: RefCell::new(Vec::new()),
        stack: Stack::of_this_thread(shared.config.stack_size),
    });
    WORKER.with(|place| *place.borrow_mut() = Some(Rc::clone(&worker)));
    shared.worker_started(info.index);
    if shared.config.eager_runtime {
        // If it cannot be made now, the first future tries again, and its task is told.
        drop(worker.runtime());
    }
    // The loop itself does not panic; if it ever does, the seat must not stay taken, and nobody
    // wait for ever.
    let looped = catch_unwind(AssertUnwindSafe(|| worker.step.run(&Thread::new(&worker))));
    worker.end();
    WORKER.with(|place| place.borrow_mut().take());
    drop(worker);
    seat.set_ring(None);
    slot.set_stages(None);
    seat.is_taken.store(false, Ordering::Relaxed);
    drop(boundary::of_nobody(|| shared.config.thread_stopped(&info)));
    shared.threads.leaves(info.index);
    shared.worker_ended(info.index, matches!(looped, Ok(true)));
    if let Err(panic) = looped {
        std::panic::resume_unwind(panic);
    }
}

/// Makes the worker's state, in as many attempts as are allowed.
fn make_state(shared: &Shared, info: &WorkerInfo) -> Result<Option<WorkerState>, InitFailure> {
    let Some(init) = &shared.config.init else {
        return Ok(None);
    };
    let mut pause = Duration::from_millis(10);
    for left in (0..=shared.config.init_retries).rev() {
        let failure = match boundary::of_nobody(|| init(info)) {
            Ok(Ok(state)) => return Ok(Some(state)),
            Ok(Err(error)) => InitFailure::error(error),
            Err(panic) => InitFailure::panic("worker_state", panic.payload()),
        };
        shared.note_init_failure(&failure);
        if left == 0 || shared.engine.is_ending() {
            return Err(failure);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    unreachable!("the last attempt returns")
}

/// The thread as the engine's loop sees it.
pub(super) struct Thread<'a> {
    worker: &'a Worker,
    /// The runtime whose context the loop is in.
    entered: OnceCell<Rc<LocalRuntime>>,
}

impl<'a> Thread<'a> {
    pub(super) fn new(worker: &'a Worker) -> Self {
        Thread {
            worker,
            entered: OnceCell::new(),
        }
    }
}

impl Host for Thread<'_> {
    type Context<'a>
        = EnterGuard<'a>
    where
        Self: 'a;

    fn engine(&self) -> &Engine {
        &self.worker.shared.engine
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        let made = self.worker.runtime.borrow();
        let made = made.as_ref()?;
        Some(self.entered.get_or_init(|| Rc::clone(made)).enter())
    }

    fn execute(&self, task: TaskRef, runs: Runs) {
        self.worker.execute(task, runs);
    }

    fn after_task(&self) {
        self.worker.turn_if_due();
    }

    fn has_place(&self) -> bool {
        self.worker.has_place()
    }

    fn is_shared(&self) -> bool {
        self.worker.alive() > 0
    }

    fn may_exit(&self) -> bool {
        self.worker.may_exit()
    }

    fn found_nothing(&self) {
        self.worker.record_pending();
    }

    fn sleep_in_driver(&self) {
        if let Ok(runtime) = self.worker.runtime() {
            self.worker.wait_in_runtime(&runtime);
        }
    }

    fn slept(&self) {
        self.worker.note_wake();
    }

    fn has_leftovers(&self) -> bool {
        memory::is_swollen()
    }

    fn clear_leftovers(&self) {
        memory::trim();
    }

    fn idle_timeout(&self) -> Duration {
        self.worker.shared.config.idle_timeout
    }

    fn deadline(&self, after: Duration) -> Option<Instant> {
        Instant::now().checked_add(after)
    }
}

impl Worker {
    /// Whether the pool has come so far to its end that this worker has nothing left to do.
    pub(super) fn may_exit(&self) -> bool {
        let engine = &self.shared.engine;
        engine.is_ending()
            && engine.worker_may_exit(self.index, self.locals.get(), self.background())
    }

    pub(crate) fn background(&self) -> usize {
        self.alive().saturating_sub(self.locals.get())
    }

    /// Does what there is to do, from inside of a task: runs what is queued, and turns the runtime.
    pub(crate) fn work_off(&self) {
        let host = Thread::new(self);
        while let Some((task, runs)) = self.step.next(&host) {
            self.execute(task, runs);
        }
        self.record_pending();
        self.turn_now();
    }

    /// No future lives here, or none can go on because the thread is inside of one.
    pub(crate) fn is_alone(&self) -> bool {
        self.alive() == 0 || self.in_runtime.get()
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The runtime's driver has returned.
    pub(super) fn woke(&self) {
        let rung_at = self.shared.engine.seat(self.index).rung_at();
        let unpark = self
            .step
            .waiter
            .borrow_mut()
            .unpark_rung(rung_at.to_instant());
        if unpark.claimed {
            self.note_wake();
        }
    }

    /// Records how long the wake call took, if there was one since the last time.
    fn note_wake(&self) {
        let rung_at = self.shared.engine.seat(self.index).take_rung_at();
        if !rung_at.is_none() {
            self.shared
                .slot(self.index)
                .recorder
                .record_wake(Stamp::now().nanos_since(rung_at));
        }
    }

    /// Before the thread ends: the runtime and the state go, in this order, on this thread.
    fn end(&self) {
        self.record_pending();
        self.step.set_deputy(&self.shared.engine, false);
        self.ended.set(true);
        // The futures that are left are dropped while this is still their worker.
        let runtime = self.runtime.borrow_mut().take();
        // Not its blocking calls, which nobody can end: `close` waits for them, within its limit.
        if let Some(runtime) = runtime.and_then(Rc::into_inner) {
            drop(boundary::of_nobody(|| runtime.shutdown_background()));
        }
        boundary::drop_quietly(self.state.take());
    }
}
