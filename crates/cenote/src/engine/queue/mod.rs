//! Where tasks wait for a worker, and how a worker is found for them. Knows nothing of threads.
//!
//! - [`fifo`]: one first-in, first-out queue, linked through the tasks themselves.
//! - [`chain`]: tasks that are queued together.
//! - [`gate`]: the limit of a lane's queue, and its end.
//! - [`lane`]: a lane's queues by band and kind, and which task is next.
//! - [`run_list`]: what a worker has taken from a lane, and not begun.
//! - [`roster`]: which workers have nothing to do, and the mailbox each of them is handed a task
//!   through.
//! - [`cover`]: who may be left asleep although a task was queued.
//! - [`dispatch`]: the two together: submit on one side, take and wait on the other.

pub(crate) mod chain;
pub(crate) mod cover;
pub(crate) mod dispatch;
pub(crate) mod fifo;
pub(crate) mod gate;
pub(crate) mod lane;
pub(crate) mod roster;
pub(crate) mod run_list;

#[cfg(all(test, not(cenote_loom)))]
mod tests;
