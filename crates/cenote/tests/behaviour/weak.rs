//! A way back to a pool that does not keep it open.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool, WeakPool};

use crate::support::{Count, FOREVER, eventually, watched};

/// A pool of one thread, and what hangs up when that has ended.
fn with_end() -> (Pool, mpsc::Receiver<()>) {
    let (ends, end) = mpsc::channel();
    let pool = Pool::builder()
        .threads(1)
        .lane("other", LaneConfig::new())
        .on_thread_stop(move |_| ends.send(()).unwrap());
    (pool.build().unwrap(), end)
}

#[test]
fn the_last_handle_ends_the_pool_whatever_weak_ones_there_are() {
    watched(|| {
        let (pool, end) = with_end();
        let back = pool.downgrade();
        let lane = pool.lane("other").unwrap();
        drop(pool);
        let again = back.upgrade().expect("a lane is a handle");
        assert_eq!(again.blocking_run(|| 1).unwrap(), 1);
        drop(again);
        end.try_recv().unwrap_err();
        drop(lane);
        assert!(back.upgrade().is_none());
        assert!(back.clone().upgrade().is_none());
        end.recv().unwrap();
    });
}

#[test]
fn what_it_gives_is_the_same_pool_and_keeps_it_open() {
    watched(|| {
        let (pool, end) = with_end();
        let again = pool.downgrade().upgrade().unwrap();
        drop(pool);
        let lane = again.lane("other").unwrap();
        assert_eq!(lane.blocking_run(|| 2).unwrap(), 2);
        assert_eq!(again.name(), "main");
        end.try_recv().unwrap_err();
        assert!(!again.is_closed());
    });
}

#[test]
fn a_closed_pool_is_given_as_long_as_it_has_a_handle() {
    watched(|| {
        let (pool, _end) = with_end();
        let back = pool.downgrade();
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert!(back.upgrade().unwrap().is_closed());
    });
}

#[test]
fn a_pool_whose_background_spawns_on_it_ends_with_its_last_handle() {
    watched(|| {
        let (pool, end) = with_end();
        let (back, swept) = (pool.downgrade(), Count::default());
        let sweeps = swept.clone();
        pool.blocking_run(move || {
            cenote::spawn_background(|| async move {
                while let Some(pool) = back.upgrade() {
                    let sweep = sweeps.clone();
                    pool.try_spawn(move || sweep.up()).unwrap().detach();
                    drop(pool);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        })
        .unwrap();
        eventually("it sweeps", || swept.get() > 2);
        drop(pool);
        end.recv().unwrap();
    });
}

#[test]
fn the_state_of_a_worker_may_lead_back_to_its_pool() {
    watched(|| {
        let (ends, end) = mpsc::channel();
        let pool = Pool::builder()
            .threads(1)
            .worker_state(|_| Ok::<Option<WeakPool>, std::io::Error>(None))
            .on_thread_stop(move |_| ends.send(()).unwrap())
            .build()
            .unwrap();
        let back = pool.downgrade();
        pool.blocking_run(|| cenote::with_state(|place| *place = Some(back)))
            .unwrap();
        let inner = || {
            let pool = cenote::with_state(|place: &mut Option<WeakPool>| place.clone()?.upgrade());
            pool.unwrap().try_spawn(|| 3).unwrap()
        };
        assert_eq!(pool.blocking_run(inner).unwrap().join().unwrap(), 3);
        drop(pool);
        end.recv().unwrap();
    });
}

#[test]
fn while_the_last_handle_goes_it_gives_an_open_pool_or_none() {
    watched(|| {
        for _ in 0..500 {
            let pool = Pool::builder().threads(1).build().unwrap();
            let back = pool.downgrade();
            let asks = thread::spawn(move || {
                let mut accepted = 0;
                while let Some(pool) = back.upgrade() {
                    accepted += pool.blocking_run(|| 1).unwrap();
                }
                accepted
            });
            drop(pool);
            let _times: u32 = asks.join().unwrap();
        }
    });
}
