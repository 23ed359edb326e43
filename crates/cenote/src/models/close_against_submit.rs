//! A pool is closed while tasks are submitted and workers fall asleep. Each task is refused, or
//! run; and the workers leave.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::payload::{CLOSURE, LOCAL};
use crate::engine::queue::gate::{Gate, Refused};

#[test]
fn idle_worker_leaves() {
    check(3, || {
        let host = Host::new(1, FREE, End::Close);
        let worker = host.worker(0, false);
        host.close();
        worker.join().unwrap();
    });
}

#[test]
fn task_is_refused_or_run_by_a_worker_that_looks_for_it() {
    check(2, || {
        let host = Host::new(1, FREE, End::Close);
        let worker = host.worker(0, false);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || usize::from(host.submit(CLOSURE, None).is_ok()))
        };
        host.close();
        worker.join().unwrap();
        let accepted = submitting.join().unwrap();
        host.ledger.assert_runs(accepted);
    });
}

#[test]
fn task_is_refused_or_handed_to_a_worker_that_waits() {
    check(2, || {
        let host = Host::new(1, FREE, End::Close);
        let worker = host.waiting_worker(0);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                (0..2)
                    .filter(|_| host.submit(CLOSURE, None).is_ok())
                    .count()
            })
        };
        host.close();
        worker.join().unwrap();
        let accepted = submitting.join().unwrap();
        host.ledger.assert_runs(accepted);
    });
}

#[test]
fn worker_that_cannot_take_what_is_left_leaves_when_it_is_taken() {
    check(2, || {
        let host = Host::new(2, FREE, End::Close);
        assert!(host.submit(LOCAL, None).is_ok());
        let without_place = host.worker(0, false);
        let with_place = host.worker(1, true);
        host.close();
        without_place.join().unwrap();
        with_place.join().unwrap();
        host.ledger.assert_runs(1);
    });
}

#[test]
fn gate_admits_nothing_after_it_was_closed() {
    check(3, || {
        let gate = Arc::new(Gate::new(2));
        let admitting = [(); 2].map(|()| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || match gate.admit() {
                Ok(_) => 1,
                Err(refused) => {
                    assert_eq!(refused, Refused::Closed);
                    0
                }
            })
        });
        assert!(gate.close());
        let at_the_end = gate.count();
        let admitted: usize = admitting
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(admitted, at_the_end);
    });
}
