//! Hands a pool's figures to the `metrics` facade, and so to whatever exporter the program
//! installed.
//!
//! The pool itself knows nothing of the facade: [`publish`] copies one snapshot, as often as the
//! program likes. Names begin with `cenote_`; times are in seconds. Totals are absolute counters,
//! so that publishing twice counts nothing twice.
//!
//! | metric | labels | kind |
//! |---|---|---|
//! | `cenote_threads`, `cenote_threads_idle`, `cenote_threads_starting`, `cenote_threads_peak` | `pool` | gauge |
//! | `cenote_background_tasks` | `pool` | gauge |
//! | `cenote_tasks_queued`, `cenote_tasks_running`, `cenote_queue_limit` | `pool`, `lane` | gauge |
//! | `cenote_tasks_total` | `pool`, `lane`, `outcome` | counter |
//! | `cenote_queue_wait_seconds`, `cenote_run_time_seconds` | `pool`, `lane`, `quantile` | gauge |
//! | `cenote_wake_latency_seconds` | `pool`, `quantile` | gauge |
//! | `cenote_spawn_failures_total`, `cenote_init_failures_total` | `pool` | counter |
//! | `cenote_worker_busy_nanoseconds_total`, `cenote_worker_turns_total` | `pool`, `worker` | counter |
//! | `cenote_worker_spins_total` | `pool`, `worker`, `result` | counter |
//! | `cenote_worker_parks_total` | `pool`, `worker`, `kind` | counter |
//! | `cenote_worker_wakes_total` | `pool`, `worker` | counter |
//!
//! `quantile` is 0.5, 0.9, 0.99, 0.999 or 1 (the greatest), over everything since the pool was
//! built.

use ::metrics::{Label, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::clock::nanos;
use crate::stats::{Histogram, LaneStats, PoolStats, WorkerStats};

const QUANTILES: [(f64, &str); 5] = [
    (0.5, "0.5"),
    (0.9, "0.9"),
    (0.99, "0.99"),
    (0.999, "0.999"),
    (1.0, "1"),
];

/// Tells the installed recorder the metrics' units and meanings. Once, before the first
/// [`publish`].
///
/// ```
/// cenote::metrics::describe();
/// ```
pub fn describe() {
    describe_gauge!("cenote_threads", Unit::Count, "Worker threads alive");
    describe_gauge!(
        "cenote_threads_idle",
        Unit::Count,
        "Worker threads without work"
    );
    describe_gauge!(
        "cenote_threads_starting",
        Unit::Count,
        "Worker threads being started"
    );
    describe_gauge!(
        "cenote_threads_peak",
        Unit::Count,
        "The most worker threads alive at once"
    );
    describe_gauge!(
        "cenote_background_tasks",
        Unit::Count,
        "Futures left behind by tasks"
    );
    describe_gauge!(
        "cenote_tasks_queued",
        Unit::Count,
        "Tasks accepted and not begun"
    );
    describe_gauge!(
        "cenote_tasks_running",
        Unit::Count,
        "Tasks begun and not ended"
    );
    describe_gauge!(
        "cenote_queue_limit",
        Unit::Count,
        "Tasks that may be queued at once"
    );
    describe_counter!("cenote_tasks_total", Unit::Count, "Tasks ended, by outcome");
    describe_gauge!(
        "cenote_queue_wait_seconds",
        Unit::Seconds,
        "From submission to the start of a task"
    );
    describe_gauge!(
        "cenote_run_time_seconds",
        Unit::Seconds,
        "From the start of a task to its end"
    );
    describe_gauge!(
        "cenote_wake_latency_seconds",
        Unit::Seconds,
        "From waking a worker to its running again"
    );
    describe_counter!(
        "cenote_spawn_failures_total",
        Unit::Count,
        "Worker threads that could not be started"
    );
    describe_counter!(
        "cenote_init_failures_total",
        Unit::Count,
        "Worker states that could not be made"
    );
    describe_counter!(
        "cenote_worker_busy_nanoseconds_total",
        Unit::Nanoseconds,
        "Time a worker spent in tasks"
    );
    describe_counter!(
        "cenote_worker_turns_total",
        Unit::Count,
        "Turns of a worker's event loop"
    );
    describe_counter!(
        "cenote_worker_spins_total",
        Unit::Count,
        "Spins of a worker, by result"
    );
    describe_counter!(
        "cenote_worker_parks_total",
        Unit::Count,
        "Sleeps of a worker, by kind"
    );
    describe_counter!(
        "cenote_worker_wakes_total",
        Unit::Count,
        "Wake-up calls made for a worker"
    );
}

/// Hands one snapshot to the installed recorder, under the label `pool` = `pool_name`.
///
/// It is meant for every few seconds, or for each scrape. Without a recorder it does nothing.
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).build()?;
/// pool.blocking_run(|| 6 * 7)?;
/// cenote::metrics::publish("thumbnails", &pool.stats());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn publish(pool_name: &str, stats: &PoolStats) {
    // Shared by the keys of all the metrics.
    let pool = SharedString::from_shared(pool_name.into());
    gauge!("cenote_threads", "pool" => pool.clone()).set(stats.threads as f64);
    gauge!("cenote_threads_idle", "pool" => pool.clone()).set(stats.idle as f64);
    gauge!("cenote_threads_starting", "pool" => pool.clone()).set(stats.starting as f64);
    gauge!("cenote_threads_peak", "pool" => pool.clone()).set(stats.peak as f64);
    gauge!("cenote_background_tasks", "pool" => pool.clone()).set(stats.background as f64);
    counter!("cenote_spawn_failures_total", "pool" => pool.clone()).absolute(stats.spawn_failures);
    counter!("cenote_init_failures_total", "pool" => pool.clone()).absolute(stats.init_failures);
    for (label, seconds) in quantiles(&stats.wake_latency) {
        gauge!("cenote_wake_latency_seconds", "pool" => pool.clone(), "quantile" => label)
            .set(seconds);
    }
    for lane in &stats.lanes {
        publish_lane(&pool, lane);
    }
    for worker in &stats.workers {
        publish_worker(&pool, worker);
    }
}

fn publish_lane(pool: &SharedString, stats: &LaneStats) {
    let lane = SharedString::from_shared((*stats.name).into());
    let labels = [Label::new("pool", pool.clone()), Label::new("lane", lane)];
    gauge!("cenote_tasks_queued", labels.iter()).set(stats.queued as f64);
    gauge!("cenote_tasks_running", labels.iter()).set(stats.running as f64);
    gauge!("cenote_queue_limit", labels.iter()).set(stats.queue_limit as f64);
    for (outcome, count) in stats.outcomes.iter() {
        counter!("cenote_tasks_total", with(&labels, "outcome", outcome)).absolute(count);
    }
    for (quantile, seconds) in quantiles(&stats.queue_wait) {
        gauge!(
            "cenote_queue_wait_seconds",
            with(&labels, "quantile", quantile)
        )
        .set(seconds);
    }
    for (quantile, seconds) in quantiles(&stats.run_time) {
        gauge!(
            "cenote_run_time_seconds",
            with(&labels, "quantile", quantile)
        )
        .set(seconds);
    }
}

fn publish_worker(pool: &SharedString, stats: &WorkerStats) {
    let labels = [
        Label::new("pool", pool.clone()),
        Label::new("worker", stats.index.to_string()),
    ];
    counter!("cenote_worker_busy_nanoseconds_total", labels.iter()).absolute(nanos(stats.busy));
    counter!("cenote_worker_turns_total", labels.iter()).absolute(stats.turns);
    let stages = &stats.stages;
    let spins = [
        ("hit", stages.spin_hits),
        ("miss", stages.spin_misses),
        ("yield", stages.spin_yields),
        ("due", stages.spin_dues),
        ("skip", stages.spin_skips),
        ("cut", stages.spin_cuts),
    ];
    for (result, count) in spins {
        counter!("cenote_worker_spins_total", with(&labels, "result", result)).absolute(count);
    }
    for (kind, count) in [
        ("futex", stages.parks_futex),
        ("driver", stages.parks_driver),
    ] {
        counter!("cenote_worker_parks_total", with(&labels, "kind", kind)).absolute(count);
    }
    counter!("cenote_worker_wakes_total", labels.iter()).absolute(stages.wakes);
}

fn with(labels: &[Label; 2], name: &'static str, value: &'static str) -> Vec<Label> {
    let [first, second] = labels.clone();
    vec![first, second, Label::from_static_parts(name, value)]
}

fn quantiles(histogram: &Histogram) -> impl Iterator<Item = (&'static str, f64)> {
    QUANTILES
        .iter()
        .map(|&(quantile, label)| (label, histogram.value_at_quantile(quantile).as_secs_f64()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshot};

    use super::*;
    use crate::stats::{SharedOutcomes, WorkerRecorder};
    use crate::task::outcome::Outcome;

    /// A pool that completed tasks in one lane and rejected some in another.
    fn stats() -> PoolStats {
        let shared = [SharedOutcomes::default(), SharedOutcomes::default()];
        shared[1].add(Outcome::Rejected, 5);
        let recorder = WorkerRecorder::new(2);
        recorder
            .lane(0)
            .record(Outcome::Completed, 1_000, Some(2_000_000));
        recorder
            .lane(0)
            .record(Outcome::Panicked, 3_000, Some(4_000_000));
        recorder.add_busy(6_000_000);
        recorder.record_wake(7_000);
        let mut stats =
            PoolStats::merge([("default", &shared[0]), ("db", &shared[1])], &[&recorder]);
        stats.threads = 2;
        stats.idle = 1;
        stats.lanes[1].queued = 9;
        let mut worker = WorkerStats::of(0, "cenote-0", &recorder);
        worker.stages.spin_hits = 11;
        worker.stages.parks_driver = 12;
        stats.workers = vec![worker];
        stats
    }

    /// What a recorder got, by name and labels in their order, as in `name{a=1,b=2}`.
    fn published(publishings: usize) -> BTreeMap<String, f64> {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let stats = stats();
        ::metrics::with_local_recorder(&recorder, || {
            (0..publishings).for_each(|_| publish("p", &stats))
        });
        values(snapshotter.snapshot())
    }

    fn values(snapshot: Snapshot) -> BTreeMap<String, f64> {
        let value = |value| match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => unreachable!("none is published"),
        };
        let name = |key: &::metrics::Key| {
            let labels: Vec<String> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            format!("{}{{{}}}", key.name(), labels.join(","))
        };
        snapshot
            .into_vec()
            .into_iter()
            .map(|(key, _, _, shown)| (name(key.key()), value(shown)))
            .collect()
    }

    #[test]
    fn every_kind_of_figure_arrives_under_its_labels() {
        let published = published(1);
        for (name, expected) in [
            ("cenote_threads{pool=p}", 2.0),
            ("cenote_threads_idle{pool=p}", 1.0),
            ("cenote_tasks_queued{pool=p,lane=db}", 9.0),
            (
                "cenote_tasks_total{pool=p,lane=default,outcome=completed}",
                1.0,
            ),
            (
                "cenote_tasks_total{pool=p,lane=default,outcome=panicked}",
                1.0,
            ),
            ("cenote_tasks_total{pool=p,lane=db,outcome=rejected}", 5.0),
            (
                "cenote_queue_wait_seconds{pool=p,lane=default,quantile=1}",
                3_000e-9,
            ),
            (
                "cenote_run_time_seconds{pool=p,lane=default,quantile=1}",
                4_000e-6,
            ),
            ("cenote_run_time_seconds{pool=p,lane=db,quantile=0.99}", 0.0),
            ("cenote_wake_latency_seconds{pool=p,quantile=0.5}", 7_000e-9),
            ("cenote_worker_busy_nanoseconds_total{pool=p,worker=0}", 6e6),
            (
                "cenote_worker_spins_total{pool=p,worker=0,result=hit}",
                11.0,
            ),
            (
                "cenote_worker_parks_total{pool=p,worker=0,kind=driver}",
                12.0,
            ),
        ] {
            let value = published
                .get(name)
                .unwrap_or_else(|| panic!("no {name} in {published:#?}"));
            assert!((value - expected).abs() < 1e-12, "{name}: {value}");
        }
    }

    #[test]
    fn publishing_again_counts_nothing_twice() {
        assert_eq!(published(3), published(1));
    }

    #[test]
    fn every_metric_is_described() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            publish("p", &stats());
        });
        let published = snapshotter.snapshot().into_vec();
        assert!(!published.is_empty());
        for (key, unit, description, _) in published {
            assert!(
                unit.is_some() && description.is_some(),
                "{} is not described",
                key.key().name()
            );
        }
    }

    #[test]
    fn without_a_recorder_nothing_happens() {
        publish("p", &stats());
    }
}
