//! The state of a worker, which the pool's `worker_state` function makes, and lending it.
//!
//! It is lent to one piece of code at a time, by reference, so nothing can keep it. While it is
//! lent, the thread runs no closure for a handle that it joins: that closure might ask for the
//! state as well, and whether it gets it must not hang on which thread comes first.

use std::any::{Any, type_name};
use std::cell::RefCell;

use super::worker;

/// A state, and the name of its type for the message of whoever asks for another one.
pub(crate) struct WorkerState {
    value: Box<dyn Any>,
    type_name: &'static str,
}

impl WorkerState {
    pub(crate) fn new<T: 'static>(value: T) -> Self {
        WorkerState {
            value: Box::new(value),
            type_name: type_name::<T>(),
        }
    }
}

/// Where a worker has its state, if its pool gives it one.
pub(super) struct StateCell(RefCell<Option<WorkerState>>);

impl StateCell {
    pub(super) fn new(state: Option<WorkerState>) -> Self {
        StateCell(RefCell::new(state))
    }

    pub(super) fn is_lent(&self) -> bool {
        self.0.try_borrow().is_err()
    }

    /// The state, to be dropped.
    pub(super) fn take(&self) -> Option<WorkerState> {
        self.0.borrow_mut().take()
    }

    fn lend<T: 'static, R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let wanted = type_name::<T>();
        let Ok(mut state) = self.0.try_borrow_mut() else {
            panic!(
                "`cenote::with_state` for `{wanted}`: the worker's state is lent already, by another \
                 `with_state` that this one is inside of; let that one return first"
            )
        };
        let Some(state) = &mut *state else {
            panic!(
                "`cenote::with_state` for `{wanted}`: this pool's workers have no state; give them \
                 one with `Builder::worker_state`"
            )
        };
        match state.value.downcast_mut::<T>() {
            Some(value) => f(value),
            None => panic!(
                "`cenote::with_state` for `{wanted}`: this worker's state is a `{}`; ask for that, \
                 or have `Builder::worker_state` make a `{wanted}`",
                state.type_name
            ),
        }
    }
}

/// Lends `f` the state of the worker this code runs on: what the function of
/// [`worker_state`](crate::Builder::worker_state) made there. Closures, futures between two awaits,
/// and functions deep down in either get it this way.
///
/// As long as `f` runs, the thread starts no other closure of the pool while it
/// [joins](crate::JoinHandle::join) one: another worker has to. If all workers wait so for what is
/// queued, they wait for ever. So take what you need out of the state, and wait outside. The tasks
/// of a [`scope`](crate::Pool::scope) run on the thread all the same; there they cannot ask for the
/// state.
///
/// # Panics
///
/// If this is no worker, if its pool has no `worker_state` or one of another type, or if the state
/// is lent already: inside of another `with_state`. On a worker that fails this task alone.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::builder()
///     .worker_state(|_| Ok::<_, std::io::Error>(vec![1, 2]))
///     .build()?;
/// let last = pool.try_spawn(|| cenote::with_state(|numbers: &mut Vec<i32>| numbers.pop()))?;
/// assert_eq!(last.join()?, Some(2));
///
/// let count = pool.try_spawn_local(|| async {
///     tokio::task::yield_now().await;
///     cenote::with_state(|numbers: &mut Vec<i32>| numbers.len())
/// })?;
/// assert!(count.join()? <= 2, "what one task does to its worker's state, later ones find");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn with_state<T: 'static, R>(f: impl FnOnce(&mut T) -> R) -> R {
    let worker =
        worker().expect("`cenote::with_state` was called on a thread that is no worker of a pool");
    worker.state.lend(f)
}
