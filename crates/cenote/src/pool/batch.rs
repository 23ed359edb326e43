//! Batches: closures that are there all at once, and are queued by one step.
//!
//! The closures are collected first, so that the user's iterator runs before anything of the pool
//! does. Then, as long as there is room: tasks are made for as many as have room, with one look at
//! the clock, and linked to a chain; the gate admits all that it can of them; one step pushes
//! those, and workers are sent for, once. Tasks that were made and had no room after all, since
//! others were faster, are the first of the next round, or are taken apart for their closures.

use std::sync::Arc;
use std::vec;

use super::batch_error::SpawnBatchError;
use super::error::{Reason, SpawnError};
use super::lane::Lane;
use super::options::Options;
use super::shared::Shared;
use super::submit::{count_settled, make};
use super::task_builder::TaskBuilder;
use crate::clock::Stamp;
use crate::engine::queue::chain::Chain;
use crate::engine::queue::gate::{Gate, Refused};
use crate::task::batch::BatchHandle;
use crate::task::blocking;
use crate::task::cell::Kind;
use crate::task::joiner::Joiner;
use crate::task::outcome::Outcome;
use crate::task::work::Closure;
use crate::worker;

/// What a batch comes to, or what there is of it.
type Spawned<F, T> = Result<BatchHandle<T>, SpawnBatchError<F, T>>;

/// A batch on its way in.
struct Batch<'a, F, T> {
    shared: &'a Arc<Shared>,
    lane: usize,
    options: Options,
    /// Of all tasks that were made, queued or not.
    joiners: Vec<Joiner<T>>,
    /// Tasks that were made and are not queued. Their handles are the last of the joiners.
    chain: Chain,
    /// Closures of which no task was made.
    closures: vec::IntoIter<F>,
}

impl<'a, F, T> Batch<'a, F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn new(task: TaskBuilder<'a>, closures: impl IntoIterator<Item = F>) -> Self {
        let (lane, options) = task.into_parts();
        let closures: Vec<F> = closures.into_iter().collect();
        Batch {
            shared: lane.shared(),
            lane: lane.lane_index(),
            options,
            joiners: Vec::with_capacity(closures.len()),
            chain: Chain::default(),
            closures: closures.into_iter(),
        }
    }

    fn gate(&self) -> &'a Gate {
        self.shared.engine.dispatch.lane(self.lane).gate()
    }

    /// Queues what there is room for. `Err(Full)` leaves the rest where it is.
    fn submit(&mut self) -> Result<(), Reason> {
        if self.closures.len() == 0 && self.chain.is_empty() {
            return Ok(());
        }
        if self.shared.is_forked() {
            return Err(Reason::Forked);
        }
        let refused = match self.gate().room() {
            None => Refused::Closed,
            Some(0) => Refused::Full,
            Some(room) => {
                self.make(room);
                match self.shared.submit_many(&mut self.chain) {
                    Ok(()) if self.closures.len() == 0 => return Ok(()),
                    Ok(()) => Refused::Full,
                    Err(refused) => refused,
                }
            }
        };
        let engine = &self.shared.engine;
        Err(Reason::new(
            refused,
            self.gate().limit(),
            engine.is_broken(),
        ))
    }

    /// Makes tasks, until there are as many as have room.
    fn make(&mut self, room: usize) {
        let now = Stamp::now();
        let wanted = room.saturating_sub(self.chain.len());
        for closure in self.closures.by_ref().take(wanted) {
            let work = Closure::new(closure);
            let (task, joiner) = make(
                self.shared,
                self.lane,
                Kind::Closure,
                &self.options,
                now,
                work,
            );
            self.chain.append(task);
            self.joiners.push(joiner);
        }
    }

    fn accepted(self) -> BatchHandle<T> {
        let max_spin = self.shared.config.max_spin;
        BatchHandle::new(self.joiners, max_spin, self.shared.fork)
    }

    #[cold]
    fn refused(mut self, reason: Reason) -> Spawned<F, T> {
        let mut closures = Vec::with_capacity(self.chain.len() + self.closures.len());
        let made = self
            .joiners
            .split_off(self.joiners.len() - self.chain.len());
        for joiner in made {
            let task = self.chain.pop().expect("each has its task");
            // SAFETY: `make` made the task with a `Closure<F>`.
            match unsafe { joiner.into_work::<Closure<F>>() } {
                Ok(work) => closures.push(work.into_inner()),
                // A deadline or a token was faster: the task has settled, which its handle says.
                Err(joiner) => {
                    count_settled(self.shared, &task);
                    self.joiners.push(joiner);
                }
            }
        }
        closures.extend(self.closures.by_ref());
        let left = closures.len();
        let outcomes = &self.shared.lanes[self.lane].outcomes;
        outcomes.add(Outcome::Rejected, left as u64);
        let accepted = self.accepted();
        if left == 0 {
            return Ok(accepted);
        }
        let refused = SpawnError::new(reason, closures);
        Err(SpawnBatchError::new(accepted, refused, left))
    }

    /// Sheds what has no room.
    fn attempt(mut self) -> Spawned<F, T> {
        match self.submit() {
            Ok(()) => Ok(self.accepted()),
            Err(reason) => self.refused(reason),
        }
    }

    /// Waits for room, asynchronously. Dropped while it waits, it drops what is not queued.
    async fn wait(mut self) -> Spawned<F, T> {
        loop {
            match self.submit() {
                Ok(()) => return Ok(self.accepted()),
                Err(Reason::Full { .. }) => {}
                Err(reason) => return self.refused(reason),
            }
            let room = self.shared.engine.room(self.lane);
            if let Some(ticket) = room.wait(self.gate()) {
                room.bell().resume(ticket).await;
            }
        }
    }

    /// Waits for room, blocking. On a worker of the same pool it does not wait, which might be for
    /// ever.
    fn block(self) -> Spawned<F, T> {
        if worker::worker_of(self.shared).is_some() {
            return self.attempt();
        }
        let max_spin = self.shared.config.max_spin;
        blocking::block_on(max_spin, self.wait())
    }
}

impl Lane {
    /// Spawns closures of one type together, as many as there is room for, and returns the others.
    /// For many small tasks: it takes a fraction of the time that [`try_spawn`](Self::try_spawn)
    /// takes for each, and wakes the workers once.
    ///
    /// They start in their order, after what was queued before. The iterator is collected first;
    /// if it panics, nothing was spawned.
    ///
    /// # Errors
    ///
    /// If not all were accepted: the queue had no room for more, the pool is closed or has no
    /// workers, or this process is a fork. The error has the closures that were not accepted, and
    /// the handle of the tasks that were.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let lines = ["one line", "another", "a third"];
    /// let batch = pool.try_spawn_batch(lines.map(|line| move || line.len()))?;
    /// let lengths: Result<Vec<usize>, _> = batch.join().into_iter().collect();
    /// assert_eq!(lengths?, [8, 7, 7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_batch<I, F, T>(
        &self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().try_spawn_batch(closures)
    }

    /// [`try_spawn_batch`](Self::try_spawn_batch) that waits for room in the queue if need be: it
    /// spawns as many as there is room for, then waits for the others. Dropped while it waits, it
    /// drops the closures that were not accepted, and detaches the tasks.
    ///
    /// # Errors
    ///
    /// As `try_spawn_batch`, except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = cenote::Pool::builder().queue_limit(8).build()?;
    /// let batch = pool.spawn_batch((0..100_u32).map(|n| move || n * 2)).await?;
    /// let doubles: Result<Vec<u32>, _> = batch.await.into_iter().collect();
    /// assert_eq!(doubles?.iter().sum::<u32>(), 9_900);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_batch<I, F, T>(
        &self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let batch = Batch::new(self.task(), closures);
        batch.wait().await
    }

    /// [`try_spawn_batch`](Self::try_spawn_batch) that blocks for room in the queue if need be. On
    /// a worker of the same pool it does not block, which might be for ever, but behaves as
    /// `try_spawn_batch`.
    ///
    /// # Errors
    ///
    /// As `try_spawn_batch`, except for a full queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().queue_limit(8).build()?;
    /// let batch = pool.blocking_spawn_batch((0..100_u32).map(|n| move || n * 2))?;
    /// let doubles: Result<Vec<u32>, _> = batch.join().into_iter().collect();
    /// assert_eq!(doubles?.iter().sum::<u32>(), 9_900);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn_batch<I, F, T>(
        &self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().blocking_spawn_batch(closures)
    }
}

/// Of a batch, each task has these options. Their times begin when there is room for it.
impl TaskBuilder<'_> {
    /// [`Lane::try_spawn_batch`] with these options for each task.
    ///
    /// # Errors
    ///
    /// As `Lane::try_spawn_batch`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.task().priority(Priority::Low).try_spawn_batch([|| 1, || 2])?;
    /// assert!(batch.join().iter().all(Result::is_ok));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_spawn_batch<I, F, T>(
        self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Batch::new(self, closures).attempt()
    }

    /// [`Lane::spawn_batch`] with these options for each task.
    ///
    /// # Errors
    ///
    /// As `Lane::spawn_batch`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.task().priority(Priority::Low).spawn_batch([|| 1, || 2]).await?;
    /// assert!(batch.await.iter().all(Result::is_ok));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_batch<I, F, T>(
        self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Batch::new(self, closures).wait().await
    }

    /// [`Lane::blocking_spawn_batch`] with these options for each task.
    ///
    /// # Errors
    ///
    /// As `Lane::blocking_spawn_batch`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::Priority;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let batch = pool.task().priority(Priority::Low).blocking_spawn_batch([|| 1, || 2])?;
    /// assert!(batch.join().iter().all(Result::is_ok));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_spawn_batch<I, F, T>(
        self,
        closures: I,
    ) -> Result<BatchHandle<T>, SpawnBatchError<F, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Batch::new(self, closures).block()
    }
}
