//! The pool: what its users hold, and what its workers share.
//!
//! - [`builder`], [`config`]: what can be set, and its defaults.
//! - [`handle`]: `Pool`; [`lane`]: `Lane`, and all the ways to spawn.
//! - [`task_builder`], [`options`]: options of one task; [`permit`]: a place in the queue before
//!   there is a task; [`submit`]: from a closure to an accepted task.
//! - [`scope`]: tasks with borrowed data.
//! - [`stats`]: figures at a moment.
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
#[cfg(not(loom))]
pub(crate) mod lane;
pub(crate) mod life;
#[cfg(not(loom))]
pub(crate) mod options;
#[cfg(not(loom))]
pub(crate) mod permit;
#[cfg(not(loom))]
pub(crate) mod scope;
#[cfg(not(loom))]
pub(crate) mod shared;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
pub(crate) mod submit;
#[cfg(not(loom))]
pub(crate) mod task_builder;
