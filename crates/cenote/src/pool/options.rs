//! What can be said of one task: its priority, its deadlines, what cancels it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Which tasks go first: all of a higher band, but none that waits is passed for longer than the
/// pool's `aging` for each band between the two.
///
/// # Examples
///
/// ```
/// use cenote::Priority;
///
/// let pool = cenote::Pool::new()?;
/// let urgent = pool.task().priority(Priority::High).try_spawn(|| "now")?;
/// assert_eq!(urgent.join()?, "now");
/// assert_eq!(Priority::default(), Priority::Normal);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Before all others.
    High = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// After all others.
    Low = 2,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) priority: Priority,
    pub(crate) queue_timeout: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) token: Option<CancellationToken>,
}

impl Options {
    pub(crate) const DEFAULT: Options = Options {
        priority: Priority::Normal,
        queue_timeout: None,
        timeout: None,
        token: None,
    };

    /// Any that a plain task does without.
    #[inline]
    pub(crate) fn has_any(&self) -> bool {
        self.queue_timeout.is_some() || self.timeout.is_some() || self.token.is_some()
    }
}
