//! A lane with `max_running` of 1: never two at once, and no task stays when the place is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::thread;

use super::check;
use super::host::{End, Host, LaneLimits, NO_LIMIT};
use super::payload::{Act, CLOSURE, LOCAL, Shape, Tracked};
use crate::task::outcome::Outcome;

const ONE_AT_A_TIME: LaneLimits = LaneLimits {
    queue: NO_LIMIT,
    running: 1,
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

/// The worker that gives the place back has other work then, and does not look again.
fn place_is_given_back(preemptions: usize, kind: Shape) {
    check(preemptions, move || {
        let host = Host::new(2, &[ONE_AT_A_TIME], End::After(2));
        assert!(host.submit(CLOSURE, None).is_ok());
        let busy = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.work_once(0))
        };
        let idle = host.worker(1, true);
        assert!(host.submit(kind, None).is_ok());
        busy.join().unwrap();
        idle.join().unwrap();
        host.ledger.assert_runs(2);
    });
}

#[test]
fn place_that_is_given_back_is_seen_by_the_worker_that_waits() {
    place_is_given_back(1, CLOSURE);
}

#[test]
fn place_that_is_given_back_is_seen_by_the_worker_that_waits_for_a_future() {
    place_is_given_back(1, LOCAL);
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

/// A settled task needs no place among the running, but one that lies behind a task that does must
/// not keep a worker awake.
#[test]
fn settled_task_behind_one_that_waits_for_a_place_is_dropped_in_its_turn() {
    check(1, || {
        let host = Host::new(1, &[ONE_AT_A_TIME], End::After(2));
        let lane = host.engine.dispatch.lane(0);
        assert!(lane.begin(), "for a task that runs elsewhere");
        let waits = host.submit(CLOSURE, None).unwrap();
        let settled = host.submit(CLOSURE, None).unwrap();
        let other = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                assert!(settled.task().settle_queued(Outcome::Aborted));
                host.engine.forget(settled.task());
                host.engine.wake(host.engine.dispatch.ended(0));
            })
        };
        host.work(0, false);
        other.join().unwrap();
        drop(waits);
        host.ledger.assert_runs(1);
        assert!(host.engine.is_empty());
    });
}

/// The place of a settled task is free at once, and nobody counts it twice.
#[test]
fn settled_task_gives_its_place_back_whether_or_not_it_is_being_taken() {
    check(2, || {
        let limits = LaneLimits {
            queue: 1,
            running: NO_LIMIT,
        };
        let host = Host::new(1, &[limits], End::After(2));
        let first = host.queue(CLOSURE, None);
        let aborting = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                let aborted = first.task().settle_queued(Outcome::Aborted);
                if aborted {
                    host.engine.forget(first.task());
                    assert!(host.submit(CLOSURE, None).is_ok(), "there is room");
                } else {
                    host.submit(CLOSURE, None).ok();
                }
                usize::from(aborted)
            })
        };
        host.work(0, false);
        aborting.join().unwrap();
        assert!(host.engine.is_empty());
        assert_eq!(host.engine.queued(), 0);
    });
}
