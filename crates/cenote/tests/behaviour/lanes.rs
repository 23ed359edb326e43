//! Lanes: each with limits and figures of its own, and none that can take another's workers.

use std::future::pending;
use std::thread;
use std::time::Duration;

use cenote::{CancellationToken, Lane, LaneConfig, Pool};
use tokio::sync::oneshot;

use crate::support::{Count, FOREVER, Gate, Peak, eventually, hold, watched};

fn pool(threads: usize, name: &str, config: LaneConfig) -> Pool {
    Pool::builder()
        .threads(threads)
        .lane(name, config)
        .build()
        .unwrap()
}

#[test]
fn a_lane_never_has_more_running_than_it_may_futures_included() {
    watched(|| {
        let pool = pool(3, "narrow", LaneConfig::new().max_running(2));
        let lane = pool.lane("narrow").unwrap();
        let peak = Peak::default();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for i in 0..300 {
                        let peak = peak.clone();
                        if i % 2 == 0 {
                            let closure = move || {
                                let _running = peak.enter();
                                thread::yield_now();
                            };
                            lane.try_spawn(closure).unwrap().detach();
                        } else {
                            let future = move || async move {
                                let _running = peak.enter();
                                tokio::task::yield_now().await;
                            };
                            lane.try_spawn_local(future).unwrap().detach();
                        }
                    }
                });
            }
        });
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(lane.stats().outcomes.completed, 900);
        assert!(peak.most() <= 2, "{} at once", peak.most());
    });
}

#[test]
fn a_lane_makes_use_of_all_it_may_run() {
    watched(|| {
        let pool = pool(3, "narrow", LaneConfig::new().max_running(2));
        let lane = pool.lane("narrow").unwrap();
        let gate = Gate::default();
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let gate = gate.clone();
                lane.try_spawn(move || gate.pass()).unwrap()
            })
            .collect();
        gate.wait_for(2);
        assert_eq!(
            (lane.stats().running, lane.stats().max_running),
            (2, Some(2))
        );
        eventually("the others wait", || lane.stats().queued == 3);
        gate.open();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn a_lane_that_hangs_leaves_the_other_workers_to_the_others() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .lane("hangs", LaneConfig::new().max_running(1))
            .lane("well", LaneConfig::new())
            .build()
            .unwrap();
        let (hangs, well) = (pool.lane("hangs").unwrap(), pool.lane("well").unwrap());
        let gate = Gate::default();
        let stuck: Vec<_> = (0..10)
            .map(|_| {
                let gate = gate.clone();
                hangs.try_spawn(move || gate.pass()).unwrap()
            })
            .collect();
        gate.wait_for(1);
        for i in 0..200 {
            assert_eq!(well.blocking_run(move || i).unwrap(), i);
            assert_eq!(
                pool.try_spawn_local(move || async move { i })
                    .unwrap()
                    .join()
                    .unwrap(),
                i
            );
        }
        gate.open();
        for task in stuck {
            task.join().unwrap();
        }
    });
}

#[test]
fn a_lane_of_futures_that_hang_leaves_the_workers_to_the_others() {
    watched(|| {
        let pool = pool(1, "hangs", LaneConfig::new().max_running(2));
        let hangs = pool.lane("hangs").unwrap();
        let stuck: Vec<_> = (0..5)
            .map(|_| hangs.try_spawn_local(pending::<()>).unwrap())
            .collect();
        for i in 0..200 {
            assert_eq!(pool.blocking_run(move || i).unwrap(), i);
        }
        eventually("two of them run", || hangs.stats().running == 2);
        for task in stuck {
            task.abort();
            assert!(task.join().unwrap_err().is_aborted());
        }
    });
}

#[test]
fn idle_workers_serve_every_lane() {
    watched(|| {
        let pool = Pool::builder()
            .threads(3)
            .lane("a", LaneConfig::new())
            .lane("b", LaneConfig::new().max_running(3))
            .build()
            .unwrap();
        for name in ["a", "b", "main"] {
            let lane = pool.lane(name).unwrap();
            let gate = Gate::default();
            let tasks = [(); 3].map(|()| {
                let gate = gate.clone();
                lane.try_spawn(move || gate.pass()).unwrap()
            });
            // All three of them in the one lane.
            gate.wait_for(3);
            gate.open();
            for task in tasks {
                task.join().unwrap();
            }
        }
    });
}

#[test]
fn busy_lanes_take_turns() {
    watched(|| {
        let pool = pool(1, "other", LaneConfig::new());
        let other = pool.lane("other").unwrap();
        let held = hold(&pool, 1);
        let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let note = |name| {
            let order = std::sync::Arc::clone(&order);
            move || order.lock().unwrap().push(name)
        };
        for _ in 0..50 {
            pool.try_spawn(note("main")).unwrap().detach();
        }
        other.try_spawn(note("other")).unwrap().detach();
        held.release();
        assert!(pool.blocking_close(FOREVER).is_clean());
        let position = order
            .lock()
            .unwrap()
            .iter()
            .position(|&name| name == "other")
            .unwrap();
        assert!(
            position < 3,
            "the other lane's only task came after {position}"
        );
    });
}

#[test]
fn each_lane_counts_what_is_its_own() {
    watched(|| {
        let pool = pool(1, "other", LaneConfig::new().max_running(1).queue_limit(1));
        let other = pool.lane("other").unwrap();
        assert_eq!(other.name(), "other");
        assert_eq!(
            (other.stats().queue_limit, other.stats().max_running),
            (1, Some(1))
        );
        for _ in 0..3 {
            other.blocking_run(|| ()).unwrap();
        }
        assert!(other.blocking_run(|| panic!("as it is meant to")).is_err());
        pool.blocking_run(|| ()).unwrap();
        let held = hold(&pool, 1);
        let queued = other.try_spawn(|| ()).unwrap();
        assert!(other.try_spawn(|| ()).unwrap_err().is_full());
        assert_eq!((other.stats().queued, other.stats().running), (1, 0));
        assert_eq!(pool.lane("main").unwrap().stats().running, 1);
        queued.abort();
        held.release();
        assert!(pool.blocking_close(FOREVER).is_clean());
        let lanes = pool.stats().lanes;
        let names: Vec<_> = lanes.iter().map(|lane| &*lane.name).collect();
        assert_eq!(names, ["main", "other"]);
        let (main, other) = (lanes[0].outcomes, lanes[1].outcomes);
        assert_eq!((main.completed, main.settled()), (2, 2));
        assert_eq!(
            (
                other.completed,
                other.panicked,
                other.aborted,
                other.rejected
            ),
            (3, 1, 1, 1)
        );
        assert_eq!(lanes[1].run_time.count(), 4);
        assert_eq!(pool.stats().outcomes().settled(), 7);
    });
}

#[test]
fn the_main_lane_can_be_given_limits() {
    watched(|| {
        let pool = pool(2, "main", LaneConfig::new().max_running(1).queue_limit(2));
        let gate = Gate::default();
        let inner = gate.clone();
        let running = pool.try_spawn(move || inner.pass()).unwrap();
        gate.wait_for(1);
        let queued = [
            pool.try_spawn(|| ()).unwrap(),
            pool.try_spawn(|| ()).unwrap(),
        ];
        assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
        gate.open();
        running.join().unwrap();
        for task in queued {
            task.join().unwrap();
        }
    });
}

#[test]
fn a_place_is_given_back_however_its_task_ends() {
    watched(|| {
        let pool = pool(1, "one", LaneConfig::new().max_running(1));
        let lane = pool.lane("one").unwrap();
        let works = |after: &str| {
            let handle = lane.try_spawn(|| ()).unwrap();
            let ended = handle.join_timeout(Duration::from_secs(20));
            assert!(ended.is_ok(), "the place is lost after {after}");
        };
        lane.blocking_run(|| ()).unwrap();
        works("a value");
        assert!(lane.blocking_run(|| panic!("as it is meant to")).is_err());
        works("a panic");
        let handle = lane
            .try_spawn_local(|| async { panic!("as it is meant to") })
            .unwrap();
        let handle: cenote::JoinHandle<()> = handle;
        assert!(handle.join().is_err());
        works("a future's panic");

        let gate = Gate::default();
        gate.open();
        let begun = || {
            let gate = gate.clone();
            move || async move {
                gate.pass();
                pending::<()>().await;
            }
        };
        let handle = lane.try_spawn_local(begun()).unwrap();
        gate.wait_for(1);
        handle.abort();
        assert!(handle.join().unwrap_err().is_aborted());
        works("an abort");
        let token = CancellationToken::new();
        let task = lane.task().cancel_on(&token);
        let handle = task.try_spawn_local(begun()).unwrap();
        gate.wait_for(2);
        token.cancel();
        assert!(handle.join().unwrap_err().is_cancelled());
        works("a cancellation");
        let task = lane.task().timeout(Duration::from_millis(2));
        let handle = task.try_spawn_local(pending::<()>).unwrap();
        assert!(handle.join().unwrap_err().is_timed_out());
        works("a future's timeout");
        let task = lane.task().timeout(Duration::from_millis(2));
        let handle = task.try_spawn(|| {
            while !cenote::token().is_cancelled() {
                thread::yield_now();
            }
        });
        assert!(handle.unwrap().join().unwrap_err().is_timed_out());
        works("a closure's timeout");

        let held = hold(&pool, 1);
        let aborted = lane.try_spawn(|| ()).unwrap();
        aborted.abort();
        let task = lane.task().queue_timeout(Duration::from_millis(2));
        let late = task.try_spawn(|| ()).unwrap();
        assert!(late.join().unwrap_err().is_queue_timed_out());
        held.release();
        works("an abort in the queue, and a queue timeout");
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
fn a_task_may_join_another_of_its_lane_that_has_one_place() {
    watched(|| {
        let pool = pool(2, "one", LaneConfig::new().max_running(1));
        let lane = pool.lane("one").unwrap();
        let on = lane.clone();
        let nested = lane.blocking_run(move || {
            let inner = on.try_spawn(|| cenote::current().unwrap().index).unwrap();
            (cenote::current().unwrap().index, inner.join().unwrap())
        });
        let (outer, inner) = nested.unwrap();
        assert_eq!(outer, inner, "it lends the inner one its place");
        lane.blocking_run(|| ()).unwrap();
    });
}

#[test]
fn futures_of_a_narrow_lane_find_the_worker_with_a_place() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .concurrency(1)
            .lane("one", LaneConfig::new().max_running(1))
            .build()
            .unwrap();
        let lane = pool.lane("one").unwrap();
        for i in 0..1_000 {
            // One of the two workers is full.
            let (send, receive) = oneshot::channel::<()>();
            let first = pool.try_spawn_local(|| receive).unwrap();
            let closure = lane.try_spawn(|| ()).unwrap();
            let future = lane.try_spawn_local(move || async move { i }).unwrap();
            assert_eq!(future.join().unwrap(), i);
            closure.join().unwrap();
            send.send(()).unwrap();
            first.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_narrow_lane_is_closed_in_order() {
    watched(|| {
        for threads in 2..=4 {
            for _ in 0..100 {
                let pool = pool(threads, "one", LaneConfig::new().max_running(1));
                let lane = pool.lane("one").unwrap();
                let ran = Count::default();
                for i in 0..6 {
                    let ran = ran.clone();
                    if i % 3 == 0 {
                        lane.try_spawn_local(|| async move {
                            tokio::task::yield_now().await;
                            ran.up();
                        })
                        .unwrap()
                        .detach();
                    } else {
                        lane.try_spawn(move || ran.up()).unwrap().detach();
                    }
                }
                let report = pool.blocking_close(Duration::from_secs(20));
                assert!(report.is_clean(), "{report}");
                assert_eq!(ran.get(), 6);
            }
        }
    });
}

#[test]
fn a_pool_is_its_main_lane_where_a_lane_is_wanted_and_itself_in_what_both_have() {
    fn one_task(on: &Lane) -> u64 {
        on.blocking_run(|| ()).unwrap();
        on.stats().outcomes.completed
    }
    watched(|| {
        let pool = pool(1, "other", LaneConfig::new());
        assert_eq!(one_task(&pool.lane("other").unwrap()), 1);
        assert_eq!(one_task(&pool), 1);
        assert_eq!(one_task(&pool.lane("main").unwrap()), 2);
        assert_eq!(pool.stats().outcomes().completed, 3);
        assert_eq!(pool.name(), "main");
        assert!(format!("{:?}", pool.clone()).starts_with("Pool "));
    });
}

#[test]
fn there_are_only_the_lanes_that_were_named() {
    let pool = pool(1, "a", LaneConfig::new());
    assert!(pool.lane("a").is_some() && pool.lane("main").is_some());
    assert!(pool.lane("b").is_none());
    let twice = Pool::builder()
        .lane("a", LaneConfig::new())
        .lane("a", LaneConfig::new())
        .build();
    assert_eq!(twice.unwrap_err().code(), "CENOTE_BAD_OPTION");
    let stuck = Pool::builder()
        .lane("a", LaneConfig::new().max_running(0))
        .build();
    assert_eq!(stuck.unwrap_err().code(), "CENOTE_BAD_OPTION");
}
