//! Model: a claim meets a sleeper whose deadline passes. It is consumed, and the next sleep is
//! clean.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::{Duration, Instant};

use cenote_park::{RUNNING, Unparker, WaitWord, Waiter, Woke};
use loom::thread;

use model::EventLoop;

#[test]
fn claim_that_meets_a_timeout_is_consumed_and_the_work_is_taken() {
    let now = Instant::now();
    model::check(move || {
        let word = std::sync::Arc::new(WaitWord::new());
        let producer = {
            let unparker = Unparker::new(word.clone(), ());
            thread::spawn(move || u64::from(unparker.unpark() != Woke::Nothing))
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        let mut claims = u64::from(waiter.park_futex(Some(now), || false).claimed);
        assert_eq!(waiter.word().state(), RUNNING);
        while !waiter.take() {
            claims += u64::from(waiter.park_futex(None, || false).claimed);
        }
        assert_eq!(producer.join().unwrap(), claims, "the claim was seen, once");
    });
}

#[test]
fn ring_for_a_loop_that_woke_by_itself_is_consumed() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let event_loop = EventLoop::default();
        let producer = {
            let unparker = Unparker::new(word.clone(), event_loop.clone());
            thread::spawn(move || u64::from(unparker.unpark() != Woke::Nothing))
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        let mut claims = 0;
        // A timer of the loop's own: the wait returns without a ring.
        let _ = waiter.park_driver(|| false);
        claims += u64::from(waiter.unpark().claimed);
        while !waiter.take() {
            if waiter.park_driver(|| false) {
                event_loop.wait();
                claims += u64::from(waiter.unpark().claimed);
            }
        }
        let made = producer.join().unwrap();
        let consumed = waiter.stats().snapshot().wakes;
        assert_eq!(made, consumed, "the claim was consumed, once");
        assert!(claims <= consumed);
        assert_eq!(waiter.word().state(), RUNNING);
    });
}
