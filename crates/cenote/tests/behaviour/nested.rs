//! Tasks that wait for others from inside of their own pool, and what would wait for itself.

use std::future::pending;
use std::sync::mpsc;

use cenote::{Pool, with_state};

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

/// Workers with a number each, in a pool of so many threads.
fn numbered(threads: usize) -> Pool {
    Pool::builder()
        .threads(threads)
        .worker_state(|worker| Ok::<_, std::io::Error>(worker.index))
        .build()
        .unwrap()
}

fn number() -> usize {
    with_state(|number: &mut usize| *number)
}

#[test]
fn joining_on_the_only_worker_while_its_state_is_lent_is_refused() {
    watched(|| {
        let pool = numbered(1);
        let on = pool.clone();
        let code = pool.blocking_run(move || {
            let queued = on.try_spawn(number).unwrap();
            // Here it would find the state lent, and nobody else can ever run it.
            with_state(|_: &mut usize| queued.join().unwrap_err().code())
        });
        assert_eq!(code.unwrap(), "CENOTE_WOULD_DEADLOCK");
    });
}

#[test]
fn a_closure_that_is_joined_while_the_state_is_lent_runs_on_another_worker() {
    watched(|| {
        let pool = numbered(2);
        for _ in 0..200 {
            let on = pool.clone();
            let (own, other) = pool
                .blocking_run(move || {
                    with_state(|own: &mut usize| {
                        let other = on.try_spawn(number).unwrap();
                        (*own, other.join().unwrap())
                    })
                })
                .unwrap();
            assert_ne!(own, other);
        }
    });
}

#[test]
fn a_closure_that_is_joined_outside_of_the_state_runs_here() {
    watched(|| {
        let pool = numbered(1);
        let on = pool.clone();
        let numbers = pool.blocking_run(move || {
            let own = number();
            (own, on.try_spawn(number).unwrap().join().unwrap(), number())
        });
        assert_eq!(numbers.unwrap(), (0, 0, 0));
    });
}

#[test]
fn a_scope_on_the_only_worker_ends_also_while_its_state_is_lent() {
    watched(|| {
        let pool = numbered(1);
        let on = pool.clone();
        let words = pool.blocking_run(move || {
            let mut words = [0, 0];
            with_state(|number: &mut usize| {
                let number = &*number;
                on.scope(|scope| {
                    for word in &mut words {
                        scope.spawn(move || *word = *number + 1);
                    }
                });
                let lent = on.scope(|scope| scope.spawn(self::number).join());
                let message = *lent.unwrap_err().downcast::<String>().unwrap();
                assert!(message.contains("lent already"), "{message}");
            });
            words
        });
        assert_eq!(words.unwrap(), [1, 1]);
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
