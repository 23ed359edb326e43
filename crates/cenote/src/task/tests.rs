//! The task cell by itself, without a pool, a clock or a runtime: small enough for Miri, the
//! sanitizers and valgrind.
//!
//! Every work and every result holds [`Tracked`], on the heap: one that is dropped twice, used
//! afterwards or forgotten is seen by those tools, and counted here. What interleavings there are
//! is the models' business; here the threads are real.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Wake, Waker};
use std::thread;

use super::boundary;
use super::cell::{self, Kind, Meta, Ran, Running, TaskRef, Work};
use super::error::JoinError;
use super::joiner::Joiner;
use super::outcome::Outcome;

const ROUNDS: usize = if cfg!(miri) { 10 } else { 500 };

/// A value on the heap that counts how many of its kind there are.
struct Tracked(Box<usize>, Arc<AtomicUsize>);

impl Tracked {
    fn new(alive: &Arc<AtomicUsize>, value: usize) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Tracked(Box::new(value), alive.clone())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Act {
    Return,
    Panic,
}

/// Takes what it holds apart, and makes a result of it.
struct Job(Tracked, Act);

impl Work for Job {
    type Output = Tracked;

    fn run(self, running: Running<Self>) -> Ran {
        let result = boundary::of_task(running.task(), || match self.1 {
            Act::Return => Tracked::new(&self.0.1, *self.0.0 + 1),
            // Not `panic!`, so that the output stays free of what looks like a failure.
            Act::Panic => std::panic::resume_unwind(Box::new(*self.0.0)),
        });
        Ran::Settled(running.settle(result.map_err(JoinError::panicked)))
    }
}

const META: Meta = Meta {
    pool: 0,
    lane: 0,
    band: 0,
    kind: Kind::Closure,
    may_settle_early: false,
};

fn make(alive: &Arc<AtomicUsize>, act: Act) -> (TaskRef, Joiner<Tracked>) {
    let (task, handle) = cell::new(Job(Tracked::new(alive, 41), act), META, 0, false);
    // SAFETY: the second reference, and the output of `Job`.
    let handle = unsafe { Joiner::new(handle) };
    (task, handle)
}

/// What a worker does with a task that it takes.
fn work_off(task: TaskRef) -> Option<Ran> {
    let state = task.header().state();
    let sole = state.try_start(true);
    if sole.is_some() || state.start() {
        return Some(task.run_started(sole.unwrap_or(false)));
    }
    task.discard();
    None
}

/// Hands tasks to `test`, one after the other, and then sees that nothing of any is left.
fn many(act: Act, test: impl Fn(TaskRef, Joiner<Tracked>)) {
    let alive = Arc::default();
    for _ in 0..ROUNDS {
        let (task, handle) = make(&alive, act);
        test(task, handle);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

/// Runs both at once, one of them on a thread of its own.
fn at_once<A: Send, B>(left: impl FnOnce() -> A + Send, right: impl FnOnce() -> B) -> (A, B) {
    let together = Barrier::new(2);
    thread::scope(|scope| {
        let left = scope.spawn(|| {
            together.wait();
            left()
        });
        together.wait();
        let right = right();
        (left.join().expect("it does not panic"), right)
    })
}

#[test]
fn a_result_is_taken_from_another_thread() {
    many(Act::Return, |task, mut handle| {
        let ran = thread::spawn(|| work_off(task))
            .join()
            .expect("it does not panic");
        assert_eq!(ran, Some(Ran::Settled(Outcome::Completed)));
        let result = handle.take().expect("it is done");
        assert_eq!(*result.expect("it did not panic").0, 42);
    });
}

#[test]
fn a_panic_arrives_as_an_error_with_its_payload() {
    many(Act::Panic, |task, mut handle| {
        assert_eq!(work_off(task), Some(Ran::Settled(Outcome::Panicked)));
        let error = handle
            .take()
            .expect("it is done")
            .err()
            .expect("it panicked");
        assert!(error.is_panic());
        let payload = error.into_panic();
        assert_eq!(payload.downcast_ref(), Some(&41_usize));
    });
}

#[test]
fn a_task_that_nobody_runs_is_dropped_with_the_last_reference() {
    many(Act::Return, |task, handle| {
        drop(handle);
        drop(task);
    });
    many(Act::Return, |task, handle| {
        drop(task);
        drop(handle);
    });
}

#[test]
fn the_work_of_a_task_that_was_aborted_in_the_queue_is_dropped_by_who_takes_it() {
    let alive = Arc::default();
    let (task, mut handle) = make(&alive, Act::Return);
    assert!(handle.task().settle_queued(Outcome::Aborted));
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    assert_eq!(work_off(task), None);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    assert!(
        handle
            .take()
            .expect("it is settled")
            .is_err_and(|error| error.is_aborted())
    );
}

#[test]
fn of_abort_and_start_one_wins() {
    many(Act::Return, |task, mut handle| {
        let abort = handle.task().clone();
        let (ran, aborted) = at_once(|| work_off(task), || abort.settle_queued(Outcome::Aborted));
        assert_eq!(ran.is_some(), !aborted);
        assert_eq!(handle.take().expect("it is settled").is_err(), aborted);
    });
}

#[test]
fn a_result_is_dropped_once_whenever_the_handle_goes() {
    for act in [Act::Return, Act::Panic] {
        many(act, |task, handle| {
            let (ran, ()) = at_once(|| work_off(task), || drop(handle));
            assert!(ran.is_some());
        });
        many(act, |task, handle| {
            assert!(work_off(task).is_some());
            drop(handle);
        });
    }
}

struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_is_woken_once_unless_the_handle_was_told_that_the_task_is_done() {
    many(Act::Return, |task, mut handle| {
        let wakes: [_; 2] = std::array::from_fn(|_| Arc::new(Wakes(AtomicUsize::new(0))));
        let wakers = wakes.clone().map(Waker::from);
        // The second replaces the first, which then may have been woken already.
        let (_, left) = at_once(
            || work_off(task),
            || [handle.wait_with(&wakers[0]), handle.wait_with(&wakers[1])],
        );
        let woken = wakes
            .each_ref()
            .map(|wakes| wakes.0.load(Ordering::Relaxed));
        match left {
            [true, true] => assert_eq!(woken, [0, 1]),
            // Done before the second was left: the first was woken, or had just been taken back.
            [true, false] => assert!(woken[0] <= 1 && woken[1] == 0),
            _ => assert_eq!((left, woken), ([false, false], [0, 0])),
        }
        assert!(handle.take().is_some());
    });
}

#[test]
fn a_refused_submission_gives_its_work_back() {
    many(Act::Return, |task, handle| {
        drop(task);
        // SAFETY: it was made with a `Job`.
        let work = unsafe { handle.into_work::<Job>() };
        assert_eq!(*work.ok().expect("nobody settled it").0.0, 41);
    });
}

/// Is settled by another thread while it runs.
struct Overtaken(Tracked);

impl Work for Overtaken {
    type Output = Tracked;

    fn run(self, running: Running<Self>) -> Ran {
        let task = running.task().clone();
        let (settled, outcome) = at_once(
            move || task.settle_timed_out(),
            || running.settle(Ok(Tracked::new(&self.0.1, *self.0.0 + 1))),
        );
        assert_eq!(settled, outcome == Outcome::TimedOut);
        Ran::Settled(outcome)
    }
}

#[test]
fn of_a_timeout_and_the_end_one_settles() {
    let alive: Arc<AtomicUsize> = Arc::default();
    for _ in 0..ROUNDS {
        let meta = Meta {
            may_settle_early: true,
            ..META
        };
        let (task, handle) = cell::new(Overtaken(Tracked::new(&alive, 41)), meta, 0, false);
        // SAFETY: the second reference, and the output of `Overtaken`.
        let mut handle: Joiner<Tracked> = unsafe { Joiner::new(handle) };
        let ran = work_off(task).expect("nobody settled it before");
        let result = handle.take().expect("it is settled");
        assert_eq!(result.is_err(), ran == Ran::Settled(Outcome::TimedOut));
        drop(result);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}
