//! A push that is not linked yet hides the tasks that others push behind it. They are found all the
//! same.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::meeting::Meeting;
use super::payload::{Act, CLOSURE, Ledger, task};
use crate::engine::queue::fifo::Fifo;

#[test]
fn queue_loses_and_reorders_nothing() {
    check(3, || {
        let ledger = Arc::new(Ledger::default());
        let (fifo, mut consumer) = Fifo::new();
        let fifo = Arc::new(fifo);
        let mut handles = Vec::new();
        let producers: Vec<_> = [2, 1]
            .into_iter()
            .map(|each| {
                let (tasks, mine): (Vec<_>, Vec<_>) =
                    (0..each).map(|_| task(&ledger, CLOSURE, None)).unzip();
                handles.extend(mine);
                let fifo = Arc::clone(&fifo);
                thread::spawn(move || {
                    for task in tasks {
                        fifo.push(task);
                    }
                })
            })
            .collect();
        let mut order = Vec::new();
        while order.len() < 3 {
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
        order.retain(|&number| number < 2);
        assert_eq!(order, [0, 1], "in the order of their producer");
        let mut fifo = Arc::into_inner(fifo).unwrap();
        fifo.dispose(&mut consumer);
        drop(handles);
        ledger.assert_runs(3);
    });
}

#[test]
fn tasks_of_two_submitters_that_wait_for_each_other_find_two_workers() {
    check(1, || {
        let host = Host::new(2, FREE, End::After(2));
        let meeting = Arc::new(Meeting::of(2));
        let act: Act = Arc::new(move || meeting.come_and_wait());
        let workers = [0, 1].map(|index| host.waiting_worker(index));
        let submitting = [(); 2].map(|()| {
            let host = Arc::clone(&host);
            let act = Arc::clone(&act);
            thread::spawn(move || host.queue(CLOSURE, Some(act)))
        });
        drop(act);
        for worker in workers {
            worker.join().unwrap();
        }
        for thread in submitting {
            drop(thread.join().unwrap());
        }
        host.ledger.assert_runs(2);
    });
}
