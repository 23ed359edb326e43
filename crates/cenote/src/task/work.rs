//! The three kinds of work: a closure, a closure with the worker's state, and a future made on the worker.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cell::{Ran, Running, Work};
use super::error::Cause;
use crate::worker;

/// Runs the user's code. A panic becomes the cause of the failure.
///
/// Unwind safety: what the closure had captured is gone with it, and the worker's state is told to be
/// possibly half changed in `Builder::worker_state`.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Cause> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Cause::panicked)
}

/// `FnOnce() -> T`.
pub(crate) struct Closure<F>(pub(crate) F);

impl<F: FnOnce() -> T, T> Work for Closure<F> {
    type Output = T;

    #[inline]
    fn run(self, running: Running<Self>) -> Ran {
        let result = catch(self.0);
        worker::leave_task();
        running.settle(result)
    }
}

/// `FnOnce(&mut S) -> T`.
pub(crate) struct Stateful<F, S>(pub(crate) F, pub(crate) PhantomData<fn(S)>);

impl<F: FnOnce(&mut S) -> T, T, S: 'static> Work for Stateful<F, S> {
    type Output = T;

    fn run(self, running: Running<Self>) -> Ran {
        let result = catch(|| worker::with_state(self.0));
        worker::leave_task();
        running.settle(result)
    }
}

/// `FnOnce() -> impl Future`.
pub(crate) struct Local<F>(pub(crate) F);

impl<F, U> Work for Local<F>
where
    F: FnOnce() -> U,
    U: Future + 'static,
    Self: 'static,
{
    type Output = U::Output;

    fn run(self, running: Running<Self>) -> Ran {
        match catch(self.0) {
            Ok(future) => {
                worker::spawn_task(future, running);
                Ran::Left
            }
            Err(cause) => {
                worker::leave_task();
                running.settle(Err(cause))
            }
        }
    }
}
