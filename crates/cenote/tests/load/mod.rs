//! Random load on a pool from several threads, and a watchdog for wakes that are lost.
//!
//! The threads go in rounds. In a quiet round each submits a few tasks and waits for them, and nobody submits more before
//! all have: a task whose wake is lost is then found by nobody, all threads stand still, and the watchdog ends the
//! process with the pool's figures. In other rounds one of them submits one task after the other, each as soon as the one
//! before has settled, or a moment later, so that it meets its worker at each step on its way to sleep. In a loud round they submit as fast as they can.
//!
//! Every accepted task has a [`Tracked`] value among its captures. In the end as many of them were dropped as tasks were
//! accepted, each handle that was kept has settled once, and the pool's counts say the same.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use cenote::{JoinError, JoinHandle, Lane, LaneConfig, Pool, Priority, SpawnError};
use tokio_util::sync::CancellationToken;

/// Nothing takes so long but a wake that was lost.
const NO_PROGRESS: Duration = Duration::from_secs(20);
const SUBMITTERS: usize = 3;

/// What the pool under load is like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) threads: std::ops::RangeInclusive<usize>,
    pub(crate) max_spin: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) grow_after: Duration,
    pub(crate) concurrency: usize,
    pub(crate) queue_limit: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            threads: 2..=2,
            max_spin: Duration::from_micros(20),
            idle_timeout: Duration::from_secs(10),
            grow_after: Duration::from_millis(5),
            concurrency: 64,
            queue_limit: 64,
        }
    }
}

/// The shapes that every run tries, by name.
pub(crate) fn shapes() -> Vec<(&'static str, Shape)> {
    vec![
        ("default", Shape::default()),
        (
            "no spin",
            Shape {
                max_spin: Duration::ZERO,
                ..Shape::default()
            },
        ),
        (
            "grows and retires",
            Shape {
                threads: 1..=4,
                max_spin: Duration::ZERO,
                idle_timeout: Duration::from_micros(200),
                grow_after: Duration::from_micros(100),
                ..Shape::default()
            },
        ),
        (
            "narrow",
            Shape {
                threads: 3..=3,
                concurrency: 1,
                queue_limit: 2,
                ..Shape::default()
            },
        ),
        (
            "one worker",
            Shape {
                threads: 1..=1,
                ..Shape::default()
            },
        ),
        (
            "many threads",
            Shape {
                threads: 12..=12,
                max_spin: Duration::from_micros(5),
                ..Shape::default()
            },
        ),
    ]
}

/// How many seconds all shapes together are to take.
pub(crate) fn seconds(default: f64) -> f64 {
    match std::env::var("CENOTE_STRESS_SECONDS") {
        Ok(text) => text
            .parse()
            .expect("CENOTE_STRESS_SECONDS is a number of seconds"),
        Err(_) => default,
    }
}

/// What the threads share.
struct Run {
    pool: Pool<u64>,
    lanes: [Lane<u64>; 3],
    accepted: AtomicU64,
    dropped: Arc<AtomicU64>,
    bodies: Arc<AtomicU64>,
    settled: AtomicU64,
    progress: Arc<AtomicU64>,
    over: AtomicBool,
}

/// Counts its drop.
struct Tracked(Arc<AtomicU64>);

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A small generator of numbers, the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // A xorshift needs bits to begin with, and cannot get out of zero.
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Ends the process if its thread panics: the others would wait for it for ever.
struct Whole;

impl Drop for Whole {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

fn busy(times: u64) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
}

/// Puts a pool of that shape under load for `time`, and checks that nothing was lost.
pub(crate) fn stress(name: &str, shape: &Shape, time: Duration, seed: u64) {
    let narrow = LaneConfig::new()
        .max_running(1)
        .queue_limit(shape.queue_limit.min(2));
    let pool = Pool::builder()
        .threads(shape.threads.clone())
        .max_spin(shape.max_spin)
        .idle_timeout(shape.idle_timeout)
        .grow_after(shape.grow_after)
        .concurrency(shape.concurrency)
        .queue_limit(shape.queue_limit)
        .aging(Duration::from_millis(2))
        .lane("narrow", narrow)
        .lane("wide", LaneConfig::new().max_running(2))
        .worker_state(|_| Ok::<_, std::io::Error>(0))
        .build()
        .unwrap();
    let lanes = ["main", "narrow", "wide"].map(|name| pool.lane(name).unwrap());
    let run = Arc::new(Run {
        pool,
        lanes,
        accepted: AtomicU64::new(0),
        dropped: Arc::default(),
        bodies: Arc::default(),
        settled: AtomicU64::new(0),
        progress: Arc::default(),
        over: AtomicBool::new(false),
    });
    let watchdog = watch(name, &run);
    let barrier = Barrier::new(SUBMITTERS);
    let until = Instant::now() + time;
    let last_round = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut submitters = Vec::new();
        for submitter in 0..SUBMITTERS as u64 {
            let (run, barrier, last_round) = (&run, &barrier, &last_round);
            submitters.push(scope.spawn(move || {
                let _whole = Whole;
                let mut random = Random::new(seed.wrapping_add(submitter));
                // The same for all, so that they choose the same kind of round.
                let mut rounds = Random::new(!seed);
                while !last_round.load(Ordering::Relaxed) {
                    match rounds.below(8) {
                        0 => round(run, &mut random, 60),
                        1..4 => {
                            let tasks = 1 + random.below(3);
                            round(run, &mut random, tasks);
                        }
                        _ if rounds.below(SUBMITTERS as u64) == submitter => {
                            alone(run, &mut random)
                        }
                        _ => {}
                    }
                    if random.one_in(3) {
                        // Workers fall asleep in between, more or less deeply.
                        thread::sleep(Duration::from_micros(random.below(300)));
                    }
                    if barrier.wait().is_leader() && Instant::now() >= until {
                        last_round.store(true, Ordering::Relaxed);
                    }
                    barrier.wait();
                }
            }));
        }
        // ThreadSanitizer understands this, but not how a scope ends.
        for submitter in submitters {
            submitter.join().unwrap();
        }
    });
    let report = run.pool.blocking_close(NO_PROGRESS);
    assert!(
        report.is_clean(),
        "{name}: {report}\n{:#?}",
        run.pool.stats()
    );
    run.over.store(true, Ordering::Relaxed);
    watchdog.thread().unpark();
    watchdog.join().unwrap();
    let accepted = run.accepted.load(Ordering::Relaxed);
    assert!(accepted > 0);
    assert_eq!(
        run.dropped.load(Ordering::Relaxed),
        accepted,
        "{name}: captures"
    );
    let outcomes = run.pool.stats().outcomes();
    assert_eq!(outcomes.settled(), accepted, "{name}: {outcomes:?}");
    assert!(run.bodies.load(Ordering::Relaxed) >= outcomes.completed);
    println!(
        "{name}: {accepted} tasks, of which {} completed; {} rounds' waits",
        outcomes.completed,
        run.settled.load(Ordering::Relaxed)
    );
}

/// Ends the process with the pool's figures when nothing goes on for [`NO_PROGRESS`].
fn watch(name: &str, run: &Arc<Run>) -> thread::JoinHandle<()> {
    let (name, run) = (name.to_owned(), Arc::clone(run));
    thread::spawn(move || {
        let mut seen = (0, Instant::now());
        while !run.over.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(200));
            let now = run.progress.load(Ordering::Relaxed);
            if now != seen.0 {
                seen = (now, Instant::now());
            } else if seen.1.elapsed() > NO_PROGRESS {
                eprintln!("{name}: no progress for {NO_PROGRESS:?}, a wake was lost");
                eprintln!("{:#?}\n{:#?}", run.pool, run.pool.stats());
                std::process::abort();
            }
        }
    })
}

/// Submits some tasks, and waits for those whose handles it keeps.
fn round(run: &Arc<Run>, random: &mut Random, tasks: u64) {
    let mut handles = Vec::new();
    for _ in 0..tasks {
        if let Some(handle) = submit(run, random) {
            if random.one_in(8) {
                handle.abort();
            }
            match random.below(8) {
                0 => handle.detach(),
                _ => handles.push(handle),
            }
        }
        run.progress.fetch_add(1, Ordering::Relaxed);
    }
    while let Some(handle) = take(&mut handles, random) {
        settle(handle, random);
        run.settled.fetch_add(1, Ordering::Relaxed);
        run.progress.fetch_add(1, Ordering::Relaxed);
    }
}

/// Submits one task after the other, while all others are quiet.
fn alone(run: &Run, random: &mut Random) {
    for _ in 0..100 {
        let lane = &run.lanes[random.below(3) as usize];
        let tracked = Tracked(Arc::clone(&run.dropped));
        let bodies = Arc::clone(&run.bodies);
        let body = move || {
            let _tracked = tracked;
            bodies.fetch_add(1, Ordering::Relaxed);
            7
        };
        let spawned = if random.one_in(4) {
            lane.blocking_spawn_local(|| async { body() })
                .map_err(SpawnError::without_work)
        } else {
            lane.blocking_spawn(body).map_err(SpawnError::without_work)
        };
        run.accepted.fetch_add(1, Ordering::Relaxed);
        assert_eq!(spawned.unwrap().join().unwrap(), 7);
        run.progress.fetch_add(1, Ordering::Relaxed);
        let gap = random.below(12);
        busy(random.below(1 << gap));
    }
}

fn take<T>(handles: &mut Vec<T>, random: &mut Random) -> Option<T> {
    if handles.is_empty() {
        return None;
    }
    Some(handles.swap_remove(random.below(handles.len() as u64) as usize))
}

/// Waits for the end of a task, in one way or another.
fn settle(mut handle: JoinHandle<u64>, random: &mut Random) {
    let result = match random.below(4) {
        0 => tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(handle),
        1 => loop {
            match handle.join_timeout(Duration::from_micros(random.below(100))) {
                Ok(result) => break result,
                Err(back) => handle = back,
            }
        },
        _ => handle.join(),
    };
    match result {
        Ok(value) => assert_eq!(value, 7),
        Err(error) => assert!(is_known(&error), "{error}"),
    }
}

fn is_known(error: &JoinError) -> bool {
    error.is_aborted() || error.is_expired() || error.is_timed_out() || error.is_cancelled()
}

/// Submits a random task. `None`: it was refused, and its closure is gone.
fn submit(run: &Arc<Run>, random: &mut Random) -> Option<JoinHandle<u64>> {
    let lane = &run.lanes[[0, 0, 1, 2][random.below(4) as usize]];
    let mut task = lane.task();
    task =
        task.priority([Priority::High, Priority::Normal, Priority::Low][random.below(3) as usize]);
    if random.one_in(8) {
        task = task.queue_timeout(Duration::from_micros(random.below(400)));
    }
    if random.one_in(8) {
        task = task.timeout(Duration::from_micros(random.below(2_000)));
    }
    let token = random.one_in(8).then(CancellationToken::new);
    if let Some(token) = &token {
        task = task.cancel_on(token.child_token());
    }
    let tracked = Tracked(Arc::clone(&run.dropped));
    let (bodies, progress) = (Arc::clone(&run.bodies), Arc::clone(&run.progress));
    let ran = move || {
        bodies.fetch_add(1, Ordering::Relaxed);
        progress.fetch_add(1, Ordering::Relaxed);
    };
    let times = if random.one_in(10) {
        20_000
    } else {
        random.below(200)
    };
    let blocks = random.one_in(2);
    let handle = match random.below(10) {
        0..5 => {
            let work = move || {
                let _tracked = tracked;
                ran();
                busy(times);
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
        5 => {
            let work = move |state: &mut u64| {
                let _tracked = tracked;
                ran();
                *state += 1;
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn_with(work)
                } else {
                    task.try_spawn_with(work)
                },
            )
        }
        6..8 => {
            let work = move || async move {
                let _tracked = tracked;
                ran();
                for _ in 0..times % 4 {
                    tokio::task::yield_now().await;
                }
                if times % 7 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn_local(work)
                } else {
                    task.try_spawn_local(work)
                },
            )
        }
        8 => {
            // Leaves something behind.
            let work = move || {
                ran();
                cenote::detach(async move {
                    let _tracked = tracked;
                    tokio::time::sleep(Duration::from_micros(times)).await;
                });
                7
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
        _ => {
            // Waits for another one from inside.
            let on = Arc::clone(run);
            let work = move || {
                let _tracked = tracked;
                ran();
                let inner = Tracked(Arc::clone(&on.dropped));
                let bodies = Arc::clone(&on.bodies);
                let nested = on.lanes[0].try_spawn(move || {
                    let _inner = inner;
                    bodies.fetch_add(1, Ordering::Relaxed);
                    busy(times);
                    7
                });
                let nested = accepted(&on, nested);
                nested.map_or(7, |nested| nested.join().unwrap())
            };
            accepted(
                run,
                if blocks {
                    task.blocking_spawn(work)
                } else {
                    task.try_spawn(work)
                },
            )
        }
    };
    if let Some(token) = token
        && random.one_in(2)
    {
        busy(random.below(500));
        token.cancel();
    }
    handle
}

/// Counts a task that was accepted.
fn accepted<T, F>(
    run: &Run,
    spawned: Result<JoinHandle<T>, SpawnError<F>>,
) -> Option<JoinHandle<T>> {
    match spawned {
        Ok(handle) => {
            run.accepted.fetch_add(1, Ordering::Relaxed);
            Some(handle)
        }
        Err(refused) => {
            // Closed only for tasks that spawn while the load is over.
            assert!(
                refused.is_full() || run.pool.is_closed(),
                "{}",
                refused.code()
            );
            // What it had captured was never accepted.
            drop(refused.into_inner());
            run.dropped.fetch_sub(1, Ordering::Relaxed);
            None
        }
    }
}
