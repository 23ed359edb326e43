//! A worker whose tasks are short takes several at once. What it has not begun is as good as
//! queued: others find it, an abort reaches it, and no end passes it by.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::meeting::Meeting;
use super::payload::{Act, CLOSURE, Ledger, task};
use crate::engine::life::Phase;
use crate::engine::queue::run_list::RunLists;
use crate::task::cell::TaskRef;
use crate::task::outcome::Outcome;

fn run(task: TaskRef) {
    assert!(task.header().state().start());
    task.run_started(false);
}

fn taken_once(fillings: &'static [usize]) {
    check(3, move || {
        let ledger = Arc::new(Ledger::default());
        let lists = Arc::new(RunLists::new(2));
        let stealing = {
            let lists = Arc::clone(&lists);
            thread::spawn(move || lists.steal().map(|listed| run(listed.task)))
        };
        let mut handles = Vec::new();
        for &each in fillings {
            let (tasks, mine): (Vec<_>, Vec<_>) =
                (0..each).map(|_| task(&ledger, CLOSURE, None)).unzip();
            handles.extend(mine);
            let mut tasks = tasks.into_iter();
            assert_eq!(lists.fill(0, 0, 2, || tasks.next()), each);
            while let Some(listed) = lists.take(0) {
                run(listed.task);
            }
        }
        stealing.join().unwrap();
        let tasks = handles.len();
        drop(handles);
        ledger.assert_runs(tasks);
    });
}

#[test]
fn listed_task_is_taken_once_by_its_owner_or_by_another() {
    taken_once(&[2]);
}

/// What is taken from the first filling is not taken for one of the second.
#[test]
fn two_fillings_are_told_apart() {
    taken_once(&[1, 1]);
}

/// A worker takes two tasks, and is inside of the first until the other was run.
#[test]
fn task_listed_behind_a_long_one_is_taken_by_the_worker_that_waits() {
    check(2, || {
        let host = Host::new(2, FREE, End::After(2));
        for _ in 0..2 {
            assert!(host.submit(CLOSURE, None).is_ok());
        }
        let busy = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.take_several(0))
        };
        host.work(1, false);
        busy.join().unwrap();
        host.ledger.assert_runs(2);
    });
}

#[test]
fn task_listed_behind_a_long_one_is_taken_by_a_worker_that_is_woken() {
    check(2, || {
        let host = Host::new(2, FREE, End::After(2));
        let idle = host.waiting_worker(1);
        for _ in 0..2 {
            host.queue_only(CLOSURE);
        }
        // The kick of the second half of a submission is the busy worker's.
        host.take_several(0);
        idle.join().unwrap();
        host.ledger.assert_runs(2);
    });
}

#[test]
fn abort_meets_a_task_that_is_being_listed() {
    check(2, || {
        let host = Host::new(1, FREE, End::After(2));
        let first = host.queue(CLOSURE, None);
        let second = host.queue(CLOSURE, None);
        let aborting = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                let aborted = second.task().settle_queued(Outcome::Aborted);
                if aborted {
                    host.engine.forget(second.task());
                }
                usize::from(aborted)
            })
        };
        host.work_as_deputy(0);
        let aborted = aborting.join().unwrap();
        drop(first);
        host.ledger.assert_runs(2 - aborted);
        assert!(host.engine.is_empty());
        assert_eq!(host.engine.queued(), 0);
    });
}

/// The first waits for the other, which only another worker can run: that one must not leave.
#[test]
fn listed_tasks_are_run_before_a_closed_pool_ends() {
    check(1, || {
        let host = Host::new(2, FREE, End::Close);
        let meeting = Arc::new(Meeting::of(2));
        let act: Act = Arc::new(move || meeting.come_and_wait());
        for _ in 0..2 {
            assert!(host.submit(CLOSURE, Some(Arc::clone(&act))).is_ok());
        }
        drop(act);
        host.close();
        let other = host.worker(1, false);
        host.work_as_deputy(0);
        other.join().unwrap();
        host.ledger.assert_runs(2);
    });
}

/// Each is run or cancelled, its work is dropped, and the workers leave.
#[test]
fn listed_tasks_are_cancelled_by_a_shutdown_or_run() {
    check(2, || {
        let host = Host::new(1, FREE, End::Close);
        let handles = [(); 2].map(|()| host.submit(CLOSURE, None).unwrap());
        host.close();
        let ending = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                let cancelled = host.engine.settle_queued(Outcome::Cancelled);
                host.engine.enter(Phase::ShutDown);
                cancelled
            })
        };
        host.work_as_deputy(0);
        let cancelled = ending.join().unwrap();
        host.ledger.assert_runs(2 - cancelled);
        assert!(handles.iter().all(|handle| handle.is_done()));
        assert!(host.engine.is_empty());
    });
}
