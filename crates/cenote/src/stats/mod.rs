//! What a pool shows of itself: the snapshot types, and how they are put together.
//!
//! Every figure counts from the building of the pool and only grows, except those that say "now".
//! A snapshot is taken beside the running workers, not at one instant: figures of one event may
//! differ by that event.
//!
//! | file | what |
//! |---|---|
//! | `histogram.rs` | the public distribution of times |
//! | `outcomes.rs` | counts of how tasks ended |
//! | `recorder.rs` | what a worker writes on the path of every task |
//! | `latency.rs` `counter.rs` | its parts |

mod counter;
mod histogram;
mod latency;
mod outcomes;
mod recorder;

use std::time::Duration;

use cenote_park::StageSnapshot;

pub use histogram::Histogram;
pub use outcomes::Outcomes;
pub(crate) use outcomes::SharedOutcomes;
pub(crate) use recorder::{LaneRecorder, WorkerRecorder};

/// A pool's figures at about one moment.
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).build()?;
/// pool.blocking_run(|| 6 * 7)?;
/// let stats = pool.stats();
/// println!("{} of {} threads idle, {} tasks queued", stats.idle, stats.threads, stats.queued);
/// println!("waited {:?}, ran {:?}", stats.queue_wait, stats.run_time);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Worker threads alive now.
    pub threads: usize,
    /// Worker threads without work now.
    pub idle: usize,
    /// Worker threads being started now.
    pub starting: usize,
    /// The most worker threads that were alive at once.
    pub peak: usize,
    /// Tasks accepted and not begun, now, in all lanes.
    pub queued: usize,
    /// Tasks begun and not ended, now, in all lanes.
    pub running: usize,
    /// Background futures now: left behind by tasks and not finished.
    pub background: usize,
    /// Every lane, the pool's own first.
    pub lanes: Vec<LaneStats>,
    /// Every worker's place that was ever taken, by index.
    pub workers: Vec<WorkerStats>,
    /// From the call that wakes a sleeping worker to its running again.
    pub wake_latency: Histogram,
    /// From submission to the start, of the tasks of all lanes; to the end, of those that never
    /// began.
    pub queue_wait: Histogram,
    /// From the start to the end, of the tasks of all lanes.
    pub run_time: Histogram,
    /// How often a worker thread could not be started.
    pub spawn_failures: u64,
    /// How often a worker's state could not be made: its init function failed or panicked.
    pub init_failures: u64,
    /// What the last of these failures was.
    pub last_init_failure: Option<String>,
}

impl PoolStats {
    /// How the tasks of all lanes ended.
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// pool.blocking_run(|| 6 * 7)?;
    /// println!("{} panics", pool.stats().outcomes().panicked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outcomes(&self) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for lane in &self.lanes {
            outcomes.add(&lane.outcomes);
        }
        outcomes
    }
}

/// A lane's figures at about one moment.
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).build()?;
/// for lane in &pool.stats().lanes {
///     println!("{}: {} queued, {} running", lane.name, lane.queued, lane.running);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LaneStats {
    /// The lane's name.
    pub name: String,
    /// Its tasks accepted and not begun, now.
    pub queued: usize,
    /// Its tasks begun and not ended, now.
    pub running: usize,
    /// How many of its tasks may run at once; `None` if only the pool's size limits them.
    pub max_running: Option<usize>,
    /// How many of its tasks may be queued at once.
    pub queue_limit: usize,
    /// How its tasks ended.
    pub outcomes: Outcomes,
    /// From submission to the start; to the end, of tasks that never began. Tasks that were settled
    /// by no worker are not in it: those aborted in the queue, and those a shutdown cancelled.
    pub queue_wait: Histogram,
    /// From the start to the end.
    pub run_time: Histogram,
}

impl LaneStats {
    /// Puts together what the workers recorded of a lane, and what others counted. The fields that
    /// say "now", and the limits, are the caller's to fill in.
    pub(crate) fn merge<'a>(
        name: &str,
        recorders: impl IntoIterator<Item = &'a LaneRecorder>,
        shared: &SharedOutcomes,
    ) -> LaneStats {
        let recorders: Vec<&LaneRecorder> = recorders.into_iter().collect();
        let mut outcomes = shared.snapshot();
        for recorder in &recorders {
            outcomes.add(&recorder.outcomes());
        }
        LaneStats {
            name: name.to_owned(),
            outcomes,
            queue_wait: Histogram::of(recorders.iter().map(|recorder| recorder.queue_wait())),
            run_time: Histogram::of(recorders.iter().map(|recorder| recorder.run_time())),
            ..LaneStats::default()
        }
    }
}

/// A worker's figures at about one moment. Threads that took its place one after another count
/// together.
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).build()?;
/// pool.blocking_run(|| 6 * 7)?;
/// for worker in &pool.stats().workers {
///     let parks = worker.stages.parks_futex;
///     println!("{}: busy for {:?}, parked {parks} times", worker.name, worker.busy);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Its place in the pool, from 0.
    pub index: usize,
    /// The name of its thread.
    pub name: String,
    /// Whether it has a thread now.
    pub alive: bool,
    /// How the tasks that it settled ended. It never rejects any.
    pub tasks: Outcomes,
    /// The time spent in tasks.
    pub busy: Duration,
    /// Its waits: spins that met work and spins that did not, parks, wake-ups.
    pub stages: StageSnapshot,
    /// How often it turned its event loop. 0 for a worker that never needed one.
    pub turns: u64,
}

impl WorkerStats {
    /// Puts together what a worker recorded. `alive` and `stages` are the caller's to fill in.
    pub(crate) fn of(index: usize, name: &str, recorder: &WorkerRecorder) -> WorkerStats {
        WorkerStats {
            index,
            name: name.to_owned(),
            tasks: recorder.outcomes(),
            busy: recorder.busy(),
            turns: recorder.turns(),
            ..WorkerStats::default()
        }
    }
}

impl PoolStats {
    /// Puts together everything that was recorded: the lanes, each with its name and with what
    /// others than workers counted, and the distributions over all of them. The gauges are the
    /// caller's to fill in, in the lanes too, and `workers`.
    pub(crate) fn merge<'a>(
        lanes: impl IntoIterator<Item = (&'a str, &'a SharedOutcomes)>,
        workers: &[&WorkerRecorder],
    ) -> PoolStats {
        let mut stats = PoolStats {
            wake_latency: Histogram::of(workers.iter().filter_map(|worker| worker.wake_latency())),
            ..PoolStats::default()
        };
        for (index, (name, shared)) in lanes.into_iter().enumerate() {
            let recorders = workers
                .iter()
                .filter_map(|worker| worker.lane_if_used(index));
            let lane = LaneStats::merge(name, recorders, shared);
            stats.queue_wait.merge(&lane.queue_wait);
            stats.run_time.merge(&lane.run_time);
            stats.lanes.push(lane);
        }
        stats
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;
    use crate::task::outcome::Outcome;

    #[test]
    fn a_lane_is_the_sum_of_its_workers_and_of_what_others_counted() {
        let shared = SharedOutcomes::default();
        shared.add(Outcome::Rejected, 4);
        shared.add(Outcome::Aborted, 1);
        let workers = [
            WorkerRecorder::new(1),
            WorkerRecorder::new(1),
            WorkerRecorder::new(1),
        ];
        workers[0]
            .lane(0)
            .record(Outcome::Completed, 10, Some(1_000));
        workers[1]
            .lane(0)
            .record(Outcome::Completed, 30, Some(3_000));
        workers[1].lane(0).record(Outcome::Aborted, 50, None);
        let lane = LaneStats::merge(
            "db",
            workers.iter().filter_map(|w| w.lane_if_used(0)),
            &shared,
        );
        assert_eq!(lane.name, "db");
        assert_eq!(
            (
                lane.outcomes.completed,
                lane.outcomes.aborted,
                lane.outcomes.rejected
            ),
            (2, 2, 4)
        );
        assert_eq!(
            (lane.queue_wait.count(), lane.queue_wait.sum()),
            (3, Duration::from_nanos(90))
        );
        assert_eq!(
            (lane.run_time.count(), lane.run_time.sum()),
            (2, Duration::from_nanos(4_000))
        );
    }

    #[test]
    fn a_pool_is_the_sum_of_its_lanes() {
        let shared = [SharedOutcomes::default(), SharedOutcomes::default()];
        let workers = [WorkerRecorder::new(2), WorkerRecorder::new(2)];
        workers[0]
            .lane(0)
            .record(Outcome::Completed, 10, Some(1_000));
        workers[1]
            .lane(1)
            .record(Outcome::Panicked, 20, Some(2_000));
        workers[1].record_wake(700);
        let stats = PoolStats::merge(
            [("default", &shared[0]), ("db", &shared[1])],
            &[&workers[0], &workers[1]],
        );
        assert_eq!(
            stats
                .lanes
                .iter()
                .map(|lane| &*lane.name)
                .collect::<Vec<_>>(),
            ["default", "db"]
        );
        assert_eq!(
            (stats.outcomes().completed, stats.outcomes().panicked),
            (1, 1)
        );
        assert_eq!(stats.run_time.sum(), Duration::from_nanos(3_000));
        assert_eq!(stats.queue_wait.count(), 2);
        assert_eq!(stats.wake_latency.max(), Duration::from_nanos(700));
    }

    #[test]
    fn a_worker_shows_what_it_recorded() {
        let recorder = WorkerRecorder::new(1);
        recorder.lane(0).record(Outcome::Completed, 1, Some(1));
        recorder.add_busy(1_500);
        recorder.count_turn();
        let worker = WorkerStats::of(3, "cenote-3", &recorder);
        assert_eq!(
            (worker.index, &*worker.name, worker.turns),
            (3, "cenote-3", 1)
        );
        assert_eq!(
            (worker.tasks.completed, worker.busy),
            (1, Duration::from_nanos(1_500))
        );
    }
}
