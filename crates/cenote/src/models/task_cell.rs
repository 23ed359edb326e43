//! One task, and those that may settle it, wait for it, or forget it: it runs at most once, settles
//! once, its result is dropped once and its memory freed once, whoever comes last.

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use cenote_park::{Unparker, WaitWord, Waiter};
use loom::sync::Notify;
use loom::thread::{self, JoinHandle};

use super::check;
use super::payload::{self, Act, CLOSURE, Job, Ledger, Shape, Tracked, task};
use super::waker::waker;
use crate::task::cell::{Ran, TaskRef};
use crate::task::error::JoinError;
use crate::task::joiner::Joiner;
use crate::task::outcome::Outcome;
use crate::task::state::Phase;

const MAY_SETTLE_EARLY: Shape = Shape {
    may_settle_early: true,
    ..CLOSURE
};

fn make(shape: Shape) -> (Arc<Ledger>, TaskRef, Joiner<Tracked>) {
    let ledger = Arc::default();
    let (task, handle) = task(&ledger, shape, None);
    (ledger, task, handle)
}

/// A worker with the queue's reference.
fn worker(task: TaskRef) -> JoinHandle<Option<Ran>> {
    thread::spawn(move || {
        let state = task.header().state();
        let sole = state.try_start(true);
        if sole.is_some() || state.start() {
            return Some(task.run_started(sole.unwrap_or(false)));
        }
        task.discard();
        None
    })
}

/// The result of a task that is done.
fn take(handle: &mut Joiner<Tracked>) -> Result<(), JoinError> {
    let result = handle.take().expect("the task is done");
    result.map(|value| value.touch())
}

/// Waits for the waker. It may be notified for no reason.
fn wait(notify: &Notify, handle: &Joiner<Tracked>) {
    while !handle.is_done() {
        notify.wait();
    }
}

#[test]
fn abort_meets_start() {
    check(3, || {
        let (ledger, task, mut handle) = make(CLOSURE);
        let worker = worker(task);
        let aborted = handle.task().settle_queued(Outcome::Aborted);
        let ran = worker.join().unwrap();
        ledger.assert_runs(usize::from(!aborted));
        assert_eq!(ran, (!aborted).then_some(Ran::Settled(Outcome::Completed)));
        match take(&mut handle) {
            Ok(()) => assert!(!aborted),
            Err(error) => assert!(aborted && error.is_aborted()),
        }
    });
}

#[test]
fn abort_from_elsewhere_meets_start_and_a_handle_that_is_dropped() {
    check(2, || {
        let (ledger, task, handle) = make(CLOSURE);
        let abort = handle.task().clone();
        let worker = worker(task);
        let aborting = thread::spawn(move || abort.settle_queued(Outcome::Aborted));
        drop(handle);
        let ran = worker.join().unwrap().is_some();
        assert_eq!(ran, !aborting.join().unwrap());
        ledger.assert_runs(usize::from(ran));
    });
}

#[test]
fn abort_meets_finish() {
    check(3, || {
        let (ledger, task, mut handle) = make(CLOSURE);
        assert_eq!(task.header().state().try_start(false), Some(false));
        let worker = thread::spawn(move || task.run_started(false));
        assert!(!handle.task().settle_queued(Outcome::Aborted));
        if handle.task().header().state().ask_abort().is_done() {
            assert!(take(&mut handle).is_ok());
        }
        assert_eq!(worker.join().unwrap(), Ran::Settled(Outcome::Completed));
        assert!(handle.task().snapshot().is_aborted());
        ledger.assert_runs(1);
    });
}

#[test]
fn queue_timeout_meets_abort() {
    check(3, || {
        let (ledger, task, mut handle) = make(CLOSURE);
        let timing_out = thread::spawn(move || task.settle_queued(Outcome::QueueTimedOut));
        let aborted = handle.task().settle_queued(Outcome::Aborted);
        let timed_out = timing_out.join().unwrap();
        assert!(aborted != timed_out, "settled once");
        let error = take(&mut handle).unwrap_err();
        assert_eq!(error.is_aborted(), aborted);
        assert_eq!(error.is_queue_timed_out(), timed_out);
        ledger.assert_runs(0);
    });
}

#[test]
fn refused_submission_meets_queue_timeout() {
    check(3, || {
        let (ledger, task, handle) = make(CLOSURE);
        let timer = handle.task().clone();
        let timing_out = thread::spawn(move || timer.settle_queued(Outcome::QueueTimedOut));
        // SAFETY: `make` makes tasks of a `Job`.
        match unsafe { handle.into_work::<Job>() } {
            Ok(work) => {
                assert!(!timing_out.join().unwrap());
                drop(work);
            }
            Err(mut handle) => {
                assert!(timing_out.join().unwrap());
                assert!(take(&mut handle).unwrap_err().is_queue_timed_out());
            }
        }
        drop(task);
        ledger.assert_runs(0);
    });
}

#[test]
fn handle_that_is_dropped_meets_finish() {
    check(3, || {
        let (ledger, task, handle) = make(CLOSURE);
        let worker = worker(task);
        drop(handle);
        assert_eq!(
            worker.join().unwrap(),
            Some(Ran::Settled(Outcome::Completed))
        );
        ledger.assert_runs(1);
    });
}

#[test]
fn unwanted_result_is_dropped_while_others_have_references() {
    check(3, || {
        let (_, task, handle) = make(CLOSURE);
        let elsewhere = handle.task().clone();
        let worker = worker(task);
        drop(handle);
        worker.join().unwrap();
        assert_eq!(payload::live(), 0);
        drop(elsewhere);
    });
}

#[test]
fn result_is_taken_as_soon_as_the_task_is_done() {
    check(3, || {
        let (_, task, mut handle) = make(CLOSURE);
        let worker = worker(task);
        if let Some(result) = handle.take() {
            result.ok().unwrap().touch();
        }
        drop(handle);
        worker.join().unwrap();
    });
}

#[test]
fn waker_that_was_left_is_woken() {
    check(3, || {
        let (_, task, mut handle) = make(CLOSURE);
        let worker = worker(task);
        let notify = Arc::new(Notify::new());
        if handle.wait_with(&waker(&notify)) {
            wait(&notify, &handle);
        }
        assert!(take(&mut handle).is_ok());
        drop(handle);
        worker.join().unwrap();
    });
}

#[test]
fn waker_that_replaced_another_is_woken() {
    check(3, || {
        let (_, task, mut handle) = make(CLOSURE);
        let worker = worker(task);
        let first = Arc::new(Notify::new());
        let second = Arc::new(Notify::new());
        if handle.wait_with(&waker(&first)) && handle.wait_with(&waker(&second)) {
            wait(&second, &handle);
        }
        assert!(take(&mut handle).is_ok());
        drop(handle);
        worker.join().unwrap();
    });
}

#[test]
fn handle_that_left_a_waker_is_dropped_while_others_have_references() {
    check(2, || {
        let (ledger, task, mut handle) = make(CLOSURE);
        let elsewhere = handle.task().clone();
        let worker = worker(task);
        let asking = thread::spawn(move || elsewhere.snapshot().phase() == Phase::Done);
        handle.wait_with(&waker(&Arc::new(Notify::new())));
        drop(handle);
        worker.join().unwrap();
        asking.join().unwrap();
        ledger.assert_runs(1);
    });
}

/// As `task::blocking`.
#[test]
fn thread_that_parks_for_the_result_is_woken() {
    struct ThreadWaker(Unparker<Arc<WaitWord>, ()>);

    impl Wake for ThreadWaker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    check(3, || {
        let (_, task, mut handle) = make(CLOSURE);
        let worker = worker(task);
        let word = Arc::new(WaitWord::new());
        let mut waiter = Waiter::new(Arc::clone(&word), Duration::ZERO);
        waiter.step_out();
        let waker = Waker::from(Arc::new(ThreadWaker(Unparker::new(word, ()))));
        if handle.wait_with(&waker) {
            while !handle.is_done() {
                waiter.park_futex(None, || handle.is_done());
                waiter.take();
            }
        }
        assert!(take(&mut handle).is_ok());
        drop(handle);
        worker.join().unwrap();
    });
}

/// A task with a timer that settles it, armed by the task's own thread once the work was moved out.
struct Timed {
    ledger: Arc<Ledger>,
    handle: Joiner<Tracked>,
    worker: JoinHandle<Option<Ran>>,
    timer: Timer,
}

type Timer = Arc<Mutex<Option<JoinHandle<bool>>>>;

fn timed() -> Timed {
    let ledger = Arc::default();
    let timer = Timer::default();
    let late = Arc::new(Mutex::new(None::<TaskRef>));
    let arm: Act = {
        let (timer, late) = (Arc::clone(&timer), Arc::clone(&late));
        Arc::new(move || {
            let late = late.lock().unwrap().take().unwrap();
            let armed = thread::spawn(move || late.settle_timed_out());
            *timer.lock().unwrap() = Some(armed);
        })
    };
    let (task, handle) = task(&ledger, MAY_SETTLE_EARLY, Some(arm));
    *late.lock().unwrap() = Some(task.clone());
    Timed {
        ledger,
        handle,
        worker: worker(task),
        timer,
    }
}

/// Whether the timer settled the task, and what the worker did.
fn outcome(worker: JoinHandle<Option<Ran>>, timer: &Timer) -> bool {
    let ran = worker.join().unwrap();
    let timer = timer.lock().unwrap().take().unwrap();
    let timed_out = timer.join().unwrap();
    assert_eq!(
        ran,
        Some(Ran::Settled(if timed_out {
            Outcome::TimedOut
        } else {
            Outcome::Completed
        }))
    );
    timed_out
}

#[test]
fn timeout_meets_finish() {
    check(3, || {
        let mut task = timed();
        let timed_out = outcome(task.worker, &task.timer);
        match take(&mut task.handle) {
            Ok(()) => assert!(!timed_out),
            Err(error) => assert!(timed_out && error.is_timed_out()),
        }
        task.ledger.assert_runs(1);
    });
}

#[test]
fn timeout_meets_finish_and_a_handle_that_left_a_waker_and_is_dropped() {
    check(2, || {
        let mut task = timed();
        task.handle.wait_with(&waker(&Arc::new(Notify::new())));
        drop(task.handle);
        outcome(task.worker, &task.timer);
        task.ledger.assert_runs(1);
    });
}
