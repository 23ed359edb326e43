//! Why a task has no value: [`JoinError`].

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::boundary::Panic;
use super::outcome::Outcome;

/// Why an accepted task did not return a value.
///
/// Every accepted task settles exactly once: with its value, or with one of these.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// let error = pool.try_spawn(|| panic!("out of cheese"))?.join().unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinError(Why);

// So that it goes into `Box<dyn Error + Send + Sync>`, as errors have to.
const _: fn() = || {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<JoinError>();
};

/// The outcome, with what more there is to say; or why nobody waits for one.
enum Why {
    /// The outcome says it all.
    Ended(Outcome),
    Panicked(Payload),
    /// Lost, since no worker could be started.
    NoWorker,
    /// Lost, since the workers are in the parent process.
    Forked,
    /// Lost, since its worker could not make its runtime.
    NoRuntime(Arc<io::Error>),
    /// The task goes on. No outcome, but an answer to who wants to block for it.
    WouldDeadlock,
}

/// Why a worker has no tokio runtime.
#[derive(Debug)]
pub(crate) enum NoRuntime {
    /// The worker ends.
    Ended,
    Failed(Arc<io::Error>),
}

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRuntime::Ended => f.write_str("the worker ends"),
            NoRuntime::Failed(error) => f.write_str(&no_runtime(error)),
        }
    }
}

fn no_runtime(error: &io::Error) -> String {
    format!(
        "its worker could not make a tokio runtime: {error}; is the process out of file \
         descriptors (ulimit -n)?"
    )
}

/// What a task panicked with. Behind a lock only so that the error is `Sync`, as error types have
/// to be to travel; on the heap, because it is rare.
pub(crate) struct Payload(Box<Mutex<Box<dyn Any + Send>>>);

impl Payload {
    fn into_inner(self) -> Box<dyn Any + Send> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn message(&self) -> Option<String> {
        let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panic_message(&**payload).map(str::to_owned)
    }
}

impl JoinError {
    pub(crate) fn panicked(panic: Panic) -> Self {
        JoinError(Why::Panicked(Payload(Box::new(Mutex::new(
            panic.into_inner(),
        )))))
    }

    pub(crate) fn aborted() -> Self {
        JoinError(Why::Ended(Outcome::Aborted))
    }

    pub(crate) fn timed_out() -> Self {
        JoinError(Why::Ended(Outcome::TimedOut))
    }

    pub(crate) fn cancelled() -> Self {
        JoinError(Why::Ended(Outcome::Cancelled))
    }

    pub(crate) fn forked() -> Self {
        JoinError(Why::Forked)
    }

    pub(crate) fn would_deadlock() -> Self {
        JoinError(Why::WouldDeadlock)
    }

    /// Why a task has no value that never started.
    pub(crate) fn unstarted(outcome: Outcome) -> Self {
        JoinError(match outcome {
            Outcome::Lost => Why::NoWorker,
            outcome => Why::Ended(outcome),
        })
    }

    pub(crate) fn no_runtime(error: NoRuntime) -> Self {
        match error {
            NoRuntime::Ended => JoinError::cancelled(),
            NoRuntime::Failed(error) => JoinError(Why::NoRuntime(error)),
        }
    }

    /// How a task ended that is settled with this.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.0 {
            Why::Ended(outcome) => outcome,
            Why::Panicked(_) => Outcome::Panicked,
            Why::NoWorker | Why::Forked | Why::NoRuntime(_) => Outcome::Lost,
            Why::WouldDeadlock => unreachable!("no task is settled with a refusal to block"),
        }
    }

    /// A stable name for the cause, for logs and metrics:
    ///
    /// | code | the task |
    /// |---|---|
    /// | `CENOTE_TASK_PANICKED` | panicked |
    /// | `CENOTE_TASK_ABORTED` | was aborted through its handle |
    /// | `CENOTE_TASK_QUEUE_TIMED_OUT` | had not started when its `queue_timeout` was over, and never will |
    /// | `CENOTE_TASK_TIMED_OUT` | was not done when its `timeout` was over |
    /// | `CENOTE_TASK_CANCELLED` | was cancelled by its token, or by the end of the pool |
    /// | `CENOTE_NO_WORKER` | cannot run: no worker could be started |
    /// | `CENOTE_FORKED` | belongs to the parent of this forked process, which has no workers |
    /// | `CENOTE_NO_RUNTIME` | is a future, and its worker could not make its tokio runtime |
    /// | `CENOTE_WOULD_DEADLOCK` | can run only on the very thread that wants to block for it |
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let error = pool.try_spawn(|| panic!("out of cheese"))?.join().unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn code(&self) -> &'static str {
        match self.0 {
            Why::Panicked(_) => "CENOTE_TASK_PANICKED",
            Why::Ended(Outcome::Aborted) => "CENOTE_TASK_ABORTED",
            Why::Ended(Outcome::QueueTimedOut) => "CENOTE_TASK_QUEUE_TIMED_OUT",
            Why::Ended(Outcome::TimedOut) => "CENOTE_TASK_TIMED_OUT",
            Why::Ended(_) => "CENOTE_TASK_CANCELLED",
            Why::NoWorker => "CENOTE_NO_WORKER",
            Why::Forked => "CENOTE_FORKED",
            Why::NoRuntime(_) => "CENOTE_NO_RUNTIME",
            Why::WouldDeadlock => "CENOTE_WOULD_DEADLOCK",
        }
    }

    /// The task panicked; [`into_panic`](Self::into_panic) has the payload.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let error = pool.try_spawn(|| panic!("out of cheese"))?.join().unwrap_err();
    /// assert!(error.is_panic());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Why::Panicked(_))
    }

    /// The task was aborted through its handle.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let never = pool.try_spawn_local(std::future::pending::<()>)?;
    /// never.abort();
    /// assert!(never.join().unwrap_err().is_aborted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_aborted(&self) -> bool {
        matches!(self.0, Why::Ended(Outcome::Aborted))
    }

    /// The task waited longer than its `queue_timeout`, so it was dropped before it started.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let late = pool.task().queue_timeout(Duration::ZERO).try_spawn(|| ())?;
    /// assert!(late.join().unwrap_err().is_queue_timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_queue_timed_out(&self) -> bool {
        matches!(self.0, Why::Ended(Outcome::QueueTimedOut))
    }

    /// The task ran longer than its `timeout`. A closure may still be running: it is asked to stop
    /// through its [`token`](crate::token), but a thread cannot be made to.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::new()?;
    /// let never = pool
    ///     .task()
    ///     .timeout(Duration::from_millis(5))
    ///     .try_spawn_local(std::future::pending::<()>)?;
    /// assert!(never.join().unwrap_err().is_timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_timed_out(&self) -> bool {
        matches!(self.0, Why::Ended(Outcome::TimedOut))
    }

    /// The task's token was cancelled, or the pool was shut down before the task was done.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let never = pool.try_spawn_local(std::future::pending::<()>)?;
    /// pool.shutdown_now();
    /// assert!(never.join().unwrap_err().is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Ended(Outcome::Cancelled))
    }

    /// There is no worker to run the task: none could be started, this process is a fork, or the
    /// task is a future whose worker could not make its tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let error = pool.try_spawn(|| panic!("out of cheese"))?.join().unwrap_err();
    /// assert!(!error.is_lost());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_lost(&self) -> bool {
        matches!(self.0, Why::NoWorker | Why::Forked | Why::NoRuntime(_))
    }

    /// The payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If this is no panic. Ask [`is_panic`](Self::is_panic) first, or use
    /// [`try_into_panic`](Self::try_into_panic).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let error = pool.try_spawn(|| panic!("out of cheese"))?.join().unwrap_err();
    /// assert_eq!(error.into_panic().downcast_ref(), Some(&"out of cheese"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("`into_panic` on an error that is no panic: {error}"),
        }
    }

    /// The payload of the panic, or the error back.
    ///
    /// # Errors
    ///
    /// This error itself, where it is no panic.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let never = pool.try_spawn_local(std::future::pending::<()>)?;
    /// never.abort();
    /// let error = never.join().unwrap_err().try_into_panic().unwrap_err();
    /// assert!(error.is_aborted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.0 {
            Why::Panicked(payload) => Ok(payload.into_inner()),
            why => Err(JoinError(why)),
        }
    }
}

/// The message of a panic, where it is text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        Some(text)
    } else {
        payload.downcast_ref::<String>().map(String::as_str)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Why::Panicked(payload) => {
                return match payload.message() {
                    Some(message) => write!(f, "the task panicked: {message}"),
                    None => f.write_str("the task panicked with a payload that is no text"),
                };
            }
            Why::Ended(Outcome::Aborted) => "the task was aborted",
            Why::Ended(Outcome::QueueTimedOut) => {
                "the task was dropped before it started: it waited longer than its queue_timeout"
            }
            Why::Ended(Outcome::TimedOut) => "the task ran longer than its timeout",
            Why::Ended(_) => "the task was cancelled by its token or by the end of its pool",
            Why::NoWorker => {
                "the task cannot run: the pool could not start a worker (see its worker_state and \
                 spawn failures)"
            }
            Why::Forked => {
                "the task belongs to the parent of this forked process; build a pool after the fork"
            }
            Why::NoRuntime(error) => {
                return write!(f, "the task cannot run: {}", no_runtime(error));
            }
            Why::WouldDeadlock => {
                "the task can run only on this very thread, which would wait for it for ever; \
                 await it, or join it outside of `with_state`"
            }
        })
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinError")
            .field("code", &self.code())
            .field("message", &format_args!("{self}"))
            .finish()
    }
}

impl std::error::Error for JoinError {}

/// Of the kind [`TimedOut`](io::ErrorKind::TimedOut) after a `queue_timeout` or a `timeout`,
/// [`Deadlock`](io::ErrorKind::Deadlock) for `CENOTE_WOULD_DEADLOCK`, else
/// [`Other`](io::ErrorKind::Other). The [`JoinError`] is inside.
///
/// # Examples
///
/// ```
/// use std::{io, time::Duration};
///
/// let pool = cenote::Pool::new()?;
/// let never = pool
///     .task()
///     .timeout(Duration::from_millis(5))
///     .try_spawn_local(std::future::pending::<()>)?;
/// let error = io::Error::from(never.join().unwrap_err());
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        let kind = match error.0 {
            Why::Ended(Outcome::QueueTimedOut | Outcome::TimedOut) => io::ErrorKind::TimedOut,
            Why::WouldDeadlock => io::ErrorKind::Deadlock,
            // Not `Interrupted` for what was aborted: the standard library repeats such calls.
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
