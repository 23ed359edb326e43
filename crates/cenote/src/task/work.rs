//! The two kinds of work: a closure, and a future made on the worker. Each runs in the span of
//! where it was made.

use std::future::Future;

use super::boundary::{self, drop_quietly};
use super::cell::{Ran, Running, Work};
use super::error::JoinError;
use crate::integrations::tracing::TaskSpan;
use crate::worker;

/// Runs the task's code. A panic becomes the error.
fn catch<W: Work, T>(running: &Running<W>, code: impl FnOnce() -> T) -> Result<T, JoinError> {
    boundary::of_task(running.task(), code).map_err(JoinError::panicked)
}

/// Whether a closure is so large that it is boxed: each step on its way copies it, and those on the
/// worker's stack, one below the other, must not fill it.
pub(crate) const fn is_large<F>() -> bool {
    size_of::<F>() > 4096
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

impl<F> Closure<Box<F>> {
    pub(crate) fn unboxed(self) -> F {
        *self.f
    }
}

impl<F: FnOnce() -> T, T> Work for Closure<F> {
    type Output = T;

    #[inline]
    fn run(self, running: Running<Self>) -> Ran {
        let Closure { f, span } = self;
        let result = catch(&running, || span.in_scope(f));
        // Before the task is settled, so that whoever waits for it finds the span closed.
        drop_quietly(span);
        worker::leave_task(running.task());
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

impl<F> Local<Box<F>> {
    pub(crate) fn unboxed(self) -> F {
        *self.f
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
        // In the runtime's context, also the first time: what makes a future may be tokio's own.
        let made = catch(&running, || {
            worker::in_runtime(|| span.in_scope(|| Box::pin(f())))
        });
        let error = match made {
            Ok(Ok(future)) => {
                worker::spawn_task(span.instrument(future), running);
                return Ran::Left;
            }
            Ok(Err(no_runtime)) => JoinError::no_runtime(no_runtime),
            Err(error) => error,
        };
        drop_quietly(span);
        worker::leave_task(running.task());
        Ran::Settled(running.settle(Err(error)))
    }
}
