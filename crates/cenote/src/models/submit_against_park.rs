//! Submitters meet workers that are about to sleep. Every task is run, once, and every worker that can run one does.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{Host, NO_LIMIT};
use super::payload::CLOSURE;

const FREE: &[(usize, usize)] = &[(NO_LIMIT, NO_LIMIT)];

fn submitters(preemptions: usize, workers: usize, submitters: usize, each: usize) {
    check(preemptions, move || {
        let host = Host::new(workers, FREE, submitters * each);
        let threads: Vec<_> = (1..workers).map(|index| host.worker(index, false)).collect();
        let submitting: Vec<_> = (0..submitters)
            .map(|_| {
                let host = Arc::clone(&host);
                thread::spawn(move || (0..each).map(|_| host.submit(CLOSURE, None).ok()).collect::<Vec<_>>())
            })
            .collect();
        host.work(0, false);
        for thread in threads {
            thread.join().unwrap();
        }
        for thread in submitting {
            assert!(thread.join().unwrap().iter().all(Option::is_some), "accepted");
        }
        host.assert_all_run();
    });
}

#[test]
fn task_finds_a_worker_that_falls_asleep() {
    submitters(3, 1, 1, 1);
}

#[test]
fn two_tasks_find_a_worker_that_falls_asleep() {
    submitters(2, 1, 1, 2);
}

#[test]
fn two_submitters_find_a_worker_that_falls_asleep() {
    submitters(2, 1, 2, 1);
}
