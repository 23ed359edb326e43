//! The same load with the whole process on one CPU, where everybody is preempted anywhere and
//! nobody may spin. A binary of its own: the pool asks for the CPUs once.
//!
//! It takes about 4 seconds, or `CENOTE_STRESS_SECONDS`.
#![cfg(all(target_os = "linux", not(cenote_loom)))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod load;

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Binds this thread, and those it starts, to the first CPU it may use.
fn bind_to_one_cpu() {
    let allowed = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU)
        .find(|cpu| allowed.is_set(*cpu))
        .unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).unwrap();
}

#[test]
fn on_one_cpu_every_task_settles_once_and_nobody_spins() {
    bind_to_one_cpu();
    assert_eq!(std::thread::available_parallelism().unwrap().get(), 1);
    let shapes = load::shapes();
    let each = Duration::from_secs_f64(load::seconds(4.0) / shapes.len() as f64);
    for (seed, (name, shape)) in (1..).zip(shapes) {
        load::stress(name, &shape, each, seed);
    }
    let pool = cenote::Pool::builder().threads(1).build().unwrap();
    for i in 0..1_000 {
        assert_eq!(pool.blocking_run(move || i).unwrap(), i);
    }
    assert_eq!(pool.stats().workers[0].stages.spin_nanos, 0);
}
