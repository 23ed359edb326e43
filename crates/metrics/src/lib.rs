#![doc = include_str!("../README.md")]

use std::time::Duration;

use cenote::{Histogram, LaneStats, PoolStats, WorkerStats};
use metrics::{Label, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

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
/// cenote_metrics::describe();
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
/// cenote_metrics::publish("thumbnails", &pool.stats());
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

/// Whole nanoseconds; `u64` has room for centuries.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
