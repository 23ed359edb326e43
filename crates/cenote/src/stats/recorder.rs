//! What a worker records, on the path of every task.
//!
//! A [`WorkerRecorder`] belongs to a worker's place in the pool and outlives the threads that take
//! it one after another; at any time only the place's thread writes. A lane's part, some KiB, is
//! made when the worker settles the lane's first task, and the wake-up latencies when it is first
//! woken. Recording one task costs about 5 ns.

use std::sync::OnceLock;
use std::time::Duration;

use super::counter::Counter;
use super::latency::LatencyRecorder;
use super::outcomes::{OutcomeCounters, Outcomes};
use crate::task::outcome::Outcome;

/// One worker's record of one lane's tasks.
#[derive(Debug, Default)]
pub(crate) struct LaneRecorder {
    outcomes: OutcomeCounters,
    queue_wait: LatencyRecorder,
    run_time: LatencyRecorder,
}

impl LaneRecorder {
    /// Records a task that has ended: how, how long it was queued, and how long it ran, which is
    /// `None` if it never began. Only the worker's thread calls this.
    #[inline]
    pub(crate) fn record(&self, outcome: Outcome, queue_wait_nanos: u64, run_nanos: Option<u64>) {
        self.outcomes.count(outcome);
        self.queue_wait.record(queue_wait_nanos);
        if let Some(run_nanos) = run_nanos {
            self.run_time.record(run_nanos);
        }
    }

    /// How the tasks ended.
    pub(crate) fn outcomes(&self) -> Outcomes {
        self.outcomes.snapshot()
    }

    /// From submission to the start, or to the end of those that never began.
    pub(crate) fn queue_wait(&self) -> &LatencyRecorder {
        &self.queue_wait
    }

    /// From the start to the end.
    pub(crate) fn run_time(&self) -> &LatencyRecorder {
        &self.run_time
    }
}

/// One worker's record of everything.
#[derive(Debug)]
pub(crate) struct WorkerRecorder {
    lanes: Box<[OnceLock<Box<LaneRecorder>>]>,
    wake_latency: OnceLock<Box<LatencyRecorder>>,
    busy_nanos: Counter,
    turns: Counter,
}

impl WorkerRecorder {
    /// An empty recorder for a pool with so many lanes.
    pub(crate) fn new(lanes: usize) -> WorkerRecorder {
        WorkerRecorder {
            lanes: (0..lanes).map(|_| OnceLock::new()).collect(),
            wake_latency: OnceLock::new(),
            busy_nanos: Counter::default(),
            turns: Counter::default(),
        }
    }

    /// The record of a lane, to be written by the worker.
    ///
    /// # Panics
    ///
    /// If there is no such lane.
    #[inline]
    pub(crate) fn lane(&self, index: usize) -> &LaneRecorder {
        self.lanes[index].get_or_init(Box::default)
    }

    /// The record of a lane, to be read; `None` as long as the worker settled no task of it.
    pub(crate) fn lane_if_used(&self, index: usize) -> Option<&LaneRecorder> {
        self.lanes.get(index)?.get().map(|recorder| &**recorder)
    }

    /// Records the time from a wake-up call to the worker's running again.
    #[inline]
    pub(crate) fn record_wake(&self, nanos: u64) {
        self.wake_latency.get_or_init(Box::default).record(nanos);
    }

    /// Adds to the time spent in tasks.
    #[inline]
    pub(crate) fn add_busy(&self, nanos: u64) {
        self.busy_nanos.add(nanos);
    }

    /// Counts a turn of the worker's event loop.
    #[inline]
    pub(crate) fn count_turn(&self) {
        self.turns.add(1);
    }

    /// The wake-up latencies; `None` if the worker was never woken.
    pub(crate) fn wake_latency(&self) -> Option<&LatencyRecorder> {
        self.wake_latency.get().map(|recorder| &**recorder)
    }

    /// The time spent in tasks.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_nanos.get())
    }

    /// The turns of the event loop.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    /// How the tasks of all lanes ended on this worker.
    pub(crate) fn outcomes(&self) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for lane in self.lanes.iter().filter_map(OnceLock::get) {
            outcomes.add(&lane.outcomes());
        }
        outcomes
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;
    use crate::stats::Histogram;

    #[test]
    fn a_task_that_never_began_has_no_run_time() {
        let recorder = LaneRecorder::default();
        recorder.record(Outcome::Completed, 100, Some(1_000));
        recorder.record(Outcome::QueueTimedOut, 5_000, None);
        assert_eq!(Histogram::of([recorder.queue_wait()]).count(), 2);
        let run_time = Histogram::of([recorder.run_time()]);
        assert_eq!(
            (run_time.count(), run_time.max()),
            (1, Duration::from_micros(1))
        );
        assert_eq!(
            (
                recorder.outcomes().completed,
                recorder.outcomes().queue_timed_out
            ),
            (1, 1)
        );
    }

    #[test]
    fn an_unused_lane_takes_no_memory() {
        let worker = WorkerRecorder::new(2);
        worker.lane(1).record(Outcome::Panicked, 1, Some(1));
        assert!(worker.lane_if_used(0).is_none());
        assert!(worker.lane_if_used(1).is_some());
        assert!(worker.lane_if_used(2).is_none());
        assert!(worker.wake_latency().is_none());
    }

    #[test]
    fn a_worker_s_outcomes_are_those_of_all_its_lanes() {
        let worker = WorkerRecorder::new(3);
        worker.lane(0).record(Outcome::Completed, 1, Some(1));
        worker.lane(2).record(Outcome::Completed, 1, Some(1));
        worker.lane(2).record(Outcome::Aborted, 1, None);
        assert_eq!(
            (worker.outcomes().completed, worker.outcomes().aborted),
            (2, 1)
        );
    }

    #[test]
    fn a_reader_beside_the_writer_sees_counts_that_only_grow() {
        const TASKS: u64 = 200_000;
        let worker = WorkerRecorder::new(1);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for i in 0..TASKS {
                    worker.lane(0).record(Outcome::Completed, i, Some(i));
                }
            });
            let mut last = 0;
            while !writer.is_finished() {
                let completed = worker.outcomes().completed;
                assert!(completed >= last);
                last = completed;
                if let Some(lane) = worker.lane_if_used(0) {
                    let run_time = Histogram::of([lane.run_time()]);
                    assert!(run_time.value_at_quantile(0.5) <= run_time.max());
                }
            }
        });
        assert_eq!(worker.outcomes().completed, TASKS);
        assert_eq!(
            Histogram::of(worker.lane_if_used(0).map(LaneRecorder::run_time)).count(),
            TASKS
        );
    }
}
