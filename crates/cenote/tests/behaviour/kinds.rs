//! The kinds of work: closures, and futures that take a worker's places.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;

use cenote::{Pool, with_state};
use tokio::sync::{oneshot, watch};

use crate::support::{Count, Gate, Peak, block_on, eventually, watched};

#[test]
fn closures_run_on_workers_and_return_their_values() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let caller = thread::current().id();
        let handles: Vec<_> = (0..1_000_u64)
            .map(|i| {
                pool.try_spawn(move || {
                    assert_ne!(thread::current().id(), caller);
                    i * i
                })
                .unwrap()
            })
            .collect();
        for (i, handle) in (0..).zip(handles) {
            assert_eq!(handle.join().unwrap(), i * i);
        }
    });
}

#[test]
fn every_way_to_spawn_runs_the_work_once() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .worker_state(|_| Ok::<_, std::io::Error>(10_i32))
            .build()
            .unwrap();
        let runs = Count::default();
        let plain = |value: i32| {
            let runs = runs.clone();
            move || {
                runs.up();
                value
            }
        };
        let with = |value: i32| {
            let runs = runs.clone();
            move || {
                runs.up();
                with_state(|state: &mut i32| *state + value)
            }
        };
        let local = |value: i32| {
            let runs = runs.clone();
            move || async move {
                tokio::task::yield_now().await;
                runs.up();
                value
            }
        };
        let mut got = vec![
            pool.try_spawn(plain(1)).unwrap().join().unwrap(),
            pool.blocking_spawn(plain(2)).unwrap().join().unwrap(),
            pool.blocking_run(plain(3)).unwrap(),
            pool.try_spawn(with(4)).unwrap().join().unwrap(),
            pool.blocking_spawn(with(5)).unwrap().join().unwrap(),
            pool.try_spawn_local(local(6)).unwrap().join().unwrap(),
            pool.blocking_spawn_local(local(7)).unwrap().join().unwrap(),
        ];
        block_on(async {
            got.push(pool.spawn(plain(8)).await.unwrap().await.unwrap());
            got.push(pool.run(plain(9)).await.unwrap());
            got.push(pool.spawn(with(10)).await.unwrap().await.unwrap());
            got.push(pool.spawn_local(local(11)).await.unwrap().await.unwrap());
        });
        assert_eq!(got, [1, 2, 3, 14, 15, 6, 7, 8, 9, 20, 11]);
        assert_eq!(runs.get(), got.len());
    });
}

#[test]
fn a_future_may_hold_what_is_not_send_while_it_waits() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let (send, receive) = oneshot::channel();
        let handle = pool
            .try_spawn_local(|| async {
                let home = thread::current().id();
                let local = Rc::new(RefCell::new(vec![1]));
                let other = Rc::clone(&local);
                let received = receive.await.unwrap();
                other.borrow_mut().push(received);
                assert_eq!(thread::current().id(), home, "it has moved");
                local.take()
            })
            .unwrap();
        send.send(2).unwrap();
        assert_eq!(handle.join().unwrap(), [1, 2]);
    });
}

#[test]
fn a_worker_takes_no_more_futures_at_once_than_its_concurrency() {
    thread_local! {
        static HERE: Cell<usize> = const { Cell::new(0) };
    }
    watched(|| {
        let pool = Pool::builder().threads(2).concurrency(3).build().unwrap();
        let (open, opened) = watch::channel(false);
        let live = Peak::default();
        let handles: Vec<_> = (0..40)
            .map(|_| {
                let (live, mut opened) = (live.clone(), opened.clone());
                pool.try_spawn_local(move || async move {
                    let _live = live.enter();
                    HERE.set(HERE.get() + 1);
                    assert!(HERE.get() <= 3, "{} futures on one worker", HERE.get());
                    opened.wait_for(|open| *open).await.unwrap();
                    HERE.set(HERE.get() - 1);
                })
                .unwrap()
            })
            .collect();
        eventually("all places are taken", || live.now() == 6);
        assert_eq!(pool.stats().running, 6);
        assert_eq!(pool.stats().queued, 34);
        open.send(true).unwrap();
        for handle in handles {
            handle.join().unwrap();
        }
        assert_eq!(live.most(), 6);
    });
}

#[test]
fn closures_run_while_the_worker_has_futures_that_wait_and_more_that_queue() {
    watched(|| {
        let pool = Pool::builder().threads(1).concurrency(1).build().unwrap();
        let (send, receive) = oneshot::channel::<i32>();
        let waits = pool.try_spawn_local(|| receive).unwrap();
        let queued = pool.try_spawn_local(|| async { 2 }).unwrap();
        for i in 0..100 {
            assert_eq!(pool.blocking_run(move || i).unwrap(), i);
        }
        assert!(!waits.is_finished() && !queued.is_finished());
        send.send(1).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(1));
        assert_eq!(queued.join().unwrap(), 2);
    });
}

#[test]
fn a_future_goes_to_the_worker_that_has_a_place() {
    watched(|| {
        let pool = Pool::builder().threads(2).concurrency(1).build().unwrap();
        // As many times as it takes for each of the two to be the one that is full.
        for _ in 0..200 {
            let (send, receive) = oneshot::channel::<()>();
            let first = pool.try_spawn_local(|| receive).unwrap();
            assert_eq!(
                pool.try_spawn_local(|| async { 5 })
                    .unwrap()
                    .join()
                    .unwrap(),
                5
            );
            send.send(()).unwrap();
            first.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_future_wakes_when_another_thread_completes_what_it_waits_for() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        for i in 0..500 {
            let (send, receive) = oneshot::channel();
            let handle = pool.try_spawn_local(|| receive).unwrap();
            if i % 2 == 0 {
                // Only once it waits, in whatever stage the worker is by then.
                while pool.stats().running == 0 {
                    thread::yield_now();
                }
            }
            send.send(i).unwrap();
            assert_eq!(handle.join().unwrap(), Ok(i));
        }
    });
}

#[test]
fn a_closure_that_blocks_leaves_the_other_workers_to_the_rest() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let gate = Gate::default();
        let inner = gate.clone();
        let blocked = pool.try_spawn(move || inner.pass()).unwrap();
        gate.wait_for(1);
        for i in 0..1_000 {
            assert_eq!(pool.blocking_run(move || i).unwrap(), i);
        }
        assert!(!blocked.is_finished());
        gate.open();
        blocked.join().unwrap();
    });
}

#[test]
fn large_captures_do_not_fill_a_worker_s_stack() {
    // Half of the stack, which each step on the way would copy, one below the other.
    const SIZE: usize = 1024 * 1024;
    fn sum(bytes: &[u8; SIZE]) -> u64 {
        bytes.iter().map(|&byte| u64::from(byte)).sum()
    }
    let submitter = thread::Builder::new().stack_size(64 * SIZE);
    let submitted = submitter.spawn(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let large = std::hint::black_box([1_u8; SIZE]);
        let closure = pool.try_spawn(move || sum(&large));
        assert_eq!(closure.unwrap().join().unwrap(), SIZE as u64);
        let future = pool.try_spawn_local(move || {
            // In the future, too.
            async move { sum(&large) }
        });
        assert_eq!(future.unwrap().join().unwrap(), SIZE as u64);
        let reserved = pool.try_reserve().unwrap().spawn(move || sum(&large));
        assert_eq!(reserved.join().unwrap(), SIZE as u64);
        pool.shutdown_now();
        let back = pool
            .try_spawn(move || sum(&large))
            .unwrap_err()
            .into_inner();
        assert_eq!(back(), SIZE as u64, "the closure itself comes back");
    });
    submitted.unwrap().join().unwrap();
}
