//! [`TaskSet`]: many tasks of one type, joined in the order in which they end.
//!
//! Each task has a slot, whose number its waker puts into the [`ReadyList`] when it is done. A join
//! takes the next number: it costs the same whether the set has ten tasks or a million. Slots, with
//! their wakers, are used again, so a set that goes on allocates as far as its largest size.
//!
//! Guaranteed: each task is handed out once, is aborted when the set is dropped, or is detached.
//! Nothing is lost with a `join_next` that is dropped while it waits.
//!
//! - [`spawn`]: the ways into it; [`blocking`]: a thread that waits for it; [`ready_list`]: the
//!   numbers of those that are done.

mod blocking;
mod ready_list;
mod spawn;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use self::ready_list::ReadyList;
use crate::os::fork;
use crate::task::abort_on_drop::abandon;
use crate::task::boundary;
use crate::task::budget::Budget;
use crate::task::error::JoinError;
use crate::task::handle::{AbortHandle, JoinHandle};

/// Tasks that are joined in the order in which they end, and aborted when the set is dropped.
///
/// They may be of different lanes and pools, and closures or futures: what they have in common is
/// the type of their results. [`insert`](Self::insert) takes any handle, so every way to spawn is a
/// way into the set: `set.insert(pool.task().timeout(limit).blocking_spawn(f)?)`. For the most
/// usual ways from async code there are methods of their own.
///
/// The set bounds nothing: the lane's queue does. A set never shrinks below the most tasks it had.
///
/// # Examples
///
/// ```
/// use cenote::TaskSet;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = cenote::Pool::new()?;
/// let mut pages = TaskSet::new();
/// for text in ["one", "page", "after", "the", "other"] {
///     pages.spawn_on(&pool, move || text.len()).await?;
/// }
/// let mut letters = 0;
/// while let Some(length) = pages.join_next().await {
///     letters += length?; // with an error, all others are aborted
/// }
/// assert_eq!(letters, 20);
/// # Ok(())
/// # }
/// ```
///
/// From a thread, and with the other ways to spawn:
///
/// ```
/// use cenote::{Pool, TaskSet};
///
/// let pool = Pool::new()?;
/// let mut squares: TaskSet<_> =
///     (1..=4).map(|n| pool.blocking_spawn(move || n * n)).collect::<Result<_, _>>()?;
/// squares.insert(pool.task().try_spawn_local(|| async { 100 })?);
/// let mut sum = 0;
/// while let Some(square) = squares.blocking_join_next() {
///     sum += square?;
/// }
/// assert_eq!(sum, 130);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a TaskSet aborts its tasks"]
pub struct TaskSet<T> {
    slots: Vec<Slot<T>>,
    /// Numbers of slots without a task.
    vacant: Vec<usize>,
    ready: Arc<ReadyList>,
    /// What was taken from `ready`.
    done: VecDeque<usize>,
    /// In the order in which they came; those that may not have started are among them.
    unstarted: VecDeque<usize>,
    /// Where the last look for a task ended that others bring to its end.
    looked: usize,
    /// That of the pool of the task that came last.
    max_spin: Duration,
    /// The process whose tasks these are.
    fork: u32,
    budget: Budget,
}

struct Slot<T> {
    handle: Option<JoinHandle<T>>,
    waker: Waker,
}

// As for `JoinHandle`.
impl<T> UnwindSafe for TaskSet<T> {}
impl<T> RefUnwindSafe for TaskSet<T> {}

impl<T> TaskSet<T> {
    /// A set without tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// let set = cenote::TaskSet::<u32>::new();
    /// assert!(set.is_empty());
    /// ```
    pub fn new() -> Self {
        TaskSet {
            slots: Vec::new(),
            vacant: Vec::new(),
            ready: Arc::default(),
            done: VecDeque::new(),
            unstarted: VecDeque::new(),
            looked: 0,
            max_spin: Duration::ZERO,
            fork: fork::generation(),
            budget: Budget::default(),
        }
    }

    /// How many tasks there are that were not joined, those that are done included.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_on(&pool, || 1)?;
    /// assert_eq!(set.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a task that was spawned in whatever way. A handle that has returned its result makes
    /// the join of it panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{Priority, TaskSet};
    ///
    /// let pool = cenote::Pool::new()?;
    /// let mut set = TaskSet::new();
    /// set.insert(pool.task().priority(Priority::Low).try_spawn(|| 1)?);
    /// set.insert(pool.try_reserve()?.spawn(|| 2));
    /// assert_eq!(set.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn insert(&mut self, mut handle: JoinHandle<T>) -> AbortHandle {
        self.notice_fork();
        let abort = handle.abort_handle();
        self.max_spin = handle.max_spin();
        let number = self.vacant.pop().unwrap_or_else(|| {
            let number = self.slots.len();
            let waker = self.ready.waker_of(number);
            self.slots.push(Slot {
                handle: None,
                waker,
            });
            number
        });
        let slot = &mut self.slots[number];
        if !handle.wait_with(&slot.waker) {
            // Behind those that ended before.
            self.ready.take(&mut self.done);
            self.done.push_back(number);
        }
        slot.handle = Some(handle);
        self.note_unstarted(number);
        abort
    }

    /// Takes the next result that is there. `None`: no task is done, or the set is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_on(&pool, || 1)?;
    /// let result = loop {
    ///     match set.try_join_next() {
    ///         Some(result) => break result,
    ///         None => std::thread::yield_now(),
    ///     }
    /// };
    /// assert_eq!(result?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.notice_fork();
        loop {
            if self.done.is_empty() {
                self.ready.take(&mut self.done);
            }
            let number = self.done.pop_front()?;
            let Some(handle) = &mut self.slots[number].handle else {
                continue;
            };
            let result = match handle.take() {
                Some(result) => result,
                None if handle.is_forked() => Err(JoinError::forked()),
                None => continue,
            };
            self.remove(number);
            return Some(result);
        }
    }

    fn remove(&mut self, number: usize) {
        let handle = self.slots[number].handle.take();
        self.vacant.push(number);
        drop(handle);
    }

    /// Waits for the next task that ends, and takes its result. `None`: the set is empty.
    ///
    /// Dropped while it waits, it takes nothing. In a task of tokio it takes part in the
    /// [cooperative budget](tokio::task::coop), as [`JoinHandle`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.spawn_on(&pool, || 1).await?;
    /// assert_eq!(set.join_next().await.expect("there is one")?, 1);
    /// assert!(set.join_next().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|context| self.poll_join_next(context)).await
    }

    /// [`join_next`](Self::join_next) for futures and streams that are written by hand. The waker
    /// of the last call is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// for n in 1..=4 {
    ///     set.try_spawn_on(&pool, move || n)?;
    /// }
    /// let results = futures::stream::poll_fn(|context| set.poll_join_next(context));
    /// let sum = results.fold(0, async |sum, n| sum + n.unwrap()).await;
    /// assert_eq!(sum, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_join_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, JoinError>>> {
        let leave = ready!(self.budget.poll(context));
        loop {
            if let Some(result) = self.try_join_next() {
                leave.made_progress();
                return Poll::Ready(Some(result));
            }
            if self.is_empty() {
                return Poll::Ready(None);
            }
            if self.ready.wait_with(context.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// Waits for all tasks, and has their results in the order in which they ended. Dropped while
    /// it waits, it aborts those that are left.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// for n in 1..=4 {
    ///     set.spawn_on(&pool, move || n).await?;
    /// }
    /// let sum: u32 = set.join_all().await.into_iter().sum::<Result<_, _>>()?;
    /// assert_eq!(sum, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn join_all(mut self) -> Vec<Result<T, JoinError>> {
        let mut results = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            results.push(result);
        }
        results
    }

    /// Aborts all tasks, which stay in the set: each says how it ended. A closure that runs may
    /// take its time, and return a value all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_local_on(&pool, std::future::pending::<()>)?;
    /// set.abort_all();
    /// let result = set.blocking_join_next().expect("there is one");
    /// assert!(result.unwrap_err().is_aborted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort_all(&self) {
        for handle in self.slots.iter().flat_map(|slot| &slot.handle) {
            if !handle.is_forked() {
                // A panic of who waits for a task's token keeps none of the others.
                drop(boundary::of_nobody(|| handle.abort()));
            }
        }
    }

    /// Aborts all tasks, and waits until they have ended. Their results are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_local_on(&pool, std::future::pending::<()>)?;
    /// set.shutdown().await;
    /// assert!(set.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Lets all tasks run by themselves. The set is empty then.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let (sent, arrived) = std::sync::mpsc::channel();
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_on(&pool, move || sent.send("all the same"))?;
    /// set.detach_all();
    /// assert_eq!(arrived.recv()?, "all the same");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach_all(&mut self) {
        drop(mem::take(&mut self.slots));
        *self = TaskSet::new();
    }

    /// In a forked child: nobody ends the tasks of the parent, and the list may be locked by one of
    /// its threads for ever.
    fn notice_fork(&mut self) {
        if self.fork == fork::generation() {
            return;
        }
        self.fork = fork::generation();
        // Not dropped: it may have been copied in the middle of a change.
        mem::forget(mem::take(&mut self.ready));
        self.done.clear();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            slot.waker = self.ready.waker_of(number);
            // Those that were done before have their results, the others an error.
            if slot.handle.is_some() {
                self.done.push_back(number);
            }
        }
    }
}

impl<T> Drop for TaskSet<T> {
    fn drop(&mut self) {
        let slots = mem::take(&mut self.slots);
        slots
            .into_iter()
            .filter_map(|slot| slot.handle)
            .for_each(abandon);
    }
}

impl<T> Default for TaskSet<T> {
    fn default() -> Self {
        TaskSet::new()
    }
}

impl<T> FromIterator<JoinHandle<T>> for TaskSet<T> {
    fn from_iter<I: IntoIterator<Item = JoinHandle<T>>>(handles: I) -> Self {
        let mut set = TaskSet::new();
        for handle in handles {
            set.insert(handle);
        }
        set
    }
}

impl<T> fmt::Debug for TaskSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
