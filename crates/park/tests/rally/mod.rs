//! Two threads that answer each other, and the watchdog that ends a test in which both sleep.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{Driver, Spin, SpinRequest, Unparker, WaitWord, Waiter};

/// Without a round in this time, a wake was lost: even the slowest machine manages one.
const STUCK: Duration = Duration::from_secs(60);

/// How a player sleeps.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "not every test sleeps in every way")]
pub(crate) enum Sleep {
    Futex,
    /// With deadlines about as long as a round, so that they meet claims.
    FutexBriefly,
    EventLoop,
    Alternating,
}

/// The smallest event loop: a ring makes the wait under way, or the next, return.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Driver for Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

struct Player {
    waiter: Waiter<Arc<WaitWord>>,
    bell: Arc<Bell>,
    other: Unparker<Arc<WaitWord>, Arc<Bell>>,
    sleep: Sleep,
    sleeps: u32,
}

impl Player {
    fn wait(&mut self) {
        while !self.waiter.take() {
            if self.waiter.spin(&SpinRequest::default(), || false) == Spin::Hit {
                continue;
            }
            self.sleeps += 1;
            match self.sleep {
                Sleep::EventLoop => self.sleep_in_loop(),
                Sleep::Alternating if self.sleeps.is_multiple_of(2) => self.sleep_in_loop(),
                Sleep::FutexBriefly => {
                    let brief = Duration::from_micros(u64::from(self.sleeps % 16));
                    let deadline = Instant::now() + brief;
                    self.waiter.park_futex(Some(deadline), || false);
                }
                Sleep::Futex | Sleep::Alternating => {
                    self.waiter.park_futex(None, || false);
                }
            }
        }
    }

    fn sleep_in_loop(&mut self) {
        if self.waiter.park_driver(|| false) {
            self.bell.wait();
            self.waiter.unpark();
        }
    }
}

/// Plays `rounds` rounds between two threads, each waiting as told. Panics if they stand still.
pub(crate) fn rally(rounds: u64, max_spin: Duration, sleep: Sleep) {
    let words: [Arc<WaitWord>; 2] = Default::default();
    let bells: [Arc<Bell>; 2] = Default::default();
    let played = Arc::new(AtomicU64::new(0));
    let players: Vec<_> = (0..2)
        .map(|me| {
            let (words, bells, played) = (words.clone(), bells.clone(), Arc::clone(&played));
            thread::spawn(move || {
                let other = 1 - me;
                let mut player = Player {
                    waiter: Waiter::new(Arc::clone(&words[me]), max_spin),
                    bell: Arc::clone(&bells[me]),
                    other: Unparker::new(Arc::clone(&words[other]), Arc::clone(&bells[other])),
                    sleep,
                    sleeps: 0,
                };
                for _ in 0..rounds {
                    if me == 0 {
                        player.other.unpark();
                        player.wait();
                        played.fetch_add(1, Ordering::Relaxed);
                    } else {
                        player.wait();
                        player.other.unpark();
                    }
                }
                player.waiter.has_work()
            })
        })
        .collect();

    let mut last = (0, Instant::now());
    while players.iter().any(|player| !player.is_finished()) {
        thread::park_timeout(Duration::from_millis(2));
        let now = played.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        assert!(
            last.1.elapsed() < STUCK,
            "stood still after {now} of {rounds} rounds: {words:?}"
        );
    }
    for player in players {
        assert!(!player.join().unwrap(), "every wake was for a round");
    }
    let expected = u32::try_from(rounds).unwrap();
    assert_eq!(words.map(|word| word.epoch()), [expected; 2]);
}
