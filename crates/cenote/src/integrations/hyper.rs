//! A pool or a lane as hyper's [`Executor`], which it needs for HTTP/2 and for upgrades: each
//! future becomes a task on one of the workers. And [`LocalExecutor`], for code that is on a worker
//! and stays there, such as a server with one listener for each worker.
//!
//! A worker's runtime is tokio's, so `TokioIo` and `TokioTimer` of `hyper-util` work in these
//! futures.
//!
//! The trait has no error: a future that is not accepted, since the queue is full or the pool
//! closed, is dropped, and counted as rejected in the lane's statistics. For connections that means
//! that they end.
//!
//! # Examples
//!
//! HTTP/2, each connection and each of its streams on some worker:
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use std::convert::Infallible;
//! use hyper::{Request, Response, body::Incoming, rt::Executor};
//! use hyper::{server::conn::http2, service::service_fn};
//! use hyper_util::rt::TokioIo;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new("hello".to_owned()))
//! }
//!
//! let pool = cenote::Pool::new()?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     // Its readiness is that of the runtime it was accepted in: the worker takes the bare
//!     // socket.
//!     let stream = stream.into_std()?;
//!     let executor = pool.clone();
//!     pool.execute(async move {
//!         let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
//!         let connection = http2::Builder::new(executor)
//!             .serve_connection(TokioIo::new(stream), service_fn(hello));
//!         if let Err(error) = connection.await {
//!             eprintln!("connection: {error}");
//!         }
//!     });
//! }
//! # }
//! ```

use std::future::Future;
use std::marker::PhantomData;

use ::hyper::rt::Executor;

use crate::pool::handle::Pool;
use crate::pool::lane::Lane;
use crate::worker;

macro_rules! executors {
    ($($type:ident),*) => {$(
        #[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
        impl<F> Executor<F> for $type
        where
            F: Future + Send + 'static,
            F::Output: Send + 'static,
        {
            fn execute(&self, future: F) {
                if let Ok(task) = self.try_spawn_local(move || future) {
                    task.detach();
                }
            }
        }
    )*};
}

executors!(Pool, Lane);

/// Leaves futures, which may be `!Send`, in the background of the worker it was made on, as
/// [`spawn_background`](crate::spawn_background) does. It cannot leave its thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use cenote::hyper::LocalExecutor;
/// use hyper::rt::Executor;
///
/// let pool = cenote::Pool::new()?;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// pool.blocking_run(move || {
///     let executor = LocalExecutor::current().expect("on a worker");
///     let text = Rc::new("here");
///     executor.execute(async move { sender.send(*text).unwrap() });
/// })?;
/// assert_eq!(receiver.recv()?, "here");
/// assert!(LocalExecutor::current().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LocalExecutor {
    on_this_thread: PhantomData<*const ()>,
}

impl LocalExecutor {
    /// The executor of the worker this code runs on. `None` on any other thread.
    pub fn current() -> Option<Self> {
        worker::is_worker().then_some(LocalExecutor {
            on_this_thread: PhantomData,
        })
    }
}

impl<F> Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        worker::spawn_background(|| async move {
            future.await;
        });
    }
}
