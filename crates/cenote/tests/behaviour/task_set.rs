//! Sets of tasks: joined as they end, aborted when the set is dropped.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool, TaskSet};

use crate::support::{Count, Dropped, FOREVER, Gate, block_on, eventually, hold, watched};

#[path = "task_set/blocking.rs"]
mod blocking;

fn of(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

/// Returns when its token is cancelled.
fn until_asked() {
    let token = cenote::token();
    while !token.is_cancelled() {
        thread::yield_now();
    }
}

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

fn poll<T>(set: &mut TaskSet<T>, waker: &Waker) -> Poll<Option<Result<T, cenote::JoinError>>> {
    set.poll_join_next(&mut Context::from_waker(waker))
}

#[test]
fn results_come_in_the_order_in_which_the_tasks_end() {
    watched(|| {
        let pool = of(3);
        let gates = [(); 3].map(|()| Gate::default());
        let mut set = TaskSet::new();
        for (number, gate) in gates.iter().enumerate() {
            let gate = gate.clone();
            let pass = move || {
                gate.pass();
                number
            };
            set.try_spawn_on(&pool, pass).unwrap();
        }
        block_on(async {
            for next in [2, 0, 1] {
                gates[next].open();
                assert_eq!(set.join_next().await.unwrap().unwrap(), next);
            }
            assert!(set.join_next().await.is_none());
        });
    });
}

#[test]
fn each_of_many_tasks_is_handed_out_once_however_it_ends() {
    const TASKS: usize = 20_000;
    watched(|| {
        let pool = of(2);
        let mut set = TaskSet::new();
        let (mut values, mut panics, mut aborts) = (0, 0, 0);
        block_on(async {
            for number in 0..TASKS {
                match number % 4 {
                    0 => set.spawn_on(&pool, move || number).await.unwrap(),
                    1 => {
                        let local = move || async move { number };
                        set.spawn_local_on(&pool, local).await.unwrap()
                    }
                    2 => {
                        let panics = || std::panic::resume_unwind(Box::new("as it is meant to"));
                        set.spawn_on(&pool, panics).await.unwrap()
                    }
                    _ => {
                        let never = set.spawn_local_on(&pool, pending).await.unwrap();
                        never.abort();
                        never
                    }
                };
                while set.len() > 1_000 {
                    count(set.join_next().await, &mut values, &mut panics, &mut aborts);
                }
            }
            while !set.is_empty() {
                count(set.join_next().await, &mut values, &mut panics, &mut aborts);
            }
        });
        let expected = (0..TASKS).filter(|number| number % 4 < 2).sum::<usize>();
        assert_eq!((values, panics, aborts), (expected, TASKS / 4, TASKS / 4));
    });
}

fn count(
    result: Option<Result<usize, cenote::JoinError>>,
    values: &mut usize,
    panics: &mut usize,
    aborts: &mut usize,
) {
    match result.unwrap() {
        Ok(value) => *values += value,
        Err(error) if error.is_panic() => *panics += 1,
        Err(error) => {
            assert!(error.is_aborted(), "{error}");
            *aborts += 1;
        }
    }
}

#[test]
fn a_join_costs_the_same_however_many_tasks_are_still_to_end() {
    watched(|| {
        let narrow = LaneConfig::new().max_running(1).queue_limit(300_000);
        let builder = Pool::builder().threads(2).lane("stuck", narrow);
        let pool = builder.build().unwrap();
        let stuck = pool.lane("stuck").unwrap();
        let gate = Gate::default();
        let held = gate.clone();
        let holds = stuck.try_spawn(move || held.pass()).unwrap();
        gate.wait_for(1);
        let mut set = TaskSet::new();
        for _ in 0..200_000 {
            set.try_spawn_on(&stuck, || 0).unwrap();
        }
        // To look at all of them each time would take minutes.
        block_on(async {
            for _ in 0..30_000 {
                set.spawn_on(&pool, || 1).await.unwrap();
                assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
            }
        });
        assert_eq!(set.len(), 200_000);
        drop(set);
        gate.open();
        holds.join().unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(pool.stats().outcomes().aborted, 200_000);
    });
}

#[test]
fn a_set_that_is_dropped_in_the_middle_aborts_what_is_left() {
    watched(|| {
        let pool = of(2);
        let ran = Count::default();
        let (dropped, fate) = Dropped::new();
        let gate = Gate::default();
        gate.open();
        let mut set = TaskSet::new();
        let (inner, run) = (gate.clone(), ran.clone());
        let asked = move || {
            inner.pass();
            until_asked();
            run.up();
        };
        set.try_spawn_on(&pool, || ()).unwrap();
        let future = move || async move {
            let _dropped = dropped;
            pending::<()>().await;
        };
        set.try_spawn_local_on(&pool, future).unwrap();
        set.try_spawn_on(&pool, asked.clone()).unwrap();
        set.try_spawn_on(&pool, asked).unwrap();
        gate.wait_for(2);
        let run = ran.clone();
        set.try_spawn_on(&pool, move || run.up()).unwrap();
        assert!(block_on(set.join_next()).unwrap().is_ok());
        drop(set);
        fate.recv().unwrap();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(
            ran.get(),
            2,
            "those that ran were asked, the other never ran"
        );
        let outcomes = pool.stats().outcomes();
        assert_eq!((outcomes.completed, outcomes.aborted), (3, 2));
    });
}

#[test]
fn a_join_that_is_dropped_while_it_waits_takes_nothing() {
    watched(|| {
        let pool = of(2);
        block_on(async {
            let mut set = TaskSet::new();
            let (mut sum, mut given_up) = (0, 0);
            for number in 0..2_000 {
                set.spawn_on(&pool, move || number).await.unwrap();
                // It is polled once, and dropped if nothing is there.
                let waker = Waker::noop();
                let joined = pin!(set.join_next()).poll(&mut Context::from_waker(waker));
                match joined {
                    Poll::Ready(result) => sum += result.unwrap().unwrap(),
                    Poll::Pending => given_up += 1,
                }
            }
            assert_eq!(set.is_empty(), given_up == 0);
            for result in set.join_all().await {
                sum += result.unwrap();
            }
            assert_eq!(sum, 1_999_000);
        });
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken_for_each_end() {
    watched(|| {
        let pool = of(1);
        let gates = [(); 2].map(|()| Gate::default());
        let mut set = TaskSet::new();
        for gate in gates.clone() {
            set.try_spawn_on(&pool, move || gate.pass()).unwrap();
        }
        let (first, first_woken) = counting();
        let (last, last_woken) = counting();
        assert!(poll(&mut set, &first).is_pending());
        assert!(poll(&mut set, &last).is_pending());
        gates[0].open();
        eventually("the last is woken", || last_woken.get() == 1);
        assert!(matches!(poll(&mut set, &last), Poll::Ready(Some(Ok(())))));
        assert!(poll(&mut set, &first).is_pending());
        gates[1].open();
        eventually("the first is woken", || first_woken.get() == 1);
        assert_eq!(last_woken.get(), 1);
        assert!(matches!(poll(&mut set, &first), Poll::Ready(Some(Ok(())))));
        assert!(matches!(poll(&mut set, &first), Poll::Ready(None)));
    });
}

#[test]
fn a_set_goes_from_one_task_to_another_in_the_middle_of_a_wait() {
    watched(|| {
        let pool = of(1);
        let held = hold(&pool, 1);
        let mut set = TaskSet::new();
        for number in 0..100 {
            set.try_spawn_on(&pool, move || number).unwrap();
        }
        block_on(async {
            let looks = poll_fn(|context| Poll::Ready(set.poll_join_next(context).is_pending()));
            assert!(looks.await);
            let all = tokio::spawn(set.join_all());
            tokio::task::yield_now().await;
            held.let_go();
            let sum = all.await.unwrap().into_iter().sum::<Result<u32, _>>();
            assert_eq!(sum.unwrap(), 4_950);
        });
    });
}

#[test]
fn one_of_them_is_aborted_by_its_own_handle() {
    watched(|| {
        let pool = of(1);
        let held = hold(&pool, 1);
        let mut set = TaskSet::new();
        set.try_spawn_on(&pool, || 1).unwrap();
        let second = set.try_spawn_on(&pool, || 2).unwrap();
        set.try_spawn_on(&pool, || 3).unwrap();
        assert!(second.abort());
        block_on(async {
            let aborted = set.join_next().await.unwrap();
            assert!(aborted.unwrap_err().is_aborted(), "it was the first to end");
            held.let_go();
            assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
            assert_eq!(set.join_next().await.unwrap().unwrap(), 3);
        });
    });
}

#[test]
fn an_abort_of_all_leaves_them_to_be_joined_and_the_set_to_be_used() {
    watched(|| {
        let pool = of(1);
        let held = hold(&pool, 1);
        let mut set = TaskSet::new();
        for _ in 0..5_000 {
            set.try_spawn_on(&pool, || ()).unwrap();
        }
        set.abort_all();
        block_on(async {
            for _ in 0..5_000 {
                let result = set.join_next().await.unwrap();
                assert!(result.unwrap_err().is_aborted());
            }
            held.let_go();
            set.spawn_on(&pool, || ()).await.unwrap();
            set.join_next().await.unwrap().unwrap();
        });
    });
}

#[test]
fn a_shutdown_returns_when_the_closures_that_ran_have_ended() {
    watched(|| {
        let pool = of(2);
        let (gate, ended) = (Gate::default(), Count::default());
        gate.open();
        let mut set = TaskSet::new();
        let (inner, end) = (gate.clone(), ended.clone());
        let asked = move || {
            inner.pass();
            until_asked();
            thread::sleep(Duration::from_millis(5));
            end.up();
        };
        set.try_spawn_on(&pool, asked.clone()).unwrap();
        set.try_spawn_on(&pool, asked).unwrap();
        gate.wait_for(2);
        set.try_spawn_on(&pool, || unreachable!("it was aborted"))
            .unwrap();
        block_on(set.shutdown());
        assert_eq!(ended.get(), 2);
        assert!(set.is_empty());
    });
}

#[test]
fn detached_ones_run_all_the_same_and_the_set_is_as_new() {
    watched(|| {
        let pool = of(1);
        let held = hold(&pool, 1);
        let ran = Count::default();
        let mut set = TaskSet::new();
        for _ in 0..10 {
            let run = ran.clone();
            set.try_spawn_on(&pool, move || run.up()).unwrap();
        }
        let (waker, woken) = counting();
        assert!(poll(&mut set, &waker).is_pending());
        set.detach_all();
        assert!(set.is_empty() && set.try_join_next().is_none());
        held.release();
        set.try_spawn_on(&pool, || ()).unwrap();
        assert!(block_on(set.join_next()).unwrap().is_ok());
        assert!(set.is_empty());
        assert_eq!((ran.get(), woken.get()), (10, 0));
    });
}

#[test]
fn a_refusal_gives_the_closure_back_and_leaves_the_set_as_it_was() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
        let held = hold(&pool, 1);
        let mut set = TaskSet::new();
        set.try_spawn_on(&pool, || 1).unwrap();
        let refused = set.try_spawn_on(&pool, || 2).unwrap_err();
        assert!(refused.is_full());
        assert_eq!(refused.into_inner()(), 2);
        assert!(set.try_spawn_local_on(&pool, || async { 2 }).is_err());
        assert_eq!(set.len(), 1);
        block_on(async {
            // It waits for room, and is dropped there.
            let spawns = set.spawn_on(&pool, || 2);
            assert!(
                tokio::time::timeout(Duration::from_millis(1), spawns)
                    .await
                    .is_err()
            );
            assert_eq!(set.len(), 1);
            held.let_go();
            set.spawn_on(&pool, || 2).await.unwrap();
            let results = set.join_all().await;
            assert_eq!(results.into_iter().sum::<Result<u32, _>>().unwrap(), 3);
        });
    });
}

#[test]
fn handles_of_any_kind_lane_and_pool_are_put_together_also_those_that_are_done() {
    watched(|| {
        let (one, other) = (of(1), of(1));
        let done = one.try_spawn(|| 1).unwrap();
        while !done.is_finished() {
            thread::yield_now();
        }
        let limited = other.task().timeout(FOREVER);
        let handles = [
            done,
            other.try_spawn_local(|| async { 2 }).unwrap(),
            limited.try_spawn(|| 3).unwrap(),
            one.try_reserve().unwrap().spawn(|| 4),
        ];
        let set: TaskSet<u32> = handles.into_iter().collect();
        assert_eq!(set.len(), 4);
        let results = block_on(set.join_all());
        assert_eq!(results.into_iter().sum::<Result<u32, _>>().unwrap(), 10);
    });
}

#[test]
fn handles_collected_up_to_a_refusal_are_aborted() {
    watched(|| {
        let pool = Pool::builder().threads(1).queue_limit(3).build().unwrap();
        let held = hold(&pool, 1);
        let spawn = |_| pool.try_spawn(|| unreachable!("it was aborted"));
        let set = (0..10).map(spawn).collect::<Result<TaskSet<()>, _>>();
        assert!(set.unwrap_err().is_full());
        held.release();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(pool.stats().outcomes().aborted, 3);
    });
}
