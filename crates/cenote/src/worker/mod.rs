//! A worker: one thread, what it runs, and how it waits.
//!
//! - [`run`]: the thread, from its start to its end; [`execute`]: how it runs a task.
//! - [`local`]: futures on the worker: its tokio runtime, turning it, waiting in it.
//! - [`slot`]: what the rest of the process sees of a worker, and how it is woken.
//! - [`threads`]: waiting for the end of the system's threads.
//! - [`wait`], with [`inside`]: how it waits for a task of its own pool.
//! - [`state`]: the state it has from its pool's `worker_state`, and lending it.
//! - this file: what code that runs on a worker can ask for.

mod execute;
mod inside;
mod local;
mod run;
pub(crate) mod slot;
pub(crate) mod state;
pub(crate) mod threads;
pub(crate) mod wait;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use tokio::runtime::LocalRuntime;
use tokio_util::sync::CancellationToken;

pub(crate) use run::start;
pub use state::with_state;

use crate::engine::seat::SeatWord;
use crate::engine::step::Step;
use crate::os::stack::Stack;
use crate::pool::shared::Shared;
use crate::task::boundary;
use crate::task::cell::{Running, TaskRef, Work};
use crate::task::error::NoRuntime;
use crate::task::extra::Extra;
use crate::task::loan::Loan;
use state::StateCell;

thread_local! {
    /// The worker this thread is.
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

/// What belongs to the worker's thread alone.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    name: String,
    step: Step<SeatWord<Arc<Shared>>>,
    /// Made when the first future needs it, gone when the worker ends.
    runtime: RefCell<Option<Rc<LocalRuntime>>>,
    /// The thread ends: no runtime is made any more.
    ended: Cell<bool>,
    /// The worker is inside of its runtime, to wait in it.
    waiting_in_runtime: Cell<bool>,
    /// The thread is inside of `block_on`, where it cannot be entered once more.
    in_runtime: Cell<bool>,
    /// Futures that take places.
    locals: Cell<usize>,
    state: StateCell,
    /// When the runtime was last given a turn, in the clock's ticks.
    turned: Cell<u64>,
    /// A moving average of the tasks' run times, in nanoseconds.
    average_run: Cell<u64>,
    pending: Cell<Option<execute::Pending>>,
    /// The task before had lost its handle when it started: the next one probably has too.
    sole: Cell<bool>,
    /// Of the futures that take places, those that await something of the pool, and lend theirs.
    awaiting: Cell<usize>,
    /// The future that is polled awaits something of the pool.
    awaits: Cell<bool>,
    /// The task that runs has a place of its own among its lane's running.
    placed: Cell<bool>,
    /// It has that of another one.
    borrowed: RefCell<Option<Loan>>,
    /// The closure that runs has lent its place.
    lent: RefCell<Option<(TaskRef, Loan)>>,
    /// The closure that runs has polled a handle, and may sleep until that wakes it.
    polls: Cell<bool>,
    /// Tasks that futures of this thread await, and that were queued at the last look.
    wanted: RefCell<Vec<TaskRef>>,
    /// Ends a turn of the runtime that a closure waits in.
    turns: RefCell<Option<Waker>>,
    /// The lanes of the closures outside of the one that runs, each one more.
    outer_lanes: RefCell<Vec<u32>>,
    /// Bounds how deep tasks run inside of others.
    stack: Stack,
}

/// What a worker is called, and which of the pool's workers it is.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).name("images").build()?;
/// let worker = pool.blocking_run(cenote::current)?.expect("on a worker");
/// assert_eq!((worker.name.as_str(), worker.index), ("images-0", 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The name of the thread.
    pub name: String,
    /// From 0 to the pool's largest number of threads. A worker that is started after another has
    /// ended may get the other's number.
    pub index: usize,
}

pub(crate) fn worker() -> Option<Rc<Worker>> {
    WORKER
        .try_with(|worker| worker.borrow().clone())
        .ok()
        .flatten()
}

pub(crate) fn is_worker() -> bool {
    WORKER
        .try_with(|worker| worker.borrow().is_some())
        .unwrap_or(false)
}

/// The worker this thread is, if it is one of that pool.
pub(crate) fn worker_of(shared: &Shared) -> Option<Rc<Worker>> {
    worker().filter(|worker| std::ptr::eq(&*worker.shared, shared))
}

/// The worker this code runs on. `None` on any other thread.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::builder().name("images").threads(1).build()?;
/// let worker = pool.blocking_run(|| cenote::current().expect("on a worker"))?;
/// assert_eq!((worker.name.as_str(), worker.index), ("images-0", 0));
/// assert!(cenote::current().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn current() -> Option<WorkerInfo> {
    worker().map(|worker| worker.info())
}

/// Leaves a future behind on this worker, which `make` makes: it goes on after the task has
/// returned, while the worker runs other tasks and while it waits. It may be `!Send`, and use
/// tokio's timers and sockets, also in `make`, which runs at once, in the context of the worker's
/// tokio runtime.
///
/// It takes none of the worker's places for futures, and nobody waits for it but
/// [`close`](crate::Pool::close). A panic in it ends it alone.
///
/// The worker's tokio runtime is made by the first future. From then on closures, too, run in its
/// context, so that `tokio::task::spawn_local` works in them.
///
/// # Panics
///
/// If this is no worker, or if the runtime cannot be made (the process has no file descriptors
/// left).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::new()?;
/// let (sent, arrived) = std::sync::mpsc::channel();
/// pool.blocking_run(move || {
///     cenote::spawn_background(|| async move {
///         tokio::time::sleep(Duration::from_millis(5)).await;
///         sent.send("exported").ok();
///     });
/// })?;
/// assert_eq!(arrived.recv()?, "exported");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_background<F, U>(make: F)
where
    F: FnOnce() -> U,
    U: Future<Output = ()> + 'static,
{
    worker()
        .expect("`cenote::spawn_background` was called on a thread that is no worker of a pool")
        .spawn_background(make);
}

/// The cancellation token of the task that runs: it is cancelled when the task is aborted, when its
/// `timeout` is over, when a token it was given is cancelled, and when the pool is shut down. A
/// closure that may take long looks at it now and then; its return value is the task's all the
/// same.
///
/// In a background future it is cancelled by the shutdown of the pool only.
///
/// # Panics
///
/// If this is no worker.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::new()?;
/// let task = pool.task().timeout(Duration::from_millis(10)).try_spawn(|| {
///     let token = cenote::token();
///     while !token.is_cancelled() {
///         std::thread::sleep(Duration::from_millis(1));
///     }
/// })?;
/// assert!(task.join().unwrap_err().is_timed_out());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn token() -> CancellationToken {
    let worker =
        worker().expect("`cenote::token` was called on a thread that is no worker of a pool");
    worker.token()
}

/// The code of the task that ran is over. Called before the task is settled, so that whoever finds
/// it settled also finds that its record is to come.
pub(crate) fn leave_task(task: &TaskRef) {
    WORKER.with(|place| {
        if let Some(worker) = &*place.borrow() {
            let slot = worker.shared.slot(worker.index);
            slot.record_is_due();
            let header = task.header();
            if header.extra().is_some_and(Extra::is_watched) {
                slot.forget_token(header);
            }
        }
    });
}

/// Runs `code` in the context of this worker's runtime, which is made now if need be.
pub(crate) fn in_runtime<T>(code: impl FnOnce() -> T) -> Result<T, NoRuntime> {
    let worker = worker().expect("tasks are run by workers");
    let runtime = worker.runtime()?;
    let _context = runtime.enter();
    Ok(code())
}

/// Puts a task's future on this worker, which settles it.
pub(crate) fn spawn_task<W, U>(future: U, running: Running<W>)
where
    W: Work<Output = U::Output> + 'static,
    U: Future + Unpin + 'static,
{
    let worker = worker().expect("tasks are run by workers");
    worker.spawn_task(future, running);
}

impl Worker {
    pub(crate) fn info(&self) -> WorkerInfo {
        WorkerInfo {
            name: self.name.clone(),
            index: self.index,
        }
    }

    /// The thread ends: it takes no futures any more.
    #[cfg(feature = "futures")]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    fn token(&self) -> CancellationToken {
        boundary::current(|current| match current {
            Some(header) => {
                let (token, first) = header.extra_or_new().token();
                if first {
                    self.shared.slot(self.index).watch(header, &token);
                }
                if self.shared.engine.is_shut_down() {
                    token.cancel();
                }
                token
            }
            None => self.shared.shutdown_token(),
        })
    }
}
