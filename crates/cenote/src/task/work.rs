//! The two kinds of work: a closure, and a future made on the worker. Each runs in the span of
//! where it was made.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cell::{Ran, Running, Work};
use super::error::JoinError;
use crate::integrations::tracing::TaskSpan;
use crate::worker;

/// Runs the user's code. A panic becomes the error.
///
/// Unwind safety: what the closure had captured is gone with it, and the worker's state is told to
/// be possibly half changed in `Builder::worker_state`.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, JoinError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(JoinError::panicked)
}

/// `FnOnce() -> T`.
pub(crate) struct Closure<F> {
    f: F,
    span: TaskSpan,
}

impl<F> Closure<F> {
    #[inline]
    pub(crate) fn new(f: F) -> Self {
        let span = TaskSpan::current();
        Closure { f, span }
    }

    pub(crate) fn into_inner(self) -> F {
        self.f
    }
}

impl<F: FnOnce() -> T, T> Work for Closure<F> {
    type Output = T;

    #[inline]
    fn run(self, running: Running<Self>) -> Ran {
        let Closure { f, span } = self;
        let result = catch(|| span.in_scope(f));
        // Before the task is settled, so that whoever waits for it finds the span closed.
        span.close();
        worker::leave_task();
        Ran::Settled(running.settle(result))
    }
}

/// `FnOnce() -> impl Future`.
pub(crate) struct Local<F> {
    f: F,
    span: TaskSpan,
}

impl<F> Local<F> {
    pub(crate) fn new(f: F) -> Self {
        let span = TaskSpan::current();
        Local { f, span }
    }

    pub(crate) fn into_inner(self) -> F {
        self.f
    }
}

impl<F, U> Work for Local<F>
where
    F: FnOnce() -> U,
    U: Future + 'static,
    Self: 'static,
{
    type Output = U::Output;

    fn run(self, running: Running<Self>) -> Ran {
        let Local { f, span } = self;
        match catch(|| span.in_scope(f)) {
            Ok(future) => {
                worker::spawn_task(span.instrument(future), running);
                Ran::Left
            }
            Err(error) => {
                span.close();
                worker::leave_task();
                Ran::Settled(running.settle(Err(error)))
            }
        }
    }
}
