//! [`MapBlocking`]: a stream whose items go through a closure on a pool's workers, a bounded number
//! at a time.
//!
//! A place in the lane's queue is reserved first, and only then the source is asked for an item: so
//! a full queue is felt by the source. A place is not kept beyond a poll. If the source has nothing
//! at the moment, the place goes back, for others to use meanwhile; and whoever is given a result
//! may be busy with it for long, so the wait for room is left too, and what it may have been told
//! is passed on.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::error::{Reason, RunError, SpawnError};
use super::in_flight::InFlight;
use super::lane::Lane;
use super::options::Options;
use super::permit::Reservation;
use super::task_builder::TaskBuilder;
use crate::task::cell::Kind;
use crate::task::work::Closure;

/// The results of a closure that runs on a pool's workers for each item of a stream. Made by
/// [`Lane::map_blocking`] and [`TaskBuilder::map_blocking`]; see there.
///
/// It can be polled without being pinned, whatever the source is. It is a handle to its pool and
/// keeps it open. After the end it stays at the end.
#[must_use = "a stream does nothing until it is polled"]
pub struct MapBlocking<S: Stream, F, T> {
    lane: Lane,
    options: Options,
    /// `None`: it has ended, or there is nobody to run its items.
    source: Option<Pin<Box<S>>>,
    /// An item of a source that had said that it has none.
    surplus: Option<S::Item>,
    f: Arc<F>,
    limit: usize,
    reservation: Reservation,
    in_flight: InFlight<T>,
    /// Why items of the source were left there: said once, after all results.
    refused: Option<Reason>,
}

// Nothing is pinned in place: the source has a box of its own.
impl<S: Stream, F, T> Unpin for MapBlocking<S, F, T> {}

impl<S: Stream, F, T> MapBlocking<S, F, T> {
    /// Results come as they are there, whatever the order of their items. Default: in the order of
    /// the items, so that a long one holds back the results of those behind it, and in the end the
    /// source.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use futures::{StreamExt, TryStreamExt, stream};
    ///
    /// let pool = cenote::Pool::new()?;
    /// let squares = pool.map_blocking(stream::iter(1..=9_u32), 4, |n| n * n).unordered();
    /// let mut squares: Vec<u32> = squares.try_collect().await?;
    /// squares.sort_unstable();
    /// assert_eq!(squares, [1, 4, 9, 16, 25, 36, 49, 64, 81]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unordered(mut self) -> Self {
        self.in_flight =
            std::mem::replace(&mut self.in_flight, InFlight::in_order()).into_as_they_end();
        self
    }
}

impl<S, F, T> MapBlocking<S, F, T>
where
    S: Stream,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    fn new(lane: &Lane, options: Options, source: S, limit: usize, f: F) -> Self {
        assert!(limit > 0, "`map_blocking` needs a limit of at least 1");
        MapBlocking {
            lane: lane.clone(),
            options,
            source: Some(Box::pin(source)),
            surplus: None,
            f: Arc::new(f),
            limit,
            reservation: Reservation::new(lane.shared(), lane.lane_index()),
            in_flight: InFlight::in_order(),
            refused: None,
        }
    }

    /// Takes items from the source and spawns their tasks, for as long as all three allow it: the
    /// limit, the queue and the source. One that does not has the waker, or is looked at again when
    /// a result was taken.
    fn fill(&mut self, context: &mut Context<'_>) {
        while self.in_flight.len() < self.limit {
            let Some(source) = &mut self.source else {
                return;
            };
            // One that has no more need not wait for room to say so.
            if self.surplus.is_none() && source.size_hint().1 == Some(0) {
                match source.as_mut().poll_next(context) {
                    Poll::Pending => return,
                    Poll::Ready(Some(item)) => self.surplus = Some(item),
                    Poll::Ready(None) => {
                        self.source = None;
                        return;
                    }
                }
            }
            let place = match self.reservation.poll(context) {
                Poll::Pending => return,
                Poll::Ready(Ok(place)) => place,
                Poll::Ready(Err(reason)) => {
                    self.refused = Some(reason);
                    (self.source, self.surplus) = (None, None);
                    return;
                }
            };
            let next = match self.surplus.take() {
                Some(item) => Poll::Ready(Some(item)),
                None => source.as_mut().poll_next(context),
            };
            match next {
                Poll::Pending => return,
                Poll::Ready(None) => self.source = None,
                Poll::Ready(Some(item)) => {
                    let f = Arc::clone(&self.f);
                    let work = Closure::new(move || f(item));
                    let handle = place.fill(Kind::Closure, &self.options, work);
                    self.in_flight.push(handle);
                }
            }
        }
    }
}

impl<S, F, T> Stream for MapBlocking<S, F, T>
where
    S: Stream,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    type Item = Result<T, RunError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, RunError>>> {
        let this = &mut *self;
        this.fill(context);
        let next = match this.in_flight.poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(result)) => Some(result.map_err(RunError::Join)),
            // With nothing in flight `fill` has left the waker with the source or the queue.
            Poll::Ready(None) if this.source.is_some() => return Poll::Pending,
            Poll::Ready(None) => {
                let refused = this.refused.take();
                refused.map(|reason| Err(RunError::Spawn(SpawnError::new(reason, ()))))
            }
        };
        this.reservation.leave();
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let sure = self.in_flight.len() + usize::from(self.refused.is_some());
        match &self.source {
            None => (sure, Some(sure)),
            Some(source) => {
                // All that the source has left may come to one error.
                let sure = sure + usize::from(self.surplus.is_some());
                let (least, most) = source.size_hint();
                let most = most.and_then(|most| most.checked_add(sure));
                (sure.saturating_add(least.min(1)), most)
            }
        }
    }
}

impl<S, F, T> FusedStream for MapBlocking<S, F, T>
where
    S: Stream,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    fn is_terminated(&self) -> bool {
        self.source.is_none() && self.refused.is_none() && self.in_flight.len() == 0
    }
}

impl<S: Stream, F, T> fmt::Debug for MapBlocking<S, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapBlocking")
            .field("lane", &self.lane.name())
            .field("limit", &self.limit)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}

impl Lane {
    /// Runs `f` on a worker for each item of a stream, and gives the results, in the order of the
    /// items or, with [`unordered`](MapBlocking::unordered), as they come.
    ///
    /// **Bounded:** at most `limit` items are in the pool, or have ended and are not taken. An item
    /// is taken from the source only when there is room for it, also in the lane's queue. So
    /// whatever is slow, whoever takes the results or the pool itself, holds up the source, and
    /// nothing piles up between them. To keep all workers busy, let `limit` be twice their number.
    ///
    /// **Dropped,** it aborts its tasks: those that have not started never run, those that run are
    /// asked through their [`token`](crate::token).
    ///
    /// # Beside `buffered`
    ///
    /// `stream.map(|item| pool.run(move || f(item))).buffered(limit)` has the same results. Where
    /// it differs: it takes items from the source while the queue is full, and holds them; dropped,
    /// it detaches what is in the queue, which runs although nobody wants it; and its
    /// `buffer_unordered` allocates for each item.
    ///
    /// # Errors
    ///
    /// Of one item: if `f` panics for it, or it does not run to its end for another reason. The
    /// others go on.
    ///
    /// When the pool accepts nothing any more, because it is closed, has no workers, or this
    /// process is a fork: that is the last result, after those of all accepted items. The rest of
    /// the source is dropped with it. Where its `size_hint` says that it has no more, nothing is
    /// lost, and there is no such error. While the source itself is pending, the stream waits for
    /// it, and the closed pool shows with its next item.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use futures::{StreamExt, stream};
    ///
    /// let pool = cenote::Pool::new()?;
    /// let lines = stream::iter(["3 5 8", "1 2", "thirteen"]);
    /// let mut sums = pool.map_blocking(lines, 8, |line| {
    ///     line.split(' ').map(|word| word.parse::<u32>().expect("a number")).sum::<u32>()
    /// });
    /// assert_eq!(sums.next().await.expect("the first")?, 16);
    /// assert_eq!(sums.next().await.expect("the second")?, 3);
    /// let error = sums.next().await.expect("the third").unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
    /// assert!(sums.next().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_blocking<S, F, T>(&self, source: S, limit: usize, f: F) -> MapBlocking<S, F, T>
    where
        S: Stream,
        S::Item: Send + 'static,
        F: Fn(S::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.task().map_blocking(source, limit, f)
    }
}

impl TaskBuilder<'_> {
    /// [`Lane::map_blocking`] with these options for the task of each item. Their times begin when
    /// the item was taken from the source.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use cenote::Priority;
    /// use futures::{TryStreamExt, stream};
    ///
    /// let pool = cenote::Pool::new()?;
    /// let pages = stream::iter(["a page", "another"]);
    /// let lengths = pool.task().priority(Priority::Low).map_blocking(pages, 4, str::len);
    /// assert_eq!(lengths.try_collect::<Vec<_>>().await?, [6, 7]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_blocking<S, F, T>(self, source: S, limit: usize, f: F) -> MapBlocking<S, F, T>
    where
        S: Stream,
        S::Item: Send + 'static,
        F: Fn(S::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        let (lane, options) = self.into_parts();
        MapBlocking::new(lane, options, source, limit, f)
    }
}
