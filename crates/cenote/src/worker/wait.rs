//! How a worker waits for a task of its own pool, from inside of a task, without the pool's coming
//! to a stop.
//!
//! A task that waits for tasks of its own pool makes progress, or gets `CENOTE_WOULD_DEADLOCK`:
//!
//! - **A closure that joins** runs the awaited task here and now, if nobody has started it: a
//!   closure from start to end; a future is begun, and the thread turns its runtime until it is
//!   done. A place among its lane's running is lent to it. If a future that lives here awaits a
//!   task meanwhile, that one is run, too. So each thread that waits sees to what it waits for.
//! - **A future that awaits** a handle, or room in the queue, lends its place among its worker's
//!   futures for as long; and where it awaits a task of its own lane, which is at its limit, that
//!   task runs in the lane's place of the one that waits, one at a time.
//! - **A closure that polls** a handle, as with another runtime's `block_on`, counts as one that
//!   waits from then on: nobody knows whether it sleeps until the handle wakes it. Nothing is run
//!   for it, since as a rule nothing of its kind may run inside of another executor. When every
//!   worker waits, one of those that join works as ever, in a loop inside of its task; where none
//!   joins, the last one that polls gets an error.
//!
//! What cannot be helped is refused: a future that blocks for another one of its own thread; and,
//! when every worker waits, one of those that wait for what nobody can come to: a closure that
//! needs the worker's state while that is lent, or that lies so deep in waiting tasks that the
//! stack would not hold it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use tokio::runtime::LocalRuntime;

use super::inside::{Inside, Kick};
use super::run::Thread;
use super::{Worker, worker};
use crate::engine::Engine;
use crate::engine::bell::Listener;
use crate::pool::shared::Shared;
use crate::task::blocking::{self, Awaited};
use crate::task::boundary;
use crate::task::cell::{Kind, TaskRef};
use crate::task::error::JoinError;
use crate::task::extra::Extra;
use crate::task::joiner::Joiner;
use crate::task::loan::Loan;
use crate::task::state::Phase;
use crate::timer;

/// Blocks this worker for a task of its own pool, until `awaited` is ready or until `deadline`.
/// `None`: this thread is no worker of that pool.
pub(crate) fn wait_for(
    task: &TaskRef,
    deadline: Option<Instant>,
    awaited: &mut impl Awaited,
) -> Option<Result<bool, JoinError>> {
    let worker = worker_for(task)?;
    Some(if worker.in_runtime.get() {
        worker.block_in_future(task, deadline, awaited)
    } else {
        worker.block_in_closure(task, deadline, awaited)
    })
}

/// This thread polls a handle of a task that is not done. True: it is done now.
pub(crate) fn before_pending<T>(joiner: &mut Joiner<T>) -> Result<bool, JoinError> {
    let Some(worker) = worker_for(joiner.task()) else {
        return Ok(false);
    };
    if worker.in_runtime.get() {
        worker.awaits.set(true);
        worker.lend_of_future(joiner.task());
        worker.want(joiner.task());
        return Ok(false);
    }
    worker.poll_in_closure(joiner)
}

/// This thread polls for room in a queue of that pool, and there is none. True: it must not wait,
/// since nobody knows that its worker would be missing.
pub(crate) fn may_not_wait(shared: &Shared) -> bool {
    let Some(worker) = super::worker_of(shared) else {
        return false;
    };
    worker.awaits.set(true);
    !worker.in_runtime.get()
}

/// Whether this thread is a worker of the task's pool.
pub(crate) fn is_home_of(task: &TaskRef) -> bool {
    worker_for(task).is_some()
}

/// Before this worker blocks for several tasks: runs this one here, if nobody has started it.
pub(crate) fn help(task: &TaskRef) {
    if let Some(worker) = worker_for(task) {
        worker.help_with(task);
    }
}

/// Before this worker blocks for `task`, a closure of a scope: runs it here if it has not started,
/// also while the worker's state is lent. The scope's owner may be the only thread that comes to
/// it.
pub(crate) fn help_with_scoped(task: &TaskRef) {
    if let Some(worker) = worker_for(task) {
        worker.run_now(task);
    }
}

/// The worker this thread is, if it is one of the task's pool.
fn worker_for(task: &TaskRef) -> Option<std::rc::Rc<Worker>> {
    worker().filter(|worker| worker.shared.id == task.header().meta.pool)
}

impl Worker {
    /// Runs a task that is awaited on this thread, unless somebody has started it.
    fn help_with(&self, task: &TaskRef) {
        let is_closure = task.header().meta.kind == Kind::Closure;
        // A closure might ask for the worker's state.
        if !(is_closure && self.state.is_lent()) && self.has_stack() {
            self.run_now(task);
        }
    }

    /// Whether there is stack enough for a task inside of the one that runs.
    pub(crate) fn has_stack(&self) -> bool {
        self.stack.has_room()
    }

    /// A future that lives here awaits a task.
    fn want(&self, task: &TaskRef) {
        if task.snapshot().phase() != Phase::Queued {
            return;
        }
        let mut wanted = self.wanted.borrow_mut();
        if wanted.len() == wanted.capacity() {
            wanted.retain(|task| task.snapshot().phase() == Phase::Queued);
            // Room for as many again, so that the next look is as far away.
            let room = wanted.len().max(8);
            wanted.reserve(room);
        }
        wanted.push(task.clone());
        drop(wanted);
        if let Some(turns) = &*self.turns.borrow() {
            turns.wake_by_ref();
        }
    }

    /// Takes a task that a future of this thread awaits, and that nobody has started.
    fn take_wanted(&self) -> Option<TaskRef> {
        let mut wanted = self.wanted.borrow_mut();
        while let Some(task) = wanted.pop() {
            if task.snapshot().phase() == Phase::Queued {
                return Some(task);
            }
        }
        None
    }

    /// A future blocks its thread, and with it everything that lives here.
    fn block_in_future(
        &self,
        task: &TaskRef,
        deadline: Option<Instant>,
        awaited: &mut impl Awaited,
    ) -> Result<bool, JoinError> {
        let lives_here = task.header().extra().is_some_and(Extra::lives_here);
        if lives_here && !awaited.is_ready() {
            return Err(JoinError::would_deadlock());
        }
        if task.header().meta.kind == Kind::Closure {
            // Inside of the runtime, as the future that blocks has chosen.
            self.help_with(task);
        }
        if awaited.is_ready() {
            return Ok(true);
        }
        let waiting = Waiting::new(self);
        let engine = &self.shared.engine;
        loop {
            // Before the look: the last one to wait tells those who listen.
            let mut news = OrTold {
                awaited,
                all_waiting: engine.all_waiting.listen(),
                stuck: None,
            };
            if task.snapshot().phase() == Phase::Queued && engine.refuses_one() {
                return Err(JoinError::would_deadlock());
            }
            waiting.tell();
            blocking::wait(self.shared.config.max_spin, deadline, &mut news);
            drop(news);
            if let Some(ready) = is_over(deadline, awaited) {
                return Ok(ready);
            }
        }
    }

    fn block_in_closure(
        &self,
        task: &TaskRef,
        deadline: Option<Instant>,
        awaited: &mut impl Awaited,
    ) -> Result<bool, JoinError> {
        self.help_with(task);
        if awaited.is_ready() {
            return Ok(true);
        }
        if self
            .outer_lanes
            .borrow()
            .contains(&(u32::from(task.header().meta.lane) + 1))
            && self.wants_lane(task)
        {
            // The place that it needs is held by a task further out on this thread.
            return Err(JoinError::would_deadlock());
        }
        self.lend_of_closure(task);
        let waiting = Waiting::new(self);
        let engine = &self.shared.engine;
        let max_spin = self.shared.config.max_spin;
        loop {
            // What the futures of this thread await: nobody else may be there to run it.
            while let Some(wanted) = self.take_wanted() {
                self.help_with(&wanted);
                if awaited.is_ready() {
                    return Ok(true);
                }
            }
            // Before the look: the last one to wait tells those who listen.
            let mut news = OrTold {
                awaited,
                all_waiting: engine.all_waiting.listen(),
                stuck: Some(engine.stuck.listen()),
            };
            if engine.all_wait() {
                if task.snapshot().phase() == Phase::Queued {
                    if engine.refuses_one() {
                        return Err(JoinError::would_deadlock());
                    }
                } else if engine.polling.load(Ordering::Acquire) > 0 {
                    // Who sleeps in an executor of its own helps nobody.
                    drop(news);
                    return if self.state.is_lent() || !self.has_stack() {
                        Err(JoinError::would_deadlock())
                    } else {
                        Ok(self.work_until(deadline, awaited))
                    };
                }
            }
            waiting.tell();
            let runtime = (self.alive() > 0).then(|| self.runtime().ok()).flatten();
            match runtime {
                Some(runtime) => self.turn_until(&runtime, deadline, &mut news),
                None => blocking::wait(max_spin, deadline, &mut news),
            };
            drop(news);
            if let Some(ready) = is_over(deadline, awaited) {
                return Ok(ready);
            }
        }
    }

    /// Turns the runtime, until it is ready, or its time is over, or a future awaits a task.
    fn turn_until(
        &self,
        runtime: &LocalRuntime,
        deadline: Option<Instant>,
        awaited: &mut impl Awaited,
    ) -> bool {
        self.record_pending();
        self.in_runtime.set(true);
        let ready = runtime.block_on(async {
            let mut limit = deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
            poll_fn(|context| {
                if !awaited.register(context.waker()) || awaited.is_ready() {
                    return Poll::Ready(true);
                }
                self.turns.replace(Some(context.waker().clone()));
                if !self.wanted.borrow().is_empty() {
                    return Poll::Ready(false);
                }
                match &mut limit {
                    Some(limit) => limit.as_mut().poll(context).map(|()| awaited.is_ready()),
                    None => Poll::Pending,
                }
            })
            .await
        });
        self.in_runtime.set(false);
        self.turns.take();
        self.note_background();
        ready
    }

    /// Works as ever.
    fn work_until(&self, deadline: Option<Instant>, awaited: &mut impl Awaited) -> bool {
        let kick = Arc::new(Kick::new(&self.shared, self.index));
        if !awaited.register(&Waker::from(Arc::clone(&kick))) {
            return true;
        }
        let timer = deadline.and_then(|at| {
            let kick = Arc::clone(&kick);
            timer::schedule(at, Box::new(move || kick.wake_by_ref())).ok()
        });
        self.record_pending();
        let thread = Thread::new(self);
        let is_over = || is_over(deadline, awaited).is_some();
        let inside = Inside {
            thread: &thread,
            is_over: &is_over,
        };
        let lane = self.shared.slot(self.index).lane.load(Ordering::Relaxed);
        self.outer_lanes.borrow_mut().push(lane);
        self.step.run(&inside);
        self.outer_lanes.borrow_mut().pop();
        if let Some(timer) = timer {
            timer::cancel(timer);
        }
        awaited.is_ready()
    }

    /// A closure polls a handle. It may be about to sleep.
    ///
    /// Nothing is run here if that can be avoided: the thread is inside of another executor, which
    /// as a rule lets nothing enter one of its kind.
    fn poll_in_closure<T>(&self, joiner: &mut Joiner<T>) -> Result<bool, JoinError> {
        let engine = &self.shared.engine;
        if !self.polls.replace(true) {
            engine.polling.fetch_add(1, Ordering::AcqRel);
            // It tells one of those that join, below.
            engine.begin_to_wait();
        }
        if !engine.all_wait() {
            self.lend_of_closure(joiner.task());
            return Ok(false);
        }
        if joiner.task().snapshot().phase() == Phase::Queued {
            return Err(JoinError::would_deadlock());
        }
        // One that joins can do better than to sleep.
        if engine.stuck.tell(1) == 0 {
            return Err(JoinError::would_deadlock());
        }
        Ok(false)
    }

    /// The closure that may have polled has ended. `outer`: the one outside of it has.
    pub(super) fn polls_no_more(&self, outer: bool) {
        if self.polls.replace(outer) {
            self.shared.engine.polling.fetch_sub(1, Ordering::AcqRel);
            self.shared.engine.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// A future awaits `task`. If that is queued in the future's own lane, which is at its limit,
    /// it runs in the place of the future.
    fn lend_of_future(&self, task: &TaskRef) {
        if !self.wants_lane(task) {
            return;
        }
        let lends = boundary::current(|current| {
            current.is_some_and(|header| {
                let own = header.meta;
                let same = own.lane == task.header().meta.lane && own.pool == self.shared.id;
                same && header.extra().is_some_and(|extra| extra.lend_to(task))
            })
        });
        if lends {
            self.shared.engine.lend(task.clone());
        }
    }

    /// The same for a closure.
    fn lend_of_closure(&self, task: &TaskRef) {
        let own = self.shared.slot(self.index).lane.load(Ordering::Relaxed);
        if !self.wants_lane(task) || u32::from(task.header().meta.lane) + 1 != own {
            return;
        }
        let mut lent = self.lent.borrow_mut();
        if lent
            .as_ref()
            .is_some_and(|(other, _)| !other.snapshot().is_done())
        {
            return;
        }
        let Some(loan) = Loan::to(task) else { return };
        *lent = Some((task.clone(), loan));
        drop(lent);
        self.shared.engine.lend(task.clone());
    }

    /// The task is queued in a lane that may be at its limit.
    fn wants_lane(&self, task: &TaskRef) -> bool {
        let lane = self
            .shared
            .engine
            .dispatch
            .lane(usize::from(task.header().meta.lane));
        !lane.is_unlimited() && task.snapshot().phase() == Phase::Queued
    }
}

/// Whether a wait has come to its end, and how: it is ready, or its time is over.
fn is_over(deadline: Option<Instant>, awaited: &impl Awaited) -> Option<bool> {
    if awaited.is_ready() {
        return Some(true);
    }
    deadline
        .is_some_and(|deadline| Instant::now() >= deadline)
        .then_some(false)
}

/// What a worker waits for, or that every worker waits.
struct OrTold<'a, A> {
    awaited: &'a mut A,
    all_waiting: Listener<'a>,
    /// For one that can work inside of its task.
    stuck: Option<Listener<'a>>,
}

impl<A: Awaited> Awaited for OrTold<'_, A> {
    fn is_ready(&self) -> bool {
        self.awaited.is_ready()
            || self.all_waiting.was_told()
            || self.stuck.as_ref().is_some_and(Listener::was_told)
    }

    fn register(&mut self, waker: &Waker) -> bool {
        self.awaited.register(waker)
            && self.all_waiting.wait_with(waker)
            && self
                .stuck
                .as_mut()
                .is_none_or(|stuck| stuck.wait_with(waker))
    }
}

/// A worker that waits for a task of its pool, as long as this lives.
struct Waiting<'a> {
    engine: &'a Engine,
    counted: bool,
    /// It is the last one, and has not told the others.
    to_tell: Cell<bool>,
}

impl<'a> Waiting<'a> {
    fn new(worker: &'a Worker) -> Self {
        let engine = &worker.shared.engine;
        // A closure that polled before is counted already.
        let counted = !worker.polls.get();
        let to_tell = Cell::new(counted && engine.begin_to_wait());
        Waiting {
            engine,
            counted,
            to_tell,
        }
    }

    /// Once it has looked itself: has the others look.
    fn tell(&self) {
        if self.to_tell.take() {
            self.engine.all_waiting.tell_all();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.engine.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
