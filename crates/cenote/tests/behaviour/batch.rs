//! Batches: closures that are spawned together, with one handle.

mod load;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool, Priority};
use tokio_util::sync::CancellationToken;

use crate::support::{Count, FOREVER, Gate, LIMIT, Peak, block_on, eventually, hold, watched};

fn pool(threads: usize, queue_limit: usize) -> Pool {
    Pool::builder()
        .threads(threads)
        .queue_limit(queue_limit)
        .build()
        .unwrap()
}

/// Closures that return their number.
fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = impl FnOnce() -> usize + Send> {
    range.map(|n| move || n)
}

#[test]
fn results_come_in_the_order_of_the_closures() {
    watched(|| {
        let pool = pool(2, 10_000);
        for tasks in [0, 1, 2, 63, 64, 65, 1_000] {
            let joined = pool.try_spawn_batch(numbers(0..tasks)).unwrap();
            assert_eq!(joined.len(), tasks);
            let awaited = block_on(pool.spawn_batch(numbers(0..tasks))).unwrap();
            let blocking = pool.blocking_spawn_batch(numbers(0..tasks)).unwrap();
            let handles = pool.try_spawn_batch(numbers(0..tasks)).unwrap();
            let all = [
                joined.join(),
                block_on(awaited),
                futures::executor::block_on(blocking),
                handles.into_iter().map(cenote::JoinHandle::join).collect(),
            ];
            for results in all {
                assert!(results.into_iter().map(Result::unwrap).eq(0..tasks));
            }
        }
    });
}

#[test]
fn tasks_start_in_order_between_what_was_queued_before_and_after() {
    watched(|| {
        let pool = pool(1, 100);
        let held = hold(&pool, 1);
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |n: usize| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(n)
        };
        pool.try_spawn(note(0)).unwrap().detach();
        pool.try_spawn_batch((1..4).map(note)).unwrap().detach();
        pool.try_spawn_batch((4..6).map(note)).unwrap().detach();
        let last = pool.try_spawn(note(6)).unwrap();
        held.release();
        last.join().unwrap();
        assert!(order.lock().unwrap().iter().copied().eq(0..7));
    });
}

#[test]
fn what_has_no_room_comes_back_in_order_and_does_not_run() {
    watched(|| {
        let pool = pool(1, 5);
        let held = hold(&pool, 1);
        pool.try_spawn(|| ()).unwrap().detach();
        let ran = Count::default();
        let closures = (0..7).map(|n| {
            let ran = ran.clone();
            move || {
                ran.up();
                n
            }
        });
        let error = pool.try_spawn_batch(closures).unwrap_err();
        assert_eq!(error.code(), "CENOTE_QUEUE_FULL");
        assert!(error.is_full() && !error.is_closed() && !error.is_forked());
        assert!(error.to_string().starts_with("3 of 7 tasks: "), "{error}");
        assert_eq!(pool.stats().queued, 5);
        assert_eq!(pool.stats().outcomes().rejected, 3);
        let (accepted, refused) = error.into_parts();
        held.release();
        let accepted = accepted.join().into_iter().map(Result::unwrap);
        assert!(accepted.eq(0..4));
        assert_eq!(ran.get(), 4);
        let refused = refused.into_inner();
        assert!(refused.into_iter().map(|closure| closure()).eq(4..7));
        // A full queue takes none at all.
        let held = hold(&pool, 1);
        pool.try_spawn_batch(numbers(0..5)).unwrap().detach();
        let (accepted, refused) = pool
            .try_spawn_batch(numbers(0..2))
            .unwrap_err()
            .into_parts();
        assert!(accepted.is_empty());
        assert_eq!(refused.into_inner().len(), 2);
        held.release();
    });
}

#[test]
fn a_pool_that_is_closed_refuses_all() {
    watched(|| {
        let pool = pool(1, 5);
        pool.shutdown_now();
        let error = pool.try_spawn_batch(numbers(0..3)).unwrap_err();
        assert!(error.is_closed());
        let inner: std::io::Error = error.into();
        let inner = inner.get_ref().and_then(|inner| inner.downcast_ref());
        assert!(inner.is_some_and(|inner: &cenote::SpawnError<()>| inner.is_closed()));
        let error = block_on(pool.spawn_batch(numbers(0..3))).unwrap_err();
        assert_eq!(cenote::RunError::from(error).code(), "CENOTE_POOL_CLOSED");
        let error = pool.blocking_spawn_batch(numbers(0..3)).unwrap_err();
        assert_eq!(error.into_parts().1.into_inner().len(), 3);
        // Nothing to refuse.
        assert!(pool.try_spawn_batch(numbers(0..0)).unwrap().is_empty());
    });
}

#[test]
fn a_batch_that_waits_for_room_passes_the_limit_at_no_time() {
    watched(|| {
        let pool = pool(2, 4);
        let most = Arc::new(AtomicUsize::new(0));
        let looking = |n| {
            let (pool, most) = (pool.clone(), Arc::clone(&most));
            move || {
                most.fetch_max(pool.stats().queued, Ordering::SeqCst);
                n
            }
        };
        let blocking = pool.blocking_spawn_batch((0..300).map(looking)).unwrap();
        let awaited = block_on(pool.spawn_batch((0..300).map(looking))).unwrap();
        assert!(blocking.join().into_iter().map(Result::unwrap).eq(0..300));
        assert!(block_on(awaited).into_iter().map(Result::unwrap).eq(0..300));
        assert!(most.load(Ordering::SeqCst) <= 4);
    });
}

#[test]
fn a_batch_that_waits_for_room_when_the_pool_closes_says_what_was_not_accepted() {
    watched(|| {
        let pool = pool(1, 2);
        let held = hold(&pool, 1);
        let inside = pool.clone();
        let waiting = thread::spawn(move || inside.blocking_spawn_batch(numbers(0..5)));
        eventually("a part is queued", || pool.stats().queued == 2);
        pool.shutdown_now();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(error.is_closed());
        let (accepted, refused) = error.into_parts();
        assert_eq!(accepted.len(), 2);
        assert_eq!(refused.into_inner().len(), 3);
        held.release();
        let cancelled = accepted.join().into_iter().map(Result::unwrap_err);
        assert!(cancelled.into_iter().all(|error| error.is_cancelled()));
    });
}

#[test]
fn dropped_while_it_waits_for_room_it_drops_what_is_not_queued() {
    watched(|| {
        let pool = pool(1, 2);
        let held = hold(&pool, 1);
        let (alive, ran) = (Peak::default(), Count::default());
        let closures = (0..5).map(|_| {
            let (guard, ran) = (alive.enter(), ran.clone());
            move || {
                ran.up();
                drop(guard);
            }
        });
        let closures: Vec<_> = closures.collect();
        let mut waiting = Box::pin(pool.spawn_batch(closures));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!((alive.now(), pool.stats().queued), (5, 2));
        drop(waiting);
        assert_eq!(alive.now(), 2);
        held.release();
        assert!(pool.blocking_close(LIMIT).is_clean());
        assert_eq!((alive.now(), ran.get()), (0, 2));
    });
}

#[test]
fn on_a_worker_of_the_pool_nothing_blocks_for_room() {
    watched(|| {
        let pool = pool(1, 3);
        let inside = pool.clone();
        let result = pool.blocking_run(move || {
            let error = inside.blocking_spawn_batch(numbers(0..4)).unwrap_err();
            let (accepted, refused) = error.into_parts();
            assert_eq!(refused.into_inner().len(), 1);
            // The pool's only worker runs them itself.
            accepted
                .join()
                .into_iter()
                .map(Result::unwrap)
                .sum::<usize>()
        });
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn as_many_sleeping_workers_wake_as_there_are_tasks() {
    watched(|| {
        const THREADS: usize = 5;
        let pool = pool(THREADS, 100);
        for tasks in [2, 3, THREADS] {
            let asleep = || {
                let stats = pool.stats();
                stats
                    .workers
                    .iter()
                    .filter(|worker| worker.stages.parks_futex > 0)
                    .count()
            };
            eventually("they sleep", || asleep() == THREADS);
            // Each waits for all others, so each needs a worker.
            let all = Arc::new(Barrier::new(tasks));
            let meeting = (0..tasks).map(|_| {
                let all = Arc::clone(&all);
                move || all.wait().is_leader()
            });
            let leaders = pool.try_spawn_batch(meeting).unwrap().join();
            assert_eq!(
                leaders
                    .into_iter()
                    .filter(|one| *one.as_ref().unwrap())
                    .count(),
                1
            );
        }
    });
}

#[test]
fn a_batch_of_long_tasks_makes_the_pool_grow() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1..=3)
            .grow_after(Duration::from_millis(1))
            .build()
            .unwrap();
        let all = Arc::new(Barrier::new(3));
        let meeting = [(); 3].map(|()| {
            let all = Arc::clone(&all);
            move || {
                all.wait();
            }
        });
        let batch = pool.try_spawn_batch(meeting).unwrap();
        assert!(batch.join().iter().all(Result::is_ok));
    });
}

#[test]
fn a_lane_runs_no_more_of_a_batch_at_once_than_it_may() {
    watched(|| {
        let pool = Pool::builder()
            .threads(4)
            .lane("one", LaneConfig::new().max_running(1).queue_limit(50))
            .build()
            .unwrap();
        let lane = pool.lane("one").unwrap();
        let running = Peak::default();
        let closures = (0..60).map(|_| {
            let running = running.clone();
            move || {
                let _in = running.enter();
                thread::yield_now();
            }
        });
        let batch = lane.blocking_spawn_batch(closures).unwrap();
        assert!(batch.join().iter().all(Result::is_ok));
        assert_eq!(running.most(), 1);
    });
}

#[test]
fn the_options_are_those_of_each_task() {
    watched(|| {
        let pool = pool(1, 10);
        let held = hold(&pool, 1);
        let late = pool.task().queue_timeout(Duration::from_millis(2));
        let late = late.try_spawn_batch(numbers(0..3)).unwrap();
        let never = pool.task().queue_timeout(FOREVER);
        let never = never.try_spawn_batch(numbers(0..3)).unwrap();
        let token = CancellationToken::new();
        let cancelled = pool.task().cancel_on(&token);
        let cancelled = cancelled.try_spawn_batch(numbers(0..3)).unwrap();
        token.cancel();
        let before = pool.task().cancel_on(&token);
        let before = before.try_spawn_batch(numbers(0..3));
        for result in late.join() {
            assert!(result.unwrap_err().is_queue_timed_out());
        }
        for result in cancelled.join() {
            assert!(result.unwrap_err().is_cancelled());
        }
        // Their places are free again.
        eventually("three are left", || pool.stats().queued == 3);
        match before {
            Ok(batch) => assert!(batch.join().iter().all(Result::is_err)),
            Err(error) => panic!("{error}"),
        }
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |n: usize| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(n)
        };
        let low = pool.task().priority(Priority::Low);
        let low = low.try_spawn_batch([note(2), note(3)]).unwrap();
        let high = pool.task().priority(Priority::High);
        let high = high.try_spawn_batch([note(0), note(1)]).unwrap();
        held.release();
        assert!(never.join().into_iter().map(Result::unwrap).eq(0..3));
        assert!(high.join().iter().chain(&low.join()).all(Result::is_ok));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_panic_is_that_of_its_task_alone() {
    watched(|| {
        let pool = pool(2, 100);
        let closures = (0..10).map(|n| move || assert_ne!(n, 4, "on purpose"));
        let results = pool.try_spawn_batch(closures).unwrap().join();
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(result.is_err_and(|error| error.is_panic()), n == 4);
        }
    });
}

#[test]
fn an_iterator_that_panics_spawns_nothing() {
    watched(|| {
        let pool = pool(1, 100);
        let alive = Peak::default();
        let (inside, items) = (pool.clone(), alive.clone());
        let panicked = thread::spawn(move || {
            let closures = (0..5).map(|n| {
                assert_ne!(n, 3, "on purpose");
                let guard = items.enter();
                move || drop(guard)
            });
            inside.try_spawn_batch(closures).unwrap().detach();
        });
        assert!(panicked.join().is_err());
        assert_eq!(alive.now(), 0);
        assert_eq!(pool.stats().outcomes().completed, 0);
        assert!(pool.try_reserve().is_ok());
        assert!(pool.blocking_close(LIMIT).is_clean());
    });
}

#[test]
fn aborted_it_frees_the_places_of_what_had_not_started() {
    watched(|| {
        let pool = pool(1, 10);
        let held = hold(&pool, 1);
        let batch = pool.try_spawn_batch(numbers(0..10)).unwrap();
        assert!(!batch.is_finished());
        assert_eq!(batch.abort(), 10);
        assert!(batch.is_finished());
        assert_eq!(pool.stats().queued, 0);
        assert_eq!(batch.abort(), 0);
        for result in block_on(batch) {
            assert!(result.unwrap_err().is_aborted());
        }
        held.release();
    });
}

#[test]
fn handles_that_are_not_taken_detach_their_tasks() {
    watched(|| {
        let pool = pool(1, 10);
        let held = hold(&pool, 1);
        let ran = Count::default();
        let closures = [(); 4].map(|()| {
            let ran = ran.clone();
            move || ran.up()
        });
        let mut handles = pool.try_spawn_batch(closures).unwrap().into_handles();
        assert_eq!(handles.len(), 4);
        let first = handles.next().unwrap();
        let last = handles.next_back().unwrap();
        drop(handles);
        held.release();
        first.join().unwrap();
        last.join().unwrap();
        assert_eq!(ran.get(), 4);
    });
}

/// Counts its wake-ups.
struct Wakes(Count);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.up();
    }
}

#[test]
fn who_awaits_a_batch_is_woken_once() {
    watched(|| {
        let pool = pool(1, 1_000);
        let held = hold(&pool, 1);
        let gate = Gate::default();
        let half = gate.clone();
        let closures = (0..1_000).map(|n| {
            let half = half.clone();
            move || {
                if n == 500 {
                    half.pass();
                }
            }
        });
        let mut batch = pool.try_spawn_batch(closures).unwrap();
        let wakes = Count::default();
        let waker = Waker::from(Arc::new(Wakes(wakes.clone())));
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut batch).poll(&mut context).is_pending());
        held.release();
        gate.wait_for(1);
        assert_eq!(wakes.get(), 0, "half of them have ended");
        gate.open();
        eventually("it is woken", || wakes.get() > 0);
        // The last one ends last, so there is nothing else to wait for.
        match Pin::new(&mut batch).poll(&mut context) {
            Poll::Ready(results) => assert_eq!(results.len(), 1_000),
            Poll::Pending => panic!("the last has ended, and another has not"),
        }
        assert_eq!(wakes.get(), 1);
    });
}

#[test]
#[should_panic(expected = "polled again")]
fn a_batch_is_not_polled_again_after_its_results() {
    let pool = pool(1, 1);
    let mut batch = pool.try_spawn_batch(numbers(0..0)).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut batch).poll(&mut context).is_ready());
    let _ = Pin::new(&mut batch).poll(&mut context);
}
