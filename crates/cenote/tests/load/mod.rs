//! Random load on a pool from several threads, and a watchdog for wakes that are lost.
//!
//! The threads go in rounds. In a quiet round each submits a few tasks and waits for them, and
//! nobody submits more before all have: a task whose wake is lost is then found by nobody, all
//! threads stand still, and the watchdog ends the process with the pool's figures. In other rounds
//! one of them submits one task after the other, each as soon as the one before has settled, or a
//! moment later, so that it meets its worker at each step on its way to sleep. In a loud round they
//! submit as fast as they can.
//!
//! Every accepted task has a [`Tracked`] value among its captures. In the end as many of them were
//! dropped as tasks were accepted, each handle that was kept has settled once, and the pool's
//! counts say the same.

mod random;
mod shape;
mod task;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use cenote::{JoinError, JoinHandle, Lane, LaneConfig, Pool, SpawnError};

use random::{Random, busy};
pub(crate) use shape::{Shape, shapes};
use task::submit;

/// Nothing takes so long but a wake that was lost.
const NO_PROGRESS: Duration = Duration::from_secs(20);
const SUBMITTERS: usize = 3;

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
    pool: Pool,
    lanes: [Lane; 3],
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

/// Ends the process if its thread panics: the others would wait for it for ever.
struct Whole;

impl Drop for Whole {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
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
        .worker_state(|_| Ok::<_, std::io::Error>(0_u64))
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
    error.is_aborted() || error.is_queue_timed_out() || error.is_timed_out() || error.is_cancelled()
}
