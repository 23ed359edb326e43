//! Models for loom: every interleaving of the steps by which tasks are queued, handed over, waited
//! for, run and settled, within a bound on preemptions; and every value that a relaxed load may
//! return.
//!
//! Run them as the README beside this file says, which also lists what breaks which model. A model
//! that fails is a deadlock (a lost wake), or an assertion.
//!
//! - [`host`]: a small pool around the engine itself, on loom's threads.
//! - [`payload`]: work and results that notice a missing order between threads, a second run, and
//!   what was not dropped.
//! - [`memory`]: notices a task's memory that is freed twice, used afterwards, or never freed.
//!
//! All other files are models, each named for the scenario.

mod host;
mod meeting;
mod memory;
mod payload;
mod waker;

mod batch;
mod close_against_submit;
mod grow_against_retire;
mod lane_at_its_limit;
mod mailbox;
mod room;
mod run_list;
mod sentinel;
mod submit_against_park;
mod task_cell;
mod unlinked_push;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::model::Builder;

/// Explores `model` with at most `preemptions` of a thread that could go on (`LOOM_MAX_PREEMPTIONS`
/// overrides).
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    // A task goes through a few hundred steps; a loop without end goes through more.
    builder.max_branches = 20_000;
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        memory::begin();
        payload::begin();
        model();
        payload::end();
        memory::end();
    });
    println!("{} executions", executions.load(Relaxed));
}
