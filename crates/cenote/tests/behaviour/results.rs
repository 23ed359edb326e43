//! The handle of a task: awaited, joined, aborted, detached, asked.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cenote::{Pool, Status};

use crate::support::{Count, Dropped, FOREVER, Gate, block_on, eventually, hold, watched};

struct Counting(Count);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.up();
    }
}

fn counting() -> (Waker, Count) {
    let count = Count::default();
    (Waker::from(Arc::new(Counting(count.clone()))), count)
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn a_handle_can_be_awaited_before_and_after_the_end() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let handle = pool.try_spawn(|| 1).unwrap();
        block_on(async {
            let waits = tokio::spawn(handle);
            tokio::task::yield_now().await;
            held.let_go();
            assert_eq!(waits.await.unwrap().unwrap(), 1);
            let ended = pool.try_spawn(|| 2).unwrap();
            pool.run(|| ()).await.unwrap();
            assert!(ended.is_finished());
            assert_eq!(ended.await.unwrap(), 2);
        });
    });
}

#[test]
fn many_handles_are_awaited_at_once() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for i in 0..2_000_u64 {
                let pool = pool.clone();
                tasks.spawn(async move { pool.run(move || i).await.unwrap() });
            }
            assert_eq!(tasks.join_all().await.into_iter().sum::<u64>(), 1_999_000);
        });
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let mut handle = pin!(pool.try_spawn(|| 1).unwrap());
        let (first, first_woken) = counting();
        let (last, last_woken) = counting();
        assert!(poll(handle.as_mut(), &first).is_pending());
        assert!(poll(handle.as_mut(), &last).is_pending());
        held.release();
        pool.blocking_run(|| ()).unwrap();
        assert_eq!((first_woken.get(), last_woken.get()), (0, 1));
        assert!(matches!(poll(handle.as_mut(), &last), Poll::Ready(Ok(1))));
    });
}

#[test]
fn a_handle_that_was_polled_can_be_joined_or_dropped() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let (waker, _woken) = counting();
        let ran = Count::default();
        let run = ran.clone();
        let mut dropped = pool.try_spawn(move || run.up()).unwrap();
        let mut joined = pool.try_spawn(|| 1).unwrap();
        assert!(poll(Pin::new(&mut dropped), &waker).is_pending());
        assert!(poll(Pin::new(&mut joined), &waker).is_pending());
        drop(dropped);
        held.let_go();
        assert_eq!(joined.join().unwrap(), 1);
        assert_eq!(ran.get(), 1);
    });
}

#[test]
fn a_join_from_a_blocking_thread_sleeps_until_the_end() {
    watched(|| {
        for max_spin in [Duration::ZERO, Duration::from_micros(20)] {
            let pool = Pool::builder()
                .threads(1)
                .max_spin(max_spin)
                .build()
                .unwrap();
            for i in 0..300 {
                let gate = Gate::default();
                let inner = gate.clone();
                let handle = pool
                    .try_spawn(move || {
                        inner.pass();
                        i
                    })
                    .unwrap();
                gate.wait_for(1);
                let joiner = thread::spawn(move || handle.join().unwrap());
                gate.open();
                assert_eq!(joiner.join().unwrap(), i);
            }
        }
    });
}

#[test]
fn a_join_with_a_limit_gives_the_handle_back_and_loses_nothing() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let mut handle = pool.try_spawn(|| vec![1]).unwrap();
        for limit in [
            Duration::ZERO,
            Duration::from_millis(2),
            Duration::from_micros(1),
        ] {
            handle = handle.join_timeout(limit).unwrap_err();
        }
        held.let_go();
        assert_eq!(handle.join_timeout(FOREVER).unwrap().unwrap(), [1]);
    });
}

#[test]
fn an_aborted_task_that_was_queued_never_runs_and_is_dropped_on_a_worker() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let (dropped, fate) = Dropped::new();
        let ran = Count::default();
        let run = ran.clone();
        let handle = pool
            .try_spawn(move || {
                let _dropped = dropped;
                run.up();
            })
            .unwrap();
        assert!(handle.abort(), "it had not started");
        assert!(fate.try_recv().is_err(), "not here");
        assert!(!handle.abort(), "it is over");
        let error = handle.join().unwrap_err();
        assert!(error.is_aborted());
        assert_eq!(error.code(), "CENOTE_TASK_ABORTED");
        held.release();
        let worker = pool.blocking_run(|| thread::current().id()).unwrap();
        assert_eq!(fate.recv(), Ok(worker));
        assert_eq!(ran.get(), 0);
        eventually("they are counted", || pool.stats().outcomes().aborted == 1);
    });
}

#[test]
fn an_aborted_future_is_dropped_on_its_worker() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let (dropped, fate) = Dropped::new();
        let gate = Gate::default();
        let (inner, home) = (
            gate.clone(),
            pool.blocking_run(|| thread::current().id()).unwrap(),
        );
        gate.open();
        let handle = pool
            .try_spawn_local(move || async move {
                let _dropped = dropped;
                inner.pass();
                pending::<()>().await;
            })
            .unwrap();
        gate.wait_for(1);
        assert!(!handle.abort(), "it had started");
        assert!(handle.join().unwrap_err().is_aborted());
        assert_eq!(fate.try_recv(), Ok(home), "before the handle is told");
        eventually("they are counted", || pool.stats().outcomes().aborted == 1);
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
fn an_abort_settles_a_future_wherever_it_meets_it() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let (mut values, mut aborts) = (0, 0);
        let drops = Count::default();
        struct CountDrop(Count);
        impl Drop for CountDrop {
            fn drop(&mut self) {
                self.0.up();
            }
        }
        for i in 0..3_000 {
            let held = CountDrop(drops.clone());
            let handle = pool
                .try_spawn_local(move || async move {
                    let _held = held;
                    for _ in 0..i % 5 {
                        tokio::task::yield_now().await;
                    }
                })
                .unwrap();
            for _ in 0..i % 50 {
                std::hint::spin_loop();
            }
            handle.abort();
            match handle.join() {
                Ok(()) => values += 1,
                Err(error) => {
                    assert!(error.is_aborted(), "{error}");
                    aborts += 1;
                }
            }
        }
        assert_eq!(values + aborts, 3_000);
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(drops.get(), 3_000);
        let outcomes = pool.stats().outcomes();
        assert_eq!(outcomes.settled(), 3_000);
        assert_eq!((outcomes.completed, outcomes.aborted), (values, aborts));
    });
}

#[test]
fn an_abort_asks_a_running_closure_and_its_value_counts() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let gate = Gate::default();
        let inner = gate.clone();
        gate.open();
        let handle = pool
            .try_spawn(move || {
                inner.pass();
                let token = cenote::token();
                while !token.is_cancelled() {
                    thread::yield_now();
                }
                "stopped as asked"
            })
            .unwrap();
        gate.wait_for(1);
        let abort = handle.abort_handle();
        assert!(!abort.abort());
        assert_eq!(handle.join().unwrap(), "stopped as asked");
        assert!(abort.is_finished() && !abort.abort());
    });
}

#[test]
fn a_token_that_is_made_after_the_abort_is_cancelled() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let gate = Gate::default();
        let inner = gate.clone();
        let handle = pool
            .try_spawn(move || {
                inner.pass();
                cenote::token().is_cancelled()
            })
            .unwrap();
        gate.wait_for(1);
        handle.abort();
        gate.open();
        assert!(handle.join().unwrap());
    });
}

#[test]
fn dropped_and_detached_tasks_run_and_their_results_are_dropped_on_the_worker() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let home = pool.blocking_run(|| thread::current().id()).unwrap();
        let held = hold(&pool, 1);
        let (first, first_fate) = Dropped::new();
        let (second, second_fate) = Dropped::new();
        let (third, third_fate) = Dropped::new();
        drop(pool.try_spawn(move || first).unwrap());
        pool.try_spawn(move || second).unwrap().detach();
        pool.try_spawn_local(move || async move { third })
            .unwrap()
            .detach();
        held.let_go();
        assert_eq!(first_fate.recv().unwrap(), home);
        assert_eq!(second_fate.recv().unwrap(), home);
        assert_eq!(third_fate.recv().unwrap(), home);
    });
}

#[test]
fn a_result_that_nobody_takes_goes_with_the_handle() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let (dropped, fate) = Dropped::new();
        let handle = pool.try_spawn(move || dropped).unwrap();
        while !handle.is_finished() {
            thread::yield_now();
        }
        assert!(fate.try_recv().is_err());
        drop(handle);
        assert_eq!(fate.try_recv(), Ok(thread::current().id()));
    });
}

#[test]
fn a_handle_tells_how_far_its_task_is() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let gate = Gate::default();
        let inner = gate.clone();
        let handle = pool.try_spawn(move || inner.pass()).unwrap();
        assert_eq!(handle.status(), Status::Queued);
        held.release();
        gate.wait_for(1);
        assert_eq!(handle.status(), Status::Running);
        assert!(!handle.is_finished());
        gate.open();
        while !handle.is_finished() {
            thread::yield_now();
        }
        assert_eq!(handle.status(), Status::Finished);
    });
}
