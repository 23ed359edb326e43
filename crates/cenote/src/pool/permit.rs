//! A place in a lane's queue, reserved before there is a task for it.
//!
//! A permit is one admission by the lane's gate that no task has used yet. It takes one of the
//! `queue_limit` places, so a task can be put in it at any later time; and it is no task: nobody
//! waits for it, neither a pool that closes nor one that retires threads. The lane counts its
//! permits apart for that.
//!
//! Guaranteed: a task that was put in a permit's place settles, also if the pool has ended
//! meanwhile; a permit that is dropped gives its place back, and tells one who waits for it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::task::{Context, Poll};

use event_listener::EventListener;

use super::error::Reason;
use super::options::Options;
use super::shared::Shared;
use super::submit::Submission;
use crate::os::fork;
use crate::task::cell::{Kind, Work};
use crate::task::handle::JoinHandle;
use crate::task::work::{Closure, Local};

/// A place in a lane's queue for one task, which a full queue can no longer refuse. Made by
/// `reserve` and `try_reserve` of a [`Lane`](crate::Lane), so of a [`Pool`](crate::Pool) too, or of
/// a [`TaskBuilder`](crate::TaskBuilder).
///
/// It counts against the lane's `queue_limit` until it is used or dropped, so hold it for short;
/// with a limit of 0 there is never one. It does not hold up the pool's
/// [`close`](crate::Pool::close): a task that is spawned from it afterwards runs if a worker is
/// still there, else its handle says [`is_cancelled`](crate::JoinError::is_cancelled).
///
/// # Examples
///
/// Read a message only when there is room for the work it brings:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = cenote::Pool::builder().queue_limit(8).build()?;
/// let (sender, mut messages) = tokio::sync::mpsc::channel(1);
/// sender.send("resize").await?;
/// drop(sender);
///
/// loop {
///     let permit = pool.reserve().await?;
///     let Some(message) = messages.recv().await else { break };
///     assert_eq!(permit.spawn(move || message.len()).await?, 6);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a permit that is dropped gives its place back"]
pub struct Permit {
    place: Place,
    options: Options,
}

impl Permit {
    pub(crate) fn new(place: Place, options: Options) -> Self {
        Permit { place, options }
    }

    /// Spawns a closure in the place.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let permit = pool.try_reserve()?;
    /// assert_eq!(permit.spawn(|| 1 + 1).join()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.place
            .fill(Kind::Closure, &self.options, Closure::new(f))
    }

    /// Spawns a future that `f` makes on the worker in the place. The future may be `!Send`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let permit = pool.try_reserve()?;
    /// assert_eq!(permit.spawn_local(|| async { 1 + 1 }).join()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_local<F, U>(self, f: F) -> JoinHandle<U::Output>
    where
        F: FnOnce() -> U + Send + 'static,
        U: Future + 'static,
        U::Output: Send + 'static,
    {
        self.place.fill(Kind::Local, &self.options, Local::new(f))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("lane", &self.place.shared.lanes[self.place.lane].name)
            .finish_non_exhaustive()
    }
}

/// The place itself, which is given back when this is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    lane: usize,
    is_held: bool,
}

impl Place {
    pub(crate) fn try_new(shared: &Arc<Shared>, lane: usize) -> Result<Self, Reason> {
        if shared.fork != fork::generation() {
            return Err(Reason::Forked);
        }
        let gate = shared.dispatch.lane(lane).gate();
        gate.admit()
            .map_err(|refused| Reason::new(refused, gate.limit(), shared.is_broken()))?;
        // Between the two steps the place passes for a task, which makes a worker stay that might
        // end: if the pool is being closed, the drop of the place sends it to look again.
        shared.lanes[lane].reserved.add();
        let place = Place {
            shared: Arc::clone(shared),
            lane,
            is_held: true,
        };
        if gate.is_closed() {
            drop(place);
            return Err(Reason::closed(shared.is_broken()));
        }
        Ok(place)
    }

    /// Whether the pool accepts nothing any more.
    #[cfg(feature = "tower")]
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.dispatch.lane(self.lane).gate().is_closed()
    }

    pub(crate) fn fill<W: Work>(
        mut self,
        kind: Kind,
        options: &Options,
        work: W,
    ) -> JoinHandle<W::Output> {
        self.is_held = false;
        let submission = Submission {
            shared: &self.shared,
            lane: self.lane,
            kind,
            options,
            work,
        };
        submission.into_place()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_held {
            self.shared.give_place_back(self.lane);
        }
    }
}

/// How many places of a lane's queue are held by permits, in the lower half; and, in the upper
/// half, how often that changed.
///
/// The gate counts them as well. Each is added after the gate has admitted it, and removed before
/// its place becomes a task's or is given back: so what the gate has besides them is no less than
/// the tasks.
#[derive(Default)]
pub(crate) struct Reserved(AtomicU64);

impl Reserved {
    const CHANGE: u64 = 1 << 32;

    fn add(&self) {
        // Release: pairs with the first load of `without`, which then sees the admission.
        self.0.fetch_add(Self::CHANGE + 1, Ordering::Release);
    }

    /// Returns how many are left.
    pub(crate) fn remove(&self) -> usize {
        let before = self.0.fetch_add(Self::CHANGE - 1, Ordering::Relaxed);
        // Pairs with the fence in `without`: whoever sees the gate's next step sees this one.
        fence(Ordering::Release);
        Self::count(before) - 1
    }

    /// Of what the gate counts, those that are tasks. A permit may pass for a task for a moment,
    /// but never a task for a permit.
    pub(crate) fn without(&self, admitted: impl Fn() -> usize) -> usize {
        loop {
            // Acquire: pairs with `add`.
            let before = self.0.load(Ordering::Acquire);
            let admitted = admitted();
            // Pairs with the fence in `remove`.
            fence(Ordering::Acquire);
            if self.0.load(Ordering::Relaxed) == before {
                return admitted.saturating_sub(Self::count(before));
            }
        }
    }

    fn count(word: u64) -> usize {
        (word % Self::CHANGE) as usize
    }
}

/// The wait for a place. Dropped while it waits, it passes on what it may have been told.
pub(crate) struct Reservation {
    shared: Arc<Shared>,
    lane: usize,
    room: Option<EventListener>,
}

impl Reservation {
    pub(crate) fn new(shared: &Arc<Shared>, lane: usize) -> Self {
        Reservation {
            shared: Arc::clone(shared),
            lane,
            room: None,
        }
    }

    pub(crate) async fn wait(mut self) -> Result<Place, Reason> {
        poll_fn(|context| self.poll(context)).await
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Place, Reason>> {
        loop {
            if let Some(room) = &mut self.room
                && Pin::new(room).poll(context).is_pending()
            {
                return Poll::Pending;
            }
            self.room = None;
            match Place::try_new(&self.shared, self.lane) {
                Err(Reason::Full { .. }) => {}
                answer => return Poll::Ready(answer),
            }
            let room = self.shared.lanes[self.lane].room.listen();
            let gate = self.shared.dispatch.lane(self.lane).gate();
            gate.set_waiters();
            // Room that was made before the flag was set was told to nobody.
            if !gate.has_answer() {
                self.room = Some(room);
            }
        }
    }
}
