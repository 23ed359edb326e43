//! Closing a pool in order: what it waits for, what it reports, from outside and from the pool's
//! own workers.

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cenote::{CloseReport, Pool};

use super::assert_refuses;
use crate::support::{Count, Dropped, FOREVER, Gate, Held, block_on, eventually, hold, watched};

const SOON: Duration = Duration::from_millis(10);

fn of(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

/// Puts work of every kind on the pool, and counts what was done of it: five.
fn load(pool: &Pool) -> Count {
    let done = Count::default();
    let [closure, other, future, left, plain] = [(); 5].map(|()| done.clone());
    pool.try_spawn(move || closure.up()).unwrap().detach();
    pool.try_spawn(move || {
        other.up();
        cenote::spawn_background(|| async move {
            tokio::time::sleep(SOON).await;
            left.up();
        });
    })
    .unwrap()
    .detach();
    pool.try_spawn_local(|| async move {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(SOON).await;
            plain.up();
        });
        tokio::time::sleep(SOON).await;
        future.up();
    })
    .unwrap()
    .detach();
    done
}

#[test]
fn close_waits_for_queued_running_and_background_work() {
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let held = hold(&pool, threads);
            let done = load(&pool);
            let closing = pool.close(FOREVER);
            assert_refuses(&pool);
            assert_eq!(done.get(), 0);
            held.let_go();
            assert_eq!(block_on(closing), CloseReport::default());
            assert_eq!(done.get(), 5);
            assert_eq!(pool.stats().threads, 0);
        }
    });
}

#[test]
fn a_blocking_close_waits_for_the_same() {
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let done = load(&pool);
            let report = pool.blocking_close(FOREVER);
            assert!(report.is_clean(), "{report}");
            assert_eq!(done.get(), 5);
            assert_eq!(pool.stats().threads, 0);
            assert_refuses(&pool);
        }
    });
}

#[test]
fn an_idle_pool_closes_whatever_its_workers_wait_in() {
    watched(|| {
        for max_spin in [
            Duration::ZERO,
            Duration::from_micros(20),
            Duration::from_millis(50),
        ] {
            for _ in 0..100 {
                let pool = Pool::builder()
                    .threads(2)
                    .max_spin(max_spin)
                    .build()
                    .unwrap();
                pool.blocking_run(|| ()).unwrap();
                pool.try_spawn_local(|| async {}).unwrap().join().unwrap();
                assert!(pool.blocking_close(FOREVER).is_clean());
            }
        }
    });
}

#[test]
fn at_the_limit_close_reports_what_is_left_and_ends_it() {
    watched(|| {
        let pool = of(2);
        let (future, future_fate) = Dropped::new();
        let (background, background_fate) = Dropped::new();
        let waits = pool
            .try_spawn_local(move || async move {
                let _future = future;
                pending::<()>().await;
            })
            .unwrap();
        pool.blocking_run(move || {
            cenote::spawn_background(|| async move {
                let _background = background;
                pending::<()>().await;
            });
        })
        .unwrap();
        eventually("the future waits", || pool.stats().running == 1);
        let (asked, ask) = mpsc::channel();
        let gate = Gate::default();
        let closures = [(); 2].map(|()| {
            let (gate, asked) = (gate.clone(), asked.clone());
            pool.try_spawn(move || {
                let token = cenote::token();
                gate.pass();
                asked.send(token.is_cancelled()).unwrap();
            })
            .unwrap()
        });
        gate.wait_for(2);
        let queued = [(); 3].map(|()| pool.try_spawn(|| ()).unwrap());
        let began = Instant::now();
        let report = block_on(pool.close(SOON));
        assert!(began.elapsed() >= SOON);
        assert!(!report.is_clean());
        let CloseReport {
            queued: left,
            running,
            background,
            threads,
            ..
        } = report;
        assert_eq!((left, running, background, threads), (3, 3, 1, 2));
        assert!(report.to_string().contains("3 queued"), "{report}");
        for task in queued {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        gate.open();
        for task in closures {
            task.join().unwrap();
        }
        assert_eq!([ask.recv().unwrap(), ask.recv().unwrap()], [true, true]);
        assert!(waits.join().unwrap_err().is_cancelled());
        future_fate.recv().unwrap();
        background_fate.recv().unwrap();
        // To see the end of it, close again.
        assert!(pool.blocking_close(FOREVER).is_clean());
    });
}

#[test]
fn of_several_closes_the_shortest_limit_counts() {
    watched(|| {
        let pool = of(1);
        let held = hold(&pool, 1);
        let long = pool.close(FOREVER);
        let other = pool.clone();
        let blocked = thread::spawn(move || other.blocking_close(FOREVER));
        let short = pool.blocking_close(SOON);
        assert_eq!((short.running, short.threads), (1, 1));
        held.let_go();
        block_on(long);
        blocked.join().unwrap();
        assert_eq!(pool.stats().threads, 0);
    });
}

#[test]
fn dropping_the_future_of_a_close_does_not_stop_it() {
    watched(|| {
        let pool = of(1);
        let done = load(&pool);
        drop(pool.close(FOREVER));
        assert_refuses(&pool);
        eventually("it ends", || done.get() == 5 && pool.stats().threads == 0);
    });
}

#[test]
fn a_pool_closes_from_a_future_of_its_own() {
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let done = load(&pool);
            let on = pool.clone();
            let closer = pool
                .try_spawn_local(|| async move { on.close(FOREVER).await })
                .unwrap();
            let report = closer.join().unwrap();
            assert!(report.is_clean(), "{report}");
            assert_eq!(done.get(), 5);
            eventually("the threads end", || pool.stats().threads == 0);
        }
    });
}

#[test]
fn a_pool_closes_from_a_closure_of_its_own() {
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let done = load(&pool);
            let on = pool.clone();
            let closer = pool.try_spawn(move || on.blocking_close(FOREVER)).unwrap();
            let report = closer.join().unwrap();
            assert!(report.is_clean(), "{report}");
            assert_eq!(done.get(), 5);
            eventually("the threads end", || pool.stats().threads == 0);
        }
    });
}

#[test]
fn a_pool_closes_from_all_of_its_workers_at_once() {
    watched(|| {
        for futures in 0..=2 {
            let pool = of(2);
            let gate = Gate::default();
            let closers = [0, 1].map(|number| {
                let (on, gate) = (pool.clone(), gate.clone());
                if number < futures {
                    pool.try_spawn_local(|| async move {
                        gate.pass();
                        on.close(FOREVER).await
                    })
                } else {
                    // The same type as above.
                    return pool
                        .try_spawn(move || {
                            gate.pass();
                            on.blocking_close(FOREVER)
                        })
                        .unwrap();
                }
                .unwrap()
            });
            gate.wait_for(2);
            let outside = pool.close(FOREVER);
            gate.open();
            for closer in closers {
                let report = closer.join().unwrap();
                assert!(report.is_clean(), "{report}");
            }
            assert!(block_on(outside).is_clean());
            eventually("the threads end", || pool.stats().threads == 0);
        }
    });
}

#[test]
fn a_close_from_outside_waits_for_the_task_that_closed_too() {
    watched(|| {
        let pool = of(1);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (on, ended) = (pool.clone(), Count::default());
        let end = ended.clone();
        let (closed, inside) = mpsc::channel();
        let task = pool
            .try_spawn_local(|| async move {
                closed.send(on.close(FOREVER).await).unwrap();
                gone.await.unwrap();
                end.up();
            })
            .unwrap();
        assert!(inside.recv().unwrap().is_clean());
        let mut outside = Box::pin(pool.close(FOREVER));
        let polled = block_on(async { tokio::time::timeout(SOON, &mut outside).await });
        assert!(polled.is_err(), "its task has not ended");
        go.send(()).unwrap();
        assert!(block_on(outside).is_clean());
        assert_eq!(ended.get(), 1);
        task.join().unwrap();
    });
}

#[test]
fn a_closed_pool_runs_what_its_last_tasks_leave_in_the_background() {
    watched(|| {
        let pool = of(2);
        let done = Count::default();
        let held = hold(&pool, 2);
        for _ in 0..20 {
            let done = done.clone();
            pool.try_spawn(move || {
                cenote::spawn_background(|| async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let inner = done.clone();
                    cenote::spawn_background(|| async move {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        inner.up();
                    });
                    done.up();
                });
            })
            .unwrap()
            .detach();
        }
        let closing = pool.close(FOREVER);
        held.let_go();
        assert!(block_on(closing).is_clean());
        assert_eq!(done.get(), 40);
    });
}

#[test]
fn a_held_pool_closes_in_time_when_its_workers_are_let_go() {
    watched(|| {
        let pool = of(2);
        let held: Held = hold(&pool, 2);
        let closing = thread::spawn(move || pool.blocking_close(FOREVER));
        held.release();
        assert!(closing.join().unwrap().is_clean());
    });
}

/// What a worker's thread does at its very end, after everything of the pool's.
fn at_the_end_of_the_thread(ended: &Count, lasts: Duration) -> impl FnOnce() + Send + use<> {
    struct Last(Count, Duration);
    impl Drop for Last {
        fn drop(&mut self) {
            thread::sleep(self.1);
            self.0.up();
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    let ended = ended.clone();
    move || LAST.with(|last| *last.borrow_mut() = Some(Last(ended, lasts)))
}

#[test]
fn a_clean_close_waits_for_the_destructors_of_the_threads() {
    watched(|| {
        for (round, lasts) in [0, 0, 0, 1, 50].into_iter().enumerate() {
            let pool = Pool::builder().threads(2).build().unwrap();
            let ended = Count::default();
            let last = at_the_end_of_the_thread(&ended, Duration::from_millis(lasts));
            pool.blocking_run(last).unwrap();
            let report = if round % 2 == 0 {
                pool.blocking_close(FOREVER)
            } else {
                block_on(pool.close(FOREVER))
            };
            assert!(report.is_clean(), "{report}");
            assert_eq!(ended.get(), 1);
        }
    });
}

#[test]
fn a_close_does_not_wait_for_a_destructor_beyond_its_limit() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let ended = Count::default();
        let last = at_the_end_of_the_thread(&ended, Duration::from_millis(500));
        pool.blocking_run(last).unwrap();
        let report = pool.blocking_close(Duration::from_millis(20));
        assert_eq!((report.threads, ended.get()), (1, 0));
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(ended.get(), 1);
    });
}

#[test]
fn a_blocking_call_of_a_future_holds_a_close_up_for_its_limit_only_and_is_named() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let (go, gone) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel::<()>();
        let call = move || {
            tokio::task::spawn_blocking(move || {
                begin.send(()).unwrap();
                gone.recv().is_ok()
            })
        };
        let handle = pool.try_spawn_local(|| async { drop(call()) }).unwrap();
        handle.join().unwrap();
        begun.recv().unwrap();
        let report = pool.blocking_close(Duration::from_millis(20));
        assert_eq!((report.blocking, report.running), (1, 0), "{report}");
        assert!(report.to_string().contains("1 threads for blocking calls"));
        go.send(()).unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
    });
}

#[test]
fn a_future_s_token_is_cancelled_at_a_shutdown_also_when_closures_ran_in_between() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let (tell, told) = mpsc::channel();
        let future = move || async move {
            tell.send(cenote::token()).unwrap();
            std::future::pending::<()>().await;
        };
        let waits = pool.try_spawn_local(future).unwrap();
        let token = told.recv().unwrap();
        for _ in 0..3 {
            pool.blocking_run(|| drop(cenote::token())).unwrap();
        }
        assert!(!token.is_cancelled());
        pool.shutdown_now();
        assert!(token.is_cancelled());
        assert!(waits.join().unwrap_err().is_cancelled());
    });
}
