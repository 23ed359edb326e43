//! What the crate promises, one file for each part of it, through the public interface alone.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../support/mod.rs"]
mod support;

mod abort_on_drop;
mod background;
mod batch;
mod blocking_calls;
mod boundary;
mod budget;
mod deadlines;
mod end;
mod errors;
#[cfg(unix)]
mod fork;
mod global;
mod kinds;
mod lanes;
mod map_blocking;
mod nested;
mod panics;
mod priorities;
mod queue_limit;
mod results;
mod scope;
mod short_tasks;
mod size;
mod stats;
mod task_set;
mod traits;
mod weak;
mod worker_state;
