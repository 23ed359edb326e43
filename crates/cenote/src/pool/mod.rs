//! The pool: what its users hold, and what its workers share.
//!
//! - [`builder`], [`config`]: what can be set, and its defaults.
//! - [`handle`]: `Pool` and `Lane`, and how a task is submitted.
//! - [`task`]: options of one task; [`permit`]: a place in the queue before there is a task.
//! - [`scope`]: tasks with borrowed data.
//! - [`shared`]: what pool and workers share; [`close`]: its end.

pub(crate) mod builder;
pub(crate) mod close;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod permit;
pub(crate) mod scope;
pub(crate) mod shared;
pub(crate) mod submit;
pub(crate) mod task;
