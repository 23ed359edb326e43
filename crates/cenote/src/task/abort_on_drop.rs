//! [`AbortOnDropHandle`]: a handle whose task ends with it.
//!
//! It wraps a [`JoinHandle`], which knows nothing of it and pays nothing for it. Guaranteed: unless
//! the handle was detached or unwrapped, its task is asked to stop when the handle goes, on every
//! way: a future that is dropped in the middle of `.await`, a panic, a refused `join`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::boundary;
use super::error::JoinError;
use super::handle::{AbortHandle, JoinHandle, Status};

/// A [`JoinHandle`] that aborts its task when it is dropped. Made by
/// [`JoinHandle::abort_on_drop`].
///
/// What the abort does is as for [`JoinHandle::abort`]: a task that has not started never will, a
/// future is dropped on its worker, a closure that runs is asked through its
/// [`token`](crate::token). The drop does not wait for it.
///
/// # Examples
///
/// Work for a request that goes when the request does: `.await` in a future that is dropped drops
/// the handle.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = cenote::Pool::new()?;
/// let (stopped, stop) = std::sync::mpsc::channel();
/// let request = async {
///     let search = pool.try_spawn(move || {
///         while !cenote::token().is_cancelled() {
///             std::thread::yield_now(); // a part of the search
///         }
///         stopped.send(()).ok();
///     });
///     search.unwrap().abort_on_drop().await
/// };
/// assert!(tokio::time::timeout(Duration::from_millis(5), request).await.is_err());
/// stop.recv()?; // the search has found out
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping an AbortOnDropHandle aborts the task at once"]
pub struct AbortOnDropHandle<T> {
    /// `None` once it was unwrapped.
    handle: Option<JoinHandle<T>>,
}

impl<T> JoinHandle<T> {
    /// A handle that aborts the task when it is dropped, instead of detaching it.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let never = pool.try_spawn_local(std::future::pending::<()>)?.abort_on_drop();
    /// let task = never.abort_handle();
    /// drop(never);
    /// while !task.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort_on_drop(self) -> AbortOnDropHandle<T> {
        AbortOnDropHandle { handle: Some(self) }
    }
}

impl<T> AbortOnDropHandle<T> {
    fn inner(&self) -> &JoinHandle<T> {
        self.handle.as_ref().expect("only its end unwraps it")
    }

    fn inner_mut(&mut self) -> &mut JoinHandle<T> {
        self.handle.as_mut().expect("only its end unwraps it")
    }

    /// Blocks until the task has settled. The same as [`JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// As `JoinHandle::join`. After `CENOTE_WOULD_DEADLOCK` the task is aborted, since its handle
    /// is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.try_spawn(|| "done")?.abort_on_drop().join()?, "done");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(mut self) -> Result<T, JoinError> {
        let handle = self.inner_mut();
        handle.wait(None)?;
        handle.take().expect("a task that was waited for is done")
    }

    /// Like [`join`](Self::join), for at most `limit`. The same as [`JoinHandle::join_timeout`].
    ///
    /// # Errors
    ///
    /// The handle, after `limit`, which still aborts. The inner result is that of `join`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let (go, gone) = std::sync::mpsc::channel::<()>();
    /// let handle = pool.try_spawn(move || gone.recv().is_ok())?.abort_on_drop();
    /// let handle = handle.join_timeout(Duration::from_millis(5)).unwrap_err();
    /// go.send(())?;
    /// assert!(handle.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_timeout(mut self, limit: Duration) -> Result<Result<T, JoinError>, Self> {
        let handle = self.inner_mut();
        match handle.wait(Instant::now().checked_add(limit)) {
            Err(error) => Ok(Err(error)),
            Ok(()) => handle.take().ok_or(self),
        }
    }

    /// Asks the task to stop, and keeps the handle, which says how it ended. The same as
    /// [`JoinHandle::abort`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let never = pool.try_spawn_local(std::future::pending::<()>)?.abort_on_drop();
    /// never.abort();
    /// assert!(never.join().unwrap_err().is_aborted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> bool {
        self.inner().abort()
    }

    /// A handle that can only abort and ask, and aborts nothing when it is dropped. The same as
    /// [`JoinHandle::abort_handle`].
    pub fn abort_handle(&self) -> AbortHandle {
        self.inner().abort_handle()
    }

    /// Lets the task run by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let (sent, arrived) = std::sync::mpsc::channel();
    /// pool.try_spawn(move || sent.send("all the same"))?.abort_on_drop().detach();
    /// assert_eq!(arrived.recv()?, "all the same");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(self) {
        self.into_inner().detach();
    }

    /// The plain handle, which detaches the task when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::JoinHandle;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let handle: JoinHandle<_> = pool.try_spawn(|| 1)?.abort_on_drop().into_inner();
    /// assert_eq!(handle.join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_inner(mut self) -> JoinHandle<T> {
        self.handle.take().expect("only its end unwraps it")
    }

    /// Whether the task has settled. The same as [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner().is_finished()
    }

    /// How far the task has come. The same as [`JoinHandle::status`].
    pub fn status(&self) -> Status {
        self.inner().status()
    }
}

impl<T> Future for AbortOnDropHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If it is polled again after it returned the result.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(self.inner_mut()).poll(context)
    }
}

impl<T> Drop for AbortOnDropHandle<T> {
    fn drop(&mut self) {
        self.handle.take().into_iter().for_each(abandon);
    }
}

impl<T> fmt::Debug for AbortOnDropHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortOnDropHandle")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// Aborts a task whose result nobody wants any more.
pub(crate) fn abandon<T>(handle: JoinHandle<T>) {
    // A copy of a parent's task is the parent's to abort.
    if handle.is_finished() || handle.is_forked() {
        return;
    }
    let task = handle.abort_handle();
    // First, so that the abort wakes nobody who has gone.
    drop(handle);
    // Those who wait for the task's token are woken in there. This may be the destructor of a
    // thread that unwinds, where a panic of theirs would end the process.
    drop(boundary::of_nobody(|| task.abort()));
}
