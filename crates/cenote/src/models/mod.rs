//! Models for loom: every interleaving of the steps by which tasks are queued, handed over, waited for, run and settled, within a bound on
//! preemptions; and every value that a relaxed load may return.
//!
//! Run them as the README beside this file says, which also lists what breaks which model. A model that fails is a deadlock (a lost
//! wake), or an assertion.
//!
//! - [`host`]: a small pool of the real parts, with the steps of submitters and workers from `pool` and `worker`.
//! - [`payload`]: work and results that notice a missing order between threads, a second run, and what was not dropped.
//! - [`memory`]: notices a task's memory that is freed twice, used afterwards, or never freed.
//!
//! All other files are models, each named for the scenario.

mod host;
mod memory;
mod payload;

mod submit_against_park;

use loom::model::Builder;

/// Explores `model` with at most `preemptions` of a thread that could go on (`LOOM_MAX_PREEMPTIONS` overrides).
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    // A task goes through a few hundred steps; a loop without end goes through more.
    builder.max_branches = 20_000;
    builder.check(move || {
        memory::begin();
        model();
        memory::end();
    });
}
