//! The end of a pool: closed in order ([`close`]), shut down at once, dropped; from outside and
//! from its own workers.

mod close;

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cenote::Pool;

use crate::support::{Count, Dropped, FOREVER, Gate, block_on, eventually, hold, watched};

fn of(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

fn assert_refuses(pool: &Pool) {
    assert!(pool.is_closed());
    let refused = pool.try_spawn(|| 1).unwrap_err();
    assert!(refused.is_closed());
    assert_eq!(refused.code(), "CENOTE_POOL_CLOSED");
    assert_eq!(refused.into_inner()(), 1);
    assert!(pool.blocking_spawn(|| ()).unwrap_err().is_closed());
    assert!(pool.try_spawn_local(|| async {}).unwrap_err().is_closed());
    assert!(block_on(pool.spawn(|| ())).unwrap_err().is_closed());
    assert_eq!(
        pool.blocking_run(|| ()).unwrap_err().code(),
        "CENOTE_POOL_CLOSED"
    );
}

#[test]
fn a_pool_has_ended_when_its_last_thread_has() {
    watched(|| {
        let pool = of(2);
        assert!(!pool.has_ended());
        let held = hold(&pool, 2);
        pool.shutdown_now();
        assert!(pool.is_closed() && !pool.has_ended());
        held.let_go();
        eventually("it ends", || pool.has_ended());
        assert_eq!(pool.stats().threads, 0);
    });
}

#[test]
fn a_shutdown_cancels_what_is_queued_and_drops_the_futures() {
    watched(|| {
        let pool = of(1);
        let ran = Count::default();
        let (dropped, fate) = Dropped::new();
        let waits = pool
            .try_spawn_local(move || async move {
                let _dropped = dropped;
                pending::<()>().await;
            })
            .unwrap();
        eventually("it waits", || pool.stats().running == 1);
        let held = hold(&pool, 1);
        let queued: Vec<_> = (0..10)
            .map(|_| {
                let ran = ran.clone();
                pool.try_spawn(move || ran.up()).unwrap()
            })
            .collect();
        queued[3].abort();
        assert_eq!(pool.shutdown_now(), 9, "one of them was settled already");
        assert_refuses(&pool);
        for (number, task) in queued.into_iter().enumerate() {
            let error = task.join().unwrap_err();
            assert_eq!(error.is_cancelled(), number != 3, "{error}");
        }
        assert_eq!(pool.shutdown_now(), 0);
        held.release();
        assert!(waits.join().unwrap_err().is_cancelled());
        fate.recv().unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(ran.get(), 0);
        let outcomes = pool.stats().outcomes();
        assert_eq!((outcomes.cancelled, outcomes.aborted), (10, 1));
    });
}

#[test]
fn a_shutdown_asks_running_closures_and_tokens_made_later_to_stop() {
    watched(|| {
        let pool = of(2);
        let gate = Gate::default();
        let inner = gate.clone();
        let early = pool
            .try_spawn(|| {
                let token = cenote::token();
                while !token.is_cancelled() {
                    thread::yield_now();
                }
            })
            .unwrap();
        let late = pool
            .try_spawn(move || {
                inner.pass();
                cenote::token().is_cancelled()
            })
            .unwrap();
        gate.wait_for(1);
        eventually("both run", || pool.stats().running == 2);
        pool.shutdown_now();
        gate.open();
        early.join().unwrap();
        assert!(late.join().unwrap());
    });
}

#[test]
fn a_shutdown_from_a_worker_is_possible() {
    watched(|| {
        let pool = of(1);
        let on = pool.clone();
        let held = hold(&pool, 1);
        let shuts = pool.try_spawn(move || on.shutdown_now()).unwrap();
        let queued = pool.try_spawn(|| ()).unwrap();
        held.let_go();
        assert_eq!(shuts.join().unwrap(), 1);
        assert!(queued.join().unwrap_err().is_cancelled());
        eventually("the thread ends", || pool.stats().threads == 0);
    });
}

/// Tells when the threads of a pool have ended.
fn with_end(threads: usize) -> (Pool, mpsc::Receiver<()>) {
    let (ended, end) = mpsc::channel();
    let ended = std::sync::Mutex::new(ended);
    let pool = Pool::builder()
        .threads(threads)
        .on_thread_stop(move |_| ended.lock().unwrap().send(()).unwrap())
        .build()
        .unwrap();
    (pool, end)
}

#[test]
fn what_was_accepted_is_run_after_the_last_handle_is_dropped() {
    watched(|| {
        for threads in 1..=3 {
            let (pool, end) = with_end(threads);
            let held = hold(&pool, threads);
            let ran = Count::default();
            let handles: Vec<_> = (0..100)
                .map(|i| {
                    let ran = ran.clone();
                    if i % 4 == 0 {
                        pool.try_spawn_local(|| async move {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                            ran.up();
                        })
                    } else {
                        return pool.try_spawn(move || ran.up()).unwrap();
                    }
                    .unwrap()
                })
                .collect();
            let lane = pool.lane("main").unwrap();
            drop(pool);
            // A lane is a handle too.
            let last = lane.try_spawn(|| 1).unwrap();
            drop(lane);
            held.let_go();
            for handle in handles {
                handle.join().unwrap();
            }
            assert_eq!(last.join().unwrap(), 1);
            assert_eq!(ran.get(), 100);
            for _ in 0..threads {
                end.recv().unwrap();
            }
        }
    });
}

#[test]
fn the_last_handle_may_be_dropped_on_a_worker() {
    watched(|| {
        for threads in 1..=2 {
            for future in [false, true] {
                let (pool, end) = with_end(threads);
                let on = pool.clone();
                let gate = Gate::default();
                let inner = gate.clone();
                if future {
                    pool.try_spawn_local(|| async move {
                        inner.pass();
                        drop(on);
                        tokio::task::yield_now().await;
                    })
                    .unwrap()
                    .detach();
                } else {
                    pool.try_spawn(move || {
                        inner.pass();
                        drop(on);
                    })
                    .unwrap()
                    .detach();
                }
                gate.wait_for(1);
                drop(pool);
                gate.open();
                for _ in 0..threads {
                    end.recv().unwrap();
                }
            }
        }
    });
}

#[test]
fn what_is_left_in_the_background_ends_with_a_dropped_pool() {
    watched(|| {
        let (pool, end) = with_end(1);
        let (dropped, fate) = Dropped::new();
        pool.blocking_run(move || {
            cenote::spawn_background(|| async move {
                let _dropped = dropped;
                pending::<()>().await;
            });
        })
        .unwrap();
        drop(pool);
        fate.recv().unwrap();
        end.recv().unwrap();
    });
}

#[test]
fn a_result_can_be_taken_after_the_end_of_its_pool() {
    watched(|| {
        let pool = of(1);
        let [first, second] = [1, 2].map(|i| pool.try_spawn(move || i).unwrap());
        assert!(pool.blocking_close(FOREVER).is_clean());
        drop(pool);
        assert_eq!(first.join().unwrap(), 1);
        assert_eq!(block_on(second).unwrap(), 2);
    });
}

#[test]
fn submitters_that_meet_the_end_are_accepted_and_run_or_refused() {
    watched(|| {
        for round in 0..150 {
            let pool = Pool::builder().threads(2).queue_limit(8).build().unwrap();
            let (accepted, ran, cancelled) = (Count::default(), Count::default(), Count::default());
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        loop {
                            let run = ran.clone();
                            match pool.blocking_spawn(move || run.up()) {
                                Ok(handle) => {
                                    accepted.up();
                                    if let Err(error) = handle.join() {
                                        assert!(error.is_cancelled(), "{error}");
                                        cancelled.up();
                                    }
                                }
                                Err(refused) => {
                                    assert!(refused.is_closed(), "{}", refused.code());
                                    break;
                                }
                            }
                        }
                    });
                }
                while accepted.get() < round {
                    thread::yield_now();
                }
                if round % 3 == 0 {
                    pool.shutdown_now();
                }
                let report = pool.blocking_close(FOREVER);
                assert!(report.is_clean(), "{report}");
            });
            assert_eq!(ran.get() + cancelled.get(), accepted.get());
            assert!(round % 3 == 0 || cancelled.get() == 0);
        }
    });
}
