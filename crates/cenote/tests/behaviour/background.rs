//! Background futures: what a task leaves behind goes on, in every stage of waiting and under load.

use std::future::pending;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cenote::{Pool, RuntimeMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::support::{Count, Dropped, FOREVER, eventually, watched};
#[cfg(target_os = "linux")]
use crate::support::{alone, open_files};

/// Leaves a timer behind that ticks for ever, and returns its ticks.
fn tick(pool: &Pool) -> mpsc::Receiver<()> {
    let (ticked, ticks) = mpsc::channel();
    pool.blocking_run(move || {
        cenote::spawn_background(|| async move {
            while ticked.send(()).is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    })
    .unwrap();
    ticks
}

/// Leaves a server behind that echoes, and connects to it.
fn echo(pool: &Pool) -> TcpStream {
    let (bound, address) = mpsc::channel();
    pool.blocking_run(move || {
        cenote::spawn_background(|| async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() {
                stream.write_all(&byte).await.unwrap();
            }
        });
    })
    .unwrap();
    TcpStream::connect(address.recv().unwrap()).unwrap()
}

fn ask(stream: &mut TcpStream, times: u8) {
    for i in 0..times {
        stream.write_all(&[i]).unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [i]);
    }
}

/// A stream of closures that never lets the queue run dry, until it is dropped.
struct Busy {
    stop: Count,
    left: mpsc::Receiver<()>,
}

impl Busy {
    #[allow(clippy::only_used_in_recursion, reason = "whoever holds a sender runs")]
    fn with(pool: &Pool) -> Self {
        fn link(pool: Pool, stop: Count, runs: mpsc::Sender<()>) {
            if stop.get() == 0 {
                let on = pool.clone();
                on.try_spawn(move || link(pool, stop, runs))
                    .unwrap()
                    .detach();
            }
        }
        let stop = Count::default();
        let (runs, left) = mpsc::channel();
        for _ in 0..64 {
            link(pool.clone(), stop.clone(), runs.clone());
        }
        Busy { stop, left }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.up();
        // Until the last of them has dropped its end.
        let _ = self.left.recv();
    }
}

fn one_worker(max_spin: Duration) -> Pool {
    Pool::builder()
        .threads(1)
        .max_spin(max_spin)
        .build()
        .unwrap()
}

const SPINS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_micros(20),
    Duration::from_millis(20),
];

#[test]
fn a_timer_left_behind_fires_on_an_idle_worker() {
    watched(|| {
        for max_spin in SPINS {
            let ticks = tick(&one_worker(max_spin));
            drop(ticks);
            let pool = one_worker(max_spin);
            let ticks = tick(&pool);
            for _ in 0..20 {
                ticks.recv().unwrap();
            }
        }
    });
}

#[test]
fn a_timer_left_behind_fires_under_a_stream_of_closures() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            let busy = Busy::with(&pool);
            let ticks = tick(&pool);
            for _ in 0..20 {
                ticks.recv().unwrap();
            }
            assert!(pool.stats().queued + pool.stats().running > 0);
            drop(busy);
        }
    });
}

#[test]
fn a_timer_left_behind_fires_while_closures_come_one_at_a_time() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            let ticks = tick(&pool);
            let mut seen = 0;
            while seen < 20 {
                pool.blocking_run(|| ()).unwrap();
                seen += ticks.try_iter().count();
            }
        }
    });
}

#[test]
fn a_socket_left_behind_is_served_on_an_idle_worker() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            ask(&mut echo(&pool), 20);
        }
    });
}

#[test]
fn a_socket_left_behind_is_served_under_a_stream_of_closures() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            let mut stream = echo(&pool);
            let _busy = Busy::with(&pool);
            ask(&mut stream, 20);
        }
    });
}

#[test]
fn a_socket_left_behind_is_served_beside_a_future_that_waits() {
    watched(|| {
        let pool = one_worker(Duration::from_micros(20));
        let waits = pool.try_spawn_local(pending::<()>).unwrap();
        ask(&mut echo(&pool), 20);
        waits.abort();
        assert!(waits.join().unwrap_err().is_aborted());
    });
}

#[test]
fn what_a_future_spawns_with_tokio_goes_on_after_it() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let (done, end) = mpsc::channel();
        pool.try_spawn_local(|| async move {
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                done.send(thread::current().id()).unwrap();
            });
        })
        .unwrap()
        .join()
        .unwrap();
        let home = end.recv().unwrap();
        assert_eq!(pool.blocking_run(|| thread::current().id()).unwrap(), home);
    });
}

#[test]
fn what_a_closure_spawns_with_tokio_goes_on_where_the_runtime_is_always_there() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .runtime(RuntimeMode::Always)
            .build()
            .unwrap();
        for _ in 0..50 {
            let (done, end) = mpsc::channel();
            pool.blocking_run(move || {
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    done.send(()).unwrap();
                });
            })
            .unwrap();
            end.recv().unwrap();
        }
    });
}

#[test]
fn what_a_closure_spawns_with_tokio_goes_on_after_the_first_future() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let before = pool.blocking_run(|| tokio::runtime::Handle::try_current().is_ok());
        assert!(!before.unwrap(), "nobody needed a runtime yet");
        pool.try_spawn_local(|| async {}).unwrap().join().unwrap();
        let (done, end) = mpsc::channel();
        pool.blocking_run(move || {
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                done.send(()).unwrap();
            });
        })
        .unwrap();
        end.recv().unwrap();
    });
}

#[test]
fn a_background_future_wakes_when_another_thread_completes_what_it_waits_for() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            for i in 0..200 {
                let (send, receive) = oneshot::channel();
                let (done, end) = mpsc::channel();
                pool.blocking_run(move || {
                    cenote::spawn_background(|| async move { done.send(receive.await).unwrap() });
                })
                .unwrap();
                send.send(i).unwrap();
                assert_eq!(end.recv().unwrap(), Ok(i));
            }
        }
    });
}

#[test]
fn closures_are_taken_at_once_by_a_worker_that_waits_for_its_futures() {
    watched(|| {
        for max_spin in SPINS {
            let pool = one_worker(max_spin);
            pool.blocking_run(|| {
                cenote::spawn_background(|| async { tokio::time::sleep(FOREVER).await })
            })
            .unwrap();
            for i in 0..500 {
                assert_eq!(pool.blocking_run(move || i).unwrap(), i);
            }
            assert!(pool.stats().workers[0].stages.parks_driver > 0 || !max_spin.is_zero());
        }
    });
}

#[test]
fn a_background_future_takes_no_place_and_is_counted_apart() {
    watched(|| {
        let pool = Pool::builder().threads(1).concurrency(1).build().unwrap();
        pool.blocking_run(|| {
            for _ in 0..5 {
                cenote::spawn_background(pending);
            }
        })
        .unwrap();
        assert_eq!(
            pool.try_spawn_local(|| async { 1 })
                .unwrap()
                .join()
                .unwrap(),
            1
        );
        eventually("they are counted", || pool.stats().background == 5);
        eventually("nothing runs", || pool.stats().running == 0);
    });
}

#[test]
fn a_panic_in_a_background_future_ends_it_alone() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let ticks = tick(&pool);
        pool.blocking_run(|| cenote::spawn_background(|| async { panic!("as it is meant to") }))
            .unwrap();
        ticks.try_iter().count();
        for _ in 0..5 {
            ticks.recv().unwrap();
        }
        assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
    });
}

#[test]
fn background_futures_are_dropped_on_their_worker_at_the_shutdown() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let (dropped, fate) = Dropped::new();
        let home = pool
            .blocking_run(move || {
                cenote::spawn_background(|| async move {
                    let _dropped = dropped;
                    pending::<()>().await;
                });
                thread::current().id()
            })
            .unwrap();
        pool.shutdown_now();
        assert_eq!(fate.recv().unwrap(), home);
    });
}

#[test]
fn the_token_of_a_background_future_is_the_pool_s() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let (tell, told) = mpsc::channel();
        let task = pool
            .try_spawn_local(|| async move {
                let own = cenote::token();
                cenote::spawn_background(|| async move {
                    tell.send((own, cenote::token())).unwrap();
                    pending::<()>().await;
                });
                pending::<()>().await;
            })
            .unwrap();
        let (own, background) = told.recv().unwrap();
        task.abort();
        assert!(task.join().unwrap_err().is_aborted());
        assert!(own.is_cancelled() && !background.is_cancelled());
        pool.shutdown_now();
        assert!(background.is_cancelled());
    });
}

#[test]
#[should_panic(expected = "no worker")]
fn detaching_on_a_thread_that_is_no_worker_panics() {
    cenote::spawn_background(|| async {});
}

#[cfg(target_os = "linux")]
#[test]
fn a_pool_of_closures_never_makes_a_runtime() {
    alone(|| {
        let files = open_files();
        let pool = Pool::builder().threads(2).build().unwrap();
        for i in 0..5_000 {
            assert_eq!(pool.blocking_run(move || i).unwrap(), i);
        }
        pool.scope(|scope| {
            scope.spawn(|| ());
        });
        assert_eq!(open_files(), files);
        assert!(pool.stats().workers.iter().all(|worker| worker.turns == 0));
        // And this is how it would show.
        pool.try_spawn_local(|| async {}).unwrap().join().unwrap();
        assert!(open_files() > files);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_with_nothing_alive_waits_on_the_futex_and_one_with_a_future_in_its_driver() {
    watched(|| {
        let pool = one_worker(Duration::ZERO);
        let parks = || {
            let stages = pool.stats().workers[0].stages;
            (stages.parks_futex, stages.parks_driver)
        };
        pool.blocking_run(|| ()).unwrap();
        eventually("it parks on the futex", || parks().0 > 0);
        assert_eq!(parks().1, 0);
        let (send, receive) = oneshot::channel::<()>();
        let waits = pool.try_spawn_local(|| receive).unwrap();
        eventually("it parks in the driver", || parks().1 > 0);
        send.send(()).unwrap();
        waits.join().unwrap().unwrap();
        let before = parks();
        pool.blocking_run(|| ()).unwrap();
        eventually("it parks on the futex again", || parks().0 > before.0);
    });
}
