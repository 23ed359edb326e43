//! Permits: places in a queue that are reserved before there is a task.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cenote::{JoinHandle, LaneConfig, Pool, Priority};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Occupies a worker until the sender is dropped.
fn occupy(pool: &Pool) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let task = pool
        .try_spawn(move || {
            began.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    begun.recv().unwrap();
    (release, task)
}

fn one_worker(queue_limit: usize) -> Pool {
    Pool::builder()
        .threads(1)
        .queue_limit(queue_limit)
        .build()
        .unwrap()
}

fn is_pending(future: impl Future) -> bool {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[test]
fn a_permit_takes_a_place_and_gives_it_back() {
    let pool = one_worker(2);
    let (release, busy) = occupy(&pool);
    let first = pool.try_reserve().unwrap();
    let second = pool.try_reserve().unwrap();
    assert!(pool.try_reserve().unwrap_err().is_full());
    assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
    assert!(is_pending(pool.reserve()));
    drop(first);
    let queued = pool.try_spawn(|| 1).unwrap();
    let reserved = second.spawn(|| 2);
    assert!(pool.try_reserve().unwrap_err().is_full());
    drop(release);
    busy.join().unwrap();
    assert_eq!((queued.join().unwrap(), reserved.join().unwrap()), (1, 2));
    assert!(pool.try_reserve().is_ok());
}

#[test]
fn a_permit_is_no_queued_task() {
    let pool = one_worker(4);
    let permit = pool.try_reserve().unwrap();
    assert_eq!(pool.stats().queued, 0);
    let (_release, _busy) = occupy(&pool);
    let task = permit.spawn(|| ());
    assert_eq!(pool.stats().queued, 1);
    drop(_release);
    task.join().unwrap();
    assert_eq!(pool.stats().queued, 0);
}

#[test]
fn permits_run_what_they_are_given_on_idle_and_on_busy_workers() {
    let pool = Pool::builder()
        .threads(1)
        .worker_state(|_| Ok::<_, std::io::Error>(40_i32))
        .build()
        .unwrap();
    for _ in 0..100 {
        assert_eq!(pool.try_reserve().unwrap().spawn(|| 1).join().unwrap(), 1);
        assert_eq!(
            pool.try_reserve()
                .unwrap()
                .spawn(|| cenote::with_state(|forty: &mut i32| *forty + 2))
                .join()
                .unwrap(),
            42
        );
        let local = pool.try_reserve().unwrap().spawn_local(|| async {
            tokio::task::yield_now().await;
            3
        });
        assert_eq!(local.join().unwrap(), 3);
    }
    let panicked = pool.try_reserve().unwrap().spawn(|| panic!("on purpose"));
    assert!(panicked.join().unwrap_err().is_panic());
}

#[test]
fn the_tasks_of_permits_keep_the_order_in_which_they_are_spawned() {
    let pool = one_worker(8);
    let (release, busy) = occupy(&pool);
    let (sender, order) = mpsc::channel();
    let send = |n: u32| {
        let sender = sender.clone();
        move || sender.send(n).unwrap()
    };
    let early = pool.try_reserve().unwrap();
    let urgent = pool.task().priority(Priority::High).try_reserve().unwrap();
    pool.try_spawn(send(1)).unwrap().detach();
    early.spawn(send(2)).detach();
    pool.try_spawn(send(3)).unwrap().detach();
    urgent.spawn(send(0)).detach();
    drop(release);
    busy.join().unwrap();
    drop(sender);
    let order: Vec<u32> = (0..4).map(|_| order.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn the_options_of_a_reserved_task_count_from_its_spawning() {
    let pool = one_worker(4);
    let permit = pool
        .task()
        .queue_timeout(Duration::from_millis(5))
        .try_reserve()
        .unwrap();
    thread::sleep(Duration::from_millis(20));
    assert_eq!(permit.spawn(|| "in time").join().unwrap(), "in time");
    let (_release, _busy) = occupy(&pool);
    let permit = pool
        .task()
        .queue_timeout(Duration::from_millis(5))
        .try_reserve()
        .unwrap();
    assert!(permit.spawn(|| ()).join().unwrap_err().is_queue_timed_out());
}

#[tokio::test]
async fn a_wait_for_a_permit_ends_when_one_is_dropped_and_when_a_task_is_taken() {
    let pool = one_worker(1);
    let permit = pool.try_reserve().unwrap();
    let mut waiting = pin!(pool.reserve());
    poll_fn(|context| {
        assert!(waiting.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(permit);
    let permit = tokio::time::timeout(LONG, waiting).await.unwrap().unwrap();

    let (release, busy) = occupy_with(permit).await;
    let queued = pool.try_spawn(|| ()).unwrap();
    let mut waiting = pin!(pool.reserve());
    assert!(is_pending(waiting.as_mut()));
    drop(release);
    let permit = tokio::time::timeout(LONG, waiting).await.unwrap().unwrap();
    busy.await.unwrap();
    queued.await.unwrap();
    permit.spawn(|| ()).await.unwrap();
}

async fn occupy_with(permit: cenote::Permit) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let task = permit.spawn(move || {
        began.send(()).unwrap();
        let _ = released.recv();
    });
    begun.await.unwrap();
    (release, task)
}

#[tokio::test]
async fn a_wait_that_is_dropped_passes_on_what_it_was_told() {
    let pool = one_worker(1);
    let permit = pool.try_reserve().unwrap();
    let mut first = Box::pin(pool.reserve());
    let mut second = Box::pin(pool.reserve());
    assert!(is_pending(first.as_mut()));
    assert!(is_pending(second.as_mut()));
    drop(permit);
    drop(first);
    let permit = tokio::time::timeout(LONG, second).await.unwrap().unwrap();
    assert!(pool.try_reserve().unwrap_err().is_full());
    drop(permit);
}

#[tokio::test]
async fn closing_ends_the_waits_for_a_permit() {
    let pool = one_worker(1);
    let permit = pool.try_reserve().unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.reserve().await.map(drop) }
    });
    tokio::task::yield_now().await;
    let report = pool.close(LONG).await;
    assert!(report.is_clean(), "{report}");
    let refused = tokio::time::timeout(LONG, waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert!(refused.is_closed());
    assert!(pool.try_reserve().unwrap_err().is_closed());
    drop(permit);
}

#[test]
fn a_permit_does_not_hold_up_the_end_and_its_task_settles_all_the_same() {
    for drop_it in [true, false] {
        let pool = Pool::builder().threads(3).build().unwrap();
        let permit = pool.try_reserve().unwrap();
        let began = Instant::now();
        let report = pool.blocking_close(LONG);
        assert!(report.is_clean(), "{report}");
        assert!(began.elapsed() < LONG);
        if drop_it {
            drop(permit);
        } else {
            let error = permit.spawn(|| ()).join_timeout(LONG).unwrap().unwrap_err();
            assert!(error.is_cancelled(), "{error}");
        }
    }
}

#[test]
fn a_permit_of_a_closing_pool_is_good_while_a_worker_is_there() {
    let pool = one_worker(4);
    let (release, busy) = occupy(&pool);
    let permit = pool.try_reserve().unwrap();
    let closing = thread::spawn({
        let pool = pool.clone();
        move || pool.blocking_close(LONG)
    });
    while !pool.is_closed() {
        thread::yield_now();
    }
    let task = permit.spawn(|| "run");
    drop(release);
    assert_eq!(task.join().unwrap(), "run");
    busy.join().unwrap();
    assert!(closing.join().unwrap().is_clean());
}

#[test]
fn a_permit_outlives_its_pool() {
    let pool = one_worker(4);
    let permit = pool.try_reserve().unwrap();
    drop(pool);
    match permit.spawn(|| "run").join_timeout(LONG).unwrap() {
        Ok(text) => assert_eq!(text, "run"),
        Err(error) => assert!(error.is_cancelled(), "{error}"),
    }
}

#[test]
fn a_lane_counts_its_own_permits() {
    let pool = Pool::builder()
        .threads(1)
        .lane("small", LaneConfig::new().queue_limit(1))
        .build()
        .unwrap();
    let small = pool.lane("small").unwrap();
    let permit = small.try_reserve().unwrap();
    assert!(small.try_reserve().unwrap_err().is_full());
    assert!(pool.try_reserve().is_ok());
    assert_eq!(permit.spawn(|| 1).join().unwrap(), 1);
    let permit = small.task().priority(Priority::Low).try_reserve().unwrap();
    assert_eq!(permit.spawn(|| 2).join().unwrap(), 2);
}

#[test]
fn an_idle_thread_retires_beside_a_permit_and_no_thread_is_started_for_one() {
    let pool = Pool::builder()
        .threads(1..=2)
        .idle_timeout(Duration::from_millis(20))
        .grow_after(Duration::from_millis(1))
        .build()
        .unwrap();
    let _permit = pool.try_reserve().unwrap();
    let (release, busy) = occupy(&pool);
    // This one needs a second thread, which goes when it is idle.
    assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
    let deadline = Instant::now() + LONG;
    while pool.stats().threads > 1 {
        assert!(Instant::now() < deadline, "the second thread stays");
        thread::sleep(Duration::from_millis(1));
    }
    drop(release);
    busy.join().unwrap();
}

/// Waits for a permit, on a thread of its own.
fn reserve(pool: &Pool) -> Result<cenote::Permit, cenote::SpawnError<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let permit = runtime.block_on(async { tokio::time::timeout(LONG, pool.reserve()).await });
    permit.expect("nobody told the wait for a permit")
}

/// Every handle settles, no limit is passed, and nothing is left, with permits, tasks, waits and
/// the end all at once.
#[test]
fn permits_and_tasks_and_the_end_all_at_once() {
    const LIMIT: usize = 2;
    for round in 0..200 {
        let pool = Pool::builder()
            .threads(1 + round % 3)
            .queue_limit(LIMIT)
            .build()
            .unwrap();
        let held = Arc::new(AtomicUsize::new(0));
        let start = Arc::new(Barrier::new(6));
        let workers: Vec<_> = (0..5)
            .map(|kind| {
                let (pool, held, start) = (pool.clone(), Arc::clone(&held), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let mut settled = 0;
                    for n in 0..200 {
                        let handle = match kind {
                            0 => pool.try_spawn(move || n).ok(),
                            _ => match if kind < 3 {
                                pool.try_reserve()
                            } else {
                                reserve(&pool)
                            } {
                                Ok(permit) => {
                                    assert!(held.fetch_add(1, Ordering::SeqCst) < LIMIT);
                                    if kind == 1 {
                                        thread::yield_now();
                                    }
                                    held.fetch_sub(1, Ordering::SeqCst);
                                    if kind == 2 && n % 2 == 0 {
                                        drop(permit);
                                        continue;
                                    }
                                    Some(permit.spawn(move || n))
                                }
                                Err(error) if error.is_full() => None,
                                Err(error) => {
                                    assert!(error.is_closed());
                                    break;
                                }
                            },
                        };
                        let Some(handle) = handle else { continue };
                        match handle.join_timeout(LONG) {
                            Ok(Ok(value)) => assert_eq!(value, n),
                            Ok(Err(error)) => assert!(error.is_cancelled(), "{error}"),
                            Err(_) => panic!("a task did not settle"),
                        }
                        settled += 1;
                    }
                    settled
                })
            })
            .collect();
        start.wait();
        if round % 2 == 0 {
            thread::sleep(Duration::from_micros(25 * (round as u64 % 60)));
            if round % 4 == 0 {
                pool.shutdown_now();
            }
            let report = pool.blocking_close(LONG);
            assert!(report.is_clean(), "{report}");
        }
        let settled: usize = workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum();
        assert!(settled > 0 || round % 2 == 0);
        let report = pool.blocking_close(LONG);
        assert!(report.is_clean(), "{report}");
    }
}
