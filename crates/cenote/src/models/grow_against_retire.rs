//! The only idle thread retires while a task is submitted. Either it stays and runs the task, or
//! the submitter finds that the pool may grow.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::payload::CLOSURE;

#[test]
fn task_is_run_by_the_thread_that_retires_or_by_a_new_one() {
    check(3, || {
        let host = Host::new(2, FREE, End::Retire);
        // The first thread is in a closure that does not end.
        host.engine.seat(0).busy_since.store(1, SeqCst);
        let idle = host.worker(1, false);
        let task = host.submit(CLOSURE, None);
        assert!(task.is_ok());
        host.grow();
        idle.join().unwrap();
        host.ledger.assert_runs(1);
        assert_eq!(host.engine.life.counts().live, 1);
    });
}

#[test]
fn of_two_idle_threads_one_stays() {
    check(3, || {
        let host = Host::new(2, FREE, End::Retire);
        let retiring = [(); 2].map(|()| {
            let host = Arc::clone(&host);
            thread::spawn(move || host.engine.life.try_retire())
        });
        let retired = retiring.into_iter().map(|thread| thread.join().unwrap());
        assert_eq!(retired.filter(|retired| *retired).count(), 1);
    });
}
