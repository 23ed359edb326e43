//! [`Builder`]: the options of a pool and their defaults. Those of its threads are in
//! [`threads`](super::threads), and building it in [`build`](super::build).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::config::{BoxError, Hook, Init, NameFn};
use super::lane_config::LaneConfig;
use super::runtime_mode::RuntimeMode;
use super::threads::Threads;
use crate::worker::WorkerInfo;
use crate::worker::state::WorkerState;

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
    pub(super) threads: Option<Threads>,
    pub(super) name: Arc<NameFn>,
    pub(super) stack_size: Option<usize>,
    pub(super) on_start: Option<Arc<Hook>>,
    pub(super) on_stop: Option<Arc<Hook>>,
    pub(super) max_spin: Duration,
    pub(super) spin_under_pressure: bool,
    pub(super) turn_budget: Duration,
    pub(super) queue_limit: usize,
    pub(super) concurrency: usize,
    pub(super) idle_timeout: Duration,
    pub(super) grow_after: Duration,
    pub(super) aging: Duration,
    pub(super) runtime: RuntimeMode,
    pub(super) max_blocking_threads: usize,
    pub(super) lanes: Vec<(String, LaneConfig)>,
    pub(super) init: Option<Arc<Init>>,
    pub(super) init_retries: u32,
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
            max_blocking_threads: 4,
            lanes: Vec::new(),
            init: None,
            init_retries: 3,
        }
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

    /// How many threads the tokio runtime of each worker may have for blocking calls: those of
    /// `tokio::task::spawn_blocking`, `tokio::fs`, and tokio's look-ups of host names, in futures
    /// and closures on the worker. Calls beyond that wait in tokio's queue. At least 1. Default: 4.
    ///
    /// It is small because tokio's own default, 512, is for a program with one runtime, and a pool
    /// has one for each worker: 64 workers might start 32,768 threads. What blocks belongs in a
    /// closure on the pool, which is bounded and shows in `stats`; these threads are for libraries
    /// that ask tokio for one. More are needed where such calls wait for one another: they would
    /// for ever, if none of those that run can end.
    ///
    /// A worker that ends waits for the calls that run, as any tokio runtime does.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(2).max_blocking_threads(1).build()?;
    /// let size = pool.try_spawn_local(|| async {
    ///     // On the worker's one thread for such calls.
    ///     tokio::fs::metadata(".").await.is_ok_and(|metadata| metadata.is_dir())
    /// })?;
    /// assert!(size.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.max_blocking_threads = threads;
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
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("threads", &self.threads)
            .field("max_spin", &self.max_spin)
            .field("turn_budget", &self.turn_budget)
            .field("queue_limit", &self.queue_limit)
            .field("concurrency", &self.concurrency)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
