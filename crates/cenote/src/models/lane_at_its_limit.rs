//! A lane with `max_running` of 1: never two at once, and no task stays when the place is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::thread;

use super::check;
use super::host::{End, Host, LaneLimits, NO_LIMIT};
use super::meeting::Meeting;
use super::payload::{Act, CLOSURE, LOCAL, Shape, Tracked};

const ONE_AT_A_TIME: LaneLimits = LaneLimits {
    queue: NO_LIMIT,
    running: 1,
};

const FREE: LaneLimits = LaneLimits {
    running: NO_LIMIT,
    ..ONE_AT_A_TIME
};

/// Fails if it is done by two at once, or if what the one before did is not visible.
fn alone() -> Act {
    let running = AtomicUsize::new(0);
    let shared = Tracked::new();
    Arc::new(move || {
        assert_eq!(running.fetch_add(1, SeqCst), 0, "two at once");
        shared.touch();
        thread::yield_now();
        running.fetch_sub(1, SeqCst);
    })
}

#[test]
fn two_workers_never_run_two_tasks_of_it_at_once() {
    check(2, || {
        let host = Host::new(2, &[ONE_AT_A_TIME], End::After(2));
        let act = alone();
        for _ in 0..2 {
            assert!(host.submit(CLOSURE, Some(Arc::clone(&act))).is_ok());
        }
        let other = host.worker(1, false);
        host.work(0, false);
        other.join().unwrap();
        host.ledger.assert_runs(2);
    });
}

#[test]
fn place_that_is_given_back_by_a_worker_with_other_work_is_seen() {
    check(1, || {
        let host = Host::new(2, &[ONE_AT_A_TIME, FREE], End::After(3));
        // The first worker runs a task of the lane, then one of another lane, which waits for the last one.
        let last = Arc::new(Meeting::of(1));
        let wait: Act = {
            let last = Arc::clone(&last);
            Arc::new(move || last.wait())
        };
        let come: Act = Arc::new(move || last.come());
        assert!(host.submit(CLOSURE, None).is_ok());
        let other_lane = Shape { lane: 1, ..CLOSURE };
        assert!(host.submit(other_lane, Some(wait)).is_ok());
        let busy = host.worker(0, false);
        let idle = host.worker(1, false);
        assert!(host.submit(CLOSURE, Some(come)).is_ok());
        busy.join().unwrap();
        idle.join().unwrap();
        host.ledger.assert_runs(3);
    });
}

#[test]
fn refused_submitter_leaves_no_task_behind() {
    check(2, || {
        let limits = LaneLimits {
            queue: 1,
            running: 1,
        };
        let host = Host::new(1, &[limits], End::After(2));
        let submitting = [(); 2].map(|()| {
            let host = Arc::clone(&host);
            thread::spawn(move || usize::from(host.submit(CLOSURE, None).is_ok()))
        });
        host.work(0, false);
        let accepted = submitting.map(|thread| thread.join().unwrap()).iter().sum();
        host.ledger.assert_runs(accepted);
    });
}

#[test]
fn worker_that_cannot_take_the_task_leaves_it_to_the_other() {
    check(2, || {
        let host = Host::new(2, &[ONE_AT_A_TIME], End::After(1));
        let without_place = host.worker(0, false);
        let with_place = host.worker(1, true);
        assert!(host.submit(LOCAL, None).is_ok());
        without_place.join().unwrap();
        with_place.join().unwrap();
        host.ledger.assert_runs(1);
    });
}
