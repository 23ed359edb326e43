//! Tasks that are queued together, by one step and one look for workers. None is lost, none passes
//! another, and no more are admitted than have room.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host, LaneLimits, NO_LIMIT};
use super::meeting::Meeting;
use super::payload::{Act, CLOSURE, Ledger, task};
use crate::engine::queue::chain::Chain;
use crate::engine::queue::fifo::Fifo;
use crate::engine::queue::gate::{Gate, Refused};

#[test]
fn queue_loses_and_reorders_nothing_of_a_chain() {
    check(2, || {
        let ledger = Arc::new(Ledger::default());
        let (fifo, mut consumer) = Fifo::new();
        let fifo = Arc::new(fifo);
        let mut chain = Chain::default();
        let mut handles = Vec::new();
        for _ in 0..3 {
            let (task, handle) = task(&ledger, CLOSURE, None);
            chain.append(task);
            handles.push(handle);
        }
        let (single, handle) = task(&ledger, CLOSURE, None);
        handles.push(handle);
        let producers = [
            {
                let fifo = Arc::clone(&fifo);
                thread::spawn(move || {
                    // In two pieces, as where a queue has room for some.
                    fifo.push_chain(chain.take(2));
                    fifo.push_chain(chain);
                })
            },
            {
                let fifo = Arc::clone(&fifo);
                thread::spawn(move || fifo.push(single))
            },
        ];
        let mut order = Vec::new();
        while order.len() < 4 {
            match fifo.pop(&mut consumer) {
                Some(task) => {
                    order.push(task.header().submitted);
                    assert!(task.header().state().start());
                    task.run_started(false);
                }
                None => thread::yield_now(),
            }
        }
        for producer in producers {
            producer.join().unwrap();
        }
        order.retain(|&number| number < 3);
        assert_eq!(order, [0, 1, 2], "in the order of the chain");
        let mut fifo = Arc::into_inner(fifo).unwrap();
        fifo.dispose(&mut consumer);
        drop(handles);
        ledger.assert_runs(4);
    });
}

#[test]
fn batch_finds_a_worker_that_falls_asleep() {
    check(3, || {
        let host = Host::new(1, FREE, End::After(2));
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit_batch(2, None).0.len())
        };
        host.work(0, false);
        assert_eq!(submitting.join().unwrap(), 2);
        host.ledger.assert_runs(2);
    });
}

/// However many workers wait, as many are sent as there are tasks: each of these needs its own.
fn finds_two_workers(waiting: [bool; 2]) {
    check(1, move || {
        let host = Host::new(2, FREE, End::After(2));
        let meeting = Arc::new(Meeting::of(2));
        let act: Act = Arc::new(move || meeting.come_and_wait());
        let workers = [0, 1].map(|seat| match waiting[seat] {
            true => host.waiting_worker(seat),
            false => host.worker(seat, false),
        });
        let (joiners, refused) = host.submit_batch(2, Some(act));
        assert_eq!((joiners.len(), refused), (2, None));
        for worker in workers {
            worker.join().unwrap();
        }
        host.ledger.assert_runs(2);
    });
}

#[test]
fn batch_of_tasks_that_wait_for_each_other_finds_two_workers_that_wait() {
    finds_two_workers([true, true]);
}

#[test]
fn batch_of_tasks_that_wait_for_each_other_finds_two_workers_that_fall_asleep() {
    finds_two_workers([false, false]);
}

#[test]
fn gate_admits_no_more_than_there_is_room_for() {
    check(3, || {
        let gate = Arc::new(Gate::new(3));
        let admitting = [2, 2].map(|wanted| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || match gate.admit_many(wanted) {
                Ok((tasks, count)) => {
                    assert!(tasks > 0 && count <= 3);
                    tasks
                }
                Err(refused) => {
                    assert_eq!(refused, Refused::Closed);
                    0
                }
            })
        });
        gate.close();
        let at_the_end = gate.count();
        let admitted = admitting.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(at_the_end, admitted);
        assert!(at_the_end <= 3);
    });
}

#[test]
fn batch_is_refused_or_run_when_the_pool_closes() {
    check(2, || {
        let host = Host::new(1, FREE, End::Close);
        let worker = host.worker(0, false);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit_batch(2, None).0.len())
        };
        host.close();
        worker.join().unwrap();
        let accepted = submitting.join().unwrap();
        assert!(accepted == 0 || accepted == 2, "one step admits all");
        host.ledger.assert_runs(accepted);
    });
}

#[test]
fn what_has_no_room_stays_out() {
    check(1, || {
        let limits = LaneLimits {
            queue: 2,
            running: NO_LIMIT,
        };
        let host = Host::new(1, &[limits], End::After(4));
        let submitting = [3, 1].map(|tasks| {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit_batch(tasks, None).0.len())
        });
        host.work(0, false);
        let accepted = submitting.map(|thread| thread.join().unwrap()).iter().sum();
        assert!(accepted <= 4);
        host.ledger.assert_runs(accepted);
    });
}
