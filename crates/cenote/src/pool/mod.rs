//! The pool: what its users hold, and what its workers share.
//!
//! - [`builder`], with [`threads`], [`lane_config`] and [`runtime_mode`]: what can be set, and its
//!   defaults; [`build`]: checks, and the start; [`config`]: the same as the workers use it;
//!   [`global`]: the pool of the process.
//! - [`handle`]: `Pool`; [`weak`]: a way back to it; [`lane`]: `Lane`, and all the ways to spawn.
//! - [`task_builder`], [`options`]: options of one task; [`permit`]: a place in the queue before
//!   there is a task; [`submit`]: from a closure to an accepted task; [`batch`], with
//!   [`batch_error`]: many at once.
//! - [`scope`]: tasks with borrowed data; [`task_set`]: tasks that are joined as they end;
//!   [`map_blocking`], with [`in_flight`]: one task for each item of a stream.
//! - [`stats`]: figures at a moment.
//! - [`shared`]: what pool and workers share; [`close`]: its end.

mod batch;
pub(crate) mod batch_error;
mod build;
pub(crate) mod builder;
pub(crate) mod close;
pub(crate) mod config;
pub(crate) mod error;
mod global;
pub(crate) mod handle;
mod in_flight;
pub(crate) mod lane;
pub(crate) mod lane_config;
pub(crate) mod map_blocking;
pub(crate) mod options;
pub(crate) mod permit;
pub(crate) mod runtime_mode;
pub(crate) mod scope;
pub(crate) mod shared;
mod stats;
pub(crate) mod submit;
pub(crate) mod task_builder;
pub(crate) mod task_set;
pub(crate) mod threads;
pub(crate) mod weak;
