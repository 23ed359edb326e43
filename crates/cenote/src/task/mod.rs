//! A task: one allocation that holds the work, later its result, and who waits for it.
//!
//! - [`state`]: the word that says who owns which part of it, and when.
//! - [`boundary`]: what all of the user's code runs behind.
//! - [`cell`]: the allocation, and what can be done with it: run, fail, take the result.
//! - [`task_ref`], [`joiner`]: references to it, those of queues and workers, and the handle's.
//! - [`memory`]: where cells are allocated.
//! - [`extra`]: what only some tasks have: deadlines, a cancellation token, a future on a worker.
//! - [`outcome`]: how it ended; [`error`]: the same, to whoever joins it.
//! - [`home`]: from a task to its pool.
//! - [`loan`]: a place in a lane that one task has lent to another.
//! - [`handle`]: the caller's side, `JoinHandle`; [`batch`]: that of many tasks;
//!   [`abort_on_drop`]: the same, and the task ends with it.
//! - [`budget`]: when who awaits one gives way to others.
//! - [`blocking`]: how a thread that is no worker waits: spin, then park.

#[cfg(not(cenote_loom))]
pub(crate) mod abort_on_drop;
#[cfg(not(cenote_loom))]
pub(crate) mod batch;
#[cfg(not(cenote_loom))]
pub(crate) mod blocking;
pub(crate) mod boundary;
#[cfg(not(cenote_loom))]
pub(crate) mod budget;
pub(crate) mod cell;
pub(crate) mod error;
#[cfg(not(cenote_loom))]
pub(crate) mod extra;
#[cfg(not(cenote_loom))]
pub(crate) mod handle;
#[cfg(not(cenote_loom))]
pub(crate) mod home;
pub(crate) mod joiner;
#[cfg(not(cenote_loom))]
pub(crate) mod loan;
#[cfg(not(cenote_loom))]
pub(crate) mod memory;
pub(crate) mod outcome;
pub(crate) mod state;
mod task_ref;
#[cfg(not(cenote_loom))]
pub(crate) mod work;

#[cfg(all(test, not(cenote_loom)))]
mod tests;
