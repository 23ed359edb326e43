//! The figures of a real pool, as they reach a recorder of the `metrics` facade.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cenote::{LaneConfig, Pool};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// What a recorder got of the pool, by name and labels, as in `name{a=1,b=2}`.
fn published(pool: &Pool) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        cenote::metrics::describe();
        cenote::metrics::publish("real", &pool.stats());
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
