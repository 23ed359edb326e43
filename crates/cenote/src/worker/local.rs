//! Futures on a worker: its tokio runtime, when it turns, and waiting in it.
//!
//! The runtime is made when the first future needs it. Closures never run inside of it, only in its
//! context: so they may block on other runtimes as on any thread. The worker goes into it, by
//! `block_on`, on two occasions:
//!
//! - **A turn**, between two closures, at least every `turn_budget` while something is alive in it:
//!   all that is ready is polled, due timers fire, sockets are looked at, without waiting.
//! - **To wait**, when the spin was in vain and something is alive in it. The runtime then sits in
//!   its driver, with the worker's state published as `PARKED_DRIVER` by the hook that tokio calls
//!   before it parks. Whoever has a task for the worker wakes the future that `block_on` runs,
//!   which returns. Timers and sockets need nobody's help.
//!
//! Under a stream of tasks the spin is outside of the runtime, so a hand-off costs the same as
//! without one, and holds the runtime up for `max_spin` at most.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::runtime::{self, LocalRuntime};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Worker, worker};
use crate::clock::Stamp;
use crate::integrations::tracing::TaskSpan;
use crate::task::boundary::{self, drop_quietly};
use crate::task::cell::{Header, Running, Work};
use crate::task::error::{JoinError, NoRuntime};
use crate::task::extra::Extra;
use crate::task::loan::Loan;
use crate::task::outcome::Outcome;

impl Worker {
    /// Everything that lives in the runtime: futures of tasks, what they and closures left behind.
    pub(super) fn alive(&self) -> usize {
        self.runtime
            .borrow()
            .as_ref()
            .map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }

    /// The runtime, made now if need be.
    pub(super) fn runtime(&self) -> Result<Rc<LocalRuntime>, NoRuntime> {
        if self.ended.get() {
            return Err(NoRuntime::Ended);
        }
        let mut place = self.runtime.borrow_mut();
        if let Some(runtime) = &*place {
            return Ok(Rc::clone(runtime));
        }
        let (started, stopped) = self.shared.threads.for_runtime();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(self.shared.config.max_blocking_threads)
            .on_thread_park(before_driver)
            .on_thread_unpark(after_driver)
            .on_thread_start(started)
            .on_thread_stop(stopped)
            .build_local(runtime::LocalOptions::default())
            .map_err(|error| NoRuntime::Failed(Arc::new(error)))?;
        self.turned.set(Stamp::now().to_bits());
        Ok(Rc::clone(place.insert(Rc::new(runtime))))
    }

    pub(super) fn spawn_background<U>(&self, make: impl FnOnce() -> U)
    where
        U: Future<Output = ()> + 'static,
    {
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            // Dropped, like the futures that were in it.
            Err(NoRuntime::Ended) => return,
            Err(error) => panic!("`cenote::spawn_background`: {error}"),
        };
        let future = {
            let _context = runtime.enter();
            make()
        };
        runtime.spawn_local(TaskSpan::current().instrument(future));
        self.note_background();
    }

    pub(super) fn note_background(&self) {
        let background = self.alive().saturating_sub(self.locals.get());
        self.shared
            .slot(self.index)
            .background
            .store(background, Ordering::Relaxed);
    }

    /// Says since when there is no place, for who decides on another thread.
    fn note_places(&self) {
        let full_since = &self.shared.engine.seat(self.index).full_since;
        let was_full = full_since.load(Ordering::Relaxed) != Stamp::NONE.to_bits();
        let is_full = !self.has_place();
        if was_full != is_full {
            let since = if is_full { Stamp::now() } else { Stamp::NONE };
            full_since.store(since.to_bits(), Ordering::Relaxed);
        }
    }

    pub(super) fn has_place(&self) -> bool {
        // Saturating: what is polled is counted as awaiting no more before it is settled.
        self.locals.get().saturating_sub(self.awaiting.get()) < self.shared.config.concurrency
    }

    pub(super) fn spawn_task<W, U>(&self, future: U, running: Running<W>)
    where
        W: Work<Output = U::Output> + 'static,
        U: Future + Unpin + 'static,
    {
        let task = running.task().clone();
        let extra = task.header().extra_or_new();
        let cancelled = extra
            .given_token()
            .map(|token| Box::pin(token.cancelled_owned()));
        let local = LocalTask {
            future: Some(future),
            cancelled,
            began: Stamp::now(),
            running: Some(running),
            lends: false,
            placed: self.placed.get(),
            borrowed: self.borrowed.take(),
        };
        self.locals.set(self.locals.get() + 1);
        self.note_places();
        let lane = usize::from(task.header().meta.lane);
        self.shared.slot(self.index).locals[lane].fetch_add(1, Ordering::Relaxed);
        if let Ok(runtime) = self.runtime() {
            let handle = runtime.spawn_local(local);
            extra.set_future(handle.abort_handle());
        }
    }

    /// A future that took a place is settled.
    fn local_ended(&self, task: Ended, outcome: Outcome) {
        let was_full = !self.has_place();
        self.locals.set(self.locals.get() - 1);
        self.note_places();
        self.shared.slot(self.index).locals[task.lane].fetch_sub(1, Ordering::Relaxed);
        self.record_run(task.lane, outcome, task.waited, task.ran);
        self.return_loan(task.lane, task.borrowed);
        if task.gives_place {
            self.gone_from(task.lane);
        }
        if was_full || self.shared.engine.is_ending() {
            // There is a place again: out of the driver, to the queues.
            self.leave_runtime();
        }
    }

    /// Makes the wait in the runtime end.
    fn leave_runtime(&self) {
        if self.waiting_in_runtime.replace(false) {
            self.shared.engine.seat(self.index).ring_now();
        }
    }

    /// One turn, if there is something alive and the time has come.
    pub(super) fn turn_if_due(&self) {
        if self.runtime.borrow().is_none() {
            return;
        }
        let now = Stamp::now();
        let turned = Stamp::from_bits(self.turned.get());
        let since = if turned.is_none() {
            u64::MAX
        } else {
            now.nanos_since(turned)
        };
        // Early by a task, so that the turn is not late by one.
        if since.saturating_add(self.average_run.get()) < self.shared.config.turn_budget_nanos {
            return;
        }
        self.turned.set(now.to_bits());
        self.turn_now();
    }

    /// One turn, if there is something alive and the thread is not in the runtime anyway.
    pub(super) fn turn_now(&self) {
        if self.alive() > 0
            && !self.in_runtime.get()
            && let Ok(runtime) = self.runtime()
        {
            self.turn(&runtime);
        }
    }

    fn turn(&self, runtime: &LocalRuntime) {
        // Twice: the first looks at timers and sockets at its end, the second polls what they woke.
        self.in_runtime.set(true);
        runtime.block_on(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        self.in_runtime.set(false);
        self.shared.slot(self.index).recorder.count_turn();
        self.turned.set(Stamp::now().to_bits());
        self.note_background();
    }

    /// Stage 3: waits in the runtime's driver until there is mail, or nothing is alive any more.
    pub(super) fn wait_in_runtime(&self, runtime: &LocalRuntime) {
        self.waiting_in_runtime.set(true);
        self.in_runtime.set(true);
        let mut first = true;
        runtime.block_on(poll_fn(|context| {
            if first {
                first = false;
                self.shared
                    .engine
                    .seat(self.index)
                    .set_ring(Some(context.waker().clone()));
            } else if self.must_leave_runtime() {
                return Poll::Ready(());
            }
            if self.must_leave_runtime() {
                return Poll::Ready(());
            }
            Poll::Pending
        }));
        self.waiting_in_runtime.set(false);
        self.in_runtime.set(false);
        self.turned.set(Stamp::now().to_bits());
        self.note_background();
    }

    fn must_leave_runtime(&self) -> bool {
        !self.waiting_in_runtime.get()
            || self.alive() == 0
            || self.shared.engine.dispatch.roster().has_mail(self.index)
    }
}

/// Before the runtime waits in its driver.
fn before_driver() {
    let Some(worker) = worker() else { return };
    if !worker.waiting_in_runtime.get() {
        return;
    }
    worker.note_background();
    // An end that is waited for may have come with the last of the futures.
    let must_leave = worker.must_leave_runtime() || worker.may_exit();
    let has_mail = || {
        worker
            .shared
            .engine
            .dispatch
            .roster()
            .has_mail(worker.index)
    };
    if must_leave || !worker.step.waiter.borrow_mut().park_driver(has_mail) {
        worker.leave_runtime();
    }
}

/// After the driver's wait.
fn after_driver() {
    let Some(worker) = worker() else { return };
    worker.woke();
}

/// The future that was polled last awaits something of the pool.
fn take_awaits() -> bool {
    worker().is_some_and(|worker| worker.awaits.take())
}

/// A future lends its place among its worker's, or takes it back.
fn lend_place(lends: bool) {
    let Some(worker) = worker() else { return };
    let was_full = !worker.has_place();
    let awaiting = worker.awaiting.get();
    worker
        .awaiting
        .set(if lends { awaiting + 1 } else { awaiting - 1 });
    worker.note_places();
    if was_full && worker.has_place() {
        // Out of the driver, to the queues.
        worker.leave_runtime();
    }
}

/// What is kept of a future's task for its record.
struct Ended {
    lane: usize,
    waited: u64,
    ran: u64,
    /// Its place in the lane is free: it had one, and the task it was lent to has ended.
    gives_place: bool,
    borrowed: Option<Loan>,
}

/// The future of a task, which settles it: with its value or panic, or, when it is dropped before
/// that, as aborted or cancelled.
struct LocalTask<W: Work, U> {
    future: Option<U>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    began: Stamp,
    running: Option<Running<W>>,
    /// It awaits something of the pool, and its place among the worker's futures is another's as
    /// long.
    lends: bool,
    /// It has a place of its own among its lane's running.
    placed: bool,
    /// It has that of another one.
    borrowed: Option<Loan>,
}

// Nothing is pinned in place: the future has a box of its own.
impl<W: Work, U: Unpin> Unpin for LocalTask<W, U> {}

impl<W, U> Future for LocalTask<W, U>
where
    W: Work<Output = U::Output>,
    U: Future + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let (Some(future), Some(running)) = (&mut this.future, &this.running) else {
            return Poll::Ready(());
        };
        if let Some(cancelled) = &mut this.cancelled
            && cancelled.as_mut().poll(context).is_ready()
        {
            // An abort cancels the task's own token too.
            let error = this.error_of_drop();
            this.settle(Err(error));
            return Poll::Ready(());
        }
        if std::mem::take(&mut this.lends) {
            lend_place(false);
        }
        // After a panic the future is dropped, not polled again.
        let polled = boundary::of_task(running.task(), || Pin::new(&mut *future).poll(context));
        let awaits = take_awaits();
        let result = match polled {
            Ok(Poll::Pending) => {
                this.lends = awaits;
                if awaits {
                    lend_place(true);
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(JoinError::panicked(panic)),
        };
        this.settle(result);
        Poll::Ready(())
    }
}

impl<W: Work, U> LocalTask<W, U> {
    fn error_of_drop(&self) -> JoinError {
        match &self.running {
            Some(running) if running.task().snapshot().is_aborted() => JoinError::aborted(),
            _ => JoinError::cancelled(),
        }
    }

    fn settle(&mut self, result: Result<W::Output, JoinError>) {
        let Some(running) = self.running.take() else {
            return;
        };
        if std::mem::take(&mut self.lends) {
            lend_place(false);
        }
        // First the future and what it holds, then whoever waits for its end.
        let future = self.future.take();
        drop_quietly(future);
        let header: &Header = running.task().header();
        let ended = Ended {
            lane: usize::from(header.meta.lane),
            waited: self.began.nanos_since(Stamp::from_bits(header.submitted)),
            ran: Stamp::now().nanos_since(self.began),
            gives_place: self.placed
                && header
                    .extra()
                    .and_then(Extra::take_lent)
                    .is_none_or(Loan::end),
            borrowed: self.borrowed.take(),
        };
        let worker = worker();
        super::leave_task(running.task());
        let outcome = running.settle(result);
        if let Some(worker) = worker {
            worker.local_ended(ended, outcome);
            worker.shared.slot(worker.index).record_is_done();
        }
    }
}

impl<W: Work, U> Drop for LocalTask<W, U> {
    fn drop(&mut self) {
        let error = self.error_of_drop();
        self.settle(Err(error));
    }
}
