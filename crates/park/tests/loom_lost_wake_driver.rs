//! Model: a waiter that sleeps in its event loop while a producer publishes. The ring must not be
//! lost, and there is none while the waiter is awake.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use cenote_park::{Claim, Driver, Unparker, WaitWord, Waiter, Woke};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use loom::thread;

use model::EventLoop;

#[test]
fn published_work_rings_a_parking_loop_and_is_visible_to_it() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let event_loop = EventLoop::default();
        let work = Arc::new(AtomicUsize::new(0));
        let producer = {
            let unparker = Unparker::new(word.clone(), event_loop.clone());
            let work = work.clone();
            thread::spawn(move || {
                work.store(1, Relaxed);
                assert_ne!(
                    unparker.unpark(),
                    Woke::Futex,
                    "the waiter chose its event loop"
                );
            })
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !waiter.take() {
            if waiter.park_driver(|| false) {
                event_loop.wait();
                assert!(
                    waiter.unpark().claimed,
                    "this loop wakes only when it is rung"
                );
            }
        }
        assert_eq!(work.load(Relaxed), 1, "taken, so the work is visible");
        producer.join().unwrap();
    });
}

#[test]
fn claim_alone_rings_for_a_source_that_only_the_recheck_sees() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let event_loop = EventLoop::default();
        let inbox = Arc::new(AtomicBool::new(false));
        let producer = {
            let (word, event_loop) = (word.clone(), event_loop.clone());
            let inbox = inbox.clone();
            thread::spawn(move || {
                inbox.store(true, Relaxed);
                if word.claim() == Claim::Driver {
                    event_loop.ring();
                }
            })
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !inbox.load(Relaxed) {
            if waiter.park_driver(|| inbox.load(Relaxed)) {
                event_loop.wait();
                if waiter.unpark().claimed {
                    assert!(inbox.load(Relaxed), "claimed, so its reason is visible");
                }
            }
        }
        producer.join().unwrap();
    });
}

#[test]
fn waiter_that_changes_its_target_between_sleeps_is_woken_by_the_right_call() {
    model::check(|| {
        let word = std::sync::Arc::new(WaitWord::new());
        let event_loop = EventLoop::default();
        let producer = {
            let unparker = Unparker::new(word.clone(), event_loop.clone());
            thread::spawn(move || {
                unparker.unpark();
                unparker.unpark();
            })
        };
        let mut waiter = Waiter::new(word, Duration::ZERO);
        while !waiter.take() {
            waiter.park_futex(None, || false);
        }
        while waiter.word().epoch() != 2 {
            if waiter.park_driver(|| false) {
                event_loop.wait();
                waiter.unpark();
            }
            waiter.take();
        }
        producer.join().unwrap();
    });
}
