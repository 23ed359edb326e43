//! Spawning into a [`TaskSet`].

use std::future::Future;

use super::TaskSet;
use crate::pool::error::SpawnError;
use crate::pool::lane::Lane;
use crate::task::handle::AbortHandle;

/// The ways to spawn that async code uses most. For those that block, permits, and the options of a
/// task, [`insert`](TaskSet::insert) the handle.
impl<T: Send + 'static> TaskSet<T> {
    /// Spawns a closure on that lane or pool, and waits for room in the queue if need be. Dropped
    /// while it waits, it drops the closure.
    ///
    /// # Errors
    ///
    /// As [`Lane::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// let second = pool.lane("main").expect("the pool's own");
    /// set.spawn_on(&pool, || 1).await?;
    /// set.spawn_on(&second, || 2).await?;
    /// assert_eq!(set.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_on<F>(&mut self, lane: &Lane, f: F) -> Result<AbortHandle, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        lane.spawn(f).await.map(|handle| self.insert(handle))
    }

    /// Spawns a closure on that lane or pool, or returns it if the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Lane::try_spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// let first = set.try_spawn_on(&pool, || 1)?;
    /// first.abort(); // this one alone
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_on<F>(&mut self, lane: &Lane, f: F) -> Result<AbortHandle, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        lane.try_spawn(f).map(|handle| self.insert(handle))
    }

    /// Spawns a future that `f` makes on the worker, and waits for room in the queue if need be.
    ///
    /// # Errors
    ///
    /// As [`Lane::spawn_local`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.spawn_local_on(&pool, || async { 1 }).await?;
    /// assert_eq!(set.join_next().await.expect("there is one")?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_local_on<F, U>(
        &mut self,
        lane: &Lane,
        f: F,
    ) -> Result<AbortHandle, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future<Output = T> + 'static,
    {
        lane.spawn_local(f).await.map(|handle| self.insert(handle))
    }

    /// Spawns a future that `f` makes on the worker, or returns `f` if the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Lane::try_spawn_local`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_local_on(&pool, || async { 1 })?;
    /// assert_eq!(set.blocking_join_next().expect("there is one")?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_local_on<F, U>(
        &mut self,
        lane: &Lane,
        f: F,
    ) -> Result<AbortHandle, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future<Output = T> + 'static,
    {
        lane.try_spawn_local(f).map(|handle| self.insert(handle))
    }
}
