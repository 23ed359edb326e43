//! What a pool tells the `tracing` subscriber: spans that go with the tasks, and events of its own
//! life.
//!
//! **Spans.** A task runs in the span that was current where it was spawned, so that its events
//! belong to the request that asked for it: a closure from start to end, a future each time it is
//! polled, and what it leaves behind with [`spawn_background`](crate::spawn_background) too. The
//! span stays open as long. Without a current span, or without a subscriber, a task costs a look
//! and nothing more; no span is made for each task.
//!
//! **Events**, all with the target `cenote`, none for single tasks:
//!
//! | level | message | fields |
//! |---|---|---|
//! | `DEBUG` | `worker started`, `worker ended` | `worker`, its thread's name; `retired`, if it was idle for too long |
//! | `DEBUG` | `pool grows` | `queued`, the tasks that wait while every worker is blocked |
//! | `DEBUG` | `pool closes`, `pool shut down`, `pool ended` | `cancelled`, how many tasks the shutdown cancelled |
//! | `WARN` | `pool not done at its limit` | `queued`, `running`, `background`, `blocking`, `threads`: the [`CloseReport`](crate::CloseReport) |
//! | `WARN` | `worker thread not started` | `error` |
//! | `WARN` | `worker state not made` | `error`; it is tried again |
//! | `ERROR` | `pool without workers` | `error`; every task is refused from now on |
//!
//! # Examples
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! let pool = cenote::Pool::new()?;
//! let request = tracing::info_span!("request", id = 7);
//! let task = || tracing::info!("this is part of request 7");
//! let handle = request.in_scope(|| pool.try_spawn(task))?;
//! handle.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::future::Future;

/// An event with the target `cenote`. Its arguments are not evaluated without the feature.
macro_rules! event {
    ($level:ident, $($rest:tt)*) => {
        // A subscriber is the user's code.
        #[cfg(feature = "tracing")]
        drop($crate::task::boundary::of_nobody(|| {
            ::tracing::event!(target: "cenote", ::tracing::Level::$level, $($rest)*)
        }))
    };
}
pub(crate) use event;

/// The span a task runs in: that of its spawner. Nothing at all without the feature.
pub(crate) struct TaskSpan {
    #[cfg(feature = "tracing")]
    span: ::tracing::Span,
}

impl TaskSpan {
    #[inline]
    pub(crate) fn current() -> Self {
        TaskSpan {
            #[cfg(feature = "tracing")]
            span: ::tracing::Span::current(),
        }
    }

    /// Runs a closure in the span.
    #[inline]
    pub(crate) fn in_scope<T>(&self, f: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        f()
    }

    /// Has a future polled, and dropped, in the span.
    #[cfg(feature = "tracing")]
    pub(crate) fn instrument<U: Future>(self, future: U) -> ::tracing::instrument::Instrumented<U> {
        ::tracing::Instrument::instrument(future, self.span)
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) fn instrument<U: Future>(self, future: U) -> U {
        future
    }
}
