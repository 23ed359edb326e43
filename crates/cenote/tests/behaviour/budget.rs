//! Who awaits what is done gives way now and then: handles and sets take part in tokio's budget.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use cenote::{JoinHandle, Pool, TaskSet};

use crate::support::{block_on, watched};

const TASKS: usize = 10_000;

/// So many handles whose tasks are done.
fn done(tasks: usize) -> (Pool, Vec<JoinHandle<usize>>) {
    let pool = Pool::builder().threads(2).build().unwrap();
    let spawn = |number| pool.blocking_spawn(move || number).unwrap();
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    for handle in &handles {
        while !handle.is_finished() {
            thread::yield_now();
        }
    }
    (pool, handles)
}

/// How often another task of a runtime with one thread runs while `busy` does, as a task.
fn turns_beside(busy: impl Future<Output = ()> + Send + 'static) -> usize {
    block_on(async {
        let busy = tokio::spawn(busy);
        let other = tokio::spawn(async move {
            let mut turns = 0;
            while !busy.is_finished() {
                turns += 1;
                behind_the_others().await;
            }
            turns
        });
        other.await.unwrap()
    })
}

/// Gives way to the tasks that are ready. (`yield_now` also waits until the runtime has looked at
/// its timers and sockets.)
async fn behind_the_others() {
    let mut gave_way = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_task_that_awaits_many_ready_handles_lets_others_run_in_between() {
    watched(|| {
        let (_pool, handles) = done(TASKS);
        let turns = turns_beside(async {
            for handle in handles {
                handle.await.unwrap();
            }
        });
        assert!(turns > 10, "{turns}");
    });
}

#[test]
fn so_does_one_with_handles_that_abort() {
    watched(|| {
        let (_pool, handles) = done(TASKS);
        let turns = turns_beside(async {
            for handle in handles {
                handle.abort_on_drop().await.unwrap();
            }
        });
        assert!(turns > 10, "{turns}");
    });
}

#[test]
fn so_does_one_with_a_set() {
    watched(|| {
        let (_pool, handles) = done(TASKS);
        let mut set: TaskSet<_> = handles.into_iter().collect();
        let turns = turns_beside(async move {
            while let Some(result) = set.join_next().await {
                result.unwrap();
            }
        });
        assert!(turns > 10, "{turns}");
    });
}

#[test]
fn outside_of_a_tokio_task_what_is_done_is_ready_at_once() {
    watched(|| {
        let (_pool, handles) = done(1_000);
        let mut context = Context::from_waker(Waker::noop());
        for mut handle in handles {
            assert!(Pin::new(&mut handle).poll(&mut context).is_ready());
        }
        let (_pool, handles) = done(1_000);
        let mut set: TaskSet<_> = handles.into_iter().collect();
        for _ in 0..1_000 {
            let next = set.poll_join_next(&mut context);
            assert!(matches!(next, Poll::Ready(Some(Ok(_)))));
        }
    });
}

#[test]
fn a_task_that_blocks_its_thread_in_another_executor_does_not_hang() {
    watched(|| {
        let (pool, handles) = done(1_000);
        let blocks = async move {
            futures::executor::block_on(async {
                let mut set = TaskSet::new();
                for (number, handle) in handles.into_iter().enumerate() {
                    assert_eq!(handle.await.unwrap(), number);
                    set.spawn_on(&pool, move || number).await.unwrap();
                }
                assert_eq!(set.join_all().await.len(), 1_000);
            });
        };
        block_on(async { tokio::spawn(blocks).await.unwrap() });
    });
}

#[test]
fn one_that_waits_takes_nothing_of_the_budget() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        block_on(async {
            let mut never = pool.try_spawn_local(std::future::pending::<()>).unwrap();
            let mut set = TaskSet::new();
            set.try_spawn_local_on(&pool, std::future::pending::<()>)
                .unwrap();
            let looks = std::future::poll_fn(|context| {
                for _ in 0..1_000 {
                    assert!(Pin::new(&mut never).poll(context).is_pending());
                    assert!(set.poll_join_next(context).is_pending());
                }
                assert!(tokio::task::coop::has_budget_remaining());
                Poll::Ready(())
            });
            looks.await;
        });
    });
}
