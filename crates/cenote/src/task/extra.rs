//! What only some tasks have: deadlines, a cancellation token, a future on a worker.
//!
//! It is made on first use, so that a plain task carries one null pointer for all of this. One lock
//! per task guards it, and is held for a few instructions; nothing is called while it is held.
//!
//! Guaranteed: an abort that comes before the task's future, or its token, exists is found when
//! that is made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::boundary;
use super::cell::TaskRef;
use super::loan::Loan;
use super::outcome::Outcome;
use crate::sync::Mutex;
use crate::timer::{self, TimerKey};

/// See the module.
#[derive(Default)]
pub(crate) struct Extra(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    aborted: bool,
    token: Option<CancellationToken>,
    /// The worker knows the token, and cancels it at a shutdown.
    watched: bool,
    /// Wakes when the token is cancelled while the task is queued.
    queued_cancel: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    future: Option<tokio::task::AbortHandle>,
    /// The thread its future lives on.
    thread: Option<ThreadId>,
    queue_deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// The one deadline that is under way.
    timer: Option<TimerKey>,
    /// The task of its lane that runs in its place.
    lent_to: Option<(TaskRef, Loan)>,
    /// It runs in the place of another one.
    borrowed: Option<Loan>,
}

impl Extra {
    /// Arms what bounds the time in the queue: call it once, before the task is submitted.
    pub(crate) fn arm(
        &self,
        task: &TaskRef,
        queue_timeout: Option<Duration>,
        timeout: Option<Duration>,
        token: Option<&CancellationToken>,
    ) {
        {
            let mut inner = self.0.lock();
            inner.timeout = timeout;
            // A time too far to be told is no limit.
            inner.queue_deadline =
                queue_timeout.and_then(|after| Instant::now().checked_add(after));
            inner.token = token.map(CancellationToken::child_token);
        }
        if let Some(token) = token {
            let mut cancelled = Box::pin(token.clone().cancelled_owned());
            let waker = Waker::from(Arc::new(CancelQueued(task.clone())));
            if cancelled
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                task.settle_queued(Outcome::Cancelled);
                return;
            }
            self.0.lock().queued_cancel = Some(cancelled);
            if token.is_cancelled() {
                // The waker may have come before there was anything to forget.
                task.settle_queued(Outcome::Cancelled);
                self.forget();
                return;
            }
        }
        let deadline = self.0.lock().queue_deadline;
        if let Some(deadline) = deadline {
            let late = task.clone();
            // Without a timer the deadline is still looked at when a worker comes to the task.
            let timer = timer::schedule(
                deadline,
                Box::new(move || {
                    late.settle_queued(Outcome::QueueTimedOut);
                }),
            );
            self.0.lock().timer = timer.ok();
        }
    }

    /// Whether the task has waited for longer than it may.
    pub(crate) fn is_queue_timed_out(&self) -> bool {
        let deadline = self.0.lock().queue_deadline;
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The task has started: what bounds its time in the queue is over, what bounds its run begins.
    pub(crate) fn started(&self, task: &TaskRef) {
        self.forget();
        let timeout = self.0.lock().timeout;
        let Some(at) = timeout.and_then(|after| Instant::now().checked_add(after)) else {
            return;
        };
        let late = task.clone();
        let timer = timer::schedule(
            at,
            Box::new(move || {
                if late.settle_timed_out() {
                    // Whoever waits for the token is the user's code.
                    timer::elsewhere(Box::new(move || late.header().extra_or_new().stop()));
                }
            }),
        );
        self.0.lock().timer = timer.ok();
    }

    /// Drops what refers back to the task: the timer and the wait for the token.
    pub(crate) fn forget(&self) {
        let (timer, cancel, lent_to) = {
            let mut inner = self.0.lock();
            let lent_to = inner.lent_to.take();
            (inner.timer.take(), inner.queued_cancel.take(), lent_to)
        };
        drop(lent_to);
        if let Some(timer) = timer {
            timer::cancel(timer);
        }
        drop(cancel);
    }

    /// The task is to stop: its token is cancelled, its future dropped by the worker it lives on.
    pub(crate) fn stop(&self) {
        let (token, future) = {
            let mut inner = self.0.lock();
            inner.aborted = true;
            (inner.token.clone(), inner.future.clone())
        };
        if let Some(token) = token {
            // Whoever waits for it is woken here.
            drop(boundary::of_nobody(|| token.cancel()));
        }
        if let Some(future) = future {
            future.abort();
        }
    }

    /// The task's token, made now if it has none. True: it is asked for for the first time.
    pub(crate) fn token(&self) -> (CancellationToken, bool) {
        let mut inner = self.0.lock();
        let aborted = inner.aborted;
        let first = !std::mem::replace(&mut inner.watched, true);
        let token = inner.token.get_or_insert_default().clone();
        drop(inner);
        if aborted {
            token.cancel();
        }
        (token, first)
    }

    /// Lends the task's place in its lane to another one, unless it is lent already.
    pub(crate) fn lend_to(&self, task: &TaskRef) -> bool {
        let inner = self.0.lock();
        let is_lent = inner
            .lent_to
            .as_ref()
            .is_some_and(|(other, _)| !other.snapshot().is_done());
        if is_lent {
            return false;
        }
        // Before the lock is taken again: the two may be tasks that lend to each other.
        drop(inner);
        let Some(lent) = Loan::to(task) else {
            return false;
        };
        let before = self.0.lock().lent_to.replace((task.clone(), lent));
        drop(before);
        true
    }

    /// The task runs in the place of another one.
    pub(super) fn borrow_place(&self, loan: Loan) {
        let before = self.0.lock().borrowed.replace(loan);
        drop(before);
    }

    /// The task ends: its end of the loan by which its place is another's.
    pub(crate) fn take_lent(&self) -> Option<Loan> {
        self.0.lock().lent_to.take().map(|(_, loan)| loan)
    }

    /// The task starts, or will not: its end of the loan by which it has another's place.
    pub(crate) fn take_borrowed(&self) -> Option<Loan> {
        self.0.lock().borrowed.take()
    }

    /// Whether the worker knows its token.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.lock().watched
    }

    /// The token the task was given, if any.
    pub(crate) fn given_token(&self) -> Option<CancellationToken> {
        self.0.lock().token.clone()
    }

    /// The task's future lives on a worker now. It is dropped at once if the task was aborted
    /// before.
    pub(crate) fn set_future(&self, future: tokio::task::AbortHandle) {
        let aborted = {
            let mut inner = self.0.lock();
            inner.future = Some(future.clone());
            inner.thread = Some(thread::current().id());
            inner.aborted
        };
        if aborted {
            future.abort();
        }
    }
}

impl Extra {
    /// Whether the task's future lives on this thread.
    pub(crate) fn lives_here(&self) -> bool {
        self.0.lock().thread == Some(thread::current().id())
    }
}

/// Settles a queued task when its token is cancelled.
struct CancelQueued(TaskRef);

impl Wake for CancelQueued {
    fn wake(self: Arc<Self>) {
        self.0.settle_queued(Outcome::Cancelled);
    }
}
