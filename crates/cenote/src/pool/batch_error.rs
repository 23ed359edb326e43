//! [`SpawnBatchError`]: why some of a batch's closures were not accepted, with what became of both
//! parts.

use std::error::Error;
use std::fmt;
use std::io;

use super::error::{RunError, SpawnError};
use crate::task::batch::BatchHandle;

/// Why closures of a batch were not accepted: a [`SpawnError`] with those closures, and the handle
/// of the tasks that were accepted before.
///
/// Dropped, as by `?`, it detaches the accepted tasks, which run all the same.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::builder().threads(1).queue_limit(2).build()?;
/// let (go, gone) = std::sync::mpsc::channel::<()>();
/// let (began, begun) = std::sync::mpsc::channel();
/// let busy = pool.try_spawn(move || {
///     began.send(()).unwrap();
///     gone.recv().is_ok()
/// })?;
/// begun.recv()?;
/// let error = pool.try_spawn_batch((0..5).map(|n| move || n)).unwrap_err();
/// let (accepted, refused) = error.into_parts();
/// assert!(refused.is_full());
/// go.send(())?;
/// let mut all: Vec<u32> = accepted.join().into_iter().collect::<Result<_, _>>()?;
/// // What was refused has not run, and may be run here or later.
/// all.extend(refused.into_inner().into_iter().map(|closure| closure()));
/// assert_eq!(all, [0, 1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SpawnBatchError<F, T> {
    accepted: BatchHandle<T>,
    refused: SpawnError<Vec<F>>,
    left: usize,
}

impl<F, T> SpawnBatchError<F, T> {
    pub(crate) fn new(accepted: BatchHandle<T>, refused: SpawnError<Vec<F>>, left: usize) -> Self {
        SpawnBatchError {
            accepted,
            refused,
            left,
        }
    }

    /// The tasks that were accepted, and the error with the closures that were not, each in their
    /// order. All that were accepted came before all that were not.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.shutdown_now();
    /// let error = pool.try_spawn_batch([|| 1, || 2]).unwrap_err();
    /// let (accepted, refused) = error.into_parts();
    /// assert!(accepted.is_empty() && refused.is_closed());
    /// assert_eq!(refused.into_inner().len(), 2);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn into_parts(self) -> (BatchHandle<T>, SpawnError<Vec<F>>) {
        (self.accepted, self.refused)
    }

    /// A stable name of the reason, as [`SpawnError::code`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.shutdown_now();
    /// assert_eq!(pool.try_spawn_batch([|| 1]).unwrap_err().code(), "CENOTE_POOL_CLOSED");
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn code(&self) -> &'static str {
        self.refused.code()
    }

    /// The lane's queue was full.
    pub fn is_full(&self) -> bool {
        self.refused.is_full()
    }

    /// The pool was closed.
    pub fn is_closed(&self) -> bool {
        self.refused.is_closed()
    }

    /// This process is a fork of the one that built the pool.
    pub fn is_forked(&self) -> bool {
        self.refused.is_forked()
    }
}

impl<F, T> fmt::Debug for SpawnBatchError<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnBatchError")
            .field("code", &self.code())
            .field("accepted", &self.accepted.len())
            .field("refused", &self.left)
            .finish_non_exhaustive()
    }
}

impl<F, T> fmt::Display for SpawnBatchError<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.accepted.len() + self.left;
        write!(f, "{} of {all} tasks: {}", self.left, self.refused)
    }
}

impl<F, T> Error for SpawnBatchError<F, T> {}

/// That of the [`SpawnError`]. The accepted tasks are detached.
impl<F, T> From<SpawnBatchError<F, T>> for io::Error {
    fn from(error: SpawnBatchError<F, T>) -> Self {
        error.refused.into()
    }
}

/// That of the [`SpawnError`]. The accepted tasks are detached.
impl<F, T> From<SpawnBatchError<F, T>> for RunError {
    fn from(error: SpawnBatchError<F, T>) -> Self {
        error.refused.into()
    }
}
