//! Why a pool was not built, a task not accepted, a run not finished.

use std::error::Error;
use std::{fmt, io};

use super::shared::InitFailure;
use crate::engine::queue::gate::Refused;
use crate::task::error::JoinError;

/// Why a task was not accepted. It has the closure, which did not run and never will by itself.
///
/// With `?` it goes into a `Box<dyn Error + Send + Sync>` with its closure, whatever that captured,
/// and into a [`RunError`] or an [`io::Error`] without it.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// pool.blocking_close(std::time::Duration::from_secs(5));
/// let refused = pool.try_spawn(|| 7).unwrap_err();
/// assert_eq!(refused.code(), "CENOTE_POOL_CLOSED");
/// let closure = refused.into_inner();
/// assert_eq!(closure(), 7);
/// # Ok::<(), cenote::BuildError>(())
/// ```
pub struct SpawnError<F> {
    reason: Reason,
    work: ByValue<F>,
}

/// What can be had only by value. So it may be shared between threads whatever it is: a reference
/// to it is good for nothing. Errors have to be `Sync` to travel, and closures often are not.
struct ByValue<F>(F);

// SAFETY: nothing reads the field through a reference; `into_inner` of the error consumes it.
unsafe impl<F> Sync for ByValue<F> {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Full { limit: usize },
    Closed,
    NoWorker,
    Forked,
}

impl Reason {
    pub(crate) fn new(refused: Refused, limit: usize, broken: bool) -> Self {
        match refused {
            Refused::Full => Reason::Full { limit },
            Refused::Closed if broken => Reason::NoWorker,
            Refused::Closed => Reason::Closed,
        }
    }

    /// Of a pool that was found closed.
    fn code(self) -> &'static str {
        match self {
            Reason::Full { .. } => "CENOTE_QUEUE_FULL",
            Reason::Closed => "CENOTE_POOL_CLOSED",
            Reason::NoWorker => "CENOTE_NO_WORKER",
            Reason::Forked => "CENOTE_FORKED",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Full { limit } => write!(
                f,
                "the task was not accepted: {limit} tasks are queued already; try later, wait with `spawn`, or raise queue_limit"
            ),
            Reason::Closed => f.write_str("the task was not accepted: the pool is closed"),
            Reason::NoWorker => f.write_str(
                "the task was not accepted: the pool has no workers, since none could start (stats().last_init_failure says why)",
            ),
            Reason::Forked => f.write_str(
                "the task was not accepted: this process is a fork, and the pool's threads are in its parent; build a pool after the fork",
            ),
        }
    }
}

impl<F> SpawnError<F> {
    pub(crate) fn new(reason: Reason, work: F) -> Self {
        SpawnError {
            reason,
            work: ByValue(work),
        }
    }

    /// The error of a closed pool, with the closure. For code that keeps a pool for its callers and
    /// has none at the moment: they see what a pool itself would say.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{JoinHandle, Pool, SpawnError};
    ///
    /// struct Thumbnails(Option<Pool>);
    ///
    /// impl Thumbnails {
    ///     fn spawn<F>(&self, f: F) -> Result<JoinHandle<u32>, SpawnError<F>>
    ///     where
    ///         F: FnOnce() -> u32 + Send + 'static,
    ///     {
    ///         match &self.0 {
    ///             Some(pool) => pool.try_spawn(f),
    ///             None => Err(SpawnError::closed(f)),
    ///         }
    ///     }
    /// }
    ///
    /// let refused = Thumbnails(None).spawn(|| 7).unwrap_err();
    /// assert_eq!(refused.code(), "CENOTE_POOL_CLOSED");
    /// assert_eq!(refused.into_inner()(), 7);
    /// ```
    pub fn closed(work: F) -> Self {
        SpawnError::new(Reason::Closed, work)
    }

    /// A stable name of the reason: `CENOTE_QUEUE_FULL`, `CENOTE_POOL_CLOSED`, `CENOTE_NO_WORKER`
    /// or `CENOTE_FORKED`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.shutdown_now();
    /// assert_eq!(pool.try_spawn(|| 1).unwrap_err().code(), "CENOTE_POOL_CLOSED");
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// The lane's queue was full.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let pool = cenote::Pool::builder().threads(1).queue_limit(1).build()?;
    /// let (began, begun) = mpsc::channel();
    /// let (go, gone) = mpsc::channel::<()>();
    /// let busy = pool.try_spawn(move || {
    ///     began.send(()).unwrap();
    ///     gone.recv().is_ok()
    /// })?;
    /// begun.recv()?;
    /// let waits = pool.try_spawn(|| ())?;
    /// assert!(pool.try_spawn(|| ()).unwrap_err().is_full());
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self.reason, Reason::Full { .. })
    }

    /// The pool was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.shutdown_now();
    /// assert!(pool.try_spawn(|| 1).unwrap_err().is_closed());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.reason == Reason::Closed
    }

    /// This process is a fork of the one that built the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// match pool.try_spawn(|| 1) {
    ///     Ok(handle) => assert_eq!(handle.join()?, 1),
    ///     Err(error) if error.is_forked() => panic!("build the pool after the fork"),
    ///     Err(error) => return Err(error.without_work().into()),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_forked(&self) -> bool {
        self.reason == Reason::Forked
    }

    /// The closure.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.shutdown_now();
    /// let closure = pool.try_spawn(|| 7).unwrap_err().into_inner();
    /// assert_eq!(closure(), 7);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn into_inner(self) -> F {
        self.work.0
    }

    pub(crate) fn map<G>(self, f: impl FnOnce(F) -> G) -> SpawnError<G> {
        SpawnError::new(self.reason, f(self.work.0))
    }

    /// The same error without the closure, to be returned further up.
    ///
    /// # Examples
    ///
    /// ```
    /// fn submit(pool: &cenote::Pool) -> Result<(), cenote::SpawnError<()>> {
    ///     pool.try_spawn(|| ()).map_err(cenote::SpawnError::without_work)?.detach();
    ///     Ok(())
    /// }
    ///
    /// let pool = cenote::Pool::new()?;
    /// assert!(submit(&pool).is_ok());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn without_work(self) -> SpawnError<()> {
        SpawnError::new(self.reason, ())
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError")
            .field("code", &self.code())
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for SpawnError<F> {}

/// Of the kind [`ResourceBusy`](io::ErrorKind::ResourceBusy) if the queue was full, else
/// [`Other`](io::ErrorKind::Other). The [`SpawnError<()>`](SpawnError) is inside.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// fn submit(pool: &cenote::Pool) -> io::Result<u32> {
///     Ok(pool.try_spawn(|| 7)?.join()?)
/// }
///
/// let pool = cenote::Pool::new()?;
/// assert_eq!(submit(&pool)?, 7);
/// pool.shutdown_now();
/// let error = submit(&pool).unwrap_err();
/// let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
/// assert!(inner.is_some_and(|inner: &cenote::SpawnError<()>| inner.is_closed()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<F> From<SpawnError<F>> for io::Error {
    fn from(error: SpawnError<F>) -> Self {
        let kind = if error.is_full() {
            // Not `WouldBlock`, which runtimes take for a socket that is not ready.
            io::ErrorKind::ResourceBusy
        } else {
            io::ErrorKind::Other
        };
        io::Error::new(kind, error.without_work())
    }
}

/// Why [`run`](crate::Lane::run) has no value: the task was not accepted, or it did not return one.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// let error = pool.blocking_run(|| -> u8 { panic!() }).unwrap_err();
/// assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
/// assert!(matches!(error, cenote::RunError::Join(join) if join.is_panic()));
/// # Ok::<(), cenote::BuildError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It was not accepted.
    Spawn(SpawnError<()>),
    /// It did not return a value.
    Join(JoinError),
}

impl RunError {
    /// The code of the error inside.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let error = pool.blocking_run(|| -> u8 { panic!() }).unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_TASK_PANICKED");
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            RunError::Spawn(error) => error.code(),
            RunError::Join(error) => error.code(),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Spawn(error) => error.fmt(f),
            RunError::Join(error) => error.fmt(f),
        }
    }
}

impl Error for RunError {}

impl<F> From<SpawnError<F>> for RunError {
    fn from(error: SpawnError<F>) -> Self {
        RunError::Spawn(error.without_work())
    }
}

/// That of the error inside, which is the one inside of the [`io::Error`] as well.
impl From<RunError> for io::Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Spawn(error) => error.into(),
            RunError::Join(error) => error.into(),
        }
    }
}

impl From<JoinError> for RunError {
    fn from(error: JoinError) -> Self {
        RunError::Join(error)
    }
}

/// Why a pool was not built.
///
/// # Examples
///
/// ```
/// let error = cenote::Pool::builder().threads(0).build().unwrap_err();
/// assert_eq!(error.code(), "CENOTE_BAD_OPTION");
/// assert!(error.to_string().contains("threads"));
/// ```
pub struct BuildError(pub(crate) BuildCause);

pub(crate) enum BuildCause {
    BadOption {
        option: &'static str,
        problem: String,
    },
    BadVariable {
        name: &'static str,
        value: String,
        problem: String,
    },
    GlobalExists,
    Thread(io::Error),
    Init(InitFailure),
}

impl BuildError {
    pub(crate) fn bad_option(option: &'static str, problem: impl Into<String>) -> Self {
        BuildError(BuildCause::BadOption {
            option,
            problem: problem.into(),
        })
    }

    /// A stable name of the reason: `CENOTE_BAD_OPTION`, `CENOTE_THREAD_SPAWN` (not one thread
    /// could be started), or `CENOTE_WORKER_INIT` (the `worker_state` function failed in every
    /// worker); of the [global pool](crate::Pool::global) also `CENOTE_BAD_VARIABLE` (a value in
    /// the environment) or `CENOTE_GLOBAL_EXISTS`.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = cenote::Pool::builder()
    ///     .init_retries(0)
    ///     .worker_state(|_| Err::<(), _>("no database"))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.code(), "CENOTE_WORKER_INIT");
    /// ```
    pub fn code(&self) -> &'static str {
        match self.0 {
            BuildCause::BadOption { .. } => "CENOTE_BAD_OPTION",
            BuildCause::BadVariable { .. } => "CENOTE_BAD_VARIABLE",
            BuildCause::GlobalExists => "CENOTE_GLOBAL_EXISTS",
            BuildCause::Thread(_) => "CENOTE_THREAD_SPAWN",
            BuildCause::Init(_) => "CENOTE_WORKER_INIT",
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            BuildCause::BadOption { option, problem } => {
                write!(f, "pool option `{option}`: {problem}")
            }
            BuildCause::BadVariable {
                name,
                value,
                problem,
            } => {
                write!(f, "the environment variable {name} is {value:?}: {problem}")
            }
            BuildCause::GlobalExists => f.write_str(
                "there is a global pool already; call build_global before anything uses \
                 Pool::global",
            ),
            BuildCause::Thread(error) => {
                write!(f, "the pool could not start a single thread: {error}")
            }
            BuildCause::Init(failure) => {
                write!(f, "the pool's workers could not start: {failure}")
            }
        }
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildError")
            .field("code", &self.code())
            .field("message", &format_args!("{self}"))
            .finish()
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            BuildCause::Thread(error) => Some(error),
            BuildCause::Init(failure) => failure.source(),
            _ => None,
        }
    }
}
