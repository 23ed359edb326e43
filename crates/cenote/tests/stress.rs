//! Random load on pools of several shapes: no task is lost, no wake is lost, none settles twice.
//!
//! It takes about 5 seconds, or `CENOTE_STRESS_SECONDS`.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod load;

use std::time::{Duration, SystemTime};

#[test]
fn under_random_load_every_task_settles_once_and_nobody_sleeps_through_one() {
    let shapes = load::shapes();
    let each = Duration::from_secs_f64(load::seconds(5.0) / shapes.len() as f64);
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 >> 10;
    println!("seed {seed}");
    for (name, shape) in shapes {
        load::stress(name, &shape, each, seed);
    }
}
