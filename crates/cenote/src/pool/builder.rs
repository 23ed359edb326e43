//! The configuration of a pool: its options, their defaults and limits, and building it.

use std::fmt;
use std::ops::{RangeInclusive, RangeTo, RangeToInclusive};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::config::{BoxError, Config, Hook, Init, NameFn};
use super::error::{BuildCause, BuildError};
use super::handle::Pool;
use super::shared::Shared;
use crate::clock;
use crate::engine::queue::lane::LaneQueue;
use crate::os::fork;
use crate::task::home::{self, Home};
use crate::worker::WorkerInfo;
use crate::worker::state::WorkerState;

/// The name of the pool's own lane.
const MAIN: &str = "main";
/// The most threads of one pool.
const MOST_THREADS: usize = 4096;
/// The most lanes of one pool.
const MOST_LANES: usize = 1024;

/// How many threads: the least and the most. Made from a number or from a range that includes its
/// end.
///
/// # Examples
///
/// ```
/// use cenote::Threads;
///
/// assert_eq!(Threads::from(4), Threads::from(4..=4));
/// assert_eq!(Threads::from(..=4), Threads::from(1..=4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    min: usize,
    max: usize,
}

impl From<usize> for Threads {
    fn from(threads: usize) -> Self {
        Threads {
            min: threads,
            max: threads,
        }
    }
}

impl From<RangeInclusive<usize>> for Threads {
    fn from(range: RangeInclusive<usize>) -> Self {
        Threads {
            min: *range.start(),
            max: *range.end(),
        }
    }
}

impl From<RangeToInclusive<usize>> for Threads {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Threads {
            min: 1,
            max: range.end,
        }
    }
}

impl From<RangeTo<usize>> for Threads {
    fn from(range: RangeTo<usize>) -> Self {
        Threads {
            min: 1,
            max: range.end.saturating_sub(1),
        }
    }
}

/// When a worker makes its tokio runtime.
///
/// # Examples
///
/// ```
/// use cenote::{Pool, RuntimeMode};
///
/// let pool = Pool::builder().threads(1).runtime(RuntimeMode::Always).build()?;
/// let handle = pool.blocking_run(|| tokio::task::spawn_local(async { 3 }).abort_handle())?;
/// handle.abort();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeMode {
    /// With the first future: a task of `spawn_local`, or
    /// [`spawn_background`](crate::spawn_background). Pools that run closures only never make one.
    /// Until then `tokio::task::spawn_local` and `tokio::time::sleep` panic in closures, as on any
    /// thread without a runtime.
    #[default]
    OnDemand,
    /// When the worker starts. Closures run in its context from the first one on.
    Always,
}

/// The limits of a lane.
///
/// # Examples
///
/// ```
/// let config = cenote::LaneConfig::new().max_running(2).queue_limit(500);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneConfig {
    max_running: Option<usize>,
    queue_limit: Option<usize>,
}

impl LaneConfig {
    /// No limit on running tasks, and the pool's `queue_limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// let config = cenote::LaneConfig::new();
    /// assert_eq!(config, cenote::LaneConfig::default());
    /// ```
    pub fn new() -> Self {
        LaneConfig::default()
    }

    /// How many of the lane's tasks may run at once, futures included. At least 1. Default: no
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{LaneConfig, Pool};
    ///
    /// let pool = Pool::builder()
    ///     .lane("reports", LaneConfig::new().max_running(1))
    ///     .build()?;
    /// assert_eq!(pool.lane("reports").unwrap().stats().max_running, Some(1));
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_running(mut self, tasks: usize) -> Self {
        self.max_running = Some(tasks);
        self
    }

    /// How many of the lane's tasks may wait. At least 1. Default: the pool's.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{LaneConfig, Pool};
    ///
    /// let pool = Pool::builder()
    ///     .lane("reports", LaneConfig::new().queue_limit(500))
    ///     .build()?;
    /// assert_eq!(pool.lane("reports").unwrap().stats().queue_limit, 500);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    #[must_use]
    pub fn queue_limit(mut self, tasks: usize) -> Self {
        self.queue_limit = Some(tasks);
        self
    }
}

/// Configures a pool. Made by [`Pool::builder`](crate::Pool::builder).
///
/// A value out of its range is an error of [`build`](Builder::build), with the code
/// `CENOTE_BAD_OPTION`. A time too long to be told as a moment, such as `Duration::MAX`, is no
/// limit, except for `max_spin`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cenote::LaneConfig;
///
/// let pool = cenote::Pool::builder()
///     .threads(2..=8)
///     .name("service")
///     .max_spin(Duration::from_micros(10))
///     .queue_limit(10_000)
///     .lane("database", LaneConfig::new().max_running(2))
///     .build()?;
/// # Ok::<(), cenote::BuildError>(())
/// ```
#[must_use = "a builder builds nothing until `build`"]
pub struct Builder {
    threads: Option<Threads>,
    name: Arc<NameFn>,
    stack_size: Option<usize>,
    on_start: Option<Arc<Hook>>,
    on_stop: Option<Arc<Hook>>,
    max_spin: Duration,
    spin_under_pressure: bool,
    turn_budget: Duration,
    queue_limit: usize,
    concurrency: usize,
    idle_timeout: Duration,
    grow_after: Duration,
    aging: Duration,
    runtime: RuntimeMode,
    lanes: Vec<(String, LaneConfig)>,
    init: Option<Arc<Init>>,
    init_retries: u32,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Builder {
            threads: None,
            name: Arc::new(|index| format!("cenote-{index}")),
            stack_size: None,
            on_start: None,
            on_stop: None,
            max_spin: Duration::from_micros(20),
            spin_under_pressure: false,
            turn_budget: Duration::from_millis(1),
            queue_limit: 65_536,
            concurrency: 64,
            idle_timeout: Duration::from_secs(10),
            grow_after: Duration::from_millis(5),
            aging: Duration::from_millis(50),
            runtime: RuntimeMode::OnDemand,
            lanes: Vec::new(),
            init: None,
            init_retries: 3,
        }
    }

    /// How many threads: a number, or `min..=max`. At least 1, at most 4,096. A pool starts with
    /// `min`; it grows while tasks wait and every worker has been in one closure for `grow_after`,
    /// and shrinks as threads are idle for `idle_timeout`. Default: as many as there are CPUs
    /// (`std::thread::available_parallelism`), fixed.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1..=8).build()?;
    /// pool.blocking_run(|| ())?;
    /// assert_eq!(pool.stats().peak, 1, "one was enough");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn threads(mut self, threads: impl Into<Threads>) -> Self {
        self.threads = Some(threads.into());
        self
    }

    /// Names the threads `name-0`, `name-1`, … Default: `cenote`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).name("images").build()?;
    /// let name = pool.blocking_run(|| std::thread::current().name().map(str::to_owned))?;
    /// assert_eq!(name.as_deref(), Some("images-0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.thread_name(move |index| format!("{name}-{index}"))
    }

    /// Names each thread by its worker's number, which `name` is handed. It is called by the thread
    /// that starts the worker's, and must not panic. A zero byte in the name makes the start of the
    /// thread panic.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .thread_name(|index| format!("gpu{index}"))
    ///     .build()?;
    /// assert_eq!(pool.blocking_run(cenote::current)?.unwrap().name, "gpu0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn thread_name(mut self, name: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        self.name = Arc::new(name);
        self
    }

    /// The stack of each thread, in bytes. Default: that of `std::thread`, 2 MiB.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).stack_size(8 * 1024 * 1024).build()?;
    /// let sum = pool.blocking_run(|| {
    ///     let large = [1_u8; 4 * 1024 * 1024];
    ///     std::hint::black_box(&large).iter().map(|&byte| u64::from(byte)).sum::<u64>()
    /// })?;
    /// assert_eq!(sum, 4 * 1024 * 1024);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Called on each worker's thread before anything else, also before its state is made. It must
    /// not panic.
    ///
    /// It is the place to pin the thread to a CPU or to change its priority: `pinned_workers` and
    /// `nice_workers` of the [examples](crate#examples) do so. Any thread may start a worker's,
    /// another worker of the pool too, and the new thread inherits what that one has. So set
    /// absolute values, and look up before the pool is built what they depend on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (started, starts) = std::sync::mpsc::channel();
    /// let pool = cenote::Pool::builder()
    ///     .threads(2)
    ///     .on_thread_start(move |worker| started.send(worker.index).unwrap())
    ///     .build()?;
    /// let mut indices: Vec<_> = starts.iter().take(2).collect();
    /// indices.sort_unstable();
    /// assert_eq!(indices, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn(&WorkerInfo) + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(hook));
        self
    }

    /// Called on each worker's thread as the last thing, after its state was dropped. It must not
    /// panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (stopped, stops) = std::sync::mpsc::channel();
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .on_thread_stop(move |worker| stopped.send(worker.name.clone()).unwrap())
    ///     .build()?;
    /// pool.blocking_close(Duration::from_secs(5));
    /// assert_eq!(stops.recv()?, "cenote-0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread_stop(mut self, hook: impl Fn(&WorkerInfo) + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(hook));
        self
    }

    /// How long a thread that waits, a worker or a caller in `join`, may look for what it waits for
    /// before it sleeps. The budget adapts below that. Zero never spins. More costs CPU and saves
    /// wake-ups. At most 1 s. Default: 20 µs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// // Costs no CPU while it waits, and a wake-up for each task.
    /// let pool = cenote::Pool::builder().max_spin(Duration::ZERO).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn max_spin(mut self, limit: Duration) -> Self {
        self.max_spin = limit;
        self
    }

    /// Whether workers spin as ever while CPU time is scarce: under a quota that holds the process
    /// up, or beside busy neighbours. Default: no, they spin then only while nearly all waits are
    /// short enough, so that spins cost less CPU time than the sleeps they save. Without an effect
    /// outside of Linux.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().spin_under_pressure(true).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn spin_under_pressure(mut self, spin: bool) -> Self {
        self.spin_under_pressure = spin;
        self
    }

    /// How long a stream of closures may hold up the futures on its worker: after that, between two
    /// closures, the worker turns its runtime. A single closure that takes longer holds them up for
    /// as long as it takes. Not zero.
    /// Default: 1 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// // A stream of closures holds timers up by less.
    /// let pool = cenote::Pool::builder().turn_budget(Duration::from_micros(200)).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn turn_budget(mut self, limit: Duration) -> Self {
        self.turn_budget = limit;
        self
    }

    /// How many tasks may wait in each lane, unless the lane says otherwise. At least 1.
    /// Default: 65,536.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let pool = cenote::Pool::builder().threads(1).queue_limit(1).build()?;
    /// let (began, begun) = mpsc::channel();
    /// let (go, gone) = mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || {
    ///     began.send(()).unwrap();
    ///     gone.recv().is_ok()
    /// })?;
    /// begun.recv()?;
    /// let waits = pool.try_spawn(|| ())?;
    /// assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_limit(mut self, tasks: usize) -> Self {
        self.queue_limit = tasks;
        self
    }

    /// How many futures of tasks each worker takes at once. At least 1. Default: 64.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(2).concurrency(1_000).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn concurrency(mut self, futures: usize) -> Self {
        self.concurrency = futures;
        self
    }

    /// How long a thread beyond the least may be idle before it ends. Default: 10 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = cenote::Pool::builder().threads(1..=8);
    /// let pool = builder.idle_timeout(Duration::from_secs(60)).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = time;
        self
    }

    /// How long a worker has to be in one closure to count as blocked. When all are, and tasks
    /// wait, the pool grows by one.
    /// Default: 5 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::builder()
    ///     .threads(1..=2)
    ///     .grow_after(Duration::from_millis(1))
    ///     .build()?;
    /// let (go, gone) = mpsc::channel::<()>();
    /// let blocked = pool.try_spawn(move || gone.recv().is_ok())?;
    /// assert_eq!(pool.blocking_run(|| "on a second thread")?, "on a second thread");
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grow_after(mut self, time: Duration) -> Self {
        self.grow_after = time;
        self
    }

    /// How much longer a task of a lower priority has to wait to go before one of the next higher.
    /// Default: 50 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// // Low-priority work may wait for long.
    /// let pool = cenote::Pool::builder().aging(Duration::from_secs(10)).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn aging(mut self, time: Duration) -> Self {
        self.aging = time;
        self
    }

    /// When workers make their tokio runtimes. Default: [`RuntimeMode::OnDemand`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{Pool, RuntimeMode};
    ///
    /// let pool = Pool::builder().runtime(RuntimeMode::Always).build()?;
    /// // A closure may leave something behind by tokio's own means, whatever ran before.
    /// pool.blocking_run(|| drop(tokio::task::spawn_local(async {})))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runtime(mut self, mode: RuntimeMode) -> Self {
        self.runtime = mode;
        self
    }

    /// Adds a lane. A name can be given once, and is not empty; `main` sets the limits of the
    /// pool's own. At most 1,024. A lane costs each worker that runs its tasks some memory for its
    /// figures.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{LaneConfig, Pool};
    ///
    /// let pool = Pool::builder()
    ///     .queue_limit(10_000)
    ///     .lane("main", LaneConfig::new().max_running(3))
    ///     .lane("reports", LaneConfig::new().max_running(1))
    ///     .build()?;
    /// assert!(pool.lane("reports").is_some());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn lane(mut self, name: impl Into<String>, config: LaneConfig) -> Self {
        self.lanes.push((name.into(), config));
        self
    }

    /// Gives each worker a state: made on its thread when that starts, lent to whatever runs there
    /// by [`with_state`](crate::with_state), dropped on the thread when it ends. So it need be
    /// neither `Send` nor `Sync`. Called again, it replaces the function.
    ///
    /// If `init` fails or panics it is tried again, [`init_retries`](Self::init_retries) times;
    /// [`build`](Self::build) fails when all the first workers do. A task that panics may leave the
    /// state half changed; the next one finds it so.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .worker_state(|_worker| Ok::<_, std::io::Error>(Vec::<u8>::with_capacity(1024)))
    ///     .build()?;
    /// let used = pool.try_spawn(|| {
    ///     cenote::with_state(|buffer: &mut Vec<u8>| {
    ///         buffer.extend_from_slice(b"page");
    ///         buffer.len()
    ///     })
    /// })?;
    /// assert_eq!(used.join()?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn worker_state<T, E>(
        mut self,
        init: impl Fn(&WorkerInfo) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: 'static,
        E: Into<BoxError>,
    {
        self.init = Some(Arc::new(move |info: &WorkerInfo| {
            init(info).map(WorkerState::new).map_err(Into::into)
        }));
        self
    }

    /// How often a worker tries again to make its state, with pauses of 10 ms, 20 ms, … up to 1 s.
    /// A worker that fails in all attempts ends; when none is left, the pool refuses tasks with
    /// `CENOTE_NO_WORKER`. Default: 3.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let attempts = AtomicUsize::new(0);
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .init_retries(1)
    ///     .worker_state(move |_| match attempts.fetch_add(1, Ordering::Relaxed) {
    ///         0 => Err("not up yet"),
    ///         _ => Ok(()),
    ///     })
    ///     .build()?;
    /// assert_eq!(pool.stats().init_failures, 1);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn init_retries(mut self, retries: u32) -> Self {
        self.init_retries = retries;
        self
    }

    /// Builds the pool and starts its first threads. With a `worker_state` it blocks until they
    /// have theirs.
    ///
    /// # Errors
    ///
    /// If an option is out of its range, if not one thread could be started, or if no worker could
    /// make its state. When only some of the threads can be started, the pool runs with those, and
    /// tries the others again when tasks wait; [`stats`](crate::Pool::stats) counts the failures.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = cenote::Pool::builder().threads(4..=2).build().unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_BAD_OPTION");
    /// ```
    pub fn build(self) -> Result<Pool, BuildError> {
        let threads = self.threads.unwrap_or_else(|| {
            Threads::from(std::thread::available_parallelism().map_or(1, usize::from))
        });
        self.check(threads)?;
        fork::install();
        clock::calibrate();
        let aging = clock::ticks(self.aging);
        let mut lanes = vec![(MAIN.to_owned(), LaneConfig::new())];
        for (name, config) in self.lanes {
            if name == MAIN {
                lanes[0].1 = config;
            } else {
                lanes.push((name, config));
            }
        }
        let queues = lanes
            .iter()
            .map(|(_, config)| {
                LaneQueue::new(
                    config.queue_limit.unwrap_or(self.queue_limit),
                    config.max_running.unwrap_or(usize::MAX),
                    aging,
                )
            })
            .collect();
        let waits_for_state = self.init.is_some();
        let config = Config {
            min_threads: threads.min,
            max_threads: threads.max,
            name: self.name,
            stack_size: self.stack_size,
            on_start: self.on_start,
            on_stop: self.on_stop,
            max_spin: self.max_spin,
            spin_under_pressure: self.spin_under_pressure,
            turn_budget_nanos: clock::nanos(self.turn_budget),
            concurrency: self.concurrency,
            idle_timeout: self.idle_timeout,
            grow_after: self.grow_after,
            eager_runtime: self.runtime == RuntimeMode::Always,
            init: self.init,
            init_retries: self.init_retries,
        };
        let names = lanes.into_iter().map(|(name, _)| name).collect();
        let shared = Arc::new(Shared::new(config, queues, names, fork::generation()));
        let home: Weak<dyn Home> = Arc::downgrade(&shared) as _;
        home::open(shared.id, home);
        let pool = Pool::from_shared(Arc::clone(&shared));
        // All places first: a worker that fails at once is not the last of the pool while others
        // are still to be started.
        let places: Vec<usize> = (0..threads.min)
            .filter_map(|_| shared.engine.life.reserve())
            .collect();
        let mut started = 0;
        let mut refused = None;
        for place in places {
            match shared.engine.start_reserved(place, &shared) {
                Ok(()) => started += 1,
                Err(error) => refused = Some(error),
            }
        }
        if let (0, Some(error)) = (started, refused) {
            return Err(BuildError(BuildCause::Thread(error)));
        }
        if waits_for_state {
            shared.engine.life.wait_until_started();
            if shared.engine.life.counts().all() == 0
                && let Some(failure) = shared.last_failure.lock().clone()
            {
                return Err(BuildError(BuildCause::Init(failure)));
            }
        }
        Ok(pool)
    }

    fn check(&self, threads: Threads) -> Result<(), BuildError> {
        let bad = |option, problem: String| Err(BuildError::bad_option(option, problem));
        if threads.min == 0 {
            return bad("threads", "must be at least 1".to_owned());
        }
        if threads.max < threads.min {
            return bad(
                "threads",
                format!(
                    "the minimum ({}) is above the maximum ({})",
                    threads.min, threads.max
                ),
            );
        }
        if threads.max > MOST_THREADS {
            return bad(
                "threads",
                format!("{} is above the limit of {MOST_THREADS}", threads.max),
            );
        }
        if self.concurrency == 0 {
            return bad("concurrency", "must be at least 1".to_owned());
        }
        if self.queue_limit == 0 {
            return bad("queue_limit", "must be at least 1".to_owned());
        }
        if self.turn_budget.is_zero() {
            return bad("turn_budget", "must be longer than zero".to_owned());
        }
        if self.max_spin > Duration::from_secs(1) {
            return bad(
                "max_spin",
                format!("{:?} is above the limit of 1 s", self.max_spin),
            );
        }
        if self.lanes.len() > MOST_LANES {
            return bad(
                "lane",
                format!(
                    "{} lanes are more than the limit of {MOST_LANES}",
                    self.lanes.len()
                ),
            );
        }
        for (index, (name, config)) in self.lanes.iter().enumerate() {
            if name.is_empty() {
                return bad("lane", "the name is empty".to_owned());
            }
            if self.lanes[..index].iter().any(|(other, _)| other == name) {
                return bad("lane", format!("two lanes have the name {name:?}"));
            }
            if config.queue_limit == Some(0) {
                return bad(
                    "lane",
                    format!("the queue_limit of {name:?} must be at least 1"),
                );
            }
            if config.max_running == Some(0) {
                return bad(
                    "lane",
                    format!(
                        "the max_running of {name:?} must be at least 1, or nothing would ever run"
                    ),
                );
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("threads", &self.threads)
            .field("max_spin", &self.max_spin)
            .field("turn_budget", &self.turn_budget)
            .field("queue_limit", &self.queue_limit)
            .field("concurrency", &self.concurrency)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
