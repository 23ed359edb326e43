//! [`Lane`]: a named share of a pool, and all the ways to spawn on it.
//!
//! The pool's own tasks go to a lane too, so each way is written once, here.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::error::{RunError, SpawnError};
use super::handle::Handle;
use super::permit::Permit;
use super::shared::Shared;
use super::stats;
use super::task_builder::TaskBuilder;
use crate::stats::LaneStats;
use crate::task::handle::JoinHandle;

/// A named share of a pool, with limits and figures of its own: a bulkhead. Made by
/// [`Builder::lane`](crate::Builder::lane), found by [`Pool::lane`](crate::Pool::lane). A
/// [`Pool`](crate::Pool) itself dereferences to the lane `main`, so its methods are these. A clone
/// is the same lane. A lane is a handle to its pool and keeps it open.
///
/// A lane with a `max_running` below the number of threads cannot take all of them, whatever its
/// tasks wait for; idle workers serve every lane.
///
/// # Examples
///
/// ```
/// use cenote::{Lane, LaneConfig, RunError};
///
/// fn longest(on: &Lane) -> Result<usize, RunError> {
///     on.blocking_run(|| ["a", "long", "one"].map(str::len).into_iter().max().unwrap())
/// }
///
/// let pool = cenote::Pool::builder()
///     .threads(4)
///     .lane("reports", LaneConfig::new().max_running(1).queue_limit(100))
///     .build()?;
/// let reports = pool.lane("reports").expect("it was configured");
/// assert_eq!(longest(&reports)?, 4);
/// assert_eq!(longest(&pool)?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Lane {
    handle: Arc<Handle>,
    index: usize,
}

// No code of the user's runs while the pool is between two states, so a panic leaves it whole.
impl UnwindSafe for Lane {}
impl RefUnwindSafe for Lane {}

impl Lane {
    pub(super) fn new(handle: Arc<Handle>, index: usize) -> Self {
        Lane { handle, index }
    }

    /// Another lane of the same pool.
    pub(super) fn sibling(&self, index: usize) -> Self {
        Lane::new(Arc::clone(&self.handle), index)
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(crate) fn lane_index(&self) -> usize {
        self.index
    }

    /// What it was called when the pool was built. A pool's own lane, which `pool.name()` asks, is
    /// `main`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::LaneConfig;
    ///
    /// let pool = cenote::Pool::builder().lane("reports", LaneConfig::new()).build()?;
    /// assert_eq!(pool.lane("reports").expect("it was configured").name(), "reports");
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.shared().lanes[self.index].name
    }

    /// The lane's figures at about this moment. [`Pool::stats`](crate::Pool::stats) are those of
    /// the whole pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.blocking_run(|| ())?;
    /// let main = pool.lane("main").expect("the pool's own");
    /// assert_eq!(main.stats().queued, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> LaneStats {
        stats::of_lane(self.shared(), self.index)
    }

    /// Options for one task, to be followed by one of the ways to spawn it.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.task().priority(cenote::Priority::Low).try_spawn(|| 1)?;
    /// assert_eq!(handle.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn task(&self) -> TaskBuilder<'_> {
        TaskBuilder::new(self)
    }

    /// Spawns a closure, or returns it if the queue is full: sheds.
    ///
    /// # Errors
    ///
    /// If the queue is full, the pool is closed or has no workers, or this process is a fork. The
    /// error has the closure.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.try_spawn(|| 1 + 1)?.join()?, 2);
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

    /// Spawns a closure, and waits for room in the queue if need be. Dropped while it waits, it
    /// drops the closure.
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
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.spawn(|| 1 + 1).await?;
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

    /// Spawns a closure, and blocks for room in the queue if need be. On a worker of the same pool
    /// it does not block, which might be for ever, but behaves as [`try_spawn`](Self::try_spawn).
    ///
    /// # Errors
    ///
    /// As `try_spawn`, except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.blocking_spawn(|| 1 + 1)?.join()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().blocking_spawn(f)
    }

    /// Spawns a future that `f` makes on the worker, or returns `f` if the queue is full. The
    /// future may be `!Send`, and use tokio's timers and sockets. It takes one of the worker's
    /// `concurrency` places until it is done, and other tasks run while it waits.
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
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.try_spawn_local(|| async {
    ///     let local = Rc::new(5);
    ///     tokio::time::sleep(Duration::from_millis(1)).await;
    ///     *local
    /// })?;
    /// assert_eq!(handle.join()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_local<F, U>(&self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        self.task().try_spawn_local(f)
    }

    /// [`try_spawn_local`](Self::try_spawn_local) that waits for room in the queue if need be.
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
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.spawn_local(|| async { 1 }).await?.await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_local<F, U>(&self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        self.task().spawn_local(f).await
    }

    /// [`try_spawn_local`](Self::try_spawn_local) that blocks for room in the queue if need be.
    ///
    /// # Errors
    ///
    /// As [`blocking_spawn`](Self::blocking_spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.blocking_spawn_local(|| async { 1 })?.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn_local<F, U>(&self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
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
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.run(|| 1 + 1).await?, 2);
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
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.blocking_run(|| 1 + 1)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_run<F, T>(&self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().blocking_run(f)
    }

    /// Reserves a place in the queue for a task to come, or says that there is none.
    ///
    /// # Errors
    ///
    /// If the queue is full, the pool is closed or has no workers, or this process is a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().queue_limit(1).build()?;
    /// let permit = pool.try_reserve()?;
    /// assert!(pool.try_reserve().unwrap_err().is_full());
    /// drop(permit);
    /// assert!(pool.try_reserve().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reserve(&self) -> Result<Permit, SpawnError<()>> {
        self.task().try_reserve()
    }

    /// Reserves a place in the queue for a task to come, and waits for room if need be. Dropped
    /// while it waits, it reserves nothing.
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve), except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::builder().queue_limit(1).build()?;
    /// let permit = pool.reserve().await?;
    /// assert_eq!(permit.spawn(|| 1 + 1).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reserve(&self) -> Result<Permit, SpawnError<()>> {
        self.task().reserve().await
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
