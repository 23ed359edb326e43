//! Deadlines and cancellation: in the queue, while it runs, by a token.

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cenote::{CancellationToken, Pool};

use crate::support::{Count, Dropped, FOREVER, Gate, block_on, eventually, hold, watched};

const SOON: Duration = Duration::from_millis(10);

fn one() -> Pool {
    Pool::builder().threads(1).build().unwrap()
}

#[test]
fn work_that_waited_too_long_is_told_while_every_worker_is_blocked_and_dropped_by_the_next() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let ran = Count::default();
        let run = ran.clone();
        let (dropped, fate) = Dropped::new();
        let began = Instant::now();
        let handle = pool
            .task()
            .queue_timeout(SOON)
            .try_spawn(move || {
                let _dropped = dropped;
                run.up();
            })
            .unwrap();
        let error = handle.join().unwrap_err();
        assert!(error.is_queue_timed_out() && !error.is_timed_out());
        assert_eq!(error.code(), "CENOTE_TASK_QUEUE_TIMED_OUT");
        assert!(began.elapsed() >= SOON);
        held.release();
        let worker = pool.blocking_run(|| thread::current().id()).unwrap();
        assert_eq!(fate.recv().unwrap(), worker);
        assert_eq!(ran.get(), 0);
        eventually("they are counted", || {
            pool.stats().outcomes().queue_timed_out == 1
        });
    });
}

#[test]
fn a_future_that_times_out_in_the_queue_is_never_made() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let handle = pool
            .task()
            .queue_timeout(SOON)
            .try_spawn_local(|| async { unreachable!("it waited too long") })
            .unwrap();
        let handle: cenote::JoinHandle<()> = handle;
        assert!(block_on(handle).unwrap_err().is_queue_timed_out());
        held.release();
    });
}

#[test]
fn waiting_for_room_counts_against_the_queue_timeout() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
        let held = hold(&pool, 1);
        pool.try_spawn(|| ()).unwrap().detach();
        let handle = pool
            .task()
            .queue_timeout(SOON)
            .blocking_spawn(|| ())
            .unwrap();
        assert!(handle.join().unwrap_err().is_queue_timed_out());
        block_on(async {
            let handle = pool.task().queue_timeout(SOON).spawn(|| ()).await.unwrap();
            assert!(handle.await.unwrap_err().is_queue_timed_out());
        });
        held.release();
    });
}

#[test]
fn a_task_that_starts_in_time_does_not_time_out_in_the_queue() {
    watched(|| {
        let pool = one();
        for i in 0..200 {
            let task = pool.task().queue_timeout(FOREVER).timeout(FOREVER);
            assert_eq!(task.try_spawn(move || i).unwrap().join().unwrap(), i);
        }
        // Far longer in the run than it might have been in the queue.
        let gate = Gate::default();
        let inner = gate.clone();
        let handle = pool
            .task()
            .queue_timeout(Duration::from_millis(500))
            .try_spawn(move || inner.pass())
            .unwrap();
        gate.wait_for(1);
        let handle = handle.join_timeout(Duration::from_millis(600)).unwrap_err();
        gate.open();
        handle.join().unwrap();
    });
}

#[test]
fn a_closure_that_runs_too_long_is_told_of_at_once_and_asked_to_stop() {
    watched(|| {
        let pool = one();
        let (told, tell) = mpsc::channel();
        let handle = pool
            .task()
            .timeout(SOON)
            .try_spawn(move || {
                let token = cenote::token();
                while !token.is_cancelled() {
                    thread::yield_now();
                }
                tell.recv().unwrap();
            })
            .unwrap();
        let error = handle.join().unwrap_err();
        assert!(error.is_timed_out() && !error.is_queue_timed_out());
        assert_eq!(error.code(), "CENOTE_TASK_TIMED_OUT");
        assert_eq!(
            pool.stats().running,
            1,
            "it takes its worker until it returns"
        );
        told.send(()).unwrap();
        assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
        eventually("they are counted", || {
            pool.stats().outcomes().timed_out == 1
        });
    });
}

#[test]
fn a_future_that_runs_too_long_is_dropped_on_its_worker() {
    watched(|| {
        let pool = one();
        let home = pool.blocking_run(|| thread::current().id()).unwrap();
        let (dropped, fate) = Dropped::new();
        let handle = pool
            .task()
            .timeout(SOON)
            .try_spawn_local(move || async move {
                let _dropped = dropped;
                pending::<()>().await;
            })
            .unwrap();
        assert!(handle.join().unwrap_err().is_timed_out());
        assert_eq!(fate.recv().unwrap(), home);
        pool.blocking_run(|| ()).unwrap();
        eventually("its place is free", || pool.stats().running == 0);
        eventually("they are counted", || {
            pool.stats().outcomes().timed_out == 1
        });
    });
}

#[test]
fn the_run_timeout_begins_with_the_run() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let limit = Duration::from_millis(400);
        let handle = pool.task().timeout(limit).try_spawn(|| 1).unwrap();
        let handle = handle.join_timeout(limit + limit / 2).unwrap_err();
        held.release();
        assert_eq!(handle.join().unwrap(), 1);
    });
}

#[test]
fn a_task_settles_once_however_its_end_and_its_timeout_meet() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let limit = Duration::from_micros(200);
        let (mut values, mut late) = (0, 0);
        for i in 0..600_u64 {
            let work = Duration::from_micros(if i % 2 == 0 { 100 + i % 200 } else { 0 });
            let handle = pool.task().timeout(limit).try_spawn(move || {
                let until = Instant::now() + work;
                while Instant::now() < until {}
            });
            match handle.unwrap().join() {
                Ok(()) => values += 1,
                Err(error) => {
                    assert!(error.is_timed_out(), "{error}");
                    late += 1;
                }
            }
        }
        assert!(pool.blocking_close(FOREVER).is_clean());
        let outcomes = pool.stats().outcomes();
        assert_eq!((outcomes.completed, outcomes.timed_out), (values, late));
    });
}

#[test]
fn a_timeout_may_be_over_before_the_work_begins() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let drops = Count::default();
        struct CountDrop(Count);
        impl Drop for CountDrop {
            fn drop(&mut self) {
                self.0.up();
            }
        }
        for i in 0..2_000 {
            let held = CountDrop(drops.clone());
            let task = pool.task().timeout(Duration::from_nanos(i * 10));
            let result = if i % 2 == 0 {
                task.try_spawn(move || drop(held)).unwrap().join()
            } else {
                task.try_spawn_local(move || async move { drop(held) })
                    .unwrap()
                    .join()
            };
            if let Err(error) = result {
                assert!(error.is_timed_out(), "{error}");
            }
        }
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(drops.get(), 2_000);
        let outcomes = pool.stats().outcomes();
        assert_eq!(outcomes.completed + outcomes.timed_out, 2_000);
    });
}

#[test]
fn a_token_that_was_cancelled_before_drops_the_task() {
    watched(|| {
        let pool = one();
        let token = CancellationToken::new();
        token.cancel();
        let handle = pool
            .task()
            .cancel_on(&token)
            .try_spawn(|| unreachable!("it was cancelled"))
            .unwrap();
        let handle: cenote::JoinHandle<()> = handle;
        let error = handle.join().unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.code(), "CENOTE_TASK_CANCELLED");
        pool.blocking_run(|| ()).unwrap();
        eventually("they are counted", || {
            pool.stats().outcomes().cancelled == 1
        });
    });
}

#[test]
fn a_token_cancels_a_queued_task_while_every_worker_is_blocked() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let parent = CancellationToken::new();
        let mut fates = Vec::new();
        // Also by its parent, with nobody else who has the token itself.
        for token in [parent.clone(), parent.child_token()] {
            let (dropped, fate) = Dropped::new();
            let handle = pool
                .task()
                .cancel_on(&token)
                .try_spawn(move || drop(dropped))
                .unwrap();
            if !parent.is_cancelled() {
                assert!(!handle.is_finished());
                parent.cancel();
            }
            assert!(handle.join().unwrap_err().is_cancelled());
            fates.push(fate);
        }
        held.release();
        for fate in fates {
            fate.recv().unwrap();
        }
        pool.blocking_run(|| ()).unwrap();
        eventually("they are counted", || {
            pool.stats().outcomes().cancelled == 2
        });
    });
}

#[test]
fn a_token_s_parent_cancels_what_is_queued_with_its_children() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let parent = CancellationToken::new();
        let handles: Vec<_> = (0..50)
            .map(|_| {
                let task = pool.task().cancel_on(&parent.child_token());
                task.try_spawn(|| unreachable!("it was cancelled")).unwrap()
            })
            .collect();
        parent.cancel();
        for handle in handles {
            let handle: cenote::JoinHandle<()> = handle;
            assert!(handle.join().unwrap_err().is_cancelled());
        }
        held.release();
    });
}

#[test]
fn a_token_drops_a_future() {
    watched(|| {
        let pool = one();
        let token = CancellationToken::new();
        let (dropped, fate) = Dropped::new();
        let gate = Gate::default();
        gate.open();
        let inner = gate.clone();
        let handle = pool
            .task()
            .cancel_on(&token)
            .try_spawn_local(move || async move {
                let _dropped = dropped;
                inner.pass();
                pending::<()>().await;
            })
            .unwrap();
        gate.wait_for(1);
        token.cancel();
        assert!(handle.join().unwrap_err().is_cancelled());
        fate.try_recv().unwrap();
        eventually("they are counted", || {
            pool.stats().outcomes().cancelled == 1
        });
    });
}

#[test]
fn a_token_asks_a_closure_whose_value_still_counts() {
    watched(|| {
        let pool = one();
        let token = CancellationToken::new();
        let gate = Gate::default();
        gate.open();
        let inner = gate.clone();
        let handle = pool
            .task()
            .cancel_on(&token)
            .try_spawn(move || {
                let own = cenote::token();
                inner.pass();
                while !own.is_cancelled() {
                    thread::yield_now();
                }
                "a value"
            })
            .unwrap();
        gate.wait_for(1);
        token.cancel();
        assert_eq!(handle.join().unwrap(), "a value");
    });
}

#[test]
fn a_task_cannot_cancel_the_token_it_was_given() {
    watched(|| {
        let pool = one();
        let token = CancellationToken::new();
        let task = pool.task().cancel_on(&token);
        task.try_spawn(|| cenote::token().cancel())
            .unwrap()
            .join()
            .unwrap();
        assert!(!token.is_cancelled(), "its own is a child");
    });
}

#[test]
fn an_aborted_future_was_aborted_also_if_it_has_a_token() {
    watched(|| {
        let pool = one();
        let token = CancellationToken::new();
        for _ in 0..2_000 {
            let gate = Gate::default();
            gate.open();
            let inner = gate.clone();
            let handle = pool
                .task()
                .cancel_on(&token)
                .try_spawn_local(move || async move {
                    inner.pass();
                    pending::<()>().await;
                })
                .unwrap();
            gate.wait_for(1);
            handle.abort();
            let error = handle.join().unwrap_err();
            assert!(error.is_aborted(), "{error}");
        }
    });
}

#[test]
fn the_timers_of_tasks_that_ended_in_time_keep_nothing() {
    watched(|| {
        let pool = one();
        let (dropped, fate) = Dropped::new();
        let task = pool.task().queue_timeout(FOREVER).timeout(FOREVER);
        let handle = task
            .cancel_on(&CancellationToken::new())
            .try_spawn(move || dropped);
        drop(handle.unwrap().join().unwrap());
        fate.try_recv().unwrap();
        // The last reference to a task is what its captures' and result's memory hangs on; a pool
        // that is closed with such timers under way ends all the same.
        assert!(pool.blocking_close(FOREVER).is_clean());
    });
}
