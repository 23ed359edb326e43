//! A pool or a lane as a [`tower::Service`](::tower_service::Service), for the middleware that
//! exists: load shedding, timeouts, retries with a budget, rate limits, circuit breakers.
//!
//! `poll_ready` reserves one place in the lane's queue, and is pending while there is none; `call`
//! puts the request in it. So a full queue is felt before a request is taken: `load_shed` sheds,
//! `buffer` waits, a balancer goes elsewhere.
//!
//! A clone has no place of its own until it is polled; a service that is dropped gives its place
//! back. A response future that is dropped, as by a timeout, [aborts](crate::JoinHandle::abort) its
//! task.
//!
//! What the function returns is the response, also where it is a `Result`. To have its errors be
//! the service's, put [`map_result`] around it, as below.
//!
//! [`map_result`]: https://docs.rs/tower/latest/tower/trait.ServiceExt.html#method.map_result
//!
//! # Examples
//!
//! A lane that sheds what it has no room for, and gives up on what takes too long:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! use std::time::Duration;
//! use cenote::LaneConfig;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! let pool = cenote::Pool::builder()
//!     .lane("reports", LaneConfig::new().max_running(1).queue_limit(16))
//!     .build()?;
//! let reports = pool.lane("reports").expect("it was configured");
//! let reports = ServiceBuilder::new()
//!     .load_shed()
//!     .timeout(Duration::from_secs(2))
//!     .service(reports.service(|year: u32| format!("report of {year}")));
//!
//! assert_eq!(reports.oneshot(2024).await?, "report of 2024");
//! # Ok(())
//! # }
//! ```
//!
//! Where the function can fail:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! use tower::{BoxError, ServiceExt};
//!
//! let pool = cenote::Pool::new()?;
//! let parse = pool
//!     .service(|text: &'static str| text.parse::<i32>())
//!     .map_result(|result| Ok::<_, BoxError>(result??));
//! assert_eq!(parse.clone().oneshot("42").await?, 42);
//! assert!(parse.oneshot("forty-two").await.is_err());
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tower_service::Service;

use crate::pool::error::{RunError, SpawnError};
use crate::pool::lane::Lane;
use crate::pool::options::{Options, Priority};
use crate::pool::permit::{Permit, Place, Reservation};
use crate::task::handle::JoinHandle;

/// Runs requests on a lane of a pool. Made by `service` and `service_local` of a
/// [`Lane`], or of a [`Pool`](crate::Pool) for its main lane; see the [module](self).
///
/// # Errors
///
/// `poll_ready` fails if the pool is closed or has no workers, or if this process is a fork. The
/// response is an error if the function panicked, or did not run to its end.
///
/// # Panics
///
/// `call` panics if `poll_ready` was not ready before, as the trait allows.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use cenote::Priority;
/// use tower::{Service, ServiceExt};
///
/// let pool = cenote::Pool::new()?;
/// let mut double = pool.service(|n: u32| n * 2).priority(Priority::High);
/// assert_eq!(double.ready().await?.call(21).await?, 42);
/// # Ok(())
/// # }
/// ```
pub struct LaneService<H> {
    lane: Lane,
    options: Options,
    handler: Arc<H>,
    reservation: Reservation,
    /// What `poll_ready` reserved for the next `call`.
    place: Option<Place>,
}

impl<H> LaneService<H> {
    fn new(lane: Lane, options: Options, handler: Arc<H>) -> Self {
        LaneService {
            reservation: Reservation::new(lane.shared(), lane.lane_index()),
            lane,
            options,
            handler,
            place: None,
        }
    }

    /// Which tasks the requests go before. Default: [`Priority::Normal`].
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// How long a request may wait for a worker, from `call`. Then it is dropped, and the response
    /// says so at once. Default: no limit.
    #[must_use]
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.options.queue_timeout = Some(limit);
        self
    }

    /// How long a request may run, not counting its wait. Then the response says so at once; see
    /// [`TaskBuilder::timeout`](crate::TaskBuilder::timeout). Default: no limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// The lane the requests run on.
    pub fn lane(&self) -> &Lane {
        &self.lane
    }
}

impl<H> Clone for LaneService<H> {
    fn clone(&self) -> Self {
        LaneService::new(
            self.lane.clone(),
            self.options.clone(),
            Arc::clone(&self.handler),
        )
    }
}

impl<H> fmt::Debug for LaneService<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneService")
            .field("lane", &self.lane)
            .field("options", &self.options)
            .field("has_permit", &self.place.is_some())
            .finish_non_exhaustive()
    }
}

impl<H, Request> Service<Request> for LaneService<H>
where
    H: Handler<Request>,
{
    type Response = H::Output;
    type Error = RunError;
    type Future = ResponseFuture<H::Output>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RunError>> {
        // A place in the queue of a pool that was closed since is of no use: the next look says
        // why.
        if self.place.as_ref().is_some_and(Place::is_closed) {
            self.place = None;
        }
        if self.place.is_none() {
            let place = ready!(self.reservation.poll(context));
            self.place = Some(place.map_err(|reason| SpawnError::new(reason, ()))?);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let place = self
            .place
            .take()
            .expect("`call` without a `poll_ready` that was ready");
        let permit = Permit::new(place, self.options.clone());
        ResponseFuture {
            handle: H::spawn(&self.handler, permit, request),
        }
    }
}

/// The response to come. Dropped before that, it [aborts](crate::JoinHandle::abort) its task: one
/// that has not started never will; a future is dropped; a closure that runs is asked to stop
/// through its [`token`](crate::token), and what it returns is dropped.
#[must_use = "a response future that is dropped aborts its task"]
pub struct ResponseFuture<T> {
    handle: JoinHandle<T>,
}

impl<T> Future for ResponseFuture<T> {
    type Output = Result<T, RunError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle)
            .poll(context)
            .map_err(RunError::Join)
    }
}

impl<T> Drop for ResponseFuture<T> {
    fn drop(&mut self) {
        if !self.handle.is_finished() {
            self.handle.abort();
        }
    }
}

impl<T> fmt::Debug for ResponseFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("task", &self.handle)
            .finish()
    }
}

mod sealed {
    /// What a service does with a request. Implemented by this module alone.
    pub trait Sealed {}
}

/// How a service's function is called: plain, or for a future. Implemented by what `service` and
/// `service_local` make, and by nothing else.
pub trait Handler<Request>: sealed::Sealed + Send + Sync + 'static {
    /// The response.
    type Output: Send + 'static;

    #[doc(hidden)]
    fn spawn(this: &Arc<Self>, permit: Permit, request: Request) -> JoinHandle<Self::Output>;
}

/// The handler of [`Lane::service`]: `Fn(Request) -> T`.
pub struct Plain<F>(F);
/// The handler of [`Lane::service_local`]: `Fn(Request) -> Future`.
pub struct Local<F>(F);

impl<F> sealed::Sealed for Plain<F> {}
impl<F> sealed::Sealed for Local<F> {}

impl<F, Request, T> Handler<Request> for Plain<F>
where
    F: Fn(Request) -> T + Send + Sync + 'static,
    Request: Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn spawn(this: &Arc<Self>, permit: Permit, request: Request) -> JoinHandle<T> {
        let this = Arc::clone(this);
        permit.spawn(move || (this.0)(request))
    }
}

impl<F, Request, U> Handler<Request> for Local<F>
where
    F: Fn(Request) -> U + Send + Sync + 'static,
    Request: Send + 'static,
    U: Future + 'static,
    U::Output: Send + 'static,
{
    type Output = U::Output;

    fn spawn(this: &Arc<Self>, permit: Permit, request: Request) -> JoinHandle<U::Output> {
        let this = Arc::clone(this);
        permit.spawn_local(move || (this.0)(request))
    }
}

impl Lane {
    /// A [`tower` service](crate::tower) that runs `f` on a worker for each request. `f`
    /// gets the worker's state by [`with_state`](crate::with_state).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tower::ServiceExt;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let lane = pool.lane("main").expect("the pool's own");
    /// let lengths = lane.service(|text: String| text.len());
    /// assert_eq!(lengths.oneshot("four".to_owned()).await?, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
    pub fn service<F, Request, T>(&self, f: F) -> LaneService<Plain<F>>
    where
        F: Fn(Request) -> T + Send + Sync + 'static,
    {
        LaneService::new(self.clone(), Options::DEFAULT, Arc::new(Plain(f)))
    }

    /// A [`tower` service](crate::tower) that runs the future `f` makes, which may be
    /// `!Send`, on a worker for each request.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::{rc::Rc, time::Duration};
    /// use tower::ServiceExt;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let later = pool.service_local(|n: u32| async move {
    ///     let n = Rc::new(n);
    ///     tokio::time::sleep(Duration::from_millis(1)).await;
    ///     *n + 1
    /// });
    /// assert_eq!(later.oneshot(1).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
    pub fn service_local<F, Request, U>(&self, f: F) -> LaneService<Local<F>>
    where
        F: Fn(Request) -> U + Send + Sync + 'static,
        U: Future + 'static,
    {
        LaneService::new(self.clone(), Options::DEFAULT, Arc::new(Local(f)))
    }
}
