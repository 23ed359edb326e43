//! The one reference that has the right to a task's result: the handle's.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::task::Waker;

use super::boundary;
use super::cell::{Cell, Stage, TaskRef, Work};
use super::error::JoinError;
use super::state::Leave;

/// The one reference that has the right to the result, once it is there.
pub(crate) struct Joiner<T> {
    /// Given up by `drop`.
    task: ManuallyDrop<TaskRef>,
    output: PhantomData<fn() -> T>,
}

impl<T> Joiner<T> {
    /// # Safety
    ///
    /// `task` is the second of the two that [`cell::new`](super::cell::new) returned, for a work
    /// whose output is `T`.
    pub(crate) unsafe fn new(task: TaskRef) -> Self {
        Joiner {
            task: ManuallyDrop::new(task),
            output: PhantomData,
        }
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    pub(crate) fn is_done(&self) -> bool {
        self.task.snapshot().is_done()
    }

    /// The result, if the task is done.
    ///
    /// # Panics
    ///
    /// If it was taken before.
    pub(crate) fn take(&mut self) -> Option<Result<T, JoinError>> {
        let now = self.task.snapshot();
        if !now.is_done() {
            return None;
        }
        if let Some(outcome) = now.unstarted() {
            return Some(Err(JoinError::unstarted(outcome)));
        }
        let mut result: Option<Result<T, JoinError>> = None;
        // SAFETY: the task is done, this is its handle, and `result` is of the type `take` writes.
        unsafe { (self.task.header().vtable.take)(self.task.0, (&raw mut result).cast()) };
        Some(result.expect("a JoinHandle was polled again after it had returned its result"))
    }

    /// Leaves `waker` to be woken when the task is done. False: it is done already.
    pub(crate) fn wait_with(&mut self, waker: &Waker) -> bool {
        let header = self.task.header();
        let now = header.state.load();
        if now.is_done() {
            return false;
        }
        if now.has_waker() && !header.state.withdraw_waker() {
            return false;
        }
        let waker = waker.clone();
        let before = header.waker.with_mut(|place| {
            // SAFETY: `WAKER` is clear and the task was not done at the last step, which only this
            // handle could set again: the waker is the handle's.
            unsafe { &mut *place }.replace(waker)
        });
        boundary::drop_quietly(before);
        header.state.offer_waker()
    }
}

impl<T> Joiner<T> {
    /// The work of a task that never was submitted. Gives the handle back if it is settled all the
    /// same.
    ///
    /// # Safety
    ///
    /// The task was made by [`cell::new`](super::cell::new) with a work of type `W`.
    pub(crate) unsafe fn into_work<W: Work<Output = T>>(self) -> Result<W, Self> {
        let header = self.task.header();
        if !header.state.start() {
            return Err(self);
        }
        #[cfg(not(cenote_loom))]
        if let Some(extra) = header.extra() {
            extra.forget();
        }
        // SAFETY: the caller's word on the type; this call moved the phase out of `QUEUED`.
        let stage = unsafe { Cell::<W>::replace(self.task.0, Stage::Empty) };
        match stage {
            Stage::Work(work) => Ok(work),
            _ => unreachable!("a task that is queued has its work"),
        }
    }
}

impl<T> Drop for Joiner<T> {
    fn drop(&mut self) {
        let header = self.task.header();
        // Taken back first, so that it does not stay with a task that goes on.
        if header.state.load().has_waker() && header.state.withdraw_waker() {
            let waker = header.waker.with_mut(|waker| {
                // SAFETY: `WAKER` is clear, and the task was not done: the waker is the handle's.
                unsafe { &mut *waker }.take()
            });
            boundary::drop_quietly(waker);
        }
        match header.state.leave() {
            // The reference went with the step.
            Leave::Released => return,
            Leave::Last => {}
            Leave::Done => {
                if header.state.load().unstarted().is_none() {
                    // SAFETY: the task was done while this handle existed, so the result is the
                    // handle's. If it was taken, there is nothing to drop.
                    unsafe { (header.vtable.drop_result)(self.task.0) };
                }
            }
        }
        // SAFETY: it is not used afterwards, and dropped nowhere else.
        unsafe { ManuallyDrop::drop(&mut self.task) };
    }
}
