//! Panics: they are the task's own affair. The worker lives, and gives back what the task had
//! taken.

use std::future::pending;
use std::panic::panic_any;
use std::thread;
use std::time::Duration;

use cenote::{Lane, LaneConfig, Pool, with_state};

use crate::support::{Bomb, Count, Gate, eventually, hold, watched};

/// A pool whose one worker and one place in the lane are missed as soon as a panic takes either
/// with it.
fn fragile() -> (Pool, Lane) {
    let pool = Pool::builder()
        .threads(1)
        .lane("one", LaneConfig::new().max_running(1))
        .worker_state(|_| Ok::<_, std::io::Error>(()))
        .build()
        .unwrap();
    let lane = pool.lane("one").unwrap();
    (pool, lane)
}

/// The worker's thread, through the lane.
fn home(lane: &Lane) -> thread::ThreadId {
    lane.blocking_run(|| thread::current().id()).unwrap()
}

#[test]
fn a_panic_is_an_error_with_its_payload() {
    watched(|| {
        let (pool, lane) = fragile();
        let text: Result<(), _> = lane.try_spawn(|| panic!("text")).unwrap().join();
        let error = text.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
        assert!(error.to_string().contains("text"), "{error}");
        assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"text"));
        let number = 7;
        let formatted = lane
            .try_spawn(move || panic!("text {number}"))
            .unwrap()
            .join();
        let formatted: Result<(), _> = formatted;
        let payload = formatted.unwrap_err().into_panic();
        assert_eq!(
            payload.downcast_ref::<String>().map(String::as_str),
            Some("text 7")
        );
        let any: Result<(), _> = lane.try_spawn(|| panic_any(5_u8)).unwrap().join();
        assert_eq!(any.unwrap_err().into_panic().downcast_ref::<u8>(), Some(&5));
        let future: Result<(), _> = lane
            .try_spawn_local(|| async {
                tokio::task::yield_now().await;
                panic_any(6_u8)
            })
            .unwrap()
            .join();
        assert_eq!(
            future.unwrap_err().into_panic().downcast_ref::<u8>(),
            Some(&6)
        );
        let maker: Result<(), _> = lane
            .try_spawn_local(|| {
                panic_any(7_u8);
                #[allow(unreachable_code, reason = "it gives the closure its type")]
                async {}
            })
            .unwrap()
            .join();
        assert_eq!(
            maker.unwrap_err().into_panic().downcast_ref::<u8>(),
            Some(&7)
        );
        eventually("they are counted", || pool.stats().outcomes().panicked == 5);
    });
}

#[test]
fn an_error_that_is_no_panic_has_no_payload() {
    watched(|| {
        let (pool, _) = fragile();
        let held = hold(&pool, 1);
        let handle = pool.try_spawn(|| ()).unwrap();
        handle.abort();
        let error = handle.join().unwrap_err().try_into_panic().unwrap_err();
        assert!(error.is_aborted());
        drop(held);
    });
}

#[test]
fn the_worker_survives_every_panic() {
    watched(|| {
        let (pool, lane) = fragile();
        let before = home(&lane);
        for i in 0..200 {
            match i % 4 {
                0 => drop(lane.try_spawn(|| panic!("as it is meant to")).unwrap()),
                1 => drop(
                    lane.try_spawn(|| with_state(|(): &mut ()| panic!("as it is meant to")))
                        .unwrap(),
                ),
                2 => drop(
                    lane.try_spawn_local(|| async { panic!("as it is meant to") })
                        .unwrap(),
                ),
                _ => assert_eq!(home(&lane), before),
            }
        }
        assert_eq!(home(&lane), before);
        eventually("they are counted", || {
            pool.stats().outcomes().panicked == 150
        });
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
fn captures_of_an_aborted_task_that_panic_when_they_are_dropped_hurt_nobody() {
    watched(|| {
        let (pool, lane) = fragile();
        let before = home(&lane);
        let exploded = Count::default();
        let held = hold(&pool, 1);
        let bomb = Bomb(exploded.clone());
        let handle = lane
            .try_spawn(move || {
                let _bomb = bomb;
            })
            .unwrap();
        assert!(handle.abort());
        assert!(handle.join().unwrap_err().is_aborted());
        held.release();
        assert_eq!(home(&lane), before);
        assert_eq!(exploded.get(), 1);
    });
}

#[test]
fn captures_that_panic_when_the_closure_ends_are_its_panic() {
    watched(|| {
        let (_pool, lane) = fragile();
        let before = home(&lane);
        let bomb = Bomb(Count::default());
        let handle = lane
            .try_spawn(move || {
                let _bomb = bomb;
                "its value is lost"
            })
            .unwrap();
        assert!(handle.join().unwrap_err().is_panic());
        assert_eq!(home(&lane), before);
    });
}

#[test]
fn results_that_panic_when_they_are_dropped_hurt_no_worker() {
    watched(|| {
        let (pool, lane) = fragile();
        let before = home(&lane);
        let exploded = Count::default();
        let held = hold(&pool, 1);
        let (closure, future) = (Bomb(exploded.clone()), Bomb(exploded.clone()));
        lane.try_spawn(move || closure).unwrap().detach();
        lane.try_spawn_local(move || async move { future })
            .unwrap()
            .detach();
        held.release();
        assert_eq!(home(&lane), before);
        while exploded.get() < 2 {
            assert_eq!(home(&lane), before);
        }
    });
}

#[test]
fn a_result_that_came_too_late_and_panics_hurts_no_worker() {
    watched(|| {
        let (pool, lane) = fragile();
        let before = home(&lane);
        let exploded = Count::default();
        let bomb = Bomb(exploded.clone());
        let gate = Gate::default();
        let inner = gate.clone();
        let handle = lane
            .task()
            .timeout(Duration::from_millis(1))
            .try_spawn(move || {
                inner.pass();
                bomb
            })
            .unwrap();
        assert!(handle.join().err().unwrap().is_timed_out());
        gate.open();
        assert_eq!(home(&lane), before);
        assert_eq!(exploded.get(), 1);
        eventually("they are counted", || {
            pool.stats().outcomes().timed_out == 1
        });
    });
}

#[test]
fn a_future_that_panics_when_an_abort_drops_it_hurts_no_worker() {
    watched(|| {
        let (_pool, lane) = fragile();
        let before = home(&lane);
        let exploded = Count::default();
        let bomb = Bomb(exploded.clone());
        let gate = Gate::default();
        gate.open();
        let inner = gate.clone();
        let handle = lane
            .try_spawn_local(move || async move {
                let _bomb = bomb;
                inner.pass();
                pending::<()>().await;
            })
            .unwrap();
        gate.wait_for(1);
        handle.abort();
        assert!(handle.join().unwrap_err().is_aborted());
        assert_eq!(exploded.get(), 1);
        assert_eq!(home(&lane), before);
    });
}

/// Panics when it is dropped, with a payload that does so as well.
struct DoubleBomb(Count);

impl Drop for DoubleBomb {
    fn drop(&mut self) {
        panic_any(Bomb(self.0.clone()));
    }
}

#[test]
fn payloads_that_panic_when_they_are_dropped_hurt_no_worker() {
    watched(|| {
        let (pool, lane) = fragile();
        let before = home(&lane);
        let exploded = Count::default();
        let bombs = [(); 5].map(|()| exploded.clone());
        let [payload, result, future, kept, background] = bombs;
        let held = hold(&pool, 1);
        lane.try_spawn(move || panic_any(Bomb(payload)))
            .unwrap()
            .detach();
        lane.try_spawn(move || DoubleBomb(result)).unwrap().detach();
        lane.try_spawn_local(move || async move { DoubleBomb(future) })
            .unwrap()
            .detach();
        lane.try_spawn(move || {
            cenote::spawn_background(|| async move {
                let _bomb = DoubleBomb(background);
            });
        })
        .unwrap()
        .detach();
        held.release();
        assert_eq!(home(&lane), before);
        let aborted = lane
            .try_spawn_local(move || {
                let kept = DoubleBomb(kept);
                async move {
                    let _kept = kept;
                    pending::<()>().await;
                }
            })
            .unwrap();
        while pool.stats().running == 0 {
            thread::yield_now();
        }
        aborted.abort();
        assert!(aborted.join().unwrap_err().is_aborted());
        assert_eq!(home(&lane), before);
        eventually("nothing runs", || pool.stats().running == 0);
    });
}
