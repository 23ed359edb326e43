//! What a pool shows of itself.

use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool};

use crate::support::{FOREVER, Gate, eventually, hold, watched};

#[test]
fn the_histograms_have_each_task_once() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .lane("other", LaneConfig::new().max_running(1))
            .build()
            .unwrap();
        let other = pool.lane("other").unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for i in 0..1_000 {
                        match i % 4 {
                            0 => pool.try_spawn(|| ()).unwrap().detach(),
                            1 => other.try_spawn(|| ()).unwrap().detach(),
                            2 => pool.try_spawn_local(|| async {}).unwrap().detach(),
                            _ => pool.task().try_spawn(|| ()).unwrap().detach(),
                        }
                    }
                });
            }
        });
        assert!(pool.blocking_close(FOREVER).is_clean());
        let stats = pool.stats();
        assert_eq!(stats.outcomes().completed, 2_000);
        assert_eq!(
            (stats.queue_wait.count(), stats.run_time.count()),
            (2_000, 2_000)
        );
        assert_eq!(stats.lanes[1].run_time.count(), 500);
        assert_eq!(stats.lanes[0].queue_wait.count(), 1_500);
        let by_worker: u64 = stats
            .workers
            .iter()
            .map(|worker| worker.tasks.completed)
            .sum();
        assert_eq!(by_worker, 2_000);
        assert_eq!(
            (stats.queued, stats.running, stats.background, stats.threads),
            (0, 0, 0, 0)
        );
    });
}

#[test]
fn every_outcome_is_counted_where_it_belongs() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(2).build().unwrap();
        pool.blocking_run(|| ()).unwrap();
        assert!(pool.blocking_run(|| panic!("as it is meant to")).is_err());
        let late = pool.task().timeout(Duration::from_millis(2)).try_spawn(|| {
            while !cenote::token().is_cancelled() {
                thread::yield_now();
            }
        });
        assert!(late.unwrap().join().unwrap_err().is_timed_out());
        let held = hold(&pool, 1);
        let hasty = pool.task().queue_timeout(Duration::from_millis(2));
        assert!(
            hasty
                .try_spawn(|| ())
                .unwrap()
                .join()
                .unwrap_err()
                .is_queue_timed_out()
        );
        assert!(pool.try_spawn(|| ()).unwrap().abort());
        // The two before have given their places back.
        let cancelled = [(); 2].map(|()| pool.try_spawn(|| ()).unwrap());
        assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
        assert_eq!(pool.shutdown_now(), 2);
        for cancelled in cancelled {
            assert!(cancelled.join().unwrap_err().is_cancelled());
        }
        held.release();
        assert!(pool.blocking_close(FOREVER).is_clean());
        let outcomes: Vec<_> = pool.stats().outcomes().iter().collect();
        let expected = [
            ("completed", 2),
            ("panicked", 1),
            ("aborted", 1),
            ("queue_timed_out", 1),
            ("timed_out", 1),
            ("cancelled", 2),
            ("lost", 0),
            ("rejected", 1),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(pool.stats().outcomes().settled(), 8);
    });
}

#[test]
fn wait_and_run_times_are_told_apart() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let long = Duration::from_millis(30);
        let held = hold(&pool, 1);
        let waits = pool.try_spawn(|| ()).unwrap();
        let waits = waits.join_timeout(long).unwrap_err();
        held.release();
        waits.join().unwrap();
        pool.blocking_run(move || thread::sleep(long)).unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
        let stats = pool.stats();
        // The histograms keep a few digits.
        let almost = long * 9 / 10;
        assert_eq!(stats.run_time.count(), 3);
        assert!(stats.queue_wait.max() >= almost, "{:?}", stats.queue_wait);
        assert!(stats.run_time.max() >= almost, "{:?}", stats.run_time);
        assert!(stats.run_time.min() < almost);
        assert!(stats.workers[0].busy >= almost);
        assert_eq!(stats.run_time.count_up_to(Duration::from_secs(60)), 3);
    });
}

#[test]
fn wakes_of_sleeping_workers_are_recorded() {
    watched(|| {
        for local in [false, true] {
            let pool = Pool::builder()
                .threads(1)
                .max_spin(Duration::ZERO)
                .build()
                .unwrap();
            pool.blocking_run(move || {
                if local {
                    cenote::spawn_background(std::future::pending);
                }
            })
            .unwrap();
            let parks = || {
                let stages = pool.stats().workers[0].stages;
                if local {
                    stages.parks_driver
                } else {
                    stages.parks_futex
                }
            };
            for _ in 0..20 {
                let before = parks();
                pool.blocking_run(|| ()).unwrap();
                eventually("it sleeps again", || parks() > before);
            }
            let stats = pool.stats();
            assert!(stats.workers[0].stages.wakes > 0);
            assert!(!stats.wake_latency.is_empty());
            assert!(stats.wake_latency.max() > Duration::ZERO);
            assert!(stats.wake_latency.max() < Duration::from_secs(30));
        }
    });
}

#[test]
fn what_is_so_now_is_shown_now() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        eventually("both idle", || pool.stats().idle == 2);
        let held = hold(&pool, 1);
        let stats = pool.stats();
        assert_eq!(
            (stats.threads, stats.idle, stats.running, stats.queued),
            (2, 1, 1, 0)
        );
        let gate = Gate::default();
        let inner = gate.clone();
        let other = pool.try_spawn(move || inner.pass()).unwrap();
        gate.wait_for(1);
        let queued = [(); 3].map(|()| pool.try_spawn(|| ()).unwrap());
        let stats = pool.stats();
        assert_eq!((stats.idle, stats.running, stats.queued), (0, 2, 3));
        assert!(stats.workers.iter().all(|worker| worker.alive));
        gate.open();
        held.release();
        other.join().unwrap();
        for task in queued {
            task.join().unwrap();
        }
        eventually("both idle again", || pool.stats().idle == 2);
    });
}

#[test]
fn counts_only_grow_while_work_goes_on() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let mut last = 0;
        for _ in 0..200 {
            for _ in 0..20 {
                pool.try_spawn(|| ()).unwrap().detach();
            }
            let now = pool.stats().outcomes().settled();
            assert!(now >= last);
            last = now;
        }
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(pool.stats().outcomes().settled(), 4_000);
    });
}
