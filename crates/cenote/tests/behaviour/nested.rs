//! Tasks that wait for others from inside of their own pool, and what would wait for itself.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use cenote::{JoinError, JoinHandle, Lane, LaneConfig, Pool, with_state};
use futures::executor::block_on;

use crate::support::{FOREVER, Gate, eventually, watched};

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
fn a_closure_may_join_a_future_that_lives_on_its_own_worker() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let lives_here = pool
            .try_spawn_local(|| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                "the thread turns its runtime meanwhile"
            })
            .unwrap();
        let value = pool.blocking_run(move || lives_here.join().unwrap());
        assert_eq!(value.unwrap(), "the thread turns its runtime meanwhile");
        let never = pool.try_spawn_local(pending::<()>).unwrap();
        let back = pool.blocking_run(|| never.join_timeout(Duration::from_millis(5)));
        back.unwrap().unwrap_err().abort();
    });
}

#[test]
fn a_future_that_blocks_for_another_one_of_its_thread_is_refused() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let waits = pool.try_spawn_local(pending::<()>).unwrap();
        let abort = waits.abort_handle();
        let code = pool
            .try_spawn_local(move || async move { waits.join().unwrap_err().code() })
            .unwrap();
        assert_eq!(code.join().unwrap(), "CENOTE_WOULD_DEADLOCK");
        abort.abort();
    });
}

#[test]
fn workers_that_all_join_with_their_state_lent_are_told_and_the_others_go_on() {
    watched(|| {
        let pool = numbered(3);
        let together = Arc::new(Barrier::new(3));
        let handles: Vec<_> = (0..3)
            .map(|_| {
                let (on, together) = (pool.clone(), Arc::clone(&together));
                pool.try_spawn(move || {
                    together.wait();
                    with_state(|_: &mut usize| on.try_spawn(number).unwrap().join().is_ok())
                })
                .unwrap()
            })
            .collect();
        let went_on = handles.into_iter().map(|handle| handle.join().unwrap());
        assert!(
            went_on.filter(|ok| *ok).count() >= 2,
            "one breaks the circle"
        );
    });
}

#[test]
fn joins_that_are_nested_too_deep_for_the_stack_are_an_error() {
    fn depth(pool: Pool) -> u32 {
        let on = pool.clone();
        // What each closure takes of the stack.
        let room = std::hint::black_box([0_u8; 4096]);
        let inner = on.try_spawn(move || depth(pool)).unwrap().join();
        std::hint::black_box(&room);
        match inner {
            Ok(deeper) => deeper + 1,
            Err(error) => {
                assert_eq!(error.code(), "CENOTE_WOULD_DEADLOCK");
                0
            }
        }
    }
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .stack_size(1024 * 1024)
            .build()
            .unwrap();
        let on = pool.clone();
        assert!(pool.blocking_run(move || depth(on)).unwrap() > 5);
        // What was refused runs after all.
        pool.blocking_run(|| ()).unwrap();
    });
}

#[test]
fn the_last_worker_to_wait_tells_the_one_whose_task_nobody_will_come_to() {
    // From before the future blocks to long after.
    for pause in [0, 50, 500, 5_000, 50_000] {
        watched(move || {
            let pool = Pool::builder().threads(2).build().unwrap();
            let (told, tell) = mpsc::channel();
            let (begin, begun) = mpsc::channel::<()>();
            let on = pool.clone();
            let blocks = pool
                .try_spawn_local(move || async move {
                    begun.recv().unwrap();
                    let queued = on.try_spawn_local(async || ()).unwrap();
                    tell_of(&told, queued.join());
                })
                .unwrap();
            let joins = pool
                .try_spawn(move || {
                    begin.send(()).unwrap();
                    thread::sleep(Duration::from_micros(pause));
                    blocks.join().is_ok()
                })
                .unwrap();
            assert!(joins.join().unwrap(), "{pause}");
            let code = tell.recv().unwrap();
            assert_eq!(code, "CENOTE_WOULD_DEADLOCK", "{pause}");
        });
    }
}

fn tell_of(told: &mpsc::Sender<&'static str>, result: Result<(), JoinError>) {
    told.send(result.err().map_or("none", |error| error.code()))
        .unwrap();
}

/// How a task waits for those that it has spawned.
#[derive(Clone, Copy, Debug)]
enum Way {
    Join,
    JoinTimeout,
    /// In a closure by another runtime's `block_on`, in a future by `await`.
    Await,
    /// The same, spawning by a call that waits for room.
    AwaitRoom,
    Scope,
}

const WAYS: [Way; 5] = [
    Way::Join,
    Way::JoinTimeout,
    Way::Await,
    Way::AwaitRoom,
    Way::Scope,
];

#[derive(Clone, Copy, Debug)]
enum Task {
    Closure,
    Future,
    /// By turns.
    Both,
}

/// Where the tasks of a tree run.
#[derive(Clone)]
struct On {
    pool: Pool,
    lane: Lane,
    way: Way,
    child: Task,
}

impl On {
    /// Spawns a tree of tasks that wait for their children, and gives its number of leaves.
    fn spawn(&self, left: u32) -> JoinHandle<u32> {
        let on = self.clone();
        let future = match self.child {
            Task::Closure => false,
            Task::Future => true,
            Task::Both => left.is_multiple_of(2),
        };
        if future {
            let spawned = self.lane.try_spawn_local(move || on.in_future(left));
            spawned.unwrap()
        } else {
            self.lane.try_spawn(move || on.in_closure(left)).unwrap()
        }
    }

    fn in_closure(&self, left: u32) -> u32 {
        if left == 0 {
            return 1;
        }
        let two = || [(); 2].map(|()| self.spawn(left - 1));
        match self.way {
            Way::Join => two().map(|handle| or_refused(handle.join())).iter().sum(),
            Way::JoinTimeout => two().map(patiently).iter().sum(),
            Way::Await | Way::AwaitRoom => block_on(self.clone().in_future(left)),
            Way::Scope => {
                let sum = AtomicU32::new(0);
                self.pool.scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| sum.fetch_add(self.in_closure(left - 1), Relaxed));
                    }
                });
                sum.into_inner()
            }
        }
    }

    fn in_future(self, left: u32) -> Pin<Box<dyn Future<Output = u32>>> {
        Box::pin(async move {
            if left == 0 {
                return 1;
            }
            if let (Way::AwaitRoom, Task::Closure) = (self.way, self.child) {
                let mut sum = 0;
                for _ in 0..2 {
                    let on = self.clone();
                    let child = self.lane.spawn(move || on.in_closure(left - 1)).await;
                    sum += or_refused(child.unwrap().await);
                }
                return sum;
            }
            let [one, other] = [(); 2].map(|()| self.spawn(left - 1));
            or_refused(one.await) + or_refused(other.await)
        })
    }
}

/// What came of a wait, or nothing where it would have been for ever.
fn or_refused(result: Result<u32, JoinError>) -> u32 {
    result.unwrap_or_else(|error| {
        assert_eq!(error.code(), "CENOTE_WOULD_DEADLOCK", "{error}");
        0
    })
}

fn patiently(mut handle: JoinHandle<u32>) -> u32 {
    loop {
        match handle.join_timeout(Duration::from_millis(2)) {
            Ok(result) => return or_refused(result),
            Err(back) => handle = back,
        }
    }
}

/// Every way to wait, in pools of every size, with lanes that run one task at a time and workers
/// that have a place for one future: trees of tasks, as many as it takes to fill all threads.
#[test]
fn tasks_that_wait_for_tasks_of_their_pool_make_progress_whatever_its_limits() {
    for (threads, concurrency, running) in [
        (1, 1, None),
        (1, 64, Some(1)),
        (2, 1, Some(1)),
        (2, 2, Some(2)),
        (2, 64, None),
        (3, 1, None),
    ] {
        for way in WAYS {
            for child in [Task::Closure, Task::Future, Task::Both] {
                watched(move || {
                    let config = LaneConfig::new();
                    let config = match running {
                        Some(running) => config.max_running(running),
                        None => config,
                    };
                    let pool = Pool::builder()
                        .threads(threads)
                        .concurrency(concurrency)
                        .lane("l", config)
                        .build()
                        .unwrap();
                    for depth in [1, 2, 4] {
                        let on = On {
                            pool: pool.clone(),
                            lane: pool.lane("l").unwrap(),
                            way,
                            child,
                        };
                        let trees: Vec<_> = (0..2 * threads.max(concurrency))
                            .map(|_| on.spawn(depth))
                            .collect();
                        // A closure may be refused that blocks inside of another executor, where
                        // nothing can be run, or whose thread holds the lane's place further out.
                        let may_be_refused = match (way, child) {
                            (_, Task::Future) => false,
                            (Way::Await | Way::AwaitRoom, _) => true,
                            (_, Task::Both) => running.is_some(),
                            _ => false,
                        };
                        for tree in trees {
                            let leaves = tree.join().unwrap();
                            assert!(
                                may_be_refused || leaves == 1 << depth,
                                "{threads} {concurrency} {running:?} {way:?} {child:?} {depth}: {leaves}"
                            );
                        }
                    }
                    // The children of what was refused go on.
                    eventually("all are done", || {
                        let stats = pool.stats();
                        stats.queued + stats.running == 0
                    });
                    assert!(pool.blocking_close(FOREVER).is_clean());
                });
            }
        }
    }
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
