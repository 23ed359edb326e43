//! The loop of a worker's thread, from its start to its end.
//!
//! Tasks first: what was put in the mailbox, then the queues. When there is nothing: announce, look
//! once more, open the mailbox, spin; then park, on the futex if nothing lives in the runtime, else
//! in the runtime's driver. Each pass decides anew which of the two.
//!
//! Guaranteed: the worker survives every panic of a task; what was in its mailbox when it leaves is
//! run; its state is dropped on this thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{Participants, Spin, SpinRequest, Waiter};

use super::slot::SeatWord;
use super::state::{StateCell, WorkerState};
use super::{CURRENT, WORKER, Worker, WorkerInfo};
use crate::clock::Stamp;
use crate::pool::shared::{InitFailure, Shared};
use crate::queue::dispatch::Search;
use crate::queue::roster::{Mail, SENTINEL_PERIOD};
use crate::task::cell::{Ran, TaskRef, drop_quietly};
use crate::task::error::JoinError;
use crate::task::outcome::Outcome;

/// Starts the thread for a place in the pool. The place has to be counted as starting before.
pub(crate) fn start(shared: Arc<Shared>, index: usize) -> io::Result<()> {
    let name = shared.config.thread_name(index);
    let mut builder = thread::Builder::new().name(name.clone());
    if let Some(bytes) = shared.config.stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(move || main(shared, WorkerInfo { name, index }))?;
    Ok(())
}

fn main(shared: Arc<Shared>, info: WorkerInfo) {
    let prepared = catch_unwind(AssertUnwindSafe(|| shared.config.prepare_thread(&info)))
        .map_err(|payload| InitFailure::panic(&*payload));
    let state = match prepared.and_then(|()| make_state(&shared, &info)) {
        Ok(state) => state,
        Err(failure) => {
            shared.worker_failed(info.index, failure);
            return;
        }
    };
    let word = SeatWord {
        shared: Arc::clone(&shared),
        worker: info.index,
    };
    let mut waiter = Waiter::new(word, shared.config.max_spin);
    waiter.spin_under_pressure(shared.config.spin_under_pressure);
    let slot = shared.slot(info.index);
    slot.set_stages(Some(Arc::clone(waiter.stats())));
    info.name.clone_into(&mut slot.name.lock());
    slot.alive.store(true, Ordering::Relaxed);
    let worker = Rc::new(Worker {
        shared: Arc::clone(&shared),
        index: info.index,
        name: info.name.clone(),
        waiter: RefCell::new(waiter),
        runtime: RefCell::new(None),
        ended: Cell::new(false),
        waiting_in_runtime: Cell::new(false),
        in_runtime: Cell::new(false),
        locals: Cell::new(0),
        state: StateCell::new(state),
        turned: Cell::new(0),
        // As long as nothing is known, tasks are not short.
        average_run: Cell::new(SHORT_NANOS * 64),
        next_lane: Cell::new(info.index),
        pending: Cell::new(None),
        deputy: Cell::new(false),
        backlog: Cell::new(false),
        from_queue: Cell::new(false),
        may_stand_sentinel: Cell::new(true),
    });
    WORKER.with(|place| *place.borrow_mut() = Some(Rc::clone(&worker)));
    shared.worker_started(info.index);
    if shared.config.eager_runtime {
        // If it cannot be made now, the first future tries again, and its task is told.
        drop(catch_unwind(AssertUnwindSafe(|| worker.runtime())));
    }
    // The loop itself does not panic; if it ever does, the place must not stay taken, and nobody
    // wait for ever.
    let looped = catch_unwind(AssertUnwindSafe(|| worker.run()));
    worker.end();
    WORKER.with(|place| place.borrow_mut().take());
    drop(worker);
    slot.set_ring(None);
    slot.set_stages(None);
    slot.alive.store(false, Ordering::Relaxed);
    shared.config.thread_stopped(&info);
    shared.worker_ended(info.index, matches!(looped, Ok(true)));
    if let Err(panic) = looped {
        std::panic::resume_unwind(panic);
    }
}

/// Tasks up to this average are short: a deputy takes several of them in the time another worker
/// takes to wake up.
const SHORT_NANOS: u64 = 5_000;

/// Some 300 ns, a few times: what a hand-off through the mailbox takes, and a few more.
const LINGER_PAUSES: u32 = 8;
const LINGER_LOOKS: u32 = 6;

/// A task that has run and is not recorded yet.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    lane: usize,
    ran: Ran,
    /// In ticks.
    submitted: u64,
    began: Stamp,
    ended: Stamp,
}

/// Makes the worker's state, in as many attempts as are allowed.
fn make_state(shared: &Shared, info: &WorkerInfo) -> Result<Option<WorkerState>, InitFailure> {
    let Some(init) = &shared.config.init else {
        return Ok(None);
    };
    let mut pause = Duration::from_millis(10);
    for left in (0..=shared.config.init_retries).rev() {
        let failure = match catch_unwind(AssertUnwindSafe(|| init(info))) {
            Ok(Ok(state)) => return Ok(Some(state)),
            Ok(Err(error)) => InitFailure::Error(Arc::from(error)),
            Err(payload) => InitFailure::panic(&*payload),
        };
        shared.note_init_failure(&failure);
        if left == 0 || shared.is_ending() {
            return Err(failure);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    unreachable!("the last attempt returns")
}

impl Worker {
    /// Returns when the thread is to end; true if it retired from a pool that goes on.
    fn run(&self) -> bool {
        let mut retired = false;
        // Declared before the context, which borrows it.
        let runtime = OnceCell::new();
        let mut context = None;
        let mut kicked = false;
        let mut lingered = false;
        loop {
            if context.is_none()
                && let Some(made) = &*self.runtime.borrow()
            {
                context = Some(runtime.get_or_init(|| Rc::clone(made)).enter());
            }
            match self.next() {
                Some(task) => {
                    (kicked, lingered) = (false, false);
                    self.execute(task);
                    self.turn_if_due();
                    continue;
                }
                None if !lingered && self.linger() => {
                    lingered = true;
                    continue;
                }
                None if kicked => {
                    kicked = false;
                    self.shared.wake(self.shared.dispatch.pass_on());
                }
                None => {}
            }
            lingered = false;
            if self.may_exit() {
                break;
            }
            // The phase once more after the announcement: whoever raised it before has found the
            // mailbox closed, and kicked nobody. Pairs with the fence in `kick_worker`.
            let waits = self
                .shared
                .dispatch
                .settle_down(self.index, self.has_place())
                && !self.may_exit();
            self.record_pending();
            let mut idle_for_long = false;
            if waits {
                idle_for_long = self.wait();
            }
            match self.shared.dispatch.get_up(self.index) {
                Mail::Task(task) => {
                    self.execute(task);
                    self.turn_if_due();
                }
                Mail::Kick => kicked = true,
                Mail::Nothing => {
                    if idle_for_long && self.alive() == 0 && self.shared.may_retire() {
                        retired = true;
                        break;
                    }
                }
            }
        }
        retired
    }

    /// Whether the pool has come so far to its end that this worker has nothing left to do.
    pub(super) fn may_exit(&self) -> bool {
        if !self.shared.is_ending() {
            return false;
        }
        self.shared.worker_may_exit(self)
    }

    pub(crate) fn locals(&self) -> usize {
        self.locals.get()
    }

    pub(crate) fn background(&self) -> usize {
        self.alive().saturating_sub(self.locals.get())
    }

    /// Does what there is to do, from inside of a task: runs what is queued, and turns the runtime.
    pub(crate) fn work_off(&self) {
        while let Some(task) = self.next() {
            self.execute(task);
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

    pub(crate) fn next(&self) -> Option<TaskRef> {
        let search = Search {
            first_lane: self.next_lane.get(),
            locals: self.has_place(),
            sure: self.backlog.get(),
            short: self.deputy.get(),
        };
        self.next_lane.set(search.first_lane.wrapping_add(1));
        let Some((taken, wake)) = self.shared.dispatch.next(search) else {
            self.backlog.set(false);
            return None;
        };
        self.shared.wake(wake);
        self.backlog.set(taken.more.is_some());
        if self.deputy.get() && !self.from_queue.replace(true) {
            self.shared.dispatch.roster().hide(self.index);
        }
        if taken.wanted_room {
            self.shared
                .make_room(usize::from(taken.task.header().meta.lane));
        }
        Some(taken.task)
    }

    /// A deputy, or not: see `queue::roster`.
    fn set_deputy(&self, deputy: bool) {
        if self.deputy.replace(deputy) != deputy {
            self.shared.dispatch.roster().set_deputy(self.index, deputy);
        }
    }

    /// Where short tasks come through the queue, waits a moment for the next ones, with the mailbox
    /// closed: opened and closed for each, it would cost worker and submitter more than the tasks.
    /// Looks seldom, so that several can gather. True: there is something in a queue.
    fn linger(&self) -> bool {
        if !self.from_queue.replace(false)
            || !self.deputy.get()
            || self.shared.config.max_spin.is_zero()
        {
            return false;
        }
        let participants = Participants::global();
        for _ in 0..LINGER_LOOKS {
            if !participants.may_spin() {
                return false;
            }
            for _ in 0..LINGER_PAUSES {
                std::hint::spin_loop();
            }
            if self.shared.dispatch.has_task(self.has_place()) {
                self.from_queue.set(true);
                return true;
            }
        }
        false
    }

    /// Runs a task that came with a place among its lane's running.
    pub(crate) fn execute(&self, task: TaskRef) {
        self.record_pending();
        task.prefetch();
        let began = Stamp::now();
        let header = task.header();
        if !header.state().try_start() && !self.start_guarded(&task) {
            let lane = usize::from(header.meta.lane);
            self.found_settled(
                &task,
                lane,
                began.nanos_since(Stamp::from_bits(header.submitted)),
            );
            self.shared.wake(self.shared.dispatch.ended(lane));
            return;
        }
        self.run_started(task, began, true);
    }

    /// Starts a task that is not just as it was made.
    #[cold]
    fn start_guarded(&self, task: &TaskRef) -> bool {
        let header = task.header();
        let Some(extra) = header.extra() else {
            return header.state().start();
        };
        if extra.is_queue_timed_out() {
            task.settle_queued(JoinError::queue_timed_out());
        }
        header.state().start()
    }

    /// Runs a task whose `start` this worker has won. `placed`: it has a place of its own among its
    /// lane's running.
    fn run_started(&self, task: TaskRef, began: Stamp, placed: bool) {
        let header = task.header();
        let lane = usize::from(header.meta.lane);
        let submitted = header.submitted;
        let slot = self.shared.slot(self.index);
        slot.busy_since.store(began.to_bits(), Ordering::Relaxed);
        slot.lane.store(lane as u32 + 1, Ordering::Relaxed);
        let outer = CURRENT.replace(Some(NonNull::from(header)));
        let ran = task.run_started();
        CURRENT.set(outer);
        slot.lane.store(0, Ordering::Relaxed);
        slot.busy_since.store(0, Ordering::Relaxed);
        if ran == Ran::Left {
            // A turn is due: the future is polled for the first time before another closure may
            // hold it up.
            self.turned.set(0);
        } else if placed {
            self.shared.wake(self.shared.dispatch.ended(lane));
        }
        if outer.is_none() {
            slot.forget_tokens();
        }
        self.pending.set(Some(Pending {
            lane,
            ran,
            submitted,
            began,
            ended: Stamp::now(),
        }));
    }

    /// Records the task that ran last, and turns the runtime if that is due. Put off until the
    /// worker has looked for the next task, or has opened its mailbox for it: whoever waited for
    /// this one may be about to submit that.
    pub(crate) fn record_pending(&self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if let Ran::Settled(outcome) = pending.ran {
            let nanos = pending.ended.nanos_since(pending.began);
            let waited = pending
                .began
                .nanos_since(Stamp::from_bits(pending.submitted));
            self.record_run(pending.lane, outcome, waited, nanos);
            let average = self.average_run.get();
            let average = average - average / 8 + nanos / 8;
            self.average_run.set(average);
            self.set_deputy(average <= SHORT_NANOS);
        }
        self.shared.slot(self.index).record_is_done();
    }

    /// Runs a task that nobody has started, from inside of another one that waits for it.
    pub(super) fn run_now(&self, task: &TaskRef) {
        let header = task.header();
        let lane = usize::from(header.meta.lane);
        // A task that waits for another one of its own lane lends it its place.
        let outer_lane = self.shared.slot(self.index).lane.load(Ordering::Relaxed);
        let lent = outer_lane as usize == lane + 1;
        if !lent && !self.shared.dispatch.lane(lane).begin() {
            return;
        }
        if header.state().start() {
            let slot = self.shared.slot(self.index);
            let outer = (
                slot.busy_since.load(Ordering::Relaxed),
                slot.lane.load(Ordering::Relaxed),
            );
            let began = Stamp::now();
            self.run_started(task.clone(), began, !lent);
            self.record_pending();
            slot.busy_since.store(outer.0, Ordering::Relaxed);
            slot.lane.store(outer.1, Ordering::Relaxed);
        } else if !lent {
            self.shared.wake(self.shared.dispatch.ended(lane));
        }
    }

    /// A task came out of the queue that will not run: settled meanwhile, or run by somebody who
    /// waited for it.
    fn found_settled(&self, task: &TaskRef, lane: usize, waited: u64) {
        let Some(outcome) = task.snapshot().unstarted() else {
            return;
        };
        self.shared
            .slot(self.index)
            .recorder
            .lane(lane)
            .record(outcome, waited, None);
    }

    pub(super) fn record_run(&self, lane: usize, outcome: Outcome, waited: u64, nanos: u64) {
        let recorder = &self.shared.slot(self.index).recorder;
        recorder.lane(lane).record(outcome, waited, Some(nanos));
        recorder.add_busy(nanos);
    }

    /// Waits until there is mail, or until it makes sense to look around. True: nothing came for
    /// the whole idle timeout.
    fn wait(&self) -> bool {
        let roster = self.shared.dispatch.roster();
        let has_mail = || roster.has_mail(self.index);
        let spin = self
            .waiter
            .borrow_mut()
            .spin_on(&SpinRequest::default(), has_mail, || false);
        if spin == Spin::Hit || !roster.fall_asleep(self.index) {
            return false;
        }
        self.set_deputy(false);
        let mut idle_for_long = false;
        roster.set_parked(self.index, true);
        // None is made for waiting alone.
        let alive = (self.alive() > 0).then(|| self.runtime()).flatten();
        match alive {
            Some(runtime) => self.wait_in_runtime(&runtime),
            None => {
                let sentinel =
                    self.may_stand_sentinel.get() && roster.try_stand_sentinel(self.index);
                let deadline = if sentinel {
                    Instant::now().checked_add(SENTINEL_PERIOD)
                } else if self.shared.is_retirable() {
                    Instant::now().checked_add(self.shared.config.idle_timeout)
                } else {
                    None
                };
                self.waiter.borrow_mut().park_futex(deadline, has_mail);
                self.note_wake();
                // Where nobody relied on it, it sleeps until it is woken, and is at hand again
                // after that.
                self.may_stand_sentinel.set(!sentinel || roster.relieve());
                if !sentinel {
                    idle_for_long = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                }
            }
        }
        roster.set_parked(self.index, false);
        idle_for_long
    }

    /// The runtime's driver has returned.
    pub(super) fn woke(&self) {
        let rung_at = self.shared.slot(self.index).rung_at();
        let unpark = self.waiter.borrow_mut().unpark_rung(rung_at.to_instant());
        if unpark.claimed {
            self.note_wake();
        }
    }

    /// Records how long the wake call took, if there was one since the last time.
    fn note_wake(&self) {
        let slot = self.shared.slot(self.index);
        let rung_at = slot.take_rung_at();
        if !rung_at.is_none() {
            slot.recorder.record_wake(Stamp::now().nanos_since(rung_at));
        }
    }

    /// Before the thread ends: the runtime and the state go, in this order, on this thread.
    fn end(&self) {
        self.record_pending();
        self.set_deputy(false);
        self.ended.set(true);
        // The futures that are left are dropped while this is still their worker.
        let runtime = self.runtime.borrow_mut().take();
        drop(runtime);
        drop_quietly(self.state.take());
    }
}
