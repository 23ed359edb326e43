//! Tasks that wait for others from inside of their own pool, and what would wait for itself.

use std::future::pending;
use std::sync::mpsc;

use cenote::Pool;

use crate::support::{Gate, eventually, watched};

#[test]
fn joins_may_be_nested_on_a_single_worker() {
    fn depth(pool: Pool, left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        let on = pool.clone();
        1 + on
            .try_spawn(move || depth(pool, left - 1))
            .unwrap()
            .join()
            .unwrap()
    }
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let on = pool.clone();
        assert_eq!(pool.blocking_run(move || depth(on, 50)).unwrap(), 50);
        eventually("they are counted", || {
            pool.stats().outcomes().completed == 51
        });
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
fn nested_joins_use_no_pool_up_whatever_its_size() {
    fn tree(pool: &Pool, depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let children = [(); 3].map(|()| {
            let on = pool.clone();
            pool.try_spawn(move || tree(&on, depth - 1)).unwrap()
        });
        children
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum()
    }
    watched(|| {
        for threads in 1..=3 {
            let pool = Pool::builder().threads(threads).build().unwrap();
            let on = pool.clone();
            assert_eq!(pool.blocking_run(move || tree(&on, 6)).unwrap(), 729);
        }
    });
}

#[test]
fn a_stateful_closure_that_joins_another_on_the_only_worker_is_refused() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<_, std::io::Error>(0))
            .build()
            .unwrap();
        let on = pool.clone();
        let code = pool
            .try_spawn_with(move |_: &mut i32| {
                // The state is lent to this closure, so nobody can ever run the other one while
                // this waits.
                on.try_spawn_with(|_| ())
                    .unwrap()
                    .join()
                    .unwrap_err()
                    .code()
            })
            .unwrap()
            .join();
        assert_eq!(code.unwrap(), "CENOTE_WOULD_DEADLOCK");
    });
}

#[test]
fn blocking_for_a_future_that_lives_on_the_same_worker_is_refused() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let waits = pool.try_spawn_local(pending::<()>).unwrap();
        let abort = waits.abort_handle();
        let code = pool
            .blocking_run(move || waits.join().unwrap_err().code())
            .unwrap();
        assert_eq!(code, "CENOTE_WOULD_DEADLOCK");
        abort.abort();
    });
}

#[test]
fn a_future_may_await_another_task_of_its_only_worker() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let on = pool.clone();
        let handle = pool
            .try_spawn_local(move || async move {
                let closure = on.run(|| 1).await.unwrap();
                let future = on.spawn_local(|| async { 2 }).await.unwrap().await.unwrap();
                closure + future
            })
            .unwrap();
        assert_eq!(handle.join().unwrap(), 3);
    });
}

#[test]
fn a_future_that_aborts_itself_ends_at_its_next_wait() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let (send, receive) = mpsc::channel::<cenote::AbortHandle>();
        let gate = Gate::default();
        let inner = gate.clone();
        let handle = pool
            .try_spawn_local(move || async move {
                inner.pass();
                receive.recv().unwrap().abort();
                tokio::task::yield_now().await;
                unreachable!("it was aborted");
            })
            .unwrap();
        gate.wait_for(1);
        send.send(handle.abort_handle()).unwrap();
        gate.open();
        let handle: cenote::JoinHandle<()> = handle;
        assert!(handle.join().unwrap_err().is_aborted());
    });
}
