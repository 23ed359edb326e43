//! Model: a queue is sealed while somebody pushes. The push is either rejected or drained, and the
//! waiter, asleep or not, learns of both.
#![cfg(cenote_loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use cenote_park::{Unparker, WaitWord, Waiter};
use loom::sync::Arc;
use loom::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use loom::thread;

/// A queue without its items: bit 0 says sealed, the rest counts accepted pushes.
#[derive(Default)]
struct SealedQueue(AtomicUsize);

const SEALED: usize = 1;
const ONE: usize = 2;

impl SealedQueue {
    /// False: sealed, rejected. One step decides, so that nothing is accepted after the seal.
    fn push(&self) -> bool {
        self.0
            .fetch_update(AcqRel, Relaxed, |now| {
                (now & SEALED == 0).then_some(now + ONE)
            })
            .is_ok()
    }

    fn seal(&self) {
        self.0.fetch_or(SEALED, AcqRel);
    }

    /// How many were accepted so far, and whether there will be no more.
    fn look(&self) -> (usize, bool) {
        let now = self.0.load(Acquire);
        (now / ONE, now & SEALED != 0)
    }
}

fn stop_race(producers: usize) {
    model::check(move || {
        let word = std::sync::Arc::new(WaitWord::new());
        let queue = Arc::new(SealedQueue::default());
        let pushing: Vec<_> = (0..producers)
            .map(|_| {
                let unparker = Unparker::new(word.clone(), ());
                let queue = queue.clone();
                thread::spawn(move || {
                    let accepted = queue.push();
                    if accepted {
                        unparker.unpark();
                    }
                    usize::from(accepted)
                })
            })
            .collect();
        let worker = {
            let queue = queue.clone();
            let mut waiter = Waiter::new(word.clone(), Duration::ZERO);
            thread::spawn(move || {
                loop {
                    waiter.take();
                    let (drained, sealed) = queue.look();
                    if sealed {
                        return drained;
                    }
                    waiter.park_futex(None, || false);
                }
            })
        };
        queue.seal();
        Unparker::new(word, ()).unpark();
        let accepted: usize = pushing.into_iter().map(|p| p.join().unwrap()).sum();
        assert_eq!(
            accepted,
            worker.join().unwrap(),
            "accepted is drained, the rest is rejected"
        );
    });
}

#[test]
fn push_that_races_a_stop_is_rejected_or_drained() {
    stop_race(1);
}

#[test]
fn stop_wakes_a_worker_that_nobody_pushes_to() {
    stop_race(0);
}
