//! Scopes: tasks that borrow, and a scope that ends when they have.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use cenote::Pool;

use crate::support::{Bomb, Count, Dropped, FOREVER, Gate, Peak, eventually, hold, watched};

fn of(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

#[test]
fn tasks_borrow_and_change_what_outlives_the_scope() {
    watched(|| {
        let pool = of(2);
        let mut numbers: Vec<u64> = (0..10_000).collect();
        let caller = thread::current().id();
        let elsewhere = Count::default();
        for _ in 0..10 {
            pool.scope(|scope| {
                for chunk in numbers.chunks_mut(100) {
                    let elsewhere = &elsewhere;
                    scope.spawn(move || {
                        if thread::current().id() != caller {
                            elsewhere.up();
                        }
                        chunk.iter_mut().for_each(|number| *number += 1);
                    });
                }
            });
        }
        assert!(
            numbers
                .iter()
                .zip(10..)
                .all(|(&number, expected)| number == expected)
        );
        assert_eq!(
            elsewhere.get(),
            1_000,
            "a caller that is no worker runs none itself"
        );
    });
}

#[test]
fn a_scope_returns_its_value_and_its_tasks_theirs() {
    watched(|| {
        let pool = of(2);
        let words = ["a".to_owned(), "bc".to_owned()];
        let lengths = pool.scope(|scope| {
            let handles: Vec<_> = words
                .iter()
                .map(|word| scope.spawn(|| word.len()))
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(lengths, [1, 2]);
    });
}

#[test]
fn a_scope_waits_for_tasks_whose_handles_were_dropped() {
    watched(|| {
        let pool = of(2);
        let gate = Gate::default();
        let ended = Count::default();
        thread::scope(|threads| {
            let scope = threads.spawn(|| {
                pool.scope(|scope| {
                    let _ = scope.spawn(|| {
                        gate.pass();
                        ended.up();
                    });
                });
                assert_eq!(ended.get(), 1);
            });
            gate.wait_for(1);
            assert!(!scope.is_finished());
            gate.open();
        });
    });
}

#[test]
fn tasks_may_spawn_more_of_them() {
    watched(|| {
        let pool = of(2);
        let ran = Count::default();
        pool.scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        scope.spawn(|| ran.up());
                    }
                    ran.up();
                });
            }
        });
        assert_eq!(ran.get(), 110);
    });
}

#[test]
fn a_panic_of_a_task_is_its_join_s_or_the_scope_s() {
    watched(|| {
        let pool = of(2);
        let survivors = Count::default();
        pool.scope(|scope| {
            let joined = scope.spawn(|| panic!("as it is meant to"));
            let payload: Box<_> = joined.join().unwrap_err();
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"as it is meant to"));
        });
        let unjoined = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                for i in 0..20 {
                    let survivors = &survivors;
                    scope.spawn(move || {
                        assert!(i != 7, "as it is meant to");
                        survivors.up();
                    });
                }
            });
        }));
        let payload = unjoined.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"as it is meant to"));
        assert_eq!(survivors.get(), 19, "after all of them have ended");
    });
}

#[test]
fn a_panic_of_the_scope_itself_comes_after_its_tasks_have_ended() {
    watched(|| {
        let pool = of(2);
        let ran = Count::default();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                for _ in 0..50 {
                    scope.spawn(|| {
                        thread::yield_now();
                        ran.up();
                    });
                }
                panic!("as it is meant to");
            })
        }));
        assert_eq!(
            caught.unwrap_err().downcast_ref::<&str>(),
            Some(&"as it is meant to")
        );
        assert_eq!(ran.get(), 50);
    });
}

#[test]
fn results_that_panic_when_they_are_dropped_are_the_scope_s_panic() {
    watched(|| {
        let pool = of(1);
        let exploded = Count::default();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                let _ = scope.spawn(|| Bomb(exploded.clone()));
            });
        }));
        assert!(caught.is_err());
        assert_eq!(exploded.get(), 1);
        assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
    });
}

#[test]
fn scopes_may_be_nested_on_a_single_worker() {
    fn sum(pool: &Pool, numbers: &[u64]) -> u64 {
        if numbers.len() <= 4 {
            return numbers.iter().sum();
        }
        let (left, right) = numbers.split_at(numbers.len() / 2);
        pool.scope(|scope| {
            let left = scope.spawn(|| sum(pool, left));
            let right = scope.spawn(|| sum(pool, right));
            left.join().unwrap() + right.join().unwrap()
        })
    }
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let numbers: Vec<u64> = (0..1_000).collect();
            assert_eq!(sum(&pool, &numbers), 499_500);
            let on = pool.clone();
            assert_eq!(
                pool.blocking_run(move || sum(&on, &numbers)).unwrap(),
                499_500
            );
        }
    });
}

#[test]
fn scopes_of_all_workers_at_once_use_no_pool_up() {
    watched(|| {
        let pool = of(2);
        let handles: Vec<_> = (0..50)
            .map(|_| {
                let on = pool.clone();
                pool.try_spawn(move || {
                    let ran = Count::default();
                    on.scope(|scope| {
                        for _ in 0..20 {
                            let _ = scope.spawn(|| ran.up());
                        }
                    });
                    ran.get()
                })
                .unwrap()
            })
            .collect();
        for handle in handles {
            assert_eq!(handle.join().unwrap(), 20);
        }
    });
}

#[test]
fn with_a_full_queue_or_a_closed_pool_the_caller_runs_the_tasks() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
        let held = hold(&pool, 1);
        pool.try_spawn(|| ()).unwrap().detach();
        let caller = thread::current().id();
        let ran = Count::default();
        let all = || {
            pool.scope(|scope| {
                for _ in 0..3 {
                    let handle = scope.spawn(|| {
                        assert_eq!(thread::current().id(), caller);
                        ran.up();
                    });
                    assert!(handle.is_finished());
                }
            });
        };
        all();
        held.release();
        assert!(pool.blocking_close(FOREVER).is_clean());
        all();
        assert_eq!(ran.get(), 6);
    });
}

#[test]
fn a_shutdown_ends_the_scope_and_tells_of_tasks_that_never_ran() {
    watched(|| {
        let pool = of(1);
        let gate = Gate::default();
        let (shut, down) = mpsc::channel();
        // What is submitted after the shutdown would run on its caller.
        let both_submitted = std::sync::Barrier::new(2);
        let (dropped, fate) = Dropped::new();
        thread::scope(|threads| {
            threads.spawn(|| {
                gate.wait_for(1);
                both_submitted.wait();
                shut.send(pool.shutdown_now()).unwrap();
                gate.open();
            });
            let never = Count::default();
            pool.scope(|scope| {
                let running = scope.spawn(|| gate.pass());
                let queued = scope.spawn({
                    let never = &never;
                    move || {
                        let _dropped = dropped;
                        never.up();
                    }
                });
                both_submitted.wait();
                running.join().unwrap();
                let reason = queued.join().unwrap_err();
                assert!(
                    reason
                        .downcast_ref::<String>()
                        .unwrap()
                        .contains("cancelled")
                );
            });
            assert_eq!(never.get(), 0);
        });
        fate.try_recv().unwrap();
        assert_eq!(down.recv().unwrap(), 1);
    });
}

#[test]
fn no_task_of_a_scope_is_alive_after_it() {
    watched(|| {
        let pool = of(2);
        let alive = Peak::default();
        for i in 0..500 {
            pool.scope(|scope| {
                for _ in 0..4 {
                    let _ = scope.spawn(|| {
                        let _alive = alive.enter();
                        for _ in 0..i {
                            std::hint::spin_loop();
                        }
                    });
                }
            });
            assert_eq!(alive.now(), 0);
        }
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
#[should_panic(expected = "1 tasks of a scope never ran")]
fn a_scope_does_not_end_quietly_when_a_shutdown_kept_a_task_from_running() {
    let pool = of(1);
    let gate = Gate::default();
    let (spawned, both) = mpsc::channel();
    thread::scope(|threads| {
        let (pool, gate) = (&pool, &gate);
        threads.spawn(move || {
            both.recv().unwrap();
            pool.shutdown_now();
            gate.open();
        });
        pool.scope(|scope| {
            drop(scope.spawn(|| gate.pass()));
            gate.wait_for(1);
            drop(scope.spawn(|| unreachable!("it was queued when the pool was shut down")));
            spawned.send(()).unwrap();
        });
    });
}
