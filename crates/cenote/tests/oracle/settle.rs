//! Every accepted task settles exactly once, in a way that what was done to it allows; and no limit
//! is exceeded.

use std::cell::Cell;
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cenote::{CancellationToken, JoinError, JoinHandle, LaneConfig, Pool, SpawnError, Status};
use proptest::prelude::*;

use crate::program::{Body, Program, Spec, Step, program};
use crate::support::{FOREVER, Peak, eventually, watched};
use crate::{LANES, config};

/// What a task did, told by itself.
#[derive(Default)]
struct Effects {
    began: AtomicUsize,
    returned: AtomicUsize,
    dropped: AtomicUsize,
}

struct Captured(Arc<Effects>);

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// The model's side of an accepted task.
struct Task {
    spec: Spec,
    effects: Arc<Effects>,
    token: CancellationToken,
    open: CancellationToken,
    handle: Option<JoinHandle<usize>>,
    result: Option<Result<usize, JoinError>>,
    /// Settled by an abort that said that it had not begun.
    aborted_in_queue: bool,
    aborted: bool,
    cancelled: bool,
}

/// What the bodies check of the limits, from inside.
#[derive(Clone, Default)]
struct Limits {
    lanes: [Peak; 2],
}

thread_local! {
    static FUTURES: Cell<usize> = const { Cell::new(0) };
}

struct FutureHere;

impl FutureHere {
    fn new(concurrency: usize) -> Self {
        FUTURES.set(FUTURES.get() + 1);
        assert!(
            FUTURES.get() <= concurrency,
            "too many futures on one worker"
        );
        FutureHere
    }
}

impl Drop for FutureHere {
    fn drop(&mut self) {
        FUTURES.set(FUTURES.get() - 1);
    }
}

fn spawn(
    pool: &Pool,
    number: usize,
    spec: &Spec,
    limits: &Limits,
    concurrency: usize,
) -> Result<Task, &'static str> {
    let effects = Arc::<Effects>::default();
    let (token, open) = (CancellationToken::new(), CancellationToken::new());
    let lane = pool.lane(LANES[spec.lane]).unwrap();
    let mut task = lane.task().priority(spec.priority).cancel_on(&token);
    if let Some(micros) = spec.queue_timeout {
        task = task.queue_timeout(Duration::from_micros(micros.into()));
    }
    if let Some(micros) = spec.timeout {
        task = task.timeout(Duration::from_micros(micros.into()));
    }
    let captured = Captured(Arc::clone(&effects));
    let (peak, opened, body) = (limits.lanes[spec.lane].clone(), open.clone(), spec.body);
    let spawned = if body.is_future() {
        task.try_spawn_local(move || async move {
            let captured = captured;
            let _running = peak.enter();
            let _here = FutureHere::new(concurrency);
            captured.0.began.fetch_add(1, Ordering::SeqCst);
            match body {
                Body::Future(waits) => {
                    for _ in 0..waits {
                        tokio::task::yield_now().await;
                    }
                }
                Body::FuturePanics => panic_any(number),
                _ => opened.cancelled().await,
            }
            captured.0.returned.fetch_add(1, Ordering::SeqCst);
            number
        })
        .map_err(refusal)
    } else {
        task.try_spawn(move || {
            let captured = captured;
            let _running = peak.enter();
            captured.0.began.fetch_add(1, Ordering::SeqCst);
            match body {
                Body::Panics => panic_any(number),
                Body::Waits => {
                    let asked = cenote::token();
                    while !opened.is_cancelled() && !asked.is_cancelled() {
                        std::thread::yield_now();
                    }
                }
                _ => {}
            }
            captured.0.returned.fetch_add(1, Ordering::SeqCst);
            number
        })
        .map_err(refusal)
    };
    let handle = spawned.inspect_err(|_| {
        assert_eq!(
            effects.dropped.load(Ordering::SeqCst),
            1,
            "a refused task is given back"
        );
        assert_eq!(effects.began.load(Ordering::SeqCst), 0, "and does not run");
    })?;
    Ok(Task {
        spec: spec.clone(),
        effects,
        token,
        open,
        handle: Some(handle),
        result: None,
        aborted_in_queue: false,
        aborted: false,
        cancelled: false,
    })
}

fn refusal<F>(refused: SpawnError<F>) -> &'static str {
    let code = refused.code();
    drop(refused.into_inner());
    code
}

/// Checks one task's end against what was done to it.
fn check(number: usize, task: &Task, ended: bool) {
    let Effects {
        began,
        returned,
        dropped,
    } = &*task.effects;
    let [began, returned, dropped] =
        [began, returned, dropped].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(dropped, 1, "its captures are dropped once");
    assert!(
        began <= 1 && returned <= began,
        "it runs once: {began} and {returned}"
    );
    let Some(result) = &task.result else { return };
    let body = task.spec.body;
    match result {
        Ok(value) => {
            assert_eq!((*value, began, returned), (number, 1, 1));
            assert!(!task.aborted_in_queue);
        }
        Err(error) if error.is_panic() => assert!(body.panics() && began == 1),
        Err(error) if error.is_aborted() => {
            assert!(task.aborted, "nobody aborted it");
            assert!(
                body.is_future() || task.aborted_in_queue,
                "a closure that runs is only asked"
            );
            assert!(
                !task.aborted_in_queue || began == 0,
                "it had not begun, and did"
            );
            assert_eq!(returned, 0);
        }
        Err(error) if error.is_queue_timed_out() => {
            assert!(task.spec.queue_timeout.is_some() && began == 0);
        }
        // How far it came meanwhile, nobody knows.
        Err(error) if error.is_timed_out() => assert!(task.spec.timeout.is_some()),
        Err(error) if error.is_cancelled() => {
            assert!(task.cancelled || ended, "nobody cancelled it");
            assert!(
                body.is_future() || began == 0,
                "a closure that runs is only asked"
            );
            assert_eq!(returned, 0);
        }
        Err(error) => panic!("it cannot end so: {error}"),
    }
}

/// Runs a program, and compares.
fn run(program: &Program) {
    let pool = Pool::builder()
        .threads(program.threads)
        .concurrency(program.concurrency)
        .queue_limit(program.queue_limit)
        .max_spin(Duration::from_micros(if program.spins { 20 } else { 0 }))
        .lane("narrow", LaneConfig::new().max_running(program.max_running))
        .build()
        .unwrap();
    let limits = Limits::default();
    let mut tasks: Vec<Task> = Vec::new();
    let (mut shed, mut ended, mut closed) = (0, false, false);
    let mut closing = Vec::new();
    for step in &program.steps {
        let index = match step {
            Step::Abort(task)
            | Step::Cancel(task)
            | Step::Open(task)
            | Step::Join(task)
            | Step::Drop(task) => *task,
            _ => 0,
        };
        let chosen = (!tasks.is_empty()).then(|| index % tasks.len());
        match (step, chosen) {
            (Step::Spawn(spec), _) => {
                match spawn(&pool, tasks.len(), spec, &limits, program.concurrency) {
                    Ok(task) => {
                        // What times out before it is refused cannot be given back.
                        let over = || {
                            let status = task.handle.as_ref().map(JoinHandle::status);
                            status == Some(Status::Finished)
                        };
                        assert!(
                            !closed || spec.queue_timeout.is_some() && over(),
                            "accepted after the end"
                        );
                        tasks.push(task);
                    }
                    Err(code) => {
                        assert_eq!(
                            code,
                            if closed {
                                "CENOTE_POOL_CLOSED"
                            } else {
                                "CENOTE_QUEUE_FULL"
                            }
                        );
                        shed += 1;
                    }
                }
            }
            (Step::Abort(_), Some(chosen)) => {
                let task = &mut tasks[chosen];
                if let Some(handle) = &task.handle {
                    task.aborted = true;
                    task.aborted_in_queue |= handle.abort();
                }
            }
            (Step::Cancel(_), Some(chosen)) => {
                tasks[chosen].cancelled = true;
                tasks[chosen].token.cancel();
            }
            (Step::Open(_), Some(chosen)) => tasks[chosen].open.cancel(),
            (Step::Join(_), Some(chosen)) => {
                // Others may be in its way.
                for task in &tasks {
                    task.open.cancel();
                }
                if let Some(handle) = tasks[chosen].handle.take() {
                    tasks[chosen].result = Some(handle.join());
                }
            }
            (Step::Drop(_), Some(chosen)) => drop(tasks[chosen].handle.take()),
            (Step::Look, _) => {
                for lane in pool.stats().lanes {
                    assert!(lane.queued <= program.queue_limit, "{} queued", lane.queued);
                }
            }
            (Step::Close { micros }, _) => {
                closed = true;
                ended = true;
                closing.push(pool.close(Duration::from_micros((*micros).into())));
            }
            (Step::ShutDown, _) => {
                closed = true;
                ended = true;
                pool.shutdown_now();
            }
            _ => {}
        }
    }
    for task in &tasks {
        task.open.cancel();
    }
    drop(closing);
    let report = pool.blocking_close(FOREVER);
    assert!(report.is_clean(), "{report}");
    for task in &mut tasks {
        if let Some(handle) = task.handle.take() {
            // At most the timer is still on its way to tell it.
            assert_eq!(handle.status(), Status::Finished, "the pool has ended");
            task.result = Some(handle.join());
        }
    }
    // The timer may be about to drop what it has settled, and to count it.
    eventually("all of it is dropped", || {
        tasks
            .iter()
            .all(|task| task.effects.dropped.load(Ordering::SeqCst) > 0)
    });
    eventually("all of it is counted", || {
        pool.stats().outcomes().settled() >= tasks.len() as u64
    });
    for (number, task) in tasks.iter().enumerate() {
        check(number, task, ended);
    }
    assert!(limits.lanes[1].most() <= program.max_running);
    let outcomes = pool.stats().outcomes();
    assert_eq!(outcomes.settled(), tasks.len() as u64, "{outcomes:?}");
    assert_eq!(outcomes.rejected, shed);
    assert_eq!(outcomes.lost, 0);
    // Where all handles were kept, every single count is known.
    if tasks.iter().all(|task| task.result.is_some()) {
        let count = |is: fn(&Result<usize, JoinError>) -> bool| {
            tasks
                .iter()
                .filter(|task| task.result.as_ref().is_some_and(is))
                .count() as u64
        };
        let error = |is: fn(&JoinError) -> bool| {
            tasks
                .iter()
                .filter(|task| matches!(&task.result, Some(Err(error)) if is(error)))
                .count() as u64
        };
        assert_eq!(outcomes.completed, count(Result::is_ok));
        assert_eq!(outcomes.panicked, error(JoinError::is_panic));
        assert_eq!(outcomes.aborted, error(JoinError::is_aborted));
        assert_eq!(
            outcomes.queue_timed_out,
            error(JoinError::is_queue_timed_out)
        );
        assert_eq!(outcomes.timed_out, error(JoinError::is_timed_out));
        assert_eq!(outcomes.cancelled, error(JoinError::is_cancelled));
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn every_accepted_task_settles_once_and_as_what_was_done_to_it_allows(program in program()) {
        watched(move || run(&program));
    }
}
