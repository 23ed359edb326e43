//! The state of each worker: made, lent, and dropped on its thread; and what happens when it cannot
//! be made.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};

use cenote::{Pool, with_state};

use crate::support::{Bomb, Count, Dropped, FOREVER, Gate, eventually, hold, watched};

/// A state that is neither `Send` nor `Sync`.
struct Local {
    home: ThreadId,
    uses: Rc<Cell<usize>>,
    _dropped: Option<Dropped>,
}

impl Local {
    fn new(dropped: Option<Dropped>) -> Self {
        Local {
            home: thread::current().id(),
            uses: Rc::default(),
            _dropped: dropped,
        }
    }

    fn use_it(&mut self) -> usize {
        assert_eq!(self.home, thread::current().id());
        self.uses.set(self.uses.get() + 1);
        self.uses.get()
    }
}

#[test]
fn each_worker_has_one_state_for_all_its_tasks() {
    watched(|| {
        let made = Count::default();
        let make = made.clone();
        let pool = Pool::builder()
            .threads(3)
            .worker_state(move |info| {
                assert_eq!(thread::current().name(), Some(&*info.name));
                make.up();
                Ok::<_, io::Error>(Local::new(None))
            })
            .build()
            .unwrap();
        assert_eq!(made.get(), 3, "they are there when the pool is");
        let handles: Vec<_> = (0..300)
            .map(|i| {
                if i % 2 == 0 {
                    pool.try_spawn(|| with_state(Local::use_it)).unwrap()
                } else {
                    pool.try_spawn_local(async || with_state(Local::use_it))
                        .unwrap()
                }
            })
            .collect();
        for handle in handles {
            handle.join().unwrap();
        }
        let gate = hold(&pool, 2);
        let one = pool.blocking_run(|| with_state(Local::use_it)).unwrap();
        let next = pool.blocking_run(|| with_state(Local::use_it)).unwrap();
        assert_eq!(next, one + 1);
        drop(gate);
        assert_eq!(made.get(), 3);
    });
}

#[test]
fn closures_and_futures_can_ask_for_the_state() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<_, io::Error>(Local::new(None)))
            .build()
            .unwrap();
        assert_eq!(pool.blocking_run(|| with_state(Local::use_it)).unwrap(), 1);
        let future = pool.try_spawn_local(|| async {
            with_state(Local::use_it);
            tokio::task::yield_now().await;
            with_state(Local::use_it)
        });
        assert_eq!(future.unwrap().join().unwrap(), 3);
    });
}

/// What the panic says that asking for a `T` as the state ends in.
fn refusal<T: 'static>(pool: &Pool) -> String {
    let error = pool
        .blocking_run(|| with_state(|_: &mut T| ()))
        .unwrap_err();
    assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
    error.to_string()
}

#[test]
fn asking_for_a_state_of_another_type_fails_that_task_alone_and_names_both_types() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<_, io::Error>(vec![5_u8]))
            .build()
            .unwrap();
        let home = pool.blocking_run(|| thread::current().id()).unwrap();
        let message = refusal::<u16>(&pool);
        assert!(message.contains("`u16`") && message.contains("Vec<u8>`"));
        assert!(message.contains("worker_state"), "{message}");
        let state = pool.blocking_run(|| {
            with_state(|state: &mut Vec<u8>| (state.clone(), thread::current().id()))
        });
        assert_eq!(state.unwrap(), (vec![5], home));
    });
}

#[test]
fn a_state_that_is_lent_is_not_lent_again() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<_, io::Error>(5_u8))
            .build()
            .unwrap();
        let twice = pool.try_spawn(|| with_state(|_: &mut u8| with_state(|_: &mut u8| ())));
        let message = twice.unwrap().join().unwrap_err().to_string();
        assert!(message.contains("lent already"), "{message}");
        let state = pool.blocking_run(|| with_state(|state: &mut u8| *state));
        assert_eq!(state.unwrap(), 5);
    });
}

#[test]
fn a_pool_without_a_state_says_how_to_give_it_one() {
    let pool = Pool::builder().threads(1).build().unwrap();
    let message = refusal::<()>(&pool);
    assert!(message.contains("Builder::worker_state"), "{message}");
}

#[test]
fn a_panic_leaves_the_state_to_the_next_task() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<_, io::Error>(vec![1]))
            .build()
            .unwrap();
        let panics = pool.blocking_run(|| {
            with_state(|state: &mut Vec<i32>| {
                state.push(2);
                panic!("as it is meant to");
            })
        });
        assert!(panics.is_err());
        let next = pool.blocking_run(|| with_state(|state: &mut Vec<i32>| state.clone()));
        assert_eq!(next.unwrap(), [1, 2]);
    });
}

#[test]
fn a_state_is_dropped_on_its_worker_after_its_tasks_and_futures() {
    watched(|| {
        for shut_down in [false, true] {
            let (state, state_fate) = mpsc::channel();
            let (dropped, future_fate) = Dropped::new();
            let pool = Pool::builder()
                .threads(1)
                .worker_state(move |_| {
                    let (dropped, fate) = Dropped::new();
                    state.send(fate).unwrap();
                    Ok::<_, io::Error>(Local::new(Some(dropped)))
                })
                .build()
                .unwrap();
            let state_fate = state_fate.recv().unwrap();
            let home = pool
                .blocking_run(|| with_state(|state: &mut Local| state.home))
                .unwrap();
            pool.blocking_run(move || {
                cenote::spawn_background(|| async move {
                    struct Last(Option<Dropped>);
                    impl Drop for Last {
                        fn drop(&mut self) {
                            // The state is still there for it.
                            with_state(Local::use_it);
                            self.0.take();
                        }
                    }
                    let _last = Last(Some(dropped));
                    std::future::pending::<()>().await;
                });
            })
            .unwrap();
            if shut_down {
                pool.shutdown_now();
            }
            drop(pool);
            assert_eq!(state_fate.recv().unwrap(), home);
            assert_eq!(future_fate.try_recv(), Ok(home));
        }
    });
}

#[test]
fn a_state_that_panics_when_it_is_dropped_does_not_keep_the_pool_from_its_end() {
    watched(|| {
        let exploded = Count::default();
        let bomb = exploded.clone();
        let pool = Pool::builder()
            .threads(1)
            .worker_state(move |_| Ok::<_, io::Error>(Bomb(bomb.clone())))
            .build()
            .unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(exploded.get(), 1);
    });
}

fn state() -> usize {
    with_state(|state: &mut usize| *state)
}

#[test]
fn an_init_that_fails_is_tried_again() {
    watched(|| {
        let attempts = Count::default();
        let attempt = attempts.clone();
        let pool = Pool::builder()
            .threads(1)
            .worker_state(move |_| {
                attempt.up();
                match attempt.get() {
                    1 => Err("not yet".to_owned()),
                    2 => panic!("as it is meant to"),
                    third => Ok(third),
                }
            })
            .init_retries(2)
            .build()
            .unwrap();
        assert_eq!(pool.blocking_run(state).unwrap(), 3);
        assert_eq!(attempts.get(), 3);
        assert_eq!(pool.stats().init_failures, 2);
    });
}

#[test]
fn when_no_worker_can_make_its_state_the_pool_is_not_built() {
    watched(|| {
        let attempts = Count::default();
        let attempt = attempts.clone();
        let error = Pool::builder()
            .threads(3)
            .worker_state(move |_| {
                attempt.up();
                Err::<(), _>(io::Error::new(io::ErrorKind::NotFound, "no database"))
            })
            .init_retries(1)
            .build()
            .unwrap_err();
        assert_eq!(error.code(), "CENOTE_WORKER_INIT");
        assert!(error.to_string().contains("no database"));
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        assert_eq!(attempts.get(), 6, "three workers, two attempts each");
        let error = Pool::builder()
            .threads(1)
            .worker_state(|_| -> Result<(), io::Error> { panic!("as it is meant to") })
            .init_retries(0)
            .build()
            .unwrap_err();
        assert_eq!(error.code(), "CENOTE_WORKER_INIT");
        assert!(error.to_string().contains("as it is meant to"));
    });
}

#[test]
fn a_pool_runs_with_the_workers_that_could_make_their_state() {
    watched(|| {
        let pool = Pool::builder()
            .threads(3)
            .worker_state(|info| {
                if info.index == 1 {
                    Ok(info.index)
                } else {
                    Err("no")
                }
            })
            .init_retries(0)
            .build()
            .unwrap();
        for _ in 0..100 {
            assert_eq!(pool.blocking_run(state).unwrap(), 1);
        }
        assert!(pool.stats().init_failures >= 2);
        assert!(pool.blocking_close(FOREVER).is_clean());
    });
}

#[test]
fn growth_that_fails_to_make_its_state_loses_nothing() {
    watched(|| {
        let fail = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&fail);
        let pool = Pool::builder()
            .threads(1..=3)
            .grow_after(std::time::Duration::from_millis(1))
            .worker_state(move |info| {
                if failing.load(Ordering::SeqCst) {
                    Err("no more")
                } else {
                    Ok(info.index)
                }
            })
            .init_retries(0)
            .build()
            .unwrap();
        fail.store(true, Ordering::SeqCst);
        let held = hold(&pool, 1);
        let queued = pool.try_spawn(state).unwrap();
        eventually("growth was tried", || pool.stats().init_failures > 0);
        assert!(!queued.is_finished());
        // And as soon as it can, it grows.
        fail.store(false, Ordering::SeqCst);
        assert!(queued.join().unwrap() > 0);
        held.release();
    });
}

#[test]
fn when_the_last_worker_fails_what_is_queued_is_lost_and_the_rest_refused() {
    watched(|| {
        let gate = Gate::default();
        let inner = gate.clone();
        // Without a state `build` does not wait for the workers, so that tasks can be queued before
        // they fail.
        let pool = Pool::builder()
            .threads(2)
            .on_thread_start(move |_| {
                inner.pass();
                panic!("as it is meant to");
            })
            .build()
            .unwrap();
        gate.wait_for(2);
        let closure = pool.try_spawn(|| ()).unwrap();
        let future = pool.try_spawn_local(|| async {}).unwrap();
        gate.open();
        for task in [closure, future] {
            let error = task.join().unwrap_err();
            assert!(error.is_lost());
            assert_eq!(error.code(), "CENOTE_NO_WORKER");
        }
        let refused = pool.try_spawn(|| 1).unwrap_err();
        assert_eq!(refused.code(), "CENOTE_NO_WORKER");
        assert!(!refused.is_closed() && !refused.is_full());
        assert_eq!(refused.into_inner()(), 1);
        eventually("both are counted", || pool.stats().outcomes().lost == 2);
        assert!(pool.blocking_close(FOREVER).is_clean());
    });
}
