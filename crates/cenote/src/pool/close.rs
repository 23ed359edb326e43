//! The end of a pool: `close` with a time limit and a report, `shutdown_now`.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sync::Mutex;

use super::handle::Pool;
use super::shared::Shared;
use crate::engine::bell::Listener;
use crate::engine::life::Phase;
use crate::integrations::tracing::event;
use crate::task::blocking::{self, Awaited};
use crate::task::outcome::Outcome;
use crate::timer::{self, TimerKey};
use crate::worker;

/// What was left when [`close`](crate::Pool::close) returned. All zero: everything was done, and
/// every thread has ended, also the system's: the destructors of its thread-locals have run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::new()?;
/// let report = pool.blocking_close(Duration::from_secs(5));
/// assert!(report.is_clean());
/// # Ok::<(), cenote::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Tasks that had not started at the limit. They were cancelled.
    pub queued: usize,
    /// Tasks that were running at the limit. Closures were asked to stop, and go on until they
    /// return; futures were dropped.
    pub running: usize,
    /// Background futures that had not finished at the limit. They were dropped.
    pub background: usize,
    /// Threads of the workers' runtimes for blocking calls, as those of
    /// `tokio::task::spawn_blocking` in a future. Nobody can end such a call; it goes on by itself.
    /// One whose worker has not ended may be idle.
    pub blocking: usize,
    /// Threads that had not ended. Those that run no closure end at once after the report.
    pub threads: usize,
}

impl CloseReport {
    /// Nothing was left.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let hangs = pool.try_spawn(move || gone.recv().is_ok())?;
    /// let report = pool.blocking_close(Duration::from_millis(5));
    /// assert!(!report.is_clean());
    /// assert_eq!(report.threads, 1);
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_clean(&self) -> bool {
        *self == CloseReport::default()
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing was left");
        }
        write!(
            f,
            "left at the limit: {} queued, {} running, {} in the background, on {} threads",
            self.queued, self.running, self.background, self.threads
        )?;
        if self.blocking > 0 {
            write!(f, "; {} threads for blocking calls", self.blocking)?;
        }
        Ok(())
    }
}

impl Pool {
    /// Ends the pool in order: refuses new tasks from now on, then waits until every accepted task
    /// and every background future is done and the threads have ended, for at most `limit`. At the
    /// limit it does what [`shutdown_now`](Self::shutdown_now) does, and reports what was left.
    ///
    /// Called more than once, the shortest limit counts. On a worker of the pool itself, the task
    /// that calls is not waited for. Dropping the future does not stop the end.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| "finished")?;
    /// let report = pool.close(Duration::from_secs(10)).await;
    /// assert!(report.is_clean(), "{report}");
    /// assert_eq!(handle.await?, "finished");
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self, limit: Duration) -> impl Future<Output = CloseReport> + use<> {
        let shared = Arc::clone(self.shared());
        // At once, not with the first poll: what is spawned after this call is refused.
        let limit = begin(&shared, limit);
        async move {
            let closer = Closer::new(&shared);
            loop {
                let changed = shared.engine.drained.listen();
                if is_drained(&shared, closer.is_some()) {
                    limit.forget();
                    return CloseReport::default();
                }
                if let Some(left) = *limit.left.lock() {
                    return left;
                }
                changed.await;
            }
        }
    }

    /// [`close`](Self::close) that blocks. On a worker of the pool itself it runs what is queued
    /// meanwhile, and turns the worker's futures, unless it is called from one of these.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn(|| "finished")?;
    /// assert!(pool.blocking_close(Duration::from_secs(10)).is_clean());
    /// assert_eq!(handle.join()?, "finished");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_close(&self, limit: Duration) -> CloseReport {
        let shared = self.shared();
        let limit = begin(shared, limit);
        let own = worker::worker_of(shared);
        // This very thread is in a task, which cannot end before this returns.
        let _drained = own.as_ref().map(|_| Drained::new(shared));
        loop {
            if let Some(worker) = &own {
                worker.work_off();
            }
            let mut changed = shared.engine.drained.listen();
            if is_drained(shared, own.is_some())
                && own.as_ref().is_none_or(|worker| worker.is_alone())
            {
                limit.forget();
                return CloseReport::default();
            }
            if let Some(left) = *limit.left.lock() {
                return left;
            }
            // A worker's own futures tell nobody when they are done: it looks.
            let look = own.as_ref().map(|_| Instant::now() + LOOK);
            let until = [limit.at, look].into_iter().flatten().min();
            let told = blocking::wait(shared.config.max_spin, until, &mut changed);
            if !told && limit.at.is_some_and(|limit| Instant::now() >= limit) {
                limit.reached(shared);
            }
        }
    }

    /// Ends the pool at once: refuses new tasks, cancels what is queued, drops the futures, and
    /// asks the closures that run to stop through their [`token`](crate::token). Returns how many
    /// queued tasks it cancelled; their handles say so. Does not wait; [`close`](Self::close) does,
    /// afterwards too.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let (began, begun) = std::sync::mpsc::channel();
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || {
    ///     began.send(()).unwrap();
    ///     gone.recv().is_ok()
    /// })?;
    /// begun.recv()?;
    /// let queued = pool.try_spawn(|| ())?;
    /// assert_eq!(pool.shutdown_now(), 1);
    /// assert!(queued.join().unwrap_err().is_cancelled());
    /// go.send(())?;
    /// assert!(busy.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_now(&self) -> usize {
        shut_down(self.shared())
    }

    /// Whether the pool is closed, every task is settled, and every thread has ended: all that
    /// [`close`](Self::close) waits for. Does not wait. In a fork of the process there are no
    /// threads, so a closed pool has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let (began, begun) = std::sync::mpsc::channel();
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || {
    ///     began.send(()).unwrap();
    ///     gone.recv().is_ok()
    /// })?;
    /// begun.recv()?;
    /// pool.shutdown_now();
    /// assert!(pool.is_closed() && !pool.has_ended());
    /// go.send(())?;
    /// pool.blocking_close(Duration::from_secs(10));
    /// assert!(pool.has_ended());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has_ended(&self) -> bool {
        self.is_closed() && is_drained(self.shared(), false)
    }
}

/// How often a worker that blocks for the end looks after its own futures.
const LOOK: Duration = Duration::from_millis(1);

/// The limit of one call, and what was left when it came.
struct Limit {
    at: Option<Instant>,
    left: Mutex<Option<CloseReport>>,
    timer: Mutex<Option<TimerKey>>,
}

impl Limit {
    /// The end came before it.
    fn forget(&self) {
        if let Some(timer) = self.timer.lock().take() {
            timer::cancel(timer);
        }
    }

    /// Ends the pool, unless that was done for this limit before.
    fn reached(&self, shared: &Arc<Shared>) {
        let mut left = self.left.lock();
        if left.is_none() {
            let report = left_now(shared);
            *left = Some(report);
            drop(left);
            #[cfg(feature = "tracing")]
            if !report.is_clean() {
                let CloseReport {
                    queued,
                    running,
                    background,
                    blocking,
                    threads,
                } = report;
                event!(
                    WARN,
                    queued,
                    running,
                    background,
                    blocking,
                    threads,
                    "pool not done at its limit"
                );
            }
            shut_down(shared);
            shared.engine.drained.tell_all();
        }
    }
}

fn left_now(shared: &Shared) -> CloseReport {
    let mut report = CloseReport {
        queued: shared
            .engine
            .dispatch
            .lanes()
            .map(|lane| shared.engine.dispatch.len_of(lane))
            .sum(),
        threads: shared.engine.life.counts().all() + shared.threads.leaving(),
        blocking: shared.threads.blocking(),
        ..CloseReport::default()
    };
    for slot in shared.slots() {
        let locals: u32 = slot
            .locals
            .iter()
            .map(|lane| lane.load(Ordering::Relaxed))
            .sum();
        report.running += locals as usize + usize::from(slot.lane.load(Ordering::Relaxed) > 0);
        report.background += slot.background.load(Ordering::Relaxed);
    }
    report
}

fn shut_down(shared: &Arc<Shared>) -> usize {
    shared.engine.close_gates();
    let cancelled = shared.engine.settle_queued(Outcome::Cancelled);
    shared.enter(Phase::ShutDown);
    event!(DEBUG, cancelled, "pool shut down");
    cancelled
}

/// Refuses new tasks, and sees to the limit whoever waits.
fn begin(shared: &Arc<Shared>, limit: Duration) -> Arc<Limit> {
    event!(DEBUG, "pool closes");
    shared.enter(Phase::Closing);
    let limit = Arc::new(Limit {
        at: Instant::now().checked_add(limit),
        left: Mutex::new(None),
        timer: Mutex::new(None),
    });
    if let Some(at) = limit.at {
        let (late, of) = (Arc::downgrade(shared), Arc::clone(&limit));
        let reached = move || {
            if let Some(shared) = late.upgrade() {
                of.reached(&shared);
            }
        };
        // Without a timer a blocking close keeps to its limit by itself, and an async one waits for
        // the work.
        // What it cancels and tells is the user's code.
        let reached = move || timer::elsewhere(Box::new(reached));
        *limit.timer.lock() = timer::schedule(at, Box::new(reached)).ok();
    }
    limit
}

impl Awaited for Listener<'_> {
    fn is_ready(&self) -> bool {
        self.was_told()
    }

    fn register(&mut self, waker: &Waker) -> bool {
        self.wait_with(waker)
    }
}

/// Nobody is left; for one who waits on a worker, but workers whose tasks wait for the end
/// themselves.
fn is_drained(shared: &Shared, inside: bool) -> bool {
    // In a forked child the threads are in the parent.
    if shared.is_forked() {
        return true;
    }
    let expected = if inside {
        shared.engine.drained_workers.load(Ordering::Acquire)
    } else {
        0
    };
    // In this order: a thread counts as leaving before it is taken off the counts.
    shared.engine.queued() == 0
        && shared.engine.life.counts().all() <= expected
        && shared.threads.leaving() == 0
        // A worker that is waited for on itself keeps its runtime.
        && (inside || shared.threads.blocking() == 0)
}

/// While it exists, a worker counts as one that has nothing left but to wait for the end.
struct Drained<'a>(&'a Shared);

impl<'a> Drained<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.engine.drained_workers.fetch_add(1, Ordering::AcqRel);
        shared.engine.drained.tell_all();
        Drained(shared)
    }
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        self.0.engine.drained_workers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A task on a worker of the pool that waits for the pool's end.
struct Closer {
    shared: Arc<Shared>,
    worker: usize,
}

impl Closer {
    fn new(shared: &Arc<Shared>) -> Option<Self> {
        let worker = worker::worker_of(shared)?.index();
        let seat = shared.engine.seat(worker);
        seat.closers.fetch_add(1, Ordering::Relaxed);
        Some(Closer {
            shared: Arc::clone(shared),
            worker,
        })
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        let seat = self.shared.engine.seat(self.worker);
        seat.closers.fetch_sub(1, Ordering::Relaxed);
        // The task goes on, so the worker has something left again.
        if seat.is_drained.swap(false, Ordering::Relaxed) {
            self.shared
                .engine
                .drained_workers
                .fetch_sub(1, Ordering::AcqRel);
        }
    }
}
