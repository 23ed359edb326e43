//! What users hold: [`Pool`], and [`Lane`], a named share of it.
//!
//! Both spawn. The pool's own tasks go to its main lane; so the two have the same methods, made by
//! one macro.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::builder::Builder;
use super::error::{BuildError, RunError, SpawnError};
use super::life::Phase;
use super::shared::Shared;
use super::task::Task;
use crate::stats::{LaneStats, PoolStats, WorkerStats};
use crate::task::handle::JoinHandle;
use crate::worker::slot::Slot;
use crate::worker::{self, WorkerInfo};

/// A pool of worker threads. See the [crate's documentation](crate) for a tour.
///
/// `S` is the type of the state that each worker has; `()` without
/// [`worker_state`](crate::Builder::worker_state). A clone is another handle to the same pool. When
/// the last handle is dropped, lanes included, nothing more is accepted; tasks that were accepted
/// are still run, in the background, then the threads end, and with them what was left in the
/// background. To wait for all that, use [`close`](Self::close).
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::builder().threads(2).build()?;
/// let words = ["one", "two", "three"].map(|word| pool.try_spawn(move || word.len()));
/// let mut total = 0;
/// for word in words {
///     total += word?.join()?;
/// }
/// assert_eq!(total, 11);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool<S = ()> {
    handle: Arc<Handle>,
    state: PhantomData<fn(S)>,
}

/// A named share of a pool, with limits and figures of its own: a bulkhead. Made by
/// [`Builder::lane`](crate::Builder::lane), found by [`Pool::lane`]. A clone is the same lane.
///
/// A lane with a `max_running` below the number of threads cannot take all of them, whatever its
/// tasks wait for; idle workers serve every lane.
///
/// # Examples
///
/// ```
/// use cenote::LaneConfig;
///
/// let pool = cenote::Pool::builder()
///     .threads(4)
///     .lane("reports", LaneConfig::new().max_running(1).queue_limit(100))
///     .build()?;
/// let reports = pool.lane("reports").expect("it was configured");
/// assert_eq!(reports.blocking_run(|| "a long one")?, "a long one");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Lane<S = ()> {
    handle: Arc<Handle>,
    index: usize,
    state: PhantomData<fn(S)>,
}

/// One for all handles: its end is the end of the last.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.enter(Phase::Dropped);
    }
}

/// The ways to spawn, for what has `shared()` and a `lane_index()`.
macro_rules! spawn_methods {
    ($type:ident, $make:literal) => {
        impl<S: 'static> $type<S> {
            /// Options for one task, to be followed by one of the ways to spawn it.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// let handle = on.task().priority(cenote::Priority::Low).try_spawn(|| 1)?;
            /// assert_eq!(handle.join()?, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[inline]
            pub fn task(&self) -> Task<'_, S> {
                Task::new(self.shared(), self.lane_index())
            }

            /// Spawns a closure, or returns it if the queue is full: sheds.
            ///
            /// # Errors
            ///
            /// If the queue is full, the pool is closed or has no workers, or this process is a
            /// fork. The error has the closure.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.try_spawn(|| 1 + 1)?.join()?, 2);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[inline]
            pub fn try_spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().try_spawn(f)
            }

            /// Spawns a closure, and waits for room in the queue if need be. Dropped while it
            /// waits, it drops the closure.
            ///
            /// # Errors
            ///
            /// As [`try_spawn`](Self::try_spawn), except for a full queue.
            ///
            /// # Examples
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            /// let handle = on.spawn(|| 1 + 1).await?;
            /// assert_eq!(handle.await?, 2);
            /// # Ok(())
            /// # }
            /// ```
            pub async fn spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().spawn(f).await
            }

            /// Spawns a closure, and blocks for room in the queue if need be. On a worker of the
            /// same pool it does not block, which might be for ever, but behaves as
            /// [`try_spawn`](Self::try_spawn).
            ///
            /// # Errors
            ///
            /// As `try_spawn`, except for a full queue.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.blocking_spawn(|| 1 + 1)?.join()?, 2);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn blocking_spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().blocking_spawn(f)
            }

            /// [`try_spawn`](Self::try_spawn) for a closure that is handed its worker's state.
            ///
            /// # Errors
            ///
            /// As `try_spawn`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.try_spawn_with(|_: &mut ()| 1)?.join()?, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn try_spawn_with<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce(&mut S) -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().try_spawn_with(f)
            }

            /// [`spawn`](Self::spawn) for a closure that is handed its worker's state.
            ///
            /// # Errors
            ///
            /// As `spawn`.
            ///
            /// # Examples
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            /// assert_eq!(on.spawn_with(|_: &mut ()| 1).await?.await?, 1);
            /// # Ok(())
            /// # }
            /// ```
            pub async fn spawn_with<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce(&mut S) -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().spawn_with(f).await
            }

            /// [`blocking_spawn`](Self::blocking_spawn) for a closure that is handed its worker's
            /// state.
            ///
            /// # Errors
            ///
            /// As `blocking_spawn`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.blocking_spawn_with(|_: &mut ()| 1)?.join()?, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn blocking_spawn_with<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
            where
                F: FnOnce(&mut S) -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().blocking_spawn_with(f)
            }

            /// Spawns a future that `f` makes on the worker, or returns `f` if the queue is full.
            /// The future may be `!Send`, and use tokio's timers and sockets. It takes one of the
            /// worker's `concurrency` places until it is done, and other tasks run while it waits.
            ///
            /// # Errors
            ///
            /// As [`try_spawn`](Self::try_spawn).
            ///
            /// # Examples
            ///
            /// ```
            /// use std::{rc::Rc, time::Duration};
            ///
            #[doc = $make]
            /// let handle = on.try_spawn_local(|| async {
            ///     let local = Rc::new(5);
            ///     tokio::time::sleep(Duration::from_millis(1)).await;
            ///     *local
            /// })?;
            /// assert_eq!(handle.join()?, 5);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn try_spawn_local<F, U>(
                &self,
                f: F,
            ) -> Result<JoinHandle<U::Output>, SpawnError<F>>
            where
                F: FnOnce() -> U + Send + 'static,
                U: Future + 'static,
                U::Output: Send + 'static,
            {
                self.task().try_spawn_local(f)
            }

            /// [`try_spawn_local`](Self::try_spawn_local) that waits for room in the queue if need
            /// be.
            ///
            /// # Errors
            ///
            /// As [`spawn`](Self::spawn).
            ///
            /// # Examples
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            /// assert_eq!(on.spawn_local(|| async { 1 }).await?.await?, 1);
            /// # Ok(())
            /// # }
            /// ```
            pub async fn spawn_local<F, U>(
                &self,
                f: F,
            ) -> Result<JoinHandle<U::Output>, SpawnError<F>>
            where
                F: FnOnce() -> U + Send + 'static,
                U: Future + 'static,
                U::Output: Send + 'static,
            {
                self.task().spawn_local(f).await
            }

            /// [`try_spawn_local`](Self::try_spawn_local) that blocks for room in the queue if need
            /// be.
            ///
            /// # Errors
            ///
            /// As [`blocking_spawn`](Self::blocking_spawn).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.blocking_spawn_local(|| async { 1 })?.join()?, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn blocking_spawn_local<F, U>(
                &self,
                f: F,
            ) -> Result<JoinHandle<U::Output>, SpawnError<F>>
            where
                F: FnOnce() -> U + Send + 'static,
                U: Future + 'static,
                U::Output: Send + 'static,
            {
                self.task().blocking_spawn_local(f)
            }

            /// Spawns a closure, waiting for room if need be, and waits for what it returns.
            ///
            /// # Errors
            ///
            /// If it was not accepted, or did not return.
            ///
            /// # Examples
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            /// assert_eq!(on.run(|| 1 + 1).await?, 2);
            /// # Ok(())
            /// # }
            /// ```
            pub async fn run<F, T>(&self, f: F) -> Result<T, RunError>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().run(f).await
            }

            /// Spawns a closure, blocking for room if need be, and blocks for what it returns.
            ///
            /// # Errors
            ///
            /// If it was not accepted, or did not return.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(on.blocking_run(|| 1 + 1)?, 2);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn blocking_run<F, T>(&self, f: F) -> Result<T, RunError>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                self.task().blocking_run(f)
            }
        }
    };
}

spawn_methods!(Pool, "let on = cenote::Pool::new()?;");
spawn_methods!(
    Lane,
    "let pool = cenote::Pool::builder().lane(\"l\", cenote::LaneConfig::new()).build()?;\nlet on = pool.lane(\"l\").unwrap();"
);

impl Pool<()> {
    /// A pool with every default: one thread for each CPU the process may use.
    ///
    /// # Errors
    ///
    /// If not one thread could be started.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn new() -> Result<Pool, BuildError> {
        Pool::builder().build()
    }

    /// Configures a pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1..=4).name("images").build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<S: 'static> Pool<S> {
    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Pool {
            handle: Arc::new(Handle { shared }),
            state: PhantomData,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(crate) fn lane_index(&self) -> usize {
        0
    }

    /// The lane of that name. The pool's own is `"main"`. `None`: it was not configured.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert!(pool.lane("main").is_some());
    /// assert!(pool.lane("database").is_none());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn lane(&self, name: &str) -> Option<Lane<S>> {
        let index = self
            .shared()
            .lanes
            .iter()
            .position(|lane| lane.name == name)?;
        Some(Lane {
            handle: Arc::clone(&self.handle),
            index,
            state: PhantomData,
        })
    }

    /// The pool's own lane.
    #[cfg(feature = "tower")]
    pub(crate) fn main_lane(&self) -> Lane<S> {
        Lane {
            handle: Arc::clone(&self.handle),
            index: self.lane_index(),
            state: PhantomData,
        }
    }

    /// Whether the pool accepts nothing any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert!(!pool.is_closed());
    /// pool.shutdown_now();
    /// assert!(pool.is_closed());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared().dispatch.lane(0).gate().is_closed()
    }

    /// The worker of this pool that this code runs on. `None` on any other thread, and on the
    /// workers of other pools, of which [`cenote::current`](crate::current) tells.
    ///
    /// For code that must not block for the pool on one of its own threads.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().name("images").threads(1).build()?;
    /// let other = cenote::Pool::new()?;
    /// let inside = pool.clone();
    /// let worker = pool.blocking_run(move || inside.current())?.expect("on its worker");
    /// assert_eq!(worker.name, "images-0");
    /// assert!(pool.current().is_none());
    /// assert!(other.blocking_run(move || pool.current())?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current(&self) -> Option<WorkerInfo> {
        worker::worker_of(self.shared()).map(|worker| worker.info())
    }

    /// The pool's figures at about this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.blocking_run(|| ())?;
    /// assert_eq!(pool.stats().queued, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> PoolStats {
        let shared = self.shared();
        let counts = shared.life.counts();
        // What has settled before this call is in the figures.
        shared.slots().iter().for_each(Slot::wait_for_record);
        let workers: Vec<WorkerStats> = shared
            .slots()
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.alive.load(Ordering::Relaxed) || !slot.name.lock().is_empty())
            .map(|(index, slot)| {
                let mut worker = WorkerStats::of(index, &slot.name.lock(), &slot.recorder);
                worker.alive = slot.alive.load(Ordering::Relaxed);
                worker.stages = slot.stages();
                worker
            })
            .collect();
        let recorders: Vec<_> = shared.slots().iter().map(|slot| &slot.recorder).collect();
        let lanes = shared
            .lanes
            .iter()
            .map(|lane| (lane.name.as_str(), &lane.outcomes));
        let mut stats = PoolStats::merge(lanes, &recorders);
        stats.workers = workers;
        for (index, lane) in stats.lanes.iter_mut().enumerate() {
            fill_in(shared, index, lane);
            stats.queued += lane.queued;
            stats.running += lane.running;
        }
        stats.threads = counts.live + counts.leaving;
        stats.starting = counts.starting;
        stats.peak = counts.peak;
        stats.idle = shared
            .slots()
            .iter()
            .filter(|slot| {
                slot.alive.load(Ordering::Relaxed) && slot.busy_since.load(Ordering::Relaxed) == 0
            })
            .count();
        stats.background = shared
            .slots()
            .iter()
            .map(|slot| slot.background.load(Ordering::Relaxed))
            .sum();
        stats.spawn_failures = shared.spawn_failures.load(Ordering::Relaxed);
        stats.init_failures = shared.init_failures.load(Ordering::Relaxed);
        stats.last_init_failure = shared.last_failure.lock().as_ref().map(ToString::to_string);
        stats
    }
}

impl<S: 'static> Lane<S> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(crate) fn lane_index(&self) -> usize {
        self.index
    }

    /// What it was called when the pool was built.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.lane("main").unwrap().name(), "main");
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.shared().lanes[self.index].name
    }

    /// The lane's figures at about this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.blocking_run(|| ())?;
    /// assert_eq!(pool.lane("main").unwrap().stats().queued, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> LaneStats {
        lane_stats(self.shared(), self.index)
    }
}

fn lane_stats(shared: &Shared, lane: usize) -> LaneStats {
    shared.slots().iter().for_each(Slot::wait_for_record);
    let info = &shared.lanes[lane];
    let recorders = shared
        .slots()
        .iter()
        .filter_map(|slot| slot.recorder.lane_if_used(lane));
    let mut stats = LaneStats::merge(&info.name, recorders, &info.outcomes);
    fill_in(shared, lane, &mut stats);
    stats
}

/// What is of this moment.
fn fill_in(shared: &Shared, lane: usize, stats: &mut LaneStats) {
    let queue = shared.dispatch.lane(lane);
    stats.queued = shared.lanes[lane].reserved.without(|| queue.len());
    stats.queue_limit = queue.gate().limit();
    stats.max_running = (queue.max_running() != usize::MAX).then(|| queue.max_running());
    stats.running = shared
        .slots()
        .iter()
        .map(|slot| {
            let closure = slot.lane.load(Ordering::Relaxed) as usize == lane + 1;
            usize::from(closure) + slot.locals[lane].load(Ordering::Relaxed) as usize
        })
        .sum();
}

impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Pool {
            handle: Arc::clone(&self.handle),
            state: PhantomData,
        }
    }
}

impl<S> Clone for Lane<S> {
    fn clone(&self) -> Self {
        Lane {
            handle: Arc::clone(&self.handle),
            index: self.index,
            state: PhantomData,
        }
    }
}

impl<S> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.handle.shared.life.counts();
        f.debug_struct("Pool")
            .field("threads", &counts.live)
            .field("queued", &self.handle.shared.queued())
            .field("phase", &self.handle.shared.life.phase())
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Lane<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("name", &self.handle.shared.lanes[self.index].name)
            .finish_non_exhaustive()
    }
}
