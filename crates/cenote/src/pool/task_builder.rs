//! [`TaskBuilder`]: options of one task, set in a chain that ends with how it is spawned.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::{RunError, SpawnError};
use super::lane::Lane;
use super::options::{Options, Priority};
use super::permit::{Permit, Place, Reservation};
use super::submit::Submission;
use crate::task::cell::Kind;
use crate::task::handle::JoinHandle;
use crate::task::work::{Closure, Local, is_large};

/// The options of one task. Made by [`Lane::task`](crate::Lane::task), which a
/// [`Pool`](crate::Pool) has too.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cenote::Priority;
///
/// let pool = cenote::Pool::new()?;
/// let handle = pool
///     .task()
///     .priority(Priority::High)
///     .queue_timeout(Duration::from_millis(200))
///     .timeout(Duration::from_secs(1))
///     .try_spawn(|| 6 * 7)?;
/// assert_eq!(handle.join()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a task runs when it is spawned"]
pub struct TaskBuilder<'a> {
    lane: &'a Lane,
    options: Options,
}

// As the lane it is of; the options are plain data.
impl UnwindSafe for TaskBuilder<'_> {}
impl RefUnwindSafe for TaskBuilder<'_> {}

/// Submits `$f` as a task of that kind, in a box if it is large; `$how` says whether to wait for
/// room. What was refused comes back as it was given.
macro_rules! submit {
    ($builder:ident, $kind:ident, $f:ident, $($how:tt)+) => {
        if const { is_large::<F>() } {
            $builder
                .submission(Kind::$kind, $kind::new(Box::new($f)))
                .$($how)+
                .map_err(|error| error.map($kind::unboxed))
        } else {
            $builder
                .submission(Kind::$kind, $kind::new($f))
                .$($how)+
                .map_err(|error| error.map($kind::into_inner))
        }
    };
}

impl<'a> TaskBuilder<'a> {
    #[inline]
    pub(crate) fn new(lane: &'a Lane) -> Self {
        TaskBuilder {
            lane,
            options: Options::DEFAULT,
        }
    }

    /// Which tasks it goes before. Default: [`Priority::Normal`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let handle = pool.task().priority(Priority::Low).try_spawn(|| 1)?;
    /// assert_eq!(handle.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// How long it may wait for a worker. Then it is dropped, and its handle says so at once:
    /// [`is_queue_timed_out`](crate::JoinError::is_queue_timed_out). Waiting for room in a full
    /// queue counts. Default: no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// let pool = cenote::Pool::builder().threads(1).build()?;
    /// let (go, gone) = mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || gone.recv().is_ok())?;
    /// let late = pool.task().queue_timeout(Duration::from_millis(5)).try_spawn(|| ())?;
    /// assert!(late.join().unwrap_err().is_queue_timed_out());
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.options.queue_timeout = Some(limit);
        self
    }

    /// How long it may run. Then its handle says so at once:
    /// [`is_timed_out`](crate::JoinError::is_timed_out). A future is dropped; a closure is asked to
    /// stop through its [`token`](crate::token), and takes its worker until it returns. Default: no
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let never = pool
    ///     .task()
    ///     .timeout(Duration::from_millis(5))
    ///     .try_spawn_local(std::future::pending::<()>)?;
    /// assert!(never.join().unwrap_err().is_timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// Cancels the task with this token: before it starts it is dropped; a future is dropped; a
    /// closure is asked through its [`token`](crate::token), which is a child of this one. One
    /// token may be for many tasks. Default: none.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::CancellationToken;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let request = CancellationToken::new();
    /// let never = pool
    ///     .task()
    ///     .cancel_on(&request)
    ///     .try_spawn_local(std::future::pending::<()>)?;
    /// request.cancel();
    /// assert!(never.join().unwrap_err().is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_on(mut self, token: &CancellationToken) -> Self {
        self.options.token = Some(token.clone());
        self
    }

    pub(super) fn into_parts(self) -> (&'a Lane, Options) {
        (self.lane, self.options)
    }

    #[inline]
    fn submission<W>(&self, kind: Kind, work: W) -> Submission<'_, W> {
        Submission {
            shared: self.lane.shared(),
            lane: self.lane.lane_index(),
            kind,
            options: &self.options,
            work,
        }
    }

    /// Spawns a closure, or returns it if the queue is full.
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
    /// assert_eq!(pool.task().try_spawn(|| 1 + 1)?.join()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        submit!(self, Closure, f, attempt())
    }

    /// Spawns a closure, and waits for room in the queue if need be.
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
    /// let handle = pool.task().spawn(|| 1 + 1).await?;
    /// assert_eq!(handle.await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        submit!(self, Closure, f, wait().await)
    }

    /// Spawns a closure, and blocks for room in the queue if need be. On a worker of the same pool
    /// it does not block, which might be for ever, but behaves as `try_spawn`.
    ///
    /// # Errors
    ///
    /// As [`try_spawn`](Self::try_spawn), except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.task().blocking_spawn(|| 1 + 1)?.join()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        submit!(self, Closure, f, block())
    }

    /// Spawns a future that `f` makes on the worker, or returns `f` if the queue is full. The
    /// future may be `!Send`; it takes one of the worker's `concurrency` places until it is done.
    ///
    /// # Errors
    ///
    /// As [`try_spawn`](Self::try_spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.task().try_spawn_local(|| async { 1 })?.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_local<F, U>(self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        submit!(self, Local, f, attempt())
    }

    /// Like [`try_spawn_local`](Self::try_spawn_local), and waits for room in the queue if need be.
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
    /// assert_eq!(pool.task().spawn_local(|| async { 1 }).await?.await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_local<F, U>(self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        submit!(self, Local, f, wait().await)
    }

    /// Like [`try_spawn_local`](Self::try_spawn_local), and blocks for room in the queue if need
    /// be.
    ///
    /// # Errors
    ///
    /// As [`blocking_spawn`](Self::blocking_spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.task().blocking_spawn_local(|| async { 1 })?.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn_local<F, U>(self, f: F) -> Result<JoinHandle<U::Output>, SpawnError<F>>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        submit!(self, Local, f, block())
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
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.task().priority(Priority::High).run(|| 1 + 1).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<F, T>(self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.spawn(f).await?.await?)
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
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.task().priority(Priority::High).blocking_run(|| 1 + 1)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_run<F, T>(self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.blocking_spawn(f)?.join()?)
    }

    /// Reserves a place in the queue for this task, with its options, or says that there is none.
    /// The times of the options begin when the task is spawned.
    ///
    /// # Errors
    ///
    /// If the queue is full, the pool is closed or has no workers, or this process is a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let permit = pool.task().priority(cenote::Priority::High).try_reserve()?;
    /// assert_eq!(permit.spawn(|| "first").join()?, "first");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reserve(self) -> Result<Permit, SpawnError<()>> {
        let (lane, options) = self.into_parts();
        match Place::try_new(lane.shared(), lane.lane_index()) {
            Ok(place) => Ok(Permit::new(place, options)),
            Err(reason) => Err(SpawnError::new(reason, ())),
        }
    }

    /// Like [`try_reserve`](Self::try_reserve), and waits for room in the queue if need be. Dropped
    /// while it waits, it reserves nothing.
    ///
    /// # Errors
    ///
    /// As `try_reserve`, except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let permit = pool.task().timeout(Duration::from_secs(1)).reserve().await?;
    /// assert_eq!(permit.spawn(|| "in time").await?, "in time");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reserve(self) -> Result<Permit, SpawnError<()>> {
        let (lane, options) = self.into_parts();
        match Reservation::new(lane.shared(), lane.lane_index())
            .wait()
            .await
        {
            Ok(place) => Ok(Permit::new(place, options)),
            Err(reason) => Err(SpawnError::new(reason, ())),
        }
    }
}

impl fmt::Debug for TaskBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("lane", &self.lane.name())
            .field("options", &self.options)
            .finish()
    }
}
