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
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::Reason;
use super::options::Options;
use super::shared::Shared;
use super::submit::Submission;
use crate::engine::bell::Ticket;
use crate::task::cell::{Kind, Work};
use crate::task::handle::JoinHandle;
use crate::task::work::{Closure, Local, is_large};
use crate::worker;

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

// A panic gives the place back, as any drop.
impl UnwindSafe for Permit {}
impl RefUnwindSafe for Permit {}

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
        if const { is_large::<F>() } {
            let work = Closure::new(Box::new(f));
            return self.place.fill(Kind::Closure, &self.options, work);
        }
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
        if const { is_large::<F>() } {
            let work = Local::new(Box::new(f));
            return self.place.fill(Kind::Local, &self.options, work);
        }
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
        if shared.is_forked() {
            return Err(Reason::Forked);
        }
        let engine = &shared.engine;
        engine.reserve(lane).map_err(|refused| {
            let limit = engine.dispatch.lane(lane).gate().limit();
            Reason::new(refused, limit, engine.is_broken())
        })?;
        Ok(Place {
            shared: Arc::clone(shared),
            lane,
            is_held: true,
        })
    }

    /// Whether the pool accepts nothing any more.
    #[cfg(feature = "tower")]
    pub(crate) fn is_closed(&self) -> bool {
        self.shared
            .engine
            .dispatch
            .lane(self.lane)
            .gate()
            .is_closed()
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

/// The wait for a place. Dropped while it waits, it passes on what it may have been told.
pub(crate) struct Reservation {
    shared: Arc<Shared>,
    lane: usize,
    ticket: Option<Ticket>,
}

impl Reservation {
    pub(crate) fn new(shared: &Arc<Shared>, lane: usize) -> Self {
        Reservation {
            shared: Arc::clone(shared),
            lane,
            ticket: None,
        }
    }

    pub(crate) async fn wait(mut self) -> Result<Place, Reason> {
        poll_fn(|context| self.poll(context)).await
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Place, Reason>> {
        let room = self.shared.engine.room(self.lane);
        loop {
            if let Some(ticket) = &mut self.ticket
                && !room.bell().poll(ticket, context.waker())
            {
                return Poll::Pending;
            }
            self.ticket = None;
            match Place::try_new(&self.shared, self.lane) {
                Err(Reason::Full { .. }) if !worker::wait::may_not_wait(&self.shared) => {}
                answer => return Poll::Ready(answer),
            }
            self.ticket = room.wait(self.shared.engine.dispatch.lane(self.lane).gate());
        }
    }
}

impl Reservation {
    /// Waits no more, and passes on what it may have been told.
    pub(crate) fn leave(&mut self) {
        if let Some(mut ticket) = self.ticket.take() {
            self.shared.engine.room(self.lane).bell().leave(&mut ticket);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.leave();
    }
}
