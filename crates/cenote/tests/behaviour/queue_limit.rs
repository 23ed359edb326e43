//! A bounded queue, and the three ways to meet a full one: shed, wait, block.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool};

use crate::support::{Count, FOREVER, Gate, block_on, eventually, hold, watched};

fn small(limit: usize) -> Pool {
    Pool::builder()
        .threads(1)
        .queue_limit(limit)
        .build()
        .unwrap()
}

fn is_pending<F: Future>(future: &mut Pin<Box<F>>) -> bool {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[test]
fn a_full_queue_gives_the_closure_back() {
    watched(|| {
        let pool = small(2);
        let held = hold(&pool, 1);
        let accepted = [pool.try_spawn(|| 1).unwrap(), pool.try_spawn(|| 2).unwrap()];
        let refused = pool.try_spawn(|| 3).unwrap_err();
        assert!(refused.is_full());
        assert_eq!(refused.code(), "CENOTE_QUEUE_FULL");
        assert!(refused.to_string().contains("2 tasks"), "{refused}");
        assert_eq!(refused.into_inner()(), 3);
        let refused = pool.try_spawn_local(|| async { 5 }).unwrap_err();
        assert_eq!(block_on(refused.into_inner()()), 5);
        eventually("they are counted", || pool.stats().outcomes().rejected == 2);
        held.let_go();
        for (value, handle) in (1..).zip(accepted) {
            assert_eq!(handle.join().unwrap(), value);
        }
        assert_eq!(pool.try_spawn(|| 6).unwrap().join().unwrap(), 6);
    });
}

#[test]
fn waiting_spawns_get_in_when_there_is_room() {
    watched(|| {
        let pool = small(1);
        let held = hold(&pool, 1);
        pool.try_spawn(|| ()).unwrap().detach();
        let ran = Count::default();
        let threads: Vec<_> = (0..4)
            .map(|i| {
                let (pool, ran) = (pool.clone(), ran.clone());
                thread::spawn(move || {
                    if i % 2 == 0 {
                        pool.blocking_spawn(move || ran.up())
                            .unwrap()
                            .join()
                            .unwrap();
                    } else {
                        block_on(async {
                            pool.spawn(move || ran.up()).await.unwrap().await.unwrap()
                        });
                    }
                })
            })
            .collect();
        held.let_go();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(ran.get(), 4);
    });
}

#[test]
fn room_is_told_when_a_long_task_starts() {
    watched(|| {
        const LIMIT: usize = 100;
        let pool = small(LIMIT);
        let held = hold(&pool, 1);
        let gate = Gate::default();
        let tasks: Vec<_> = (0..LIMIT)
            .map(|_| {
                let gate = gate.clone();
                pool.try_spawn(move || gate.pass()).unwrap()
            })
            .collect();
        let (other, accepted) = (pool.clone(), Count::default());
        let accept = accepted.clone();
        let waits = thread::spawn(move || {
            let handle = other.blocking_spawn(|| 1).unwrap();
            accept.up();
            handle.join().unwrap()
        });
        assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
        held.release();
        // The first of them has left the queue, and takes as long as it likes.
        gate.wait_for(1);
        eventually("its place is given to the one that waits", || {
            accepted.get() == 1
        });
        gate.open();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(waits.join().unwrap(), 1);
    });
}

#[test]
fn a_spawn_that_stops_waiting_loses_no_room() {
    watched(|| {
        for _ in 0..200 {
            let pool = small(1);
            let held = hold(&pool, 1);
            pool.try_spawn(|| ()).unwrap().detach();
            let mut first = Box::pin(pool.spawn(|| 1));
            let mut second = Box::pin(pool.spawn(|| 2));
            assert!(is_pending(&mut first));
            assert!(is_pending(&mut second));
            held.release();
            eventually("there is room", || pool.stats().queued == 0);
            // The room was told to the first, which never looks.
            drop(first);
            assert_eq!(block_on(second).unwrap().join().unwrap(), 2);
        }
    });
}

#[test]
fn those_that_wait_are_refused_when_the_pool_closes() {
    watched(|| {
        let pool = small(1);
        let held = hold(&pool, 1);
        pool.try_spawn(|| ()).unwrap().detach();
        let mut awaits = Box::pin(pool.spawn(|| 1));
        assert!(is_pending(&mut awaits));
        let other = pool.clone();
        let blocks = thread::spawn(move || other.blocking_spawn(|| 2));
        let closing = pool.close(FOREVER);
        let refused = block_on(awaits).unwrap_err();
        assert!(refused.is_closed());
        assert_eq!(refused.into_inner()(), 1);
        let refused = blocks.join().unwrap().unwrap_err();
        assert!(refused.is_closed());
        assert_eq!(refused.into_inner()(), 2);
        held.let_go();
        assert!(block_on(closing).is_clean());
    });
}

#[test]
fn a_blocking_spawn_on_a_worker_of_the_pool_does_not_block() {
    watched(|| {
        let pool = small(1);
        let on = pool.clone();
        pool.blocking_run(move || {
            on.try_spawn(|| ()).unwrap().detach();
            assert!(on.blocking_spawn(|| ()).unwrap_err().is_full());
        })
        .unwrap();
    });
}

#[test]
fn a_spawn_may_wait_on_a_worker_of_the_pool() {
    watched(|| {
        let pool = small(1);
        let on = pool.clone();
        let sum = pool
            .try_spawn_local(move || async move {
                let mut handles = Vec::new();
                for i in 0..100 {
                    handles.push(on.spawn(move || i).await.unwrap());
                }
                let mut sum = 0;
                for handle in handles {
                    sum += handle.await.unwrap();
                }
                sum
            })
            .unwrap();
        assert_eq!(sum.join().unwrap(), 4_950);
    });
}

#[test]
fn no_more_tasks_wait_than_the_limit_however_many_submit() {
    watched(|| {
        const LIMIT: usize = 8;
        let pool = Pool::builder()
            .threads(2)
            .queue_limit(LIMIT)
            .build()
            .unwrap();
        let (ran, shed, accepted) = (Count::default(), Count::default(), Count::default());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..3_000 {
                        let run = ran.clone();
                        match pool.try_spawn(move || run.up()) {
                            Ok(handle) => {
                                accepted.up();
                                handle.detach();
                            }
                            Err(refused) => {
                                assert!(refused.is_full());
                                shed.up();
                            }
                        }
                        assert!(pool.lane("main").unwrap().stats().queued <= LIMIT);
                    }
                });
            }
        });
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(accepted.get() + shed.get(), 12_000);
        assert_eq!(ran.get(), accepted.get());
        let outcomes = pool.stats().outcomes();
        assert_eq!(outcomes.completed as usize, accepted.get());
        assert_eq!(outcomes.rejected as usize, shed.get());
    });
}

#[test]
fn a_lane_has_a_limit_of_its_own() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .queue_limit(3)
            .lane("small", LaneConfig::new().queue_limit(1))
            .build()
            .unwrap();
        let small = pool.lane("small").unwrap();
        let held = hold(&pool, 1);
        small.try_spawn(|| ()).unwrap().detach();
        assert!(small.try_spawn(|| ()).unwrap_err().is_full());
        for _ in 0..3 {
            pool.try_spawn(|| ()).unwrap().detach();
        }
        assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
        held.release();
    });
}

#[test]
fn hundreds_of_waiting_spawns_all_get_in() {
    watched(|| {
        let pool = Pool::builder().threads(2).queue_limit(2).build().unwrap();
        let ran = Count::default();
        block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for i in 0..500 {
                let (pool, ran) = (pool.clone(), ran.clone());
                tasks.spawn(async move {
                    let spawn = pool.spawn(move || ran.up());
                    if i % 3 == 0 {
                        // Some give up while they wait.
                        if let Ok(handle) =
                            tokio::time::timeout(Duration::from_micros(i), spawn).await
                        {
                            handle.unwrap().await.unwrap();
                            return 1;
                        }
                        return 0;
                    }
                    spawn.await.unwrap().await.unwrap();
                    1
                });
            }
            let accepted: usize = tasks.join_all().await.into_iter().sum();
            assert!(accepted >= 333);
            assert_eq!(ran.get(), accepted);
        });
    });
}
