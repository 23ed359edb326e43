//! Runs short jobs at given times: task timeouts, the growing of a pool.
//!
//! One thread, `cenote-timer`, serves the whole process. It starts with the first job and ends a
//! second after the last. A job runs once, not before its time, on that thread, so it must be short
//! and must not block: the next one waits for it. A panic in a job goes to the panic hook, as in
//! any thread, and no further. What may call the user's code goes on [`elsewhere()`]. Of [`cancel`]
//! and a job's start exactly one wins.
//!
//! Jobs are in a map ordered by time, so that cancelling removes them at once: timeouts are
//! nearly always cancelled, and nothing of them stays. Cancelling does not wake the thread; it
//! wakes at the time it was waiting for, finds nothing and sleeps on.
//!
//! After a fork the child has none of its parent's jobs, and starts its own thread when it needs
//! one.

mod elsewhere;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::os::per_process::PerProcess;
use crate::sync::{Condvar, Mutex};

pub(crate) use elsewhere::elsewhere;

/// What is run.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Names a scheduled job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    at: Instant,
    /// Never given twice, also not in a forked child.
    id: u64,
}

/// The timer's thread could not be started.
pub(crate) struct ScheduleError {
    /// Why.
    pub(crate) source: io::Error,
    /// The job, which was not scheduled.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the pool goes on without: see each caller")
    )]
    pub(crate) job: Job,
}

impl std::fmt::Debug for ScheduleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScheduleError")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Has `job` run at `at`, or soon if that is past.
///
/// # Errors
///
/// If the thread is not running and cannot be started. What was scheduled before stays so.
pub(crate) fn schedule(at: Instant, job: Job) -> Result<TimerKey, ScheduleError> {
    Timer::of_process().schedule(at, job)
}

/// Takes a job back; dropped here, it will not run. `false` if it has begun, or was cancelled.
pub(crate) fn cancel(key: TimerKey) -> bool {
    Timer::of_process().cancel(key)
}

thread_local! {
    static IS_TIMER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the timer's thread, which must not run what is not its own.
pub(crate) fn runs_here() -> bool {
    IS_TIMER.get()
}

/// How long the thread stays with nothing scheduled.
const LINGER: Duration = Duration::from_secs(1);

/// The timer of this process.
static TIMER: PerProcess<Arc<Timer>> = PerProcess::new();

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

struct Timer {
    linger: Duration,
    start_thread: fn(Arc<Timer>) -> io::Result<()>,
    state: Mutex<State>,
    /// Notified when the thread has to look again earlier than it meant to.
    earlier: Condvar,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<TimerKey, Job>,
    thread: Thread,
}

#[derive(Default)]
enum Thread {
    #[default]
    None,
    /// It will look at the jobs again without being notified.
    Awake,
    /// It sleeps until then.
    Asleep(Instant),
}

impl Timer {
    fn new(linger: Duration, start_thread: fn(Arc<Timer>) -> io::Result<()>) -> Arc<Timer> {
        Arc::new(Timer {
            linger,
            start_thread,
            state: Mutex::new(State::default()),
            earlier: Condvar::new(),
        })
    }

    fn of_process() -> &'static Arc<Timer> {
        TIMER.get_or_make(|| Timer::new(LINGER, start_thread))
    }

    fn schedule(self: &Arc<Self>, at: Instant, job: Job) -> Result<TimerKey, ScheduleError> {
        let key = TimerKey {
            at,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        };
        let mut state = self.state.lock();
        match state.thread {
            Thread::None => {
                // With the lock held, so that of two callers one starts it. It is held for as long
                // as that takes, and the thread's first act is to wait for it.
                if let Err(source) = (self.start_thread)(self.clone()) {
                    return Err(ScheduleError { source, job });
                }
                state.thread = Thread::Awake;
            }
            Thread::Awake => {}
            Thread::Asleep(until) => {
                if at < until {
                    state.thread = Thread::Awake;
                    self.earlier.notify_one();
                }
            }
        }
        state.jobs.insert(key, job);
        Ok(key)
    }

    fn cancel(&self, key: TimerKey) -> bool {
        // The lock is released before the job, which may hold anything, is dropped.
        let mut state = self.state.lock();
        let job = state.jobs.remove(&key);
        // A thread that sleeps for a job of next week, which is gone, has to begin its lingering.
        // Seldom: from then on it sleeps for that long only.
        if state.jobs.is_empty()
            && let Thread::Asleep(until) = state.thread
            && until.saturating_duration_since(Instant::now()) > self.linger
        {
            state.thread = Thread::Awake;
            self.earlier.notify_one();
        }
        drop(state);
        job.is_some()
    }

    /// The thread.
    fn run(&self) {
        let mut state = self.state.lock();
        let mut leave_at = None;
        loop {
            let now = Instant::now();
            if let Some(first) = state.jobs.first_entry()
                && first.key().at <= now
            {
                let job = first.remove();
                leave_at = None;
                drop(state);
                run_job(job);
                state = self.state.lock();
                continue;
            }
            let until = match state.jobs.first_key_value() {
                Some((key, _)) => {
                    leave_at = None;
                    key.at
                }
                None => {
                    let leave_at = *leave_at.get_or_insert(now + self.linger);
                    if leave_at <= now {
                        state.thread = Thread::None;
                        return;
                    }
                    leave_at
                }
            };
            state.thread = Thread::Asleep(until);
            state = self.earlier.wait_until(state, until);
            state.thread = Thread::Awake;
        }
    }
}

/// Runs a job; its panic ends here, after the panic hook has reported it.
fn run_job(job: Job) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
        // A payload may panic once more when it is dropped; that one's payload is left alone.
        if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(worse);
        }
    }
}

fn start_thread(timer: Arc<Timer>) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("cenote-timer".to_owned());
    let run = move || {
        IS_TIMER.set(true);
        timer.run();
    };
    thread.spawn(run).map(drop)
}

#[cfg(all(test, not(cenote_loom)))]
mod tests;
