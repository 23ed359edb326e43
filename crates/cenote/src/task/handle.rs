//! The caller's side of a task: [`JoinHandle`], and [`AbortHandle`] to stop it from elsewhere.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use cenote_park::{Participants, glance};

use super::blocking::{self, Awaited};
use super::budget::Budget;
use super::cell::TaskRef;
use super::error::JoinError;
use super::joiner::Joiner;
use super::outcome::Outcome;
use super::state::Phase;
use crate::os::fork;
use crate::worker;

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Accepted; no worker has begun with it.
    Queued,
    /// A worker runs it, or its future lives on a worker.
    Running,
    /// It has settled. A closure that outlived its `timeout` may still be running.
    Finished,
}

/// The result of a task, when it comes. It can be awaited, joined from a blocking thread, aborted,
/// detached, and asked.
///
/// In a task of tokio it takes part in the [cooperative budget](tokio::task::coop), as tokio's own
/// does: a loop that awaits handles that are done gives way to other tasks now and then.
///
/// Dropping it detaches the task, which runs all the same; a result is then dropped on the worker.
/// Where the task is to end with it, use [`abort_on_drop`](Self::abort_on_drop).
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// let sum = pool.try_spawn(|| (1..=10).sum::<u32>())?;
/// assert_eq!(sum.join()?, 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a JoinHandle detaches the task; say so with `detach()`"]
pub struct JoinHandle<T> {
    joiner: Joiner<T>,
    max_spin: Duration,
    fork: u32,
    /// The task is likely to be done before the thread could have gone to sleep: the first poll
    /// waits a moment for it.
    prompt: bool,
    budget: Budget,
}

/// How long a poll looks for a result that is expected at once. Less than the wake-up it saves, on
/// either side.
const POLL_SPIN: Duration = Duration::from_micros(3);
/// Between two looks, which include one at the clock.
const POLL_PAUSES: u32 = 4;
/// More than fit into `POLL_SPIN` on any processor: the clock ends it.
const POLL_LOOKS: u32 = 1024;

impl<T> JoinHandle<T> {
    pub(crate) fn prompt(mut self) -> Self {
        self.prompt = true;
        self
    }

    /// Looks for the result for a moment, once.
    fn look(&mut self) {
        if !std::mem::take(&mut self.prompt) || self.max_spin.is_zero() {
            return;
        }
        let until = Instant::now() + POLL_SPIN.min(self.max_spin);
        let over = || self.joiner.is_done() || Instant::now() >= until;
        glance(Participants::global(), POLL_LOOKS, POLL_PAUSES, over);
    }

    pub(crate) fn new(joiner: Joiner<T>, max_spin: Duration, fork: u32) -> Self {
        JoinHandle {
            joiner,
            max_spin,
            fork,
            prompt: false,
            budget: Budget::default(),
        }
    }

    /// The result, if the task is done.
    pub(crate) fn take(&mut self) -> Option<Result<T, JoinError>> {
        let result = self.joiner.take()?;
        Some(match result {
            // It was put in the queue of a pool whose threads are in the parent.
            Err(error) if error.is_lost() && self.is_forked() => Err(JoinError::forked()),
            result => result,
        })
    }

    /// Leaves `waker` to be woken when the task is done. False: it is done already.
    pub(crate) fn wait_with(&mut self, waker: &Waker) -> bool {
        self.joiner.wait_with(waker)
    }

    /// That of its pool.
    pub(crate) fn max_spin(&self) -> Duration {
        self.max_spin
    }

    /// Whether the task is in the process of which this one is a fork.
    pub(crate) fn is_forked(&self) -> bool {
        self.fork != fork::generation()
    }

    pub(crate) fn task(&self) -> &TaskRef {
        self.joiner.task()
    }

    /// Blocks until the task has settled: spins for at most the pool's `max_spin`, then sleeps.
    ///
    /// On a worker of the same pool, a closure that has not started is run here and now, so that
    /// waiting for one's own pool does not use it up; inside of
    /// [`with_state`](crate::with_state) another worker has to run it. Do not call it from async
    /// code: await the handle.
    ///
    /// # Errors
    ///
    /// If the task has no value; and with `CENOTE_WOULD_DEADLOCK` if only this very thread could
    /// bring it to its end: a future that lives here, or, inside of `with_state` in a pool of one
    /// thread, a closure that has not started.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.try_spawn(|| "done")?.join()?, "done");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn join(mut self) -> Result<T, JoinError> {
        match self.wait(None) {
            Ok(()) => self.take().expect("a task that was waited for is done"),
            Err(error) => Err(error),
        }
    }

    /// Like [`join`](Self::join), for at most `limit`. If the task has not settled by then, the
    /// handle is returned.
    ///
    /// # Errors
    ///
    /// The handle, after `limit`. The inner result is that of `join`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let handle = pool.try_spawn(move || gone.recv().is_ok())?;
    /// let handle = handle.join_timeout(Duration::from_millis(5)).unwrap_err();
    /// go.send(())?;
    /// assert!(handle.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_timeout(mut self, limit: Duration) -> Result<Result<T, JoinError>, Self> {
        match self.wait(Instant::now().checked_add(limit)) {
            Err(error) => Ok(Err(error)),
            Ok(()) => match self.take() {
                Some(result) => Ok(result),
                None => Err(self),
            },
        }
    }

    /// Returns when the task is done, or at the deadline.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<(), JoinError> {
        if self.joiner.is_done() {
            return Ok(());
        }
        if self.is_forked() {
            return Err(JoinError::forked());
        }
        if worker::is_worker() {
            let task = self.joiner.task().clone();
            if let Some(waited) = worker::wait::wait_for(&task, deadline, &mut self.joiner) {
                return waited.map(drop);
            }
        }
        blocking::wait(self.max_spin, deadline, &mut self.joiner);
        Ok(())
    }

    /// Asks the task to stop. True: it had not started, and never will.
    ///
    /// A future is dropped on its worker, at its next suspension. A closure that runs is asked
    /// through its [`token`](crate::token), and its value, if it returns one, is the task's.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let (began, begun) = std::sync::mpsc::channel();
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || {
    ///     began.send(()).unwrap();
    ///     gone.recv().is_ok()
    /// })?;
    /// begun.recv()?;
    /// let queued = pool.try_spawn(|| unreachable!())?;
    /// assert!(queued.abort());
    /// assert!(queued.join().unwrap_err().is_aborted());
    /// go.send(())?;
    /// assert!(busy.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> bool {
        abort(self.joiner.task())
    }

    /// A handle that can only abort and ask; it does not keep the result.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| 1)?;
    /// let abort = handle.abort_handle();
    /// handle.join()?;
    /// assert!(abort.is_finished());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle(self.joiner.task().clone())
    }

    /// Lets the task run by itself. The same as dropping the handle, and says that it is meant.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.try_spawn(|| println!("in the background"))?.detach();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(self) {}

    /// Whether the task has settled.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| 1)?;
    /// while !handle.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.joiner.is_done()
    }

    /// How far the task has come. It may have gone on when this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Status;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| 1)?;
    /// while handle.status() != Status::Finished {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Status {
        status(self.joiner.task())
    }
}

// A panic beside a handle leaves its task as it was: each of its steps is taken whole, by the state
// word.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> Awaited for Joiner<T> {
    fn is_ready(&self) -> bool {
        self.is_done()
    }

    fn register(&mut self, waker: &Waker) -> bool {
        self.wait_with(waker)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If it is polled again after it returned the result.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let leave = ready!(self.budget.poll(context));
        if let Some(result) = self.take() {
            leave.made_progress();
            return Poll::Ready(result);
        }
        if self.is_forked() {
            return Poll::Ready(Err(JoinError::forked()));
        }
        self.look();
        if worker::is_worker() && !self.joiner.is_done() {
            match worker::wait::before_pending(&mut self.joiner) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(is_done) => {
                    if is_done && let Some(result) = self.take() {
                        return Poll::Ready(result);
                    }
                }
            }
        }
        if self.joiner.wait_with(context.waker()) {
            return Poll::Pending;
        }
        match self.take() {
            Some(result) => {
                leave.made_progress();
                Poll::Ready(result)
            }
            None => unreachable!("a waker is refused only by a task that is done"),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// Aborts a task from elsewhere than where its result goes. Made by [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle(TaskRef);

// As for `JoinHandle`.
impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    /// The same as [`JoinHandle::abort`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| 1)?;
    /// let abort = handle.abort_handle();
    /// handle.join()?;
    /// assert!(!abort.abort(), "it has run");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> bool {
        abort(&self.0)
    }

    /// The same as [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.0.snapshot().is_done()
    }

    /// The same as [`JoinHandle::status`].
    pub fn status(&self) -> Status {
        status(&self.0)
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("status", &self.status())
            .finish()
    }
}

pub(super) fn abort(task: &TaskRef) -> bool {
    if task.settle_queued(Outcome::Aborted) {
        return true;
    }
    if !task.header().state().ask_abort().is_done() {
        // Made if it is not there yet: the task finds the wish in it when it makes a token or a
        // future.
        task.header().extra_or_new().stop();
    }
    false
}

fn status(task: &TaskRef) -> Status {
    match task.snapshot().phase() {
        Phase::Queued => Status::Queued,
        // Settling: the result is being written, and cannot be had yet.
        Phase::Running | Phase::Settling => Status::Running,
        Phase::Done => Status::Finished,
    }
}
