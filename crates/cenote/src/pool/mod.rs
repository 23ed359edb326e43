//! The pool: what its users hold, and what its workers share.
//!
//! - [`builder`], [`config`]: what can be set, and its defaults.
//! - [`handle`]: `Pool` and `Lane`, and how a task is submitted.
//! - [`task`]: options of one task; [`permit`]: a place in the queue before there is a task.
//! - [`scope`]: tasks with borrowed data.
//! - [`shared`]: what pool and workers share; [`life`]: which threads there are; [`close`]: its
//!   end.

#[cfg(not(loom))]
pub(crate) mod builder;
#[cfg(not(loom))]
pub(crate) mod close;
#[cfg(not(loom))]
pub(crate) mod config;
#[cfg(not(loom))]
pub(crate) mod error;
#[cfg(not(loom))]
pub(crate) mod handle;
pub(crate) mod life;
#[cfg(not(loom))]
pub(crate) mod permit;
#[cfg(not(loom))]
pub(crate) mod scope;
#[cfg(not(loom))]
pub(crate) mod shared;
#[cfg(not(loom))]
pub(crate) mod submit;
#[cfg(not(loom))]
pub(crate) mod task;
