//! A reference to a task of any type: what queues, workers and timers hold, and what they may do
//! with it; and [`Running`], the right to settle a task that runs.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

use super::boundary::{self, drop_quietly};
use super::cell::{Header, Ran, Work, prefetch, settle};
use super::error::JoinError;
#[cfg(not(cenote_loom))]
use super::home;
use super::outcome::Outcome;
use super::state::{Phase, Snapshot};

/// A reference to a task of any type.
pub(crate) struct TaskRef(pub(super) NonNull<Header>);

// SAFETY: work and results are `Send` (the pool's spawn functions require it), and the state word
// says which one thread owns them; the rest of the header is atomic, immutable, or owned like the
// stage.
unsafe impl Send for TaskRef {}
// SAFETY: as above; a shared reference gives only the steps of the state word.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: a reference keeps the cell alive, and the header is never borrowed mutably.
        unsafe { self.0.as_ref() }
    }

    /// Fetches the task's memory, to be written: it begins on the cache line of whoever submitted
    /// it, and may need two.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.0);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.header().state.load()
    }

    /// The reference as a pointer, for a queue's links. Give it back with
    /// [`from_raw`](Self::from_raw).
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        let header = self.0;
        mem::forget(self);
        header
    }

    /// # Safety
    ///
    /// `header` came from [`into_raw`](Self::into_raw), and this is the one time it is given back.
    pub(crate) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        TaskRef(header)
    }

    /// Runs a task whose `start` this thread has just won. `sole`: it found no other reference.
    pub(crate) fn run_started(self, sole: bool) -> Ran {
        debug_assert_ne!(self.snapshot().phase(), Phase::Queued);
        let run = self.header().vtable.run;
        // SAFETY: the caller of `start` owns the work; this reference goes over to the call.
        unsafe { run(self.into_raw(), sole) }
    }

    /// Settles a task that has not started: it never will. False: it has started, or is settled.
    ///
    /// Runs no code of the user's. The work is dropped by whoever has the queue's reference
    /// ([`discard`](Self::discard)); a waker is woken on another thread.
    pub(crate) fn settle_queued(&self, outcome: Outcome) -> bool {
        let Some(before) = self.header().state.settle_queued(outcome) else {
            return false;
        };
        #[cfg(not(cenote_loom))]
        {
            if let Some(extra) = self.header().extra() {
                extra.forget();
            }
            // Before anybody is woken, so that they find the place free.
            home::settled_unstarted(self);
        }
        if before.has_waker() {
            // SAFETY: `WAKER` was set when this call made the phase `DONE`.
            let waker = unsafe { self.take_waker() };
            waker.into_iter().for_each(boundary::wake_elsewhere);
        }
        true
    }

    /// Drops the work of a task that was settled before it started. For the one who has the queue's
    /// reference.
    pub(crate) fn discard(&self) {
        if self.snapshot().unstarted().is_none() {
            // Somebody has run it, who waited for it.
            return;
        }
        // SAFETY: nobody starts a task that is done, so the work stays that of the queue's
        // reference, which the caller has.
        unsafe { (self.header().vtable.drop_work)(self.0) };
    }

    /// # Safety
    ///
    /// The waker is the caller's, by the step that made the task `DONE`.
    pub(super) unsafe fn take_waker(&self) -> Option<Waker> {
        self.header().waker.with_mut(|waker| {
            // SAFETY: the caller's word.
            unsafe { &mut *waker }.take()
        })
    }

    /// Settles a task that runs, and has a timeout, as timed out. Its work was taken out when it
    /// started, which is when its deadline begins. False: it is settled already.
    #[cfg_attr(cenote_loom, allow(dead_code, reason = "deadlines are not modelled"))]
    pub(crate) fn settle_timed_out(&self) -> bool {
        debug_assert!(self.header().meta.may_settle_early);
        if !self.header().state.settle_running() {
            return false;
        }
        let reference = self.clone().into_raw();
        // SAFETY: this thread moved the phase to `SETTLING`; the work was moved out when it
        // started; the new reference goes over to the call.
        unsafe { (self.header().vtable.fail)(reference, JoinError::timed_out()) };
        true
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        self.header().state.add_reference();
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if self.header().state.drop_reference() {
            // SAFETY: that was the last reference.
            unsafe { (self.header().vtable.free)(self.0) };
        }
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef")
            .field("state", &self.header().state)
            .field("meta", &self.header().meta)
            .finish()
    }
}

/// A task that runs: the right to settle it, held by its work.
pub(crate) struct Running<W: Work> {
    pub(super) task: TaskRef,
    /// There was no other reference when it started.
    pub(super) sole: bool,
    pub(super) work: PhantomData<fn(W)>,
}

impl<W: Work> Running<W> {
    #[cfg_attr(cenote_loom, allow(dead_code, reason = "only futures look at it"))]
    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Settles with a value, or why there is none. Returns how the task ended.
    pub(crate) fn settle(self, result: Result<W::Output, JoinError>) -> Outcome {
        let outcome = match &result {
            Ok(_) => Outcome::Completed,
            Err(error) => error.outcome(),
        };
        // The deadline is over, one way or the other.
        #[cfg(not(cenote_loom))]
        if let Some(extra) = self.task.header().extra() {
            extra.forget();
        }
        if self.task.header().meta.may_settle_early && !self.task.header().state.settle_running() {
            drop_quietly(result);
            return Outcome::TimedOut;
        }
        let sole = self.sole;
        let header = self.task.into_raw();
        // SAFETY: the task is of type `W`: `Running<W>` is made by `run::<W>` only. It is in phase
        // `RUNNING` and nobody else may settle it, or this call has just moved it to `SETTLING`.
        // `run` took the work out.
        unsafe { settle::<W>(header, result, sole) };
        outcome
    }
}
