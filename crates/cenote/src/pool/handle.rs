//! [`Pool`], what its users hold, and the handle that keeps it open.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::builder::Builder;
use super::error::BuildError;
use super::lane::Lane;
use super::shared::Shared;
use super::stats;
use crate::engine::life::Phase;
use crate::stats::PoolStats;
use crate::worker::{self, WorkerInfo};

/// A pool of worker threads. See the [crate's documentation](crate) for a tour.
///
/// A pool is spawned on through its own lane, `main`, which it dereferences to: all methods of
/// [`Lane`] are methods of the pool, and `&pool` goes where a `&Lane` is wanted. Of what both have,
/// [`stats`](Self::stats), `clone` and `Debug`, the pool's are of the whole pool.
///
/// A clone is another handle to the same pool. When the last handle is dropped, lanes included,
/// nothing more is accepted; tasks that were accepted are still run, in the background, then the
/// threads end, and with them what was left in the background. To wait for all that, use
/// [`close`](Self::close).
///
/// A task of the pool that has a handle to it is a holder as any other. One that never ends keeps
/// the pool open for ever: so does a background future, a worker's state or a hook. There, keep a
/// [`WeakPool`](crate::WeakPool), made by [`downgrade`](Self::downgrade).
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
///
/// A future that goes on for as long as the pool is wanted, and spawns on it:
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::new()?;
/// let back = pool.downgrade(); // with `pool.clone()` in its place the pool would never end
/// let sweeper = pool.try_spawn_local(move || async move {
///     let mut sweeps = 0;
///     while let Some(pool) = back.upgrade() {
///         sweeps += pool.run(|| 1).await.unwrap_or(0);
///         drop(pool); // not kept open while it sleeps
///         tokio::time::sleep(Duration::from_millis(1)).await;
///     }
///     sweeps
/// })?;
/// drop(pool);
/// sweeper.join()?; // it has ended
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    main: Lane,
}

/// One for all pools and lanes that are handles to one pool: its end is the end of the last.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.enter(Phase::Dropped);
    }
}

impl Pool {
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

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Pool::from_handle(Arc::new(Handle { shared }))
    }

    pub(super) fn from_handle(handle: Arc<Handle>) -> Self {
        Pool {
            main: Lane::new(handle, 0),
        }
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
    pub fn lane(&self, name: &str) -> Option<Lane> {
        let mut lanes = self.shared().lanes.iter();
        let index = lanes.position(|lane| lane.name == name)?;
        Some(self.main.sibling(index))
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
        self.shared().engine.dispatch.lane(0).gate().is_closed()
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

    /// The figures of the whole pool at about this moment. Those of the pool's own lane alone are
    /// the first of [`lanes`](PoolStats::lanes) in it, or the [`Lane::stats`] of
    /// [`lane("main")`](Self::lane).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.blocking_run(|| ())?;
    /// let stats = pool.stats();
    /// assert_eq!(stats.queued, 0);
    /// assert_eq!(stats.lanes[0].name, "main");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> PoolStats {
        stats::of_pool(self.shared())
    }
}

impl Deref for Pool {
    type Target = Lane;

    /// The pool's own lane, `main`.
    #[inline]
    fn deref(&self) -> &Lane {
        &self.main
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("Pool")
            .field("threads", &shared.engine.life.counts().live)
            .field("queued", &shared.engine.queued())
            .field("phase", &shared.engine.life.phase())
            .finish_non_exhaustive()
    }
}
