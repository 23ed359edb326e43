//! Model: a waiter that parks on the futex while a producer publishes. The wake must not be lost.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use cenote_park::{Claim, Spin, SpinRequest, Unparker, WaitWord, Waiter};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use loom::thread;

#[test]
fn published_work_wakes_a_parking_waiter_and_is_visible_to_it() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let work = Arc::new(AtomicUsize::new(0));
        let producer = {
            let unparker = Unparker::new(word.clone(), ());
            let work = work.clone();
            thread::spawn(move || {
                work.store(1, Relaxed);
                unparker.unpark();
            })
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !waiter.take() {
            waiter.park_futex(None, || false);
        }
        assert_eq!(work.load(Relaxed), 1, "taken, so the work is visible");
        producer.join().unwrap();
    });
}

#[test]
fn work_published_around_a_spin_is_not_lost() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let producer = {
            let unparker = Unparker::new(word.clone(), ());
            thread::spawn(move || {
                unparker.unpark();
                unparker.unpark();
            })
        };
        let mut waiter = Waiter::new(word, Duration::from_micros(50));
        while waiter.word().epoch() != 2 || waiter.has_work() {
            if !waiter.take() && waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {
                waiter.park_futex(None, || false);
            }
        }
        producer.join().unwrap();
    });
}

#[test]
fn claim_alone_wakes_for_a_source_that_only_the_recheck_sees() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let inbox = Arc::new(AtomicBool::new(false));
        let producer = {
            let (word, inbox) = (word.clone(), inbox.clone());
            thread::spawn(move || {
                inbox.store(true, Relaxed);
                if word.claim() == Claim::Futex {
                    word.wake_futex();
                }
            })
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !inbox.load(Relaxed) {
            if waiter.park_futex(None, || inbox.load(Relaxed)).claimed {
                assert!(inbox.load(Relaxed), "claimed, so its reason is visible");
            }
        }
        producer.join().unwrap();
    });
}
