//! From a [`Builder`] to a pool that runs: its options are checked, then its threads are started.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::builder::Builder;
use super::config::Config;
use super::error::{BuildCause, BuildError};
use super::handle::Pool;
use super::lane_config::LaneConfig;
use super::runtime_mode::RuntimeMode;
use super::shared::Shared;
use super::threads::Threads;
use crate::clock;
use crate::engine::queue::lane::LaneQueue;
use crate::os::fork;
use crate::task::home::{self, Home};

/// The name of the pool's own lane.
const MAIN: &str = "main";
/// The most threads of one pool.
const MOST_THREADS: usize = 4096;
/// The most lanes of one pool.
const MOST_LANES: usize = 1024;

impl Builder {
    /// Builds the pool and starts its first threads. With a `worker_state` it blocks until they
    /// have theirs.
    ///
    /// # Errors
    ///
    /// If an option is out of its range, if not one thread could be started, or if no worker could
    /// make its state. When only some of the threads can be started, the pool runs with those, and
    /// tries the others again when tasks wait; [`stats`](crate::Pool::stats) counts the failures.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = cenote::Pool::builder().threads(4..=2).build().unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_BAD_OPTION");
    /// ```
    pub fn build(self) -> Result<Pool, BuildError> {
        let threads = self.threads.unwrap_or_else(|| {
            Threads::from(std::thread::available_parallelism().map_or(1, usize::from))
        });
        self.check(threads)?;
        fork::install();
        clock::calibrate();
        let aging = clock::ticks(self.aging);
        let mut lanes = vec![(MAIN.to_owned(), LaneConfig::new())];
        for (name, config) in self.lanes {
            if name == MAIN {
                lanes[0].1 = config;
            } else {
                lanes.push((name, config));
            }
        }
        let queues = lanes
            .iter()
            .map(|(_, config)| {
                LaneQueue::new(
                    config.queue_limit.unwrap_or(self.queue_limit),
                    config.max_running.unwrap_or(usize::MAX),
                    aging,
                )
            })
            .collect();
        let waits_for_state = self.init.is_some();
        let config = Config {
            min_threads: threads.min,
            max_threads: threads.max,
            name: self.name,
            stack_size: self.stack_size,
            on_start: self.on_start,
            on_stop: self.on_stop,
            max_spin: self.max_spin,
            spin_under_pressure: self.spin_under_pressure,
            turn_budget_nanos: clock::nanos(self.turn_budget),
            concurrency: self.concurrency,
            idle_timeout: self.idle_timeout,
            grow_after: self.grow_after,
            eager_runtime: self.runtime == RuntimeMode::Always,
            max_blocking_threads: self.max_blocking_threads,
            init: self.init,
            init_retries: self.init_retries,
        };
        let names = lanes.into_iter().map(|(name, _)| name).collect();
        let shared = Arc::new(Shared::new(config, queues, names, fork::generation()));
        let home: Weak<dyn Home> = Arc::downgrade(&shared) as _;
        home::open(shared.id, home);
        let pool = Pool::from_shared(Arc::clone(&shared));
        // All seats first: a worker that fails at once is not the last of the pool while others
        // are still to be started.
        let seats: Vec<usize> = (0..threads.min)
            .filter_map(|_| shared.engine.life.reserve())
            .collect();
        let mut started = 0;
        let mut refused = None;
        for seat in seats {
            match shared.engine.start_reserved(seat, &shared) {
                Ok(()) => started += 1,
                Err(error) => refused = Some(error),
            }
        }
        if let (0, Some(error)) = (started, refused) {
            return Err(BuildError(BuildCause::Thread(error)));
        }
        if waits_for_state {
            shared.engine.life.wait_until_started();
            if shared.engine.life.counts().all() == 0
                && let Some(failure) = shared.last_failure()
            {
                return Err(BuildError(BuildCause::Init(failure)));
            }
        }
        Ok(pool)
    }

    fn check(&self, threads: Threads) -> Result<(), BuildError> {
        let bad = |option, problem: String| Err(BuildError::bad_option(option, problem));
        if threads.min == 0 {
            return bad("threads", "must be at least 1".to_owned());
        }
        if threads.max < threads.min {
            return bad(
                "threads",
                format!(
                    "the minimum ({}) is above the maximum ({})",
                    threads.min, threads.max
                ),
            );
        }
        if threads.max > MOST_THREADS {
            return bad(
                "threads",
                format!("{} is above the limit of {MOST_THREADS}", threads.max),
            );
        }
        if self.concurrency == 0 {
            return bad("concurrency", "must be at least 1".to_owned());
        }
        if self.max_blocking_threads == 0 {
            return bad("max_blocking_threads", "must be at least 1".to_owned());
        }
        if self.queue_limit == 0 {
            return bad("queue_limit", "must be at least 1".to_owned());
        }
        if self.turn_budget.is_zero() {
            return bad("turn_budget", "must be longer than zero".to_owned());
        }
        if self.max_spin > Duration::from_secs(1) {
            return bad(
                "max_spin",
                format!("{:?} is above the limit of 1 s", self.max_spin),
            );
        }
        if self.lanes.len() > MOST_LANES {
            return bad(
                "lane",
                format!(
                    "{} lanes are more than the limit of {MOST_LANES}",
                    self.lanes.len()
                ),
            );
        }
        for (index, (name, config)) in self.lanes.iter().enumerate() {
            if name.is_empty() {
                return bad("lane", "the name is empty".to_owned());
            }
            if self.lanes[..index].iter().any(|(other, _)| other == name) {
                return bad("lane", format!("two lanes have the name {name:?}"));
            }
            if config.queue_limit == Some(0) {
                return bad(
                    "lane",
                    format!("the queue_limit of {name:?} must be at least 1"),
                );
            }
            if config.max_running == Some(0) {
                return bad(
                    "lane",
                    format!(
                        "the max_running of {name:?} must be at least 1, or nothing would ever run"
                    ),
                );
            }
        }
        Ok(())
    }
}
