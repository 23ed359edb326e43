//! Why a task has no value: [`JoinError`].

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

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
pub struct JoinError(Cause);

// So that it goes into `Box<dyn Error + Send + Sync>`, as errors have to.
const _: fn() = || {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<JoinError>();
};

/// The causes.
pub(crate) enum Cause {
    Panicked(Payload),
    Aborted,
    Expired,
    TimedOut,
    Cancelled,
    NoWorker,
    Forked,
    WouldDeadlock,
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

impl Cause {
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Cause::Panicked(Payload(Box::new(Mutex::new(payload))))
    }

    /// The cause as a note in the state word of a task that never started. Not 0.
    pub(crate) fn note(&self) -> u8 {
        match self {
            Cause::Aborted => 1,
            Cause::Expired => 2,
            Cause::Cancelled => 3,
            _ => 4,
        }
    }
}

impl JoinError {
    pub(crate) fn new(cause: Cause) -> Self {
        JoinError(cause)
    }

    /// A stable name for the cause, for logs and metrics:
    ///
    /// | code | the task |
    /// |---|---|
    /// | `CENOTE_TASK_PANICKED` | panicked |
    /// | `CENOTE_TASK_ABORTED` | was aborted through its handle |
    /// | `CENOTE_TASK_EXPIRED` | had not started when its `queue_timeout` was over, and never will |
    /// | `CENOTE_TASK_TIMED_OUT` | was not done when its `timeout` was over |
    /// | `CENOTE_TASK_CANCELLED` | was cancelled by its token, or by the end of the pool |
    /// | `CENOTE_NO_WORKER` | cannot run: no worker could be started |
    /// | `CENOTE_FORKED` | belongs to the parent of this forked process, which has no workers |
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
            Cause::Panicked(_) => "CENOTE_TASK_PANICKED",
            Cause::Aborted => "CENOTE_TASK_ABORTED",
            Cause::Expired => "CENOTE_TASK_EXPIRED",
            Cause::TimedOut => "CENOTE_TASK_TIMED_OUT",
            Cause::Cancelled => "CENOTE_TASK_CANCELLED",
            Cause::NoWorker => "CENOTE_NO_WORKER",
            Cause::Forked => "CENOTE_FORKED",
            Cause::WouldDeadlock => "CENOTE_WOULD_DEADLOCK",
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
        matches!(self.0, Cause::Panicked(_))
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
        matches!(self.0, Cause::Aborted)
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
    /// assert!(late.join().unwrap_err().is_expired());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_expired(&self) -> bool {
        matches!(self.0, Cause::Expired)
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
        matches!(self.0, Cause::TimedOut)
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
        matches!(self.0, Cause::Cancelled)
    }

    /// There is no worker to run the task: none could be started, or this process is a fork.
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
        matches!(self.0, Cause::NoWorker | Cause::Forked)
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
            Cause::Panicked(payload) => Ok(payload.into_inner()),
            cause => Err(JoinError(cause)),
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
        match &self.0 {
            Cause::Panicked(payload) => match payload.message() {
                Some(message) => write!(f, "the task panicked: {message}"),
                None => f.write_str("the task panicked with a payload that is no text"),
            },
            Cause::Aborted => f.write_str("the task was aborted"),
            Cause::Expired => {
                f.write_str("the task was dropped before it started: it waited longer than its queue_timeout")
            }
            Cause::TimedOut => f.write_str("the task ran longer than its timeout"),
            Cause::Cancelled => f.write_str("the task was cancelled by its token or by the end of its pool"),
            Cause::NoWorker => {
                f.write_str("the task cannot run: the pool could not start a worker (see its worker_state and spawn failures)")
            }
            Cause::Forked => f.write_str(
                "the task belongs to the parent of this forked process; build a pool after the fork",
            ),
            Cause::WouldDeadlock => f.write_str(
                "the task can run only on this very thread, which would wait for it for ever; \
                 await it, or join it outside of `with_state`",
            ),
        }
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
