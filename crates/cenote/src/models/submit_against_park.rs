//! Submitters meet workers that are about to sleep. Every task is run, once, and no worker that
//! could run one sleeps on.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::meeting::Meeting;
use super::payload::{Act, CLOSURE, LOCAL};

/// `submitters` threads submit `each` tasks to one worker.
fn one_worker(preemptions: usize, submitters: usize, each: usize, max_spin: Duration) {
    check(preemptions, move || {
        let host = Host::with(1, FREE, End::After(submitters * each), max_spin);
        let submitting: Vec<_> = (0..submitters)
            .map(|_| {
                let host = Arc::clone(&host);
                thread::spawn(move || {
                    (0..each)
                        .map(|_| host.submit(CLOSURE, None))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        host.work(0, false);
        for thread in submitting {
            assert!(thread.join().unwrap().iter().all(Result::is_ok));
        }
        host.ledger.assert_runs(submitters * each);
    });
}

#[test]
fn task_finds_a_worker_that_falls_asleep() {
    one_worker(3, 1, 1, Duration::ZERO);
}

#[test]
fn task_finds_a_worker_that_spins_and_falls_asleep() {
    one_worker(3, 1, 1, Duration::from_micros(50));
}

#[test]
fn second_task_finds_a_worker_that_ran_the_first() {
    one_worker(2, 1, 2, Duration::ZERO);
}

#[test]
fn second_task_finds_a_worker_that_lingers_and_falls_asleep() {
    one_worker(2, 1, 2, Duration::from_micros(50));
}

#[test]
fn two_submitters_find_a_worker_that_falls_asleep() {
    one_worker(1, 2, 1, Duration::ZERO);
}

#[test]
fn two_tasks_that_wait_for_each_other_find_two_workers() {
    check(1, || {
        let host = Host::new(2, FREE, End::After(2));
        let other = host.worker(1, false);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                let meeting = Arc::new(Meeting::of(2));
                let act: Act = Arc::new(move || meeting.come_and_wait());
                [(); 2].map(|()| host.submit(CLOSURE, Some(Arc::clone(&act))).ok())
            })
        };
        host.work(0, false);
        other.join().unwrap();
        assert!(submitting.join().unwrap().iter().all(Option::is_some));
        host.ledger.assert_runs(2);
    });
}

#[test]
fn future_finds_the_worker_that_has_a_place_for_it() {
    check(1, || {
        let host = Host::new(2, FREE, End::After(1));
        let with_place = host.worker(1, true);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit(LOCAL, None).is_ok())
        };
        host.work(0, false);
        with_place.join().unwrap();
        assert!(submitting.join().unwrap());
        host.ledger.assert_runs(1);
    });
}
