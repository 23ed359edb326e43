//! Model: threads park, wake, yield their slot and leave at the same time. The count stays exact.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use cenote_park::{Participants, Spin, SpinRequest, Unparker, WaitWord, Waiter};
use loom::thread;

/// The waiters hold it for `'static`; one small leak per execution.
fn participants(cpus: usize) -> &'static Participants {
    Box::leak(Box::new(Participants::new(cpus)))
}

#[test]
fn just_as_many_spinners_yield_as_are_too_many() {
    model::check(|| {
        let all = participants(2);
        for _ in 0..3 {
            all.enter();
        }
        let spinners: Vec<_> = (0..2)
            .map(|_| thread::spawn(|| usize::from(all.yield_slot())))
            .collect();
        let mine = usize::from(all.yield_slot());
        let yielded: usize = spinners.into_iter().map(|s| s.join().unwrap()).sum();
        assert_eq!(yielded + mine, 1);
        assert_eq!(all.not_parked(), 2);
    });
}

#[test]
fn yield_and_park_of_another_never_count_below_the_cpus() {
    model::check(|| {
        let all = participants(1);
        all.enter();
        all.enter();
        let parking = thread::spawn(|| all.leave());
        let yielded = usize::from(all.yield_slot());
        parking.join().unwrap();
        assert_eq!(all.not_parked(), 1 - yielded);
    });
}

#[test]
fn waiters_that_spin_yield_park_and_leave_return_the_count() {
    model::check(|| {
        let all = participants(2);
        let word = std::sync::Arc::new(WaitWord::new());
        let spinner = {
            let mut waiter =
                Waiter::with_participants(word.clone(), Duration::from_micros(50), all);
            thread::spawn(move || {
                while !waiter.take() {
                    if waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {
                        waiter.park_futex(None, || false);
                    }
                }
            })
        };
        let other = thread::spawn(|| {
            let word = WaitWord::new();
            let mut waiter = Waiter::with_participants(&word, Duration::from_micros(50), all);
            if waiter.spin(&SpinRequest::default(), || false) == Spin::Missed
                && waiter.park_driver(|| false)
            {
                waiter.unpark();
            }
        });
        all.enter();
        Unparker::new(word, ()).unpark();
        all.leave();
        spinner.join().unwrap();
        other.join().unwrap();
        assert_eq!(all.not_parked(), 0);
    });
}
