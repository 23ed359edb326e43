//! The boundary between the pool and its users' code. All of that code runs behind it, wherever
//! the pool calls it: tasks, futures and their destructors, results, panic payloads, hooks, the
//! worker's state, wakers, tracing subscribers.
//!
//! Guaranteed, whatever the code does: a panic ends here, and so does one of its payload's
//! destructor; what [`current`] says is restored on every way out; and the caller goes on with its
//! own steps. So no state of the pool is left half changed, and nothing is blamed on a task that
//! did not do it.
//!
//! No lock of the pool is held by the caller: the code may call the pool again.

use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

use super::cell::{Header, TaskRef};
#[cfg(not(cenote_loom))]
use crate::timer;

thread_local! {
    /// The task whose code runs on this thread. The frame that has set it holds a reference to the
    /// task for as long.
    static CURRENT: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
}

/// Puts back what was current, on every way out.
struct Restore(Option<NonNull<Header>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// What the user's code panicked with. Dropping it panics no more.
pub(crate) struct Panic(Option<Box<dyn Any + Send>>);

impl Panic {
    pub(crate) fn into_inner(mut self) -> Box<dyn Any + Send> {
        self.0.take().expect("a payload is taken once")
    }

    pub(crate) fn payload(&self) -> &(dyn Any + Send) {
        self.0.as_deref().expect("a payload is taken once")
    }
}

impl Drop for Panic {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

/// Runs code of that task.
#[inline]
pub(crate) fn of_task<T>(task: &TaskRef, code: impl FnOnce() -> T) -> Result<T, Panic> {
    behind(Some(NonNull::from(task.header())), code)
}

/// Runs code that belongs to no task.
pub(crate) fn of_nobody<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    behind(None, code)
}

#[inline]
fn behind<T>(current: Option<NonNull<Header>>, code: impl FnOnce() -> T) -> Result<T, Panic> {
    let _restore = Restore(CURRENT.replace(current));
    // Unwind safety: what the code had is gone with it. What it shares with others is its own
    // affair, as with any thread that panics.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panic(Some(payload)))
}

/// Calls `with` with the task whose code runs on this thread, if any.
pub(crate) fn current<T>(with: impl FnOnce(Option<&Header>) -> T) -> T {
    let current = CURRENT.get();
    // SAFETY: whoever set it borrows a task reference until it has reset it, which `Restore` does
    // on every way out of that frame, and this call is inside of it.
    with(current.map(|header| unsafe { header.as_ref() }))
}

/// Drops a value of the user's. A panic in there has nobody to go to.
pub(crate) fn drop_quietly<T>(value: T) {
    if !mem::needs_drop::<T>() {
        return;
    }
    let _restore = Restore(CURRENT.replace(None));
    // Unwind safety: the value is gone either way, and so is the payload of its panic, whose
    // destructor is the user's too.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        mem::forget(second);
    }
}

/// Wakes whoever waits. A waker is its runtime's code.
pub(crate) fn wake(waker: Waker) {
    #[cfg(not(cenote_loom))]
    if timer::runs_here() {
        return wake_elsewhere(waker);
    }
    drop(of_nobody(|| waker.wake()));
}

/// The same on another thread, for those who must not wait for what the waker does.
pub(crate) fn wake_elsewhere(waker: Waker) {
    #[cfg(not(cenote_loom))]
    timer::elsewhere(Box::new(move || drop(of_nobody(|| waker.wake()))));
    #[cfg(cenote_loom)]
    drop(of_nobody(|| waker.wake()));
}
