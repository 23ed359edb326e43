//! A pool's figures, as they reach a recorder of the `metrics` facade.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cenote::{LaneConfig, Pool, PoolStats};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// What a recorder got of these figures, by name and labels in their order, as in `name{a=1,b=2}`.
/// Every metric among them is described.
fn recorded(stats: &PoolStats, publishings: usize) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        cenote_metrics::describe();
        (0..publishings).for_each(|_| cenote_metrics::publish("real", stats));
    });
    let value = |value| match value {
        DebugValue::Counter(count) => count as f64,
        DebugValue::Gauge(value) => value.into_inner(),
        DebugValue::Histogram(_) => unreachable!("none is published"),
    };
    let entries = snapshotter.snapshot().into_vec().into_iter();
    entries
        .map(|(key, unit, description, shown)| {
            let key = key.key();
            assert!(
                unit.is_some() && description.is_some(),
                "{} is not described",
                key.name()
            );
            let labels: Vec<String> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            (
                format!("{}{{{}}}", key.name(), labels.join(",")),
                value(shown),
            )
        })
        .collect()
}

fn published(pool: &Pool) -> BTreeMap<String, f64> {
    recorded(&pool.stats(), 1)
}

/// The figures of a pool of two lanes that ran some tasks. Those that time and chance decide are
/// put in by hand.
fn figures() -> PoolStats {
    let pool = Pool::builder()
        .threads(1)
        .lane("db", LaneConfig::new())
        .build()
        .unwrap();
    for _ in 0..3 {
        pool.blocking_run(|| std::hint::black_box(())).unwrap();
    }
    pool.blocking_close(Duration::from_secs(30));
    let mut stats = pool.stats();
    stats.threads = 2;
    stats.idle = 1;
    stats.starting = 3;
    stats.peak = 4;
    stats.background = 5;
    stats.spawn_failures = 6;
    stats.init_failures = 7;
    stats.lanes[1].queued = 9;
    stats.lanes[1].running = 10;
    stats.lanes[1].queue_limit = 11;
    stats.lanes[1].outcomes.rejected = 12;
    let worker = &mut stats.workers[0];
    worker.busy = Duration::from_millis(6);
    worker.turns = 13;
    worker.stages.spin_hits = 14;
    worker.stages.spin_misses = 15;
    worker.stages.spin_yields = 16;
    worker.stages.spin_dues = 17;
    worker.stages.spin_skips = 18;
    worker.stages.spin_cuts = 19;
    worker.stages.parks_futex = 20;
    worker.stages.parks_driver = 21;
    worker.stages.wakes = 22;
    stats
}

#[test]
fn every_kind_of_figure_arrives_under_its_labels() {
    let stats = figures();
    let main = &stats.lanes[0];
    assert_eq!(main.run_time.count(), 3);
    assert!(main.run_time.max() > Duration::ZERO);
    let published = recorded(&stats, 1);
    for (name, expected) in [
        ("cenote_threads{pool=real}", 2.0),
        ("cenote_threads_idle{pool=real}", 1.0),
        ("cenote_threads_starting{pool=real}", 3.0),
        ("cenote_threads_peak{pool=real}", 4.0),
        ("cenote_background_tasks{pool=real}", 5.0),
        ("cenote_spawn_failures_total{pool=real}", 6.0),
        ("cenote_init_failures_total{pool=real}", 7.0),
        ("cenote_tasks_queued{pool=real,lane=db}", 9.0),
        ("cenote_tasks_running{pool=real,lane=db}", 10.0),
        ("cenote_queue_limit{pool=real,lane=db}", 11.0),
        (
            "cenote_tasks_total{pool=real,lane=db,outcome=rejected}",
            12.0,
        ),
        (
            "cenote_tasks_total{pool=real,lane=main,outcome=completed}",
            3.0,
        ),
        (
            "cenote_queue_wait_seconds{pool=real,lane=main,quantile=1}",
            main.queue_wait.max().as_secs_f64(),
        ),
        (
            "cenote_run_time_seconds{pool=real,lane=main,quantile=0.5}",
            main.run_time.value_at_quantile(0.5).as_secs_f64(),
        ),
        (
            "cenote_run_time_seconds{pool=real,lane=db,quantile=0.99}",
            0.0,
        ),
        (
            "cenote_wake_latency_seconds{pool=real,quantile=0.5}",
            stats.wake_latency.value_at_quantile(0.5).as_secs_f64(),
        ),
        (
            "cenote_worker_busy_nanoseconds_total{pool=real,worker=0}",
            6e6,
        ),
        ("cenote_worker_turns_total{pool=real,worker=0}", 13.0),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=hit}",
            14.0,
        ),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=miss}",
            15.0,
        ),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=yield}",
            16.0,
        ),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=due}",
            17.0,
        ),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=skip}",
            18.0,
        ),
        (
            "cenote_worker_spins_total{pool=real,worker=0,result=cut}",
            19.0,
        ),
        (
            "cenote_worker_parks_total{pool=real,worker=0,kind=futex}",
            20.0,
        ),
        (
            "cenote_worker_parks_total{pool=real,worker=0,kind=driver}",
            21.0,
        ),
        ("cenote_worker_wakes_total{pool=real,worker=0}", 22.0),
    ] {
        let value = published
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {published:#?}"));
        assert!((value - expected).abs() < 1e-12, "{name}: {value}");
    }
}

#[test]
fn publishing_again_counts_nothing_twice() {
    let stats = figures();
    assert_eq!(recorded(&stats, 3), recorded(&stats, 1));
}

#[test]
fn without_a_recorder_nothing_happens() {
    cenote_metrics::publish("real", &figures());
}

#[test]
fn a_pool_is_seen_as_it_is() {
    let pool = Pool::builder()
        .threads(2)
        .lane("db", LaneConfig::new().max_running(1).queue_limit(1))
        .build()
        .unwrap();
    let db = pool.lane("db").unwrap();
    for _ in 0..20 {
        pool.blocking_run(|| std::thread::sleep(Duration::from_millis(1)))
            .unwrap();
    }
    let quiet = || -> u8 { std::panic::resume_unwind(Box::new("on purpose")) };
    assert!(pool.blocking_run(quiet).is_err());
    // One runs, one waits, one is refused.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel();
    let running = db
        .try_spawn(move || {
            began.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    begun.recv().unwrap();
    let queued = db.try_spawn(|| ()).unwrap();
    assert!(db.try_spawn(|| ()).unwrap_err().is_full());

    let figures = published(&pool);
    let figure = |name: &str| {
        *figures
            .get(name)
            .unwrap_or_else(|| panic!("there is no {name} in {figures:#?}"))
    };
    assert_eq!(figure("cenote_threads{pool=real}"), 2.0);
    assert_eq!(figure("cenote_threads_peak{pool=real}"), 2.0);
    assert_eq!(
        figure("cenote_tasks_total{pool=real,lane=main,outcome=completed}"),
        20.0
    );
    assert_eq!(
        figure("cenote_tasks_total{pool=real,lane=main,outcome=panicked}"),
        1.0
    );
    assert_eq!(
        figure("cenote_tasks_total{pool=real,lane=db,outcome=rejected}"),
        1.0
    );
    assert_eq!(figure("cenote_tasks_running{pool=real,lane=db}"), 1.0);
    assert_eq!(figure("cenote_tasks_queued{pool=real,lane=db}"), 1.0);
    assert_eq!(figure("cenote_queue_limit{pool=real,lane=db}"), 1.0);
    let median = figure("cenote_run_time_seconds{pool=real,lane=main,quantile=0.5}");
    assert!((0.001..1.0).contains(&median), "{median}");
    let busy: f64 = (0..2)
        .map(|worker| {
            figure(&format!(
                "cenote_worker_busy_nanoseconds_total{{pool=real,worker={worker}}}"
            ))
        })
        .sum();
    assert!(busy >= 20e6, "{busy}");

    drop(release);
    running.join().unwrap();
    queued.join().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while published(&pool)["cenote_tasks_total{pool=real,lane=db,outcome=completed}"] < 2.0 {
        assert!(Instant::now() < deadline, "the figures do not arrive");
        std::thread::sleep(Duration::from_millis(1));
    }
    let figures = published(&pool);
    assert_eq!(figures["cenote_tasks_queued{pool=real,lane=db}"], 0.0);
    assert_eq!(figures["cenote_tasks_running{pool=real,lane=db}"], 0.0);
}
