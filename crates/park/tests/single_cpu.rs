//! On one CPU nobody spins, and nothing is lost. A binary of its own: the CPUs are asked for once.
#![cfg(all(target_os = "linux", not(cenote_loom)))]

mod rally;

mod kept;

use std::time::Duration;

use cenote_park::{Spin, SpinRequest, WaitWord, Waiter, cpus};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use rally::{Sleep, rally};

use kept::kept;

/// Binds this thread, and those it starts, to the first CPU it may use.
fn bind_to_one_cpu() {
    let allowed = sched_getaffinity(None).expect("the affinity can be read");
    let first = (0..CpuSet::MAX_CPU)
        .find(|cpu| allowed.is_set(*cpu))
        .expect("at least one CPU is allowed");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("a subset of the allowed CPUs is allowed");
}

#[test]
fn on_one_cpu_nobody_spins_and_no_wake_is_lost() {
    bind_to_one_cpu();
    assert_eq!(cpus(), 1);

    let mut waiter = Waiter::new(kept(WaitWord::new()), Duration::from_secs(1));
    let end = waiter.spin(&SpinRequest::default(), || unreachable!("nothing was spun"));
    assert_eq!(end, Spin::Skipped);

    rally(50_000, Duration::from_micros(50), Sleep::Futex);
    rally(20_000, Duration::from_micros(50), Sleep::EventLoop);
}
