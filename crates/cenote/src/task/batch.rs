//! [`BatchHandle`]: the caller's side of tasks that were spawned together.
//!
//! Who waits for all of them waits for the last one first: the others mostly end before it, so one
//! wake-up does for the batch.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use super::blocking;
use super::error::JoinError;
use super::handle::{self, JoinHandle};
use super::joiner::Joiner;
use crate::os::fork;
use crate::worker;

/// The results of tasks that were spawned together, when they come. They can be awaited or joined
/// all at once, or as handles one by one.
///
/// Dropping it detaches the tasks, which run all the same.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// let batch = pool.try_spawn_batch((1..=3).map(|n| move || n * n))?;
/// let squares: Result<Vec<u32>, _> = batch.join().into_iter().collect();
/// assert_eq!(squares?, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a BatchHandle detaches the tasks; say so with `detach()`"]
pub struct BatchHandle<T> {
    joiners: Vec<Joiner<T>>,
    /// So many of them, from the first on, are not known to be done.
    waiting: usize,
    max_spin: Duration,
    fork: u32,
    /// The results were given away.
    is_over: bool,
}

// As for `JoinHandle`.
impl<T> UnwindSafe for BatchHandle<T> {}
impl<T> RefUnwindSafe for BatchHandle<T> {}

impl<T> BatchHandle<T> {
    pub(crate) fn new(joiners: Vec<Joiner<T>>, max_spin: Duration, fork: u32) -> Self {
        BatchHandle {
            waiting: joiners.len(),
            joiners,
            max_spin,
            fork,
            is_over: false,
        }
    }

    /// Blocks until all tasks have settled: spins for at most the pool's `max_spin`, then sleeps.
    /// The results are in the order of the closures.
    ///
    /// On a worker of the same pool it runs those that have not started, as
    /// [`JoinHandle::join`] does. Do not call it from async code: await the batch.
    ///
    /// # Errors
    ///
    /// Of each task that has no value; as those of [`JoinHandle::join`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.try_spawn_batch([1, 0].map(|n| move || 6 / n))?;
    /// let results = batch.join();
    /// assert_eq!(results[0].as_ref().ok(), Some(&6));
    /// assert!(results[1].as_ref().unwrap_err().is_panic());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(mut self) -> Vec<Result<T, JoinError>> {
        // A worker helps, the oldest first. Nobody waits for the workers of another process.
        if !worker::is_worker() && self.fork == fork::generation() {
            for joiner in self.joiners.iter_mut().rev() {
                if !joiner.is_done() {
                    blocking::wait(self.max_spin, None, joiner);
                }
            }
        }
        self.into_handles().map(JoinHandle::join).collect()
    }

    /// One handle for each task, in the order of the closures.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.try_spawn_batch(["a", "page"].map(|text| move || text.len()))?;
    /// let mut handles = batch.into_handles();
    /// assert_eq!(handles.next_back().expect("the second").join()?, 4);
    /// assert_eq!(handles.next().expect("the first").join()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_handles(self) -> BatchHandles<T> {
        BatchHandles {
            joiners: self.joiners.into_iter(),
            max_spin: self.max_spin,
            fork: self.fork,
        }
    }

    /// Asks all tasks to stop, as [`JoinHandle::abort`] does. Returns how many had not started, and
    /// never will.
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
    /// let batch = pool.try_spawn_batch((0..5).map(|_| || unreachable!()))?;
    /// assert_eq!(batch.abort(), 5);
    /// let results: Vec<Result<(), _>> = batch.join();
    /// assert!(results.iter().all(|result| result.as_ref().unwrap_err().is_aborted()));
    /// go.send(())?;
    /// assert!(busy.join()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> usize {
        // The youngest first: a worker takes the oldest, so fewer of them start meanwhile.
        let tasks = self.joiners.iter().rev().map(Joiner::task);
        tasks.filter(|task| handle::abort(task)).count()
    }

    /// Lets the tasks run by themselves. The same as dropping the handle, and says that it is
    /// meant.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.try_spawn_batch((1..=3).map(|n| move || println!("{n} in the background")))?.detach();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(self) {}

    /// Whether all tasks have settled.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.try_spawn_batch([|| 1, || 2])?;
    /// while !batch.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        let unknown = &self.joiners[..self.waiting];
        unknown.iter().rev().all(Joiner::is_done)
    }

    /// How many tasks there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// assert_eq!(pool.try_spawn_batch([|| 1, || 2])?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&self) -> usize {
        self.joiners.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.joiners.is_empty()
    }
}

impl<T> Future for BatchHandle<T> {
    type Output = Vec<Result<T, JoinError>>;

    /// # Panics
    ///
    /// If it is polled again after it returned the results.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(
            !this.is_over,
            "a BatchHandle was polled again after it had returned its results"
        );
        while this.waiting > 0 && this.fork == fork::generation() {
            let last = &mut this.joiners[this.waiting - 1];
            if last.wait_with(context.waker()) {
                return Poll::Pending;
            }
            this.waiting -= 1;
        }
        this.is_over = true;
        let joiners = std::mem::take(&mut this.joiners);
        this.waiting = 0;
        let all = BatchHandle::new(joiners, this.max_spin, this.fork);
        // They are done, or refuse at once in a fork: none of these blocks.
        Poll::Ready(all.into_handles().map(JoinHandle::join).collect())
    }
}

impl<T> IntoIterator for BatchHandle<T> {
    type Item = JoinHandle<T>;
    type IntoIter = BatchHandles<T>;

    /// The same as [`into_handles`](Self::into_handles).
    fn into_iter(self) -> BatchHandles<T> {
        self.into_handles()
    }
}

impl<T> fmt::Debug for BatchHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandle")
            .field("len", &self.len())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// The handles of a batch, one by one. Made by [`BatchHandle::into_handles`]. Tasks whose handles
/// were not taken are detached when it is dropped.
pub struct BatchHandles<T> {
    joiners: vec::IntoIter<Joiner<T>>,
    max_spin: Duration,
    fork: u32,
}

// As for `JoinHandle`.
impl<T> UnwindSafe for BatchHandles<T> {}
impl<T> RefUnwindSafe for BatchHandles<T> {}

impl<T> BatchHandles<T> {
    fn handle(&self, joiner: Joiner<T>) -> JoinHandle<T> {
        JoinHandle::new(joiner, self.max_spin, self.fork)
    }
}

impl<T> Iterator for BatchHandles<T> {
    type Item = JoinHandle<T>;

    fn next(&mut self) -> Option<JoinHandle<T>> {
        let joiner = self.joiners.next()?;
        Some(self.handle(joiner))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.joiners.size_hint()
    }
}

impl<T> DoubleEndedIterator for BatchHandles<T> {
    fn next_back(&mut self) -> Option<JoinHandle<T>> {
        let joiner = self.joiners.next_back()?;
        Some(self.handle(joiner))
    }
}

impl<T> ExactSizeIterator for BatchHandles<T> {}

impl<T> fmt::Debug for BatchHandles<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandles")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
