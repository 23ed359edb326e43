//! How much of everything a run does: the sizes of all scenarios in one place, once for each
//! occasion.

use std::time::Duration;

/// The sizes of all scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Round trips that are measured, one after the other.
    pub roundtrips: usize,
    /// Round trips before those, which are not.
    pub warmup: usize,
    /// Workers of the pools that are compared by their size.
    pub pool_sizes: [usize; 3],
    /// Round trips of many async tasks together, at most.
    pub awaited_tasks: usize,
    /// Tasks in one burst.
    pub burst_tasks: usize,
    /// Bursts, of which the median counts.
    pub bursts: usize,
    /// Batches of 1,000 tasks.
    pub batches: usize,
    /// For how long tasks arrive in the open loop.
    pub open_loop: Duration,
    /// For how long a task comes every 10 ms.
    pub trickle: Duration,
    /// For how long an idle pool is watched.
    pub idle: Duration,
    /// What passes between the last task of a pool and the moment it counts as idle.
    pub settle: Duration,
    /// Workers whose memory is measured.
    pub idle_workers: usize,
    /// Timers left behind on saturated workers, one after the other.
    pub timers: usize,
    /// Tasks over which allocations are counted.
    pub allocation_tasks: usize,
}

impl Effort {
    /// What a table is made from.
    pub const FULL: Effort = Effort {
        roundtrips: 10_000,
        warmup: 1_000,
        pool_sizes: [2, 64, 512],
        awaited_tasks: 100_000,
        burst_tasks: 300_000,
        bursts: 3,
        batches: 300,
        open_loop: Duration::from_secs(5),
        trickle: Duration::from_secs(4),
        idle: Duration::from_secs(3),
        settle: Duration::from_millis(500),
        idle_workers: 64,
        timers: 50,
        allocation_tasks: 20_000,
    };

    /// `--quick`: every scenario once, for rough figures.
    pub const QUICK: Effort = Effort {
        roundtrips: 2_000,
        warmup: 200,
        pool_sizes: [2, 64, 512],
        awaited_tasks: 10_000,
        burst_tasks: 30_000,
        bursts: 1,
        batches: 30,
        open_loop: Duration::from_millis(250),
        trickle: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        settle: Duration::from_millis(50),
        idle_workers: 64,
        timers: 5,
        allocation_tasks: 2_000,
    };

    /// For the tests: enough to see that a scenario works, too little for any figure.
    pub const SMOKE: Effort = Effort {
        roundtrips: 50,
        warmup: 5,
        pool_sizes: [2, 3, 4],
        awaited_tasks: 2_000,
        burst_tasks: 1_000,
        bursts: 1,
        batches: 2,
        open_loop: Duration::from_millis(50),
        trickle: Duration::from_millis(50),
        idle: Duration::from_millis(20),
        settle: Duration::from_millis(5),
        idle_workers: 4,
        timers: 2,
        allocation_tasks: 200,
    };
}
