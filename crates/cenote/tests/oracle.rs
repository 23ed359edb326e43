//! Random programs on a pool, compared with a naive model of it: a list of what was spawned and what was done to it.
//!
//! - Every accepted task settles exactly once, in a way that what was done to it allows: seen by its handle, by its
//!   captures, by its body, and by the pool's counts.
//! - On one worker the order is that of the bands, and of submission within each.
//! - What is accepted is what there is room for; no limit is ever exceeded.
//!
//! It tries some hundred programs, or thirty times as many with `CENOTE_LONG=1`.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::cell::Cell;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cenote::{JoinError, JoinHandle, LaneConfig, Pool, Priority, SpawnError, Status};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use support::{FOREVER, Peak, eventually, hold, watched};

fn config(cases: u32) -> ProptestConfig {
    let long = std::env::var("CENOTE_LONG").is_ok_and(|value| value == "1");
    ProptestConfig {
        cases: if long { 30 * cases } else { cases },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn band() -> impl Strategy<Value = Priority> {
    prop_oneof![
        Just(Priority::High),
        Just(Priority::Normal),
        Just(Priority::Low)
    ]
}

/// What a task does.
#[derive(Clone, Copy, Debug)]
enum Body {
    Returns,
    Panics,
    /// Until somebody opens it, or asks it to stop.
    Waits,
    /// A future that waits so often.
    Future(u8),
    FuturePanics,
    FutureWaits,
}

impl Body {
    fn is_future(self) -> bool {
        matches!(
            self,
            Body::Future(_) | Body::FuturePanics | Body::FutureWaits
        )
    }

    fn panics(self) -> bool {
        matches!(self, Body::Panics | Body::FuturePanics)
    }
}

#[derive(Clone, Debug)]
struct Spec {
    body: Body,
    lane: usize,
    priority: Priority,
    queue_timeout: Option<u16>,
    timeout: Option<u16>,
}

#[derive(Clone, Debug)]
enum Step {
    Spawn(Spec),
    Abort(usize),
    Cancel(usize),
    Open(usize),
    Join(usize),
    Drop(usize),
    Look,
    Close { micros: u16 },
    ShutDown,
}

#[derive(Clone, Debug)]
struct Program {
    threads: usize,
    concurrency: usize,
    queue_limit: usize,
    max_running: usize,
    spins: bool,
    steps: Vec<Step>,
}

fn spec() -> impl Strategy<Value = Spec> {
    let body = prop_oneof![
        4 => Just(Body::Returns),
        1 => Just(Body::Panics),
        1 => Just(Body::Waits),
        3 => (0..4_u8).prop_map(Body::Future),
        1 => Just(Body::FuturePanics),
        1 => Just(Body::FutureWaits),
    ];
    let micros = || prop::option::weighted(0.15, 0..1_000_u16);
    (body, 0..2_usize, band(), micros(), micros()).prop_map(
        |(body, lane, priority, queue_timeout, timeout)| Spec {
            body,
            lane,
            priority,
            queue_timeout,
            timeout,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..64_usize;
    prop_oneof![
        24 => spec().prop_map(Step::Spawn),
        4 => task.clone().prop_map(Step::Abort),
        3 => task.clone().prop_map(Step::Cancel),
        6 => task.clone().prop_map(Step::Open),
        6 => task.clone().prop_map(Step::Join),
        3 => task.prop_map(Step::Drop),
        4 => Just(Step::Look),
        1 => (0..2_000_u16).prop_map(|micros| Step::Close { micros }),
        1 => Just(Step::ShutDown),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    let steps = prop::collection::vec(step(), 1..60);
    (
        1..4_usize,
        1..3_usize,
        1..12_usize,
        1..3_usize,
        any::<bool>(),
        steps,
    )
        .prop_map(
            |(threads, concurrency, queue_limit, max_running, spins, steps)| Program {
                threads,
                concurrency,
                queue_limit,
                max_running,
                spins,
                steps,
            },
        )
}

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

const LANES: [&str; 2] = ["main", "narrow"];

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
    let mut task = lane.task().priority(spec.priority).cancel_on(token.clone());
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
        Err(error) if error.is_expired() => {
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
                        // What expires before it is refused cannot be given back.
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
        assert_eq!(outcomes.expired, error(JoinError::is_expired));
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

/// A task for the order: its lane, its band, whether it is a future, and whether it is aborted while it is queued.
type Ordered = (usize, Priority, bool, bool);

fn ordered() -> impl Strategy<Value = Vec<Ordered>> {
    prop::collection::vec(
        (0..2_usize, band(), any::<bool>(), prop::bool::weighted(0.2)),
        0..80,
    )
}

/// Submits all of them while the one worker is held, and returns the order in which each lane's ran.
fn run_in_order(tasks: &[Ordered], aging: Duration) -> [Vec<usize>; 2] {
    let pool = Pool::builder()
        .threads(1)
        .aging(aging)
        .lane("narrow", LaneConfig::new().max_running(1))
        .build()
        .unwrap();
    let lanes = LANES.map(|name| pool.lane(name).unwrap());
    let order: Arc<[Mutex<Vec<usize>>; 2]> = Arc::default();
    let held = hold(&pool, 1);
    let handles: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(number, &(lane, priority, future, _))| {
            let order = Arc::clone(&order);
            let ran = move || order[lane].lock().unwrap().push(number);
            let task = lanes[lane].task().priority(priority);
            if future {
                task.try_spawn_local(move || {
                    ran();
                    async {}
                })
                .unwrap()
            } else {
                task.try_spawn(ran).unwrap()
            }
        })
        .collect();
    for (handle, &(.., aborted)) in handles.iter().zip(tasks) {
        if aborted {
            assert!(handle.abort());
        }
    }
    held.release();
    assert!(pool.blocking_close(FOREVER).is_clean());
    [0, 1].map(|lane| std::mem::take(&mut *order[lane].lock().unwrap()))
}

/// The naive way to say what is next.
fn expected(tasks: &[Ordered], lane: usize, by_band: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tasks.len())
        .filter(|&number| tasks[number].0 == lane && !tasks[number].3)
        .collect();
    if by_band {
        // Stable.
        order.sort_by_key(|&number| tasks[number].1);
    }
    order
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn one_worker_runs_each_lane_by_band_and_each_band_in_order(tasks in ordered()) {
        let order = run_in_order(&tasks, FOREVER);
        for lane in [0, 1] {
            prop_assert_eq!(&order[lane], &expected(&tasks, lane, true));
        }
    }

    #[test]
    fn without_aging_one_worker_runs_each_lane_in_order(tasks in ordered()) {
        let order = run_in_order(&tasks, Duration::ZERO);
        for lane in [0, 1] {
            prop_assert_eq!(&order[lane], &expected(&tasks, lane, false));
        }
    }

    #[test]
    fn a_held_pool_accepts_what_there_is_room_for(
        limits in (1..20_usize, 1..20_usize),
        tasks in prop::collection::vec((0..2_usize, any::<bool>()), 0..60),
    ) {
        let pool = Pool::builder()
            .threads(1)
            .queue_limit(limits.0)
            .lane("narrow", LaneConfig::new().queue_limit(limits.1))
            .build()
            .unwrap();
        let limits = [limits.0, limits.1];
        let held = hold(&pool, 1);
        let mut queued = [0; 2];
        for &(lane, future) in &tasks {
            let on = pool.lane(LANES[lane]).unwrap();
            let accepted = if future {
                on.try_spawn_local(|| async {}).map(JoinHandle::detach).is_ok()
            } else {
                on.try_spawn(|| ()).map(JoinHandle::detach).is_ok()
            };
            prop_assert_eq!(accepted, queued[lane] < limits[lane]);
            queued[lane] += usize::from(accepted);
            prop_assert_eq!(on.stats().queued, queued[lane]);
        }
        held.release();
        prop_assert!(pool.blocking_close(FOREVER).is_clean());
        prop_assert_eq!(pool.stats().outcomes().completed as usize, queued[0] + queued[1] + 1);
    }
}
