//! Model: two producers meet one sleeper. Each sleep is claimed, and woken, exactly once.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use cenote_park::{Unparker, WaitWord, Waiter, Woke};
use loom::thread;

use model::EventLoop;

#[test]
fn two_producers_make_one_wake_call_per_sleep() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let event_loop = EventLoop::default();
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let unparker = Unparker::new(word.clone(), event_loop.clone());
                thread::spawn(move || u64::from(unparker.unpark() != Woke::Nothing))
            })
            .collect();
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while waiter.word().epoch() != 2 || waiter.has_work() {
            if !waiter.take() && waiter.park_driver(|| false) {
                event_loop.wait();
                waiter.unpark();
            }
        }
        let calls: u64 = producers.into_iter().map(|p| p.join().unwrap()).sum();
        let stats = waiter.stats().snapshot();
        assert_eq!(
            calls, stats.wakes,
            "every wake call was for a claim of its own"
        );
        assert!(
            calls <= stats.parks_driver + stats.retracts,
            "at most one claim per sleep"
        );
    });
}

#[test]
fn two_producers_make_one_futex_wake_per_sleep() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let unparker = Unparker::new(word.clone(), ());
                thread::spawn(move || u64::from(unparker.unpark() == Woke::Futex))
            })
            .collect();
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !waiter.take() {
            waiter.park_futex(None, || false);
        }
        let calls: u64 = producers.into_iter().map(|p| p.join().unwrap()).sum();
        assert_eq!(calls, waiter.stats().snapshot().wakes);
    });
}
