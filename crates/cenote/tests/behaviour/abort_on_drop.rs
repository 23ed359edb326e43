//! A handle whose task is aborted when it is dropped.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use cenote::{CancellationToken, Pool, Status};

use crate::support::{Count, Dropped, Gate, alone, block_on, eventually, hold, watched};

fn one() -> Pool {
    Pool::builder().threads(1).build().unwrap()
}

/// Returns when its token is cancelled.
fn until_asked() {
    let token = cenote::token();
    while !token.is_cancelled() {
        thread::yield_now();
    }
}

#[test]
fn a_task_that_has_not_started_never_does_and_its_place_is_free() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
        let held = hold(&pool, 1);
        let (dropped, fate) = Dropped::new();
        let handle = pool
            .try_spawn(move || {
                let _dropped = dropped;
                unreachable!("it was aborted")
            })
            .unwrap()
            .abort_on_drop();
        let handle: cenote::AbortOnDropHandle<()> = handle;
        let task = handle.abort_handle();
        assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
        drop(handle);
        assert!(task.is_finished());
        let next = pool.try_spawn(|| 1).unwrap();
        held.release();
        assert_eq!(next.join().unwrap(), 1);
        fate.recv().unwrap();
        eventually("it is counted", || pool.stats().outcomes().aborted == 1);
    });
}

#[test]
fn a_future_is_dropped_on_its_worker() {
    watched(|| {
        let pool = one();
        let worker = pool.blocking_run(|| thread::current().id()).unwrap();
        let (dropped, fate) = Dropped::new();
        let gate = Gate::default();
        gate.open();
        let inner = gate.clone();
        let handle = pool
            .try_spawn_local(move || async move {
                let _dropped = dropped;
                inner.pass();
                pending::<()>().await;
            })
            .unwrap()
            .abort_on_drop();
        gate.wait_for(1);
        drop(handle);
        assert_eq!(fate.recv().unwrap(), worker);
        eventually("it is counted", || pool.stats().outcomes().aborted == 1);
    });
}

#[test]
fn a_closure_that_runs_is_asked_through_its_token() {
    watched(|| {
        let pool = one();
        let gate = Gate::default();
        gate.open();
        let inner = gate.clone();
        let handle = pool.try_spawn(move || {
            inner.pass();
            until_asked();
        });
        let handle = handle.unwrap().abort_on_drop();
        gate.wait_for(1);
        assert_eq!(handle.status(), Status::Running);
        drop(handle);
        pool.blocking_run(|| ()).unwrap();
    });
}

#[test]
fn a_future_that_loses_a_race_takes_its_task_along() {
    watched(|| {
        let pool = one();
        let limit = Duration::from_millis(1);
        block_on(async {
            let search = pool.try_spawn(until_asked).unwrap().abort_on_drop();
            assert!(tokio::time::timeout(limit, search).await.is_err());
            pool.run(|| ()).await.unwrap();
        });
    });
}

#[test]
fn a_task_that_has_ended_is_left_alone() {
    watched(|| {
        let pool = one();
        let (dropped, fate) = Dropped::new();
        let handle = pool.try_spawn(move || dropped).unwrap().abort_on_drop();
        while !handle.is_finished() {
            thread::yield_now();
        }
        fate.try_recv().unwrap_err();
        drop(handle);
        assert_eq!(fate.recv().unwrap(), thread::current().id());
        pool.blocking_run(|| ()).unwrap();
        eventually("they are counted", || {
            pool.stats().outcomes().completed == 2
        });
        assert_eq!(pool.stats().outcomes().aborted, 0);
    });
}

#[test]
fn it_is_awaited_joined_and_aborted_as_a_plain_one() {
    watched(|| {
        let pool = one();
        let spawn = || pool.try_spawn(|| 1).unwrap().abort_on_drop();
        assert_eq!(block_on(spawn()).unwrap(), 1);
        assert_eq!(spawn().join().unwrap(), 1);
        let never = pool.try_spawn_local(pending::<()>).unwrap().abort_on_drop();
        let never = never.join_timeout(Duration::from_millis(1)).unwrap_err();
        never.abort();
        assert!(never.join().unwrap_err().is_aborted());
    });
}

#[test]
fn a_handle_that_waited_in_vain_still_aborts() {
    watched(|| {
        let pool = one();
        let handle = pool.try_spawn(until_asked).unwrap().abort_on_drop();
        let handle = handle.join_timeout(Duration::from_millis(1)).unwrap_err();
        drop(handle);
        pool.blocking_run(|| ()).unwrap();
    });
}

#[test]
fn a_join_that_would_deadlock_is_refused_and_aborts() {
    watched(|| {
        let pool = one();
        let inner = pool.clone();
        let (dropped, fate) = Dropped::new();
        let task = pool.try_spawn_local(move || async move {
            let never = inner
                .try_spawn_local(move || async move {
                    let _dropped = dropped;
                    pending::<()>().await;
                })
                .unwrap();
            never.abort_on_drop().join().unwrap_err().code()
        });
        assert_eq!(task.unwrap().join().unwrap(), "CENOTE_WOULD_DEADLOCK");
        fate.recv().unwrap();
    });
}

#[test]
fn detached_and_unwrapped_ones_let_the_task_go_on() {
    watched(|| {
        let pool = one();
        let held = hold(&pool, 1);
        let ran = Count::default();
        let spawn = || {
            let ran = ran.clone();
            pool.try_spawn(move || ran.up()).unwrap().abort_on_drop()
        };
        spawn().detach();
        drop(spawn().into_inner());
        let joined = spawn().into_inner();
        held.release();
        joined.join().unwrap();
        assert_eq!(ran.get(), 3);
    });
}

/// Panics when it is woken.
struct Explosive(Count);

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        self.0.up();
        panic!("as it is meant to");
    }
}

#[test]
fn a_panic_of_who_waits_for_the_token_does_not_meet_that_of_who_drops_the_handle() {
    alone(|| {
        let pool = one();
        let (given, tokens) = std::sync::mpsc::channel::<CancellationToken>();
        let handle = pool.try_spawn(move || {
            given.send(cenote::token()).unwrap();
            until_asked();
        });
        let handle = handle.unwrap().abort_on_drop();
        let token = tokens.recv().unwrap();
        let mut cancelled = pin!(token.cancelled());
        let woken = Count::default();
        let waker = Waker::from(Arc::new(Explosive(woken.clone())));
        let pending = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(pending.is_pending());
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _handle = handle;
            panic!("as it is meant to");
        }));
        assert!(unwound.is_err());
        assert_eq!(woken.get(), 1);
        pool.blocking_run(|| ()).unwrap();
    });
}
