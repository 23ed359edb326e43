//! A pool as an executor of the `futures` crates.
#![cfg(feature = "futures")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use cenote::Pool;
use futures::executor::block_on;
use futures::future::RemoteHandle;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::task::{LocalSpawn, LocalSpawnExt, Spawn, SpawnExt};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn worker_name() -> String {
    cenote::current().expect("on a worker").name
}

#[test]
fn futures_run_on_workers_with_timers() {
    let pool = Pool::builder().threads(2).name("spawn").build().unwrap();
    let sums: FuturesUnordered<RemoteHandle<u32>> = (0..100)
        .map(|n| {
            pool.spawn_with_handle(async move {
                assert!(worker_name().starts_with("spawn-"));
                tokio::time::sleep(Duration::from_millis(1)).await;
                n
            })
            .unwrap()
        })
        .collect();
    assert_eq!(
        block_on(sums.fold(0, |sum, n| async move { sum + n })),
        4950
    );
}

#[test]
fn a_lane_spawns_into_its_own_queue() {
    let pool = Pool::builder()
        .threads(1)
        .lane("side", cenote::LaneConfig::new())
        .build()
        .unwrap();
    let side = pool.lane("side").unwrap();
    assert_eq!(block_on(side.spawn_with_handle(async { 1 }).unwrap()), 1);
    let done = || side.stats().outcomes.completed == 1;
    let deadline = std::time::Instant::now() + LONG;
    while !done() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_full_queue_and_a_closed_pool_refuse() {
    let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let busy = pool
        .try_spawn(move || {
            began.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    begun.recv().unwrap();
    SpawnExt::spawn(&pool, async {}).unwrap();
    assert!(SpawnExt::spawn(&pool, async {}).unwrap_err().is_shutdown());
    assert!(
        pool.status().is_ok() && !pool.is_closed(),
        "it is only full"
    );
    drop(release);
    busy.join().unwrap();
    assert!(pool.blocking_close(LONG).is_clean());
    assert!(pool.status().is_err());
    assert!(SpawnExt::spawn(&pool, async {}).is_err());
}

#[test]
fn a_panic_in_a_future_ends_it_alone() {
    let pool = Pool::builder().threads(1).build().unwrap();
    SpawnExt::spawn(&pool, async {
        std::panic::resume_unwind(Box::new("alone"))
    })
    .unwrap();
    assert_eq!(
        block_on(pool.spawn_with_handle(async { "alive" }).unwrap()),
        "alive"
    );
}

#[test]
fn local_futures_stay_on_the_worker_that_spawned_them() {
    let pool = Pool::builder().threads(3).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..30 {
        let (here, sender) = (pool.clone(), sender.clone());
        pool.try_spawn(move || {
            let spawner = Rc::new(worker_name());
            LocalSpawnExt::spawn_local(&here, async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                sender.send(*spawner == worker_name()).unwrap();
            })
            .unwrap();
        })
        .unwrap()
        .detach();
    }
    for _ in 0..30 {
        assert!(receiver.recv_timeout(LONG).unwrap());
    }
}

#[test]
fn a_thread_that_is_no_worker_of_the_pool_cannot_spawn_local_futures() {
    let pool = Pool::builder().threads(1).build().unwrap();
    let other = Pool::builder().threads(1).build().unwrap();
    assert!(pool.status_local().is_err());
    assert!(
        LocalSpawnExt::spawn_local(&pool, async {})
            .unwrap_err()
            .is_shutdown()
    );
    let refused = {
        let pool = pool.clone();
        other
            .blocking_run(move || LocalSpawnExt::spawn_local(&pool, async {}).is_err())
            .unwrap()
    };
    assert!(refused);
    let accepted = {
        let here = pool.clone();
        pool.blocking_run(move || here.status_local().is_ok())
            .unwrap()
    };
    assert!(accepted);
}

/// Spawns when it is dropped, and says whether that was accepted.
struct SpawnOnDrop(Pool, mpsc::Sender<bool>);

impl Drop for SpawnOnDrop {
    fn drop(&mut self) {
        let accepted = LocalSpawnExt::spawn_local(&self.0, async {}).is_ok();
        self.1.send(accepted).unwrap();
    }
}

#[test]
fn a_worker_that_ends_refuses_local_futures() {
    let pool = Pool::builder().threads(1).build().unwrap();
    let (sender, receiver) = mpsc::channel();
    let late = SpawnOnDrop(pool.clone(), sender);
    pool.blocking_run(move || {
        cenote::spawn_background(|| async move {
            let _late = late;
            std::future::pending::<()>().await;
        });
    })
    .unwrap();
    pool.shutdown_now();
    assert!(!receiver.recv_timeout(LONG).unwrap());
}
